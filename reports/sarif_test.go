package reports

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ringfence/ringfence/finding"
)

// conformance holds a SARIF file against the rules of GitHub code scanning and of DefectDojo's
// importer, most of which no validator knows. A file that breaks one of them is refused as a whole,
// or loses lines, CWE numbers or findings.
func conformance(t *testing.T, b []byte) {
	t.Helper()
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Rules []map[string]any
				}
			}
			AutomationDetails struct{ ID string }
			Results           []map[string]any
			Invocations       []map[string]any
		}
	}
	if err := json.Unmarshal(b, &log); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(b)
	_ = z.Close()
	if log.Version != "2.1.0" || len(log.Runs) != 1 || packed.Len() > 10<<20 {
		t.Errorf("version %s, %d runs, %d bytes packed", log.Version, len(log.Runs), packed.Len())
	}
	run := log.Runs[0]
	if !strings.HasSuffix(run.AutomationDetails.ID, "/") || strings.Count(run.AutomationDetails.ID, "/") < 2 {
		t.Errorf("category %q has no trailing slash", run.AutomationDetails.ID)
	}
	if len(run.Results) > 5000 {
		t.Errorf("%d results", len(run.Results))
	}
	for _, r := range run.Tool.Driver.Rules {
		ruleRules(t, r)
	}
	for i, r := range run.Results {
		resultRules(t, i, r, run.Tool.Driver.Rules)
	}
	// Members that consumers choke on when they are there without a value.
	for _, bad := range []string{`"byteOffset"`, `"relationships"`, `"suppressions"`, `"baselineState"`, `: null`, `"region": {}`, `"host://`} {
		if strings.Contains(string(b), bad) {
			t.Errorf("the file has %s", bad)
		}
	}
	if len(run.Invocations) != 1 || run.Invocations[0]["endTimeUtc"] == "" {
		t.Error("no invocation with a time")
	}
}

func text(m map[string]any, keys ...string) string {
	var v any = m
	for _, k := range keys {
		o, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = o[k]
	}
	s, _ := v.(string)
	return s
}

func ruleRules(t *testing.T, r map[string]any) {
	t.Helper()
	id := text(r, "id")
	for _, k := range []string{"shortDescription", "fullDescription", "help"} {
		if s := text(r, k, "text"); s == "" || k != "help" && utf8.RuneCountInString(s) > 1024 {
			t.Errorf("rule %s: %s has %d characters", id, k, utf8.RuneCountInString(s))
		}
	}
	if len(text(r, "name")) > 255 || id == "" {
		t.Errorf("rule %q: name", id)
	}
	props, _ := r["properties"].(map[string]any)
	tags, _ := props["tags"].([]any)
	if len(tags) > 10 {
		t.Errorf("rule %s: %d tags", id, len(tags))
	}
	for _, tag := range tags {
		if strings.HasPrefix(fmt.Sprint(tag), "external/cwe/") && !regexp.MustCompile(`^external/cwe/cwe-\d+$`).MatchString(fmt.Sprint(tag)) {
			t.Errorf("rule %s: tag %v", id, tag)
		}
	}
	sev, err := strconv.ParseFloat(text(r, "properties", "security-severity"), 64)
	if err != nil || sev <= 0 || sev > 10 || sev == 9 || sev == 7 || sev == 4 {
		t.Errorf("rule %s: security-severity %v", id, props["security-severity"])
	}
}

func resultRules(t *testing.T, i int, r map[string]any, rules []map[string]any) {
	t.Helper()
	index, _ := r["ruleIndex"].(float64)
	if int(index) >= len(rules) || text(rules[int(index)], "id") != text(r, "ruleId") {
		t.Errorf("result %d: ruleIndex", i)
	}
	if !regexp.MustCompile(`^(error|warning|note)$`).MatchString(text(r, "level")) {
		t.Errorf("result %d: level %v", i, r["level"])
	}
	locs, _ := r["locations"].([]any)
	if len(locs) != 1 {
		t.Errorf("result %d: %d locations", i, len(locs))
		return
	}
	location(t, fmt.Sprintf("result %d", i), locs[0])
	prints, _ := r["partialFingerprints"].(map[string]any)
	if !regexp.MustCompile(`^[0-9a-f]{16}:\d+$`).MatchString(fmt.Sprint(prints["primaryLocationLineHash"])) {
		t.Errorf("result %d: primaryLocationLineHash %v", i, prints["primaryLocationLineHash"])
	}
	for k := range prints {
		if name, ver, ok := strings.Cut(k, "/"); ok && (!regexp.MustCompile(`^v\d+$`).MatchString(ver) || name == "") {
			t.Errorf("result %d: fingerprint key %s", i, k)
		}
	}
	if flows, ok := r["codeFlows"].([]any); ok {
		threads := flows[0].(map[string]any)["threadFlows"].([]any)
		if len(flows) != 1 || len(threads) != 1 {
			t.Errorf("result %d: more than one flow", i)
		}
		for _, s := range threads[0].(map[string]any)["locations"].([]any) {
			location(t, fmt.Sprintf("step of result %d", i), s.(map[string]any)["location"])
		}
	}
	fixes, _ := r["fixes"].([]any)
	for _, f := range fixes {
		if text(f.(map[string]any), "description", "text") == "" {
			t.Errorf("result %d: fix without a description", i)
		}
	}
}

func location(t *testing.T, where string, l any) {
	t.Helper()
	m, _ := l.(map[string]any)
	uri := text(m, "physicalLocation", "artifactLocation", "uri")
	u, err := url.Parse(uri)
	if uri == "" || err != nil || u.IsAbs() || strings.HasPrefix(uri, "/") || strings.Contains(uri, "..") {
		t.Errorf("%s: uri %q (%v)", where, uri, err)
	}
	region, _ := m["physicalLocation"].(map[string]any)["region"].(map[string]any)
	if region["startLine"] != 1.0 {
		t.Errorf("%s: region %v", where, region)
	}
}

func TestSARIFConformance(t *testing.T) {
	conformance(t, write(t, "sarif", hostileReport(), Options{}))
}

func TestSARIFOfManyFindings(t *testing.T) {
	r := hostileReport()
	f := r.Results[0].Findings[0]
	for i := range 6000 {
		f.Resource.Key, f.Severity, f.Fingerprint = fmt.Sprint("k", i), "low", fmt.Sprintf("%064d", i)
		r.Results[0].Findings = append(r.Results[0].Findings, f)
	}
	b := write(t, "sarif", r, Options{})
	conformance(t, b)
	if !strings.Contains(string(b), `"severity": "critical"`) {
		t.Error("the worst findings were cut")
	}
}

func TestSARIFOfNothing(t *testing.T) {
	conformance(t, write(t, "sarif", &finding.Report{
		Tool: finding.Tool{Version: "0.0.0-dev"}, Snapshot: finding.Snapshot{CollectedAt: "2026-11-22T12:00:00Z"},
	}, Options{}))
}

// TestSARIFForTheValidator writes the hostile report where "make sarif" lets Microsoft's validator
// read it.
func TestSARIFForTheValidator(t *testing.T) {
	file := os.Getenv("RINGFENCE_SARIF")
	if file == "" {
		file = t.TempDir() + "/r.sarif"
	}
	if err := os.WriteFile(file, write(t, "sarif", hostileReport(), Options{}), 0o644); err != nil {
		t.Fatal(err)
	}
}
