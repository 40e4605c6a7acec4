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
	for at := s.startOf(os.Getpid()); time.Now().Before(at); { // the test can be the first thing that its process does
		time.Sleep(time.Millisecond)
	}
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
