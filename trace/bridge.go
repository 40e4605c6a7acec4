package trace

import (
	"bytes"

	"github.com/ringfence/ringfence/packet"
)

// bridgeHook runs the chains of the bridge family.
func (w *walk) bridgeHook(hook packet.Hook) verdictKind {
	return w.runHook(hookKey{hook: hook, kind: 'b'})
}

// callsIPTables says whether bridged packets go through the IP hooks too (br_netfilter).
func (w *walk) callsIPTables() bool {
	key := "net/bridge/bridge-nf-call-iptables"
	if !w.skb.v4 {
		key = "net/bridge/bridge-nf-call-ip6tables"
	}
	return w.flag(w.value(key), key)
}

// bridgePort is a frame on a port of a bridge: up to the host where it is addressed to the bridge,
// else over to another port (br_handle_frame_finish).
func (w *walk) bridgePort(port, bridge *link) Fate {
	if mac := packet.ParseMAC(w.p.DMAC); mac != nil && !bytes.Equal(mac, bridge.mac) {
		return w.switched(port, bridge)
	}
	if f, ok := w.bridgeIn(port, bridge); !ok {
		return f
	}
	w.in = bridge
	if !w.undisturbed(bridge, packet.Ingress) {
		return Fate{}
	}
	if k := w.runHook(hookKey{hook: packet.Ingress, kind: 'n', dev: bridge.Name}); k != vAccept {
		return w.refused(k)
	}
	return w.receive()
}

// bridgedPrerouting is prerouting in the middle of the bridge's own (br_nf_pre_routing). It is not run again
// for a packet that goes up to the host (ip_sabotage_in).
func (w *walk) bridgedPrerouting() verdict {
	port := w.in
	bridge := w.links[port.Master]
	if bridge == nil || !w.callsIPTables() {
		return verdict{kind: vAccept}
	}
	w.in, w.before = bridge, true
	k := w.ipHook(packet.Prerouting)
	w.in, w.hook, w.family = port, packet.Prerouting, 'b'
	return verdict{kind: k}
}

// bridgeIn is the way of a frame through the bridge up to the host.
func (w *walk) bridgeIn(port, bridge *link) (Fate, bool) {
	w.in, w.out = port, nil
	for _, hook := range []packet.Hook{packet.Prerouting, packet.Input} {
		if k := w.bridgeHook(hook); k != vAccept {
			return w.refused(k), false
		}
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
	ip := w.before
	if w.skb.dst() != dst {
		return w.rebridged(bridge)
	}
	w.passed = mark{text: "bridge"}
	out := w.otherPort(port, bridge)
	w.in, w.out = port, out
	if k := w.bridgeHook(packet.Forward); k != vAccept {
		return w.refused(k)
	}
	if ip {
		w.in, w.out = bridge, bridge
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
		if !w.undisturbed(out, packet.Egress) {
			return Fate{}
		}
		if k := w.runHook(hookKey{hook: packet.Egress, kind: 'n', dev: out.Name}); k != vAccept {
			return w.refused(k)
		}
	}
	w.say("switched on %s", bridge.Name)
	s := &w.skb
	f := Fate{Fate: Forward, Oif: bridge.Name, To: packet.EndpointText(s.dst(), s.port(2), s.hasPorts()), Rule: w.passed.String()}
	if out != nil {
		f.Oif = out.Name
	}
	f.From = s.src()
	return f
}

// rebridged is a bridged packet that prerouting gave another destination: it is routed
// (br_nf_pre_routing_finish).
func (w *walk) rebridged(bridge *link) Fate {
	w.in = bridge
	if w.skb.v4 {
		return w.route4()
	}
	return w.route6()
}

// otherPort is the port that leads to a neighbour: known where there is only one other.
func (w *walk) otherPort(port, bridge *link) *link {
	var others []*link
	for _, p := range bridge.ports {
		if p != port && p.Up {
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
	if len(others) > 1 && !w.bridged && !w.filteredPorts(bridge, packet.Egress) {
		return others[0]
	}
	return others[w.choose(len(others), nil, "the port of "+bridge.Name+" that leads to the neighbour")]
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
