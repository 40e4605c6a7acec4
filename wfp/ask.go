package wfp

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
)

// Question asks which of some remote addresses and ports open a connection of which the rest is told.
type Question struct {
	V4    bool
	Facts Facts
	// From are the remote addresses, of the family; Ports the ports that they send from.
	From  []Span
	Ports PortSpan
	// Witnesses are addresses that a witness has if one of them gets through, the first before the others.
	Witnesses []netip.Addr
}

// Part is remote addresses and ports that meet the same fate.
type Part struct {
	Box
	Verdict packet.Verdict `json:"verdict"`
	// By are the filters that decide: the one that blocks, or those that permit in each layer.
	By []packet.Cause `json:"by,omitempty"`
	// Because is why the fate is not known.
	Because []packet.Cause `json:"because,omitempty"`
}

// Answer is the answer to one question. Parts are apart, cover the question and are sorted; of an unreachable answer they are its
// proof.
type Answer struct {
	Verdict packet.Verdict `json:"verdict"`
	Witness netip.AddrPort `json:"witness,omitzero"` // who gets through, of a reachable answer
	Parts   []Part         `json:"parts,omitempty"`
	// Steps is what it cost: how often a filter was held against a part.
	Steps int `json:"-"`
}

// The states of a decision while the sublayers of a layer are asked, and what a sublayer says: sets of bits, since doubts leave
// more than one open.
const (
	undecided  = 1 << iota // no filter of the sublayer matched
	softPermit             // a block of a lighter sublayer takes it back
	hardPermit             // only a callout's veto takes it back
	softBlock              // of a callout: a permit of a lighter sublayer takes it back
	hardBlock              // final
	veto                   // of a callout: final, whatever was permitted
)

// anything is what a callout that terminates can say.
const anything = softPermit | hardPermit | softBlock | hardBlock | veto

// says is what a filter that matches says, and whether the next filter may be asked all the same.
func (f *Filter) says() (bits int, next bool) {
	switch f.Action {
	case Permit:
		if f.Hard {
			return hardPermit, false
		}
		return softPermit, false
	case Block:
		return hardBlock, false
	case CalloutTerminating:
		return anything, false
	default:
		return anything, true
	}
}

// after is the state after a sublayer has said one thing (Microsoft, "Filter Arbitration", configurable override policy).
func after(state, says int) int {
	switch {
	case says == undecided || state == hardBlock:
		return state
	case says == veto:
		return hardBlock
	case state == hardPermit && says == softBlock:
		return hardBlock // a callout that blocks what it may not is a veto
	case state == hardPermit || state == softBlock && says == softBlock:
		return state
	case state == softPermit && says == softPermit:
		return state
	}
	return says
}

// combine is after for sets of bits.
func combine(states, says int) int {
	out := 0
	for s := undecided; s <= hardBlock; s <<= 1 {
		for x := undecided; x <= veto; x <<= 1 {
			if states&s != 0 && says&x != 0 {
				out |= after(s, x)
			}
		}
	}
	return out
}

// part is a box on its way through the filters.
type part struct {
	Box
	state   int
	by      []packet.Cause // filters that permit
	block   []packet.Cause // filters that block, in the layer
	because []packet.Cause // doubts, of the layer
	open    []packet.Cause // doubts of earlier layers that leave the fate open
}

// Bounds of one question: the parts that it may fall into, and how often a filter may be held against a part.
const (
	most  = 20_000
	steps = 400_000
)

// Ask answers a question.
func (e *Engine) Ask(q *Question) Answer {
	var open, done []part
	for _, s := range Union(q.From) {
		open = append(open, part{Box: Box{s, q.Ports}})
	}
	if len(open) == 0 {
		return Answer{Verdict: packet.Unknown, Parts: []Part{{Verdict: packet.Unknown, Because: []packet.Cause{{Text: "no source address is known"}}}}}
	}
	left := steps
	for _, layer := range Layers() {
		for i := range open {
			open[i].state, open[i].block, open[i].because = undecided, nil, nil
		}
		for _, s := range e.places[place{layer, q.V4}] {
			open = s.ask(open, q, &left)
			if len(open)+len(done) > most || left < 0 {
				return tooMany(q, steps-left)
			}
		}
		var on []part
		for _, p := range open {
			switch p.state & (hardBlock | softBlock) {
			case p.state:
				done = append(done, p)
				continue
			case 0:
			default:
				p.open = append(slices.Clip(p.open), p.because...)
			}
			on = append(on, p)
		}
		open = on
	}
	a := answer(append(done, open...), q.Witnesses)
	a.Steps = steps - left
	return a
}

