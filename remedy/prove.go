package remedy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/replica"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
)

// Proof is a plan that was shown to close what it says, and nothing else, on the model and with real
// packets. Only Prove makes one.
type Proof struct {
	plan *Plan
	// The plan's table as a kernel told it back, on trial and lasting.
	trial, lasting []byte
	table          ruleset.Table
	// Evidence is what was found, a line each.
	Evidence []string
}

// Plan is what was proven.
func (p *Proof) Plan() *Plan { return p.plan }

// Input is what a proof needs.
type Input struct {
	Plan *Plan
	// Snapshot is the host as it is, Messages its ruleset as the kernel tells it.
	Snapshot *snapshot.Snapshot
	Messages []ruleset.Message
	// Run starts the child that builds the replica, in a network namespace of its own, with a job on its
	// standard input, and returns what it prints.
	Run func(ctx context.Context, job []byte) ([]byte, error)
}

// Prove shows that a plan closes its findings, keeps what must go on working and changes nothing else. An
// error says what it could not show: the plan is then not to be loaded.
func Prove(ctx context.Context, in *Input) (*Proof, error) {
	p := &Proof{plan: in.Plan}
	if len(in.Plan.Rules) == 0 {
		return nil, ErrNothing
	}
	probes := newProbes(in.Plan, in.Snapshot)
	res, err := p.replicate(ctx, in, probes)
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	p.table, p.trial, p.lasting = res.Lasting, canonical(&res.Trial), canonical(&res.Lasting)
	begin := time.Now()
	if err := p.onModel(in.Snapshot); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	p.note("model: done in %s", time.Since(begin).Round(time.Millisecond))
	if err := probes.judge(res, in.Plan, p); err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	for _, o := range res.Omitted {
		p.note("replica: without %s", o)
	}
	return p, nil
}

func (p *Proof) note(format string, args ...any) {
	p.Evidence = append(p.Evidence, fmt.Sprintf(format, args...))
}

func (p *Proof) replicate(ctx context.Context, in *Input, probes *probeSet) (*Result, error) {
	job, err := json.Marshal(&Job{
		Host: replica.Host{
			Network: in.Snapshot.Network, Sockets: probes.sockets(in.Snapshot), Ruleset: in.Messages, Peers: probes.peers,
		},
		Plan: in.Plan, Probes: probes.list(),
	})
	if err != nil {
		return nil, err
	}
	out, err := in.Run(ctx, job)
	if err != nil {
		return nil, err
	}
	res := new(Result)
	if err := json.Unmarshal(out, res); err != nil {
		return nil, err
	}
	return res, nil
}

// after is the host with the plan's table in place of an earlier one.
func (p *Proof) after(s *snapshot.Snapshot) *snapshot.Snapshot {
	clone := *Without(s)
	rs := ruleset.Ruleset{Stable: true}
	if clone.NFTables.Ruleset != nil {
		rs = *clone.NFTables.Ruleset
	}
	rs.Tables = append(slices.Clone(rs.Tables), p.table)
	clone.NFTables.Ruleset = &rs
	return &clone
}

// onModel proves on the packet model.
func (p *Proof) onModel(s *snapshot.Snapshot) error {
	if err := harmless(&p.table); err != nil {
		return err
	}
	after := p.after(s)
	if err := p.closes(after); err != nil {
		return err
	}
	if p.plan.Mode == Targeted {
		if err := p.onlyIntended(s); err != nil {
			return err
		}
	} else {
		p.note("model: of what else came in before, only what is kept was compared: the baseline closes the rest on purpose")
	}
	return p.keeps(s, after)
}

// harmless shows that the table does nothing to packets but let them pass or drop them: then what the host
// accepts can only become less, by what its drops match.
func harmless(t *ruleset.Table) error {
	for i := range t.Chains {
		for j := range t.Chains[i].Rules {
			for k := range t.Chains[i].Rules[j].Exprs {
				e := &t.Chains[i].Rules[j].Exprs[k]
				switch {
				case e.Cmp != nil, e.Bitwise != nil, e.Fib != nil, e.Plain && e.Name == "counter":
				case e.Meta != nil && !e.Meta.Set, e.Ct != nil && !e.Ct.Set, e.Payload != nil && !e.Payload.Set:
				case e.Lookup != nil && !e.Lookup.HasReg:
				case e.Immediate != nil && e.Immediate.Verdict != nil &&
					(e.Immediate.Verdict.Kind == ruleset.Accept || e.Immediate.Verdict.Kind == ruleset.Drop):
				default:
					return fmt.Errorf("rule %d of chain %s does more than let pass or drop: %s", j+1, t.Chains[i].Name, e.Name)
				}
			}
		}
	}
	return nil
}

var everywhere = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

