package power_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
)

// levers are what gives root to somebody, each by whom it is open to: ann, whom the question is about, or only who gets nothing from her.
var levers = []func(s *snapshot.Snapshot, n int, open bool){
	func(s *snapshot.Snapshot, n int, open bool) { // a file of root
		path, who := fmt.Sprintf("/opt/%d", n), pick(open, agent, 3000)
		s.Powers.Files = append(s.Powers.Files, file(path, snapshot.LeverProgram, root, snapshot.Triggers[n%4], ofUser(who, path)))
	},
	func(s *snapshot.Snapshot, n int, open bool) { // a directory on the way, behind a gate
		path := fmt.Sprintf("/srv/%d", n)
		f := file(path+"/run", snapshot.LeverUnit, root, snapshot.TriggerRestart, snapshot.Permit{Who: snapshot.PermitAll, At: path})
		f.Gates = []snapshot.Gate{{At: path, Permits: []snapshot.Permit{ofGroup(pick(open, staff, disks), path)}}}
		s.Powers.Files = append(s.Powers.Files, f)
	},
	func(s *snapshot.Snapshot, n int, open bool) { // by another user, who gets root
		s.Powers.Files = append(s.Powers.Files,
			file(fmt.Sprintf("/home/bob/%d", n), snapshot.LeverLogin, other, snapshot.TriggerLogin, ofUser(agent, "/home/bob")),
			file(fmt.Sprintf("/opt/bob%d", n), snapshot.LeverProgram, root, snapshot.TriggerTimer, ofUser(pick(open, other, 3000), "/opt")))
	},
	func(s *snapshot.Snapshot, _ int, open bool) { // sudo
		s.Powers.Sudo = append(s.Powers.Sudo, snapshot.SudoRule{Users: []string{pick(open, "ann", "carol")}, Commands: []snapshot.SudoCommand{{Text: "/usr/bin/find"}}})
	},
	func(s *snapshot.Snapshot, n int, open bool) { // a set-id program
		s.Powers.Programs = append(s.Powers.Programs, snapshot.GainProgram{Path: fmt.Sprintf("/opt/%d/find", n), SetUID: new(int), GID: disks, Mode: pick[uint32](open, 0o755, 0o750)})
	},
	func(s *snapshot.Snapshot, n int, open bool) { // a file capability
		s.Powers.Programs = append(s.Powers.Programs, snapshot.GainProgram{Path: fmt.Sprintf("/opt/%d/perl", n), Caps: "0000000000000080", GID: disks, Mode: pick[uint32](open, 0o755, 0o750)})
	},
	func(s *snapshot.Snapshot, n int, open bool) { // polkit
		s.Powers.Polkit = append(s.Powers.Polkit, snapshot.PolkitGrant{File: fmt.Sprintf("/etc/%d.rules", n), Action: "org.freedesktop.systemd1.manage-units", Groups: []string{pick(open, "staff", "disk")}})
	},
	func(s *snapshot.Snapshot, n int, open bool) { // a control socket
		s.Runtimes.Sockets = append(s.Runtimes.Sockets, snapshot.ControlSocket{
			Runtime: "docker", Path: fmt.Sprintf("/run/%d.sock", n), Mode: 0o660, GID: pick(open, staff, disks), Word: snapshot.Word{By: snapshot.ByKernel},
		})
	},
}

func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

// TestRandomHosts: a host on which all levers are shut has a no whose certificate is accepted, and by no other snapshot in which one fact is missing; each
// lever that is opened, alone or with others, gives a yes with steps and changes.
func TestRandomHosts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		var which []int
		for range 6 {
			which = append(which, r.IntN(len(levers)))
		}
		host := func(open int) *snapshot.Snapshot {
			s := quiet()
			for n, l := range which {
				levers[l](s, n, n == open)
			}
			return s
		}
		a := answer(t, host(-1), onHost(), power.Root)
		if a.Verdict != power.No {
			t.Fatalf("%v, all shut: %s by %v, %v", which, a.Verdict, texts(a.Path), a.Because)
		}
		refused(t, &a, func() *snapshot.Snapshot { return host(-1) })
		for n := range which {
			got := answer(t, host(n), onHost(), power.Root)
			if got.Verdict != power.Yes || len(got.Path) == 0 || len(got.Cut) == 0 {
				t.Errorf("%v, lever %d open: %s, %v", which, n, got.Verdict, got.Because)
			}
			if power.Check(host(n), nil, &a) == nil {
				t.Errorf("%v, lever %d open: the certificate of the shut host is accepted", which, n)
			}
		}
	}
}

// facts are ways to delete one fact that an answer of no rests on.
func facts(s *snapshot.Snapshot) map[string]func(*snapshot.Snapshot) {
	out := map[string]func(*snapshot.Snapshot){
		"the rules of sudo":   func(s *snapshot.Snapshot) { s.Powers.SudoRead = snapshot.Fact{State: snapshot.Denied} },
		"the rules of polkit": func(s *snapshot.Snapshot) { s.Powers.PolkitRead = snapshot.Fact{State: snapshot.Error} },
		"the search":          func(s *snapshot.Snapshot) { s.Powers.Searched = snapshot.SearchedPath },
	}
	for i, c := range s.Coverage {
		if slices.Contains([]string{"powers", "processes", "runtimes", "listeners", "network", "nftables"}, c.Collector) {
			out["collector "+c.Collector] = func(s *snapshot.Snapshot) { s.Coverage[i].Status = snapshot.Partial }
			out["no collector "+c.Collector] = func(s *snapshot.Snapshot) { s.Coverage = slices.Delete(s.Coverage, i, i+1) }
		}
	}
	for i := range s.Powers.Files {
		if s.Powers.Files[i].UID != root {
			continue // it leads to somebody who gets nothing, whoever can change it
		}
		out[fmt.Sprint("permissions of file ", i)] = func(s *snapshot.Snapshot) { s.Powers.Files[i].Permits, s.Powers.Files[i].Unread = nil, "denied" }
	}
	for i := range s.Powers.Polkit {
		out[fmt.Sprint("polkit file ", i)] = func(s *snapshot.Snapshot) { s.Powers.Polkit[i].Unread = "it is a program" }
	}
	for i := range s.Runtimes.Sockets {
		out[fmt.Sprint("the mode of socket ", i)] = func(s *snapshot.Snapshot) { s.Runtimes.Sockets[i].Mode = 0o666 }
	}
	return out
}

// refused deletes one fact after the other: the certificate is refused, and whoever is asked again says no no more. So it is if a state is left out.
func refused(t *testing.T, a *power.Answer, host func() *snapshot.Snapshot) {
	t.Helper()
	for name, forget := range facts(host()) {
		s := host()
		forget(s)
		if power.Check(s, nil, a) == nil {
			t.Errorf("%s is not known, and the certificate is accepted", name)
		}
		if again := answer(t, s, onHost(), power.Root); again.Verdict == power.No {
			t.Errorf("%s is not known, and the answer is no", name)
		}
	}
	for i := range a.Closed {
		less := *a
		less.Closed = slices.Delete(slices.Clone(a.Closed), i, i+1)
		if len(a.Closed) > 1 && power.Check(host(), nil, &less) == nil && a.Closed[i].UID != agent {
			t.Errorf("the certificate without the state of uid %d is accepted", a.Closed[i].UID)
		}
	}
}
