//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

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
		Devices   []specDevice `json:"devices"`
		Resources struct {
			Devices []struct {
				Allow  bool   `json:"allow"`
				Type   string `json:"type"`
				Major  *int64 `json:"major"`
				Access string `json:"access"`
			} `json:"devices"`
		} `json:"resources"`
		Seccomp     *seccompProfile `json:"seccomp"`
		MaskedPaths []string        `json:"maskedPaths"`
	} `json:"linux"`
}

// findContainers reads the containers from disk, without asking a daemon.
func (s *Scan) findContainers(ctx context.Context, sec *snapshot.Runtimes, out *Outcome) {
	f := &containerFinder{s: s, out: out, found: map[string]*snapshot.Container{}, clock: newClock()}
	s.readPlaces(ctx, f, false)
	s.readPlaces(ctx, f, true)
	s.readBundles(ctx, f)
	dirs := []string{"/var/lib/containers", "/var/lib/docker", "/run/containerd", "/run/docker", "/run/runc", "/run/crun"}
	users, _ := s.Host.Glob("/run/user/*")
	for _, d := range append(dirs, users...) {
		if s.unreadable(d) {
			out.partial("containers and sockets of runtimes: %s is not readable (needs root)", d)
		}
	}
	s.running(f.found)
	s.dockerNames(f.found)
	for _, id := range sortedKeys(f.found) {
		sec.Containers = append(sec.Containers, *f.found[id])
	}
}

// Bounds of what one uid's files may take, so that nobody uses up what others are read by.
const (
	maxSpecs     = 1000     // specifications of one uid
	maxSpecBytes = 64 << 20 // of all of them
)

// containerFinder collects containers. Each is known by its id and whose word it is.
type containerFinder struct {
	s     *Scan
	out   *Outcome
	found map[string]*snapshot.Container
	files map[int]int // of a uid, so far
	bytes map[int]int
	// under is whose directory it is in now: that of root, or of the user whose home it is.
	under snapshot.Word
	whose string // the party that is waited for
	clock *clock // of the parties
}

// trouble is about a file that cannot be read or understood: of root's, it is a gap of the section; of a uid's, the
// uid has a container of which nothing is known.
func (f *containerFinder) trouble(runtime, id, file string, word snapshot.Word, err error) {
	if gone(err) {
		return
	}
	// Below a user's directory the trouble is of that user's making, whatever the file is.
	if f.under.By == snapshot.ByUID && word.By != snapshot.ByUID {
		word = f.under
	}
	if word.By != snapshot.ByUID {
		f.out.partial("container %.12s: %v", id, err)
		return
	}
	key := containerID(id, word)
	if f.found[key] == nil {
		f.found[key] = &snapshot.Container{ID: key, Runtime: runtime, Spec: file, Word: word, UserNS: true, Unread: err.Error()}
	}
}

// errMalformed is all that is said of a file that cannot be understood: the decoders' own words quote it.
var errMalformed = errors.New("malformed")

var (
	errShare = errors.New("there are more specifications of this uid than are read")
	errTime  = errors.New("there was no time for all specifications of this uid")
)

// afford counts a file against the share of the uid that wrote it.
func (f *containerFinder) afford(word snapshot.Word, size int64) bool {
	if word.By != snapshot.ByUID {
		return true
	}
	if f.files == nil {
		f.files, f.bytes = map[int]int{}, map[int]int{}
	}
	f.files[word.UID]++
	f.bytes[word.UID] += int(min(size, host.MaxNamed))
	return f.files[word.UID] <= maxSpecs && f.bytes[word.UID] <= maxSpecBytes
}

