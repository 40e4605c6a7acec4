//go:build linux

package model

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/e2e/oracle"
	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
	"github.com/ringfence/ringfence/zones"
)

// TestAskersAgree asks the audit, reach, trace and fix the same questions about a host with each of many rulesets: every
// verdict has to be the same, each witness has to arrive in trace, and no packet may arrive there whose way is unreachable.
func TestAskersAgree(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	askersAgree(t, crossing, 12)
}

// TestAskersAgreeOnDetours is the same with other routes and switches.
func TestAskersAgreeOnDetours(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	askersAgree(t, detour, 0)
}

func askersAgree(t *testing.T, script string, random int) {
	t.Helper()
	policies, err := judge.Load()
	if err != nil {
		t.Fatal(err)
	}
	b := newCrossing(t, script)
	seed, rulesets, perRuleset := runSize(t, random, 200)
	sum := &askersTally{t: t, counts: map[string]int{}, doubts: map[string]int{}}
	ask := func(name, text string, r *rand.Rand) {
		h := b.askedHost(policies, sum, name)
		h.packets = packets(r, perRuleset, text)
		h.everyone()
	}
	for i, trap := range traps {
		if !longRun() {
			break
		}
		if err := b.o.Load(bed.Spread(trap.rules)); err != nil {
			t.Fatalf("%s: %v", trap.name, err)
		}
		ask(trap.name, trap.rules, rand.New(rand.NewPCG(seed, uint64(i))))
	}
	all := b.realRulesets()
	maps.Copy(all, b.rulesetsIn("../testdata/kinds", 30))
	for i, name := range slices.Sorted(maps.Keys(all)) {
		if !longRun() && (slices.Contains(costly, name) || i%fewer != 0) {
			continue
		}
		text := all[name]
		b.loadReal(name, text)
		ask(name, text["nft"]+text["v4"]+text["v6"], rand.New(rand.NewPCG(seed, uint64(len(name)))))
	}
	for i := range rulesets {
		r := rand.New(rand.NewPCG(seed, uint64(1000+i)))
		text := b.loadWhatNftTakes(randomRuleset(r))
		before := len(sum.wrong)
		ask(fmt.Sprintf("random %d", i), text, r)
		if len(sum.wrong) > before && before < 3 {
			t.Logf("ruleset of random %d:\n%s", i, text)
		}
	}
	sum.report(len(all))
}

// costly are the rulesets that take a third of the time of all: proofs about them use up their bound.
var costly = []string{"ipset-kinds", "router-nat"}

// fewer is which part of the rulesets of real tools a short run has.
const fewer = 3

// sampled is which part of the questions a short run asks.
const sampled = 6

// askersTally counts what was asked and what differed.
type askersTally struct {
	t      *testing.T
	counts map[string]int
	doubts map[string]int // reasons of unconfirmed answers
	wrong  []string
	turn   int
}

// due says whether a question is asked: in a short run only some are.
func (sum *askersTally) due() bool {
	sum.turn++
	return longRun() || sum.turn%sampled == 0
}

func (sum *askersTally) differ(format string, args ...any) {
	sum.wrong = append(sum.wrong, fmt.Sprintf(format, args...))
}

func (sum *askersTally) report(real int) {
	sum.t.Helper()
	sum.t.Logf("%d rulesets of real tools, %d differences", real, len(sum.wrong))
	for _, k := range slices.Sorted(maps.Keys(sum.counts)) {
		sum.t.Logf("%7d %s", sum.counts[k], k)
	}
	for _, k := range slices.SortedFunc(maps.Keys(sum.doubts), func(a, b string) int { return sum.doubts[b] - sum.doubts[a] }) {
		sum.t.Logf("unconfirmed: %5d %s", sum.doubts[k], k)
	}
	if sum.counts["rulesets"] == 0 || sum.counts["audit against reach: reachable"] == 0 || sum.counts["audit against reach: unreachable"] == 0 ||
		sum.counts["packets in trace"] == 0 || sum.counts["questions of a fix"] == 0 {
		sum.t.Errorf("nothing was compared: %v", sum.counts)
	}
	for i, w := range sum.wrong {
		if i == 40 {
			sum.t.Errorf("and %d more", len(sum.wrong)-i)
			break
		}
		sum.t.Error(w)
	}
}

// askedZones gives every interface of the host a zone of its own, so that each zone is one origin.
var askedZones = zones.Config{
	zones.Management: {Interfaces: []string{"mgmt0"}}, zones.External: {Interfaces: []string{"ext0"}},
	zones.Workload: {Interfaces: []string{"docker0"}}, zones.Runtime: {Interfaces: []string{"tun1"}},
}

// askedHost is a host with one ruleset, as those who ask see it.
type askedHost struct {
	*askersTally
	b        *bedOracle
	policies *judge.Policies
	name     string
	snap     *snapshot.Snapshot
	zones    *zones.Map
	report   *finding.Report
	asker    *exposure.Asker // as reach makes one
	packets  []*oracle.Packet
}

