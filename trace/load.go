package trace

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

// metaLen is how many bytes a meta key loads.
func metaLen(key uint32) int {
	switch key {
	case ruleset.MetaIifname, ruleset.MetaOifname, ruleset.MetaIifkind, ruleset.MetaOifkind,
		ruleset.MetaBriIifname, ruleset.MetaBriOifname, ruleset.MetaSdifname:
		return 16
	case ruleset.MetaTimeNs:
		return 8
	}
	return 4
}

// meta loads meta data of the packet (nft_meta_get_eval). A key that the packet does not have ends
// the rule.
func (w *walk) meta(o *op, r *rule) verdict {
	g, s := &w.regs, &w.skb
	switch o.key {
	case ruleset.MetaProtocol:
		g.put32(o.dreg, 0)
		binary.BigEndian.PutUint16(g.v[o.dreg:], s.etherType())
	case ruleset.MetaNfproto:
		g.put8(o.dreg, w.nfproto())
	case ruleset.MetaL4proto:
		g.put8(o.dreg, s.proto)
	case ruleset.MetaMark:
		g.putWord(o.dreg, s.mark)
	case ruleset.MetaPriority, ruleset.MetaRtclassid, ruleset.MetaSecmark:
		g.put32(o.dreg, 0)
	case ruleset.MetaSecpath:
		return w.unknownReg(o.dreg, 1, "whether the packet came through IPsec")
	case ruleset.MetaPkttype:
		g.put8(o.dreg, s.pkttype)
	case ruleset.MetaIif, ruleset.MetaIifname, ruleset.MetaIiftype, ruleset.MetaIifgroup, ruleset.MetaIifkind:
		return w.linkKey(o, w.in, o.key, r)
	case ruleset.MetaOif, ruleset.MetaOifname, ruleset.MetaOiftype, ruleset.MetaOifgroup, ruleset.MetaOifkind:
		return w.linkKey(o, w.out, o.key-1, r) // each oif key follows its iif key
	case ruleset.MetaSdif:
		g.put32(o.dreg, 0)
	case ruleset.MetaSdifname:
		g.put(o.dreg, make([]byte, 16))
	case ruleset.MetaBriIifname, ruleset.MetaBriOifname:
		port := w.in
		if o.key == ruleset.MetaBriOifname {
			port = w.out
		}
		if port == nil || w.links[port.Master] == nil {
			return vNo
		}
		g.put(o.dreg, w.links[port.Master].name[:])
	case ruleset.MetaSkuid, ruleset.MetaSkgid, ruleset.MetaCgroup:
		if !w.local {
			return vNo // nobody's socket yet
		}
		return w.unknownReg(o.dreg, 4, "the process that sends it")
	case ruleset.MetaLen:
		return w.unknownReg(o.dreg, 4, "the length of the packet")
	case ruleset.MetaCPU:
		return w.unknownReg(o.dreg, 4, "the processor that receives it")
	default:
		return w.unknownReg(o.dreg, metaLen(o.key), "a meta key that depends on more than the packet")
	}
	return vNext
}

// nfproto is the family of the hook (NFPROTO_*).
func (w *walk) nfproto() uint8 {
	switch {
	case w.family == 'b':
		return 7
	case w.family == 'n':
		return w.netdevProto
	case w.skb.v4:
		return 2
	}
	return 10
}

// linkKey loads what the kernel knows of an interface. Without one, index and name are zero, and the
// other keys end the rule (nft_meta_store_ifindex and its neighbours).
func (w *walk) linkKey(o *op, l *link, key uint32, r *rule) verdict {
	g := &w.regs
	switch key {
	case ruleset.MetaIif:
		if l == nil {
			g.put32(o.dreg, 0)
		} else {
			g.put32(o.dreg, uint32(l.Index))
		}
		return vNext
	case ruleset.MetaIifname:
		if l == nil {
			g.put(o.dreg, make([]byte, 16))
		} else {
			g.put(o.dreg, l.name[:])
		}
		return vNext
	}
	if key == ruleset.MetaIiftype && (w.hook == "postrouting" || w.hook == "egress" || w.family == 'b' && w.hook == "forward") {
		l = w.out // the kernel reads the type from where the packet is now, not from where it came in
	}
	if l == nil {
		return vNo
	}
	switch key {
	case ruleset.MetaIiftype:
		if l.Hardware == 0 {
			return w.unknownReg(o.dreg, 2, "the hardware type of "+l.Name)
		}
		g.put16(o.dreg, l.Hardware)
	case ruleset.MetaIifgroup:
		g.put32(o.dreg, l.Group)
	case ruleset.MetaIifkind:
		if l.Kind == "device" || l.Kind == "" {
			return vNo
		}
		b := make([]byte, 16)
		copy(b[:15], l.Kind)
		g.put(o.dreg, b)
	}
	return vNext
}

