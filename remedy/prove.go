package remedy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/replica"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// Proof is a plan that was shown to close what it says, and nothing else, on the model and with real
// packets. Only Prove makes one.
type Proof struct {
	plan *Plan
	// The plan's tables as a kernel told them back, on trial and lasting.
	trial, lasting []byte
	tables         []ruleset.Table
	working        []Working
	before         *snapshot.Snapshot // without tables of ours
	ground         *ground
	// sufficient says that the plan needs no rules of others to close what it is about (standsAlone).
	sufficient bool
	// readied is when a transaction had been tried out and the connections that are open found out about.
	readied time.Time
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
	Legacy   []ruleset.LegacyTable // of iptables-legacy
	// Run starts the child that builds the replica, in a network namespace of its own, with a job on its
	// standard input, and returns what it prints.
	Run func(ctx context.Context, job []byte) ([]byte, error)
}

// ErrNothing says that a plan has no rule.
var ErrNothing = errors.New("the plan has no rule to load")

// Prove shows that a plan closes its findings, keeps what must go on working and changes nothing else. Findings that it cannot show to be closed
// are left out, where others can: the proof is about the plan without them. An error says what it could not show: nothing is then to be loaded.
func Prove(ctx context.Context, in *Input) (*Proof, error) {
	p, err := prove(ctx, in)
	open := new(OpenError)
	if !errors.As(err, &open) {
		return p, err
	}
	left := in.Plan.leave(open)
	if left == nil {
		return nil, err
	}
	less := *in
	less.Plan = left
	if p, err = Prove(ctx, &less); err != nil {
		return nil, err
	}
	for _, text := range left.leftOut(in.Plan) {
		p.note("left out: %s", text)
	}
	return p, nil
}

