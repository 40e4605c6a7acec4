//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// powerHost is a host in a directory, whose files have modes and owners: "MODE UID:GID PATH", with a slash at the end for a directory, " -> "
// before what a link leads to, " + " before what setfacl(1) adds, and " = " before what is in it.
func powerHost(t *testing.T, files ...string) *Scan {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("needs root, to give files to others")
	}
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range append([]string{
		"755 0:0 /etc/", "755 0:0 /run/systemd/system/", "755 0:0 /etc/systemd/system/", "644 0:0 /etc/passwd = root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n",
		"644 0:0 /etc/group = staff:x:50:ann\n",
	}, files...) {
		what, text, _ := strings.Cut(f, " = ")
		what, acl, listed := strings.Cut(what, " + ")
		what, link, linked := strings.Cut(what, " -> ")
		var mode uint32
		var uid, gid int
		var name string
		if _, err := fmt.Sscanf(what, "%o %d:%d %s", &mode, &uid, &gid, &name); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		p := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		switch {
		case err != nil:
		case linked:
			err = os.Symlink(link, p)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(p, 0o755)
		default:
			err = os.WriteFile(p, []byte(text), 0o600)
		}
		if err == nil {
			err = os.Lchown(p, uid, gid)
		}
		if err == nil && !linked {
			err = exec.Command("chmod", fmt.Sprintf("%o", mode), p).Run()
		}
		if err == nil && listed {
			err = exec.Command("setfacl", "-m", acl, p).Run()
		}
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
	}
	return newScan(host.At(root))
}

// found are the files of a kind that others decide of, in words.
func found(t *testing.T, s *Scan, about string) (list []string) {
	t.Helper()
	snap := new(snapshot.Snapshot)
	out := collectPowers(t.Context(), s, snap)
	if out.status != "" {
		t.Errorf("%s: %v", out.status, out.reasons)
	}
	for _, f := range snap.Powers.Files {
		if !strings.HasPrefix(f.Path, about) {
			continue
		}
		var permits []string
		for _, p := range f.Permits {
			permits = append(permits, fmt.Sprintf("%s %d at %s", p.Who, p.ID, p.At))
		}
		var text strings.Builder
		text.WriteString(fmt.Sprintf("%s %s %d %s: %s%s", f.Kind, f.Path, f.UID, f.Trigger, strings.Join(permits, ", "), f.Unread))
		for _, g := range f.Gates {
			text.WriteString(" behind " + g.At)
			for _, p := range g.Permits {
				text.WriteString(fmt.Sprintf(" of %s %d", p.Who, p.ID))
			}
		}
		if f.Unsure != "" {
			text.WriteString(" (" + f.Unsure + ")")
		}
		list = append(list, text.String())
	}
	slices.Sort(list)
	return list
}

