package trace

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// bridgeHook runs the chains of the bridge family.
func (w *walk) bridgeHook(hook packet.Hook) verdictKind {
	return w.runHook(hookKey{hook: hook, kind: 'b'})
}

// callsIPTables says whether packets of a bridge go through the IP hooks too (br_netfilter): by the switch for all, or by its own.
func (w *walk) callsIPTables(bridge *link) bool {
	key, own := "net/bridge/bridge-nf-call-iptables", bridge.CallsIPTables
	if !w.skb.v4 {
		key, own = "net/bridge/bridge-nf-call-ip6tables", bridge.CallsIP6Tables
	}
	if own && w.snap.Network.Sysctls[key].State == snapshot.Present {
		return true
	}
	return w.flag(w.value(key), key)
}

// bridgePort is a frame on a port of a bridge: up to the host where it is addressed to the bridge,
// else over to another port (br_handle_frame_finish).
func (w *walk) bridgePort(port, bridge *link) Fate {
	if port.Blocking {
		return w.drop("bridge-port")
	}
	if port.Locked {
		w.abort(nil, port.Name+" is a locked port: it takes frames only from addresses that the bridge knows there")
		return Fate{}
	}
	if mac := packet.ParseMAC(w.p.DMAC); mac != nil && !bytes.Equal(mac, bridge.mac) {
		return w.switched(port, bridge)
	}
	if bridge.VLANFiltering {
		switch {
		case !carries(port, bridge):
			return w.drop("bridge-vlan")
		case port.PVID != bridge.PVID:
			w.abort(nil, "frames of "+port.Name+" are of another VLAN than "+bridge.Name)
			return Fate{}
		}
	}
	if why := cmp.Or(unsureUp(port), w.takenOver(bridge)); why != "" && w.choose(2, nil, why) == 1 {
		return w.drop("bridge-port")
	}
	if f, ok := w.bridgeIn(port, bridge); !ok {
		return f
	}
	if w.held != nil {
		return w.rebridged(bridge)
	}
	if !w.undisturbed(bridge, packet.Ingress) {
		return Fate{}
	}
	if k := w.runHook(hookKey{hook: packet.Ingress, kind: 'n', dev: bridge.Name}); k != vAccept {
		return w.refused(k)
	}
	return w.receive()
}

// carries says whether a port, or the bridge itself, has the VLAN of frames that come in by another without one (br_allowed_ingress,
// br_allowed_egress).
func carries(in, out *link) bool { return in.PVID != 0 && slices.Contains(out.VLANs, in.PVID) }

// delivers says whether a bridge lets frames over from port to port (should_deliver).
func delivers(in, out, bridge *link) bool {
	return !out.Blocking && !(in.Isolated && out.Isolated) && (!bridge.VLANFiltering || carries(in, out))
}

// bridgedPrerouting is prerouting in the middle of the bridge's own (br_nf_pre_routing). It is not run again
// for a packet that goes up to the host (ip_sabotage_in).
func (w *walk) bridgedPrerouting() verdict {
	port := w.in
	bridge := w.links[port.Master]
	if bridge == nil || !w.callsIPTables(bridge) {
		return verdict{kind: vAccept}
	}
	w.in, w.before, w.physIn = bridge, true, port
	k := w.ipHook(packet.Prerouting)
	w.in, w.hook, w.family = port, packet.Prerouting, 'b'
	return verdict{kind: k}
}

// bridgeIn is the way of a frame through the bridge up to the host, or to prerouting of one that is held there.
func (w *walk) bridgeIn(port, bridge *link) (Fate, bool) {
	dst := w.skb.dst()
	w.in, w.out = port, nil
	if k := w.bridgeHook(packet.Prerouting); k != vAccept {
		return w.refused(k), false
	}
	if w.redirected(dst) {
		w.held = port
	} else if k := w.bridgeHook(packet.Input); k != vAccept {
		return w.refused(k), false
	}
	w.in = bridge
	return Fate{}, true
}

// switched is a frame from port to port. With br_netfilter it passes the IP hooks as well, with the
// bridge as both interfaces (br_nf_forward).
func (w *walk) switched(port, bridge *link) Fate {
	dst := w.skb.dst()
	w.in, w.out = port, nil
	if k := w.bridgeHook(packet.Prerouting); k != vAccept {
		return w.refused(k)
	}
	if w.redirected(dst) {
		return w.rebridged(bridge)
	}
	return w.over(port, bridge)
}

