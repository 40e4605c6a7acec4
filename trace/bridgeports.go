package trace

import (
	"cmp"
	"slices"
)

// elsewhere is why a frame for a neighbour behind a port perhaps does not get there: an entry that somebody wrote into the bridge's table has it go up to the
// host, or to the port that it names, and it may be the neighbour's. A port that learns takes over an entry that is not sticky (br_fdb_update). What the host
// sends goes to the port of whichever entry (br_dev_xmit).
func (w *walk) elsewhere(to, bridge *link, switched bool) string {
	for _, p := range append(slices.Clip(bridge.ports), bridge) {
		for i := range p.FDB {
			e := &p.FDB[i]
			if e.MAC == bridge.MAC || p == to && !(e.Local && switched) {
				continue
			}
			if e.Local || e.Sticky || to.NoLearning {
				return e.Text(p.Link) + " may be of who is behind " + to.Name
			}
		}
	}
	return w.snap.Network.FDBGap()
}

// takenOver is why a frame for the host perhaps goes to a port: the bridge's own address is written into its table for that.
func (w *walk) takenOver(bridge *link) string {
	for _, p := range bridge.ports {
		for i := range p.FDB {
			if e := &p.FDB[i]; !e.Local && e.MAC == bridge.MAC {
				return e.Text(p.Link) + " has what is for the host"
			}
		}
	}
	return w.snap.Network.FDBGap()
}

func unplugged(p *link) string { return "nobody is connected with " + p.Name + " now" }

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
	case out.NoCarrier:
		return unplugged(out)
	case v4 && out.NoBroadcast, !v4 && out.NoMulticast:
		return "nobody behind " + out.Name + " hears who asks for an address"
	case bridge.VLANFiltering && slices.Contains(out.Tagged, in.PVID):
		return "frames leave by " + out.Name + " with a tag"
	}
	return ""
}

// closed is why what leaves by a bridge may not get out by one of its ports, of which that to the neighbour is one.
func (w *walk) closed(bridge *link) string {
	idle, open := "", false
	for _, p := range bridge.ports {
		switch {
		case !p.Up || w.p.Out != "" && w.names[w.p.Out] != nil && w.names[w.p.Out].bridge == bridge && p.Name != w.p.Out:
		case p.Blocking:
			return "the spanning tree closed " + p.Name
		default:
			if why := cmp.Or(unsureUp(p), w.elsewhere(p, bridge, false)); why != "" {
				return why
			}
			open = open || !p.NoCarrier
			if p.NoCarrier {
				idle = unplugged(p)
			}
		}
	}
	if open {
		idle = ""
	}
	return cmp.Or(idle, w.takenOver(bridge))
}
