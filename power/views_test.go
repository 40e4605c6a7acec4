package power_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
)

// apartHost is a host with a service that has mounts of its own, which let it write nothing but its directory.
func apartHost(mounts ...snapshot.ViewMount) (*snapshot.Snapshot, power.State) {
	s := quiet()
	s.Powers.Points = []string{"/", "/home", "/run", "/run/user/1000"}
	s.Powers.Views = []snapshot.View{{PIDs: []int{7}, Mounts: append([]snapshot.ViewMount{
		{At: "/", Of: "/", Under: "/", RO: true},
		{At: "/home", RO: true},
		{At: "/run", Of: "/run", Under: "/run", RO: true},
		{At: "/run/user", RO: true},
		{At: "/var/lib/a", Of: "/var/lib/a", Under: "/"},
	}, mounts...)}}
	st := onHost()
	st.Place, st.View = power.Apart, 1
	for i := range s.Powers.Accounts {
		s.Powers.Accounts[i].Home = "/home/" + s.Powers.Accounts[i].Name
	}
	return s, st
}

// TestWhatMountsHide: what a service cannot see or write in its mounts is no way, and what it can is one; where its mounts are not known nothing is.
func TestWhatMountsHide(t *testing.T) {
	type change = func(s *snapshot.Snapshot, st *power.State)
	lever := func(p string, kind snapshot.LeverKind) change {
		return func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Files = append(s.Powers.Files, file(p, kind, root, snapshot.TriggerNone, ofUser(agent, p)))
		}
	}
	gated := func(s *snapshot.Snapshot, st *power.State) {
		lever("/var/lib/a/b/run", snapshot.LeverProgram)(s, st)
		s.Powers.Files[len(s.Powers.Files)-1].Gates = []snapshot.Gate{{At: "/var/lib/a/b", Permits: []snapshot.Permit{ofGroup(disks, "/var/lib/a/b")}}}
	}
	socket := func(p string) change {
		return func(s *snapshot.Snapshot, _ *power.State) {
			s.Runtimes.Sockets = append(s.Runtimes.Sockets, snapshot.ControlSocket{Runtime: "docker", Path: p, Mode: 0o666, Word: snapshot.Word{By: snapshot.ByKernel}})
		}
	}
	program := func(p string) change {
		return func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Programs = append(s.Powers.Programs, snapshot.GainProgram{Path: p, SetUID: new(int), Mode: 0o755})
		}
	}
	polkit := func(s *snapshot.Snapshot, _ *power.State) {
		s.Powers.Polkit = []snapshot.PolkitGrant{{File: "a.rules", Action: "org.freedesktop.systemd1.manage-units"}}
	}
	sudo := func(s *snapshot.Snapshot, _ *power.State) {
		s.Powers.Sudo = append(s.Powers.Sudo, snapshot.SudoRule{Users: []string{"ann"}, Commands: []snapshot.SudoCommand{{Text: "ALL"}}})
	}
	as := func(f func(*power.State)) change { return func(_ *snapshot.Snapshot, st *power.State) { f(st) } }
	caps := as(func(st *power.State) { st.Caps = 1 << 1 })
	unread := func(s *snapshot.Snapshot, _ *power.State) { s.Powers.Views[0].Unread = "denied" }
	outside := func(s *snapshot.Snapshot, _ *power.State) { // the account gets root outside of the service
		lever("/opt/a", snapshot.LeverProgram)(s, nil)
	}
	manager := func(s *snapshot.Snapshot, st *power.State) {
		st.HostPID = false // its own files are another way
		s.Processes.List = append(s.Processes.List, snapshot.Process{PID: 9, UID: agent, GID: agent, Unit: "user@1000.service", Comm: "systemd", NS: snapshot.NS{Mnt: 5, User: 1, PID: 3, Net: 2}})
	}
	kin := func(s *snapshot.Snapshot, st *power.State) {
		st.Groups, st.Caps = []int{agent}, 0
		s.Processes.List = append(s.Processes.List, snapshot.Process{PID: 9, UID: agent, GID: agent, Groups: []int{staff}, Unit: "b.service", Comm: "b", NS: s.Processes.Init})
	}
	mount := func(m snapshot.ViewMount) change {
		return func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Views[0].Mounts = append(s.Powers.Views[0].Mounts, m)
		}
	}
	for name, c := range map[string]struct {
		goal power.Goal
		want power.Verdict
		do   []change
	}{
		"nothing":                        {power.Root, power.No, nil},
		"a program that it writes":       {power.Root, power.Yes, []change{lever("/var/lib/a/run", snapshot.LeverProgram)}},
		"one that is read-only":          {power.Root, power.No, []change{lever("/opt/run", snapshot.LeverProgram)}},
		"one that is hidden":             {power.Root, power.No, []change{lever("/home/run", snapshot.LeverProgram)}},
		"one behind what is mounted":     {power.Root, power.No, []change{lever("/var/lib/a/b/run", snapshot.LeverProgram), mount(snapshot.ViewMount{At: "/var/lib/a/b"})}},
		"one that the host has there":    {power.Root, power.No, []change{lever("/var/lib/a/b/run", snapshot.LeverProgram), func(s *snapshot.Snapshot, _ *power.State) { s.Powers.Points = append(s.Powers.Points, "/var/lib/a/b") }}},
		"one that it has elsewhere":      {power.Root, power.Unknown, []change{lever("/opt/run", snapshot.LeverProgram), mount(snapshot.ViewMount{At: "/mnt", Of: "/opt", Under: "/"})}},
		"one behind a gate":              {power.Root, power.No, []change{gated}},
		"one behind a gate, elsewhere":   {power.Root, power.Unknown, []change{gated, mount(snapshot.ViewMount{At: "/mnt", Of: "/var/lib/a/b", Under: "/"})}},
		"one behind a gate that moved":   {power.Root, power.Unknown, []change{gated, mount(snapshot.ViewMount{At: "/var/lib", Of: "/srv", Under: "/"}), mount(snapshot.ViewMount{At: "/var/lib/a/b", Of: "/var/lib/a/b", Under: "/"})}},
		"mounts that were not read":      {power.Root, power.Unknown, []change{lever("/opt/run", snapshot.LeverProgram), unread}},
		"no view":                        {power.Root, power.Unknown, []change{lever("/opt/run", snapshot.LeverProgram), as(func(st *power.State) { st.View = 0 })}},
		"a secret":                       {power.Secret, power.Yes, []change{lever("/etc/key", snapshot.LeverSecret)}},
		"a hidden secret":                {power.Secret, power.No, []change{lever("/home/key", snapshot.LeverSecret)}},
		"a socket":                       {power.Root, power.Yes, []change{socket("/var/run/docker.sock")}},
		"a hidden socket":                {power.Root, power.No, []change{socket("/run/user/docker.sock")}},
		"a socket over which is mounted": {power.Root, power.No, []change{socket("/run/docker.sock"), mount(snapshot.ViewMount{At: "/run/docker.sock"})}},
		"a set-id program":               {power.Root, power.Yes, []change{program("/opt/find")}},
		"a hidden one":                   {power.Root, power.No, []change{program("/home/find")}},
		"one of nosuid":                  {power.Root, power.No, []change{program("/opt/find"), mount(snapshot.ViewMount{At: "/opt", Of: "/opt", Under: "/", NoSUID: true})}},
		"one of noexec":                  {power.Root, power.No, []change{program("/opt/find"), mount(snapshot.ViewMount{At: "/opt", Of: "/opt", Under: "/", NoExec: true})}},
		"programs of its own":            {power.Root, power.Unknown, []change{mount(snapshot.ViewMount{At: "/srv", Own: true})}},
		"polkit":                         {power.Root, power.Yes, []change{polkit}},
		"polkit without the bus":         {power.Root, power.No, []change{polkit, mount(snapshot.ViewMount{At: "/run/dbus"})}},
		"sudo":                           {power.Root, power.Yes, []change{sudo}},
		"sudo that is hidden":            {power.Root, power.No, []change{sudo, mount(snapshot.ViewMount{At: "/usr/bin/sudo"})}},
		"a capability over what is kept": {power.Root, power.Unknown, []change{caps}},
		"a capability over what root has": {
			power.Root, power.Yes, []change{caps, mount(snapshot.ViewMount{At: "/etc", Of: "/etc", Under: "/"})},
		},
		"its account, outside":     {power.Root, power.No, []change{outside}},
		"by its home":              {power.Root, power.Yes, []change{outside, mount(snapshot.ViewMount{At: "/home/ann", Of: "/home/ann", Under: "/home"}), mount(snapshot.ViewMount{At: "/home", Of: "/home", Under: "/home", RO: true})}},
		"by its manager, hidden":   {power.Root, power.No, []change{outside, manager}},
		"by its manager":           {power.Root, power.Yes, []change{outside, manager, mount(snapshot.ViewMount{At: "/run/user/1000", Of: "/run/user/1000", Under: "/run/user/1000"}), mount(snapshot.ViewMount{At: "/run/user", Of: "/run/user", Under: "/run"})}},
		"by cron":                  {power.Root, power.Unknown, []change{outside, program("/usr/bin/crontab"), mount(snapshot.ViewMount{At: "/var/spool", Of: "/var/spool", Under: "/"})}},
		"by cron, without gain":    {power.Root, power.No, []change{outside, program("/usr/bin/crontab"), as(func(st *power.State) { st.NoNewPrivs = true })}},
		"by a process of its user": {power.Root, power.Yes, []change{outside, kin}},
		"that gets no further":     {power.Root, power.No, []change{kin}},
		"by a freer one of its user": {power.Root, power.Unknown, []change{kin, func(s *snapshot.Snapshot, st *power.State) {
			st.Place, st.View = power.OnHost, 0
			s.Powers.Accounts[1].Groups, s.Powers.Accounts[1].Login = nil, false
			s.Powers.Files = append(s.Powers.Files, file("/opt/g", snapshot.LeverProgram, root, snapshot.TriggerNone, ofGroup(staff, "/opt/g")))
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			s, st := apartHost()
			for _, f := range c.do {
				f(s, &st)
			}
			if a := answer(t, s, st, c.goal); a.Verdict != c.want {
				t.Errorf("%s by %v, %v", a.Verdict, texts(a.Path), a.Because)
			}
		})
	}
}

