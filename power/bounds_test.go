package power_test

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

const everyCap = 1<<41 - 1

// daemon is a user of a service who does not log in.
const daemon = 33

// bounded is a service on a host with one more program, and a bounding set that lacks capabilities.
func bounded(lacks uint64, programs ...snapshot.GainProgram) (*snapshot.Snapshot, power.State) {
	s, st := quiet(), onHost()
	s.Powers.Accounts = append(s.Powers.Accounts, snapshot.Account{Name: "www", UID: daemon, GID: daemon, Home: "/nonexistent"})
	s.Powers.Programs = append(s.Powers.Programs, programs...)
	st.UID, st.Groups, st.Lacks = daemon, []int{daemon}, lacks
	return s, st
}

// TestBoundingSet: no program gives who starts it a capability that the bounding set lacks. Set-id programs give root without it too, which owns the files of
// root, and nothing more than that in mounts that cannot be written.
func TestBoundingSet(t *testing.T) {
	perl := snapshot.GainProgram{Path: "/usr/bin/perl", Caps: "0000000000000080", Mode: 0o755}
	two := snapshot.GainProgram{Path: "/usr/bin/perl", Caps: "0000000000002080", Mode: 0o755}
	find := snapshot.GainProgram{Path: "/usr/bin/find", SetUID: new(int), Mode: 0o755}
	asBob := snapshot.GainProgram{Path: "/usr/bin/find", SetUID: new(other), Mode: 0o755}
	su := snapshot.GainProgram{Path: "/usr/bin/su", SetUID: new(int), Mode: 0o755}
	doas := snapshot.GainProgram{Path: "/usr/bin/doas", SetUID: new(int), Mode: 0o755}
	type change = func(*snapshot.Snapshot, *power.State)
	sudoer := func(s *snapshot.Snapshot, _ *power.State) {
		s.Powers.Sudo = append(s.Powers.Sudo, snapshot.SudoRule{Users: []string{"www"}, As: []string{"ALL"}, Commands: []snapshot.SudoCommand{{Text: "ALL"}}})
	}
	doer := func(s *snapshot.Snapshot, _ *power.State) {
		s.Powers.DoasRead.State = snapshot.Present
		s.Powers.Doas = []snapshot.DoasRule{{Permit: true, Identity: "www"}}
	}
	empty := func(s *snapshot.Snapshot, _ *power.State) {
		s.Powers.Accounts[0].NoPassword, s.Powers.EmptyPasswords = true, true
	}
	apart := func(s *snapshot.Snapshot, st *power.State) {
		a, ap := apartHost()
		s.Powers.Points, s.Powers.Views = a.Powers.Points, a.Powers.Views
		st.Place, st.View = ap.Place, ap.View
	}
	freer := func(s *snapshot.Snapshot, _ *power.State) {
		s.Processes.List = []snapshot.Process{{PID: 9, PPID: 1, UID: daemon, GID: daemon, Comm: "other", Unit: "other.service", CapBnd: "000001ffffffffff", NS: s.Processes.Init}}
	}
	login := func(s *snapshot.Snapshot, _ *power.State) { s.Powers.Accounts[len(s.Powers.Accounts)-1].Login = true }
	for name, c := range map[string]struct {
		program snapshot.GainProgram
		lacks   uint64
		change  change
		want    power.Verdict
	}{
		"a file capability":                        {perl, 0, nil, power.Yes},
		"that is lacked":                           {perl, 1 << 7, nil, power.No},
		"all are lacked":                           {perl, everyCap, nil, power.No},
		"another is lacked":                        {perl, 1 << 13, nil, power.Yes},
		"one of two is lacked":                     {two, 1 << 13, nil, power.Unknown},
		"a process with a wider set":               {perl, everyCap, freer, power.Unknown},
		"somebody who logs in with a wider set":    {perl, everyCap, login, power.Yes},
		"set-id root":                              {find, everyCap, nil, power.Yes},
		"set-id root in mounts of its own":         {find, 0, apart, power.Yes},
		"without capabilities":                     {find, everyCap, apart, power.Unknown},
		"with one that takes the host over":        {find, everyCap &^ (1 << 21), apart, power.Yes},
		"set-id of a user":                         {asBob, everyCap, nil, power.Unknown},
		"sudo":                                     {find, 0, sudoer, power.Yes},
		"sudo that changes no groups":              {perl, 1<<6 | 1<<7, sudoer, power.Unknown},
		"sudo with all but one":                    {perl, 1<<7 | 1<<30, sudoer, power.Unknown},
		"sudo with what it needs":                  {perl, everyCap &^ (1<<6 | 1<<7), sudoer, power.Yes},
		"sudo that leads to root of its mounts":    {two, everyCap &^ (1<<6 | 1<<7), func(s *snapshot.Snapshot, st *power.State) { sudoer(s, st); apart(s, st) }, power.Yes},
		"doas":                                     {doas, 0, doer, power.Yes},
		"doas that changes no groups":              {doas, 1 << 6, doer, power.Unknown},
		"su to an empty password":                  {su, 0, empty, power.Yes},
		"su that changes no groups":                {su, everyCap, empty, power.Unknown},
		"a set that was not read":                  {perl, 0, func(_ *snapshot.Snapshot, st *power.State) { st.Unbound = true }, power.Unknown},
		"set-id root, and a set that was not read": {find, 0, func(_ *snapshot.Snapshot, st *power.State) { st.Unbound = true }, power.Yes},
		"sudo, and a set that was not read": {perl, 0, func(s *snapshot.Snapshot, st *power.State) {
			sudoer(s, st)
			st.Unbound = true
		}, power.Unknown},
	} {
		s, st := bounded(c.lacks, c.program)
		if c.change != nil {
			c.change(s, &st)
		}
		if a := answer(t, s, st, power.Root); a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, texts(a.Path), a.Because)
		}
	}
}

