package remedy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// End is a flow in use that a plan would end.
type End struct {
	Peer        netip.Addr `json:"peer"`        // who opened the connections
	Proto       string     `json:"proto"`       // tcp or udp
	Addr        netip.Addr `json:"addr"`        // what they were sent to, before any translation
	Port        int        `json:"port"`        // of the service
	Connections int        `json:"connections"` // how many are in use
	// Through says that it goes through the host, to another.
	Through bool `json:"through,omitempty"`
	// More is how many connections to the port others have who are not told apart.
	More int `json:"more,omitempty"`
}

// String is the flow in one line, and what keeps it.
func (e *End) String() string {
	text := fmt.Sprintf("%s uses %s/%d of %s (open connections: %d)", e.Peer, e.Proto, e.Port, e.Addr, e.Connections)
	return text + fmt.Sprintf("; --keep %s/%d@%s lets it go on", e.Proto, e.Port, e.Peer)
}

// maxPeers bounds how many users of one port are told by name.
const maxPeers = 16

// grouped are flows in use in lines: of a port that many use the first ones, and how many others.
func grouped(list []End) (lines []string) {
	type at struct {
		proto string
		addr  netip.Addr
		port  int
	}
	seen, more := map[at]int{}, map[at]int{}
	var order []at
	for i := range list {
		e := &list[i]
		k := at{e.Proto, e.Addr, e.Port}
		if seen[k] == 0 {
			order = append(order, k)
		}
		seen[k]++
		more[k] += e.More
		if seen[k] <= maxPeers {
			lines = append(lines, e.String())
			continue
		}
		more[k] += e.Connections
	}
	for _, k := range order {
		if more[k] > 0 {
			lines = append(lines, fmt.Sprintf("others use %s/%d of %s (open connections: %d); --keep %s/%d lets all go on", k.proto, k.port, k.addr, more[k], k.proto, k.port))
		}
	}
	return lines
}

// ends are the flows in use that the plan would end.
func (p *Plan) ends(s *snapshot.Snapshot) (list []End) {
	if len(p.Rules) == 0 {
		return nil
	}
	for _, u := range s.Network.Flows {
		peer, err := netip.ParseAddr(u.Peer)
		addr, aerr := netip.ParseAddr(u.Addr)
		if err != nil || aerr != nil || s.Network.Has(peer) {
			continue
		}
		to := delivered(s, addr)
		k := use{proto: u.Proto, port: u.Port, peer: peer, addr: addr, tracked: u.Tracked}
		if !slices.ContainsFunc(entries(s, peer, addr, to || u.Here), func(iif string) bool {
			switch k.iif = iif; {
			case to:
				return p.dropsIn(s, &k) || !u.Translated && p.leavesOut(chainInput, &k, "")
			case u.Here: // diverted to the host as it is (TPROXY)
				return !u.Translated && p.leavesOut(chainInput, &k, "")
			}
			return p.dropsThrough(s, &k)
		}) {
			continue
		}
		list = append(list, End{Peer: peer, Proto: u.Proto, Addr: addr, Port: u.Port, Connections: u.Connections, Through: !to && !u.Here, More: u.More})
	}
	return list
}

// mostUntried bounds how many flows are told by name that were not tried.
const mostUntried = 3

// untried tells which flows in use through the host the plan does not end by its rules, which the replica does not try: who is at either end of
// them is not copied. It is "" where there are none.
func (p *Plan) untried(s *snapshot.Snapshot) string {
	var names []string
	n := 0
	for _, u := range s.Network.Flows {
		peer, err := netip.ParseAddr(u.Peer)
		addr, aerr := netip.ParseAddr(u.Addr)
		if err != nil || aerr != nil || u.Here || s.Network.Has(peer) || delivered(s, addr) || slices.ContainsFunc(p.Ends, func(e End) bool {
			return e.Peer == peer && e.Addr == addr && e.Proto == u.Proto && e.Port == u.Port
		}) {
			continue
		}
		if n++; n <= mostUntried {
			names = append(names, fmt.Sprintf("%s to %s/%d of %s", peer, u.Proto, u.Port, addr))
		}
	}
	switch {
	case n == 0:
		return ""
	case n > mostUntried:
		names = append(names, fmt.Sprintf("and %d more", n-mostUntried))
	}
	return strings.Join(names, ", ")
}

// entries are the interfaces that a flow may come in by: those by which the host sends to who opened it, from the address that was sent to if that is its own.
// What goes through the host is looked for as if it came from anywhere. An address of a link is of that which the host's own is of.
func entries(s *snapshot.Snapshot, peer, addr netip.Addr, here bool) (list []string) {
	if ofLink(peer) && ofLink(addr) && here {
		for i := range s.Network.Links {
			if l := &s.Network.Links[i]; slices.ContainsFunc(l.Addrs, func(text string) bool {
				p, err := netip.ParsePrefix(text)
				return err == nil && p.Addr() == addr
			}) {
				list = append(list, l.Name)
			}
		}
		return list
	}
	list = leads(s, addr, peer, "")
	if by := arrives(s, peer); by != "" && (!here || len(list) == 0) && !slices.Contains(list, by) {
		list = append(list, by)
	}
	return list
}