func tooMany(q *Question, spent int) Answer {
	a := Answer{Verdict: packet.Unknown, Steps: spent}
	for _, s := range Union(q.From) {
		a.Parts = append(a.Parts, Part{
			Box: Box{s, q.Ports}, Verdict: packet.Unknown, Because: []packet.Cause{{Text: "the filters part the question into too many pieces"}},
		})
	}
	return a
}

// pending is a part that goes on through a sublayer: says is what filters in doubt may have said of it. Of a decided one only filters that
// weigh as much are asked yet.
type pending struct {
	part
	says    int
	decided bool
}

// ask asks the filters of a sublayer about every part.
func (s *sublayer) ask(list []part, q *Question, left *int) []part {
	var open []pending
	var out []part
	for _, p := range list {
		if p.state == hardBlock {
			out = append(out, p) // final
			continue
		}
		open = append(open, pending{part: p})
	}
	for i, r := range s.rules {
		if i > 0 && r.Weight != s.rules[i-1].Weight && s.rules[i-1].tied {
			open, out = settle(open, out)
		}
		for _, h := range r.match(q.Facts, q.V4) {
			if *left -= 1 + len(open) + len(h.spans); len(open) == 0 || len(open)+len(out) > most || *left < 0 {
				break
			}
			open, out = s.hold(r, &h, open, out)
		}
	}
	open, out = settle(open, out)
	for _, p := range open {
		p.state = combine(p.state, p.says|undecided)
		out = append(out, p.part)
	}
	return out
}

// settle moves the parts that are decided.
func settle(open []pending, out []part) ([]pending, []part) {
	var rest []pending
	for _, p := range open {
		if !p.decided {
			rest = append(rest, p)
			continue
		}
		p.state = combine(p.state, p.says)
		out = append(out, p.part)
	}
	return rest, out
}

// hold holds a filter against the parts that are open.
func (s *sublayer) hold(r *rule, h *hit, open []pending, out []part) ([]pending, []part) {
	bits, next := r.says()
	var rest []pending
	for _, p := range open {
		inside, outside := h.cut(p.Box)
		for _, b := range outside {
			x := p
			x.Box = b
			rest = append(rest, x)
		}
		for _, b := range inside {
			x := p
			x.Box, x.says = b, p.says|bits
			x.note(s, r, h.doubt)
			if sure := h.doubt == "" && !next; sure && !r.tied {
				x.state = combine(x.state, x.says)
				out = append(out, x.part)
				continue
			} else if sure {
				x.decided = true
				x.because = with(x.because, packet.Cause{Where: s.cause(r.Filter).Where, Text: r.Name + ": another filter weighs as much"})
			}
			rest = append(rest, x)
		}
	}
	return rest, out
}

// note remembers what a filter says of a part.
func (p *part) note(s *sublayer, r *rule, doubt string) {
	c := s.cause(r.Filter)
	switch r.Action {
	case Permit:
		p.by = with(p.by, c)
	case Block:
		p.block = with(p.block, c)
	default:
		d := c
		d.Text += ": the callout " + cmp.Or(r.Callout, "of an unknown driver") + " decides"
		p.because = with(p.because, d)
	}
	if doubt != "" {
		c.Text += ": " + doubt
		p.because = with(p.because, c)
	}
}

// maxCauses are the causes of a part that are kept: of many filters that weigh the same each is one.
const maxCauses = 32

// with is a list with one more cause, in memory of its own: parts share what was before.
func with(list []packet.Cause, c packet.Cause) []packet.Cause {
	if len(list) == maxCauses || slices.Contains(list, c) {
		return list
	}
	return append(slices.Clip(list), c)
}

