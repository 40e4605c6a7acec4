//go:build linux

package hostile

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestZoo: beside a hundred hostile processes, twenty namespaces and files of every trick, each finding of the host alone is
// still there under the same fingerprint, and whatever is added is about what is mal's: in mal's home or runtime
// directory, called by mal's uid, a socket of one of mal's programs, or the one Ollama.
func TestZoo(t *testing.T) {
	b := New(t)
	b.sshd(weakSSH)
	b.listens(root, "/run/dockerd", "unix /run/docker.sock", "tcp4 0.0.0.0:2375")
	b.must(os.Chmod(b.path("/run/docker.sock"), 0o666))
	b.start(root, Program{Path: "/run/openclaw-gateway", Role: "listen", Env: []string{"HOSTILE_LISTEN=tcp4 0.0.0.0:18789"}})
	c := id("c")
	b.container(Container{ID: c, Spec: privilegedSpec, Program: "/usr/sbin/sshd"})
	b.start(vic, Program{Path: "/home/vic/claude"})
	before := b.audit()
	for check, key := range map[string]string{
		rootPassword: "/etc/ssh/sshd_config", devices: c[:12], "runtime/docker-api-on-tcp": "2375", sshOutside: "0.0.0.0:22",
		"runtime/socket-accessible-to-others": "/run/docker.sock", "agent/gateway-beyond-loopback": "18789",
	} {
		if before.finds(check, key) == nil {
			t.Fatalf("%s: no finding about %s on the host alone: %+v", check, key, before.result(check))
		}
	}
	b.zooFiles(c)
	b.zooProcesses(c)
	b.zooNamespaces()
	after := b.audit()
	after.keeps(before)
	after.adds(before, "uid1001", "uid 1001", "/home/mal/", "/run/user/1001/", "(mal-", "agent ollama")
	t.Logf("audit: %v CPU of the host alone, %v beside the zoo, %.1f times", before.cpu, after.cpu, float64(after.cpu)/float64(before.cpu))
	t.Logf("memory: %d MiB and %d MiB", before.maxRSS>>10, after.maxRSS>>10)
}

// zooFiles are mal's words about containers, configurations, sockets and memory.
func (b *Bed) zooFiles(c string) {
	specs := "/home/mal/.local/share/containers/storage/x-containers/"
	for name, text := range map[string]string{
		c: `{"linux":{"seccomp":{},"namespaces":[{"type":"user"}]}}`, id("1"): "{", id("2"): strings.Repeat("[", 50_000), id("3"): privilegedSpec,
		"\x1b[31m": plainSpec, id("4"): `{"mounts":[{"type":"bind","source":"/run/docker.sock","destination":"/x"}]}`,
	} {
		b.write(mal, specs+name+"/userdata/config.json", text)
		b.write(mal, specs+name+"/userdata/init.pid", "1")
	}
	for _, name := range []string{"runc/" + c + "/state.json", "crun/" + c + "/status"} {
		b.write(mal, "/run/user/1001/"+name, `{"pid":1,"init_process_pid":1,"bundle":"/etc","config":{"labels":["bundle=/etc"]}}`)
	}
	b.must(os.Symlink("/run/docker.sock", b.path("/run/user/1001/docker.sock")))
	b.dir(mal, "/home/mal/.ssh")
	b.must(os.Symlink("/etc/shadow", b.path("/home/mal/.ssh/authorized_keys")))
	b.write(mal, "/home/mal/.openclaw/openclaw.json", "{gateway:{token:"+strings.Repeat("[", 100_000))
	b.run(mal, "sh", "-c", "mkdir -p /dev/shm/a/b && for i in 1 2 3 4 5; do echo x > /dev/shm/a/b/$i; done; mkfifo /dev/shm/fifo; ln -s /dev/zero /dev/shm/link")
	b.write(mal, "/home/mal/cfg", strongSSH+"Include /home/mal/cfg\n"+strings.Repeat("Match User a\n", 300))
}

// zooProcesses are a hundred processes of mal's, under the names that mean something.
func (b *Bed) zooProcesses(c string) {
	claim := b.cgroup(mal, "user.slice/docker-"+c+".scope")
	b.must(os.Chown(b.cgroups+"/user.slice", mal, mal))
	for i, name := range []string{
		"sshd", "dockerd", "docker-proxy", "openclaw-gateway", "claude", "ollama", "containerd-shim", "conmon", "systemd", "buildkitd",
	} {
		p := Program{Path: fmt.Sprintf("/home/mal/zoo/%d/%s", i, name), Role: "listen", Env: []string{
			fmt.Sprintf("HOSTILE_LISTEN=unix @mal-%d||unix /home/mal/zoo/%d.sock", i, i), "OPENCLAW_SERVICE_MARKER=openclaw",
		}}
		if name == "sshd" {
			p.Args = []string{"-f", "/home/mal/cfg"}
		}
		q := b.start(mal, p)
		if i%2 == 0 {
			b.join(claim, q)
		}
	}
	b.start(mal, Program{Path: "/home/mal/zoo/mal-many", Role: "spawn", Env: []string{
		"HOSTILE_SPAWN=[" + strings.Repeat(`["sshd: root [priv]"],["dockerd","-H","tcp://0.0.0.0:2375"],["claude"],`, 29) + `["\u001b[2J"]]`,
	}})
	b.start(mal, Program{Path: "/home/mal/zoo/mal-a\n\x1b[31m(deleted)", Role: "rename", Env: []string{"HOSTILE_NAME=x) S 1 1\n", "HOSTILE_LISTEN=unix @mal-\n"}})
	b.start(mal, Program{Path: "/home/mal/zoo/mal-memory", Role: "memory", Env: []string{"HOSTILE_FILES=/dev/shm/a/b/1", "HOSTILE_KEEP=unlink"}})
}

// zooNamespaces are twenty user namespaces of mal's, with what can be in them.
func (b *Bed) zooNamespaces() {
	b.write(mal, "/home/mal/ns", "")
	apart := func(i int, env ...string) {
		b.start(mal, Program{Path: fmt.Sprintf("/home/mal/zoo/mal-apart%d", i), Role: "apart", Env: env})
	}
	for i := range 14 {
		apart(i, "HOSTILE_INNER=pause", "HOSTILE_NAMESPACES="+[]string{"", "m", "n", "mn", "mnp"}[i%5])
	}
	apart(14, "HOSTILE_INNER=netns", "HOSTILE_NAMESPACES=mn", "HOSTILE_KEEP=fd")
	apart(15, "HOSTILE_INNER=netns", "HOSTILE_NAMESPACES=mn", "HOSTILE_KEEP=mount", "HOSTILE_FILES=/home/mal/ns")
	apart(16, "HOSTILE_INNER=roots", "HOSTILE_NAMESPACES=m", "HOSTILE_COUNT=10")
	apart(17, "HOSTILE_INNER=mounts", "HOSTILE_NAMESPACES=m", "HOSTILE_COUNT=1000000")
	b.terminalNamespaces()
	apart(19, "HOSTILE_INNER=rules", "HOSTILE_NAMESPACES=n", "HOSTILE_LISTEN=tcp4 0.0.0.0:22||tcp4 0.0.0.0:2375",
		"HOSTILE_RULES=table inet t { chain c { type filter hook input priority 0; policy drop; limit rate 1/second accept\n}\n}\n")
}