// payload loads bytes of the packet (nft_payload_eval); where they are not all there, the rule ends.
func (w *walk) payload(o *op, r *rule) verdict {
	s := &w.skb
	var b, unk []byte
	off := o.off
	switch o.base {
	case 'l':
		b, unk = s.link, s.linkUnk
		if b == nil {
			return vNo
		}
	case 'n':
		b, unk = s.nh, s.unk
		if s.tos && off <= 1 && off+o.n > 1 {
			return w.unknownReg(o.dreg, o.n, "the type of service, which a rule changed")
		}
	case 't':
		b, unk = s.nh[s.thoff:], s.unk[s.thoff:]
	default:
		return w.beyond(o, r)
	}
	if off < 0 || off+o.n > len(b) || off+o.n < off {
		if o.base == 'l' {
			return vNo
		}
		return w.beyond(o, r)
	}
	w.regs.putUnk(o.dreg, b[off:off+o.n], unk[off:off+o.n])
	if w.regs.dirty {
		w.why[o.dreg/4] = "header bytes that the question leaves open"
		if w.region != nil {
			w.why[o.dreg/4] = w.openField(o)
		}
	}
	return vNext
}

// beyond is a load after the headers: whether the packet has data there is left open, but for a SYN,
// which has none.
func (w *walk) beyond(o *op, r *rule) verdict {
	const why = "the data of the packet"
	if w.choose(2, r, why) == 0 {
		return vNo
	}
	return w.unknownReg(o.dreg, o.n, why)
}

// payloadSet writes a register into the packet.
func (w *walk) payloadSet(p *ruleset.Payload, r *rule) verdict {
	s := &w.skb
	at := regOffset(p.Sreg)
	off, n := int(p.Offset), int(p.Len)
	b, unk := s.nh, s.unk
	switch p.Base {
	case ruleset.BaseLink:
		b, unk = s.link, s.linkUnk
	case ruleset.BaseTransport:
		off += s.thoff
	case ruleset.BaseInner:
		return w.maybe(r, "whether the packet has data to change")
	}
	if at < 0 || n < 0 || at+n > regBytes {
		return w.abort(r, "a register that does not exist")
	}
	if off < 0 || off+n > len(b) {
		return vNo
	}
	copy(b[off:], w.regs.v[at:at+n])
	if w.regs.dirty {
		copy(unk[off:], w.regs.unk[at:at+n])
	} else {
		clear(unk[off : off+n])
	}
	if p.Base == ruleset.BaseNetwork && anyBit(s.unk[s.addrAt():s.thoff]) {
		return w.abort(r, "an address is changed to what is not known")
	}
	return vNext
}

func (s *skb) addrAt() int {
	if s.v4 {
		return 12
	}
	return 8
}

func (w *walk) readWord(reg uint32) (word, bool) {
	at := regOffset(reg)
	if at < 0 {
		return word{}, false
	}
	out := word{v: binary.NativeEndian.Uint32(w.regs.v[at:])}
	if w.regs.dirty {
		out.unk = binary.NativeEndian.Uint32(w.regs.unk[at:])
	}
	return out, true
}

func (w *walk) metaSet(m *ruleset.Meta, r *rule) verdict {
	v, ok := w.readWord(m.Sreg)
	if !ok {
		return w.abort(r, "a register that does not exist")
	}
	switch m.Key {
	case ruleset.MetaMark:
		w.skb.mark = v
	case ruleset.MetaPkttype:
		if v.unk&0xff != 0 {
			return w.abort(r, "the packet type is set to what is not known")
		}
		w.skb.pkttype = uint8(v.v) // the register's first byte; little-endian hosts only differ in print
	case ruleset.MetaPriority, ruleset.MetaNftrace, ruleset.MetaSecmark:
	default:
		return w.abort(r, "a meta key is set that is not understood")
	}
	return vNext
}

// conn is the conntrack entry of the packet.
type conn struct {
	state  uint32 // ct state bits
	status word
	mark   word
	zone   uint16
	reply  word // direction: 0 original, 1 reply; unknown bits where the question leaves it open
	known  bool // the tuples are known: a first packet
	// The original direction as the packet had it, and where translations lead.
	src, dst         netip.Addr
	sport, dport     uint16
	newSrc, newDst   netip.Addr
	newSport, newDpt uint16
	natDst, natSrc   bool // initialized, also by a null binding
}