// use is a flow as rules see its packets.
type use struct {
	proto      string
	port       int
	peer, addr netip.Addr
	iif        string
	tracked    bool // the host itself saw its packets
}

// portOf says of an interface that it is a port of the bridge of that name. Which port somebody is behind a snapshot does not tell:
// any can be.
func portOf(s *snapshot.Snapshot, name, bridge string) bool {
	l := s.Network.LinkNamed(name)
	if l == nil {
		return false
	}
	b := s.Network.BridgeOf(l)
	return b != nil && b.Name == bridge
}

// dropsIn says that a denial is about what a flow sends to the host.
func (p *Plan) dropsIn(s *snapshot.Snapshot, k *use) bool {
	return slices.ContainsFunc(p.each(), func(r Rule) bool {
		comes := r.Chain == chainIn && r.Iif == k.iif || r.Chain == chainPort && portOf(s, r.Iif, k.iif)
		return comes && !r.Accept && r.Proto == k.proto && r.Port == k.port && r.names(k) && !p.allowed(&r, k.peer) && !p.carved(&r, k.addr)
	})
}

// names says of a rule that its addresses are a flow's.
func (r *Rule) names(k *use) bool {
	return (len(r.Sources) == 0 || covers(r.Sources, k.peer)) && (len(r.To) == 0 || covers(r.To, k.addr))
}

// leavesOut says that the policy of a chain drops and no rule lets a flow pass.
func (p *Plan) leavesOut(chain string, k *use, oif string) bool {
	return k.iif != "" && p.policy(chain) == "drop" && !slices.ContainsFunc(p.each(), func(r Rule) bool {
		return r.Accept && r.Chain == chain && r.Kind == "" && (r.Iif == "" || r.Iif == k.iif) && (r.Oif == "" || r.Oif == oif) && !slices.Contains(r.NotIif, k.iif) &&
			(r.Proto == "" || r.Proto == k.proto && r.Port == k.port) && r.names(k)
	})
}

// dropsThrough says that a rule, or the policy, stops a flow through the host.
func (p *Plan) dropsThrough(s *snapshot.Snapshot, k *use) bool {
	oifs := leads(s, k.peer, k.addr, k.iif)
	if by := arrives(s, k.addr); len(oifs) == 0 && by != "" {
		oifs = []string{by}
	}
	return k.iif != "" && slices.ContainsFunc(oifs, func(oif string) bool { return p.dropsBetween(s, k, oif) })
}

// dropsBetween is dropsThrough for what leaves by an interface. What leaves by that which it came in by goes through the host only if that saw it: neighbours
// need no router.
func (p *Plan) dropsBetween(s *snapshot.Snapshot, k *use, oif string) bool {
	denied := false
	for _, r := range p.passed(k.iif) {
		through := r.Chain == chainForward && (r.Iif == "" || r.Iif == k.iif) && (r.Oif == "" || r.Oif == oif) && !slices.Contains(r.NotIif, k.iif) && !slices.Contains(r.NotOif, oif) ||
			r.Chain == chainUp && portOf(s, r.Iif, k.iif) && (r.Behind == "" || r.Behind == oif)
		denied = through && !r.Accept && (r.Proto == "" || r.Proto == k.proto) && (r.Port == 0 || r.Port == k.port) && r.names(k) &&
			!p.allowed(r, k.peer) && !slices.ContainsFunc(p.Rules, func(o Rule) bool { return o.opens(r, k.proto) && o.Port == k.port && o.names(k) })
		if denied {
			break
		}
	}
	return (k.iif != oif || k.tracked) && (denied || p.leavesOut(chainForward, k, oif))
}

// entered are rules about what goes through the host, by the interface that it comes in by.
type entered struct {
	by  map[string][]*Rule
	any []*Rule // that are of any, or of a port
}

func byEntry(rules []Rule) *entered {
	e := &entered{by: map[string][]*Rule{}}
	for i := range rules {
		switch r := &rules[i]; {
		case r.Chain == chainUp || r.Chain == chainForward && r.Iif == "":
			e.any = append(e.any, r)
		case r.Chain == chainForward:
			e.by[r.Iif] = append(e.by[r.Iif], r)
		}
	}
	return e
}

// passed are the rules that what comes in by an interface and goes through the host could meet.
func (p *Plan) passed(iif string) []*Rule {
	e := p.onWay
	if e == nil {
		e = byEntry(p.each())
	}
	return slices.Concat(e.by[iif], e.any)
}

