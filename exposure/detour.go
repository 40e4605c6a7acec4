package exposure

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// detour looks for other network namespaces beside a namespace that forward packets of an origin to it, where the host does not: a container in
// two networks is a router if its switch for that is on, as it is in a container of Docker. gate is the bridge of the host that leads there,
// passed are the namespaces on the way from it. It reports which one may.
func (v *view) detour(o *zones.Origin, proto string, v4 bool, gate *snapshot.Link, to reach.Sent, passed ...uint64) (uint64, bool) {
	beside := !o.Local && (o.Index == gate.Index || bridgeOf(&v.host.snap.Network, o.Index) == gate.Index)
	for _, c := range v.asker.crossings()[gate.Index] {
		if !c.port.Up || c.netns == v.seen.Netns || slices.Contains(passed, c.netns) {
			continue
		}
		if c.ns == nil {
			if v.byUnread(o, proto, v4, &c) {
				return c.netns, true
			}
			continue
		}
		if c.homes < 2 && !c.translates && !beside || !forwards(&c.ns.Network, v4) {
			continue
		}
		port, own := c.port, v.switches(o, c.port)
		for j := range c.ns.Network.Links {
			e := &c.ns.Network.Links[j]
			outer := v.hostsEnd(c.ns.Netns, e)
			if outer == nil || !e.Up || outer == port && !own && !c.translates {
				continue // what the host sends there is not for others, or is asked about already
			}
			if v.byRouter(o, proto, v4, v.router(c.ns), e, outer, port, to, append(slices.Clip(passed), c.ns.Netns)) {
				return c.ns.Netns, true
			}
		}
	}
	return 0, false
}

// byUnread says whether anything of an origin gets to a namespace that was not read, or may: it can forward and translate as it likes.
func (v *view) byUnread(o *zones.Origin, proto string, v4 bool, c *crossing) bool {
	network := &v.host.snap.Network
	for i := range network.Links {
		outer := &network.Links[i]
		if outer.PeerNetns != c.netns || outer.PeerIndex == 0 || !outer.Up {
			continue
		}
		oif := outer.Index
		if outer.Master != 0 && !v.switches(o, outer) {
			oif = outer.Master
		}
		if !v.host.model.Shut(leaving(o.Origin, proto, v4, oif, reach.Sent{})) {
			return true
		}
	}
	return false
}

// crossing is a port of a bridge of the host, and the namespace behind it; ns is nil if that was not read.
type crossing struct {
	port  *snapshot.Link
	netns uint64
	ns    *snapshot.Elsewhere
	// homes is how many of its interfaces lead to the host, translates says that its rules do.
	homes      int
	translates bool
}

// crossings are those of each bridge of the host, by its index.
func (a *Asker) crossings() map[int][]crossing {
	if a.crossed != nil {
		return a.crossed
	}
	a.crossed = map[int][]crossing{}
	read, homes := map[uint64]*snapshot.Elsewhere{}, map[uint64]int{}
	for i := range a.snap.Namespaces {
		if e := &a.snap.Namespaces[i]; e.Status == snapshot.OK {
			read[e.Netns] = e
		}
	}
	links := a.snap.Network.Links
	for i := range links {
		if links[i].PeerIndex != 0 {
			homes[links[i].PeerNetns]++
		}
	}
	for i := range links {
		l := &links[i]
		if l.Master == 0 || l.PeerIndex == 0 || l.PeerNetns == a.snap.Network.HostNetns() {
			continue
		}
		c := crossing{port: l, netns: l.PeerNetns, ns: read[l.PeerNetns], homes: homes[l.PeerNetns]}
		c.translates = c.ns != nil && c.ns.NFTables.Ruleset.Translates()
		a.crossed[l.Master] = append(a.crossed[l.Master], c)
	}
	return a.crossed
}

// byRouter says whether packets of an origin get to an interface of a router that sends them out by a port of the host, or may.
func (v *view) byRouter(o *zones.Origin, proto string, v4 bool, router *party, in, outer, port *snapshot.Link, to reach.Sent, passed []uint64) bool {
	q := leaving(packet.Origin{Index: in.Index, From: everywhere}, proto, v4, port.PeerIndex, to)
	q.Tell = true
	through := router.second(q, router.model.Reach(q))
	if through.Verdict == packet.Unreachable {
		return false
	}
	network := &v.host.snap.Network
	gate := outer
	if m := network.Link(outer.Master); m != nil && outer.Master != 0 {
		gate = m
	}
	for _, s := range through.Beyond(nil, -1) {
		var a Answer
		if v.switches(o, outer) {
			if s.Many || overlap(s.Dst, v.host.own()) {
				s.Dst = nil
			}
			q := leaving(o.Origin, proto, v4, outer.Index, s)
			a = v.host.second(q, v.host.model.Reach(q))
		} else if known, ok := v.asker.toGate(v, o, gate.Index, proto, v4, s); ok {
			a = known
		} else {
			q := leaving(o.Origin, proto, v4, gate.Index, s)
			a = v.host.second(q, v.host.model.Reach(q))
		}
		if a.Verdict != packet.Unreachable {
			return true
		}
		if _, found := v.detour(o, proto, v4, gate, s, passed...); found {
			return true
		}
	}
	return false
}

// switches says whether what comes in from an origin is switched to a port, by the bridge that both are of.
func (v *view) switches(o *zones.Origin, port *snapshot.Link) bool {
	network := &v.host.snap.Network
	return !o.Local && port.Master != 0 && o.Index != port.Index && (o.Index == port.Master || bridgeOf(network, o.Index) == port.Master)
}

// router is another network namespace as packets on their way through it meet it.
func (v *view) router(e *snapshot.Elsewhere) *party {
	p := v.asker.routers[e.Netns]
	if p == nil {
		s := v.host.snap.From(e)
		p = &party{side: &side{snap: s, tally: v.tally}, model: reach.NewModel(s)}
		v.asker.routers[e.Netns] = p
	}
	return &party{side: p.side, model: p.model.Within(v.effort), effort: v.effort}
}

// forwards says whether a namespace passes on what comes in by any of its interfaces, or may.
func forwards(n *snapshot.Network, v4 bool) bool {
	off := func(name string) bool {
		f := n.Sysctls[name]
		return f.State == snapshot.Present && f.Value == "0"
	}
	if !v4 {
		return !off("net/ipv6/conf/all/forwarding")
	}
	return slices.ContainsFunc(n.Links, func(l snapshot.Link) bool { return l.Up && !l.Loopback && !off("net/ipv4/conf/"+l.Name+"/forwarding") })
}

// around is the answer for packets that the host does not send to an interface of the namespace, where others may.
func (v *view) around(sk *snapshot.Socket, own []netip.Addr, o *zones.Origin, v4 bool, gate *snapshot.Link, inner *Answer) (Answer, bool) {
	list := inner.Beyond(own, sk.Port)
	for _, to := range own {
		list = append(list, reach.Sent{Dst: []netip.Prefix{netip.PrefixFrom(to, to.BitLen())}, Port: sk.Port})
	}
	for _, to := range list {
		if by, found := v.detour(o, sk.Proto, v4, gate, to); found {
			return Answer{Answer: unknown(fmt.Sprintf(
				"network namespace %d%s forwards packets to %s, and whether any of these get there by it was not found out", by, v.asker.nameOf(by), gate.Name,
			))}, true
		}
	}
	return Answer{}, false
}
