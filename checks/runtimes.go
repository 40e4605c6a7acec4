//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// controlSockets are the places where runtimes put their sockets. A gated one lets everybody
// connect by design and asks polkit itself. Who connects to that of NRI changes what containers are made
// of, hooks that run on the host included (containerd/nri, ContainerAdjustment). Those of the kubelet for
// devices are none: by pod-resources it tells what pods have, at device-plugins it takes who has devices.
var controlSockets = []struct {
	runtime, pattern string
	gated            bool
}{
	{"docker", "/run/docker.sock", false},
	{"docker", "/run/user/*/docker.sock", false},
	{"containerd", "/run/containerd/containerd.sock", false},
	{"containerd", "/run/docker/containerd/containerd.sock", false},
	{"containerd", "/run/k3s/containerd/containerd.sock", false},
	{"containerd", "/var/snap/microk8s/common/run/containerd.sock", false},
	{"cri-o", "/run/crio/crio.sock", false},
	{"cri-dockerd", "/run/cri-dockerd.sock", false},
	{"podman", "/run/podman/podman.sock", false},
	{"podman", "/run/user/*/podman/podman.sock", false},
	{"buildkit", "/run/buildkit/buildkitd.sock", false},
	{"libvirt", "/run/libvirt/libvirt-sock", true},
	{"libvirt", "/run/libvirt/virtqemud-sock", true},
	{"containerd", "/run/nri/nri.sock", false},
	{"nomad", "/run/nomad/nomad.sock", false},
	{"incus", "/var/lib/incus/unix.socket", false},
	{"lxd", "/var/lib/lxd/unix.socket", false},
	{"lxd", "/var/snap/lxd/common/lxd/unix.socket", false},
	{"firecracker", "/run/firecracker.socket", false},
	{"firecracker", "/srv/jailer/firecracker/*/root/run/firecracker.socket", false},
}

// powerGroups are the groups whose members control a runtime, and with it the host.
var powerGroups = map[string]string{
	"docker": "docker", "lxd": "lxd", "incus-admin": "incus", "incus": "incus", "libvirt": "libvirt",
	"podman": "podman", "kvm": "",
}

func collectRuntimes(ctx context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	sec := &snap.Runtimes
	groups := s.groups()
	byGID := map[int]string{}
	for _, g := range groups {
		byGID[g.gid] = g.name
		if rt := powerGroups[g.name]; rt != "" {
			sec.Groups = append(sec.Groups, snapshot.Group{
				Name: g.name, GID: g.gid, Runtime: rt, Members: g.members,
			})
		}
	}
	s.tableGap(out)
	var stats []socketFile
	for _, c := range controlSockets {
		found, more := s.Host.Glob(c.pattern)
		if more {
			out.partial("sockets at %s: not every name was read", c.pattern)
		}
		for _, p := range found {
			sock, err := s.controlSocket(p)
			if err != nil {
				if !gone(err) {
					out.partial("socket %s: %v", p, err)
				}
				continue
			}
			sock.Runtime, sock.Gated, sock.Group = c.runtime, c.gated, byGID[sock.GID]
			if c.gated {
				sock.Asks = s.libvirtAsks(path.Base(p))
				sock.Gated = sock.Asks != asksNobody
			}
			s.socketACL(&sock, byGID, out)
			sec.Sockets = append(sec.Sockets, sock)
			stats = append(stats, socketFile{p, sock.Dev, sock.Ino, ""})
		}
	}
	stats = s.daemonSockets(sec, byGID, stats, out)
	s.findMounts(sec, stats, out)
	s.findContainers(ctx, sec, out)
	s.specMounts(sec)
	sec.TLS = s.daemonTLS(ctx, out, sec.Sockets)
	s.dockerDaemons(sec)
	s.insecureRegistries(sec)
	s.machines(sec)
	return out
}

// controlSocket looks at what is at one of the paths of control sockets. Of a link in a user's directory there is no socket: what
// a user puts there leads to anybody's.
func (s *Scan) controlSocket(p string) (snapshot.ControlSocket, error) {
	uid, users := runtimeDir(p)
	type seen struct {
		host.Stat
		closed bool
	}
	got, err := patient(s, uidParty(uid), func() (seen, error) {
		st, err := s.Host.Lstat(p)
		if link := st.Mode.Type() == fs.ModeSymlink; err == nil && link && !users {
			st, err = s.Host.Stat(p)
			return seen{st, false}, err
		}
		return seen{st, err == nil && s.closed(path.Dir(p), st.UID)}, err
	})
	word := snapshot.WordOf(uid)
	switch {
	case err != nil:
		return snapshot.ControlSocket{}, err
	case users && got.Mode.Type() != fs.ModeSocket:
		return snapshot.ControlSocket{}, fs.ErrNotExist
	case users && got.UID != uid:
		word = snapshot.Word{By: snapshot.ByOthers}
	case !users:
		word = s.placeWord(p)
	}
	return snapshot.ControlSocket{
		Path: p, Mode: got.Perm, UID: got.UID, GID: got.GID, Word: word, Dev: got.Dev, Ino: got.Ino, Closed: got.closed,
	}, nil
}

