//go:build linux && !ringfence_portable

package dropin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
)

// system is what the services of a host are run and asked by.
type system interface {
	// run runs a program by its absolute path, and returns what it printed.
	run(ctx context.Context, argv []string) (string, error)
	// systemd says whether units can be started again.
	systemd() bool
	// hangUp has an SSH server read its configuration again; isServer says of a process that it is one.
	hangUp(pid int) error
	isServer(pid int) bool
	alive(pid int) bool
	// serves are the addresses that a process accepts TCP connections at, and the inodes of its sockets.
	serves(pid int) (map[string]uint32, error)
	sysctl(name string) (string, error)
	setSysctl(name, value string) error
	pause(time.Duration)
}

// real is this host.
type real struct{}

// runLimit bounds how long a program may take: systemd itself gives a service 90 seconds to stop, and as many to start.
const runLimit = 4 * time.Minute

// run runs a program that root alone decides about.
func (real) run(ctx context.Context, argv []string) (string, error) {
	if err := host.RootsAlone(argv[0]); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	var out bytes.Buffer
	cmd := host.Command(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = host.Environment(), &out, &out
	err := host.Run(cmd)
	return out.String(), err
}

// Systemctl has systemd do something. Where systemd is not the init of this host nothing is done.
func Systemctl(ctx context.Context, args ...string) error {
	if !(real{}).systemd() {
		return nil
	}
	out, err := real{}.run(ctx, append([]string{systemctl}, args...))
	if err != nil {
		return errors.New(firstOfLines(out, err))
	}
	return nil
}

func (real) systemd() bool { return host.Systemd() && exists(systemctl) }

func (real) alive(pid int) bool { return unix.Kill(pid, 0) == nil }

func (real) pause(d time.Duration) { time.Sleep(d) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func sysctlPath(name string) string {
	return "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
}

func (real) sysctl(name string) (string, error) {
	b, err := host.Local().ReadFile(sysctlPath(name))
	if err != nil {
		return "", fmt.Errorf("sysctl %s: %w", name, err)
	}
	return strings.TrimSpace(string(b)), nil
}

func (real) setSysctl(name, value string) error {
	return errors.Unwrap(os.WriteFile(sysctlPath(name), []byte(value), 0))
}

func firstOfLines(out string, err error) string {
	if line, _, _ := strings.Cut(strings.TrimSpace(out), "\n"); line != "" {
		return line
	}
	return err.Error()
}

// isServer says of a process that it is an SSH server of root's: a program of that name that root alone can write. A pid
// of a plan can be another's since then.
func (real) isServer(pid int) bool {
	proc := fmt.Sprintf("/proc/%d", pid)
	exe, err := os.Readlink(proc + "/exe")
	if err != nil || filepath.Base(exe) != "sshd" {
		return false
	}
	at, err := host.Local().Stat(proc + "/exe")
	if err != nil {
		return false
	}
	a, file, err := host.Local().Author(exe)
	who, serr := host.Local().Stat(proc)
	return err == nil && serr == nil && a.Root() && file.Dev == at.Dev && file.Ino == at.Ino && who.UID == 0
}

// hangUp has an SSH server read its configuration again.
func (r real) hangUp(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0) // who has the number now keeps it
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if !r.isServer(pid) {
		return errors.New("it is no SSH server of root's")
	}
	return unix.PidfdSendSignal(fd, unix.SIGHUP, nil, 0)
}