// TestWhoProgramsMakeOfIt: whoever sudo, doas, su and a set-id program make of somebody sees what that one sees, and has no capability that the bounding set
// lacks. Groups are those of the account, but of a set-id program.
func TestWhoProgramsMakeOfIt(t *testing.T) {
	type change = func(*snapshot.Snapshot, *power.State)
	gives := map[string]change{
		"sudo": func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Sudo = append(s.Powers.Sudo, snapshot.SudoRule{Users: []string{"www"}, As: []string{"bob"}, Commands: []snapshot.SudoCommand{{Text: "ALL"}}})
		},
		"doas": func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.DoasRead.State = snapshot.Present
			s.Powers.Doas = []snapshot.DoasRule{{Permit: true, Identity: "www", As: "bob"}}
			s.Powers.Programs = append(s.Powers.Programs, snapshot.GainProgram{Path: "/usr/bin/doas", SetUID: new(int), Mode: 0o755})
		},
		"su": func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Accounts[2].NoPassword, s.Powers.Accounts[2].Login, s.Powers.EmptyPasswords = true, true, true
			s.Powers.Programs = append(s.Powers.Programs, snapshot.GainProgram{Path: "/usr/bin/su", SetUID: new(int), Mode: 0o755})
		},
		"a program": func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Programs = append(s.Powers.Programs, snapshot.GainProgram{Path: "/usr/bin/find", SetUID: new(other), Mode: 0o755})
		},
	}
	lever := func(p snapshot.Permit) change {
		return func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Files = append(s.Powers.Files, file(p.At, snapshot.LeverProgram, root, snapshot.TriggerTimer, p))
		}
	}
	apart := func(m ...snapshot.ViewMount) change {
		return func(s *snapshot.Snapshot, st *power.State) {
			a, ap := apartHost(m...)
			s.Powers.Points, s.Powers.Views, st.Place, st.View = a.Powers.Points, a.Powers.Views, ap.Place, ap.View
			s.Powers.Accounts[2].Home = "/home/bob"
		}
	}
	perl := func(s *snapshot.Snapshot, _ *power.State) {
		s.Powers.Programs = append(s.Powers.Programs, snapshot.GainProgram{Path: "/usr/bin/perl", Caps: "0000000000200000", Mode: 0o755})
	}
	for name, c := range map[string]struct {
		lacks uint64
		do    []change
		want  map[string]power.Verdict // by how; "" is else
	}{
		"a file of the other":             {0, []change{lever(ofUser(other, "/opt/x"))}, map[string]power.Verdict{"": power.Yes}},
		"in mounts that it can write":     {0, []change{lever(ofUser(other, "/opt/x")), apart(snapshot.ViewMount{At: "/opt", Of: "/opt", Under: "/"})}, map[string]power.Verdict{"": power.Yes}},
		"in mounts that it cannot write":  {0, []change{lever(ofUser(other, "/opt/x")), apart()}, map[string]power.Verdict{"": power.No, "a program": power.Unknown}},
		"a file of a group of the other":  {0, []change{lever(ofGroup(disks, "/opt/x"))}, map[string]power.Verdict{"": power.Yes, "a program": power.Unknown}},
		"a capability that is lacked":     {1 << 21, []change{perl}, map[string]power.Verdict{"": power.No, "su": power.Yes, "a program": power.Unknown}}, // bob logs in
		"a capability that is not lacked": {1 << 30, []change{perl}, map[string]power.Verdict{"": power.Yes}},
	} {
		for how, give := range gives {
			s, st := bounded(c.lacks)
			for i := range s.Powers.Accounts {
				s.Powers.Accounts[i].Login = false
			}
			s.Powers.Accounts[2].Groups = []int{disks}
			give(s, &st)
			for _, do := range c.do {
				do(s, &st)
			}
			want, ok := c.want[how]
			if !ok {
				want = c.want[""]
			}
			if a := answer(t, s, st, power.Root); a.Verdict != want {
				t.Errorf("%s, %s: %s by %v, %v", name, how, a.Verdict, texts(a.Path), a.Because)
			}
		}
	}
}

