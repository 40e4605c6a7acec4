package remedy

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// add adds what a finding asks for: the rules that close it, or the work that is left to people.
func (p *Plan) add(id string, f *finding.Finding, s *snapshot.Snapshot, m *zones.Map, keep []netip.Prefix) {
	done := false
	var except []netip.Prefix
	var denies, rest []finding.Deny
	for _, rem := range f.Remediation {
		if rem.Kind != "nft" || rem.Deny == nil {
			continue
		}
		if no := p.denyOnce(id, rem.Deny, s, m, keep); no.why != "" {
			p.Manual = append(p.Manual, dropin.Manual{Check: id, What: f.Message, Kind: "words", Text: no.why, Reason: no.reason})
			if no.reason != dropin.ReasonAsked {
				rest = append(rest, *rem.Deny)
			}
		} else {
			done, denies = true, append(denies, *rem.Deny)
			p.tellsSentOn(rem.Deny, s, m)
		}
		asked, _ := p.keptOf(s, m, rem.Deny)
		for _, x := range slices.Concat(p.byAny(keep, s, m, rem.Deny.Zone), asked) {
			if !slices.Contains(except, x) {
				except = append(except, x)
			}
		}
	}
	if done {
		p.Closes = append(p.Closes, Target{Check: id, Fingerprint: f.Fingerprint, What: f.Message, Severity: f.Severity, Except: except, Denies: denies, Rest: rest, Local: locals(m, f)})
		return
	}
	for _, rem := range f.Remediation {
		if rem.Deny == nil {
			p.Manual = append(p.Manual, dropin.Manual{Check: id, What: f.Message, Kind: rem.Kind, Text: rem.Text, Resource: f.Resource.Path, Settings: rem.Settings})
			return
		}
	}
}

// locals are the processes of the zones of a finding about a port of the host that are in the host's own network namespace.
func locals(m *zones.Map, f *finding.Finding) string {
	for i := range f.Remediation {
		d := f.Remediation[i].Deny
		if d == nil || d.ToZone != "" {
			continue
		}
		if o := slices.IndexFunc(m.Origins, func(o zones.Origin) bool { return o.Local && o.Zone == d.Zone }); o >= 0 {
			return m.Origins[o].Reason
		}
	}
	return ""
}

// administers says of a denial that it closes how the host is administered: the port of an SSH server that runs, or of a login that is
// open or may be. That is never closed to everybody who could administer it, whatever check asks for it.
func (p *Plan) administers(d *finding.Deny, s *snapshot.Snapshot) bool {
	if d == nil || d.Proto != "tcp" || d.Port == 0 {
		return false
	}
	return slices.ContainsFunc(s.Listeners.Sockets, func(k snapshot.Socket) bool { return comesTo(s, d.Port, &k) && servesSSH(s, &k) }) ||
		slices.ContainsFunc(s.SSH.Sessions, func(ses snapshot.SSHSession) bool {
			at, err := netip.ParseAddrPort(ses.Local)
			return err == nil && int(at.Port()) == d.Port && ses.LoggedIn != snapshot.No
		})
}

// denial is what one is about, and for whom it is not.
type denial struct {
	check string
	deny  finding.Deny
	keep  string
}

// denyOnce is deny for each denial once: findings about many pairs of interfaces ask for the same.
func (p *Plan) denyOnce(id string, d *finding.Deny, s *snapshot.Snapshot, m *zones.Map, keep []netip.Prefix) refusal {
	k := denial{check: id, deny: *d}
	if len(keep) > 0 {
		k.keep = fmt.Sprint(keep)
	}
	no, ok := p.denied[k]
	if !ok {
		if p.denied == nil {
			p.denied = map[denial]refusal{}
		}
		no = p.deny(id, d, s, m, keep)
		p.denied[k] = no
	}
	return no
}

// refusal is why a denial is not made; one without a text is none.
type refusal struct {
	why    string
	reason dropin.Reason
}

// deny adds the rules that close a flow, or says why it does not.
func (p *Plan) deny(id string, d *finding.Deny, s *snapshot.Snapshot, m *zones.Map, keep []netip.Prefix) refusal {
	logins := p.administers(d, s)
	asked, all := p.keptOf(s, m, d)
	known := len(keep)+len(asked) > 0 && (d.Zone != zones.External || len(asked) > 0 || !p.byWorkloads)
	switch {
	case all && d.Port != 0 && d.ToZone == "":
		return refusal{"what is asked for with --keep is all that the port would be closed to", dropin.ReasonAsked}
	case !logins || known:
	case d.Zone == zones.Management:
		return refusal{why: "by this port the host is administered from there: closing it would lock everybody out; say who keeps access with --allow-from"}
	case d.Zone == zones.External && !m.Entered():
		return refusal{why: "no management zone is configured or in use, and nobody is logged in over SSH from outside of workloads: closing the port could " +
			"lock everybody out; say who keeps access with --allow-from"}
	}
	if n := inUse(s, d); id == PublishedCheck && n > 0 && len(asked) == 0 {
		return refusal{why: fmt.Sprintf("it is in use, so it is meant (open connections: %d): publish it on an address that only its users reach", n)}
	}
	_, why := p.denials(id, d, s, m, keep, logins)
	return refusal{why: why}
}

