package winhost

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/registry"
	"github.com/ringfence/ringfence/snapshot"
)

// TestTextOfNetstat: the sockets of a text of netstat are those that listen, in whatever language; JSON of PowerShell counts before it, and a text that lacks
// some sockets leaves it open whether there are more.
func TestTextOfNetstat(t *testing.T) {
	const german = "\r\nAktive Verbindungen\r\n\r\n  Proto  Lokale Adresse         Remoteadresse          Status           PID\r\n" +
		"  TCP    0.0.0.0:135            0.0.0.0:0              ABH\x99REN         988\r\n  RpcSs\r\n [svchost.exe]\r\n" +
		"  TCP    0.0.0.0:5985           0.0.0.0:0              ABH\x99REN         4\r\n Es konnten keine Besitzerinformationen abgerufen werden.\r\n" +
		"  TCP    192.0.2.7:50100        198.51.100.4:443       HERGESTELLT      7000\r\n [a.exe]\r\n" +
		"  TCP    127.0.0.1:6000         0.0.0.0:0              BOUND            7000\r\n  TCP    [::]:445               [::]:0                 ABH\x99REN         4\r\n" +
		"  UDP    0.0.0.0:5353           *:*                                    1234\r\n  UDP    [fe80::1%12]:546       *:*                                    900\r\n"
	registryText := text("a.reg", "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft]\r\n\r\n")
	listed := func(s *snapshot.Snapshot) (list []string) {
		for _, l := range s.Windows.Listeners.List {
			list = append(list, fmt.Sprintf("%s %s %d %d %s", l.Proto, l.Addr, l.Port, l.PID, l.Process))
		}
		return list
	}
	notes := func(files ...File) (list []string) {
		s, _, err := FromFiles(files)
		if err != nil {
			t.Fatal(err)
		}
		return s.Notes["listeners"]
	}
	want := []string{"tcp 0.0.0.0 135 988 svchost.exe", "tcp 0.0.0.0 445 4 System", "tcp :: 445 4 System", "tcp 0.0.0.0 5985 4 System", "udp fe80::1 546 900 ", "udp 0.0.0.0 5353 1234 "}
	if got := listed(snapshotOf(t, registryText, text("netstat.txt", german))); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if n := notes(registryText, text("netstat.txt", german)); len(n) != 0 {
		t.Errorf("a whole text: %q", n)
	}
	json := text("tcp.json", `[{"LocalAddress": "0.0.0.0", "LocalPort": 22, "RemoteAddress": "0.0.0.0", "RemotePort": 0, "State": 2, "OwningProcess": 9}]`)
	if got := listed(snapshotOf(t, json, text("a.txt", german))); !slices.Equal(got, []string{"tcp 0.0.0.0 22 9 "}) {
		t.Errorf("beside JSON: %q", got)
	}
	four := strings.ReplaceAll(german, "[::]", "0.0.0.0")
	if n := notes(registryText, text("netstat.txt", four)); len(n) != 1 || !strings.Contains(n[0], "IPv6") {
		t.Errorf("without IPv6: %q", n)
	}
	for name, bad := range map[string]string{"established alone": "  TCP    192.0.2.7:50100   198.51.100.4:443   ESTABLISHED   7\n", "names": "  TCP    host:http   0.0.0.0:0   LISTENING\n", "prose": "TCP and UDP are\n"} {
		s, ignored, err := FromFiles([]File{registryText, text("x.txt", bad)})
		if err != nil || len(ignored) != 1 {
			t.Errorf("%s: %v, %v", name, ignored, err)
		} else if w := s.Snapshot(snapshot.Tool{}, time.Unix(0, 0)); w.Windows.Listeners.Read.State == snapshot.Present {
			t.Errorf("%s: sockets are known", name)
		}
	}
}

// FuzzNetstat: no text makes the reader panic, or tell of a socket without a port.
func FuzzNetstat(f *testing.F) {
	for _, s := range []string{"  TCP    [::]:445   [::]:0   LISTENING   4\n [System]\n", "UDP a:1 *:*", "TCP 0.0.0.0:0 0.0.0.0:0"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &Source{Users: map[string]registry.Key{}}
		if err := s.netstat(b); err != nil {
			return
		}
		tcp, _ := s.Shell.of(shellNetstatTCP)
		for _, o := range tcp {
			if o.number("localport") < 0 {
				t.Errorf("%v", o)
			}
		}
	})
}
