package trace

import (
	"bytes"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// xt evaluates an iptables extension inside nftables.
func (w *walk) xt(x *ruleset.Xt, r *rule) verdict {
	d := x.Decoded
	if v, ok := w.xtHeads(x.Name, r); ok && d == nil {
		return v
	}
	switch {
	case d == nil && x.Target && x.Name == "SYNPROXY":
		return w.bySynproxy(r)
	case d == nil && x.Target:
		return w.abort(r, "iptables target "+x.Name+" is not understood")
	case d == nil && x.Traffic() != nil:
		return w.xtTraffic(x, x.Traffic(), r)
	case d == nil && x.Name == "helper":
		return w.xtHelper(x, r)
	case d == nil && x.U32() != nil:
		return w.u32(x, x.U32(), r)
	case d == nil && x.Realm() != nil:
		return w.xtRealm(x.Realm(), r)
	case d == nil && x.Connlabel() != nil:
		return w.connlabel(x.Connlabel(), r)
	case d == nil && x.Drawn() != "":
		return w.drawn(x, r)
	case d == nil && x.Connbytes() != nil:
		return w.connbytes(x.Connbytes(), r)
	case d == nil:
		return w.maybe(r, "iptables match "+x.Name+" depends on more than the packet, or is not understood")
	case x.Target && d.Queue:
		return verdict{kind: vQueue, queue: x.QueueTo()}
	case x.Target && d.Zone != nil:
		if !w.skb.seen {
			w.zone.begins, w.zone.answers = x.Zones()
		}
	case x.Target:
		return w.xtTarget(d, r)
	default:
		return w.xtMatch(d, r)
	}
	return vNext
}

// extensionHeaders are matches on IPv6 extension headers, which hold only where there is the header.
var extensionHeaders = []string{"rt", "frag", "hbh", "dst", "mh"}

func (w *walk) xtTarget(d *ruleset.XtDecoded, r *rule) verdict {
	switch {
	case d.Reject:
		return w.reject()
	case d.Notrack:
		w.notrack()
	case d.TProxy != nil:
		return w.xtTProxy(d.TProxy, r)
	case d.Puts != nil:
		w.puts = append(w.puts, d.Puts)
	case d.TOS:
		w.skb.tos = true
	case d.Service != nil, d.TCPFlags != nil:
		w.writeMarks(d)
	case d.Classify != nil: // classify_tg
		w.skb.priority, w.skb.classed = word{v: *d.Classify}, false
	case d.Rewrite != nil:
		w.xtRewrite(d.Rewrite)
	case d.Mark != nil:
		m := &w.skb.mark
		m.v = m.v&^d.Mark.Mask ^ d.Mark.Mark
		m.unk &^= d.Mark.Mask
	case d.Connmark != nil:
		w.xtConnmark(d.Connmark)
	case d.NAT != nil:
		return w.xtNAT(d.NAT, r)
	}
	return vNext
}

// xtConnmark copies marks (connmark_tg).
func (w *walk) xtConnmark(c *ruleset.XtConnmark) {
	ct := w.skb.ct
	if ct == nil {
		return
	}
	switch c.Mode {
	case "set":
		ct.mark.v = c.Shifted(ct.mark.v&^c.Mask ^ c.Mark)
		ct.mark.unk = c.Shifted(ct.mark.unk &^ c.Mask)
	case "save":
		m := w.skb.mark
		ct.mark.v = ct.mark.v&^c.Mask ^ c.Shifted(m.v&c.NFMask)
		ct.mark.unk = ct.mark.unk&^c.Mask | c.Shifted(m.unk&c.NFMask)
	case "restore":
		m := &w.skb.mark
		m.v = m.v&^c.NFMask ^ c.Shifted(ct.mark.v&c.Mask)
		m.unk = m.unk&^c.NFMask | c.Shifted(ct.mark.unk&c.Mask)
	}
}

func (w *walk) xtNAT(n *ruleset.XtNAT, r *rule) verdict {
	c := w.skb.ct
	if c == nil {
		return verdict{kind: vAccept}
	}
	var addr netip.Addr
	if n.Kind == "netmap" {
		source := w.hook == packet.Postrouting || w.hook == packet.Input
		a, ok := w.pickAddr(w.width(n.AddrMin), w.width(n.AddrMax), true, source, r)
		if !ok {
			return verdict{kind: vStolen}
		}
		return w.translate(map[bool]string{true: "snat", false: "dnat"}[source], a, 0, 0, false)
	}
	if len(n.AddrMin) > 0 {
		lo, hi := w.width(n.AddrMin), w.width(n.AddrMax)
		if len(lo) == 0 || len(lo) != len(hi) {
			return w.abort(r, "a translation to an address of another family")
		}
		a, ok := w.pickAddr(lo, hi, false, n.Kind == "snat", r)
		if !ok {
			return verdict{kind: vStolen}
		}
		addr = a
	}
	return w.translate(n.Kind, addr, n.PortMin, n.PortMax, n.Flags&natChoosesPort != 0)
}

// width cuts an address of 16 bytes to the packet's family.
func (w *walk) width(b []byte) []byte {
	if w.skb.v4 && len(b) >= 4 {
		return b[:4]
	}
	if !w.skb.v4 && len(b) >= 16 {
		return b[:16]
	}
	return nil
}

func (w *walk) xtMatch(d *ruleset.XtDecoded, r *rule) verdict {
	s := &w.skb
	if c := w.skb.ct; w.region != nil || c != nil && (c.srcOpen || c.sportOpen) {
		if v, done := w.xtOpen(d, r); done {
			return v
		}
	}
	switch {
	case s.later() && (d.Ports != nil || d.Multiport != nil || d.ICMP != nil):
		return vNo // par->fragoff is not zero
	case d.State != nil:
		return decide((w.ctState()&d.State.Mask != 0) != d.State.Invert)
	case d.Ports != nil:
		return w.xtPorts(d.Ports, r)
	case d.Multiport != nil:
		return w.xtMultiport(d.Multiport)
	case d.ICMP != nil:
		return w.xtICMP(d.ICMP)
	case d.Mark != nil:
		if s.mark.unk&d.Mark.Mask != 0 {
			return w.maybe(r, "the packet's mark")
		}
		return decide((s.mark.v&d.Mark.Mask == d.Mark.Mark) != d.Mark.Invert)
	case d.Connmark != nil:
		return w.xtConnmarkMatch(d.Connmark, r)
	case d.Addrtype != nil:
		return w.xtAddrtype(d.Addrtype)
	case d.Conntrack != nil:
		return w.xtConntrack(d.Conntrack, r)
	case d.IPRange != nil:
		return w.xtIPRange(d.IPRange)
	case d.MAC != nil:
		return w.xtMAC(d.MAC, r)
	case d.RPFilter != nil:
		return w.xtRPFilter(d.RPFilter)
	case d.Pkttype != nil:
		return decide((uint32(s.pkttype) == d.Pkttype.Type) != d.Pkttype.Invert)
	case d.Physdev != nil:
		return w.xtPhysdev(d.Physdev, r)
	case d.TTL != nil:
		return w.xtTTL(d.TTL, r)
	case d.Socket != nil:
		return w.xtSocket(d.Socket, r)
	case d.Owner != nil:
		return w.xtOwner(d.Owner, r)
	case d.DSCP != nil:
		return w.xtDSCP(d.DSCP, r)
	case d.Set != nil:
		return w.xtSet(d.Set, r)
	}
	return w.xtSent(d, r)
}

// ctState is the state bits of the packet, as the conntrack match sees them.
func (w *walk) ctState() uint32 {
	switch {
	case w.skb.ct != nil:
		return w.skb.ct.state
	case w.skb.untrack:
		return ruleset.CtUntracked
	}
	return ruleset.CtInvalid
}

func inPorts(n uint16, r [2]uint16) bool { return n >= r[0] && n <= r[1] }

func (w *walk) xtPorts(p *ruleset.XtPorts, r *rule) verdict {
	s := &w.skb
	if !s.hasPorts() {
		return vNo
	}
	ok := inPorts(s.port(0), p.Sport) != p.InvertSport && inPorts(s.port(2), p.Dport) != p.InvertDport
	if ok && p.FlagMask != 0 && s.proto == packet.TCP {
		ok = (s.nh[s.thoff+13]&p.FlagMask == p.FlagCmp) != p.InvertFlags
	}
	if ok && p.Option != 0 && s.proto == packet.TCP {
		ok = w.option(ruleset.ExthdrTCP, uint32(p.Option), r) != p.InvertOption
	}
	return decide(ok)
}

func (w *walk) xtMultiport(p *ruleset.XtMultiport) verdict {
	s := &w.skb
	if !s.hasPorts() {
		return vNo
	}
	hit := false
	for _, rg := range p.Ranges {
		src, dst := inPorts(s.port(0), rg), inPorts(s.port(2), rg)
		hit = hit || p.Which != "destination" && src || p.Which != "source" && dst
	}
	return decide(hit != p.Invert)
}

func (w *walk) xtICMP(p *ruleset.XtICMP) verdict {
	s := &w.skb
	if s.proto != packet.ICMP && s.proto != packet.ICMPv6 {
		return vNo
	}
	typ, code := s.nh[s.thoff], s.nh[s.thoff+1]
	hit := p.Type == 0xff && s.v4 || typ == p.Type && code >= p.Codes[0] && code <= p.Codes[1]
	return decide(hit != p.Invert)
}

func (w *walk) xtConnmarkMatch(c *ruleset.XtConnmark, r *rule) verdict {
	ct := w.skb.ct
	if ct == nil {
		return vNo
	}
	if ct.mark.unk&c.Mask != 0 {
		return w.maybe(r, "the mark of the connection")
	}
	return decide((ct.mark.v&c.Mask == c.Mark) != c.Invert)
}

func (w *walk) xtAddrtype(a *ruleset.XtAddrtype) verdict {
	var dev *link
	if a.LimitIface {
		if dev = w.in; dev == nil {
			dev = w.out
		}
	}
	kind := func(addr netip.Addr) int {
		if w.skb.v4 {
			return w.addrType4(addr, dev)
		}
		return w.addrType6(&ruleset.Fib{}, addr, dev)
	}
	if a.Source != 0 && (a.Source&(1<<kind(w.skb.src())) != 0) == a.InvertSource {
		return vNo
	}
	if a.Dest != 0 && (a.Dest&(1<<kind(w.skb.dst())) != 0) == a.InvertDest {
		return vNo
	}
	return vNext
}

func (w *walk) xtIPRange(p *ruleset.XtIPRange) verdict {
	in := func(a netip.Addr, lo, hi []byte) bool {
		b := a.AsSlice()
		return len(lo) >= len(b) && bytes.Compare(b, lo[:len(b)]) >= 0 && bytes.Compare(b, hi[:len(b)]) <= 0
	}
	if p.Source && in(w.skb.src(), p.SrcMin, p.SrcMax) == p.InvertSource {
		return vNo
	}
	if p.Dest && in(w.skb.dst(), p.DstMin, p.DstMax) == p.InvertDest {
		return vNo
	}
	return vNext
}

func (w *walk) xtMAC(p *ruleset.XtMAC, r *rule) verdict {
	s := &w.skb
	if s.link == nil || w.in == nil {
		return vNo
	}
	if anyBit(s.linkUnk[6:12]) {
		return w.maybe(r, "the sender's hardware address")
	}
	return decide(bytes.Equal(s.link[6:12], p.Addr) != p.Invert)
}

// xtRPFilter looks up the way back to the source (rpfilter_lookup_reverse).
func (w *walk) xtRPFilter(p *ruleset.XtRPFilter) verdict {
	s := &w.skb
	if w.in == nil || w.in.Loopback || s.v4 && w.fromNobody() || !s.v4 && s.src().IsUnspecified() {
		return decide(!p.Invert)
	}
	fl := flow{dst: s.src(), src: backFrom(s.dst())}
	if p.ValidMark {
		fl.mark = s.mark
	}
	if !s.v4 && isLinkLocal(s.src()) {
		fl.oif = w.in.Index
	}
	res := w.lookupRoute(w.fib(), &fl)
	ok := res.kind == rtnUnicast || res.kind == rtnLocal && p.AcceptLocal
	if ok && !p.Loose {
		ok = res.oif == w.in
	}
	return decide(ok != p.Invert)
}

// xtOwner asks who sends the packet (owner_mt): of one that came in nobody is known, and it matches only
// where each question is inverted.
func (w *walk) xtOwner(x *ruleset.XtOwner, r *rule) verdict {
	switch by := w.p.By.IDs(); {
	case w.local && by != nil && x.Known:
		return decide(x.Matches(by.UID, by.GID))
	case w.local:
		return w.maybe(r, "the process that sends it")
	}
	return decide(x.Match == x.Invert)
}

// xtPhysdev asks for bridge ports; a packet that is not bridged has none (physdev_mt).
func (w *walk) xtPhysdev(p *ruleset.XtPhysdev, r *rule) verdict {
	if w.physIn == nil && (w.local || w.camein == nil || w.camein.Kind != "bridge" || !w.callsIPTables(w.camein)) {
		return decide(p.Matches(false, "", ""))
	}
	if w.physIn == nil { // by some port
		ports := w.camein.ports
		if len(ports) == 0 {
			return w.maybe(r, "the bridge port of the packet")
		}
		first := p.Matches(true, ports[0].Name, "")
		if !slices.ContainsFunc(ports, func(l *link) bool { return p.Matches(true, l.Name, "") != first }) {
			return decide(first)
		}
		w.physIn = w.somePort(w.camein)
	}
	out := ""
	if w.physOut != nil {
		out = w.physOut.Name
	}
	return decide(p.Matches(true, w.physIn.Name, out))
}

// somePort is the port of a bridge by which a packet came in of which that is not said.
func (w *walk) somePort(bridge *link) *link {
	return bridge.ports[w.choose(len(bridge.ports), nil, "the port of "+bridge.Name+" that the packet came in by")]
}

// xtConntrack applies the parts of the match that are asked for (conntrack_mt).
func (w *walk) xtConntrack(x *ruleset.XtConntrack, r *rule) verdict {
	ct := w.skb.ct
	asked := func(bit uint16) bool { return x.Flags&bit != 0 }
	inverted := func(bit uint16) bool { return x.Invert&bit != 0 }
	if asked(ruleset.XtCtState) {
		bits := stateMask(w.ctState())
		if ct != nil && ct.status.v&ipsSrcNAT != 0 {
			bits |= ruleset.XtStateSNAT
		}
		if ct != nil && ct.status.v&ipsDstNAT != 0 {
			bits |= ruleset.XtStateDNAT
		}
		if ct != nil && ct.status.unk != 0 && x.State&bits == 0 && x.State&(ruleset.XtStateSNAT|ruleset.XtStateDNAT) != 0 {
			return w.maybe(r, "the status of an established connection")
		}
		if (x.State&bits != 0) == inverted(ruleset.XtCtState) {
			return vNo
		}
	}
	if ct == nil {
		return decide(x.Flags&^ruleset.XtCtState == 0)
	}
	if !ct.known && x.Flags&^ruleset.XtCtState != 0 {
		return w.maybe(r, "the addresses and status of an established connection")
	}
	if asked(ruleset.XtCtDirection) && inverted(ruleset.XtCtDirection) { // original, unless inverted
		return vNo
	}
	if asked(ruleset.XtCtProto) && (uint16(w.skb.proto) == x.Proto) == inverted(ruleset.XtCtProto) {
		return vNo
	}
	addrs := [4]netip.Addr{ct.src, ct.dst, ct.newDst, ct.newSrc}
	ports := [4]uint16{ct.sport, ct.dport, ct.newDpt, ct.newSport}
	for i := range 4 {
		bit := uint16(ruleset.XtCtOrigSrc << i)
		if asked(bit) && masked(addrs[i], x.Addrs[i], x.Masks[i]) == inverted(bit) {
			return vNo
		}
		bit = uint16(ruleset.XtCtOrigSport << i)
		if asked(bit) && inPorts(ports[i], x.Ports[i]) == inverted(bit) {
			return vNo
		}
	}
	if asked(ruleset.XtCtStatus) && (uint16(ct.status.v)&x.Status != 0) == inverted(ruleset.XtCtStatus) {
		return vNo
	}
	if asked(ruleset.XtCtExpires) {
		return w.maybe(r, "when the connection expires")
	}
	return vNext
}

// stateMask turns ct state bits into XT_CONNTRACK_STATE bits.
func stateMask(state uint32) uint16 {
	if state == ruleset.CtUntracked {
		return 1 << 8
	}
	return uint16(state)
}

func masked(a netip.Addr, want, mask []byte) bool {
	b := a.AsSlice()
	if len(want) < len(b) || len(mask) < len(b) {
		return false
	}
	for i := range b {
		if (b[i]^want[i])&mask[i] != 0 {
			return false
		}
	}
	return true
}
