package reach

import (
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// xt evaluates an iptables extension; one that is not decoded can match and not match.
func (m *machine) xt(c *ruleset.Chain, r *ruleset.Rule, x *ruleset.Xt, st state,
) (*ruleset.Verdict, []state, []cube) {
	d := x.Decoded
	if d == nil {
		if matched, missed, ok := m.xtHeads(c, r, x.Name, st); ok {
			return nil, matched, missed
		}
	}
	if invert, is := x.Helper(); d == nil && is && (m.connectionless(&st.cube) || st.cube.begins()) { // nobody expected it (helper_mt)
		if invert {
			return nil, []state{st}, nil
		}
		return nil, nil, []cube{st.cube}
	}
	if d == nil && x.Connbytes() != nil {
		return m.connbytes(c, r, x, st)
	}
	if d == nil {
		return m.xtRest(c, r, x, st)
	}
	decided := func(matches bool) (*ruleset.Verdict, []state, []cube) {
		if matches {
			return nil, []state{st}, nil
		}
		return nil, nil, []cube{st.cube}
	}
	split := func(f field, s set, invert bool) (*ruleset.Verdict, []state, []cube) {
		in, out := st.cube.split(f, s)
		if invert {
			in, out = out, in
		}
		return nil, states(in, st), out
	}
	switch {
	case d.Rewrite != nil:
		const usual = 64
		if x := d.Rewrite; x.TTL != nil && m.spends(int(*x.TTL)) || m.spends(usual+x.By) {
			st = m.fork(c, r, st, spent)[0]
		}
		return nil, []state{st}, nil
	case d.Continue, d.Puts != nil: // what rules change of sets counts where they are asked for
		return nil, []state{st}, nil
	case d.TOS, d.Service != nil, d.TCPFlags != nil, d.Classify != nil:
		if d.TCPFlags == nil || d.Service != nil {
			st.cube.reclass(d)
		}
		return nil, m.writeFlags(c, r, d.TCPFlags, st), nil
	case d.Reject:
		return &ruleset.Verdict{Kind: ruleset.Drop}, []state{st}, nil
	case d.State != nil:
		return split(fCtState, stateSet(d.State.Mask), d.State.Invert)
	case d.Conntrack != nil && d.Conntrack.Flags == ruleset.XtCtState && m.state != ruleset.CtEstablished:
		mask, inverted := d.Conntrack.State, d.Conntrack.Invert&ruleset.XtCtState != 0
		if c := &st.cube; c.nat && mask&ruleset.XtStateDNAT != 0 || c.snat && mask&ruleset.XtStateSNAT != 0 {
			return split(fCtState, span(num(0), ones(32)), inverted)
		}
		return split(fCtState, stateSet(ruleset.StateBits(uint32(mask))), inverted)
	case d.Addrtype != nil:
		return m.xtAddrtype(c, r, d.Addrtype, st)
	case d.Ports != nil && d.Ports.Option != 0:
		_, in, out := m.xtPorts(d.Ports, st)
		matched, missed := m.eachEither(c, r, in, "whether the packet has an option of TCP")
		return nil, matched, append(out, missed...)
	case d.Ports != nil:
		return m.xtPorts(d.Ports, st)
	case d.MAC != nil && (m.linkless(&st.cube) || m.hook == packet.Postrouting):
		return nil, nil, []cube{st.cube} // mac_mt
	case d.MAC != nil:
		return split(fSmac, single(number(d.MAC.Addr)), d.MAC.Invert)
	case d.Physdev != nil && m.table.Family != ruleset.FamilyBridge:
		if matches, known := m.xtPhysdev(&st.cube, d.Physdev); known {
			return decided(matches)
		}
		return m.xtOpen(c, r, x, st)
	case d.Devgroup != nil && st.cube.sets[fIif].singleton() && st.cube.sets[fOif].singleton():
		return decided(d.Devgroup.Matches(m.groupOf(st.cube.sets[fIif]), m.groupOf(st.cube.sets[fOif])))
	case d.Policy != nil && m.unprotected():
		return decided(d.Policy.None)
	case d.Zone != nil:
		if s := st.cube.sets[fCtState]; !st.cube.notrack && s.singleton() && s[0].lo == num(ruleset.CtInvalid) {
			st.cube.zone, st.cube.answers = x.Zones()
		}
		return nil, []state{st}, nil
	case d.Multiport != nil:
		return m.xtMultiport(d.Multiport, st)
	case d.ICMP != nil && d.ICMP.Type == 0xff && !d.ICMP.Invert: // any
		return nil, []state{st}, nil
	case d.ICMP != nil:
		typ, code := single(num(uint64(d.ICMP.Type))), span(num(uint64(d.ICMP.Codes[0])), num(uint64(d.ICMP.Codes[1])))
		return m.both(st, fICMPType, typ, fICMPCode, code, d.ICMP.Invert)
	case d.Mark != nil:
		return m.xtMark(c, r, d.Mark, st)
	case d.NAT != nil:
		return m.xtNAT(c, r, d.NAT, st)
	case d.IPRange != nil:
		return m.xtIPRange(d.IPRange, st)
	case d.Notrack:
		return nil, []state{m.notrack(st)}, nil
	case d.Pkttype != nil:
		return decided((int(d.Pkttype.Type) == m.frame(&st.cube)) != d.Pkttype.Invert)
	case d.Owner != nil && !m.local: // owner_mt without a socket
		return decided(d.Owner.Match == d.Owner.Invert)
	case d.Owner != nil && m.by.IDs() != nil && d.Owner.Known:
		return decided(d.Owner.Matches(m.by.UID, m.by.GID))
	case d.Set != nil:
		matched, missed := m.xtSet(c, r, d.Set, st)
		return nil, matched, missed
	case d.TProxy != nil:
		return m.xtTProxy(c, r, d.TProxy, st)
	case d.Socket != nil:
		matched, missed := m.xtSocket(c, r, d.Socket, st)
		return nil, matched, missed
	case d.DSCP != nil:
		if st.cube.tos {
			matched, missed := m.either(c, r, st, "the type of service, which a rule changed")
			return nil, matched, missed
		}
		in, out := st.cube.xtDSCP(d.DSCP)
		return nil, states(in, st), out
	case d.Connmark != nil && m.knownMarks(&st.cube, d.Connmark):
		return m.xtConnmark(d.Connmark, st)
	case d.Queue:
		return m.queue(x.QueueTo()), []state{st}, nil
	}
	return m.xtOpen(c, r, x, st)
}

// begins says that packets are the first of their connections.
func (c *cube) begins() bool {
	s := c.sets[fCtState]
	return s.singleton() && s[0].lo == num(ruleset.CtNew)
}

// shortest is a packet of a header of IP alone.
const shortest = 20

// connbytes is what a connection has carried (connbytes_mt): of one that begins no more than this packet.
func (m *machine) connbytes(c *ruleset.Chain, r *ruleset.Rule, x *ruleset.Xt, st state) (*ruleset.Verdict, []state, []cube) {
	holds, known := x.Connbytes().OfFirst(shortest)
	switch begins := st.cube.begins(); {
	case m.connectionless(&st.cube), begins && known && !holds:
		return nil, nil, []cube{st.cube}
	case begins && known:
		return nil, []state{st}, nil
	}
	matched, missed := m.either(c, r, st, "what the connection has carried")
	return nil, matched, missed
}

// eachEither takes each of some states both ways.
func (m *machine) eachEither(c *ruleset.Chain, r *ruleset.Rule, in []state, why string) (matched []state, missed []cube) {
	for i := range in {
		yes, no := m.either(c, r, in[i], why)
		matched, missed = append(matched, yes...), append(missed, no...)
	}
	return matched, missed
}

// groupOf is the group of an interface, 0 without one.
func (m *machine) groupOf(idx set) uint32 {
	if l := m.snap.Network.Link(int(idx[0].lo.lo)); l != nil {
		return l.Group
	}
	return 0
}

// unprotected says that no packet of the namespace is protected by IPsec: there are no policies.
func (m *machine) unprotected() bool {
	x := m.snap.Network.XFRM
	return x != nil && (x.State == snapshot.Present || x.State == snapshot.Absent) && len(x.Policies)+len(x.Blocked) == 0
}

// xtRest is an extension that is read as it is asked for.
func (m *machine) xtRest(c *ruleset.Chain, r *ruleset.Rule, x *ruleset.Xt, st state) (*ruleset.Verdict, []state, []cube) {
	var matched []state
	var missed []cube
	switch {
	case x.Connlabel() != nil:
		matched, missed = m.connlabel(c, r, x.Connlabel(), st)
	case x.Realm() != nil:
		matched, missed = m.xtRealm(c, r, x.Realm(), st)
	case x.Drawn() != "":
		matched, missed = m.drawn(c, r, x, st)
	case x.U32() != nil:
		matched, missed = m.either(c, r, st, "the bytes of the packet that u32 asks for")
	case x.Target && x.Name == "SYNPROXY":
		return m.synproxy(c, r, st)
	default:
		return m.xtOpaque(c, r, x, st)
	}
	return nil, matched, missed
}

// xtOpaque is an extension that is not understood.
func (m *machine) xtOpaque(c *ruleset.Chain, r *ruleset.Rule, x *ruleset.Xt, st state) (*ruleset.Verdict, []state, []cube) {
	why := "iptables extension " + x.Name + " is not followed"
	if x.Target { // it can accept, drop, change the packet or do nothing
		m.undecided = append(m.undecided, m.doubtful(c, r, cube{}, why).doubts...)
	}
	matched, missed := m.either(c, r, st, why)
	return nil, matched, missed
}

// xtOpen is an extension that depends on more than the packet.
func (m *machine) xtOpen(c *ruleset.Chain, r *ruleset.Rule, x *ruleset.Xt, st state) (*ruleset.Verdict, []state, []cube) {
	why := "iptables extension " + x.Name + " depends on more than the packet"
	if x.Target { // CONNMARK of marks that are not known: the mark is what it was or what it is set to
		st.cube = st.cube.with(fMark, span(num(0), ones(32)))
		st.cube = st.cube.with(fCtMark, span(num(0), ones(32)))
		return nil, m.fork(c, r, st, why), nil
	}
	matched, missed := m.either(c, r, st, why)
	return nil, matched, missed
}

// knownMarks says whether what an extension asks about marks is known: the connection's, and of one that saves or restores the packet's.
func (m *machine) knownMarks(c *cube, k *ruleset.XtConnmark) bool {
	return m.connectionless(c) || c.sets[fCtMark].singleton() && (k.Mode == "match" || k.Mode == "set" || c.sets[fMark].singleton())
}

// connectionless says whether packets have no conntrack entry at this hook.
func (m *machine) connectionless(c *cube) bool {
	s := c.sets[fCtState]
	return c.notrack || s.singleton() && (s[0].lo == num(ruleset.CtInvalid) || s[0].lo == num(ruleset.CtUntracked))
}

// xtConnmark matches the mark of the connection, or copies marks (connmark_tg_shift, connmark_mt). Without a connection it does not match
// and copies nothing.
func (m *machine) xtConnmark(k *ruleset.XtConnmark, st state) (*ruleset.Verdict, []state, []cube) {
	if m.connectionless(&st.cube) {
		if k.Mode == "match" {
			return nil, nil, []cube{st.cube}
		}
		return nil, []state{st}, nil
	}
	ct := uint32(st.cube.sets[fCtMark][0].lo.lo)
	of := func(n uint32) set { return single(num(uint64(n))) }
	switch k.Mode {
	case "match":
		if (ct&k.Mask == k.Mark) == k.Invert {
			return nil, nil, []cube{st.cube}
		}
	case "set":
		st.cube = st.cube.with(fCtMark, of(k.Shifted(ct&^k.Mask^k.Mark)))
	case "save":
		st.cube = st.cube.with(fCtMark, of(ct&^k.Mask^k.Shifted(uint32(st.cube.sets[fMark][0].lo.lo)&k.NFMask)))
	default:
		st.cube = st.cube.with(fMark, of(uint32(st.cube.sets[fMark][0].lo.lo)&^k.NFMask^k.Shifted(ct&k.Mask)))
	}
	return nil, []state{st}, nil
}

// stateSet is the states of conntrack that a mask has.
func stateSet(mask uint32) (s set) {
	for bit := uint64(1); bit <= ruleset.CtUntracked; bit <<= 1 {
		if uint64(mask)&bit != 0 {
			s = append(s, interval{num(bit), num(bit)})
		}
	}
	return s
}

func (m *machine) xtIPRange(p *ruleset.XtIPRange, st state) (*ruleset.Verdict, []state, []cube) {
	in, out := []cube{st.cube}, []cube(nil)
	w := st.cube.width()
	for _, side := range []struct {
		on, invert bool
		f          field
		lo, hi     []byte
	}{{p.Source, p.InvertSource, fSaddr, p.SrcMin, p.SrcMax}, {p.Dest, p.InvertDest, fDaddr, p.DstMin, p.DstMax}} {
		if !side.on || len(side.lo) < w || len(side.hi) < w {
			continue
		}
		var next []cube
		for _, cb := range in {
			yes, no := cb.split(side.f, span(number(side.lo[:w]), number(side.hi[:w])))
			if side.invert {
				yes, no = no, yes
			}
			next, out = append(next, yes...), append(out, no...)
		}
		in = next
	}
	return nil, states(in, st), out
}

// states gives cubes the registers of the state that they come from.
func states(in []cube, st state) []state {
	out := make([]state, len(in))
	for i := range in {
		out[i] = state{in[i], st.regs}
	}
	return out
}

// both parts by two fields at once.
func (m *machine) both(st state, f field, fs set, g field, gs set, invert bool,
) (*ruleset.Verdict, []state, []cube) {
	var matched []state
	in, out := st.cube.split(f, fs)
	for _, cb := range in {
		yes, no := cb.split(g, gs)
		out = append(out, no...)
		for _, y := range yes {
			matched = append(matched, state{y, st.regs})
		}
	}
	if invert {
		matched, out = swapSides(st, matched, out)
	}
	return nil, matched, out
}

func (m *machine) xtAddrtype(c *ruleset.Chain, r *ruleset.Rule, a *ruleset.XtAddrtype, st state,
) (*ruleset.Verdict, []state, []cube) {
	if a.LimitIface || m.fibs[st.cube.v4].policy && !st.cube.v4 {
		why := "an address type limited to an interface, or policy rules"
		matched, missed := m.either(c, r, st, why)
		return nil, matched, missed
	}
	in, out := []cube{st.cube}, []cube(nil)
	for _, side := range []struct {
		mask   uint16
		f      field
		invert bool
	}{{a.Source, fSaddr, a.InvertSource}, {a.Dest, fDaddr, a.InvertDest}} {
		if side.mask == 0 {
			continue
		}
		var types set
		for _, p := range m.fibs[st.cube.v4].types {
			if side.mask&(1<<p.kind) != 0 {
				types = append(types, p.addrs...)
			}
		}
		var next []cube
		for _, cb := range in {
			yes, no := cb.split(side.f, append(set{}, types...).normal())
			if side.invert {
				yes, no = no, yes
			}
			next, out = append(next, yes...), append(out, no...)
		}
		in = next
	}
	return nil, states(in, st), out
}

func ports(r [2]uint16) set { return span(num(uint64(r[0])), num(uint64(r[1]))) }

func (m *machine) xtPorts(p *ruleset.XtPorts, st state) (*ruleset.Verdict, []state, []cube) {
	in, out := []cube{st.cube}, []cube(nil)
	for _, t := range []struct {
		f      field
		s      set
		invert bool
		skip   bool
	}{
		{fSport, ports(p.Sport), p.InvertSport, false},
		{fDport, ports(p.Dport), p.InvertDport, false},
		{fTCPFlags, flagsOf(p), false, p.FlagMask == 0},
	} {
		if t.skip {
			continue
		}
		var next []cube
		for _, cb := range in {
			yes, no := cb.split(t.f, t.s)
			if t.invert {
				yes, no = no, yes
			}
			next, out = append(next, yes...), append(out, no...)
		}
		in = next
	}
	return nil, states(in, st), out
}

// flagsOf are the flags of TCP that a rule is about.
func flagsOf(p *ruleset.XtPorts) (flags set) {
	for v := 0; v < 256 && p.FlagMask != 0; v++ {
		if (uint8(v)&p.FlagMask == p.FlagCmp) != p.InvertFlags {
			flags = append(flags, single(num(uint64(v)))...)
		}
	}
	return flags.normal()
}

func (m *machine) xtMultiport(p *ruleset.XtMultiport, st state) (*ruleset.Verdict, []state, []cube) {
	var s set
	for _, rg := range p.Ranges {
		s = append(s, ports(rg)...)
	}
	s = s.normal()
	f := fDport
	if p.Which == "source" {
		f = fSport
	}
	in, out := st.cube.split(f, s)
	if p.Which == "either" { // what one port does not match, the other can
		var rest []cube
		for _, cb := range out {
			yes, no := cb.split(fSport, s)
			in, rest = append(in, yes...), append(rest, no...)
		}
		out = rest
	}
	if p.Invert {
		in, out = out, in
	}
	return nil, states(in, st), out
}

func (m *machine) xtMark(c *ruleset.Chain, r *ruleset.Rule, k *ruleset.XtMark, st state,
) (*ruleset.Verdict, []state, []cube) {
	cur := st.cube.sets[fMark]
	if !cur.singleton() {
		why := "a mark that is not constant"
		matched, missed := m.either(c, r, st, why)
		return nil, matched, missed
	}
	mark := uint32(cur[0].lo.lo)
	if k.Set {
		st.cube = st.cube.with(fMark, single(num(uint64(mark&^k.Mask^k.Mark))))
		return nil, []state{st}, nil
	}
	if (mark&k.Mask == k.Mark) != k.Invert {
		return nil, []state{st}, nil
	}
	return nil, nil, []cube{st.cube}
}

func (m *machine) xtNAT(c *ruleset.Chain, r *ruleset.Rule, n *ruleset.XtNAT, st state) (*ruleset.Verdict, []state, []cube) {
	accept := &ruleset.Verdict{Kind: ruleset.Accept}
	if n.Kind == "snat" || n.Kind == "masquerade" || n.Kind == "netmap" && (m.hook == packet.Postrouting || m.hook == packet.Input) {
		st.cube = st.cube.translateSource(nil)
		if m.seenLater(st.cube.v4) {
			st.cube = st.cube.doubt(packet.Cause{Text: "which source a translation takes"})
			st.cube.loose = true
		}
		return accept, []state{st}, nil
	}
	var addr, port set
	w := st.cube.width()
	if len(n.AddrMin) >= w && len(n.AddrMax) >= w {
		addr = span(number(n.AddrMin[:w]), number(n.AddrMax[:w]))
	}
	if n.PortMin != 0 {
		port = span(num(uint64(n.PortMin)), num(uint64(n.PortMax)))
	}
	list := []state{{st.cube.translate(addr, port), st.regs}}
	if n.Kind == "redirect" {
		list = m.redirect(c, r, port, st)
	}
	if addr != nil && !addr.singleton() || port != nil && !port.singleton() {
		for i := range list {
			list[i].cube = list[i].cube.doubt(packet.Cause{Text: "a translation to a range: the kernel chooses"})
			list[i].cube.loose = true
		}
	}
	return accept, list, nil
}
