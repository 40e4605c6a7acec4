package power_test

import (
	"testing"
	"time"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
)

// TestProcessesThatAreSeen: a container in the pid namespace of the host gets at the files of the host by a process of its own user and group, or of any whose
// user and group it can have, wherever that process has its mounts.
func TestProcessesThatAreSeen(t *testing.T) {
	const setgid, setuid = 1 << 6, 1 << 7
	type change = func(*snapshot.Process, *power.State)
	is := func(uid int, caps uint64) change {
		return func(_ *snapshot.Process, st *power.State) { st.UID, st.Groups, st.Caps = uid, []int{uid}, caps }
	}
	for name, c := range map[string]struct {
		change change
		want   power.Verdict
	}{
		"of its user": {nil, power.Yes},
		"in a mount namespace of its own, not read":   {func(p *snapshot.Process, _ *power.State) { p.NS.Mnt = 77 }, power.Unknown},
		"in a mount namespace of its own":             {func(p *snapshot.Process, _ *power.State) { p.NS.Mnt, p.PID = 77, 7 }, power.Yes},
		"in another group":                            {func(p *snapshot.Process, _ *power.State) { p.GID = staff }, power.No},
		"in another of its groups":                    {func(p *snapshot.Process, st *power.State) { p.GID, st.Groups = staff, []int{daemon, staff} }, power.Unknown},
		"that has changed its user":                   {func(p *snapshot.Process, _ *power.State) { p.Undumpable = true }, power.No},
		"that has changed its user, to another":       {func(p *snapshot.Process, st *power.State) { is(other, setuid|setgid)(p, st); p.Undumpable = true }, power.No},
		"with a capability that it lacks":             {func(p *snapshot.Process, _ *power.State) { p.CapPrm = "0000000000000400" }, power.No},
		"of another user":                             {is(other, 0), power.No},
		"of another user, as whom it can run":         {is(other, setuid|setgid), power.Yes},
		"of another user, in whose group it is not":   {is(other, setuid), power.No},
		"in the host, and root":                       {is(root, 0xa80425fb), power.Yes},
		"a capability to look into all":               {is(other, 1<<19), power.Yes},
		"and root that sees no processes of the host": {func(_ *snapshot.Process, st *power.State) { st.UID, st.Caps, st.HostPID = root, 0xa80425fb, false }, power.No},
	} {
		for label, unsure := range map[string]bool{"": false, "unconfined": false, "docker-default (complain)": false, "docker-default (enforce)": true} {
			a, _ := apartHost()
			s := quiet()
			s.Powers.Points, s.Powers.Views = a.Powers.Points, a.Powers.Views
			s.Powers.Views[0].Mounts = append(s.Powers.Views[0].Mounts, snapshot.ViewMount{At: "/opt", Of: "/opt", Under: "/"})
			s.Runtimes.Containers = []snapshot.Container{{ID: "c1", Word: snapshot.Word{By: snapshot.ByRoot}}}
			s.Powers.Files = append(s.Powers.Files, file("/opt/x", snapshot.LeverProgram, root, snapshot.TriggerTimer, ofUser(daemon, "/opt/x")))
			st := boxed(daemon, 0)
			st.HostPID = true
			p := snapshot.Process{PID: 9, PPID: 1, UID: daemon, GID: daemon, Comm: "other", Unit: "other.service", CapPrm: "0", CapBnd: "000001ffffffffff", NS: s.Processes.Init}
			if c.change != nil {
				c.change(&p, &st)
			}
			s.Processes.List = []snapshot.Process{p, {PID: 20, UID: st.UID, Container: "c1", LSM: label, CapPrm: "0", NS: snapshot.NS{User: 1, Net: 5, PID: 3, Mnt: 6}}}
			want := c.want
			if unsure && want == power.Yes {
				want = power.Unknown
			}
			if a := answer(t, s, st, power.Root); a.Verdict != want {
				t.Errorf("%s, labelled %q: %s by %v, %v", name, label, a.Verdict, texts(a.Path), a.Because)
			}
		}
	}
}

// TestManyProcessesOfItsUserAreLookedAtOnce: of a container that sees many processes of its user it is asked once whether it has a profile.
func TestManyProcessesOfItsUserAreLookedAtOnce(t *testing.T) {
	s := quiet()
	for i := range 50_000 {
		s.Processes.List = append(s.Processes.List, snapshot.Process{PID: 100 + i, UID: agent, GID: agent, Comm: "x", LSM: "docker-default (enforce)", NS: s.Processes.Init})
	}
	st := boxed(agent, 0)
	st.HostPID = true
	began := time.Now()
	if a := answer(t, s, st, power.Root); a.Verdict == power.No || time.Since(began) > 30*time.Second {
		t.Errorf("%s after %s", a.Verdict, time.Since(began))
	}
}
