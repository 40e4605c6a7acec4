package reach

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// headerPart is bytes of a header: those of a field, or constant ones.
type headerPart struct {
	at, n int
	f     field
	data  []byte
	known []byte // bits of the constant bytes
}

// linkHeader is the Ethernet header: for the host or for all, from anybody.
func (m *machine) linkHeader(c *cube) []headerPart {
	l := m.snap.Network.Link(int(c.sets[fIif][0].lo.lo))
	if m.outgoing() {
		l = m.sender(c)
	}
	if l == nil || l.Hardware != 1 {
		return nil
	}
	ether := []byte{0x08, 0x00}
	if !c.v4 {
		ether = []byte{0x86, 0xdd}
	}
	if m.bridging { // between neighbours: neither address is the host's
		return []headerPart{{6, 6, fSmac, nil, nil}, {12, 2, 0, ether, nil}}
	}
	if m.outgoing() { // from the interface, to a neighbour whose address is not known
		parts := []headerPart{{12, 2, 0, ether, nil}}
		if mac := hardware(l); mac != nil {
			parts = append(parts, headerPart{6, 6, 0, mac, nil})
		}
		return parts
	}
	parts := []headerPart{{6, 6, fSmac, nil, nil}, {12, 2, 0, ether, nil}}
	if b := m.snap.Network.BridgeOf(l); b != nil {
		l = b
	}
	switch mac := hardware(l); {
	case m.frame(c) == frameBroadcast:
		parts = append(parts, headerPart{0, 6, 0, bytes.Repeat([]byte{0xff}, 6), nil})
	case m.frame(c) == frameHost && mac != nil:
		parts = append(parts, headerPart{0, 6, 0, mac, nil})
	}
	return parts
}

// payload loads packet bytes. The packets of a question are not fragmented, carry no IP options and
// no extension headers: a witness is one that a plain connection attempt sends.
func (m *machine) payload(c *cube, p *ruleset.Payload) value {
	n, off := int(p.Len), int(p.Offset)
	parts := m.headerParts(c, p.Base)
	var v value
	for n > 0 {
		found := false
		for _, pt := range parts {
			if off < pt.at || off >= pt.at+pt.n {
				continue
			}
			take := min(n, pt.at+pt.n-off)
			if pt.data != nil {
				sg := seg{data: pt.data[off-pt.at : off-pt.at+take]}
				if pt.known != nil {
					sg.known = pt.known[off-pt.at : off-pt.at+take]
				}
				v = append(v, sg)
			} else if pt.f == fService {
				v = append(v, c.loadService(off-pt.at, take)...)
			} else {
				v = append(v, c.load(pt.f, off-pt.at, take)...)
			}
			off, n, found = off+take, n-take, true
			break
		}
		if !found { // up to the next part
			gap := n
			for _, pt := range parts {
				if pt.at > off {
					gap = min(gap, pt.at-off)
				}
			}
			v = append(v, seg{n: gap, why: fmt.Sprintf("%s header bytes %d to %d", p.Base, p.Offset, p.Offset+p.Len-1)})
			off, n = off+gap, n-gap
		}
	}
	return v
}

// headerParts are the parts of a header that are followed.
func (m *machine) headerParts(c *cube, base string) (parts []headerPart) {
	switch {
	case base == ruleset.BaseNetwork && c.v4:
		return header4
	case base == ruleset.BaseNetwork:
		return header6
	case base == ruleset.BaseLink:
		return m.linkHeader(c)
	case base == ruleset.BaseTransport && c.sets[fProto].singleton():
		switch c.sets[fProto][0].lo.lo {
		case 6:
			return headerTCP
		case 17, 33, 132, 136:
			return headerTCP[:2] // the ports
		case 1, 58:
			return headerICMP
		}
	}
	return nil
}

