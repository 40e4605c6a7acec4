package certificate

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
)

// Question is what was asked: its certificates are one for each origin and family, in order.
type Question struct {
	Target
	From []Origin
	// Proto4 and Proto6 are the protocol numbers, below 0 where the family has no such packets.
	Proto4, Proto6 int
	// Family is 4 or 6 where the question is about that one alone.
	Family int
	// State is the conntrack state of the packets; empty is new.
	State packet.State
}

// Origin is where packets of a question come from: an interface, or "local" for the host itself. From
// bounds their sources; none is any.
type Origin struct {
	In   string
	From []netip.Prefix
}

// CheckAll returns nil where the certificates answer the whole question and each of them holds. The
// sources that a certificate lists are taken as they stand, but for a list that has none.
func (k *Checker) CheckAll(q *Question, list []packet.Certificate) error {
	families := q.families()
	if len(list) != len(q.From)*len(families) {
		return fmt.Errorf("%d certificates for %d origins in %d families", len(list), len(q.From), len(families))
	}
	for i := range list {
		o, v4 := &q.From[i/len(families)], families[i%len(families)]
		if err := k.about(q, o, v4, &list[i]); err != nil {
			return fmt.Errorf("certificate %d: %w", i, err)
		}
		if err := k.check(&q.Target, q.State, &list[i]); err != nil {
			return fmt.Errorf("certificate %d: %w", i, err)
		}
	}
	return nil
}

// families are those that packets to the target can be of.
func (q *Question) families() []bool {
	switch {
	case q.Family != 0:
		return []bool{q.Family == 4}
	case q.Addr.IsValid():
		return []bool{q.Addr.Is4()}
	case q.Final.IsValid():
		return []bool{q.Final.Is4()}
	}
	return []bool{true, false}
}

// about compares what a certificate is about with what was asked.
func (k *Checker) about(q *Question, o *Origin, v4 bool, c *packet.Certificate) error {
	r := &c.Question
	proto := q.Proto6
	if v4 {
		proto = q.Proto4
	}
	if r.In != o.In || r.V4 != v4 {
		return errors.New("is about another origin or family")
	}
	if r.Empty {
		return k.nothing(q, o, v4, proto)
	}
	if r.Proto != proto {
		return fmt.Errorf("is about protocol %d, not %d", r.Proto, proto)
	}
	b, err := parse(r)
	if err != nil {
		return err
	}
	want := anywhere(v4)
	if q.Addr.IsValid() {
		want = prefixSpan(netip.PrefixFrom(q.Addr, q.Addr.BitLen()))
	}
	if len(b.dims[dimDst]) != 1 || !want.inside(b.dims[dimDst][0]) {
		return errors.New("leaves destinations out")
	}
	if hasPorts(proto) && !k.portsIn(q, b) {
		return errors.New("leaves ports out")
	}
	return nil
}

// portsIn says whether a box has all destination ports that the question is about: those of a target address, those of
// sockets where nothing gives packets another port, else all.
func (k *Checker) portsIn(q *Question, b *box) bool {
	ports := []span{{new(big.Int), big.NewInt(65535)}}
	if len(q.Ports) > 0 && (q.Addr.IsValid() || len(q.Sockets) > 0 && !k.snap.NFTables.Ruleset.Translates()) {
		ports = ports[:0]
		for _, p := range q.Ports {
			ports = append(ports, span{big.NewInt(int64(p)), big.NewInt(int64(p))})
		}
	}
	return !slices.ContainsFunc(ports, func(p span) bool { return !slices.ContainsFunc(b.dims[dimDport], p.inside) })
}

// nothing confirms that the question has no packets.
func (k *Checker) nothing(q *Question, o *Origin, v4 bool, proto int) error {
	s := k.snap
	if proto < 0 {
		return nil
	}
	if o.In == "local" {
		for i := range s.Network.Links {
			for _, a := range s.Network.Links[i].Addrs {
				p, err := netip.ParsePrefix(a)
				if err == nil && p.Addr().Is4() == v4 && o.includes(p.Addr()) {
					return fmt.Errorf("says that there are no packets, but the host has address %s", p.Addr())
				}
			}
		}
		return nil
	}
	if l := s.Network.LinkNamed(o.In); l == nil || !l.Up {
		return nil
	}
	b := &box{region: &packet.Region{In: o.In, V4: v4, Proto: proto, Flags: 2}}
	for _, p := range o.From {
		if p.Addr().Is4() == v4 {
			b.dims[dimSrc] = append(b.dims[dimSrc], prefixSpan(p))
		}
	}
	if len(o.From) == 0 {
		b.dims[dimSrc] = []span{anywhere(v4)}
	}
	b.dims[dimDst] = []span{anywhere(v4)}
	for _, d := range []int{dimSport, dimDport} {
		b.dims[d] = []span{{new(big.Int), new(big.Int)}}
		if hasPorts(proto) {
			b.dims[d][0].hi = big.NewInt(65535)
			b.region.Sport = []string{"0-65535"}
		}
	}
	w := &checker{Checker: k, target: &q.Target, state: q.State}
	if err := w.stopped(b); err != nil {
		return fmt.Errorf("says that there are no packets: %w", err)
	}
	return nil
}

func (o *Origin) includes(a netip.Addr) bool {
	return len(o.From) == 0 || slices.ContainsFunc(o.From, func(p netip.Prefix) bool { return p.Contains(a) })
}

func hasPorts(proto int) bool {
	return slices.Contains([]int{6, 17, 33, 132, 136}, proto)
}

func anywhere(v4 bool) span {
	if v4 {
		return prefixSpan(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
	}
	return prefixSpan(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
}

func prefixSpan(p netip.Prefix) span {
	lo := new(big.Int).SetBytes(p.Masked().Addr().AsSlice())
	size := new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits()))
	return span{lo, new(big.Int).Sub(new(big.Int).Add(lo, size), big.NewInt(1))}
}
