package judge

import (
	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/zones"
)

// unnamed is a port that no service uses (IANA: 47 is reserved): what becomes of it is what becomes
// of packets that no rule names.
const unnamed = 47

// target is an interface that packets could leave by, with the ports of it that count as the same.
type target struct {
	zones.Interface
	oifs []int
}

// targets are the networks that packets of an origin could be forwarded to.
func (b *builder) targets(from *zones.Origin) (list []target) {
	for _, to := range b.zones.Interfaces {
		if to.Inert || to.Port || to.Zone == zones.Host || to.Index == from.Index {
			continue
		}
		t := target{to, []int{to.Index}}
		if b.bridgeOf(from.Index) == to.Index { // one more port: what comes in there is switched to those of the bridge's zone
			t.oifs = append(t.oifs, b.portsOf(to.Index)...)
		}
		list = append(list, t)
	}
	return list
}

// forwards asks what each origin gets through the host to each network. Packets of an origin are followed once for all
// of them.
func (b *builder) forwards() {
	b.doc.Forwards = []DocForward{}
	for i := range b.zones.Origins {
		from := &b.zones.Origins[i]
		if from.Local {
			continue
		}
		targets := b.targets(from)
		var oifs [][]int
		for _, t := range targets {
			oifs = append(oifs, t.oifs)
		}
		ways := map[bool][]exposure.Way{}
		for _, v4 := range []bool{true, false} {
			ways[v4] = b.asker.Forwards(from, oifs, unnamed, v4)
		}
		for j, t := range targets {
			toZone := t.Zone
			if toZone == zones.Unclassified {
				toZone = zones.External
			}
			within := ""
			if from.Network == t.Network {
				within = t.Network
			}
			for _, v4 := range []bool{true, false} {
				w := &ways[v4][j]
				b.doc.Forwards = append(b.doc.Forwards, DocForward{
					From: from.Interface, FromZone: from.Zone, To: t.Name, ToZone: toZone, Within: within, Family: familyName[v4],
					Any: b.reach(&w.Any, from.Interface), Default: b.reach(&w.Port, from.Interface),
				})
			}
		}
	}
}

// portsOf are the ports of a bridge that are up and have its zone.
func (b *builder) portsOf(bridge int) []int {
	if b.bridgePorts == nil {
		b.bridgePorts = map[int][]int{}
		for _, i := range b.zones.Interfaces {
			if of := b.bridgeOf(i.Index); i.Port && b.snap.Network.Link(i.Index).Up {
				b.bridgePorts[of] = append(b.bridgePorts[of], i.Index)
			}
		}
	}
	return b.bridgePorts[bridge]
}

// maxForwards bounds the forwards that a report lists one by one. Policies see all of them.
const maxForwards = 10_000

// listForwards lists forwards in a report, at most so many of them one by one: those that something gets through by, or
// may, before the others. Of the rest it lists the names.
func listForwards(r *finding.Report, all []DocForward, most int) {
	room := map[packet.Verdict]int{}
	for _, v := range []packet.Verdict{packet.Reachable, packet.Unknown, packet.Unreachable} {
		for i := range all {
			if all[i].Any.Verdict == v && most > 0 {
				room[v]++
				most--
			}
		}
	}
	type key struct {
		from, family string
		verdict      packet.Verdict
	}
	left := map[key]int{}
	for i := range all {
		f := &all[i]
		if room[f.Any.Verdict] > 0 {
			room[f.Any.Verdict]--
			r.Forwards = append(r.Forwards, publicForward(f))
			continue
		}
		k := key{f.From, f.Family, f.Any.Verdict}
		at, ok := left[k]
		if !ok {
			at = len(r.ForwardsLeftOut)
			left[k] = at
			r.ForwardsLeftOut = append(r.ForwardsLeftOut, finding.ForwardsLeftOut{From: f.From, Family: f.Family, Verdict: string(f.Any.Verdict)})
		}
		r.ForwardsLeftOut[at].To = append(r.ForwardsLeftOut[at].To, f.To)
	}
}

// bridgeOf is the index of the bridge that an interface is a port of, or 0.
func (b *builder) bridgeOf(index int) int {
	if m := b.snap.Network.BridgeOf(b.snap.Network.Link(index)); m != nil {
		return m.Index
	}
	return 0
}
