package snapshot

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestRecordedOpenClawAudit reads what OpenClaw 2026.9.6 wrote of a gateway beyond loopback with a short token.
func TestRecordedOpenClawAudit(t *testing.T) {
	text, err := os.ReadFile("testdata/openclaw-audit-2026.9.6.json")
	if err != nil {
		t.Fatal(err)
	}
	a, err := ReadOpenClawAudit(text)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range a.Findings {
		got = append(got, f.Severity+" "+f.ID)
	}
	want := "critical gateway.control_ui.allowed_origins_required, critical fs.config.perms_world_readable, " +
		"warn gateway.token_too_short, warn gateway.auth_no_rate_limit, warn fs.state_dir.perms_readable"
	if strings.Join(got, ", ") != want || a.Critical != 2 || a.Warn != 3 || a.Suppressed != 0 || a.More != 0 || a.Made < 1_700_000_000 {
		t.Errorf("%v %+v", got, a)
	}
	wrapped, err := ReadOpenClawAudit([]byte(`{"fix": {}, "report": ` + string(text) + `}`))
	if err != nil || len(wrapped.Findings) != len(a.Findings) {
		t.Errorf("what --fix writes: %v %+v", err, wrapped)
	}
}

// TestHostileOpenClawAudit: the file can be written by whoever the audit is about. What is kept is bounded and plain, an error tells nothing of a
// file that it may lead to, and what is no report is none.
func TestHostileOpenClawAudit(t *testing.T) {
	report := func(findings string) string {
		return `{"summary": {"critical": 1, "warn": 0}, "findings": [` + findings + `]}`
	}
	for name, text := range map[string]string{
		"nothing":          "",
		"of another kind":  "root:$6$SECRET:19000:0:99999:7:::",
		"a text":           `"SECRET"`,
		"no summary":       `{"findings": []}`,
		"no findings":      `{"summary": {}}`,
		"findings of null": `{"summary": {}, "findings": null}`,
		"deep":             strings.Repeat(`{"report":`, 200_000) + "1" + strings.Repeat("}", 200_000),
		"deep list":        `{"summary": {}, "findings": ` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}",
		"large":            report("") + strings.Repeat(" ", MaxImport),
		"severity":         report(`{"checkId": "a.b", "severity": "fatal", "title": "SECRET"}`),
		"id of controls":   report(`{"checkId": "a\u001b[2J", "severity": "warn"}`),
		"long id":          report(`{"checkId": "` + strings.Repeat("a", 300) + `", "severity": "warn"}`),
		"number":           `{"summary": {"critical": 1e400}, "findings": []}`,
	} {
		a, err := ReadOpenClawAudit([]byte(text))
		if err == nil {
			t.Errorf("%s is read: %+v", name, a)
		} else if strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: the error tells %q", name, err)
		}
	}
	var many []string
	for i := range 3000 {
		many = append(many, fmt.Sprintf(`{"checkId": "x.%d", "severity": "warn", "title": "%s"}`, i, strings.Repeat("t", 50)))
	}
	many = append(many, `{"checkId": "last", "severity": "critical", "title": "a\u001b[2J\nb", "detail": "`+strings.Repeat("d", 5000)+`"}`)
	a, err := ReadOpenClawAudit([]byte(report(strings.Join(many, ","))))
	if err != nil || len(a.Findings) != maxImported || a.More != 3001-maxImported {
		t.Fatalf("%v, %d findings and %d more", err, len(a.Findings), a.More)
	}
	if f := a.Findings[0]; f.ID != "last" || f.Title != "a [2J b" || len([]rune(f.Detail)) != maxImportText+1 {
		t.Errorf("the critical one: %q %q, %d characters of detail", f.ID, f.Title, len([]rune(f.Detail)))
	}
	a, err = ReadOpenClawAudit([]byte(`{"summary": {"critical": -5, "warn": -1}, "findings": [], "suppressedFindings": [1, {}]}`))
	if err != nil || a.Critical != 0 || a.Warn != 0 || a.Suppressed != 2 {
		t.Errorf("%v %+v", err, a)
	}
	a, err = ReadOpenClawAudit([]byte(report(`{"checkId": "security.audit.suppressions.active", "severity": "info"}, {"checkId": "new/in.2027", "severity": "warn"}`)))
	if err != nil || a.Suppressed != 1 || len(a.Findings) != 1 || a.Findings[0].ID != "new/in.2027" {
		t.Errorf("%v %+v", err, a)
	}
}