func (b *bedOracle) askedHost(p *judge.Policies, sum *askersTally, name string) *askedHost {
	h := &askedHost{askersTally: sum, b: b, policies: p, name: name}
	h.see(withContainer(b.loaded()))
	return h
}

// see has the host audited.
func (h *askedHost) see(s *snapshot.Snapshot) {
	h.t.Helper()
	h.snap, h.zones, h.asker = s, zones.Classify(s, askedZones), exposure.New(h.t.Context(), s, exposure.Limits{}, nil)
	var err error
	if h.report, err = judge.Judge(h.t.Context(), s, h.policies, &judge.Config{Zones: askedZones}, "0"); err != nil {
		h.t.Fatalf("%s: %v", h.name, err)
	}
	h.counts["unconfirmed in the audit"] += h.report.Answers.Unconfirmed
	h.counts["answers of the audit"] += h.report.Answers.Reachable + h.report.Answers.Unreachable + h.report.Answers.Unknown
	h.counts["unknown in the audit"] += h.report.Answers.Unknown
	for i := range h.report.Exposures {
		h.doubt(h.report.Exposures[i].Because)
	}
	for i := range h.report.Forwards {
		h.doubt(h.report.Forwards[i].Because)
	}
}

func (h *askedHost) doubt(because []finding.Cause) {
	for _, c := range because {
		if strings.Contains(c.Text, "not confirmed") {
			h.doubts[h.name+": "+c.Text]++
		}
	}
}

// everyone compares all who ask.
func (h *askedHost) everyone() {
	h.counts["rulesets"]++
	h.auditAgainstReach()
	h.auditAgainstTrace()
	h.packetsAgainstAll()
	if h.due() {
		h.fix()
	}
}

// verdictOf joins the verdicts about parts of a question.
func verdictOf(parts []string) packet.Verdict {
	switch {
	case slices.Contains(parts, string(packet.Reachable)):
		return packet.Reachable
	case slices.Contains(parts, string(packet.Unknown)):
		return packet.Unknown
	}
	return packet.Unreachable
}

// exposed are the audit's verdicts for a zone, family, protocol and port of the host.
// It is none where no socket there is of that family.
func (h *askedHost) exposed(zone, family, proto string, port int) (packet.Verdict, bool) {
	var parts []string
	for i := range h.report.Exposures {
		e := &h.report.Exposures[i]
		if e.Zone == zone && e.Family == family && e.Service.Proto == proto && e.Service.Port == port && e.Service.Namespace == "host" && e.Origin != "local" {
			parts = append(parts, e.Verdict)
		}
	}
	return verdictOf(parts), len(parts) > 0
}

var familyPrefix = map[string]netip.Prefix{"ipv4": everywhere[0], "ipv6": everywhere[1]}

// ask asks as reach does. Where nothing is in a zone, nothing comes from there.
func (h *askedHost) ask(w exposure.Words) exposure.Answer {
	h.counts["questions of reach"]++
	q, err := w.Question(h.snap, h.zones)
	if err != nil {
		return exposure.Answer{Answer: unreachable}
	}
	return h.asker.Ask(q)
}

// overBudget says of an unknown answer that its reason is effort.
func overBudget(because string) bool {
	return strings.Contains(because, "too many") || strings.Contains(because, "effort for") || strings.Contains(because, "too many steps")
}

// unanswered says of an unknown answer that the first packet arrives and that its answer does not come back, which trace is not asked for.
func unanswered(because string) bool { return strings.Contains(because, "no connection comes to be") }

// same notes whether two verdicts for one question are the same.
func (h *askedHost) same(what, question string, a, b packet.Verdict, because string) {
	h.counts[what+": "+string(a)]++
	if a != b && !((a == packet.Unknown || b == packet.Unknown) && overBudget(because)) {
		h.differ("%s: %s: %s: %s against %s %s", h.name, what, question, a, b, because)
	}
}

