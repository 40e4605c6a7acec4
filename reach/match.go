package reach

import (
	"bytes"
	"encoding/binary"

	"github.com/ringfence/ringfence/ruleset"
)

// either follows packets both ways where an expression cannot be decided. Those for which it is assumed
// to hold are the shadow of the others: a proof needs each packet once.
func (m *machine) either(c *ruleset.Chain, r *ruleset.Rule, st state, why string) ([]state, []cube) {
	missed := []cube{m.doubtful(c, r, st.cube, why)}
	st.cube = missed[0]
	st.cube.shadow = true
	return []state{st}, missed
}

// fork assumes that an undecidable expression holds; packets for which it does not are not kept.
func (m *machine) fork(c *ruleset.Chain, r *ruleset.Rule, st state, why string) []state {
	st.cube = m.doubtful(c, r, st.cube, why)
	return []state{st}
}

func (m *machine) doubtful(c *ruleset.Chain, r *ruleset.Rule, cb cube, why string) cube {
	by := m.cause(c, r)
	by.Text += " (" + why + ")"
	return cb.doubt(by)
}

func swapSides(st state, matched []state, missed []cube) ([]state, []cube) {
	var m []state
	var r []cube
	for _, c := range missed {
		m = append(m, state{c, st.regs})
	}
	for _, s := range matched {
		r = append(r, s.cube)
	}
	return m, r
}

func (m *machine) bitwise(b *ruleset.Bitwise, r regs) regs {
	vs, ok := r.read(b.Sreg, int(b.Len))
	if ok && b.Op != "mask" && b.Len == 4 && b.Shift < 32 && len(vs) == 1 && len(vs[0]) == 1 && vs[0][0].data != nil && vs[0][0].known == nil {
		n := binary.NativeEndian.Uint32(vs[0][0].data) << b.Shift
		if b.Op == "rshift" {
			n = binary.NativeEndian.Uint32(vs[0][0].data) >> b.Shift
		}
		return r.set(b.Dreg, constant(host32(n)))
	}
	if !ok || len(vs) != 1 || b.Op != "mask" {
		return r.set(b.Dreg, unknown(int(b.Len), "bitwise "+b.Op))
	}
	return r.set(b.Dreg, vs[0].bitwise(b.Mask, b.Xor))
}

// compare carries out cmp: equality and order of byte strings (memcmp).
func (m *machine) compare(c *ruleset.Chain, r *ruleset.Rule, st state, e *ruleset.Cmp) ([]state, []cube) {
	n := len(e.Data)
	lowest, highest := make([]byte, n), bytes.Repeat([]byte{0xff}, n)
	switch e.Op {
	case ruleset.OpEq:
		return m.within(c, r, st, e.Sreg, e.Data, e.Data)
	case ruleset.OpNeq:
		matched, missed := m.within(c, r, st, e.Sreg, e.Data, e.Data)
		return swapSides(st, matched, missed)
	case ruleset.OpLte:
		return m.within(c, r, st, e.Sreg, lowest, e.Data)
	case ruleset.OpGte:
		return m.within(c, r, st, e.Sreg, e.Data, highest)
	case ruleset.OpLt: // the complement of >=
		matched, missed := m.within(c, r, st, e.Sreg, e.Data, highest)
		return swapSides(st, matched, missed)
	}
	matched, missed := m.within(c, r, st, e.Sreg, lowest, e.Data)
	return swapSides(st, matched, missed)
}

// within parts the packets by lo <= register <= hi.
func (m *machine) within(c *ruleset.Chain, r *ruleset.Rule, st state, reg uint32, lo, hi []byte,
) ([]state, []cube) {
	vs, ok := st.regs.read(reg, len(lo))
	var in, out []cube
	why := "a register that the model does not follow"
	if ok {
		in, out, why = m.splitAll(st.cube, vs, lo, hi, string(lo) == string(hi))
	}
	if why != "" {
		return m.either(c, r, st, why)
	}
	matched := make([]state, len(in))
	for i, cb := range in {
		matched[i] = state{cb, st.regs}
	}
	return matched, out
}

