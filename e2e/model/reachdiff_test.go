//go:build linux

package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/certificate"
	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/e2e/oracle"
	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// endpoint is a way through the host: packets of a protocol and family that come in and leave, or stay.
type endpoint struct {
	in    string // interface that the packet comes in by
	proto string
	out   string // "" is the host
	v4    bool
}

// reachTally counts what became of the questions.
type reachTally struct {
	questions, packets  int
	certificates, cubes int
	tooLarge            int // certificates that were not checked to the end
	verdicts            map[packet.Verdict]int
	settled             map[packet.Verdict]int // what those who ask get where reach alone does not know
	causes              map[string]int
	wrong               []string
}

// TestReachAgreesWithKernel asks for every way through the host whether any packet takes it. A
// reachable answer's witness must arrive, and no packet may take a way that was called unreachable.
func TestReachAgreesWithKernel(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	reachAgrees(t, crossing, 6)
}

// TestReachAgreesWithKernelOnDetours is the same with other routes and switches.
func TestReachAgreesWithKernelOnDetours(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	reachAgrees(t, detour, 3)
}

func reachAgrees(t *testing.T, script string, random int) {
	t.Helper()
	b := newCrossing(t, script)
	seed, rulesets, perRuleset := runSize(t, random, 120)
	sum := newReachTally()
	for i, trap := range traps {
		if err := b.o.Load(bed.Spread(trap.rules)); err != nil {
			t.Fatalf("%s: %v", trap.name, err)
		}
		b.compareReach(trap.name, packets(rand.New(rand.NewPCG(seed, uint64(i))), perRuleset, trap.rules), sum)
	}
	for name, text := range b.realRulesets() {
		b.loadReal(name, text)
		b.compareReach(name, packets(rand.New(rand.NewPCG(seed, uint64(len(name)))), perRuleset, text["nft"]+text["v4"]+text["v6"]), sum)
	}
	for i := range rulesets {
		r := rand.New(rand.NewPCG(seed, uint64(1000+i)))
		text := b.loadWhatNftTakes(randomRuleset(r))
		before := len(sum.wrong)
		b.compareReach(fmt.Sprintf("random %d", i), packets(r, perRuleset, text), sum)
		if len(sum.wrong) > before && before < 3 {
			t.Logf("ruleset of random %d:\n%s", i, text)
		}
	}
	sum.report(t)
}

func newReachTally() *reachTally {
	return &reachTally{verdicts: map[packet.Verdict]int{}, settled: map[packet.Verdict]int{}, causes: map[string]int{}}
}

func (sum *reachTally) report(t *testing.T) {
	t.Helper()
	t.Logf("%d questions %v, of the unknown %v where trace is asked too (%.2f%% unknown), %d packets, %d certificates of %d cubes (%d too large to check), %d disagreements",
		sum.questions, sum.verdicts, sum.settled, 100*float64(sum.settled[packet.Unknown])/float64(max(sum.questions, 1)), sum.packets, sum.certificates, sum.cubes, sum.tooLarge, len(sum.wrong))
	if sum.tooLarge*20 > sum.certificates+20 { // some, of a few
		t.Errorf("%d of %d certificates are too large to check", sum.tooLarge, sum.certificates)
	}
	for _, c := range slices.SortedFunc(maps.Keys(sum.causes), func(a, b string) int { return sum.causes[b] - sum.causes[a] }) {
		t.Logf("unknown: %5d %s", sum.causes[c], c)
	}
	for i, w := range sum.wrong {
		if i == 20 {
			t.Errorf("and %d more", len(sum.wrong)-i)
			break
		}
		t.Error(w)
	}
}

// entrances are the interfaces that packets come in by, and the device to inject them on.
var entrances = map[string]string{"mgmt0": "mgmt0", "ext0": "ext0", "docker0": "vw1", "tun1": "tun1"}

