package remedy

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// onlyIntended proves that what the table drops lies inside what the plan means to drop: with no other table
// loaded, each part of all packets that it stops is one of some drop's.
func (p *Proof) onlyIntended(ctx context.Context, s *snapshot.Snapshot) error {
	m := exposure.New(ctx, p.alone(s), exposure.Limits{}, nil)
	parts := 0
	ours := func(c *packet.Cause) bool {
		return slices.ContainsFunc(p.tables, func(t ruleset.Table) bool { return t.Family == c.Family && t.Name == c.Table })
	}
	for _, in := range p.plan.entrances(s) {
		outside := p.plan.exits(s, in)
		for _, proto := range []string{"tcp", "udp", "sctp", "icmp", "47"} {
			targets := []reach.Target{{Host: true}}
			for _, out := range outside {
				targets = append(targets, reach.Target{Oifs: []int{out.Index}})
			}
			for _, to := range targets {
				q := &reach.Question{From: []packet.Origin{{Index: in.Index, From: everywhere}}, Proto: proto, To: to, Unbound: true}
				cubes, ok := m.StoppedBy(q, ours)
				if !ok {
					return fmt.Errorf("what the plan drops of %s packets from %s cannot be told", proto, in.Name)
				}
				for k := range cubes {
					parts++
					if !p.plan.intends(s, &cubes[k], proto) {
						return fmt.Errorf("the plan would drop what it does not mean to: %s from %s, ports %v, by %s",
							proto, in.Name, cubes[k].Dport, cubes[k].By.Text)
					}
				}
			}
		}
	}
	p.note("model: nothing else changes: all %d parts of what is dropped are intended", parts)
	return nil
}

// entrances are the interfaces by which the plan's packets come in. The tables ask for names alone, so that all that no
// rule names are treated alike: one stands for them.
func (p *Plan) entrances(s *snapshot.Snapshot) []*snapshot.Link {
	var list []string
	for i := range p.Rules {
		list = append(append(list, p.Rules[i].Iif), p.Rules[i].NotIif...)
	}
	return representatives(s, list)
}

// exits are those by which packets leave that came in by another, in the same way: of the rules that name where they
// come in, only those count that name that one.
func (p *Plan) exits(s *snapshot.Snapshot, in *snapshot.Link) []*snapshot.Link {
	if !p.uses(chainForward) && len(p.families()) == 1 {
		return nil
	}
	var list []string
	for i := range p.Rules {
		if r := &p.Rules[i]; r.Iif == "" || r.Iif == in.Name || r.Iif == enters(s, in.Name) {
			list = append(append(list, r.Oif, r.Behind), r.NotOif...)
		}
	}
	return representatives(s, list)
}

// representatives are the interfaces of these names, one of all others, and a port of each bridge that has one of the
// names, or a port that does.
func representatives(s *snapshot.Snapshot, names []string) (list []*snapshot.Link) {
	named := map[string]bool{}
	for _, n := range names {
		named[n], named[enters(s, n)] = true, true
	}
	seen := map[string]bool{}
	for i := range s.Network.Links {
		l := &s.Network.Links[i]
		if !l.Up || l.Loopback || l.Kind == "bridge" && len(portsOf(s, l, nil)) > 0 {
			continue // of a bridge what comes in does so by a port
		}
		class := "others"
		if b := s.Network.BridgeOf(l); b != nil && named[b.Name] {
			class = "ports of " + b.Name
		}
		if slices.Contains(names, l.Name) {
			class = "named " + l.Name
		}
		if !seen[class] {
			seen[class] = true
			list = append(list, l)
		}
	}
	return list
}

// intends says whether a part of what is dropped lies inside one of the plan's denials.
func (p *Plan) intends(s *snapshot.Snapshot, c *packet.Cube, proto string) bool {
	return slices.ContainsFunc(p.Rules, func(r Rule) bool {
		iif := c.In
		if r.family() != bridgeFamily {
			iif = enters(s, iif)
		}
		if r.Accept || r.Chain != c.By.Chain || r.Iif != "" && r.Iif != iif || slices.Contains(r.NotIif, iif) || r.Proto != "" && r.Proto != proto {
			return false
		}
		if r.Port != 0 && (len(c.Dport) != 1 || c.Dport[0] != portRange(r.Port)) {
			return false
		}
		return (len(r.Sources) == 0 || inside(c.Src, r.Sources)) && (len(r.To) == 0 || inside(c.Dst, r.To))
	})
}

func portRange(n int) string { return strconv.Itoa(n) + "-" + strconv.Itoa(n) }

// inside says whether ranges of addresses lie inside prefixes.
func inside(texts []string, prefixes []netip.Prefix) bool {
	list := ranges(prefixes)
	for _, t := range texts {
		lo, hi, ok := strings.Cut(t, "-")
		a, err := netip.ParseAddr(lo)
		b, berr := netip.ParseAddr(hi)
		if !ok || err != nil || berr != nil || !slices.ContainsFunc(list, func(r addrRange) bool {
			return r.lo.Is4() == a.Is4() && r.lo.Compare(a) <= 0 && b.Compare(r.hi) <= 0
		}) {
			return false
		}
	}
	return len(texts) > 0
}
