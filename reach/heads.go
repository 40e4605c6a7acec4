package reach

import (
	"bytes"
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

// heads is what packets have beside a plain header of IP.
type heads uint8

const (
	anyHeads   heads = iota // nobody asked
	plainHead               // neither options nor extension headers
	moreHeads               // some of them
	headText   = "whether the packet has options of IP, or extension headers of IPv6"
	headOffset = 6 // of the number of the first header in one of IPv6
)

// extensionHeaders are the numbers of the headers that the stack looks behind for the transport (ipv6_ext_hdr): no other one comes first but that of the
// transport itself.
var extensionHeaders = []byte{0, 43, 44, 51, 60}

// longHeads are the first bytes of headers of IPv4 with options.
var longHeads = []byte{0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f}

// keepsLength says that a rule writes the first byte of a header with options as it was.
func (c *cube) keepsLength(pt *headerPart, v *seg) bool {
	return c.v4 && c.heads == moreHeads && pt.at == 0 && bytes.Equal(v.among, longHeads)
}

// byList compares a byte that is one of a few; sure is false where some of them are in between and others are not.
func (s *seg) byList(lo, hi []byte) (in, sure bool) {
	if len(lo) != 1 || len(hi) != 1 {
		return false, false
	}
	inside := 0
	for _, b := range s.among {
		if lo[0] <= b && b <= hi[0] {
			inside++
		}
	}
	return inside > 0, inside == 0 || inside == len(s.among)
}

// listed searches a set for a byte that is one of a few. It reports false where they are of different elements, or some are of none.
func (c *compiled) listed(s *seg, cb cube) (hits []hit, rest []cube, ok bool) {
	found := map[*ruleset.Element]bool{}
	for _, b := range s.among {
		el := c.catchAll
		for i := range c.ranges {
			if kr := &c.ranges[i]; len(kr.lo) == 1 && kr.lo[0] <= b && len(kr.hi) == 1 && b <= kr.hi[0] {
				el = kr.el
				break
			}
		}
		found[el] = true
	}
	if len(found) != 1 {
		return nil, nil, false
	}
	for el := range found {
		if el == nil {
			return nil, []cube{cb}, true
		}
		hits = []hit{{cb, el}}
	}
	return hits, nil, true
}

// asksForHead says whether a load takes what tells a plain header from another.
func asksForHead(c *cube, p *ruleset.Payload) bool {
	if p.Base != ruleset.BaseNetwork || c.heads == plainHead {
		return false
	}
	return c.v4 && p.Offset == 0 || !c.v4 && p.Offset <= headOffset && headOffset < p.Offset+p.Len
}

// eachHead parts packets into plain ones and, in doubt, those with more than a plain header.
func (m *machine) eachHead(c *ruleset.Chain, r *ruleset.Rule, st state) (plain, more []state) {
	if st.cube.heads != moreHeads {
		p := st
		p.cube.heads = plainHead
		plain = []state{p}
	}
	if st.cube.heads != plainHead {
		x := st
		if x.cube.heads == anyHeads {
			x.cube = m.doubtful(c, r, st.cube, headText)
			x.cube.shadow = true
		}
		x.cube.heads = moreHeads
		more = []state{x}
	}
	return plain, more
}

// loadHead is a load of what tells a plain header from another.
func (m *machine) loadHead(c *ruleset.Chain, r *ruleset.Rule, p *ruleset.Payload, st state) []state {
	plain, more := m.eachHead(c, r, st)
	for i := range plain {
		plain[i].regs = plain[i].regs.set(p.Dreg, m.payload(&plain[i].cube, p))
	}
	v := unknown(int(p.Len), headText)
	if !st.cube.v4 && p.Len == 1 {
		v[0].among = extensionHeaders
	}
	for i := range more {
		if st.cube.v4 { // what comes after the byte that says how long the header is
			rest := *p
			rest.Offset, rest.Len = 1, p.Len-1
			v = append(value{{n: 1, why: headText, among: longHeads}}, m.payload(&more[i].cube, &rest)...)
		}
		more[i].regs = more[i].regs.set(p.Dreg, v)
	}
	return append(plain, more...)
}

// exthdr asks for an option of IP or an extension header, which plain packets do not have.
func (m *machine) exthdr(c *ruleset.Chain, r *ruleset.Rule, x *ruleset.Exthdr, st state) (matched []state, missed []cube) {
	plain, more := m.eachHead(c, r, st)
	for _, p := range plain {
		if !x.Present {
			missed = append(missed, p.cube)
			continue
		}
		p.regs = p.regs.set(x.Dreg, constant([]byte{0}))
		matched = append(matched, p)
	}
	for _, s := range more {
		if !x.Present {
			missed = append(missed, s.cube)
		}
		s.regs = s.regs.set(x.Dreg, unknown(max(int(x.Len), 1), headText))
		matched = append(matched, s)
	}
	return matched, missed
}

// xtHeads is a match of iptables for an extension header.
func (m *machine) xtHeads(c *ruleset.Chain, r *ruleset.Rule, name string, st state) (matched []state, missed []cube, is bool) {
	if !slices.Contains([]string{"rt", "frag", "hbh", "dst", "mh"}, name) {
		return nil, nil, false
	}
	plain, more := m.eachHead(c, r, st)
	for _, p := range plain {
		missed = append(missed, p.cube)
	}
	for _, s := range more {
		matched, missed = append(matched, s), append(missed, s.cube)
	}
	return matched, missed, true
}
