package trace

import "slices"

// unsureUp is why a port may not take frames, or not give the answers to them: it is opened later, or gets only what is for addresses that are written
// into the bridge's table, which is not read.
func unsureUp(port *link) string {
	switch {
	case port.Opening:
		return "the spanning tree is about to open " + port.Name
	case port.Known():
		return "who is behind " + port.Name + " is not noted there, and it gets no frames for whom the bridge does not know"
	}
	return ""
}

// unsureOver is why frames from one port may not get to another, or answers not back (br_flood, br_handle_vlan). Without a port nobody is told.
func unsureOver(in, out, bridge *link, v4 bool) string {
	if out == nil {
		return ""
	}
	for _, l := range []*link{in, out} {
		if why := unsureUp(l); why != "" {
			return why
		}
	}
	switch {
	case v4 && out.NoBroadcast, !v4 && out.NoMulticast:
		return "nobody behind " + out.Name + " hears who asks for an address"
	case bridge.VLANFiltering && slices.Contains(out.Tagged, in.PVID):
		return "frames leave by " + out.Name + " with a tag"
	}
	return ""
}

// closed is why what leaves by a bridge may not get out by one of its ports, of which that to the neighbour is one.
func (w *walk) closed(bridge *link) string {
	for _, p := range bridge.ports {
		switch {
		case !p.Up || w.p.Out != "" && w.names[w.p.Out] != nil && w.names[w.p.Out].bridge == bridge && p.Name != w.p.Out:
		case p.Blocking:
			return "the spanning tree closed " + p.Name
		default:
			if why := unsureUp(p); why != "" {
				return why
			}
		}
	}
	return ""
}
