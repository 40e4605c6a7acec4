//go:build linux

package hostile

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// maze makes 38 links in dir, each at the end of a path of 2,000 directories, and "a" there that leads through all of them
// to end.
func maze(dir, end string) error {
	home, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	const links = 38
	at := dir
	for len(at) < unix.PathMax-12 {
		if err := os.Mkdir("d", 0o755); err != nil {
			return err
		}
		if err := os.Chdir("d"); err != nil {
			return err
		}
		at += "/d"
	}
	for i := range links {
		to := fmt.Sprintf("%s/l%d", at, i+1)
		if i == links-1 {
			to = end
		}
		if err := os.Symlink(to, fmt.Sprintf("l%d", i)); err != nil {
			return err
		}
	}
	if err := os.Symlink(at+"/l0", filepath.Join(dir, "a")); err != nil {
		return err
	}
	return os.Chdir(home)
}

// playMaze makes a maze in HOSTILE_FILES.
func playMaze() error { return maze(os.Getenv("HOSTILE_FILES"), "/") }

// playBehind starts HOSTILE_COUNT programs, each from a file of its own, below HOSTILE_FILES as it is in its own mount namespace.
func playBehind() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	dir := os.Getenv("HOSTILE_FILES")
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return lacking(err, "mounts in namespaces of ordinary users")
	}
	if err := os.Mkdir(dir+"/a", 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(dir+"/a/program", exe, 0o755); err != nil {
		return err
	}
	for i := range number() {
		at := fmt.Sprintf("%s/a/%d", dir, i)
		if err := os.WriteFile(at, nil, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(dir+"/a/program", at, "", unix.MS_BIND, ""); err != nil {
			return err
		}
		if err := spawn(at); err != nil {
			return err
		}
	}
	return nil
}

// spawn starts a program that lasts as long as this one.
func spawn(path string) error {
	cmd := exec.Command(path)
	cmd.Env = []string{roleVar + "=pause"}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	kept = append(kept, in)
	return cmd.Start()
}

// mountNetns mounts a new network namespace, in which nothing is, on a file: that of a process that then ends.
func mountNetns(at string) error {
	if err := os.WriteFile(at, nil, 0o644); err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{roleVar + "=pause"}
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return lacking(err, "network namespaces")
	}
	err = unix.Mount(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid), at, "", unix.MS_BIND, "")
	return errors.Join(err, in.Close(), cmd.Wait())
}

// playBeneath mounts a network namespace HOSTILE_COUNT times, and a maze over that.
func playBeneath() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	dir := os.Getenv("HOSTILE_FILES")
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return lacking(err, "mounts in namespaces of ordinary users")
	}
	if err := os.Mkdir(dir+"/a", 0o755); err != nil {
		return err
	}
	if err := mountNetns(dir + "/ns"); err != nil {
		return err
	}
	for i := range number() {
		at := fmt.Sprintf("%s/a/%d", dir, i)
		if err := os.WriteFile(at, nil, 0o644); err != nil {
			return err
		}
		if err := unix.Mount(dir+"/ns", at, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return err
	}
	return maze(dir, "/")
}

// TestProgramsBehindMaze: programs of a user's whose paths lead through a maze, on the host, take no time from the audit.
func TestProgramsBehindMaze(t *testing.T) {
	b := New(t)
	b.sshd(weakSSH)
	before := b.audit()
	files := "HOSTILE_FILES=" + b.dir(mal, "/home/mal/z")
	b.start(mal, Program{Path: "/home/mal/app", Role: "maze", Env: []string{files}})
	b.start(mal, Program{Path: "/home/mal/app", Role: "apart", Env: []string{files, "HOSTILE_INNER=behind", "HOSTILE_COUNT=150", "HOSTILE_NAMESPACES=m"}})
	after := b.audit()
	after.keeps(before)
	t.Logf("audit: %v CPU, %v without", after.cpu, before.cpu)
	if after.cpu > before.cpu+4*time.Second {
		t.Errorf("%v of CPU time, and %v without", after.cpu, before.cpu)
	}
}

// TestMountsBeneathMaze: mounts of network namespaces under a maze take no time from the audit, and are a gap of that user's.
func TestMountsBeneathMaze(t *testing.T) {
	b := New(t)
	b.sshd(weakSSH)
	before := b.audit()
	files := "HOSTILE_FILES=" + b.dir(mal, "/home/mal/z")
	for range 2 {
		b.start(mal, Program{Path: "/home/mal/app", Role: "apart", Env: []string{files, "HOSTILE_INNER=beneath", "HOSTILE_COUNT=2000", "HOSTILE_NAMESPACES=m"}})
	}
	after := b.audit()
	after.keeps(before)
	t.Logf("audit: %v CPU, %v without", after.cpu, before.cpu)
	if after.cpu > before.cpu+4*time.Second {
		t.Errorf("%v of CPU time, and %v without", after.cpu, before.cpu)
	}
	if c := after.covered("namespaces"); !strings.Contains(strings.Join(c.Reasons, " "), "uid 1001") {
		t.Errorf("what is not seen is not said: %+v", c)
	}
}
