package exposure

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
	"github.com/ringfence/ringfence/zones"
)

// toHost is whether packets from outside get to a listener at a port of the host over IPv4.
func toHost(port int) *reach.Question {
	return &reach.Question{From: []packet.Origin{outside.Origin}, Proto: "tcp", Dport: port, To: reach.Target{Host: true}, Family: 4}
}

// askedWith is an asker whose second opinion looks at a host with another ruleset than the packet model knew.
func askedWith(t *testing.T, model, second *ruleset.Ruleset) *Asker {
	t.Helper()
	s := host()
	listen(s, hostInode, "0.0.0.0", 80)
	s.NFTables.Ruleset = model
	a := New(t.Context(), s, Limits{}, nil)
	other := *s
	other.NFTables.Ruleset = second
	a.snap = &other
	return a
}

// TestAskAgrees: where both engines see the same, the answer stands, and says that it was checked.
func TestAskAgrees(t *testing.T) {
	open, shut := table("input", ruleset.Accept), table("input", ruleset.Drop)
	a := askedWith(t, open, open)
	got := a.Ask(toHost(80))
	want(t, got, packet.Reachable, "")
	if got.Fate.Fate != trace.Local || got.Fate.Socket != "tcp 0.0.0.0:80" || got.Witness.In != "ext0" {
		t.Errorf("the witness %+v ends as %+v", got.Witness, got.Fate)
	}
	want(t, askedWith(t, shut, shut).Ask(toHost(80)), packet.Unreachable, "inet t/c#policy")
	if n := a.Tally(); n != (Tally{Reachable: 1}) {
		t.Errorf("tally %+v", n)
	}
}

// TestRefutedWitnessIsUnknown: a witness that does not arrive at the second engine proves nothing.
func TestRefutedWitnessIsUnknown(t *testing.T) {
	a := askedWith(t, table("input", ruleset.Accept), table("input", ruleset.Drop))
	want(t, a.Ask(toHost(80)), packet.Unknown, "was not confirmed: drop inet t/c#policy")
	if n := a.Tally(); n != (Tally{Unknown: 1, Unconfirmed: 1}) {
		t.Errorf("tally %+v", n)
	}
}

// TestRefutedCertificateIsUnknown: a proof about other rules than those of the host proves nothing.
func TestRefutedCertificateIsUnknown(t *testing.T) {
	for name, second := range map[string]*ruleset.Ruleset{
		"nothing is dropped":      table("input", ruleset.Accept),
		"the port is let through": table("input", ruleset.Drop, join(tcpTo(80), accepted)),
		"another rule is before":  table("input", ruleset.Drop, join(from4("198.51.100.7"), accepted)),
	} {
		a := askedWith(t, table("input", ruleset.Drop), second)
		want(t, a.Ask(toHost(80)), packet.Unknown, "the proof was not confirmed: ")
		if n := a.Tally(); n != (Tally{Unknown: 1, Unconfirmed: 1}) {
			t.Errorf("%s: tally %+v", name, n)
		}
	}
}

// TestDamagedCertificateIsUnknown: a certificate that leaves out a part, or is about another question, is none.
func TestDamagedCertificateIsUnknown(t *testing.T) {
	shut := table("input", ruleset.Drop, join(tcpTo(443), accepted))
	for name, damage := range map[string]func([]packet.Certificate) []packet.Certificate{
		"none":          func([]packet.Certificate) []packet.Certificate { return nil },
		"without cubes": func(l []packet.Certificate) []packet.Certificate { l[0].Cubes = nil; return l },
		"one twice":     func(l []packet.Certificate) []packet.Certificate { return append(l, l[0]) },
	} {
		a := askedWith(t, shut, shut)
		q := toHost(80)
		answer := a.model.Reach(q)
		if answer.Verdict != packet.Unreachable {
			t.Fatalf("%+v", answer)
		}
		list := slices.Clone(answer.Certificate)
		want(t, a.second(q, answer), packet.Unreachable, "")
		answer.Certificate = damage(list)
		if got := a.second(q, answer); got.Verdict != packet.Unknown || got.Checked || a.Tally().Unconfirmed != 1 {
			t.Errorf("%s: %s, checked %v", name, got.Verdict, got.Checked)
		}
	}
}

