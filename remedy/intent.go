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
			if len(outside) > 0 {
				targets = append(targets, reach.Target{Oifs: outside})
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
// rule names are treated alike, and all that the same rules name: one stands for them.
func (p *Plan) entrances(s *snapshot.Snapshot) []*snapshot.Link {
	return representatives(s, p.named(func(r *Rule) [][]string { return [][]string{append(slices.Clone(r.iifs()), r.there(s)...), r.NotIif} }), "")
}

// exits are those by which packets leave that came in by another, by index, in the same way: of the rules that name where they
// come in, only those count that name that one. That one itself is treated like no other.
func (p *Plan) exits(s *snapshot.Snapshot, in *snapshot.Link) (list []int) {
	if !p.uses(chainForward) && len(p.families()) == 1 {
		return nil
	}
	for _, l := range representatives(s, p.named(func(r *Rule) [][]string {
		if ins := append(slices.Clone(r.iifs()), r.there(s)...); len(ins) == 0 || slices.Contains(ins, in.Name) || slices.Contains(ins, enters(s, in.Name)) {
			return [][]string{r.oifs(), r.NotOif, {r.Behind}}
		}
		return nil
	}), in.Name) {
		list = append(list, l.Index)
	}
	return list
}

// named tells of each name that rules have in some of their places in which: those that are in the same are treated alike.
func (p *Plan) named(places func(*Rule) [][]string) map[string]string {
	list := map[string]string{}
	for i := range p.Rules {
		for j, names := range places(&p.Rules[i]) {
			for _, n := range names {
				if n != "" {
					list[n] += fmt.Sprintf("%d.%d ", i, j)
				}
			}
		}
	}
	return list
}

// representatives are one interface of those that are named in the same places, one of all others, and a port of each bridge that has one of
// the names, or a port that does. One of that name is always among them.
func representatives(s *snapshot.Snapshot, names map[string]string, always string) (list []*snapshot.Link) {
	named := map[string]bool{}
	for n := range names {
		named[n], named[enters(s, n)] = true, true
	}
	seen := map[string]bool{}
	for i := range s.Network.Links {
		l := &s.Network.Links[i]
		if !l.Up || l.Loopback || l.Kind == "bridge" && len(portsOf(s, l, nil)) > 0 {
			continue // of a bridge what comes in does so by a port
		}
		class := "others"
		b := s.Network.BridgeOf(l)
		if b != nil && named[b.Name] {
			class = "ports of " + b.Name
		}
		if places := names[l.Name]; places != "" {
			class = "named " + places
			if b != nil {
				class += "at " + b.Name
			}
		}
		if l.Name == always {
			class = "itself"
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
	out := s.Network.Link(c.Oif)
	return slices.ContainsFunc(p.Rules, func(r Rule) bool {
		iif := c.In
		if r.family() != bridgeFamily {
			iif = enters(s, iif)
		}
		if r.Accept || r.Chain != c.By.Chain || !r.comesBy(iif) || r.Proto != "" && r.Proto != proto || !r.leavesBy(iif, out) {
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
