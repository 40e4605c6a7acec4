package trace

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// The flags of a translation (NF_NAT_RANGE_*, include/uapi/linux/netfilter/nf_nat.h).
const (
	natRandom      = 1 << 2
	natRandomFully = 1 << 4
	natOffset      = 1 << 5
	natNetmap      = 1 << 6

	natChoosesPort = natRandom | natRandomFully | natOffset
)

// nat carries out a translation of the first packet of a connection.
func (w *walk) nat(n *ruleset.NAT, r *rule) verdict {
	other := n.Family == 2 && !w.skb.v4 || n.Family == 10 && w.skb.v4
	switch {
	case n.Kind == "tproxy" && other:
		return vNo
	case n.Kind == "tproxy":
		return w.tproxy(n, r)
	case other:
		return vNext // not for this family (nft_nat_inet_eval)
	}
	c := w.skb.ct
	if c == nil {
		return verdict{kind: vAccept}
	}
	addr, ok := w.natAddr(n, r)
	if !ok {
		return verdict{kind: vStolen}
	}
	lo, hi, ok := w.natPorts(n)
	if !ok {
		return w.abort(r, "a translation to a port that is not known")
	}
	return w.translate(n.Kind, addr, lo, hi, n.Flags&natChoosesPort != 0)
}

// translate sets the translation up; chosen says that the kernel picks the port by more than the packet.
func (w *walk) translate(kind string, addr netip.Addr, lo, hi uint16, chosen bool) verdict {
	ok := true
	switch kind {
	case "masquerade":
		addr, ok = w.masqueradeAddr()
	case "redirect":
		addr, ok = w.redirectAddr()
	}
	switch {
	case !ok:
		return verdict{kind: vDrop}
	case kind == "snat" || kind == "masquerade":
		w.natSource(addr, lo, hi, chosen)
	case chosen && lo != hi:
		return w.abort(nil, "which port of the range the translation takes")
	default:
		w.natDest(addr, lo, hi)
	}
	return verdict{kind: vAccept}
}

// natAddr reads the address of a translation; of a range each in turn.
func (w *walk) natAddr(n *ruleset.NAT, r *rule) (netip.Addr, bool) {
	if n.AddrMin == 0 {
		return netip.Addr{}, true
	}
	size := 16
	if w.skb.v4 {
		size = 4
	}
	read := func(reg uint32) ([]byte, bool) {
		at := regOffset(reg)
		if at < 0 || at+size > regBytes || w.regs.unknown(at, size) {
			w.abort(r, "a translation to an address that is not known")
			return nil, false
		}
		return w.regs.v[at : at+size], true
	}
	lo, ok := read(n.AddrMin)
	if !ok {
		return netip.Addr{}, false
	}
	hi := lo
	if n.AddrMax != 0 {
		if hi, ok = read(n.AddrMax); !ok {
			return netip.Addr{}, false
		}
	}
	return w.pickAddr(lo, hi, n.Flags&natNetmap != 0, n.Kind == "snat", r)
}

// pickAddr is the address of a range that the kernel takes: for netmap the one with the packet's own
// host part, else by a hash, so each of them in turn; of many sources it is left open.
func (w *walk) pickAddr(lo, hi []byte, netmap, source bool, r *rule) (netip.Addr, bool) {
	a, _ := netip.AddrFromSlice(lo)
	if string(lo) == string(hi) {
		return a, true
	}
	if netmap {
		old, f := w.skb.dst(), byte('d')
		if source {
			old, f = w.skb.src(), 's'
		}
		if w.open(f) {
			w.abort(r, splitField(f))
			return a, false
		}
		b := old.AsSlice()
		for i := range b {
			mask := ^(lo[i] ^ hi[i])
			b[i] = b[i]&^mask | lo[i]&mask
		}
		a, _ = netip.AddrFromSlice(b)
		return a, true
	}
	n := len(lo)
	span := binary.BigEndian.Uint32(hi[n-4:]) - binary.BigEndian.Uint32(lo[n-4:])
	if n == 16 && string(lo[:12]) != string(hi[:12]) || span >= mapChoices {
		if source {
			w.skb.ct.srcOpen = true
			return a, true
		}
		w.abort(r, "a translation to a large range of addresses")
		return a, false
	}
	for range w.choose(int(span)+1, r, "which address of the range the translation takes") {
		a = a.Next()
	}
	return a, true
}

