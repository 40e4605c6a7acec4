package judge

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
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
		if m := b.snap.Network.BridgeOf(l); m != nil { // a port of a bridge has no addresses
			l = m
		}
		for _, text := range l.Addrs {
			p, err := netip.ParsePrefix(text)
			if err != nil || p.Addr().IsLinkLocalUnicast() {
				continue
			}
			origin := o.Origin
			for _, proto := range []string{"tcp", "udp"} {
				q := &reach.Question{From: []packet.Origin{origin}, Proto: proto, To: reach.Target{Addr: p.Addr()}, Through: true}
				a := b.asker.Ask(q)
				if a.Verdict == packet.Unreachable {
					continue
				}
				q = &reach.Question{
					From: q.From, Proto: proto, To: reach.Target{Addr: p.Addr()}, Dport: unnamed, Unbound: true,
				}
				input := b.asker.Ask(q)
				b.doc.Published = append(b.doc.Published, DocPublished{
					Zone: o.Zone, Origin: o.Interface, Address: p.Addr().String(), Proto: proto, Ports: orEmpty(a.Ports),
					Reach: b.reach(&a, o.Interface), Input: b.reach(&input, o.Interface),
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
	b.doc.Shadowed, b.doc.Uncompared = []DocShadow{}, []DocUncompared{}
	if b.snap.NFTables.Ruleset == nil {
		return
	}
	list, left := reach.Shadows(b.snap.NFTables.Ruleset, b.asker.Effort())
	for _, u := range left {
		b.doc.Uncompared = append(b.doc.Uncompared, DocUncompared{
			Chain: where(u.Chain).Where, Reason: fmt.Sprintf("the last %d rules were not compared with those before them: %s", u.Rules, u.Reason),
		})
	}
	for _, s := range list {
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
		ports := b.portsOf(i.Index)
		d := DocBridge{Name: l.Name, Zone: i.Zone, Ports: []string{}, Calls: map[string]string{}, Between: b.between(ports)}
		for _, p := range ports {
			d.Ports = append(d.Ports, b.snap.Network.Link(p).Name)
		}
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

var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// maxPorts bounds how many ports of a bridge are asked about in pairs.
const maxPorts = 16

// between says by family of what ports of a bridge send each other: open where a pair of them sends each other whatever
// it likes, filtered where something of it is stopped or may be for every pair, else unknown.
func (b *builder) between(ports []int) map[string]string {
	state := map[string]string{"ipv4": "filtered", "ipv6": "filtered"}
	if len(ports) > maxPorts {
		state["ipv4"], state["ipv6"] = "unknown", "unknown"
		ports = ports[:maxPorts]
	}
	known := map[string]beside{}
	for _, from := range ports {
		for _, to := range ports {
			if from == to {
				continue
			}
			alike := b.asker.AlikeBeside(from, to)
			pair, asked := known[alike]
			if !asked || alike == "" {
				pair = b.stoppedBeside(from, to)
				known[alike] = pair
			}
			for _, v4 := range []bool{true, false} {
				switch name := familyName[v4]; {
				case state[name] == "open" || pair.stopped[v4]:
				case !pair.told[v4]:
					state[name] = "unknown"
				default:
					state[name] = "open"
				}
			}
			if state["ipv4"] == "open" && state["ipv6"] == "open" {
				return state
			}
		}
	}
	return state
}

// beside says for which families a rule or policy stops something between two ports of a bridge, and whether that could be told.
type beside struct {
	stopped, told map[bool]bool
}

// stoppedBeside asks until something is stopped, first about what is translated to the fewest services.
func (b *builder) stoppedBeside(from, to int) beside {
	found := beside{map[bool]bool{}, map[bool]bool{true: true, false: true}}
	for _, v4 := range []bool{true, false} {
		for _, proto := range []string{"udp", "tcp", "icmp"} {
			q := &reach.Question{
				From: []packet.Origin{{Index: from, From: everywhere}}, Proto: proto, To: reach.Target{Oifs: []int{to}}, Unbound: true, Family: map[bool]int{true: 4, false: 6}[v4],
			}
			stopped, told := b.asker.StoppedBeside(q, func(c *packet.Cause) bool { return c.Table != "" })
			found.told[v4] = found.told[v4] && told
			if found.stopped[v4] = len(stopped) > 0; found.stopped[v4] {
				break
			}
		}
	}
	return found
}
