//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/need"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/sshd"
)

// sshdTexts are configurations as people write them, and as nobody should.
var sshdTexts = []string{
	"PermitRootLogin yes  # for ansible\nPasswordAuthentication yes # until keys are rolled out\n",
	"permitrootlogin=yes\nPASSWORDAUTHENTICATION = \"yes\"\n\tKbdInteractiveAuthentication\tno\r\n",
	"PasswordAuthentication no\nPasswordAuthentication yes\nMatch all\n PasswordAuthentication yes\n",
	"Match User root\n PermitRootLogin yes\nMatch User root,daemon\n PermitRootLogin no\n PasswordAuthentication no\n",
	"PasswordAuthentication no\nMatch User !root,*\n PasswordAuthentication yes\n",
	"PasswordAuthentication no\nMatch Group !daemon,*\n PasswordAuthentication yes\nMatch Group daemon\n PermitRootLogin yes\n",
	"PasswordAuthentication no\nMatch Address 10.0.0.0/8,!10.1.0.0/16\n PasswordAuthentication yes\nMatch Address fd00::/8 User root\n PermitRootLogin yes\n",
	"PasswordAuthentication yes\nMatch Address !192.168.0.0/16,*\n PasswordAuthentication no\n",
	"Match LocalPort 2222\n PasswordAuthentication no\nMatch LocalAddress 192.0.2.2\n PermitRootLogin no\n",
	"Match Host *.example.org\n PasswordAuthentication no\n",
	"Include DIR/a.conf\nPasswordAuthentication no\nMatch User root\n Include DIR/b.conf\n X11Forwarding no\nMatch User daemon\n Include DIR/a.conf\n",
	"Match User nobody-at-all\n Include DIR/a.conf\nMatch User daemon\n PermitRootLogin yes\n",
	"AuthenticationMethods publickey,password publickey,keyboard-interactive\nAllowUsers root alice@10.0.0.0/8 'bob'\nAllowUsers carol # dave\n",
	"ChallengeResponseAuthentication no\nUsePAM no\nPermitEmptyPasswords yes\n",
	"Match user daemon host * address *\n PasswordAuthentication no\nMatch User d?emon\n KbdInteractiveAuthentication no\n",
}

var sshdIncluded = map[string]string{
	"a.conf": "PermitRootLogin no\nMatch User daemon\n PasswordAuthentication yes\nMatch User root\n KbdInteractiveAuthentication no\n",
	"b.conf": "PermitRootLogin yes\nMatch Address 10.0.0.0/8\n PermitEmptyPasswords yes\n",
}

