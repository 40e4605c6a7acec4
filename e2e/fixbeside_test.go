//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// listenAs runs a program of this name as a user of the host, that listens.
func (b *testbed) listenAs(uid uint32, name, addr string, port int) {
	b.t.Helper()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("%s-%d", b.name, port))
	program := filepath.Join(dir, name)
	text, err := os.ReadFile("/usr/bin/python3")
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(program, text, 0o755)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { os.RemoveAll(dir) })
	const code = `import socket,sys
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind((sys.argv[1],int(sys.argv[2]))); s.listen(64)
keep=[]
while 1:
    c,_=s.accept(); c.sendall(b"ok"); keep.append(c)`
	b.inNS("host", func() {
		cmd := exec.Command(program, "-c", code, addr, fmt.Sprint(port), "-H", fmt.Sprintf("tcp://%s:%d", addr, port)) // as a daemon is told
		cmd.Env = []string{"PYTHONHOME=/usr"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		if err := cmd.Start(); err != nil {
			b.t.Error(err)
			return
		}
		b.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	})
	b.waitFor("t", fmt.Sprintf("%s:%d", addr, port))
}

// TestFixClosesTheListenerAlone: what a user listens with is closed, and not what another has on the same port at another address or in
// the other family.
func TestFixClosesTheListenerAlone(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("flush ruleset")
	b.listenAs(1001, "dockerd", "203.0.113.1", 4243)
	b.listen("tcp4", "10.10.0.1:4243", "")
	b.listen("tcp4", "172.17.0.1:4243", "")
	b.listenAs(1001, "dockerd", "0.0.0.0", 4244)
	b.listen("tcp6", "[::]:4244", "")
	b.listen("tcp4", "10.10.0.1:22", "")
	config := b.config("zones: {management: {interfaces: [mgmt0]}}\nchecks: {skip: [management/ssh-reachable-from-external, management/ssh-reachable-from-workload, capability/host-takeover-capability-in-workload]}\n")
	was := b.flowTable(4243, 4244)
	out, code := b.fix("--config", config, "--confirm", "auto")
	if code == 4 || code == 5 {
		t.Fatalf("code %d: %s", code, lastLines(out, 12))
	}
	rules := b.ruleset()
	if !strings.Contains(rules, "ip daddr 203.0.113.1 tcp dport 4243") || strings.Contains(rules, "\" tcp dport 4243") {
		t.Errorf("%s", rules)
	}
	closed := 0
	for where, open := range b.flowTable(4243, 4244) {
		targeted := !strings.HasPrefix(where, "mgmt0 ") && (strings.HasSuffix(where, " 203.0.113.1:4243") || strings.HasSuffix(where, "4244") && !strings.Contains(where, "["))
		if targeted && was[where] {
			closed++
		}
		if open != (was[where] && !targeted) {
			t.Errorf("%s: open %v, before %v, targeted %v", where, open, was[where], targeted)
		}
	}
	if closed < 2 {
		t.Errorf("%d connections were closed", closed)
	}
}
