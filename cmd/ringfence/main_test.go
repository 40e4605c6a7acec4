//go:build linux && !ringfence_portable

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	syscall.Umask(0o022) // files that a group could write are not trusted
	testscript.Main(m, map[string]func(){"ringfence": main})
}

// TestScripts drives the program as a user does. "code N ringfence ..." wants an exit code.
func TestScripts(t *testing.T) {
	base, err := os.ReadFile("../../fixtures/base/host.json")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			file := filepath.Join(e.WorkDir, "host.json")
			e.Setenv("BASE", file)
			soon := time.Now().UTC().AddDate(0, 1, 0).Format(time.DateOnly)
			for _, name := range []string{"accept.yaml", "zone.yaml"} { // a waiver ends within a year
				if b, err := os.ReadFile(filepath.Join(e.WorkDir, name)); err == nil {
					if err := os.WriteFile(filepath.Join(e.WorkDir, name), bytes.ReplaceAll(b, []byte("@DAY@"), []byte(soon)), 0o644); err != nil {
						return err
					}
				}
			}
			return errors.Join(os.WriteFile(file, base, 0o644), os.Chmod(e.WorkDir, 0o755))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code},
	})
}

func code(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if ee := new(exec.ExitError); errors.As(err, &ee) {
		got = ee.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%v: exit code %d, want %d", args[1:], got, want)
	}
}
