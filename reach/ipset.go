package reach

import (
	"slices"
	"strings"

	"github.com/ringfence/ringfence/ruleset"
)

// xtSet parts packets by a set of ipset. Sets of addresses alone are one set of numbers; with ports, each element
// parts them; others are a doubt.
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
	family := 10
	if c.v4 {
		family = 2
	}
	side := func(i int, src, dst field) field {
		if x.Source[i] {
			return src
		}
		return dst
	}
	addresses := parts[0] == "ip" || parts[0] == "net"
	ports := c.sets[fSport].size(2) > 1
	switch {
	case x.ReturnNoMatch, slices.ContainsFunc(ipset.Elements, func(e ruleset.IPSetElement) bool { return e.NoMatch || !e.Net.IsValid() }), !addresses:
		return nil, nil, false
	case int(x.Dim) < len(parts), ipset.Family != 0 && ipset.Family != family:
		return nil, []cube{*c}, true
	case len(parts) == 1:
		all, known := m.addresses[ipset]
		if !known {
			all = set{}
			for i := range ipset.Elements {
				all = append(all, prefixSet(ipset.Elements[i].Net)...)
			}
			all = all.normal()
			m.addresses[ipset] = all
		}
		f := side(0, fSaddr, fDaddr)
		if m.parts(c, f, all) {
			return nil, nil, true // the next spend gives the reason
		}
		in, out = c.split(f, all)
		return in, out, true
	case !ports && slices.Contains(parts, "port") && !slices.ContainsFunc(ipset.Elements, func(e ruleset.IPSetElement) bool {
		return e.Proto == 0 || uint64(e.Proto) == c.sets[fProto][0].lo.lo
	}):
		return nil, []cube{*c}, true
	case len(parts) == 2 && parts[1] == "port" && ports && len(ipset.Elements) <= maxIPSetParts:
		proto := uint8(c.sets[fProto][0].lo.lo)
		rest := []cube{*c}
		for i := range ipset.Elements {
			e := &ipset.Elements[i]
			if e.Proto != 0 && e.Proto != proto {
				continue
			}
			var next []cube
			for j := range rest {
				yes, no := rest[j].split(side(0, fSaddr, fDaddr), prefixSet(e.Net))
				next = append(next, no...)
				for k := range yes {
					hit, miss := yes[k].split(side(1, fSport, fDport), single(num(uint64(e.Port))))
					in, next = append(in, hit...), append(next, miss...)
				}
			}
			if rest = next; m.charge(len(rest) / 8) {
				break
			}
		}
		return in, rest, true
	}
	return nil, nil, false
}
