//go:build linux && !ringfence_portable

package checks

import (
	"os/exec"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host"
)

// TestEndedProcessIsNoGap: a process that nobody has waited for has nothing left to read.
func TestEndedProcessIsNoGap(t *testing.T) {
	cmd := exec.Command("/bin/true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	s := newScan(host.Local())
	for range 100 {
		if p := s.readProcess(cmd.Process.Pid); len(p) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%+v", s.readProcess(cmd.Process.Pid))
}
