package trace

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// xtSet looks a packet up in a set of ipset (match_set, ip_set_test).
func (w *walk) xtSet(x *ruleset.XtSet, r *rule) verdict {
	set := w.snap.NFTables.Ruleset.IPSet(x.Index)
	if set == nil {
		return w.maybe(r, strings.TrimSuffix("an ipset that was not read: "+w.snap.NFTables.Ruleset.IPSetsUnread, ": "))
	}
	if slices.ContainsFunc(w.puts, func(p *ruleset.XtPuts) bool { return p.Changes(w.snap.NFTables.Ruleset, set) }) {
		return w.maybe(r, "what a rule before has done to ipset "+set.Name+" for the packet itself")
	}
	hit, why := w.hasIPSet(set, x, r)
	if why != "" {
		return w.maybe(r, why)
	}
	if w.ipsetChanges == nil {
		w.ipsetChanges = w.snap.NFTables.Ruleset.IPSetChanges()
	}
	if w.ipsetChanges.Of(set, hit) {
		what := " put what it looks up into ipset " + set.Name
		if hit {
			what = " taken what it looks up out of ipset " + set.Name
		}
		ask := func() bool {
			return hit != w.conditional(r, packet.AtRest, "traffic before has not"+what, packet.Entered, "traffic before has"+what)
		}
		hit = w.member(set, w.ipsetKey(set, x), ask, ask)
	}
	return decide(hit != x.Invert)
}

// ipsetKey is what a match looks up: addresses and ports, as they are there, and interfaces.
func (w *walk) ipsetKey(set *ruleset.IPSet, x *ruleset.XtSet) string {
	s := &w.skb
	addrs := s.nh[8:40]
	if s.v4 {
		addrs = s.nh[12:20]
	}
	key := fmt.Sprintf("%d %v %v %x %x", x.Dim, x.Source, x.ReturnNoMatch, addrs, s.nh[min(len(s.nh), s.thoff):min(len(s.nh), s.thoff+4)])
	if parts := set.Parts(); slices.Contains(parts, "iface") || slices.Contains(parts, "set") {
		key += fmt.Sprintf(" %p %p", w.in, w.out)
	}
	return key
}

// hasIPSet says whether a packet, or a part of a region, is in a set as it is now, or why that is not known.
func (w *walk) hasIPSet(set *ruleset.IPSet, x *ruleset.XtSet, r *rule) (hit bool, why string) {
	if f, all, ok := w.setOfAddresses(set, x); ok {
		if w.region != nil && w.open(f) && w.asSent(f) {
			return w.part(f, all, r), ""
		}
		if at, n := w.skb.fieldAt(f); !anyBit(w.skb.unk[at : at+n]) {
			return all.has(w.skb.nh[at : at+n]), ""
		}
	}
	switch f := w.openParts(set, x); {
	case f == 0:
	case w.region == nil:
		return false, "what a translation made of the packet, for ipset " + set.Name
	default:
		return false, splitField(f)
	}
	return w.inIPSet(set, x)
}

// setOfAddresses is what a set of addresses or networks alone has, of the packet's family, and the field that it asks for. It reports false for
// other sets, and for those with exceptions.
func (w *walk) setOfAddresses(set *ruleset.IPSet, x *ruleset.XtSet) (f byte, all spans, ok bool) {
	if x.ReturnNoMatch || x.Dim < 1 || set.Mask.IsValid() || set.Type != "hash:ip" && set.Type != "hash:net" || set.Family != map[bool]int{true: 2, false: 10}[w.skb.v4] {
		return 0, nil, false
	}
	known, seen := w.addresses[set]
	if !seen {
		var list []Span
		for i := range set.Elements {
			e := &set.Elements[i]
			if e.NoMatch || !e.Net.IsValid() || e.Net.Addr().Is4() != w.skb.v4 {
				list = nil
				break
			}
			list = append(list, prefixSpan(e.Net))
		}
		known = join(list)
		if w.addresses == nil {
			w.addresses = map[*ruleset.IPSet]spans{}
		}
		w.addresses[set] = known
		w.evaluated += len(set.Elements) / keysPerRule
	}
	f = 'd'
	if x.Source[0] {
		f = 's'
	}
	return f, known, known != nil
}

// has says whether a number is among spans.
func (s spans) has(b []byte) bool {
	i, _ := slices.BinarySearchFunc(s, b, func(x Span, b []byte) int { return bytes.Compare(x.Hi, b) })
	return i < len(s) && bytes.Compare(s[i].Lo, b) <= 0
}

// openParts is a field of a region, or of a translation, that is open and that a set asks for, or a member of it.
func (w *walk) openParts(set *ruleset.IPSet, x *ruleset.XtSet) byte {
	if len(set.Elements) == 0 {
		return 0
	}
	for i, part := range set.Parts() {
		if f := w.openPart(part, i < 3 && x.Source[i]); f != 0 {
			return f
		}
	}
	if set.Type == "list:set" {
		for _, e := range set.Elements {
			if member := w.snap.NFTables.Ruleset.IPSetNamed(e.Set); member != nil && member.Type != "list:set" {
				if f := w.openParts(member, x); f != 0 {
					return f
				}
			}
		}
	}
	return 0
}

