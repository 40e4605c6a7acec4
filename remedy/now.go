package remedy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// Known is an interface that a plan was made with, and the zone that it was in.
type Known struct {
	Name string `json:"name"` // of the interface
	Zone string `json:"zone"` // that it is in
}

// origins are the interfaces by which packets of a zone come in.
func origins(m *zones.Map) (list []Known) {
	for i := range m.Origins {
		if o := &m.Origins[i]; !o.Local && o.Interface != "" && !slices.Contains(list, Known{o.Interface, o.Zone}) {
			list = append(list, Known{o.Interface, o.Zone})
		}
	}
	return list
}

// ended says of an interface of workloads that the plan was made with that it is no more: containers, machines and their networks come and go, and
// nobody comes in by what has gone. Of another zone, the same can come in by another name.
func (p *Plan) ended(now *snapshot.Snapshot, name string) bool {
	return name != "" && now.Network.LinkNamed(name) == nil && slices.ContainsFunc(p.Known, func(k Known) bool { return k.Name == name }) &&
		!slices.ContainsFunc(p.Known, func(k Known) bool { return k.Name == name && k.Zone != zones.Workload })
}

// Began are interfaces of workloads that are there now and that the plan was not made with, for people: its rules do not know them. What a
// denial of findings is about may be open to those who come in by them, or to them.
func (p *Plan) Began(now *snapshot.Snapshot) (names []string) {
	if len(p.Known) == 0 {
		return nil
	}
	m := zones.Classify(now, p.Zones)
	for _, k := range origins(m) {
		if k.Zone == zones.Workload && !slices.ContainsFunc(p.Known, func(o Known) bool { return o.Name == k.Name }) {
			names = append(names, escape.Line(k.Name))
		}
	}
	return names
}

// OfWorkloads says of a finding that the plan closes that it is about what workloads open, or what is opened to them.
func (t *Target) OfWorkloads() bool {
	return slices.ContainsFunc(t.Denies, func(d finding.Deny) bool { return d.Zone == zones.Workload || d.ToZone == zones.Workload })
}

// Left says of a finding that nobody gets there any more but those whom the plan says that it does not close it to: what no rule closes, by the zones where
// it does not say more, and processes of workloads in the host's own network namespace, of which it asks for no rule, or for one about workloads alone.
func (t *Target) Left(is *finding.Finding) bool {
	about := is.Zone != "" || len(is.Zones) > 0
	for _, z := range append(slices.Clone(is.Zones), is.Zone) {
		if z != "" && !t.leaves(z, func(d *finding.Deny) bool { return d.Zone == z }) {
			return false
		}
	}
	for _, r := range is.Remediation {
		if r.Deny == nil {
			continue
		}
		if about = true; !t.leaves(r.Deny.Zone, func(d *finding.Deny) bool { return partOf(r.Deny, d) }) {
			return false
		}
	}
	return t.Local != "" || len(t.Rest) > 0 && about
}

// leaves says of a zone that its workloads are in the host's own network namespace, or that it is that of something that no rule closes.
func (t *Target) leaves(zone string, open func(*finding.Deny) bool) bool {
	return t.Local != "" && zone == zones.Workload || slices.ContainsFunc(t.Rest, func(d finding.Deny) bool { return open(&d) })
}

// partOf says of packets that they are among others.
func partOf(d, of *finding.Deny) bool {
	return d.Zone == of.Zone && d.ToZone == of.ToZone && d.Proto == of.Proto && d.Port == of.Port && (of.Addr == "" || d.Addr == of.Addr) &&
		(of.Family == 0 || d.Family == of.Family) && (of.Device == "" || d.Device == of.Device)
}

// Closes says of a finding that the plan closes that it closes all that another does.
func (t *Target) Closes(o *Target) bool {
	return t.Fingerprint == o.Fingerprint && !slices.ContainsFunc(o.Denies, func(d finding.Deny) bool { return !slices.Contains(t.Denies, d) })
}

// mostOpen bounds how many ways in are named.
const mostOpen = 3

