//go:build linux

package hostile

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/finding"
)

const (
	gatewayAuth = "agent/gateway-without-authentication"
	noFilter    = "firewall/no-input-filter"
)

// TestAgentName: a program that calls itself an agent ends no audit, also where no workload network has an address.
func TestAgentName(t *testing.T) {
	b := New(t)
	b.sshd(weakSSH)
	b.run(root, "ip", "link", "del", "docker0")
	before := b.audit()
	b.start(mal, Program{Path: "/home/mal/claude"})
	b.start(mal, Program{Path: "/home/mal/openclaw-gateway"})
	after := b.audit()
	after.keeps(before)
	if after.finds(sshOutside, "tcp 0.0.0.0:22") == nil {
		t.Errorf("%+v", after.result(sshOutside))
	}
}

// TestDeepConfiguration: the configuration of an agent that is nested deeper than a stack is about that agent alone.
func TestDeepConfiguration(t *testing.T) {
	for name, depth := range map[string]int{"of 8 MB": 4_100_000, "of 1 MB": 500_000} {
		t.Run(name, func(t *testing.T) {
			b := New(t)
			b.start(root, Program{Path: "/run/openclaw-gateway", Role: "listen", Env: []string{"HOSTILE_LISTEN=tcp4 0.0.0.0:18789"}})
			before := b.audit()
			b.write(mal, "/home/mal/b.json", "{gateway:{token:"+strings.Repeat("[", depth)+strings.Repeat("]", depth)+"}}")
			b.start(mal, Program{Path: "/home/mal/openclaw-gateway", Env: []string{"OPENCLAW_CONFIG_PATH=/home/mal/b.json"}})
			after := b.report(b.limited(12<<20, "audit", "-q", "-f", "json", "--fail-on", "none"))
			after.keeps(before)
			s, _ := b.collect()
			for _, a := range s.Agents.Instances {
				if strings.HasPrefix(a.Config.Path, homes[mal]) && a.ConfigRead.State != "error" {
					t.Errorf("the configuration is %+v", a.ConfigRead)
				}
			}
		})
	}
}

// limited runs the program with so much address space, in KiB.
func (b *Bed) limited(kib int, args ...string) answer {
	b.t.Helper()
	return b.measure(b.command(root, append([]string{"sh", "-c", fmt.Sprintf(`ulimit -v %d; exec "$@"`, kib), "sh", made.ringfence}, args...)...), nil)
}

// TestCostlyRules: rules in a user's own network namespace take no time from the audit of the host.
func TestCostlyRules(t *testing.T) {
	b := New(t)
	b.listens(root, "/run/ollama", "tcp4 0.0.0.0:11434")
	before := b.audit()
	var rules strings.Builder
	rules.WriteString("table inet t { chain c { type filter hook input priority 0; policy drop;\n")
	for i := range 24 {
		fmt.Fprintf(&rules, "limit rate 1/second meta mark set meta mark or %#x\n", 1<<i)
	}
	rules.WriteString("meta mark 0xdeadbeef accept\n}\n}\n")
	b.start(mal, Program{Path: "/home/mal/app", Role: "apart", Env: []string{
		"HOSTILE_INNER=rules", "HOSTILE_NAMESPACES=n", "HOSTILE_RULES=" + rules.String(),
		"HOSTILE_LISTEN=tcp4 0.0.0.0:1||tcp4 0.0.0.0:2||tcp4 0.0.0.0:3||tcp4 0.0.0.0:4",
	}})
	after := b.report(b.limited(8<<20, "audit", "-q", "-f", "json", "--fail-on", "none"))
	after.keeps(before)
	t.Logf("audit: %v CPU, %d MiB", after.cpu, after.maxRSS>>10)
	if after.cpu > 20*time.Second {
		t.Errorf("%v of CPU time", after.cpu)
	}
}

// TestLongArguments: what a user gives 450 processes as arguments is not kept, and takes no memory from the audit.
func TestLongArguments(t *testing.T) {
	b := New(t)
	before := b.audit()
	b.start(mal, Program{Path: "/home/mal/app", Role: "spawn", Env: []string{
		"HOSTILE_SPAWN=[" + strings.Repeat(`["sh","-c","read x"],`, 449) + `["sh","-c","read x"]]`, "HOSTILE_LONG=200000", "HOSTILE_WITH=/bin/sh",
	}})
	s, snap := b.collect()
	if n := len(s.Processes.List); n < 450 {
		t.Fatalf("%d processes", n)
	}
	if len(snap) > 2<<20 || strings.Contains(string(snap), "CANARY42") {
		t.Errorf("the snapshot has %d bytes", len(snap))
	}
	after := b.audit()
	after.keeps(before)
	after.adds(before, "/home/mal/")
	t.Logf("audit: %v CPU, %d MiB", after.cpu, after.maxRSS>>10)
	if after.maxRSS > 200<<10 {
		t.Errorf("%d MiB of memory", after.maxRSS>>10)
	}
}

