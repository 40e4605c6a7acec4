package snapshot

import (
	"net/netip"
	"slices"
)

// SwitchWay is the way of frames from a port of a bridge to another port: of the same bridge, or of one that is joined with it by a pair of
// which both ends are ports here.
type SwitchWay struct {
	Out *Link
	// Steps are the ports of each bridge on the way by which the frames come in and go out.
	Steps [][2]*Link
}

// maxJoined bounds the bridges that a frame is followed over.
const maxJoined = 8

// Joined is the other end of a pair whose ends are both in this namespace, or nil.
func (n *Network) Joined(l *Link) *Link {
	if l.Kind != "veth" || l.PeerIndex == 0 || !n.Here(l) {
		return nil
	}
	if peer := n.Link(l.PeerIndex); peer != nil && peer.PeerIndex == l.Index && peer != l {
		return peer
	}
	return nil
}

// Switched are the ways of frames that come in by a port of a bridge, by their last ports, in the order of Links; only what is up
// counts. A port that sends frames back where they come from is among them, one that leads to another bridge is not.
func (n *Network) Switched(in *Link) []SwitchWay {
	found, seen := map[int][][2]*Link{}, map[int]bool{}
	n.over(in, nil, seen, found)
	var out []SwitchWay
	for i := range n.Links {
		if steps, ok := found[n.Links[i].Index]; ok {
			out = append(out, SwitchWay{&n.Links[i], steps})
		}
	}
	return out
}

func (n *Network) over(in *Link, before [][2]*Link, seen map[int]bool, found map[int][][2]*Link) {
	b := n.BridgeOf(in)
	if b == nil || !b.Up || !in.Up || seen[b.Index] || len(before) == maxJoined {
		return
	}
	seen[b.Index] = true
	for i := range n.Links {
		out := &n.Links[i]
		if out.Master != b.Index || !out.Up || out == in && !in.Hairpin {
			continue
		}
		steps := append(slices.Clip(before), [2]*Link{in, out})
		if peer := n.Joined(out); peer != nil && out != in {
			if n.BridgeOf(peer) != nil {
				n.over(peer, steps, seen, found)
			}
			continue
		}
		if found[out.Index] == nil {
			found[out.Index] = steps
		}
	}
}

// Neighbours are the ways of frames that come in by a port of a bridge for an address of somebody beside it: by the port behind which the
// address was seen in another namespace of the snapshot, else by each. There are none where the address is the host's, or routed elsewhere: the
// longest route tells, and where no bridge on the way has an address of the family anything but what is on another link.
func (s *Snapshot) Neighbours(in *Link, to netip.Addr) []SwitchWay {
	n := &s.Network
	if n.Has(to) || to.IsMulticast() || to.IsLoopback() || to.IsUnspecified() || to == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return nil
	}
	ways := n.Switched(in)
	for _, w := range ways {
		if s.seenBehind(w.Out, to) {
			return []SwitchWay{w}
		}
	}
	if len(ways) == 0 || s.seenBehind(in, to) || !n.beside(in, ways, to) {
		return nil
	}
	return ways
}

// seenBehind says whether the other end of a port has an address.
func (s *Snapshot) seenBehind(port *Link, to netip.Addr) bool {
	e := s.Elsewhere(port.PeerNetns)
	if e == nil || port.PeerNetns == 0 || port.PeerNetns == s.Network.HostNetns() {
		return false
	}
	l := e.Network.Link(port.PeerIndex)
	return l != nil && slices.ContainsFunc(l.Addrs, func(text string) bool {
		p, err := netip.ParsePrefix(text)
		return err == nil && p.Addr() == to
	})
}

// beside says whether an address is on the link that a port is a part of.
func (n *Network) beside(in *Link, ways []SwitchWay, to netip.Addr) bool {
	doors := map[int]bool{in.Master: true}
	for _, w := range ways {
		for _, step := range w.Steps {
			doors[step[0].Master] = true
		}
	}
	for i := range n.Links { // the host's own end of a pair whose other end is a port
		if l := &n.Links[i]; doors[l.Master] {
			if peer := n.Joined(l); peer != nil && n.BridgeOf(peer) == nil {
				doors[peer.Index] = true
			}
		}
	}
	numbered := false
	for i := range n.Links {
		l := &n.Links[i]
		numbered = numbered || doors[l.Index] && slices.ContainsFunc(l.Addrs, func(text string) bool {
			p, err := netip.ParsePrefix(text)
			return err == nil && p.Addr().Is4() == to.Is4() && !p.Addr().IsLinkLocalUnicast()
		})
	}
	longest, here, away := -1, false, false
	for i := range n.Routes {
		r := &n.Routes[i]
		p, err := netip.ParsePrefix(r.Dst)
		if err != nil || r.Type != "unicast" || !p.Contains(to) || p.Bits() < longest {
			continue
		}
		if p.Bits() > longest {
			longest, here, away = p.Bits(), false, false
		}
		by := slices.ContainsFunc(r.Oifs, func(oif int) bool { return doors[oif] })
		here, away = here || by, away || !by && r.Gateway == ""
	}
	return here || !numbered && !away
}
