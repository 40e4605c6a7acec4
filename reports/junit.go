package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/ringfence/ringfence/finding"
)

// The elements of JUnit's XML as Jenkins and GitLab read it. A check is a case: failed with all of its findings, an error where it could not be
// decided (which is no pass), skipped where there is nothing to judge or it was accepted.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string `xml:"name,attr"`
		Tests     int    `xml:"tests,attr"`
		Failures  int    `xml:"failures,attr"`
		Errors    int    `xml:"errors,attr"`
		Skipped   int    `xml:"skipped,attr"`
		Timestamp string `xml:"timestamp,attr,omitempty"`
		Hostname  string `xml:"hostname,attr,omitempty"`
		// Properties say whether it is known who the snapshot is from.
		Properties []junitProperty `xml:"properties>property,omitempty"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string    `xml:"classname,attr"`
		Name    string    `xml:"name,attr"`
		Skipped *junitWhy `xml:"skipped"`
		Error   *junitWhy `xml:"error"`
		Failure *junitWhy `xml:"failure"`
		Output  string    `xml:"system-out,omitempty"`
	}
	junitWhy struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(w io.Writer, list []*finding.Report, _ Options) error {
	all := junitSuites{Name: "ringfence"}
	for _, r := range list {
		s := junitSuite{Name: "ringfence " + Clean(r.Host.Name, false), Hostname: Clean(r.Host.Name, false), Timestamp: withoutZone(r.Snapshot.CollectedAt)}
		if r.Trust != nil {
			s.Properties = []junitProperty{{"verified", Clean(verified(r.Trust), false)}}
		}
		before := map[string][]entry{}
		for _, e := range carried(r) {
			before[e.res.ID] = append(before[e.res.ID], e)
		}
		for i := range r.Results {
			s.add(r, &r.Results[i], before)
		}
		all.Tests, all.Failures, all.Errors = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	e := xml.NewEncoder(w)
	e.Indent("", " ")
	if err := e.Encode(all); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// add adds a check. Before are the findings of checks that are not known to be gone.
func (s *junitSuite) add(r *finding.Report, res *finding.Result, before map[string][]entry) {
	area, name, _ := strings.Cut(res.ID, "/")
	c := junitCase{Class: "ringfence." + Clean(area, false), Name: Clean(name, false)}
	s.Tests++
	var text []string // one failure with all findings: readers take the first
	counted := 0
	for j := range res.Findings {
		e := entry{r: r, res: res, f: &res.Findings[j]}
		if e.status() != finding.Fail {
			continue
		}
		if c.Failure == nil {
			c.Failure = &junitWhy{Message: e.message(), Type: e.f.Severity}
		} else {
			text = append(text, "")
		}
		counted++
		text = append(text, e.f.Severity+": "+e.message())
		for _, x := range e.f.Evidence {
			text = append(text, "seen: "+oneLine(x))
		}
		text = append(text, "fix: "+e.remedy(), "fingerprint: "+e.f.Fingerprint)
	}
	rest := entry{r: r, res: res, open: leavesOpen(res)}
	if c.Failure != nil && rest.open {
		text = append(text, "", "unknown: "+rest.message())
	}
	var unknown []string
	for _, x := range rest.evidence() {
		unknown = append(unknown, "unknown: "+oneLine(x))
	}
	for _, e := range before[res.ID] {
		unknown = append(unknown, "unknown: "+e.message(), "fingerprint: "+e.f.Fingerprint)
	}
	switch {
	case c.Failure != nil:
		text = append(text, unknown...)
		c.Failure.Text = strings.Join(text, "\n")
		if counted > 1 {
			c.Failure.Message += fmt.Sprintf(" (and %d more)", counted-1)
		}
		s.Failures++
	case res.Status == finding.Unknown:
		c.Error = &junitWhy{Message: oneLine(res.Reason), Type: res.Status, Text: strings.Join(unknown, "\n")}
		s.Errors++
	case res.Status != finding.Pass:
		c.Skipped = &junitWhy{Message: strings.ReplaceAll(res.Status, "_", " ") + ": " + oneLine(res.Reason)}
		s.Skipped++
	case len(res.Under) > 0:
		c.Output = "passes " + oneLine(res.Reason)
	default:
	}
	s.Cases = append(s.Cases, c)
}