func (w *walk) natPorts(n *ruleset.NAT) (lo, hi uint16, ok bool) {
	read := func(reg uint32) (uint16, bool) {
		at := regOffset(reg)
		if reg == 0 {
			return 0, true
		}
		if at < 0 || w.regs.unknown(at, 2) {
			return 0, false
		}
		return binary.BigEndian.Uint16(w.regs.v[at:]), true
	}
	lo, ok = read(n.PortMin)
	if !ok {
		return 0, 0, false
	}
	if n.PortMax == 0 {
		return lo, lo, true
	}
	hi, ok = read(n.PortMax)
	return lo, hi, ok
}

// natDest gives the packet a new destination; port 0 and an invalid address keep the old ones. Of a
// range of ports the packet's own stays where it is inside, else the first is taken
// (nf_nat_l4proto_unique_tuple, without a clash).
func (w *walk) natDest(addr netip.Addr, lo, hi uint16) {
	s, c := &w.skb, w.skb.ct
	if lo != hi && w.openPort(2) {
		w.abort(nil, splitField('q'))
	}
	if addr.IsValid() && addr.Is4() == s.v4 {
		s.setDst(addr)
	}
	if p := s.port(2); lo != 0 && (p < lo || p > hi) {
		s.setPort(2, lo)
	}
	c.newDst, c.newDpt = s.dst(), s.port(2)
	c.natDst = true
	c.status.v |= ipsDstNATDone
	if c.newDst != c.dst || c.newDpt != c.dport {
		c.status.v |= ipsDstNAT
	}
}

// natSource gives the packet a new source. Of a range of ports the packet's own stays where it is
// inside; else, and where the rule says so, the kernel takes a random one, which is then not known.
func (w *walk) natSource(addr netip.Addr, lo, hi uint16, chosen bool) {
	s, c := &w.skb, w.skb.ct
	if addr.IsValid() && addr.Is4() == s.v4 {
		s.setSrc(addr)
	}
	if c.srcOpen {
		at := s.addrAt()
		for i := range addr.BitLen() / 8 {
			s.unk[at+i] = 0xff
		}
	}
	from, to := s.port(0), s.port(0)
	if s.hasPorts() {
		from, to = w.portSpan(0)
	}
	switch kept := lo == 0 || from >= lo && to <= hi; {
	case chosen && s.hasPorts() && (lo == 0 || lo != hi), !kept && lo != hi:
		s.unk[s.thoff], s.unk[s.thoff+1] = 0xff, 0xff
		c.sportOpen = true
	case lo != 0 && lo == hi:
		s.setPort(0, lo)
	}
	c.newSrc, c.newSport = s.src(), s.port(0)
	c.natSrc = true
	c.status.v |= ipsSrcNATDone
	switch {
	case c.srcOpen:
		c.status.unk |= ipsSrcNAT
	case c.newSrc != c.src || c.newSport != c.sport:
		c.status.v |= ipsSrcNAT
	}
}

// masqueradeAddr is the address that the kernel gives a packet that leaves by the interface: one of its own, else one of another
// (inet_select_addr), of which the kernel's order is not known.
func (w *walk) masqueradeAddr() (netip.Addr, bool) {
	if w.out == nil {
		return netip.Addr{}, false
	}
	if !w.skb.v4 {
		return w.sourceAddr6()
	}
	if a := w.out.usable(w.nextHop); a.IsValid() {
		return a, true
	}
	var first netip.Addr
	for i := range w.snap.Network.Links {
		switch a := w.links[w.snap.Network.Links[i].Index].usable(netip.Addr{}); {
		case !first.IsValid():
			first = a
		case a.IsValid() && a != first:
			w.skb.ct.srcOpen = true
		}
	}
	return first, first.IsValid()
}

