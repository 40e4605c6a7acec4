package reach

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/ruleset"
)

// xtSet parts packets by a set of ipset. Sets of addresses alone are one set of numbers, without their exceptions; of several parts, each element
// parts them, of a list each member; others are a doubt.
func (m *machine) xtSet(c *ruleset.Chain, r *ruleset.Rule, x *ruleset.XtSet, st state) ([]state, []cube) {
	ipset := m.snap.NFTables.Ruleset.IPSet(x.Index)
	if ipset == nil {
		return m.either(c, r, st, strings.TrimSuffix("an ipset that was not read: "+m.snap.NFTables.Ruleset.IPSetsUnread, ": "))
	}
	if m.charge(len(ipset.Elements) / elementsPerStep) {
		return nil, nil // the next spend gives the reason
	}
	in, out, maybe := m.inIPSet(&st.cube, ipset, x)
	if m.ipsetChanges == nil {
		m.ipsetChanges = m.snap.NFTables.Ruleset.IPSetChanges()
	}
	if m.ipsetChanges.Of(ipset, false) {
		maybe, out = append(maybe, out...), nil
	}
	if m.ipsetChanges.Of(ipset, true) {
		maybe, in = append(maybe, in...), nil
	}
	if x.Invert {
		in, out = out, in
	}
	matched, missed := m.eachEither(c, r, states(maybe, st), "ipset "+ipset.Name+" of type "+ipset.Type)
	return append(states(in, st), matched...), append(out, missed...)
}

// elementsPerStep is how many elements of a set of ipset are sorted in the time of one step.
const elementsPerStep = 16

// maxIPSetParts bounds the elements that part packets one by one.
const maxIPSetParts = 2000

func (m *machine) inIPSet(c *cube, ipset *ruleset.IPSet, x *ruleset.XtSet) (in, out, maybe []cube) {
	parts := ipset.Parts()
	if parts[0] == "set" {
		return m.inMembers(c, ipset, x)
	}
	family := 10
	if c.v4 {
		family = 2
	}
	proto := uint8(c.sets[fProto][0].lo.lo)
	switch {
	case !m.followed(c, ipset, parts):
		return nil, nil, []cube{*c}
	case int(x.Dim) < len(parts), ipset.Family != 0 && ipset.Family != family, slices.Contains(parts, "port") && ipset.PortOf(proto) == ruleset.Never:
		return nil, []cube{*c}, nil
	case len(parts) == 1:
		all := m.numbersOf(ipset, x.ReturnNoMatch && parts[0] == "net")
		f := setFields[parts[0]].of(x.Source[0])
		if m.parts(c, f, all) {
			return nil, nil, nil // the next spend gives the reason
		}
		in, out = c.split(f, all)
		return in, out, nil
	case len(ipset.Elements) > maxIPSetParts:
		return nil, nil, []cube{*c}
	}
	p := &setParts{of: ipset, names: parts, x: x, proto: proto, excepts: x.ReturnNoMatch && slices.Contains(parts, "net")}
	if i := slices.Index(parts, "iface"); i >= 0 {
		p.iface = m.nameOf(c.sets[map[bool]field{true: fIif, false: fOif}[x.Source[i]]])
	}
	rest := []cube{*c}
	for _, alike := range m.inOrder(p) {
		to := p.end(alike, &in, &out, &maybe)
		var next []cube
		for j := range rest {
			hit, miss := p.split(rest[j], alike[0])
			next, *to = append(next, miss...), append(*to, hit...)
		}
		if rest = next; m.charge(len(rest) / 8) {
			break
		}
	}
	return in, append(out, rest...), maybe
}

// nameOf is the name of the one interface of a set of indexes, "" where there is none.
func (m *machine) nameOf(idx set) string {
	if l := m.snap.Network.Link(int(idx[0].lo.lo)); l != nil {
		return l.Name
	}
	return ""
}

// inMembers parts packets by the members of a list, which are no lists.
func (m *machine) inMembers(c *cube, list *ruleset.IPSet, x *ruleset.XtSet) (in, out, maybe []cube) {
	out = []cube{*c}
	for i := range list.Elements {
		member := m.snap.NFTables.Ruleset.IPSetNamed(list.Elements[i].Set)
		if member == nil || member.Parts()[0] == "set" {
			return nil, nil, []cube{*c}
		}
		var next []cube
		for j := range out {
			if m.charge(1 + len(member.Elements)/elementsPerStep) {
				return nil, nil, nil // the next spend gives the reason
			}
			hit, miss, either := m.inIPSet(&out[j], member, x)
			in, next, maybe = append(in, hit...), append(next, miss...), append(maybe, either...)
		}
		out = next
	}
	return in, out, maybe
}

// sides are the fields that a part of a set asks for.
type sides struct{ src, dst field }

var setFields = map[string]sides{"ip": {fSaddr, fDaddr}, "net": {fSaddr, fDaddr}, "port": {fSport, fDport}}

func (s sides) of(source bool) field {
	if source {
		return s.src
	}
	return s.dst
}

