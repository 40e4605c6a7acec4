//go:build linux && !ringfence_portable

package sandbox

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/snapshot"
)

const ownPolicy = `# METADATA
# title: T
# description: D
# custom: {severity: low, reads: [], remediation: R}
package ringfence.own.mine

finding contains {"resource": {"kind": "host", "key": "k"}, "message": "m"}
`

// TestMain is also the process that judges: the tests start this program again.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == Command {
		if err := Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// begun is a process that judges with a policy of the user, and a snapshot for it.
func begun(t *testing.T) (*Judging, []byte) {
	t.Helper()
	text, err := os.ReadFile("../fixtures/base/host.json")
	if err != nil {
		t.Fatal(err)
	}
	j, err := Start(context.Background(), Setup{Modules: []judge.Module{{File: "mine.rego", Text: []byte(ownPolicy)}}, Budget: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j, text
}

func states(r *finding.Report) map[string]int {
	m := map[string]int{}
	for i := range r.Results {
		m[r.Results[i].Status]++
	}
	return m
}

func lastOf(t *testing.T, r *finding.Report, id string) *finding.Result {
	t.Helper()
	for i := range r.Results {
		if r.Results[i].ID == id {
			return &r.Results[i]
		}
	}
	t.Fatalf("no result of %s", id)
	return nil
}

// TestKilledProcessLeavesUserPoliciesOut kills the process that judges: the policies of the user could be why.
func TestKilledProcessLeavesUserPoliciesOut(t *testing.T) {
	j, text := begun(t)
	before, err := j.Judge(context.Background(), &Question{Text: text, Report: true})
	if err != nil {
		t.Fatal(err)
	}
	if own := lastOf(t, before.Report, "own/mine"); own.Status != finding.Fail {
		t.Errorf("before: %s %s", own.Status, own.Reason)
	}
	j.child.kill()
	after, err := j.Judge(context.Background(), &Question{Text: text, Report: true})
	if err != nil {
		t.Fatal(err)
	}
	if own := lastOf(t, after.Report, "own/mine"); own.Status != finding.Unknown || !strings.Contains(own.Reason, "with the policies of the user judging ended: signal: killed") {
		t.Errorf("after: %s %s", own.Status, own.Reason)
	}
	if after.Report.Count().Pass != before.Report.Count().Pass || after.Unknown != 1 {
		t.Errorf("%v, before %v", states(after.Report), states(before.Report))
	}
}

// answering is a process that answers the setup well, and a job with what it is given.
func answering(t *testing.T, good *Judging, answer []byte) func() *child {
	return func() *child {
		in, toChild := io.Pipe()
		fromChild, out := io.Pipe()
		go func() {
			if _, err := readFrame(in); err == nil {
				_ = writeValue(out, ready{Checks: good.Checks, Config: good.Config, Confinement: good.confinement, Assumptions: good.assumptions})
				_, err1 := readFrame(in)
				_, err2 := readFrame(in)
				if err := errors.Join(err1, err2); err != nil {
					t.Error(err)
				}
				_, _ = out.Write(answer)
			}
			out.Close()
		}()
		return &child{in: toChild, out: fromChild, kill: func() { fromChild.Close() }, end: func() string { return "fatal error: runtime: out of memory" }}
	}
}

// TestNothingEndsAnAudit has processes that end, or answer what was not asked: each check is unknown, and the reports
// are there.
func TestNothingEndsAnAudit(t *testing.T) {
	frame := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return append(binary.BigEndian.AppendUint64(nil, uint64(len(b))), b...)
	}
	good, text := begun(t)
	list := []Rendering{{Format: "table"}, {Format: "json"}}
	short := append(frame(judged{}), frame(1)...)
	short = append(append(short, frame(1)...), frame(finding.Report{Results: []finding.Result{{ID: "a/b"}}})...)
	for name, c := range map[string]struct {
		answer []byte
		want   string
	}{
		"end":      {nil, "judging ended before it was done: fatal error: runtime: out of memory"},
		"half":     {frame(judged{})[:12], "fatal error: runtime: out of memory"},
		"long":     {binary.BigEndian.AppendUint64(nil, 1<<40), "not an answer of this program: 1099511627776 bytes"},
		"field":    {frame(map[string]any{"surprise": "\x1b[2J\n"}), `unknown field "surprise"`},
		"severity": {frame(judged{Worst: "awful"}), `worst "awful"`},
		"few":      {short, fmt.Sprintf("1 results of %d checks", len(good.Checks))},
	} {
		j := *good
		j.child, j.begin, j.setup.Modules = nil, answering(t, good, c.answer), nil
		got, err := j.Judge(context.Background(), &Question{Text: text, Renderings: list, Report: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Unknown != len(j.Checks) || len(got.Rendered) != 2 || got.Worst != "" {
			t.Errorf("%s: %d unknown, %d rendered, worst %q", name, got.Unknown, len(got.Rendered), got.Worst)
		}
		for i := range got.Report.Results {
			if r := &got.Report.Results[i]; !strings.Contains(r.Reason, c.want) || strings.ContainsAny(r.Reason, "\n\x1b") {
				t.Errorf("%s: %s is unknown because of %q, want %q", name, r.ID, r.Reason, c.want)
				break
			}
		}
		if !strings.Contains(string(got.Rendered[0]), fmt.Sprintf("%d unknown", len(good.Checks))) || !json.Valid(got.Rendered[1]) {
			t.Errorf("%s: %s", name, got.Rendered[0])
		}
		j.Close()
	}
}

// TestErrorsOfSnapshotsAreTold wants a file that is no snapshot to be an error, and not so many unknown checks; a snapshot
// that was collected cannot be one.
func TestErrorsOfSnapshotsAreTold(t *testing.T) {
	j, _ := begun(t)
	_, err := j.Judge(context.Background(), &Question{Text: []byte(`{"schema": "ringfence.snapshot/v0"}`)})
	if err == nil || !strings.Contains(err.Error(), `schema "ringfence.snapshot/v0"`) {
		t.Error(err)
	}
	got, err := j.Judge(context.Background(), &Question{Snapshot: &snapshot.Snapshot{}, Report: true})
	if err != nil || got.Report.Confinement == nil || got.Report.Confinement.Network != host.Refused {
		t.Errorf("after it: %v %+v", err, got)
	}
}

// TestJudgingWithoutAProcess judges where none can be started: the report says that nothing was refused.
func TestJudgingWithoutAProcess(t *testing.T) {
	j, text := begun(t)
	want, err := j.Judge(context.Background(), &Question{Text: text, Report: true})
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	j.begin = func() *child { return ownChild(errors.New("fork/exec: operation not permitted")) }
	got, err := j.Judge(context.Background(), &Question{Text: text, Renderings: []Rendering{{Format: "table"}}, Report: true})
	if err != nil {
		t.Fatal(err)
	}
	if got.Report.Count().Pass != want.Report.Count().Pass {
		t.Errorf("%v, want %v", states(got.Report), states(want.Report))
	}
	if c := got.Report.Confinement; c == nil || c.Complete() || c.Seccomp != "absent: fork/exec: operation not permitted" {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(strings.Join(strings.Fields(string(got.Rendered[0])), " "), "Judged less confined than wanted") {
		t.Errorf("%s", got.Rendered[0])
	}
}

// TestEndOfContext wants the end of the caller's context to be the one error.
func TestEndOfContext(t *testing.T) {
	j, text := begun(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := j.Judge(ctx, &Question{Text: text, Report: true}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestAssumptionsOutliveTheProcess: where judging comes to no end, nothing that people assume or declare is confirmed, refuted or passed.
func TestAssumptionsOutliveTheProcess(t *testing.T) {
	j, err := Start(t.Context(), Setup{
		AssumptionFile: "a", Assumptions: []byte("version: 1\nassumptions:\n- {id: x, statement: X., holds: {fact: host.kernel.lockdown}}\n"),
		ModelFile: "m", Model: []byte("version: 1\nflows: []\nassumptions:\n- {id: other, statement: Y., holds: {not: {fact: host.kernel.lockdown}}}\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	good, err := j.Judge(t.Context(), &Question{Snapshot: fixtures.Host(), Report: true})
	if err != nil {
		t.Fatal(err)
	}
	before := good.Report
	j.begin = answering(t, j, nil)
	j.child.kill()
	bad, err := j.Judge(t.Context(), &Question{Snapshot: fixtures.Host(), Report: true})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"assumption/x": finding.Pass, "assumption/other": finding.Fail, "model/undeclared-flow": finding.Fail, "model/impossible-flow": finding.Pass}
	for id, status := range want {
		if got := lastOf(t, before, id).Status; got != status {
			t.Errorf("%s: %s, want %s", id, got, status)
		}
		if got := lastOf(t, bad.Report, id); got.Status != finding.Unknown || !strings.Contains(got.Reason, "judging ended before it was done") {
			t.Errorf("%s: %s %s where nothing was judged", id, got.Status, got.Reason)
		}
	}
	for _, a := range bad.Report.Assumptions {
		if a.Validity != finding.Unconfirmed || a.Open != finding.Unseen || len(a.Because) != 1 {
			t.Errorf("%+v", a)
		}
	}
}
