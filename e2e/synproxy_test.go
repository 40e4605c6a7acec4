//go:build linux

package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/need"
)

// TestSynproxy: who gets to a server behind synproxy is answered as real connections tell, which have to be served; who does not is never said to.
func TestSynproxy(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	l := servedScene(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("ok"))
			c.Close()
		}
	}()
	served := func() bool {
		return exec.Command("ip", "netns", "exec", "e", "python3", "-c",
			"import socket,sys; s=socket.create_connection(('203.0.113.1', 22), 1.5); sys.exit(s.recv(2) != b'ok')").Run() == nil
	}
	open := 0
	for _, loose := range []string{"0", "1"} {
		for _, c := range []struct{ policy, first, output string }{
			{"accept", "", "accept"}, {"drop", "", "accept"}, {"drop", `iifname "lo" accept;`, "accept"}, {"accept", "", "drop"},
		} {
			name := strings.Join([]string{"loose", loose, c.policy, c.first, "output", c.output}, " ")
			bed.Shell(t, "nft flush ruleset; sysctl -qw net.netfilter.nf_conntrack_tcp_loose=%s", loose)
			cmd := exec.Command("nft", "-f", "-")
			cmd.Stdin = strings.NewReader(bed.Spread(`table ip f {
chain r { type filter hook prerouting priority raw; iifname "ext0" tcp dport 22 tcp flags syn notrack; }
chain i { type filter hook input priority 0; policy ` + c.policy + `; ct state established accept; ` + c.first + ` tcp dport 22 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm; ct state invalid drop; }
chain o { type filter hook output priority 0; policy ` + c.output + `; ct state established accept; }
}`))
			out, err := cmd.CombinedOutput()
			need.Kernel(t, "synproxy", out, err)
			want := verdictOf(served())
			if want == "reachable" {
				open++
			}
			if got := askedFor(t, "203.0.113.1:22"); got != want && (got != "unknown" || want == "reachable") {
				t.Errorf("%s: %s, in truth %s", name, got, want)
			}
		}
	}
	if open == 0 {
		t.Error("nobody was served")
	}
}
