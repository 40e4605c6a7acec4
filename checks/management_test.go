//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestDebuggersThatListen: options of the runtime count, and only those: what follows the script is its own.
func TestDebuggersThatListen(t *testing.T) {
	for _, c := range []struct {
		line, env, want string
		ports           []int
	}{
		{"node --inspect app.js", "", "Node inspector", []int{9229}},
		{"node --require ./x.js --inspect=0.0.0.0:9230 app.js", "", "Node inspector", []int{9230}},
		{"node --inspect-brk=9231 app.js", "", "Node inspector", []int{9231}},
		{"node --inspect=0.0.0.0 app.js", "", "Node inspector", []int{9229}},
		{"node --inspect-port=9555 --inspect app.js", "", "Node inspector", []int{9555}},
		{"node --inspect --inspect-port 9555 app.js", "", "Node inspector", []int{9555}},
		{"node --inspect=[::]:9556 app.js", "", "Node inspector", []int{9556}},
		{"node --inspect=0 app.js", "", "Node inspector", nil},
		{"node app.js --inspect", "", "", nil},
		{"node --inspect-port=9229 app.js", "", "", nil},
		{"node app.js", "NODE_OPTIONS=--max-old-space-size=512 --inspect=0.0.0.0:9300\x00", "Node inspector", []int{9300}},
		{"node app.js", "A=--inspect\x00", "", nil},
		{"java -agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:5005 -jar app.jar", "", "JDWP", []int{5005}},
		{"java -cp x.jar -Xrunjdwp:transport=dt_socket,server=y,address=5006 Main", "", "JDWP", []int{5006}},
		{"java -agentlib:jdwp=transport=dt_socket,server=y Main", "", "JDWP", nil},
		{"java -agentlib:jdwp=transport=dt_socket,server=n,address=h:5005 Main", "", "", nil},
		{"java Main -agentlib:jdwp=transport=dt_socket,server=y", "", "", nil},
		{"java -jar app.jar", "JAVA_TOOL_OPTIONS=-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=0.0.0.0:8000\x00", "JDWP", []int{8000}},
		{"java -jar app.jar", "JDK_JAVA_OPTIONS=-Xmx1g\x00", "", nil},
		{"python3 -m debugpy --listen 5678 app.py", "", "debugpy", []int{5678}},
		{"python3 /usr/lib/python3/dist-packages/debugpy/adapter --for-server 40001 --host 0.0.0.0 --port 5679", "", "debugpy", []int{5679}},
		{"python3 -m http.server debugpy --listen", "", "", nil},
		{"python3 app.py -m debugpy --listen", "", "", nil},
	} {
		p := &process{argv: strings.Fields(c.line)}
		p.Exe, p.PID = "/usr/bin/"+p.argv[0], 77
		v, ok := scanWithProcess(t, map[string]string{"environ": c.env}).debugs(p, new(Outcome))
		if got := v.Name; ok != (c.want != "") || got != c.want || !slices.Equal(v.Ports, c.ports) {
			t.Errorf("%q %q: %q %v %v, want %q %v", c.line, c.env, got, ok, v.Ports, c.want, c.ports)
		}
	}
}

// TestProgramsThatManage: a program is known by its file or by the script that runs, never by a later argument.
func TestProgramsThatManage(t *testing.T) {
	for _, c := range []struct {
		exe  string
		argv []string
		want snapshot.Role
	}{
		{"in.telnetd", []string{"in.telnetd"}, snapshot.RoleCleartext},
		{"perl", []string{"perl", "/usr/share/webmin/miniserv.pl", "/etc/webmin/miniserv.conf"}, snapshot.RoleConsole},
		{"python3", []string{"python3", "/usr/bin/websockify", "6080", "localhost:5900"}, snapshot.RoleDesktop},
		{"vim", []string{"vim", "miniserv.pl"}, ""},
		{"sushy-emulator", []string{"/usr/bin/python3", "/usr/bin/sushy-emulator", "--port", "8000"}, snapshot.RoleConsole},
		{"python3", []string{"python3", "run.py", "ttyd"}, ""},
		{"dlv", []string{"dlv", "debug", "./cmd"}, ""},
		{"dlv", []string{"dlv", "exec", "./x", "--headless", "--listen=:2345"}, snapshot.RoleDebug},
	} {
		p := &process{argv: c.argv}
		p.Exe = "/usr/bin/" + c.exe
		if v, ok := managed(p); ok != (c.want != "") || ok && v.Role != c.want {
			t.Errorf("%q: %v %v, want %q", c.argv, v.Role, ok, c.want)
		}
	}
}

