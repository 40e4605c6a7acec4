//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestProxiesOfSockets: a program that passes connections on to the socket of a runtime is found by its arguments or its files; what it filters is not
// known, and what leads elsewhere is nothing.
func TestProxiesOfSockets(t *testing.T) {
	const backend = "frontend f\n bind *:2376,[::]:2377 %s\n default_backend b\nbackend b\n server s /run/docker.sock\n"
	known := []snapshot.ControlSocket{{Path: "/srv/api.sock"}}
	for name, c := range map[string]struct {
		line  string
		files map[string]string
		want  string // ports, the socket, and whether it asks for certificates
	}{
		"socat":                        {"socat TCP-LISTEN:2375,fork,reuseaddr UNIX-CONNECT:/var/run/docker.sock", nil, ":2375 /var/run/docker.sock false"},
		"socat, the other way round":   {"socat UNIX-LISTEN:/run/docker.sock TCP:10.0.0.1:2375", nil, ""},
		"socat to something else":      {"socat TCP-LISTEN:80 UNIX-CONNECT:/run/app.sock", nil, ""},
		"socat with TLS":               {"socat OPENSSL-LISTEN:2376,cert=a,cafile=b UNIX:/run/podman/podman.sock", nil, ":2376 /run/podman/podman.sock true"},
		"socat that asks nobody":       {"socat openssl-listen:2376,cert=a,verify=0 unix:/run/docker.sock,retry", nil, ":2376 /run/docker.sock false"},
		"of systemd":                   {"systemd-socket-proxyd --exit-idle-time=60 /run/libvirt/libvirt-sock", nil, " /run/libvirt/libvirt-sock false"},
		"of systemd, to a port":        {"systemd-socket-proxyd 127.0.0.1:80", nil, ""},
		"HAProxy":                      {"haproxy -Ws -f /h.cfg", map[string]string{"h.cfg": strings.ReplaceAll(backend, "%s", "")}, ":2376 :2377 /run/docker.sock false"},
		"HAProxy with rules":           {"haproxy -f /d", map[string]string{"d/1.cfg": strings.ReplaceAll(backend, "%s", ""), "d/2.cfg": " http-request deny if METH_POST\n"}, ":2376 :2377 /run/docker.sock ?"},
		"HAProxy with TLS":             {"haproxy -f /h.cfg", map[string]string{"h.cfg": strings.ReplaceAll(backend, "%s", "ssl crt x verify required")}, ":2376 :2377 /run/docker.sock ?"},
		"HAProxy of pages":             {"haproxy", map[string]string{"etc/haproxy/haproxy.cfg": "frontend f\n bind :80\nbackend b\n server s 10.0.0.1:80\n"}, ""},
		"nginx":                        {"nginx", map[string]string{"etc/nginx/nginx.conf": "http { include sites-enabled/*; }", "etc/nginx/sites-enabled/d": "location / {\n proxy_pass http://unix:/run/docker.sock:/;\n}\n"}, " /run/docker.sock ?"},
		"socat to one that was found":  {"socat TCP-LISTEN:80 UNIX-CONNECT:/srv/api.sock", nil, ":80 /srv/api.sock false"},
		"socat that asks who":          {"socat TCP-LISTEN:80,range=10.0.0.0/8 UNIX-CONNECT:/srv/api.sock", nil, ":80 /srv/api.sock ?"},
		"socat at the name of a port":  {"socat TCP-LISTEN:docker,fork UNIX-CONNECT:/srv/api.sock", nil, " /srv/api.sock false"},
		"libvirt to read alone":        {"systemd-socket-proxyd /run/libvirt/libvirt-sock-ro", nil, ""},
		"HAProxy by a variable":        {"haproxy -f /h.cfg", map[string]string{"environ": "TO=/srv/api.sock\x00", "h.cfg": "listen l\n bind :1\n server s \"${TO}\"\n"}, ":1 /srv/api.sock false"},
		"HAProxy by one not known":     {"haproxy -f /h.cfg", map[string]string{"h.cfg": "listen l\n bind :1\n server s $TO\n"}, ":1 ? ?"},
		"HAProxy at many ports":        {"haproxy -f /h.cfg", map[string]string{"h.cfg": "listen l\n bind :1-9\n server s /srv/api.sock\n"}, " /srv/api.sock ?"},
		"HAProxy beside pages":         {"haproxy -f /h.cfg", map[string]string{"h.cfg": "listen l\n bind :1\n server s /srv/api.sock\nfrontend f\n bind :80\n"}, ":1 :80 /srv/api.sock ?"},
		"HAProxy of a file in a place": {"haproxy -f h.cfg", nil, " ? ?"},
		"nginx of a file elsewhere":    {"nginx: master process nginx -c /n.conf", map[string]string{"n.conf": "include more/a.conf;\n", "more/a.conf": "server unix:/srv/api.sock;\n"}, " /srv/api.sock ?"},
		"nginx of a file in a place":   {"nginx -c n.conf", nil, " ? ?"},
		"nginx of PHP":                 {"nginx", map[string]string{"etc/nginx/nginx.conf": "include /etc/nginx/conf.d/*.conf;\n", "etc/nginx/conf.d/a.conf": "# proxy_pass http://unix:/run/docker.sock;\nfastcgi_pass unix:/run/php/php8.2-fpm.sock;\n"}, ""},
	} {
		s := scanWithProcess(t, c.files)
		p := &process{argv: strings.Fields(c.line)}
		p.PID, p.Exe = 77, "/usr/bin/"+strings.TrimSuffix(p.argv[0], ":")
		var got strings.Builder
		for _, d := range socketProxies[p.exeBase()](s, p, leadsOf(known, "")) {
			f := d.fact(p)
			verify := f.Verify.Value
			if f.Verify.State != snapshot.Present {
				verify = "?"
			}
			got.WriteString(strings.Join(f.API, " ") + " " + f.Leads + " " + verify)
		}
		if got.String() != c.want {
			t.Errorf("%s: %q, want %q", name, got.String(), c.want)
		}
	}
}