// question is what a drop rule must make unreachable: everything that it is about, but for the sources
// that keep access.
func (p *Plan) question(r *Rule, s *snapshot.Snapshot) (*reach.Question, error) {
	in := s.Network.LinkNamed(r.Iif)
	if in == nil {
		return nil, fmt.Errorf("interface %s is gone", r.Iif)
	}
	o := reach.Origin{Iif: in.Index, From: r.Sources}
	if len(o.From) == 0 {
		o.From = everywhere
	}
	for i := range p.Rules {
		k := &p.Rules[i]
		if k == r {
			break
		}
		if k.Accept && k.Kind == "" && k.Chain == r.Chain && k.Iif == r.Iif && k.Oif == r.Oif && k.Proto == r.Proto && k.Port == r.Port {
			if len(k.Sources) == 0 {
				return nil, fmt.Errorf("an accept before it lets everybody pass")
			}
			o.Except = append(o.Except, k.Sources...)
		}
	}
	q := &reach.Question{From: []reach.Origin{o}, Proto: r.Proto, Dport: r.Port, Unbound: true}
	if r.Chain == chainIn {
		q.To = reach.Target{Host: true}
		return q, nil
	}
	out := s.Network.LinkNamed(r.Oif)
	if out == nil {
		return nil, fmt.Errorf("interface %s is gone", r.Oif)
	}
	q.To, q.Direct = reach.Target{Oifs: []int{out.Index}}, r.Direct
	return q, nil
}

// closes proves for each drop that nothing of what it is about gets through any more: to the host, or past it
// by a translation of the port.
func (p *Proof) closes(after *snapshot.Snapshot) error {
	m := reach.NewModel(after)
	certificates, cubes := 0, 0
	for i := range p.plan.Rules {
		r := &p.plan.Rules[i]
		if r.Accept {
			continue
		}
		protos := []string{r.Proto}
		if r.Proto == "" {
			protos = []string{"tcp", "udp", "icmp"}
		}
		for _, proto := range protos {
			q, err := p.plan.question(r, after)
			if err != nil {
				return fmt.Errorf("%s: %w", r, err)
			}
			q.Proto = proto
			for _, q := range p.ways(q, r, after) {
				a := m.Reach(q)
				if a.Verdict != reach.Unreachable {
					return fmt.Errorf("%s: what it closes is %s: %s", r, a.Verdict, reasons(&a))
				}
				certificates += len(a.Certificate)
				for j := range a.Certificate {
					cubes += len(a.Certificate[j].Cubes)
				}
			}
		}
	}
	p.note("model: every drop closes what it is about: %d certificates of %d parts", certificates, cubes)
	return nil
}

// ways are the questions of a rule: about the host, and about each of its addresses where packets can be
// translated to somebody behind it.
func (p *Proof) ways(q *reach.Question, r *Rule, s *snapshot.Snapshot) []*reach.Question {
	list := []*reach.Question{q}
	if r.Chain != chainIn || !translates(s.NFTables.Ruleset) {
		return list
	}
	for i := range s.Network.Links {
		for _, a := range s.Network.Links[i].Addrs {
			x, err := netip.ParsePrefix(a)
			if err != nil || x.Addr().IsLoopback() || x.Addr().IsLinkLocalUnicast() {
				continue
			}
			if len(r.Sources) > 0 && r.v4() != x.Addr().Is4() {
				continue
			}
			through := *q
			through.To, through.Through = reach.Target{Addr: x.Addr()}, true
			list = append(list, &through)
		}
	}
	return list
}

func translates(rs *ruleset.Ruleset) bool {
	for i := range rs.Tables {
		for j := range rs.Tables[i].Chains {
			if b := rs.Tables[i].Chains[j].Base; b != nil && b.Type == "nat" {
				return true
			}
		}
	}
	return false
}

func reasons(a *reach.Answer) string {
	if a.Witness != nil {
		return a.Witness.String()
	}
	var list []string
	for _, c := range a.Because {
		list = append(list, c.Text)
	}
	return strings.Join(list, "; ")
}

// onlyIntended proves that what the table drops lies inside what the plan means to drop: with no other table
// loaded, each part of all packets that it stops is one of some drop's.
func (p *Proof) onlyIntended(s *snapshot.Snapshot) error {
	alone := *s
	alone.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{p.table}}
	m := reach.NewModel(&alone)
	parts := 0
	inside, outside := p.plan.interfaces(s)
	for _, in := range inside {
		for _, proto := range []string{"tcp", "udp", "sctp", "icmp", "47"} {
			targets := []reach.Target{{Host: true}}
			if p.plan.uses(chainForward) {
				for _, out := range outside {
					targets = append(targets, reach.Target{Oifs: []int{out.Index}})
				}
			}
			for _, to := range targets {
				q := &reach.Question{From: []reach.Origin{{Iif: in.Index, From: everywhere}}, Proto: proto, To: to, Unbound: true}
				cubes, ok := m.StoppedBy(q, func(c *reach.Cause) bool {
					return c.Family == ruleset.FamilyInet && c.Table == p.table.Name
				})
				if !ok {
					return fmt.Errorf("what the plan drops of %s packets from %s cannot be told", proto, in.Name)
				}
				for k := range cubes {
					parts++
					if !p.plan.intends(&cubes[k], proto) {
						return fmt.Errorf("the plan would drop what it does not mean to: %s from %s, ports %v, by %s",
							proto, in.Name, cubes[k].Dport, cubes[k].By.Text)
					}
				}
			}
		}
	}
	p.note("model: nothing else changes: all %d parts of what the table drops are intended", parts)
	return nil
}

