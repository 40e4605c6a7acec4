//go:build linux && !ringfence_portable

package checks

import (
	"os"
	"runtime"
	"testing"
)

// TestMain keeps the first thread, as main of the program does: one that looks into another namespace stays there, and /proc/PID is about the first.
func TestMain(m *testing.M) {
	runtime.LockOSThread()
	os.Exit(m.Run())
}
