package reach

import (
	"encoding/binary"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// metaSet carries out meta mark set; other keys do not decide anything here.
func (m *machine) metaSet(c *ruleset.Chain, r *ruleset.Rule, e *ruleset.Expr, st state) []state {
	switch e.Meta.Key {
	case ruleset.MetaMark:
		return m.setMark(c, r, e.Meta.Sreg, fMark, st)
	case ruleset.MetaPriority:
		st.cube.class = class{open: true}
		if vs, ok := st.regs.read(e.Meta.Sreg, 4); ok && len(vs) == 1 && len(vs[0]) == 1 && vs[0][0].known == nil && len(vs[0][0].data) >= 4 {
			st.cube.class = class{n: binary.NativeEndian.Uint32(vs[0][0].data)}
		}
		return []state{st}
	case ruleset.MetaNftrace:
		return []state{st}
	}
	return m.fork(c, r, st, "a meta key is set that the packet model does not follow")
}

func (m *machine) setMark(c *ruleset.Chain, r *ruleset.Rule, reg uint32, f field, st state) []state {
	vs, ok := st.regs.read(reg, 4)
	if !ok || len(vs) != 1 || len(vs[0]) != 1 || vs[0][0].data == nil || vs[0][0].known != nil || len(vs[0][0].data) < 4 {
		st.cube = st.cube.with(f, span(num(0), ones(32)))
		return m.fork(c, r, st, "a mark is set to a value that is not constant")
	}
	st.cube = st.cube.with(f, single(num(uint64(binary.NativeEndian.Uint32(vs[0][0].data)))))
	return []state{st}
}

func (m *machine) ctSet(c *ruleset.Chain, r *ruleset.Rule, e *ruleset.Expr, st state) []state {
	if e.Ct.Key == ruleset.CtMark {
		return m.setMark(c, r, e.Ct.Sreg, fCtMark, st)
	}
	if e.Ct.Key == ruleset.CtZone { // before conntrack has seen the packet (nft_ct_set_zone_eval)
		s := st.cube.sets[fCtState]
		v, ok := st.regs.read(e.Ct.Sreg, 2)
		switch {
		case st.cube.notrack || !s.singleton() || s[0].lo != num(ruleset.CtInvalid):
			return []state{st}
		case ok && len(v) == 1 && len(v[0]) == 1 && len(v[0][0].data) >= 2 && v[0][0].known == nil:
			n := binary.NativeEndian.Uint16(v[0][0].data)
			if st.cube.zone, st.cube.answers = n, n; e.Ct.Dir == "original" {
				st.cube.answers = 0
			} else if e.Ct.Dir == "reply" {
				st.cube.zone = 0
			}
			return []state{st}
		}
	}
	return m.fork(c, r, st, "a ct key is set that the packet model does not follow")
}

// natExpr carries out a translation. Only what changes the destination matters for who is reached.
func (m *machine) natExpr(c *ruleset.Chain, r *ruleset.Rule, n *ruleset.NAT, st state,
) (*ruleset.Verdict, []state, []cube) {
	accept := &ruleset.Verdict{Kind: ruleset.Accept}
	switch n.Kind {
	case "snat", "masquerade":
		return accept, []state{m.translateSource(c, r, n, st)}, nil
	case "tproxy":
		return m.tproxy(c, r, n, st)
	}
	addr, okA := m.natData(st, n.AddrMin, n.AddrMax, st.cube.width())
	port, okP := m.natData(st, n.PortMin, n.PortMax, 2)
	if !okA || !okP {
		st.cube = m.doubtful(c, r, st.cube, "a translation to what is not constant")
		addr, port = span(num(0), ones(uint(8*st.cube.width()))), span(num(0), num(65535))
		st.cube.loose = true
	}
	if n.Family == 2 && !st.cube.v4 || n.Family == 10 && st.cube.v4 {
		return nil, []state{st}, nil // not for this family (nft_nat_inet_eval)
	}
	if n.Kind == "redirect" {
		return accept, m.redirect(c, r, port, st), nil
	}
	st.cube = st.cube.translate(addr, port)
	return accept, []state{st}, nil
}

// translateSource gives the packets a new source. Only chains after it on the same hook see that, so
// where there are none its value does not matter.
func (m *machine) translateSource(c *ruleset.Chain, r *ruleset.Rule, n *ruleset.NAT, st state) state {
	if n.Family == 2 && !st.cube.v4 || n.Family == 10 && st.cube.v4 {
		return st
	}
	addr, ok := m.natData(st, n.AddrMin, n.AddrMax, st.cube.width())
	if ok && n.Kind == "snat" && addr != nil && n.PortMin == 0 {
		return state{st.cube.translateSource(addr), st.regs}
	}
	d := st.cube.translateSource(nil)
	if m.seenLater(d.v4) {
		d = m.doubtful(c, r, d, "which source the translation takes")
		d.loose = true
	}
	return state{d, st.regs}
}

// translateSource gives packets an address as their source, and leaves the port; nil is any source, with the port.
func (c *cube) translateSource(addr set) cube {
	d := *c
	d.snat, d.keptSport = true, addr != nil
	d.sets[fOrigSaddr], d.sets[fOrigSport] = c.sets[fSaddr], c.sets[fSport]
	if d.sets[fSaddr] = addr; addr == nil {
		d.sets[fSaddr], d.sets[fSport] = span(num(0), ones(uint(8*c.width()))), span(num(0), num(65535))
	}
	return d
}

// seenLater says whether rules come after the translation of sources on this hook.
func (m *machine) seenLater(v4 bool) bool {
	filters, _ := m.baseChains(m.hook, v4, "")
	for _, bc := range filters {
		if bc.chain.Base.Priority >= srcnatPriority && len(bc.chain.Rules) > 0 {
			return true
		}
	}
	return false
}

func (c *cube) width() int { return fDaddr.width(c.v4) }

// translate gives the packets a new destination; nil keeps the old address or port.
func (c *cube) translate(addr, port set) cube {
	d := *c
	if !d.nat {
		d.sets[fOrigDaddr], d.sets[fOrigDport] = c.sets[fDaddr], c.sets[fDport]
	}
	d.nat, d.keptAddr, d.keptPort = true, addr == nil, port == nil
	if addr != nil {
		d.sets[fDaddr] = addr
	}
	if port != nil {
		d.sets[fDport] = port
	}
	return d
}

// natData reads the bounds of a translation; a range leaves the choice to the kernel.
func (m *machine) natData(st state, lo, hi uint32, n int) (set, bool) {
	if lo == 0 {
		return nil, true
	}
	get := func(reg uint32) ([]byte, bool) {
		vs, ok := st.regs.read(reg, n)
		if !ok || len(vs) != 1 || len(vs[0]) != 1 || vs[0][0].data == nil {
			return nil, false
		}
		return vs[0][0].data, true
	}
	l, ok := get(lo)
	if !ok {
		return nil, false
	}
	if hi != 0 && hi != lo {
		if h, ok := get(hi); !ok || !slices.Equal(l, h) {
			return nil, false
		}
	}
	return single(number(l[:n])), true
}

// redirect sends packets to the first address of the incoming interface, in IPv6 to one of the destination's scope, or
// to loopback from the host itself. Without such an address they are dropped (nf_nat_redirect_ipv4,
// nf_nat_redirect_ipv6).
func (m *machine) redirect(c *ruleset.Chain, r *ruleset.Rule, port set, st state) []state {
	if m.hook == packet.Output {
		loopback := single(num(1))
		if st.cube.v4 {
			loopback = single(u128{lo: 0x7f000001})
		}
		return states([]cube{st.cube.translate(loopback, port)}, st)
	}
	var out []cube
	to := func(part []cube, scope set) {
		for i := range part {
			if addr := m.firstAddr(&part[i], scope); addr.empty() {
				m.stop(part[i], m.cause(c, r))
			} else {
				out = append(out, part[i].translate(addr, port))
			}
		}
	}
	left := []cube{st.cube}
	for _, scope := range []set{linkScoped, siteScoped} {
		if len(left) > 0 && !st.cube.v4 {
			var part []cube
			part, left = left[0].split(fDaddr, scope)
			to(part, scope)
		}
	}
	to(left, nil)
	return states(out, st)
}

// firstAddr is the first address of the interface that packets came in by, of a scope where that is given.
func (m *machine) firstAddr(c *cube, scope set) set {
	l := m.snap.Network.Link(int(c.sets[fIif][0].lo.lo))
	if l == nil || !c.sets[fIif].singleton() {
		return nil
	}
	for _, a := range linkAddrs(l, c.v4) {
		if n := addrNumber(a.Addr()); scope == nil || scope.contains(n) {
			return single(n)
		}
	}
	return nil
}
