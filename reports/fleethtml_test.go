package reports

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

// hosts are a view of so many hosts, of which one is missing, one is refused and each third has an open question.
func hosts(n int, name func(int) string) *finding.Fleet {
	f := &finding.Fleet{Counts: finding.FleetCounts{Hosts: n + 2, Judged: n, Missing: 1, Refused: 1}, Hosts: []finding.FleetHost{
		{Name: name(n), State: finding.Missing, Reason: "nobody sent it"}, {Name: name(n + 1), State: finding.Refused, Reason: name(n), File: "x.json"},
	}}
	c := finding.FleetCheck{ID: "a/a", Title: name(0), Severity: "high"}
	for i := range n {
		h := finding.FleetHost{Name: name(i), State: finding.Judged, Worst: "high", Findings: map[string]int{"high": 1}, CollectedAt: name(i)}
		c.Fail = append(c.Fail, h.Name)
		if i%3 == 0 {
			h.Unknown = 1
			c.Unknown = append(c.Unknown, h.Name)
		}
		f.Hosts = append(f.Hosts, h)
	}
	f.Checks = []finding.FleetCheck{c, {ID: "a/b", Severity: "low", Pass: c.Fail}}
	return f
}

func fleetPage(t *testing.T, f *finding.Fleet) string {
	t.Helper()
	var b bytes.Buffer
	m := NewMany(&b, "html", Options{}, false)
	if m.Renders() != "" {
		t.Fatal("reports of hosts are wanted")
	}
	if err := m.End(f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestFleetPage: what nothing is known of comes first, and a check says of few hosts what it found on each, of many where.
func TestFleetPage(t *testing.T) {
	web := func(i int) string { return fmt.Sprintf("web%d", i) }
	few := fleetPage(t, hosts(4, web))
	for _, want := range []string{"nobody sent it", "<td>F?</td><td>failed</td>", `<th scope="col">web3</th>`, "1 check passed or did not apply", "2 answers are unknown", "4 judged · 1 missing · 1 refused", "not verified"} {
		if !strings.Contains(few, want) {
			t.Errorf("no %q", want)
		}
	}
	if lost, checks := strings.Index(few, `id="lost"`), strings.Index(few, `id="checks"`); lost < 0 || lost > checks {
		t.Error("what nothing is known of is not first")
	}
	many := fleetPage(t, hosts(500, web))
	for _, want := range []string{"<b>167</b> <small>web0, web3", "and 159 more", "<b>500</b>", ">web499</th>"} {
		if !strings.Contains(many, want) {
			t.Errorf("no %q", want)
		}
	}
	if len(many) > 200_000 {
		t.Errorf("%d bytes", len(many))
	}
}

// TestFleetPageAsksForNothing: whatever hosts call themselves, the page runs nothing, loads nothing and is closed as it was opened.
func TestFleetPageAsksForNothing(t *testing.T) {
	for _, h := range []string{`</table><script>alert(1)</script>`, "\x1b[2Ja\u202eb\u200b", `" onclick="x`, strings.Repeat("x", 5000), ""} {
		out := fleetPage(t, hosts(3, func(i int) string { return h + fmt.Sprint(i) }))
		if strings.Contains(out, "<script") || strings.Contains(out, `" onclick="`) || len(out) > 40_000 {
			t.Errorf("%.20q: %d bytes", h, len(out))
		}
		for _, c := range out {
			if c != '\n' && (!unicode.IsGraphic(c) || escape.Turns(c)) {
				t.Errorf("%.20q: %U", h, c)
				break
			}
		}
		d := xml.NewDecoder(strings.NewReader(out))
		d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		for {
			if _, err := d.Token(); err != nil {
				if !errors.Is(err, io.EOF) {
					t.Errorf("%.20q: %v", h, err)
				}
				break
			}
		}
	}
}

// TestPageOfSeveralReports: reports that are merged are one view, as snapshots that are judged together.
func TestPageOfSeveralReports(t *testing.T) {
	var b bytes.Buffer
	of := func(host, status string) *finding.Report {
		return &finding.Report{Host: finding.Host{Name: host}, Results: []finding.Result{{ID: "a/a", Title: "A title", Severity: "high", Status: status}}}
	}
	if err := writeHTML(&b, []*finding.Report{of("web1", finding.Pass), of("web2", finding.Unknown)}, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<title>ringfence: 2 hosts</title>", "A title", "<td>unknown</td><td>passed</td>", "1 unknown"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %s", want, &b)
		}
	}
}