// keepThrough adds before a drop of what goes through the host what --keep asks for of it: from a source to a port, wherever that is behind the host.
func (p *Plan) keepThrough(s *snapshot.Snapshot, drop Rule) {
	for _, f := range p.Keeps {
		if f.Why == keptAsked && f.Source.IsValid() && !ofLink(f.Source.Addr()) && f.Port != 0 && comesBy(s, f.Source, drop.Iif) {
			allow := drop
			allow.Accept, allow.Proto, allow.Port = true, f.Proto, f.Port
			p.perFamily(allow, []netip.Prefix{f.Source})
		}
	}
}

// opens says of a rule that it lets pass a part of the packets of a protocol through the host before a drop that is about more.
func (r *Rule) opens(drop *Rule, proto string) bool {
	return r.Accept && r.Kind == "" && r.Chain == chainForward && r.Chain == drop.Chain && r.Iif == drop.Iif && r.Oif == drop.Oif &&
		r.Proto == proto && r.Port != 0 && drop.Proto == "" && len(r.Sources) > 0
}

// comesBy says whether a source can come in by an interface: it lies behind it, or a part of it does. Each link has all addresses of links.
func comesBy(s *snapshot.Snapshot, source netip.Prefix, iface string) bool {
	if ofLink(source.Addr()) {
		return true
	}
	if by := arrives(s, source.Addr()); by == "" || by == iface {
		return true
	}
	return slices.ContainsFunc(s.Network.Routes, func(r snapshot.Route) bool {
		dst, err := netip.ParsePrefix(r.Dst)
		return err == nil && r.Type == "unicast" && r.Table == 254 && dst.Bits() >= source.Bits() && source.Overlaps(dst) && slices.ContainsFunc(r.Oifs, func(i int) bool {
			l := s.Network.Link(i)
			return l != nil && l.Name == iface
		})
	})
}

// keepers are who keeps access to a port although it is closed to others, of those behind an interface: by --keep, or by an --allow-from for
// the port. All says that everybody there does.
func (p *Plan) keepers(s *snapshot.Snapshot, proto string, port int, o *zones.Origin) (list []netip.Prefix, all bool) {
	for _, f := range slices.Concat(p.Keeps, p.allows) {
		if f.Why != keptAsked || f.Proto != proto || f.Port != port || f.Iif != "" && f.Iif != o.Interface && !portOf(s, o.Interface, f.Iif) {
			continue
		}
		switch {
		case !f.Source.IsValid():
			return nil, true
		case comesBy(s, f.Source, o.Interface) || s.Network.LinkNamed(o.Interface) != nil && s.Network.LinkNamed(o.Interface).Master != 0:
			list = append(list, f.Source)
		}
	}
	return list, false
}

// kept are all who keep access to what a denial is about, and whether it closes nothing at all.
func (p *Plan) kept(s *snapshot.Snapshot, m *zones.Map, zone, proto string, port int) (list []netip.Prefix, all bool) {
	asked := func(f Flow) bool { return f.Why == keptAsked }
	if !slices.ContainsFunc(p.Keeps, asked) && !slices.ContainsFunc(p.allows, asked) {
		return nil, false
	}
	all, seen := true, false
	for i := range m.Origins {
		o := &m.Origins[i]
		if o.Local || o.Zone != zone {
			continue
		}
		seen = true
		some, every := p.keepers(s, proto, port, o)
		if all = all && every; every {
			some = networksOf(s, o)
		}
		for _, x := range some {
			if !slices.Contains(list, x) {
				list = append(list, x)
			}
		}
	}
	return list, all && seen
}

// networksOf are the networks of an interface that are the host's neighbours there, or what else an origin sends from.
func networksOf(s *snapshot.Snapshot, o *zones.Origin) (list []netip.Prefix) {
	if l := s.Network.LinkNamed(o.Interface); l != nil {
		for _, text := range l.Addrs {
			if p, err := netip.ParsePrefix(text); err == nil && !p.Addr().IsLinkLocalUnicast() {
				list = append(list, p.Masked())
			}
		}
	}
	if len(list) == 0 {
		list = o.From
	}
	return list
}

// expand gives flows that name a zone the interfaces or the addresses of it.
func expand(list []Flow, m *zones.Map) (out []Flow) {
	for _, f := range list {
		if f.Zone == "" {
			out = append(out, f)
			continue
		}
		for i := range m.Origins {
			o := &m.Origins[i]
			if o.Local || o.Zone != f.Zone {
				continue
			}
			each := f
			if each.Iif = o.Interface; !o.Bounded {
				out = append(out, each)
				continue
			}
			for _, from := range o.From {
				each.Source = from
				out = append(out, each)
			}
		}
	}
	return out
}
