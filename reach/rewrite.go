package reach

import (
	"bytes"
	"maps"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// written is what the sender wrote into fields that a rule has written over since; nil of the others. It is never changed in place.
type written struct {
	sets map[field]set
	// tracked says that conntrack had seen the packet before: it knows what was sent.
	tracked bool
}

// wrote is the packets with other numbers in a field, by a rule: what was sent stays known.
func (m *machine) wrote(c *cube, f field, to set) cube {
	w := &written{sets: map[field]set{}, tracked: !m.connectionless(c)}
	if c.wrote != nil {
		w.tracked = w.tracked || c.wrote.tracked
		maps.Copy(w.sets, c.wrote.sets)
	}
	if w.sets[f] == nil {
		w.sets[f] = c.original(f)
	}
	d := *c
	d.keptAddr, d.keptPort, d.keptSport = d.keptAddr && f != fDaddr, d.keptPort && f != fDport, d.keptSport && f != fSport
	d.sets[f], d.wrote = to, w
	return d
}

// readdressed says whether a rule has written another destination into the packets.
func (c *cube) readdressed() bool {
	return c.wrote != nil && (c.wrote.sets[fDaddr] != nil || c.wrote.sets[fDport] != nil)
}

// payloadSet writes a register into packets (nft_payload_set_eval): constants into addresses and ports, and what no rule or route asks for.
// The rest is a doubt.
func (m *machine) payloadSet(c *ruleset.Chain, r *ruleset.Rule, p *ruleset.Payload, st state) []state {
	if p.Base != ruleset.BaseNetwork && p.Base != ruleset.BaseTransport {
		return m.fork(c, r, st, "bytes of the "+p.Base+" header are changed")
	}
	vs, ok := st.regs.read(p.Sreg, int(p.Len))
	if !ok || len(vs) != 1 {
		return m.overwritten(c, r, p, st)
	}
	off, end := int(p.Offset), int(p.Offset+p.Len)
	if v := written1(vs[0], map[bool]int{true: 8, false: 7}[st.cube.v4]-off); p.Base == ruleset.BaseNetwork && v != nil && m.spends(int(*v)) {
		st = m.fork(c, r, st, spent)[0]
	}
	for _, pt := range m.headerParts(&st.cube, p.Base) {
		lo, hi := max(off, pt.at), min(end, pt.at+pt.n)
		if lo >= hi {
			continue
		}
		v, ok := vs[0].slice(lo-off, hi-lo)
		if !ok || len(v) != 1 {
			return m.overwritten(c, r, p, st)
		}
		if !m.writePart(&st.cube, &pt, &v[0], lo-pt.at) {
			return m.overwritten(c, r, p, st)
		}
	}
	return []state{st}
}

// spent is why packets that a rule gives such a time to live go no further than this host.
const spent = "with the time to live that the rule writes a packet is not forwarded"

// spends says whether packets with a time to live would not be forwarded: the stack counts it down before the forward hook (ip_forward, ip6_forward).
func (m *machine) spends(ttl int) bool {
	return ttl <= 1 && !m.local && (m.hook == packet.Ingress || m.hook == packet.Prerouting)
}

// written1 is the constant byte at an offset of what is written; nil is another value.
func written1(v value, at int) *byte {
	if at < 0 || at >= v.len() {
		return nil
	}
	if b, ok := v.slice(at, 1); ok && len(b) == 1 && len(b[0].data) == 1 && b[0].known == nil {
		return &b[0].data[0]
	}
	return nil
}

// writePart puts a value, or a part of one, into a part of a header from an offset on. It reports false where what comes out is not followed.
func (m *machine) writePart(c *cube, pt *headerPart, v *seg, at int) bool {
	n := v.len()
	switch {
	case pt.f == fService && pt.data == nil:
		return c.writeService(v, at)
	case v.why != "":
		return c.keepsLength(pt, v)
	case pt.data != nil: // version, type of service, fragment
		if v.data == nil {
			return false
		}
		for i := range v.data {
			known := byte(0xff)
			if pt.known != nil {
				known = pt.known[at+i]
			}
			if (v.data[i]^pt.data[at+i])&known != 0 || v.known != nil && known&^v.known[i] != 0 {
				return false
			}
		}
		return true
	case v.data == nil: // what was there
		return v.f == pt.f && v.off == at && v.mask == nil && !v.swap
	case v.known != nil:
		return false
	}
	if s := c.sets[pt.f]; s.singleton() && bytes.Equal(s[0].lo.bytesOf(pt.n)[at:at+n], v.data) {
		return true
	}
	switch pt.f {
	case fSaddr, fDaddr, fSport, fDport:
		if n != pt.n || c.nat || c.snat || m.local && pt.f == fDaddr {
			return false
		}
		*c = m.wrote(c, pt.f, single(number(v.data)))
		return true
	default:
		return false
	}
}

// writeFlags writes over flags of TCP (set_ect_tcp). What then is as others are that had them so goes their way; it is told as a doubt, since a
// witness would have to have what the rule has taken away.
func (m *machine) writeFlags(c *ruleset.Chain, r *ruleset.Rule, x *ruleset.XtService, st state) []state {
	if proto := st.cube.sets[fProto]; x == nil || !proto.contains(num(packet.TCP)) {
		return []state{st}
	}
	var as, to set
	for n := range 256 {
		switch b := x.Of(uint8(n)); {
		case int(b) == n:
			as = append(as, interval{num(uint64(n)), num(uint64(n))})
		case st.cube.sets[fTCPFlags].contains(num(uint64(n))):
			to = append(to, interval{num(uint64(b)), num(uint64(b))})
		}
	}
	same, other := st.cube.split(fTCPFlags, as.normal())
	for i := range other {
		same = append(same, m.doubtful(c, r, m.wrote(&other[i], fTCPFlags, to.normal()), "flags of TCP are written over"))
	}
	return states(same, st)
}

// overwritten is packets of which it is not known what a rule wrote into them.
func (m *machine) overwritten(c *ruleset.Chain, r *ruleset.Rule, p *ruleset.Payload, st state) []state {
	for _, pt := range m.headerParts(&st.cube, p.Base) {
		if int(p.Offset) < pt.at+pt.n && pt.at < int(p.Offset+p.Len) && pt.data == nil {
			all := span(num(0), ones(uint(8*pt.n)))
			switch pt.f {
			case fSaddr, fDaddr, fSport, fDport:
				st.cube = m.wrote(&st.cube, pt.f, all)
			case fService:
			default: // the packets are of another kind now
				m.undecided = append(m.undecided, m.doubtful(c, r, cube{}, "the kind of the packet is changed").doubts...)
			}
		}
	}
	if p.Base == ruleset.BaseNetwork && p.Offset < 2 {
		st.cube.tos = true
	}
	st.cube.loose = true
	return m.fork(c, r, st, "bytes of the packet are changed to what is not constant")
}
