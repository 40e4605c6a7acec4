package reach

import (
	"maps"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// The packet types of a link (include/uapi/linux/if_packet.h).
const (
	frameHost      = 0
	frameBroadcast = 1
	frameMulticast = 2
)

// frames parts packets by whom their frame is for. That follows from the destination as the sender wrote it.
func (e *engine) frames(c cube) (parts [3][]cube) {
	in := e.snap.Network.Link(int(c.sets[fIif][0].lo.lo))
	if e.local || e.bridging || in == nil || in.Loopback || in.Hardware != 1 { // without frames all are for the host
		parts[frameHost] = []cube{c}
		return parts
	}
	f := fDaddr
	if c.nat {
		f = fOrigDaddr
	}
	if c.wrote != nil && c.wrote.sets[fDaddr] != nil { // for whom it was sent: each kind apart
		return e.framesOfSent(c, in)
	}
	multicast, rest := c.split(f, e.fibs[c.v4].multicast)
	parts[frameMulticast] = multicast
	for _, r := range rest {
		parts[frameBroadcast], parts[frameHost] = r.split(f, e.linkBroadcasts(in, c.v4))
	}
	return parts
}

// framesOfSent is frames of packets that a rule has written another destination into: they are told apart by
// what was sent.
func (e *engine) framesOfSent(c cube, in *snapshot.Link) (parts [3][]cube) {
	sent := c.wrote.sets[fDaddr]
	many, broadcasts := e.fibs[c.v4].multicast, e.linkBroadcasts(in, c.v4)
	host := sent.subtract(many).subtract(broadcasts)
	for kind, s := range map[int]set{frameHost: host, frameBroadcast: sent.intersect(broadcasts), frameMulticast: sent.intersect(many)} {
		if s.empty() {
			continue
		}
		d := c
		w := *c.wrote
		w.sets = maps.Clone(w.sets)
		w.sets[fDaddr] = s
		d.wrote = &w
		parts[kind] = []cube{d}
	}
	return parts
}

// linkBroadcasts is the broadcast addresses on a link, for a port of a bridge those of the bridge.
func (e *engine) linkBroadcasts(in *snapshot.Link, v4 bool) set {
	if !v4 {
		return nil
	}
	if b := e.snap.Network.BridgeOf(in); b != nil {
		in = b
	}
	s := single(num(0xffffffff))
	for _, p := range linkAddrs(in, true) {
		if p.Bits() < 31 {
			whole := prefixSet(p)
			s = append(s, single(whole[len(whole)-1].hi)...)
		}
	}
	return s.normal()
}

// forwardable stops packets whose frame is for many hosts: they are not forwarded after a translation either
// (ip_forward, ip6_forward).
func (e *engine) forwardable(in []cube) []cube {
	var live []cube
	for i := range in {
		if !in[i].nat && !in[i].readdressed() {
			live = append(live, in[i])
			continue
		}
		parts := e.frames(in[i])
		live = append(live, parts[frameHost]...)
		for _, c := range append(parts[frameBroadcast], parts[frameMulticast]...) {
			e.stop(c, packet.Cause{Text: "frames for many hosts are not forwarded"})
		}
	}
	return live
}

// asksForFrame says whether an expression loads whom a frame is for.
func asksForFrame(x *ruleset.Expr) bool {
	return x.Payload != nil && !x.Payload.Set && x.Payload.Base == ruleset.BaseLink && x.Payload.Offset < 6 ||
		x.Meta != nil && !x.Meta.Set && x.Meta.Key == ruleset.MetaPkttype ||
		x.Xt != nil && x.Xt.Decoded != nil && x.Xt.Decoded.Pkttype != nil
}

// frame is whom the frame of packets is for, which are all alike.
func (e *engine) frame(c *cube) int {
	parts := e.frames(*c)
	switch {
	case len(parts[frameBroadcast]) > 0:
		return frameBroadcast
	case len(parts[frameMulticast]) > 0:
		return frameMulticast
	}
	return frameHost
}

// perFrame evaluates an expression that depends on whom the frame is for.
func (m *machine) perFrame(c *ruleset.Chain, r *ruleset.Rule, e *ruleset.Expr, st state) (*ruleset.Verdict, []state, []cube) {
	var matched []state
	var missed []cube
	for _, part := range m.frames(st.cube) {
		for _, cb := range part {
			_, yes, no := m.plainExpr(c, r, e, state{cb, st.regs})
			matched, missed = append(matched, yes...), append(missed, no...)
		}
	}
	return nil, matched, missed
}
