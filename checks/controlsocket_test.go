//go:build linux && !ringfence_portable

package checks

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// TestControlSocketOfAUser: in a user's directory a socket of that user counts, and no link or socket of another's.
func TestControlSocketOfAUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root: sockets of other uids are wanted")
	}
	root, err := os.MkdirTemp("", "rf") //nolint:usetesting // short: a socket's path has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root)
	place := func(p string, uid, mode int) {
		t.Helper()
		full := filepath.Join(root, p)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", full)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if err := os.Chmod(full, os.FileMode(mode)); err != nil {
			t.Fatal(err)
		}
		if err := os.Lchown(full, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	place("run/docker.sock", 0, 0o666)
	place("run/user/1001/docker.sock", 1001, 0o777)
	place("run/user/1002/docker.sock", 1001, 0o777)
	if err := os.Symlink("/run/docker.sock", filepath.Join(root, "run/user/1001/podman.sock")); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"run", "run/user", ""} {
		if err := os.Chmod(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, uid := range []int{1001, 1002} {
		dir := filepath.Join(root, "run/user", []string{"1001", "1002"}[uid-1001])
		if err := os.Chown(dir, uid, uid); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := newScan(host.At(root))
	for p, want := range map[string]struct {
		word   snapshot.Party
		closed bool
	}{
		"/run/docker.sock": {snapshot.ByRoot, false}, "/run/user/1001/docker.sock": {snapshot.ByUID, true}, "/run/user/1002/docker.sock": {snapshot.ByOthers, false},
	} {
		if got, err := s.controlSocket(p); err != nil || got.Word.By != want.word || got.Closed != want.closed {
			t.Errorf("%s: %+v %v, want %+v", p, got, err, want)
		}
	}
	if got, err := s.controlSocket("/run/user/1001/podman.sock"); !gone(err) {
		t.Errorf("a link of a user's: %+v %v", got, err)
	}
}

// TestDockerRootsOfTheHost: a daemon in a container, or with files of its own, says nothing of where the host's keeps its state.
func TestDockerRootsOfTheHost(t *testing.T) {
	s := newScan(host.Local())
	own := s.initNS()
	daemon := func(change func(*process)) *process {
		p := &process{Process: snapshot.Process{PID: 7, Comm: "dockerd", Exe: "/usr/bin/dockerd", ExeWord: snapshot.Word{By: snapshot.ByRoot}, NS: own}}
		p.argv = []string{"dockerd", "--data-root", "/srv/docker"}
		change(p)
		return p
	}
	for name, c := range map[string]struct {
		change func(*process)
		want   int
	}{
		"the host's":                {func(*process) {}, 2},
		"in a container":            {func(p *process) { p.Container = "c1" }, 1},
		"in other namespaces":       {func(p *process) { p.NS.PID = 1 }, 1},
		"with a mount namespace":    {func(p *process) { p.NS.Mnt = 1 }, 1},
		"whose program is a user's": {func(p *process) { p.ExeWord = snapshot.WordOf(1001) }, 1},
	} {
		if got := s.dockerRootsOf([]*process{daemon(c.change)}); len(got) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
