//go:build linux

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/trial"
)

// file puts a drop-in in place on trial.
func putFile(w *trial.World, f *dropin.File) (*trial.State, error) {
	st, err := w.BeginFile(context.Background(), f, time.Minute)
	if err != nil {
		return nil, err
	}
	if err := w.Files.Place(context.Background(), st.File); err != nil {
		if rerr := w.Rollback(context.Background(), st); rerr != nil {
			return nil, rerr
		}
		return nil, err
	}
	return st, nil
}

// TestSysctlFile sets a switch of the bed's own network namespace on trial, takes it back, keeps it, and
// undoes it.
func TestSysctlFile(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	w := b.world()
	const name, key = "net.ipv4.conf.all.accept_redirects", "/proc/sys/net/ipv4/conf/all/accept_redirects"
	f := &dropin.File{
		Service: "sysctl", Path: "/etc/sysctl.d/90-ringfence.conf", Content: name + " = 0\n", Want: map[string]string{name: "0"},
	}
	file := filepath.Join(b.root(), f.Path)
	b.stay(func() {
		value := func() string {
			v, err := os.ReadFile(key)
			if err != nil {
				t.Error(err)
			}
			return strings.TrimSpace(string(v))
		}
		if err := os.WriteFile(key, []byte("1"), 0); err != nil {
			t.Error(err)
			return
		}
		st, err := putFile(w, f)
		if err != nil {
			t.Error(err)
			return
		}
		if value() != "0" {
			t.Error("on trial the value is not set")
		}
		if err := w.Rollback(t.Context(), st); err != nil || value() != "1" {
			t.Errorf("taken back: %v, value %s", err, value())
		}
		if _, err := os.Stat(file); err == nil {
			t.Error("taken back, and the file is still there")
		}
		if st, err = putFile(w, f); err != nil {
			t.Error(err)
			return
		}
		if err := w.ConfirmFile(t.Context(), st); err != nil || value() != "0" {
			t.Errorf("kept: %v, value %s", err, value())
		}
		kept, err := w.Store.Load()
		if err != nil || !st.Kept(kept) {
			t.Errorf("the state does not know: %v %+v", err, kept)
		}
		bad := *f
		bad.Want = map[string]string{"net.ipv4.no_such_switch": "1"}
		if _, err := putFile(w, &bad); err == nil {
			t.Error("a switch that the kernel does not have is set")
		}
		if err := w.Undo(t.Context(), kept); err != nil || value() != "1" {
			t.Errorf("undone: %v, value %s", err, value())
		}
		if _, err := os.Stat(file); err == nil {
			t.Error("undone, and the file is still there")
		}
	})
}

