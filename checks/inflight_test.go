//go:build linux && !ringfence_portable

package checks

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// TestSocketThatNobodyHasOpen: a socket can be in a message that was not taken yet, whatever its uid is. It is the kernel's where
// the kernel says so.
func TestSocketThatNobodyHasOpen(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "proc/fs/nfsd")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "portlist"), []byte("tcp 2049\nudp 2049\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, out := newScan(host.At(root)), new(Outcome)
	sec := &snapshot.Listeners{Sockets: []snapshot.Socket{
		{Proto: "tcp", Port: 11434, UID: 0},
		{Proto: "tcp", Port: 11434, UID: 1001},
		{Proto: "tcp", Port: 2049, UID: 0},
		{Proto: "tcp", Port: 2049, UID: 1001},
		{Proto: "tcp", Port: 2049, UID: 0, Netns: 7},
	}}
	s.joinOwners(sec, out)
	for i, want := range []snapshot.OwnerState{snapshot.OwnersUnknown, snapshot.OwnersUnknown, snapshot.OwnersKernel, snapshot.OwnersUnknown, snapshot.OwnersUnknown} {
		if got := sec.Sockets[i].OwnerState; got != want {
			t.Errorf("socket %d: %s, not %s", i, got, want)
		}
	}
	if out.status != snapshot.Partial || !out.parts["owners"] || out.whole {
		t.Errorf("%+v", out)
	}
}
