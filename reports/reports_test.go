package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

// hostile are texts that a host can hold in names, paths and comments.
var hostile = []string{
	"\x1b[2J\x1b]0;owned\x07red", "<script>alert(1)</script>", "line one\nline two\r\nline three",
	`eth"0' | rm -rf /`, "bad \xff\xfe utf8", "rtl \u202egpj.exe", "[link](http://x) {0} \\ `code`",
	"../../etc/passwd", "a:b:c", strings.Repeat("long", 400), "日本語のコンテナ名", "", " ", "https://x/%2e%2e",
	"\x00nul", "emoji 👩‍👩‍👧 tab\tend",
}

func hostileReport() *finding.Report {
	r := &finding.Report{
		Schema: finding.Schema, Tool: finding.Tool{Name: "ringfence", Version: "1.2.3"},
		Host:     finding.Host{Name: hostile[0] + hostile[1], ID: "id", OS: hostile[2], Kernel: hostile[3], Confined: hostile[:3]},
		Snapshot: finding.Snapshot{Digest: "sha256:0", CollectedAt: "2026-11-22T12:00:00Z"},
		Coverage: []finding.Coverage{{Collector: "ssh", Status: "partial", Reasons: hostile}, {Collector: "network", Status: "ok"}},
	}
	res := finding.Result{
		ID: "management/ssh-reachable-from-workload", Status: finding.Fail, Severity: "critical", Title: "Title",
		Description: "Description.", Remediation: "Fix it.",
		References: finding.References{CWE: []string{"CWE-668"}, ATTACK: []string{"T1021.004"}},
	}
	for i, h := range hostile {
		res.Findings = append(res.Findings, finding.Finding{
			Resource: finding.Resource{Kind: "service", Key: h, Path: map[bool]string{true: "/" + h}[i%2 == 0]},
			Message:  "message " + h, Severity: finding.Severities[i%5], Evidence: []string{h, "second " + h},
			Witness: h, Steps: []string{h, "root"}, Zone: "workload", Fingerprint: fmt.Sprintf("%064d", i),
			Remediation: []finding.Remediation{{Kind: "command", Text: "run " + h}},
		})
	}
	r.Results = []finding.Result{
		res,
		{ID: "ssh/empty-passwords", Status: finding.Unknown, Severity: "high", Title: "T", Description: "D", Reason: hostile[0]},
		{ID: "agent/sandbox-off", Status: finding.Pass, Severity: "high", Title: "T", Description: "D"},
		{ID: "agent/runs-as-root", Status: finding.NotApplicable, Severity: "high", Title: "T", Description: "D", Reason: "none"},
	}
	return r
}

