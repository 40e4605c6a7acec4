//go:build linux && !ringfence_portable

package checks

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/sshd"
)

// TestIdentify: a name counts for what it says only where root made it, and what is inside a container says nothing.
func TestIdentify(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	root, mal := snapshot.Word{By: snapshot.ByRoot}, snapshot.Word{By: snapshot.ByUID, UID: 1001}
	for _, c := range []struct {
		path  string
		given int // from that name on, directories belong to uid 1001; 0 for none
		want  identity
	}{
		{"/system.slice/docker-" + id + ".scope", 0, identity{container: id, runtime: "docker", word: root}},
		{"/docker/" + id, 0, identity{container: id, runtime: "docker", word: root}},
		{"/machine.slice/libpod-" + id + ".scope/container", 0, identity{container: id, runtime: "podman", word: root}},
		{"/machine.slice/libpod-conmon-" + id + ".scope", 0, identity{}},
		{
			"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod0f1e2d3c_0000_1111_2222_333344445555.slice/cri-containerd-" + id + ".scope",
			0,
			identity{container: id, runtime: "containerd", pod: "0f1e2d3c-0000-1111-2222-333344445555", word: root},
		},
		{"/kubepods/burstable/pod0f1e2d3c-0000-1111-2222-333344445555/" + id, 0, identity{container: id, runtime: "kubernetes", pod: "0f1e2d3c-0000-1111-2222-333344445555", word: root}},
		{"/system.slice/ssh.service", 0, identity{unit: "ssh.service"}},
		{"/system.slice/agent.service/worker", 2, identity{unit: "agent.service"}}, // a delegated unit keeps the name that root gave it
		{
			"/user.slice/user-1001.slice/user@1001.service/app.slice/docker.service", 3,
			identity{unit: "user@1001.service", userUnit: "docker.service"},
		},
		{
			"/user.slice/user-1001.slice/user@1001.service/user.slice/libpod-" + id + ".scope", 3,
			identity{unit: "user@1001.service", container: id, runtime: "podman", word: mal},
		},
		{
			"/user.slice/user-1001.slice/user@1001.service/docker-" + id + ".scope", 3,
			identity{unit: "user@1001.service", container: id, runtime: "docker", word: mal},
		},
		// systemd in a container names cgroups too, and root is its own root there.
		{"/system.slice/docker-" + id + ".scope/system.slice/ssh.service", 0, identity{container: id, runtime: "docker", word: root}},
		{"/lxc.payload.web/init.scope", 0, identity{container: "web", runtime: "lxc", word: root}},
		{"/", 0, identity{}},
	} {
		owners := make([]int, len(split(c.path))+1)
		for i := range owners {
			if c.given > 0 && i >= c.given {
				owners[i] = 1001
			}
		}
		if d := cmp.Diff(c.want, identify(c.path, owners), cmp.AllowUnexported(identity{})); d != "" {
			t.Errorf("%s:\n%s", c.path, d)
		}
	}
	if got := containerID(id, mal); got == id {
		t.Error("a uid's container has the id of one of root's")
	}
}

