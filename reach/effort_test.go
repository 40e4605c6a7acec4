package reach

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// markForks is rules whose limits cannot be decided, and that leave another mark each: n of them make 2^n cases.
func markForks(n int) *snapshot.Snapshot {
	s := fixtures.Host()
	word := func(v uint32) ruleset.Hex { return binary.NativeEndian.AppendUint32(nil, v) }
	c := ruleset.Chain{Name: "c", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop}}
	for i := range n {
		c.Rules = append(c.Rules, ruleset.Rule{Handle: uint64(i + 1), Exprs: []ruleset.Expr{
			{Name: "limit", Limit: &ruleset.Limit{Rate: 1}},
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Dreg: 1}},
			{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 4, Op: "mask", Mask: word(^uint32(1 << i)), Xor: word(1 << i)}},
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Sreg: 1, Set: true}},
		}})
	}
	c.Rules = append(c.Rules, ruleset.Rule{Handle: 99, Exprs: []ruleset.Expr{
		{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Dreg: 1}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: word(0xdeadbeef)}},
		{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}},
	}})
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{c}}}}
	return s
}

// TestForksAreBounded: rules that split a question into 2^24 cases end in unknown, in little memory, and always after
// the same number of steps.
func TestForksAreBounded(t *testing.T) {
	s := markForks(24)
	for _, c := range []struct {
		name  string
		cases int
		most  uint64 // bytes
	}{{"of a namespace", 15_000, 150 << 20}, {"of the host", 0, 800 << 20}} {
		var left []int
		for range 2 {
			e := &Effort{Whose: "x", Left: 1 << 30, Cases: c.cases}
			m := NewModel(s).Within(e)
			runtime.GC()
			peak := peakHeap(func() {
				if a := m.Socket(from(s, "mgmt0"), &ssh, true); a.Verdict != packet.Unknown || a.Because[0].Text != errTooComplex.Error() {
					t.Errorf("%s: %+v", c.name, a)
				}
			})
			if peak > c.most {
				t.Errorf("%s: %d MB at most, want %d", c.name, peak>>20, c.most>>20)
			}
			left = append(left, e.Left)
			t.Logf("%s: %d MB, %d steps", c.name, peak>>20, 1<<30-e.Left)
		}
		if left[0] != left[1] || left[0] == 1<<30 {
			t.Errorf("%s: steps are not counted, or not the same each time: %v", c.name, left)
		}
	}
}

// peakHeap is about how much the heap grows at most while f runs.
func peakHeap(f func()) uint64 {
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		most := uint64(0)
		for {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
			select {
			case <-done:
				peak <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	f()
	close(done)
	return <-peak
}

// TestEffortIsShared: questions of one effort take from what is left for all, and what nobody asked for is unknown with
// the name of the party. Another effort for the same model is not touched.
func TestEffortIsShared(t *testing.T) {
	s := fixtures.Host()
	all := NewModel(s)
	e := &Effort{Whose: "network namespace 7", Left: 2000}
	m := all.Within(e)
	var got []packet.Verdict
	for range 20 {
		got = append(got, m.Socket(from(s, "mgmt0"), &ssh, true).Verdict)
	}
	if got[0] != packet.Reachable || got[19] != packet.Unknown {
		t.Errorf("got %v, want what was asked first answered, and the last unknown", got)
	}
	q := &Question{From: []packet.Origin{from(s, "mgmt0")}, Proto: "tcp", To: Target{Host: true}}
	for what, a := range map[string]Answer{
		"socket": m.Socket(from(s, "mgmt0"), &ssh, true), "question": m.Ask(q),
		"sweep": m.Sweep(from(s, "mgmt0"), &ssh, true, []int{22}).Port(22),
	} {
		if want := (&usedUpError{"network namespace 7"}).Error(); a.Verdict != packet.Unknown || len(a.Because) == 0 || a.Because[0].Text != want {
			t.Errorf("%s: %+v, want %s", what, a, want)
		}
	}
	if _, ok := m.StoppedBy(q, func(*packet.Cause) bool { return true }); ok {
		t.Error("what rules stop is told without an effort")
	}
	if a := all.Socket(from(s, "mgmt0"), &ssh, true); a.Verdict != packet.Reachable {
		t.Errorf("without that effort: %+v", a)
	}
}

// countdown is a context that ends after it was asked some times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestTimeEndsAQuestionInItsMiddle: the end of the time is seen within the rules, and the answer is unknown.
func TestTimeEndsAQuestionInItsMiddle(t *testing.T) {
	s := markForks(24)
	e := &Effort{Whose: "x", Left: 1 << 30, Context: &countdown{t.Context(), 3}}
	a := NewModel(s).Within(e).Socket(from(s, "mgmt0"), &ssh, true)
	if a.Verdict != packet.Unknown || a.Because[0].Text != errNoTime.Error() {
		t.Errorf("%+v", a)
	}
	if spent := 1<<30 - e.Left; spent == 0 || spent > 10*pollEvery {
		t.Errorf("%d steps until the end was seen", spent)
	}
}

// TestTriedNumbersCost: masks whose numbers have to be tried one by one are charged for, also in sets.
func TestTriedNumbersCost(t *testing.T) {
	s := fixtures.Host()
	set := ruleset.Set{Name: "s", KeyLen: 2}
	for i := range 3000 {
		set.Elements = append(set.Elements, ruleset.Element{Key: binary.BigEndian.AppendUint16(nil, uint16(i))})
	}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{
		Family: "inet", Name: "t", Sets: []ruleset.Set{set}, Chains: []ruleset.Chain{{
			Name: "c", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop},
			Rules: []ruleset.Rule{{Exprs: []ruleset.Expr{
				{Name: "payload", Payload: &ruleset.Payload{Base: "transport", Offset: 0, Len: 2, Dreg: 1}},
				{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 2, Op: "mask", Mask: ruleset.Hex{0x5a, 0x5a}, Xor: ruleset.Hex{0, 0}}},
				{Name: "lookup", Lookup: &ruleset.Lookup{Set: "s", Sreg: 1}},
				{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}},
			}}},
		}},
	}}}
	e := &Effort{Whose: "x", Left: 1 << 30, Question: 100_000}
	a := NewModel(s).Within(e).Socket(from(s, "mgmt0"), &ssh, true)
	if spent := 1<<30 - e.Left; spent < 50_000 || spent > 300_000 || a.Verdict != packet.Unknown {
		t.Errorf("%d steps: %+v", spent, a)
	}
}

