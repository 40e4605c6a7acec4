package fleet

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/reports"
)

// TestNothingReadIsWrittenOver: snapshots of a directory or a pattern, what decides whom they are from, and rules stay, by whatever path they are named.
func TestNothingReadIsWrittenOver(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"s/a.json", "s/b/c.jsonl.gz", "s/a.json.sig", "s/notes.txt", "p/own/a.rego", "p/README.md", "keys", "signers", "hosts"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, files := range []string{at("s"), at("s/*") + "," + at("s/b/*")} {
		r := Run{Files: strings.Split(files, ","), Expect: at("hosts"), Trust: Trust{KnownHosts: []string{at("keys")}, AllowedSigners: []string{at("signers")}}}
		inputs := append(r.Inputs([]string{"x"}), (&audit.Source{PolicyDirs: []string{at("p")}}).Files()...)
		for _, name := range []string{"s/a.json", "s/b/../a.json", "s/b/c.jsonl.gz", "s/a.json.sig", "p/own/a.rego", "keys", "signers", "hosts"} {
			if _, err := reports.Outputs("table", []string{"html=" + at(name)}, inputs...); err == nil || !strings.Contains(err.Error(), "would be lost") {
				t.Errorf("%s, %s: %v", files, name, err)
			}
		}
		if _, err := reports.Outputs("table", []string{"html=" + at("s/fleet.html"), "csv=" + at("p/README.md")}, inputs...); err != nil {
			t.Errorf("what is not read: %v", err)
		}
	}
	if (&Run{Files: []string{at("s")}}).Inputs(nil) != nil {
		t.Error("without an output nothing is looked for")
	}
}

// TestSnapshotOverWhatIsRead: the key that signs, what another tool reported, and what was written down of a host stay.
func TestSnapshotOverWhatIsRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"key", "SYSTEM", "import.json"} {
		if err := os.WriteFile(at(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inputs := audit.FromFiles("windows:"+dir, []string{at("import.json")})
	if !slices.Contains(inputs, at("SYSTEM")) {
		t.Errorf("%q", inputs)
	}
	for _, file := range []string{"SYSTEM", "import.json", "key", "./key", "key.pub"} {
		if err := (&Keep{File: dir + "/" + file, Key: at("key")}).Check(inputs...); err == nil || !strings.Contains(err.Error(), "would be lost") {
			t.Errorf("%s: %v", file, err)
		}
	}
	if err := (&Keep{File: at("new.json")}).Check(inputs...); err != nil {
		t.Errorf("a new file: %v", err)
	}
	if err := new(Keep).Check(inputs...); err != nil {
		t.Errorf("standard output: %v", err)
	}
}
