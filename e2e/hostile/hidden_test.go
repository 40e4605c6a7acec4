//go:build linux

package hostile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
)

const (
	rootPassword = "ssh/root-login-with-password"
	password     = "ssh/password-authentication"
	devices      = "kernel/sensitive-device-in-workload"
	socketInside = "runtime/socket-mounted-in-workload"
	openRuntime  = "agent/unauthenticated-runtime-reachable"
	sshOutside   = "management/ssh-reachable-from-external"
	sharedMemory = "kernel/shared-memory-across-zones"
)

// TestContainerWithServer: the configuration of an SSH server in a container stands beside the host's own.
func TestContainerWithServer(t *testing.T) {
	b := New(t)
	b.sshd(weakSSH)
	before := b.audit()
	for _, check := range []string{rootPassword, password} {
		if before.finds(check, "/etc/ssh/sshd_config") == nil {
			t.Fatalf("%s: no finding without the container", check)
		}
	}
	b.write(root, "/home/ct/etc/ssh/sshd_config", strongSSH)
	b.container(Container{ID: id("c"), Program: "/usr/sbin/sshd"})
	after := b.audit()
	after.keeps(before)
	s, _ := b.collect()
	if len(s.SSH.Servers) != 2 {
		t.Errorf("want the servers of the host and of the container: %+v", s.SSH.Servers)
	}
}

// TestFileInHomeHidesContainer: a specification that a user wrote does not describe root's container of the same id.
func TestFileInHomeHidesContainer(t *testing.T) {
	b := New(t)
	c := id("d")
	b.write(root, "/run/bundle/config.json", privilegedSpec)
	p := b.container(Container{ID: c, Spec: "-", Program: "/bin/app", Namespaces: "p", NoCgroup: true})
	b.write(root, "/run/runc/"+c+"/state.json", fmt.Sprintf(`{"init_process_pid": %d, "config": {"labels": ["bundle=/run/bundle"]}}`, p.PID))
	before := b.audit()
	if f := before.finds(devices, "all devices", c[:12]); f == nil || f.Severity != "critical" {
		t.Fatalf("no finding without the file: %+v", before.result(devices))
	}
	b.write(mal, "/home/mal/.local/share/containers/storage/x-containers/"+c+"/userdata/config.json",
		`{"linux":{"seccomp":{},"namespaces":[{"type":"user"}]}}`)
	after := b.audit()
	after.keeps(before)
	after.adds(before, "uid1001", "uid 1001")
}

// TestFirstProcessLeaves: a container that has docker.sock is found also after its first process left by chroot(2).
func TestFirstProcessLeaves(t *testing.T) {
	for name, void := range map[string]string{"stays": "", "leaves": "/void"} {
		t.Run(name, func(t *testing.T) {
			b := New(t)
			b.listens(root, "/run/dockerd", "unix /run/docker.sock")
			b.dir(root, "/home/ct/void")
			b.write(root, "/home/ct/run/d.sock", "")
			b.run(root, "sh", "-c", "mount --bind /home/ct /home/ct && mount --bind /run/docker.sock /home/ct/run/d.sock")
			c := Container{ID: id("b"), Program: "/bin/fc", Role: "leave", Env: []string{"HOSTILE_VOID=" + void}}
			b.container(c)
			if r := b.audit(); r.finds(socketInside, "/run/docker.sock in container bbbbbbbbbbbb") == nil {
				t.Errorf("the socket is not found: %s, runtimes: %+v", r.result(socketInside).Status, r.covered("runtimes"))
			}
		})
	}
}

// TestFirstThreadElsewhere: the first thread of the program can be left in the mount namespace of a container that it looked
// into. What the others read of the host is the host's all the same: /proc/self is about the first thread.
func TestFirstThreadElsewhere(t *testing.T) {
	b := New(t)
	b.listens(root, "/run/dockerd", "unix /run/docker.sock")
	b.write(root, "/home/ct/run/d.sock", "")
	b.run(root, "sh", "-c", "mount --bind /home/ct /home/ct && mount --bind /run/docker.sock /home/ct/run/d.sock")
	c := b.container(Container{ID: id("b"), Program: "/bin/fc"})
	here := b.begin(root, Program{Path: "/run/collector", Role: "collect"})
	there := b.begin(root, Program{Path: "/run/collector", Role: "collect", Env: []string{fmt.Sprintf("HOSTILE_FILES=/proc/%d/ns/mnt", c.PID)}})
	if a, b := here.line(t, "seen "), there.line(t, "seen "); a != b || !strings.Contains(a, "/run/d.sock") {
		t.Errorf("the first thread is elsewhere: %s\nwant %s", b, a)
	}
}

