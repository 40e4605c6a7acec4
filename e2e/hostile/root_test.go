//go:build linux

package hostile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/finding"
)

// watch says which of these files somebody opens from now on.
func (b *Bed) watch(files ...string) *Proc {
	b.t.Helper()
	return b.start(root, Program{Path: "/run/watch", Role: "watch", Env: []string{"HOSTILE_FILES=" + strings.Join(files, ";")}})
}

// opened lists what a watcher or a knocker said so far.
func (p *Proc) opened() (list []string) {
	for {
		select {
		case l, ok := <-p.said:
			if !ok {
				return list
			}
			list = append(list, l)
		case <-time.After(100 * time.Millisecond): // what was opened is told at once
			return list
		}
	}
}

// TestNamedFiles: a device, a FIFO or somebody else's file that a user's process names as its configuration is not opened.
func TestNamedFiles(t *testing.T) {
	b := New(t)
	b.run(root, "sh", "-c", "mknod -m 666 /run/zero c 1 5; mkfifo -m 666 /home/mal/a /home/mal/b /home/mal/c")
	b.write(vic, "/home/vic/secret", "CANARYvic: 1\n")
	b.must(os.Chmod(b.path("/home/vic/secret"), 0o600))
	const shadow = "/etc/gshadow" // no collector has a reason to read it
	if _, err := os.Stat(b.path(shadow)); err != nil {
		b.write(root, shadow, "root:CANARYroot:1:0:99999:7:::\n")
	}
	b.must(os.Chmod(b.path(shadow), 0o640))
	knock := b.start(mal, Program{Path: "/home/mal/knock", Role: "knock", Env: []string{"HOSTILE_FILES=/home/mal/a;/home/mal/b;/home/mal/c"}})
	for i, file := range []string{"/home/mal/%c", "/home/vic/secret", shadow, "/run/zero"} {
		at := func(c rune) string { return strings.ReplaceAll(file, "%c", string(c)) }
		dir := fmt.Sprintf("/home/mal/%d", i)
		b.start(mal, Program{Path: dir + "/openclaw-gateway", Env: []string{"OPENCLAW_CONFIG_PATH=" + at('a')}})
		b.start(mal, Program{Path: dir + "/dockerd", Args: []string{"-H", "tcp://127.0.0.1:2375", "--config-file=" + at('b')}})
		b.start(mal, Program{Path: dir + "/sshd", Args: []string{"-f", at('c')}})
	}
	watch := b.watch("/home/vic/secret", shadow, "/run/zero")
	_, snap := b.collect()
	if list := append(knock.opened(), watch.opened()...); len(list) > 0 {
		t.Errorf("root opened what mal named: %q", list)
	}
	if bytes.Contains(snap, []byte("CANARY")) {
		t.Error("the snapshot has words of a file that mal may not read")
	}
}

// TestNamedLinks: a link in a user's directory leads root to no file that the user may not read.
func TestNamedLinks(t *testing.T) {
	b := New(t)
	b.write(vic, "/home/vic/secret", `{"gateway":{"auth":{"token":"CANARYvic"}},"annotations":{"org.opencontainers.image.title":"CANARYvic"}}`)
	b.must(os.Chmod(b.path("/home/vic/secret"), 0o600))
	c := id("9")
	for _, p := range []string{
		"/home/mal/.openclaw/openclaw.json", "/home/mal/.local/share/containers/storage/x-containers/" + c + "/userdata/config.json",
		"/run/user/1001/runc/" + c + "/state.json", "/run/user/1001/crun/" + c + "/status", "/home/mal/package.json",
	} {
		b.dir(mal, filepath.Dir(p))
		b.must(os.Symlink("/home/vic/secret", b.path(p)))
	}
	b.start(mal, Program{Path: "/home/mal/openclaw-gateway", Env: []string{"npm_package_json=/home/mal/package.json"}})
	watch := b.watch("/home/vic/secret")
	_, snap := b.collect()
	if list := watch.opened(); len(list) > 0 {
		t.Errorf("root opened vic's file for mal: %q", list)
	}
	if bytes.Contains(snap, []byte("CANARY")) {
		t.Error("vic's words are in the snapshot")
	}
}

