//go:build linux

package e2e

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/e2e/bed"
)

// TestSocketFileOnTrial gives a control socket to root on trial, takes that back, keeps it, and undoes it. What is no
// socket is never touched.
func TestSocketFileOnTrial(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	w := b.world()
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	f := &dropin.File{
		Service: "socket", Socket: socket, Path: "/etc/systemd/system/docker.socket.d/zz-ringfence.conf",
		Content: "[Socket]\nSocketMode=0660\n", Want: map[string]string{socket: "0660 0:0"},
	}
	mode := func(want os.FileMode, when string) {
		t.Helper()
		st, err := os.Stat(socket)
		if err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v (%v)", when, st.Mode(), want, err)
		}
	}
	b.stay(func() {
		st, err := putFile(w, f)
		if err != nil {
			t.Error(err)
			return
		}
		mode(0o660, "on trial")
		if err := w.Rollback(t.Context(), st); err != nil {
			t.Error(err)
		}
		mode(0o666, "taken back")
		if _, err := os.Stat(filepath.Dir(filepath.Join(b.root(), f.Path))); err == nil {
			t.Error("taken back, and the folder is still there")
		}
		if st, err = putFile(w, f); err != nil {
			t.Error(err)
			return
		}
		if err := w.ConfirmFile(t.Context(), st); err != nil {
			t.Error(err)
		}
		mode(0o660, "kept")
		kept, err := w.Store.Load()
		if err != nil {
			t.Error(err)
			return
		}
		if err := w.Undo(t.Context(), kept); err != nil {
			t.Error(err)
		}
		mode(0o666, "undone")

		link := filepath.Join(t.TempDir(), "link.sock")
		if err := os.Symlink(socket, link); err != nil {
			t.Error(err)
		}
		bad := *f
		bad.Socket, bad.Want = link, map[string]string{link: "0600 0:0"}
		if _, err := putFile(w, &bad); err == nil {
			t.Error("a link was followed")
		}
		mode(0o666, "after the link")
	})
}
