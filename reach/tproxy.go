package reach

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// tproxy hands packets to the transparent socket that listens at an address and a port (nft_tproxy_eval_v4). Where there is none the rule
// ends.
func (m *machine) tproxy(c *ruleset.Chain, r *ruleset.Rule, n *ruleset.NAT, st state) (*ruleset.Verdict, []state, []cube) {
	addr, okA := m.natData(st, n.AddrMin, 0, st.cube.width())
	port, okP := m.natData(st, n.PortMin, 0, 2)
	if !okA || !okP {
		matched, missed := m.either(c, r, st, "tproxy to what is not constant")
		return nil, matched, missed
	}
	taker, why := m.transparent(&st.cube, addr, port)
	switch {
	case why != "":
		matched, missed := m.either(c, r, st, why)
		return nil, matched, missed
	case taker == nil:
		return nil, nil, []cube{st.cube}
	}
	st.cube.taker = taker
	return nil, []state{st}, nil
}

// xtTProxy is the target of iptables: it marks what it hands over, and drops what nobody takes (tproxy_tg4).
func (m *machine) xtTProxy(c *ruleset.Chain, r *ruleset.Rule, x *ruleset.XtTProxy, st state) (*ruleset.Verdict, []state, []cube) {
	var addr, port set
	if w := st.cube.width(); len(x.Addr) >= w {
		addr = single(number(x.Addr[:w]))
	}
	if x.Port != 0 {
		port = single(num(uint64(x.Port)))
	}
	taker, why := m.transparent(&st.cube, addr, port)
	mark := st.cube.sets[fMark]
	switch {
	case why != "" || !mark.singleton():
		m.undecided = append(m.undecided, m.doubtful(c, r, cube{}, "TPROXY: "+why).doubts...)
		matched, missed := m.either(c, r, st, why)
		return nil, matched, missed
	case taker == nil:
		return &ruleset.Verdict{Kind: ruleset.Drop}, []state{st}, nil
	}
	st.cube.taker = taker
	st.cube = st.cube.with(fMark, single(num(uint64(uint32(mark[0].lo.lo)&^x.Mask^x.Mark))))
	return &ruleset.Verdict{Kind: ruleset.Accept}, []state{st}, nil
}

// transparent is the transparent socket that listens where packets are handed to, nil where none does, or why that is not known. Without an
// address it is the first of the incoming interface (nf_tproxy_laddr4), without a port the packet's own.
func (m *machine) transparent(c *cube, addr, port set) (*snapshot.Socket, string) {
	sec, proto := m.snap.Section("listeners"), c.sets[fProto][0].lo.lo
	if addr == nil || addr.contains(num(0)) && addr.singleton() {
		addr = m.firstAddr(c, nil)
	}
	if addr.empty() {
		addr = c.sets[fDaddr]
	}
	if port == nil {
		port = c.sets[fDport]
	}
	switch {
	case sec.Part("ip") != snapshot.OK && sec.Status != snapshot.OK:
		return nil, "which sockets listen was not read"
	case m.state == ruleset.CtEstablished:
		return nil, "whether a socket has the connection"
	case m.chooser(proto) != "": // it is asked for listeners first, here too (__inet_lookup_listener)
		return nil, "the program " + m.chooser(proto) + " chooses the socket (sk_lookup)"
	case !addr.singleton() || !port.singleton():
		return nil, "tproxy to an address or port of the packet"
	}
	var taker *snapshot.Socket
	in := m.snap.Network.Link(int(c.sets[fIif][0].lo.lo))
	for _, s := range m.sharing(proto, int(port[0].lo.lo)) {
		at, ok := m.listensAt(s, in, c.v4)
		if ok && at.contains(addr[0].lo) && (taker == nil || outranks(s, taker, c.v4)) {
			taker = s
		}
	}
	switch {
	case taker == nil || proto != 6 && proto != 17:
		return nil, ""
	case taker.Transparent == nil:
		return nil, "whether a socket is transparent was not read"
	case !*taker.Transparent:
		return nil, ""
	}
	return taker, ""
}

// listensAt is the addresses, the host's own or not, for which a socket takes what comes in by an interface, if there are any of that family.
func (m *Model) listensAt(s *snapshot.Socket, in *snapshot.Link, v4 bool) (set, bool) {
	addr, err := netip.ParseAddr(s.Addr)
	if err != nil || !m.hears(s, in) || v4 && s.Family == 6 && s.V6Only || !v4 && s.Family == 4 {
		return nil, false
	}
	if addr = addr.WithZone("").Unmap(); addr.IsUnspecified() {
		bits := 128
		if v4 {
			bits = 32
		}
		return span(num(0), ones(uint(bits))), true
	}
	return single(addrNumber(addr)), addr.Is4() == v4
}

