//go:build linux && !ringfence_portable

package checks

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestWhereProxiesLead: the arguments of a proxy as it reads them. What is a name or the path of a socket is not told.
func TestWhereProxiesLead(t *testing.T) {
	for line, want := range map[string]snapshot.Relay{
		"systemd-socket-proxyd 127.0.0.1:8080":                       {Addr: "127.0.0.1", Port: 8080},
		"systemd-socket-proxyd --exit-idle-time=30s 10.0.0.2:81":     {Addr: "10.0.0.2", Port: 81},
		"systemd-socket-proxyd --exit-idle-time 30s -c 9 10.0.0.2":   {Addr: "10.0.0.2", Port: 80},
		"systemd-socket-proxyd -- fd00::2:8080":                      {Addr: "fd00::2", Port: 8080},
		"systemd-socket-proxyd localhost:8080":                       {},
		"systemd-socket-proxyd /run/app.sock":                        {},
		"systemd-socket-proxyd 127.0.0.1:http":                       {},
		"systemd-socket-proxyd":                                      {},
		"docker-proxy -container-ip 172.17.0.2 -container-port 8080": {Addr: "172.17.0.2", Port: 8080},
		"rootlessport -container-ip 172.17.0.2 -container-port 8080": {},
	} {
		argv := strings.Fields(line)
		p := &process{argv: argv}
		p.Exe = "/usr/lib/systemd/" + argv[0]
		want.Program = argv[0]
		got := relayOf(p)
		if got == nil || *got != want {
			t.Errorf("%s: %+v", line, got)
		}
		if of := from(got, 7, 8); of.Netns != 7 || got.Netns != 0 || from(got, 7, 7).Netns != 0 {
			t.Errorf("%s: from another namespace %+v", line, of)
		}
	}
}
