package trace

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// Region is many packets at once, which differ in addresses and ports alone: all addresses of two
// prefixes, all ports that share their upper bits. It is followed as one packet whose lower bits are
// not known; what they decide is taken both ways, so that the ends include every packet's.
type Region struct {
	packet.Packet // its addresses and ports are the first ones
	Src, Dst      netip.Prefix
	Sport, Dport  Ports
	// In bounds the fields further, in the order source, destination, source port, destination port: a packet of the region has one of these
	// numbers in each of them. None is all.
	In [4][]Span
	// EndFirst prefers to narrow what a way got stuck at over what it was undecided about before: which
	// of the two needs fewer steps depends on the rules.
	EndFirst bool
}

// Ports is 1<<Free ports from First on; First is a multiple of that.
type Ports struct {
	First uint16
	Free  int
}

// End is where packets of a region can end.
type End struct {
	Fate
	// Split names a field that has to be narrowed before more can be said: 's', 'd' the addresses, 'p',
	// 'q' the ports; 0 where narrowing does not help.
	Split byte
	// PortLow and PortHigh bound the destination port at the end, where Ports says that there is one.
	Ports             bool
	PortLow, PortHigh uint16
	// Dst is the least prefix that holds all destinations at the end.
	Dst netip.Prefix
	// DstIn and DportIn are exactly the destinations, and their ports, of the packets that end here; nil where they are no longer as sent.
	DstIn, DportIn []Span
	// Translated says that each packet of this way has got another destination from a rule.
	Translated bool
}

const splitMark = "narrow the region: "

func splitField(f byte) string { return splitMark + string(f) }

// Region follows a region, and calls each for every way that it can go until that returns false. The end is valid until each returns. It
// reports false where there are too many ways.
func (t *Tracer) Region(r *Region, each func(*End) bool) bool {
	r.Packet.Src, r.Packet.Dst = r.Src.Addr(), r.Dst.Addr()
	r.Packet.Sport, r.Packet.Dport = r.Sport.First, r.Dport.First
	w := &t.walk
	defer func() { w.region = nil }()
	w.region = r
	w.choices = w.choices[:0]
	for i := range w.cuts {
		w.cuts[i] = w.cuts[i][:0]
	}
	for range mostWays {
		w.start(&r.Packet)
		f := w.run()
		t.cost += w.evaluated
		e := &w.end
		*e = End{Fate: f, Ports: w.skb.hasPorts(), Dst: w.destinations()}
		if c := w.skb.ct; c != nil {
			e.Translated = c.status.v&^c.status.unk&ipsDstNAT != 0
		}
		e.Translated = e.Translated || w.skb.readdressed
		if e.Ports {
			e.PortLow, e.PortHigh = w.portSpan(2)
		}
		e.DstIn, e.DportIn = w.exact('d'), w.exact('q')
		if w.stuck != nil {
			e.Fate = Fate{Fate: Unknown, Why: w.stuck.String()}
		}
		e.Split = w.toNarrow()
		if !each(e) || !w.advance() {
			return true
		}
	}
	return false
}

// mostWays bounds the ways of a region.
const mostWays = 2048

// exact is the numbers of a field on the way, as long as it is as sent.
func (w *walk) exact(f byte) []Span {
	if !w.asSent(f) {
		return nil
	}
	return w.field(f).left
}

// destinations is the least prefix that holds all destinations that the packet can have.
func (w *walk) destinations() netip.Prefix {
	d, s := w.skb.dst(), &w.skb
	at, n := s.addrAt()+4, 4
	if !s.v4 {
		at, n = s.addrAt()+16, 16
	}
	for bit := range 8 * n {
		if s.unk[at+bit/8]&(0x80>>(bit%8)) != 0 {
			return netip.PrefixFrom(d, bit).Masked()
		}
	}
	return netip.PrefixFrom(d, 8*n)
}

// toNarrow is the field that decides most: that of the first choice, then what the walk got stuck at,
// then that of a choice that lets packets through either way.
func (w *walk) toNarrow() (f byte) {
	if w.stuck != nil && w.region.EndFirst {
		if f := fieldOf(w.stuck.Text); f != 0 {
			return f
		}
	}
	for i := range w.choices[:min(w.at, len(w.choices))] {
		c := &w.choices[i]
		if of := fieldOf(c.cause.Text); of != 0 {
			return of
		}
		if of := fieldOf(strings.TrimSuffix(c.cause.Text, weak)); of != 0 && f == 0 {
			f = of
		}
	}
	if w.stuck != nil {
		if of := fieldOf(w.stuck.Text); of != 0 {
			return of
		}
	}
	return f
}

