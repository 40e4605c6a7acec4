//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// unixDaemons are the daemons whose interface is a unix socket, wherever they have it.
var unixDaemons = map[string]string{
	"dockerd": "docker", "containerd": "containerd", "podman": "podman", "buildkitd": "buildkit", "crio": "cri-o", "cri-dockerd": "cri-dockerd",
	"incusd": "incus", "lxd": "lxd",
}

// besideInterfaces are the names of sockets that such daemons have for something less.
var besideInterfaces = lazily(`(^|/)(containerd-)?(metrics|debug)\.sock$|\.ttrpc$|/libnetwork/|/swarm/|/guestapi/|/devlxd|/devIncus|seccomp|\.fuse`)

// maxDaemonSockets bounds the sockets of one daemon.
const maxDaemonSockets = 64

// daemonSockets adds the sockets that daemons listen on at places of their own: their arguments and files name them, and so do units; the
// kernel tells which there are.
func (s *Scan) daemonSockets(sec *snapshot.Runtimes, byGID map[int]string, files []socketFile, out *Outcome) []socketFile {
	if !s.Host.Live() {
		return files
	}
	procs, _ := s.processes()
	inodes, _ := s.socketOwners()
	add := func(sock snapshot.ControlSocket, at string) {
		if slices.ContainsFunc(files, func(f socketFile) bool { return f.dev == sock.Dev && f.ino == sock.Ino }) {
			return
		}
		sock.Group = byGID[sock.GID]
		s.socketACL(&sock, byGID, out)
		sec.Sockets = append(sec.Sockets, sock)
		files = append(files, socketFile{sock.Path, sock.Dev, sock.Ino, at})
	}
	for _, p := range procs {
		runtime := unixDaemons[p.exeBase()]
		if runtime == "" || p.Leader != 0 {
			continue
		}
		paths, whole := s.listensAt(p, inodes)
		if !whole && p.Container == "" {
			out.partial("the unix sockets of %s were not all seen", p.exeBase())
		}
		for _, at := range paths {
			if sock, place, ok := s.socketOf(p, at); ok {
				sock.Runtime = runtime
				add(sock, place)
			}
		}
	}
	for unit, runtime := range map[string]string{"docker.socket": "docker", "podman.socket": "podman"} {
		lines, _ := s.unitLines(unit)
		for _, at := range listOfKey(lines, "[Socket]", "ListenStream") {
			at = strings.Replace(at, "%t/", "/run/", 1)
			if !path.IsAbs(at) || strings.Contains(at, "%") {
				continue
			}
			if sock, err := s.controlSocket(path.Clean(at)); err == nil && sock.Ino != 0 {
				sock.Runtime = runtime
				add(sock, "")
			}
		}
	}
	return files
}

// listensAt are the paths of the unix sockets that a process listens on (proc(5), /proc/net/unix).
func (s *Scan) listensAt(p *process, inodes map[uint64][]int) (paths []string, whole bool) {
	b, err := s.Host.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/net/unix")
	if err != nil {
		return nil, gone(err)
	}
	for line := range bytes.Lines(b) {
		f := strings.Fields(string(line))
		if len(f) < 8 || !path.IsAbs(f[7]) || f[3] != "00010000" { // __SO_ACCEPTCON
			continue
		}
		inode, err := strconv.ParseUint(f[6], 10, 64)
		if err != nil || !slices.Contains(inodes[inode], p.PID) || besideInterfaces.MatchString(f[7]) {
			continue
		}
		if len(paths) == maxDaemonSockets {
			return paths, false
		}
		paths = append(paths, path.Clean(strings.Join(f[7:], " ")))
	}
	return paths, true
}

// socketOf is the socket that a daemon has at a path: one of the host's files, or one of its container's. place is where that is in its
// file system, if the host does not see it.
func (s *Scan) socketOf(p *process, at string) (sock snapshot.ControlSocket, place string, ok bool) {
	in, err := s.statIn(p, at)
	if err != nil || in.Mode.Type() != fs.ModeSocket {
		return sock, "", false
	}
	if sock, err := s.controlSocket(at); err == nil && sock.Dev == in.Dev && sock.Ino == in.Ino {
		return sock, "", true
	}
	if p.Container == "" || p.ContainerWord.By == snapshot.ByUID {
		return sock, "", false
	}
	b, err := s.Host.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/mountinfo")
	if err != nil {
		return sock, "", false
	}
	sock = snapshot.ControlSocket{
		Path: at, Mode: in.Perm, UID: in.UID, GID: in.GID, Dev: in.Dev, Ino: in.Ino, Container: p.Container,
		Word: snapshot.Word{By: snapshot.ByContainer, Container: p.Container},
	}
	place = placesIn(parseMountinfo(b), []socketFile{{path: at, dev: in.Dev}})[0]
	return sock, place, place != ""
}
