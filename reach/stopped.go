package reach

import (
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// StoppedBy returns the packets of a question that rules or policies of some tables stop or may stop, as they are
// sent: what is in doubt is followed every way. It reports false where there were too many ways, or the host
// was not read.
func (m *Model) StoppedBy(q *Question, by func(*packet.Cause) bool) ([]packet.Cube, bool) {
	var out stops
	for _, o := range q.From {
		for _, v4 := range q.families() {
			e, in, a := m.askOne(q, o, v4, false, true)
			if !out.add(e, in, &a, by) || !m.stoppedHops(q, o, v4, by, &out) {
				return nil, false
			}
		}
	}
	return out, true
}

// StoppedBeside is StoppedBy of what goes from port to port of a bridge alone, without what the host routes.
func (m *Model) StoppedBeside(q *Question, by func(*packet.Cause) bool) ([]packet.Cube, bool) {
	var out stops
	for _, o := range q.From {
		for _, v4 := range q.families() {
			if !m.stoppedHops(q, o, v4, by, &out) {
				return nil, false
			}
		}
	}
	return out, true
}

func (m *Model) stoppedHops(q *Question, o packet.Origin, v4 bool, by func(*packet.Cause) bool, out *stops) bool {
	for _, h := range m.newEngine().hops(q, o) {
		if e, a := m.askHop(q, o, h, v4, false, true); !out.add(e, h.from, &a, by) {
			return false
		}
	}
	return true
}

// stops collects what tables stop.
type stops []packet.Cube

// add adds what one walk found, unless it did not get to its end.
func (s *stops) add(e *engine, in *snapshot.Link, a *Answer, by func(*packet.Cause) bool) bool {
	if e == nil && a.Verdict == packet.Unknown || len(a.tied) > 0 || a.cut {
		return false
	}
	if e == nil {
		return true // there are no such packets
	}
	for i := range e.proof {
		if by(&e.proof[i].by) {
			c, oif := e.proof[i].cube.sent(), 0
			if out := e.proof[i].cube.sets[fOif]; out.singleton() {
				oif = int(out[0].lo.lo)
			}
			*s = append(*s, packet.Cube{Region: c.region(e.entry(in)), By: e.proof[i].by, Oif: oif})
		}
	}
	return true
}
