package reach

import (
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// tag is the realm of the route that packets have (dst_entry.tclassid): the lower half is that of whom it leads to, the upper half that of the way
// back. Only IPv4 has realms.
type tag struct {
	realm uint32
	open  bool // not known
}

// readRealms finds out whether realms are in use, so that every way back is looked up (fib_num_tclassid_users), and whether that of a route is known:
// policy rules give one too, which stays with the route for others (set_class_tag).
func (f *fib) readRealms(n *snapshot.Network) {
	f.openRealms = !n.Realms
	for i := range n.Rules {
		if n.Rules[i].Realms {
			f.realms, f.openRealms = true, true
		}
	}
	for i := range n.Routes {
		f.realms = f.realms || n.Routes[i].Realm != 0 || n.Routes[i].Realms
	}
}

// tagOf is the realm of packets on a route: what that does not say, the way back says (rt_set_nexthop, fib_combine_itag).
func (f *fib) tagOf(p *part, back tag) tag {
	switch {
	case !f.v4:
		return tag{}
	case f.openRealms || p.realms || back.open:
		return tag{open: true}
	}
	t := tag{realm: p.realm}
	for _, half := range []uint32{0xffff, 0xffff0000} {
		if t.realm&half == 0 {
			t.realm |= back.realm & half
		}
	}
	return t
}

// backTag is what the way back adds to the realm of packets: whom it leads to is who sends (fib_combine_itag).
func (f *fib) backTag(p *part) tag {
	t := f.tagOf(p, tag{})
	t.realm <<= 16
	return t
}

// rtClass loads the realm of the route of packets (nft_rt_get_eval). Before they have one the rule ends.
func (m *machine) rtClass(c *cube) (value, bool) {
	if m.unrouted() {
		return nil, false
	}
	if c.tag.open || m.bridging || m.table.Family == ruleset.FamilyBridge || m.table.Family == ruleset.FamilyNetdev {
		return unknown(4, "the realm of the route"), true
	}
	return constant(host32(c.tag.realm)), true
}

func (m *machine) unrouted() bool {
	return !m.local && (m.hook == packet.Prerouting || m.hook == packet.Ingress)
}

// rt loads routing data (nft_rt_get_eval).
func (m *machine) rt(c *cube, e *ruleset.Rt) (value, bool) {
	const classid, nexthop4, nexthop6, xfrm = 0, 1, 2, 4
	switch {
	case e.Key == classid:
		return m.rtClass(c)
	case m.unrouted(), e.Key == nexthop4 && !c.v4, e.Key == nexthop6 && c.v4:
		return nil, false
	case e.Key == xfrm && m.unprotected():
		return constant([]byte{0}), true
	}
	return unknown(16, "routing data of the packet"), true
}

// xtRealm is the match for realms (realm_mt).
func (m *machine) xtRealm(c *ruleset.Chain, r *ruleset.Rule, x *ruleset.XtRealm, st state) ([]state, []cube) {
	if st.cube.tag.open {
		return m.either(c, r, st, "the realm of the route")
	}
	return m.holds((st.cube.tag.realm&x.Mask == x.ID) != x.Invert, st)
}

// routing loads what an expression asks of the route of packets, and tells the register.
func (m *machine) routing(c *cube, e *ruleset.Expr) (v value, dreg uint32, ok bool) {
	if e.Meta != nil {
		v, ok = m.rtClass(c)
		return v, e.Meta.Dreg, ok
	}
	v, ok = m.rt(c, e.Extra.Rt)
	return v, e.Extra.Rt.Dreg, ok
}