// TestSSHDFile gives a real sshd a drop-in: it is validated, in effect after the reload, and taken back
// where it is refused or another file comes first.
func TestSSHDFile(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("flush ruleset")
	h := newSSHHost(t, b)
	w := trial.OnThisHost(h.dir, nil, nil, nil)
	config := filepath.Join(h.dir, "sshd_config")
	file := func(name, setting, value string) *dropin.File {
		return &dropin.File{
			Service: "sshd", Path: "/conf.d/" + name, Content: setting + " " + value + "\n", Want: map[string]string{setting: value},
			Validate: []string{"/usr/sbin/sshd", "-t", "-f", config}, Effective: []string{"/usr/sbin/sshd", "-T", "-f", config}, PIDs: []int{h.pid},
		}
	}
	works := func(when string) {
		t.Helper()
		if !bed.Until(func() bool {
			out, err := h.login("mgmt", nil, "echo in").Output()
			return err == nil && strings.TrimSpace(string(out)) == "in"
		}) {
			t.Errorf("%s: nobody can log in", when)
		}
	}
	effective := func(line string) bool {
		out, err := exec.Command("/usr/sbin/sshd", "-T", "-f", config).Output()
		return err == nil && strings.Contains(string(out), "\n"+line+"\n")
	}
	st, err := putFile(w, file("00-ringfence.conf", "PermitRootLogin", "prohibit-password"))
	if err != nil {
		t.Fatal(err)
	}
	works("on trial")
	if !effective("permitrootlogin without-password") && !effective("permitrootlogin prohibit-password") {
		t.Error("not in effect")
	}
	if err := w.Rollback(t.Context(), st); err != nil || !effective("permitrootlogin yes") {
		t.Errorf("taken back: %v", err)
	}
	works("taken back")
	for name, c := range map[string]struct{ file, setting, value, want string }{
		"refused by sshd":    {"00-ringfence.conf", "NoSuchKeyword", "no", "refuses the file"},
		"another file first": {"10-ringfence.conf", "PasswordAuthentication", "no", "another file comes first"},
	} {
		if err := os.WriteFile(filepath.Join(h.dir, "conf.d", "05-cloud.conf"), []byte("PasswordAuthentication yes\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := putFile(w, file(c.file, c.setting, c.value)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(h.dir, "conf.d", c.file)); err == nil {
			t.Errorf("%s: the file is still there", name)
		}
		works(name)
	}
}

// TestFileOnTrialIsTakenBackAtBoot: the unit that would run at boot takes it back.
func TestFileOnTrialIsTakenBackAtBoot(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	w := b.world()
	const name, key = "net.ipv4.conf.all.accept_redirects", "/proc/sys/net/ipv4/conf/all/accept_redirects"
	f := &dropin.File{Service: "sysctl", Path: "/etc/sysctl.d/90-ringfence.conf", Content: name + " = 0\n", Want: map[string]string{name: "0"}}
	unit := filepath.Join(b.root(), "etc/systemd/system/ringfence-rollback.service")
	b.stay(func() {
		if err := os.WriteFile(key, []byte("1"), 0); err != nil {
			t.Error(err)
		}
		if err := (trial.Disk{Root: b.root()}).ArmBoot(bed.Program(t) + " fix rollback --trial --root " + b.root()); err != nil {
			t.Error(err)
		}
		if _, err := putFile(w, f); err != nil {
			t.Error(err)
		}
	})
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	_, command, _ := strings.Cut(string(text), "ExecStart=")
	command, _, _ = strings.Cut(command, "\n")
	bed.Shell(t, "nsenter --net=/run/netns/%shost %s", b.name, command)
	if got := bed.Shell(t, "nsenter --net=/run/netns/%shost cat %s", b.name, key); strings.TrimSpace(got) != "1" {
		t.Errorf("the value is %s", got)
	}
	for _, left := range []string{unit, filepath.Join(b.root(), f.Path)} {
		if _, err := os.Stat(left); err == nil {
			t.Errorf("%s is still there", left)
		}
	}
}

// TestServiceLayer runs the whole way for sshd, with its files, the state and the units in a mount namespace
// of the test's own.
func TestServiceLayer(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("flush ruleset")
	config := b.config("checks: {skip: [host/kernel-baseline, coverage/incomplete]}\n")
	script := `
mount -t tmpfs -o mode=755 none /etc/ssh; mount -t tmpfs none /var/lib; mkdir -p /etc/systemd/system; mount -t tmpfs none /etc/systemd/system
mkdir -p /run/sshd /etc/ssh/sshd_config.d
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
printf 'Include /etc/ssh/sshd_config.d/*.conf\nHostKey /etc/ssh/ssh_host_ed25519_key\nPermitRootLogin yes\nPidFile none\nAuthorizedKeysFile /etc/ssh/keys-of-%%u\n' >/etc/ssh/sshd_config
/usr/sbin/sshd -D & pid=$!
trap 'kill $pid' EXIT
for i in $(seq 600); do ss -Hltn | grep -q ':22 ' && break; sleep 0.1; done
` + bed.Program(t) + ` fix apply --layer service --confirm auto --config ` + config + ` || exit 1
test ! -e /etc/ssh/sshd_config.d/00-ringfence.conf # nobody could log in
cp /etc/ssh/ssh_host_ed25519_key.pub /etc/ssh/keys-of-root
` + bed.Program(t) + ` fix apply --layer service --confirm auto --config ` + config + ` || exit 1
cat /etc/ssh/sshd_config.d/00-ringfence.conf
echo effective; /usr/sbin/sshd -T | grep -i permitrootlogin
kill -0 $pid
` + bed.Program(t) + ` fix status
` + bed.Program(t) + ` fix rollback
echo after; ls /etc/ssh/sshd_config.d /etc/systemd/system /var/lib/ringfence; /usr/sbin/sshd -T | grep -i permitrootlogin
`
	out, err := exec.Command("nsenter", "--net=/run/netns/"+b.name+"host", "unshare", "-m", "--propagation", "private", "sh", "-ec", script).CombinedOutput()
	text := string(out)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	_, effective, _ := strings.Cut(text, "effective\n")
	effective, after, _ := strings.Cut(effective, "after\n")
	for name, ok := range map[string]bool{
		"in effect":         strings.HasPrefix(effective, "permitrootlogin without-password") || strings.HasPrefix(effective, "permitrootlogin prohibit-password"),
		"known to status":   regexp.MustCompile(`is confirmed: .*file /etc/ssh/sshd_config\.d/00-ringfence\.conf`).MatchString(effective),
		"taken back":        strings.Contains(after, "permitrootlogin yes"),
		"nothing left over": !strings.Contains(after, "ringfence.conf") && !strings.Contains(after, "state.json") && !strings.Contains(after, "rollback"),
	} {
		if !ok {
			t.Errorf("not %s:\n%s", name, lastLines(text, 25))
		}
	}
}