// auditAgainstReach asks again what the audit asked, in the words of a person.
func (h *askedHost) auditAgainstReach() {
	ports := map[string]bool{}
	for i := range h.snap.Listeners.Sockets {
		sk := &h.snap.Listeners.Sockets[i]
		if sk.Netns != h.snap.Network.HostNetns() || sk.Proto != "tcp" && sk.Proto != "udp" || ports[fmt.Sprint(sk.Proto, sk.Port)] {
			continue
		}
		ports[fmt.Sprint(sk.Proto, sk.Port)] = true
		for _, zone := range exposure.Networks {
			for family, prefix := range familyPrefix {
				w := exposure.Words{From: zone, To: zones.Host, Src: []netip.Prefix{prefix}, Proto: sk.Proto, Dport: sk.Port}
				v, asked := h.exposed(zone, family, sk.Proto, sk.Port)
				if !asked || !h.due() {
					continue
				}
				a := h.ask(w)
				if a.Fate != nil && !strings.HasSuffix(a.Fate.Socket, fmt.Sprintf(":%d", sk.Port)) {
					h.counts["audit against reach: a rule hands it to another socket"]++
					continue
				}
				if a.Verdict == packet.Unreachable && h.handed(zone, family, sk) {
					h.counts["audit against reach: a rule hands it what was sent to another port"]++
					continue
				}
				h.same("audit against reach", fmt.Sprintf("%+v", w), v, a.Verdict, text(a.Because)+h.because(zone, family, sk))
			}
		}
	}
	for i := range h.report.Forwards {
		f := &h.report.Forwards[i]
		if !h.due() {
			continue
		}
		w := exposure.Words{From: f.FromZone, To: "iface:" + f.To, Src: []netip.Prefix{familyPrefix[f.Family]}, Proto: "tcp"}
		a := h.ask(w)
		h.same("forwards against reach", fmt.Sprintf("%+v", w), packet.Verdict(f.Verdict), a.Verdict, text(a.Because)+told(f.Because))
	}
}

// because is the audit's reasons about the sockets of a port.
// handed says whether all that reaches a socket is what tproxy hands to it, which arrives at the port that it was sent to.
func (h *askedHost) handed(zone, family string, sk *snapshot.Socket) bool {
	found := false
	for i := range h.report.Exposures {
		e := &h.report.Exposures[i]
		if e.Zone != zone || e.Family != family || e.Service.Proto != sk.Proto || e.Service.Port != sk.Port || e.Verdict != string(packet.Reachable) {
			continue
		}
		f := h.followed(h.asker.Tracer(), e.Witness)
		port := fmt.Sprintf(":%d", sk.Port)
		if found = strings.HasSuffix(f.Socket, port) && !strings.HasSuffix(f.To, port); !found {
			return false
		}
	}
	return found
}

func (h *askedHost) because(zone, family string, sk *snapshot.Socket) string {
	var out strings.Builder
	for i := range h.report.Exposures {
		e := &h.report.Exposures[i]
		if e.Zone == zone && e.Family == family && e.Service.Proto == sk.Proto && e.Service.Port == sk.Port {
			out.WriteString(told(e.Because))
		}
	}
	return out.String()
}

func told(because []finding.Cause) string {
	var out strings.Builder
	for _, c := range because {
		out.WriteString(" " + c.Where + " " + c.Text)
	}
	return out.String()
}

func text(because []packet.Cause) string {
	var out strings.Builder
	for _, c := range because {
		out.WriteString(" " + c.String())
	}
	return out.String()
}

// auditAgainstTrace gives each witness of the audit to trace as a person would: by its text.
func (h *askedHost) auditAgainstTrace() {
	tr := h.asker.Tracer()
	for i := range h.report.Exposures {
		e := &h.report.Exposures[i]
		if e.Verdict != string(packet.Reachable) {
			continue
		}
		f := h.followed(tr, e.Witness)
		if h.counts["witnesses in trace"]++; e.Service.Namespace != "host" {
			if f = h.inContainer(&f, e.Witness); f.Fate == "" {
				continue
			}
		}
		if f.Fate != trace.Local || !strings.Contains(f.Socket, fmt.Sprintf(":%d", e.Service.Port)) {
			h.differ("%s: from %s the witness %s for %s %s:%d ends %+v", h.name, e.Zone, e.Witness, e.Service.Proto, e.Service.Address, e.Service.Port, f)
		}
	}
	for i := range h.report.Forwards {
		w := &h.report.Forwards[i]
		if w.Verdict != string(packet.Reachable) {
			continue
		}
		h.counts["witnesses in trace"]++
		if f := h.followed(tr, w.Witness); f.Fate != trace.Forward || f.Oif != w.To {
			h.differ("%s: from %s to %s the witness %s ends %+v", h.name, w.From, w.To, w.Witness, f)
		}
	}
}

// followed follows a witness by its text.
func (h *askedHost) followed(tr *trace.Tracer, witness string) trace.Fate {
	h.t.Helper()
	words := strings.SplitN(witness, " ", 3)
	if len(words) != 3 || words[0] != "in" {
		h.t.Fatalf("%s: witness %q", h.name, witness)
	}
	p, err := packet.Parse(words[1], words[2])
	if err != nil {
		h.t.Fatalf("%s: witness %q: %v", h.name, witness, err)
	}
	f := tr.Packet(p)
	for i := range f.ByTraffic { // it arrives as the traffic before has left the rules, in one way
		if end := &f.ByTraffic[i].Fate; end.Fate == trace.Local || end.Fate == trace.Forward || end.Fate == trace.Output {
			return *end
		}
	}
	return f
}
