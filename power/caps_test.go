package power_test

import (
	"testing"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
)

// TestCapabilitiesThatGiveOthers: CAP_SETGID has what any group has, CAP_SYS_CHROOT makes root of a set-id program of root, and CAP_MKNOD perhaps of a disk; none of them
// where the program that it takes, or what the file lets a group do, is not there.
func TestCapabilitiesThatGiveOthers(t *testing.T) {
	ofDisks := file("/opt/run", snapshot.LeverProgram, root, snapshot.TriggerTimer, ofGroup(disks, "/opt/run"))
	for name, c := range map[string]struct {
		caps     uint64
		files    []snapshot.LeverFile
		programs int
		change   func(*power.State)
		want     power.Verdict
	}{
		"CAP_SETGID, and a file of a group":                     {1 << 6, []snapshot.LeverFile{ofDisks}, 1, nil, power.Yes},
		"CAP_SETGID, and no such file":                          {1 << 6, nil, 1, nil, power.No},
		"CAP_SETGID in a user namespace":                        {1 << 6, []snapshot.LeverFile{ofDisks}, 1, func(s *power.State) { s.OwnUser = true }, power.No},
		"no capability":                                         {0, []snapshot.LeverFile{ofDisks}, 1, nil, power.No},
		"CAP_SYS_CHROOT":                                        {1 << 18, nil, 1, nil, power.Yes},
		"CAP_SYS_CHROOT, and no set-id program":                 {1 << 18, nil, 0, nil, power.No},
		"CAP_SYS_CHROOT of who gets no privileges":              {1 << 18, nil, 1, func(s *power.State) { s.NoNewPrivs = true }, power.No},
		"CAP_SYS_CHROOT in a container":                         {1 << 18, nil, 1, func(s *power.State) { s.Place, s.Container, s.HostPID = power.InContainer, "c1", false }, power.No},
		"CAP_MKNOD":                                             {1 << 27, nil, 1, nil, power.Unknown},
		"CAP_MKNOD in a container whose devices are not listed": {1 << 27, nil, 1, func(s *power.State) { s.Place, s.Container, s.HostPID = power.InContainer, "c1", false }, power.No},
	} {
		s := withBox()
		s.Powers.Files, s.Powers.Programs = c.files, s.Powers.Programs[:min(c.programs, len(s.Powers.Programs))]
		st := onHost()
		st.Caps = c.caps
		if c.change != nil {
			c.change(&st)
		}
		if a := answer(t, s, st, power.Root); a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, a.Path, a.Because)
		}
	}
}