// The status bits (enum ip_conntrack_status).
const (
	ipsExpected   = 1 << 0
	ipsSeenReply  = 1 << 1
	ipsAssured    = 1 << 2
	ipsConfirmed  = 1 << 3
	ipsSrcNAT     = 1 << 4
	ipsDstNAT     = 1 << 5
	ipsSrcNATDone = 1 << 7
	ipsDstNATDone = 1 << 8
)

// ct loads a conntrack key (nft_ct_get_eval). Without an entry the state is invalid, or untracked,
// and every other key ends the rule.
func (w *walk) ct(e *ruleset.Ct, r *rule) verdict {
	at := regOffset(e.Dreg)
	if at < 0 || at+ctLen(e.Key) > regBytes {
		return w.abort(r, "a register that does not exist")
	}
	c := w.skb.ct
	if e.Key == ruleset.CtState {
		switch {
		case c != nil:
			w.regs.put32(at, c.state)
		case w.skb.untrack:
			w.regs.put32(at, ruleset.CtUntracked)
		default:
			w.regs.put32(at, ruleset.CtInvalid)
		}
		return vNext
	}
	if c == nil {
		return vNo
	}
	switch e.Key {
	case ruleset.CtDirection:
		w.regs.putWord(at, c.reply)
	case ruleset.CtStatus:
		w.regs.putWord(at, c.status)
	case ruleset.CtMark:
		w.regs.putWord(at, c.mark)
	case ruleset.CtHelper:
		if c.state == ruleset.CtNew {
			return vNo
		}
		return w.unknownReg(at, 16, "the helper of the connection")
	case ruleset.CtL3proto:
		w.regs.put8(at, map[bool]uint8{true: 2, false: 10}[w.skb.v4])
	case ruleset.CtProtocol:
		w.regs.put8(at, w.skb.proto)
	case ruleset.CtZone:
		w.regs.put16(at, c.zone)
	case ruleset.CtLabels:
		if !c.known {
			return w.unknownReg(at, 16, "the labels of the connection")
		}
		w.regs.put(at, make([]byte, 16))
	default:
		return w.ctTuple(e, at, c)
	}
	return vNext
}

func ctLen(key uint32) int {
	switch key {
	case ruleset.CtSrc, ruleset.CtDst, ruleset.CtSrcIP6, ruleset.CtDstIP6, ruleset.CtHelper, ruleset.CtLabels:
		return 16
	case ruleset.CtPkts, ruleset.CtBytes, ruleset.CtAvgpkt:
		return 8
	}
	return 4
}

// ctTuple loads an address or port of the connection in one direction.
func (w *walk) ctTuple(e *ruleset.Ct, at int, c *conn) verdict {
	if !c.known {
		return w.unknownReg(at, ctLen(e.Key), "the addresses of an established connection")
	}
	if f := w.openTuple(e); f != "" {
		return w.unknownReg(at, ctLen(e.Key), f)
	}
	src, dst, sport, dport := c.src, c.dst, c.sport, c.dport
	if e.Dir == "reply" {
		src, dst, sport, dport = c.newDst, c.newSrc, c.newDpt, c.newSport
	}
	put16 := func(n uint16) {
		w.regs.put32(at, 0)
		binary.BigEndian.PutUint16(w.regs.v[at:], n)
	}
	switch e.Key {
	case ruleset.CtSrc, ruleset.CtSrcIP, ruleset.CtSrcIP6:
		return w.ctAddr(e.Key, at, src)
	case ruleset.CtDst, ruleset.CtDstIP, ruleset.CtDstIP6:
		return w.ctAddr(e.Key, at, dst)
	case ruleset.CtProtoSrc:
		put16(sport)
	case ruleset.CtProtoDst:
		put16(dport)
	default:
		return w.unknownReg(at, ctLen(e.Key), "a property of the connection that grows with its traffic")
	}
	return vNext
}

// ctAddr loads an address; a key of the other family ends the rule.
func (w *walk) ctAddr(key uint32, at int, a netip.Addr) verdict {
	switch key {
	case ruleset.CtSrcIP, ruleset.CtDstIP:
		if !w.skb.v4 {
			return vNo
		}
	case ruleset.CtSrcIP6, ruleset.CtDstIP6:
		if w.skb.v4 {
			return vNo
		}
	}
	w.regs.put(at, a.AsSlice())
	return vNext
}

