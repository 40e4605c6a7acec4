//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestServersThatAskNobody: tinysshnoneauthd gives everybody its command, which can be a shell of its user; without one it does not start.
func TestServersThatAskNobody(t *testing.T) {
	for _, c := range []struct {
		argv  []string
		given string
		shell bool
	}{
		{[]string{"/usr/sbin/tinysshnoneauthd", "-vv", "/k"}, "", false},
		{[]string{"tinysshnoneauthd", "-l", "-e", "cat /etc/motd", "/k"}, "cat /etc/motd", false},
		{[]string{"tinysshnoneauthd", "-le/bin/sh -i", "/k"}, "/bin/sh -i", true},
		{[]string{"tinysshnoneauthd", "-v", "-e", "sh -c date", "/k"}, "sh -c date", false},
		{[]string{"tinysshnoneauthd", "-x", "-e", "-q", "/k"}, "", false},
		{[]string{"tinysshd", "-e", "sh", "/k"}, "", false},
		{nil, "", false},
	} {
		if got := givenToAll(c.argv); got != c.given || givesShell(got) != c.shell {
			t.Errorf("%q: %q, a shell %v", c.argv, got, givesShell(got))
		}
	}
	other := &snapshot.SSHServer{Kind: "tinyssh", Config: "tinyssh" + commandLine, Word: snapshot.WordOf(0)}
	s := filesOf(t, map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\nnone:x:990:990::/:/bin/sh\n"})
	for _, c := range []struct {
		word snapshot.Word
		name string
		root snapshot.Login
	}{{snapshot.WordOf(990), "none", snapshot.No}, {snapshot.WordOf(0), "root", snapshot.Yes}} {
		cfg := s.withoutFile(nil, []string{"tinysshnoneauthd", "-e", "/bin/bash", "/k"}, &snapshot.SSHServer{Kind: "tinyssh", Config: "tinyssh" + commandLine, Word: c.word})
		l := cfg.Contexts[0].Logins
		if len(l.Empty) != 1 || l.Empty[0] != c.name || l.Root != c.root || cfg.Contexts[0].Settings["permitemptypasswords"][0] != "yes" {
			t.Errorf("%+v", cfg.Contexts[0])
		}
	}
	if s.withoutFile(nil, []string{"tinysshnoneauthd", "-e", "cat", "/k"}, other); other.Unread == "" {
		t.Error("what a program lets everybody do is taken for known")
	}
}

// TestChildOfSocat: a process of socat that serves one connection has the arguments of the one that listens.
func TestChildOfSocat(t *testing.T) {
	argv := []string{"socat", "TCP-LISTEN:2201,fork", "EXEC:/usr/sbin/tinysshd -v /k,pipes"}
	parent := &process{Process: snapshot.Process{PID: 7, Exe: "/usr/bin/socat"}, argv: argv}
	child := &process{Process: snapshot.Process{PID: 8, PPID: 7, Exe: "/usr/bin/socat"}, argv: argv}
	if _, v, ok := tcpService(parent, nil); !ok || v.name != "2201" || v.argv[0] != "/usr/sbin/tinysshd" {
		t.Errorf("%+v %v", v, ok)
	}
	if _, _, ok := tcpService(child, parent); ok {
		t.Error("one connection is taken for a server")
	}
	sockets := []sshSocket{{holder: parent}}
	tiny := &process{Process: snapshot.Process{PID: 9, PPID: 8, Exe: "/usr/sbin/tinysshd"}}
	if !startedBySuperServer(tiny, map[int]*process{7: parent, 8: child, 9: tiny}, sockets) {
		t.Error("what serves one connection is taken for a server")
	}
}
