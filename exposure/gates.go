package exposure

import (
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/zones"
)

// gateKey is the packets of an origin on their way to the interfaces behind which network namespaces are.
type gateKey struct {
	origin *zones.Origin
	proto  string
	v4     bool
}

// gates is those packets, followed once, and what is known of each interface: nothing of them leaves by it where the answer is unreachable.
type gates struct {
	ways *reach.Ways
	shut map[int]Answer
}

// stepsToRead is what reading an answer from a walk costs: about as many microseconds, with the second look that is no step of the model.
const stepsToRead = 15

// toGate answers for packets that leave the host by an interface for some addresses and a port. It reports false where that has to be
// asked alone: for packets of the host itself.
func (a *Asker) toGate(v *view, o *zones.Origin, gate int, proto string, v4 bool, to reach.Sent) (Answer, bool) {
	if o.Local {
		return Answer{}, false
	}
	k := gateKey{o, proto, v4}
	g := a.gates[k]
	if g == nil {
		g = a.openGates(k)
		a.gates[k] = g
	}
	if shut, ok := g.shut[gate]; ok {
		return shut, true
	}
	if err := v.effort.Spend(stepsToRead); err != nil {
		return Answer{Answer: unknown(err.Error())}, true
	}
	answer := g.ways.To(gate, to.Dst, to.Port)
	if answer.Verdict == packet.Unreachable { // of that alone there is no certificate
		return Answer{}, false
	}
	q := leaving(o.Origin, proto, v4, gate, to)
	return v.host.second(q, answer), true
}

// openGates follows the packets of an origin to all interfaces that lead to namespaces, and proves which of them they do not leave by. Those of TCP are followed to all
// others too: what the host forwards is asked about behind it (Forwards).
func (a *Asker) openGates(k gateKey) *gates {
	var targets [][]int
	leading := a.gateLinks()
	if k.proto == "tcp" {
		leading = a.allLinks(leading)
	}
	for _, oif := range leading {
		targets = append(targets, []int{oif})
	}
	g := &gates{ways: a.model.Ways(k.origin.Origin, k.proto, k.v4, slices.Concat(targets...)), shut: map[int]Answer{}}
	answers := make([]Answer, len(targets))
	var dark []int
	for i, t := range targets {
		if t[0] == k.origin.Index {
			continue // what is switched there is asked about port by port
		}
		if answers[i] = (Answer{Answer: g.ways.Forward(t, 0)}); answers[i].Verdict == packet.Unreachable {
			dark = append(dark, i)
		}
	}
	a.certifyWays(g.ways, targets, dark, 0, func(i int) *Answer { return &answers[i] })
	for _, i := range dark {
		if answers[i].Checked {
			g.shut[targets[i][0]] = answers[i]
		}
	}
	return g
}

// allLinks adds to some interfaces of the host the others that packets can leave by: no port of a bridge.
func (a *Asker) allLinks(list []int) []int {
	list = slices.Clone(list)
	for i := range a.snap.Network.Links {
		if l := &a.snap.Network.Links[i]; l.Up && !l.Loopback && l.Master == 0 && !slices.Contains(list, l.Index) {
			list = append(list, l.Index)
		}
	}
	return list
}

// gateLinks are the interfaces of the host that lead to network namespaces: one end of a pair, or the bridge that it is a port of.
func (a *Asker) gateLinks() []int {
	if a.leading != nil {
		return a.leading
	}
	a.leading = []int{}
	inside := map[uint64]bool{}
	for i := range a.snap.Namespaces {
		inside[a.snap.Namespaces[i].Netns] = true
	}
	for i := range a.snap.Network.Links {
		l := &a.snap.Network.Links[i]
		if !inside[l.PeerNetns] || l.PeerIndex == 0 {
			continue
		}
		gate := l.Index
		if m := a.snap.Network.Link(l.Master); m != nil && l.Master != 0 {
			gate = m.Index
		}
		if !slices.Contains(a.leading, gate) {
			a.leading = append(a.leading, gate)
		}
	}
	return a.leading
}
