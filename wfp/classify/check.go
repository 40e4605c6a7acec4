package classify

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/wfp"
)

// looks is how many filters and conditions are looked at for all pieces of one answer.
const looks = 20_000_000

var errPieces = errors.New("the proof has too many pieces to try")

// Check says what is wrong with an answer: the witness has to get through; what proves an unreachable answer has to be disjoint,
// cover the question, and be blocked everywhere. Between two numbers that some condition names, packets meet the same fate, so
// one is tried for each such piece. An unknown answer claims nothing. It also says how many filters and conditions it looked at.
func (c *Classifier) Check(q *wfp.Question, a *wfp.Answer) (int, error) {
	switch a.Verdict {
	case packet.Reachable:
		if !asked(q, a.Witness) {
			return 0, fmt.Errorf("the witness %s is not in the question", a.Witness)
		}
		if v := c.Verdict(&Packet{a.Witness, q.Facts}); v != packet.Reachable {
			return c.size, fmt.Errorf("the witness %s is %s", a.Witness, v)
		}
		return c.size, nil
	case packet.Unreachable:
		left := looks
		err := c.proof(q, a, &left)
		return looks - left, err
	default:
		return 0, nil
	}
}

func asked(q *wfp.Question, w netip.AddrPort) bool {
	return w.Port() >= q.Ports.From && w.Port() <= q.Ports.To && slices.ContainsFunc(q.From, func(s wfp.Span) bool {
		return s.From.Compare(w.Addr()) <= 0 && w.Addr().Compare(s.To) <= 0
	})
}

func (c *Classifier) proof(q *wfp.Question, a *wfp.Answer, left *int) error {
	want, got := new(big.Int), new(big.Int)
	for _, s := range merged(q.From) {
		want.Add(want, volume(wfp.Box{Span: s, Ports: q.Ports}))
	}
	parts := slices.Clone(a.Parts)
	slices.SortFunc(parts, func(x, y wfp.Part) int { return x.From.Compare(y.From) })
	var before []*wfp.Part // whose addresses reach as far as the part
	for i := range parts {
		p := &parts[i]
		if p.To.Less(p.From) || p.Ports.To < p.Ports.From || p.From.BitLen() != p.To.BitLen() {
			return fmt.Errorf("the part %s is empty", p.From)
		}
		if !within(q, &p.Box) {
			return fmt.Errorf("the part from %s is not in the question", p.From)
		}
		got.Add(got, volume(p.Box))
		before = slices.DeleteFunc(before, func(o *wfp.Part) bool { return o.To.Less(p.From) })
		for _, o := range before {
			if p.Ports.From <= o.Ports.To && o.Ports.From <= p.Ports.To {
				return fmt.Errorf("the parts from %s and %s overlap", o.From, p.From)
			}
		}
		before = append(before, p)
	}
	if want.Cmp(got) != 0 || len(a.Parts) == 0 {
		return fmt.Errorf("the proof has %s of %s packets", got, want)
	}
	for i := range a.Parts {
		if err := c.blocked(q, &a.Parts[i], left); err != nil {
			return err
		}
	}
	return nil
}

// blocked tries every piece of a part.
func (c *Classifier) blocked(q *wfp.Question, p *wfp.Part, left *int) error {
	if p.Verdict != packet.Unreachable {
		return fmt.Errorf("the part from %s is %s", p.From, p.Verdict)
	}
	if *left -= c.size; *left < 0 {
		return errPieces
	}
	addrs, ports := c.edges(&p.Box)
	for _, addr := range addrs {
		for _, port := range ports {
			if *left -= 1 + c.size; *left < 0 {
				return errPieces
			}
			at := netip.AddrPortFrom(addr, port)
			if v := c.Verdict(&Packet{at, q.Facts}); v != packet.Unreachable {
				return fmt.Errorf("%s is %s", at, v)
			}
		}
	}
	return nil
}

// edges are the first addresses and ports of the pieces of a box.
func (c *Classifier) edges(b *wfp.Box) ([]netip.Addr, []uint16) {
	addrs, ports := []netip.Addr{b.From}, []uint16{b.Ports.From}
	addr := func(a netip.Addr) {
		if a.IsValid() && a.BitLen() == b.From.BitLen() && b.From.Less(a) && !b.To.Less(a) {
			addrs = append(addrs, a)
		}
	}
	port := func(n uint64) {
		if n > uint64(b.Ports.From) && n <= uint64(b.Ports.To) {
			ports = append(ports, uint16(n))
		}
	}
	for i := range c.filters {
		for _, x := range c.filters[i].Conditions {
			switch x.Field {
			case wfp.RemoteAddress:
				addr(x.Value.From)
				addr(x.Value.To)
				if x.Value.From.IsValid() && x.Value.To.IsValid() {
					addr(x.Value.From.Next())
					addr(x.Value.To.Next())
				}
			case wfp.RemotePort:
				for _, n := range []uint64{x.Value.Lo, x.Value.Hi} {
					port(n)
					port(n + 1)
				}
			default:
			}
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	slices.Sort(ports)
	return slices.Compact(addrs), slices.Compact(ports)
}

func within(q *wfp.Question, b *wfp.Box) bool {
	return b.Ports.From >= q.Ports.From && b.Ports.To <= q.Ports.To && slices.ContainsFunc(merged(q.From), func(s wfp.Span) bool {
		return !b.From.Less(s.From) && !s.To.Less(b.To)
	})
}

// merged are spans without those that others hold or touch.
func merged(list []wfp.Span) []wfp.Span {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b wfp.Span) int { return a.From.Compare(b.From) })
	out := list[:0]
	for _, s := range list {
		if n := len(out); n > 0 && (!out[n-1].To.Less(s.From) || out[n-1].To.Next() == s.From) {
			if out[n-1].To.Less(s.To) {
				out[n-1].To = s.To
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// volume is how many packets are in a box.
func volume(b wfp.Box) *big.Int {
	n := new(big.Int).Sub(number(b.To), number(b.From))
	n.Add(n, big.NewInt(1))
	return n.Mul(n, big.NewInt(int64(b.Ports.To)-int64(b.Ports.From)+1))
}

func number(a netip.Addr) *big.Int { return new(big.Int).SetBytes(a.AsSlice()) }