func (s *sublayer) cause(f *Filter) packet.Cause {
	return packet.Cause{Where: packet.Where{Family: "wfp", Table: cmp.Or(s.Name, s.Key), Chain: string(f.Layer), Rule: f.ID}, Text: f.Name}
}

// cut parts a box into what a rule matches and the rest.
func (h *hit) cut(b Box) (inside, outside []Box) {
	spans, ports := h.spans, h.ports
	if spans == nil {
		spans = []Span{b.Span}
	}
	if ports == nil {
		ports = []PortSpan{b.Ports}
	}
	first, _ := slices.BinarySearchFunc(spans, b.From, func(s Span, a netip.Addr) int {
		if s.To.Less(a) {
			return -1
		}
		return 1
	})
	spans = spans[first:]
	for _, s := range b.Span.Without(spans) {
		outside = append(outside, Box{s, b.Ports})
	}
	others := portsWithout(ports)
	for _, s := range spans {
		if b.To.Less(s.From) {
			break
		}
		for _, p := range ports {
			if x, ok := b.overlap(Box{s, p}); ok {
				inside = append(inside, x)
			}
		}
		for _, p := range others {
			if x, ok := b.overlap(Box{s, p}); ok {
				outside = append(outside, x)
			}
		}
	}
	return inside, outside
}

// answer makes the answer of where the parts ended.
func answer(list []part, witnesses []netip.Addr) Answer {
	slices.SortFunc(list, func(a, b part) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Ports.From, b.Ports.From)) })
	a := Answer{Verdict: packet.Unreachable}
	for _, p := range list {
		x := Part{Box: p.Box}
		switch {
		case p.state&(softBlock|hardBlock) == p.state:
			x.Verdict, x.By = packet.Unreachable, p.block
			if len(x.By) == 0 {
				x.Verdict, x.Because = packet.Unknown, p.because
			}
		case len(p.open) > 0:
			x.Verdict, x.Because = packet.Unknown, p.open
		default:
			x.Verdict, x.By = packet.Reachable, p.by
		}
		a.add(x)
	}
	for _, p := range a.Parts {
		switch {
		case p.Verdict == packet.Reachable && a.Verdict != packet.Reachable:
			a.Verdict, a.Witness = packet.Reachable, p.witness(p.From)
		case p.Verdict == packet.Unknown && a.Verdict == packet.Unreachable:
			a.Verdict = packet.Unknown
		}
	}
	if a.Verdict == packet.Reachable {
		a.prefer(witnesses)
	}
	return a
}

// add appends a part, or widens the one before it where they differ in the addresses alone.
func (a *Answer) add(p Part) {
	if n := len(a.Parts); n > 0 {
		l := &a.Parts[n-1]
		if l.To.Next() == p.From && l.Ports == p.Ports && l.Verdict == p.Verdict && slices.Equal(l.By, p.By) && slices.Equal(l.Because, p.Because) {
			l.To = p.To
			return
		}
	}
	a.Parts = append(a.Parts, p)
}

// prefer takes the first of some addresses that gets through for the witness.
func (a *Answer) prefer(witnesses []netip.Addr) {
	for _, w := range witnesses {
		for i := range a.Parts {
			p := &a.Parts[i]
			if p.Verdict == packet.Reachable && p.From.Compare(w) <= 0 && w.Compare(p.To) <= 0 {
				a.Witness = netip.AddrPortFrom(w, p.port())
				return
			}
		}
	}
}

// witness is an address of the part that somebody is likely to have: not the first of a network.
func (p *Part) witness(addr netip.Addr) netip.AddrPort {
	for range 2 {
		if b := addr.AsSlice(); b[len(b)-1] < 2 && addr.Less(p.To) {
			addr = addr.Next()
		}
	}
	return netip.AddrPortFrom(addr, p.port())
}

// port is one that clients send from, if the part has it.
func (p *Part) port() uint16 {
	if p.Ports.From < 50000 && p.Ports.To >= 50000 {
		return 50000
	}
	return p.Ports.From
}
