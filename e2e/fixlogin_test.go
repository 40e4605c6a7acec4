//go:build linux

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestLoginOutlivesItsServer: somebody is logged in by port 2222, and sshd has been started again with port 22 since. Under the baseline the login goes on, and
// the next one of the same person comes in.
func TestLoginOutlivesItsServer(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("flush ruleset\n" + foreign)
	h := newSSHHost(t, b)
	config, err := os.ReadFile(filepath.Join(h.dir, "sshd_config"))
	if err != nil {
		t.Fatal(err)
	}
	before := filepath.Join(h.dir, "before")
	if err := os.WriteFile(before, bytes.Replace(config, []byte("Port 22\n"), []byte("Port 2222\n"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	old := exec.Command("nsenter", "--net=/run/netns/"+b.name+"host", "/usr/sbin/sshd", "-D", "-e", "-f", before)
	if err := old.Start(); err != nil {
		t.Fatal(err)
	}
	ended := func() { _ = old.Process.Kill(); _ = old.Wait() }
	t.Cleanup(ended)
	if !bed.Until(func() bool { return b.connects("ext", "tcp4", "10.10.0.1:2222") }) {
		t.Fatal("sshd does not listen")
	}
	control, _ := h.master("ext", "-p", "2222")
	ended()
	out, code := b.verb("apply", "--config", b.config("zones: {management: {interfaces: [mgmt0]}}\n"), "--confirm", "auto", "--mode", "default-deny")
	if code != 0 {
		t.Fatalf("code %d: %s", code, lastLines(out, 8))
	}
	if b.connects("w1", "tcp4", "10.10.0.1:22") {
		t.Error("the baseline is not loaded")
	}
	for name, opts := range map[string][]string{"the login": {"-S", control}, "the next login": nil} {
		if out, err := h.login("ext", opts, "echo in").Output(); err != nil || string(out) != "in\n" {
			t.Errorf("%s: %v %q", name, err, out)
		}
	}
}