// TestTooManyNames: 5,000 specifications of a user's are that user's, and take nothing from the others.
func TestTooManyNames(t *testing.T) {
	b := New(t)
	c := id("d")
	b.container(Container{ID: c, Spec: privilegedSpec, Program: "/app"})
	before := b.audit()
	b.write(mal, "/home/mal/spec.json", plainSpec)
	dir := b.dir(mal, "/home/mal/.local/share/containers/storage/x-containers")
	b.run(root, "mount", "-t", "tmpfs", "-o", "uid=1001,nr_inodes=0", "tmpfs", dir)
	b.start(mal, Program{Path: "/home/mal/app", Role: "files", Env: []string{"HOSTILE_FILES=" + dir, "HOSTILE_COUNT=5000", "HOSTILE_KEEP=specs"}})
	after := b.audit()
	after.keeps(before)
	after.adds(before, "uid1001", "uid 1001")
	t.Logf("audit: %v CPU", after.cpu)
}

// TestManyDirectories: everybody may make directories in /dev/shm; those of a user's take no time from the audit. What
// counts is CPU time, which other work on the machine does not use up.
func TestManyDirectories(t *testing.T) {
	b := New(t)
	b.start(root, Program{Path: "/run/openclaw-gateway", Role: "listen", Env: []string{"HOSTILE_LISTEN=tcp4 0.0.0.0:18789"}})
	before := b.audit()
	for _, dir := range []string{"/dev/shm/a", "/dev/shm/b"} {
		b.run(mal, "mkdir", dir)
		b.start(mal, Program{Path: "/home/mal/app", Role: "files", Env: []string{"HOSTILE_FILES=" + dir, "HOSTILE_COUNT=95000"}})
	}
	after := b.audit()
	after.keeps(before)
	t.Logf("audit: %v CPU, %v without", after.cpu, before.cpu)
	if after.cpu > 2*before.cpu+time.Second {
		t.Errorf("%v of CPU time, and %v without", after.cpu, before.cpu)
	}
}

// TestServerFiles: a configuration of an SSH server with more files or blocks than are read is unknown, and it alone.
func TestServerFiles(t *testing.T) {
	b := New(t)
	b.sshd(weakSSH)
	before := b.audit()
	for i, config := range []string{
		strongSSH + "Include /etc/ssh/sshd_config\n",
		strongSSH + "Include /etc/ssh/many/*\n",
		strongSSH + strings.Repeat("Match User x\nPermitRootLogin no\n", 300),
		strongSSH + strings.Repeat("Include /etc/ssh/sshd_config /etc/ssh/sshd_config\n", 100),
	} {
		at := fmt.Sprintf("/home/ct%d", i)
		b.write(root, at+"/etc/ssh/sshd_config", config)
		if strings.Contains(config, "many") {
			b.dir(root, at+"/etc/ssh/many")
			b.run(root, "mount", "-t", "tmpfs", "-o", "nr_inodes=0", "tmpfs", at+"/etc/ssh/many")
			b.start(root, Program{Path: "/run/files", Role: "files", Env: []string{"HOSTILE_FILES=" + at + "/etc/ssh/many", "HOSTILE_COUNT=100001"}})
		}
		b.container(Container{ID: id(fmt.Sprint(i)), Root: at, Program: "/usr/sbin/sshd"})
	}
	after := b.audit()
	after.keeps(before)
	if n := len(after.result(rootPassword).Unknowns); n != 4 {
		t.Errorf("%d servers are unknown, want 4: %+v", n, after.result(rootPassword).Unknowns)
	}
}

// TestHugeSpecifications: what is wrong with a specification of a user's is no gap of the section: others are judged.
func TestHugeSpecifications(t *testing.T) {
	for name, make := range map[string]func(*Bed, string){
		"100 MB": func(b *Bed, p string) {
			b.write(mal, p, "{}")
			b.must(os.Truncate(b.path(p), 100<<20))
		},
		"100k levels":        func(b *Bed, p string) { b.write(mal, p, strings.Repeat("[", 100_000)) },
		"a FIFO":             func(b *Bed, p string) { b.must(syscall.Mkfifo(b.path(p), 0o644)) },
		"a link to itself":   func(b *Bed, p string) { b.must(os.Symlink(p, b.path(p))) },
		"a link below files": func(b *Bed, p string) { b.must(os.Symlink("/etc/passwd/x", b.path(p))) },
		"a link to a device": func(b *Bed, p string) { b.must(os.Symlink("/dev/zero", b.path(p))) },
		"a link to vic's file": func(b *Bed, p string) {
			b.write(vic, "/home/vic/spec.json", plainSpec)
			b.must(os.Symlink("/home/vic/spec.json", b.path(p)))
		},
		"a link to root's file": func(b *Bed, p string) { b.must(os.Symlink("/etc/passwd", b.path(p))) },
		"for everybody to write": func(b *Bed, p string) {
			b.write(mal, p, plainSpec)
			b.must(os.Chmod(b.path(p), 0o666))
		},
		"a directory": func(b *Bed, p string) { b.dir(mal, p) },
	} {
		t.Run(name, func(t *testing.T) {
			b := New(t)
			b.container(Container{ID: id("d"), Program: "/app"})
			before := b.audit()
			dir := b.dir(mal, "/home/mal/.local/share/containers/storage/x-containers/"+id("5")+"/userdata")
			make(b, dir+"/config.json")
			after := b.audit()
			after.keeps(before)
			after.adds(before, "uid1001", "uid 1001")
		})
	}
}