// usable is an address of the interface that packets can leave with: one of the subnet of an address, else the first. Those of loopback
// are of the host alone (RT_SCOPE_HOST).
func (l *link) usable(near netip.Addr) (first netip.Addr) {
	for _, p := range l.nets {
		switch a := p.Addr(); {
		case !a.Is4() || a.IsLoopback():
		case p.Contains(near):
			return a
		case !first.IsValid():
			first = a
		}
	}
	return first
}

// sourceAddr6 chooses among the addresses of all interfaces (ipv6_dev_get_saddr, RFC 6724): one of a
// scope that fits before others, one of the outgoing interface before others, then the one that has
// most bits in common with the destination.
func (w *walk) sourceAddr6() (netip.Addr, bool) {
	dst := w.skb.dst()
	var best netip.Addr
	score := -1
	for i := range w.snap.Network.Links {
		l := w.links[w.snap.Network.Links[i].Index]
		for _, a := range l.v6 {
			local := isLinkLocal(a) || isLoopback(a)
			if isLinkLocal(dst) && l != w.out {
				continue
			}
			n := commonBits(a, dst)
			if l == w.out {
				n += 200
			}
			if local == (isLinkLocal(dst) || isLoopback(dst)) {
				n += 400
			}
			if a == dst {
				n += 800
			}
			if n > score {
				best, score = a, n
			}
		}
	}
	return best, best.IsValid()
}

func commonBits(a, b netip.Addr) int {
	x, y := a.As16(), b.As16()
	for i := range x {
		if d := x[i] ^ y[i]; d != 0 {
			return 8*i + bits.LeadingZeros8(d)
		}
	}
	return 128
}

// redirectAddr is where redirect sends a packet (nf_nat_redirect_ipv4, nf_nat_redirect_ipv6): the
// first address of the incoming interface, in IPv6 one of the destination's scope; loopback for
// packets of the host itself.
func (w *walk) redirectAddr() (netip.Addr, bool) {
	if w.hook == packet.Output {
		if w.skb.v4 {
			return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
		}
		return netip.IPv6Loopback(), true
	}
	if w.in == nil {
		return netip.Addr{}, false
	}
	if w.skb.v4 {
		if len(w.in.v4) == 0 {
			return netip.Addr{}, false
		}
		return w.in.v4[0], true
	}
	scope := scope6(w.skb.dst())
	for _, a := range w.in.v6 {
		if scope == 0 || scope == scope6(a) {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// natGroup runs the chains of type nat of a hook: the kernel calls them from one place, at dstnat or
// srcnat priority whatever their own, for the first packet alone, until one of them has set up a
// translation (nf_nat_inet_fn).
func (w *walk) natGroup(e *hookEntry) verdict {
	c := w.skb.ct
	accept := verdict{kind: vAccept}
	source := w.hook == packet.Postrouting || w.hook == packet.Input
	done := func() bool { return source && c.natSrc || !source && c.natDst }
	if c != nil && c.answers {
		return w.turnRound(source)
	}
	if c == nil || c.state != ruleset.CtNew && c.state != ruleset.CtRelated || done() {
		return accept
	}
	dst := w.skb.dst()
	for _, ch := range w.natOrder(e) {
		if v := w.baseChain(ch); v.kind != vAccept {
			return v
		}
		if !done() {
			continue
		}
		if w.hook == packet.Output && w.skb.dst() != dst && !w.reroute() { // nf_nat_ipv4_local_fn
			w.last = mark{text: "route"}
			return verdict{kind: vDrop}
		}
		return accept
	}
	if source {
		c.natSrc = true
		c.status.v |= ipsSrcNATDone
	} else {
		c.natDst = true
		c.status.v |= ipsDstNATDone
	}
	return accept
}

// natOrder is the order of the chains of a group. Chains of several tables with one priority run in
// the order of their registration, which is not known: each order is taken.
func (w *walk) natOrder(e *hookEntry) []*chain {
	order := e.chains
	for i := 0; i < len(order); {
		j := i + 1
		mixed := false
		for j < len(order) && order[j].src.Base.Priority == order[i].src.Base.Priority {
			mixed = mixed || order[j].table != order[i].table
			j++
		}
		if mixed {
			if i == 0 || &order[0] == &e.chains[0] {
				order = slices.Clone(order)
			}
			w.shuffle(order[i:j])
		}
		i = j
	}
	return order
}
