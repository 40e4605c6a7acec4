//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// StartConfined starts a command in a process that never had a privilege: no_new_privs, no capability in any set,
// and a Landlock domain in which nothing can be opened but the program itself. Those belong to a thread and are
// inherited by what it starts (prctl(2), capabilities(7), landlock(7)), so a thread of its own gets them, starts the
// command and ends with it; all threads of the new process have them from its first instruction on, whatever it is
// linked with. What the kernel refuses or does not have is left out: CloseIn, in the new process, tells.
//
// The command is killed when this process ends (PR_SET_PDEATHSIG is about the thread, which therefore stays as long), and
// is in a process group of its own, so that no signal of a terminal is for it. It must name its three standard files. The function that is
// returned waits for its end.
//
// It gets no other descriptor: those that this process was started with are marked to be closed, which they stay.
func StartConfined(cmd *exec.Cmd) (wait func() error, err error) {
	closeOnExec()
	if wait, err = startOn(cmd, true); err != nil && errors.Is(err, unix.EACCES) {
		// A program that the linker loads has more files than one; without a domain it can start.
		again := exec.Command(cmd.Path)
		again.Args, again.Env, again.Dir = cmd.Args, cmd.Env, cmd.Dir
		again.Stdin, again.Stdout, again.Stderr = cmd.Stdin, cmd.Stdout, cmd.Stderr
		*cmd = *again
		return startOn(cmd, false)
	}
	return wait, err
}

// closeOnExec marks all descriptors but the standard ones. Package os does so with what it opens; what this process
// inherited, it would hand on.
func closeOnExec() {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil { // Linux 5.11
		return
	}
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return
	}
	for fd := range int(min(l.Cur, 1<<16)) {
		if fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

func startOn(cmd *exec.Cmd, landlock bool) (func() error, error) {
	started, ended := make(chan error, 1), make(chan error, 1)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true}
	onThread(func() {
		restrictThread(landlock)
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	})
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start confined: %w", err)
	}
	return func() error { return <-ended }, nil
}

// onThread runs f on a thread that ends with it. The first thread of a process cannot end, and what it has is what
// /proc shows of the process: it is held meanwhile.
func onThread(f func()) {
	go func() {
		runtime.LockOSThread() // and never unlocks, but for the first thread
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		defer runtime.UnlockOSThread()
		elsewhere := make(chan bool)
		go func() {
			runtime.LockOSThread()
			close(elsewhere)
			f()
		}()
		<-elsewhere
	}()
}

// restrictThread takes from the calling thread what it can.
func restrictThread(landlock bool) {
	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if landlock {
		if abi, err := landlockABI(); err == nil {
			_ = restrictFiles(abi)
		}
	}
	for c := range uintptr(64) {
		_ = unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
	}
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	_ = dropCapabilities()
}

func dropCapabilities() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&head, &none[0])
}

func landlockABI() (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// landlockRights are all that a version of the ABI can refuse (linux/landlock.h, Documentation/userspace-api/landlock.rst):
// each grew by what is named here.
func landlockRights(abi int) unix.LandlockRulesetAttr {
	a := unix.LandlockRulesetAttr{Handled_access_fs: 2*unix.LANDLOCK_ACCESS_FS_MAKE_SYM - 1}
	if abi >= 2 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 {
		a.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= 5 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		a.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	return a
}

// restrictFiles puts the calling thread into a domain where this program can be started and nothing else opened.
func restrictFiles(abi int) error {
	attr := landlockRights(abi)
	size := unsafe.Sizeof(attr)
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return errno
	}
	defer unix.Close(int(set))
	exe, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(exe)
	rule := unix.LandlockPathBeneathAttr{
		Allowed_access: unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE,
		Parent_fd:      int32(exe),
	}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, set, unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
		return errno
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// CloseIn is the other half of StartConfined, for the new process to call before it reads anything: a bound on its
// memory (bytes of data, RLIMIT_DATA), no file that grows and no core, and for all its threads at once a list of
// the system calls that computing needs, all others being refused. It says what holds. There is no way back.
func CloseIn(memory uint64) Confinement {
	var c Confinement
	c.Landlock = seenDomain()
	_ = dropCapabilities() // of this thread; all have none where StartConfined could take them
	for _, l := range []struct {
		what  int
		value uint64
	}{{unix.RLIMIT_DATA, memory}, {unix.RLIMIT_CORE, 0}, {unix.RLIMIT_FSIZE, 0}} {
		_ = unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.value, Max: l.value})
	}
	c.Capabilities = seenCapabilities()
	if v, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err == nil {
		c.NoNewPrivs = v == 1
	}
	c.Seccomp = "filter"
	if err := filterCalls(); err != nil {
		c.Seccomp = "absent: " + err.Error()
	}
	c.try()
	return c
}

// try asks for what has to be refused.
func (c *Confinement) try() {
	c.Files, c.Network, c.Programs = Open, Open, Open
	fd, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	switch {
	case err == nil:
		unix.Close(fd)
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		c.Files = Refused
	}
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	switch {
	case err == nil:
		unix.Close(fd)
	case errors.Is(err, unix.EPERM):
		c.Network = Refused
	}
	if err := unix.Exec("", []string{""}, nil); errors.Is(err, unix.EPERM) { // else there is no such file
		c.Programs = Refused
	}
}

// seenDomain says whether this process is in a Landlock domain: then it cannot list the root directory.
func seenDomain() string {
	abi, err := landlockABI()
	if err != nil {
		return "absent: " + err.Error()
	}
	fd, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
		return "absent: the process was started without"
	}
	return fmt.Sprintf("abi %d", abi)
}

// seenCapabilities looks at all sets of the calling thread.
func seenCapabilities() string {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&head, &sets[0]); err != nil {
		return "unknown: " + err.Error()
	}
	for _, s := range sets {
		if s.Permitted != 0 || s.Effective != 0 || s.Inheritable != 0 {
			return "held"
		}
	}
	return Dropped
}

// EndFirst has the kernel end a child of this process before others where memory runs out (proc_pid_oom_score_adj(5)):
// what it does can be told to have failed, and the host's services cannot. Nothing is written where /proc is that of
// another pid namespace, in which the number is of somebody else.
func EndFirst(pid int) {
	self, err := os.Readlink("/proc/self")
	if err != nil || self != strconv.Itoa(os.Getpid()) {
		return
	}
	dir := fmt.Sprintf("/proc/%d/", pid)
	b, err := os.ReadFile(dir + "status")
	if err != nil || !strings.Contains(string(b), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) {
		return
	}
	_ = os.WriteFile(dir+"oom_score_adj", []byte(endFirst), 0)
}

// endFirst is 800 of 1000: nearly all of the memory of the host on top of its own.
const endFirst = "800"