func (b *bedOracle) model() (*reach.Model, *snapshot.Snapshot) {
	rs, err := checks.ReadRuleset(b.t.Context(), host.Local())
	if err != nil {
		b.t.Fatal(err)
	}
	rs.Tables = slices.DeleteFunc(rs.Tables, func(t ruleset.Table) bool { return t.Name == oracle.Table })
	s := *b.snap
	s.NFTables.Ruleset = rs
	return reach.NewModel(&s), &s
}

var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

func (b *bedOracle) compareReach(name string, packets []*oracle.Packet, sum *reachTally) {
	m, s := b.model()
	asker := exposure.New(b.t.Context(), s, exposure.Limits{}, nil)
	answers := map[endpoint]reach.Answer{}
	ask := func(e endpoint) reach.Answer {
		if a, ok := answers[e]; ok {
			return a
		}
		o := packet.Origin{Index: s.Network.LinkNamed(e.in).Index}
		for _, p := range everywhere {
			if p.Addr().Is4() == e.v4 {
				o.From = append(o.From, p)
			}
		}
		q := &reach.Question{From: []packet.Origin{o}, Proto: e.proto, Unbound: true, To: reach.Target{Host: e.out == ""}}
		if e.out != "" {
			q.To.Oifs = []int{s.Network.LinkNamed(e.out).Index}
		}
		a := m.Reach(q)
		answers[e] = a
		if a.Verdict == packet.Unreachable && sum.questions%19 == 0 {
			b.check(name, e, s, &a, sum)
		}
		sum.questions++
		sum.verdicts[a.Verdict]++
		if a.Verdict == packet.Unknown {
			asked := asker.Ask(q)
			if a = asked.Answer; slices.ContainsFunc(asked.If, unwritten) {
				a.Witness = nil
			}
			sum.settled[a.Verdict]++
			answers[e] = a
		}
		for _, c := range a.Because {
			sum.causes[shortCause(c.Text)]++
		}
		return a
	}
	for in := range entrances {
		for _, proto := range []string{"tcp", "udp", "icmp"} {
			for _, out := range []string{"", "mgmt0", "ext0", "docker0", "tun1"} {
				for _, v4 := range []bool{true, false} {
					e := endpoint{in, proto, out, v4}
					if a := ask(e); a.Verdict == packet.Reachable && a.Witness != nil {
						b.witness(name, e, a.Witness, sum)
					}
				}
			}
		}
	}
	for _, p := range packets {
		e := endpoint{in: p.In, v4: p.Src.Is4()}
		if p.In == "vw1" || p.In == "vw2" {
			e.in = "docker0"
		}
		switch {
		case p.Frag != "" || p.DMAC != nil || entrances[e.in] == "":
			continue
		case p.Proto == 6 && p.Flags&0x17 == 2:
			e.proto = "tcp"
		case p.Proto == 17:
			e.proto = "udp"
		case p.Proto == 1 && p.Type == 8, p.Proto == 58 && p.Type == 128:
			e.proto = "icmp"
		case p.Proto == 1 || p.Proto == 58 || p.Proto == 6:
			continue
		default:
			e.proto = fmt.Sprint(p.Proto)
		}
		if !b.fresh(p) {
			continue
		}
		f := b.fate(name, p)
		sum.packets++
		if f.Fate != "local" && f.Fate != "forward" {
			continue
		}
		e.out = f.Oif
		if a := ask(e); a.Verdict == packet.Unreachable && b.again(name, p, f) {
			sum.wrong = append(sum.wrong, fmt.Sprintf("%s: %+v is unreachable by %v, but %s %s", name, e, first(a.StoppedBy), question(p), f.To))
		}
	}
}

// unwritten says of a condition that the packets of the oracle do not meet it: it writes the time to live and the type of service, and comes first.
func unwritten(c packet.Condition) bool {
	return c.State != packet.AtRest && !strings.HasPrefix(c.Text, "the time to live") && !strings.HasPrefix(c.Text, "the type of service")
}

// certificates is those of an answer, as one reads them who has the answer alone.
func (b *bedOracle) certificates(a *reach.Answer) []packet.Certificate {
	b.t.Helper()
	j, err := json.Marshal(a.Certificate)
	if err != nil {
		b.t.Fatal(err)
	}
	var list []packet.Certificate
	if err := json.Unmarshal(j, &list); err != nil {
		b.t.Fatal(err)
	}
	return list
}

