package certificate

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
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
	// By is the process of the host that sends the packets; nil is any.
	By *packet.Sender
	// Apart are ports of the bridge that In is whose frames are not meant.
	Apart []string
}

// CheckAll returns nil where the certificates answer the whole question and each of them holds. The
// sources that a certificate lists are taken as they stand, but for a list that has none.
func (k *Checker) CheckAll(q *Question, list []packet.Certificate) error {
	parts := k.parts(q)
	if len(list) != len(parts) {
		return fmt.Errorf("%d certificates for %d parts of the question", len(list), len(parts))
	}
	for i := range list {
		if err := k.about(q, &parts[i], &list[i]); err != nil {
			return fmt.Errorf("certificate %d: %w", i, err)
		}
		if err := k.check(k.of(q, parts[i].origin), &list[i]); err != nil {
			return fmt.Errorf("certificate %d: %w", i, err)
		}
	}
	return nil
}

// of follows packets of an origin of a question.
func (k *Checker) of(q *Question, o *Origin) *checker {
	return &checker{Checker: k, target: &q.Target, state: q.State, apart: o.Apart, by: o.By}
}

// part is what one certificate has to be about: packets of an origin, or frames from a port of a bridge to another one.
type part struct {
	origin  *Origin
	in, out string
	v4      bool
	proto   int
}

// parts are those of the whole question.
func (k *Checker) parts(q *Question) []part {
	var out []part
	for i := range q.From {
		o := &q.From[i]
		hops := k.hops(q, o)
		for _, v4 := range q.families() {
			proto := q.Proto6
			if v4 {
				proto = q.Proto4
			}
			out = append(out, part{o, o.In, "", v4, proto})
			for _, h := range hops {
				if proto >= 0 {
					out = append(out, part{o, h[0], h[1], v4, proto})
				}
			}
		}
	}
	return out
}

// hops are the pairs of ports of bridges, all up, by which frames of an origin can be switched to the target.
func (k *Checker) hops(q *Question, o *Origin) (list [][2]string) {
	if o.In == "local" || !q.Addr.IsValid() && len(q.Oifs) == 0 {
		return nil
	}
	network := &k.snap.Network
	for i := range network.Links {
		in := &network.Links[i]
		b := network.BridgeOf(in)
		if b == nil || in.Name != o.In && (b.Name != o.In || slices.Contains(o.Apart, in.Name)) {
			continue
		}
		ways := network.Switched(in)
		if q.Addr.IsValid() && !q.Through {
			ways = k.snap.Neighbours(in, q.Addr)
		}
		for _, w := range ways {
			if q.Addr.IsValid() && !q.Through || slices.Contains(q.Oifs, w.Out.Name) {
				list = append(list, [2]string{in.Name, w.Out.Name})
			}
		}
	}
	return list
}

// families are those that packets to the target can be of.
func (q *Question) families() []bool {
	switch {
	case q.Family != 0:
		return []bool{q.Family == 4}
	case q.Addr.IsValid():
		return []bool{q.Addr.Is4()}
	case len(q.Final) > 0:
		return []bool{q.Final[0].Addr().Is4()}
	}
	return []bool{true, false}
}

// about compares what a certificate is about with what was asked.
func (k *Checker) about(q *Question, p *part, c *packet.Certificate) error {
	r := &c.Question
	if r.In != p.in || r.Out != p.out || r.V4 != p.v4 {
		return errors.New("is about another origin or family")
	}
	if r.Empty {
		if p.out != "" && p.origin.has(p.v4) {
			return errors.New("says that there are no frames from port to port")
		}
		if p.out != "" {
			return nil
		}
		return k.nothing(q, p.origin, p.v4, p.proto)
	}
	if r.Proto != p.proto {
		return fmt.Errorf("is about protocol %d, not %d", r.Proto, p.proto)
	}
	b, err := parse(r)
	if err != nil {
		return err
	}
	if !k.addressesIn(q, p, b) {
		return errors.New("leaves destinations out")
	}
	if hasPorts(p.proto) && !k.portsIn(q, p, b) {
		return errors.New("leaves ports out")
	}
	if every, _ := flagSpans(flagSYN, nil); p.proto == packet.TCP && firstOnes(q.State) && !within(every[0], b.dims[dimFlags]) {
		return errors.New("leaves attempts with other flags out")
	}
	return nil
}

// addressesIn says whether a box has all destinations that a part of the question is about. What is switched to a neighbour is not for
// the host itself, nor for many.
func (k *Checker) addressesIn(q *Question, p *part, b *box) bool {
	want := anywhere(p.v4)
	have := slices.Clone(b.dims[dimDst])
	switch {
	case q.Addr.IsValid():
		want = prefixSpan(netip.PrefixFrom(q.Addr, q.Addr.BitLen()))
	case q.Direct && !q.Host && p.out == "" && p.in != "local" && firstOnes(q.State):
		return !slices.ContainsFunc(k.routed(q.Oifs, p.v4), func(s span) bool { return !covered(s, slices.Clone(have)) })
	case q.Host && len(q.Oifs) == 0 && len(q.Ports) > 0 && !q.Through && p.out == "" && p.in != "local" && firstOnes(q.State) && k.redirected(q) == ruleset.Redirects{}:
		return !slices.ContainsFunc(k.hostsOwn(p.v4), func(s span) bool { return !covered(s, slices.Clone(have)) })
	case p.out != "":
		have = append(have, k.hostsOwn(p.v4)...)
		if len(q.Final) > 0 && !k.snap.NFTables.Ruleset.Translates() {
			return !slices.ContainsFunc(q.Final, func(f netip.Prefix) bool {
				return f.Addr().Is4() == p.v4 && !covered(prefixSpan(f), slices.Clone(have))
			})
		}
	}
	return covered(want, have)
}

