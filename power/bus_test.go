package power_test

import (
	"testing"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
)

// TestServicesOfTheBus: a service of root that somebody may ask is not known to give nothing, unless it asks polkit; an action of polkit gives nothing to whom the
// bus keeps from asking.
func TestServicesOfTheBus(t *testing.T) {
	all := snapshot.BusRule{Who: snapshot.PermitAll}
	allow := func(who snapshot.PermitKind, id int) snapshot.BusRule {
		return snapshot.BusRule{Who: who, ID: id, Allow: true}
	}
	deny := func(who snapshot.PermitKind, id int) snapshot.BusRule { return snapshot.BusRule{Who: who, ID: id} }
	grant := func(action string) []snapshot.PolkitGrant {
		return []snapshot.PolkitGrant{{File: "a.rules", Action: action}}
	}
	const systemd, manage, firewall = "org.freedesktop.systemd1", "org.freedesktop.systemd1.manage-units", "org.fedoraproject.FirewallD1"
	for name, c := range map[string]struct {
		name   string
		rules  []snapshot.BusRule
		grants []snapshot.PolkitGrant
		goal   power.Goal
		want   power.Verdict
	}{
		"root alone":              {"a.B", []snapshot.BusRule{all, allow(snapshot.PermitUser, root)}, nil, power.Root, power.No},
		"everybody":               {"a.B", []snapshot.BusRule{all, allow(snapshot.PermitAll, 0)}, nil, power.Root, power.Unknown},
		"its group":               {"a.B", []snapshot.BusRule{all, allow(snapshot.PermitGroup, staff)}, nil, power.Root, power.Unknown},
		"another group":           {"a.B", []snapshot.BusRule{all, allow(snapshot.PermitGroup, disks)}, nil, power.Root, power.No},
		"denied to it later":      {"a.B", []snapshot.BusRule{allow(snapshot.PermitAll, 0), deny(snapshot.PermitUser, agent)}, nil, power.Root, power.No},
		"some calls denied":       {"a.B", []snapshot.BusRule{allow(snapshot.PermitAll, 0), {Who: snapshot.PermitUser, ID: agent, Narrow: true}}, nil, power.Root, power.Unknown},
		"some calls":              {"a.B", []snapshot.BusRule{all, {Who: snapshot.PermitAll, Allow: true, Narrow: true}}, nil, power.Root, power.Unknown},
		"one that asks polkit":    {systemd, []snapshot.BusRule{allow(snapshot.PermitAll, 0)}, nil, power.Root, power.No},
		"one that polkit lets":    {systemd, []snapshot.BusRule{allow(snapshot.PermitAll, 0)}, grant(manage), power.Root, power.Yes},
		"but the bus does not":    {systemd, []snapshot.BusRule{allow(snapshot.PermitAll, 0), deny(snapshot.PermitUser, agent)}, grant(manage), power.Root, power.No},
		"the filter":              {firewall, []snapshot.BusRule{allow(snapshot.PermitAll, 0)}, grant(firewall + ".config"), power.Filter, power.Yes},
		"the filter is not root":  {firewall, []snapshot.BusRule{allow(snapshot.PermitAll, 0)}, grant(firewall + ".config"), power.Root, power.No},
		"the filter, by nobody":   {firewall, []snapshot.BusRule{all}, grant(firewall + ".config"), power.Filter, power.No},
		"the filter, only looked": {firewall, []snapshot.BusRule{allow(snapshot.PermitAll, 0)}, grant(firewall + ".config.info"), power.Filter, power.No},
	} {
		s := quiet()
		s.Powers.Bus, s.Powers.Polkit = []snapshot.BusName{{Name: c.name, Rules: c.rules}}, c.grants
		if a := answer(t, s, onHost(), c.goal); a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, texts(a.Path), a.Because)
		}
	}
	s := quiet()
	s.Powers.BusRead = snapshot.Fact{State: snapshot.Error, Reason: "a.conf: malformed"}
	if a := answer(t, s, onHost(), power.Root); a.Verdict != power.Unknown {
		t.Errorf("policies that were not read: %s", a.Verdict)
	}
}

// TestWhoRunsTheBus: who is the system bus says to services of root who asks them, and so is root; a bus of a container is none of the host.
func TestWhoRunsTheBus(t *testing.T) {
	for name, c := range map[string]struct {
		process snapshot.Process
		want    power.Verdict
	}{
		"the bus":         {snapshot.Process{UID: agent, Unit: "dbus.service"}, power.Yes},
		"another bus":     {snapshot.Process{UID: agent, Unit: "dbus-broker.service"}, power.Yes},
		"of another user": {snapshot.Process{UID: agent + 1, Unit: "dbus.service"}, power.No},
		"another service": {snapshot.Process{UID: agent, Unit: "a.service"}, power.No},
		"of a container":  {snapshot.Process{UID: agent, Unit: "dbus.service", Container: "c1"}, power.No},
	} {
		s := quiet()
		c.process.PID = 90
		s.Processes.List = append(s.Processes.List, c.process)
		if a := answer(t, s, onHost(), power.Root); a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, texts(a.Path), a.Because)
		}
	}
}

// TestEmptyPasswords: an account without a password is one that everybody becomes who has su, wherever PAM takes it.
func TestEmptyPasswords(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(s *snapshot.Snapshot, st *power.State)
		want power.Verdict
	}{
		"root":    {func(s *snapshot.Snapshot, _ *power.State) { s.Powers.Accounts[0].NoPassword = true }, power.Yes},
		"its own": {func(s *snapshot.Snapshot, _ *power.State) { s.Powers.Accounts[1].NoPassword = true }, power.No},
		"another": {func(s *snapshot.Snapshot, _ *power.State) { s.Powers.Accounts[2].NoPassword = true }, power.No},
		"one without shell": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Accounts[0].NoPassword, s.Powers.Accounts[0].Login = true, false
		}, power.No},
		"without nullok": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Accounts[0].NoPassword, s.Powers.EmptyPasswords = true, false
		}, power.Unknown},
		"without su": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Accounts[0].NoPassword = true
			s.Powers.Programs = s.Powers.Programs[:2]
		}, power.No},
		"without new powers": {func(s *snapshot.Snapshot, st *power.State) {
			s.Powers.Accounts[0].NoPassword, st.NoNewPrivs = true, true
			s.Powers.Accounts[1].Login = false
		}, power.No},
		"one who has sudo": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Accounts[2].NoPassword = true
			s.Powers.Sudo = append(s.Powers.Sudo, snapshot.SudoRule{Users: []string{"bob"}, Commands: []snapshot.SudoCommand{{Text: "ALL"}}})
		}, power.Yes},
	} {
		s, st := quiet(), onHost()
		s.Powers.EmptyPasswords = true
		s.Powers.Programs = append(s.Powers.Programs, snapshot.GainProgram{Path: "/usr/bin/su", SetUID: new(int), Mode: 0o755})
		c.do(s, &st)
		if a := answer(t, s, st, power.Root); a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, texts(a.Path), a.Because)
		}
	}
}
