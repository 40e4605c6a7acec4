//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/sshd"
)

// nested is text of a depth that no file has: whoever writes it wants the parser to run out of stack or time.
func nested(open, end string, depth int) []byte {
	return []byte(strings.Repeat(open, depth) + strings.Repeat(end, depth))
}

// inTime fails where parsing what one user wrote holds up the audit of all.
func inTime(t *testing.T, limit time.Duration, size int, parse func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := threadTime(t)
	parse()
	if d := threadTime(t) - start; d > limit {
		t.Errorf("%v for %d bytes", d, size)
	}
}

// threadTime is what the thread has had of a processor: other work on the machine does not count.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		t.Fatal(err)
	}
	return time.Duration(now.Nano())
}

func FuzzOpenClaw(f *testing.F) {
	f.Add([]byte(`{gateway: {bind: 'lan', port: 18789, auth: {mode: "token"},}, agents: {list: [{id: "a", sandbox: {mode: "off"}}]}}`))
	f.Add(nested("[", "]", 2000))
	f.Add(nested(`{"agents":`, "}", 2000))
	f.Add(nested("{a:[", "]}", 500))
	f.Fuzz(func(t *testing.T, b []byte) {
		inTime(t, 5*time.Second, len(b), func() { _ = parseOpenClaw(b, new(snapshot.OpenClawConfig)) })
	})
}

// FuzzSSHD reads a tree of configurations: in each, NEXT is the name of one a level deeper, which is not too deep. Each
// can include it many times.
func FuzzSSHD(f *testing.F) {
	f.Add([]byte("PermitRootLogin no\nMatch User a,b Address 10.0.0.0/8\n  PasswordAuthentication yes\n"))
	f.Add([]byte("Include NEXT NEXT NEXT NEXT NEXT NEXT NEXT NEXT\n"))
	f.Add([]byte("Match all\nInclude NEXT NEXT\nMatch User a\nInclude NEXT a\nPort 22\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		read := func(path string) ([]byte, error) {
			level, _ := strconv.Atoi(strings.TrimPrefix(path, "/"))
			if level > 15 {
				return nil, nil
			}
			return bytes.ReplaceAll(b, []byte("NEXT"), []byte("/"+strconv.Itoa(level+1))), nil
		}
		inTime(t, 5*time.Second, len(b), func() {
			_, _ = sshd.Parse("/0", sshd.Source{Read: read, Glob: func(p string) []string { return []string{p} }})
		})
	})
}

func FuzzOCI(f *testing.F) {
	f.Add([]byte(`{"process":{"capabilities":{"effective":["CAP_SYS_ADMIN"]}},"mounts":[{"type":"bind","source":"/","options":["rbind"]}],` +
		`"linux":{"namespaces":[{"type":"pid","path":"/proc/1/ns/pid"}],"resources":{"devices":[{"allow":true,"major":-1}]},"seccomp":{}}}`))
	f.Add(nested(`{"linux":{"seccomp":`, "}}", 3000))
	f.Add([]byte(`{"id":"a","bundle":"/b","pid":-1,"init_process_pid":9223372036854775807,"config":{"labels":["bundle="]}}`))
	s := &Scan{Host: host.At(f.TempDir())}
	f.Fuzz(func(t *testing.T, b []byte) {
		inTime(t, 5*time.Second, len(b), func() {
			if c, err := s.parseSpec("runc", "id", "/config.json", b); (c == nil) != (err != nil) {
				t.Errorf("%v, %v", c, err)
			}
			_, _, _ = parseState("/state.json", b)
		})
	})
}

// FuzzPowers: what root wrote for sudo and polkit is read or refused, in time.
func FuzzPowers(f *testing.F) {
	f.Add([]byte(`{"User_Specs": [{"User_List": [{"username": "a"}], "Host_List": [{"hostname": "ALL"}], "Cmnd_Specs": [{"Commands": [{"command": "ALL"}]}]}]}`))
	f.Add([]byte(`polkit.addRule(function(action, subject) { if ((action.id == "a" || action.id == "b") && subject.isInGroup("c")) { return polkit.Result.YES; } });`))
	f.Add([]byte("polkit.addRule(function(action, subject) { if (" + strings.Repeat(`(action.id == "a" || subject.local) && `, 40) + `subject.local) { return "yes"; } });`))
	f.Add(nested("(", ")", 500))
	f.Fuzz(func(t *testing.T, b []byte) {
		inTime(t, 5*time.Second, len(b), func() {
			_, _ = sudoRules(b, "web1")
			_, _ = ruleGrants(string(b))
			_, _ = actionGrants(b, map[string]polkitAction{})
		})
	})
}