// TestManyMountsAndRoots: what a user does in mount namespaces of its own is no gap in what is seen of the containers.
func TestManyMountsAndRoots(t *testing.T) {
	for name, env := range map[string][]string{
		"10 MB of mounts": {"HOSTILE_INNER=mounts", "HOSTILE_COUNT=10000000"},
		"70 roots":        {"HOSTILE_INNER=roots", "HOSTILE_COUNT=70"},
	} {
		t.Run(name, func(t *testing.T) {
			b := New(t)
			b.listens(root, "/run/dockerd", "unix /run/docker.sock")
			b.container(Container{ID: id("d"), Program: "/app"})
			before := b.audit()
			if s := before.result(socketInside).Status; s != finding.Pass {
				t.Fatalf("without: %s", s)
			}
			b.start(mal, Program{Path: "/home/mal/app", Role: "apart", Env: append(env, "HOSTILE_NAMESPACES=m")})
			after := b.audit()
			after.keeps(before)
			after.adds(before, "uid1001", "uid 1001", "/home/mal/")
		})
	}
}

// TestFileSystemThatHangs: files on a file system of a user's that does not answer stop no collector.
func TestFileSystemThatHangs(t *testing.T) {
	b := New(t)
	b.start(root, Program{Path: "/run/openclaw-gateway", Role: "listen", Env: []string{"HOSTILE_LISTEN=tcp4 0.0.0.0:18789"}})
	before := b.audit()
	// fusermount3(1) mounts it for whoever asks; that others may look at it (user_allow_other) is a setting of the host.
	b.dir(mal, "/home/mal/m")
	b.run(root, "mknod", "-m", "666", "/run/fuse", "c", "10", "229")
	b.start(root, Program{Path: "/run/hang", Role: "hang", Env: []string{"HOSTILE_FILES=/home/mal/m"}})
	for i := range 14 {
		b.start(mal, Program{Path: "/home/mal/openclaw-gateway", Env: []string{fmt.Sprintf("OPENCLAW_CONFIG_PATH=/home/mal/m/%d.json", i)}})
	}
	after := b.audit()
	after.keeps(before)
	if c := after.covered("agents"); c.Status == "error" {
		t.Errorf("agents: %+v", c)
	}
	t.Logf("audit: %v", after.took)
}

// TestManyConfigurations: forty gateways of a user's, each with a megabyte of configuration, take no gateway of root's
// from the audit.
func TestManyConfigurations(t *testing.T) {
	b := New(t)
	b.start(root, Program{Path: "/run/openclaw-gateway", Role: "listen", Env: []string{"HOSTILE_LISTEN=tcp4 0.0.0.0:18789"}})
	before := b.audit()
	b.write(mal, "/home/mal/.openclaw/openclaw.json", "{x:["+strings.Repeat("1,", 500_000)+"1]}")
	b.start(mal, Program{Path: "/home/mal/app", Role: "spawn", Env: []string{
		"HOSTILE_SPAWN=[" + strings.Repeat(`["openclaw-gateway"],`, 39) + `["openclaw-gateway"]]`, "HOSTILE_WITH=" + b.program(mal, "/home/mal/openclaw-gateway"),
	}})
	after := b.audit()
	after.keeps(before)
	t.Logf("audit: %v CPU", after.cpu)
	if c := after.covered("agents"); c.Status == "error" {
		t.Errorf("agents: %+v", c)
	}
}

// TestEnded: an audit that is ended by a signal leaves no child behind.
func TestEnded(t *testing.T) {
	b := New(t)
	b.write(root, "/etc/ssh/sshd_config", weakSSH)
	b.program(root, "/run/slow/sshd")
	b.run(root, "mount", "--bind", "/run/slow/sshd", "/usr/sbin/sshd") // one that does not answer when it is asked
	b.listens(root, "/usr/sbin/sshd", "tcp4 0.0.0.0:22")
	slow := func() bool {
		out, _ := b.command(root, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").Output()
		return strings.Contains(string(out), "sshd -G") || strings.Contains(string(out), "sshd -T")
	}
	p := b.launch(b.command(root, "sh", "-c", `echo started $$; exec "$@" >/dev/null`, "sh", made.ringfence, "audit", "-q"))
	pid := p.line(t, "started ")
	b.until("sshd is asked", slow)
	b.run(root, "kill", "-TERM", pid)
	<-p.ended
	b.until("no child of the audit goes on", func() bool { return !slow() })
}
