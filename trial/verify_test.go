package trial

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestVerify: a change of what was confirmed is drift, and a boot that loads the same in other words is none.
func TestVerify(t *testing.T) {
	w := newFake(t)
	_, err := w.world().Verify(t.Context())
	w.wantRefused(err, "no confirmed fix")
	w = confirmed(t)
	if id, err := w.world().Verify(t.Context()); err != nil || id != w.onDisk().ID {
		t.Errorf("%q %v", id, err)
	}
	w.own = nil
	if _, err := w.world().Verify(t.Context()); !errors.As(err, new(*DriftError)) || !strings.Contains(err.Error(), "is not there") {
		t.Errorf("%v", err)
	}
	if err := w.world().LoadAgain(t.Context()); err != nil || !w.closed() {
		t.Errorf("loaded again: %v", err)
	}
	w.persisted = nil
	if _, err := w.world().Verify(t.Context()); !errors.As(err, new(*DriftError)) || !strings.Contains(err.Error(), "the next boot does not load it") {
		t.Errorf("not at boot: %v", err)
	}
	w.persisted, w.persistedID = w.onDisk().Plan, w.onDisk().ID
	if _, err := w.world().Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestStatusTellsOfDrift: what was changed, and what the next boot does not load, is not told of as if it were as confirmed.
func TestStatusTellsOfDrift(t *testing.T) {
	w := confirmed(t)
	if text := w.status(); !strings.HasSuffix(text, ", also after a boot") {
		t.Errorf("as confirmed: %s", text)
	}
	w.own[0].Dormant = true
	w.wantStatus("dormant", "no longer as confirmed", "dormant", "ringfence fix load")
	w = confirmed(t)
	w.persisted = nil
	w.wantStatus("not at boot", "the next boot does not load it", "ringfence fix apply")
	w = newFake(t)
	w.dieWaiting()
	if text := w.status(); strings.Contains(text, "but") {
		t.Errorf("on trial: %s", text)
	}
	w.own[0].Dormant = true
	w.wantStatus("on trial and dormant", "is on trial for another", "its rules were changed")
}

// TestWatchDrift: it ends with the first change that leaves the tables others, and names the process.
func TestWatchDrift(t *testing.T) {
	w := confirmed(t)
	n := 0
	w.during(time.Second, func() { w.changes = append(w.changes, remedy.Change{Table: remedy.Table, PID: 8, Program: "same"}) })
	w.during(2*time.Second, func() { w.foreign("dockerd", false, dockerTable) })
	w.during(3*time.Second, func() { w.foreign("nft", true) })
	err := w.world().WatchDrift(t.Context(), func(string) error { n++; return nil })
	if !errors.As(err, new(*DriftError)) || !strings.Contains(err.Error(), "changed by process 99 (nft)") || n != 2 {
		t.Errorf("%v, told %d times", err, n)
	}
	ctx, stop := context.WithCancel(t.Context())
	w = confirmed(t)
	w.during(time.Second, stop)
	if err := w.world().WatchDrift(ctx, func(string) error { return nil }); err != nil {
		t.Errorf("interrupted: %v", err)
	}
	broken := errors.New("nobody reads")
	if err := w.world().WatchDrift(t.Context(), func(string) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// TestDriftWhileItIsRead: who changed our tables while they are read at first is named, also behind changes of others; that
// others never cease hides no drift.
func TestDriftWhileItIsRead(t *testing.T) {
	others := slices.Repeat([]remedy.Change{{PID: 7, Program: "dockerd"}}, 2*mostOthers)
	for name, c := range map[string]struct {
		changes []remedy.Change
		want    string
	}{
		"named":    {append(others[:5:5], remedy.Change{Table: remedy.Table, PID: 99, Program: "nft"}), "changed by process 99 (nft)"},
		"not told": {others, "no longer as confirmed"},
	} {
		w := confirmed(t)
		w.own = nil
		live := &changing{Ruleset: w.world().Live, fake: w, list: c.changes}
		world := w.world()
		world.Live = live
		err := world.WatchDrift(t.Context(), func(string) error { return nil })
		if !errors.As(err, new(*DriftError)) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "dockerd") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "not told" && len(w.changes) < mostOthers {
			t.Errorf("%d changes of others are left", len(w.changes))
		}
	}
}

// TestVerifyAsksTheHost: the table is as it was loaded, and what it closed is open again: by an interface that is new or has another name, or
// by rules of others.
func TestVerifyAsksTheHost(t *testing.T) {
	link := func(w *fake, do func(list []snapshot.Link) []snapshot.Link) {
		host := *w.host
		host.Network.Links = do(slices.Clone(host.Network.Links))
		w.host = &host
	}
	for name, c := range map[string]struct {
		change func(w *fake)
		want   []string
	}{
		"nothing": {func(*fake) {}, nil},
		"renamed": {func(w *fake) {
			link(w, func(list []snapshot.Link) []snapshot.Link {
				for i := range list {
					if list[i].Name == "ext0" {
						list[i].Name = "wan7"
					}
				}
				return list
			})
		}, []string{apiCheck, "tcp/2375 from wan7", "interface wan7", "ringfence fix apply"}},
		"a second uplink": {func(w *fake) {
			link(w, func(list []snapshot.Link) []snapshot.Link {
				return append(list, snapshot.Link{Index: 90, Name: "wan8", Up: true, Addrs: []string{"198.51.100.2/24"}})
			})
		}, []string{"tcp/2375 from wan8", "interface wan8 (external) is new"}},
		"one of management more": {func(w *fake) {
			link(w, func(list []snapshot.Link) []snapshot.Link {
				return append(list, snapshot.Link{Index: 90, Name: "mgmt8", Up: true, Addrs: []string{"10.80.0.2/24"}})
			})
		}, nil},
		"others exempt it from tracking": {func(w *fake) { w.foreign("iptables", false, notrack) }, []string{"tcp/2375 from ext0"}},
		"a proxy leads to it": {func(w *fake) {
			w.found = append(w.found, extra{apiCheck, finding.Finding{Message: "by a proxy", Severity: "critical"}, nil})
		}, []string{apiCheck, "still open after the fix"}},
		"what is left of it": {func(w *fake) {
			w.found = append(w.found, extra{apiCheck, finding.Finding{Message: "by local processes", Severity: "high"}, nil})
		}, nil},
		"another finding": {func(w *fake) {
			w.found = append(w.found, extra{agentCheck, finding.Finding{Message: "new", Severity: "critical"}, nil})
		}, nil},
		"others drop more":     {func(w *fake) { w.foreign("iptables", false, drops) }, nil},
		"it cannot be seen":    {func(w *fake) { w.unreadable = true }, []string{"could not be read"}},
		"it cannot be judged":  {func(w *fake) { w.unknown(apiCheck) }, []string{apiCheck, "a process ended"}},
		"another check cannot": {func(w *fake) { w.unknown(agentCheck) }, nil},
	} {
		w := confirmed(t)
		c.change(w)
		_, err := w.world().Verify(t.Context())
		if len(c.want) == 0 && err != nil || len(c.want) > 0 && !errors.As(err, new(*DriftError)) {
			t.Errorf("%s: %v", name, err)
		}
		for _, word := range c.want {
			if err != nil && !strings.Contains(err.Error(), word) {
				t.Errorf("%s: it does not say %q: %v", name, word, err)
			}
		}
	}
	w := confirmed(t) // once only
	w.unknown(apiCheck)
	once(w, "audit", func() { w.at["audit"] = func() { w.blind = nil } })
	if _, err := w.world().Verify(t.Context()); err != nil || count(w.steps, "audit") != 2 {
		t.Errorf("%v after %d audits", err, count(w.steps, "audit"))
	}
	w = newFake(t) // it could not be told either when it was kept
	for i := range w.host.Coverage {
		if c := &w.host.Coverage[i]; c.Collector == "listeners" {
			c.Status, c.Reasons = snapshot.Partial, []string{"a namespace"}
		}
	}
	once(w, "try", func() { w.unknown(apiCheck) })
	if _, err, _ := w.fix(Options{By: Auto}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.world().Verify(t.Context()); err != nil {
		t.Error(err)
	}
	w = confirmed(t) // while somebody watches
	w.during(10*time.Second, func() { w.foreign("iptables", false, notrack) })
	begin := w.now
	if err := w.world().WatchDrift(t.Context(), func(string) error { return nil }); !errors.As(err, new(*DriftError)) || w.now-begin > int64(2*time.Minute) {
		t.Errorf("%v after %s", err, time.Duration(w.now-begin))
	}
	w = confirmed(t) // a plan of an earlier version has not what to ask
	st := w.onDisk()
	st.Plan.Closes[0].Denies, st.Plan.Known, st.Plan.Zones = nil, nil, nil
	if err := w.Save(st); err != nil {
		t.Fatal(err)
	}
	if _, err := w.world().Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestVerifyKnowsWhoKeepsAccess: what was asked to go on is open by the plan, and verify does not call that open.
func TestVerifyKnowsWhoKeepsAccess(t *testing.T) {
	through := extra{agentCheck, finding.Finding{Message: "it is forwarded", Severity: "medium", Remediation: []finding.Remediation{
		{Kind: "nft", Text: "w", Deny: &finding.Deny{Zone: zones.Workload, ToZone: zones.Management}},
		{Kind: "nft", Text: "f", Deny: &finding.Deny{Zone: zones.External, ToZone: zones.Management}},
	}}, func(s *snapshot.Snapshot) bool { return !closed(s.NFTables.Ruleset) }}
	for _, text := range []string{"tcp/2375@203.0.113.9", "tcp/8443@203.0.113.9"} {
		flow, err := remedy.ParseFlow(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []remedy.Options{{Keep: []remedy.Flow{flow}}, {AllowPorts: []remedy.Flow{flow}}, {AllowFrom: prefixes("203.0.113.0/28")}, {Keep: []remedy.Flow{flow}, Mode: remedy.DefaultDeny}} {
			w := newFake(t)
			w.found, w.options = []extra{through}, o
			if _, err, _ := w.fix(Options{By: Auto, Persist: true}); err != nil {
				t.Fatalf("%+v: %v", o, err)
			}
			if _, err := w.world().Verify(t.Context()); err != nil {
				t.Errorf("%+v: %v", o, err)
			}
		}
	}
}

// TestVerifyAsksOtherZones: who keeps access leaves a finding as it was, and an interface that is of another zone now does not.
func TestVerifyAsksOtherZones(t *testing.T) {
	w := newFake(t)
	w.options = remedy.Options{AllowFrom: prefixes("203.0.113.0/28")}
	if _, err, _ := w.fix(Options{By: Auto, Persist: true}); err != nil {
		t.Fatal(err)
	}
	find := func(zone string) error {
		deny := &finding.Deny{Zone: zone, Proto: "tcp", Port: 2375}
		w.found = []extra{{apiCheck, finding.Finding{Message: "open", Severity: "critical", Remediation: []finding.Remediation{{Kind: "nft", Deny: deny}}}, nil}}
		_, err := w.world().Verify(t.Context())
		return err
	}
	if err := find(zones.External); err != nil {
		t.Errorf("open to who keeps access: %v", err)
	}
	if err := find("dmz"); !errors.As(err, new(*DriftError)) || !strings.Contains(err.Error(), "is open to the zone dmz, which it was not about") {
		t.Errorf("open to another zone: %v", err)
	}
}

// TestRulesThatGoWhileVerified: rules that went between two looks are not said to be loaded and to leave something open.
func TestRulesThatGoWhileVerified(t *testing.T) {
	world := confirmed(t).world()
	world.Sight = &flushed{world.Sight}
	if _, err := world.Verify(t.Context()); !errors.As(err, new(*DriftError)) || !strings.Contains(err.Error(), "no longer as confirmed") {
		t.Errorf("%v", err)
	}
}

// flushed is the sight of a host whose rules went after they were read.
type flushed struct{ Sight }

func (f *flushed) See(ctx context.Context, only ...string) (*snapshot.Snapshot, error) {
	s, err := f.Sight.See(ctx, only...)
	if err != nil {
		return nil, err
	}
	now := *s
	now.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	return &now, nil
}

// changing is a ruleset with changes that happened since somebody listens.
type changing struct {
	Ruleset
	fake *fake
	list []remedy.Change
}

func (c *changing) Changes() (Changes, error) {
	c.fake.changes = c.list
	return c.fake, nil
}