// TestFilesThatOthersChange: what root runs and reads counts by whoever can write it, or a directory on the way, or a directory of a link.
func TestFilesThatOthersChange(t *testing.T) {
	unit := func(lines string) string {
		return "644 0:0 /etc/systemd/system/a.service = [Service]\n" + strings.ReplaceAll(lines, "; ", "\n") + "\n"
	}
	wants := "777 0:0 /etc/systemd/system/multi-user.target.wants/a.service -> ../a.service"
	for name, c := range map[string]struct {
		files []string
		about string
		want  []string
	}{
		"all are root's":                   {[]string{unit("ExecStart=/opt/a"), "755 0:0 /opt/a"}, "/opt", nil},
		"a script":                         {[]string{unit("ExecStart=-/opt/a x"), wants, "757 0:0 /opt/a"}, "/opt", []string{"program /opt/a 0 restart: all 0 at /opt/a"}},
		"of a unit that is not started":    {[]string{unit("ExecStart=/opt/a"), "755 1000:0 /opt/a"}, "/opt", []string{"program /opt/a 0 operator: user 1000 at /opt/a"}},
		"a directory":                      {[]string{unit("ExecStart=/opt/d/a"), wants, "775 0:50 /opt/d/", "755 0:0 /opt/d/a"}, "/opt", []string{"program /opt/d/a 0 restart: group 50 at /opt/d"}},
		"a sticky directory":               {[]string{unit("ExecStart=/opt/d/a"), wants, "1777 0:0 /opt/d/", "755 0:0 /opt/d/a"}, "/opt", nil},
		"nothing there yet":                {[]string{unit("ExecStart=/opt/d/a"), wants, "1757 0:0 /opt/d/"}, "/opt", []string{"program /opt/d/a 0 restart: all 0 at /opt/d"}},
		"a link":                           {[]string{unit("ExecStart=/opt/a"), wants, "777 0:0 /opt/a -> /srv/d/a", "757 0:0 /srv/d/", "755 0:0 /srv/d/a"}, "/opt", []string{"program /opt/a 0 restart: all 0 at /srv/d"}},
		"an argument of a shell":           {[]string{unit("ExecStart=/bin/sh /opt/a"), wants, "755 0:0 /bin/sh", "755 1000:0 /opt/a"}, "/opt", []string{"program /opt/a 0 restart: user 1000 at /opt/a"}},
		"an argument of a program":         {[]string{unit("ExecStart=/bin/x /opt/a"), wants, "755 0:0 /bin/x", "755 1000:0 /opt/a"}, "/opt", []string{"system /opt/a 0 restart: user 1000 at /opt/a (what x does by what is there was not followed)"}},
		"an argument that is read":         {[]string{unit("ExecStart=/bin/cat /opt/a"), wants, "755 0:0 /bin/cat", "755 1000:0 /opt/a"}, "/opt", nil},
		"a value of an option":             {[]string{unit("WorkingDirectory=/opt; ExecStart=/bin/x --config=./a.yml -v /tmp"), wants, "755 0:0 /bin/x", "755 1000:0 /opt/a.yml", "1777 0:0 /tmp/"}, "/opt", []string{"system /opt/a.yml 0 restart: user 1000 at /opt/a.yml (what x does by what is there was not followed)"}},
		"a unit of a user":                 {[]string{unit("User=ann; ExecStart=/opt/a; ExecStartPre=+/opt/b"), wants, "757 0:0 /opt/a", "755 1000:0 /opt/b"}, "/opt", []string{"program /opt/a 1000 restart: all 0 at /opt/a", "program /opt/b 0 restart: user 1000 at /opt/b"}},
		"an environment":                   {[]string{unit("ExecStart=/bin/x; EnvironmentFile=-/opt/env"), wants, "755 0:0 /bin/x", "664 0:50 /opt/env"}, "/opt", []string{"unit /opt/env 0 restart: group 50 at /opt/env"}},
		"a PATH":                           {[]string{unit("ExecStart=/bin/x; Environment=\"PATH=/opt/t:/usr/bin\""), wants, "755 0:0 /bin/x", "757 0:0 /opt/t/"}, "/opt", []string{"search /opt/t 0 restart: all 0 at /opt/t"}},
		"a directory of drop-ins":          {[]string{unit("ExecStart=/bin/x"), wants, "755 0:0 /bin/x", "755 1000:0 /etc/systemd/system/a.service.d/"}, "/etc/systemd/system/a", []string{"unit /etc/systemd/system/a.service.d 0 restart: user 1000 at /etc/systemd/system/a.service.d"}},
		"a linked unit":                    {[]string{"777 0:0 /etc/systemd/system/b.service -> /home/ann/b.service", "755 1000:1000 /home/ann/", "644 1000:1000 /home/ann/b.service = [Service]\n"}, "/etc/systemd/system/b", []string{"unit /etc/systemd/system/b.service 0 operator: user 1000 at /home/ann, user 1000 at /home/ann/b.service"}},
		"a timer":                          {[]string{unit("ExecStart=/opt/a"), "644 0:0 /etc/systemd/system/a.timer = [Timer]\n", "777 0:0 /etc/systemd/system/timers.target.wants/a.timer -> ../a.timer", "755 1000:0 /opt/a"}, "/opt", []string{"program /opt/a 0 timer: user 1000 at /opt/a"}},
		"a table of cron":                  {[]string{"644 0:0 /etc/cron.d/x = */5 * * * * root cd /tmp && /opt/a -v\n@daily ann /opt/b\n", "757 0:0 /opt/a", "757 0:0 /opt/b"}, "/opt", []string{"program /opt/a 0 operator: all 0 at /opt/a", "program /opt/b 1000 operator: all 0 at /opt/b"}},
		"keys of root":                     {[]string{"700 0:0 /root/", "755 0:0 /root/.ssh/", "646 0:0 /root/.ssh/authorized_keys"}, "/root", []string{"login /root/.ssh/authorized_keys 0 none: all 0 at /root/.ssh/authorized_keys behind /root (" + sshdStrict + ")"}},
		"keys of root without StrictModes": {[]string{"700 0:0 /root/", "755 0:0 /root/.ssh/", "646 0:0 /root/.ssh/authorized_keys", "644 0:0 /etc/ssh/sshd_config = StrictModes no\n"}, "/root", []string{"login /root/.ssh/authorized_keys 0 none: all 0 at /root/.ssh/authorized_keys behind /root"}},
		"files of their own":               {[]string{"755 1000:1000 /home/ann/", "644 1000:1000 /home/ann/.bashrc"}, "/home", nil},
		"files of somebody, of others":     {[]string{"755 1000:1000 /home/ann/", "646 1000:1000 /home/ann/.bashrc"}, "/home/ann/.bashrc", []string{"login /home/ann/.bashrc 1000 login: all 0 at /home/ann/.bashrc"}},
		"a secret":                         {[]string{"640 0:42 /etc/shadow"}, "/etc/shadow", []string{"secret /etc/shadow 0 none: group 42 at /etc/shadow"}},
		"a secret behind a door":           {[]string{"750 0:50 /etc/ssh/", "644 0:0 /etc/ssh/ssh_host_rsa_key"}, "/etc/ssh/ssh_host", []string{"secret /etc/ssh/ssh_host_rsa_key 0 none: group 0 at /etc/ssh/ssh_host_rsa_key, all 0 at /etc/ssh/ssh_host_rsa_key behind /etc/ssh of group 50"}},
		"a program of the bus": {
			[]string{"644 0:0 /usr/share/dbus-1/system-services/a.service = [D-BUS Service]\nName=a\nExec=/opt/a --x\nUser=root\n", "757 0:0 /opt/a"},
			"/opt",
			[]string{"program /opt/a 0 restart: all 0 at /opt/a"},
		},
		"of a user": {
			[]string{"644 0:0 /usr/share/dbus-1/system-services/a.service = [D-BUS Service]\nExec=/opt/a\nUser=ann\n", "757 0:0 /opt/a"},
			"/opt",
			[]string{"program /opt/a 1000 restart: all 0 at /opt/a"},
		},
		"of nobody": {[]string{"644 0:0 /usr/share/dbus-1/system-services/a.service = [D-BUS Service]\nExec=/opt/a\n", "757 0:0 /opt/a"}, "/opt", nil},
		"that a unit starts": {
			[]string{"644 0:0 /usr/share/dbus-1/system-services/a.service = [D-BUS Service]\nExec=/opt/a\nUser=root\nSystemdService=a.service\n", "757 0:0 /opt/a"}, "/opt", nil,
		},
		"services of the bus": {
			[]string{"775 0:50 /usr/local/share/dbus-1/system-services/"},
			"/usr/local/share",
			[]string{"system /usr/local/share/dbus-1/system-services 0 restart: group 50 at /usr/local/share/dbus-1/system-services"},
		},
		"actions of polkit": {
			[]string{"757 0:0 /usr/share/polkit-1/actions/"}, "/usr/share", []string{"system /usr/share/polkit-1/actions 0 none: all 0 at /usr/share/polkit-1/actions"},
		},
		"modules of Python": {
			[]string{"2775 0:50 /usr/local/lib/python3.11/dist-packages/"},
			"/usr/local/lib/python3.11/",
			[]string{"search /usr/local/lib/python3.11/dist-packages 0 operator: group 50 at /usr/local/lib/python3.11/dist-packages"},
		},
		"what systemd runs": {[]string{"757 0:0 /usr/lib/systemd/system-shutdown/"}, "/usr/lib", []string{"program /usr/lib/systemd/system-shutdown 0 restart: all 0 at /usr/lib/systemd/system-shutdown"}},
		"settings of a daemon": {
			[]string{"755 0:0 /etc/nginx/", "646 0:0 /etc/nginx/nginx.conf", "757 0:0 /etc/nginx/modules.d/"},
			"/etc/nginx",
			[]string{
				"system /etc/nginx/modules.d 0 operator: all 0 at /etc/nginx/modules.d (" + restUnsure + ")",
				"system /etc/nginx/nginx.conf 0 operator: all 0 at /etc/nginx/nginx.conf (" + restUnsure + ")",
			},
		},
		"settings that a link leads to": {
			[]string{"777 0:0 /etc/x.conf -> /home/ann/x.conf", "755 1000:1000 /home/ann/", "644 1000:1000 /home/ann/x.conf"},
			"/etc/x.conf",
			[]string{"system /etc/x.conf 0 operator: user 1000 at /home/ann, user 1000 at /home/ann/x.conf (" + restUnsure + ")"},
		},
		"state that a link leads to": {[]string{"777 0:0 /etc/resolv.conf -> ../run/resolve/stub.conf", "755 990:0 /run/resolve/", "644 990:0 /run/resolve/stub.conf"}, "/etc/resolv", nil},
		"state of somebody that a link leads to": {
			[]string{"777 0:0 /etc/x.conf -> /run/user/1000/x.conf", "700 1000:1000 /run/user/1000/", "644 1000:1000 /run/user/1000/x.conf"},
			"/etc/x.conf",
			[]string{"system /etc/x.conf 0 operator: user 1000 at /run/user/1000, user 1000 at /run/user/1000/x.conf behind /run/user/1000 of user 1000 (" + restUnsure + ")"},
		},
		"a package of somebody below /usr": {
			[]string{"644 0:0 /etc/cron.d/a = * * * * * root /usr/bin/node /usr/lib/x/run.js\n", "755 0:0 /usr/bin/node = x", "644 0:0 /usr/lib/x/run.js = x", "755 1000:1000 /usr/lib/x/node_modules/y/"},
			"/usr/lib/x/node_modules/y",
			[]string{"program /usr/lib/x/node_modules/y 0 operator: user 1000 at /usr/lib/x/node_modules/y (whether /usr/lib/x/run.js loads it was not followed)"},
		},
		"settings of apt":                 {[]string{"644 0:0 /etc/apt/apt.conf = DPkg::Post-Invoke {\"/opt/a\";};\n", "757 0:0 /opt/a"}, "/opt", []string{"program /opt/a 0 timer: all 0 at /opt/a"}},
		"scripts of cloud-init":           {[]string{"757 0:0 /var/lib/cloud/scripts/per-boot/"}, "/var/lib/cloud", []string{"program /var/lib/cloud/scripts/per-boot 0 restart: all 0 at /var/lib/cloud/scripts/per-boot"}},
		"settings that run nothing":       {[]string{"757 0:0 /etc/systemd/network/", "646 0:0 /etc/systemd/journald.conf"}, "/etc/systemd", nil},
		"what is mounted":                 {[]string{"646 0:0 /etc/fstab"}, "/etc/fstab", []string{"system /etc/fstab 0 restart: all 0 at /etc/fstab"}},
		"modules that are not looked for": {[]string{"757 0:0 /usr/libexec/"}, "/usr/libexec", nil},
		"the filter":                      {[]string{"664 0:50 /etc/nftables.conf"}, "/etc/nftables", []string{"filter /etc/nftables.conf 0 restart: group 50 at /etc/nftables.conf"}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := gocmp.Diff(c.want, found(t, powerHost(t, c.files...), c.about)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestLongDirectories: of a directory with more names than are looked at it is told.
func TestLongDirectories(t *testing.T) {
	dirs := map[string]string{
		"/opt/rotated": "files", "/etc/cron.d": "files", "/usr/share/dbus-1/system-services": "files", "/var/spool/cron/atjobs": "jobs", "/etc/systemd/user": "units",
	}
	files := []string{"644 0:0 /etc/logrotate.conf = include /opt/rotated\n"}
	for dir := range dirs {
		for i := range maxInDir + 1 {
			files = append(files, fmt.Sprintf("777 0:0 %s/u%d -> /", dir, i))
		}
	}
	out := collectPowers(t.Context(), powerHost(t, files...), new(snapshot.Snapshot))
	for dir, what := range dirs {
		if told := dir + " has more " + what + " than are looked at"; !slices.Contains(out.reasons, told) {
			t.Errorf("%q is not told, but %d others", told, len(out.reasons))
		}
	}
}

// TestListsThatLetRead: who reads a secret by an access control list is listed, and who gets through a directory by one.
func TestListsThatLetRead(t *testing.T) {
	s := powerHost(t, "750 0:0 /etc/ssh/ + g:50:x", "600 0:0 /etc/ssh/ssh_host_rsa_key + u:1000:r")
	want := []string{"secret /etc/ssh/ssh_host_rsa_key 0 none: user 1000 at /etc/ssh/ssh_host_rsa_key behind /etc/ssh of group 0 of group 50"}
	if d := gocmp.Diff(want, found(t, s, "/etc/ssh/ssh_host")); d != "" {
		t.Error(d)
	}
}

// TestProgramsWithOtherPowers: set-id programs that can be run, and those with capabilities, are listed with what they give.
func TestProgramsWithOtherPowers(t *testing.T) {
	s := powerHost(t, "4755 0:0 /usr/bin/a", "2755 0:42 /usr/bin/b", "755 0:0 /usr/bin/c", "4644 0:0 /usr/bin/d", "4755 1000:0 /opt/x/bin/e", "2644 0:42 /usr/bin/f")
	snap := new(snapshot.Snapshot)
	collectPowers(t.Context(), s, snap)
	var got []string
	for _, p := range snap.Powers.Programs {
		text := p.Path
		if p.SetUID != nil {
			text += fmt.Sprintf(" uid %d", *p.SetUID)
		}
		if p.SetGID != nil {
			text += fmt.Sprintf(" gid %d", *p.SetGID)
		}
		got = append(got, text)
	}
	slices.Sort(got)
	if d := gocmp.Diff([]string{"/opt/x/bin/e uid 1000", "/usr/bin/a uid 0", "/usr/bin/b gid 42"}, got); d != "" {
		t.Error(d)
	}
	if snap.Powers.Searched != snapshot.SearchedPath {
		t.Errorf("searched %q", snap.Powers.Searched)
	}
}

// TestRulesOfSudo: what cvtsudoers prints is read with defaults, aliases, negations and what is not followed.
func TestRulesOfSudo(t *testing.T) {
	rules, err := sudoRules([]byte(`{"Defaults": [{"Options": [{"env_reset": true}]}], "User_Specs": [
		{"User_List": [{"username": "ann"}, {"usergroup": "ops"}], "Host_List": [{"hostname": "ALL"}], "Cmnd_Specs": [
			{"runasusers": [{"username": "root"}], "Options": [{"authenticate": false}], "Commands": [{"command": "/usr/bin/find"}, {"command": "/usr/bin/less", "negated": true}]}]},
		{"User_List": [{"userid": 7}], "Host_List": [{"networkaddr": "10.0.0.1"}], "Cmnd_Specs": [{"Options": [{"setenv": true}], "Commands": [{"command": "ALL"}]}]}]}`), "web1")
	if err != nil {
		t.Fatal(err)
	}
	want := []snapshot.SudoRule{
		{Users: []string{"ann", "%ops"}, As: []string{"root"}, Commands: []snapshot.SudoCommand{{Text: "/usr/bin/find"}, {Text: "/usr/bin/less", Not: true}}},
		{Users: []string{"#7"}, Commands: []snapshot.SudoCommand{{Text: "ALL"}}, Password: true, SetEnv: true, Partly: "it is for some hosts alone"},
	}
	if d := gocmp.Diff(want, rules); d != "" {
		t.Error(d)
	}
	for _, text := range []string{"{", "[]", `{"User_Specs": 1}`} {
		if _, err := sudoRules([]byte(text), "web1"); err == nil {
			t.Errorf("%q is read", text)
		}
	}
	if rules, err := sudoRules([]byte(`{"Defaults": [{"Options": [{"authenticate": false}]}], "User_Specs": [{"User_List": [{"username": "ann"}],
		"Host_List": [{"hostname": "ALL"}], "Cmnd_Specs": [{"Commands": [{"command": "ALL"}]}]}]}`), "web1"); err != nil || len(rules) != 1 || rules[0].Password {
		t.Errorf("without a password by default: %+v, %v", rules, err)
	}
}

// TestWhatRulesOfSudoKeepOpen: members of netgroups, other groups, digests and defaults are not known to give what the rule says.
func TestWhatRulesOfSudoKeepOpen(t *testing.T) {
	rule := func(user, more, command string) string {
		return `"User_Specs": [{"User_List": [` + user + `], "Host_List": [{"hostname": "ALL"}], "Cmnd_Specs": [{` + more + `"Commands": [` + command + `]}]}]}`
	}
	ann, all := `{"username": "ann"}`, `{"command": "ALL"}`
	for name, c := range map[string]struct {
		text   string
		user   string
		partly bool
		setEnv bool
	}{
		"everything":             {"{" + rule(ann, "", all), "ann", false, false},
		"a netgroup":             {"{" + rule(`{"netgroup": "admins"}`, "", all), "+admins", false, false},
		"a group of a directory": {"{" + rule(`{"nonunixgroup": "admins"}`, "", all), "%:admins", false, false},
		"other groups":           {"{" + rule(ann, `"runasgroups": [{"usergroup": "docker"}], `, all), "ann", false, false},
		"a digest":               {"{" + rule(ann, "", `{"command": "/opt/a", "sha256": "x"}`), "ann", true, false},
		"LD_PRELOAD is kept":     {`{"Defaults": [{"Options": [{"operation": "list_add", "env_keep": ["LD_PRELOAD"]}]}], ` + rule(ann, "", all), "ann", true, false},
		"colors are kept":        {`{"Defaults": [{"Options": [{"operation": "list_add", "env_keep": ["LS_COLORS", "LC_*"]}]}], ` + rule(ann, "", all), "ann", false, false},
		"all variables are kept": {`{"Defaults": [{"Options": [{"env_reset": false}]}], ` + rule(ann, "", all), "ann", true, false},
		"noexec":                 {`{"Defaults": [{"Options": [{"noexec": true}]}], ` + rule(ann, "", all), "ann", true, false},
		"setenv":                 {`{"Defaults": [{"Options": [{"setenv": true}]}], ` + rule(ann, "", all), "ann", false, true},
		"setenv, but here":       {`{"Defaults": [{"Options": [{"setenv": true}]}], ` + rule(ann, `"Options": [{"setenv": false}], `, all), "ann", false, false},
		"setenv of some":         {`{"Defaults": [{"Binding": [{"username": "x"}], "Options": [{"setenv": true}]}], ` + rule(ann, "", all), "ann", true, false},
	} {
		rules, err := sudoRules([]byte(c.text), "web1")
		if err != nil || len(rules) != 1 {
			t.Fatalf("%s: %v, %v", name, rules, err)
		}
		if r := rules[0]; !slices.Equal(r.Users, []string{c.user}) || r.Partly != "" != c.partly || r.SetEnv != c.setEnv {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestRulesFromElsewhere: rules of sudo that a directory has, or that another sudo reads, are said not to be read.
func TestRulesFromElsewhere(t *testing.T) {
	for _, f := range []string{"644 0:0 /etc/nsswitch.conf = passwd: files\nsudoers: files sss\n", "440 0:0 /etc/sudoers-rs = ann ALL=(ALL) ALL\n"} {
		if out := collectPowers(t.Context(), powerHost(t, f), new(snapshot.Snapshot)); out.status != snapshot.Partial {
			t.Errorf("%s: %q", f, out.status)
		}
	}
}

// TestRulesOfPolkit: rules of the usual form are read, each way in which a condition holds, and what is a program is not followed.
func TestRulesOfPolkit(t *testing.T) {
	rule := func(condition, result string) string {
		return "// a rule\npolkit.addRule(function(action, subject) {\n    if (" + condition + ") {\n        return polkit.Result." + result + ";\n    }\n});\n"
	}
	for text, want := range map[string][]snapshot.PolkitGrant{
		rule(`action.id == "a.b" && subject.isInGroup("ops")`, "YES"): {{Action: "a.b", Groups: []string{"ops"}}},
		rule(`(action.id == "a.b" || action.id == "c.d") && subject.active == true && subject.local && subject.user == "ann"`, "YES"): {
			{Action: "a.b", Session: true, Users: []string{"ann"}}, {Action: "c.d", Session: true, Users: []string{"ann"}},
		},
		rule(`action.id == "a.b" && action.lookup("unit") == "x.service" && subject.isInGroup("ops")`, "YES"): {{Action: "a.b", Narrower: true, Groups: []string{"ops"}}},
		rule(`action.id == "a.b" && action.lookup("unit") != "x.service" && subject.user == "ann"`, "YES"):    {{Action: "a.b", Users: []string{"ann"}}},
		rule(`subject.isInGroup("ops")`, "YES") + rule(`action.id == "a.b"`, "NO"):                            {{Groups: []string{"ops"}}},
		rule(`subject.isInGroup("ops")`, "AUTH_SELF") + "for (;;) {}":                                         nil,
		`polkit.addAdminRule(function(action, subject) { return ["unix-group:sudo"]; });`:                     nil,
		rule(`action.id == "a.b" && (subject.isInGroup ("sudo") || subject.isInGroup ("netdev"))`, "YES"):     {{Action: "a.b", Groups: []string{"sudo"}}, {Action: "a.b", Groups: []string{"netdev"}}},
	} {
		got, err := ruleGrants(text)
		if d := gocmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", text, err, d)
		}
	}
	for _, text := range []string{
		rule(`!subject.isInGroup("ops")`, "YES"), rule(`action.id.indexOf("a.") == 0`, "YES"), "var x = polkit.Result.YES;", rule("true", "YES"),
		rule(strings.Repeat("(", 100)+`action.id == "a"`, "YES"),
	} {
		if got, err := ruleGrants(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
	told := map[string]polkitAction{}
	got, err := actionGrants([]byte(`<policyconfig><action id="a"><defaults><allow_any>yes</allow_any></defaults></action><action id="b"><defaults>
		<allow_any>auth_admin</allow_any><allow_active>yes</allow_active></defaults></action><action id="c"><defaults><allow_any>no</allow_any></defaults>
		<annotate key="org.freedesktop.policykit.exec.path">/usr/bin/find</annotate><annotate key="org.freedesktop.policykit.exec.argv1">/etc</annotate></action>
		<action id="d"><annotate key="org.freedesktop.policykit.imply">c a</annotate></action></policyconfig>`), told)
	if d := gocmp.Diff([]snapshot.PolkitGrant{{Action: "a"}, {Action: "b", Session: true}}, got); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
	exec := []string{"/usr/bin/find", "/etc"}
	of := []string{"x"}
	if d := gocmp.Diff([]snapshot.PolkitGrant{{Action: "d", Users: of}, {Action: "c", Users: of, Exec: exec}, {Action: "a", Users: of}}, annotated([]snapshot.PolkitGrant{{Action: "d", Users: of}}, told)); d != "" {
		t.Errorf("what an action implies, and what pkexec runs by it: %s", d)
	}
}

// TestMoreGrantsOfPolkitThanAreFollowed: grants beyond the bound are not passed over.
func TestMoreGrantsOfPolkitThanAreFollowed(t *testing.T) {
	for n, unread := range map[int]bool{maxImplied: false, maxImplied + 1: true} {
		list := annotated(slices.Repeat([]snapshot.PolkitGrant{{Action: "a"}}, n), nil)
		if last := list[len(list)-1]; len(list) != n || (last.Unread != "") != unread {
			t.Errorf("%d grants: %d, the last %+v", n, len(list), last)
		}
	}
}

// TestInitWithoutRun looks at systems whose /run is not seen: whether systemd is the init is told by process 1.
func TestInitWithoutRun(t *testing.T) {
	s := newScan(host.At(t.TempDir()))
	for name, c := range map[string]struct {
		one  snapshot.Process
		want bool
	}{
		"systemd":                          {snapshot.Process{PID: 1, Exe: "/usr/lib/systemd/systemd", Comm: "systemd"}, true},
		"systemd, and who asks is no root": {snapshot.Process{PID: 1, Comm: "systemd"}, true},
		"another":                          {snapshot.Process{PID: 1, Exe: "/sbin/openrc-init", Comm: "systemd"}, false},
		"a manager of a user":              {snapshot.Process{PID: 900, Exe: "/usr/lib/systemd/systemd", Comm: "systemd"}, false},
	} {
		l := s.newLevers(t.Context(), new(Outcome))
		if got := l.bySystemd([]*process{{Process: c.one}}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestWhoAnswers looks at sockets with several holders: systemd answers those that it gave to nobody.
func TestWhoAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		holders []int
		systemd bool
		want    []int
	}{
		"its own":                    {[]int{1}, true, []int{1}},
		"given to a service":         {[]int{1, 102}, true, []int{102}},
		"of a master and workers":    {[]int{90, 91}, true, []int{90, 91}},
		"of a master as process 1":   {[]int{1, 91}, false, []int{1, 91}},
		"whose holders are not seen": {nil, true, nil},
	} {
		if got := answering(c.holders, c.systemd); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestPrintersThatAreFiles looks at schedulers of CUPS: one that writes files as root for who adds a printer is not the known one.
func TestPrintersThatAreFiles(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		argv   []string
		want   bool
	}{
		"as it is installed": {"SystemGroup lpadmin\n#FileDevice Yes\n", []string{"cupsd", "-l"}, false},
		"files":              {"FileDevice Yes\n", []string{"cupsd", "-l"}, true},
		"another writing":    {"  filedevice\tOn\n", []string{"cupsd"}, true},
		"none":               {"FileDevice No\n", []string{"cupsd", "-f"}, false},
		"settings elsewhere": {"", []string{"cupsd", "-s", "/opt/cups-files.conf"}, true},
		"a value beside it":  {"", []string{"cupsd", "-s/opt/cups-files.conf"}, true},
	} {
		s, _ := tree(t, map[string]string{"/etc/cups/cups-files.conf": c.config})
		l := s.newLevers(t.Context(), new(Outcome))
		if got := l.printsToFiles(&process{argv: c.argv}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