func TestOpenClawConfiguration(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       snapshot.OpenClawConfig
	}{
		{
			"new spelling", `{
  // JSON5: comments, trailing commas, unquoted keys
  gateway: {bind: 'lan', port: 19000, auth: {mode: "token", token: "${TOKEN}"}},
  agents: {defaults: {sandbox: {mode: "all"}}, entries: {main: {sandbox: {mode: "off"}}, b: {}}},
  tools: {exec: {security: "allowlist", ask: "always"}, elevated: {enabled: true, allowFrom: {discord: ["*"]}}},
}`,
			snapshot.OpenClawConfig{
				Bind: "lan", Port: 19000, AuthMode: "token", SecretSet: true, Sandbox: "all", WeakAgents: []string{"main"},
				ExecSecurity: "allowlist", ExecAsk: "always", Elevated: true, ElevatedAny: true,
			},
		},
		{
			"old spelling", `{"gateway": {"token": "x"}, "agent": {"sandbox": {"mode": "non-main"}}, "agents": {"list": [{"id": "a", "sandbox": {"mode": "off"}}]}}`,
			snapshot.OpenClawConfig{SecretSet: true, Sandbox: "non-main", WeakAgents: []string{"a"}},
		},
		{
			"modes, and what is on by itself", `{agents: {defaults: {sandbox: {mode: "all"}}}, tools: {exec: {mode: "ask"}, elevated: {allowFrom: {whatsapp: ["*"]}}}}`,
			snapshot.OpenClawConfig{Sandbox: "all", ExecSecurity: "allowlist", ExecAsk: "on-miss", Elevated: true, ElevatedAny: true},
		},
		{
			"commands past the sandbox", `{agents: {defaults: {sandbox: {mode: "all"}}}, tools: {exec: {host: "gateway", mode: "deny"}}}`,
			snapshot.OpenClawConfig{Sandbox: "all", WeakAgents: []string{"main (tools.exec.host: gateway)"}, ExecSecurity: "deny", ExecAsk: "off"},
		},
		{
			"an agent's own words", `{agents: {defaults: {sandbox: {mode: "all"}}, entries: {
  main: {tools: {elevated: {enabled: false}}},
  x: {tools: {exec: {host: "gateway", security: "full", ask: "off"}, elevated: {allowFrom: {whatsapp: ["+1"]}}}},
  y: {sandbox: {mode: "non-main"}, tools: {exec: {mode: "allowlist"}, elevated: {enabled: false}}},
}}, tools: {exec: {mode: "deny"}, elevated: {allowFrom: {whatsapp: ["*"]}}}}`,
			snapshot.OpenClawConfig{
				Sandbox: "all", WeakAgents: []string{"x (tools.exec.host: gateway)", "y"}, ExecSecurity: "full", ExecAsk: "off", Elevated: true,
			},
		},
		{
			"an agent in its sandbox runs what it likes there", `{agents: {defaults: {sandbox: {mode: "all"}}, list: [
  {id: "a", tools: {exec: {mode: "full"}}}, {id: "b", sandbox: {mode: "off"}}, {id: "c", tools: {exec: {host: "auto"}}},
]}, tools: {exec: {mode: "allowlist", host: "sandbox"}}}`,
			snapshot.OpenClawConfig{Sandbox: "all", WeakAgents: []string{"b"}, ExecSecurity: "allowlist", ExecAsk: "off"},
		},
		{"a secret by reference", `{gateway: {auth: {mode: "password", password: {source: "env", id: "P"}}}}`, snapshot.OpenClawConfig{AuthMode: "password", SecretSet: true}},
		{"no authentication", `{gateway: {auth: {mode: "none"}}}`, snapshot.OpenClawConfig{AuthMode: "none"}},
	} {
		var got snapshot.OpenClawConfig
		if err := parseOpenClaw([]byte(c.text), &got); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s:\n%s", c.name, d)
		}
	}
	for _, text := range []string{`{tools: {exec: {mode: "${M}"}}}`, `{agents: {entries: {x: {tools: {exec: {host: "${H}"}}}}}}`} {
		var got snapshot.OpenClawConfig
		if err := parseOpenClaw([]byte(text), &got); err == nil || got.Sandbox != "unknown" {
			t.Errorf("%s: sandbox %q, %v", text, got.Sandbox, err)
		}
	}
	if err := parseOpenClaw([]byte("{gateway: "), new(snapshot.OpenClawConfig)); err == nil {
		t.Error("a broken file was read")
	}
}

// TestWhoSaysWhoComesToAGateway: a proxy that is one address; of a network everybody is one.
func TestWhoSaysWhoComesToAGateway(t *testing.T) {
	for list, want := range map[string]snapshot.Status{
		`["10.9.9.1", "::1", "10.9.9.2/32"]`: snapshot.Present,
		`["10.9.9.1", "10.9.9.0/24"]`:        snapshot.Error,
		`["2001:db8::/64"]`:                  snapshot.Error,
		`["${PROXY}"]`:                       snapshot.Error,
	} {
		var cfg snapshot.OpenClawConfig
		if err := parseOpenClaw([]byte(`{gateway: {trustedProxies: `+list+`, auth: {mode: "trusted-proxy"}}}`), &cfg); err != nil {
			t.Fatal(err)
		}
		if got := openClawAuth(&cfg); got.State != want {
			t.Errorf("%s: %+v", list, got)
		}
		if cfg.AuthMode = "token"; openClawAuth(&cfg).State != snapshot.Present {
			t.Errorf("%s: a token is asked for all the same", list)
		}
	}
}

