package trace

import (
	"encoding/binary"
	"slices"

	"github.com/ringfence/ringfence/packet"
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
func (w *walk) meta(o *op) verdict {
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
	case ruleset.MetaPriority:
		w.classOf()
		if s.priority.unk != 0 {
			return w.unknownReg(o.dreg, 4, "the priority that the process gave it, or a VLAN")
		}
		g.putWord(o.dreg, s.priority)
	case ruleset.MetaRtclassid:
		return w.rtClass(o.dreg)
	case ruleset.MetaSecmark:
		return w.unknownReg(o.dreg, 4, "the security mark")
	case ruleset.MetaSecpath:
		if unprotected(w.snap) {
			g.put8(o.dreg, 0)
			return vNext
		}
		return w.unknownReg(o.dreg, 1, "whether the packet came through IPsec")
	case ruleset.MetaPkttype:
		g.put8(o.dreg, s.pkttype)
	case ruleset.MetaIif, ruleset.MetaIifname, ruleset.MetaIiftype, ruleset.MetaIifgroup, ruleset.MetaIifkind:
		return w.linkKey(o, w.in, o.key)
	case ruleset.MetaOif, ruleset.MetaOifname, ruleset.MetaOiftype, ruleset.MetaOifgroup, ruleset.MetaOifkind:
		return w.linkKey(o, w.out, o.key-1) // each oif key follows its iif key
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
		if by := w.p.By.IDs(); by != nil && o.key != ruleset.MetaCgroup {
			g.put32(o.dreg, map[bool]uint32{true: by.UID, false: by.GID}[o.key == ruleset.MetaSkuid])
			return vNext
		}
		return w.unknownReg(o.dreg, 4, "the process that sends it")
	case ruleset.MetaLen:
		return w.openReg(o.dreg, make([]byte, 4), binary.NativeEndian.AppendUint32(nil, 0x1ffff), note{why: lengthText, by: packet.AsSent})
	case ruleset.MetaTimeHour:
		return w.clock(o, 'h')
	case ruleset.MetaTimeDay:
		return w.clock(o, 'w')
	case ruleset.MetaCPU:
		return w.openReg(o.dreg, make([]byte, 4), allOpen(4), note{why: "the processor that works on the packet", by: packet.ByChance})
	case ruleset.MetaPrandom:
		return w.openReg(o.dreg, make([]byte, 4), allOpen(4), note{why: "meta random", by: packet.ByChance, anew: true})
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
func (w *walk) linkKey(o *op, l *link, key uint32) verdict {
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
	if key == ruleset.MetaIiftype && (w.hook == packet.Postrouting || w.hook == packet.Egress || w.family == 'b' && w.hook == packet.Forward) {
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
		if s.tos && off <= 1 && (off+o.n > 1 || !s.v4) { // IPv6 has the class in both bytes
			return w.unknownReg(o.dreg, o.n, "the type of service, which a rule changed")
		}
		if s.later() && off+o.n > s.thoff {
			return w.beyond(o, r)
		}
	case 't':
		if s.later() {
			var ok bool
			if b, unk, ok = s.transportOf(o); !ok {
				return vNo
			}
			break
		}
		b, unk = s.nh[s.thoff:], s.unk[s.thoff:]
	default:
		if s.later() {
			return vNo
		}
		return w.beyond(o, r)
	}
	if off < 0 || off+o.n > len(b) || off+o.n < off {
		if o.base == 'l' || o.base == 't' && s.later() && w.p.Data != "" {
			return vNo
		}
		return w.beyond(o, r)
	}
	at, _ := s.headAt()
	switch asked := o.base == 'n' && off <= at && at < off+o.n; {
	case o.base == 'n' && (asked || off+o.n > s.thoff) && w.extended(r):
		if off+o.n > s.thoff {
			return w.unknownReg(o.dreg, o.n, headText)
		}
		if !s.v4 {
			b, unk = slices.Clone(b[:s.thoff]), slices.Clone(unk[:s.thoff])
			b[at], unk[at] = w.firstHeader(r), 0
		}
	}
	w.regs.putUnk(o.dreg, b[off:off+o.n], unk[off:off+o.n])
	if w.regs.dirty {
		why := "header bytes that the question leaves open"
		if w.region != nil {
			why = w.openField(o)
		}
		w.hold(o)
		if o.base == 'n' && o.off < 2 {
			w.holdService(o)
		}
		area, at := s.areaOf(o)
		w.holdPiece(o, area, at, b[off:off+o.n], unk[off:off+o.n])
		for at := o.dreg; at < o.dreg+o.n; at += 4 { // the first word can be known where a later one is not
			w.notes[at/4] = note{why: why}
		}
	}
	return vNext
}

// hold notes that a load takes all of a field of the region, and nothing else.
func (w *walk) hold(o *op) {
	off := o.off
	switch {
	case o.base == 't' && !w.skb.later():
		off += w.skb.thoff
	case o.base != 'n':
		return
	}
	for _, f := range []byte(fieldNames + headerNames) {
		if at, n := w.skb.fieldAt(f); at == off && n == o.n && (w.opens(f) || w.asSent(f)) {
			w.regs.whole[o.dreg/4] = held{f: f, n: n, bits: 8 * n}
		}
	}
}

// beyond is a load after the headers: whether the packet has data there is left open.
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
		if s.later() {
			return vNo
		}
		off += s.thoff
	case ruleset.BaseInner:
		if s.later() {
			return vNo
		}
		return w.maybe(r, "whether the packet has data to change")
	}
	if at < 0 || n < 0 || at+n > regBytes {
		return w.abort(r, "a register that does not exist")
	}
	if off < 0 || off+n > len(b) {
		return vNo
	}
	w.overwritten(p.Base == ruleset.BaseLink, off, n)
	copy(b[off:], w.regs.v[at:at+n])
	if w.regs.dirty {
		copy(unk[off:], w.regs.unk[at:at+n])
	} else {
		clear(unk[off : off+n])
	}
	if p.Base == ruleset.BaseLink {
		return vNext
	}
	dst := (s.addrAt() + s.thoff) / 2
	s.readdressed = s.readdressed || off < s.thoff && off+n > dst || s.hasPorts() && off < s.thoff+4 && off+n > s.thoff+2
	if lo, hi := max(off, s.addrAt()), min(off+n, s.thoff); lo < hi && anyBit(unk[lo:hi]) {
		return w.abort(r, "an address is changed to what is not known")
	}
	if lo, hi := max(off, s.thoff), min(off+n, s.thoff+4); s.hasPorts() && lo < hi && anyBit(unk[lo:hi]) {
		return w.abort(r, "a port is changed to what is not known")
	}
	if at := s.protoAt(); off <= at && at < off+n && (unk[at] != 0 || b[at] != s.proto) {
		return w.abort(r, "the protocol is changed")
	}
	return vNext
}

// protoAt is where the header of IP has the protocol.
func (s *skb) protoAt() int {
	if s.v4 {
		return 9
	}
	return 6
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
	case ruleset.MetaPriority:
		w.skb.priority, w.skb.classed = v, false
	case ruleset.MetaNftrace, ruleset.MetaSecmark:
	default:
		return w.abort(r, "a meta key is set that is not understood")
	}
	return vNext
}

// serviceClass is the queueing class by two bits of the type of service (ip_tos2prio).
var serviceClass = [4]uint32{0, 2, 6, 4}
