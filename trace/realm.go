package trace

import (
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// realms is what decides on the realm of a packet (dst_entry.tclassid). Only IPv4 has realms.
type realms struct {
	// used: some route or policy rule has one, so that the way back is always looked up (fib_num_tclassid_users).
	used bool
	// open is why the realm of a route is not known: policy rules give one too, which stays with the route for others (set_class_tag), or nothing was read.
	open string
}

// readRealms finds out what decides on realms.
func (t *Tracer) readRealms() {
	m := &t.realms
	if !t.snap.Network.Realms {
		m.open = "the realms of routes, which were not read"
	}
	for i := range t.snap.Network.Routes {
		r := &t.snap.Network.Routes[i]
		m.used = m.used || r.Realm != 0 || r.Realms
	}
	for i := range t.snap.Network.Rules {
		if t.snap.Network.Rules[i].Realms {
			m.used, m.open = true, "the realm that a routing policy rule gives"
		}
	}
}

// realm is that of a route that was found, the lower half for whom it leads to.
func (w *walk) realm(res *result) word {
	switch {
	case !w.skb.v4:
		return word{}
	case w.realms.open != "" || res.r != nil && res.r.src.Realms:
		return word{unk: 0xffffffff}
	case res.r != nil:
		return word{v: res.r.src.Realm}
	}
	return word{}
}

// routedBy notes the realm of a packet that takes a route: what that does not say, the way back says (rt_set_nexthop, set_class_tag).
func (w *walk) routedBy(res *result) {
	m := w.realm(res)
	for _, half := range []uint32{0xffff, 0xffff0000} {
		if m.v&half == 0 {
			m.v |= w.wayBack.v & half
			m.unk |= w.wayBack.unk & half
		}
	}
	w.tag = m
}

// backRealm notes the realm of the way back: that of those whom it leads to is that of the sender (fib_combine_itag).
func (w *walk) backRealm(res *result) {
	m := w.realm(res)
	w.wayBack = word{v: m.v << 16, unk: m.unk << 16}
}

// unrouted says that a packet that came in has no route yet.
func (w *walk) unrouted() bool {
	return !w.local && (w.hook == packet.Ingress || w.hook == packet.Prerouting)
}

// rtClass loads the realm of the packet's route (nft_rt_get_eval, nft_meta_get_eval_rtclassid). Before it has one the rule ends.
func (w *walk) rtClass(at int) verdict {
	switch {
	case w.family != 'i':
		return w.unknownReg(at, 4, "the realm of the route")
	case w.unrouted():
		return vNo
	case w.tag.unk != 0:
		return w.unknownReg(at, 4, w.whyRealm())
	}
	w.regs.putWord(at, w.tag)
	return vNext
}

func (w *walk) whyRealm() string {
	if w.realms.open != "" {
		return w.realms.open
	}
	return "the realm of the next hop that the route takes"
}

// rt loads routing data (nft_rt_get_eval).
func (w *walk) rt(e *ruleset.Rt, r *rule) verdict {
	const classid, nexthop4, nexthop6, xfrm = 0, 1, 2, 4
	at := regOffset(e.Dreg)
	if at < 0 || at+16 > regBytes && e.Key == nexthop6 || at+4 > regBytes {
		return w.abort(r, "a register that does not exist")
	}
	switch {
	case e.Key == classid:
		return w.rtClass(at)
	case w.unrouted(), e.Key == nexthop4 && !w.skb.v4, e.Key == nexthop6 && w.skb.v4:
		return vNo
	case e.Key == xfrm && unprotected(w.snap):
		w.regs.put8(at, 0)
		return vNext
	}
	return w.unknownReg(at, min(16, regBytes-at), "routing data of the packet")
}

// xtRealm is the match for realms (realm_mt).
func (w *walk) xtRealm(x *ruleset.XtRealm, r *rule) verdict {
	if w.tag.unk&x.Mask != 0 {
		return w.maybe(r, w.whyRealm())
	}
	return decide((w.tag.v&x.Mask == x.ID) != x.Invert)
}
