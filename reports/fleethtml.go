package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

//go:embed fleet.html.tmpl
var fleetText string

// fleetTemplate escapes whatever of the hosts is in it.
var fleetTemplate = template.Must(template.New("fleet").Funcs(template.FuncMap{"short": short, "name": named}).Parse(fleetText))

// maxFleetHosts bounds the rows of hosts on a page.
const maxFleetHosts = 2000

// fleetDocument is what the template is given.
type fleetDocument struct {
	Style      template.CSS
	Title      string
	Facts      string
	Result     string
	Open       string // how many answers are unknown
	Severities []severityCount
	Lost       []*finding.FleetHost // of which nothing is known
	MoreLost   int
	Columns    []string // the hosts, if they are few
	Checks     []fleetCheckRow
	Rest       string // checks that are in no row
	Hosts      []fleetHostRow
	MoreHosts  int
}

// fleetCheckRow is a check with its answer on each host, or with few of the names of many.
type fleetCheckRow struct {
	ID, Title, Severity string
	Marks               []string
	Unknown, Fail       *fleetNames
	Pass                int
}

type fleetNames struct {
	N     int
	Names []string
	More  int
}

type fleetHostRow struct {
	*finding.FleetHost
	Found, From string
}

// Long is that of a document.
func (d *fleetDocument) Long() bool { return len(d.Lost)+len(d.Checks)+len(d.Hosts) > longPage }

// writeFleetHTML writes what came of many hosts as one page that asks for nothing else: hosts of which nothing is known first, then the
// checks, with those that are unknown somewhere first, then the hosts.
func writeFleetHTML(w io.Writer, f *finding.Fleet) error {
	d := &fleetDocument{Style: template.CSS(pageStyle), Title: plural(f.Counts.Hosts, "host"), Facts: fleetFacts(f)} //nolint:gosec // a file of the program
	found, undecided := f.Found()
	if d.Result = fleetResult(f); undecided > 0 {
		d.Open = counted(undecided, "answer is", "answers are")
	}
	for _, s := range finding.Severities {
		d.Severities = append(d.Severities, severityCount{s, found[s]})
	}
	d.hosts(f)
	d.checks(f)
	var b bytes.Buffer
	err := fleetTemplate.Execute(&b, d)
	if err == nil {
		_, err = io.WriteString(w, escape.Text(b.String(), true))
	}
	if err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

// viewOf is what came of several hosts, each with its report.
func viewOf(list []*finding.Report) *finding.Fleet {
	f, titles := new(finding.Fleet), map[string]string{}
	for _, r := range list {
		f.Add(r.Brief())
		for i := range r.Results {
			titles[r.Results[i].ID] = r.Results[i].Title
		}
	}
	f.Finish(titles)
	return f
}

// fleetFacts says how many hosts are judged, and of how many nothing is known.
func fleetFacts(f *finding.Fleet) string {
	text := fmt.Sprintf("%d judged · %d missing · %d refused · %d verified", f.Counts.Judged, f.Counts.Missing, f.Counts.Refused, f.Counts.Verified)
	if f.Counts.Older > 0 {
		text += " · " + counted(f.Counts.Older, "older snapshot that does not count", "older snapshots that do not count")
	}
	return text
}

func (d *fleetDocument) hosts(f *finding.Fleet) {
	for i := range f.Hosts {
		h := &f.Hosts[i]
		switch h.State {
		case finding.Missing, finding.Refused:
			if len(d.Lost) == maxFleetHosts {
				d.MoreLost++
				continue
			}
			d.Lost = append(d.Lost, h)
		case finding.Judged:
			if len(d.Hosts) == maxFleetHosts {
				d.MoreHosts++
				continue
			}
			row := fleetHostRow{FleetHost: h, Found: result(&finding.Counts{Findings: h.Findings}), From: "not verified"}
			if h.Trust.Holds() {
				row.From = "verified"
			} else if h.Trust != nil && h.Trust.Reason != "" {
				row.From += ": " + h.Trust.Reason
			}
			d.Hosts = append(d.Hosts, row)
		}
	}
}

func (d *fleetDocument) checks(f *finding.Fleet) {
	columns := f.Columns()
	if len(columns) <= maxColumns/2 && !repeated(columns) {
		d.Columns = columns
	}
	rest := 0
	for i := range f.Checks {
		c := &f.Checks[i]
		if len(c.Unknown)+len(c.Fail) == 0 {
			rest++
			continue
		}
		row := fleetCheckRow{ID: c.ID, Title: c.Title, Severity: c.Severity, Pass: len(c.Pass)}
		if len(d.Columns) > 0 {
			row.Marks = marksOf(c, d.Columns)
			for i, m := range row.Marks {
				row.Marks[i] = fleetWords[m]
			}
		} else {
			row.Unknown, row.Fail = fewOf(c.Unknown), fewOf(c.Fail)
		}
		d.Checks = append(d.Checks, row)
	}
	if rest > 0 {
		d.Rest = plural(rest, "check")
	}
}

// fleetWords are the marks of the table as words.
var fleetWords = map[string]string{".": "passed", "-": "not applicable", "w": "waived", "F": "failed", "F?": "F?", "?": "unknown", "": "not judged"}

// fewOf are some names of many; nil is none.
func fewOf(names []string) *fleetNames {
	if len(names) == 0 {
		return nil
	}
	few := names[:min(len(names), maxFleetNames)]
	return &fleetNames{N: len(names), Names: few, More: len(names) - len(few)}
}
