package reach

import (
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// stacked are the kinds of interfaces whose packets come and go by another one (IFLA_LINK).
var stacked = []string{"vlan", "macvlan", "ipvlan", "macsec"}

// surroundings returns the doubts about what happens to packets of an interface at ingress or egress
// outside the hooks that are modelled: before them, beside them, and on the interfaces below it.
func (e *engine) surroundings(index int, hook packet.Hook) []packet.Cause {
	var list []packet.Cause
	up := e.snap.Network.Link(index)
	links := []*snapshot.Link{up}
	if up != nil && slices.Contains(stacked, up.Kind) && e.snap.Network.Here(up) {
		for i := range e.snap.Network.Links {
			if l := &e.snap.Network.Links[i]; up.PeerIndex == l.Index || l.Master == index && index != 0 {
				links = append(links, l)
			}
		}
	} else {
		for _, l := range e.near[index] {
			if l.Master == index && index != 0 {
				links = append(links, l)
			}
		}
	}
	for i, l := range links {
		if l == nil {
			continue
		}
		if filters, _ := e.baseChains(hook, true, l.Name); i > 0 && len(filters) > 0 && (links[0] == nil || links[0].Kind != "bridge") {
			list = append(list, packet.Cause{Text: "chains at " + string(hook) + " of " + l.Name + ", below " + links[0].Name})
		}
		if l.XDP && hook == packet.Ingress {
			list = append(list, packet.Cause{Text: "an XDP program is attached to " + l.Name})
		}
		if len(l.TC) > 0 {
			list = append(list, packet.Cause{Text: "traffic control on " + l.Name + ": " + strings.Join(l.TC, ", ")})
		}
		if l.TCUnread != "" {
			list = append(list, packet.Cause{Text: "traffic control on " + l.Name + " was not read: " + l.TCUnread})
		}
	}
	if links[0] != nil && links[0].Kind == "vrf" {
		list = append(list, packet.Cause{Text: links[0].Name + " is a VRF"})
	}
	if links[0] != nil && links[0].Master != 0 {
		if m := e.snap.Network.Link(links[0].Master); m != nil && m.Kind == "vrf" {
			list = append(list, packet.Cause{Text: links[0].Name + " belongs to the VRF " + m.Name})
		}
	}
	return list
}