// read reads a file and says whose word it is; named is the word of the file that names it.
func (f *containerFinder) read(file string, named snapshot.Word) ([]byte, snapshot.Word, error) {
	if !f.clock.has(f.whose) {
		return nil, f.under, errTime
	}
	start, whose := time.Now(), f.whose
	defer func() { f.clock.charge(whose, start) }()
	type found struct {
		author host.Author
		st     host.Stat
	}
	at, err := patient(f.s, whose, func() (r found, err error) {
		r.author, r.st, err = f.s.Host.Author(file)
		return r, err
	})
	switch {
	case errors.Is(err, errSilent):
		return nil, f.under, fmt.Errorf("read %s: %w", file, err)
	case err != nil:
		return nil, named, err
	}
	word := lesser(wordOf(at.author), named)
	if word.By == snapshot.ByUID {
		whose = uidParty(f.s.account(word.UID))
	}
	switch {
	case word.By == snapshot.ByOthers:
		return nil, word, fmt.Errorf("%s can be written by more than one user", file)
	case !f.afford(word, at.st.Size):
		return nil, word, errShare
	case !f.clock.has(whose):
		return nil, word, errTime
	}
	b, err := patient(f.s, whose, func() ([]byte, error) {
		if word.By == snapshot.ByUID {
			b, _, err := f.s.Host.ReadNamed(&host.Principal{UID: word.UID, GID: -1}, file)
			return b, err
		}
		return f.s.Host.ReadFile(file)
	})
	if errors.Is(err, errSilent) {
		err = fmt.Errorf("read %s: %w", file, err)
	}
	return b, word, err
}

// lesser is whose word two facts are together.
func lesser(a, b snapshot.Word) snapshot.Word {
	switch {
	case a == b || b.Trusted():
		return a
	case a.Trusted():
		return b
	}
	return snapshot.Word{By: snapshot.ByOthers}
}

func (f *containerFinder) add(runtime, id, spec string, named snapshot.Word, pid int) {
	b, word, err := f.read(spec, named)
	if errors.Is(err, errShare) || errors.Is(err, errTime) {
		id, spec = "*", path.Dir(path.Dir(spec))
	}
	if err != nil {
		f.trouble(runtime, id, spec, word, err)
		return
	}
	c, err := f.s.parseSpec(runtime, containerID(id, word), spec, b)
	if err != nil {
		f.trouble(runtime, id, spec, word, err)
		return
	}
	c.PID, c.Word = pid, word
	old := f.found[c.ID]
	if old == nil || old.Unread != "" {
		f.found[c.ID] = c
		return
	}
	if old.PID == 0 {
		old.PID = pid
	}
	if old.Spec != c.Spec && !sameContainer(old, c) {
		weaken(old, c)
	}
}

// sameContainer says whether two specifications say the same.
func sameContainer(a, b *snapshot.Container) bool {
	x, y := *a, *b
	for _, c := range []*snapshot.Container{&x, &y} {
		c.Spec, c.Runtime, c.PID, c.Running, c.Name, c.Image, c.Others, c.KernelFiles = "", "", 0, false, "", "", nil, nil
	}
	return reflect.DeepEqual(x, y)
}

// weaken adds to a container what another specification of it allows: which of the two holds is not known.
func weaken(c, o *snapshot.Container) {
	c.Others = append(c.Others, o.Spec)
	c.CapEff, c.CapBnd = union(c.CapEff, o.CapEff), union(c.CapBnd, o.CapBnd)
	c.HostNS, c.Devices = union(c.HostNS, o.HostNS), union(c.Devices, o.Devices)
	c.Seccomp, c.NoNewPrivs, c.UserNS = c.Seccomp && o.Seccomp, c.NoNewPrivs && o.NoNewPrivs, c.UserNS && o.UserNS
	c.MaskedPaths = min(c.MaskedPaths, o.MaskedPaths)
	c.AllDevices, c.Privileged = c.AllDevices || o.AllDevices, c.Privileged || o.Privileged
	if c.Filter != nil && o.Filter != nil {
		c.Filter = &snapshot.SyscallFilter{Default: c.Filter.Default, Allows: union(c.Filter.Allows, o.Filter.Allows)}
	}
	if o.AppArmor == "" || o.AppArmor == "unconfined" {
		c.AppArmor = o.AppArmor
	}
	for _, m := range o.Mounts {
		if !slices.Contains(c.Mounts, m) {
			c.Mounts = append(c.Mounts, m)
		}
	}
}