// Parts are the addresses of a field that the stack treats unlike each other and the rest, on the way that has just been told of; none where
// that is not known.
func (t *Tracer) Parts(f byte) []Span {
	if w := &t.walk; (f == 's' || f == 'd') && w.asSent(f) {
		return w.landmarksIn(w.field(f).left)
	}
	return nil
}

func fieldOf(why string) byte {
	if f, ok := strings.CutPrefix(why, splitMark); ok && len(f) == 1 {
		return f[0]
	}
	return 0
}

// free makes the bits of the region that are not fixed unknown.
func (r *Region) free(s *skb) {
	if r.Out != "" { // whichever neighbour behind that port
		for i := range s.linkUnk[:min(len(s.linkUnk), 6)] {
			s.linkUnk[i] = 0xff
		}
	}
	size, src, dst := 4, 12, 16
	if !s.v4 {
		size, src, dst = 16, 8, 24
	}
	set := func(at, n int) {
		for bit := n; bit < 8*size; bit++ {
			s.unk[at+bit/8] |= 0x80 >> (bit % 8)
		}
	}
	s.openHead()
	set(src, r.Src.Bits())
	set(dst, r.Dst.Bits())
	if s.hasPorts() {
		for at, p := range map[int]Ports{0: r.Sport, 2: r.Dport} {
			mask := uint16(1)<<p.Free - 1
			if p.Free == 16 {
				mask = 0xffff
			}
			s.unk[s.thoff+at], s.unk[s.thoff+at+1] = byte(mask>>8), byte(mask)
		}
	}
}

// open says whether an address of the packet has bits that are not known: 's' or 'd'.
func (w *walk) open(f byte) bool {
	at, n := w.skb.addrAt(), 4
	if !w.skb.v4 {
		n = 16
	}
	if f == 'd' {
		at += n
	}
	return anyBit(w.skb.unk[at : at+n])
}

// openPort says whether a port is not known: 0 the source's, 2 the destination's.
func (w *walk) openPort(at int) bool {
	return w.skb.hasPorts() && anyBit(w.skb.unk[w.skb.thoff+at:w.skb.thoff+at+2])
}

// openField names the field that a load of header bytes leaves open.
func (w *walk) openField(o *op) string {
	at := o.off
	if o.base == 't' {
		at += w.skb.thoff
	}
	a, n := w.skb.addrAt(), 4
	if !w.skb.v4 {
		n = 16
	}
	switch {
	case o.base == 'l':
	case at+o.n > a && at < a+n && w.open('s'):
		return splitField('s')
	case at+o.n > a+n && at < a+2*n && w.open('d'):
		return splitField('d')
	case at >= w.skb.thoff && at < w.skb.thoff+2 && w.openPort(0):
		return splitField('p')
	case at < w.skb.thoff+4 && at+o.n > w.skb.thoff+2 && w.openPort(2):
		return splitField('q')
	}
	return "header bytes that the question leaves open"
}

// openTuple names the field of the region that a conntrack address or port depends on; the region's
// own fields are asked, because a translation can have changed the packet's.
func (w *walk) openTuple(e *ruleset.Ct) string {
	if w.region == nil {
		return ""
	}
	open := w.region.openFields()
	if f := originalField(e, w.skb.v4); f != 0 {
		if open[f] {
			return splitField(f)
		}
		return ""
	}
	switch e.Key {
	case ruleset.CtSrc, ruleset.CtSrcIP, ruleset.CtSrcIP6, ruleset.CtDst, ruleset.CtDstIP, ruleset.CtDstIP6:
		return firstOpen(open, 's', 'd')
	case ruleset.CtProtoSrc, ruleset.CtProtoDst:
		return firstOpen(open, 'p', 'q')
	}
	return ""
}

// openFields are the fields in which the packets of a region differ.
func (r *Region) openFields() map[byte]bool {
	return map[byte]bool{'s': !r.Src.IsSingleIP(), 'd': !r.Dst.IsSingleIP(), 'p': r.Sport.Free > 0, 'q': r.Dport.Free > 0}
}

func firstOpen(open map[byte]bool, fields ...byte) string {
	for _, f := range fields {
		if open[f] {
			return splitField(f)
		}
	}
	return ""
}

