//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestSuperServers reads the files of inetd and xinetd: which SSH servers they start, where they listen, and what is no server or is off.
func TestSuperServers(t *testing.T) {
	const services = "ssh\t22/tcp secure-shell # The port\nssh 22/udp\nlogins 2299/tcp\nwide 70000/tcp\n"
	for name, c := range map[string]struct {
		argv, files string // the files as name=text|name=text
		want        string // kind listen options, of each
		gaps        bool
	}{
		"inetd":                {"inetd", "etc/inetd.conf=ssh stream tcp nowait root /usr/sbin/sshd sshd -i", "openssh 22", false},
		"a number":             {"inetd", "etc/inetd.conf=2222 stream tcp6 nowait root.root /usr/sbin/sshd sshd -i -o PermitRootLogin=yes", "openssh 2222 permitrootlogin=yes", false},
		"an address":           {"inetd", "etc/inetd.conf=10.0.0.1,127.0.0.1:ssh stream tcp nowait root /usr/sbin/sshd sshd -i", "openssh 10.0.0.1:22 127.0.0.1:22", false},
		"an address for all":   {"inetd", "etc/inetd.conf=127.0.0.1:\\n*:logins stream tcp nowait root /usr/sbin/sshd sshd -i\\nssh stream tcp nowait root /usr/sbin/sshd sshd -i", "openssh 2299; openssh 127.0.0.1:22", false},
		"by tcpd":              {"inetd", "etc/inetd.conf=ssh stream tcp nowait root /usr/sbin/tcpd /usr/sbin/sshd -i", "openssh 22", false},
		"by tcpd, by name":     {"inetd", "etc/inetd.conf=ssh stream tcp nowait root /usr/sbin/tcpd sshd -i", "openssh 22", false},
		"dropbear":             {"busybox inetd", "etc/inetd.conf=secure-shell stream tcp nowait root /usr/sbin/dropbear dropbear -i", "dropbear 22", false},
		"another file":         {"inetd -i /srv/i.conf", "srv/i.conf=22 stream tcp nowait root /usr/sbin/sshd sshd -i|etc/inetd.conf=23 stream tcp nowait root /usr/sbin/sshd sshd -i", "openssh 22", false},
		"a directory":          {"inetutils-inetd", "etc/inetd.d/a=22 stream tcp nowait root /usr/sbin/sshd sshd -i|etc/inetd.conf=# nothing", "openssh 22", false},
		"off, and others":      {"inetd", "etc/inetd.conf=#ssh stream tcp nowait root /usr/sbin/sshd sshd -i\\necho stream tcp nowait root internal\\nftp stream tcp nowait root /usr/sbin/ftpd ftpd\\nssh dgram udp wait root /usr/sbin/sshd sshd", "", false},
		"an unknown service":   {"inetd", "etc/inetd.conf=nosuch stream tcp nowait root /usr/sbin/sshd sshd -i", "openssh", true},
		"a port that is none":  {"inetd", "etc/inetd.conf=wide stream tcp nowait root /usr/sbin/sshd sshd -i", "openssh", true},
		"a name of a host":     {"inetd", "etc/inetd.conf=admin.example:22 stream tcp nowait root /usr/sbin/sshd sshd -i", "openssh 22", true},
		"xinetd":               {"xinetd", "etc/xinetd.conf=defaults\\n{\\n}\\nincludedir /etc/xinetd.d|etc/xinetd.d/ssh=service ssh\\n{\\n socket_type = stream\\n server = /usr/sbin/sshd\\n server_args = -i -o PermitRootLogin=yes\\n}|etc/xinetd.d/ssh.bak=service x\\n{\\n port = 1\\n server = /usr/sbin/sshd\\n}", "openssh 22 permitrootlogin=yes", false},
		"xinetd, bound":        {"xinetd -f /x.conf", "x.conf=defaults\\n{\\n bind = 127.0.0.1\\n}\\nservice s1\\n{\\n type = UNLISTED\\n port = 2201\\n server = /usr/sbin/sshd\\n}\\nservice s2\\n{\\n port = 2202\\n interface = 10.0.0.1\\n server = /usr/sbin/sshd\\n}", "openssh 127.0.0.1:2201; openssh 10.0.0.1:2202", false},
		"xinetd, name first":   {"xinetd", "etc/xinetd.conf=service ssh\\n{\\n flags = REUSE NAMEINARGS\\n server = /usr/sbin/sshd\\n server_args = sshd -i\\n}", "openssh 22", false},
		"xinetd, disabled":     {"xinetd", "etc/xinetd.conf=service ssh\\n{\\n disable = yes\\n server = /usr/sbin/sshd\\n}", "", false},
		"xinetd, all disabled": {"xinetd", "etc/xinetd.conf=defaults\\n{\\n disabled = ssh\\n}\\nservice ssh\\n{\\n server = /usr/sbin/sshd\\n}", "", false},
		"xinetd, one enabled":  {"xinetd", "etc/xinetd.conf=defaults\\n{\\n enabled = b\\n}\\nservice ssh\\n{\\n id = a\\n server = /usr/sbin/sshd\\n}\\nservice ssh\\n{\\n id = b\\n port = 2222\\n server = /usr/sbin/sshd\\n}", "openssh 2222", false},
		"xinetd, in a circle":  {"xinetd", "etc/xinetd.conf=include /etc/xinetd.conf\\nservice ssh\\n{\\n server = /usr/sbin/sshd\\n}", "many", true},
		"tcpserver":            {"tcpserver -UHRDl0 0 2222 /usr/sbin/tinysshd -l /etc/k", "x=", "tinyssh 2222", false},
		"tcpserver, values":    {"tcpserver -c 40 -x /etc/r.cdb 127.0.0.1 ssh setuidgid a dropbear -i", "x=", "dropbear 127.0.0.1:22", false},
		"tcpserver, another":   {"tcpserver 0 21 /usr/sbin/ftpd", "x=", "", false},
		"tcpsvd of BusyBox":    {"busybox tcpsvd -vE 10.0.0.1 2201 /usr/sbin/sshd -i -o PermitRootLogin=yes", "x=", "openssh 10.0.0.1:2201 permitrootlogin=yes", false},
		"socat, bound":         {"socat tcp4-l:2201,fork,bind=127.0.0.1 system:'/usr/sbin/tinysshd',pipes", "x=", "tinyssh 127.0.0.1:2201", false},
		"socat to elsewhere":   {"socat TCP-LISTEN:2201,fork TCP:sshd:22", "x=", "", false},
		"no file":              {"inetd", "x=", "", false},
		"of another name":      {"inetd-notes", "etc/inetd.conf=ssh stream tcp nowait root /usr/sbin/sshd sshd -i", "", false},
	} {
		files := map[string]string{"etc/services": services}
		for f := range strings.SplitSeq(c.files, "|") {
			file, text, _ := strings.Cut(f, "=")
			files[file] = strings.ReplaceAll(text, `\n`, "\n") + "\n"
		}
		s, out := filesOf(t, files), new(Outcome)
		argv := strings.Fields(c.argv)
		p := &process{Process: snapshot.Process{PID: 0, Exe: "/usr/sbin/" + argv[0]}, argv: argv}
		if argv[0] == "busybox" {
			p.argv = argv[1:]
		}
		var got []string
		for _, k := range s.sshOfSuperServers([]*process{p}, out) {
			got = append(got, strings.Join(append(append([]string{k.kind}, k.listen...), k.command.options...), " "))
		}
		if text := strings.Join(got, "; "); text != c.want && !(c.want == "many" && len(got) > 0 && len(got) <= maxServices) {
			t.Errorf("%s: %q, want %q", name, text, c.want)
		}
		if (len(out.reasons) > 0) != c.gaps {
			t.Errorf("%s: gaps %v", name, out.reasons)
		}
	}
}

// TestLongFilesOfSuperServersEnd: a user's own inetd can be told anything.
func TestLongFilesOfSuperServersEnd(t *testing.T) {
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, "%d stream tcp nowait root /usr/sbin/sshd sshd -i\n", i%60000+1)
	}
	if n := len(inetdServices(b.String())); n != maxServices {
		t.Errorf("%d services", n)
	}
	x := &xinetdFile{read: func(string) (string, error) { return "includedir /d\n", nil }, list: func(string) []string { return []string{"/d/a", "/d/b"} }}
	x.parse("includedir /d\n", 0)
	if !x.cut || x.files > maxIncluded+16 {
		t.Errorf("%d files, cut %v", x.files, x.cut)
	}
}