func union(a, b []string) []string {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

// state reads the state file of a low level runtime, which names the container's bundle.
func (f *containerFinder) state(runtime, file string) {
	id := path.Base(path.Dir(file))
	b, word, err := f.read(file, snapshot.Word{By: snapshot.ByRoot})
	if err == nil {
		var bundle string
		var pid int
		if bundle, pid, err = parseState(file, b); err == nil {
			f.add(runtime, id, path.Join(bundle, "config.json"), word, pid)
			return
		}
	}
	f.trouble(runtime, id, file, word, err)
}

// pidIn reads a pid that root wrote.
func (s *Scan) pidIn(file string) int {
	if author, _, err := s.Host.Author(file); err != nil || !author.Root() {
		return 0
	}
	return atoi(s.fact(file).Value)
}

func (s *Scan) unreadable(dir string) bool {
	_, err := s.Host.ReadDir(dir)
	return err != nil && denied(err)
}

// running marks the containers that have processes, and adds those that have processes and no specification.
func (s *Scan) running(found map[string]*snapshot.Container) {
	procs, _ := s.processes()
	lost := map[string][]*process{}
	byPID := map[int]*process{}
	for _, p := range procs {
		byPID[p.PID] = p
	}
	for _, c := range found {
		if p := byPID[c.PID]; p != nil && (c.Word.SpeaksFor(&p.Process) || !s.Host.Live()) {
			c.Running = true
		} else {
			c.PID = 0 // it ended, or the file names somebody else's process
		}
	}
	for _, p := range procs {
		if p.Container == "" {
			continue
		}
		if c := found[p.Container]; c != nil {
			c.Running = true
			if c.PID == 0 {
				c.PID = p.PID
			}
		} else if p.Runtime != "libvirt" && p.Runtime != "nspawn" {
			lost[p.Container] = append(lost[p.Container], p)
		}
	}
	for _, id := range sortedKeys(lost) {
		found[id] = s.withoutSpec(id, firstOf(lost[id], byPID), lost[id])
	}
	s.lookInside(found, byPID)
}

func parseState(file string, b []byte) (bundle string, pid int, err error) {
	var st struct {
		Bundle string `json:"bundle"`
		PID    int    `json:"pid"`
		Init   int    `json:"init_process_pid"`
		Config struct {
			Labels []string `json:"labels"`
		} `json:"config"`
	}
	if err := json.Unmarshal(b, &st); err != nil {
		return "", 0, fmt.Errorf("%s: %w", file, errMalformed)
	}
	for _, l := range st.Config.Labels {
		if v, ok := strings.CutPrefix(l, "bundle="); ok {
			st.Bundle = v
		}
	}
	return st.Bundle, st.PID + st.Init, nil
}

// parseSpec reads an OCI runtime specification.
func (s *Scan) parseSpec(runtime, id, file string, b []byte) (*snapshot.Container, error) {
	var spec ociSpec
	if err := json.Unmarshal(b, &spec); err != nil {
		return nil, fmt.Errorf("%s: %w", file, errMalformed)
	}
	c := &snapshot.Container{
		ID: id, Runtime: runtime, Spec: file, UID: spec.Process.User.UID,
		CapEff: lowerCaps(spec.Process.Capabilities.Effective),
		CapBnd: lowerCaps(spec.Process.Capabilities.Bounding),
		HostNS: s.hostNamespaces(&spec), Seccomp: spec.Linux.Seccomp != nil,
		NoNewPrivs: spec.Process.NoNewPrivileges, AppArmor: spec.Process.ApparmorProfile,
		MaskedPaths: len(spec.Linux.MaskedPaths), Filter: spec.Linux.Seccomp.filter(),
	}
	c.Name = nameOf(spec.Annotations)
	for _, n := range spec.Linux.Namespaces {
		c.UserNS = c.UserNS || n.Type == "user"
	}
	for _, d := range spec.Linux.Devices {
		if file := s.hostDevice(d); sensitiveDevice(file) {
			c.Devices = append(c.Devices, file)
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
				Source: hostPath(m.Source), Dest: m.Destination, RW: !slices.Contains(m.Options, "ro"),
			})
		}
	}
	c.Privileged = slices.Contains(c.CapEff, "sys_admin") && slices.Contains(c.CapEff, "sys_module") &&
		!c.Seccomp && (c.AllDevices || c.MaskedPaths == 0) && !c.UserNS
	return c, nil
}