// denials adds the rules of a denial, or says why there are none. About says whether anything is there that it is about: else nothing is open.
func (p *Plan) denials(id string, d *finding.Deny, s *snapshot.Snapshot, m *zones.Map, keep []netip.Prefix, logins bool) (about bool, why string) {
	failed, unwritable := "", len(p.unwritable)
	var elsewhere map[networkBehind]bool
	if d.ToZone != "" {
		elsewhere = networksBehind(m)
	}
	at, wide, why := target(s, d)
	if why != "" {
		return true, why
	}
	from := closedTo(m, d)
	too, _ := p.closesToo(s, d, from)
	for _, o := range from {
		if d.ToZone != "" { // one direction: the other can serve administration
			beside := sharing(m, o)
			for j := range m.Origins {
				to := &m.Origins[j]
				if to.Local || to.Zone != d.ToZone || to.Interface == o.Interface || to.Bounded && to.Network != "" || o.Network != "" && o.Network == to.Network {
					continue
				}
				about = true
				if o.Network != "" && elsewhere[networkBehind{to.Interface, o.Network}] {
					failed = fmt.Sprintf("behind %s is also a part of the network that %s is in: a rule would cut it in two", to.Interface, o.Interface)
					continue
				}
				if why := p.between(id, s, o, to, besides(beside, o, to)); why != "" {
					failed = why
				}
			}
			continue
		}
		some, every := p.keepersOf(s, d.Proto, append([]int{d.Port}, too...), o)
		if every {
			continue
		}
		about = true
		kept := slices.Concat(p.by(keep, s, o.Interface), some, shared(sharing(m, o), o))
		drop := Rule{Chain: chainIn, Iif: o.Interface, Proto: d.Proto, Port: d.Port, Closes: id}
		if at.IsValid() && !wide {
			drop.To = []netip.Prefix{netip.PrefixFrom(at, at.BitLen())}
		}
		c := closing{id: id, proto: d.Proto, port: d.Port, at: at, family: d.Family}
		c.iifs = p.inwardBy(drop, s, o, kept)
		for _, port := range too { // to whatever address of the host: that is another one then
			drop.Port, drop.To, drop.Diverted = port, nil, !routes(s)
			p.inwardBy(drop, s, o, kept)
		}
		p.closings = append(p.closings, c)
		p.cutsLogins = p.cutsLogins || logins && (d.Zone == zones.External || d.Zone == zones.Management)
	}
	switch {
	case !about:
		return false, "no interface of the zone was found"
	case len(p.unwritable) > unwritable:
		return true, fmt.Sprintf("an interface has a name that a ruleset cannot hold (%s): rename it", escape.Line(p.unwritable[unwritable]))
	}
	return true, failed
}

// inwardBy adds a drop of what an origin sends to a port of the host, by its interface or by the ports of the bridge that tell who it is, and tells by which.
func (p *Plan) inwardBy(drop Rule, s *snapshot.Snapshot, o *zones.Origin, keep []netip.Prefix) (iifs []string) {
	ports := framesOf(s, o)
	if ports == nil {
		p.inward(drop, o, keep)
		return []string{o.Interface}
	}
	p.upward(drop, s, o, ports, keep)
	for _, l := range ports {
		iifs = append(iifs, l.Name)
	}
	return iifs
}

// inward adds a drop of what an origin sends to a port of the host, behind what lets those pass who keep access.
func (p *Plan) inward(drop Rule, o *zones.Origin, keep []netip.Prefix) {
	allow := drop
	allow.Accept = true
	p.perFamily(allow, keep)
	if o.Bounded {
		p.perFamily(drop, o.From)
	} else {
		p.rule(drop)
	}
}

// PublishedCheck is the check about ports that are published for workloads past the input filter.
const PublishedCheck = "firewall/published-port-bypasses-input"

// inUse counts the open connections to a published port.
func inUse(s *snapshot.Snapshot, d *finding.Deny) int {
	n := 0
	for _, u := range s.Network.InUse {
		if u.Proto == d.Proto && u.Port == d.Port {
			n += u.Connections
		}
	}
	return n
}

// networkBehind is a network that workloads are in, behind an interface.
type networkBehind struct{ iface, network string }

// networksBehind are the networks that workloads are in, by interface.
func networksBehind(m *zones.Map) map[networkBehind]bool {
	behind := map[networkBehind]bool{}
	for i := range m.Origins {
		behind[networkBehind{m.Origins[i].Interface, m.Origins[i].Network}] = true
	}
	return behind
}

// sharing are the origins of an origin's interface.
func sharing(m *zones.Map, o *zones.Origin) (list []*zones.Origin) {
	for i := range m.Origins {
		if other := &m.Origins[i]; other.Interface == o.Interface {
			list = append(list, other)
		}
	}
	return list
}

// shared is the addresses of other zones that arrive on the same interface, whose origins are beside: they keep their access.
func shared(beside []*zones.Origin, o *zones.Origin) (list []netip.Prefix) {
	for _, other := range beside {
		if other.Zone == zones.Management && other.Zone != o.Zone {
			list = append(list, sends(other)...)
		}
	}
	return list
}

// sends are the addresses that an origin has, without those of others behind its interface.
func sends(o *zones.Origin) []netip.Prefix {
	from := o.From
	for _, x := range o.Except {
		var rest []netip.Prefix
		for _, p := range from {
			rest = append(rest, without(p, x)...)
		}
		from = rest
	}
	return from
}

// besides is the addresses of others that arrive on the same interface and keep what they reach of another: those of the management
// zone, and of the network of workloads that it is a part of.
func besides(beside []*zones.Origin, o, to *zones.Origin) []netip.Prefix {
	list := shared(beside, o)
	for _, other := range beside {
		if other.Network != "" && other.Network == to.Network {
			list = append(list, other.From...)
		}
	}
	return list
}