// openConntrack names the field of the region that a match of conntrack depends on, or what the translation chose: nothing
// where it asks for the state, the status or the direction alone.
func (w *walk) openConntrack(x *ruleset.XtConntrack) string {
	c := w.skb.ct
	switch {
	case c != nil && c.srcOpen && x.Flags&ruleset.XtCtReplDst != 0:
		return "which source the translation took"
	case c != nil && c.sportOpen && x.Flags&ruleset.XtCtReplDport != 0:
		return "which port the translation took"
	case w.region == nil:
		return ""
	}
	open := w.region.openFields()
	for _, asked := range []struct {
		flags  uint16
		fields []byte
	}{
		{ruleset.XtCtOrigSrc, []byte{'s'}},
		{ruleset.XtCtOrigDst, []byte{'d'}},
		{ruleset.XtCtOrigSport, []byte{'p'}},
		{ruleset.XtCtOrigDport, []byte{'q'}},
		{ruleset.XtCtReplSrc | ruleset.XtCtReplDst, []byte{'s', 'd'}},
		{ruleset.XtCtReplSport | ruleset.XtCtReplDport, []byte{'p', 'q'}},
	} {
		if f := firstOpen(open, asked.fields...); x.Flags&asked.flags != 0 && f != "" {
			return f
		}
	}
	return ""
}

