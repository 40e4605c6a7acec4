//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/snapshot"
)

// TestNamedSockets: of the kernel's list those count that listen or take datagrams, and have a name.
func TestNamedSockets(t *testing.T) {
	const list = "Num       RefCount Protocol Flags    Type St Inode Path\n" +
		"0000000000000000: 00000002 00000000 00010000 0001 01 11 /run/a b\n" +
		"0000000000000000: 00000003 00000000 00000000 0001 03 12 /run/connected\n" +
		"0000000000000000: 00000002 00000000 00000000 0002 01 13 /run/datagrams\n" +
		"0000000000000000: 00000002 00000000 00010000 0005 01 14 @name\n" +
		"0000000000000000: 00000002 00000000 00000000 0002 01 17 @0012f\n" +
		"0000000000000000: 00000002 00000000 00010000 0001 01 18 @0012f\n" +
		"0000000000000000: 00000002 00000000 00000000 0002 01 19 @0012f x\n" +
		"0000000000000000: 00000002 00000000 00010000 0001 01 15\n" +
		"0000000000000000: 00000002 00000000 00010000 0001 01 16 relative\n" +
		"0000000000000000: 00000002 00000000 00010000 0001 01 x /run/x\n"
	want := []namedSocket{{"/run/a b", 11}, {"/run/datagrams", 13}, {"@name", 14}, {"@0012f", 18}, {"@0012f x", 19}}
	if d := gocmp.Diff(want, namedSockets([]byte(list)), gocmp.AllowUnexported(namedSocket{})); d != "" {
		t.Error(d)
	}
}

// TestNameOfADaemon: a daemon has the name of its file if the host has that file there. A file that somebody mounted there, in mounts of their own, is told by its path.
func TestNameOfADaemon(t *testing.T) {
	host, apart := snapshot.NS{Mnt: 4}, snapshot.NS{Mnt: 5}
	byRoot, byUser := snapshot.Word{By: snapshot.ByRoot}, snapshot.WordOf(1000)
	for name, c := range map[string]struct {
		exe  string
		word snapshot.Word
		ns   snapshot.NS
		want string
	}{
		"of a package":                       {"/usr/sbin/acpid", byRoot, host, "acpid"},
		"of one with mounts of its own":      {"/usr/lib/systemd/systemd-logind", byRoot, apart, "systemd-logind"},
		"before /usr was merged":             {"/lib/systemd/systemd", byRoot, host, "systemd"},
		"of an administrator":                {"/usr/local/sbin/acpid", byRoot, host, "/usr/local/sbin/acpid"},
		"of somebody":                        {"/home/a/acpid", byUser, host, "/home/a/acpid"},
		"a file that the host does not have": {"/usr/sbin/acpid", snapshot.Word{}, apart, "/usr/sbin/acpid"},
		"a file that others write":           {"/usr/sbin/acpid", byUser, host, "/usr/sbin/acpid"},
		"replaced":                           {"/usr/sbin/acpid (deleted)", snapshot.Word{}, host, "acpid"},
		"replaced, in mounts of its own":     {"/usr/sbin/acpid (deleted)", snapshot.Word{}, apart, "/usr/sbin/acpid"},
		"replaced, and not of a package":     {"/opt/acpid (deleted)", snapshot.Word{}, host, "/opt/acpid"},
		"a program that could not be read":   {"", snapshot.Word{}, host, "a program that was not seen"},
	} {
		p := &process{Process: snapshot.Process{Exe: c.exe, ExeWord: c.word, NS: c.ns, UID: 0}, argv: []string{"acpid"}}
		if got := daemonName(p, host); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