// TestPkexecOfActions: an action may have a program of its own, which pkexec runs as root for whom polkit lets do it; what somebody gets by that depends on the program.
func TestPkexecOfActions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		exec   []string
		groups []string
		nnp    bool
		want   power.Verdict
	}{
		"a program that runs others":       {[]string{"/usr/bin/find"}, []string{"staff"}, false, power.Yes},
		"one that nobody knows":            {[]string{"/opt/tool"}, []string{"staff"}, false, power.Unknown},
		"with an argument":                 {[]string{"/usr/bin/systemctl", "restart"}, []string{"staff"}, false, power.Unknown},
		"of another group":                 {[]string{"/usr/bin/find"}, []string{"disk"}, false, power.No},
		"without new privileges":           {[]string{"/usr/bin/find"}, []string{"staff"}, true, power.No},
		"a helper of desktops":             {[]string{"/usr/libexec/gsd-backlight-helper"}, []string{"staff"}, false, power.No},
		"one of that name that is no such": {[]string{"/opt/gsd-backlight-helper"}, []string{"staff"}, false, power.Unknown},
	} {
		s, from := quiet(), onHost()
		s.Powers.Polkit = []snapshot.PolkitGrant{{File: "a.rules", Action: "a.tool.run", Groups: c.groups, Exec: c.exec}}
		if from.NoNewPrivs = c.nnp; c.nnp {
			s.Powers.Accounts = nil
		}
		if a := answer(t, s, from, power.Root); a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, texts(a.Path), a.Because)
		}
	}
}

