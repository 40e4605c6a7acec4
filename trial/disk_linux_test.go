//go:build linux && !ringfence_portable

package trial

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/remedy"
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
	if st, err := s.Load(); err != nil || st.ID != "x" {
		t.Errorf("root's copy was not read: %v", err)
	}
	must(t, os.Chown(s.path(copyFile), 1001, 0))
	if _, err := s.Load(); !errors.As(err, new(*DamagedError)) {
		t.Errorf("a user's state was read: %v", err)
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

// TestBootLacksSomething: what the next boot has of a fix is read back: a file that is gone, of another fix, or changed is told.
func TestBootLacksSomething(t *testing.T) {
	asRoot(t)
	exe := filepath.Join(t.TempDir(), "nft")
	must(t, os.WriteFile(exe, nil, 0o755))
	plan := &remedy.Plan{Ruleset: "table inet ringfence {\n}\n", Rules: []remedy.Rule{{Chain: "prerouting", Iif: "ext0", Proto: "tcp", Port: 2375}}}
	for name, c := range map[string]struct {
		spoil func(s Disk) error
		want  string
	}{
		"nothing":         {func(Disk) error { return nil }, ""},
		"no rules":        {func(s Disk) error { return os.Remove(s.path(rulesFile)) }, "is not there"},
		"not enabled":     {func(s Disk) error { return os.Remove(s.path(wanted)) }, "is not there"},
		"cut short":       {func(s Disk) error { return os.Truncate(s.path(rulesFile), 10) }, "is not as it was written"},
		"another's rules": {func(s Disk) error { return s.writeRules(plan.MarkedRuleset("b")) }, "not what was confirmed"},
		"a masked unit": {func(s Disk) error {
			return errors.Join(os.Remove(s.path(unitFile)), os.Symlink("/dev/null", s.path(unitFile)))
		}, "is not as it was written"},
		"another command": {func(s Disk) error {
			return os.WriteFile(s.path(againFile), []byte("ExecStartPost=-/bin/true\n"), 0o644)
		}, "is not as it was written"},
		"a command of ours that loads nothing": {func(s Disk) error {
			return s.write(againFile, "ExecStartPost=-/bin/true\n", 0o644)
		}, "does not load it"},
		"no program": {func(Disk) error { return os.Rename(exe, exe+"2") }, "does not load it"},
	} {
		s := Disk{Root: t.TempDir()}
		must(t, s.writeRules(plan.MarkedRuleset("a")), s.Enable(t.Context(), exe+" -f "+s.RulesFile()), c.spoil(s))
		some, lacks := s.Persists(plan, "a")
		if !some || (lacks == "") != (c.want == "") || !strings.Contains(lacks, c.want) {
			t.Errorf("%s: %v %q", name, some, lacks)
		}
		_ = os.Rename(exe+"2", exe)
		must(t, os.WriteFile(s.path("etc/systemd/system/.ringfence-123"), nil, 0o600), s.Unpersist(t.Context()))
		if some, lacks := s.Persists(nil, ""); some || lacks == "" {
			t.Errorf("%s: removed: %v %q", name, some, lacks)
		}
		if _, err := os.Stat(s.path("etc/systemd/system/.ringfence-123")); err == nil {
			t.Errorf("%s: what a killed writer left stays", name)
		}
	}
}

// TestBootFilesOfSomebodyElse: a file with a name of ours that no fix wrote, or that somebody changed since, is told of; neither written over nor
// removed; and removed where people say so.
func TestBootFilesOfSomebodyElse(t *testing.T) {
	asRoot(t)
	exe := filepath.Join(t.TempDir(), "nft")
	must(t, os.WriteFile(exe, nil, 0o755))
	const text = "table inet ringfence {\n}\n"
	whole := func(s Disk) *boot { return &boot{s, "", exe} }
	theirs := func(s Disk, name string) {
		must(t, os.MkdirAll(filepath.Dir(s.path(name)), 0o755), ignoreMissing(os.Remove(s.path(name))), os.WriteFile(s.path(name), []byte("# theirs\n"), 0o644))
	}
	for _, name := range append([]string{rollbackFile, rollbackLink}, bootFiles...) {
		for _, after := range []bool{false, true} { // before a fix, and in place of what it wrote
			s := Disk{Root: t.TempDir()}
			if after {
				must(t, whole(s).Persist(t.Context(), &Booted{Text: text}), s.ArmBoot(exe))
				if list := s.Strange(); len(list) > 0 {
					t.Errorf("ours: %v", list)
				}
			}
			theirs(s, name)
			if list := s.Strange(); len(list) != 1 || list[0] != s.path(name) {
				t.Errorf("%s: %v", name, list)
			}
			if err := whole(s).Persist(t.Context(), &Booted{Text: text}); !errors.As(err, new(*StrangeError)) {
				t.Errorf("%s: persisted: %v", name, err)
			}
			_ = s.ArmBoot(exe)
			must(t, s.Disarm(), s.Unpersist(t.Context()))
			if b, err := os.ReadFile(s.path(name)); err != nil || string(b) != "# theirs\n" {
				t.Errorf("%s: replaced or removed: %q %v", name, b, err)
			}
			if some, _ := s.Persists(nil, ""); some {
				t.Errorf("%s: ours stays", name)
			}
			must(t, s.Delete(s.Strange()...), whole(s).Persist(t.Context(), &Booted{Text: text}))
		}
	}
	s := Disk{Root: t.TempDir()} // one word in what we wrote
	must(t, whole(s).Persist(t.Context(), &Booted{Text: text}))
	b, err := os.ReadFile(s.path(rulesFile))
	must(t, err, os.WriteFile(s.path(rulesFile), []byte(strings.Replace(string(b), "table inet", "table ip", 1)), 0o600), s.Unpersist(t.Context()))
	if list := s.Strange(); len(list) != 1 {
		t.Errorf("edited: %v", list)
	}
}

// TestDraftReplacesNothing: what nft tries is a file of its own, which is gone after it.
func TestDraftReplacesNothing(t *testing.T) {
	asRoot(t)
	s := Disk{Root: t.TempDir()}
	a, err := s.draft("a")
	b, berr := s.draft("b")
	must(t, err, berr)
	if a == b || filepath.Dir(a) != filepath.Dir(s.path(rulesFile)) {
		t.Errorf("%s, %s", a, b)
	}
	must(t, s.Unpersist(t.Context()))
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(a), ".*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
