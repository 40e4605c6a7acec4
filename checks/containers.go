package checks

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// specPlaces are where runtimes keep the OCI specification of a container: the directory above the
// file is the container's id unless up says how many levels higher it is.
var specPlaces = []struct {
	runtime, pattern string
	up               int
}{
	{"containerd", "/run/containerd/io.containerd.runtime.v2.task/*/*/config.json", 0},
	{"docker", "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/*/*/config.json", 0},
	{"podman", "/var/lib/containers/storage/*-containers/*/userdata/config.json", 1},
	{"podman", "/home/*/.local/share/containers/storage/*-containers/*/userdata/config.json", 1},
	{"cri-o", "/run/containers/storage/*-containers/*/userdata/config.json", 1},
}

// statePlaces are where the low level runtimes keep a container's state, which names its bundle.
var statePlaces = []struct{ runtime, pattern string }{
	{"runc", "/run/runc/*/state.json"},
	{"runc", "/run/user/*/runc/*/state.json"},
	{"crun", "/run/crun/*/status"},
	{"crun", "/run/user/*/crun/*/status"},
}

// ociSpec is what is read of an OCI runtime specification (config.json).
type ociSpec struct {
	Process struct {
		User struct {
			UID int `json:"uid"`
		} `json:"user"`
		Capabilities struct {
			Bounding  []string `json:"bounding"`
			Effective []string `json:"effective"`
		} `json:"capabilities"`
		NoNewPrivileges bool   `json:"noNewPrivileges"`
		ApparmorProfile string `json:"apparmorProfile"`
	} `json:"process"`
	Mounts []struct {
		Destination string   `json:"destination"`
		Type        string   `json:"type"`
		Source      string   `json:"source"`
		Options     []string `json:"options"`
	} `json:"mounts"`
	Annotations map[string]string `json:"annotations"`
	Linux       struct {
		Namespaces []struct {
			Type string `json:"type"`
			Path string `json:"path"`
		} `json:"namespaces"`
		Devices []struct {
			Path string `json:"path"`
		} `json:"devices"`
		Resources struct {
			Devices []struct {
				Allow  bool   `json:"allow"`
				Type   string `json:"type"`
				Major  *int64 `json:"major"`
				Access string `json:"access"`
			} `json:"devices"`
		} `json:"resources"`
		Seccomp     *json.RawMessage `json:"seccomp"`
		MaskedPaths []string         `json:"maskedPaths"`
	} `json:"linux"`
}

// findContainers reads the containers from disk, without asking a daemon.
func (s *Scan) findContainers(sec *snapshot.Runtimes, out *Outcome) {
	found := map[string]*snapshot.Container{}
	add := func(runtime, id, spec string, pid int) {
		if c := found[id]; c != nil {
			if c.PID == 0 {
				c.PID = pid
			}
			return
		}
		c, err := s.readSpec(runtime, id, spec)
		if err != nil {
			if !gone(err) {
				out.partial("container %.12s: %v", id, err)
			}
			return
		}
		c.PID = pid
		found[id] = c
	}
	for _, pl := range specPlaces {
		for _, spec := range s.Host.Glob(pl.pattern) {
			dir := path.Dir(spec)
			id := path.Base(dir)
			if pl.up == 1 {
				id = path.Base(path.Dir(dir))
			}
			runtime := pl.runtime
			if strings.Contains(spec, "/moby/") {
				runtime = "docker"
			}
			add(runtime, id, spec, atoi(s.fact(path.Join(dir, "init.pid")).Value)+
				atoi(s.fact(path.Join(dir, "pidfile")).Value))
		}
	}
	for _, pl := range statePlaces {
		for _, file := range s.Host.Glob(pl.pattern) {
			id := path.Base(path.Dir(file))
			bundle, pid, err := s.readState(file)
			if err != nil {
				out.partial("container %.12s: %v", id, err)
				continue
			}
			add(pl.runtime, id, path.Join(bundle, "config.json"), pid)
		}
	}
	dirs := append([]string{
		"/var/lib/containers", "/var/lib/docker", "/run/containerd", "/run/docker", "/run/runc", "/run/crun",
	}, s.Host.Glob("/run/user/*")...)
	for _, d := range dirs {
		if s.unreadable(d) {
			out.partial("containers and sockets of runtimes: %s is not readable (needs root)", d)
		}
	}
	s.running(found, out)
	s.dockerNames(found)
	for _, id := range sortedKeys(found) {
		sec.Containers = append(sec.Containers, *found[id])
	}
}

func (s *Scan) unreadable(dir string) bool {
	_, err := s.Host.ReadDir(dir)
	return err != nil && denied(err)
}

// running marks the containers that have processes, and reports processes of a container whose
// specification was not found: it exists, and nothing is known about it.
func (s *Scan) running(found map[string]*snapshot.Container, out *Outcome) {
	procs, _ := s.processes()
	lost := map[string]string{}
	for _, p := range procs {
		for _, c := range found {
			if c.PID == p.PID {
				c.Running = true
			}
		}
		if p.Container == "" {
			continue
		}
		if c := found[p.Container]; c != nil {
			c.Running = true
			if c.PID == 0 {
				c.PID = p.PID
			}
		} else if p.Runtime != "libvirt" && p.Runtime != "nspawn" {
			lost[p.Container] = p.Runtime
		}
	}
	for _, id := range sortedKeys(lost) {
		out.partial("the specification of %s container %.12s was not found", lost[id], id)
	}
}