// TestHiddenProcesses: where /proc hides the processes of others, that none is seen is no proof that there is none.
func TestHiddenProcesses(t *testing.T) {
	b := New(t)
	b.start(root, Program{Path: "/run/claude"})
	b.sshd(weakSSH)
	b.run(root, "sh", "-c", "umount -l /proc && mount -t proc -o hidepid=2 proc /proc")
	snap := b.ringfence(mal, nil, "collect", "-q")
	r := b.report(b.ringfence(root, bytes.NewReader(snap.out), "audit", "-q", "-f", "json", "--fail-on", "none", "--snapshot", "-"))
	if c := r.covered("processes"); c.Status != "partial" || !strings.Contains(fmt.Sprint(c.Reasons), "hidepid") {
		t.Errorf("processes: %+v", c)
	}
	for _, res := range r.Results {
		if strings.HasPrefix(res.ID, "ssh/") || strings.HasPrefix(res.ID, "capability/") || strings.HasPrefix(res.ID, "agent/") {
			if res.Status != finding.Unknown && res.Status != finding.Fail {
				t.Errorf("%s is %s: %s", res.ID, res.Status, res.Reason)
			}
		}
	}
}

// TestDamagedSnapshots: what was taken out of a snapshot makes no check better.
func TestDamagedSnapshots(t *testing.T) {
	b := New(t)
	b.sshd(weakSSH)
	b.listens(root, "/run/ollama", "tcp4 0.0.0.0:11434")
	b.listens(root, "/run/dockerd", "tcp4 0.0.0.0:2375")
	_, whole := b.collect()
	judge := func(snap []byte) (map[string]string, answer) {
		a := b.ringfence(root, bytes.NewReader(snap), "audit", "-q", "-f", "json", "--fail-on", "none", "--snapshot", "-")
		if a.code == 2 {
			return nil, a
		}
		states := map[string]string{}
		for _, res := range b.report(a).Results {
			states[res.ID] = res.Status
		}
		return states, a
	}
	before, _ := judge(whole)
	parse := func() map[string]any {
		var m map[string]any
		b.must(json.Unmarshal(whole, &m))
		return m
	}
	say := func(name string, snap []byte) {
		t.Helper()
		after, a := judge(snap)
		for id, was := range before {
			if now := after[id]; (was == finding.Fail || was == finding.Unknown) && (now == finding.Pass || now == finding.NotApplicable) {
				t.Errorf("%s: %s was %s and is %s", name, id, was, now)
			}
		}
		if after == nil && len(strings.TrimSpace(a.err)) == 0 {
			t.Errorf("%s: refused without a word", name)
		}
	}
	for _, section := range []string{"listeners", "processes", "network", "agents", "ssh", "runtimes", "nftables", "coverage"} {
		m := parse()
		delete(m, section)
		snap, _ := json.Marshal(m)
		say("without "+section, snap)
	}
	for _, status := range []string{"Denied", "", "timeout"} {
		m := parse()
		m["processes"] = map[string]any{}
		for _, c := range m["coverage"].([]any) {
			if c := c.(map[string]any); c["collector"] == "processes" {
				c["status"] = status
			}
		}
		snap, _ := json.Marshal(m)
		say(fmt.Sprintf("the coverage of processes is %q, and there are none", status), snap)
	}
	end := bytes.LastIndexByte(whole, '}')
	say("a second key PROCESSES", append(bytes.Clone(whole[:end]), []byte(`,"PROCESSES":{"list":[]}}`)...))
	say("a second key processes", append(bytes.Clone(whole[:end]), []byte(`,"processes":{"list":[]}}`)...))
	say("a second document", append(bytes.Clone(whole), whole...))
}

// TestNamespacesWithoutProcess: what listens in a network namespace that no process is in is found all the same.
func TestNamespacesWithoutProcess(t *testing.T) {
	b := New(t)
	b.write(mal, "/home/mal/ns", "")
	receiver := b.start(vic, Program{Path: "/home/vic/receiver", Role: "receive", Env: []string{"HOSTILE_FILES=/home/vic/s"}})
	b.must(os.Chmod(b.path("/home/vic/s"), 0o777))
	for _, keep := range []string{"fd", "mount", "pass"} {
		p := b.start(mal, Program{Path: "/home/mal/app", Role: "apart", Env: []string{
			"HOSTILE_INNER=netns", "HOSTILE_NAMESPACES=mn", "HOSTILE_KEEP=" + keep,
			"HOSTILE_FILES=" + map[string]string{"mount": "/home/mal/ns", "pass": "/home/vic/s"}[keep],
		}})
		if keep == "pass" {
			receiver.line(t, "received")
			p.stop()
		}
	}
	s, _ := b.collect()
	seen := map[uint64]bool{}
	for _, sk := range s.Listeners.Sockets {
		if sk.Port == 4444 {
			seen[sk.Netns] = true
		}
	}
	if len(seen) != 3 {
		t.Errorf("port 4444 listens in %d namespaces, want 3", len(seen))
	}
}