// TestPkexec: pkexec is a program that runs as root, and no daemon: without new powers, or where it is not, polkit lets nobody run anything by it, and it has the
// bounding set and the mounts of who starts it. What daemons do is as before.
func TestPkexec(t *testing.T) {
	type change = func(*snapshot.Snapshot, *power.State)
	apart := func(m ...snapshot.ViewMount) change {
		return func(s *snapshot.Snapshot, st *power.State) {
			a, ap := apartHost(m...)
			s.Powers.Points, s.Powers.Views, st.Place, st.View = a.Powers.Points, a.Powers.Views, ap.Place, ap.View
		}
	}
	hidden := snapshot.ViewMount{At: "/usr/bin/pkexec"}
	for name, c := range map[string]struct {
		lacks        uint64
		change       change
		want, daemon power.Verdict
	}{
		"as it is":           {0, nil, power.Yes, power.Yes},
		"without new powers": {0, func(_ *snapshot.Snapshot, st *power.State) { st.NoNewPrivs = true }, power.No, power.Yes},
		"not there":          {0, func(s *snapshot.Snapshot, _ *power.State) { s.Powers.Programs = s.Powers.Programs[:2] }, power.No, power.Yes},
		"perhaps there": {0, func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Programs, s.Powers.Searched = s.Powers.Programs[:2], snapshot.SearchedPath
		}, power.Unknown, power.Yes},
		"hidden by mounts":       {0, apart(hidden), power.No, power.Yes},
		"in mounts of its own":   {0, apart(), power.Yes, power.Yes},
		"all but what it needs":  {1 << 7, nil, power.Unknown, power.Yes},
		"what it needs":          {everyCap &^ (1<<6 | 1<<7), nil, power.Yes, power.Yes},
		"a set that is not read": {0, func(_ *snapshot.Snapshot, st *power.State) { st.Unbound = true }, power.Unknown, power.Yes},
	} {
		for action, want := range map[string]power.Verdict{"org.freedesktop.policykit.exec": c.want, "org.freedesktop.systemd1.manage-units": c.daemon} {
			s, st := bounded(c.lacks)
			s.Powers.Polkit = []snapshot.PolkitGrant{{Action: action, File: "a.rules"}}
			if c.change != nil {
				c.change(s, &st)
			}
			if a := answer(t, s, st, power.Root); a.Verdict != want {
				t.Errorf("%s, %s: %s by %v, %v", name, action, a.Verdict, texts(a.Path), a.Because)
			}
		}
	}
}

// TestBoundedCertificate: a no that rests on a bounding set is none of a wider one, of one that was not read, or where cron or a login has a wider one.
func TestBoundedCertificate(t *testing.T) {
	perl := snapshot.GainProgram{Path: "/usr/bin/perl", Caps: "0000000000000080", Mode: 0o755}
	s, st := bounded(everyCap, perl)
	a := answer(t, s, st, power.Root)
	if a.Verdict != power.No {
		t.Fatalf("%s: %v", a.Verdict, a.Because)
	}
	for name, c := range map[string]func(*power.State){
		"wider":    func(st *power.State) { st.Lacks = 1 << 13 },
		"not read": func(st *power.State) { st.Unbound = true },
	} {
		b := a
		b.Closed = slices.Clone(a.Closed)
		for i := range b.Closed {
			c(&b.Closed[i])
		}
		b.Principal.State = b.Closed[0]
		if power.Check(s, nil, &b) == nil {
			t.Errorf("%s: the certificate is accepted", name)
		}
	}
	for name, c := range map[string]func(*snapshot.Snapshot){
		"a login": func(s *snapshot.Snapshot) { s.Powers.Accounts[3].Login = true },
		"cron": func(s *snapshot.Snapshot) {
			s.Powers.Programs = append(s.Powers.Programs, snapshot.GainProgram{Path: "/usr/bin/crontab", SetGID: new(daemon), Mode: 0o755})
		},
		"a process": func(s *snapshot.Snapshot) {
			s.Processes.List = []snapshot.Process{{PID: 9, UID: daemon, GID: daemon, Comm: "other", CapBnd: "000001ffffffffff", NS: s.Processes.Init}}
		},
		"a process in mounts of its own": func(s *snapshot.Snapshot) {
			s.Processes.List = []snapshot.Process{{PID: 9, UID: daemon, GID: daemon, Comm: "other", CapBnd: "000001ffffffffff", NS: snapshot.NS{User: 1, Net: 2, PID: 3, Mnt: 77}}}
		},
	} {
		s, _ := bounded(everyCap, perl)
		c(s)
		if power.Check(s, nil, &a) == nil {
			t.Errorf("%s: the certificate is accepted", name)
		}
	}
}