func (s *Scan) readState(file string) (bundle string, pid int, err error) {
	b, err := s.Host.ReadFile(file)
	if err != nil {
		return "", 0, err
	}
	var st struct {
		Bundle string `json:"bundle"`
		PID    int    `json:"pid"`
		Init   int    `json:"init_process_pid"`
		Config struct {
			Labels []string `json:"labels"`
		} `json:"config"`
	}
	if err := json.Unmarshal(b, &st); err != nil {
		return "", 0, fmt.Errorf("%s: %w", file, err)
	}
	for _, l := range st.Config.Labels {
		if v, ok := strings.CutPrefix(l, "bundle="); ok {
			st.Bundle = v
		}
	}
	return st.Bundle, st.PID + st.Init, nil
}

func (s *Scan) readSpec(runtime, id, file string) (*snapshot.Container, error) {
	b, err := s.Host.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var spec ociSpec
	if err := json.Unmarshal(b, &spec); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c := &snapshot.Container{
		ID: id, Runtime: runtime, Spec: file, UID: spec.Process.User.UID,
		CapEff: lowerCaps(spec.Process.Capabilities.Effective),
		CapBnd: lowerCaps(spec.Process.Capabilities.Bounding),
		HostNS: s.hostNamespaces(&spec), Seccomp: spec.Linux.Seccomp != nil,
		NoNewPrivs: spec.Process.NoNewPrivileges, AppArmor: spec.Process.ApparmorProfile,
		MaskedPaths: len(spec.Linux.MaskedPaths),
	}
	for _, key := range []string{
		"io.kubernetes.container.name", "io.kubernetes.cri.container-name", "io.podman.annotations.name",
		"org.opencontainers.image.title",
	} {
		if v := spec.Annotations[key]; v != "" && c.Name == "" {
			c.Name = v
		}
	}
	for _, n := range spec.Linux.Namespaces {
		c.UserNS = c.UserNS || n.Type == "user"
	}
	for _, d := range spec.Linux.Devices {
		if sensitiveDevice(d.Path) {
			c.Devices = append(c.Devices, d.Path)
		}
	}
	for _, r := range spec.Linux.Resources.Devices {
		if r.Allow && (r.Type == "" || r.Type == "a") && (r.Major == nil || *r.Major == -1) {
			c.AllDevices = true
		}
	}
	for _, m := range spec.Mounts {
		if m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind") {
			c.Mounts = append(c.Mounts, snapshot.ContainerMount{
				Source: m.Source, Dest: m.Destination, RW: !slices.Contains(m.Options, "ro"),
			})
		}
	}
	c.Privileged = slices.Contains(c.CapEff, "sys_admin") && slices.Contains(c.CapEff, "sys_module") &&
		!c.Seccomp && (c.AllDevices || c.MaskedPaths == 0) && !c.UserNS
	return c, nil
}

// hostNamespaces lists the kinds of namespace that the container does not have for itself: missing
// from the specification, or joined by the path of one of the host's.
func (s *Scan) hostNamespaces(spec *ociSpec) []string {
	host := s.initNS()
	own := map[string]uint64{
		"network": host.Net, "pid": host.PID, "ipc": host.IPC, "uts": host.UTS, "mount": host.Mnt,
	}
	var shared []string
	for _, kind := range []string{"network", "pid", "ipc", "uts", "mount"} {
		shares := true
		for _, n := range spec.Linux.Namespaces {
			if n.Type != kind {
				continue
			}
			shares = false
			if n.Path != "" {
				st, err := s.Host.Stat(n.Path)
				shares = err == nil && st.Ino == own[kind]
			}
		}
		if shares {
			shared = append(shared, kind)
		}
	}
	return shared
}

func lowerCaps(list []string) []string {
	out := make([]string, 0, len(list))
	for _, c := range list {
		out = append(out, strings.ToLower(strings.TrimPrefix(c, "CAP_")))
	}
	slices.Sort(out)
	return out
}

// dockerNames adds the names and images that Docker and Podman keep beside the specification.
func (s *Scan) dockerNames(found map[string]*snapshot.Container) {
	var files []string
	for _, root := range s.dockerRoots() {
		files = append(files, s.Host.Glob(path.Join(root, "containers/*/config.v2.json"))...)
	}
	for _, file := range files {
		c := found[path.Base(path.Dir(file))]
		b, err := s.Host.ReadFile(file)
		if c == nil || err != nil {
			continue
		}
		var cfg struct {
			Name   string
			Config struct{ Image string }
		}
		if json.Unmarshal(b, &cfg) == nil {
			c.Name, c.Image = strings.TrimPrefix(cfg.Name, "/"), cfg.Config.Image
		}
	}
	for _, file := range s.Host.Glob("/var/lib/containers/storage/*-containers/containers.json") {
		b, err := s.Host.ReadFile(file)
		if err != nil {
			continue
		}
		var list []struct {
			ID    string   `json:"id"`
			Names []string `json:"names"`
		}
		if json.Unmarshal(b, &list) != nil {
			continue
		}
		for _, l := range list {
			if c := found[l.ID]; c != nil && len(l.Names) > 0 {
				c.Name = l.Names[0]
			}
		}
	}
}

// dockerRoots are the directories that Docker daemons keep their state in.
func (s *Scan) dockerRoots() []string {
	roots := []string{"/var/lib/docker"}
	procs, _ := s.processes()
	for _, p := range procs {
		if p.exeBase() != "dockerd" {
			continue
		}
		for _, flag := range []string{"--data-root", "-g", "--graph"} {
			if v := argument(p.argv, flag); path.IsAbs(v) && !slices.Contains(roots, v) {
				roots = append(roots, v)
			}
		}
	}
	return roots
}
