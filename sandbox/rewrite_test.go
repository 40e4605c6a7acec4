//go:build linux && !ringfence_portable

package sandbox

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/finding"
)

// TestReportsInTheProcess: reports are written, explained and compared by a process without policies. One that ends is an error, and what
// it finds wrong names the file.
func TestReportsInTheProcess(t *testing.T) {
	j, err := Start(t.Context(), Setup{Lazy: true, Budget: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if len(j.Checks) > 0 || j.confinement.Files != "refused" {
		t.Fatalf("%d checks, %+v", len(j.Checks), j.confinement)
	}
	report := func(name string, results ...finding.Result) File {
		b, err := json.Marshal(&finding.Report{Schema: finding.Schema, Host: finding.Host{Name: name}, Results: results})
		if err != nil {
			t.Fatal(err)
		}
		return File{Name: name + ".json", Text: b}
	}
	list := []Rendering{{Format: "csv"}, {Format: "json"}}
	got, err := j.Convert(t.Context(), []File{report("a"), report("b")}, list)
	if err != nil || len(got) != 2 || !strings.Contains(string(got[1]), `"ringfence.reports/v1"`) {
		t.Errorf("%v %q", err, got)
	}
	if _, err := j.Convert(t.Context(), []File{report("a"), report("b")}, []Rendering{{Format: "gitlab"}}); err == nil || !strings.HasPrefix(err.Error(), "gitlab is of one host: want table") {
		t.Errorf("two hosts: %v", err)
	}
	if _, err := j.Convert(t.Context(), []File{{Name: "x.json", Text: []byte("{}")}}, list); err == nil || !strings.HasPrefix(err.Error(), "x.json: report: schema") {
		t.Errorf("no report: %v", err)
	}
	claimed := File{Name: "c.json", Text: []byte(strings.Replace(string(report("c").Text), `{`, `{"trust":{"verified":true,"principal":"db1"},`, 1))}
	if got, err := j.Convert(t.Context(), []File{claimed}, list); err != nil || !strings.Contains(string(got[1]), `"verified": false`) || !strings.Contains(string(got[1]), "a report says") {
		t.Errorf("verified at its own word: %v %s", err, got)
	}
	bad := finding.Result{
		ID: "a/b", Status: finding.Fail, Severity: "high", Title: "T",
		Findings: []finding.Finding{{Message: "m", Severity: "high", Fingerprint: "abcdef01", Resource: finding.Resource{Kind: "host", Key: "k"}}},
	}
	if text, err := j.Explain(t.Context(), report("a", bad), "abcdef", 0); err != nil || !strings.Contains(text, "high: m") {
		t.Errorf("%v %q", err, text)
	}
	d, err := j.Compare(t.Context(), report("a", finding.Result{ID: "a/b", Status: finding.Pass, Severity: "high"}), report("a", bad))
	var diff finding.Diff
	if err != nil || !d.Worse || json.Unmarshal(d.JSON, &diff) != nil || len(diff.Changes) != 1 || diff.Changes[0].Class != finding.New {
		t.Errorf("%v %+v", err, diff)
	}
	j.child.kill()
	if _, err := j.Convert(t.Context(), []File{report("a")}, list); err == nil || !strings.HasPrefix(err.Error(), "read reports: ") {
		t.Errorf("killed: %v", err)
	}
	if _, err := j.Convert(t.Context(), []File{report("a")}, list); err != nil {
		t.Errorf("it is not started again: %v", err)
	}
}

// TestBundleIsRefusedEarly: a bundle that nobody signed is an error before anything is judged, and without a key there is none at all.
func TestBundleIsRefusedEarly(t *testing.T) {
	if _, err := ReadBundle("b.tar.gz", ""); err == nil || !strings.Contains(err.Error(), "--bundle wants --verification-key") {
		t.Errorf("without a key: %v", err)
	}
	if _, err := ReadBundle("", "k.pem"); err == nil || !strings.Contains(err.Error(), "goes with --bundle") {
		t.Errorf("without a bundle: %v", err)
	}
	key := t.TempDir() + "/k.pem"
	if err := os.WriteFile(key, []byte("k"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(key, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadBundle("b.tar.gz", key); err == nil || !strings.Contains(err.Error(), "writable by everybody") {
		t.Errorf("a key that others can write: %v", err)
	}
	_, err := Start(t.Context(), Setup{Bundle: &Signed{Name: "b.tar.gz", File: []byte("x"), Key: []byte("k")}, Budget: time.Minute})
	if err == nil || !strings.HasPrefix(err.Error(), "bundle: b.tar.gz: verification key") {
		t.Errorf("no key: %v", err)
	}
}
