package judge

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// letIn asks again who gets to a server that lets in some addresses alone, by senders who have one of these: a zone that has none of them does not
// use the server, whoever reaches its port. Processes of the host, what a program passes on, and sockets to which rules write another source are
// answered as before: what arrives has other addresses.
func (b *builder) letIn(d *DocManaged, sockets []int) {
	sources := sourcesOf(d.Settings["sources"])
	if len(sources) == 0 || b.writesSource() {
		return
	}
	sockets = slices.DeleteFunc(slices.Clone(sockets), func(i int) bool {
		return b.snap.Listeners.Sockets[i].Netns != b.snap.Network.HostNetns()
	})
	origins := slices.Clone(b.zones.Origins)
	for i := range origins {
		if o := &origins[i]; !o.Local {
			o.From, o.Maybe = common(o.From, sources, o.Except), common(o.Maybe, sources, o.Except)
		}
	}
	answers := b.asker.Sockets(sockets, origins)
	for _, i := range sockets {
		svc := *b.byService[i]
		if len(svc.By) > 0 || svc.Proto != "tcp" && svc.Proto != "udp" {
			continue
		}
		svc.Reach = maps.Clone(svc.Reach)
		maps.DeleteFunc(svc.Reach, func(_ string, r DocReach) bool { return !r.Local })
		b.expose(&b.snap.Listeners.Sockets[i], &svc, slices.DeleteFunc(answers[i], func(a exposure.Of) bool {
			o := &origins[a.Origin]
			return o.Local || !slices.ContainsFunc(slices.Concat(o.From, o.Maybe), func(p netip.Prefix) bool { return p.Addr().Is4() == a.V4 })
		}), false)
		for n := range d.Services {
			if d.Services[n].Key == svc.Key {
				d.Services[n] = svc
			}
		}
	}
}

// writesSource says whether rules may write another source into what comes to the host itself.
func (b *builder) writesSource() bool {
	rs := b.snap.NFTables.Ruleset
	if rs == nil || len(rs.LegacyUnread) > 0 {
		return true
	}
	for t := range rs.Tables {
		if slices.ContainsFunc(rs.Tables[t].Chains, func(c ruleset.Chain) bool {
			return c.Base != nil && c.Base.Type == "nat" && c.Base.Hook == "input" && len(c.Rules) > 0 || slices.ContainsFunc(c.Rules, writesPacket)
		}) {
			return true
		}
	}
	return false
}

// writesPacket says of a rule that it writes into packets, which may be their source, or may do so.
func writesPacket(r ruleset.Rule) bool {
	return slices.ContainsFunc(r.Exprs, func(e ruleset.Expr) bool { return e.Payload != nil && e.Payload.Set || e.Opaque() })
}

// sourcesOf are the networks of a setting; none where one of them is no network.
func sourcesOf(f snapshot.Fact) (list []netip.Prefix) {
	if f.State != snapshot.Present {
		return nil
	}
	for word := range strings.SplitSeq(f.Value, ", ") {
		p, err := netip.ParsePrefix(word)
		if err != nil {
			return nil
		}
		list = append(list, p.Masked())
	}
	return list
}

// common are the addresses of both lists, but for those that a network of except has all of.
func common(a, b, except []netip.Prefix) (list []netip.Prefix) {
	for _, x := range a {
		for _, y := range b {
			switch {
			case !x.Overlaps(y):
			case x.Bits() < y.Bits():
				list = append(list, y)
			default:
				list = append(list, x)
			}
		}
	}
	return slices.DeleteFunc(list, func(p netip.Prefix) bool {
		return slices.ContainsFunc(except, func(e netip.Prefix) bool { return e.Bits() <= p.Bits() && e.Overlaps(p) })
	})
}