func TestSSHConfigurationFromFiles(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin yes\nPasswordAuthentication yes\n" +
			"Match Address 10.0.0.0/8 User bob\n  PermitRootLogin no\nMatch User root\n\tPasswordAuthentication=no\n",
		"etc/ssh/sshd_config.d/50.conf": "PasswordAuthentication no\n# comment\nKbdInteractiveAuthentication \"no\"\n",
	} {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h := host.At(root)
	f, err := sshd.Parse(defaultSSHDConfig, sshd.Source{Read: h.ReadFile, Glob: func(p string) []string { list, _ := h.Glob(p); return list }})
	if err != nil {
		t.Fatal(err)
	}
	global := f.Global(nil, sshd.Defaults())
	if global["passwordauthentication"][0] != "no" || global["permitrootlogin"][0] != "yes" {
		t.Errorf("the first value does not hold: %v", global)
	}
	bob := &sshd.Conn{User: &sshd.User{Name: "bob"}, Addr: "10.0.0.1"}
	if len(f.Blocks) != 2 || f.Over(bob, global)["permitrootlogin"][0] != "no" || f.Blocks[0] != "Address 10.0.0.0/8 User bob" {
		t.Errorf("blocks %+v", f.Blocks)
	}
}

// TestNestingIsBounded: what is too deep is refused before the decoder sees it.
func TestNestingIsBounded(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{
		{"{a: [1, {b: 2}]}", 3},
		{"{a: '[[[', b: \"{{\\\"{\"}", 1},
		{"// [[[\n[]", 1},
		{"/* [[ */ [[]]", 2},
		{"// [[", 0},
		{"/* [[", 0},
		{strings.Repeat("[", 100), 100},
		{"'\\", 0},
		{"/", 0},
	} {
		if got := nesting([]byte(c.text)); got != c.want {
			t.Errorf("%.40q: %d, want %d", c.text, got, c.want)
		}
	}
	deep := "{gateway: {token: " + strings.Repeat("[", 400_000) + strings.Repeat("]", 400_000) + "}}"
	if err := parseOpenClaw([]byte(deep), new(snapshot.OpenClawConfig)); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("%v", err)
	}
}

// TestKernelParameters: names are kept, and values only of what hardens the kernel.
func TestKernelParameters(t *testing.T) {
	got := kernelParameters("BOOT_IMAGE=/vmlinuz root=UUID=1 lockdown=integrity my.token=s3cret quiet mitigations=auto")
	if want := "BOOT_IMAGE root lockdown=integrity my.token quiet mitigations=auto"; got != want {
		t.Errorf("%q", got)
	}
}

// TestPlainArguments: a daemon's command line is kept only if nothing in it can be a secret.
func TestPlainArguments(t *testing.T) {
	for _, c := range []struct {
		argv string
		kept bool
	}{
		{"dockerd -H fd:// --containerd=/run/containerd/containerd.sock", true},
		{"dockerd -Htcp://0.0.0.0:2375 --tlsverify --data-root /srv/docker", true},
		{"dockerd --log-opt splunk-token=abc", false},
		{"dockerd --registry-mirror https://user:pw@mirror", false},
		{"dockerd -H tcp://user:pw@0.0.0.0:2375", false},
		{"dockerd secret", false},
	} {
		p := &process{argv: strings.Fields(c.argv)}
		p.Exe = "/usr/bin/dockerd"
		if got := plainArgs(p); got != nil != c.kept {
			t.Errorf("%s: %q", c.argv, got)
		}
	}
	if plainArgs(&process{argv: []string{"dockerd"}, cut: true}) != nil {
		t.Error("a command line that was cut is kept")
	}
}

