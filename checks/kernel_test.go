//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/snapshot"
)

// TestMountsOfTheSystem: what is mounted in place of programs is seen, and whether it is the mount or the file system that is read-only; other places are not told.
func TestMountsOfTheSystem(t *testing.T) {
	const lines = `20 1 7:0 / / ro - squashfs /dev/loop0 ro
21 20 8:1 / /home rw - ext4 /dev/sda1 rw
22 20 8:1 /bin /usr/bin ro - ext4 /dev/sda1 rw
23 20 0:40 / /usr/local rw - overlay overlay rw
24 20 0:41 / /usrlocal rw - tmpfs tmpfs rw
25 20 0:42 / /lib/modules ro - tmpfs tmpfs ro
`
	s, _ := hostOf(t, map[string]string{"proc/thread-self/mountinfo": lines})
	var sec snapshot.Kernel
	out := new(Outcome)
	s.readMounts(&sec, out)
	want := []snapshot.HostMount{
		{Path: "/", FSType: "squashfs", Source: "/dev/loop0", ReadOnly: true, SuperReadOnly: true},
		{Path: "/usr/bin", FSType: "ext4", Source: "/dev/sda1", ReadOnly: true},
		{Path: "/usr/local", FSType: "overlay", Source: "overlay"},
		{Path: "/lib/modules", FSType: "tmpfs", Source: "tmpfs", ReadOnly: true, SuperReadOnly: true},
	}
	if d := cmp.Diff(want, sec.Mounts); d != "" {
		t.Error(d)
	}
	var many strings.Builder
	for i := range maxHostMounts + 1 {
		fmt.Fprintf(&many, "%d 1 0:%d / /usr/%d rw - tmpfs tmpfs rw\n", i+100, i, i)
	}
	s, _ = hostOf(t, map[string]string{"proc/thread-self/mountinfo": many.String()})
	sec, out = snapshot.Kernel{}, new(Outcome)
	if s.readMounts(&sec, out); len(sec.Mounts) != maxHostMounts || !strings.Contains(fmt.Sprint(out), "more than") || !out.parts["mounts"] || !out.parts["facts"] {
		t.Errorf("%d mounts, %+v", len(sec.Mounts), out)
	}
}