// ctSet changes the conntrack entry (nft_ct_set_eval); without one it does nothing.
func (w *walk) ctSet(e *ruleset.Ct, r *rule) verdict {
	v, ok := w.readWord(e.Sreg)
	if !ok {
		return w.abort(r, "a register that does not exist")
	}
	c := w.skb.ct
	switch e.Key {
	case ruleset.CtMark:
		if c != nil {
			c.mark = v
		}
	case ruleset.CtZone:
		if !w.skb.seen {
			w.zone = uint16(v.v)
		}
	case ruleset.CtLabels:
		if c != nil {
			c.known = false
		}
	case ruleset.CtEventmask, ruleset.CtSecmark:
	default:
		return w.abort(r, "a ct key is set that is not understood")
	}
	return vNext
}

// notrack takes the packet out of conntrack, unless it is already in it (nft_notrack_eval).
func (w *walk) notrack() {
	if w.skb.ct == nil && !w.skb.untrack {
		w.skb.untrack = true
	}
}

// track is conntrack seeing the packet (nf_conntrack_in).
func (w *walk) track() {
	s := &w.skb
	if s.seen || s.untrack && s.given == "" {
		s.seen = true
		return // seen before, on loopback; or told to stay out
	}
	s.seen = true
	if s.untrack || s.given == "untracked" {
		s.untrack = true
		return
	}
	state := ctStates[s.given]
	if s.given == "" {
		state = w.firstState()
	}
	switch state {
	case ruleset.CtInvalid:
		return
	case ruleset.CtUntracked:
		s.untrack = true
		return
	}
	c := &w.conn
	*c = conn{
		state: state, zone: w.zone, known: true, src: s.src(), dst: s.dst(), sport: s.port(0), dport: s.port(2),
	}
	c.newSrc, c.newDst, c.newSport, c.newDpt = c.src, c.dst, c.sport, c.dport
	switch state {
	case ruleset.CtEstablished:
		c.known, c.natDst, c.natSrc = false, true, true
		c.mark.unk, c.status.unk, c.reply.unk = 0xffffffff, 0xffffffff, 1
	case ruleset.CtRelated:
		c.status.v = ipsExpected
		c.mark.unk = 0xffffffff
	}
	s.ct = c
}

// firstState is the state of the packet as the first of its connection: new, invalid, or untracked
// for neighbour discovery.
func (w *walk) firstState() uint32 {
	s := &w.skb
	switch s.proto {
	case protoTCP:
		return w.tcpState(s.nh[s.thoff+13])
	case protoICMP:
		if s.v4 {
			return icmpState(s.nh[s.thoff])
		}
	case protoICMPv6:
		if !s.v4 {
			return icmpv6State(s.nh[s.thoff])
		}
	}
	return ruleset.CtNew
}

// tcpState applies tcp_error and tcp_new (nf_conntrack_proto_tcp.c): combinations of flags that no
// stack sends are invalid, and of the others a connection begins with a SYN or, where
// nf_conntrack_tcp_loose allows it, with an ACK.
func (w *walk) tcpState(flags uint8) uint32 {
	const fin, syn, rst, psh, ack, urg = 1, 2, 4, 8, 16, 32
	f := flags &^ (psh | 64 | 128)
	valid := []uint8{syn, syn | urg, syn | ack, rst, rst | ack, fin | ack, fin | ack | urg, ack, ack | urg}
	switch {
	case !slices.Contains(valid, f), f&rst != 0, f&fin != 0, f&syn != 0 && f&ack != 0:
		return ruleset.CtInvalid
	case f&syn != 0:
		return ruleset.CtNew
	}
	if loose, ok := w.sysctl("net/netfilter/nf_conntrack_tcp_loose"); ok && loose == 0 {
		return ruleset.CtInvalid
	}
	return ruleset.CtNew
}

// icmpState: requests begin a connection; answers and errors without one are invalid.
func icmpState(typ uint8) uint32 {
	switch typ {
	case 8, 13, 15, 17:
		return ruleset.CtNew
	}
	return ruleset.CtInvalid
}

// icmpv6State likewise; neighbour discovery and multicast listeners are never tracked
// (nf_conntrack_proto_icmpv6.c).
func icmpv6State(typ uint8) uint32 {
	switch typ {
	case 128, 139:
		return ruleset.CtNew
	case 130, 131, 132, 133, 134, 135, 136, 137, 143:
		return ruleset.CtUntracked
	}
	return ruleset.CtInvalid
}
