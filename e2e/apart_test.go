//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
)

// asideScript makes a root directory of its own with the programs of the host and files of its own, and runs a program in it.
const asideScript = `
mount --make-rprivate /
mkdir -p /tmp/aside
mount -t tmpfs tmpfs /tmp/aside
cd /tmp/aside
mkdir usr etc run host proc sys old tmp dev
for d in bin sbin lib lib64; do [ -L /$d ] && cp -a /$d . ; done
mount --rbind /usr usr
mount --rbind /proc proc
mount --rbind /sys sys
mount --rbind / host
cp "$PROGRAM" tmp/ringfence
mkdir run/podman
python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.bind("run/podman/podman.sock")'
chmod 666 run/podman/podman.sock
pivot_root . old
cd /
exec "$@"
`

// TestAuditBesideTheHost audits from a container that shares the pids and the network of the host, as a DaemonSet does. With the capabilities
// it judges the host's files; without them nothing of its own is taken for the host's, and no collector of files says that it saw all.
func TestAuditBesideTheHost(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "python3", "setpriv")
	program := bed.Program(t)
	l, err := net.Listen("unix", "/run/docker.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod("/run/docker.sock", 0o666); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "aside.sh")
	if err := os.WriteFile(script, []byte(asideScript), 0o600); err != nil {
		t.Fatal(err)
	}
	audit := func(drop string, args ...string) (*finding.Report, string, int) {
		inside := append([]string{"/tmp/ringfence", "audit", "-f", "json", "-q", "--fail-on", "none"}, args...)
		if drop != "" {
			inside = append([]string{"setpriv", "--bounding-set=" + drop}, inside...)
		}
		cmd := exec.Command("unshare", append([]string{"-m", "sh", "-e", script}, inside...)...)
		cmd.Env = append(os.Environ(), "PROGRAM="+program)
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		exit := new(exec.ExitError)
		if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		r := new(finding.Report)
		if err := json.Unmarshal(out.Bytes(), r); err != nil && exit.ProcessState == nil {
			t.Fatalf("%v: %v\n%s", args, err, said.String())
		}
		code := 0
		if exit.ProcessState != nil {
			code = exit.ExitCode()
		}
		return r, said.String(), code
	}
	for _, c := range []struct {
		name, drop string
		args       []string
		seen       bool
	}{
		{"all capabilities", "", nil, true},
		{"no other namespace can be entered", "-sys_admin", nil, true},
		{"the root is mounted", "-sys_admin,-sys_ptrace", []string{"--host-root", "/host"}, true},
		{"process 1 cannot be looked at", "-sys_ptrace", nil, false},
		{"no other root can be entered", "-sys_admin,-sys_chroot", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, said, code := audit(c.drop, c.args...)
			if code != 0 {
				t.Fatalf("exit %d: %s", code, said)
			}
			res := r.Results[slices.IndexFunc(r.Results, func(x finding.Result) bool { return x.ID == "runtime/socket-accessible-to-others" })]
			var keys []string
			for _, f := range res.Findings {
				keys = append(keys, f.Resource.Key)
			}
			if want := map[bool]string{true: finding.Fail, false: finding.Unknown}[c.seen]; res.Status != want ||
				c.seen && !strings.Contains(strings.Join(keys, " "), "/run/docker.sock") || strings.Contains(strings.Join(keys, " "), "podman") {
				t.Errorf("%s %q %v, want %s", res.Status, res.Reason, keys, want)
			}
			if c.seen {
				return
			}
			for _, v := range r.Coverage {
				if slices.Contains([]string{"agents", "ipmi", "kernel", "runtimes", "ssh", "winrm"}, v.Collector) &&
					(v.Status == "ok" || v.Status == "absent" || !strings.Contains(strings.Join(v.Reasons, " "), "--host-root")) {
					t.Errorf("%s: %s %v", v.Collector, v.Status, v.Reasons)
				}
			}
			for _, x := range r.Results {
				if x.Status == finding.Pass && (strings.HasPrefix(x.ID, "ssh/") || strings.HasPrefix(x.ID, "agent/")) {
					t.Errorf("%s passes", x.ID)
				}
			}
		})
	}
	for dir, want := range map[string]string{"/nosuch": "host-root: enter the root directory /nosuch", "/usr": "no /proc of this host"} {
		if _, said, code := audit("", "--host-root", dir); code != 2 || !strings.Contains(said, want) || strings.Contains(said, "CAP_SYS_CHROOT") {
			t.Errorf("--host-root %s: exit %d, %s", dir, code, said)
		}
	}
}
