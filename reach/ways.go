package reach

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// Ways are the packets of one origin, protocol and family, followed once to wherever they leave the host: the answers
// for many targets are read from one walk through the rules.
type Ways struct {
	m       *Model
	origin  packet.Origin
	proto   string
	v4      bool
	targets []int        // interfaces that can be asked about
	leads   map[int]bool // the same
	runs    []*run
}

// run is the walk with chains of equal priority in one order.
type run struct {
	e       *engine
	in      *snapshot.Link
	number  uint64  // of the protocol
	fixed   *Answer // the same for every target
	arrived []arrival
	byOif   map[int][]int // of arrived
	err     error
	sliced  bool // packets that lead to no target at all were left out
	ended   []ended
	known   map[endedKey]bool
}

// ended is packets that were stopped on the way. Only what decides about targets is kept.
type ended struct {
	by           packet.Cause
	daddr, dport set
}

// endedKey is the same ended again: sets are shared by the cubes that they were split into.
type endedKey struct {
	by           packet.Cause
	daddr, dport *interval
}

// Ways follows the packets of an origin on their way out by any of the interfaces.
func (m *Model) Ways(o packet.Origin, proto string, v4 bool, oifs []int) *Ways {
	w := &Ways{m: m, origin: o, proto: proto, v4: v4, targets: oifs, leads: make(map[int]bool, len(oifs))}
	for _, oif := range oifs {
		w.leads[oif] = true
	}
	w.runs = []*run{w.run(false)}
	if r := w.runs[0]; r.e != nil && len(r.e.tied) > 0 {
		w.runs = append(w.runs, w.run(true))
	}
	return w
}

// Question is whether packets leave by one of the interfaces for a port, or any.
func (w *Ways) Question(oifs []int, port int) *Question {
	return &Question{
		From: []packet.Origin{w.origin}, Proto: w.proto, To: Target{Oifs: oifs}, Dport: port, Family: map[bool]int{true: 4, false: 6}[w.v4],
	}
}

func (w *Ways) run(reversed bool) *run {
	q := w.Question(w.targets, 0)
	r := &run{known: map[endedKey]bool{}}
	e, proto, fixed := w.m.begin(q, w.origin, w.v4, reversed, false)
	if r.fixed = fixed; fixed != nil {
		return r
	}
	r.e, r.number, r.sliced = e, proto, !e.translates()
	if r.sliced {
		e.onStop = r.stop
	} else {
		e.keep = true // see Prove
	}
	var starts []cube
	var why string
	starts, r.in, why = e.starts(q.routed(e), w.origin, w.v4, proto)
	if why != "" {
		a := w.m.noPackets(w.origin, w.v4, why)
		r.fixed = &a
		return r
	}
	r.arrived, r.err = e.follow(starts, r.in, w.origin, w.m.fibs[w.v4])
	e.end()
	if r.err == nil {
		r.err = e.over
	}
	e.onStop = nil
	r.byOif = map[int][]int{}
	for i := range r.arrived {
		r.byOif[r.arrived[i].oif] = append(r.byOif[r.arrived[i].oif], i)
	}
	return r
}

// stop notes where stopped packets were going.
func (r *run) stop(c *cube, by packet.Cause) {
	d := ended{by, c.sets[fDaddr], c.sets[fDport]}
	if d.daddr.empty() || d.dport.empty() {
		return
	}
	k := endedKey{by, &d.daddr[0], &d.dport[0]}
	if !r.known[k] {
		r.known[k] = true
		r.ended = append(r.ended, d)
	}
}

// Forward is Model.Forward for interfaces among those that the ways lead to.
func (w *Ways) Forward(oifs []int, port int) Answer {
	q := w.Question(oifs, port)
	if !w.knows(q) {
		return w.m.Forward(w.origin, oifs, w.proto, port, w.v4)
	}
	a, ok := w.answer(q)
	if !ok {
		return w.m.Forward(w.origin, oifs, w.proto, port, w.v4)
	}
	return w.m.askEach(q, []bool{w.v4}, false, func(packet.Origin, bool) Answer { return a })
}

// To is whether packets leave by one of the interfaces for some addresses and a port, or any.
func (w *Ways) To(oif int, final []netip.Prefix, port int) Answer {
	q := w.Question([]int{oif}, port)
	q.To.Final = final
	if w.knows(q) {
		if a, ok := w.answer(q); ok {
			return w.m.askEach(q, []bool{w.v4}, false, func(packet.Origin, bool) Answer { return a })
		}
	}
	return w.m.Ask(q)
}

// Prove is Model.Reach for a question of these ways. Where packets are translated a question is followed whole, wherever it leads: then the walk
// has what stopped its packets, and the proof is read from it.
func (w *Ways) Prove(q *Question) Answer {
	if w.knows(q) {
		if a, ok := w.runs[0].prove(w, q); ok {
			return w.m.askEach(q, []bool{w.v4}, true, func(packet.Origin, bool) Answer { return a })
		}
	}
	return w.m.Reach(q)
}

