//go:build linux && !ringfence_portable

package dropin

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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

// TestSocketThatWasReplaced: on trial and on the way back only the socket that the plan is about is changed.
func TestSocketThatWasReplaced(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	s, name, secret := On(t.TempDir()), filepath.Join(dir, "docker.sock"), filepath.Join(dir, "shadow")
	must(t, os.WriteFile(secret, nil, 0o600))
	listen := func() net.Listener {
		l, err := net.Listen("unix", name)
		must(t, err, os.Chmod(name, 0o666))
		return l
	}
	l := listen()
	f := &File{Service: serviceSocket, Socket: name, Path: "/etc/tmpfiles.d/x.conf", Want: map[string]string{name: "0660 0:0"}}
	a, err := s.Record(f)
	must(t, err)
	mode := func(p string) os.FileMode {
		info, err := os.Lstat(p)
		must(t, err)
		return info.Mode().Perm()
	}
	must(t, l.Close())
	_ = os.Remove(name)
	must(t, os.Symlink(secret, name))
	if err := s.Place(t.Context(), a); err == nil || mode(secret) != 0o600 {
		t.Errorf("a link: %v, mode %o", err, mode(secret))
	}
	must(t, os.Remove(name))
	l = listen()
	other := *a // an inode number can be given again
	other.File.SocketFile = "1:1"
	if err := other.File.setSocketMode(name, "0660 0:0"); !errors.Is(err, errOtherSocket) || mode(name) != 0o666 {
		t.Errorf("another socket: %v, mode %o", err, mode(name))
	}
	a.File.SocketFile = "1:1"
	if err := s.TakeBack(t.Context(), a); err != nil || mode(name) != 0o666 {
		t.Errorf("taken back: %v", err)
	}
	must(t, os.Chmod(dir, 0o777))
	if _, err := s.Record(f); err == nil {
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
	if err := (real{}).hangUp(cmd.Process.Pid); err == nil || (real{}).isServer(cmd.Process.Pid) {
		t.Errorf("%v", err)
	}
}
