package exposure

import (
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/zones"
)

// Way is what of an origin gets through the host to one target: to any port there, and to the one that was asked about.
type Way struct {
	Any, Port Answer
}

// Forwards answers which packets of TCP from an origin the host forwards in one family, to each of the targets: lists of
// interfaces. The packets are followed once for all of them.
func (a *Asker) Forwards(o *zones.Origin, targets [][]int, port int, v4 bool) []Way {
	var oifs []int
	for _, t := range targets {
		oifs = append(oifs, t...)
	}
	ways := a.ways(o, oifs, v4)
	out := make([]Way, len(targets))
	for i, t := range targets {
		out[i].Any = Answer{Answer: ways.Forward(t, 0)}
		out[i].Port = Answer{Answer: ways.Forward(t, port)}
	}
	for _, of := range []struct {
		port   int
		answer func(i int) *Answer
	}{{0, func(i int) *Answer { return &out[i].Any }}, {port, func(i int) *Answer { return &out[i].Port }}} {
		var dark []int
		for i, t := range targets {
			x := of.answer(i)
			switch {
			case x.Verdict != packet.Unreachable:
				*x = a.second(forward(o, "tcp", t, of.port, v4), x.Answer)
			case of.port != 0 && out[i].Any.Verdict == packet.Unreachable: // nothing gets there at all
				x.Checked = out[i].Any.Checked
			case of.port == 0 && a.shut(o, t, v4):
				x.Checked = true
			default:
				dark = append(dark, i)
			}
		}
		a.certifyWays(ways, targets, dark, of.port, of.answer)
	}
	for i := range out {
		a.count(out[i].Any)
		a.count(out[i].Port)
	}
	return out
}

// ways are the packets of an origin on their way to interfaces: those that were followed to what listens behind them, if they were followed to all of these.
func (a *Asker) ways(o *zones.Origin, oifs []int, v4 bool) *reach.Ways {
	if g := a.gates[gateKey{o, "tcp", v4}]; g != nil && g.ways.Lead(oifs) {
		return g.ways
	}
	return a.model.Ways(o.Origin, "tcp", v4, oifs)
}

// shut says of a target that the proof that nothing of an origin leaves by it is checked already: for what listens behind it.
func (a *Asker) shut(o *zones.Origin, target []int, v4 bool) bool {
	g := a.gates[gateKey{o, "tcp", v4}]
	return g != nil && len(target) == 1 && g.shut[target[0]].Checked
}

func forward(o *zones.Origin, proto string, oifs []int, port int, v4 bool) *reach.Question {
	return &reach.Question{From: []packet.Origin{o.Origin}, Proto: proto, Dport: port, To: reach.Target{Oifs: oifs}, Family: family(v4)}
}

// certifyWays checks one certificate for all targets that nothing gets to. Where it does not hold each half has its own,
// in the end each target.
func (a *Asker) certifyWays(ways *reach.Ways, targets [][]int, dark []int, port int, answer func(i int) *Answer) {
	if len(dark) == 0 {
		return
	}
	var oifs []int
	for _, i := range dark {
		oifs = append(oifs, targets[i]...)
	}
	switch err := a.proven(ways.Question(oifs, port), ways.Prove); {
	case err == nil:
		for _, i := range dark {
			answer(i).Checked = true
		}
	case len(dark) == 1 || a.effort.Spend(0) != nil:
		for _, i := range dark {
			*answer(i) = a.unconfirmed("the proof was not confirmed: " + err.Error())
		}
	default:
		a.certifyWays(ways, targets, dark[:len(dark)/2], port, answer)
		a.certifyWays(ways, targets, dark[len(dark)/2:], port, answer)
	}
}
