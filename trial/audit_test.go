package trial

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/replica"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// since has findings appear with the trial, whether it is there or not.
func (w *fake) since(list ...extra) {
	once(w, "try", func() { w.found = append(w.found, list...) })
}

// TestWhatStartsDuringTheTrial: a container, a process or a session that starts is as bad without the fix, and does not take it out.
func TestWhatStartsDuringTheTrial(t *testing.T) {
	for name, e := range map[string]extra{
		"a privileged container":                 {otherCheck, finding.Finding{Message: name1, Severity: "critical", Resource: finding.Resource{Key: "c"}}, nil},
		"an agent as root":                       {agentCheck, finding.Finding{Message: name1, Severity: "high", Resource: finding.Resource{Key: "a"}}, nil},
		"a container that publishes a port":      {pubCheck, finding.Finding{Message: name1, Severity: "high", Zone: zones.External, Resource: finding.Resource{Key: "tcp/8080"}, Remediation: deny(zones.External, 8080)}, nil},
		"a listener that is open to the outside": {apiCheck, finding.Finding{Message: name1, Severity: "critical", Zone: zones.External, Resource: finding.Resource{Key: "tcp/9999"}, Remediation: deny(zones.External, 9999)}, nil},
	} {
		w := newFake(t)
		w.since(e)
		report, err, _ := w.fix(Options{By: Auto})
		if err != nil || !w.closed() {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(failures(report, func(string) bool { return true })) < 2 {
			t.Errorf("%s: the report does not have it", name)
		}
	}
}

const name1 = "what began meanwhile"

// TestWhatTheTrialMakesWorse: a finding that is there with the trial and not without it takes it out; so does one about a listener that
// rules of the trial let pass.
func TestWhatTheTrialMakesWorse(t *testing.T) {
	onTrial := func(s *snapshot.Snapshot) bool {
		for _, table := range s.NFTables.Ruleset.Tables {
			if table.Name == trialName {
				return true
			}
		}
		return false
	}
	unlike := finding.Resource{Key: "another"}
	for name, c := range map[string]struct {
		before, with *finding.Finding
		out          bool
	}{
		"a new finding":  {nil, &finding.Finding{Message: "x", Severity: "low", Resource: unlike}, true},
		"more severe":    {&finding.Finding{Message: "x", Severity: "low", Resource: unlike}, &finding.Finding{Message: "x", Severity: "high", Resource: unlike}, true},
		"another zone":   {&finding.Finding{Message: "x", Severity: "low", Zone: zones.Runtime, Resource: unlike, Remediation: deny(zones.Runtime, 80)}, &finding.Finding{Message: "x", Severity: "low", Zone: zones.Unclassified, Resource: unlike, Remediation: deny(zones.Unclassified, 80)}, true},
		"a zone more":    {&finding.Finding{Message: "x", Severity: "low", Zone: zones.Runtime, Resource: unlike, Remediation: deny(zones.Runtime, 80)}, &finding.Finding{Message: "x", Severity: "low", Zone: zones.Runtime, Resource: unlike, Remediation: append(deny(zones.Runtime, 80), deny(zones.Unclassified, 80)...)}, true},
		"the same":       {&finding.Finding{Message: "x", Severity: "low", Zone: zones.Runtime, Resource: unlike, Remediation: deny(zones.Runtime, 80)}, &finding.Finding{Message: "y", Severity: "low", Zone: zones.Runtime, Resource: unlike, Remediation: deny(zones.Runtime, 80)}, false},
		"less severe":    {&finding.Finding{Message: "x", Severity: "high", Resource: unlike}, &finding.Finding{Message: "x", Severity: "low", Resource: unlike}, false},
		"a zone less":    {&finding.Finding{Message: "x", Severity: "low", Zone: zones.Unclassified, Resource: unlike, Remediation: append(deny(zones.Unclassified, 80), deny(zones.Runtime, 80)...)}, &finding.Finding{Message: "x", Severity: "low", Zone: zones.Runtime, Resource: unlike, Remediation: deny(zones.Runtime, 80)}, false},
		"nothing at all": {nil, nil, false},
	} {
		w := newFake(t)
		add := func(f *finding.Finding, when func(*snapshot.Snapshot) bool) {
			if f != nil {
				w.found = append(w.found, extra{pubCheck, *f, when})
			}
		}
		add(c.before, func(s *snapshot.Snapshot) bool { return !onTrial(s) })
		add(c.with, onTrial)
		_, err, _ := w.fix(Options{By: Auto})
		if !c.out {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if w.wantRefused(err, "the audit is worse after the fix: x"); err == nil {
			t.Errorf("%s: it stays", name)
		}
		w.wantOut(name)
	}
}

// TestListenerBehindWhatTheFixLetsPass: what starts to listen on a port that the plan keeps open to somebody is let in by the plan.
func TestListenerBehindWhatTheFixLetsPass(t *testing.T) {
	w := newFake(t)
	w.options.AllowFrom = prefixes("203.0.113.77/32")
	w.since(extra{apiCheck, finding.Finding{Message: "another server", Severity: "high", Zone: zones.External, Resource: finding.Resource{Key: "new"}, Remediation: deny(zones.External, apiPort)}, nil})
	_, err, _ := w.fix(Options{By: Auto})
	w.wantRefused(err, "the audit is worse after the fix: another server")
	w.wantOut("a listener")
}

// TestCheckThatReadsNothingOfIt: what a check finds that does not read the firewall is not compared, with and without the trial.
func TestCheckThatReadsNothingOfIt(t *testing.T) {
	w := newFake(t)
	w.since(extra{sshCheck, finding.Finding{Message: "x", Severity: "critical", Resource: finding.Resource{Key: "2"}}, func(*snapshot.Snapshot) bool { return w.closed() }})
	if _, err, _ := w.fix(Options{By: Auto}); err != nil || count(w.steps, "judge") != 1 {
		t.Errorf("%v, judged %d times", err, count(w.steps, "judge"))
	}
}

// TestWhoKeepsAccessStaysAFinding: the port is open to those who keep access, and closed to all others.
func TestWhoKeepsAccessStaysAFinding(t *testing.T) {
	w := newFake(t)
	w.options.AllowFrom = prefixes("203.0.113.77/32")
	w.found = []extra{{
		apiCheck,
		finding.Finding{Message: "open to 203.0.113.77", Severity: "critical", Zone: zones.External, Remediation: deny(zones.External, apiPort)},
		func(s *snapshot.Snapshot) bool { return closed(s.NFTables.Ruleset) },
	}}
	if _, err, _ := w.fix(Options{By: Auto}); err != nil || !w.closed() {
		t.Errorf("%v", err)
	}
}

// TestUnknownBefore: what a check could not tell before beside its findings is all that it cannot tell now.
func TestUnknownBefore(t *testing.T) {
	result := func(status string, keys ...string) *finding.Result {
		r := &finding.Result{ID: apiCheck, Status: status}
		for _, k := range keys {
			r.Unknowns = append(r.Unknowns, finding.Unclear{Resource: finding.Resource{Key: k}})
		}
		return r
	}
	for name, c := range map[string]struct {
		was, is *finding.Result
		ok      bool
	}{
		"the same":   {result(finding.Fail, "a", "b"), result(finding.Unknown, "a"), true},
		"another":    {result(finding.Fail, "a"), result(finding.Unknown, "b"), false},
		"everything": {result(finding.Fail, "a"), result(finding.Unknown), false},
	} {
		cmp := &comparison{
			before: &finding.Report{Results: []finding.Result{*c.was}}, after: &finding.Report{Results: []finding.Result{*c.is}},
			plan: new(remedy.Plan), about: func(string) bool { return true }, blind: func(string) bool { return false },
		}
		if list := cmp.undecided(); (len(list) == 0) != c.ok {
			t.Errorf("%s: %v", name, list)
		}
	}
}

// TestWorkloadsThatBegan: a finding about workloads that is still there is passed over where some of them began since the plan was made, and no other is.
func TestWorkloadsThatBegan(t *testing.T) {
	for name, c := range map[string]struct {
		deny   finding.Deny
		began  []string
		closed bool
	}{
		"none began":      {finding.Deny{Zone: zones.Workload}, nil, false},
		"by them":         {finding.Deny{Zone: zones.Workload}, []string{"cali1"}, true},
		"to them":         {finding.Deny{Zone: zones.External, ToZone: zones.Workload}, []string{"cali1"}, true},
		"by others alone": {finding.Deny{Zone: zones.External}, []string{"cali1"}, false},
	} {
		cmp := &comparison{
			before: new(finding.Report), began: c.began,
			after: &finding.Report{Results: []finding.Result{{ID: apiCheck, Status: finding.Fail, Findings: []finding.Finding{{Fingerprint: "f", Severity: "critical"}}}}},
			plan:  &remedy.Plan{Closes: []remedy.Target{{Check: apiCheck, Fingerprint: "f", Severity: "critical", Denies: []finding.Deny{c.deny}}}},
		}
		if err := cmp.closed(); (err == nil) != c.closed || cmp.passed != c.closed {
			t.Errorf("%s: %v, passed over %v", name, err, cmp.passed)
		}
	}
}

// TestWorkloadsOnTheHostItself: a finding is closed where nobody but workloads in the host's own network namespace still gets there, if the plan said so.
func TestWorkloadsOnTheHostItself(t *testing.T) {
	for name, c := range map[string]struct {
		local  string
		zones  []string
		rest   []finding.Deny
		closed bool
	}{
		"they alone":                {"runs there: a", []string{zones.Workload}, nil, true},
		"others too":                {"runs there: a", []string{zones.Workload, zones.External}, nil, false},
		"others alone":              {"runs there: a", []string{zones.External}, nil, false},
		"no rule is left":           {"runs there: a", nil, nil, true},
		"nobody runs there":         {"", []string{zones.Workload}, nil, false},
		"others whom no rule stops": {"runs there: a", []string{zones.Workload, zones.External}, []finding.Deny{{Zone: zones.External}}, true},
		"those, and others":         {"runs there: a", []string{zones.Workload, zones.External, zones.Runtime}, []finding.Deny{{Zone: zones.External}}, false},
		"those alone":               {"", []string{zones.External}, []finding.Deny{{Zone: zones.External}}, true},
		"those, and workloads":      {"", []string{zones.Workload, zones.External}, []finding.Deny{{Zone: zones.External}}, false},
		"nobody is named":           {"", nil, []finding.Deny{{Zone: zones.External}}, false},
	} {
		is := finding.Finding{Fingerprint: "f", Severity: "critical"}
		for _, zone := range c.zones {
			is.Remediation = append(is.Remediation, finding.Remediation{Deny: &finding.Deny{Zone: zone}})
		}
		cmp := &comparison{
			before: new(finding.Report), after: &finding.Report{Results: []finding.Result{{ID: apiCheck, Status: finding.Fail, Findings: []finding.Finding{is}}}},
			plan: &remedy.Plan{Closes: []remedy.Target{{Check: apiCheck, Fingerprint: "f", Severity: "critical", Local: c.local, Rest: c.rest}}},
		}
		if err := cmp.closed(); (err == nil) != c.closed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGapsThatWereThereBefore: a check that found something although not all was seen is unknown once that is closed. It takes the trial
// out only where more is unseen than before, or where the check had decided without a finding.
func TestGapsThatWereThereBefore(t *testing.T) {
	seen := func(status snapshot.Status, reasons ...string) *snapshot.Snapshot {
		s := &snapshot.Snapshot{Coverage: []snapshot.Coverage{{Collector: "network", Status: status, Reasons: reasons}}}
		for _, section := range []string{"listeners", "nftables", "processes", "agents", "runtimes"} {
			s.Coverage = append(s.Coverage, snapshot.Coverage{Collector: section, Status: snapshot.OK})
		}
		return s
	}
	for name, c := range map[string]struct {
		status   string
		was, now *snapshot.Snapshot
		ok       bool
	}{
		"the same gap":      {finding.Fail, seen(snapshot.Partial, "a", "b"), seen(snapshot.Partial, "a"), true},
		"another gap":       {finding.Fail, seen(snapshot.Partial, "a"), seen(snapshot.Partial, "b"), false},
		"a new gap":         {finding.Fail, seen(snapshot.OK), seen(snapshot.Partial, "a"), false},
		"no gap":            {finding.Fail, seen(snapshot.OK), seen(snapshot.OK), false},
		"not seen any more": {finding.Fail, seen(snapshot.Partial, "a"), seen(snapshot.Denied, "a"), false},
		"it had passed":     {finding.Pass, seen(snapshot.Partial, "a"), seen(snapshot.Partial, "a"), false},
	} {
		w := newFake(t)
		x := &Fix{World: w.world(), Snapshot: c.was}
		cmp := &comparison{
			before: &finding.Report{Results: []finding.Result{{ID: apiCheck, Status: c.status}}},
			after:  &finding.Report{Results: []finding.Result{{ID: apiCheck, Status: finding.Unknown}}},
			plan:   new(remedy.Plan), about: func(string) bool { return true }, blind: x.blind(c.now),
		}
		if list := cmp.undecided(); (len(list) == 0) != c.ok {
			t.Errorf("%s: %v", name, list)
		}
	}
}

// TestIncompleteOnce: a process that ends while it is read makes one audit incomplete, and the next one counts.
func TestIncompleteOnce(t *testing.T) {
	w := newFake(t)
	w.at["try"] = func() { w.unknown(apiCheck) }
	n := 0
	w.at["judge"] = func() {
		if n++; n == 2 {
			w.blind = nil
		}
	}
	if _, err, _ := w.fix(Options{By: Auto}); err != nil || n != 3 { // the second is without the trial
		t.Errorf("%v, judged %d times", err, n)
	}
}

// TestUndecidedWithoutTheTrialToo: a check that cannot be told since something ended while it was read takes no trial out where it could not be told
// without the trial either. One of what the fix closes has to have its findings there.
func TestUndecidedWithoutTheTrialToo(t *testing.T) {
	gap := func(w *fake) {
		w.host.Coverage = slices.Clone(w.host.Coverage)
		for i := range w.host.Coverage {
			if w.host.Coverage[i].Collector == "processes" {
				w.host.Coverage[i].Status, w.host.Coverage[i].Parts = snapshot.Partial, nil
			}
		}
	}
	for name, c := range map[string]struct {
		spoil func(w *fake)
		stays bool
	}{
		"one that it is not about":                {func(w *fake) { w.unknown(agentCheck) }, true},
		"that only with the trial":                {func(w *fake) { w.unknownIf(agentCheck, closed) }, false},
		"what it closes, with a gap":              {func(w *fake) { gap(w); w.unknownIf(apiCheck, closed) }, true},
		"what it closes, without a gap":           {func(w *fake) { w.unknownIf(apiCheck, closed) }, false},
		"what it closes, without the trial too":   {func(w *fake) { gap(w); w.unknown(apiCheck) }, false},
		"with a gap, but it passes without trial": {func(w *fake) { gap(w); w.unknownIf(agentCheck, closed) }, false},
	} {
		w := newFake(t)
		once(w, "try", func() { c.spoil(w) })
		_, err, _ := w.fix(Options{By: Auto})
		if (err == nil) != c.stays || w.closed() != c.stays || c.stays != w.heard("cannot be told now") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReplicaDecides: what the replica finds is part of the proof, also after it forgot its neighbours.
func TestReplicaDecides(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *remedy.Result, id int, open bool)
		want   string
	}{
		"what it is about stays open": {func(r *remedy.Result, id int, open bool) {
			if !open {
				r.After[id] = replica.Open
			}
		}, "is not closed"},
		"something else stops": {func(r *remedy.Result, id int, open bool) {
			if open {
				r.After[id] = replica.Silent
			}
		}, "would stop working"},
		"something else stops once neighbours are asked for anew": {func(r *remedy.Result, id int, open bool) {
			if open {
				r.Flushed[id] = replica.Silent
			}
		}, "after the neighbours were forgotten"},
	} {
		w := newFake(t)
		w.replica = func(ctx context.Context, job []byte) ([]byte, error) {
			b, err := answerProbes(ctx, job)
			var r remedy.Result
			if err := json.Unmarshal(b, &r); err != nil {
				t.Fatal(err)
			}
			after := r.After
			r.After, r.Flushed = map[int]string{}, map[int]string{}
			for id, is := range after {
				r.After[id], r.Flushed[id] = is, is
				c.change(&r, id, is == replica.Open)
			}
			out, merr := json.Marshal(r)
			if merr != nil {
				t.Fatal(merr)
			}
			return out, err
		}
		_, err, _ := w.fix(Options{By: Auto})
		if w.wantRefused(err, "not proven", c.want); err == nil || count(w.steps, "try") > 0 {
			t.Errorf("%s: %v", name, err)
		}
		w.wantOut(name)
	}
}

// TestAuditsAreNotEndless: others who change their tables all the time are audited now and then, and not always.
func TestAuditsAreNotEndless(t *testing.T) {
	w := newFake(t)
	for d := time.Second; d < 100*time.Second; d += time.Second {
		w.during(d, func() { w.foreign("crowdsec", false, dockerTable) })
	}
	_, err, _ := w.fix(Options{By: NewSession})
	w.wantRefused(err, "not confirmed")
	if n := count(w.steps, "see"); n < 10 || n > 25 {
		t.Errorf("%d audits in 100 seconds", n)
	}
	w.wantOut("busy")
}

// TestWhoChangedIt: a change of the trial itself names the process, or says that the kernel does not.
func TestWhoChangedIt(t *testing.T) {
	for program, want := range map[string]string{"nft": "by process 99 (nft)", "": "by a process that the kernel does not name"} {
		w := newFake(t)
		w.during(time.Second, func() { w.foreign(program, true) })
		if _, err, _ := w.fix(Options{By: NewSession}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	}
}