// TestProgramsByPath: no program is found by PATH.
func TestProgramsByPath(t *testing.T) {
	b := New(t)
	b.sshd(weakSSH)
	_ = os.Remove(b.path("/etc/lsb-release"))
	for _, name := range []string{
		"lsb_release", "tr", "cut", "sh", "nft", "sshd", "ip", "iptables", "iptables-save", "ip6tables", "ipset", "systemctl", "systemd-analyze",
		"uname", "getent", "id", "ps", "ss", "dpkg-query", "rpm", "docker", "sysctl", "conntrack", "ethtool", "bridge", "tc",
	} {
		p := b.write(mal, "/home/mal/bin/"+name, "#!/bin/sh\necho "+name+" $(/usr/bin/id -u) >> /home/mal/ran\n")
		b.must(os.Chmod(b.path(p), 0o755))
	}
	for _, args := range [][]string{{"collect", "-q"}, {"audit", "-q"}, {"fix", "plan", "-q"}, {"audit", "-q", "--fix", "--dry-run"}} {
		cmd := b.command(root, append([]string{made.ringfence}, args...)...)
		for i, kv := range cmd.Env {
			if strings.HasPrefix(kv, "PATH=") {
				cmd.Env[i] = "PATH=/home/mal/bin:/usr/sbin:/usr/bin:/sbin:/bin"
			}
		}
		cmd.Path = "/usr/bin/nsenter"
		b.measure(cmd, nil)
		if ran, err := os.ReadFile(b.path("/home/mal/ran")); err == nil {
			t.Errorf("%v runs mal's programs: %s", args, ran)
			_ = os.Remove(b.path("/home/mal/ran"))
		}
	}
}

// TestOutputs: what is no regular file is not replaced by a report.
func TestOutputs(t *testing.T) {
	b := New(t)
	b.run(root, "sh", "-c", `mkdir /home/d && mount -t tmpfs tmpfs /home/d && cd /home/d && mknod -m 666 null c 1 3 && ln -s /proc/self/fd/1 stdout &&
		mkfifo fifo && mkdir dir && echo precious > other && ln -s other link`)
	before := b.run(root, "ls", "-l", "--time-style=+", "/home/d")
	for _, args := range [][]string{
		{"collect", "-q", "-o", "/home/d/null"},
		{"audit", "-q", "-o", "json=/home/d/null"},
		{"audit", "-q", "-o", "json=/home/d/stdout"},
		{"audit", "-q", "-o", "sarif=/home/d/fifo"},
		{"audit", "-q", "-o", "sarif=/home/d/dir"},
	} {
		a := b.ringfence(root, nil, args...)
		if after := b.run(root, "ls", "-l", "--time-style=+", "/home/d"); after != before {
			t.Fatalf("%v changes\n%s to\n%s", args, before, after)
		}
		if a.took > deadline/2 {
			t.Errorf("%v: %v", args, a.took)
		}
	}
}

// TestConfiguration: a configuration, or a policy, that somebody else can write or replace decides nothing for root.
func TestConfiguration(t *testing.T) {
	b := New(t)
	const skip = "checks: {skip: [firewall/no-input-filter]}\n"
	owned := func(p, text string, uid, gid int, mode os.FileMode) string {
		b.write(root, p, text)
		b.must(os.Chown(b.path(p), uid, gid))
		b.must(os.Chmod(b.path(p), mode))
		return p
	}
	refused := func(name string, args ...string) {
		t.Helper()
		a := b.ringfence(root, nil, append([]string{"audit", "-q", "-f", "json", "--fail-on", "none"}, args...)...)
		if a.code != 2 || len(a.out) > 0 {
			t.Errorf("%s: exit code %d, %d bytes of report", name, a.code, len(a.out))
		}
		if strings.Contains(a.err, "CANARY") {
			t.Errorf("%s: the message has words of the file: %s", name, a.err)
		}
	}
	good := b.audit("--config", owned("/run/good/c.yaml", skip, 0, 0, 0o644))
	if s := good.result(noFilter).Status; s != finding.NotApplicable && s != finding.Waived {
		t.Fatalf("root's own configuration is not used: %s", s)
	}
	refused("owned by mal", "--config", owned("/run/a/c.yaml", skip, mal, 0, 0o600))
	refused("for mal's group to write", "--config", owned("/run/b/c.yaml", skip, 0, mal, 0o660))
	refused("in mal's directory", "--config", owned("/home/mal/c.yaml", skip, 0, 0, 0o600))
	b.dir(root, "/run/w")
	b.must(os.Chmod(b.path("/run/w"), 0o777))
	refused("in a directory for everybody", "--config", owned("/run/w/c.yaml", skip, 0, 0, 0o600))
	b.must(os.Symlink("/run/good/c.yaml", b.path("/home/mal/link.yaml")))
	refused("by a link of mal's", "--config", "/home/mal/link.yaml")
	owned("/run/secret", "CANARYkey: CANARYvalue\n\tCANARYtext", 0, 0, 0o600)
	b.must(os.Symlink("/run/secret", b.path("/home/mal/secret.yaml")))
	refused("by a link of mal's to a secret", "--config", "/home/mal/secret.yaml")
	b.must(syscall.Mkfifo(b.path("/run/fifo.yaml"), 0o600))
	refused("a FIFO", "--config", "/run/fifo.yaml")
	policy := `# METADATA
# title: t
# description: d
# custom:
#   severity: low
#   reads: [host]
#   remediation: r
package ringfence.mine.x

import rego.v1

finding contains {"resource": {"kind": "host", "key": "x"}, "message": "m", "evidence": []} if false
`
	for _, ask := range []string{`http.send({"method": "get", "url": "http://127.0.0.1/"})`, "opa.runtime()", `net.lookup_ip_addr("x")`} {
		owned("/run/asks/mine/x.rego", strings.Replace(policy, "if false", "if "+ask, 1), 0, 0, 0o644)
		refused("a policy that asks "+ask, "--policy", "/run/asks")
	}
	owned("/run/policies/mine/x.rego", policy, 0, mal, 0o664)
	refused("a policy for mal's group to write", "--policy", "/run/policies")
	owned("/home/mal/policies/mine/x.rego", policy, 0, 0, 0o644)
	refused("policies in mal's directory", "--policy", "/home/mal/policies")
}

