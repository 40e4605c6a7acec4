package reach

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
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
	in, out, ok := m.inIPSet(&st.cube, ipset, x)
	if !ok {
		return m.either(c, r, st, "ipset "+ipset.Name+" of type "+ipset.Type)
	}
	if x.Invert {
		in, out = out, in
	}
	return states(in, st), out
}

// elementsPerStep is how many elements of a set of ipset are sorted in the time of one step.
const elementsPerStep = 16

// maxIPSetParts bounds the elements that part packets one by one.
const maxIPSetParts = 2000

func (m *machine) inIPSet(c *cube, ipset *ruleset.IPSet, x *ruleset.XtSet) (in, out []cube, ok bool) {
	parts := ipset.Parts()
	if parts[0] == "set" {
		return m.inMembers(c, ipset, x)
	}
	family := 10
	if c.v4 {
		family = 2
	}
	ports := c.sets[fSport].size(2) > 1
	proto := c.sets[fProto][0].lo.lo
	excepts := x.ReturnNoMatch || slices.ContainsFunc(ipset.Elements, func(e ruleset.IPSetElement) bool { return e.NoMatch })
	switch {
	case !followed(ipset, parts) || excepts && len(parts) > 1:
		return nil, nil, false
	case int(x.Dim) < len(parts), ipset.Family != 0 && ipset.Family != family:
		return nil, []cube{*c}, true
	case len(parts) == 1:
		if parts[0] == "port" && proto != packet.TCP && proto != packet.UDP {
			return nil, nil, false
		}
		all := m.numbersOf(ipset, x.ReturnNoMatch && parts[0] == "net")
		f := setFields[parts[0]].of(x.Source[0])
		if m.parts(c, f, all) {
			return nil, nil, true // the next spend gives the reason
		}
		in, out = c.split(f, all)
		return in, out, true
	case !ports && slices.Contains(parts, "port") && !slices.ContainsFunc(ipset.Elements, func(e ruleset.IPSetElement) bool {
		return e.Proto == 0 || uint64(e.Proto) == proto
	}):
		return nil, []cube{*c}, true
	case !ports && slices.Contains(parts, "port") || len(ipset.Elements) > maxIPSetParts:
		return nil, nil, false
	}
	rest := []cube{*c}
	for i := range ipset.Elements {
		e := &ipset.Elements[i]
		if slices.Contains(parts, "port") && e.Proto != 0 && uint64(e.Proto) != proto {
			continue
		}
		var next []cube
		for j := range rest {
			hit, miss := ofElement(rest[j], e, parts, x)
			in, next = append(in, hit...), append(next, miss...)
		}
		if rest = next; m.charge(len(rest) / 8) {
			break
		}
	}
	return in, rest, true
}

// inMembers parts packets by the members of a list, which are no lists.
func (m *machine) inMembers(c *cube, list *ruleset.IPSet, x *ruleset.XtSet) (in, out []cube, ok bool) {
	out = []cube{*c}
	for i := range list.Elements {
		member := m.snap.NFTables.Ruleset.IPSetNamed(list.Elements[i].Set)
		if member == nil || member.Parts()[0] == "set" {
			return nil, nil, false
		}
		var next []cube
		for j := range out {
			if m.charge(1 + len(member.Elements)/elementsPerStep) {
				return nil, nil, true // the next spend gives the reason
			}
			hit, miss, ok := m.inIPSet(&out[j], member, x)
			if !ok {
				return nil, nil, false
			}
			in, next = append(in, hit...), append(next, miss...)
		}
		out = next
	}
	return in, out, true
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

// followed says whether a set asks for addresses, networks and ports alone, and its elements have them.
func followed(ipset *ruleset.IPSet, parts []string) bool {
	addresses := 0
	for i, part := range parts {
		if _, ok := setFields[part]; !ok || i > 2 {
			return false
		}
		if part != "port" {
			addresses++
		}
	}
	return !slices.ContainsFunc(ipset.Elements, func(e ruleset.IPSetElement) bool {
		return addresses > 0 && !e.Net.IsValid() || addresses > 1 && !e.Net2.IsValid()
	})
}

// ofElement parts packets by one element.
func ofElement(c cube, e *ruleset.IPSetElement, parts []string, x *ruleset.XtSet) (hit, miss []cube) {
	hit = []cube{c}
	nets := []netip.Prefix{e.Net, e.Net2}
	for i, part := range parts {
		want := single(num(uint64(e.Port)))
		if part != "port" {
			want, nets = prefixSet(nets[0]), nets[1:]
		}
		var next []cube
		for j := range hit {
			yes, no := hit[j].split(setFields[part].of(x.Source[i]), want)
			next, miss = append(next, yes...), append(miss, no...)
		}
		hit = next
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