// TestServersBelowTheSameInterpreter: what a supervisor of the same interpreter has started is a server, and what a server has forked is none more.
func TestServersBelowTheSameInterpreter(t *testing.T) {
	proc := func(exe string, argv ...string) *process {
		p := &process{argv: argv}
		p.Exe = "/usr/bin/" + exe
		return p
	}
	for name, c := range map[string]struct {
		p, parent *process
		want      bool
	}{
		"pm2":                 {proc("node", "node", "/usr/bin/wetty"), proc("node", "node", "/usr/bin/pm2"), false},
		"supervisord":         {proc("python3", "python3", "/usr/bin/websockify"), proc("python3", "python3", "/usr/bin/supervisord"), false},
		"a worker":            {proc("perl", "perl", "/x/miniserv.pl"), proc("perl", "perl", "/x/miniserv.pl"), true},
		"a worker of its own": {proc("xrdp", "anything"), proc("xrdp", "xrdp"), true},
		"of another program":  {proc("xrdp", "xrdp"), proc("systemd", "systemd"), false},
		"of nobody":           {proc("xrdp", "xrdp"), nil, false},
	} {
		if got := works(c.p, c.parent); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// scanWithProcess is a scan of a host of files, with a process 77 whose environment is the file environ.
func scanWithProcess(t *testing.T, files map[string]string) *Scan {
	t.Helper()
	s, root := hostOf(t, files)
	if err := os.MkdirAll(filepath.Join(root, "proc/77"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../..", filepath.Join(root, "proc/77/root")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "proc/77/environ"), []byte(files["environ"]), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// settingsAt is what is read of the settings of a program that was started with those arguments, on a host of files.
func settingsAt(t *testing.T, files map[string]string, argv ...string) map[string]snapshot.Fact {
	t.Helper()
	s := scanWithProcess(t, files)
	p := &process{argv: argv}
	p.PID, p.Exe = 77, "/usr/sbin/"+argv[0]
	v, ok := managed(p)
	if !ok {
		t.Fatalf("%q manages nothing", argv)
	}
	if dataServers[v.Name] != nil {
		m, _ := s.dataSettings(p, v.Name)
		return m
	}
	return settingsOf[v.Name](s, p)
}

// TestSettingsOfClusters: defaults differ with and without a file, flags count before it, a file that cannot be read makes its settings
// unknown and not those that flags give.
func TestSettingsOfClusters(t *testing.T) {
	value := func(m map[string]snapshot.Fact, name, want string) {
		t.Helper()
		if f := m[name]; f.Value != want || want != "" && f.State != snapshot.Present {
			t.Errorf("%s: %+v, want %s", name, f, want)
		}
	}
	bare := settingsAt(t, nil, "kubelet")
	value(bare, "anonymous", "true")
	value(bare, "authorization", "AlwaysAllow")
	value(bare, "readOnlyPort", "10255")
	filed := settingsAt(t, map[string]string{"k.yaml": "kind: KubeletConfiguration\nreadOnlyPort: 10255\n"}, "kubelet", "--config=/k.yaml", "--anonymous-auth=true")
	value(filed, "anonymous", "true")
	value(filed, "authorization", "Webhook")
	value(filed, "readOnlyPort", "10255")
	lost := settingsAt(t, nil, "kubelet", "--config", "/gone.yaml", "--read-only-port=0")
	if f := lost["anonymous"]; f.State != snapshot.Error || f.Reason == "" {
		t.Errorf("a file that is gone: %+v", f)
	}
	value(lost, "readOnlyPort", "0")
	etcd := settingsAt(t, map[string]string{"environ": "ETCD_CLIENT_CERT_AUTH=true\x00ETCD_LISTEN_CLIENT_URLS=https://0.0.0.0:2379\x00"}, "etcd", "--client-cert-auth=false")
	value(etcd, "clientCertAuth", "false")
	value(etcd, "clientURLs", "https://0.0.0.0:2379")
	file := settingsAt(t, map[string]string{"e.yml": "listen-client-urls: https://10.0.0.1:2379\nclient-transport-security:\n  client-cert-auth: true\n"}, "etcd", "--config-file=/e.yml", "--client-cert-auth=false")
	value(file, "clientCertAuth", "true")
	value(file, "peerCertAuth", "false")
	api := settingsAt(t, nil, "kube-apiserver", "--token-auth-file=/t.csv", "--enable-admission-plugins=NodeRestriction")
	value(api, "authorization", "AlwaysAllow")
	value(api, "tokens", "/t.csv")
}

// TestSettingsOfMonitors: what lets commands in is found in the file and in what it includes; a file that includes more is unknown.
func TestSettingsOfMonitors(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		argv  []string
		want  string // "" is not known
	}{
		"nrpe on":                     {map[string]string{"n.cfg": "dont_blame_nrpe=1\n"}, []string{"nrpe", "-c", "/n.cfg"}, "dont_blame_nrpe=1"},
		"nrpe off":                    {map[string]string{"n.cfg": "# dont_blame_nrpe=1\ndont_blame_nrpe=0\n"}, []string{"nrpe", "-c", "/n.cfg"}, "no"},
		"nrpe included":               {map[string]string{"n.cfg": "include_dir=/n.d/\n", "n.d/x.cfg": "dont_blame_nrpe=1\n"}, []string{"nrpe", "-c", "/n.cfg"}, "dont_blame_nrpe=1"},
		"nrpe without":                {nil, []string{"nrpe"}, ""},
		"zabbix on":                   {map[string]string{"z.conf": "AllowKey=system.run[*]\n"}, []string{"zabbix_agentd", "-c", "/z.conf"}, "AllowKey=system.run[*]"},
		"zabbix included":             {map[string]string{"etc/zabbix/zabbix_agentd.conf": "Include=/z.d/*.conf\n", "z.d/a.conf": "EnableRemoteCommands=1\n"}, []string{"zabbix_agentd"}, "EnableRemoteCommands=1"},
		"zabbix off":                  {map[string]string{"etc/zabbix/zabbix_agentd.conf": "Include=/z.d/*.conf\n", "z.d/a.conf": "Server=x\n"}, []string{"zabbix_agentd"}, "no"},
		"zabbix deeper":               {map[string]string{"etc/zabbix/zabbix_agentd.conf": "Include=/z.d/*.conf\n", "z.d/a.conf": "Include=/y\n"}, []string{"zabbix_agentd"}, ""},
		"snmpd writes":                {map[string]string{"etc/snmp/snmpd.conf": "rwcommunity secret 10.0.0.0/8\n"}, []string{"snmpd"}, "rwcommunity"},
		"Prometheus, lifecycle":       {nil, []string{"prometheus", "--web.enable-lifecycle"}, "--web.enable-lifecycle"},
		"Prometheus, a password":      {map[string]string{"w.yml": "basic_auth_users: {a: x}\n"}, []string{"prometheus", "--web.enable-lifecycle", "--web.config.file=/w.yml"}, "no"},
		"Prometheus, a certificate":   {map[string]string{"w.yml": "tls_server_config: {client_auth_type: RequireAndVerifyClientCert}\n"}, []string{"prometheus", "--web.enable-admin-api", "--web.config.file", "/w.yml"}, "no"},
		"Prometheus, asks for none":   {map[string]string{"w.yml": "tls_server_config: {client_auth_type: RequestClientCert}\n"}, []string{"prometheus", "--web.enable-lifecycle", "--web.config.file=/w.yml"}, "--web.enable-lifecycle"},
		"Prometheus, no file":         {nil, []string{"prometheus", "--web.enable-lifecycle", "--web.config.file=/w.yml"}, ""},
		"snmpd writes, the host":      {map[string]string{"etc/snmp/snmpd.conf": "rwcommunity secret 127.0.0.1\ncom2sec -Cn c local localhost private\n"}, []string{"snmpd"}, "no"},
		"snmpd writes, a network":     {map[string]string{"etc/snmp/snmpd.conf": "rwcommunity localhost\n"}, []string{"snmpd"}, "rwcommunity"},
		"snmpd reads":                 {map[string]string{"etc/snmp/snmpd.conf": "rocommunity public default -V systemonly\n"}, []string{"snmpd"}, "no"},
		"snmpd includes nothing":      {map[string]string{"etc/snmp/snmpd.conf": "includeDir /etc/snmp/snmpd.conf.d\n"}, []string{"snmpd"}, "no"},
		"snmpd includes":              {map[string]string{"etc/snmp/snmpd.conf": "includeDir /d\n", "d/a.conf": "includeFile /b\n", "b": "rwcommunity x\n", "d/c": "rwuser y noauth\n"}, []string{"snmpd"}, "rwcommunity"},
		"snmpd includes itself":       {map[string]string{"etc/snmp/snmpd.conf": "includeFile /etc/snmp/snmpd.conf\n"}, []string{"snmpd"}, ""},
		"snmpd searches":              {map[string]string{"etc/snmp/snmpd.conf": "includeSearch x\n"}, []string{"snmpd"}, ""},
		"nrpe, long option":           {map[string]string{"n.cfg": "dont_blame_nrpe=1\n", "etc/nagios/nrpe.cfg": "dont_blame_nrpe=0\n"}, []string{"nrpe", "--config=/n.cfg"}, "dont_blame_nrpe=1"},
		"nrpe, a file":                {map[string]string{"n.cfg": "include_file=/x.cfg\n", "x.cfg": "dont_blame_nrpe=1\n"}, []string{"nrpe", "-c", "/n.cfg"}, "dont_blame_nrpe=1"},
		"zabbix, relative":            {map[string]string{"z.conf": "Include=./z.d/*.conf\n"}, []string{"zabbix_agent2", "-c", "/z.conf"}, ""},
		"snmpd, another file besides": {map[string]string{"etc/snmp/snmpd.conf": "RWcommunity x\n", "s.conf": "sysName a\n"}, []string{"snmpd", "-c", "/s.conf"}, "rwcommunity"},
		"snmpd, another file alone":   {map[string]string{"etc/snmp/snmpd.conf": "rwcommunity x\n", "s.conf": "sysName a\n"}, []string{"snmpd", "-C", "-c", "/s.conf"}, "no"},
		"snmpd, local":                {map[string]string{"etc/snmp/snmpd.conf": "", "etc/snmp/snmpd.local.conf": "authcommunity log,read,write x\n"}, []string{"snmpd"}, "authcommunity"},
		"snmpd, a path":               {map[string]string{"environ": "SNMPCONFPATH=/s\x00", "s/snmpd.conf": "rwuser -s usm x noauth\n"}, []string{"snmpd"}, "rwuser noauth"},
		"snmpd, views":                {map[string]string{"etc/snmp/snmpd.conf": "com2sec n default x\naccess g \"\" any noauth exact all all none\n"}, []string{"snmpd"}, "access noauth"},
		"snmpd, views to read":        {map[string]string{"etc/snmp/snmpd.conf": "access g \"\" any noauth exact all none none\n"}, []string{"snmpd"}, "no"},
		"snmpd without":               {nil, []string{"snmpd"}, ""},
		"prometheus":                  {nil, []string{"prometheus", "--web.enable-lifecycle"}, "--web.enable-lifecycle"},
		"prometheus plain":            {nil, []string{"prometheus", "--config.file=/p.yml"}, "no"},
	} {
		f := settingsAt(t, c.files, c.argv...)["remoteCommands"]
		if f.Value != c.want || (f.State == snapshot.Present) != (c.want != "") {
			t.Errorf("%s: %+v, want %q", name, f, c.want)
		}
	}
	if f := settingsAt(t, map[string]string{"etc/snmp/snmpd.conf": "rocommunity public\n"}, "snmpd")["community"]; f.Value != "public" {
		t.Errorf("community: %+v", f)
	}
	for k, f := range settingsAt(t, map[string]string{"etc/snmp/snmpd.conf": "rwcommunity topsecret\n"}, "snmpd") {
		if f.Value == "topsecret" {
			t.Errorf("%s keeps a secret", k)
		}
	}
}

// TestServersThatSystemdStarts: a socket unit that is enabled says where its server listens, whatever the port is; one that is not enabled, or that
// starts something else, says nothing.
func TestServersThatSystemdStarts(t *testing.T) {
	s, root := hostOf(t, map[string]string{
		"usr/lib/systemd/system/cockpit.socket":          "[Socket]\nListenStream=9090\n",
		"etc/systemd/system/cockpit.socket.d/l.conf":     "[Socket]\nListenStream=\nListenStream=10.0.0.1:9443\n",
		"usr/lib/systemd/system/cockpit.service":         "[Service]\nExecStart=/usr/lib/cockpit/cockpit-tls\n",
		"usr/lib/systemd/system/in.telnetd.socket":       "[Socket]\nListenStream=2323\nAccept=yes\n",
		"usr/lib/systemd/system/in.telnetd@.service":     "[Service]\nExecStart=-/usr/sbin/in.telnetd\n",
		"usr/lib/systemd/system/off.socket":              "[Socket]\nListenStream=23\nService=in.telnetd@.service\n",
		"usr/lib/systemd/system/web.socket":              "[Socket]\nListenStream=80\n",
		"usr/lib/systemd/system/web.service":             "[Service]\nExecStart=/usr/bin/web\n",
		"etc/systemd/system/sockets.target.wants/":       "",
		"etc/systemd/system/multi-user.target.requires/": "",
	})
	for _, link := range []string{"sockets.target.wants/cockpit.socket", "multi-user.target.requires/in.telnetd.socket", "sockets.target.wants/web.socket"} {
		if err := os.Symlink("/usr/lib/systemd/system/"+filepath.Base(link), filepath.Join(root, "etc/systemd/system", link)); err != nil {
			t.Fatal(err)
		}
	}
	var got strings.Builder
	for _, v := range s.managedSockets(new(Outcome)) {
		got.WriteString(fmt.Sprintf("%s %s %v; ", v.Name, v.Role, v.Listen))
	}
	if want := "Cockpit console [10.0.0.1:9443]; telnetd cleartext [2323]; "; got.String() != want {
		t.Errorf("%q, want %q", got.String(), want)
	}
}

// TestShellsThatAsk: what shells for browsers ask shows in their options (Shell In A Box 2.21 asks for a login unless it is told a user).
func TestShellsThatAsk(t *testing.T) {
	for _, c := range []struct{ line, env, want string }{
		{"shellinaboxd -t", "", "asks"},
		{"shellinaboxd -t -s /:LOGIN", "", "asks"},
		{"shellinaboxd --service=/:SSH:10.0.0.1 -s /x:AUTH:HOME:SHELL", "", "asks"},
		{"shellinaboxd -t -s /:LOGIN -s /root:root:root:/:/bin/sh", "", "none"},
		{"shellinaboxd -s/:nobody:nogroup:/:/bin/sh", "", "none"},
		{"ttyd bash", "", "none"},
		{"ttyd -p 8080 -W bash", "", "none"},
		{"ttyd -W -p 8080 login", "", "asks"},
		{"ttyd -p 8080 tmux new -A -s login", "", "none"},
		{"ttyd -c u:p bash", "", "asks"},
		{"ttyd --credential=u:p -W bash", "", "asks"},
		{"ttyd -R top", "", "shows"},
		{"shellinaboxd -t --serv /:nobody:nogroup:/:/bin/sh", "", "none"},
		{"shellinaboxd -tqs /:nobody:nogroup:/:/bin/sh", "", "none"},
		{"shellinaboxd -ts/:nobody:nogroup:/:/bin/sh", "", "none"},
		{"shellinaboxd -t -c -s/ -u -s", "", "asks"},
		{"ttyd -Wc u:p bash", "", "asks"},
		{"ttyd --cred u:p bash", "", "asks"},
		{"ttyd -A ca.pem -W bash", "", "none"},
		{"ttyd -SA ca.pem -W bash", "", "asks"},
		{"ttyd -c u:p -H X-User -W bash", "", "none"},
		{"ttyd -W -- login", "", "asks"},
		{"gotty -permit-write bash", "", "none"},
		{"gotty -w -credential u:p bash", "", "asks"},
		{"gotty -w=false bash", "", "shows"},
		{"gotty -w --tls-ca-crt ca.pem bash", "", "none"},
		{"gotty -w -t --tls-ca-crt ca.pem bash", "", "asks"},
		{"gotty top", "", "shows"},
		{"gotty -w bash", "", "none"},
		{"gotty -w -c u:p bash", "", "asks"},
		{"gotty -w bash", "GOTTY_CREDENTIAL=u:p\x00", "asks"},
		{"node /usr/bin/wetty --port 3000", "", "asks"},
		{"node /usr/bin/wetty --command /bin/bash", "", "none"},
		{"node /usr/bin/wetty --ssh-host h", "SSHPASS=x\x00", "none"},
	} {
		if f := settingsAt(t, map[string]string{"environ": c.env}, strings.Fields(c.line)...)["login"]; f.Value != c.want {
			t.Errorf("%s %q: %+v, want %s", c.line, c.env, f, c.want)
		}
	}
}

// TestCertificatesOfEtcd: what etcd 3.4.23 asks of who connects by TLS, by its options.
func TestCertificatesOfEtcd(t *testing.T) {
	for _, c := range []struct{ line, environ, file, want string }{
		{"etcd", "", "", "false false"},
		{"etcd --client-cert-auth --peer-client-cert-auth=1", "", "", "true true"},
		{"etcd -client-cert-auth -peer-client-cert-auth=1", "", "", "true true"},
		{"etcd -config-file /e.yml", "", "client-transport-security: {client-cert-auth: true}\n", "true false"},
		{"etcd --trusted-ca-file ca.pem --peer-trusted-ca-file=ca.pem", "", "", "true true"},
		{"etcd", "ETCD_CLIENT_CERT_AUTH=1\x00ETCD_PEER_CLIENT_CERT_AUTH=T\x00", "", "true true"},
		{"etcd --auto-tls --client-cert-auth --peer-auto-tls --peer-client-cert-auth", "", "", "false false"},
		{"etcd --auto-tls --client-cert-auth --cert-file c.pem --key-file k.pem", "", "", "true false"},
		{"etcd --config-file /e.yml", "", "client-transport-security: {trusted-ca-file: ca.pem}\npeer-transport-security: {client-cert-auth: true, auto-tls: true}\n", "true false"},
	} {
		m := settingsAt(t, map[string]string{"environ": c.environ, "e.yml": c.file}, strings.Fields(c.line)...)
		if got := m["clientCertAuth"].Value + " " + m["peerCertAuth"].Value; got != c.want {
			t.Errorf("%s %q: %s, want %s", c.line, c.environ, got, c.want)
		}
	}
}

// TestShellsForWhoConnects: what socat, ncat and netcat start for whom connects is a shell if it is told nothing to run.
func TestShellsForWhoConnects(t *testing.T) {
	for line, want := range map[string]string{
		"socat|TCP-LISTEN:7777,reuseaddr,fork|EXEC:/bin/sh": "none", "socat|-d|tcp-l:7777,fork|exec:bash -li,pty,stderr": "none", "socat|exec:sh|tcp4-listen:7777": "none",
		"socat|tcp-listen:7777,fork|system:sh /opt/x.sh": "", "socat|tcp-listen:7777|exec:cat": "", "socat|tcp:192.0.2.1:7777|exec:sh": "", "socat|-V": "",
		"socat|tcp-listen:7777,range=10.0.0.0/8|exec:sh": "unknown", "ncat|-lk|7777|-e|/bin/bash": "none", "ncat|-l|--keep-open|--sh-exec|/bin/bash -i|7777": "none",
		"ncat|-lk|7777|--allow|10.0.0.1|-e|/bin/bash": "unknown", "ncat|-lk|7777|-e|/bin/cat": "", "ncat|192.0.2.1|7777|-e|/bin/bash": "",
		"nc.traditional|-lp7777|-c|exec sh": "none", "nc.traditional|-l|-p|7777|-c|sh -c id": "", "nc.traditional|-l|-p|7777": "",
	} {
		argv := strings.Split(line, "|")
		p := &process{argv: argv}
		p.PID, p.Exe = 77, "/usr/bin/"+argv[0]
		got := ""
		if v, ok := managed(p); ok && v.Role == snapshot.RoleShell {
			f := settingsOf[v.Name](nil, p)["login"]
			got = map[bool]string{true: f.Value, false: "unknown"}[f.State == snapshot.Present]
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
