//go:build linux

package hostile

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// plan is what fix plan prints.
func (b *Bed) plan(args ...string) string {
	b.t.Helper()
	a := b.ringfence(root, nil, append([]string{"fix", "plan", "-q"}, args...)...)
	if a.code != 0 && a.code != 1 || len(a.out) == 0 {
		b.t.Fatalf("fix plan: exit code %d: %.400s", a.code, a.err)
	}
	return string(a.out)
}

// planHasNo wants none of these words in a line of the plan that is no remark for people.
func (b *Bed) planHasNo(words ...string) {
	b.t.Helper()
	for line := range strings.Lines(b.plan()) {
		if i := slices.IndexFunc(words, func(w string) bool { return strings.Contains(line, w) }); i >= 0 && !strings.HasPrefix(line, "#   ") {
			b.t.Errorf("the plan has %q: %s", words[i], strings.TrimSpace(line))
		}
	}
}

// TestFixAndUsersDaemon: a user's program called dockerd is nothing that docker.service is started with.
func TestFixAndUsersDaemon(t *testing.T) {
	b := New(t)
	b.start(mal, Program{Path: "/home/mal/dockerd", Role: "listen", Args: []string{"-H", "tcp://127.0.0.1:2375"}, Env: []string{"HOSTILE_LISTEN=tcp4 127.0.0.1:2375"}})
	b.planHasNo("docker.service.d", "ExecStart=/home/mal")
}

// TestFixAndNamedUnit: a cgroup of a user's that is called like a unit of the system is not that unit.
func TestFixAndNamedUnit(t *testing.T) {
	b := New(t)
	slice := b.cgroup(mal, "user.slice")
	unit := b.cgroup(mal, "user.slice/ssh.service")
	b.must(os.Chown(slice, mal, mal))
	p := b.start(mal, Program{Path: "/home/mal/claude"})
	b.join(unit, p)
	q := b.start(root, Program{Path: "/run/codex"})
	b.join(b.cgroup(root, "system.slice/codex.service"), q)
	s, _ := b.collect()
	for _, a := range s.Agents.Instances {
		if a.PID == p.PID && a.Unit != "" {
			t.Errorf("mal's agent is in unit %q", a.Unit)
		}
		if a.PID == q.PID && a.Unit != "codex.service" {
			t.Errorf("root's agent is in unit %q", a.Unit)
		}
	}
	b.planHasNo("ssh.service.d")
}

// TestFixAndUsersSocket: a socket in a user's directory is nothing that root changes the mode of: the user can put a link
// to any file in its place.
func TestFixAndUsersSocket(t *testing.T) {
	for name, link := range map[string]bool{"socket": false, "link": true} {
		t.Run(name, func(t *testing.T) {
			b := New(t)
			at := "/run/user/1001/docker.sock"
			if link {
				b.must(os.Symlink("/home/mal/s", b.path(at)))
				at = "/home/mal/s"
			}
			b.listens(mal, "/home/mal/app", "unix "+at)
			b.must(os.Chmod(b.path(at), 0o666))
			b.planHasNo("chmod 660 /run/user", "tmpfiles.d", "docker.socket.d")
		})
	}
}

// TestSwappedSocket: a link in a user's directory to root's socket is root's socket, under no other owner, and hides it not.
func TestSwappedSocket(t *testing.T) {
	b := New(t)
	b.listens(root, "/run/dockerd", "unix /run/docker.sock")
	b.must(os.Chmod(b.path("/run/docker.sock"), 0o666))
	before := b.audit()
	if before.finds("runtime/socket-accessible-to-others", "/run/docker.sock") == nil {
		t.Fatal("no finding without the link")
	}
	b.must(os.Symlink("/run/docker.sock", b.path("/run/user/1001/docker.sock")))
	after := b.audit()
	after.keeps(before)
	after.adds(before, "/run/user/1001/")
}