// prove is an unreachable answer with its certificate: what was stopped on the way, and all that ended elsewhere.
func (r *run) prove(w *Ways, q *Question) (Answer, bool) {
	if r.fixed != nil || r.err != nil || r.sliced || len(r.e.tied) > 0 {
		return Answer{}, false
	}
	e := *r.e
	e.stopped, e.stopIndex, e.proof = nil, map[packet.Cause]int{}, slices.Clip(e.proof)
	q = q.routed(&e)
	var hits []cube
	for i := range r.arrived {
		hits = append(hits, e.hits(q, &r.arrived[i], r.number)...)
	}
	a := e.answer(hits, nil, r.in, w.proto, -1)
	if a.Verdict != packet.Unreachable {
		return Answer{}, false
	}
	about := e.packet(w.v4, r.number)
	a.StoppedBy = r.stoppedBy(&e, &about)
	a.Certificate = []packet.Certificate{e.certificate(e.question, r.in, e.proof)}
	return a, true
}

// knows says whether the walk is about a question: not where the origin is the host itself, nor of a single port of a
// bridge.
func (w *Ways) knows(q *Question) bool {
	return w.Lead(q.To.Oifs) && !w.origin.Local && !w.m.toPorts(q)
}

// Lead says whether all of some interfaces can be asked about.
func (w *Ways) Lead(oifs []int) bool {
	return !slices.ContainsFunc(oifs, func(oif int) bool { return !w.leads[oif] })
}

// answer reads an answer from the walk. It reports false where the question has to be asked alone: together with
// packets for other targets there were too many cases, or a doubt about them was taken for one about these. Where packets are translated the walk
// alone would be the same.
func (w *Ways) answer(q *Question) (Answer, bool) {
	a, ok := w.runs[0].answer(w, q)
	if ok && len(a.tied) > 0 {
		var b Answer
		if b, ok = w.runs[1].answer(w, q); ok {
			a = w.runs[0].e.either(&a, &b, w.runs[0].in, w.proto)
		}
	}
	alone := a.Verdict == packet.Unknown && slices.ContainsFunc(a.Because, func(c packet.Cause) bool { return c.Table != "" })
	return a, ok && (!alone || !w.runs[0].sliced)
}

func (r *run) answer(w *Ways, q *Question) (Answer, bool) {
	if r.fixed != nil {
		return *r.fixed, true
	}
	if r.err != nil {
		a := r.e.answer(nil, r.err, r.in, w.proto, -1)
		return a, !r.sliced || !errors.Is(r.err, errTooComplex)
	}
	e := *r.e
	e.stopped, e.stopIndex, e.keep, e.proof = nil, map[packet.Cause]int{}, false, nil
	routed := q.routed(&e)
	about := e.packet(w.v4, r.number)
	if r.sliced {
		e.slice(&about, routed, w.v4)
	}
	e.silent = true
	hits := r.hits(&e, routed, &about, true)
	e.silent = false
	if len(hits) == 0 { // what stopped them is told with all that arrived elsewhere
		r.hits(&e, routed, &about, false)
	}
	a := e.answer(hits, nil, r.in, w.proto, -1)
	a.tied = e.tied
	e.describe(&a, hits)
	if a.Verdict == packet.Unreachable {
		a.StoppedBy = r.stoppedBy(&e, &about)
		if len(a.StoppedBy) == 0 {
			a.StoppedBy = []packet.Cause{noRoute}
		}
	}
	return a, true
}

// hits is the packets of a question that arrived: of those that left by its interfaces alone, or of all.
func (r *run) hits(e *engine, q *Question, about *cube, few bool) (hits []cube) {
	var list []int
	if few {
		for i, oif := range q.To.Oifs {
			if !slices.Contains(q.To.Oifs[:i], oif) {
				list = append(list, r.byOif[oif]...)
			}
		}
		slices.Sort(list)
	} else {
		for i := range r.arrived {
			list = append(list, i)
		}
	}
	for _, i := range list {
		a := r.arrived[i]
		if r.sliced {
			for _, f := range []field{fDaddr, fDport} {
				a.cube.sets[f] = a.cube.sets[f].intersect(about.sets[f])
			}
			if a.cube.sets[fDaddr].empty() || a.cube.sets[fDport].empty() {
				continue
			}
		}
		hits = append(hits, e.hits(q, &a, a.cube.sets[fProto][0].lo.lo)...)
	}
	return hits
}

// stoppedBy is what stopped the packets of a question on their way, and then at its end.
func (r *run) stoppedBy(e *engine, about *cube) []packet.Cause {
	var list []packet.Cause
	seen := map[packet.Cause]bool{}
	add := func(c packet.Cause) {
		if !seen[c] {
			seen[c] = true
			list = append(list, c)
		}
	}
	if !r.sliced {
		for i := range r.e.stopped {
			add(r.e.stopped[i].by)
		}
	}
	for i := range r.ended {
		if d := &r.ended[i]; !seen[d.by] && d.daddr.overlaps(about.sets[fDaddr]) && d.dport.overlaps(about.sets[fDport]) {
			add(d.by)
		}
	}
	for i := range e.stopped {
		add(e.stopped[i].by)
	}
	return list
}
