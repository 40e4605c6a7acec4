//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// worldVar holds the number of the run inside a world of its own; "host" asks for none.
const worldVar = "RINGFENCE_E2E_WORLD"

// TestMain runs the tests in a world of processes of their own, since an audit judges every process that it sees: what
// other tests or other people start meanwhile is not there. Without root the tests say that they need it.
func TestMain(m *testing.M) {
	switch os.Getenv(worldVar) {
	case "":
		if os.Getuid() == 0 {
			os.Exit(inWorld())
		}
	case "host":
	default:
		if err := makeWorld(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	code := m.Run()
	_ = os.RemoveAll(buildDir())
	os.Exit(code)
}

// run is a number that no other run of these tests on this machine has now: in its world the process is number 1.
func run() int {
	if n, err := strconv.Atoi(os.Getenv(worldVar)); err == nil {
		return n
	}
	return os.Getpid()
}

// buildDir is where the program is built.
func buildDir() string { return filepath.Join(os.TempDir(), fmt.Sprintf("ringfence-e2e-%d", run())) }

// inWorld runs this program again as the first process of new namespaces, and gives its exit code.
func inWorld() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", worldVar, os.Getpid()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "tests in a world of their own:", err)
	return 1
}

// makeWorld mounts what belongs to the world: its processes, and a place for the names of network namespaces.
func makeWorld() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to itself: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		return fmt.Errorf("names of namespaces: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run/netns", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("names of namespaces: %w", err)
	}
	return nil
}
