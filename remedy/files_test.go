//go:build linux && !ringfence_portable

package remedy

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
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

// TestStoreWritesOnlyWhereRootAloneDecides: a folder of a user's or of everybody's on the way, or a link in one, is refused before anything is
// made there, and a state from there is not believed.
func TestStoreWritesOnlyWhereRootAloneDecides(t *testing.T) {
	asRoot(t)
	for name, spoil := range map[string]func(dir string) error{
		"a user's":     func(dir string) error { return os.Chown(dir, 1001, 0) },
		"everybody's":  func(dir string) error { return os.Chmod(dir, 0o777) },
		"a group's":    func(dir string) error { return errors.Join(os.Chown(dir, 0, 1001), os.Chmod(dir, 0o775)) },
		"a loose link": func(dir string) error { return errors.Join(os.Remove(dir), os.Symlink("/nowhere", dir)) },
	} {
		root := t.TempDir()
		s, st := Store{Root: root}, &State{ID: "x", Phase: PhaseConfirmed, Files: []Applied{{ID: "y"}}}
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
	s := Store{Root: root}
	must(t, s.Save(&State{ID: "x", Phase: PhaseConfirmed, Files: []Applied{{ID: "y"}}}), os.Chown(s.path(stateFile), 1001, 0))
	if _, err := s.Load(); err == nil {
		t.Error("a user's state was read")
	}
	must(t, os.MkdirAll(filepath.Join(root, "run"), 0o777), os.Chmod(filepath.Join(root, "run"), 0o1777), os.WriteFile(s.path(lockFile), nil, 0o644), os.Chown(s.path(lockFile), 1001, 0))
	if unlock, err := s.Lock(); err == nil {
		unlock()
		t.Error("a user's lock was taken")
	}
}

// TestNothingIsWrittenThroughALink: a link in the place of a file is replaced, what it points to stays.
func TestNothingIsWrittenThroughALink(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	must(t, os.WriteFile(target, []byte("old"), 0o644), os.Symlink(target, link), writeWhole(link, []byte("new"), 0o600))
	st, err := os.Lstat(link)
	was, rerr := os.ReadFile(target)
	if err != nil || rerr != nil || !st.Mode().IsRegular() || string(was) != "old" {
		t.Errorf("%v %v %q", st.Mode(), err, was)
	}
}

// TestSocketThatWasReplaced: on trial and on the way back only the socket that the plan is about is changed.
func TestSocketThatWasReplaced(t *testing.T) {
	asRoot(t)
	root, dir := t.TempDir(), t.TempDir()
	s, name, secret := Store{Root: root}, filepath.Join(dir, "docker.sock"), filepath.Join(dir, "shadow")
	must(t, os.WriteFile(secret, nil, 0o600))
	listen := func() net.Listener {
		l, err := net.Listen("unix", name)
		must(t, err, os.Chmod(name, 0o666))
		return l
	}
	l := listen()
	f := &File{Service: serviceSocket, Socket: name, Path: "/etc/tmpfiles.d/x.conf", Want: map[string]string{name: "0660 0:0"}}
	st, err := s.BeginFile(f, time.Minute)
	must(t, err)
	mode := func(p string) os.FileMode {
		info, err := os.Lstat(p)
		must(t, err)
		return info.Mode().Perm()
	}
	must(t, l.Close())
	_ = os.Remove(name)
	must(t, os.Symlink(secret, name))
	if err := s.PutFile(st); err == nil || mode(secret) != 0o600 {
		t.Errorf("a link: %v, mode %o", err, mode(secret))
	}
	must(t, os.Remove(name))
	l = listen()
	other := *st.File // an inode number can be given again
	other.File.SocketFile = "1:1"
	if err := other.File.setSocketMode(name, "0660 0:0"); !errors.Is(err, errOtherSocket) || mode(name) != 0o666 {
		t.Errorf("another socket: %v, mode %o", err, mode(name))
	}
	st.File.File.SocketFile = "1:1"
	if err := s.Rollback(st); err != nil || mode(name) != 0o666 {
		t.Errorf("taken back: %v", err)
	}
	must(t, os.Chmod(dir, 0o777))
	if _, err := s.BeginFile(f, time.Minute); err == nil {
		t.Error("a socket in everybody's folder was taken")
	}
	must(t, l.Close())
}

// TestOnlySSHServersAreSignalled: the pid of a plan can be another process's by the time it is taken back.
func TestOnlySSHServersAreSignalled(t *testing.T) {
	cmd := exec.Command("/bin/sleep", "60")
	must(t, cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if err := hangUp(cmd.Process.Pid); err == nil || isServer(cmd.Process.Pid) {
		t.Errorf("%v", err)
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
		s := Store{Root: t.TempDir()}
		armed, enabled := s.ArmBoot(command), s.Enable(command)
		if (armed == nil) != want || (enabled == nil) != want {
			t.Errorf("%q: %v, %v", command, armed, enabled)
		}
		if left, _ := filepath.Glob(s.Root + "/etc/systemd/system/*.service"); len(left) > 0 != want {
			t.Errorf("%q: %v", command, left)
		}
	}
}
