//go:build linux && !ringfence_portable

package checks

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/snapshot"
)

// mountLines are mounts as the kernel tells them, of a container of Docker 20.10 unless the name says otherwise.
var mountLines = map[string]string{
	"plain": `700 600 0:90 / / rw,relatime - overlay overlay rw,lowerdir=/a
701 700 0:91 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
702 700 0:92 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
703 702 0:93 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw
704 703 0:30 /docker/abc /sys/fs/cgroup/devices ro,nosuid,nodev,noexec,relatime master:2 - cgroup devices rw,devices
705 701 0:91 /sys /proc/sys ro,nosuid,nodev,noexec,relatime - proc proc rw
706 701 0:91 /sysrq-trigger /proc/sysrq-trigger ro,nosuid,nodev,noexec,relatime - proc proc rw
707 701 0:94 /null /proc/kcore rw,nosuid - tmpfs tmpfs rw
708 701 0:94 /null /proc/keys rw,nosuid - tmpfs tmpfs rw
709 701 0:94 /null /proc/timer_list rw,nosuid - tmpfs tmpfs rw
710 701 0:94 /null /proc/sched_debug rw,nosuid - tmpfs tmpfs rw
711 701 0:94 /null /proc/latency_stats rw,nosuid - tmpfs tmpfs rw
712 702 0:95 / /sys/firmware ro,relatime - tmpfs tmpfs ro
`,
	"open": `700 600 0:90 / / rw,relatime - overlay overlay rw,lowerdir=/a
701 700 0:91 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
702 700 0:92 / /sys rw,nosuid,nodev,noexec,relatime - sysfs sysfs rw
704 702 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw
`,
	"own hierarchy": `704 702 0:30 /docker/abc /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw
`,
	"proc of the host": `701 700 0:91 / /proc rw - proc proc rw
705 701 0:91 /sys /proc/sys ro - proc proc rw
706 701 0:91 /sysrq-trigger /proc/sysrq-trigger ro - proc proc rw
720 700 0:5 / /host/proc rw - proc proc rw
`,
	"one part": `701 700 0:91 / /proc ro - proc proc rw
720 700 0:5 /sys/kernel /kernel rw - proc proc rw
`,
}

// TestWritableInAContainer: what counts is the mount on top of a path, and where a hierarchy begins.
func TestWritableInAContainer(t *testing.T) {
	for name, want := range map[string][]snapshot.KernelFile{
		"plain": nil,
		"open": {
			{Path: "/proc/sys", FS: "proc"},
			{Path: "/proc/sysrq-trigger", FS: "proc"},
			{Path: "/sys", FS: "sysfs"},
			{Path: "/sys/fs/cgroup", FS: "cgroup2", Beyond: true},
		},
		"own hierarchy":    {{Path: "/sys/fs/cgroup", FS: "cgroup2"}},
		"proc of the host": {{Path: "/host/proc/sys", FS: "proc"}, {Path: "/host/proc/sysrq-trigger", FS: "proc"}},
		"one part":         {{Path: "/kernel", FS: "proc"}},
	} {
		if d := cmp.Diff(want, writableIn(parseMountinfo([]byte(mountLines[name])), "/docker/abc")); d != "" {
			t.Errorf("%s: want -, got +\n%s", name, d)
		}
	}
}

