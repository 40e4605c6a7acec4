//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// seccompProfile is a filter of system calls as a specification has it.
type seccompProfile struct {
	DefaultAction string `json:"defaultAction"`
	Syscalls      []struct {
		Names  []string `json:"names"`
		Action string   `json:"action"`
		Args   []any    `json:"args"`
	} `json:"syscalls"`
}

// keptAway are system calls that the profiles of runtimes keep from containers without a capability for them, since flaws of the kernel
// are found in what they open.
var keptAway = []string{
	"bpf", "finit_module", "init_module", "io_uring_setup", "kexec_file_load", "kexec_load", "open_by_handle_at", "perf_event_open", "userfaultfd",
}

// lets says of an action that the call is made: what is allowed or logged, and what a tracer or supervisor may allow.
func lets(action string) bool {
	return slices.Contains([]string{"SCMP_ACT_ALLOW", "SCMP_ACT_LOG"}, action)
}

// filter is what a profile lets through; nil where there is none.
func (p *seccompProfile) filter() *snapshot.SyscallFilter {
	if p == nil {
		return nil
	}
	f := &snapshot.SyscallFilter{Default: p.DefaultAction}
	for _, name := range keptAway {
		let := lets(p.DefaultAction)
		for _, rule := range p.Syscalls {
			if slices.Contains(rule.Names, name) && len(rule.Args) == 0 {
				let = lets(rule.Action)
			}
		}
		if let {
			f.Allows = append(f.Allows, name)
		}
	}
	return f
}

// hostPath is a path of the host as it is written in one way: /var/run is a link to /run (FHS 3.0, 3.15).
func hostPath(p string) string {
	if !path.IsAbs(p) {
		return p
	}
	p = path.Clean(p)
	if rest, ok := within("/var/run", p); ok {
		p = "/run" + rest
	}
	return p
}

// maxLooksInside bounds the containers whose mounts are looked at, maxKernelFiles what is kept of one.
const (
	maxLooksInside = 2000
	maxKernelFiles = 64
)

