package reach

import (
	"fmt"
	"net"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// maxPorts bounds the ports of a bridge that are followed one by one.
const maxPorts = 64

// enter is the interface at which packets of an origin get to the network layer: of a bridge port its bridge.
func (e *engine) enter(iif int) *snapshot.Link {
	in := e.snap.Network.Link(iif)
	if b := e.snap.Network.BridgeOf(in); b != nil && in.Up {
		e.port = in
		return b
	}
	return in
}

// entry names the interface of a question.
func (e *engine) entry(in *snapshot.Link) string {
	switch {
	case in == nil:
		return "local"
	case e.port != nil:
		return e.port.Name
	}
	return in.Name
}

// bridgeChains are the base chains of the bridge family at a hook that can decide anything.
func (e *engine) bridgeChains(hook packet.Hook) []baseChain {
	var list []baseChain
	if e.snap.NFTables.Ruleset == nil {
		return nil
	}
	for i := range e.snap.NFTables.Ruleset.Tables {
		t := &e.snap.NFTables.Ruleset.Tables[i]
		if t.Family != ruleset.FamilyBridge || t.Dormant {
			continue
		}
		for j := len(t.Chains) - 1; j >= 0; j-- { // newer registrations of a priority run first
			c := &t.Chains[j]
			if c.Base != nil && packet.Hook(c.Base.Hook) == hook && (len(c.Rules) > 0 || c.Base.Policy == ruleset.Drop) {
				list = append(list, baseChain{t, c})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b baseChain) int { return int(a.chain.Base.Priority) - int(b.chain.Base.Priority) })
	return list
}

// bridgeHook runs the chains of the bridge family at a hook.
func (e *engine) bridgeHook(hook packet.Hook, live []cube) ([]cube, error) {
	var err error
	for _, bc := range e.order(e.bridgeChains(hook)) {
		if live, err = e.baseChain(hook, bc, live); err != nil {
			return nil, err
		}
	}
	return live, nil
}

// ports are those ports of a bridge that have to be followed apart: none where nothing filters there, one
// where it does not matter which.
func (e *engine) ports(bridge *snapshot.Link, hook packet.Hook, bridgeHooks ...packet.Hook) (list []*snapshot.Link, tooMany bool) {
	filtered, apart := false, false
	if hook == packet.Ingress && e.asksForPhysdev() {
		filtered, apart = true, true
	}
	for _, h := range bridgeHooks {
		for _, bc := range e.bridgeChains(h) {
			filtered = true
			apart = apart || asksForPort(bc.table)
		}
	}
	for _, l := range e.near[bridge.Index] {
		if l.Master != bridge.Index || !l.Up || hook == packet.Ingress && (e.port != nil && e.port != l || slices.Contains(e.notPorts, l.Index)) {
			continue
		}
		if hook == packet.Egress && len(e.toPorts) > 0 && !slices.Contains(e.toPorts, l.Index) {
			continue
		}
		if own, _ := e.baseChains(hook, true, l.Name); len(own) > 0 {
			filtered, apart = true, true
		}
		list = append(list, l)
	}
	switch {
	case !filtered:
		return nil, false
	case !apart:
		return list[:min(len(list), 1)], false
	}
	return list[:min(len(list), maxPorts)], len(list) > maxPorts
}

// asksForPort says whether rules of a table ask by which interface a frame comes or goes.
func asksForPort(t *ruleset.Table) bool {
	for i := range t.Chains {
		for j := range t.Chains[i].Rules {
			for k := range t.Chains[i].Rules[j].Exprs {
				x := &t.Chains[i].Rules[j].Exprs[k]
				if x.Xt != nil || x.Opaque() {
					return true
				}
				if x.Meta == nil || x.Meta.Set {
					continue
				}
				switch x.Meta.Key {
				case ruleset.MetaMark, ruleset.MetaProtocol, ruleset.MetaL4proto, ruleset.MetaNfproto, ruleset.MetaPkttype, ruleset.MetaLen,
					ruleset.MetaBriIifname, ruleset.MetaBriOifname:
				default:
					return true
				}
			}
		}
	}
	return false
}

// upThrough takes frames that come in by the ports of a bridge up to the host: ingress of the port, prerouting
// and input of the bridge family (br_handle_frame, br_pass_frame_up).
func (e *engine) upThrough(live []cube, in *snapshot.Link, v4 bool) ([]cube, error) {
	if in.Kind != "bridge" {
		return live, nil
	}
	if e.port != nil {
		live = e.upFrom(live, e.port, in)
	}
	ports, tooMany := e.ports(in, packet.Ingress, packet.Prerouting, packet.Input)
	if len(ports) == 0 {
		return live, nil
	}
	var out []cube
	for k, p := range ports {
		cubes := slices.Clone(live)
		for i := range cubes {
			cubes[i].shadow = cubes[i].shadow || k > 0
			cubes[i].port = p
			cubes[i].sets[fIif] = single(num(uint64(p.Index)))
			if tooMany {
				cubes[i] = cubes[i].doubt(packet.Cause{Text: fmt.Sprintf("%s has more than %d ports", in.Name, maxPorts)})
			}
			for _, why := range e.insideBridge(in, v4) {
				cubes[i] = cubes[i].doubt(why)
			}
		}
		cubes, err := e.hook(packet.Ingress, v4, p.Name, cubes)
		for _, h := range []packet.Hook{packet.Prerouting, packet.Input} {
			if err == nil {
				cubes, err = e.bridgeHook(h, cubes)
			}
		}
		if err != nil {
			return nil, err
		}
		for i := range cubes {
			cubes[i].sets[fIif] = single(num(uint64(in.Index)))
		}
		out = append(out, cubes...)
	}
	return out, nil
}

// insideBridge is the doubt where br_netfilter runs prerouting of the IP families in the middle of the
// bridge's own, and what that changes can matter to chains of the bridge after it.
func (e *engine) insideBridge(bridge *snapshot.Link, v4 bool) []packet.Cause {
	if on, unread := e.callsIP(bridge, v4); !on && unread == "" {
		return nil
	}
	filters, nats := e.baseChains(packet.Prerouting, v4, "")
	if len(nats) == 0 && !slices.ContainsFunc(filters, changes) {
		return nil
	}
	for _, bc := range append(e.bridgeChains(packet.Prerouting), e.bridgeChains(packet.Input)...) {
		if packet.Hook(bc.chain.Base.Hook) == packet.Input || bc.chain.Base.Priority >= 0 {
			return []packet.Cause{{
				Where: bc.where(),
				Text:  "runs after rules of the IP families that change packets (br_netfilter)",
			}}
		}
	}
	return nil
}

// outBy takes packets that leave by a bridge through output and postrouting of the bridge family and egress of a
// port (br_dev_xmit). Which port it is depends on the neighbour: packets are followed out of each.
func (e *engine) outBy(live []cube, out *snapshot.Link, v4 bool) ([]cube, error) {
	if out.Kind != "bridge" {
		return live, nil
	}
	live = e.toSomePort(live, out)
	ports, tooMany := e.ports(out, packet.Egress, packet.Output, packet.Postrouting)
	if len(ports) == 0 {
		return live, nil
	}
	var left []cube
	for k, p := range ports {
		cubes := slices.Clone(live)
		for i := range cubes {
			cubes[i].shadow = cubes[i].shadow || k > 0
			if len(ports) > 1 || tooMany {
				cubes[i] = cubes[i].doubt(packet.Cause{Text: "the port of " + out.Name + " that leads to the neighbour"})
			}
			cubes[i].sets[fOif] = single(num(uint64(p.Index)))
		}
		var err error
		for _, h := range []packet.Hook{packet.Output, packet.Postrouting} {
			if cubes, err = e.bridgeHook(h, cubes); err != nil {
				return nil, err
			}
		}
		if cubes, err = e.hook(packet.Egress, v4, p.Name, cubes); err != nil {
			return nil, err
		}
		for i := range cubes {
			cubes[i].sets[fOif] = single(num(uint64(out.Index)))
		}
		left = append(left, cubes...)
	}
	return left, nil
}

// hardware is the link layer address of an interface as bytes, or nil.
func hardware(l *snapshot.Link) []byte {
	mac, err := net.ParseMAC(l.MAC)
	if err != nil || len(mac) != 6 {
		return nil
	}
	return mac
}

// outgoing says whether a hook sees packets with the header that they leave with.
func (m *machine) outgoing() bool {
	bridge := m.table.Family == ruleset.FamilyBridge
	return m.hook == packet.Egress || bridge && (m.hook == packet.Output || m.hook == packet.Postrouting)
}

// sender is the interface whose address a packet leaves with: of a bridge port its bridge.
func (m *machine) sender(c *cube) *snapshot.Link {
	out := m.snap.Network.Link(int(c.sets[fOif][0].lo.lo))
	if b := m.snap.Network.BridgeOf(out); b != nil {
		return b
	}
	return out
}

// switched takes frames from one port of a bridge to another (br_handle_frame, br_forward): those for neighbours
// behind it, whose link layer address they have. It does not ask whether the bridge knows that address: it hands
// frames for one that it does not know to every port.
func (e *engine) switched(live []cube, in, out, bridge *snapshot.Link, v4 bool) ([]cube, error) {
	e.bridging, e.between = true, [2]*snapshot.Link{in, out}
	defer func() { e.bridging = false }()
	port := func(l *snapshot.Link) set { return single(num(uint64(l.Index))) }
	for _, d := range append(e.surroundings(in.Index, packet.Ingress), e.surroundings(out.Index, packet.Egress)...) {
		for i := range live {
			live[i] = live[i].doubt(d)
		}
	}
	for i := range live {
		live[i].sets[fIif], live[i].sets[fOif] = port(in), single(num(0))
		for _, why := range e.insideBridge(bridge, v4) {
			live[i] = live[i].doubt(why)
		}
	}
	if live = e.crossing(live, in, out, bridge, v4); len(live) == 0 {
		return nil, nil
	}
	live, err := e.hook(packet.Ingress, v4, in.Name, live)
	for _, hook := range []packet.Hook{packet.Prerouting, packet.Forward, packet.Postrouting} {
		if err != nil {
			return nil, err
		}
		if hook != packet.Prerouting {
			for i := range live {
				live[i].sets[fOif] = port(out)
			}
		}
		if live, err = e.bridgeHook(hook, live); err == nil {
			live, err = e.switchedIP(live, bridge, v4, hook)
		}
		for i := range live {
			live[i].sets[fIif] = port(in)
		}
	}
	if err != nil {
		return nil, err
	}
	return e.hook(packet.Egress, v4, out.Name, live)
}

// switchedIP is what br_netfilter makes of switched packets at hooks of the IP families: there the bridge is both
// interfaces (br_nf_forward).
func (e *engine) switchedIP(live []cube, bridge *snapshot.Link, v4 bool, hooks ...packet.Hook) ([]cube, error) {
	on, unread := e.callsIP(bridge, v4)
	if unread != "" {
		e.open(packet.Cause{Text: unread + " was not read"})
	}
	if !on {
		return live, nil
	}
	index := single(num(uint64(bridge.Index)))
	for _, hook := range hooks {
		for i := range live {
			live[i].sets[fIif] = index
			if hook != packet.Prerouting {
				live[i].sets[fOif] = index
			}
		}
		var err error
		if live, err = e.hook(hook, v4, "", live); err != nil {
			return nil, err
		}
		for i := range live {
			if live[i].nat {
				live[i] = live[i].doubt(packet.Cause{Text: "a switched packet is translated"})
			}
		}
	}
	return live, nil
}

// hop is one port of a bridge from which frames are switched to others.
type hop struct {
	from *snapshot.Link
	to   []snapshot.SwitchWay
}

// hops are the ways of a question from port to port of a bridge, or of bridges that are joined: from the origin's port, or from each that
// is its own where it is the bridge.
func (e *engine) hops(q *Question, o packet.Origin) []hop {
	if o.Local || !q.To.Addr.IsValid() && len(q.To.Oifs) == 0 {
		return nil
	}
	var list []hop
	for _, in := range e.near[o.Index] {
		if in.Master == 0 {
			continue
		}
		b := e.snap.Network.BridgeOf(in)
		if b == nil || in.Index != o.Index && (b.Index != o.Index || slices.Contains(o.Apart, in.Index)) {
			continue
		}
		h := hop{from: in}
		if q.To.Addr.IsValid() && !q.Through {
			h.to = e.snap.Neighbours(in, q.To.Addr)
		} else {
			for _, w := range e.switchWays(in) {
				if slices.Contains(q.To.Oifs, w.Out.Index) {
					h.to = append(h.to, w)
				}
			}
		}
		if len(h.to) > 0 {
			list = append(list, h)
		}
	}
	return list
}

// routed is the question of what the host forwards: of a port of a bridge by the bridge, since a sender chooses the
// neighbour behind it.
func (q *Question) routed(e *engine) *Question {
	r := q
	for i, oif := range q.To.Oifs {
		b := e.snap.Network.BridgeOf(e.snap.Network.Link(oif))
		if b == nil {
			continue
		}
		if r == q {
			c := *q
			r, c.To.Oifs = &c, slices.Clone(q.To.Oifs)
		}
		r.To.Oifs[i] = b.Index
		if !slices.Contains(q.To.Oifs, b.Index) {
			e.toPorts = append(e.toPorts, oif)
		}
	}
	return r
}

// toPorts says whether a question leads to single ports of a bridge, and not to the bridge.
func (m *Model) toPorts(q *Question) bool {
	return slices.ContainsFunc(q.To.Oifs, func(oif int) bool {
		b := m.snap.Network.BridgeOf(m.snap.Network.Link(oif))
		return b != nil && !slices.Contains(q.To.Oifs, b.Index)
	})
}

// askHop answers a question from one port of a bridge to others, with a certificate for each of them. The engine is nil
// where there were no frames to follow.
func (m *Model) askHop(q *Question, o packet.Origin, h hop, v4, reversed, proof bool) (*engine, Answer) {
	e := m.newEngine()
	e.reversed, e.keep, e.state = reversed, proof, ctStates[q.State]
	bridge := e.snap.Network.BridgeOf(h.from)
	e.port = h.from
	proto, none, err := protoNumber(q.Proto, v4)
	why := m.refuses()
	switch {
	case why != nil:
		return nil, Answer{Verdict: packet.Unknown, Because: why}
	case err != nil:
		return nil, Answer{Verdict: packet.Unknown, Because: []packet.Cause{{Text: err.Error()}}}
	case none:
		return nil, Answer{Verdict: packet.Unreachable, StoppedBy: []packet.Cause{{Text: "there are no such packets in this family"}}}
	case !h.from.Up || !bridge.Up:
		return e, Answer{Verdict: packet.Unreachable, StoppedBy: []packet.Cause{{Text: "the interface is down"}}}
	case e.toNeighbours(q, o, bridge, proto, v4).sets[fSaddr].empty():
		return nil, m.noFrames(h, v4)
	}
	var hits []cube
	var certificates []packet.Certificate
	for _, way := range h.to {
		before := len(e.proof)
		c := e.toNeighbours(q, o, bridge, proto, v4)
		live, err := []cube{c}, error(nil)
		for _, step := range way.Steps {
			if live, err = e.switched(live, step[0], step[1], e.snap.Network.BridgeOf(step[0]), v4); err != nil {
				return e, e.answer(nil, err, bridge, q.Proto, -1)
			}
		}
		live = e.asked(q, live)
		for i := range live {
			live[i].beside = way.Out
		}
		hits = append(hits, live...)
		if way.More {
			e.undecided = append(e.undecided, packet.Cause{Text: "there are more ways over joined bridges from " + h.from.Name + " than are followed"})
		}
		if proof {
			certificates = append(certificates, outBy(e.certificate(c, bridge, e.proof[before:]), way.Out.Name))
		}
	}
	e.sources = nil
	a := e.answer(hits, nil, bridge, q.Proto, -1)
	if a.tied = e.tied; a.Verdict == packet.Unreachable {
		a.Certificate = certificates
	}
	return e, a
}

// noFrames is the answer where the origin has no address of the family.
func (m *Model) noFrames(h hop, v4 bool) Answer {
	why := packet.Cause{Text: "no address of the origin is behind this interface"}
	a := Answer{Verdict: packet.Unreachable, StoppedBy: []packet.Cause{why}}
	for _, way := range h.to {
		region := packet.Region{In: h.from.Name, Out: way.Out.Name, V4: v4, Empty: true}
		a.Certificate = append(a.Certificate, packet.Certificate{Question: region, Cubes: []packet.Cube{{Region: region, By: why}}})
	}
	return a
}

// toNeighbours is the packets of a question in frames for neighbours behind a bridge. Where something translates, those for any
// address and port can become what is asked for.
func (e *engine) toNeighbours(q *Question, o packet.Origin, bridge *snapshot.Link, proto uint64, v4 bool) cube {
	c := e.ofState(e.packet(v4, proto), proto, v4)
	c.sets[fSaddr] = e.Model.sources(packet.Origin{Index: bridge.Index, From: o.From, Except: o.Except}, v4)
	if q.Dport != 0 && !e.translates() {
		c.sets[fDport] = single(num(uint64(q.Dport)))
	}
	if len(q.To.Final) > 0 && !e.translates() {
		c.sets[fDaddr] = prefixesSet(q.To.Final, v4)
	}
	if q.To.Addr.IsValid() {
		c.sets[fDaddr] = single(addrNumber(q.To.Addr))
		if q.Dport != 0 {
			c.sets[fDport] = single(num(uint64(q.Dport)))
		}
	}
	c.sets[fDaddr] = c.sets[fDaddr].subtract(e.fibs[v4].besides())
	return c
}

// asked keeps the frames that have the address and port of a question at the end of their way.
func (e *engine) asked(q *Question, live []cube) []cube {
	keep := func(f field, s set, why string) {
		var in []cube
		for i := range live {
			yes, no := live[i].split(f, s)
			in = append(in, yes...)
			for _, c := range no {
				e.stop(c, packet.Cause{Text: why})
			}
		}
		live = in
	}
	if q.Dport != 0 && !q.To.Addr.IsValid() {
		keep(fDport, single(num(uint64(q.Dport))), "arrives at another port")
	}
	if len(q.To.Final) > 0 && len(live) > 0 {
		keep(fDaddr, prefixesSet(q.To.Final, live[0].v4), "leaves for another address")
	}
	return live
}