// TestPacketsInDoubtAreTried: what the model leaves open counts where one of its packets arrives at the second engine, and stays unknown
// where none does.
func TestPacketsInDoubtAreTried(t *testing.T) {
	doubt := table("input", ruleset.Drop, join(undecided, accepted))
	a := askedWith(t, doubt, doubt)
	if got := a.Ask(toHost(80)); got.Verdict != packet.Unknown || got.Checked {
		t.Errorf("%s, %s", got.Verdict, reasons(got))
	}
	a = askedWith(t, doubt, table("input", ruleset.Accept))
	want(t, a.Ask(toHost(80)), packet.Reachable, "")
	if n := a.Tally(); n != (Tally{Reachable: 1}) {
		t.Errorf("tally %+v", n)
	}
	a = askedWith(t, doubt, table("input", ruleset.Drop))
	if got := a.Ask(toHost(80)); got.Verdict != packet.Unknown {
		t.Errorf("none of the packets arrives, and it is %s", got.Verdict)
	}
	a = askedWith(t, doubt, table("output", ruleset.Drop))
	if got := a.Ask(toHost(80)); got.Verdict != packet.Unknown || !strings.Contains(reasons(got), "no connection comes to be") {
		t.Errorf("one arrives and is not answered, and it is %s, %s", got.Verdict, reasons(got))
	}
}