func prove(ctx context.Context, in *Input) (*Proof, error) {
	p := &Proof{plan: in.Plan, before: Without(in.Snapshot)}
	if len(in.Plan.Rules) == 0 {
		return nil, ErrNothing
	}
	probes := newProbes(ctx, in.Plan, in.Snapshot)
	res, err := p.replicate(ctx, in, probes)
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	p.tables, p.trial, p.lasting = res.Lasting, canonical(res.Trial), canonical(res.Lasting)
	begin := time.Now()
	if err := p.onModel(ctx, in.Snapshot); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	p.note("model: done in %s", time.Since(begin).Round(time.Millisecond))
	if err := probes.judge(res, in.Plan, p); err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	if text := in.Plan.untried(in.Snapshot); text != "" {
		p.note("replica: flows through the host that the rules let go on were not tried: %s", text)
	}
	for _, name := range res.Entered {
		p.note("replica: rules of the host drop how neighbours find each other behind %s, so that was tried with those who know the host already", escape.Line(name))
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
	var sets []ruleset.IPSet
	if in.Snapshot.NFTables.Ruleset != nil {
		sets = in.Snapshot.NFTables.Ruleset.IPSets
	}
	job, err := json.Marshal(&Job{
		Host: replica.Host{
			Network: in.Snapshot.Network, Sockets: probes.sockets(in.Snapshot), Ruleset: in.Messages, Legacy: in.Legacy, IPSets: sets, Peers: probes.peers, Homes: probes.homes(),
		},
		Plan: in.Plan, Probes: probes.list(), Counts: len(counting(in.Snapshot.NFTables.Ruleset)) > 0,
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

// onModel proves on the packet model.
func (p *Proof) onModel(ctx context.Context, s *snapshot.Snapshot) error {
	for i := range p.tables {
		err := harmless(&p.tables[i])
		if err == nil {
			err = p.plan.carries(&p.tables[i])
		}
		if err != nil {
			return err
		}
	}
	c, err := p.closes(ctx, s)
	if err != nil {
		return err
	}
	if err := p.closesLater(ctx, s); err != nil {
		return err
	}
	p.ground = groundOf(s, c.leans)
	p.sufficient = p.ground != nil && translates(p.ground.rules) && p.standsAlone(ctx, s) != nil
	p.note("model: every drop closes what it is about: %d certificates of %d parts, each checked", c.certificates, c.cubes)
	if p.plan.Mode == Targeted {
		if err := p.onlyIntended(ctx, s); err != nil {
			return err
		}
	} else {
		p.note("model: of what else came in before, only what is kept was compared: the baseline closes the rest on purpose")
	}
	p.working = p.plan.worksOn(ctx, s)
	if err := p.keepsOn(ctx, s, p.working); err != nil {
		return err
	}
	if n := len(p.working); n > 0 {
		p.note("model: %d packets of what must go on working still arrive", n)
	}
	return nil
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

// question is what a drop rule with one interface at each end must make unreachable: everything that it is about, but for the sources
// that accepts before it let pass. It is nil where no packet can be: a bridge without the ports that the rule is about.
func (r *Rule) question(accepts []*Rule, s *snapshot.Snapshot) (*reach.Question, error) {
	in, err := r.ends(s, r.Iif, r.NotIif, r.Oif)
	if err != nil {
		return nil, err
	}
	var except, but []netip.Prefix
	for _, k := range accepts {
		if k.carves(r) {
			but = append(but, k.To...)
			continue
		}
		if k.Kind == "" && k.about(r) {
			if len(k.Sources) == 0 {
				return nil, fmt.Errorf("an accept before it lets everybody pass")
			}
			except = append(except, k.Sources...)
		}
	}
	q := &reach.Question{Proto: r.Proto, Dport: r.Port, Unbound: true}
	for _, l := range in {
		o := packet.Origin{Index: l.Index, From: r.Sources, Except: except}
		if len(o.From) == 0 {
			o.From = slices.DeleteFunc(slices.Clone(everywhere), func(x netip.Prefix) bool { return len(r.To) > 0 && x.Addr().Is4() != r.v4() })
		}
		q.From = append(q.From, o)
	}
	if r.Chain == chainIn || r.Chain == chainPort {
		q.To = reach.Target{Host: true, But: but}
		if r.addressed() {
			q.To.At = r.To
		}
		return q, nil
	}
	name := r.Oif
	if r.Chain == chainUp {
		name = r.Behind
	}
	out, err := r.ends(s, name, r.NotOif, r.Iif)
	if err != nil {
		return nil, err
	}
	for _, l := range out {
		q.To.Oifs = append(q.To.Oifs, l.Index)
	}
	if len(q.From) == 0 || len(q.To.Oifs) == 0 {
		return nil, nil
	}
	q.Direct = r.Direct
	return q, nil
}

// ends are the interfaces that a rule names for one end of the way: one, or the ports of a bridge but for some, which
// the name at the other end tells.
func (r *Rule) ends(s *snapshot.Snapshot, name string, not []string, other string) ([]*snapshot.Link, error) {
	if name == "" {
		var but []int
		l := s.Network.LinkNamed(other)
		b := s.Network.BridgeOf(l)
		if b == nil {
			return nil, fmt.Errorf("%s is no port of a bridge any more", other)
		}
		for _, n := range append(slices.Clone(not), other) {
			if l := s.Network.LinkNamed(n); l != nil {
				but = append(but, l.Index)
			}
		}
		return portsOf(s, b, but), nil
	}
	l := s.Network.LinkNamed(name)
	if l == nil {
		return nil, fmt.Errorf("interface %s is gone", name)
	}
	return []*snapshot.Link{l}, nil
}

// Closed is what a drop rule must make unreachable.
type Closed struct {
	Rule     *Rule
	Question *reach.Question
}

// Closing are the questions that a proof asks about the plan's drops, on the host with the plan's tables: each must be
// unreachable. It tells nothing of a rule that no packet can be about. An error says which rule does not fit the host.
func (p *Plan) Closing(after *snapshot.Snapshot) ([]Closed, error) {
	var list []Closed
	var accepts []*Rule
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Accept {
			for _, one := range r.each() {
				accepts = append(accepts, &one)
			}
			continue
		}
		protos := []string{r.Proto}
		if r.Proto == "" {
			protos = []string{"tcp", "udp", "icmp"}
		}
		if r.ofLater() != nil { // none is there (closesLater)
			continue
		}
		for _, proto := range protos {
			questions, err := r.questions(accepts, after, proto, p.ended)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r, err)
			}
			for _, one := range questions {
				for _, q := range ways(one, r, after) {
					list = append(list, Closed{r, q})
				}
			}
		}
	}
	return list, nil
}

// without leaves out of a question about a protocol the sources that keep a port of somebody behind the host: of those it asks nothing.
func (r *Rule) without(q *reach.Question, accepts []*Rule, proto string) {
	for _, k := range accepts {
		if !k.opens(r, proto) {
			continue
		}
		for i := range q.From {
			q.From[i].Except = slices.Concat(q.From[i].Except, k.Sources)
		}
	}
}

// questions are those of a rule about a protocol, as few as say the same: of what leads to several interfaces one, and one of several origins of what leads to
// the same. By interfaces that have ended nothing comes in or goes out.
func (r *Rule) questions(accepts []*Rule, s *snapshot.Snapshot, proto string, ended func(*snapshot.Snapshot, string) bool) (list []*reach.Question, err error) {
	from, to := map[string]*reach.Question{}, map[string]*reach.Question{}
	for _, one := range r.each() {
		if ended(s, one.Iif) || ended(s, one.Oif) || ended(s, one.Behind) {
			continue
		}
		q, err := one.question(accepts, s)
		if err != nil {
			return nil, err
		}
		if q == nil {
			continue
		}
		q.Proto = proto
		one.without(q, accepts, proto)
		k := key([]string{fmt.Sprint(q.From)})
		if same := from[k]; same != nil && !q.To.Host {
			same.To.Oifs = append(same.To.Oifs, q.To.Oifs...)
			continue
		}
		from[k] = q
		list = append(list, q)
	}
	return slices.DeleteFunc(list, func(q *reach.Question) bool {
		k := key([]string{fmt.Sprint(q.To)})
		same := to[k]
		if to[k] = q; same != nil {
			to[k] = same
			same.From = append(same.From, q.From...)
		}
		return same != nil
	}), nil
}

// closesOn proves of a host for each drop that nothing of what it is about gets through any more: to the host, or past it
// by a translation of the port. Each certificate is checked.
func (p *Plan) closesOn(ctx context.Context, after *snapshot.Snapshot) (*closedBy, error) {
	list, err := p.Closing(after)
	if err != nil {
		return nil, err
	}
	answers := answersTo(ctx, list, after)
	by, open := &closedBy{leans: map[string]bool{}}, &OpenError{Why: map[string]string{}}
	for i := range list {
		a := &answers[i]
		if a.Verdict != packet.Unreachable {
			open.Unknown = open.Unknown || a.Verdict == packet.Unknown
			open.Why[list[i].Rule.Closes] = fmt.Sprintf("%s: what it closes is %s: %s", list[i].Rule, a.Verdict, reasons(&a.Answer))
			continue
		}
		by.add(a.Certificate)
	}
	if len(open.Why) > 0 {
		return nil, open
	}
	return by, nil
}

// answersTo asks the model of a host about each drop.
func answersTo(ctx context.Context, list []Closed, after *snapshot.Snapshot) []exposure.Answer {
	after.Network.Link(0) // finds its interfaces from now on without a change of its own
	answers := make([]exposure.Answer, len(list))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(list)) {
		wg.Go(func() {
			m := exposure.New(ctx, after, exposure.Limits{}, nil) // one asker answers one question at a time
			for i := next.Add(1) - 1; int(i) < len(list); i = next.Add(1) - 1 {
				answers[i] = m.Ask(list[i].Question)
			}
		})
	}
	wg.Wait()
	return answers
}

// closedBy is what closes what a plan is about: certificates and their parts, and the tables that stop some of them.
type closedBy struct {
	certificates, cubes int
	leans               map[string]bool
}

func (b *closedBy) add(list []packet.Certificate) {
	b.certificates += len(list)
	for i := range list {
		b.cubes += len(list[i].Cubes)
		for j := range list[i].Cubes {
			if by := &list[i].Cubes[j].By; by.Table != "" {
				b.leans[by.Family+" "+by.Table] = true
			}
		}
	}
}

// ways are the questions of a rule: about the host, and about each of its addresses where packets can be
// translated to somebody behind it.
func ways(q *reach.Question, r *Rule, s *snapshot.Snapshot) []*reach.Question {
	list := []*reach.Question{q}
	if !q.To.Host || !translates(s.NFTables.Ruleset) {
		return list
	}
	for i := range s.Network.Links {
		for _, a := range s.Network.Links[i].Addrs {
			x, err := netip.ParsePrefix(a)
			if err != nil || x.Addr().IsLoopback() || x.Addr().IsLinkLocalUnicast() {
				continue
			}
			if len(r.Sources)+len(r.To) > 0 && r.v4() != x.Addr().Is4() || covers(q.To.But, x.Addr()) || len(q.To.At) > 0 && !covers(q.To.At, x.Addr()) {
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

// Kept is a packet of what must go on working.
type Kept struct {
	Flow   *Flow
	Packet *packet.Packet
}

// Kept are the packets that a proof follows over the host without and with the plan's tables: what arrives without them
// must arrive with them.
func (p *Plan) Kept(before *snapshot.Snapshot) []Kept {
	var list []Kept
	for i := range p.Keeps {
		for _, k := range p.Keeps[i].packets(p, before) {
			list = append(list, Kept{&p.Keeps[i], k})
		}
	}
	return list
}

// packets are first packets of a flow: of its own source, or of a neighbour on every interface.
func (f *Flow) packets(p *Plan, s *snapshot.Snapshot) []*packet.Packet {
	var list []*packet.Packet
	proto := f.Proto
	if !portProtos[proto] {
		proto = strconv.Itoa(int(protoNumbers[proto]))
	}
	for i := range s.Network.Links {
		l := &s.Network.Links[i]
		if l.Loopback || !l.Up || f.Iif != "" && enters(s, f.Iif) != l.Name {
			continue
		}
		for _, text := range l.Addrs {
			own, err := netip.ParsePrefix(text)
			if err != nil || !f.meets(own.Addr(), l) || f.Addr.IsValid() && f.Addr.Is4() != own.Addr().Is4() {
				continue
			}
			dst := own.Addr()
			if f.Addr.IsValid() {
				dst = f.Addr
			}
			if f.Source.IsValid() && (f.Source.Addr().Is4() != dst.Is4() || f.Iif == "" && arrives(s, f.Source.Addr()) != l.Name) {
				continue
			}
			for n, in := range p.entries(s, l) {
				if f.Iif != "" && f.Iif != l.Name && f.Iif != in {
					continue
				}
				src := neighbour(own, s, n)
				if f.Source.IsValid() {
					src = f.Source.Addr()
				}
				if src.IsValid() {
					list = append(list, &packet.Packet{In: in, Src: src, Dst: dst, Proto: proto, Sport: 40000, Dport: uint16(f.Port)})
				}
			}
		}
	}
	return list
}

// meets says whether packets of a flow are asked about that come in beside an address of an interface. A link-local one is asked for where the
// flow itself is of one, and where the interface has no other.
func (f *Flow) meets(own netip.Addr, l *snapshot.Link) bool {
	asked := ofLink(f.Addr) || ofLink(f.Source.Addr())
	if ofLink(own) {
		return asked && (!f.Addr.IsValid() || f.Addr == own) || l.Master == 0 && linkLocalAlone(l)
	}
	return !asked
}

// linkLocalAlone says whether an interface has link-local addresses and no others.
func linkLocalAlone(l *snapshot.Link) bool {
	for _, text := range l.Addrs {
		if p, err := netip.ParsePrefix(text); err == nil && !p.Addr().IsLinkLocalUnicast() {
			return false
		}
	}
	return len(l.Addrs) > 0
}

// entries are where packets come in by an interface: itself, or of a bridge the ports that the plan names and one that
// it does not.
func (p *Plan) entries(s *snapshot.Snapshot, l *snapshot.Link) []string {
	if l.Kind != "bridge" {
		return []string{l.Name}
	}
	var names []string
	other := false
	for _, port := range portsOf(s, l, nil) {
		named := slices.ContainsFunc(p.Rules, func(r Rule) bool {
			return slices.Contains(r.iifs(), port.Name) || slices.Contains(r.oifs(), port.Name) || slices.Contains(r.NotIif, port.Name) || slices.Contains(r.NotOif, port.Name)
		})
		if named || !other {
			names, other = append(names, port.Name), other || !named
		}
	}
	if len(names) == 0 {
		return []string{l.Name}
	}
	return names
}

// neighbour is an address beside one of the host's that is neither the host's nor a router's: the first, or one of
// those after it, so that nobody else behind the same bridge has it.
func neighbour(own netip.Prefix, s *snapshot.Snapshot, after int) netip.Addr {
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
		if taken[a] {
			continue
		}
		if after--; after < 0 {
			return a
		}
	}
	return netip.Addr{}
}
