package power

import (
	"slices"
	"strings"

	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/snapshot"
)

// busUnits are the units of the system bus (dbus-daemon(1), dbus-broker(1)).
var busUnits = []string{"dbus.service", "dbus-broker.service"}

// runsBus says whether the system bus of the host runs as a user. Services ask the bus who asks them, systemd and polkit among them (D-Bus
// Specification, org.freedesktop.DBus.GetConnectionCredentials): they do for root what the bus says that root asks.
func runsBus(s *snapshot.Snapshot, uid int) bool {
	return uid != 0 && slices.ContainsFunc(s.Processes.List, func(p snapshot.Process) bool {
		return p.UID == uid && p.Container == "" && slices.Contains(busUnits, p.Unit)
	})
}

// byBus are the services of root on the system bus that a state may ask, and that are not known to ask polkit, or to do nothing for others.
func (g *Graph) byBus(s *State) (list []Edge) {
	if s.Place == InContainer || s.UID == 0 {
		return nil
	}
	if runsBus(g.snap, s.UID) {
		list = append(list, Edge{
			Kind: ByBus, Object: "the system bus", Trigger: snapshot.TriggerNone, Goal: Root,
			Text: "it runs the system bus, which tells services of root who asks them",
		})
	}
	seen, _ := sees(g.snap, s, busSocket, toReach)
	if !seen {
		return list
	}
	if f := g.snap.Powers.BusRead; f.State == snapshot.Denied || f.State == snapshot.Error {
		return append(list, Edge{Kind: ByBus, Object: "the system bus", Trigger: snapshot.TriggerNone, Goal: Root, Unknown: "who may ask services of the system bus is not known: " + f.Reason})
	}
	for i := range g.snap.Powers.Bus {
		n := &g.snap.Powers.Bus[i]
		if slices.Contains(rego.Gains().Asks, n.Name) || !g.mayAsk(s, n) {
			continue
		}
		list = append(list, Edge{
			Kind: ByBus, Object: n.Name, Trigger: snapshot.TriggerNone, Goal: Root, Change: "the policy of the bus for " + n.Name,
			Text: "the system bus lets it ask " + n.Name + ", which is root's", Unknown: "what " + n.Name + " on the system bus does for who asks it was not followed",
		})
	}
	return list
}

// mayAsk says whether the bus may let a state ask a service: the last rule that is for it decides, and one of some calls only adds to what may be.
func (g *Graph) mayAsk(s *State, n *snapshot.BusName) (may bool) {
	for _, r := range n.Rules {
		switch {
		case r.Console && (g.accounts[s.UID] == nil || !g.accounts[s.UID].Login):
		case permitted(s, []snapshot.Permit{{Who: r.Who, ID: r.ID}}) == nil && !(r.Who == snapshot.PermitGroup && g.memberOf(s, r.ID)):
		case r.Allow:
			may = true
		case !r.Narrow && !r.Console:
			may = false
		}
	}
	return may
}

// asked is the service of the bus that does what an action of polkit is about, nil if it is not known.
func (g *Graph) asked(action string) *snapshot.BusName {
	for prefix, name := range rego.Gains().Services {
		if !strings.HasPrefix(action, prefix) {
			continue
		}
		if i := slices.IndexFunc(g.snap.Powers.Bus, func(n snapshot.BusName) bool { return n.Name == name }); i >= 0 {
			return &g.snap.Powers.Bus[i]
		}
	}
	return nil
}

// actionGoal is what an action of polkit gives, "" if nothing.
func actionGoal(action string) Goal {
	switch {
	case action == "", slices.Contains(rego.Gains().Actions, action):
		return Root
	case slices.Contains(rego.Gains().FilterActions, action):
		return Filter
	}
	return ""
}