func write(t *testing.T, format string, r *finding.Report, o Options) []byte {
	t.Helper()
	f, err := Named(format)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b, []*finding.Report{r}, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTableFitsAndIsSafe(t *testing.T) {
	for _, width := range []int{40, 80, 100, 163} {
		out := string(write(t, "table", hostileReport(), Options{Width: width, All: true, Verbose: true}))
		if !utf8.ValidString(out) {
			t.Errorf("width %d: invalid UTF-8", width)
		}
		for i, line := range strings.Split(out, "\n") {
			command := strings.HasPrefix(line, "      run ") || strings.HasPrefix(line, " 1  run ") // a command is never broken
			if w := displaywidth.String(line); w > width && !command {
				t.Errorf("width %d: line %d has %d columns: %s", width, i+1, w, line)
			}
			for _, c := range line {
				if c < 0x20 || c == 0x7f || c >= 0x80 && c < 0xa0 || c == 0x202e {
					t.Errorf("width %d: control character %U in line %d", width, c, i+1)
				}
			}
			if strings.ContainsAny(line, "│┌─") {
				t.Errorf("width %d: a box in line %d", width, i+1)
			}
		}
	}
}

// TestTableLosesNothing takes the line breaks out again and looks for every message and every command.
func TestTableLosesNothing(t *testing.T) {
	blank := regexp.MustCompile(`\s+`)
	for _, width := range []int{40, 80, 163} {
		r := hostileReport()
		out := string(write(t, "table", r, Options{Width: width, Verbose: true}))
		flat := blank.ReplaceAllString(strings.ReplaceAll(out, r.Results[0].ID, ""), "")
		for _, f := range r.Results[0].Findings {
			if want := blank.ReplaceAllString(Clean(f.Message, false), ""); !strings.Contains(flat, want) {
				t.Errorf("width %d: %q is not whole", width, f.Message)
			}
			for l := range strings.SplitSeq(strings.TrimSpace(f.Remediation[0].Text), "\n") {
				if !strings.Contains(out, "   "+strings.TrimRight(Clean(l, false), " ")+"\n") {
					t.Errorf("width %d: the command %q is not a line of its own", width, l)
				}
			}
		}
	}
}

func TestTableColour(t *testing.T) {
	if out := write(t, "table", hostileReport(), Options{}); bytes.Contains(out, []byte("\x1b")) {
		t.Error("escape sequences without colour")
	}
	if out := write(t, "table", hostileReport(), Options{Color: true}); !bytes.Contains(out, []byte("\x1b[1;31m")) {
		t.Error("no colour")
	}
}

func TestSameReportSameBytes(t *testing.T) {
	for _, f := range Formats() {
		a := write(t, f.Name, hostileReport(), Options{})
		for range 5 {
			if b := write(t, f.Name, hostileReport(), Options{}); !bytes.Equal(a, b) {
				t.Fatalf("%s differs between two runs", f.Name)
			}
		}
	}
}

func TestJSONIsReadBack(t *testing.T) {
	var r finding.Report
	if err := json.Unmarshal(write(t, "json", hostileReport(), Options{}), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 4 || len(r.Results[0].Findings) != len(hostile) {
		t.Error("results were lost")
	}
}

func TestUnknownFormat(t *testing.T) {
	if _, err := Named("xml"); err == nil || !strings.Contains(err.Error(), "sarif") {
		t.Errorf("want an error that names the formats, got %v", err)
	}
}

func FuzzClean(f *testing.F) {
	for _, h := range hostile {
		f.Add(h, 20)
	}
	f.Fuzz(func(t *testing.T, s string, width int) {
		c := Clean(s, false)
		if !utf8.ValidString(c) || strings.ContainsAny(c, "\x1b\x00\n\r\u202e") {
			t.Errorf("Clean(%q) = %q", s, c)
		}
		width = 8 + (width&0xff)%120
		var joined strings.Builder
		for _, l := range wrap(c, width) {
			if displaywidth.String(l) > width+1 {
				t.Errorf("wrap at %d: %q", width, l)
			}
			joined.WriteString(l)
		}
		strip := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if strip(joined.String()) != strip(c) {
			t.Errorf("wrap loses text: %q -> %q", c, joined.String())
		}
	})
}

// TestCommandsStayWhole: a command in a sentence is copied from one line, if it fits into one.
func TestCommandsStayWhole(t *testing.T) {
	const text = "load an input chain with policy drop (ringfence fix plan --mode default-deny), then look again"
	for width := 42; width < 110; width++ {
		lines := wrap(text, width)
		if got := strings.Join(lines, " "); got != text {
			t.Errorf("%d: %q", width, got)
		}
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "(ringfence fix plan --mode default-deny)") }) {
			t.Errorf("%d: %q", width, lines)
		}
	}
	if lines := wrap(text, 20); strings.Contains(strings.Join(lines, ""), "\x00") {
		t.Errorf("%q", lines)
	}
	var b bytes.Buffer
	p := &page{w: &b, o: Options{Width: 60}}
	p.ends(" 1  ", text, "", "1 critical", "")
	if !strings.Contains(b.String(), "(ringfence fix plan --mode default-deny)") || strings.Contains(b.String(), "\x00") {
		t.Errorf("%q", b.String())
	}
}

func TestPrintable(t *testing.T) {
	in := "\x1b[1;31mHIGH\x1b[0m │ ok\nnext \x1b[2J\x1b]0;title\x07 \x9b\u202e\r\x1b["
	want := "\x1b[1;31mHIGH\x1b[0m │ ok\nnext \\x1b[2J\\x1b]0;title\\x07 \\x9b\\u202e\\x0d\\x1b["
	if got := string(Printable([]byte(in))); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestConfinementIsTold has the last line of a table.
func TestConfinementIsTold(t *testing.T) {
	held := finding.Confinement{NoNewPrivs: true, Capabilities: "dropped", Landlock: "abi 7", Seccomp: "filter", Files: "refused", Network: "refused", Programs: "refused"}
	part := held
	part.Network, part.Seccomp = "open", "absent: invalid argument"
	for want, c := range map[string]*finding.Confinement{
		"Judged without capabilities, files, network and programs (Landlock: abi 7, seccomp: filter).": &held,
		"network open, programs refused, Landlock abi 7, seccomp absent: invalid argument.":            &part,
		"0 passed · 0 not applicable · 0 unknown":                                                      nil,
	} {
		var b bytes.Buffer
		if err := writeTable(&b, &finding.Report{Confinement: c}, Options{Width: 200}); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(b.String(), want+"\n") {
			t.Errorf("%q is not the end of %q", want, b.String())
		}
	}
}

func TestPrintableJSON(t *testing.T) {
	in := []string{"a\x1bb\u009bc\u202ed\U000e0001e\n\té│"}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(in); err != nil {
		t.Fatal(err)
	}
	got := PrintableJSON(b.Bytes())
	for _, r := range string(got) {
		if r != '\n' && (!unicode.IsGraphic(r) || escape.Turns(r)) {
			t.Errorf("%q has %q", got, r)
		}
	}
	var back []string
	if err := json.Unmarshal(got, &back); err != nil || back[0] != in[0] {
		t.Errorf("%q is %q, want %q (%v)", got, back, in, err)
	}
}