// TestUnmaskedInAContainer: a file that nothing is mounted over is seen.
func TestUnmaskedInAContainer(t *testing.T) {
	for name, want := range map[string]int{"plain": 0, "open": len(maskable)} {
		if got := unmaskedIn(parseMountinfo([]byte(mountLines[name]))); len(got) != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestMountsBelowABindMount: what is mounted below a directory comes with it, and is writable although that is not.
func TestMountsBelowABindMount(t *testing.T) {
	host := parseMountinfo([]byte(`20 1 8:1 / / rw - ext4 /dev/sda1 rw
21 20 8:2 / /home rw - ext4 /dev/sda2 rw
22 20 0:22 / /run rw - tmpfs tmpfs rw
`))
	inside := parseMountinfo([]byte(`700 600 0:90 / / rw - overlay overlay rw
710 700 8:1 / /host ro - ext4 /dev/sda1 rw
711 710 8:2 / /host/home ro - ext4 /dev/sda2 rw
712 710 0:22 / /host/run rw - tmpfs tmpfs rw
713 700 8:2 /me/.ssh /keys ro - ext4 /dev/sda2 rw
714 700 0:99 / /tmp rw - tmpfs tmpfs rw
`))
	named := []snapshot.ContainerMount{{Source: "/", Dest: "/host"}}
	want := []snapshot.ContainerMount{
		{Source: "/", Dest: "/host"}, {Source: "/run", Dest: "/host/run", RW: true}, {Source: "/home/me/.ssh", Dest: "/keys"},
	}
	if d := cmp.Diff(want, withSeen(named, bindsOf(inside, host))); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
}

// TestWhatAFilterLetsThrough: the last rule without conditions that names a call decides, else the default action.
func TestWhatAFilterLetsThrough(t *testing.T) {
	for name, c := range map[string]struct {
		profile string
		want    []string
	}{
		"list of what is allowed": {`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read","io_uring_setup"],"action":"SCMP_ACT_ALLOW"}]}`, []string{"io_uring_setup"}},
		"under a condition":       {`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["bpf"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}`, nil},
		"list of what is not": {
			`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["bpf","kexec_load","kexec_file_load","init_module","finit_module","userfaultfd","perf_event_open"],"action":"SCMP_ACT_ERRNO"}]}`,
			[]string{"io_uring_setup", "open_by_handle_at"},
		},
		"logged": {`{"defaultAction":"SCMP_ACT_LOG","syscalls":[]}`, keptAway},
	} {
		var p seccompProfile
		if err := json.Unmarshal([]byte(c.profile), &p); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, p.filter().Allows); d != "" {
			t.Errorf("%s: want -, got +\n%s", name, d)
		}
	}
	if f := (*seccompProfile)(nil).filter(); f != nil {
		t.Errorf("no profile: %+v", f)
	}
}

// TestHostPathIsWrittenInOneWay: policies compare the sources of mounts as texts.
func TestHostPathIsWrittenInOneWay(t *testing.T) {
	for in, want := range map[string]string{
		"/etc/": "/etc", "/etc/../root": "/root", "/var/run/dbus": "/run/dbus", "/var/run": "/run", "/var/running": "/var/running", "volume": "volume", "": "",
	} {
		if got := hostPath(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestLooksInsideFromAnotherRoot: from another root directory the mounts of the host are those of process 1. Without them, and where a file of
// a container does not answer, it is not known what it sees.
func TestLooksInsideFromAnotherRoot(t *testing.T) {
	const inside = "700 600 0:90 / / rw - overlay overlay rw\n701 700 0:91 / /proc rw - proc proc rw\n710 700 8:1 /etc /host ro - ext4 /dev/sda1 rw\n"
	look := func(root string, hung int, files map[string]string) *snapshot.Container {
		files["proc/42/mountinfo"], files["proc/42/root/proc/kcore"] = inside, ""
		s, _ := hostOf(t, files)
		p := &process{Process: snapshot.Process{PID: 42, Container: "c1"}}
		s.root, s.hung = root, map[string]int{s.party(p): hung}
		c := &snapshot.Container{ID: "c1", PID: 42, Running: true}
		s.lookInside(map[string]*snapshot.Container{"c1": c}, map[int]*process{42: p})
		return c
	}
	const own = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	c := look("/host", 0, map[string]string{"proc/thread-self/mountinfo": "", "proc/1/mountinfo": own})
	want := []snapshot.ContainerMount{{Source: "/etc", Dest: "/host"}}
	if d := cmp.Diff(want, c.Mounts); d != "" || c.KernelFiles.Read.State != snapshot.Present || len(c.KernelFiles.Unmasked) != 1 {
		t.Errorf("by process 1: %+v, want -, got +\n%s", c.KernelFiles, d)
	}
	if c := look("", 0, map[string]string{}); c.KernelFiles.Read.State != snapshot.Error {
		t.Errorf("without the mounts of the host: %+v", c.KernelFiles)
	}
	if c := look("", maxHung, map[string]string{"proc/thread-self/mountinfo": own}); c.KernelFiles.Read.State != snapshot.Error {
		t.Errorf("a container that does not answer: %+v", c.KernelFiles)
	}
}
