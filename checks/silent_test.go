//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"testing"

	"github.com/ringfence/ringfence/host"
)

// TestFilesOfASilentParty: whose files never answer is not waited for at each of them, and what is there is not known.
func TestFilesOfASilentParty(t *testing.T) {
	s := newScan(host.At(t.TempDir()))
	p := &process{argv: []string{"x"}}
	p.PID, p.Container = 7, "c"
	s.hung[s.party(p)] = maxHung
	f := &agentFiles{s: s, p: p}
	if f.text("/etc/jupyter/jupyter_config.py"); !errors.Is(f.lost, errSilent) {
		t.Errorf("a file of an agent: %v", f.lost)
	}
	r := s.sshReader(p, configKey{word: s.serverWord(p)})
	if _, err := r.stat("/etc/ssh/sshd_config"); !errors.Is(err, errSilent) {
		t.Errorf("a file of an SSH server: %v", err)
	}
	if r.glob("/etc/ssh/sshd_config.d/*.conf"); !r.cut {
		t.Error("a directory of an SSH server is whole")
	}
	if _, _, ok := s.socketOf(p, "/run/docker.sock"); ok {
		t.Error("a socket is seen")
	}
	if d := s.containerdAPI(p); d.err == nil {
		t.Error("the files of containerd are read")
	}
}
