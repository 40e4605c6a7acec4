package trace

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// conn is the conntrack entry of the packet.
type conn struct {
	state  uint32 // ct state bits
	status word
	mark   word
	zone   zone
	reply  word // direction: 0 original, 1 reply; unknown bits where the question leaves it open
	known  bool // the tuples are known: a first packet
	// The original direction as the packet had it, and where translations lead.
	src, dst         netip.Addr
	sport, dport     uint16
	newSrc, newDst   netip.Addr
	newSport, newDpt uint16
	natDst, natSrc   bool // initialized, also by a null binding
	// srcOpen, sportOpen: which source address or port a translation took is not known.
	srcOpen, sportOpen bool
	answers            bool     // the packet is the first answer
	labels             []uint16 // that a match has given it
}

// zone is that of a connection, of the direction in which it begins and of that of its answers (nf_ct_zone_id).
type zone struct{ begins, answers uint16 }

// zoneOf is a zone that is set for a direction, or for both.
func zoneOf(dir string, n uint16) zone {
	switch dir {
	case "original":
		return zone{begins: n}
	case "reply":
		return zone{answers: n}
	}
	return zone{n, n}
}

// of is the number of a direction; without one that of either.
func (z zone) of(dir string) uint16 {
	switch dir {
	case "original":
		return z.begins
	case "reply":
		return z.answers
	}
	return max(z.begins, z.answers)
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
	if w.family == 'b' { // a hook of its own, where the kernel has it (nf_conntrack_bridge)
		return w.unknownReg(at, ctLen(e.Key), "conntrack on a bridge")
	}
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
		if c.state == ruleset.CtNew && !w.snap.NFTables.Ruleset.Helpers() {
			return vNo
		}
		return w.unknownReg(at, 16, "the helper of the connection")
	case ruleset.CtL3proto:
		w.regs.put8(at, map[bool]uint8{true: 2, false: 10}[w.skb.v4])
	case ruleset.CtProtocol:
		w.regs.put8(at, w.skb.proto)
	case ruleset.CtZone:
		w.regs.put16(at, c.zone.of(e.Dir))
	case ruleset.CtLabels:
		if !c.known {
			return w.unknownReg(at, 16, "the labels of the connection")
		}
		b := make([]byte, 16)
		for _, bit := range c.labels {
			b[bit/8%16] |= 1 << (bit % 8)
		}
		w.regs.put(at, b)
	case ruleset.CtPkts, ruleset.CtBytes, ruleset.CtAvgpkt:
		return w.ctCount(e, at, c)
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
	if f := originalField(e, w.skb.v4); f != 0 && w.sent(f, at) {
		return vNext
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
	reply := e.Dir == "reply"
	switch e.Key {
	case ruleset.CtSrc, ruleset.CtSrcIP, ruleset.CtSrcIP6:
		return w.ctAddr(e.Key, at, src)
	case ruleset.CtDst, ruleset.CtDstIP, ruleset.CtDstIP6:
		if reply && c.srcOpen {
			return w.unknownReg(at, ctLen(e.Key), "which source the translation took")
		}
		return w.ctAddr(e.Key, at, dst)
	case ruleset.CtProtoSrc:
		put16(sport)
	case ruleset.CtProtoDst:
		if reply && c.sportOpen {
			return w.unknownReg(at, ctLen(e.Key), "which port the translation took")
		}
		put16(dport)
	default:
		return w.unknownReg(at, ctLen(e.Key), "a property of the connection that grows with its traffic")
	}
	return vNext
}

// originalField is the field of the first packet that a key of the original direction is; 0 for others.
func originalField(e *ruleset.Ct, v4 bool) byte {
	if e.Dir == "reply" {
		return 0
	}
	switch e.Key {
	case ruleset.CtSrcIP:
		return ifField('s', v4)
	case ruleset.CtSrcIP6:
		return ifField('s', !v4)
	case ruleset.CtDstIP:
		return ifField('d', v4)
	case ruleset.CtDstIP6:
		return ifField('d', !v4)
	case ruleset.CtProtoSrc:
		return 'p'
	case ruleset.CtProtoDst:
		return 'q'
	}
	return 0
}

func ifField(f byte, is bool) byte {
	if is {
		return f
	}
	return 0
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
		switch {
		case w.skb.seen:
		case v.unk != 0:
			return w.abort(r, "the zone is set to what is not known")
		default:
			w.zone = zoneOf(e.Dir, uint16(v.v))
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
		w.answered(c)
	case ruleset.CtRelated:
		c.status.v = ipsExpected
		c.mark.unk = 0xffffffff
		if s.proto == packet.ICMP || s.proto == packet.ICMPv6 { // an error about a connection is of that connection
			c.status.unk, c.reply.unk = 0xffffffff, 1
		}
	}
	s.ct = c
}

// firstState is the state of the packet as the first of its connection: new, invalid, or untracked
// for neighbour discovery. Where it verifies checksums, which it does not of packets whose device did, conntrack takes
// every one of UDP-Lite for wrong: it reckons it as that of UDP (udplite_error). Whether the device did is a condition.
func (w *walk) firstState() uint32 {
	s := &w.skb
	switch s.proto {
	case packet.TCP:
		return w.tcpState(s.nh[s.thoff+13])
	case packet.ICMP:
		if s.v4 {
			return icmpState(s.nh[s.thoff])
		}
	case packet.ICMPv6:
		if !s.v4 {
			return icmpv6State(s.nh[s.thoff])
		}
	case packet.UDPLite:
		const device, conntrack = "the device has verified the checksum of UDP-Lite", "conntrack verifies the checksum of UDP-Lite"
		if !w.local && w.snap.Network.VerifiesChecksums() && w.conditional(nil, packet.ByChance, device, packet.ByChance, conntrack) {
			return ruleset.CtInvalid
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
	if w.loose() {
		return ruleset.CtNew
	}
	return ruleset.CtInvalid
}

// loose is nf_conntrack_tcp_loose; the kernel that does not have it yet will begin with 1.
func (w *walk) loose() bool {
	const key = "net/netfilter/nf_conntrack_tcp_loose"
	if w.snap.Network.Sysctls[key].State == snapshot.Absent {
		return true
	}
	return w.flag(w.value(key), key)
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
