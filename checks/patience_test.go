//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host"
)

// TestPatienceEndsByUID: a process that never answers costs its own user, and nobody else.
func TestPatienceEndsByUID(t *testing.T) {
	s := newScan(host.At(t.TempDir()))
	never := make(chan struct{})
	defer close(never)
	start := time.Now()
	for range 100 {
		if _, err := patient(s, uidParty(1001), func() (int, error) { <-never; return 0, nil }); !errors.Is(err, errSilent) {
			t.Fatalf("%v", err)
		}
	}
	if d := time.Since(start); d > 40*time.Second {
		t.Errorf("100 silent processes of one uid took %v", d)
	}
	if v, err := patient(s, uidParty(0), func() (int, error) { return 7, nil }); v != 7 || err != nil {
		t.Errorf("another uid: %d, %v", v, err)
	}
}