// TestSharedMemoryBelow: memory that two zones share is found in a directory of /dev/shm, and after its name was removed.
func TestSharedMemoryBelow(t *testing.T) {
	for name, keep := range map[string]string{"below": "", "removed": "unlink"} {
		t.Run(name, func(t *testing.T) {
			b := New(t)
			b.must(os.Mkdir(b.path("/dev/shm/x"), 0o777))
			b.must(os.Chmod(b.path("/dev/shm/x"), 0o777))
			b.run(root, "sh", "-c", "mkdir -p /home/ct/dev/shm && mount --bind /home/ct /home/ct && mount --bind /dev/shm /home/ct/dev/shm")
			file := "HOSTILE_FILES=/dev/shm/x/segment"
			b.start(root, Program{Path: "/run/service", Role: "memory", Env: []string{file}})
			b.container(Container{ID: id("e"), Program: "/app", Role: "memory", Namespaces: "pun", Env: []string{file, "HOSTILE_KEEP=" + keep}})
			if r := b.audit(); r.result(sharedMemory).Status != finding.Fail {
				t.Errorf("%s: %+v", sharedMemory, r.result(sharedMemory))
			}
		})
	}
}

// TestRemovedServer: a server whose program was replaced, as by an update, is still the host's server.
func TestRemovedServer(t *testing.T) {
	b := New(t)
	b.run(root, "sh", "-c", "mkdir -p /home/sbin && mount -t tmpfs tmpfs /home/sbin && cp /usr/sbin/sshd /home/sbin/sshd")
	b.run(root, "ssh-keygen", "-A")
	b.write(root, "/etc/ssh/sshd_config", weakSSH)
	b.server(root, "/home/sbin/sshd", "-D")
	b.must(os.Remove(b.path("/home/sbin/sshd")))
	r := b.audit()
	if res := r.result(rootPassword); res.Status != finding.Fail && res.Status != finding.Unknown {
		t.Errorf("%s is %s: %s", rootPassword, res.Status, res.Reason)
	}
	if r.finds(sshOutside, "tcp 0.0.0.0:22") == nil {
		t.Errorf("the server on port 22 is not found: %+v", r.result(sshOutside))
	}
}

// TestSecondSpecification: of two specifications of one container, both root's, neither hides what the other allows.
func TestSecondSpecification(t *testing.T) {
	b := New(t)
	c := id("f")
	b.container(Container{ID: c, Program: "/app"})
	b.write(root, "/run/other/config.json", privilegedSpec)
	b.write(root, "/run/runc/"+c+"/state.json", `{"config": {"labels": ["bundle=/run/other"]}}`)
	if r := b.audit(); r.finds(devices, c[:12]) == nil {
		t.Errorf("%+v", r.result(devices))
	}
}

// TestClaimedContainer: a user's cgroup with the name of root's container makes nobody a part of it.
func TestClaimedContainer(t *testing.T) {
	b := New(t)
	c := id("a")
	b.container(Container{ID: c, Spec: privilegedSpec, Program: "/app"})
	before := b.audit()
	if before.finds(devices, c[:12]) == nil {
		t.Fatalf("no finding without the claim: %+v", before.result(devices))
	}
	claim := b.cgroup(mal, "user.slice/docker-"+c+".scope")
	b.must(os.Chown(b.cgroups+"/user.slice", mal, mal))
	p := b.listens(mal, "/home/mal/sshd", "tcp4 0.0.0.0:2222")
	b.join(claim, p)
	after := b.audit()
	after.keeps(before)
	s, _ := b.collect()
	for _, x := range s.Processes.List {
		if x.PID == p.PID && (x.Container == c || x.Container != "" && x.ContainerWord.Trusted()) {
			t.Errorf("mal's process is in container %q by the word of %s", x.Container, x.ContainerWord)
		}
	}
	for _, x := range s.Runtimes.Containers {
		if x.ID == c && x.PID == p.PID {
			t.Error("mal's process is the first one of root's container")
		}
	}
}

// TestBrokenLines: programs, processes and sockets with names that break the lines of /proc hide nothing of the host's.
func TestBrokenLines(t *testing.T) {
	b := New(t)
	b.listens(root, "/run/dockerd", "tcp4 0.0.0.0:2375")
	before := b.audit()
	b.start(mal, Program{Path: "/home/mal/a b\tc\nd", Role: "rename", Env: []string{"HOSTILE_NAME=x\nUid:\t0\t0", "HOSTILE_LISTEN=unix @/run/docker.sock\n"}})
	b.start(mal, Program{Path: "/home/mal/socket:[1] (deleted)"})
	after := b.audit()
	after.keeps(before)
	s, _ := b.collect()
	for _, p := range s.Processes.List {
		if strings.Contains(p.Comm, "Uid") && p.UID != mal {
			t.Errorf("a name became a uid: %+v", p)
		}
	}
}