// interfaces are those by which the plan's packets come in and leave, each with one that no rule names: the
// table asks for names alone, so that all others are treated as that one is.
func (p *Plan) interfaces(s *snapshot.Snapshot) (in, out []*snapshot.Link) {
	named := func(l *snapshot.Link, name func(*Rule) string) bool {
		return slices.ContainsFunc(p.Rules, func(r Rule) bool { return name(&r) == l.Name })
	}
	var otherIn, otherOut bool
	for i := range s.Network.Links {
		l := &s.Network.Links[i]
		if !l.Up || l.Loopback {
			continue
		}
		if n := named(l, func(r *Rule) string { return r.Iif }); n || !otherIn {
			in, otherIn = append(in, l), otherIn || !n
		}
		if n := named(l, func(r *Rule) string { return r.Oif }); n || !otherOut {
			out, otherOut = append(out, l), otherOut || !n
		}
	}
	return in, out
}

// intends says whether a part of what is dropped lies inside one of the plan's denials.
func (p *Plan) intends(c *reach.ProofCube, proto string) bool {
	return slices.ContainsFunc(p.Rules, func(r Rule) bool {
		if r.Accept || r.Chain != c.By.Chain || r.Iif != c.In || r.Proto != "" && r.Proto != proto {
			return false
		}
		if r.Port != 0 && (len(c.Dport) != 1 || c.Dport[0] != portRange(r.Port)) {
			return false
		}
		return len(r.Sources) == 0 || insideSources(c.Src, r.Sources)
	})
}

func portRange(n int) string { return strconv.Itoa(n) + "-" + strconv.Itoa(n) }

func insideSources(texts []string, sources []netip.Prefix) bool {
	list := ranges(sources)
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

// keeps shows by single packets that what must go on working still arrives.
func (p *Proof) keeps(before, after *snapshot.Snapshot) error {
	alone := *before
	alone.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{p.table}}
	old, now, ours := trace.New(before), trace.New(after), trace.New(&alone)
	n := 0
	for _, f := range p.plan.Keeps {
		for _, k := range f.packets(before) {
			was, is := old.Packet(k), now.Packet(k)
			switch was.Fate {
			case trace.Local, trace.Forward:
			case trace.Unknown: // then at least the plan itself must not be what stops it
				if got := ours.Packet(k); got.Fate != trace.Local && got.Fate != trace.Forward {
					return fmt.Errorf("%s cannot be shown to go on working: %s; with the plan alone: %s %s %s", f, was.Why, got.Fate, got.Rule, got.Why)
				}
				n++
				continue
			default:
				continue // it does not work now either
			}
			if is.Fate != was.Fate || is.Oif != was.Oif {
				return fmt.Errorf("%s would stop working: %s %s %s", f, is.Fate, is.Rule, is.Why)
			}
			n++
		}
	}
	if n > 0 {
		p.note("model: %d packets of what must go on working still arrive", n)
	}
	return nil
}

// packets are first packets of a flow: of its own source, or of a neighbour on every interface.
func (f *Flow) packets(s *snapshot.Snapshot) []*trace.Packet {
	var list []*trace.Packet
	for i := range s.Network.Links {
		l := &s.Network.Links[i]
		if l.Loopback || !l.Up || f.Iif != "" && f.Iif != l.Name {
			continue
		}
		for _, text := range l.Addrs {
			own, err := netip.ParsePrefix(text)
			if err != nil || own.Addr().IsLinkLocalUnicast() || f.Addr.IsValid() && f.Addr.Is4() != own.Addr().Is4() {
				continue
			}
			dst, src := own.Addr(), neighbour(own, s)
			if f.Addr.IsValid() {
				dst = f.Addr
			}
			if f.Source.IsValid() {
				if src = f.Source.Addr(); src.Is4() != dst.Is4() || f.Iif == "" && arrives(s, src) != l.Name {
					continue
				}
			}
			if src.IsValid() {
				list = append(list, &trace.Packet{In: l.Name, Src: src, Dst: dst, Proto: f.Proto, Sport: 40000, Dport: uint16(f.Port)})
			}
		}
	}
	return list
}

// neighbour is an address beside one of the host's that is neither the host's nor a router's.
func neighbour(own netip.Prefix, s *snapshot.Snapshot) netip.Addr {
	taken := map[netip.Addr]bool{}
	for i := range s.Network.Links {
		for _, a := range s.Network.Links[i].Addrs {
			if p, err := netip.ParsePrefix(a); err == nil {
				taken[p.Addr()] = true
			}
		}
	}
	for _, r := range s.Network.Routes {
		if a, err := netip.ParseAddr(r.Gateway); err == nil {
			taken[a] = true
		}
	}
	last := lastAddr(own)
	for a := own.Masked().Addr().Next(); own.Contains(a) && (a != last || own.Bits() >= own.Addr().BitLen()-1); a = a.Next() {
		if !taken[a] {
			return a
		}
	}
	return netip.Addr{}
}