// TestProxiesOfAddresses: where the files of proxies lead, as the programs read them. What they choose to pass on is not worked out.
func TestProxiesOfAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		line  string
		files map[string]string
		want  string
	}{
		"nginx":             {"nginx", map[string]string{"etc/nginx/nginx.conf": "http { include sites-enabled/*; }", "etc/nginx/sites-enabled/d": "upstream u {\n server 127.0.0.1:3000 weight=2;\n}\nserver {\n listen 80;\n location / { proxy_pass http://u; }\n location /x/ { proxy_pass \"https://localhost/y\"; }\n}\n"}, "127.0.0.1:3000 127.0.0.1:443 ::1:443 chooses"},
		"nginx of streams":  {"nginx", map[string]string{"etc/nginx/nginx.conf": "stream { server { listen 1; proxy_pass [::1]:2375; } }"}, "::1:2375 chooses"},
		"nginx by variable": {"nginx", map[string]string{"etc/nginx/nginx.conf": "location / { proxy_pass http://$up; }"}, ""},
		"HAProxy":           {"haproxy -f /h.cfg", map[string]string{"environ": "P=9000\x00", "h.cfg": "listen l\n bind :1\n server s 127.0.0.1:$P check\n server t 10.0.0.9:80\n"}, "127.0.0.1:9000 10.0.0.9:80 chooses"},
		"Apache":            {"apache2 -k start", map[string]string{"etc/apache2/apache2.conf": "IncludeOptional sites-enabled/*.conf\n", "etc/apache2/sites-enabled/a.conf": "ProxyPass /a http://127.0.0.1:9009/\n<Proxy balancer://b>\nBalancerMember \"http://localhost:81\"\n</Proxy>\nRewriteRule ^/ws(.*) ws://127.0.0.1:18789/$1 [P]\nProxyPassReverse / http://127.0.0.1:1/\n"}, "127.0.0.1:9009 127.0.0.1:81 ::1:81 127.0.0.1:18789 chooses"},
		"Caddy":             {"caddy run --config /Caddyfile", map[string]string{"Caddyfile": ":80 {\n reverse_proxy localhost:9008 127.0.0.1:9\n}\nimport more\n", "more": "x {\n reverse_proxy {\n  to :7\n }\n}\n"}, "127.0.0.1:9008 ::1:9008 127.0.0.1:9 127.0.0.1:7 ::1:7 chooses"},
		"Caddy by options":  {"caddy reverse-proxy --from :80 --to 127.0.0.1:3000", nil, "127.0.0.1:3000 chooses"},
		"stunnel":           {"stunnel4 /s.conf", map[string]string{"s.conf": "[x]\naccept = 2376\nconnect = 2375\n"}, "127.0.0.1:2375 ::1:2375 chooses"},
		"rinetd":            {"rinetd -f -c /r.conf", map[string]string{"r.conf": "# a\n0.0.0.0 80 127.0.0.1 8080 [timeout=5]\nlogfile /var/log/x 1 2\n"}, "127.0.0.1:8080"},
		"rinetd of two":     {"rinetd", map[string]string{"etc/rinetd.conf": "0.0.0.0 80 127.0.0.1 8080\n127.0.0.1 81 10.0.0.1 53/udp\n"}, "127.0.0.1:8080 10.0.0.1:53 chooses"},
		"rinetd that asks":  {"rinetd", map[string]string{"etc/rinetd.conf": "deny 10.*\n0.0.0.0 80 127.0.0.1 8080\n"}, "127.0.0.1:8080 chooses"},
	} {
		s := scanWithProcess(t, c.files)
		p := &process{argv: strings.Fields(c.line)}
		p.PID, p.Exe = 77, "/usr/bin/"+p.argv[0]
		r := s.relayOf(p)
		var got []string
		for _, e := range r.Ends() {
			got = append(got, fmt.Sprintf("%s:%d", e.Addr, e.Port))
		}
		if r.Chooses && len(got) > 0 {
			got = append(got, "chooses")
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