// splitAll parts a cube by several values side by side. With perField each value has bounds of its
// own (equality, or a concatenation of ranges); else only one segment can be compared. The last
// result says why it cannot be decided.
func (e *engine) splitAll(c cube, vs []value, lo, hi []byte, perField bool) (in, out []cube, why string) {
	in = []cube{c}
	at := 0
	for _, v := range vs {
		if len(vs) == 1 && len(v) == 1 && v[0].known != nil {
			if is, sure := v[0].byKnownBits(lo, hi); sure && is {
				return in, nil, ""
			} else if sure {
				return nil, in, ""
			}
		}
		if len(vs) == 1 && len(v) == 1 && v[0].among != nil {
			if is, sure := v[0].byList(lo, hi); sure && is {
				return in, nil, ""
			} else if sure {
				return nil, in, ""
			}
		}
		if w := v.doubtful(); w != "" {
			return nil, nil, w
		}
		if !perField && (len(vs) > 1 || len(v) > 1) && !allConst(vs) {
			return nil, nil, "an order over several fields"
		}
		for i := range v {
			s := &v[i]
			n := s.len()
			if at+n > len(lo) || at+n > len(hi) {
				return nil, nil, "a comparison with too little data"
			}
			l, h := lo[at:at+n], hi[at:at+n]
			at += n
			if s.data != nil {
				if bytes.Compare(s.data, l) < 0 || bytes.Compare(s.data, h) > 0 {
					return nil, append(out, in...), ""
				}
				continue
			}
			var next []cube
			for _, cb := range in {
				if e.charge(s.tries(&cb, l, h)) {
					return nil, nil, errTooComplex.Error()
				}
				pre, ok := s.preimage(&cb, l, h)
				if !ok {
					return nil, nil, "a mask that leaves too many cases"
				}
				if e.parts(&cb, s.f, pre) {
					return nil, nil, errTooComplex.Error()
				}
				yes, no := cb.split(s.f, pre)
				next, out = append(next, yes...), append(out, no...)
			}
			in = next
		}
		if at%4 != 0 && len(vs) > 1 {
			at += 4 - at%4
		}
	}
	return in, out, ""
}

func allConst(vs []value) bool {
	for _, v := range vs {
		for i := range v {
			if v[i].data == nil {
				return false
			}
		}
	}
	return true
}

// lookup searches a set. Elements are tried in order for a concatenation of ranges (pipapo: the
// first wins); a set of one field becomes intervals.
func (m *machine) lookup(c *ruleset.Chain, r *ruleset.Rule, st state, e *ruleset.Lookup) ([]state, []cube) {
	s := m.table.Set(e.Set)
	if s == nil {
		why := "set " + e.Set + " is missing"
		return m.either(c, r, st, why)
	}
	vs, ok := st.regs.read(e.Sreg, int(s.KeyLen))
	why := "a register that the model does not follow"
	var hits []hit
	var rest []cube
	if ok {
		hits, rest, why = m.search(s, st.cube, vs)
	}
	if why != "" {
		if e.HasReg && e.Dreg == 0 { // any of the verdicts, or none
			for _, el := range s.Elements {
				if el.Verdict != nil {
					maybe := m.doubtful(c, r, st.cube, why)
					maybe.shadow = true
					m.vmap = append(m.vmap, pendingVerdict{el.Verdict, maybe})
				}
			}
			return nil, []cube{m.doubtful(c, r, st.cube, why)}
		}
		if e.HasReg {
			st.regs = st.regs.set(e.Dreg, unknown(int(s.DataLen), why))
		}
		return m.either(c, r, st, why)
	}
	var matched []state
	for _, h := range hits {
		if len(h.el.Exprs) > 0 && !plainOnly(h.el.Exprs) {
			rest = append(rest, m.doubtful(c, r, h.cube, "a statement of a set element"))
			h.cube = m.doubtful(c, r, h.cube, "a statement of a set element")
			h.cube.shadow = true
		}
		switch {
		case e.HasReg && e.Dreg == 0 && h.el.Verdict != nil:
			m.vmap = append(m.vmap, pendingVerdict{h.el.Verdict, h.cube})
		case e.HasReg:
			matched = append(matched, state{h.cube, st.regs.set(e.Dreg, constant(h.el.Data))})
		default:
			matched = append(matched, state{h.cube, st.regs})
		}
	}
	if s.Dynamic { // traffic can add what is not there now
		for i := range rest {
			maybe := m.doubtful(c, r, rest[i], "traffic adds elements to set "+s.Name)
			rest[i] = maybe
			if maybe.shadow = true; !e.HasReg {
				matched = append(matched, state{maybe, st.regs})
			}
		}
	}
	if e.Invert {
		return swapSides(st, matched, rest)
	}
	return matched, rest
}

func plainOnly(es []ruleset.Expr) bool {
	for i := range es {
		if !es[i].Plain {
			return false
		}
	}
	return true
}