// openPart is the field of a region that a part of a set asks for, where it is open.
func (w *walk) openPart(part string, source bool) byte {
	switch part {
	case "ip", "net":
		if source && w.open('s') {
			return 's'
		}
		if !source && w.open('d') {
			return 'd'
		}
	case "port":
		if source && w.openPort(0) {
			return 'p'
		}
		if !source && w.openPort(2) {
			return 'q'
		}
	}
	return 0
}

// inIPSet says whether the packet is in a set, or why that is not known.
func (w *walk) inIPSet(set *ruleset.IPSet, x *ruleset.XtSet) (hit bool, why string) {
	parts := set.Parts()
	if parts[0] == "set" {
		for _, e := range set.Elements {
			member := w.snap.NFTables.Ruleset.IPSetNamed(e.Set)
			if member == nil || member.Parts()[0] == "set" { // a list has no lists
				return false, "a member of ipset " + set.Name + " that was not read"
			}
			if hit, why = w.inIPSet(member, x); hit || why != "" {
				return hit, why
			}
		}
		return false, ""
	}
	family := 10
	if w.skb.v4 {
		family = 2
	}
	if int(x.Dim) < len(parts) || set.Family != 0 && set.Family != family || len(parts) > 3 {
		return false, ""
	}
	s := &w.skb
	if slices.Contains(parts, "port") && (set.PortOf(s.proto) == ruleset.Never || s.later() && (!s.v4 || set.PortOf(s.proto) != ruleset.AsZero)) {
		return false, "" // ip_set_get_ip4_port reads no port of a fragment
	}
	var best *ruleset.IPSetElement
	found := false
	for i := range set.Elements {
		e := &set.Elements[i]
		ok, why := w.partsMatch(set, e, parts, x)
		if why != "" {
			return false, why
		}
		// Of networks the smallest decides, of those with interfaces where none of them is the packet's too; it can say that what it holds is
		// no match.
		order := 1
		if best != nil {
			order = e.Narrower(best)
		}
		if !ok || order < 0 {
			continue
		}
		onIface, why := w.ifaceMatches(e, parts, x)
		matches := onIface && e.NoMatch == (x.ReturnNoMatch && slices.Contains(parts, "net"))
		switch {
		case why != "":
			return false, why
		case order > 0:
			best, found, hit = e, onIface, matches
		case onIface && found && hit != matches:
			return false, "which of two elements of ipset " + set.Name + " it finds"
		case onIface:
			found, hit = true, matches
		}
	}
	return hit, ""
}

// partsMatch compares one element, without its interface.
func (w *walk) partsMatch(set *ruleset.IPSet, e *ruleset.IPSetElement, parts []string, x *ruleset.XtSet) (ok bool, why string) {
	s := &w.skb
	nets := []netip.Prefix{e.Net, e.Net2}
	for i, part := range parts {
		src := x.Source[i]
		switch part {
		case "ip", "net":
			addr := s.dst()
			if src {
				addr = s.src()
			}
			if len(nets) == 0 || !nets[0].Contains(set.Masked(addr)) {
				return false, ""
			}
			nets = nets[1:]
		case "port":
			if e.Proto != 0 && e.Proto != s.proto {
				return false, ""
			}
			n, why := w.portInSet(set, src)
			if why != "" || e.Port != n {
				return false, why
			}
		case "mac":
			if ok, why := w.macInSet(set, e, src); !ok {
				return false, why
			}
		case "iface":
		default:
			return false, "an ipset with a part " + part
		}
	}
	return true, ""
}

// macInSet compares the hardware address of an element. Kernels differ in what they take for that of the destination (hash_mac4_kadt, since 4.20), and
// an element without one has the first packet's from then on (bitmap_ipmac_do_test).
func (w *walk) macInSet(set *ruleset.IPSet, e *ruleset.IPSetElement, source bool) (ok bool, why string) {
	s := &w.skb
	switch {
	case s.link == nil:
		return false, ""
	case !source:
		return false, "which hardware address ipset " + set.Name + " takes for the destination's"
	case e.MAC == "":
		return false, "which hardware address ipset " + set.Name + " has taken from a packet"
	case anyBit(s.linkUnk[6:12]):
		return false, "the sender's hardware address"
	}
	return slices.Equal(packet.ParseMAC(e.MAC), s.link[6:12]), ""
}

// portInSet is the number that a set looks up as the packet's port, or why that is not known.
func (w *walk) portInSet(set *ruleset.IPSet, source bool) (n uint16, why string) {
	s := &w.skb
	switch set.PortOf(s.proto) {
	case ruleset.ByPorts:
		at := 2
		if source {
			at = 0
		}
		return s.port(at), ""
	case ruleset.ByType:
		if len(s.nh) < s.thoff+2 || anyBit(s.unk[s.thoff:s.thoff+2]) {
			return 0, "the type and code of ICMP"
		}
		return binary.BigEndian.Uint16(s.nh[s.thoff:]), ""
	case ruleset.AsZero, ruleset.Never:
	}
	return 0, ""
}

// ifaceMatches compares the interface of one element, if the set has any.
func (w *walk) ifaceMatches(e *ruleset.IPSetElement, parts []string, x *ruleset.XtSet) (ok bool, why string) {
	at := slices.Index(parts, "iface")
	l := w.out
	switch {
	case at < 0:
		return true, ""
	case e.PhysDev:
		return false, "an ipset with ports of bridges" // which end the search where they share a place with what is looked up
	case x.Source[at]:
		l = w.in
	}
	return l != nil && e.OnIface(l.Name), ""
}
