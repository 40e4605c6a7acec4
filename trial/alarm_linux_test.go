//go:build linux && !ringfence_portable

package trial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAlarmIsRaised: the program gets the text to read and nothing else, and one that others than root can write is not run.
func TestAlarmIsRaised(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("run as root")
	}
	dir := t.TempDir()
	program := func(name, script string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return p
	}
	heard := filepath.Join(dir, "heard")
	alarm{wall: program("wall", `{ echo "args $#"; cat; } >`+heard), journal: filepath.Join(dir, "none")}.Raise("it burns")
	if b, err := os.ReadFile(heard); err != nil || string(b) != "args 0\nringfence: it burns\n" {
		t.Errorf("%q %v", b, err)
	}
	tell("x", program("journal", `echo "$@" >`+heard), "--priority=alert")
	if b, err := os.ReadFile(heard); err != nil || strings.TrimSpace(string(b)) != "--priority=alert" {
		t.Errorf("%q %v", b, err)
	}
	open := program("open", "echo run >"+heard)
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	tell("x", open)
	if b, err := os.ReadFile(heard); err != nil || strings.TrimSpace(string(b)) == "run" {
		t.Errorf("%q %v", b, err)
	}
	begin := time.Now()
	tell("x", program("hangs", "sleep 60"))
	if took := time.Since(begin); took < time.Second || took > 3*alarmLimit {
		t.Errorf("a terminal that nobody reads held it up for %s", took)
	}
}