// The parts of headers that are the same for all packets. Nothing writes to them.
var (
	header4 = []headerPart{
		{0, 1, 0, []byte{0x45}, nil},
		{1, 1, fService, nil, nil},
		{6, 2, 0, []byte{0, 0}, []byte{0xbf, 0xff}}, // no fragment; senders choose DF
		{9, 1, fProto, nil, nil},
		{12, 4, fSaddr, nil, nil},
		{16, 4, fDaddr, nil, nil},
	}
	header6 = []headerPart{
		{0, 2, fService, nil, nil}, // version, class, the beginning of the flow label
		{6, 1, fProto, nil, nil}, {8, 16, fSaddr, nil, nil}, {24, 16, fDaddr, nil, nil},
	}
	headerTCP  = []headerPart{{0, 2, fSport, nil, nil}, {2, 2, fDport, nil, nil}, {13, 1, fTCPFlags, nil, nil}}
	headerICMP = []headerPart{{0, 1, fICMPType, nil, nil}, {1, 1, fICMPCode, nil, nil}}
)

func host32(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

func host16(n uint16) []byte { return binary.NativeEndian.AppendUint16(nil, n) }

func host64(n uint64) []byte { return binary.NativeEndian.AppendUint64(nil, n) }

func ifname(s string) []byte {
	b := make([]byte, 16)
	copy(b, s)
	return b
}

func (m *machine) meta(c *cube, key uint32) value {
	switch key {
	case ruleset.MetaL4proto:
		return c.load(fProto, 0, 1)
	case ruleset.MetaNfproto:
		switch m.table.Family { // NFPROTO_BRIDGE, NFPROTO_NETDEV
		case ruleset.FamilyBridge:
			return constant([]byte{7})
		case ruleset.FamilyNetdev:
			return constant([]byte{5})
		}
		if c.v4 {
			return constant([]byte{2})
		}
		return constant([]byte{10})
	case ruleset.MetaProtocol:
		if c.v4 {
			return constant([]byte{0x08, 0x00})
		}
		return constant([]byte{0x86, 0xdd})
	case ruleset.MetaMark:
		return c.load(fMark, 0, 4)
	case ruleset.MetaIiftype: // of where the packet is now (see package trace)
		if m.hook == packet.Postrouting || m.outgoing() {
			return m.link(c.sets[fOif], key)
		}
		return m.link(c.sets[fIif], key)
	case ruleset.MetaIif, ruleset.MetaIifname, ruleset.MetaIifgroup, ruleset.MetaIifkind:
		if m.outgoing() { // nothing is known of where it came from (nf_hook_egress, br_dev_xmit)
			return m.link(single(num(0)), key)
		}
		return m.link(c.sets[fIif], key)
	case ruleset.MetaBriIifname, ruleset.MetaBriOifname:
		f := fIif
		if key == ruleset.MetaBriOifname {
			f = fOif
		}
		if b := m.snap.Network.BridgeOf(m.snap.Network.Link(int(c.sets[f][0].lo.lo))); b != nil && c.sets[f].singleton() {
			return constant(ifname(b.Name))
		}
	case ruleset.MetaOif, ruleset.MetaOifname, ruleset.MetaOiftype, ruleset.MetaOifgroup, ruleset.MetaOifkind:
		return m.link(c.sets[fOif], key-1) // every oif key follows its iif key
	case ruleset.MetaSkuid, ruleset.MetaSkgid:
		if m.by.IDs() != nil {
			return constant(host32(map[bool]uint32{true: m.by.UID, false: m.by.GID}[key == ruleset.MetaSkuid]))
		}
	case ruleset.MetaSecpath:
		if m.unprotected() {
			return constant([]byte{0})
		}
	case ruleset.MetaPriority:
		if !c.class.open {
			return constant(host32(c.class.n))
		}
		if c.class.served {
			return value{{data: host32(0), known: host32(^uint32(7))}}
		}
	case ruleset.MetaLen:
		return value{{data: make([]byte, 4), known: host32(^uint32(0x1ffff))}}
	case ruleset.MetaPkttype:
		return constant([]byte{byte(m.frame(c))})
	}
	return unknown(4, fmt.Sprintf("meta key %d", key))
}

// link loads what the kernel knows of an interface. Without one, index and name are zero
// (nft_meta_store_ifindex, nft_meta_store_ifname).
func (m *machine) link(idx set, key uint32) value {
	if !idx.singleton() {
		return unknown(16, "an interface that is not known here")
	}
	n := int(idx[0].lo.lo)
	l := m.snap.Network.Link(n)
	if n != 0 && l == nil {
		return unknown(16, "an interface that is gone")
	}
	switch key {
	case ruleset.MetaIif:
		return constant(host32(uint32(n)))
	case ruleset.MetaIifname:
		if n == 0 {
			return constant(ifname(""))
		}
		return constant(ifname(l.Name))
	case ruleset.MetaIifgroup:
		if n != 0 {
			return constant(host32(l.Group))
		}
	case ruleset.MetaIiftype:
		if n != 0 && l.Hardware != 0 {
			return constant(binary.NativeEndian.AppendUint16(nil, l.Hardware))
		}
	case ruleset.MetaIifkind:
		if n != 0 && l.Kind != "device" && l.Kind != "" {
			return constant(ifname(l.Kind))
		}
	}
	return unknown(16, "the type or kind of an interface")
}

// ct loads a conntrack key of the first packet of a connection. Before conntrack (priority -200)
// there is no entry: the state is then invalid, and every other key ends the rule (nft_ct_get_eval).
func (m *machine) ct(c *cube, e *ruleset.Ct) (value, bool) {
	if m.table.Family == ruleset.FamilyBridge { // a hook of its own, where the kernel has it (nf_conntrack_bridge)
		return unknown(16, "conntrack on a bridge"), true
	}
	if e.Key == ruleset.CtState {
		return c.load(fCtState, 0, 4), true
	}
	if state := c.sets[fCtState]; c.notrack || state.singleton() &&
		(state[0].lo == num(ruleset.CtInvalid) || state[0].lo == num(ruleset.CtUntracked)) {
		return nil, false
	}
	saddr, daddr, sport, dport := fSaddr, fDaddr, fSport, fDport
	if c.snat {
		saddr, sport = fOrigSaddr, fOrigSport
	}
	if c.nat {
		daddr, dport = fOrigDaddr, fOrigDport
	}
	if e.Dir == "reply" { // from where the packet goes now, to where it seems to come from
		saddr, daddr, sport, dport = fDaddr, fSaddr, fDport, fSport
	}
	if c.wrote != nil && c.wrote.tracked && ofTuple(e.Key) {
		return unknown(16, "what conntrack knows of a packet that a rule changed"), true
	}
	if m.state == ruleset.CtEstablished && e.Key != ruleset.CtMark {
		return unknown(16, "a property of an established connection"), true
	}
	switch e.Key {
	case ruleset.CtDirection:
		return constant([]byte{0}), true
	case ruleset.CtMark:
		if !c.sets[fCtMark].singleton() {
			return unknown(4, "the mark of the connection"), true
		}
		return c.load(fCtMark, 0, 4), true
	case ruleset.CtStatus:
		v := byte(0)
		if c.nat {
			v = 0x20 // IPS_DST_NAT
		}
		known := uint32(0x30) // IPS_SRC_NAT and IPS_DST_NAT are bits 4 and 5 (nf_conntrack_common.h)
		if m.state == ruleset.CtNew {
			known |= 7 // IPS_EXPECTED: such a connection begins as related (resolve_normal_ct); IPS_SEEN_REPLY, IPS_ASSURED: by an answer
			if !m.local {
				known |= 8 // IPS_CONFIRMED: after the last hook, so over loopback before the second way through the hooks
			}
		}
		return value{{data: host32(uint32(v)), known: host32(known)}}, true
	case ruleset.CtL3proto:
		return m.meta(c, ruleset.MetaNfproto), true
	case ruleset.CtProtocol:
		return c.load(fProto, 0, 1), true
	case ruleset.CtSrcIP, ruleset.CtDstIP, ruleset.CtSrcIP6, ruleset.CtDstIP6:
		if v4 := e.Key == ruleset.CtSrcIP || e.Key == ruleset.CtDstIP; v4 != c.v4 {
			return nil, false // an address of the other family ends the rule
		}
	}
	switch e.Key {
	case ruleset.CtSrc, ruleset.CtSrcIP, ruleset.CtSrcIP6:
		return c.load(saddr, 0, saddr.width(c.v4)), true
	case ruleset.CtDst, ruleset.CtDstIP, ruleset.CtDstIP6:
		return c.load(daddr, 0, daddr.width(c.v4)), true
	case ruleset.CtProtoSrc:
		return c.load(sport, 0, 2), true
	case ruleset.CtProtoDst:
		return c.load(dport, 0, 2), true
	case ruleset.CtZone:
		return constant(host16(map[string]uint16{"original": c.zone, "reply": c.answers, "": max(c.zone, c.answers)}[e.Dir])), true
	case ruleset.CtPkts, ruleset.CtBytes, ruleset.CtAvgpkt:
		return m.carried(c, e), true
	case ruleset.CtHelper: // a connection that begins has none, but by a rule
		if m.state == ruleset.CtNew && !m.snap.NFTables.Ruleset.Helpers() {
			return nil, false
		}
	case ruleset.CtLabels:
		if m.state == ruleset.CtNew && !m.snap.NFTables.Ruleset.Labels() {
			return constant(make([]byte, 16)), true
		}
	}
	return unknown(16, fmt.Sprintf("ct key %d", e.Key)), true
}

// ofTuple says whether a ct key is an address or a port of the connection.
func ofTuple(key uint32) bool {
	switch key {
	case ruleset.CtSrc, ruleset.CtSrcIP, ruleset.CtSrcIP6, ruleset.CtDst, ruleset.CtDstIP, ruleset.CtDstIP6, ruleset.CtProtoSrc, ruleset.CtProtoDst:
		return true
	}
	return false
}

// fib parts the packets by the type of an address, or by the interface of its route.
func (m *machine) fib(e *ruleset.Fib, st state) []state {
	f := fDaddr
	if e.Flags&ruleset.FibSaddr != 0 {
		f = fSaddr
	}
	link, dev := fIif, 0
	if e.Flags&ruleset.FibOifFlag != 0 {
		link = fOif
	}
	if e.Flags&(ruleset.FibIif|ruleset.FibOifFlag) != 0 && st.cube.sets[link].singleton() {
		dev = int(st.cube.sets[link][0].lo.lo)
	}
	var out []state
	if !st.cube.v4 {
		var scoped, rest []cube
		if scoped, rest = st.cube.split(f, linkLocal); len(scoped) > 0 {
			out = m.fibOnLink(e, f, dev, scoped[0], st.regs)
		}
		if len(rest) == 0 {
			return out
		}
		st.cube = rest[0]
	}
	fib := m.fibs[st.cube.v4]
	if e.Result == ruleset.FibAddrtype {
		if !st.cube.v4 {
			return append(out, m.fibType6(e, f, dev, st)...)
		}
		for _, p := range fib.typesOn(dev) {
			in, _ := st.cube.split(f, p.addrs)
			for _, cb := range in {
				out = append(out, state{cb, st.regs.set(e.Dreg, m.fibResult(e, p, 0))})
			}
		}
		return out
	}
	in := m.snap.Network.Link(int(st.cube.sets[fIif][0].lo.lo))
	if in != nil && in.Loopback && m.hook != packet.Forward { // nft_fib_can_skip
		p := part{kind: routeKind["unicast"], oifs: []int{in.Index}}
		return append(out, state{st.cube, st.regs.set(e.Dreg, m.fibResult(e, p, 0))})
	}
	here, groups, live := m.withoutLookup(f, st.cube)
	for _, c := range here {
		p := part{kind: routeKind["unicast"], oifs: []int{int(c.sets[fIif][0].lo.lo)}}
		out = append(out, state{c, st.regs.set(e.Dreg, m.fibResult(e, p, 0))})
	}
	for _, c := range groups {
		out = append(out, state{c, st.regs.set(e.Dreg, unknown(16, "the route of a multicast group"))})
	}
	for i := range live {
		for _, r := range fib.lookup(m.asked(e, f, live[i]), "lo", false) {
			out = append(out, state{answered(live[i], f, r.cube), st.regs.set(e.Dreg, m.fibResult(e, r.part, dev))})
		}
	}
	return out
}

// fibOnLink is the fib expression for a link-local address: it is looked up on the interface that the
// expression names, else where the packet is now (nft_fib6_flowi_init).
func (m *machine) fibOnLink(e *ruleset.Fib, f field, dev int, c cube, r regs) []state {
	at := dev
	if at == 0 {
		link := fIif
		if m.hook == packet.Postrouting || m.hook == packet.Egress {
			link = fOif
		}
		at = int(c.sets[link][0].lo.lo)
	}
	l := m.snap.Network.Link(at)
	if l == nil || m.hook == packet.Output {
		return []state{{c, r.set(e.Dreg, unknown(16, "the interface that a link-local address belongs to"))}}
	}
	if in := m.snap.Network.Link(int(c.sets[fIif][0].lo.lo)); e.Result != ruleset.FibAddrtype && in != nil && in.Loopback && m.hook != packet.Forward {
		return []state{{c, r.set(e.Dreg, m.fibResult(e, part{kind: routeKind["unicast"], oifs: []int{in.Index}}, 0))}}
	}
	var out []state
	for _, x := range m.onLink([]cube{c}, f, l) {
		out = append(out, state{x.cube, r.set(e.Dreg, m.fibResult(e, x.part, 0))})
	}
	return out
}

// answered narrows a cube to the part of the flow that a route was found for.
func answered(c cube, f field, flow cube) cube {
	cb := c.with(fDaddr, flow.sets[fDaddr])
	cb = cb.with(fSaddr, flow.sets[fSaddr])
	if f == fSaddr {
		cb = c.with(fSaddr, flow.sets[fDaddr])
		cb = cb.with(fDaddr, flow.sets[fSaddr])
	}
	cb.doubts, cb.shadow = flow.doubts, flow.shadow
	return cb
}

// fibType6 is the type of an IPv6 address by its route; with an interface only its own addresses are
// local (nft_fib6_eval_type).
func (m *machine) fibType6(e *ruleset.Fib, f field, dev int, st state) []state {
	var out []state
	result := func(c cube, kind string) {
		out = append(out, state{c, st.regs.set(e.Dreg, constant(host32(uint32(routeKind[kind]))))})
	}
	multicast, live := st.cube.split(f, m.fibs[false].multicast)
	for _, c := range multicast {
		result(c, "multicast")
	}
	if l := m.snap.Network.Link(dev); l != nil {
		var own set
		for _, p := range linkAddrs(l, false) {
			own = append(own, single(addrNumber(p.Addr()))...)
		}
		var rest []cube
		for i := range live {
			in, out := live[i].split(f, own.normal())
			rest = append(rest, out...)
			for _, c := range in {
				result(c, "local")
			}
		}
		live = rest
	}
	for i := range live {
		for _, r := range m.fibs[false].lookup(m.asked(e, f, live[i]), "lo", false) {
			kind := r.part.kind
			if kind == routeKind["local"] && dev != 0 {
				kind = routeKind["unicast"]
			}
			cb := answered(live[i], f, r.cube)
			out = append(out, state{cb, st.regs.set(e.Dreg, constant(host32(uint32(kind))))})
		}
	}
	return out
}

// asked is the flow that a fib expression looks up: to the address, without a mark unless the
// expression has it.
func (m *machine) asked(e *ruleset.Fib, f field, c cube) cube {
	mark := e.Flags&ruleset.FibMark != 0
	d := c.reverse(mark)
	if f != fSaddr {
		d.sets[fSaddr], d.sets[fDaddr] = c.sets[fSaddr], c.sets[fDaddr]
	}
	return d
}