// TestNobodysAdministrator: who is connected to a user's own server administers nothing, whatever its program is.
func TestNobodysAdministrator(t *testing.T) {
	b := New(t)
	b.run(root, "ssh-keygen", "-A")
	b.run(mal, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/home/mal/key")
	b.write(mal, "/home/mal/cfg", "Port 2222\nHostKey /home/mal/key\nPidFile none\nStrictModes no\nUsePAM no\n")
	b.server(mal, "/usr/sbin/sshd", "-D", "-f", "/home/mal/cfg")
	b.start(mal, Program{Path: "/home/mal/app", Role: "call", Env: []string{"HOSTILE_LISTEN=tcp4 203.0.113.1:2222"}})
	s, _ := b.collect()
	for _, ses := range s.SSH.Sessions {
		if strings.HasSuffix(ses.Local, ":2222") || strings.HasSuffix(ses.Remote, ":2222") {
			t.Errorf("a session to mal's server is an administrator's: %+v", ses)
		}
	}
}

// TestUsersServices: a user's programs called docker-proxy and sshd keep no port open through a fix, and are not what the
// host's sshd is set up for.
func TestUsersServices(t *testing.T) {
	b := New(t)
	b.start(root, Program{Path: "/run/dockerd", Role: "listen", Args: []string{"-H", "tcp://0.0.0.0:2375"}, Env: []string{"HOSTILE_LISTEN=tcp4 0.0.0.0:2375"}})
	b.listens(mal, "/home/mal/docker-proxy", "tcp4 0.0.0.0:8080")
	b.listens(mal, "/home/mal/sshd", "tcp4 0.0.0.0:2222")
	b.planHasNo("/etc/ssh", "systemctl reload")
	for line := range strings.Lines(b.plan("--mode", "default-deny")) {
		if strings.Contains(line, "accept") && (strings.Contains(line, "dport 8080") || strings.Contains(line, "dport 2222")) {
			t.Errorf("mal's port is kept: %s", strings.TrimSpace(line))
		}
	}
}

// TestConfigurationOfOthers: a gateway is described by no file of somebody else's, and passes by none.
func TestConfigurationOfOthers(t *testing.T) {
	b := New(t)
	safe := `{"gateway":{"auth":{"mode":"token","token":"x"},"bind":"loopback"},"agents":{"defaults":{"sandbox":{"mode":"all"}}}}`
	b.write(vic, "/home/vic/openclaw.json", safe)
	b.start(mal, Program{Path: "/home/mal/openclaw-gateway", Role: "listen", Env: []string{
		"OPENCLAW_CONFIG_PATH=/home/vic/openclaw.json", "HOSTILE_LISTEN=tcp4 0.0.0.0:18789",
	}})
	// vic's gateway reads a file that mal may write.
	b.write(mal, "/home/mal/vic.json", safe)
	b.start(vic, Program{Path: "/home/vic/openclaw-gateway", Env: []string{"OPENCLAW_CONFIG_PATH=/home/mal/vic.json"}})
	s, _ := b.collect()
	if len(s.Agents.Instances) != 2 {
		t.Fatalf("%d gateways", len(s.Agents.Instances))
	}
	for _, a := range s.Agents.Instances {
		if a.ConfigRead.State == snapshot.Present {
			t.Errorf("the gateway is described by %s", a.Config.Path)
		}
	}
	if res := b.audit().result("agent/sandbox-off"); res.Status == finding.Pass {
		t.Errorf("%s: %s", res.ID, res.Status)
	}
}

// TestForgedStates: a state of a user's names no process and no bundle but that user's.
func TestForgedStates(t *testing.T) {
	b := New(t)
	victim := b.start(vic, Program{Path: "/home/vic/app"})
	mine := b.start(root, Program{Path: "/run/app"})
	b.write(vic, "/home/vic/bundle/config.json", privilegedSpec)
	b.write(root, "/run/bundle/config.json", privilegedSpec)
	ids := map[string]string{
		"/run/user/1001/crun/%s/status":     `{"pid": %d, "bundle": "/home/vic/bundle"}`,
		"/run/user/1001/runc/%s/state.json": `{"init_process_pid": %d, "config": {"labels": ["bundle=/run/bundle"]}}`,
	}
	for p, text := range ids {
		b.write(mal, fmt.Sprintf(p, id("7")), fmt.Sprintf(text, victim.PID))
		b.write(mal, fmt.Sprintf(p, id("8")), fmt.Sprintf(text, mine.PID))
	}
	dir := "/home/mal/.local/share/containers/storage/x-containers/" + id("6") + "/userdata/"
	b.write(mal, dir+"config.json", privilegedSpec)
	b.write(mal, dir+"init.pid", fmt.Sprint(victim.PID))
	b.write(mal, dir+"pidfile", fmt.Sprint(mine.PID))
	s, _ := b.collect()
	for _, c := range s.Runtimes.Containers {
		if c.PID != 0 || c.Running {
			t.Errorf("container %.20s runs, as process %d", c.ID, c.PID)
		}
		if c.Unread == "" && strings.HasPrefix(c.Spec, homes[vic]) {
			t.Errorf("container %.20s is described by %s", c.ID, c.Spec)
		}
		if !strings.HasPrefix(c.ID, "uid1001:") {
			t.Errorf("container %.20s is not called mal's", c.ID)
		}
	}
	r := b.audit()
	for _, res := range r.Results {
		for _, f := range res.Findings {
			if strings.Contains(f.Resource.Key, "/home/vic/app") || strings.Contains(f.Resource.Key, "/run/app") {
				t.Errorf("%s: a finding about somebody else: %s", res.ID, f.Message)
			}
		}
	}
}

// TestBorrowedName: a container of a user's is not called what root's container is called, and a file of a user's makes no
// container that runs: nothing is said about root's.
func TestBorrowedName(t *testing.T) {
	b := New(t)
	const named = `"annotations":{"io.podman.annotations.name":"web"}`
	b.container(Container{ID: id("a"), Program: "/app", Spec: strings.Replace(plainSpec, "{", "{"+named+",", 1)})
	before := b.audit()
	dir := "/home/mal/.local/share/containers/storage/x-containers/" + id("b") + "/userdata/"
	b.write(mal, dir+"config.json", strings.Replace(privilegedSpec, "{", "{"+named+",", 1))
	after := b.audit()
	after.keeps(before)
	after.adds(before, "uid1001", "uid 1001")
	if f := after.finds(devices, "uid"); f != nil {
		t.Errorf("a file alone is a container: %+v", f)
	}
}

// unprintable is the first character that a terminal could obey, or that makes a text read as another.
func unprintable(out []byte) string {
	for i := 0; i < len(out); {
		r, n := utf8.DecodeRune(out[i:])
		if r == utf8.RuneError && n == 1 || unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) {
			return fmt.Sprintf("%q in %q", out[i:i+n], out[max(0, i-60):min(len(out), i+30)])
		}
		i += n
	}
	return ""
}