// TestSecrets: no argument of a process is in a snapshot, whatever it looks like.
func TestSecrets(t *testing.T) {
	b := New(t)
	n := 0
	secret := func() string { n++; return fmt.Sprintf("CANARY%02dq7Zx9Lm2Kp4Rt6", n) }
	list := [][]string{
		{"mysql", "-p" + secret()},
		{"x", "--pass", secret()},
		{"redis-cli", "-a", secret()},
		{"curl", "-u", "user:" + secret()},
		{"sshpass", "-p", secret()},
		{"x", "redis://:" + secret() + "@h"},
		{"x", "postgres://u:ab/" + secret() + "@h"},
		{"x", "postgres://u:ab@" + secret() + "@h"},
		{"git", "https://" + secret() + "@h/x"},
		{"x", "https://h/c?sig=" + secret()},
		{"docker", "--env=DB_PASSWORD=" + secret()},
		{"kubectl", "--from-literal=password=" + secret()},
		{"x", `{"token":"` + secret() + `"}`},
		{"curl", "-H", "X-Api-Key:" + secret()},
		{"x", "Server=h;Password=" + secret()},
		{"x", "--token", "-" + secret()},
		{"x", "--passphrase", secret()},
		{"sh", "-c", "export DB_PASS=" + secret()},
		{secret()},
		{"ollama", "serve", "--key", secret()},
		{"sshd: " + secret()},
	}
	daemons := [][]string{ // their arguments are kept where all of them are known to be harmless
		{"dockerd", "-H", "tcp://127.0.0.1:1", "--log-opt", "splunk-token=" + secret()},
		{"dockerd", "-H", "tcp://" + secret() + "@h"},
		{"dockerd", "--label", secret()},
		{"dockerd", secret()},
		{"dockerd", "-Htcp://u:" + secret() + "@h"},
	}
	for name, list := range map[string][][]string{"app": list, "ollama": list, "sshd": list, "dockerd": daemons} {
		spawn, err := json.Marshal(list)
		b.must(err)
		b.start(root, Program{Path: "/run/bin/" + name, Role: "spawn", Env: []string{"HOSTILE_SPAWN=" + string(spawn)}})
	}
	b.start(mal, Program{Path: "/home/mal/openclaw-gateway", Env: []string{"OPENCLAW_GATEWAY_TOKEN=" + secret()}})
	outputs := map[string][]byte{}
	_, outputs["collect"] = b.collect()
	for _, format := range []string{"table", "json", "sarif"} {
		outputs[format] = b.ringfence(root, nil, "audit", "-q", "--all", "-f", format).out
	}
	outputs["fix plan"] = b.ringfence(root, nil, "fix", "plan", "-q").out
	for name, out := range outputs {
		if len(out) == 0 {
			t.Errorf("%s says nothing", name)
		}
		if i := bytes.Index(out, []byte("CANARY")); i >= 0 {
			t.Errorf("%s: %d times: %q", name, bytes.Count(out, []byte("CANARY")), out[max(0, i-100):min(len(out), i+40)])
		}
	}
}