// TestSSHDReadsTheSame asks sshd itself for the settings of connections: it gives those that we find in its files, whatever Match blocks,
// files and options say.
func TestSSHDReadsTheSame(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("needs root: sshd -T reads host keys")
	}
	program := need.Program(t, "/usr/sbin/sshd")
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, text := range sshdIncluded {
		writeFile(t, filepath.Join(dir, name), text)
	}
	options := []string{"", "PasswordAuthentication=no", "PermitRootLogin yes"}
	var script strings.Builder
	script.WriteString("mount -t tmpfs none /run && mkdir /run/sshd\n")
	var asked []func(out string)
	conns := []*sshd.Conn{}
	for _, u := range []*sshd.User{{Name: "root", Real: true, Groups: []string{"root"}}, {Name: "daemon", Real: true, Groups: []string{"daemon"}}} {
		for _, addr := range []string{"10.0.0.1", "10.1.0.1", "192.168.1.1", "fd00::1"} {
			conns = append(conns, &sshd.Conn{User: u, Host: "a.example.org", Addr: addr, LAddr: "192.0.2.2", LPort: "2222"})
		}
	}
	for i, text := range sshdTexts {
		file := filepath.Join(dir, fmt.Sprintf("config%d", i))
		writeFile(t, file, strings.ReplaceAll(text, "DIR", dir))
		h := host.At("/")
		f, err := sshd.Parse(file, sshd.Source{Read: h.ReadFile, Glob: func(p string) []string { list, _ := h.Glob(p); return list }})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range options {
			given := readOptions([]string{"sshd", "-D", "-o", o}, false)
			if o == "" {
				given = readOptions([]string{"sshd", "-D"}, false)
			}
			for _, c := range conns {
				fmt.Fprintf(&script, "echo '#'; %s -T -h %s -f %s -C %s", program, key, file, c.Spec())
				if o != "" {
					fmt.Fprintf(&script, " -o '%s'", o)
				}
				script.WriteString("\n")
				want := f.Over(c, f.Global(sshd.OptionSettings(given.options), sshd.Defaults()))
				asked = append(asked, func(out string) { compareSettings(t, text, o, c.Spec(), out, want) })
			}
		}
	}
	out, err := exec.Command("unshare", "-m", "sh", "-c", script.String()).Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(string(out), "#\n")[1:]
	if len(answers) != len(asked) {
		t.Fatalf("%d answers to %d questions", len(answers), len(asked))
	}
	for i, a := range answers {
		asked[i](a)
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func compareSettings(t *testing.T, text, option, spec, out string, want map[string][]string) {
	t.Helper()
	settings := map[string][]string{}
	for line := range strings.Lines(out) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			settings[k] = append(settings[k], v)
		}
	}
	for _, k := range append(slices.Sorted(maps.Keys(sshd.Defaults())), "authenticationmethods", "allowusers") {
		got := strings.Join(settings[k], " ")
		if k == "permitrootlogin" {
			got = strings.Replace(got, "without-password", "prohibit-password", 1)
		}
		if k == "authenticationmethods" && got == "any" {
			got = ""
		}
		if w := strings.Join(want[k], " "); got != w {
			t.Errorf("%q with -o %q for %s: %s is %q, sshd says %q", text, option, spec, k, w, got)
		}
	}
}

// TestSSHDCommandLine: what a server was started with is in its arguments, or in its title after it has set one.
func TestSSHDCommandLine(t *testing.T) {
	for _, c := range []struct {
		argv    []string
		config  string
		options []string
		known   bool
	}{
		{[]string{"/usr/sbin/sshd", "-D", "-o", "PasswordAuthentication=yes", "-oPermitRootLogin yes"}, defaultSSHDConfig, []string{"passwordauthentication=yes", "permitrootlogin=yes"}, true},
		{[]string{"sshd: /usr/sbin/sshd -D -o PasswordAuthentication=yes -o PermitRootLogin=yes [listener] 0 of 10-100 startups"}, defaultSSHDConfig, []string{"passwordauthentication=yes", "permitrootlogin=yes"}, true},
		{[]string{"sshd: /usr/sbin/sshd -D -o PermitRootLogin yes -p 2222 [listener] 1 of 10-100 startups"}, defaultSSHDConfig, []string{"permitrootlogin=yes", "port=2222"}, true},
		{[]string{"sshd: sshd -De -f/srv/sshd.conf -p2200 [listener] 0 of 10-100 startups"}, "/srv/sshd.conf", []string{"port=2200"}, true},
		{[]string{"/usr/sbin/sshd", "-i", "-f", "/etc/ssh/other"}, "/etc/ssh/other", nil, true},
		{[]string{"sshd: /usr/sbin/sshd -D -o " + strings.Repeat("x", 1024)}, defaultSSHDConfig, []string{strings.Repeat("x", 1024) + "="}, false},
		{[]string{"sshd: /usr/sbin/sshd -D -f /c -o PasswordAuthentica", "s"}, "/c", []string{"passwordauthentica=s"}, false},
		{
			[]string{"sshd: /usr/sbin/sshd -D -p 2298 -o AllowUsers=root admin -o PasswordAuthentication=yes [listener] 0 of 10-100 startups"},
			defaultSSHDConfig,
			[]string{"port=2298", "allowusers=root admin", "passwordauthentication=yes"},
			true,
		},
		{[]string{"sshd: /usr/sbin/sshd -D -o PermitRootLogin\\tyes [listener] 0 of 10-100 startups"}, defaultSSHDConfig, nil, false},
		{[]string{"sshd: /usr/sbin/sshd -D -f /with a/blank -o PasswordAuthentication=yes [listener] 0 of 10-100 startups"}, "/with", nil, false},
		{[]string{"sshd: alice [priv]"}, defaultSSHDConfig, nil, false},
		{[]string{"/usr/sbin/sshd", "-%"}, defaultSSHDConfig, nil, false},
	} {
		got := sshdArguments(c.argv, false)
		if got.config != c.config || !slices.Equal(got.options, c.options) || (got.why == "") != c.known {
			t.Errorf("%q: %+v", c.argv, got)
		}
	}
	if got := keptOptions([]string{"passwordauthentication=yes", "authorizedkeyscommand=/bin/x secret"}); !slices.Equal(got, []string{"passwordauthentication=yes", "authorizedkeyscommand"}) {
		t.Errorf("kept %q", got)
	}
}

