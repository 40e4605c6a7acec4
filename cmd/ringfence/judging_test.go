//go:build linux && !ringfence_portable

package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

const ownPolicy = `# METADATA
# title: T
# description: D
# custom: {severity: low, reads: [], remediation: R}
package ringfence.own.mine

finding contains {"resource": {"kind": "k", "key": "k"}, "message": "m"}
`

// begun is a process that judges with a policy of the user, and a snapshot for it.
func begun(t *testing.T) (*judging, []byte) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine.rego"), []byte(ownPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../fixtures/base/host.json")
	if err != nil {
		t.Fatal(err)
	}
	j, err := startJudging(context.Background(), &source{policies: []string{dir}, budget: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.close)
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
	before, err := j.judge(context.Background(), nil, text, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if own := lastOf(t, before.report, "own/mine"); own.Status != finding.Fail {
		t.Errorf("before: %s %s", own.Status, own.Reason)
	}
	j.child.kill()
	after, err := j.judge(context.Background(), nil, text, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if own := lastOf(t, after.report, "own/mine"); own.Status != finding.Unknown || !strings.Contains(own.Reason, "with the policies of the user judging ended: signal: killed") {
		t.Errorf("after: %s %s", own.Status, own.Reason)
	}
	if after.report.Count().Pass != before.report.Count().Pass || after.Unknown != 1 {
		t.Errorf("%v, before %v", states(after.report), states(before.report))
	}
}

// answering is a process that answers the setup well, and a job with what it is given.
func answering(t *testing.T, good *judging, answer []byte) func() *child {
	return func() *child {
		in, toChild := io.Pipe()
		fromChild, out := io.Pipe()
		go func() {
			if _, err := readFrame(in, maxFrame); err == nil {
				_ = writeValue(out, ready{Checks: good.checks, Config: good.config, Confinement: good.confinement})
				_, err1 := readFrame(in, maxFrame)
				_, err2 := readFrame(in, maxFrame)
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
	list := []rendering{{Format: "table"}, {Format: "json"}}
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
		"few":      {short, "1 results of 44 checks"},
	} {
		j := *good
		j.child, j.begin, j.setup.Modules = nil, answering(t, good, c.answer), nil
		got, err := j.judge(context.Background(), nil, text, list, true)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Unknown != len(j.checks) || len(got.rendered) != 2 || got.Worst != "" {
			t.Errorf("%s: %d unknown, %d rendered, worst %q", name, got.Unknown, len(got.rendered), got.Worst)
		}
		for i := range got.report.Results {
			if r := &got.report.Results[i]; !strings.Contains(r.Reason, c.want) || strings.ContainsAny(r.Reason, "\n\x1b") {
				t.Errorf("%s: %s is unknown because of %q, want %q", name, r.ID, r.Reason, c.want)
				break
			}
		}
		if !strings.Contains(string(got.rendered[0]), "44 unknown") || !json.Valid(got.rendered[1]) {
			t.Errorf("%s: %s", name, got.rendered[0])
		}
		j.close()
	}
}

// TestErrorsOfSnapshotsAreTold wants a file that is no snapshot to be an error, and not 44 unknown checks; a snapshot
// that was collected cannot be one.
func TestErrorsOfSnapshotsAreTold(t *testing.T) {
	j, _ := begun(t)
	_, err := j.judge(context.Background(), nil, []byte(`{"schema": "ringfence.snapshot/v0"}`), nil, false)
	if err == nil || !strings.Contains(err.Error(), `schema "ringfence.snapshot/v0"`) {
		t.Error(err)
	}
	got, err := j.judge(context.Background(), &snapshot.Snapshot{}, nil, nil, true)
	if err != nil || got.report.Confinement == nil || got.report.Confinement.Network != host.Refused {
		t.Errorf("after it: %v %+v", err, got)
	}
}

// TestJudgingWithoutAProcess judges where none can be started: the report says that nothing was refused.
func TestJudgingWithoutAProcess(t *testing.T) {
	j, text := begun(t)
	want, err := j.judge(context.Background(), nil, text, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	j.close()
	j.begin = func() *child { return ownChild(errors.New("fork/exec: operation not permitted")) }
	got, err := j.judge(context.Background(), nil, text, []rendering{{Format: "table"}}, true)
	if err != nil {
		t.Fatal(err)
	}
	if got.report.Count().Pass != want.report.Count().Pass {
		t.Errorf("%v, want %v", states(got.report), states(want.report))
	}
	if c := got.report.Confinement; c == nil || c.Complete() || c.Seccomp != "absent: fork/exec: operation not permitted" {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(strings.Join(strings.Fields(string(got.rendered[0])), " "), "Judged less confined than wanted") {
		t.Errorf("%s", got.rendered[0])
	}
}

// TestEndOfContext wants the end of the caller's context to be the one error.
func TestEndOfContext(t *testing.T) {
	j, text := begun(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := j.judge(ctx, nil, text, nil, true); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
