package reach

import (
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// objref evaluates the object that a rule names, or a map of it for the packets that are in the map (nft_objref_eval, nft_objref_map_eval).
func (m *machine) objref(c *ruleset.Chain, r *ruleset.Rule, o *ruleset.Objref, st state) ([]state, []cube) {
	if o.Set == "" {
		return m.object(c, r, o.Type, o.Name, st)
	}
	s := m.table.Set(o.Set)
	if s == nil || s.Dynamic {
		return m.either(c, r, st, "a map to objects")
	}
	vs, ok := st.regs.read(o.Sreg, int(s.KeyLen))
	if !ok {
		return m.either(c, r, st, "a register that the model does not follow")
	}
	hits, missed, why := m.search(s, st.cube, vs)
	if why != "" {
		return m.either(c, r, st, why)
	}
	var matched []state
	for _, h := range hits {
		yes, no := m.object(c, r, s.ObjectType, h.el.Object, state{h.cube, st.regs})
		matched, missed = append(matched, yes...), append(missed, no...)
	}
	return matched, missed
}

// object is what an object does with packets, by its type.
func (m *machine) object(c *ruleset.Chain, r *ruleset.Rule, kind uint32, name string, st state) ([]state, []cube) {
	x := m.table.Object(kind, name)
	switch {
	case ruleset.Stateless(kind):
		return []state{st}, nil
	case kind == ruleset.ObjectExpect: // of a connection that is not confirmed (nft_ct_expect_obj_eval)
		if m.connectionless(&st.cube) || m.state == ruleset.CtEstablished {
			return nil, []cube{st.cube}
		}
		return []state{st}, nil
	case kind == ruleset.ObjectSynproxy && !st.cube.sets[fProto].contains(num(packet.TCP)):
		return nil, []cube{st.cube}
	case x != nil && x.Connlimit != nil && x.Connlimit.Count == 0:
		return m.holds(x.Connlimit.Over, st)
	}
	what := "object " + name
	if x != nil {
		switch {
		case x.Limit != nil:
			what += ", " + x.Limit.String()
		case x.Quota != nil:
			what += ", " + x.Quota.String()
		case x.Connlimit != nil:
			what += ", " + x.Connlimit.String()
		}
	}
	return m.either(c, r, st, what+", depends on more than the packet")
}

// holds is an expression that holds for all packets or for none.
func (m *machine) holds(yes bool, st state) ([]state, []cube) {
	if yes {
		return []state{st}, nil
	}
	return nil, []cube{st.cube}
}
