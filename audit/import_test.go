//go:build linux && !ringfence_portable

package audit

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestImportOfAnybodysFile: a file that somebody else made to be imported neither waits nor ends the audit, and tells whose word it is.
func TestImportOfAnybodysFile(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	good := []byte(`{"summary": {"critical": 0, "warn": 0}, "findings": []}`)
	for name, mode := range map[string]os.FileMode{"roots": 0o600, "open": 0o666} {
		if err := os.WriteFile(at(name), good, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(at(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	theirs := at("theirs")
	for _, err := range []error{
		os.WriteFile(theirs, good, 0o600), os.Chown(theirs, 1001, 1001), syscall.Mkfifo(at("fifo"), 0o666), os.Symlink("/dev/zero", at("zero")),
		os.Symlink("/etc/shadow", at("shadow")), os.Symlink(at("roots"), at("link")), os.Lchown(at("link"), 1001, 1001), os.Symlink("circle", at("circle")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		read snapshot.Status
		by   snapshot.Party
	}{
		"roots": {snapshot.Present, snapshot.ByRoot}, "open": {snapshot.Present, snapshot.ByOthers}, "theirs": {snapshot.Present, snapshot.ByUID},
		"link": {snapshot.Present, snapshot.ByUID}, "fifo": {snapshot.Error, ""}, "zero": {snapshot.Error, ""}, "shadow": {snapshot.Error, ""},
		"circle": {snapshot.Error, ""}, "nosuch": {snapshot.Error, ""},
	} {
		s := new(snapshot.Snapshot)
		AddImports(s, []string{at(name)})
		a := s.Agents.Audits[0]
		if a.Read.State != c.read || c.by != "" && a.Word.By != c.by || strings.Contains(a.Read.Reason, ":") {
			t.Errorf("%s: %+v %+v, want %s by %s", name, a.Read, a.Word, c.read, c.by)
		}
	}
	parse := func(names ...string) error {
		for i, n := range names {
			names[i] = "openclaw=" + at(n)
		}
		_, err := ParseImports(names)
		return err
	}
	if err := parse("roots", "circle", "fifo", "theirs"); err != nil {
		t.Errorf("files that are there: %v", err)
	}
	for _, none := range []string{"nosuch", "nosuch/there"} {
		if err := parse("roots", none); err == nil || !strings.Contains(err.Error(), at(none)) {
			t.Errorf("%s: %v", none, err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := parse("nosuch"); err != nil {
		t.Errorf("somebody else can have taken it away: %v", err)
	}
	for _, wrong := range []string{"", "openclaw", "openclaw=", "trivy=x.json", "=x"} {
		if _, err := ParseImports([]string{wrong}); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