// TestCertificatesAndFacts: whatever one thing a snapshot loses, or is told otherwise, a certificate that is still accepted is one of an answer that is still no.
func TestCertificatesAndFacts(t *testing.T) {
	s, apart := apartHost()
	secret, program := file("/etc/key", snapshot.LeverSecret, root, snapshot.TriggerNone, ofGroup(disks, "/etc/key")), file("/srv/a/run", snapshot.LeverProgram, root, snapshot.TriggerTimer, snapshot.Permit{Who: snapshot.PermitAll, At: "/srv/a/run"})
	program.Gates = []snapshot.Gate{{At: "/srv/a", Permits: []snapshot.Permit{ofGroup(disks, "/srv/a")}}}
	own := file("/home/bob/.profile", snapshot.LeverLogin, other, snapshot.TriggerLogin, ofUser(agent, "/home/bob"))
	hidden := file("/opt/run", snapshot.LeverProgram, root, snapshot.TriggerNone, ofUser(agent, "/opt/run"))
	filter := file("/etc/nftables.conf", snapshot.LeverFilter, root, snapshot.TriggerRestart, ofUser(3000, "/etc/nftables.conf"))
	s.Powers.Files = []snapshot.LeverFile{secret, program, own, filter}
	s.Powers.Polkit = []snapshot.PolkitGrant{{File: "a", Action: "org.freedesktop.systemd1.manage-units", Groups: []string{"disk"}}, {File: "b", Action: "x"}}
	s.Powers.Sudo = append(s.Powers.Sudo, snapshot.SudoRule{Users: []string{"%disk"}, Commands: []snapshot.SudoCommand{{Text: "ALL"}}})
	s.Powers.Programs = append(s.Powers.Programs, snapshot.GainProgram{Path: "/opt/find", SetUID: new(int), Mode: 0o750, GID: disks}, snapshot.GainProgram{Path: "/opt/perl", Caps: "0000000000000080", Mode: 0o750, GID: disks})
	s.Runtimes.Sockets = []snapshot.ControlSocket{
		{Runtime: "docker", Path: "/run/docker.sock", Mode: 0o660, GID: disks, Word: snapshot.Word{By: snapshot.ByKernel}},
		{Runtime: "podman", Path: "/run/user/1001/podman.sock", Mode: 0o666, UID: other, Closed: true, Word: snapshot.Word{By: snapshot.ByKernel}},
	}
	s.Runtimes.Containers = []snapshot.Container{{
		ID: "c1", Mounts: []snapshot.ContainerMount{{Source: "/etc", Dest: "/etc"}, {Source: "/var/lib/x", Dest: "/x", RW: true}}, Devices: []string{"/dev/null"},
		KernelFiles: &snapshot.KernelFiles{Read: snapshot.Fact{State: snapshot.Present}},
	}}
	s.Processes.List = []snapshot.Process{{PID: 1, Comm: "init", NS: s.Processes.Init}, {PID: 7, UID: agent, GID: agent, Groups: []int{staff}, Comm: "a", NS: snapshot.NS{Mnt: 9, User: 1, Net: 2, PID: 3}}}
	locked := *s
	locked.Powers.Files = append(slices.Clone(s.Powers.Files), hidden)
	tight := onHost()
	tight.NoNewPrivs = true
	for name, c := range map[string]struct {
		s     *snapshot.Snapshot
		state power.State
		goals []power.Goal
	}{
		"an account":                 {s, onHost(), power.Goals},
		"without new powers":         {s, tight, power.Goals},
		"a service":                  {&locked, apart, power.Goals},
		"a container":                {s, boxed(agent, 0), power.Goals},
		"root of a container":        {s, boxed(root, 1<<1|1<<7), []power.Goal{power.Root, power.Filter}},
		"a container with processes": {s, power.State{UID: agent, Groups: []int{agent}, Place: power.InContainer, Container: "c1", HostPID: true}, power.Goals},
	} {
		for _, goal := range c.goals {
			a := answer(t, c.s, c.state, goal)
			if a.Verdict != power.No {
				t.Fatalf("%s, %s: %s by %v, %v", name, goal, a.Verdict, texts(a.Path), a.Because)
			}
			n := 0
			others(t, c.s, func(what string, less *snapshot.Snapshot) {
				n++
				again := answer(t, less, c.state, goal)
				if err := power.Check(less, nil, &a); err == nil && again.Verdict != power.No {
					t.Errorf("%s, %s, without %s: the answer is %s by %v, and the certificate is accepted", name, goal, what, again.Verdict, texts(again.Path))
				}
			})
			if n < 150 {
				t.Errorf("%s, %s: only %d changes were tried", name, goal, n)
			}
		}
	}
}