// landmarks are the prefixes that the stack decides by: the routes, the policy rules, the host's own
// addresses, those of sockets, and those with a meaning of their own.
func (t *Tracer) landmarks(v4 bool) []netip.Prefix {
	if v4 && t.marks4 != nil {
		return t.marks4
	}
	if !v4 && t.marks6 != nil {
		return t.marks6
	}
	texts, f := []string{"127.0.0.0/8", "224.0.0.0/4", "224.0.0.0/24", "224.0.0.1/32", "255.255.255.255/32", "0.0.0.0/32"}, t.fib4
	if !v4 {
		texts, f = []string{"::1/128", "::/128", "fe80::/10", "ff00::/8", "ff02::/16", "ff02::1/128", "::ffff:0:0/96"}, t.fib6
	}
	var list []netip.Prefix
	for _, s := range texts {
		list = append(list, netip.MustParsePrefix(s))
	}
	for _, tab := range f.tables {
		for p := range tab.byDst {
			list = append(list, p)
		}
	}
	for _, r := range f.rules {
		for _, p := range []netip.Prefix{r.src, r.dst} {
			if p.IsValid() {
				list = append(list, p.Masked())
			}
		}
	}
	for _, l := range t.links {
		for _, p := range l.nets {
			if p.Addr().Is4() == v4 {
				list = append(list, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
				if v4 && l.broadcast(lastOf(p)) {
					list = append(list, netip.PrefixFrom(lastOf(p), 32))
				}
			}
		}
	}
	for i := range t.policies {
		for _, p := range []netip.Prefix{t.policies[i].src, t.policies[i].dst} {
			if p.IsValid() && p.Addr().Is4() == v4 {
				list = append(list, p.Masked())
			}
		}
	}
	for i := range t.sockets {
		if a := t.sockets[i].addr.Unmap(); a.Is4() == v4 && !a.IsUnspecified() {
			list = append(list, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	list = append(list, t.gateMarks(v4)...)
	list = append(list, t.joinedBy(v4, list)...)
	slices.SortFunc(list, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	if v4 {
		t.marks4 = list
	} else {
		t.marks6 = list
	}
	return list
}

// joinedBy are the multicast groups of links, and notes the links of each that is no landmark besides.
func (t *Tracer) joinedBy(v4 bool, list []netip.Prefix) (groups []netip.Prefix) {
	others := make(map[netip.Prefix]bool, len(list))
	for _, p := range list {
		others[p] = true
	}
	if t.members == nil {
		t.members = map[netip.Prefix][]*link{}
	}
	for _, l := range t.links {
		for _, g := range l.groups {
			if g.addr.Is4() != v4 {
				continue
			}
			p := netip.PrefixFrom(g.addr, g.addr.BitLen())
			groups = append(groups, p)
			if !others[p] {
				t.members[p] = append(t.members[p], l)
			}
		}
	}
	return groups
}

// meets says whether a packet of the region can come in by one of some links: that which it is said to come in by, its bridge, or one of its
// ports. Only of the link that a packet comes in by it is asked which groups it has joined (ip_check_mc_rcu, ipv6_chk_mcast_addr).
func (w *walk) meets(links []*link) bool {
	in := w.names[w.p.In]
	return in == nil || slices.ContainsFunc(links, func(l *link) bool {
		return l == in || l.Index == in.Master || l.Master == in.Index
	})
}

// lastOf is the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < 8*len(b); bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// uniform says whether the stack treats all addresses that the packet can have in a field ('s' or 'd')
// alike: no landmark has a part of them.
func (w *walk) uniform(f byte) bool {
	if !w.open(f) {
		return true
	}
	if w.region == nil || f == 's' && w.translatedAnyhow() {
		return false
	}
	if w.asSent(f) {
		return !w.parted(f)
	}
	p := w.region.Src
	if f == 'd' {
		p = w.region.Dst
	}
	marks := w.landmarks(w.skb.v4)
	i, _ := slices.BinarySearchFunc(marks, p.Addr(), func(m netip.Prefix, a netip.Addr) int { return m.Addr().Compare(a) })
	for ; i < len(marks) && p.Contains(marks[i].Addr()); i++ {
		if marks[i].Bits() > p.Bits() {
			return false
		}
	}
	return true
}

// translatedAnyhow says whether the packet has a new source of which the kernel chose a part.
func (w *walk) translatedAnyhow() bool { return w.skb.ct != nil && w.skb.ct.srcOpen }

// settled says whether the destination is narrow enough to be routed; else the walk ends with the
// field to narrow.
func (w *walk) settled() bool {
	if w.uniform('d') {
		return true
	}
	w.narrow('d')
	return false
}

// narrow ends the walk of a region with the field to narrow.
func (w *walk) narrow(f byte) verdict { return w.abort(nil, splitField(f)) }

// openSource says of a check of the source that it cannot be made for the whole region: it is taken
// both ways, and the result is whether the packet passes.
func (w *walk) openSource() (open, passes bool) { return w.openAddr('s') }

func (w *walk) openAddr(f byte) (open, passes bool) {
	if w.uniform(f) {
		return false, false
	}
	return true, w.choose(2, nil, splitField(f)+weak) == 0
}

// weak marks a choice that narrowing can only turn into a drop: what it lets through goes on as before.
const weak = " at last"

// someSocket says whether a socket listens for any of the ports that the packet can have.
func (w *walk) someSocket() bool {
	if !w.openPort(2) {
		return false
	}
	lo, hi := w.portSpan(2)
	exact := w.exact('q')
	for i := range w.sockets {
		s := &w.sockets[i]
		if len(exact) > 0 && !hasPort(exact, s.Port) {
			continue
		}
		if s.proto == w.skb.proto && s.Port >= int(lo) && s.Port <= int(hi) && w.score(s, w.skb.dst()) >= 0 {
			return true
		}
	}
	return false
}

// portSpan is the least and the greatest that a port can be.
func (w *walk) portSpan(at int) (lo, hi uint16) {
	at += w.skb.thoff
	free := uint16(w.skb.unk[at])<<8 | uint16(w.skb.unk[at+1])
	n := uint16(w.skb.nh[at])<<8 | uint16(w.skb.nh[at+1])
	return n &^ free, n | free
}

// xtOpen evaluates the matches of iptables that ask for what the region leaves open. It is not done
// where they do not.
func (w *walk) xtOpen(d *ruleset.XtDecoded, r *rule) (verdict, bool) {
	narrow := func(f byte) (verdict, bool) { return w.maybe(r, splitField(f)), true }
	switch {
	case d.Ports != nil && w.skb.hasPorts():
		for _, p := range []struct {
			at     int
			in     [2]uint16
			invert bool
			f      byte
		}{{0, d.Ports.Sport, d.Ports.InvertSport, 'p'}, {2, d.Ports.Dport, d.Ports.InvertDport, 'q'}} {
			if !w.openPort(p.at) {
				continue
			}
			if w.asSent(p.f) {
				if w.part(p.f, spans{portSpan(p.in[0], p.in[1])}, r) == p.invert {
					return vNo, true
				}
				continue
			}
			lo, hi := w.portSpan(p.at)
			inside, outside := lo >= p.in[0] && hi <= p.in[1], hi < p.in[0] || lo > p.in[1]
			switch {
			case !inside && !outside:
				return narrow(p.f)
			case inside == p.invert:
				return vNo, true
			}
		}
	case d.Multiport != nil && w.skb.hasPorts():
		return w.openMultiport(d.Multiport, r)
	case d.IPRange != nil:
		if d.IPRange.Source && w.open('s') {
			return narrow('s')
		}
		if d.IPRange.Dest && w.open('d') {
			return narrow('d')
		}
	case d.Conntrack != nil:
		if f := w.openConntrack(d.Conntrack); f != "" {
			return w.maybe(r, f), true
		}
	case d.Addrtype != nil || d.RPFilter != nil:
		if (d.RPFilter != nil || d.Addrtype.Source != 0) && !w.uniform('s') {
			return narrow('s')
		}
		if (d.RPFilter != nil || d.Addrtype.Dest != 0) && !w.settled() {
			return verdict{kind: vStolen}, true
		}
	}
	return verdict{}, false
}