// StillCloses shows on the model of the host as it is now, with what is loaded, that each finding that the plan closes is closed: to all that
// its zones have today, by whatever interface that comes in. Interfaces are made anew and renamed, and the rules know them by their names. An
// error says what is open, or cannot be shown to be closed. Plans of earlier versions do not know enough to ask.
func (p *Plan) StillCloses(ctx context.Context, now *snapshot.Snapshot) error {
	if now.NFTables.Ruleset == nil {
		return fmt.Errorf("the ruleset could not be read (%s)", strings.Join(now.Section("nftables").Reasons, "; "))
	}
	if network := now.Section("network"); network.Status != snapshot.OK && network.Status != snapshot.Partial || len(now.Network.Links) == 0 {
		return fmt.Errorf("the network could not be read (%s)", strings.Join(network.Reasons, "; "))
	}
	now = inOrder(now)
	m := zones.Classify(now, p.Zones)
	today := &Plan{Mode: Targeted, Keeps: p.Keeps}
	done := map[string]bool{}
	for _, t := range p.Closes {
		denies := p.asNow(now, &t)
		for i := range denies {
			k := fmt.Sprint(t.Check, denies[i], t.Except) // findings about many pairs of interfaces ask for the same
			if done[k] {
				continue
			}
			done[k] = true
			if about, why := today.denials(t.Check, &denies[i], now, m, t.Except, false); about && why != "" {
				return fmt.Errorf("it is loaded, and %s cannot be shown to be closed as the host is now: %s", t.Check, why)
			}
		}
	}
	if len(today.unwritable) > 0 {
		return fmt.Errorf("an interface has a name that no rule can hold (%s)", escape.Line(today.unwritable[0]))
	}
	today.carve(now)
	slices.SortStableFunc(today.Rules, func(a, b Rule) int { return rank(&a) - rank(&b) })
	today.fold()
	asked, err := today.Closing(now)
	if err != nil {
		return err
	}
	slices.SortStableFunc(asked, func(a, b Closed) int { return min(b.Rule.Port, 1) - min(a.Rule.Port, 1) }) // ports of the host first
	if p.Mode == Targeted && plainDrops(p.Rules) && today.closedAlone(ctx, now, asked) {
		return p.takesNew(now, m)
	}
	answers := answersTo(ctx, asked, now)
	var open []string
	seen := map[string]bool{}
	for i, c := range asked {
		a := &answers[i]
		what := c.Rule.Closes + ": " + c.Rule.way(a.Witness)
		if a.Verdict == packet.Unreachable || seen[what] {
			continue
		}
		seen[what] = true
		if len(open) < mostOpen {
			open = append(open, fmt.Sprintf("%s is %s (%s)", what, a.Verdict, reasons(&a.Answer)))
		}
	}
	if n := len(seen) - len(open); n > 0 {
		open = append(open, fmt.Sprintf("and %d more", n))
	}
	if len(open) > 0 {
		return fmt.Errorf("it is loaded, and not all is closed: %s", strings.Join(append(open, p.unknownNames(m)...), "; "))
	}
	return p.takesNew(now, m)
}

// takesNew says what a plan cuts of interfaces that were not there when it was made.
func (p *Plan) takesNew(now *snapshot.Snapshot, m *zones.Map) error {
	return errors.Join(p.cutsNew(now, m), p.cutsOther(now, m), p.locksOut(now))
}

// closedAlone says whether what is asked about is closed by our tables alone, and no rules of others lead there: asked where they have many.
func (p *Plan) closedAlone(ctx context.Context, now *snapshot.Snapshot, asked []Closed) bool {
	others := Without(now)
	if rs := others.NFTables.Ruleset; !many(now, rs) || !plainDrops(p.Rules) || ledByMarks(now) || !leadNowhere(now, rs, math.MinInt64) {
		return false
	}
	alone, rs := *now, *now.NFTables.Ruleset
	rs.Tables = slices.DeleteFunc(slices.Clone(rs.Tables), func(t ruleset.Table) bool {
		return slices.ContainsFunc(others.NFTables.Ruleset.Tables, func(o ruleset.Table) bool { return o.Family == t.Family && o.Name == t.Name })
	})
	alone.NFTables.Ruleset = &rs
	return !slices.ContainsFunc(answersTo(ctx, asked, &alone), func(a exposure.Answer) bool { return a.Verdict != packet.Unreachable })
}