// TestTerminal: what others name reaches no terminal as it is, in no format and in no message.
func TestTerminal(t *testing.T) {
	b := New(t)
	b.sshd(weakSSH)
	for i, evil := range []string{"\x1b[2J\x1b]0;owned\x07", "\x1b[31m\nall\r\npassed", "\u009b31m\u0085\u007f", "\u202edessap\u2066\u200f", "\xff\xfe\x80"} {
		dir := fmt.Sprintf("/home/mal/%d/", i)
		b.start(mal, Program{Path: dir + evil, Role: "rename", Env: []string{
			"HOSTILE_NAME=" + evil[:min(len(evil), 15)], fmt.Sprintf("HOSTILE_LISTEN=tcp4 0.0.0.0:%d||unix @%s%d", 7000+i, evil, i),
		}})
		b.start(mal, Program{Path: dir + "claude", Args: []string{evil}})
		b.start(mal, Program{
			Path: dir + "dockerd", Role: "listen", Args: []string{"--config-file=" + evil, "--" + evil},
			Env: []string{fmt.Sprintf("HOSTILE_LISTEN=tcp4 0.0.0.0:%d", 2375+i)},
		})
		b.start(mal, Program{Path: dir + "sshd", Args: []string{"-f", "/home/mal/" + evil}})
		b.start(mal, Program{Path: dir + "openclaw-gateway", Env: []string{"OPENCLAW_CONFIG_PATH=/" + evil, "OPENCLAW_SERVICE_VERSION=" + evil}})
		name, err := json.Marshal(evil)
		b.must(err)
		b.write(mal, "/home/mal/.local/share/containers/storage/x-containers/"+evil+"/userdata/config.json",
			`{"annotations":{"io.podman.annotations.name":`+string(name)+`},"linux":{"devices":[{"path":"/dev/mem\u001b[0m"}]}}`)
	}
	long := "/home/mal" + strings.Repeat("/"+strings.Repeat("\x1b[5m", 50), 19)
	b.dir(mal, long)
	b.start(mal, Program{Path: long + "/claude"})
	b.terminalNamespaces()
	outputs := map[string]answer{}
	for _, format := range []string{"table", "json", "sarif"} {
		outputs[format] = b.ringfence(root, nil, "audit", "--all", "-f", format)
	}
	outputs["collect"] = b.ringfence(root, nil, "collect")
	outputs["fix plan"] = b.ringfence(root, nil, "fix", "plan")
	outputs["dry run"] = b.ringfence(root, nil, "audit", "--fix", "--dry-run", "--layer", "service")
	outputs["reach"] = b.ringfence(root, nil, "reach", "--from", "external", "--to", "host")
	for name, a := range outputs {
		if len(a.out) == 0 {
			t.Errorf("%s says nothing: %s", name, a.err)
		}
		if bad := unprintable(a.out); bad != "" {
			t.Errorf("%s: %s", name, bad)
		}
		if bad := unprintable([]byte(a.err)); bad != "" {
			t.Errorf("%s, to standard error: %s", name, bad)
		}
	}
}

// terminalNamespaces makes interfaces, rules and comments with such names in mal's own network namespace.
func (b *Bed) terminalNamespaces() {
	b.t.Helper()
	b.start(mal, Program{Path: "/home/mal/app", Role: "apart", Env: []string{
		"HOSTILE_INNER=rules", "HOSTILE_NAMESPACES=n", "HOSTILE_NAME=va\x1b[31m\u009b",
		"HOSTILE_RULES=table inet t { chain c { type filter hook input priority 0; policy accept; tcp dport 1 drop comment \"\x1b[2J\u202e<b>\"\n}\n}\n",
		"HOSTILE_LISTEN=tcp4 0.0.0.0:5555",
	}})
}
