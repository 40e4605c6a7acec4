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

// SentOn are the ports that rules redirect to a port of the host, of a protocol (6 or 17): those that a rule names one by one.
func (r *Ruleset) SentOn(proto uint8, port int) (list []SentOn) {
	for d := range r.redirected(proto) {
		for _, from := range d.from {
			if from != port && d.to == port && !slices.ContainsFunc(list, func(x SentOn) bool { return x.Port == from }) {
				list = append(list, SentOn{Port: from})
			}
		}
	}
	for d := range r.redirected(proto) {
		for i := range list {
			if d.any || slices.Contains(d.from, list[i].Port) {
				list[i].Elsewhere, list[i].Anywhere = list[i].Elsewhere || d.to != port, list[i].Anywhere || d.to == port && d.anywhere
			}
		}
	}
	slices.SortFunc(list, func(a, b SentOn) int { return cmp.Compare(a.Port, b.Port) })
	return list
}

// redirection is a rule that translates where packets of a protocol go: the ports that they were sent to, or any, and that of the host that they are led to,
// -1 where it is another's, or not known.
type redirection struct {
	from     []int
	any      bool
	to       int
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
					if at < 0 {
						continue
					}
					d := redirection{to: redirectsTo(exprs[:at], &exprs[at]), anywhere: !slices.ContainsFunc(exprs[:at], asksDestination)}
					if d.from, d.any = askedPorts(&r.Tables[i], exprs[:at], proto); !yield(d) {
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

// askedPorts are the ports that packets of a protocol have to be sent to for a rule: none for one about another protocol. A rule for both may be about any.
func askedPorts(t *Table, exprs []Expr, proto uint8) (ports []int, other bool) {
	of, known := false, false // the protocol is asked for, and ports
	for i := range exprs {
		e := &exprs[i]
		switch {
		case e.Cmp != nil && e.Cmp.Op == OpEq && i > 0 && exprs[i-1].Meta != nil && exprs[i-1].Meta.Key == MetaL4proto:
			if of = len(e.Cmp.Data) == 1 && e.Cmp.Data[0] == proto; !of {
				return nil, false
			}
		case e.Cmp != nil && e.Cmp.Op == OpEq && i > 0 && len(e.Cmp.Data) == 2 && loadsPort(&exprs[i-1]):
			ports, known = []int{portOf(e.Cmp.Data)}, true
		case e.Lookup != nil && !e.Lookup.HasReg && !e.Lookup.Invert && i > 0 && loadsPort(&exprs[i-1]):
			ports, known = t.Set(e.Lookup.Set).ports()
		case e.Xt != nil && e.Xt.Decoded != nil && e.Xt.Decoded.Ports != nil:
			switch d := e.Xt.Decoded.Ports; {
			case e.Xt.Name == portMatches[17] && proto == 6 || e.Xt.Name == portMatches[6] && proto == 17:
				return nil, false
			case e.Xt.Name != portMatches[proto]:
			case d.Dport[0] == d.Dport[1] && !d.InvertDport:
				of, ports, known = true, []int{int(d.Dport[0])}, true
			default:
				of = true
			}
		case e.Xt != nil && e.Xt.Decoded != nil && e.Xt.Decoded.Multiport != nil:
			ports, known = e.Xt.Decoded.Multiport.ports()
		}
	}
	if !of || !known {
		return nil, true
	}
	return ports, false
}

func portOf(data Hex) int { return int(data[0])<<8 | int(data[1]) }

// loadsPort says of an expression that it loads the port that a packet is sent to.
func loadsPort(e *Expr) bool {
	p := e.Payload
	return p != nil && !p.Set && p.Base == BaseTransport && p.Offset == 2 && p.Len == 2
}

// maxAsked bounds how many ports of a rule are told one by one.
const maxAsked = 32

// ports are the elements of a set of ports that no packet changes.
func (s *Set) ports() (list []int, ok bool) {
	if s == nil || s.Interval || s.Map || s.Dynamic || s.Timeout || len(s.Elements) > maxAsked {
		return nil, false
	}
	for i := range s.Elements {
		if e := &s.Elements[i]; len(e.Key) < 2 || e.CatchAll {
			return nil, false
		}
		list = append(list, portOf(s.Elements[i].Key))
	}
	return list, true
}

// ports are those of a match for several.
func (m *XtMultiport) ports() (list []int, ok bool) {
	if m.Which != "destination" || m.Invert || len(m.Ranges) > maxAsked {
		return nil, false
	}
	for _, r := range m.Ranges {
		if r[0] != r[1] {
			return nil, false
		}
		list = append(list, int(r[0]))
	}
	return list, true
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
