package reports

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ringfence/ringfence/finding"
)

// formulas are texts that a spreadsheet would compute.
var formulas = []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =HYPERLINK(\"http://x\")", "|calc", "%0A=1", "＝1+1", "a|b`c``d", "@everyone #1 http://x <img src=x>"}

// worst is the report with hostile texts everywhere, a waiver that holds and one that does not.
func worst() *finding.Report {
	r := hostileReport()
	for i, h := range formulas {
		r.Results[0].Findings = append(r.Results[0].Findings, finding.Finding{
			Resource: finding.Resource{Kind: h, Key: h}, Message: h, Severity: finding.Severities[i%5], Evidence: []string{h}, Witness: h, Fingerprint: strings.Repeat("e", 60) + strconv.Itoa(1000+i),
			Remediation: []finding.Remediation{{Kind: "command", Text: h}},
		})
	}
	r.Results[0].Findings[0].Waiver = &finding.Waiver{Reason: hostile[0], Owner: formulas[0], Expires: "2027-01-01"}
	r.Results[0].Findings[1].Waiver = &finding.Waiver{Reason: hostile[0], Owner: formulas[0], Expires: "2020-01-01", Reopened: "it has expired"}
	r.Host.ID, r.Host.BootID = hostile[0], "b"
	r.Assumptions = []finding.Assumption{{ID: "x", Statement: hostile[0], Validity: finding.Rejected, Because: hostile, IfFalse: formulas, Claims: []finding.Claim{{
		Says: hostile[0], Validity: finding.Rejected, Grounds: []finding.Ground{{What: hostile[0], Validity: finding.Rejected, Evidence: hostile}},
	}}}}
	r.Coverage[0].Collector = "ssh\"\\\n"
	r.Exposures = []finding.Exposure{{Service: finding.Service{Owner: hostile[5]}, Zone: "external", Verdict: "reachable"}}
	r.Forwards = []finding.Forward{{From: hostile[5], Verdict: "unreachable"}}
	return r
}

// TestFormatsAreSafe: no format lets a character through that a terminal or an editor acts on.
func TestFormatsAreSafe(t *testing.T) {
	for _, f := range Formats() {
		out := write(t, f.Name, worst(), Options{})
		if !utf8.Valid(out) || len(out) == 0 {
			t.Errorf("%s: %d bytes, UTF-8 %v", f.Name, len(out), utf8.Valid(out))
		}
		for _, c := range string(out) {
			if c != '\n' && c != '\t' && (f.Name != "csv" || c != '\r') && (unicode.IsControl(c) || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 || c == 0xfeff) {
				t.Errorf("%s: %U", f.Name, c)
				break
			}
		}
	}
}

// fails counts the findings of a report that count.
func fails(r *finding.Report) int { return len(r.Counting()) }

