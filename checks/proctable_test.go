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

// leavingTask is a thread by its line of stat.
type leavingTask struct {
	stat string
	err  error
}

func (l leavingTask) ReadFile(string) ([]byte, error) { return []byte(l.stat), l.err }

// TestThreadThatEndsWhileItIsRead: a thread gives up its namespaces before its status tells that it has ended. It is no thread that could not be read,
// however long it takes over its end; one whose namespaces are refused is.
func TestThreadThatEndsWhileItIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		task leavingTask
		want bool
	}{
		"it is gone":                  {leavingTask{err: unix.ESRCH}, true},
		"it ends":                     {leavingTask{stat: "12 (true) R 1 12 12 0 -1 4194308 0 0"}, true},
		"it ends, by a name":          {leavingTask{stat: "12 (a) S 1 (b c) R 1 12 12 0 -1 4194308 0 0"}, true},
		"its namespaces are denied":   {leavingTask{stat: "12 (true) R 1 12 12 0 -1 4194560 0 0"}, false},
		"a name that looks like more": {leavingTask{stat: "12 (x) R 1 12 12 0 -1 4 0 0) R 1 12 12 0 -1 4194560 0 0"}, false},
		"its line is denied":          {leavingTask{err: unix.EACCES}, false},
		"its line is cut":             {leavingTask{stat: "12 (true"}, false},
	} {
		if got := hasEnded(c.task); got != c.want {
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
