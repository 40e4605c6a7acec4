package ruleset

import (
	"cmp"
	"iter"
	"slices"
)

// SentOn is a port that rules redirect to a port of the host.
type SentOn struct {
	Port int
	// Elsewhere says that another rule may translate what is sent to it too.
	Elsewhere bool
	// Anywhere says that what is sent to any address is redirected: no rule asks for the destination.
	Anywhere bool
}

// SentOn are the ports that rules redirect to a port of the host, of a protocol (6 or 17): those that a rule names alone.
func (r *Ruleset) SentOn(proto uint8, port int) (list []SentOn) {
	for d := range r.redirected(proto) {
		if d.from > 0 && d.from != port && d.to == port && !slices.ContainsFunc(list, func(x SentOn) bool { return x.Port == d.from }) {
			list = append(list, SentOn{Port: d.from})
		}
	}
	for d := range r.redirected(proto) {
		for i := range list {
			if d.from == anyPort || d.from == list[i].Port {
				list[i].Elsewhere, list[i].Anywhere = list[i].Elsewhere || d.to != port, list[i].Anywhere || d.to == port && d.anywhere
			}
		}
	}
	slices.SortFunc(list, func(a, b SentOn) int { return cmp.Compare(a.Port, b.Port) })
	return list
}

// What a rule asks for that names no port of a protocol: it may be any, or it is about another protocol.
const (
	anyPort  = -1
	noneOfIt = 0
)

// redirection is a rule that translates where packets of a protocol go: the port that they were sent to, and that of the host that they are led to,
// -1 where it is another's, or not known.
type redirection struct {
	from, to int
	anywhere bool // whatever address they were sent to
}

func (r *Ruleset) redirected(proto uint8) iter.Seq[redirection] {
	return func(yield func(redirection) bool) {
		if r == nil {
			return
		}
		for i := range r.Tables {
			for j := range r.Tables[i].Chains {
				for k := range r.Tables[i].Chains[j].Rules {
					exprs := r.Tables[i].Chains[j].Rules[k].Exprs
					at := slices.IndexFunc(exprs, redirects)
					if at >= 0 && !yield(redirection{askedPort(exprs[:at], proto), redirectsTo(exprs[:at], &exprs[at]), !slices.ContainsFunc(exprs[:at], asksDestination)}) {
						return
					}
				}
			}
		}
	}
}

// asksDestination says of an expression that it is about the address that packets are sent to.
func asksDestination(e Expr) bool {
	switch {
	case e.Fib != nil:
		return e.Fib.Flags&FibDaddr != 0
	case e.Payload != nil:
		return e.Payload.Base == BaseNetwork && (e.Payload.Offset == 16 && e.Payload.Len == 4 || e.Payload.Offset == 24 && e.Payload.Len == 16)
	}
	return e.Xt != nil && e.Xt.Decoded != nil && e.Xt.Decoded.Addrtype != nil && e.Xt.Decoded.Addrtype.Dest != 0
}

// portMatches are the names of the matches of iptables for the ports of a protocol.
var portMatches = map[uint8]string{6: "tcp", 17: "udp"}

// askedPort is the one port that packets of a protocol have to be sent to for a rule. A rule for both protocols may be about any.
func askedPort(exprs []Expr, proto uint8) int {
	of, port := false, anyPort // the protocol is asked for
	for i := range exprs {
		e := &exprs[i]
		switch {
		case e.Cmp != nil && e.Cmp.Op == OpEq && i > 0 && exprs[i-1].Meta != nil && exprs[i-1].Meta.Key == MetaL4proto:
			if of = len(e.Cmp.Data) == 1 && e.Cmp.Data[0] == proto; !of {
				return noneOfIt
			}
		case e.Cmp != nil && e.Cmp.Op == OpEq && i > 0 && len(e.Cmp.Data) == 2:
			if p := exprs[i-1].Payload; p != nil && !p.Set && p.Base == BaseTransport && p.Offset == 2 && p.Len == 2 {
				port = int(e.Cmp.Data[0])<<8 | int(e.Cmp.Data[1])
			}
		case e.Xt != nil && e.Xt.Decoded != nil && e.Xt.Decoded.Ports != nil:
			switch d := e.Xt.Decoded.Ports; {
			case e.Xt.Name == portMatches[17] && proto == 6 || e.Xt.Name == portMatches[6] && proto == 17:
				return noneOfIt
			case e.Xt.Name == portMatches[proto] && d.Dport[0] == d.Dport[1] && !d.InvertDport:
				of, port = true, int(d.Dport[0])
			}
		}
	}
	if !of || port == 0 {
		return anyPort
	}
	return port
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