// way is what a denial is about, in words; a packet that gets through shows where it comes in.
func (r *Rule) way(witness *packet.Packet) string {
	what, from := "what is sent on", strings.Join(r.iifs(), ", ")
	if r.Port != 0 {
		what = fmt.Sprintf("%s/%d", r.Proto, r.Port)
	}
	if witness != nil && witness.In != "" {
		from = witness.In
	}
	if from == "" {
		return what
	}
	return what + " from " + escape.Line(from)
}

// unknownNames are interfaces that are there now and were not when the plan was made, for people.
func (p *Plan) unknownNames(m *zones.Map) (list []string) {
	for _, k := range origins(m) {
		if len(p.Known) > 0 && !slices.ContainsFunc(p.Known, func(o Known) bool { return o.Name == k.Name }) && len(list) < mostOpen {
			list = append(list, fmt.Sprintf("interface %s (%s) is new", escape.Line(k.Name), k.Zone))
		}
	}
	return list
}

// cutsNew says that an interface is new to a plan that lets in only what it knows, also one with another name than before: nothing of it passes, but what
// rules let in by its addresses.
func (p *Plan) cutsNew(now *snapshot.Snapshot, m *zones.Map) error {
	if p.Mode != DefaultDeny || len(p.Known) == 0 {
		return nil
	}
	for i := range m.Origins {
		o := &m.Origins[i]
		l := now.Network.LinkNamed(o.Interface)
		if o.Local || l == nil || now.Network.BridgeOf(l) != nil || slices.ContainsFunc(p.Known, func(k Known) bool { return k.Name == o.Interface }) || p.letsGo(o) {
			continue
		}
		what := l.Kind
		if what != "bridge" {
			what = "interface"
		}
		return fmt.Errorf("%s %s (%s) is new: what comes in by it is not known, and is dropped", what, escape.Line(o.Interface), o.Zone)
	}
	return nil
}

// letsGo says of who is behind an interface that the plan lets them pass by their addresses, whatever they come in by.
func (p *Plan) letsGo(o *zones.Origin) bool {
	return len(o.From) > 0 && !slices.ContainsFunc(o.From, func(x netip.Prefix) bool {
		return !x.Addr().IsLinkLocalUnicast() && !slices.ContainsFunc(p.Rules, func(r Rule) bool {
			return r.Accept && r.Chain == chainForward && r.Iif == "" && len(r.NotIif) > 0 && !slices.Contains(r.NotIif, o.Interface) && r.Proto == "" &&
				slices.ContainsFunc(r.Sources, func(y netip.Prefix) bool { return y.Bits() <= x.Bits() && y.Contains(x.Addr()) })
		})
	})
}

// generated are names that a runtime makes anew with each network, container or machine.
var generated = regexp.MustCompile(`^(br-[0-9a-f]{12}|veth.*|cali[0-9a-f]+|lxc[0-9a-f]+|vnet\d+|tap.*|ve-.*|vb-.*)$`)

// byName says that rules know interfaces by their names, and what that means where these change.
func (p *Plan) byName() string {
	if len(p.Rules) == 0 {
		return ""
	}
	var names []string
	for _, k := range p.Known {
		if generated.MatchString(k.Name) && !slices.Contains(names, k.Name) && len(names) < mostOpen {
			names = append(names, k.Name)
		}
	}
	text := "rules know interfaces by their names"
	if len(names) > 0 {
		text += " (" + strings.Join(names, ", ") + ")"
	}
	later := ""
	list := p.laterNames()
	if len(list) > 0 && p.Mode == Targeted {
		later = ", but for networks of workloads that begin as those that are closed (" + strings.Join(list, ", ") + ")"
		if len(p.openLater) > 0 {
			later += ", to or of which stays open " + strings.Join(p.openLater, ", ")
		}
	}
	does := "to what comes in by that the host is open"
	if p.Mode == DefaultDeny {
		does = "what comes in by that is dropped"
		if len(list) > 0 {
			does += ", so that what is in a network of workloads that begins later (" + strings.Join(list, ", ") + ") goes nowhere and resolves no names, but for pods by their addresses,"
		}
	}
	return text + ": an interface that gets another name, or a network, pod or machine that starts later, is not among them" + later +
		" (docker compose down and up makes a bridge of another name); " + does + " until the fix is applied again, and ringfence fix verify fails"
}
