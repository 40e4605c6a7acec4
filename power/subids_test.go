package power_test

import (
	"testing"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
)

// TestIDsOfUserNamespaces: who may be another user of the host in a user namespace has that user's files, and root's are the host; who may be in another group
// has that group's.
func TestIDsOfUserNamespaces(t *testing.T) {
	t.Parallel()
	maps := func(name string) snapshot.GainProgram {
		return snapshot.GainProgram{Path: "/usr/bin/" + name, SetUID: new(int), Mode: 0o755}
	}
	capable := maps("newuidmap")
	capable.SetUID, capable.Caps = nil, "0000000000000080"
	for name, c := range map[string]struct {
		ids     snapshot.SubIDs
		program snapshot.GainProgram
		change  func(*snapshot.Snapshot, *power.State)
		goal    power.Goal
		want    power.Verdict
	}{
		"root":                 {snapshot.SubIDs{UID: agent, Count: 65536}, maps("newuidmap"), nil, power.Root, power.Yes},
		"by a capability":      {snapshot.SubIDs{UID: agent, Count: 65536}, capable, nil, power.Root, power.Yes},
		"one who becomes root": {snapshot.SubIDs{UID: agent, First: other, Count: 1}, maps("newuidmap"), nil, power.Root, power.Yes},
		"ids of nobody":        {snapshot.SubIDs{UID: agent, First: 100000, Count: 65536}, maps("newuidmap"), nil, power.Root, power.No},
		"itself":               {snapshot.SubIDs{UID: agent, First: agent, Count: 1}, maps("newuidmap"), nil, power.Root, power.No},
		"of somebody else":     {snapshot.SubIDs{UID: other, Count: 65536}, maps("newuidmap"), nil, power.Root, power.No},
		"another program":      {snapshot.SubIDs{UID: agent, Count: 65536}, maps("passwd"), nil, power.Root, power.No},
		"a group":              {snapshot.SubIDs{UID: agent, First: disks, Count: 1, Groups: true}, maps("newgidmap"), nil, power.Secret, power.Yes},
		"a group, as uids":     {snapshot.SubIDs{UID: agent, First: disks, Count: 1}, maps("newuidmap"), nil, power.Secret, power.No},
		"without such namespaces": {snapshot.SubIDs{UID: agent, Count: 65536}, maps("newuidmap"), func(s *snapshot.Snapshot, _ *power.State) {
			s.Kernel.Sysctls = map[string]snapshot.Fact{"user/max_user_namespaces": {State: snapshot.Present, Value: "0"}}
		}, power.Root, power.Unknown},
		"in one already": {snapshot.SubIDs{UID: agent, Count: 65536}, maps("newuidmap"), func(s *snapshot.Snapshot, st *power.State) {
			s.Powers.Accounts, st.OwnUser = nil, true
		}, power.Root, power.No},
	} {
		s, from := quiet(), onHost()
		s.Powers.Programs = append(s.Powers.Programs, c.program)
		s.Powers.SubIDs = []snapshot.SubIDs{c.ids}
		s.Powers.Accounts[2].Home = "/home/bob"
		s.Powers.Sudo = []snapshot.SudoRule{{Users: []string{"bob"}, Commands: []snapshot.SudoCommand{{Text: "ALL"}}}}
		s.Powers.Files = []snapshot.LeverFile{{Path: "/etc/shadow", Kind: snapshot.LeverSecret, Trigger: snapshot.TriggerNone, Permits: []snapshot.Permit{{Who: snapshot.PermitGroup, ID: disks, At: "/etc/shadow"}}}}
		if c.change != nil {
			c.change(s, &from)
		}
		if a := answer(t, s, from, c.goal); a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, texts(a.Path), a.Because)
		}
	}
}

// TestSharedSessionsOfScreen: a screen that runs as root lets in whom others say that have a session of it.
func TestSharedSessionsOfScreen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		session snapshot.Process
		set     bool
		want    power.Verdict
	}{
		"of root":                {snapshot.Process{PID: 9, Comm: "screen"}, true, power.Unknown},
		"its own":                {snapshot.Process{PID: 9, Comm: "screen", UID: agent}, true, power.No},
		"of another program":     {snapshot.Process{PID: 9, Comm: "tmux"}, true, power.No},
		"without powers":         {snapshot.Process{PID: 9, Comm: "screen"}, false, power.No},
		"of root, in upper case": {snapshot.Process{PID: 9, Comm: "SCREEN"}, true, power.Unknown},
	} {
		s := quiet()
		s.Processes.List = []snapshot.Process{c.session}
		p := snapshot.GainProgram{Path: "/usr/bin/screen", Mode: 0o755}
		if p.SetGID = new(43); c.set {
			p.SetUID, p.SetGID = new(int), nil
		}
		s.Powers.Programs = append(s.Powers.Programs, p)
		if a := answer(t, s, onHost(), power.Root); a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, texts(a.Path), a.Because)
		}
	}
}
