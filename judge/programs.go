package judge

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// DocProgram is a process about whose program there is something to tell: it has no file any more, is a machine monitor, or has ambient
// capabilities. Processes of one program and one party are told of once.
type DocProgram struct {
	Key      string `json:"key"`      // program /usr/bin/qemu-system-x86_64 of uid 0
	Program  string `json:"program"`  // its file, or its name where that was not seen; in memory (NAME) for one without a file
	UID      int    `json:"uid"`      // effective, on the host
	HostUser bool   `json:"hostUser"` // in the initial user namespace
	HostMnt  bool   `json:"hostMnt"`  // with the files of the host
	Seccomp  int    `json:"seccomp"`  // 0 off, 1 strict, 2 filter
	Zone     string `json:"zone"`     // of the process: host, workload, runtime, management, external
	Workload string `json:"workload"` // that it belongs to, "" for none
	Agent    bool   `json:"agent"`    // an agent has started it, or it is one
	Unit     string `json:"unit"`     // of systemd that it is in, "" for none
	// Lacks is how it has no file: memory (memfd_create(2)), or removed from a directory for temporary files; or
	// passing: a process of a container is in memory by the name of what runtimes become for a moment, and whether it is that is not known.
	Lacks string `json:"lacks"`
	// Monitor is the machine monitor that it is.
	Monitor string `json:"monitor"`
	// Ambient are the capabilities that every program it starts has too (capabilities(7)).
	Ambient []string `json:"ambient"`
}

var (
	monitors  = regexp.MustCompile(`^(firecracker|cloud-hypervisor|crosvm|qemu-system-[a-z0-9_]+|qemu-kvm|kvm|lkvm)$`)
	temporary = regexp.MustCompile(`^/(tmp|var/tmp|dev/shm|run/user/[0-9]+)/`)
	// passing are programs in memory that runtimes become for a moment, so that a container cannot write the one on disk (CVE-2019-5736). The name
	// is that of whoever made it: it counts below a runtime alone.
	passing  = regexp.MustCompile(`^/memfd:(runc_cloned|crun|libcrun|bwrap|youki)`)
	runtimes = regexp.MustCompile(`^(runc|crun|youki|conmon|conmonrs|containerd|containerd-shim[a-z0-9-]*|dockerd|podman|crio|buildkitd)$`)
)

// maxPassing bounds the programs in memory between a runtime and what it starts.
const maxPassing = 8

// passes says of a program in memory that it is one that a runtime of root's has become, or starts a container with.
func (b *builder) passes(p *snapshot.Process) bool {
	for range maxPassing {
		if p == nil || !passing.MatchString(p.Exe) {
			break
		}
		p = b.byPID[p.PPID]
	}
	return p != nil && p.UID == 0 && p.Container == "" && p.ExeWord.Trusted() && runtimes.MatchString(path.Base(strings.TrimSuffix(p.Exe, " (deleted)")))
}

// lacksFile says how a program has no file.
func lacksFile(exe string) string {
	file, deleted := strings.CutSuffix(exe, " (deleted)")
	switch {
	case strings.HasPrefix(exe, "/memfd:"):
		return "memory"
	case deleted && temporary.MatchString(file):
		return "removed"
	}
	return ""
}

// programs lists what there is to tell of programs.
func (b *builder) programs() {
	b.doc.Programs = []DocProgram{}
	seen := map[string]bool{}
	for i := range b.snap.Processes.List {
		p := &b.snap.Processes.List[i]
		d := DocProgram{Lacks: lacksFile(p.Exe), Ambient: capList(snapshot.Caps(p.CapAmb))}
		if d.Lacks == "memory" && passing.MatchString(p.Exe) && b.passes(p) {
			// The first process of a container has that name and that parent before it executes the container's program, and after it if it likes.
			zone, _ := b.zones.Process(p)
			d.Lacks = map[bool]string{true: "passing", false: ""}[p.Container != "" || zone == zones.Workload]
		}
		if name := path.Base(strings.TrimSuffix(p.Exe, " (deleted)")); monitors.MatchString(name) {
			d.Monitor = name
		}
		if d.Lacks == "" && d.Monitor == "" && len(d.Ambient) == 0 {
			continue
		}
		init := b.snap.Processes.Init
		zone, why := b.zones.Process(p)
		d.Program, d.UID, d.Zone, d.Unit, d.Seccomp = p.Program(), p.UID, zone, p.Unit, p.Seccomp
		d.HostUser = p.NS.User != 0 && p.NS.User == init.User
		d.HostMnt = p.NS.Mnt != 0 && p.NS.Mnt == init.Mnt
		d.Agent = b.zones.AgentOf(p) != nil
		if d.Lacks == "memory" || d.Lacks == "passing" {
			d.Program = "in memory (" + p.Comm + ")"
		}
		d.Key = fmt.Sprintf("program %s of uid %d", d.Program, d.UID)
		if zone == zones.Workload || d.Agent {
			d.Workload = b.workload(p, why).Name
			d.Key += " in " + d.Workload
		}
		if id := fmt.Sprint(d); !seen[id] {
			seen[id] = true
			b.doc.Programs = append(b.doc.Programs, d)
		}
	}
	sortBy(b.doc.Programs, func(d DocProgram) string { return d.Key })
}
