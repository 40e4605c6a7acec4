//go:build linux && !ringfence_portable

package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
)

// TestAssumptionFallsAndStandsAgain: a port that is closed is confirmed with its proof, opened it is rejected with the packet and its threat is back, and closed
// again it is confirmed; the history has the three, and a run without a change adds none.
func TestAssumptionFallsAndStandsAgain(t *testing.T) {
	register := file(t, "a.yaml", []byte(`version: 1
assumptions:
- id: mgmt-only
  statement: SSH is reached only from the management network.
  if_false: [outsider-logs-in]
  holds: {all: [{reach: {from: "zone:external", to: "port:22/tcp", answer: unreachable}}, {reach: {from: "zone:management", to: "port:22/tcp", answer: reachable}}]}
`))
	history := filepath.Join(t.TempDir(), "h.jsonl")
	for i, c := range []struct {
		open bool
		want string
	}{{false, finding.Confirmed}, {false, finding.Confirmed}, {true, finding.Rejected}, {false, finding.Confirmed}} {
		s := fixtures.Host()
		s.CollectedAt = time.Date(2026, 12, 1+i, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)
		if c.open {
			s.NFTables.Ruleset.Tables[0].Chains[0].Base.Policy = ruleset.Accept
		}
		var b bytes.Buffer
		if err := s.Write(&b); err != nil {
			t.Fatal(err)
		}
		in := &Input{Stdin: &b}
		r, added, text, err := in.Assumptions(t.Context(), &Source{SnapshotFile: "-", AssumptionFile: register, Budget: time.Minute}, history, "text", true)
		if err != nil {
			t.Fatal(err)
		}
		a := r.Assumptions[0]
		shown := map[bool]string{true: "in ext0 tcp", false: "proof sha256:"}[c.open]
		if a.Validity != c.want || !strings.Contains(text, shown) || (added == "") != (i == 1) {
			t.Errorf("run %d: %s, added %q, want %s and %q in\n%s", i, a.Validity, added, c.want, shown, text)
		}
		threats := 0
		for _, res := range r.Results {
			for _, f := range res.Findings {
				if f.Resource.Kind == "threat" && f.Resource.Key == "outsider-logs-in" {
					threats++
				}
			}
		}
		if (threats == 1) != c.open {
			t.Errorf("run %d: the threat is there %d times", i, threats)
		}
	}
	lines, err := os.ReadFile(history)
	if err != nil || bytes.Count(lines, []byte("\n")) != 3 {
		t.Errorf("%v\n%s", err, lines)
	}
	list, err := readHistory(history)
	if err != nil || len(list) != 3 || list[1].Validity != finding.Rejected || !strings.HasPrefix(list[1].Report, "sha256:") {
		t.Errorf("%v %+v", err, list)
	}
}

// TestHistoryThatIsNone: a history without a line, and one with something else, are errors that name the file.
func TestHistoryThatIsNone(t *testing.T) {
	name := filepath.Join(t.TempDir(), "history.jsonl")
	for _, text := range []string{"", "\n", "{}\n", "x"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := HistoryTold(name); err == nil || got != "" || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// TestHistoryOfManyAtOnce: runs that add to one history at the same time lose none of what the others added.
func TestHistoryOfManyAtOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "history.jsonl")
	var all sync.WaitGroup
	const runs = 24
	for i := range runs {
		all.Go(func() {
			r := &finding.Report{Host: finding.Host{Name: fmt.Sprint("h", i)}, Assumptions: []finding.Assumption{{ID: "a", Validity: finding.Confirmed}}}
			r.Snapshot.CollectedAt = "2026-11-30T05:00:00Z"
			if _, err := keep(name, r, "sha256:0"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if list, err := readHistory(name); err != nil || len(list) != runs {
		t.Errorf("%d lines of %d runs: %v", len(list), runs, err)
	}
}
