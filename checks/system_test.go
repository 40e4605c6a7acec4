//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// hostOf is a host of those files below a directory; a name that ends with a slash is a directory. It is root's: the tests run as root.
func hostOf(t *testing.T, files map[string]string) (*Scan, string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("the test needs root: it gives files to others")
	}
	root := t.TempDir()
	for name, text := range files {
		p := filepath.Join(root, name)
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(p, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return newScan(host.At(root)), root
}

const passwdOfTest = "root:x:0:0::/root:/bin/bash\ntoor:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/bash\nsvc:x:999:999::/:/usr/sbin/nologin\n"

// TestSecretsThatOthersRead: a mode lets others read only through directories that let them pass; groups that a system makes for readers
// are left out.
func TestSecretsThatOthersRead(t *testing.T) {
	s, root := hostOf(t, map[string]string{
		"etc/passwd": passwdOfTest, "etc/group": "ssl-cert:x:42:alice\ndev:x:60:alice\n", "etc/ssl/private/a.key": "", "etc/ssl/private/b.key": "",
		"etc/wireguard/wg0.conf": "", "etc/wireguard/wg1.conf": "", "etc/rancher/k3s/k3s.yaml": "", "root/.kube/config": "", "root/.aws/credentials": "",
	})
	for name, m := range map[string]struct {
		gid  int
		mode os.FileMode
	}{
		"etc/ssl/private/a.key": {42, 0o640}, "etc/ssl/private/b.key": {60, 0o640}, "etc/wireguard/wg0.conf": {0, 0o644}, "etc/wireguard/wg1.conf": {0, 0o600},
		"etc/rancher/k3s/k3s.yaml": {0, 0o644}, "root": {0, 0o700}, "root/.kube/config": {0, 0o644}, "root/.aws/credentials": {60, 0o640},
	} {
		if err := os.Chown(filepath.Join(root, name), 0, m.gid); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(root, name), m.mode); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, r := range s.secretsRead(context.Background(), new(Outcome)) {
		got = append(got, r.Kind+" "+r.Path)
	}
	slices.Sort(got)
	if want := []string{"cluster /etc/rancher/k3s/k3s.yaml", "key /etc/ssl/private/b.key", "key /etc/wireguard/wg0.conf"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestSecretsByLists: a list of a file lets others read it, and one of a directory lets them through; what everybody may read is for the group
// that a directory lets through.
func TestSecretsByLists(t *testing.T) {
	read := aclOf(t, "02000000"+"01000600ffffffff"+"02000400e8030000"+"04000000ffffffff"+"10000400ffffffff"+"20000000ffffffff")
	through := aclOf(t, "02000000"+"01000700ffffffff"+"02000100e8030000"+"04000000ffffffff"+"10000100ffffffff"+"20000000ffffffff")
	for name, c := range map[string]struct {
		file, dir []byte
		fileMode  os.FileMode
		dirMode   os.FileMode
		want      string
	}{
		"a list of the file":      {file: read, dirMode: 0o755, want: "uid 1000 can read it"},
		"behind a door":           {file: read, dirMode: 0o700},
		"through a list":          {file: read, dir: through, dirMode: 0o700, want: "uid 1000 can read it"},
		"everybody, but a door":   {fileMode: 0o644, dirMode: 0o700},
		"everybody who passes":    {fileMode: 0o644, dir: through, dirMode: 0o700, want: "uid 1000 can read it"},
		"the group of the folder": {fileMode: 0o644, dirMode: 0o750, want: "group 60 can read it, which others are in"},
	} {
		s, root := hostOf(t, map[string]string{"etc/passwd": passwdOfTest, "etc/group": "dev:x:60:alice\n", "root/.netrc": ""})
		dir, file := filepath.Join(root, "root"), filepath.Join(root, "root/.netrc")
		for _, err := range []error{
			os.Chmod(root, 0o755), os.Chown(dir, 0, 60), os.Chmod(dir, c.dirMode), os.Chmod(file, cmp.Or(c.fileMode, 0o600)), setACL(dir, c.dir), setACL(file, c.file),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.elseReads(s.newPermitWalker(), "/root/.netrc"); got != c.want || err != nil {
			t.Errorf("%s: got %q, want %q, %v", name, got, c.want, err)
		}
	}
}

// aclOf is a list as the kernel has it (include/uapi/linux/posix_acl_xattr.h); the test is skipped where files have none.
func aclOf(t *testing.T, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	if err := setACL(t.TempDir(), b); err != nil {
		if !errors.Is(err, unix.ENOTSUP) {
			t.Fatal(err)
		}
		t.Skip("the file system lacks: access control lists")
	}
	return b
}

func setACL(at string, list []byte) error {
	if list == nil {
		return nil
	}
	return unix.Setxattr(at, "system.posix_acl_access", list, 0)
}

// TestOpenAccounts: who is root under another name, and who needs no password and has a shell.
func TestOpenAccounts(t *testing.T) {
	s, _ := hostOf(t, map[string]string{
		"etc/passwd": passwdOfTest, "etc/shadow": "root:$6$x:1\ntoor:!:1\nalice::1\nsvc::1\n",
	})
	got := s.openAccounts(new(Outcome))
	want := []snapshot.OpenAccount{{Name: "toor", Shell: true}, {Name: "alice", UID: 1000, Empty: true, Shell: true}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	s, _ = hostOf(t, map[string]string{"etc/shadow": ""})
	out := new(Outcome)
	if s.openAccounts(out); out.status != snapshot.Partial {
		t.Error("a host without accounts was read whole")
	}
}

// TestConsolesThatLogInByThemselves: a getty that was told to, and the login that took over from one.
func TestConsolesThatLogInByThemselves(t *testing.T) {
	proc := func(exe, unit string, argv ...string) *process {
		p := &process{argv: append([]string{exe}, argv...)}
		p.Exe, p.Unit = "/sbin/"+exe, unit
		return p
	}
	s, _ := hostOf(t, nil)
	out := new(Outcome)
	wiped, asked := proc("login", "session-9.scope", "-f", "", ""), proc("login", "session-4.scope", "-p", "--", "")
	shell := proc("bash", "session-9.scope")
	wiped.PID, wiped.PPID, asked.PPID, shell.PPID, shell.UID = 80, 1, 1, 80, 1000
	got := s.openConsoles([]*process{
		wiped, asked, shell,
		proc("agetty", "serial-getty@ttyS0.service", "--autologin", "root", "--keep-baud", "115200,57600", "ttyS0", "vt220"),
		proc("agetty", "getty@tty1.service", "-o", "-p -- \\u", "--noclear", "tty1", "linux"),
		proc("login", "getty@tty2.service", "-f", "alice"),
		proc("login", "session-3.scope", "-f", "bob"),
	}, out)
	want := []snapshot.Console{
		{User: "1000", Unit: "session-9.scope", Evidence: "login logs in 1000 by itself"},
		{TTY: "tty2", User: "alice", Unit: "getty@tty2.service", Evidence: "login logs in alice by itself"},
		{TTY: "ttyS0", User: "root", Unit: "serial-getty@ttyS0.service", Evidence: "agetty logs in root by itself"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

// TestFirewallsAtBoot: a unit is started at boot if a target wants it and it is not masked; without systemd nothing is known.
func TestFirewallsAtBoot(t *testing.T) {
	s, root := hostOf(t, map[string]string{
		"usr/lib/systemd/system/nftables.service": "[Service]\nExecStart=/usr/sbin/nft -f /etc/nftables.conf\n",
		"usr/lib/systemd/system/ufw.service":      "[Service]\nExecStart=/usr/lib/ufw/ufw-init start\n",
		"usr/lib/systemd/system/ssh.service":      "", "etc/systemd/system/sysinit.target.wants/": "",
	})
	if err := os.Symlink("/usr/lib/systemd/system/nftables.service", filepath.Join(root, "etc/systemd/system/sysinit.target.wants/nftables.service")); err != nil {
		t.Fatal(err)
	}
	list, f := s.bootFirewalls()
	if want := []snapshot.BootService{{Name: "nftables.service", Enabled: true}, {Name: "ufw.service"}}; !slices.Equal(list, want) || f.State != snapshot.Present {
		t.Errorf("%+v %+v", list, f)
	}
	if err := os.Symlink("/dev/null", filepath.Join(root, "etc/systemd/system/nftables.service")); err != nil {
		t.Fatal(err)
	}
	if list, _ := s.bootFirewalls(); list[0].Enabled {
		t.Error("a masked unit counts as started at boot")
	}
	s, _ = hostOf(t, nil)
	if _, f := s.bootFirewalls(); f.State != snapshot.Absent {
		t.Errorf("without systemd: %+v", f)
	}
}

// TestUFWThatIsOff: its package starts the service at boot on every host, and it loads nothing until it is enabled.
func TestUFWThatIsOff(t *testing.T) {
	for conf, want := range map[string]bool{"": false, "ENABLED=no\nLOGLEVEL=low\n": false, "# ENABLED=yes\n": false, "ENABLED=yes\n": true} {
		s, root := hostOf(t, map[string]string{
			"usr/lib/systemd/system/ufw.service": "[Service]\nExecStart=/usr/lib/ufw/ufw-init start\n", "etc/systemd/system/multi-user.target.wants/": "",
			"etc/ufw/ufw.conf": conf,
		})
		if err := os.Symlink("/usr/lib/systemd/system/ufw.service", filepath.Join(root, "etc/systemd/system/multi-user.target.wants/ufw.service")); err != nil {
			t.Fatal(err)
		}
		if list, f := s.bootFirewalls(); len(list) != 1 || list[0].Enabled != want || f.State != snapshot.Present {
			t.Errorf("%q: %+v %+v", conf, list, f)
		}
	}
}

// TestPackagesWithAFloor: dpkg's database is read by paragraphs; what was removed and kept its configuration is not installed. A host
// whose database is no text says so.
func TestPackagesWithAFloor(t *testing.T) {
	s, _ := hostOf(t, map[string]string{"var/lib/dpkg/status": "Package: sudo\nStatus: install ok installed\nVersion: 1.9.13p3-1+deb12u1\n\n" +
		"Package: runc\nStatus: deinstall ok config-files\nVersion: 1.1.5\n\nPackage: bash\nStatus: install ok installed\nVersion: 5.2\n"})
	list, f := s.flooredPackages(t.Context())
	if want := []snapshot.Package{{Name: "sudo", Version: "1.9.13p3-1+deb12u1"}}; !slices.Equal(list, want) || f.State != snapshot.Present {
		t.Errorf("%+v %+v", list, f)
	}
	s, _ = hostOf(t, map[string]string{"lib/apk/db/installed": "C:Q1x=\nP:runc\nV:1.2.6-r0\n\nP:musl\nV:1.2\n"})
	if list, _ := s.flooredPackages(t.Context()); len(list) != 1 || list[0].Version != "1.2.6-r0" {
		t.Errorf("%+v", list)
	}
	s, _ = hostOf(t, map[string]string{"var/lib/rpm/rpmdb.sqlite": "x"})
	if _, f := s.flooredPackages(t.Context()); f.State != snapshot.Error {
		t.Errorf("%+v", f)
	}
}

// TestPackagesOfRPM: what rpm 4.18 told of a database with two versions of one package and one that nobody asked for. On files of a host that does not
// run rpm is not asked, and nothing is known.
func TestPackagesOfRPM(t *testing.T) {
	got := rpmLines("runc\t4:1.1.12-4.el9\nkernel\t5.14.0-2.el9\nkernel\t5.14.0-1.el9\nruncx\t1-1\nerror: x\n", []string{"runc", "kernel"})
	want := []snapshot.Package{{Name: "kernel", Version: "5.14.0-1.el9"}, {Name: "kernel", Version: "5.14.0-2.el9"}, {Name: "runc", Version: "4:1.1.12-4.el9"}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	s, _ := hostOf(t, map[string]string{"var/lib/rpm/rpmdb.sqlite": ""})
	if list, f := s.flooredPackages(t.Context()); list != nil || f.State != snapshot.Error || !strings.HasPrefix(f.Reason, "rpm: ") {
		t.Errorf("%+v %+v", list, f)
	}
}
