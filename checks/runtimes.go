package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// controlSockets are the places where runtimes put their sockets. A gated one lets everybody
// connect by design and asks polkit itself.
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
	{"kubelet", "/var/lib/kubelet/pod-resources/kubelet.sock", false},
	{"kubelet", "/var/lib/kubelet/device-plugins/kubelet.sock", false},
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

func collectRuntimes(_ context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
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
	var stats []socketFile
	for _, c := range controlSockets {
		for _, p := range s.Host.Glob(c.pattern) {
			st, err := s.Host.Stat(p)
			if err != nil {
				if !gone(err) {
					out.partial("socket %s: %v", p, err)
				}
				continue
			}
			sec.Sockets = append(sec.Sockets, snapshot.ControlSocket{
				Runtime: c.runtime, Path: p, Mode: st.Perm, UID: st.UID, GID: st.GID,
				Group: byGID[st.GID], Gated: c.gated,
			})
			stats = append(stats, socketFile{p, st.Dev, st.Ino})
		}
	}
	s.findMounts(sec, stats, out)
	s.findContainers(sec, out)
	sec.TLS = s.daemonTLS()
	return out
}

type socketFile struct {
	path     string
	dev, ino uint64
}

// mountEntry is one line of mountinfo (proc(5)).
type mountEntry struct {
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
			dev: mkdev(major, minor), root: unescapeMount(f[3]), point: unescapeMount(f[4]),
			options: f[5], fs: f[sep+1], src: unescapeMount(f[sep+2]), super: f[sep+3],
		})
	}
	return list
}

// unescapeMount undoes the octal escapes of blanks and backslashes.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// within says what of p lies below dir: "" and true for dir itself.
func within(dir, p string) (string, bool) {
	if dir == "/" {
		return p, true
	}
	rest, ok := strings.CutPrefix(p, dir)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// findMounts finds the control sockets in other mount namespaces: the mounts there that show the
// same part of the same file system, confirmed by device and inode. Nothing is opened: opening a
// socket fails, which would be misread as absence.
func (s *Scan) findMounts(sec *snapshot.Runtimes, files []socketFile, out *Outcome) {
	own, err := s.Host.ReadFile("/proc/self/mountinfo")
	if err != nil {
		out.partial("mounts: %v", err)
		return
	}
	hostMounts := parseMountinfo(own)
	inFS := make([]string, len(files)) // path inside its file system
	for i, f := range files {
		best := ""
		for _, m := range hostMounts {
			if rest, ok := within(m.point, f.path); ok && len(m.point) >= len(best) && m.dev == f.dev {
				best, inFS[i] = m.point, path.Join(m.root, rest)
			}
		}
	}
	self := s.namespaces("thread-self").Mnt
	seen := map[uint64]bool{self: true}
	procs, err := s.processes()
	if err != nil {
		out.fail("list processes", err)
		return
	}
	for _, p := range procs {
		if seen[p.NS.Mnt] || !s.separate(p) {
			continue
		}
		b, err := s.Host.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", p.PID))
		if err != nil {
			if !gone(err) {
				out.partial("mounts of process %d: %v", p.PID, err)
			}
			continue
		}
		seen[p.NS.Mnt] = true
		for _, m := range parseMountinfo(b) {
			for i, f := range files {
				rest, ok := within(m.root, inFS[i])
				if !ok || m.dev != f.dev || inFS[i] == "" {
					continue
				}
				at := path.Join(m.point, rest)
				st, err := s.Host.StatIn(p.PID, at)
				if err != nil && !gone(err) {
					out.partial("mounts of process %d: %v", p.PID, err)
				}
				if err == nil && st.Dev == f.dev && st.Ino == f.ino {
					sec.Sockets[i].Mounts = append(sec.Sockets[i].Mounts, snapshot.Mount{
						Mntns: p.NS.Mnt, PID: p.PID, Container: p.Container, Path: at,
					})
				}
			}
		}
	}
}

// separate says whether a process lives apart from the host: in a container's cgroup, or in another
// pid or user namespace. A service of the host with a private mount namespace does not.
func (s *Scan) separate(p *process) bool {
	host := s.initNS()
	return p.Container != "" || p.NS.PID != host.PID && p.NS.PID != 0 ||
		p.NS.User != host.User && p.NS.User != 0
}

// daemonTLS reads whether the daemons that can listen on TCP ask for client certificates.
func (s *Scan) daemonTLS() []snapshot.DaemonTLS {
	var list []snapshot.DaemonTLS
	procs, _ := s.processes()
	for _, p := range procs {
		switch p.exeBase() {
		case "dockerd":
			d := s.dockerTLS(p)
			if args := s.redactArgs(p.argv); len(args) > 0 {
				d.Args = append([]string{p.Exe}, args[1:]...)
			}
			list = append(list, d)
		case "buildkitd":
			v := "false"
			if hasFlag(p.argv, "--tlscacert") {
				v = "true"
			}
			list = append(list, snapshot.DaemonTLS{PID: p.PID, Verify: present("%s", v), Source: "arguments"})
		case "podman":
			list = append(list, snapshot.DaemonTLS{
				PID: p.PID, Verify: present("false"), Source: "podman's API has no authentication",
			})
		}
	}
	return list
}

func (s *Scan) dockerTLS(p *process) snapshot.DaemonTLS {
	d := snapshot.DaemonTLS{PID: p.PID, Verify: present("false"), Source: "arguments"}
	if hasFlag(p.argv, "--tlsverify") {
		d.Verify = present("true")
		return d
	}
	file := "/etc/docker/daemon.json"
	for i, a := range p.argv {
		if v, ok := strings.CutPrefix(a, "--config-file="); ok {
			file = v
		} else if a == "--config-file" && i+1 < len(p.argv) {
			file = p.argv[i+1]
		}
	}
	b, err := s.Host.ReadFile(file)
	if gone(err) {
		return d
	}
	var cfg struct {
		TLSVerify bool `json:"tlsverify"`
	}
	if err == nil {
		err = json.Unmarshal(b, &cfg)
	}
	d.Source = file
	d.Verify = toFact(strconv.FormatBool(cfg.TLSVerify), err)
	return d
}

func hasFlag(argv []string, flag string) bool {
	for _, a := range argv {
		if a == flag || strings.HasPrefix(a, flag+"=") && !strings.HasSuffix(a, "=false") {
			return true
		}
	}
	return false
}