// check has the certificate re-checked.
func (b *bedOracle) check(name string, e endpoint, s *snapshot.Snapshot, a *reach.Answer, sum *reachTally) {
	certificates := b.certificates(a)
	target := &certificate.Target{Host: e.out == "", Unbound: true}
	if e.out != "" {
		target.Oifs = []string{e.out}
	}
	for i := range certificates {
		sum.certificates++
		sum.cubes += len(certificates[i].Cubes)
		err := certificate.NewChecker(s).Check(target, &certificates[i])
		if errors.Is(err, certificate.ErrTooLarge) {
			sum.tooLarge++
		} else if err != nil {
			sum.wrong = append(sum.wrong, fmt.Sprintf("%s: %+v: certificate: %v", name, e, err))
		}
	}
}

// shortCause is the reason in parentheses at the end, without the rule before it.
func shortCause(text string) string {
	if i := strings.LastIndex(text, " ("); i >= 0 && strings.HasSuffix(text, ")") {
		return text[i+2 : len(text)-1]
	}
	return text
}

func first(c []packet.Cause) []packet.Cause { return c[:min(len(c), 4)] }

func (b *bedOracle) fate(name string, p *oracle.Packet) oracle.Fate {
	b.next += 0x10001 // both halves are the packet's own: conntrack tells echo requests apart by the upper one
	f, err := b.o.Ask(p, b.next)
	if err != nil {
		b.t.Fatalf("%s: %+v: %v", name, *p, err)
	}
	return f
}

// witness sends a witness.
func (b *bedOracle) witness(name string, e endpoint, w *packet.Packet, sum *reachTally) {
	in := entrances[e.in]
	if strings.HasPrefix(w.In, "vw") { // the port of the bridge that lets it through
		in = w.In
	}
	p := &oracle.Packet{
		In: in, Src: w.Src, Dst: w.Dst, Sport: w.Sport, Dport: w.Dport,
		Proto: map[string]uint8{"tcp": 6, "udp": 17, "icmp": 1}[e.proto], Flags: 2, Type: 8, TTL: w.TTL,
	}
	if w.TOS != nil {
		p.TOS = *w.TOS
	}
	if w.Flags != nil {
		flags, err := w.FlagBits()
		if err != nil {
			b.t.Fatal(err)
		}
		p.Flags = flags
	}
	p.Broadcast = w.Dst.Is4() && !w.Dst.IsUnspecified() && slices.Contains(broadcasts[in], w.Dst.String()) || w.Dst.String() == "172.17.255.255" && in == "vw1"
	if w.SMAC != "" {
		p.SMAC, _ = net.ParseMAC(w.SMAC)
	}
	if e.proto == "icmp" {
		p.Sport, p.Dport = 0, 0
		if !e.v4 {
			p.Proto, p.Type = 58, 128
		}
	}
	if !b.fresh(p) { // the witness was sent before, over another ruleset
		p.Sport = uint16(20000 + len(b.used)%40000)
		if w.Sport != 40000 || !b.fresh(p) {
			return
		}
	}
	if b.o.Wire && e.out != "" { // to a neighbour whose link layer address nobody knows
		return
	}
	arrives := func(f oracle.Fate) bool {
		return f.Fate == map[bool]string{true: "local", false: "forward"}[e.out == ""] && f.Oif == e.out
	}
	f := b.fate(name, p)
	sum.packets++
	if !arrives(f) { // once more, without the connections of earlier packets
		if err := b.o.Forget(); err != nil {
			b.t.Fatal(err)
		}
		f = b.fate(name, p)
	}
	if !arrives(f) {
		sum.wrong = append(sum.wrong, fmt.Sprintf("%s: %+v is reachable, but its witness %s ends %+v; trace says %+v", name, e, w, f, b.tracer().Packet(question(p))))
	}
}
