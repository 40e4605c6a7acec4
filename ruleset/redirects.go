package ruleset

import (
	"net/netip"
	"slices"
)

// Redirects says how packets can come to ports of the host by a translation: that were sent to other ports, or for others than the host.
type Redirects struct{ OtherPorts, OtherAddrs bool }

// RedirectsTo says how some rule can lead packets to one of these ports of the host. Here says of an address
// that packets for it are the host's own. An expression that is not understood can, and so can a translation to what is not constant.
func (r *Ruleset) RedirectsTo(ports []int, here func(netip.Addr) bool) (to Redirects) {
	if r == nil {
		return to
	}
	for i := range r.Tables {
		for j := range r.Tables[i].Chains {
			for k := range r.Tables[i].Chains[j].Rules {
				exprs := r.Tables[i].Chains[j].Rules[k].Exprs
				for n := range exprs {
					if redirects(exprs[n]) {
						to.add(&r.Tables[i], exprs[:n], &exprs[n], ports, here)
					}
				}
			}
		}
	}
	return to
}

// add adds what a translation does, unless it leads to others than the host, or to other ports.
func (to *Redirects) add(t *Table, before []Expr, e *Expr, ports []int, here func(netip.Addr) bool) {
	if t.LeadsAway(before, e, here) {
		return
	}
	kind, keeps, known := "", false, false // the port stays as it was sent, or is known to be none of these
	switch {
	case e.NAT != nil:
		n := e.NAT
		kind, keeps = n.Kind, n.PortMin == 0
		least, most, ok := loadedRange(before, n.PortMin, n.PortMax)
		known = ok && len(least) == 2 && len(most) == 2 && apart(int(least[0])<<8|int(least[1]), int(most[0])<<8|int(most[1]), ports)
	case e.Xt != nil && e.Xt.Decoded != nil && e.Xt.Decoded.NAT != nil:
		n := e.Xt.Decoded.NAT
		kind, keeps = n.Kind, n.PortMin == 0 && n.PortMax == 0
		known = apart(int(n.PortMin), int(max(n.PortMin, n.PortMax)), ports)
	}
	switch {
	case kind != "dnat" && kind != "redirect" && kind != "netmap":
		*to = Redirects{true, true}
	case keeps:
		to.OtherAddrs = true
	case !known:
		*to = Redirects{true, true}
	}
}

// LeadsAway says of an expression of the table, behind others of its rule, that it translates sources, or destinations to addresses that are
// not the host's: constants, or what a map has that no packet adds to. Here says of an address that packets for it are the host's own.
func (t *Table) LeadsAway(before []Expr, e *Expr, here func(netip.Addr) bool) bool {
	switch {
	case e.NAT != nil && (e.NAT.Kind == "snat" || e.NAT.Kind == "masquerade"):
		return true
	case e.NAT != nil && e.NAT.Kind == "dnat" && e.NAT.AddrMin != 0:
		n := e.NAT
		if least, most, ok := loadedRange(before, n.AddrMin, n.AddrMax); ok {
			return away(least, most, here)
		}
		return (n.AddrMax == 0 || n.AddrMax == n.AddrMin) && t.mapsAway(before, n, here)
	case e.Xt != nil && e.Xt.Target && e.Xt.Decoded != nil && e.Xt.Decoded.NAT != nil:
		n := e.Xt.Decoded.NAT
		return n.Kind == "snat" || n.Kind == "masquerade" || n.Kind == "dnat" && len(n.AddrMin) > 0 && away(n.AddrMin, n.AddrMax, here)
	}
	return false
}

// mapsAway says of a translation whose address a map gives, looked up last, that none in the map is the host's. A port can stand behind the
// address.
func (t *Table) mapsAway(before []Expr, n *NAT, here func(netip.Addr) bool) bool {
	i := len(before) - 1
	for i >= 0 && before[i].Immediate != nil && before[i].Immediate.Verdict == nil && n.PortMin == before[i].Immediate.Dreg {
		i-- // the port
	}
	if i < 0 || before[i].Lookup == nil || !before[i].Lookup.HasReg || before[i].Lookup.Dreg != n.AddrMin {
		return false
	}
	size := map[uint32]int{NfprotoIPv4: 4, NfprotoIPv6: 16}[n.Family]
	s := t.Set(before[i].Lookup.Set)
	if s == nil || !s.Map || s.Dynamic || size == 0 {
		return false
	}
	for _, b := range before[i+1:] {
		if b.Immediate.overlaps(&Immediate{Dreg: n.AddrMin, Data: make(Hex, size)}) {
			return false
		}
	}
	return !slices.ContainsFunc(s.Elements, func(e Element) bool {
		return !e.IntervalEnd && (len(e.Data) < size || !away(e.Data[:size], nil, here))
	})
}

// loadedRange are the constants in the registers of a range.
func loadedRange(before []Expr, from, to uint32) (least, most Hex, ok bool) {
	least, ok = loaded(before, from)
	most = least
	if ok && to != 0 && to != from {
		most, ok = loaded(before, to)
	}
	return least, most, ok
}

// loaded is the constant in a register, unless another one is written over a part of it.
func loaded(before []Expr, reg uint32) (Hex, bool) {
	var over []*Immediate
	for i := len(before) - 1; i >= 0; i-- {
		e := &before[i]
		switch {
		case e.Immediate != nil && e.Immediate.Verdict == nil:
			if e.Immediate.Dreg == reg {
				return e.Immediate.Data, !slices.ContainsFunc(over, e.Immediate.overlaps)
			}
			over = append(over, e.Immediate)
		case e.Plain, e.Cmp != nil, e.Log != nil, e.Limit != nil, e.Xt != nil && !e.Xt.Target: // loads nothing
		default:
			return nil, false
		}
	}
	return nil, false
}

// overlaps says whether two constants have bytes of the registers in common: those are 16 bytes, or 4 from number 8 on (nft_parse_register).
func (m *Immediate) overlaps(o *Immediate) bool {
	at := func(reg uint32) int {
		if reg < 8 {
			return 16 * int(reg)
		}
		return 16 + 4*(int(reg)-8)
	}
	return at(m.Dreg) < at(o.Dreg)+len(o.Data) && at(o.Dreg) < at(m.Dreg)+len(m.Data)
}

// away says of one address that it is not the host's: the unspecified one is for who sends to it. Of iptables one of IPv4 is the first bytes of what could be one of IPv6
// (union nf_inet_addr).
func away(least, most Hex, here func(netip.Addr) bool) bool {
	a, ok := netip.AddrFromSlice(least)
	if !ok || a.IsUnspecified() || len(most) > 0 && !slices.Equal(least, most) || here(a) {
		return false
	}
	return a.Is4() || !here(netip.AddrFrom4([4]byte(least[:4])))
}

func apart(least, most int, ports []int) bool {
	return !slices.ContainsFunc(ports, func(p int) bool { return least <= p && p <= most })
}