// followed says whether a set asks for addresses, networks, ports and known interfaces alone, and its elements have them.
func (m *machine) followed(c *cube, ipset *ruleset.IPSet, parts []string) bool {
	addresses := 0
	for i, part := range parts {
		_, ok := setFields[part]
		if ok = ok || part == "iface" && c.sets[fIif].singleton() && c.sets[fOif].singleton(); !ok || i > 2 {
			return false
		}
		if part == "ip" || part == "net" {
			addresses++
		}
	}
	return !ipset.Mask.IsValid() && !slices.ContainsFunc(ipset.Elements, func(e ruleset.IPSetElement) bool {
		return addresses > 0 && !e.Net.IsValid() || addresses > 1 && !e.Net2.IsValid()
	})
}

// setParts is a set of several parts that packets of a protocol are looked up in.
type setParts struct {
	of      *ruleset.IPSet
	names   []string
	x       *ruleset.XtSet
	proto   uint8
	iface   string // "" is none
	excepts bool   // it is asked for the exceptions
}

// orderKey is a set, and the protocol that it is asked for, where that matters.
type orderKey struct {
	of    *ruleset.IPSet
	proto uint8
}

// inOrder are the elements that packets of the protocol can be, the narrowest first, those together that differ in their interface alone: the first
// that has a packet decides about it.
func (m *machine) inOrder(p *setParts) (list [][]*ruleset.IPSetElement) {
	of := orderKey{of: p.of}
	if slices.Contains(p.names, "port") {
		of.proto = p.proto
	}
	if list, known := m.ordered[of]; known {
		return list
	}
	defer func() { m.ordered[of] = list }()
	type key struct {
		net, net2 netip.Prefix
		port      uint16
	}
	at := map[key]int{}
	for i := range p.of.Elements {
		e := &p.of.Elements[i]
		if of.proto != 0 && e.Proto != 0 && e.Proto != p.proto {
			continue
		}
		k := key{e.Net, e.Net2, e.Port}
		if _, known := at[k]; !known {
			at[k] = len(list)
			list = append(list, nil)
		}
		list[at[k]] = append(list[at[k]], e)
	}
	slices.SortStableFunc(list, func(a, b []*ruleset.IPSetElement) int { return b[0].Narrower(a[0]) })
	return list
}

// end is where packets go that have the elements, which differ in their interface alone: in, out, or who knows where. An element of a port of a
// bridge ends the search or not; of two with the same interface, one is found first.
func (p *setParts) end(alike []*ruleset.IPSetElement, in, out, maybe *[]cube) *[]cube {
	counts := func(e *ruleset.IPSetElement) bool { return e.NoMatch == p.excepts }
	if slices.Contains(p.names, "iface") {
		if slices.ContainsFunc(alike, func(e *ruleset.IPSetElement) bool { return e.PhysDev }) {
			return maybe
		}
		alike = slices.DeleteFunc(slices.Clone(alike), func(e *ruleset.IPSetElement) bool { return !e.OnIface(p.iface) })
	}
	switch i := slices.IndexFunc(alike, counts); {
	case i < 0:
		return out
	case slices.ContainsFunc(alike, func(e *ruleset.IPSetElement) bool { return !counts(e) }):
		return maybe
	}
	return in
}

// split parts packets by one element, without its interface.
func (p *setParts) split(c cube, e *ruleset.IPSetElement) (hit, miss []cube) {
	hit = []cube{c}
	nets := []netip.Prefix{e.Net, e.Net2}
	by := func(f field, want set) {
		var next []cube
		for j := range hit {
			yes, no := hit[j].split(f, want)
			next, miss = append(next, yes...), append(miss, no...)
		}
		hit = next
	}
	for i, part := range p.names {
		switch {
		case part == "iface":
		case part != "port":
			by(setFields[part].of(p.x.Source[i]), prefixSet(nets[0]))
			nets = nets[1:]
		case p.of.PortOf(p.proto) == ruleset.ByPorts:
			by(setFields[part].of(p.x.Source[i]), single(num(uint64(e.Port))))
		case p.of.PortOf(p.proto) == ruleset.ByType:
			by(fICMPType, single(num(uint64(e.Port>>8))))
			by(fICMPCode, single(num(uint64(e.Port&0xff))))
		case e.Port != 0:
			return nil, []cube{c}
		}
	}
	return hit, miss
}

// numbersKey is a set of addresses or ports, and whether it is asked for the exceptions.
type numbersKey struct {
	of      *ruleset.IPSet
	excepts bool
}

// numbersOf are the addresses or ports that a set of one part holds, or those that it has as exceptions. Of networks the smallest decides.
func (m *machine) numbersOf(ipset *ruleset.IPSet, excepts bool) set {
	k := numbersKey{ipset, excepts}
	if all, known := m.numbers[k]; known {
		return all
	}
	bits := map[int]map[bool]set{}
	for i := range ipset.Elements {
		e := &ipset.Elements[i]
		n, of := e.Net.Bits(), prefixSet(e.Net)
		if ipset.Parts()[0] == "port" {
			of = single(num(uint64(e.Port)))
		}
		if bits[n] == nil {
			bits[n] = map[bool]set{}
		}
		bits[n][e.NoMatch] = append(bits[n][e.NoMatch], of...)
	}
	all := set{}
	for _, n := range slices.Sorted(maps.Keys(bits)) {
		all = append(all.subtract(bits[n][!excepts].normal()), bits[n][excepts]...).normal()
	}
	m.numbers[k] = all
	return all
}