// nameOf is what a container is called by the annotations of its specification: NAMESPACE/POD/CONTAINER in a cluster, as containerd and CRI-O
// annotate it. A pod is called by its template, so that the name is the same for the next one of it.
func nameOf(annotations map[string]string) string {
	first := func(keys ...string) string {
		for _, k := range keys {
			if v := annotations[k]; v != "" {
				return v
			}
		}
		return ""
	}
	name := first("io.kubernetes.container.name", "io.kubernetes.cri.container-name", "io.podman.annotations.name", "org.opencontainers.image.title")
	if first("io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType") == "sandbox" {
		name = "sandbox"
	}
	pod, space := first("io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"), first("io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace")
	if pod == "" || space == "" || name == "" {
		return name
	}
	return space + "/" + podSuffix.ReplaceAllString(pod, "") + "/" + name
}

// podSuffix is what Kubernetes puts behind the name of a template: the hash of a ReplicaSet or the time of a CronJob, and five letters of an
// alphabet without vowels (k8s.io/apimachinery, util/rand).
var podSuffix = lazily(`(-[bcdfghjklmnpqrstvwxz2456789]{6,10}|-[0-9]{8,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}$`)

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

// dockerNames adds the names and images that Docker and Podman keep beside the specification: of root's containers, what
// root wrote.
func (s *Scan) dockerNames(found map[string]*snapshot.Container) {
	var files []string
	for _, root := range s.dockerRoots() {
		list, _ := s.Host.Glob(path.Join(root, "containers/*/config.v2.json"))
		files = append(files, list...)
	}
	for _, file := range files {
		c := found[path.Base(path.Dir(file))]
		if c == nil || !s.pathWord(file).Trusted() {
			continue
		}
		b, err := s.Host.ReadFile(file)
		var cfg struct {
			Name   string
			Config struct{ Image string }
		}
		if err == nil && json.Unmarshal(b, &cfg) == nil {
			c.Name, c.Image = strings.TrimPrefix(cfg.Name, "/"), cfg.Config.Image
		}
	}
	list, _ := s.Host.Glob("/var/lib/containers/storage/*-containers/containers.json")
	for _, file := range list {
		if !s.pathWord(file).Trusted() {
			continue
		}
		b, err := s.Host.ReadFile(file)
		var list []struct {
			ID    string   `json:"id"`
			Names []string `json:"names"`
		}
		if err != nil || json.Unmarshal(b, &list) != nil {
			continue
		}
		for _, l := range list {
			if c := found[l.ID]; c != nil && len(l.Names) > 0 {
				c.Name = l.Names[0]
			}
		}
	}
}

// dockerRoots are the directories that root's Docker daemons keep their state in. One in a container, or that sees other files than the
// host does, names none of the host's.
func (s *Scan) dockerRoots() []string {
	procs, _ := s.processes()
	return s.dockerRootsOf(procs)
}

func (s *Scan) dockerRootsOf(procs []*process) []string {
	roots := []string{"/var/lib/docker"}
	for _, p := range procs {
		if p.exeBase() != "dockerd" || p.UID != 0 || !p.ExeWord.Trusted() || s.separate(p) || p.NS.Mnt != s.initNS().Mnt {
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
