//go:build linux && !ringfence_portable

package checks

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/need"
)

// leavingTask is a thread of which the namespaces are gone, or refused, and that is told to have ended once its status was read some times.
type leavingTask struct {
	namespace error
	looks     int
}

func (l *leavingTask) ReadFile(string) ([]byte, error) {
	if l.looks--; l.looks < 0 {
		return []byte("State:\tZ (zombie)\n"), nil
	}
	return []byte("State:\tR (running)\n"), nil
}

func (l *leavingTask) Readlink(string) (string, error) { return "", l.namespace }

// TestThreadThatEndsWhileItIsRead: a thread gives up its namespaces before its status tells that it has ended. It is no thread that could not be read;
// one whose namespaces are refused is, and so is one that stays.
func TestThreadThatEndsWhileItIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		task leavingTask
		want bool
	}{
		"it has ended":              {leavingTask{unix.ENOENT, 0}, true},
		"it is about to end":        {leavingTask{unix.ENOENT, 3}, true},
		"its namespaces are denied": {leavingTask{unix.EACCES, 3}, false},
		"a kernel without them":     {leavingTask{unix.ENOENT, 2 * endTries}, false},
	} {
		if got := hasEnded(&c.task); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestWhoCanBeLookedInto: the kernel lets others of its user look into a process that began its program as that user, and not into one that became it afterwards.
func TestWhoCanBeLookedInto(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root, to start processes of others")
	}
	perl := need.Program(t, "perl")
	const nobody = 65534
	for name, c := range map[string]struct {
		program string
		begins  uint32
		want    bool
	}{
		"it began as it":        {"", nobody, false},
		"it became it":          {"POSIX::setgid(65534); POSIX::setuid(65534);", 0, true},
		"it became it, and ran": {"POSIX::setgid(65534); POSIX::setuid(65534); exec $^X, '-e', '$| = 1; print 1; sleep 60';", 0, false},
		"root":                  {"", 0, false},
	} {
		cmd := exec.Command(perl, "-MPOSIX", "-e", c.program+" $| = 1; print 1; sleep 60")
		cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.begins, Gid: c.begins}, Pdeathsig: unix.SIGKILL}
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p, _ := newScan(host.Local()).readTask(cmd.Process.Pid)
		_, _ = cmd.Process.Kill(), cmd.Wait()
		if p == nil || p.Undumpable != c.want {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