// lookInside reads how the kernel's files and those of the host are mounted in containers that run.
func (s *Scan) lookInside(found map[string]*snapshot.Container, byPID map[int]*process) {
	own, ownErr := s.ownMounts()
	hosts := parseMountinfo(own)
	looked := 0
	for _, id := range sortedKeys(found) {
		c := found[id]
		p := byPID[c.PID]
		if p == nil {
			continue
		}
		if looked++; looked > maxLooksInside {
			c.KernelFiles = &snapshot.KernelFiles{Read: snapshot.Fact{State: snapshot.Error, Reason: "there are more containers than are looked into"}}
			continue
		}
		b, err := patient(s, s.party(p), func() ([]byte, error) { return s.Host.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", p.PID)) })
		switch {
		case gone(err):
			continue
		case err != nil:
			c.KernelFiles = &snapshot.KernelFiles{Read: toFact("", err)}
			continue
		}
		mounts := parseMountinfo(b)
		c.KernelFiles = &snapshot.KernelFiles{Read: present("mountinfo")}
		if len(hosts) == 0 { // a mount is of the host by comparison with its own
			c.KernelFiles.Read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("mounts of the host: %v", cmp.Or(ownErr, errMalformed))}
		}
		for _, f := range writableIn(mounts, p.Cgroup) {
			if _, err := s.statIn(p, f.Path); !gone(err) { // not every kernel has all of them
				c.KernelFiles.Writable = append(c.KernelFiles.Writable, f)
			}
		}
		for _, file := range unmaskedIn(mounts) {
			switch st, err := s.statIn(p, file); {
			case gone(err): // not every kernel has all of them
			case err != nil:
				c.KernelFiles.Read = toFact("", fmt.Errorf("%s in it: %w", file, err))
			case st.Mode.IsRegular(), st.IsDir:
				c.KernelFiles.Unmasked = append(c.KernelFiles.Unmasked, file)
			}
		}
		c.Mounts = withSeen(c.Mounts, bindsOf(mounts, hosts))
	}
}

// covering is the mount that a path is in, as the kernel walks to it (path_lookup.rst): from the root, at each mount into what is mounted on it
// nearest to its own root. What is mounted below something that another mount hides is not on the way.
func covering(mounts []mountEntry, p string) *mountEntry {
	var on []*mountEntry
	for i := range mounts {
		if _, ok := within(mounts[i].point, p); ok {
			on = append(on, &mounts[i])
		}
	}
	next := func(follows func(m *mountEntry) bool) (at *mountEntry) {
		for _, m := range on {
			if follows(m) && (at == nil || len(m.point) <= len(at.point)) {
				at = m
			}
		}
		return at
	}
	at := next(func(m *mountEntry) bool {
		return !slices.ContainsFunc(on, func(o *mountEntry) bool { return o != m && o.id == m.parent })
	})
	for range on {
		m := next(func(m *mountEntry) bool { return m.parent == at.id && m != at })
		if m == nil {
			break
		}
		at = m
	}
	return at
}

func (m *mountEntry) readOnly() bool { return hasOption(m.options, "ro") || hasOption(m.super, "ro") }

// writableIn are the files of the kernel that mounts let be written: settings (proc_sys(5)), devices (sysfs(5)) and cgroups(7).
func writableIn(mounts []mountEntry, cgroup string) (list []snapshot.KernelFile) {
	add := func(at string, of *mountEntry, beyond bool) {
		m := covering(mounts, at)
		f := snapshot.KernelFile{Path: at, FS: of.fs, Beyond: beyond}
		if m != nil && m.fs == of.fs && m.dev == of.dev && !m.readOnly() && !slices.Contains(list, f) && len(list) < maxKernelFiles {
			list = append(list, f)
		}
	}
	for i := range mounts {
		m := &mounts[i]
		switch m.fs {
		case "proc":
			for _, name := range []string{"/sys", "/sysrq-trigger"} {
				if rest, ok := within(m.root, name); ok {
					add(path.Join(m.point, rest), m, false)
				} else if _, ok := within(name, m.root); ok {
					add(m.point, m, false)
				}
			}
		case "sysfs":
			if m.root == "/" {
				add(m.point, m, false)
			}
		case "cgroup", "cgroup2":
			_, above := within(m.root, cgroup)
			add(m.point, m, cgroup != "" && above && m.root != cgroup)
		}
	}
	return list
}

// maskable are the files that runtimes hide (config-linux.md of the OCI runtime specification, maskedPaths): memory, keys, timers.
var maskable = []string{"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats", "/sys/firmware"}

// unmaskedIn are those of them that nothing is mounted over.
func unmaskedIn(mounts []mountEntry) (list []string) {
	for _, file := range maskable {
		if m := covering(mounts, file); m != nil && (m.fs == "proc" || m.fs == "sysfs") {
			list = append(list, file)
		}
	}
	return list
}

// maxBinds bounds the directories of the host that are kept of one container.
const maxBinds = 256

// bindsOf are the places of the host that mounts show, by the file system and the place in it.
func bindsOf(mounts, hosts []mountEntry) (list []snapshot.ContainerMount) {
	for i := range mounts {
		m := &mounts[i]
		if m.point == "/" || slices.Contains([]string{"proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "overlay"}, m.fs) || len(list) >= maxBinds {
			continue
		}
		source, longest := "", -1
		for j := range hosts {
			h := &hosts[j]
			rest, ok := within(h.root, m.root)
			if h.root == "/" {
				rest = strings.TrimPrefix(m.root, "/")
			}
			if ok && h.dev == m.dev && len(h.root) > longest {
				source, longest = path.Join(h.point, rest), len(h.root)
			}
		}
		if source != "" {
			list = append(list, snapshot.ContainerMount{Source: hostPath(source), Dest: m.point, RW: !m.readOnly()})
		}
	}
	return list
}

// withSeen adds to the mounts that a specification names those that are there. What is mounted below a bind mount comes with it, and is
// not read-only because that is (mount_setattr(2), AT_RECURSIVE).
func withSeen(named, seen []snapshot.ContainerMount) []snapshot.ContainerMount {
	list := slices.Clone(named)
	for _, m := range seen {
		implied := slices.ContainsFunc(list, func(o snapshot.ContainerMount) bool {
			rest, below := within(o.Dest, m.Dest)
			return o.Dest == m.Dest || below && o.RW == m.RW && path.Join(o.Source, rest) == m.Source
		})
		if !implied {
			list = append(list, m)
		}
	}
	return list
}
