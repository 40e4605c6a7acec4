//go:build linux && !ringfence_portable

package checks

import (
	"reflect"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestWhereProxiesLead: the arguments of a proxy as it reads them. What is a name or the path of a socket is not told.
func TestWhereProxiesLead(t *testing.T) {
	for line, want := range map[string]snapshot.Relay{
		"systemd-socket-proxyd 127.0.0.1:8080":                         {Addr: "127.0.0.1", Port: 8080},
		"systemd-socket-proxyd --exit-idle-time=30s 10.0.0.2:81":       {Addr: "10.0.0.2", Port: 81},
		"systemd-socket-proxyd --exit-idle-time 30s -c 9 10.0.0.2":     {Addr: "10.0.0.2", Port: 80},
		"systemd-socket-proxyd -- fd00::2:8080":                        {Addr: "fd00::2", Port: 8080},
		"systemd-socket-proxyd localhost:8080":                         {Addr: "127.0.0.1", Port: 8080, Also: []snapshot.RelayEnd{{Addr: "::1", Port: 8080}}},
		"systemd-socket-proxyd /run/app.sock":                          {},
		"systemd-socket-proxyd 127.0.0.1:http":                         {Addr: "127.0.0.1", Port: 80},
		"systemd-socket-proxyd":                                        {},
		"socat TCP-LISTEN:8001,fork,reuseaddr TCP:127.0.0.1:9001":      {Addr: "127.0.0.1", Port: 9001},
		"socat -d -T 5 tcp4:localhost:http,nodelay TCP-L:81":           {Addr: "127.0.0.1", Port: 80, Also: []snapshot.RelayEnd{{Addr: "::1", Port: 80}}},
		"socat UDP6-RECVFROM:53,fork UDP:[::1]:5353":                   {Addr: "::1", Port: 5353},
		"socat TCP-LISTEN:1,range=192.0.2.0/24 TCP-CONNECT:10.0.0.2:2": {Addr: "10.0.0.2", Port: 2, Chooses: true},
		"socat OPENSSL-LISTEN:1,cert=x TCP:127.0.0.1:2375":             {Addr: "127.0.0.1", Port: 2375, Chooses: true},
		"socat OPENSSL-LISTEN:1,cert=x,verify=0 TCP:127.0.0.1:2375":    {Addr: "127.0.0.1", Port: 2375},
		"socat TCP-LISTEN:1 EXEC:cat":                                  {},
		"socat TCP-LISTEN:1 TCP:example.org:80":                        {},
		"redir -n  8003 127.0.0.1 9003":                                {Addr: "127.0.0.1", Port: 9003},
		"redir --lport=1 --cport=2 --caddr=10.0.0.2":                   {Addr: "10.0.0.2", Port: 2},
		"redir :8003 :9003":                                            {Addr: "127.0.0.1", Port: 9003, Also: []snapshot.RelayEnd{{Addr: "::1", Port: 9003}}},
		"docker-proxy -container-ip 172.17.0.2 -container-port 8080":   {Addr: "172.17.0.2", Port: 8080},
		"rootlessport -container-ip 172.17.0.2 -container-port 8080":   {},
	} {
		argv := strings.Fields(line)
		p := &process{argv: argv}
		p.Exe = "/usr/lib/systemd/" + argv[0]
		want.Program = argv[0]
		got := new(Scan).relayOf(p)
		if got == nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v", line, got)
		}
		if strings.Join(p.argv, " ") != strings.Join(strings.Fields(line), " ") {
			t.Errorf("%s: its arguments became %q", line, p.argv)
		}
		if of := from(got, 7, 8); of.Netns != 7 || got.Netns != 0 || from(got, 7, 7).Netns != 0 {
			t.Errorf("%s: from another namespace %+v", line, of)
		}
	}
}
