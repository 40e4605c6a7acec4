//go:build linux && !ringfence_portable

package trial

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ringfence/ringfence/dropin"
)

func asRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("needs root: it gives files away")
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestDiskWritesOnlyWhereRootAloneDecides: a folder of a user's or of everybody's on the way, or a link in one, is refused before anything is
// made there, and a state from there is not believed.
func TestDiskWritesOnlyWhereRootAloneDecides(t *testing.T) {
	asRoot(t)
	for name, spoil := range map[string]func(dir string) error{
		"a user's":     func(dir string) error { return os.Chown(dir, 1001, 0) },
		"everybody's":  func(dir string) error { return os.Chmod(dir, 0o777) },
		"a group's":    func(dir string) error { return errors.Join(os.Chown(dir, 0, 1001), os.Chmod(dir, 0o775)) },
		"a loose link": func(dir string) error { return errors.Join(os.Remove(dir), os.Symlink("/nowhere", dir)) },
	} {
		root := t.TempDir()
		s, st := Disk{Root: root}, &State{ID: "x", Phase: PhaseConfirmed, Files: []dropin.Applied{{ID: "y"}}}
		must(t, s.Save(st))
		if got, err := s.Load(); err != nil || got.ID != "x" {
			t.Errorf("%s: before: %v", name, err)
		}
		must(t, os.RemoveAll(filepath.Join(root, "var/lib")), os.MkdirAll(filepath.Join(root, "var/lib"), 0o755), spoil(filepath.Join(root, "var/lib")))
		if err := s.Save(st); err == nil {
			t.Errorf("%s: a state was written", name)
		}
		if _, err := os.Stat(filepath.Join(root, stateDir)); err == nil {
			t.Errorf("%s: a folder was made", name)
		}
	}
	root := t.TempDir()
	s := Disk{Root: root}
	must(t, s.Save(&State{ID: "x", Phase: PhaseConfirmed, Files: []dropin.Applied{{ID: "y"}}}), os.Chown(s.path(stateFile), 1001, 0))
	if _, err := s.Load(); err == nil {
		t.Error("a user's state was read")
	}
	must(t, os.MkdirAll(filepath.Join(root, "run"), 0o777), os.Chmod(filepath.Join(root, "run"), 0o1777), os.WriteFile(s.path(lockFile), nil, 0o644), os.Chown(s.path(lockFile), 1001, 0))
	if unlock, err := s.Lock(); err == nil {
		unlock()
		t.Error("a user's lock was taken")
	}
}

// TestBootUnitNamesRootsProgramAlone: what systemd would run as root is neither a user's program nor a text that reads otherwise.
func TestBootUnitNamesRootsProgramAlone(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	mine, users := filepath.Join(dir, "ringfence"), filepath.Join(dir, "users")
	must(t, os.WriteFile(mine, nil, 0o755), os.WriteFile(users, nil, 0o755), os.Chown(users, 1001, 0))
	for command, want := range map[string]bool{
		mine + " fix rollback --trial": true, users + " fix rollback": false, mine + " fix --root /a\nExecStart=/bin/sh": false,
		mine + " fix --root /a%h": false, mine + " fix --root '/a b'": false, "ringfence fix": false, "-" + mine: false, mine + "  x": false,
	} {
		s := Disk{Root: t.TempDir()}
		armed, enabled := s.ArmBoot(command), s.Enable(t.Context(), command)
		if (armed == nil) != want || (enabled == nil) != want {
			t.Errorf("%q: %v, %v", command, armed, enabled)
		}
		if left, _ := filepath.Glob(s.Root + "/etc/systemd/system/*.service"); len(left) > 0 != want {
			t.Errorf("%q: %v", command, left)
		}
	}
}
