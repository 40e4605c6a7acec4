package snapshot

import (
	"net/netip"
	"slices"
)

// Known says of a port of a bridge that frames get there only for addresses that somebody wrote into the bridge's table, which is not read.
func (l *Link) Known() bool { return l.NoFlood && l.NoLearning }

// SwitchWay is the way of frames from a port of a bridge to another port: of the same bridge, or of one that is joined with it by a pair of
// which both ends are ports here.
type SwitchWay struct {
	Out *Link
	// Steps are the ports of each bridge on the way by which the frames come in and go out.
	Steps [][2]*Link
	// More says that there are more ways from the port than were followed: perhaps none is known, then there are no Steps.
	More bool
}

// The bridges that a frame is followed over on one way, and on all ways.
const (
	maxJoined  = 8
	maxCrossed = 512
)

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
// counts. Bridges that are joined by several pairs have several ways to a port. A port that sends frames back where they come from is among them,
// one that leads to another bridge is not.
func (n *Network) Switched(in *Link) []SwitchWay {
	s := switching{n: n, found: map[int][]SwitchWay{}}
	s.over(in, nil)
	var out []SwitchWay
	for i := range n.Links {
		l := &n.Links[i]
		ways := s.found[l.Index]
		if s.more && len(ways) == 0 && l != in && l.Up && n.BridgeOf(l) != nil { // too far, or not beside it
			ways = []SwitchWay{{Out: l}}
		}
		for _, w := range ways {
			w.More = s.more
			out = append(out, w)
		}
	}
	return out
}

// switching follows frames over bridges.
type switching struct {
	n       *Network
	crossed int
	more    bool
	found   map[int][]SwitchWay
}

func (s *switching) over(in *Link, before [][2]*Link) {
	b := s.n.BridgeOf(in)
	if b == nil || !b.Up || !in.Up || slices.ContainsFunc(before, func(step [2]*Link) bool { return step[0].Master == b.Index }) {
		return
	}
	if s.crossed++; s.crossed > maxCrossed || len(before) == maxJoined {
		s.more = true
		return
	}
	for i := range s.n.Links {
		out := &s.n.Links[i]
		if out.Master != b.Index || !out.Up || out == in && !in.Hairpin {
			continue
		}
		steps := append(slices.Clip(before), [2]*Link{in, out})
		if peer := s.n.Joined(out); peer != nil && out != in {
			if s.n.BridgeOf(peer) != nil {
				s.over(peer, steps)
			}
			continue
		}
		s.found[out.Index] = append(s.found[out.Index], SwitchWay{Out: out, Steps: steps})
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
