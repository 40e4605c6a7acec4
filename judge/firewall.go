package judge

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// published finds ports of the host that lead through it, for each origin outside and each of the
// host's addresses that it can send to.
func (b *builder) published() {
	b.doc.Published = []DocPublished{}
	if !b.rewrites() {
		return
	}
	for _, o := range b.zones.Origins {
		if o.Local || o.Zone == zones.Workload {
			continue
		}
		l := b.snap.Network.Link(o.Index)
		if m := b.snap.Network.Link(b.master(o.Index)); m != nil { // a port of a bridge has no addresses
			l = m
		}
		for _, text := range l.Addrs {
			p, err := netip.ParsePrefix(text)
			if err != nil || p.Addr().IsLinkLocalUnicast() {
				continue
			}
			origin := asked(&o)
			for _, proto := range []string{"tcp", "udp"} {
				q := &reach.Question{From: []reach.Origin{origin}, Proto: proto, To: reach.Target{Addr: p.Addr()}, Through: true}
				a := b.model.Ask(q)
				if a.Verdict == reach.Unreachable {
					continue
				}
				q = &reach.Question{
					From: q.From, Proto: proto, To: reach.Target{Addr: p.Addr()}, Dport: unnamed, Unbound: true,
				}
				b.doc.Published = append(b.doc.Published, DocPublished{
					Zone: o.Zone, Origin: o.Interface, Address: p.Addr().String(), Proto: proto, Ports: orEmpty(a.Ports),
					Reach: docReach(a, o.Interface), Input: docReach(b.model.Ask(q), o.Interface),
				})
			}
		}
	}
}

// rewrites says whether any rule gives packets another destination.
func (b *builder) rewrites() bool {
	rs := b.snap.NFTables.Ruleset
	if rs == nil {
		return false
	}
	for i := range rs.Tables {
		for j := range rs.Tables[i].Chains {
			for _, r := range rs.Tables[i].Chains[j].Rules {
				for _, e := range r.Exprs {
					if e.NAT != nil && e.NAT.Kind == "dnat" || e.Xt != nil && e.Xt.Decoded != nil && e.Xt.Decoded.NAT != nil ||
						e.Opaque() {
						return true
					}
				}
			}
		}
	}
	return false
}

func (b *builder) shadowed() {
	b.doc.Shadowed = []DocShadow{}
	if b.snap.NFTables.Ruleset == nil {
		return
	}
	for _, s := range reach.Shadows(b.snap.NFTables.Ruleset) {
		rule, by := where(s.Rule), where(s.By)
		chain, _, _ := strings.Cut(rule.Where, "#")
		b.doc.Shadowed = append(b.doc.Shadowed, DocShadow{
			Key: chain + ": " + s.Rule.Text, Rule: rule.Where + " " + s.Rule.Text, By: by.Where + " " + s.By.Text, Contrary: s.Contrary,
		})
	}
}

func (b *builder) bridges() {
	b.doc.Bridges = []DocBridge{}
	for _, i := range b.zones.Interfaces {
		l := b.snap.Network.Link(i.Index)
		if l.Kind != "bridge" {
			continue
		}
		d := DocBridge{Name: l.Name, Zone: i.Zone, Ports: []string{}, Calls: map[string]string{}}
		for _, p := range b.snap.Network.Links {
			if p.Master == l.Index && p.Up {
				d.Ports = append(d.Ports, p.Name)
			}
		}
		d.Chains = b.filtersBetween(i.Index)
		for family, key := range map[string]string{"ipv4": "bridge-nf-call-iptables", "ipv6": "bridge-nf-call-ip6tables"} {
			d.Calls[family] = b.bridgeCalls("net/bridge/" + key)
		}
		b.doc.Bridges = append(b.doc.Bridges, d)
	}
}

// bridgeCalls is the state of a switch of br_netfilter.
func (b *builder) bridgeCalls(key string) string {
	f, ok := b.snap.Network.Sysctls[key]
	switch {
	case !ok || f.State == snapshot.Denied || f.State == snapshot.Error:
		return "unknown"
	case f.State == snapshot.Absent:
		return "absent"
	case strings.TrimSpace(f.Value) == "0":
		return "off"
	}
	return "on"
}

// maxPairs bounds how many ports of a bridge are asked about in pairs.
const maxPairs = 8

// filtersBetween are the chains of the bridge family that stop some of what ports of a bridge that have its zone send
// each other, or none where two of them send each other whatever they like.
func (b *builder) filtersBetween(bridge int) []string {
	all := b.bridgeChains()
	ports := b.portsOf(bridge)
	if len(all) == 0 || len(ports) < 2 {
		return all
	}
	ports = ports[:min(len(ports), maxPairs)]
	found := map[string]bool{}
	for _, from := range ports {
		for _, to := range ports {
			if from == to {
				continue
			}
			filtered := false
			for _, proto := range []string{"tcp", "udp", "icmp"} {
				q := &reach.Question{
					From: []reach.Origin{{Iif: from, From: everywhere}}, Proto: proto, To: reach.Target{Oifs: []int{to}}, Unbound: true,
				}
				stopped, ok := b.model.StoppedBeside(q, func(c *reach.Cause) bool { return c.Family == ruleset.FamilyBridge })
				if !ok {
					return all
				}
				for i := range stopped {
					found[stopped[i].By.Family+" "+stopped[i].By.Table+"/"+stopped[i].By.Chain] = true
					filtered = true
				}
			}
			if !filtered {
				return []string{}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// bridgeChains are the base chains of the bridge family that see what goes from port to port and can
// stop something.
func (b *builder) bridgeChains() []string {
	list := []string{}
	rs := b.snap.NFTables.Ruleset
	if rs == nil {
		return list
	}
	for i := range rs.Tables {
		t := &rs.Tables[i]
		if t.Family != ruleset.FamilyBridge || t.Dormant {
			continue
		}
		for _, c := range t.Chains {
			hooks := []string{"prerouting", "forward", "postrouting"}
			if c.Base != nil && slices.Contains(hooks, c.Base.Hook) && (len(c.Rules) > 0 || c.Base.Policy == ruleset.Drop) {
				list = append(list, t.Family+" "+t.Name+"/"+c.Name)
			}
		}
	}
	return list
}