// socketACL adds whom an access control list lets write a socket.
func (s *Scan) socketACL(sock *snapshot.ControlSocket, byGID map[int]string, out *Outcome) {
	if sock.Container != "" {
		return
	}
	type list struct {
		entries    []host.ACLEntry
		group, has bool
	}
	uid, _ := runtimeDir(sock.Path)
	l, err := patient(s, uidParty(uid), func() (l list, err error) {
		l.entries, l.group, l.has, err = s.Host.ACL(sock.Path, host.ACLWrite)
		return l, err
	})
	switch {
	case err != nil:
		out.partial("socket %s: %v", sock.Path, err)
		return
	case !l.has:
		return
	case !l.group:
		sock.Mode &^= 0o020 // it was the mask
	}
	names := map[int]string{}
	for _, u := range s.users() {
		names[u.uid] = u.name
	}
	for _, e := range l.entries {
		w := snapshot.SocketWriter{Group: e.Group, ID: e.ID, Name: names[e.ID]}
		if e.Group {
			w.Name = byGID[e.ID]
		}
		sock.ACL = append(sock.ACL, w)
	}
}

// runtimeDir says whose directory below /run/user a path is in, if it is one of a user's.
func runtimeDir(p string) (uid int, ok bool) {
	rest, ok := strings.CutPrefix(p, "/run/user/")
	name, _, _ := strings.Cut(rest, "/")
	uid, err := strconv.Atoi(name)
	return uid, ok && err == nil && uid > 0
}

// placeWord is the word of who decides which file is at a path: whose directory it is in, and where it is a link also of what that
// leads to.
func (s *Scan) placeWord(p string) snapshot.Word {
	at := path.Dir(p)
	if st, err := s.Host.Lstat(p); err != nil || st.Mode.Type() == fs.ModeSymlink {
		at = p
	}
	if w := s.pathWord(at); w != (snapshot.Word{}) {
		return w
	}
	return snapshot.Word{By: snapshot.ByOthers}
}

// closed says whether a directory on the way lets nobody through but root and a uid.
func (s *Scan) closed(dir string, uid int) bool {
	for ; dir != "/" && dir != "."; dir = path.Dir(dir) {
		if st, err := s.Host.Stat(dir); err == nil && st.IsDir && st.Perm&0o011 == 0 && (st.UID == 0 || st.UID == uid) {
			return true
		}
	}
	return false
}

// pathWord is the word of what is at a path of the host.
func (s *Scan) pathWord(p string) snapshot.Word {
	a, _, err := s.Host.Author(p)
	if err != nil {
		return snapshot.Word{}
	}
	return wordOf(a)
}

// tableGap notes why the list of processes is not whole.
func (s *Scan) tableGap(out *Outcome) {
	if _, err := s.processes(); err == nil && s.procGap != "" {
		out.partial("not every process is seen: %s", s.procGap)
	}
}

type socketFile struct {
	path     string
	dev, ino uint64
	place    string // where it is in its file system, if the path is not one of the host
}

// mountEntry is one line of mountinfo (proc(5)).
type mountEntry struct {
	id, parent       string // parent is the mount that it is on
	dev              uint64
	root, point      string
	options, fs, src string
	super            string
}

func parseMountinfo(b []byte) []mountEntry {
	var list []mountEntry
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		sep := slices.Index(f, "-")
		if len(f) < 10 || sep < 6 || sep+3 >= len(f) {
			continue
		}
		ma, mi, _ := strings.Cut(f[2], ":")
		major, _ := strconv.ParseUint(ma, 10, 32)
		minor, _ := strconv.ParseUint(mi, 10, 32)
		list = append(list, mountEntry{
			id: f[0], parent: f[1], dev: mkdev(major, minor), root: unescapeMount(f[3]), point: unescapeMount(f[4]),
			options: f[5], fs: f[sep+1], src: unescapeMount(f[sep+2]), super: f[sep+3],
		})
	}
	return list
}

// unescapeMount undoes the octal escapes of blanks and backslashes.
func unescapeMount(s string) string { return mountEscapes.Replace(s) }

var mountEscapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// within says what of p lies below dir: "" and true for dir itself.
func within(dir, p string) (string, bool) {
	if dir == "/" {
		return p, true
	}
	rest, ok := strings.CutPrefix(p, dir)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// separate says whether a process lives apart from the host: in a container's cgroup, or in another
// pid or user namespace. A service of the host with a private mount namespace does not, nor one with namespaces of its own that has the
// files of the host (systemd.exec(5), PrivateUsers= and PrivatePIDs=).
func (s *Scan) separate(p *process) bool {
	host := s.initNS()
	apart := p.NS.PID != host.PID && p.NS.PID != 0 || p.NS.User != host.User && p.NS.User != 0
	return p.Container != "" || apart && !(p.HostRoot && strings.HasSuffix(p.Unit, ".service") && p.UserUnit == "")
}
