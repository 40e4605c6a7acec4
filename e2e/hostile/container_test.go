//go:build linux

package hostile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Container is what a runtime of root's would make.
type Container struct {
	ID         string
	Spec       string // its specification; plainSpec if it is empty, none if it is "-"
	Root       string // its root directory; /home/ct if it is empty
	Program    string // in the root; a copy of the helper
	Args       string
	Role       string
	Namespaces string // beside the mount namespace, of p i u n; all of them if it is empty
	NoCgroup   bool
	Env        []string
}

// plainSpec is a specification of a confined container.
const plainSpec = `{"process":{"noNewPrivileges":true},"linux":{"seccomp":{},"maskedPaths":["x"],"namespaces":[` +
	`{"type":"mount"},{"type":"pid"},{"type":"ipc"},{"type":"uts"},{"type":"network"}]}}`

// privilegedSpec is one of a container that has everything.
const privilegedSpec = `{"process":{"capabilities":{"effective":["CAP_SYS_ADMIN"]}},"linux":{"devices":[{"path":"/dev/mem"}],` +
	`"resources":{"devices":[{"allow":true}]},"namespaces":[{"type":"mount"},{"type":"pid"}]}}`

// id is the id of a container: one character, 64 times.
func id(c string) string { return strings.Repeat(c, 64) }

// taskDir is where containerd has the bundle of a container of Docker's.
func taskDir(id string) string { return "/run/containerd/io.containerd.runtime.v2.task/moby/" + id }

// container starts a container of root's.
func (b *Bed) container(c Container) *Proc {
	b.t.Helper()
	if c.Root == "" {
		c.Root = "/home/ct"
	}
	if c.Namespaces == "" {
		c.Namespaces = "piun"
	}
	if c.Role == "" {
		c.Role = "pause"
	}
	switch c.Spec {
	case "-":
	case "":
		b.write(root, taskDir(c.ID)+"/config.json", plainSpec)
	default:
		b.write(root, taskDir(c.ID)+"/config.json", c.Spec)
	}
	b.program(root, c.Root+c.Program)
	cgroup := ""
	if !c.NoCgroup {
		cgroup = b.cgroup(root, "docker-"+c.ID+".scope")
	}
	p := b.begin(root, Program{Path: "/run/minicont", Role: "container", Env: append([]string{
		"HOSTILE_ROOT=" + c.Root, "HOSTILE_CGROUP=" + cgroup, "HOSTILE_NAMESPACES=" + c.Namespaces,
		"HOSTILE_PROGRAM=" + c.Program, "HOSTILE_ARGS=" + c.Args, "HOSTILE_INNER=" + c.Role,
	}, c.Env...)})
	p.PID, _ = strconv.Atoi(p.line(b.t, "pid "))
	return p.ready(b.t)
}

// cgroup makes a cgroup that a user owns, with those above it of root's: in the unified hierarchy, or where there is none
// in systemd's. It is gone after the world is.
func (b *Bed) cgroup(uid int, name string) string {
	b.t.Helper()
	if b.cgroups == "" {
		for _, at := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup", "/sys/fs/cgroup/systemd"} {
			if _, err := os.Stat(at + "/cgroup.procs"); err == nil {
				// The longest path of a process counts, and the tests can be in some cgroup themselves.
				b.cgroups = fmt.Sprintf("%s/hostile%d-%d-a-world-of-processes-with-long-names", at, os.Getpid(), b.n)
				break
			}
		}
		if b.cgroups == "" {
			b.t.Skip("the kernel lacks: a hierarchy of cgroups that is mounted")
		}
		b.must(os.Mkdir(b.cgroups, 0o755))
		b.t.Cleanup(b.removeCgroups)
	}
	at := b.cgroups
	for n := range strings.SplitSeq(name, "/") {
		at = filepath.Join(at, n)
		if err := os.Mkdir(at, 0o755); !errors.Is(err, fs.ErrExist) {
			b.must(err)
		}
	}
	b.must(os.Chown(at, uid, uid))
	b.must(os.Chown(at+"/cgroup.procs", uid, uid))
	return at
}

// removeCgroups ends the world and removes what it leaves: a cgroup can be removed when its last process is gone.
func (b *Bed) removeCgroups() {
	b.world.stop()
	var dirs []string
	_ = filepath.WalkDir(b.cgroups, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, p)
		}
		return nil
	})
	slices.Reverse(dirs)
	for _, d := range dirs {
		for end := time.Now().Add(deadline); os.Remove(d) != nil && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// join moves a process of the world into a cgroup.
func (b *Bed) join(cgroup string, p *Proc) {
	b.t.Helper()
	b.run(root, "sh", "-c", fmt.Sprintf("echo %d > %s/cgroup.procs", p.PID, cgroup))
}

// sshd starts the host's own server with a configuration, and waits until it listens.
func (b *Bed) sshd(config string) *Proc {
	b.t.Helper()
	const server = "/usr/sbin/sshd"
	if _, err := os.Stat(server); err != nil {
		b.t.Fatalf("needs %s (make deps installs it)", server)
	}
	b.run(root, "ssh-keygen", "-A")
	b.write(root, "/etc/ssh/sshd_config", config)
	return b.server(root, server, "-D")
}

// server starts an SSH server of a user and waits until it listens.
func (b *Bed) server(uid int, argv ...string) *Proc {
	b.t.Helper()
	p := b.launch(b.command(uid, append([]string{"sh", "-c", `exec "$@" -e 2>&1`, "sh"}, argv...)...))
	p.deaf = true
	p.line(b.t, "Server listening on ")
	return p
}

// weakSSH lets root in with a password.
const weakSSH = "PasswordAuthentication yes\nPermitRootLogin yes\nUsePAM no\n"

// strongSSH lets nobody in with a password.
const strongSSH = "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n"