// over takes a frame to another port, behind prerouting.
func (w *walk) over(port, bridge *link) Fate {
	ip := w.before
	w.passed = mark{text: "bridge"}
	out := w.otherPort(port, bridge)
	if out != nil && !delivers(port, out, bridge) {
		return w.drop("bridge-port")
	}
	why := unsureOver(port, out, bridge, w.skb.v4)
	if out != nil {
		why = cmp.Or(why, w.elsewhere(out, bridge, true))
	}
	if why != "" && w.choose(2, nil, why) == 1 {
		return w.drop("bridge-port")
	}
	w.in, w.out = port, out
	if k := w.bridgeHook(packet.Forward); k != vAccept {
		return w.refused(k)
	}
	if ip {
		w.in, w.out, w.physIn, w.physOut = bridge, bridge, port, out
		if k := w.ipHook(packet.Forward); k != vAccept {
			return w.refused(k)
		}
	}
	w.in, w.out = nil, out
	if k := w.bridgeHook(packet.Postrouting); k != vAccept {
		return w.refused(k)
	}
	if ip {
		w.out = bridge
		if k := w.ipHook(packet.Postrouting); k != vAccept {
			return w.refused(k)
		}
	}
	if out != nil {
		w.out = out
		if !w.tells(out) && !w.undisturbed(out, packet.Egress) {
			return Fate{}
		}
		if k := w.runHook(hookKey{hook: packet.Egress, kind: 'n', dev: out.Name}); k != vAccept {
			return w.refused(k)
		}
		if f, ok := w.passes(out, packet.Egress); !ok {
			return f
		}
	}
	w.say("switched on %s", bridge.Name)
	if out != nil && out.Name != w.p.Out {
		if next := w.pairOf(out); next != nil && next.bridge != nil { // comes in there as from anybody
			w.before = false
			return w.arrive(next)
		}
	}
	s := &w.skb
	f := Fate{Fate: Forward, Oif: bridge.Name, To: packet.EndpointText(s.dst(), s.port(2), s.hasPorts()), Rule: w.passed.String()}
	if out != nil {
		f.Oif = out.Name
	}
	if s.ct == nil || !s.ct.srcOpen {
		f.From = s.src()
	}
	return f
}

// redirected says whether prerouting inside the bridge gave the packet another destination (daddr_was_changed). Of a region one that is as sent
// is not.
func (w *walk) redirected(before netip.Addr) bool {
	return w.before && (w.region == nil || !w.asSent('d')) && w.skb.dst() != before
}

// rebridged is a packet that prerouting inside the bridge gave another destination: it is routed there. Where its route leads to a neighbour on the same
// bridge it is switched to him, and has come no further than prerouting (br_nf_pre_routing_finish); else it goes up to the host.
func (w *walk) rebridged(bridge *link) Fate {
	w.in, w.inside = bridge, false
	return w.receive()
}

// goesUp is the rest of the way through the bridge to the host, of a packet that was held at prerouting.
func (w *walk) goesUp() (f Fate, ok bool) {
	port, in, out := w.held, w.in, w.out
	if port == nil {
		return f, true
	}
	w.held, w.in, w.out = nil, port, nil
	if k := w.bridgeHook(packet.Input); k != vAccept {
		return w.refused(k), false
	}
	w.in = in
	if !w.inside {
		if !w.undisturbed(in, packet.Ingress) {
			return Fate{}, false
		}
		if k := w.runHook(hookKey{hook: packet.Ingress, kind: 'n', dev: in.Name}); k != vAccept {
			return w.refused(k), false
		}
	}
	w.out = out
	return f, true
}

// heldAt is the port of a bridge by which a packet came in of which that was not said, where it matters: br_netfilter gave it another destination, and
// its route leads out by the bridge again.
func (w *walk) heldAt(bridge *link) *link {
	switch {
	case w.held != nil || bridge.Kind != "bridge" || w.before || w.arrived == w.skb.dst() || w.region != nil && w.asSent('d') || !w.callsIPTables(bridge):
		return w.held
	case !slices.ContainsFunc(bridge.ports, func(p *link) bool { return w.kept(p, bridge.ports) }) && w.skb.src() != w.skb.dst():
		return nil
	}
	if w.before = true; w.physIn == nil {
		w.physIn = w.somePort(bridge)
	}
	return w.physIn
}

