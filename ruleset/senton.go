package ruleset

import "slices"

// SentOn are the ports that rules redirect to a port of the host, of a protocol (6 or 17): those that a rule names alone.
func (r *Ruleset) SentOn(proto uint8, port int) (list []int) {
	if r == nil {
		return nil
	}
	for i := range r.Tables {
		for j := range r.Tables[i].Chains {
			for k := range r.Tables[i].Chains[j].Rules {
				exprs := r.Tables[i].Chains[j].Rules[k].Exprs
				at := slices.IndexFunc(exprs, redirects)
				if at < 0 {
					continue
				}
				from, ok := askedPort(exprs[:at], proto)
				if ok && from != port && redirectsTo(exprs[:at], &exprs[at]) == port && !slices.Contains(list, from) {
					list = append(list, from)
				}
			}
		}
	}
	slices.Sort(list)
	return list
}

// askedPort is the one port that packets of a protocol have to be sent to for a rule. A rule for both protocols names neither.
func askedPort(exprs []Expr, proto uint8) (port int, ok bool) {
	of := false // the protocol is asked for
	for i := range exprs {
		e := &exprs[i]
		switch {
		case e.Cmp != nil && e.Cmp.Op == OpEq && i > 0 && exprs[i-1].Meta != nil && exprs[i-1].Meta.Key == MetaL4proto:
			of = len(e.Cmp.Data) == 1 && e.Cmp.Data[0] == proto
		case e.Cmp != nil && e.Cmp.Op == OpEq && i > 0 && len(e.Cmp.Data) == 2:
			if p := exprs[i-1].Payload; p != nil && !p.Set && p.Base == BaseTransport && p.Offset == 2 && p.Len == 2 {
				port = int(e.Cmp.Data[0])<<8 | int(e.Cmp.Data[1])
			}
		case e.Xt != nil && e.Xt.Decoded != nil && e.Xt.Decoded.Ports != nil && e.Xt.Name == map[uint8]string{6: "tcp", 17: "udp"}[proto]:
			if d := e.Xt.Decoded.Ports; d.Dport[0] == d.Dport[1] && !d.InvertDport {
				of, port = true, int(d.Dport[0])
			}
		}
	}
	return port, of && port != 0
}

// redirectsTo is the port of the host that a translation leads to, -1 where it leads elsewhere, or where it does is not constant.
func redirectsTo(before []Expr, e *Expr) int {
	switch {
	case e.NAT != nil && e.NAT.Kind == "redirect" && e.NAT.PortMin != 0:
		if least, most, ok := loadedRange(before, e.NAT.PortMin, e.NAT.PortMax); ok && len(least) == 2 && slices.Equal(least, most) {
			return int(least[0])<<8 | int(least[1])
		}
	case e.Xt != nil && e.Xt.Decoded != nil && e.Xt.Decoded.NAT != nil:
		if n := e.Xt.Decoded.NAT; n.Kind == "redirect" && n.PortMin != 0 && n.PortMax == n.PortMin {
			return int(n.PortMin)
		}
	}
	return -1
}