// socketKey loads a property of the socket that would take packets of a new connection (nft_socket_eval): the one that tproxy gave, or the
// one that listens at their destination. Without one the rule ends.
func (m *machine) socketKey(c *ruleset.Chain, r *ruleset.Rule, e *ruleset.SocketKey, st state) ([]state, []cube) {
	with := func(s *snapshot.Socket, cb cube) (matched []state, missed []cube) {
		v := unknown(8, "a property of the socket that takes the packet")
		addr, _ := netip.ParseAddr(s.Addr)
		bit := func(on bool) value { return constant([]byte{map[bool]byte{true: 1}[on]}) }
		switch {
		case e.Key == 0 && s.Transparent != nil:
			v = bit(*s.Transparent)
		case e.Key == 1 && s.Mark != nil:
			v = constant(host32(*s.Mark))
		case e.Key == 2:
			v = bit(addr.IsUnspecified())
		case e.Key == ruleset.SocketCgroup:
			var ends bool
			if v, ends = cgroupKey(m.snap.Listeners.Cgroup(s.Cgroup), e); ends {
				return nil, []cube{cb}
			}
		}
		return []state{{cb, st.regs.set(e.Dreg, v)}}, nil
	}
	sec := m.snap.Section("listeners")
	proto := st.cube.sets[fProto][0].lo.lo
	switch {
	case st.cube.taker != nil:
		return with(st.cube.taker, st.cube)
	case m.local && m.hook == packet.Output && e.Key == ruleset.SocketCgroup && m.by.InCgroup() != "":
		v, ends := cgroupKey(m.snap.Listeners.CgroupAt(m.by.Cgroup), e)
		if ends {
			return nil, []cube{st.cube}
		}
		return []state{{st.cube, st.regs.set(e.Dreg, v)}}, nil
	case m.local && m.hook == packet.Output || m.state != ruleset.CtNew || sec.Part("ip") != snapshot.OK && sec.Status != snapshot.OK:
		st.regs = nil
		return m.either(c, r, st, "whether a socket takes the packet")
	case proto != 6 && proto != 17:
		return nil, []cube{st.cube}
	case m.chooser(proto) != "":
		st.regs = nil
		return m.either(c, r, st, "the program "+m.chooser(proto)+" chooses the socket (sk_lookup)")
	}
	var matched []state
	missed := []cube{st.cube}
	in := m.snap.Network.Link(int(st.cube.sets[fIif][0].lo.lo))
	for _, s := range m.byRank(proto, st.cube.v4) {
		at, ok := m.listensAt(s, in, st.cube.v4)
		if !ok {
			continue
		}
		var rest []cube
		for _, l := range missed {
			yes, no := l.split(fDport, single(num(uint64(s.Port))))
			rest = append(rest, no...)
			for _, y := range yes {
				hit, miss := y.split(fDaddr, at)
				rest = append(rest, miss...)
				for _, h := range hit {
					yes, no := with(s, h)
					matched, rest = append(matched, yes...), append(rest, no...)
				}
			}
		}
		if missed = rest; m.charge(1 + len(rest)/8) {
			break
		}
	}
	return matched, missed
}

// byRank are the sockets of the host's own network namespace, those first that the kernel prefers.
func (m *Model) byRank(proto uint64, v4 bool) (list []*snapshot.Socket) {
	for i := range m.snap.Listeners.Sockets {
		if s := &m.snap.Listeners.Sockets[i]; protocols[s.Proto] == proto && m.ownNetns(s) {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b *snapshot.Socket) int {
		switch {
		case outranks(a, b, v4):
			return -1
		case outranks(b, a, v4):
			return 1
		}
		return 0
	})
	return list
}

// xtSocket is the match of iptables (socket_match): a socket with an address of its own, unless any does, that is transparent where that is
// asked for.
func (m *machine) xtSocket(c *ruleset.Chain, r *ruleset.Rule, x *ruleset.XtSocket, st state) ([]state, []cube) {
	var matched []state
	found, missed := m.socketKey(c, r, &ruleset.SocketKey{Key: 2, Dreg: 1}, st)
	for _, f := range found {
		v, ok := f.regs.read(1, 1)
		wild := ok && len(v) == 1 && len(v[0]) == 1 && v[0][0].data != nil && v[0][0].data[0] == 1
		switch {
		case len(f.cube.doubts) > len(st.cube.doubts), x.Transparent || x.RestoreMark, !ok: // of which more would have to be known
			if wild && !x.NoWildcard {
				missed = append(missed, f.cube)
				continue
			}
			yes, no := m.either(c, r, state{f.cube, st.regs}, "whether a socket takes the packet")
			matched, missed = append(matched, yes...), append(missed, no...)
		case wild && !x.NoWildcard:
			missed = append(missed, f.cube)
		default:
			matched = append(matched, state{f.cube, st.regs})
		}
	}
	return matched, missed
}

// untaken stops packets that have a socket already where they would be forwarded (ip_forward).
func (e *engine) untaken(in []cube) []cube {
	first := 0
	for first < len(in) && in[first].taker == nil {
		first++
	}
	if first == len(in) {
		return in
	}
	live := slices.Clip(in[:first])
	for i := first; i < len(in); i++ {
		if in[i].taker == nil {
			live = append(live, in[i])
			continue
		}
		e.stop(in[i], packet.Cause{Text: "what tproxy gave to a socket is not forwarded"})
	}
	return live
}

// letGo forgets the sockets of packets whose prerouting ran inside a bridge (ip_rcv_core).
func (e *engine) letGo(in []cube, iif *snapshot.Link, v4 bool) []cube {
	if on, unread := e.callsIP(iif, v4); iif.Kind != "bridge" || !on && unread == "" {
		return in
	}
	out := slices.Clone(in)
	for i := range out {
		out[i].taker = nil
	}
	return out
}