// TestInheritedCapabilities: a program whose file takes capabilities that are inherited has those of who starts it, whatever the bounding set lacks.
func TestInheritedCapabilities(t *testing.T) {
	perl := snapshot.GainProgram{Path: "/usr/bin/perl", Inherits: "0000000000000080", Mode: 0o755}
	for name, c := range map[string]struct {
		inherits, lacks uint64
		apart           bool
		want            power.Verdict
	}{
		"nothing":            {0, 0, false, power.No},
		"another":            {1 << 21, 0, false, power.No},
		"what it takes":      {1 << 7, 0, false, power.Yes},
		"what is lacked too": {1 << 7, everyCap, false, power.Yes},
		"somebody else does": {0, 0, true, power.Unknown},
	} {
		s, st := bounded(c.lacks, perl)
		st.Inherits = c.inherits
		s.Processes.List = []snapshot.Process{{PID: 9, PPID: 1, UID: daemon, GID: daemon, Comm: "other", CapBnd: "000001ffffffffff", CapInh: "0000000800000000", NS: s.Processes.Init}}
		if c.apart {
			s.Processes.List[0].CapInh = "0000000000000080"
		}
		a := answer(t, s, st, power.Root)
		if a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, texts(a.Path), a.Because)
		}
		if a.Verdict == power.No {
			for i := range a.Closed {
				a.Closed[i].Inherits = 1 << 7
			}
			a.Principal.State = a.Closed[0]
			if power.Check(s, nil, &a) == nil {
				t.Errorf("%s: the certificate is accepted of who inherits it", name)
			}
		}
	}
}

// TestBoundsOfProcesses: a state has the bounding set that the kernel says; it is not known where that was not read, or something besides is inherited.
func TestBoundsOfProcesses(t *testing.T) {
	for name, c := range map[string]struct {
		bounding, inherited string
		lacks               uint64
		unbound             bool
	}{
		"whole":     {"000001ffffffffff", "0", 0, false},
		"none":      {"0000000000000000", "0", everyCap, false},
		"one":       {"0000000000000400", "0000000000000400", everyCap &^ (1 << 10), false},
		"inherited": {"0000000000000000", "0000000000000080", 0, true},
		"not read":  {"", "", 0, true},
	} {
		s := quiet()
		s.Processes.List = []snapshot.Process{
			{PID: 1, Comm: "systemd", Unit: "init.scope", CapBnd: "000001ffffffffff", NS: s.Processes.Init},
			{PID: 9, PPID: 1, UID: daemon, GID: daemon, Comm: "a", Unit: "a.service", CapBnd: c.bounding, CapInh: c.inherited, NS: s.Processes.Init},
		}
		s.Index()
		list := power.Principals(s, zones.Classify(s, nil))
		i := slices.IndexFunc(list, func(p power.Principal) bool { return p.Kind == power.Service })
		if i < 0 {
			t.Fatalf("%s: no service among %v", name, list)
		}
		if st := list[i].State; st.Lacks != c.lacks || st.Unbound != c.unbound || st.Inherits != snapshot.Caps(c.inherited)&(1<<7) {
			t.Errorf("%s: %+v", name, st)
		}
	}
}

