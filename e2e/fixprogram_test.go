//go:build linux

package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestFixByAProgramThatOthersCanWrite: a fix is refused before anything is loaded or written, with what mends it. A plan is printed.
func TestFixByAProgramThatOthersCanWrite(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("flush ruleset")
	b.listen("tcp4", "0.0.0.0:2375", "")
	text, err := os.ReadFile(bed.Program(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "ringfence")
	if err := errors.Join(os.WriteFile(program, text, 0o755), os.Chown(dir, 1001, 1001)); err != nil {
		t.Fatal(err)
	}
	config := b.config("zones: {management: {interfaces: [mgmt0]}}\n")
	run := func(args ...string) (string, int) {
		out, err := exec.Command("nsenter", append([]string{"--net=/run/netns/" + b.name + "host", program, "fix"}, append(args, "--root", b.root(), "--config", config)...)...).CombinedOutput()
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			return string(out), ee.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		return string(out), 0
	}
	for _, layer := range []string{"firewall", "service"} {
		if out, code := run("apply", "--confirm", "auto", "--layer", layer); code != 4 || !strings.Contains(out, "install -m 755 ringfence /usr/local/sbin/") {
			t.Errorf("%s: code %d: %s", layer, code, lastLines(out, 5))
		}
	}
	if rules := b.ruleset(); rules != "" {
		t.Errorf("%s", rules)
	}
	if _, err := os.Stat(b.root()); err == nil {
		t.Error("something was written")
	}
	if out, code := run("plan"); code != 0 || !strings.Contains(out, "tcp dport 2375") {
		t.Errorf("plan: code %d: %s", code, lastLines(out, 5))
	}
}