// TestManyPortsInHalves: rules that are too much for one walk over all ports are asked about in parts, with the
// answers of single questions.
func TestManyPortsInHalves(t *testing.T) {
	s := fixtures.Host()
	c := ruleset.Chain{Name: "c", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop}}
	for i := range 400 { // each port has a mark of its own in the end
		c.Rules = append(c.Rules, ruleset.Rule{Handle: uint64(i + 1), Exprs: []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: "transport", Offset: 2, Len: 2, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpGte, Data: binary.BigEndian.AppendUint16(nil, uint16(1000+i))}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: binary.NativeEndian.AppendUint32(nil, uint32(i))}},
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Sreg: 1, Set: true}},
		}})
	}
	for i := range 3 {
		c.Rules = append(c.Rules, ruleset.Rule{Handle: uint64(1000 + i), Exprs: []ruleset.Expr{
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: binary.NativeEndian.AppendUint32(nil, uint32(77*i))}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: []string{ruleset.Accept, ruleset.Drop}[i%2]}}},
		}})
	}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{c}}}}
	var ports []int
	for i := range 600 {
		ports = append(ports, 900+i)
	}
	m := NewModel(s)
	w := m.Sweep(from(s, "mgmt0"), &ssh, true, ports)
	if !w.tooComplex() {
		t.Fatal("one walk did, and halves are not tested")
	}
	for _, p := range ports {
		sk := ssh
		sk.Port = p
		one, got := m.Socket(from(s, "mgmt0"), &sk, true), w.Port(p)
		if one.Verdict != got.Verdict || fmt.Sprint(one.StoppedBy) != fmt.Sprint(got.StoppedBy) {
			t.Fatalf("port %d: %+v alone, %+v in the sweep", p, one, got)
		}
	}
	if len(w.halves) != 2 || w.halves[0] == nil || w.halves[1] == nil {
		t.Error("no halves were asked about")
	}
}

// TestRemaindersArePartition compares with leaving out one longer prefix after the other.
func TestRemaindersArePartition(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		var list []netip.Prefix
		for range 1 + r.IntN(40) {
			list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(r.IntN(3)), byte(r.IntN(4)) << 6, byte(r.IntN(256))}), r.IntN(33)).Masked())
		}
		slices.SortStableFunc(list, func(a, b netip.Prefix) int { return b.Bits() - a.Bits() })
		got := remainders(list)
		var taken set
		for i, p := range list {
			want := prefixSet(p).subtract(taken)
			taken = append(slices.Clone(taken), want...).normal()
			if fmt.Sprint(got[i]) != fmt.Sprint(want) && !(got[i].empty() && want.empty()) {
				t.Fatalf("%v: %v, want %v of %v", p, got[i], want, list)
			}
		}
	}
}