// others are snapshots that lack one thing each, or have another value for it.
func others(t *testing.T, s *snapshot.Snapshot, try func(what string, less *snapshot.Snapshot)) {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	give := func(what string) {
		b, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		less := new(snapshot.Snapshot)
		if err := json.NewDecoder(bytes.NewReader(b)).Decode(less); err == nil {
			try(what, less)
		}
	}
	var walk func(at string, v any, set func(any))
	walk = func(at string, v any, set func(any)) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				delete(v, k)
				if k != "at" || !strings.Contains(at, "permits") { // a permit without a path is refused
					give(at + "." + k)
				}
				v[k] = x
				walk(at+"."+k, x, func(y any) { v[k] = y })
			}
		case []any:
			for i, x := range v {
				set(slices.Delete(slices.Clone(v), i, i+1))
				give(fmt.Sprintf("%s[%d]", at, i))
				set(v)
				walk(fmt.Sprintf("%s[%d]", at, i), x, func(y any) { v[i] = y })
			}
		case float64:
			for _, n := range []float64{0, 50, 0o4777} {
				set(n)
				give(fmt.Sprintf("%s = %v", at, n))
			}
			set(v)
		case bool:
			set(!v)
			give(at + " otherwise")
			set(v)
		case string:
			texts := []string{"all", "ann", "error"}
			if strings.HasPrefix(v, "/") { // a path stays one
				texts = []string{"/", "/home/ann"}
			}
			for _, text := range texts {
				set(text)
				give(at + " = " + text)
			}
			set(v)
		}
	}
	walk("", doc, func(any) {})
}
