package reach

import (
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

// idle says of each rule of a chain whether it does nothing to a packet: it looks at it, counts it, limits what it logs, and logs it. A rule that has packets go
// to a chain of such rules is one too. Without this, each limit of what is logged would part all packets in two. It is nil where there are none.
func (m *Model) idle(t *ruleset.Table, c *ruleset.Chain) []bool {
	is, known := m.idles[c]
	if known {
		return is
	}
	w := idler{model: m, table: t}
	for i := range c.Rules {
		if w.rule(&c.Rules[i], 0) == nothing {
			if is == nil {
				is = make([]bool, len(c.Rules))
			}
			is[i] = true
		}
	}
	m.idles[c] = is
	return is
}

type idler struct {
	model *Model
	table *ruleset.Table
}

// deed is what a rule does: nothing, or at most that it ends its chain, or more.
type deed int

const (
	nothing deed = iota
	ends
	something
)

func (w *idler) rule(r *ruleset.Rule, depth int) deed {
	does := nothing
	for i := range r.Exprs {
		e := &r.Exprs[i]
		if e.Immediate != nil && e.Immediate.Verdict != nil {
			does = max(does, w.verdict(e.Immediate.Verdict, depth))
		} else if !looks(e) {
			return something
		}
	}
	return does
}

func (w *idler) verdict(v *ruleset.Verdict, depth int) deed {
	switch v.Kind {
	case ruleset.Continue:
		return nothing
	case ruleset.Return:
		return ends
	case ruleset.Jump:
		if depth < maxIdleDepth && w.chain(v.Chain, depth+1) {
			return nothing
		}
	}
	return something
}

// maxIdleDepth is how deep jumps nest, as in the kernel (NFT_JUMP_STACK_SIZE).
const maxIdleDepth = 16

// chain says whether none of its rules does more than to end it. Each is looked at once: many chains can lead to many.
func (w *idler) chain(name string, depth int) bool {
	c := w.model.chain(w.table, name)
	if c == nil {
		return false
	}
	is, known := w.model.idleWhole[c]
	if known {
		return is
	}
	w.model.idleWhole[c] = false // while it is looked at
	for i := range c.Rules {
		if w.rule(&c.Rules[i], depth) == something {
			return false
		}
	}
	w.model.idleWhole[c] = true
	return true
}

// looks says whether an expression takes nothing but a look at the packet, and keeps what it counts to itself.
func looks(e *ruleset.Expr) bool {
	m := e.More()
	switch {
	case e.Opaque():
		return false
	case e.Plain:
		return e.Name != "notrack"
	case e.Payload != nil, e.Meta != nil, e.Ct != nil:
		return !e.Writes()
	case e.Lookup != nil:
		return !e.Lookup.HasReg || e.Lookup.Dreg != 0 // else a verdict
	case e.Xt != nil:
		return slices.Contains(xtLooks[e.Xt.Target], e.Xt.Name)
	case m.Exthdr != nil:
		return m.Exthdr.Sreg == 0 && m.Exthdr.Dreg != 0
	case m.Objref != nil:
		return m.Objref.Type == ruleset.ObjectCounter && m.Objref.Set == "" // others are used up for all rules that name them
	case m.Dynset != nil, m.Queue != nil, m.Send != nil, m.Synproxy != nil, m.Offload != "", e.NAT != nil, e.Reject != nil:
		return false
	}
	return e.Immediate != nil || e.Cmp != nil || e.Range != nil || e.Bitwise != nil || e.Byteorder != nil || e.Fib != nil || e.Log != nil || e.Limit != nil ||
		m.Quota != nil || m.Connlimit != nil || m.Generate != nil || m.Socket != nil || m.Rt != nil || m.Xfrm != nil || m.Osf != nil
}

// xtLooks are extensions of iptables that only look, and the targets that only log.
var xtLooks = map[bool][]string{
	false: {
		"tcp", "udp", "udplite", "icmp", "icmp6", "multiport", "limit", "hashlimit", "conntrack", "state", "addrtype", "comment", "mark", "connmark", "pkttype",
		"length", "iprange", "mac", "ttl", "hl", "physdev", "owner", "set", "statistic", "dscp", "tos", "time", "tcpmss", "helper",
	},
	true: {"LOG", "NFLOG", "ULOG", "TRACE", "AUDIT"},
}
