//go:build linux && !ringfence_portable

package checks

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host"
)

// TestFilesYoungerThanTheirProgram: what a file says counts if the program that reads it at its start was started since.
func TestFilesYoungerThanTheirProgram(t *testing.T) {
	s := newScan(host.Local())
	// The test can be the first thing that its process does, and times of files are those of the last tick of the kernel (at most 10 ms ago).
	time.Sleep(time.Until(s.startOf(os.Getpid())) + 20*time.Millisecond)
	file := filepath.Join(t.TempDir(), "daemon.json")
	writeFile(t, file, `{"tlsverify": true}`)
	p := &process{argv: []string{"dockerd", "--config-file", file, "-H", ":2375"}}
	p.PID, p.UID = os.Getpid(), os.Getuid()
	if d := s.dockerAPI(p); d.err == nil || d.verify != "" {
		t.Errorf("a file that was changed after the start: %+v", d)
	}
	f := &agentFiles{s: s, p: p}
	if auth, err := f.key([]string{file}, "token", []string{"tlsverify"}); auth != "" || err == nil {
		t.Errorf("a key that was given after the start: %q, %v", auth, err)
	}
	if b, err := s.readAtStart(p, "/etc/passwd"); len(b) == 0 || err != nil {
		t.Errorf("a file that was not: %v", err)
	}
}

// TestADelayBetweenTwoClocksMakesNothingYounger: a scanner that is held up between its two clocks sees no program start later than it did, and one
// reading without a delay is enough to tell when it did.
func TestADelayBetweenTwoClocksMakesNothingYounger(t *testing.T) {
	boot := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	for name, delays := range map[string][]time.Duration{
		"held up each time": {time.Second, 300 * time.Millisecond, 2 * time.Second},
		"held up once":      {0, time.Second, 0},
	} {
		now := boot.Add(time.Hour)
		got := bootedAt(func() time.Time { return now }, func() time.Duration {
			now = now.Add(delays[0]) // it was held up
			delays = delays[1:]
			return now.Sub(boot)
		})
		if want := map[string]time.Time{"held up each time": boot.Add(-300 * time.Millisecond), "held up once": boot}[name]; !got.Equal(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if at := bootedAt(time.Now, func() time.Duration { return 0 }); !at.IsZero() {
		t.Errorf("without a clock: %v", at)
	}
}
