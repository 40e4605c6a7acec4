//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestFixKeepsOnePortOfAServer: of the two ports of a Samba that asks nobody one is kept, and the other closed. What is left open is the same finding as before: the
// fix is not taken out as worse.
func TestFixKeepsOnePortOfAServer(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "smbd")
	b := newBed(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "smb.conf")
	var text strings.Builder
	text.WriteString("[global]\nmap to guest = Bad User\nguest account = root\nlog file = " + dir + "/log\n")
	for _, of := range []string{"private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir"} {
		fmt.Fprintf(&text, "%s = %s\n", of, dir)
	}
	if err := os.WriteFile(conf, []byte(text.String()+"[s]\npath = "+dir+"\nguest ok = yes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	smbd := exec.Command("nsenter", "--net=/run/netns/"+b.name+"host", "smbd", "-F", "-s", conf)
	if err := smbd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = smbd.Process.Kill(); _ = smbd.Wait() }()
	if !bed.Until(func() bool {
		return b.connects("ext", "tcp4", "203.0.113.1:445") && b.connects("ext", "tcp4", "203.0.113.1:139")
	}) {
		t.Fatal("it does not listen")
	}
	out, code := b.fix("--confirm", "auto", "--keep", "tcp/445@203.0.113.0/24")
	if code > 1 || !b.connects("ext", "tcp4", "203.0.113.1:445") || b.connects("ext", "tcp4", "203.0.113.1:139") {
		t.Errorf("code %d: %s", code, out)
	}
}