// TestReadingIsBounded: a FIFO, a device and an endless file in the place of a file.
func TestReadingIsBounded(t *testing.T) {
	if _, err := host.Local().ReadFile("/dev/zero"); !errors.Is(err, host.ErrNotRegular) {
		t.Errorf("/dev/zero: %v", err)
	}
	root := t.TempDir()
	big := filepath.Join(root, "big")
	f, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(host.MaxFile + 1); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := host.At(root).ReadFile("/big"); err == nil {
		t.Error("a file above the limit was read")
	}
	if f := (&Scan{Host: host.At(root)}).fact("/none"); f.State != snapshot.Absent {
		t.Errorf("an absent file is %v", f)
	}
	if f := toFact("", &fs.PathError{Err: fs.ErrPermission}); f.State != snapshot.Denied {
		t.Errorf("a refused file is %v", f)
	}
}

func TestCipherSuiteZero(t *testing.T) {
	suites := func(from, n int) []byte {
		var l []byte
		for i := range n {
			l = append(l, byte(from+i))
		}
		return l
	}
	for _, c := range []struct {
		name   string
		count  int
		list   []byte
		levels []byte
		want   int
	}{
		{"listed and open", 15, suites(0, 16), []byte{0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x04}, 4},
		{"listed and unused", 15, suites(0, 16), []byte{0x40, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x04}, 0},
		{"not listed, levels in order", 15, suites(1, 16), []byte{0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x04}, 0},
		{"not listed, levels by number", 15, suites(1, 16), []byte{0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44}, 4},
		{"nothing", 0, nil, nil, 0},
	} {
		if got := suiteZero(c.count, c.list, c.levels); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestCutSocketIsAnError: a socket that cannot be read is none that is left out in silence.
func TestCutSocketIsAnError(t *testing.T) {
	for _, k := range socketKinds {
		if _, _, err := parseSocket(k, []byte{k.family, 10, 0, 0}, nil); !errors.Is(err, wire.ErrTruncated) {
			t.Errorf("%s: %v", k.proto, err)
		}
	}
}

func FuzzParsers(f *testing.F) {
	f.Add([]byte("Name:\tsh\nUid:\t0 0 0 0\nCapEff:\t0\n"))
	f.Add([]byte("22 1 0:20 / /run rw,nosuid shared:5 - tmpfs tmpfs rw\n"))
	f.Add([]byte("Match User a\nPermitRootLogin yes\nInclude x\n"))
	f.Add([]byte("{gateway: {bind: 'lan'}}"))
	f.Add([]byte("authorization:\n{ users: [{user: 'a'}] }\n[x]\na = b\n&include c\n"))
	f.Add([]byte("l \"tcp\" {\n p = [1, {a: \"b\"}]\n}\n<Location /a>\nAllow from x\nRequire user y\n/srv -rw *(sec=sys,ro,sec=krb5)\n"))
	f.Add([]byte("kvm -vnc :1,to=3,websocket=on -mon chardev=m -chardev socket,id=m,port=1 -serial mon:mon:tcp::1\n"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		parseStatus(b)
		parseMountinfo(b)
		identify(cgroupPath(b), []int{0, 0, 1001})
		osRelease(b)
		_ = parseOpenClaw(b, new(snapshot.OpenClawConfig))
		_, _ = sshd.Parse("/x", sshd.Source{Read: func(string) ([]byte, error) { return b, nil }, Glob: func(string) []string { return nil }})
		for _, k := range socketKinds {
			_, _, _ = parseSocket(k, b, func(int) string { return "" })
		}
		if c, err := wire.ParseConnection(b); err == nil {
			published(&c)
		}
		parseIGMP(string(b))
		parseIGMP6(string(b))
		parseFilters(string(b))
		(&natsReader{text: string(b)}).block(0)
		_ = readHCL(string(b), map[string][]string{})
		c := cups{locations: map[string]*cupsBlock{}, limits: map[string]*cupsBlock{}}
		c.read(string(b))
		c.may("print-job", true)
		c.at("/admin/conf")
		cupsPorts(string(b))
		exportsOf(string(b))
		sections(string(b))
		keyLines(string(b))
		covering(parseMountinfo(b), "/a/b")
		_, _ = qemuServers(&process{Process: snapshot.Process{Exe: "/usr/bin/kvm"}, argv: strings.Fields(string(b))})
	})
}

func TestMulticastGroups(t *testing.T) {
	addr := netip.MustParseAddr
	igmp := "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n" +
		"1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n" +
		"3\tlong-name-of-eth:     2      V3\n\t\t\t\t030201EF     1 0:00000000\t\t0\n\t\t\t\tnonsense\n\n\t\t\t\t010000E0     1 0:00000000\t\t0\n"
	all := addr("224.0.0.1")
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 { // the kernel prints in its own order
		want := []linkGroup{{1, all}, {3, addr("239.1.2.3")}, {3, all}}
		if got := parseIGMP(igmp); !slices.Equal(got, want) {
			t.Errorf("igmp: %v", got)
		}
	}
	igmp6 := "2    v1              ff0200000000000000000001ff15029c     1 00000004 0\n3 x zz 1\n3\n"
	if got := parseIGMP6(igmp6); !slices.Equal(got, []linkGroup{{2, addr("ff02::1:ff15:29c")}}) {
		t.Errorf("igmp6: %v", got)
	}
	filters := "Idx Device        MCA        SRC    INC    EXC\n  1     lo 0xe8010204 0x0a000009      1      0\n" +
		"  2     v1 ff0200000000000000000001ff15029c fd000000000000000000000000000001      0      1\n"
	got := parseFilters(filters)
	if len(got) != 2 || !got[linkGroup{1, addr("232.1.2.4")}] || !got[linkGroup{2, addr("ff02::1:ff15:29c")}] {
		t.Errorf("filters: %v", got)
	}
}

// TestLoggedIn: the titles are those of OpenSSH 9.2 and 10.0.
func TestLoggedIn(t *testing.T) {
	proc := func(exe, title string, uid int) *process {
		return &process{Process: snapshot.Process{Exe: exe, UID: uid}, argv: []string{title}}
	}
	byPID := map[int]*process{
		1: proc("/usr/sbin/sshd", "sshd: [accepted]", 0), 2: proc("/usr/sbin/sshd", "sshd: root [net]", 105), 3: proc("/usr/sbin/sshd", "sshd: root [priv]", 0),
		4: proc("/usr/sbin/sshd", "sshd: alice@pts/0 ", 1000), 5: proc("/usr/lib/openssh/sshd-session", "sshd-session: root@notty", 0),
		6: proc("/usr/lib/openssh/sshd-auth", "sshd-auth: root", 105), 7: proc("/usr/sbin/dropbear", "dropbear", 0), 8: proc("/usr/sbin/dropbear", "dropbear", 0),
		9: proc("/tmp/python3", "sshd: root@notty", 1000),
	}
	for _, c := range []struct {
		pids []int
		want snapshot.Login
	}{
		{[]int{1}, snapshot.No},
		{[]int{2, 3}, snapshot.No},
		{[]int{3, 2}, snapshot.No},
		{[]int{3, 4}, snapshot.Yes},
		{[]int{3}, ""},
		{[]int{5}, snapshot.Yes},
		{[]int{5, 6}, snapshot.No},
		{[]int{7}, ""},
		{[]int{8}, snapshot.Yes},
		{[]int{9}, ""},
		{nil, ""},
		{[]int{99}, ""},
	} {
		if got := loggedIn(c.pids, byPID, map[int]bool{8: true}); got != c.want {
			t.Errorf("%v: %q, want %q", c.pids, got, c.want)
		}
	}
}

// TestArgumentCountsTheLast: as programs count an option that is given several times.
func TestArgumentCountsTheLast(t *testing.T) {
	for line, want := range map[string]string{
		"p --auth token --auth=none": "none", "p --auth=none --auth token": "token", "p --auth --auth": "--auth", "p --auth": "", "p --authority=x": "",
	} {
		if got := argument(strings.Fields(line), "--auth"); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	p := &process{argv: []string{"kube-apiserver", "--authorization-mode=AlwaysAllow", "--authorization-mode=RBAC"}}
	if got := apiServerSettings(nil, p)["authorization"].Value; got != "AlwaysAllow,RBAC" {
		t.Errorf("modes of authorization: %q", got)
	}
}