// TestFreerElsewhere: what runs as the same user with a wider bounding set, or without no_new_privs, is a way also where it has mounts of its own.
func TestFreerElsewhere(t *testing.T) {
	perl := snapshot.GainProgram{Path: "/usr/bin/perl", Caps: "0000000000000080", Mode: 0o755}
	for name, apart := range map[string]bool{"on the host": false, "in mounts of its own too": true} {
		for _, c := range []struct {
			name       string
			bounding   string
			noNewPrivs bool
			want       power.Verdict
		}{
			{"wider", "000001ffffffffff", false, power.Unknown},
			{"wider, and cannot use it", "000001ffffffffff", true, power.No},
			{"as narrow", "0000000000000000", false, power.No},
		} {
			s, st := bounded(everyCap, perl)
			a, ap := apartHost()
			s.Powers.Points, s.Powers.Views = a.Powers.Points, a.Powers.Views
			if apart {
				st.Place, st.View = ap.Place, ap.View
			}
			elsewhere := s.Processes.Init
			elsewhere.Mnt = 77
			s.Processes.List = []snapshot.Process{{
				PID: 7, PPID: 1, UID: daemon, GID: daemon, Comm: "other", Unit: "other.service", CapBnd: c.bounding, NoNewPrivs: c.noNewPrivs, NS: elsewhere,
			}}
			if a := answer(t, s, st, power.Root); a.Verdict != c.want {
				t.Errorf("%s, %s: %s by %v, %v", name, c.name, a.Verdict, texts(a.Path), a.Because)
			}
		}
	}
}

// TestDoneLater: what atd does for an account, and a manager that it has started for itself, has the bounding set of the host, and no no_new_privs.
func TestDoneLater(t *testing.T) {
	type change = func(*snapshot.Snapshot, *power.State)
	perl := snapshot.GainProgram{Path: "/usr/bin/perl", Caps: "0000000000000080", Mode: 0o755}
	at := func(mode uint32) change {
		return func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Programs = append(s.Powers.Programs, snapshot.GainProgram{Path: "/usr/bin/at", SetUID: new(1), SetGID: new(1), Mode: mode})
		}
	}
	linger := func(p snapshot.PolkitGrant) change {
		return func(s *snapshot.Snapshot, _ *power.State) {
			p.File, p.Action = "org.freedesktop.login1.policy", "org.freedesktop.login1.set-self-linger"
			s.Powers.Polkit = append(s.Powers.Polkit, p)
		}
	}
	tight := func(_ *snapshot.Snapshot, st *power.State) { st.NoNewPrivs = true }
	apart := func(s *snapshot.Snapshot, st *power.State) {
		a, ap := apartHost(snapshot.ViewMount{At: "/run/user", RO: true})
		s.Powers.Points, s.Powers.Views = a.Powers.Points, a.Powers.Views
		st.Place, st.View = ap.Place, ap.View
	}
	for name, c := range map[string]struct {
		do   []change
		want power.Verdict
	}{
		"neither":                            {nil, power.No},
		"at":                                 {[]change{at(0o755)}, power.Unknown},
		"at of others":                       {[]change{at(0o750)}, power.No},
		"at without new powers":              {[]change{at(0o755), tight}, power.No},
		"at that cannot keep it":             {[]change{at(0o755), apart}, power.No},
		"a manager":                          {[]change{linger(snapshot.PolkitGrant{})}, power.Unknown},
		"a manager without new powers":       {[]change{linger(snapshot.PolkitGrant{}), tight}, power.Unknown},
		"a manager of others":                {[]change{linger(snapshot.PolkitGrant{Users: []string{"ann"}})}, power.No},
		"a manager of those who are there":   {[]change{linger(snapshot.PolkitGrant{Session: true})}, power.No},
		"a manager that cannot be spoken to": {[]change{linger(snapshot.PolkitGrant{}), apart}, power.No},
	} {
		s, st := bounded(everyCap, perl)
		for _, do := range c.do {
			do(s, &st)
		}
		a := answer(t, s, st, power.Root)
		if a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, texts(a.Path), a.Because)
		}
		if a.Verdict != power.No {
			bare, from := bounded(everyCap, perl)
			from.NoNewPrivs = st.NoNewPrivs
			closed := answer(t, bare, from, power.Root)
			if closed.Verdict != power.No || power.Check(s, nil, &closed) == nil {
				t.Errorf("%s: the certificate of a host without it is taken", name)
			}
		}
	}
}
