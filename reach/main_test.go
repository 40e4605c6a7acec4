package reach

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain lets the heap of the tests grow further before it is collected: with 100 percent that is a quarter of their processor time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
