package reach

import (
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// crossing stops frames that a bridge does not let over: between isolated ports, by one that the spanning tree closed, or where the
// VLAN of frames without one is not the other port's (should_deliver, br_allowed_ingress, br_allowed_egress).
func (e *engine) crossing(live []cube, in, out, bridge *snapshot.Link, v4 bool) []cube {
	why := ""
	switch {
	case in.Blocking || out.Blocking:
		why = "the spanning tree closed a port of " + bridge.Name
	case in.Isolated && out.Isolated:
		why = in.Name + " and " + out.Name + " are isolated ports of " + bridge.Name
	case bridge.VLANFiltering && (in.PVID == 0 || !slices.Contains(out.VLANs, in.PVID)):
		why = in.Name + " and " + out.Name + " are in VLANs of their own"
	case in.Locked:
		return doubtAll(live, lockedPort(in))
	default:
		for _, text := range append(unsure(in, out, bridge, v4), e.diverted(out, bridge, false)) {
			if text == "" {
				continue
			}
			live = doubtAll(live, packet.Cause{Text: text})
		}
		return live
	}
	for _, c := range live {
		e.stop(c, packet.Cause{Text: why})
	}
	return nil
}

// upFrom stops frames that do not get from a port to its bridge's own interface, or not as they came.
func (e *engine) upFrom(live []cube, port, bridge *snapshot.Link) []cube {
	switch {
	case port.Blocking, bridge.VLANFiltering && (port.PVID == 0 || !slices.Contains(bridge.VLANs, port.PVID)):
		for _, c := range live {
			e.stop(c, packet.Cause{Text: bridge.Name + " takes no frames of " + port.Name})
		}
		return nil
	case bridge.VLANFiltering && port.PVID != bridge.PVID:
		return doubtAll(live, packet.Cause{Text: "frames of " + port.Name + " are of another VLAN than " + bridge.Name})
	case port.Locked:
		return doubtAll(live, lockedPort(port))
	case port.Opening:
		return doubtAll(live, packet.Cause{Text: opening(port)})
	case port.Known():
		return doubtAll(live, packet.Cause{Text: onlyKnown(port)})
	}
	if why := e.impostor(bridge); why != "" {
		return doubtAll(live, packet.Cause{Text: why})
	}
	return live
}

// unsure is why frames from one port of a bridge to another, or answers to them, may not get there, as a sender can have it or the bridge's table
// says (br_flood, br_handle_vlan).
func unsure(in, out, bridge *snapshot.Link, v4 bool) (list []string) {
	for _, l := range []*snapshot.Link{in, out} {
		if l.Opening {
			list = append(list, opening(l))
		}
		if l.Known() {
			list = append(list, onlyKnown(l))
		}
	}
	switch {
	case out.NoCarrier:
		list = append(list, noCarrier(out))
	case v4 && out.NoBroadcast:
		list = append(list, out.Name+" gets no broadcasts, so that who is behind it cannot be asked for the address")
	case !v4 && out.NoMulticast:
		list = append(list, out.Name+" gets no multicast, so that who is behind it cannot be asked for the address")
	}
	if bridge.VLANFiltering && slices.Contains(out.Tagged, in.PVID) {
		list = append(list, "frames leave by "+out.Name+" with the tag of their VLAN")
	}
	return list
}

func opening(l *snapshot.Link) string { return "the spanning tree is about to open " + l.Name }

func onlyKnown(l *snapshot.Link) string {
	return l.Name + " gets frames only for addresses that are written into the bridge's table"
}

// toSomePort puts packets of the host in doubt that leave by a bridge where one of the ports by which they may go gives them to nobody, or not to
// everybody.
func (e *engine) toSomePort(live []cube, bridge *snapshot.Link) []cube {
	var ports []*snapshot.Link
	for _, l := range e.near[bridge.Index] {
		if l.Master != bridge.Index || !l.Up || len(e.toPorts) > 0 && !slices.Contains(e.toPorts, l.Index) {
			continue
		}
		ports = append(ports, l)
		switch {
		case l.Blocking:
			live = doubtAll(live, packet.Cause{Text: "the spanning tree closed " + l.Name + ", a port of " + bridge.Name})
		case l.Opening:
			live = doubtAll(live, packet.Cause{Text: opening(l)})
		case l.Known():
			live = doubtAll(live, packet.Cause{Text: onlyKnown(l)})
		}
	}
	return e.bySomePort(live, ports, bridge)
}

// callsIP says whether frames of a bridge go through the hooks of IP (br_netfilter, br_nf_pre_routing): by the switch for all or by the bridge's own,
// where that is loaded; unread is the switch that was not read.
func (e *engine) callsIP(bridge *snapshot.Link, v4 bool) (on bool, unread string) {
	key, own := "net/bridge/bridge-nf-call-iptables", bridge.CallsIPTables
	if !v4 {
		key, own = "net/bridge/bridge-nf-call-ip6tables", bridge.CallsIP6Tables
	}
	n, ok := e.sysctl(key)
	if !ok {
		return false, key
	}
	return n != 0 || own && e.snap.Network.Sysctls[key].State == snapshot.Present, ""
}

// lockedPort is why it is not known whether a port takes a frame: the bridge's table decides, which is not read (br_handle_frame_finish).
func lockedPort(l *snapshot.Link) packet.Cause {
	return packet.Cause{Text: l.Name + " is a locked port: it takes frames only from addresses that the bridge knows there"}
}