// backOver is a packet that was held and whose route leads out by the bridge. If its sender is who he says he sends to himself, by his own port.
func (w *walk) backOver(bridge *link) Fate {
	port := w.held
	w.held = nil
	if !w.open('s') && !w.open('d') && w.skb.src() == w.skb.dst() && !port.Hairpin &&
		w.choose(2, nil, "whether who has the address is behind "+port.Name+", by which the packet came in") == 1 {
		return w.drop("bridge-port")
	}
	f := w.over(port, bridge)
	if f.Fate == Forward {
		f.Oif = bridge.Name
	}
	return f
}

// otherPort is the port that leads to a neighbour: known where there is only one other.
func (w *walk) otherPort(port, bridge *link) *link {
	var others []*link
	for _, p := range bridge.ports {
		if (p != port || p.Hairpin) && p.Up {
			others = append(others, p)
		}
	}
	if len(others) == 0 {
		return nil
	}
	for _, p := range others {
		if p.Name == w.p.Out {
			return p
		}
	}
	w.crossed = append(w.crossed, bridge)
	for _, kept := range []bool{true, false} { // those by which frames get there, else those by which they do not
		left := maxCrossed
		leading := slices.DeleteFunc(slices.Clone(others), func(p *link) bool { return !w.leadsTo(port, p, kept, w.crossed, &left) })
		if len(leading) == 1 {
			return leading[0]
		}
		if len(leading) > 1 {
			return leading[w.choose(len(leading), nil, "the port of "+bridge.Name+" by which frames get to "+w.p.Out)]
		}
	}
	if len(others) > 1 && !w.kept(port, others) && !w.bridged && !w.filteredPorts(bridge, packet.Egress) {
		return others[0]
	}
	return others[w.choose(len(others), nil, "the port of "+bridge.Name+" that leads to the neighbour")]
}

// pairOf is the other end of a pair whose ends are both here, or nil.
func (w *walk) pairOf(l *link) *link {
	if l.Kind != "veth" || l.PeerIndex == 0 || !w.snap.Network.Here(l.Link) {
		return nil
	}
	if peer := w.links[l.PeerIndex]; peer != nil && peer.PeerIndex == l.Index && peer != l {
		return peer
	}
	return nil
}

// maxCrossed bounds the bridges that are looked at for the way of a frame.
const maxCrossed = 512

// leadsTo says whether the neighbour's port is on a bridge that the port out is joined with, over bridges that the frame has not crossed yet:
// with kept, if those let frames over. What is too far to be looked at may lead there.
func (w *walk) leadsTo(in, out *link, kept bool, crossed []*link, left *int) bool {
	peer := w.pairOf(out)
	if peer == nil || peer.bridge == nil || w.p.Out == "" || slices.Contains(crossed, peer.bridge) || kept && (peer.Blocking || !delivers(in, out, in.bridge)) {
		return false
	}
	if *left--; *left < 0 {
		return true
	}
	crossed = append(slices.Clip(crossed), peer.bridge)
	return slices.ContainsFunc(peer.bridge.ports, func(p *link) bool {
		return p != peer && p.Up && (p.Name == w.p.Out && (!kept || delivers(peer, p, peer.bridge)) || w.leadsTo(peer, p, kept, crossed, left))
	})
}

// kept says whether it matters to which of some ports frames go, whatever the filters.
func (w *walk) kept(port *link, others []*link) bool {
	return slices.ContainsFunc(others, func(p *link) bool { return !delivers(port, p, port.bridge) || w.pairOf(p) != nil })
}

// bridgeOut is a packet of the host, or one that it forwards, on its way out by a port of a bridge.
func (w *walk) bridgeOut(port *link) (Fate, bool) {
	w.in, w.out = nil, port
	for _, hook := range []packet.Hook{packet.Output, packet.Postrouting} {
		if k := w.bridgeHook(hook); k != vAccept {
			return w.refused(k), false
		}
	}
	return Fate{}, true
}