// TestWitnessHasToEndWhereItWasAsked: arriving somewhere is not enough. Each case has an ending that is right and one that is not.
func TestWitnessHasToEndWhereItWasAsked(t *testing.T) {
	s := host()
	i := listen(s, hostInode, "0.0.0.0", 80)
	p := New(t.Context(), s, Limits{}, nil).party
	sk := &s.Listeners.Sockets[i]
	at := func(fate trace.Outcome, to, oif, socket string) *trace.Fate {
		return &trace.Fate{Fate: fate, To: to, Oif: oif, Socket: socket}
	}
	k := &packet.Packet{In: "ext0", Proto: "tcp", Src: netip.MustParseAddr("198.51.100.7"), Dst: netip.MustParseAddr("203.0.113.1"), Dport: 80}
	out := reach.Target{Oifs: []int{br0}}
	for name, c := range map[string]struct {
		q    reach.Question
		f    *trace.Fate
		want bool
	}{
		"a listener":               {*toHost(80), at(trace.Local, "203.0.113.1:80", "", "tcp 0.0.0.0:80"), true},
		"no listener":              {*toHost(80), at(trace.Local, "203.0.113.1:80", "", trace.NoSocket), false},
		"a listener that is asked": {reach.Question{Proto: "tcp", To: reach.Target{Host: true}, Sockets: []*snapshot.Socket{sk}}, at(trace.Local, "203.0.113.1:80", "", "tcp 0.0.0.0:80"), true},
		"another listener":         {reach.Question{Proto: "tcp", To: reach.Target{Host: true}, Sockets: []*snapshot.Socket{sk}}, at(trace.Local, "203.0.113.1:80", "", "tcp 203.0.113.1:80"), false},
		"any port":                 {reach.Question{Proto: "tcp", To: reach.Target{Host: true}, Unbound: true}, at(trace.Local, "203.0.113.1:80", "", trace.NoSocket), true},
		"another port":             {*toHost(80), at(trace.Local, "203.0.113.1:81", "", "tcp 0.0.0.0:81"), false},
		"a drop":                   {*toHost(80), at(trace.Drop, "203.0.113.1:80", "", ""), false},
		"through, and it stays":    {reach.Question{Proto: "tcp", To: reach.Target{Addr: k.Dst}, Through: true}, at(trace.Local, "203.0.113.1:80", "", "tcp 0.0.0.0:80"), false},
		"the interface":            {reach.Question{Proto: "tcp", To: out}, at(trace.Forward, "10.0.0.2:80", "br0", ""), true},
		"a port of the bridge":     {reach.Question{Proto: "tcp", To: reach.Target{Oifs: []int{port0}}}, at(trace.Forward, "10.0.0.2:80", "br0", ""), true},
		"another interface":        {reach.Question{Proto: "tcp", To: out}, at(trace.Forward, "10.0.0.2:80", "ext0", ""), false},
		"one that is not there":    {reach.Question{Proto: "tcp", To: out}, at(trace.Forward, "10.0.0.2:80", "gone", ""), false},
		"another neighbour":        {reach.Question{Proto: "tcp", To: reach.Target{Oifs: []int{br0}, Final: prefixes("10.0.0.2/32")}}, at(trace.Forward, "10.0.0.3:80", "br0", ""), false},
		"translated, and direct":   {reach.Question{Proto: "tcp", To: out, Direct: true}, at(trace.Forward, "10.0.0.2:80", "br0", ""), false},
		"an address anywhere":      {reach.Question{Proto: "tcp", To: reach.Target{Addr: k.Dst}}, at(trace.Output, "203.0.113.1:80", "ext0", ""), true},
		"an address that does not count": {
			reach.Question{Proto: "tcp", To: reach.Target{Host: true, But: prefixes("203.0.113.0/24")}},
			at(trace.Local, "203.0.113.1:80", "", "tcp 0.0.0.0:80"), false,
		},
		"an address that counts": {
			reach.Question{Proto: "tcp", To: reach.Target{Host: true, At: prefixes("203.0.113.0/24")}},
			at(trace.Local, "203.0.113.1:80", "", "tcp 0.0.0.0:80"), true,
		},
	} {
		if got := p.arrives(&c.q, k, c.f); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestWithoutEffortNothingIsClaimed: what was not looked at a second time is unknown.
func TestWithoutEffortNothingIsClaimed(t *testing.T) {
	s := host()
	s.NFTables.Ruleset = table("input", ruleset.Drop)
	i := listen(s, hostInode, "0.0.0.0", 80)
	for _, left := range []int{1, 200, 400, 800} {
		a := New(t.Context(), s, Limits{Host: left}, nil)
		for _, of := range a.Sockets([]int{i}, []zones.Origin{outside})[i] {
			if of.Verdict == packet.Reachable || (of.Verdict == packet.Unreachable) != of.Checked {
				t.Errorf("with %d steps: %s, checked %v", left, of.Verdict, of.Checked)
			}
		}
	}
	a := New(t.Context(), s, Limits{Host: 1}, nil)
	want(t, a.Sockets([]int{i}, []zones.Origin{outside})[i][0].Answer, packet.Unknown, "the effort for the host is used up")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, New(ctx, s, Limits{}, nil).Ask(toHost(80)), packet.Unknown, "time was used up")
}

// TestPacketsOfOtherStates: an established connection has no listener and no first packet; the second engine is asked about the same
// state.
func TestPacketsOfOtherStates(t *testing.T) {
	state := ruleset.Expr{Name: "ct", Ct: &ruleset.Ct{Key: ruleset.CtState, Dreg: 1}}
	s := host()
	listen(s, hostInode, "0.0.0.0", 80)
	s.NFTables.Ruleset = table("input", ruleset.Drop, join(compare(state, 2, 0, 0, 0), accepted)) // NF_CT_STATE_BIT(IP_CT_ESTABLISHED)
	a := New(t.Context(), s, Limits{}, nil)
	q := toHost(80)
	want(t, a.Ask(q), packet.Unreachable, "policy")
	q.State = packet.Established
	got := a.Ask(q)
	want(t, got, packet.Reachable, "")
	if got.Witness != nil && (got.Witness.Ct != packet.Established || got.Witness.Flags == nil || *got.Witness.Flags != "A") {
		t.Errorf("the witness %+v", got.Witness)
	}
}

// TestReasonsOfNoProof: the reasons are those of the model, of many the first.
func TestReasonsOfNoProof(t *testing.T) {
	a := reach.Answer{}
	for i := range 5 {
		a.Because = append(a.Because, packet.Cause{Text: fmt.Sprint("r", i)})
	}
	if got := because(&a).Error(); got != "r0; r1; r2; and 2 more" {
		t.Errorf("%q", got)
	}
}

// TestProtocolNumbers: ICMP has another number in each family.
func TestProtocolNumbers(t *testing.T) {
	for _, c := range []struct {
		name   string
		v4     bool
		number int
	}{{"tcp", true, 6}, {"udp", false, 17}, {"icmp", true, 1}, {"icmp", false, 58}, {"icmpv6", false, 58}, {"icmpv6", true, -1}, {"nothing", true, -1}} {
		if got := protocolNumber(c.name, c.v4); got != c.number {
			t.Errorf("%s %v: %d", c.name, c.v4, got)
		}
	}
}

// TestForwardedWitnessIsFollowed: what is forwarded is asked and checked like what is delivered.
func TestForwardedWitnessIsFollowed(t *testing.T) {
	s := host()
	q := &reach.Question{From: []packet.Origin{outside.Origin}, Proto: "tcp", Dport: 80, To: reach.Target{Oifs: []int{br0}}, Family: 4}
	a := New(t.Context(), s, Limits{}, nil)
	got := a.Ask(q)
	want(t, got, packet.Reachable, "")
	if got.Fate != nil && got.Fate.Oif != "br0" {
		t.Errorf("%+v", got.Fate)
	}
	s.NFTables.Ruleset = table("forward", ruleset.Drop)
	want(t, New(t.Context(), s, Limits{}, nil).Ask(q), packet.Unreachable, "inet t/c#policy")
	if text := reasons(got); strings.Contains(text, "policy") {
		t.Errorf("%q", text)
	}
}

// TestReachableAsLongAsALimitLasts: what a limit lets through at rest is reachable, and the answer says so; what gets through anyway has no
// condition.
func TestReachableAsLongAsALimitLasts(t *testing.T) {
	limited := table("input", ruleset.Drop)
	c := &limited.Tables[0].Chains[0]
	c.Rules = []ruleset.Rule{{Handle: 7, Exprs: []ruleset.Expr{
		{Name: "limit", Limit: &ruleset.Limit{Rate: 10, Per: 60, Burst: 5}},
		{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}},
	}}}
	got := askedWith(t, limited, limited).Ask(toHost(80))
	if got.Verdict != packet.Reachable || !got.Checked || len(got.If) != 1 || got.If[0].State != packet.AtRest || got.If[0].Rule != 7 || got.Fate.Fate != trace.Local {
		t.Errorf("%s if %v, %+v", got.Verdict, got.If, got.Fate)
	}
	if got = askedWith(t, table("input", ruleset.Accept), limited).Ask(toHost(80)); got.Verdict != packet.Reachable || len(got.If) != 1 {
		t.Errorf("%s if %v: the witness arrives as long as the limit lasts", got.Verdict, got.If)
	}
	open := table("input", ruleset.Accept)
	open.Tables[0].Chains[0].Rules = c.Rules
	if got = askedWith(t, open, open).Ask(toHost(80)); got.Verdict != packet.Reachable || len(got.If) != 0 {
		t.Errorf("%s if %v: it arrives anyway", got.Verdict, got.If)
	}
}

// TestWhatRulesHaveEntered: whether a sender can have rules put its address into a set is not known, so that who has to be in one is no witness. Who
// must not be in one is: it is empty for a stranger.
func TestWhatRulesHaveEntered(t *testing.T) {
	for verdict, c := range map[packet.Verdict]struct{ policy, rule string }{
		packet.Unknown:   {ruleset.Drop, ruleset.Accept},
		packet.Reachable: {ruleset.Accept, ruleset.Drop},
	} {
		s := host()
		i := listen(s, s.Network.HostNetns(), "0.0.0.0", 22)
		s.NFTables.Ruleset = table("input", c.policy, slices.Concat(meta(ruleset.MetaNfproto, 2), []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: "network", Offset: 12, Len: 4, Dreg: 1}}, {Name: "lookup", Lookup: &ruleset.Lookup{Set: "seen", Sreg: 1}},
		}, fixtures.VerdictOf(c.rule)))
		s.NFTables.Ruleset.Tables[0].Sets = []ruleset.Set{{Name: "seen", KeyLen: 4, Dynamic: true}}
		want(t, only(t, s, i, outside, true), verdict, map[packet.Verdict]string{packet.Unknown: "traffic adds elements to set seen"}[verdict])
	}
}
