package exposure

import (
	"net/netip"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/wfp"
)

// Sources are the addresses of one family that packets of an origin come from, without some: each an address or a range FIRST-LAST, as rules of
// the firewall of Windows have them.
func Sources(o *packet.Origin, v4 bool, without []netip.Prefix) []string {
	var gone []wfp.Span
	for _, p := range without {
		if p.Addr().Is4() == v4 {
			gone = append(gone, wfp.SpanOf(p))
		}
	}
	gone = wfp.Union(gone)
	var list []string
	for _, s := range spansOf(o, v4) {
		for _, rest := range s.Without(gone) {
			text := rest.From.String()
			if rest.To != rest.From {
				text += "-" + rest.To.String()
			}
			list = append(list, text)
		}
	}
	return list
}

// Overlap says whether two origins have addresses of a family in common.
func Overlap(a, b *packet.Origin, v4 bool) bool {
	for _, x := range spansOf(a, v4) {
		for _, y := range spansOf(b, v4) {
			if x.From.Compare(y.To) <= 0 && y.From.Compare(x.To) <= 0 {
				return true
			}
		}
	}
	return false
}

// Intersect is the prefixes that are in both lists; an empty list of the first stands for everything.
func Intersect(a, b []netip.Prefix) []netip.Prefix { return intersect(a, b) }
