//go:build linux

package hostile

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// onFirst keeps the main goroutine on the first thread where its role is about threads.
var onFirst = func() bool {
	threads := os.Getenv(roleVar) == "headless" || os.Getenv("HOSTILE_INNER") == "headless" ||
		os.Getenv(roleVar) == "twofaced" || os.Getenv("HOSTILE_INNER") == "twofaced"
	if threads {
		runtime.LockOSThread()
	}
	return threads
}()

// playHeadless ends the first thread; the others go on.
func playHeadless() error {
	said := make(chan struct{})
	go func() {
		fmt.Println("ready", os.Getpid())
		close(said)
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	<-said
	if unix.Gettid() != os.Getpid() {
		return fmt.Errorf("not on the first thread (%v)", onFirst)
	}
	_, _, errno := unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
	return errno
}

// playTwofaced leaves the first thread without any power. Another one keeps all of them, and descriptors of its own.
func playTwofaced() error {
	apart := make(chan error)
	go func() {
		runtime.LockOSThread()
		apart <- unix.Unshare(unix.CLONE_FILES)
		select {}
	}()
	if err := <-apart; err != nil {
		return err
	}
	if unix.Gettid() != os.Getpid() {
		return fmt.Errorf("not on the first thread (%v)", onFirst)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	none := [2]unix.CapUserData{}
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		return err
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 && errno != unix.EPERM {
		return errno
	}
	return nil
}

// TestThreads: what a container may do is what any of its threads may do, and it is there as long as one of them is.
func TestThreads(t *testing.T) {
	checks := []string{
		"capability/host-takeover-capability-in-workload", "capability/no-new-privs-off", "capability/workload-without-seccomp", socketInside,
	}
	for _, role := range []string{"pause", "headless", "twofaced"} {
		t.Run(role, func(t *testing.T) {
			b := New(t)
			b.listens(root, "/run/dockerd", "unix /run/docker.sock")
			b.write(root, "/home/ct/run/d.sock", "")
			b.run(root, "sh", "-c", "mount --bind /home/ct /home/ct && mount --bind /run/docker.sock /home/ct/run/d.sock")
			b.container(Container{ID: id("b"), Program: "/bin/fc", Role: role})
			r := b.audit()
			for _, check := range checks {
				if r.finds(check, "container bbbbbbbbbbbb") == nil {
					t.Errorf("%s: %s", check, r.result(check).Status)
				}
			}
		})
	}
}
