package trace

import (
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

// openMultiport evaluates a match for several ports that the region leaves open, as xtOpen does.
func (w *walk) openMultiport(m *ruleset.XtMultiport, r *rule) (verdict, bool) {
	if w.skb.later() {
		return vNo, true // par->fragoff is not zero
	}
	for _, p := range []struct {
		at   int
		f    byte
		asks bool
	}{{0, 'p', m.Which != "destination"}, {2, 'q', m.Which != "source"}} {
		switch {
		case !p.asks || !w.openPort(p.at):
		case m.Which == "either":
			return w.maybe(r, splitField(p.f)), true
		case w.asSent(p.f):
			var among []Span
			for _, in := range m.Ranges {
				among = append(among, portSpan(in[0], in[1]))
			}
			return decide(w.part(p.f, join(among), r) != m.Invert), true
		default:
			lo, hi := w.portSpan(p.at)
			inside := slices.ContainsFunc(m.Ranges, func(in [2]uint16) bool { return lo >= in[0] && hi <= in[1] })
			if !inside && slices.ContainsFunc(m.Ranges, func(in [2]uint16) bool { return hi >= in[0] && lo <= in[1] }) {
				return w.maybe(r, splitField(p.f)), true
			}
			return decide(inside != m.Invert), true
		}
	}
	return verdict{}, false
}