// TestWhoLogsInWithAPassword: an account without a password, one that the lists keep out, and one of another Match block are not the same.
func TestWhoLogsInWithAPassword(t *testing.T) {
	files := map[string]string{
		"/etc/passwd":        "root:x:0:0::/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\nbob:x:1001:1001::/home/bob:/bin/sh\nwww:x:33:33::/:/usr/sbin/nologin\n",
		"/etc/shadow":        "root:*:1::::::\nalice:$y$j9T$x:1::::::\nbob:!:1::::::\nwww:*:1::::::\n",
		"/etc/group":         "sftp:x:50:bob\nalice:x:1000:\n",
		"/etc/nsswitch.conf": "passwd: files systemd\n",
	}
	read := func(f string) ([]byte, error) {
		if text, ok := files[f]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}
	logins := func(config string) map[string]*snapshot.SSHLogins {
		files["/c"] = config
		f, err := sshd.Parse("/c", sshd.Source{Read: read, Glob: func(string) []string { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		a := loginFiles(read)
		groups, _ := f.Groups(f.Principals(a.users), sshd.Ends{Names: true}, sshd.MaxQuestions)
		m := map[string]*snapshot.SSHLogins{}
		for _, g := range groups {
			m[f.Label(g.Blocks)] = a.logins(g, f.Over(g.Conn, f.Global(nil, sshd.Defaults())))
		}
		return m
	}
	for _, c := range []struct {
		config string
		want   map[string]*snapshot.SSHLogins
	}{
		{"", map[string]*snapshot.SSHLogins{"": {Root: snapshot.Locked, Users: []string{"alice"}, Locked: []string{"bob"}}}},
		{"Match User alice\n PasswordAuthentication yes\n", map[string]*snapshot.SSHLogins{
			"": {Root: snapshot.Locked, Locked: []string{"bob"}}, "User alice": {Root: snapshot.No, Users: []string{"alice"}},
		}},
		{"Match Group sftp\n PasswordAuthentication yes\n", map[string]*snapshot.SSHLogins{
			"": {Root: snapshot.Locked, Users: []string{"alice"}}, "Group sftp": {Root: snapshot.No, Locked: []string{"bob"}},
		}},
		{"AllowUsers bob alice@10.0.0.0/8\n", map[string]*snapshot.SSHLogins{"": {Root: snapshot.No, Users: []string{"alice"}, Locked: []string{"bob"}}}},
		{"PasswordAuthentication no\nMatch RDomain a\n PasswordAuthentication no\nMatch RDomain b User alice\n PasswordAuthentication yes\n", map[string]*snapshot.SSHLogins{
			"": {Root: snapshot.Locked, Users: []string{"alice"}, Locked: []string{"bob"}}, "RDomain a": {Root: snapshot.Locked, Users: []string{"alice"}, Locked: []string{"bob"}},
			"RDomain a + RDomain b User alice": {Root: snapshot.No, Users: []string{"alice"}}, "RDomain b User alice": {Root: snapshot.No, Users: []string{"alice"}},
		}},
		{"DenyGroups alice\n", map[string]*snapshot.SSHLogins{"": {Root: snapshot.Locked, Locked: []string{"bob"}}}},
	} {
		if d := cmp.Diff(c.want, logins(c.config)); d != "" {
			t.Errorf("%q:\n%s", c.config, d)
		}
	}
	files["/etc/nsswitch.conf"] = "passwd: files sss\n"
	if got := logins("")[""]; !got.Others {
		t.Errorf("accounts of a directory are not seen: %+v", got)
	}
	files["/etc/nsswitch.conf"], files["/etc/pam.d/common-auth"] = "passwd: files\n", "auth [success=1 default=ignore] pam_ldap.so use_first_pass\n"
	if got := logins("")[""]; !got.Others {
		t.Errorf("passwords of a directory are not seen: %+v", got)
	}
}

// TestPasswordsOfElsewhere: PAM asks what its files say in all that they include; what cannot be read may ask for anything.
func TestPasswordsOfElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string // "-" cannot be read
		want  bool
	}{
		"nothing":             {nil, false},
		"its own":             {map[string]string{"/etc/pam.d/sshd": "@include common-auth\naccount required pam_ldap.so\n", "/etc/pam.d/common-auth": "auth\t[success=1 default=ignore]\tpam_unix.so nullok\nauth requisite pam_deny.so\n"}, false},
		"included":            {map[string]string{"/etc/pam.d/sshd": "auth include remote\n", "/etc/pam.d/remote": "-AUTH [success=2 \\\n default=die] pam_krb5.so\n"}, true},
		"as a stack":          {map[string]string{"/etc/pam.d/sshd": "auth substack /etc/vpn/pam\n", "/etc/vpn/pam": "auth required pam_userdb.so\n"}, true},
		"by its path":         {map[string]string{"/etc/pam.d/sshd": "auth sufficient /opt/login/verify.so\n"}, true},
		"where it is shipped": {map[string]string{"/usr/lib/pam.d/sshd": "auth required pam_sss.so\n"}, true},
		"a comment":           {map[string]string{"/etc/pam.d/sshd": "#auth required pam_ldap.so\nauth required pam_unix.so # pam_ldap.so\n"}, false},
		"not read":            {map[string]string{"/etc/pam.d/sshd": "-"}, true},
	} {
		got := otherPasswords(func(f string) ([]byte, error) {
			switch text, ok := c.files[f]; {
			case !ok && !path.IsAbs(f):
				return nil, os.ErrInvalid
			case !ok:
				return nil, os.ErrNotExist
			case text == "-":
				return nil, os.ErrPermission
			default:
				return []byte(text), nil
			}
		})
		if got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestRootIsAmongTheAccounts: root may log in where the accounts cannot be read, and where it is the last of many.
func TestRootIsAmongTheAccounts(t *testing.T) {
	var many strings.Builder
	for i := range 300 {
		fmt.Fprintf(&many, "u%d:*:%d:100::/home/u:/bin/sh\n", i, 1000+i)
	}
	for name, c := range map[string]struct {
		passwd string
		want   snapshot.Login
	}{"not read": {"", snapshot.Unsure}, "the last": {many.String() + "toor:$6$x:0:0::/root:/bin/sh\n", snapshot.Yes}} {
		a := loginFiles(onlyPasswd(c.passwd))
		if got := a.logins(&sshd.Group{Users: new(sshd.File).Principals(a.users)}, nil); got.Root != c.want || !got.Others {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// onlyPasswd reads passwd(5), and nothing else may be read.
func onlyPasswd(text string) func(string) ([]byte, error) {
	return func(f string) ([]byte, error) {
		if f == "/etc/passwd" && text != "" {
			return []byte(text), nil
		}
		return nil, os.ErrPermission
	}
}

// TestPasswordsThatAreNotSeen: who does not read shadow(5), or knows of modules of PAM that ask elsewhere, does not know who has a password.
func TestPasswordsThatAreNotSeen(t *testing.T) {
	passwd := "root:x:0:0::/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\n"
	logins := func(read func(string) ([]byte, error)) *snapshot.SSHLogins {
		a := loginFiles(read)
		return a.logins(&sshd.Group{Users: new(sshd.File).Principals(a.users)}, nil)
	}
	got := logins(onlyPasswd(passwd))
	if got.Root != snapshot.Unsure || !slices.Equal(got.Unsure, []string{"alice"}) || got.Users != nil || got.Locked != nil {
		t.Errorf("without shadow: %+v", got)
	}
	for module, root := range map[string]snapshot.Login{"ldap": snapshot.Unsure, "sss": snapshot.Locked, "unix": snapshot.Locked} {
		files := map[string]string{
			"/etc/passwd": passwd, "/etc/shadow": "root:*:1::::::\nalice:!:1::::::\n", "/etc/pam.d/sshd": "auth sufficient pam_" + module + ".so\n",
		}
		got := logins(func(f string) ([]byte, error) {
			if text, ok := files[f]; ok {
				return []byte(text), nil
			}
			return nil, os.ErrNotExist
		})
		if got.Root != root || slices.Contains(got.Unsure, "alice") != (module != "unix") {
			t.Errorf("%s: %+v", module, got)
		}
	}
}

// TestSSHSocketUnits: where systemd listens the addresses are those of the unit and its drop-ins, generated ones too, and the server is
// configured as its service starts it.
func TestSSHSocketUnits(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"usr/lib/systemd/system/ssh.socket":                                 "[Socket]\nListenStream=22\nAccept=no\n",
		"usr/lib/systemd/system/ssh.service":                                "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n",
		"etc/default/ssh":                                                   "SSHD_OPTS=\"-o PermitRootLogin=yes -f /etc/ssh/other\"\n",
		"etc/systemd/system/ssh.socket.d/port.conf":                         "[Socket]\nListenStream=\nListenStream=0.0.0.0:2222\n",
		"run/systemd/generator/ssh.socket.d/addresses.conf":                 "[Socket]\nListenStream=[::]:2022\n",
		"run/systemd/generator/sshd-unix-local.socket":                      "[Socket]\nListenStream=/run/ssh-unix-local/socket\nAccept=yes\n",
		"run/systemd/generator/sshd-unix-local@.service":                    "[Service]\nExecStart=-/usr/sbin/sshd -i\n",
		"usr/lib/systemd/system/admin.socket":                               "[Socket]\nListenStream=7022\nService=admin-ssh.service\n",
		"usr/lib/systemd/system/admin-ssh.service":                          "[Service]\nExecStart=/usr/sbin/dropbear -i -s\n",
		"usr/lib/systemd/system/web.socket":                                 "[Socket]\nListenStream=80\n",
		"usr/lib/systemd/system/web.service":                                "[Service]\nExecStart=/usr/sbin/nginx\n",
		"etc/systemd/system/sockets.target.wants/ssh.socket":                "",
		"usr/lib/systemd/system/ssh.socket.d/away.conf":                     "[Socket]\nListenStream=2200\n",
		"etc/systemd/system/sockets.target.wants/sshd.socket":               "",
		"etc/systemd/system/sockets.target.wants/admin.socket":              "",
		"etc/systemd/system/multi-user.target.wants/web.socket":             "",
		"run/systemd/generator/sockets.target.wants/sshd-unix-local.socket": "",
		"usr/lib/systemd/system/sockets.target.wants/shipped.socket":        "",
		"usr/lib/systemd/system/shipped.socket":                             "[Socket]\nListenStream=22\nAccept=yes\n",
		"usr/lib/systemd/system/shipped@.service":                           "[Service]\nExecStart=@/usr/sbin/sshd sshd -i -o PermitRootLogin=yes\n",
	} {
		writeFile(t, filepath.Join(root, name), text)
	}
	for _, link := range []string{"etc/systemd/system/ssh.socket.d/away.conf", "etc/systemd/system/sshd.socket"} {
		if err := os.Symlink("/dev/null", filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	out := new(Outcome)
	got := map[string]sshSocket{}
	for _, k := range newScan(host.At(root)).sshSockets(out) {
		got[k.unit] = k
	}
	want := map[string]sshSocket{
		"ssh.socket": {
			"ssh.socket", "ssh.service", "openssh",
			[]string{"0.0.0.0:2222"},
			strings.Fields("/usr/sbin/sshd -D -o PermitRootLogin=yes -f /etc/ssh/other"),
			sshdCommand{config: "/etc/ssh/other", named: true, options: []string{"permitrootlogin=yes"}},
			nil,
		},
		"sshd-unix-local.socket": {"sshd-unix-local.socket", "sshd-unix-local@.service", "openssh", []string{"/run/ssh-unix-local/socket"}, []string{"/usr/sbin/sshd", "-i"}, sshdCommand{config: defaultSSHDConfig}, nil},
		"shipped.socket": {
			"shipped.socket", "shipped@.service", "openssh",
			[]string{"22"},
			strings.Fields("/usr/sbin/sshd -i -o PermitRootLogin=yes"),
			sshdCommand{config: defaultSSHDConfig, options: []string{"permitrootlogin=yes"}},
			nil,
		},
		"admin.socket": {"admin.socket", "admin-ssh.service", "dropbear", []string{"7022"}, []string{"/usr/sbin/dropbear", "-i", "-s"}, sshdCommand{config: "dropbear command line"}, nil},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(sshSocket{}, sshdCommand{})); d != "" || len(out.reasons) > 0 {
		t.Error(d, out.reasons)
	}
}

// TestSSHDOfAnotherBuild: one that no package put there has its configuration where it was built for, if nothing names it.
func TestSSHDOfAnotherBuild(t *testing.T) {
	for line, known := range map[string]bool{
		"/usr/sbin/sshd -D": true, "/usr/local/sbin/sshd -D": false, "/usr/local/sbin/sshd -D -f /etc/ssh/sshd_config": true, "/opt/ssh/sbin/sshd -De": false,
		"sshd -D": true,
	} {
		argv := strings.Fields(line)
		if c := sshdArguments(argv, false).by(argv[0]); (c.why == "") != known {
			t.Errorf("%s: %q", line, c.why)
		}
	}
}

// TestOptionsCountForKeys: a server that is started without keys lets nobody in with one, whatever its file says.
func TestOptionsCountForKeys(t *testing.T) {
	if !withSSHD(t) {
		return
	}
	file := filepath.Join(t.TempDir(), "config")
	writeFile(t, file, "PubkeyAuthentication yes\n")
	s := newScan(host.Local())
	if settings, _ := s.askSSHD(t.Context(), file, nil, ""); settings == nil {
		t.Fatal("sshd tells no settings")
	}
	for _, a := range s.sshAccounts(t.Context(), file, []string{"pubkeyauthentication=no"}, false, nil) {
		if a.Key != snapshot.No || !strings.HasPrefix(a.Why, "PubkeyAuthentication") {
			t.Errorf("%+v", a)
		}
	}
}

// withSSHD runs the test once more where sshd finds what it wants before it tells anything: host keys, and its directory in /run. It says whether
// this is that run.
func withSSHD(t *testing.T) bool {
	t.Helper()
	const within = "RINGFENCE_WITH_SSHD"
	if os.Getenv(within) != "" {
		return true
	}
	if os.Geteuid() != 0 {
		t.Fatal("needs root: mounts of its own")
	}
	need.Program(t, "/usr/sbin/sshd")
	cmd := exec.Command("unshare", "-m", "sh", "-ec",
		`mount -t tmpfs none /run; mkdir /run/sshd; mount -t tmpfs none /etc/ssh; ssh-keygen -A >/dev/null; exec "$0" -test.run "^$1\$" -test.v`, os.Args[0], t.Name())
	cmd.Env = append(os.Environ(), within+"=1")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Fatalf("%v: %s", err, out)
	}
	return false
}

// TestWhetherAConfigurationIsInForce: it is if it was seen that none of its files was changed since the server read it.
func TestWhetherAConfigurationIsInForce(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		read, changed time.Time
		err           error
		inForce       bool
	}{
		"older":                  {now, now.Add(-time.Minute), nil, true},
		"younger":                {now, now.Add(time.Minute), nil, false},
		"a directory that is no": {now, now, os.ErrNotExist, true},
		"not seen":               {now, now, errSilent, false},
		"of no known start":      {time.Time{}, now, nil, false},
	} {
		r := &sshReader{paths: []string{"/c"}, stat: func(string) (host.Stat, error) { return host.Stat{Changed: c.changed}, c.err }}
		if why := changedSince(c.read, r); (why == "") != c.inForce {
			t.Errorf("%s: %q", name, why)
		}
	}
}

// TestConnectionsOfSocketUnits: what systemd starts for one connection is told by its socket unit, which alone says where it listens.
func TestConnectionsOfSocketUnits(t *testing.T) {
	sockets := []sshSocket{{unit: "ssh.socket", service: "ssh@.service"}, {unit: "admin.socket", service: "admin.service"}}
	for unit, want := range map[string]bool{
		"ssh@0-10.0.0.1:22-10.0.0.2:40000.service": true, "ssh.service": false, "admin.service": false, "sshx@1.service": false, "": false,
	} {
		if accepted(unit, sockets) != want {
			t.Errorf("%s: %v", unit, !want)
		}
	}
	for listen, want := range map[string]bool{"22": true, "0.0.0.0:22": true, "[::]:22": true, "vsock::22": false, "/run/ssh-unix-local/socket": false, "2222": false} {
		if ofPort22(listen) != want {
			t.Errorf("%s: %v", listen, !want)
		}
	}
}

// TestDropbearIsToldByItsArguments: it has no file, and takes its options one by one or together.
func TestDropbearIsToldByItsArguments(t *testing.T) {
	for _, c := range []struct {
		line     string
		password string
		root     string
	}{
		{"dropbear -R -E -p 2222", "yes", "yes"},
		{"dropbear -REs -p 22", "no", "yes"},
		{"dropbear -Fg -P /run/s.pid", "yes", "prohibit-password"},
		{"dropbear -r /etc/keys -w", "yes", "no"},
		{"dropbear -r -s", "yes", "yes"},
	} {
		m := dropbearSettings(strings.Fields(c.line))
		if m["passwordauthentication"][0] != c.password || m["permitrootlogin"][0] != c.root {
			t.Errorf("%s: %v", c.line, m)
		}
	}
}

// TestLongConfigurationsEnd: who may write a configuration can make it long in every way; it is thought through in bounded time, or refused.
func TestLongConfigurationsEnd(t *testing.T) {
	var names, nets, blocks strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&names, " u%d", i)
		fmt.Fprintf(&nets, "10.%d.%d.0/24,", i>>8&255, i&255)
	}
	for i := range 200 {
		fmt.Fprintf(&blocks, "Match User u%d Address 10.%d.0.0/16\n PasswordAuthentication yes\n", i, i)
	}
	for name, text := range map[string]string{
		"names":    "AllowUsers" + names.String() + "\n" + blocks.String(),
		"networks": "Match Address " + nets.String() + "\n",
		"blocks":   blocks.String(),
	} {
		inTime(t, 5*time.Second, len(text), func() {
			f, err := sshd.Parse("/c", sshd.Source{Read: func(string) ([]byte, error) { return []byte(text), nil }, Glob: func(string) []string { return nil }})
			if err != nil {
				if name == "networks" {
					return
				}
				t.Fatal(err)
			}
			a := &sshAccountsOf{}
			for i := range maxPrincipals {
				a.users = append(a.users, &sshd.User{Name: fmt.Sprintf("u%d", i), UID: 1000 + i, Real: true})
			}
			groups, whole := f.Groups(f.Principals(a.users), sshd.Ends{Names: true}, sshd.MaxQuestionsOfUser)
			for _, g := range groups {
				a.logins(g, f.Over(g.Conn, f.Global(nil, sshd.Defaults())))
			}
			if whole {
				t.Errorf("%s: more than is thought through is called whole", name)
			}
		})
	}
}

// TestConnectionsOfALinkNameIt: an address of a link alone says not who it is, and one of IPv4, or of no link, needs no interface.
func TestConnectionsOfALinkNameIt(t *testing.T) {
	for from, want := range map[string]string{"[fe80::9]:50000": "[fe80::9%3]:50000", "169.254.1.9:50000": "169.254.1.9:50000", "[2001:db8::9]:50000": "[2001:db8::9]:50000"} {
		if got := onLink(netip.MustParseAddrPort(from), 3).String(); got != want {
			t.Errorf("%s: %s, want %s", from, got, want)
		}
	}
	if got := onLink(netip.MustParseAddrPort("[fe80::9]:50000"), 0).String(); got != "[fe80::9]:50000" {
		t.Error(got)
	}
}
