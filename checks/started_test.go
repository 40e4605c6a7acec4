//go:build linux && !ringfence_portable

package checks

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
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

// TestVersionsYoungerThanTheirProgram: an update that came after the start is not what runs, and of two versions it is not known which one does.
func TestVersionsYoungerThanTheirProgram(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "node_modules/x/package.json")
	writeFile(t, file, `{"name": "x", "version": "1.0"}`)
	writeFile(t, filepath.Join(dir, "node_modules/openclaw/package.json"), `{"name": "openclaw", "version": "1.0"}`)
	info := filepath.Join(dir, "lib/python3.12/site-packages/x-1.0.dist-info")
	writeFile(t, info+"/METADATA", "")
	p := &process{argv: []string{"node", filepath.Join(dir, "node_modules/x/x.js"), filepath.Join(dir, "bin/x")}}
	cmd := exec.Command("sleep", "100")
	time.Sleep(2 * startSlack)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	p.PID, p.UID = cmd.Process.Pid, os.Getuid()
	s := newScan(host.Local())
	claw := filepath.Join(dir, "node_modules/openclaw/package.json")
	for _, v := range []snapshot.Fact{s.npmVersion("x", p), s.pythonVersion("x", p), s.openClawVersion(p, map[string]string{"OPENCLAW_SERVICE_VERSION": "0.9", "npm_package_json": claw})} {
		if v.Value != "1.0" {
			t.Errorf("%+v", v)
		}
	}
	time.Sleep(2 * startSlack)
	writeFile(t, file, `{"name": "x", "version": "2.0"}`)
	writeFile(t, filepath.Join(dir, "lib/python3.12/site-packages/x-2.0.dist-info/METADATA"), "")
	writeFile(t, claw, `{"name": "openclaw", "version": "2.0"}`)
	for _, v := range []snapshot.Fact{s.npmVersion("x", p), s.pythonVersion("x", p), s.openClawVersion(p, map[string]string{"OPENCLAW_SERVICE_VERSION": "2.0", "npm_package_json": claw})} {
		if v.State != snapshot.Error || !strings.Contains(v.Reason, "changed after") {
			t.Errorf("updated since: %+v", v)
		}
	}
	two := scanWithProcess(t, map[string]string{"usr/lib/python3/dist-packages/x-1.0.egg-info/a": "", "home/a/.local/lib/python3.11/site-packages/x-2.0.dist-info/a": "", "environ": "HOME=/home/a\x00"})
	p = &process{argv: []string{"/usr/bin/python3", "/usr/bin/x"}}
	p.PID, p.Exe = 77, "/usr/bin/python3.11"
	if v := two.pythonVersion("x", p); v.State != snapshot.Error || !strings.Contains(v.Reason, "1.0 and 2.0") {
		t.Errorf("two versions: %+v", v)
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