// routed are the destinations of routes out by some interfaces, and those that no route is asked about: what leaves by them for where it was
// sent is for one of these.
func (k *Checker) routed(oifs []string, v4 bool) (list []span) {
	prefixes := []string{"224.0.0.0/4", "fe80::/10", "ff00::/8"}
	for i := range k.snap.Network.Routes {
		r := &k.snap.Network.Routes[i]
		if slices.ContainsFunc(r.Oifs, func(n int) bool { l := k.snap.Network.Link(n); return l == nil || slices.Contains(oifs, l.Name) }) {
			prefixes = append(prefixes, r.Dst)
		}
	}
	for _, text := range prefixes {
		if p, err := netip.ParsePrefix(text); err == nil && p.Addr().Is4() == v4 {
			list = append(list, prefixSpan(p))
		}
	}
	return list
}

// firstOnes says of a state that it is that of the first packets of connections.
func firstOnes(s packet.State) bool { return s == "" || s == packet.New }

// redirected says how rules can lead packets to the ports of the question.
func (k *Checker) redirected(q *Question) ruleset.Redirects {
	own := map[bool][]span{}
	return k.snap.NFTables.Ruleset.RedirectsTo(q.Ports, func(a netip.Addr) bool {
		if own[a.Is4()] == nil {
			own[a.Is4()] = k.hostsOwn(a.Is4())
		}
		x := prefixSpan(netip.PrefixFrom(a, a.BitLen()))
		return slices.ContainsFunc(own[a.Is4()], func(s span) bool { return x.inside(s) })
	})
}

// hostsOwn are the destinations that lead to the host, and groups.
func (k *Checker) hostsOwn(v4 bool) []span {
	prefixes := []string{"::1/128", "ff00::/8"}
	if v4 {
		prefixes = []string{"127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32"}
	}
	for _, r := range k.snap.Network.Routes {
		if r.Type == "local" || r.Type == "broadcast" || r.Type == "anycast" || r.Type == "multicast" {
			prefixes = append(prefixes, r.Dst)
		}
	}
	for i := range k.snap.Network.Links {
		for _, a := range k.snap.Network.Links[i].Addrs {
			host, _, _ := strings.Cut(a, "/")
			prefixes = append(prefixes, host+map[bool]string{true: "/32", false: "/128"}[v4])
		}
	}
	var out []span
	for _, text := range prefixes {
		if p, err := netip.ParsePrefix(text); err == nil && p.Addr().Is4() == v4 {
			out = append(out, prefixSpan(p))
		}
	}
	return out
}

// covered says whether spans have all numbers of one.
func covered(want span, have []span) bool {
	slices.SortFunc(have, func(a, b span) int { return a.lo.Cmp(b.lo) })
	next := new(big.Int).Set(want.lo)
	for _, s := range have {
		if s.lo.Cmp(next) > 0 {
			break
		}
		if s.hi.Cmp(next) >= 0 {
			next.Add(s.hi, big.NewInt(1))
		}
	}
	return next.Cmp(want.hi) > 0
}

// portsIn says whether a box has all destination ports that the question is about: those of a target address, those of
// sockets and neighbours where nothing gives packets another port, else all.
func (k *Checker) portsIn(q *Question, p *part, b *box) bool {
	ports := []span{{new(big.Int), big.NewInt(65535)}}
	byProgram := len(q.Sockets) > 0 && (p.proto == 6 || p.proto == 17) && k.snap.Network.LookupProgram() != "" // finds a socket for any port
	if len(q.Ports) > 0 && !byProgram && (q.Addr.IsValid() || (len(q.Sockets) > 0 || p.out != "") && !k.snap.NFTables.Ruleset.Translates() ||
		q.Host && len(q.Oifs) == 0 && !q.Through && p.out == "" && firstOnes(q.State) && !k.redirected(q).OtherPorts) {
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
	b := &box{region: &packet.Region{In: o.In, V4: v4, Proto: proto, Flags: flagSYN}}
	b.dims[dimFlags], _ = flagSpans(flagSYN, nil)
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
	w := k.of(q, o)
	if err := w.stopped(b); err != nil {
		return fmt.Errorf("says that there are no packets: %w", err)
	}
	return nil
}

// has says whether an origin can have addresses of a family.
func (o *Origin) has(v4 bool) bool {
	return len(o.From) == 0 || slices.ContainsFunc(o.From, func(p netip.Prefix) bool { return p.Addr().Is4() == v4 })
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