func TestJUnit(t *testing.T) {
	var got junitSuites
	out := write(t, "junit", worst(), Options{})
	if err := xml.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	s := got.Suites[0]
	if s.Tests != 4 || s.Failures != 1 || s.Errors != 1 || s.Skipped != 1 || len(s.Cases) != 4 || got.Tests != 4 {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(s.Cases[0].Failure.Text, "\nfingerprint: "); n != fails(worst()) || !strings.HasSuffix(s.Cases[0].Failure.Message, "(and 26 more)") {
		t.Errorf("%d findings, want %d: %s", n, fails(worst()), s.Cases[0].Failure.Message)
	}
	if s.Cases[1].Error == nil || s.Cases[1].Skipped != nil || s.Cases[2].Error != nil || s.Cases[3].Skipped == nil {
		t.Errorf("what is unknown, passed or not applicable: %+v", s.Cases[1:])
	}
	if s.Cases[0].Class != "ringfence.management" || s.Cases[0].Name != "ssh-reachable-from-workload" {
		t.Errorf("%+v", s.Cases[0])
	}
	if file := os.Getenv("RINGFENCE_JUNIT"); file != "" {
		if err := os.WriteFile(file, out, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCSV(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(write(t, "csv", worst(), Options{}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+len(worst().Results[0].Findings)+3 {
		t.Errorf("%d rows", len(rows))
	}
	waived := 0
	for _, row := range rows {
		for i, cell := range row {
			if c := strings.TrimLeft(cell, " \t\r\n"); c != "" && strings.ContainsAny(c[:1], "=+-@|%") {
				t.Errorf("%s: the cell %q is a formula", rows[0][i], cell)
			}
		}
		if row[2] == finding.Waived {
			waived++
		}
	}
	if waived != 1 {
		t.Errorf("%d waived", waived)
	}
}

func TestJSONLines(t *testing.T) {
	kinds := map[string]int{}
	in := bufio.NewScanner(bytes.NewReader(write(t, "jsonl", worst(), Options{})))
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var row Row
		d := json.NewDecoder(bytes.NewReader(in.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&row); err != nil {
			t.Fatalf("%s: %v", in.Text(), err)
		}
		if row.Schema != rowSchema || row.Host == "" || row.HostID == "" || row.BootID != "b" || row.CollectedAt == "" || row.Snapshot == "" {
			t.Errorf("a row does not say where it is from: %s", in.Text())
		}
		kinds[row.Row]++
	}
	for kind, want := range map[string]int{"result": 4, "finding": len(worst().Results[0].Findings), "exposure": 1, "forward": 1, "coverage": 2} {
		if kinds[kind] != want {
			t.Errorf("%d of %s, want %d", kinds[kind], kind, want)
		}
	}
}

// promLine is a sample of the text format without a time.
var promLine = regexp.MustCompile(`^[a-z_]+(\{([a-z_]+="([^"\\]|\\\\|\\"|\\n)*"(,|\}))+)? -?[0-9]+$`)

func TestPrometheus(t *testing.T) {
	text := string(write(t, "prometheus", worst(), Options{}))
	seen := map[string]bool{}
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		if strings.HasPrefix(l, "# ") {
			continue
		}
		if !promLine.MatchString(l) || seen[strings.Fields(l)[0]] && !strings.Contains(l, "{") {
			t.Errorf("%q", l)
		}
		seen[strings.Fields(l)[0]] = true
	}
	for _, want := range []string{
		"ringfence_check_unknown{check=\"ssh/empty-passwords\"} 1\n", "ringfence_checks{status=\"unknown\"} 1\n", "ringfence_findings_waived 1\n",
		`ringfence_collector_complete{collector="ssh\"\\\\n"} 0` + "\n", "ringfence_collected_timestamp_seconds 1795348800\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "ringfence_check_failed{check=\"ssh/empty-passwords\"") {
		t.Error("what was not decided has a value")
	}
}

// withoutCode takes the spans of code out, which end at a run of as many backticks as they begin with (CommonMark, 6.1).
func withoutCode(s string) string {
	runs := regexp.MustCompile("`+").FindAllStringIndex(s, -1)
	var b strings.Builder
	at := 0
	for i := 0; i < len(runs); i++ {
		for j := i + 1; j < len(runs); j++ {
			if runs[j][1]-runs[j][0] == runs[i][1]-runs[i][0] {
				b.WriteString(s[at:runs[i][0]])
				at, i = runs[j][1], j
				break
			}
		}
	}
	return b.String() + s[at:]
}

func TestMarkdown(t *testing.T) {
	r := worst()
	text := string(write(t, "markdown", r, Options{}))
	outside := withoutCode(text)
	for _, bad := range []string{"<script", "<img", "@everyone", "](http", "http://x"} {
		if strings.Contains(outside, bad) {
			t.Errorf("%q is outside of code:\n%s", bad, outside)
		}
	}
	for i := range 3000 {
		r.Results[0].Findings = append(r.Results[0].Findings, finding.Finding{Message: "m" + strconv.Itoa(i), Severity: "low", Fingerprint: strconv.Itoa(i)})
	}
	if text := write(t, "markdown", r, Options{}); len(text) > 65_000 || !bytes.Contains(text, []byte(" more are in the JSON report.")) {
		t.Errorf("%d bytes", len(text))
	}
	for s, want := range map[string]string{"": "` `", "a": "`a`", "a`b": "``a`b``", " a": "`a`", "``": "``` `` ```"} {
		if got := code(s); got != want {
			t.Errorf("%q: %s", s, got)
		}
	}
}

// TestMarkdownOfManyFits: of many hosts there is a table of all, and sections of the worst, in what GitHub takes.
func TestMarkdownOfManyFits(t *testing.T) {
	for _, n := range []int{2, 30, 300, 3000} {
		var list []*finding.Report
		for i := range n {
			r := worst()
			r.Host.Name = "web" + strconv.Itoa(i)
			if i == n-1 {
				r.Results[0].Findings = append(r.Results[0].Findings, finding.Finding{Message: "the worst", Severity: "critical", Fingerprint: "aa"})
			}
			list = append(list, r)
		}
		var b bytes.Buffer
		if err := writeMarkdown(&b, list, Options{}); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if len(text) > 65_000 || !strings.HasPrefix(text, "# ringfence: "+strconv.Itoa(n)+" hosts\n") || list[0].Host.Name != "web0" {
			t.Errorf("%d hosts: %d bytes, %.40q", n, len(text), text)
		}
		if _, first, _ := strings.Cut(text, "\n## ringfence: "); !strings.HasPrefix(first, "`web"+strconv.Itoa(n-1)+"`") {
			t.Errorf("%d hosts: the first is %.40q", n, first)
		}
		if more := strings.Contains(text, " more hosts is in the JSON report."); more != (n > 30) {
			t.Errorf("%d hosts: %.200q", n, text[len(text)-200:])
		}
	}
}

// TestUnknownWithoutAReason: a report that somebody wrote can have findings beside an unknown that says nothing.
func TestUnknownWithoutAReason(t *testing.T) {
	r := pageReport()
	r.Results[0].Status, r.Results[0].Reason, r.Results[0].Unknowns = finding.Unknown, "", nil
	for _, f := range Formats() {
		if out := write(t, f.Name, r, Options{}); len(out) == 0 {
			t.Errorf("%s: nothing", f.Name)
		}
	}
	if out := write(t, "csv", r, Options{}); !bytes.Contains(out, []byte("not decided, and nobody says why")) {
		t.Errorf("%s", out)
	}
}

// TestMarkdownCellDoesNotEnd: a bar in a cell has one backslash before it, of which nothing takes it away.
func TestMarkdownCellDoesNotEnd(t *testing.T) {
	for _, s := range []string{"a|b", `a\|<img src=x>`, `a\\|b`, `\\\|`, `|`, "`|\\|"} {
		got := cell(s)
		for i := range len(got) {
			if got[i] != '|' {
				continue
			}
			before := got[:i]
			if n := len(before) - len(strings.TrimRight(before, `\`)); n != 1 {
				t.Errorf("%q: %s has %d backslashes before a bar", s, got, n)
			}
		}
	}
}

// TestGitLabSolutionIsShort: GitLab takes no report at all with one text that is longer than its schema has it.
func TestGitLabSolutionIsShort(t *testing.T) {
	for _, name := range []string{strings.Repeat("`", 3000), strings.Repeat("`", 9000), strings.Repeat("a", 9000), strings.Repeat("ü`", 5000)} {
		r := pageReport()
		r.Results[0].Findings[0].Remediation = []finding.Remediation{{Kind: "words", Text: "chmod " + name}}
		r.Actions = nil
		var out gitlabReport
		if err := json.Unmarshal(write(t, "gitlab", r, Options{}), &out); err != nil {
			t.Fatal(err)
		}
		for _, v := range out.Vulnerabilities {
			if n := utf8.RuneCountInString(v.Solution); n > gitlabSolution {
				t.Errorf("a solution of %d characters", n)
			}
		}
	}
}

func TestGitLab(t *testing.T) {
	var got gitlabReport
	if err := json.Unmarshal(write(t, "gitlab", worst(), Options{}), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Vulnerabilities) != fails(worst()) {
		t.Errorf("%d, want %d", len(got.Vulnerabilities), fails(worst()))
	}
	ids := map[string]bool{}
	for _, v := range got.Vulnerabilities {
		if ids[v.ID] || v.Location.File == "" || strings.HasPrefix(v.Location.File, "/") || len(v.Identifiers) != 2 || utf8.RuneCountInString(v.Name) > gitlabName ||
			!regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(v.ID) {
			t.Errorf("%+v", v)
		}
		ids[v.ID] = true
	}
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$`).MatchString(got.Scan.StartTime) {
		t.Errorf("%s", got.Scan.StartTime)
	}
}

func TestOCSF(t *testing.T) {
	var got []ocsfFinding
	if err := json.Unmarshal(write(t, "ocsf", worst(), Options{}), &got); err != nil {
		t.Fatal(err)
	}
	states := map[string]int{}
	for _, f := range got {
		states[f.Compliance.Status]++
		if f.ClassUID != 2003 || f.TypeUID != 200301 || f.Time != 1795348800000 || f.SeverityID < 1 || f.SeverityID > 5 || f.Info.UID == "" || f.Info.Title == "" || f.Device.Hostname == "" {
			t.Errorf("%+v", f)
		}
	}
	if states["Fail"] != fails(worst()) || states["Pass"] != 1 || states["Unknown"] != 1 || states["Waived"] != 1 {
		t.Errorf("%v", states)
	}
}

func TestOpenReports(t *testing.T) {
	r := worst()
	var got openReport
	if err := json.Unmarshal(write(t, "openreports", r, Options{}), &got); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`).MatchString(got.Metadata.Name) || len(got.Metadata.Name) > 253 {
		t.Errorf("%q", got.Metadata.Name)
	}
	if got.Summary.Fail != fails(r) || got.Summary.Error != 1 || got.Summary.Pass != 1 || got.Summary.Skip != 2 {
		t.Errorf("%+v", got.Summary)
	}
	if got.Configuration.Limits.MaxResults != openResults || got.Metadata.Annotations["ringfence/left-out"] != "" {
		t.Errorf("%+v, %v", got.Configuration, got.Metadata.Annotations)
	}
}

// TestOpenReportsAreSmall: of many results, and of long ones, the worst are kept, and the object says how many are not in it.
func TestOpenReportsAreSmall(t *testing.T) {
	for message, most := range map[string]int{"m": openResults, strings.Repeat("\u202e<é\x01", 200): openResults - 1} {
		r := worst()
		for i := range 3000 {
			r.Results[0].Findings = append(r.Results[0].Findings, finding.Finding{
				Message: message, Severity: "low", Fingerprint: strconv.Itoa(i), Resource: finding.Resource{Kind: "k", Key: message}, Remediation: []finding.Remediation{{Text: message}},
			})
		}
		var got openReport
		if err := json.Unmarshal(write(t, "openreports", r, Options{}), &got); err != nil {
			t.Fatal(err)
		}
		kept, err := json.Marshal(got)
		if n := len(got.Results); err != nil || n > most || n < 100 || len(kept) > openBytes+openBytes/8 || got.Results[0].Severity != "critical" {
			t.Errorf("%v: %d results in %d bytes", err, n, len(kept))
		}
		all := got.Summary.Fail + got.Summary.Error + got.Summary.Pass + got.Summary.Skip
		if want := fmt.Sprintf("%d of %d results, of the least weight", all-len(got.Results), all); got.Metadata.Annotations["ringfence/left-out"] != want {
			t.Errorf("%q, want %q", got.Metadata.Annotations["ringfence/left-out"], want)
		}
	}
}

// TestNoFormatLosesWhatIsUnknown: what a check leaves open beside what it found is in every format, also if all that it found is accepted.
func TestNoFormatLosesWhatIsUnknown(t *testing.T) {
	const drawn = "left open" // a picture and a model count the questions
	object := []finding.Unclear{{Resource: finding.Resource{Kind: "file", Key: "/etc/object"}, Reason: "not read"}}
	for name, c := range map[string]struct {
		change func(*finding.Result)
		marks  []string // one of them
	}{
		"an object":      {func(res *finding.Result) { res.Unknowns = object }, []string{"/etc/object", drawn, "ringfence_check_unknown{check=\"management/ssh-reachable-from-workload\"} 1"}},
		"a part of host": {func(res *finding.Result) { res.Reason = "there can be more" }, []string{"there can be more", drawn, "ringfence_check_unknown{check=\"management/ssh-reachable-from-workload\"} 1"}},
		"all accepted": {func(res *finding.Result) {
			res.Unknowns, res.Status, res.Reason = object, finding.Unknown, "/etc/object: not read"
			for i := range res.Findings {
				res.Findings[i].Waiver = &finding.Waiver{Reason: "r", Expires: "2027-01-01"}
			}
		}, []string{"/etc/object: not read", "/etc/object", drawn, "ringfence_check_unknown{check=\"management/ssh-reachable-from-workload\"} 1"}},
	} {
		r := hostileReport()
		c.change(&r.Results[0])
		for _, f := range Formats() {
			out := string(write(t, f.Name, r, Options{}))
			if !slices.ContainsFunc(c.marks, func(m string) bool { return strings.Contains(out, m) }) {
				t.Errorf("%s: %s does not tell it", name, f.Name)
			}
		}
		rows, err := csv.NewReader(bytes.NewReader(write(t, "csv", r, Options{}))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if n := len(slices.DeleteFunc(rows, func(row []string) bool { return row[2] != finding.Unknown })); n != 2 {
			t.Errorf("%s: %d rows are unknown, want 2", name, n)
		}
	}
}

// TestPrometheusCountsWhatCounts: an accepted finding is none of its check.
func TestPrometheusCountsWhatCounts(t *testing.T) {
	r := worst()
	want := "ringfence_check_failed{check=\"management/ssh-reachable-from-workload\",severity=\"critical\"} " + strconv.Itoa(fails(r)) + "\n"
	if text := string(write(t, "prometheus", r, Options{})); !strings.Contains(text, want) {
		t.Errorf("no %q in\n%s", want, text)
	}
}

// TestManyHosts: what can hold several hosts has all of them, each under its name.
func TestManyHosts(t *testing.T) {
	a, b := worst(), worst()
	a.Host.Name, b.Host.Name = "hosta", "hostb"
	for _, f := range Formats() {
		if !f.Many {
			continue
		}
		var out bytes.Buffer
		if err := f.Write(&out, []*finding.Report{a, b}, Options{}); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		if text := out.String(); !strings.Contains(text, "hosta") || !strings.Contains(text, "hostb") {
			t.Errorf("%s: a host is missing", f.Name)
		}
		if f.Name == "json" || f.Name == "sarif" || f.Name == "ocsf" {
			if !json.Valid(out.Bytes()) {
				t.Errorf("%s: not JSON", f.Name)
			}
		}
	}
	if err := writeSARIF(new(bytes.Buffer), make([]*finding.Report, maxRuns+1), Options{}); err == nil {
		t.Error("more runs than GitHub takes")
	}
}
