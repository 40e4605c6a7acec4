package reach

import (
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// diverted is why frames may go elsewhere than out by a port of a bridge: somebody wrote an address into the bridge's table that perhaps is the neighbour's. An
// entry for the host takes what is switched up, and what the host sends to the entry's port; another one counts while nobody is learned by the port, or if it is
// sticky (br_handle_frame_finish, br_dev_xmit, br_fdb_update).
func (e *engine) diverted(out, bridge *snapshot.Link, sent bool) string {
	if why := e.snap.Network.FDBGap(); why != "" {
		return why
	}
	for _, l := range append(slices.Clip(e.near[bridge.Index]), bridge) {
		if l.Master != bridge.Index && l != bridge {
			continue
		}
		for i := range l.FDB {
			if x := &l.FDB[i]; x.MAC != bridge.MAC && (x.Local && !(sent && l == out) || !x.Local && l != out && (x.Sticky || out.NoLearning)) {
				return x.Text(l) + " perhaps is of the neighbour behind " + out.Name
			}
		}
	}
	return ""
}

// impostor is why frames for the host may go to a port of a bridge: its own address is written into the table for that.
func (e *engine) impostor(bridge *snapshot.Link) string {
	if why := e.snap.Network.FDBGap(); why != "" {
		return why
	}
	for _, l := range e.near[bridge.Index] {
		for i := range l.FDB {
			if x := &l.FDB[i]; l.Master == bridge.Index && x.MAC == bridge.MAC && !x.Local {
				return x.Text(l) + " is that of the bridge itself"
			}
		}
	}
	return ""
}

// bySomePort puts packets in doubt that leave by one of some ports of a bridge to which entries of its table may not lead, or with which nobody is connected.
func (e *engine) bySomePort(live []cube, ports []*snapshot.Link, bridge *snapshot.Link) []cube {
	if len(ports) > 0 && !slices.ContainsFunc(ports, func(l *snapshot.Link) bool { return !l.NoCarrier }) {
		live = doubtAll(live, packet.Cause{Text: noCarrier(ports[0])})
	}
	for _, l := range ports {
		if why := e.diverted(l, bridge, true); why != "" {
			return doubtAll(live, packet.Cause{Text: why})
		}
	}
	if why := e.impostor(bridge); why != "" { // answers to what the host sends
		live = doubtAll(live, packet.Cause{Text: why})
	}
	return live
}

func noCarrier(l *snapshot.Link) string { return "nobody is connected with " + l.Name + " now" }
