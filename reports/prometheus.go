package reports

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ringfence/ringfence/finding"
)

// writePrometheus writes the text format of Prometheus, as the textfile collector of node_exporter takes it. Labels are of words that are few: a
// finding has no series of its own.
func writePrometheus(w io.Writer, list []*finding.Report, _ Options) error {
	r := list[0]
	b := new(bytes.Buffer)
	metric := func(name, help string) { fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name) }
	c := r.Count()
	metric("ringfence_info", "Which program judged which host; always 1.")
	fmt.Fprintf(b, "ringfence_info{host=%s,version=%s,policies=%s} 1\n", label(r.Host.Name), label(r.Tool.Version), label(r.Tool.Policies))
	metric("ringfence_findings", "Findings that count, by severity.")
	for _, s := range finding.Severities {
		fmt.Fprintf(b, "ringfence_findings{severity=%s} %d\n", label(s), c.Findings[s])
	}
	metric("ringfence_findings_waived", "Findings that were accepted, and checks that were left out.")
	fmt.Fprintf(b, "ringfence_findings_waived %d\n", c.Waived)
	metric("ringfence_checks", "Checks by their status.")
	for _, s := range []struct {
		status string
		n      int
	}{{finding.Fail, c.Fail}, {finding.NotApplicable, c.NotApplicable}, {finding.Pass, c.Pass}, {finding.Unknown, c.Unknown}} {
		fmt.Fprintf(b, "ringfence_checks{status=%s} %d\n", label(s.status), s.n)
	}
	metric("ringfence_check_failed", "Findings that count of a check that failed, and 0 for one that passed. A check that was not decided has no value.")
	for i := range r.Results {
		res := &r.Results[i]
		if res.Status == finding.Fail || res.Status == finding.Pass {
			n := 0
			for j := range res.Findings {
				if !res.Findings[j].Waiver.Holds() {
					n++
				}
			}
			fmt.Fprintf(b, "ringfence_check_failed{check=%s,severity=%s} %d\n", label(res.ID), label(res.Severity), n)
		}
	}
	metric("ringfence_check_unknown", "Checks that could not be decided, or not all of it beside what was found; always 1.")
	for i := range r.Results {
		if res := &r.Results[i]; res.Status == finding.Unknown || leavesOpen(res) {
			fmt.Fprintf(b, "ringfence_check_unknown{check=%s} 1\n", label(r.Results[i].ID))
		}
	}
	metric("ringfence_check_under_assumption", "Checks that pass only while an assumption holds: 1 if it was seen to.")
	for i := range r.Results {
		for _, u := range r.Results[i].Under {
			fmt.Fprintf(b, "ringfence_check_under_assumption{check=%s,assumption=%s} %d\n", label(r.Results[i].ID), label(u.ID), whether(u.Validity == finding.Confirmed))
		}
	}
	metric("ringfence_assumption", "Assumptions by what is known of them; always 1.")
	for i := range r.Assumptions {
		fmt.Fprintf(b, "ringfence_assumption{assumption=%s,validity=%s} 1\n", label(r.Assumptions[i].ID), label(r.Assumptions[i].Validity))
	}
	metric("ringfence_collector_complete", "Whether a part of the host was seen whole.")
	for _, x := range r.Coverage {
		fmt.Fprintf(b, "ringfence_collector_complete{collector=%s} %d\n", label(x.Collector), whether(x.Status == "ok" || x.Status == "absent"))
	}
	if t, err := time.Parse(time.RFC3339, r.Snapshot.CollectedAt); err == nil {
		metric("ringfence_collected_timestamp_seconds", "When the host was looked at.")
		fmt.Fprintf(b, "ringfence_collected_timestamp_seconds %d\n", t.Unix())
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write Prometheus text: %w", err)
	}
	return nil
}

func whether(is bool) int {
	if is {
		return 1
	}
	return 0
}

// label is the value of a label in quotes: what is not printable is shown, then backslash and quote are escaped.
func label(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(Clean(s, false)) + `"`
}
