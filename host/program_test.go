//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestProgramThatOthersCanReplace is not named to anybody who would run it as root.
func TestProgramThatOthersCanReplace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root: it gives files away")
	}
	for name, spoil := range map[string]func(dir, exe string) error{
		"":                     func(string, string) error { return nil },
		"a user's file":        func(_, exe string) error { return os.Chown(exe, 1001, 0) },
		"everybody's file":     func(_, exe string) error { return os.Chmod(exe, 0o777) },
		"a user's folder":      func(dir, _ string) error { return os.Chown(dir, 1001, 0) },
		"everybody's folder":   func(dir, _ string) error { return os.Chmod(dir, 0o777) },
		"a group's folder":     func(dir, _ string) error { return errors.Join(os.Chown(dir, 0, 1001), os.Chmod(dir, 0o775)) },
		"another program then": func(_, exe string) error { return errors.Join(os.Remove(exe), os.WriteFile(exe, nil, 0o755)) },
	} {
		top := t.TempDir()
		dir := filepath.Join(top, "bin")
		exe, kept := filepath.Join(dir, "ringfence"), filepath.Join(top, "kept")
		err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(exe, nil, 0o755), os.Link(exe, kept), spoil(dir, exe))
		if err != nil {
			t.Fatal(err)
		}
		if err := rootProgram(Local(), exe, kept); (err == nil) != (name == "") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestNothingOfTheEnvironmentIsTakenOver holds what helpers are started with.
func TestNothingOfTheEnvironmentIsTakenOver(t *testing.T) {
	t.Setenv("LD_PRELOAD", "/x.so")
	t.Setenv("PATH", "/home/mal")
	env := Environment()
	if slices.ContainsFunc(env, func(kv string) bool { return strings.Contains(kv, "mal") || strings.Contains(kv, "x.so") }) || len(env) == 0 {
		t.Errorf("%q", env)
	}
}
