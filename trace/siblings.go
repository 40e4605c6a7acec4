package trace

import (
	"slices"

	"github.com/ringfence/ringfence/packet"
)

// sibling is another fragment of the datagram, as it is where the kernel puts fragments together.
type sibling struct {
	met bool
	skb skb
}

// What becomes of the other fragments.
type company uint8

const (
	unsure company = iota // of some it is not known
	comes                 // all get as far as this one
	lost                  // one that there has to be does not
	chosen                // one does or does not by what its sender writes into it, or there need not be one
)

// waysOfSibling bounds the ways that another fragment is followed by.
const waysOfSibling = 16

// meet notes that this fragment, which is followed for the sake of another one, is where they are put together.
func (w *walk) meet() verdict {
	if s := w.sibling; !s.met {
		s.met, s.skb = true, w.skb
		s.skb.nh, s.skb.unk = slices.Clone(w.skb.nh), slices.Clone(w.skb.unk)
	}
	return w.abort(nil, "the fragments are put together")
}

// siblings follows the other fragments of the datagram to where they are put together, each by itself, and gives the packet the headers and marks of the
// first one (inet_frag_reasm_prepare).
func (w *walk) siblings() company {
	if w.region != nil || w.begins != nil || w.local {
		return unsure
	}
	own, all := w.skb.fragment, comes
	var first *sibling
	for part := firstPart; part <= lastPart; part++ {
		if part == own && part != middlePart {
			continue
		}
		s, end := w.follows(packet.Fragments[part])
		if end == lost && part == middlePart {
			end = chosen
		}
		switch {
		case end == lost, end == unsure:
			return end
		case end == chosen && part == firstPart: // it says what the datagram is
			return unsure
		case end == chosen:
			all = chosen
		case part == firstPart:
			first = s
		}
	}
	if first != nil {
		w.skb = first.skb
		w.skb.fragment, w.given, w.rewrites, w.judged = own, false, false, true
	}
	return all
}

// sent says whether the sender decides a choice by what it writes.
func (c *choice) sent() bool {
	return c.states != nil && !slices.ContainsFunc(c.states, func(s state) bool { return s.is != packet.AsSent })
}

// follows follows another fragment up to there.
func (w *walk) follows(part string) (s *sibling, end company) {
	t := *w.Tracer
	t.walk = walk{Tracer: &t}
	p := *w.p
	p.Frag, p.Data = part, ""
	met, ways := 0, 0
	for ; ways < waysOfSibling; ways++ {
		s = new(sibling)
		t.walk.sibling = s
		t.walk.start(&p)
		t.walk.run()
		w.evaluated += t.walk.evaluated
		if slices.ContainsFunc(t.walk.choices, func(c choice) bool { return !c.sent() }) || !s.met && t.walk.stuck != nil {
			return nil, unsure
		}
		if s.met {
			met++
		}
		if !t.walk.advance() {
			switch ways++; met {
			case 0:
				return nil, lost
			case ways:
				if ways == 1 {
					return s, comes
				}
			}
			return nil, chosen
		}
	}
	return nil, unsure
}
