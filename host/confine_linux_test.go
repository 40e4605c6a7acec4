//go:build linux && !ringfence_portable

package host

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// confinedArg makes the test binary the process that closes itself in.
const confinedArg = "closed-in-for-a-test"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == confinedArg {
		closedIn()
		return
	}
	os.Exit(m.Run())
}

// told is what the process says about itself.
type told struct {
	Confinement Confinement
	Done        []string // what should have been refused
	Threads     int
}

// escapes are what a process that is closed in tries; nil is that it worked.
var escapes = map[string]func() error{
	"open /etc/passwd":     func() error { return opens("/etc/passwd", unix.O_RDONLY) },
	"open /etc/shadow":     func() error { return opens("/etc/shadow", unix.O_RDONLY) },
	"open /proc/1/environ": func() error { return opens("/proc/1/environ", unix.O_RDONLY) },
	"open /proc/self/exe":  func() error { return opens("/proc/self/exe", unix.O_RDONLY) },
	"make a file":          func() error { return opens("/tmp/ringfence-closed-in", unix.O_CREAT|unix.O_WRONLY) },
	"internet socket":      func() error { return errOf(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)) },
	"local socket":         func() error { return errOf(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)) },
	"netlink socket":       func() error { return errOf(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0)) },
	"execute a program":    func() error { return unix.Exec("/bin/true", []string{"true"}, nil) },
	"execute itself":       func() error { return unix.Exec("/proc/self/exe", []string{"x", "-test.run=^$"}, nil) },
	"make a process":       fork,
	"signal the parent":    func() error { return unix.Kill(unix.Getppid(), 0) },
	"trace the parent":     func() error { return unix.PtraceAttach(unix.Getppid()) },
	"make code": func() error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
		return err
	},
	"load a BPF program": func() error { return raw(unix.SYS_BPF) },
	"io_uring":           func() error { return raw(unix.SYS_IO_URING_SETUP) },
	"user namespace":     func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
	"change the limits":  func() error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) },
}

func opens(path string, flags int) error {
	_, err := unix.Open(path, flags, 0o600)
	return err
}

func errOf(_ int, err error) error { return err }

func fork() error {
	r, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	switch {
	case errno != 0:
		return errno
	case r == 0:
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	return nil
}

func raw(call uintptr) error {
	if _, _, errno := unix.Syscall(call, 0, 0, 0); errno == unix.EPERM {
		return errno
	}
	return nil // whatever else it says, the kernel looked at it
}

// closedIn closes itself in and tries the escapes on threads that were there before and on new ones.
func closedIn() {
	const threads = 6
	var ready, tried sync.WaitGroup
	closed, end := make(chan bool), make(chan bool)
	t := told{}
	var mu sync.Mutex
	try := func(when string) {
		runtime.LockOSThread()
		ready.Done()
		<-closed
		for name, f := range escapes {
			if err := f(); !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) {
				mu.Lock()
				t.Done = append(t.Done, fmt.Sprintf("%s, on a thread from %s: %v", name, when, err))
				mu.Unlock()
			}
		}
		mu.Lock()
		t.Threads++
		mu.Unlock()
		tried.Done()
		<-end
	}
	ready.Add(threads)
	tried.Add(2 * threads)
	for range threads {
		go try("before")
	}
	ready.Wait()
	t.Confinement = CloseIn(closedMemory)
	close(closed)
	ready.Add(threads)
	for range threads {
		go try("after")
	}
	tried.Wait()
	var kept [][]byte // the runtime goes on: memory, its collection, timers
	for i := range 50 {
		kept = append(kept, make([]byte, 1<<20))
		kept[i][0] = 1
	}
	runtime.GC()
	time.Sleep(20 * time.Millisecond)
	b, _ := json.Marshal(t)
	fmt.Printf("%s\n", b)
	_, _ = os.Stdin.Read(make([]byte, 1))
	if len(os.Args) > 2 && os.Args[2] == "hog" {
		for {
			b := make([]byte, 64<<20)
			for i := range b {
				b[i] = 1
			}
			kept = append(kept, b)
		}
	}
	close(end)
}

// closedMemory bounds the data of the process, in bytes.
const closedMemory = 512 << 20

// startClosedIn starts the process and reads what it says.
func startClosedIn(t *testing.T, args ...string) (*exec.Cmd, told, *os.File, *strings.Builder, func() error) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", append([]string{confinedArg}, args...)...)
	in, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	errs := new(strings.Builder)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, errs
	cmd.Env = []string{}
	wait, err := StartConfined(cmd)
	in.Close()
	out.Close()
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(r).ReadBytes('\n')
	if err != nil {
		hold.Close()
		t.Fatalf("%v: %v: %s", err, wait(), errs)
	}
	var said told
	if err := json.Unmarshal(line, &said); err != nil {
		t.Fatal(err)
	}
	return cmd, said, hold, errs, wait
}

// TestClosedInOnEveryThread has a process try to get out on all of its threads, and looks at them from outside.
func TestClosedInOnEveryThread(t *testing.T) {
	cmd, said, hold, errs, wait := startClosedIn(t)
	for _, d := range said.Done {
		t.Errorf("not refused: %s", d)
	}
	if said.Threads != 12 {
		t.Errorf("%d threads tried", said.Threads)
	}
	want := Confinement{NoNewPrivs: true, Capabilities: Dropped, Landlock: "abi ", Seccomp: "filter", Files: Refused, Network: Refused, Programs: Refused}
	got := said.Confinement
	if _, err := landlockABI(); err != nil || dynamic {
		want.Landlock = "absent: "
	}
	if !strings.HasPrefix(got.Landlock, want.Landlock) {
		t.Errorf("landlock %q, want %q", got.Landlock, want.Landlock)
	}
	got.Landlock = want.Landlock
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	EndFirst(cmd.Process.Pid)
	EndFirst(os.Getppid())
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", cmd.Process.Pid)); err != nil || strings.TrimSpace(string(b)) != endFirst {
		t.Errorf("oom_score_adj %q %v", b, err)
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", os.Getppid())); err == nil && strings.TrimSpace(string(b)) == endFirst {
		t.Errorf("a process that is no child has oom_score_adj %q", b)
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", cmd.Process.Pid))
	if err != nil || len(tasks) < 12 {
		t.Errorf("threads: %v %v", tasks, err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			t.Fatal(err)
		}
		lines := []string{"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"}
		if os.Geteuid() == 0 { // an unprivileged process cannot drop those, and cannot gain them either
			lines = append(lines, "CapBnd:\t0000000000000000")
		}
		for _, line := range lines {
			if !strings.Contains(string(b), "\n"+line+"\n") {
				t.Errorf("%s: no %q", task, line)
			}
		}
	}
	hold.Close()
	if err := wait(); err != nil {
		t.Errorf("it did not end well: %v: %s", err, errs)
	}
}

// startedConfined says of this process that it has no_new_privs from the start: a thread that another test left behind says nothing of it.
var startedConfined = func() bool {
	b, err := os.ReadFile("/proc/self/status")
	return err == nil && strings.Contains(string(b), "\nNoNewPrivs:\t1\n")
}()

// TestThisProcessStaysFree wants no thread of the process that starts another to have lost anything: least of all
// the first, which is what /proc shows of it.
func TestThisProcessStaysFree(t *testing.T) {
	if startedConfined {
		t.Fatal("needs to be started without no_new_privs")
	}
	for range 10 {
		_, _, hold, _, wait := startClosedIn(t)
		hold.Close()
		if err := wait(); err != nil {
			t.Error(err)
		}
	}
	var held []string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if held = restricted(t, "NoNewPrivs:\t1"); len(held) == 0 { // the threads that started them have ended
			break
		}
	}
	if len(held) > 0 {
		t.Errorf("restricted: %v", held)
	}
	if err := opens("/etc/passwd", unix.O_RDONLY|unix.O_CLOEXEC); err != nil {
		t.Error(err)
	}
}

// restricted are the threads of this process whose status has a line.
func restricted(t *testing.T, line string) []string {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, task := range tasks {
		if b, err := os.ReadFile(task); err == nil && strings.Contains(string(b), "\n"+line+"\n") {
			out = append(out, task)
		}
	}
	return out
}

// TestClosedInInheritsNothing has a descriptor that this process was started with, as by a shell.
func TestClosedInInheritsNothing(t *testing.T) {
	fd, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	cmd, _, hold, _, wait := startClosedIn(t)
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", cmd.Process.Pid))
	if err != nil || len(links) < 3 {
		t.Errorf("descriptors: %v %v", links, err)
	}
	for _, l := range links {
		to, err := os.Readlink(l)
		if err != nil || !strings.HasPrefix(to, "pipe:") && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/sys/fs/cgroup/") {
			t.Errorf("%s is %s %v", l, to, err)
		}
	}
	hold.Close()
	if err := wait(); err != nil {
		t.Error(err)
	}
}

// TestMemoryOfClosedIn has the process take memory until it is ended, at its bound. The Go runtime says that it is out of memory, or its own
// collector meets the refused mapping first, outside of every goroutine.
func TestMemoryOfClosedIn(t *testing.T) {
	cmd, _, hold, errs, wait := startClosedIn(t, "hog")
	hold.Close()
	err := wait()
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if err == nil || !ok || used.Maxrss<<10 < closedMemory/2 || used.Maxrss<<10 > 2*closedMemory {
		t.Errorf("it ended with %v, and had %+v", err, used)
	}
	if said := errs.String(); !strings.Contains(said, "out of memory") && !strings.Contains(said, "goroutine 0 gp=") {
		t.Errorf("it ended with %v: %.200s", err, said)
	}
}

// TestFilterJumps runs the filter over every call, as the kernel would.
func TestFilterJumps(t *testing.T) {
	const arch, pid = unix.AUDIT_ARCH_X86_64, 4711
	p := program(arch, pid)
	if len(p) > 200 {
		t.Errorf("%d instructions", len(p))
	}
	ok := map[uint32]bool{}
	for _, c := range computing {
		ok[c] = true
	}
	args := func(at int, v uint64) (a [6]uint64) { a[at] = v; return a }
	for nr := range uint32(600) {
		want := unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		if ok[nr] {
			want = unix.SECCOMP_RET_ALLOW
		}
		switch nr {
		case unix.SYS_CLONE3:
			want = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		case unix.SYS_MMAP, unix.SYS_MPROTECT:
			want = unix.SECCOMP_RET_ALLOW
		}
		if got := run(t, p, nr, arch, [6]uint64{}); got != want {
			t.Errorf("call %d: %#x, want %#x", nr, got, want)
		}
	}
	for _, c := range []struct {
		nr, arch, want uint32
		args           [6]uint64
	}{
		{unix.SYS_CLONE, arch, unix.SECCOMP_RET_ALLOW, args(0, unix.CLONE_VM|unix.CLONE_THREAD)},
		{unix.SYS_TGKILL, arch, unix.SECCOMP_RET_ALLOW, args(0, pid)},
		{unix.SYS_TGKILL, arch, unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), args(0, 1)},
		{unix.SYS_FCNTL, arch, unix.SECCOMP_RET_ALLOW, args(1, unix.F_GETFL)},
		{unix.SYS_MMAP, arch, unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), args(2, unix.PROT_READ|unix.PROT_EXEC)},
		{unix.SYS_READ, unix.AUDIT_ARCH_I386, unix.SECCOMP_RET_KILL_PROCESS, args(0, 0)},
		{unix.SYS_READ | 0x40000000, arch, unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), args(0, 0)}, // x32
	} {
		if got := run(t, p, c.nr, c.arch, c.args); got != c.want {
			t.Errorf("call %d: %#x, want %#x", c.nr, got, c.want)
		}
	}
}

// run is as much of classic BPF as the filter has.
func run(t *testing.T, p []unix.SockFilter, nr, arch uint32, args [6]uint64) uint32 {
	t.Helper()
	data := struct {
		nr, arch uint32
		ip       uint64
		args     [6]uint64
	}{nr, arch, 0, args}
	var acc uint32
	for i := 0; i < len(p); i++ {
		in, jump := p[i], false
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = *(*uint32)(unsafe.Add(unsafe.Pointer(&data), uintptr(in.K)))
			continue
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		case unix.BPF_JMP | unix.BPF_K | unix.BPF_JEQ:
			jump = acc == in.K
		case unix.BPF_JMP | unix.BPF_K | unix.BPF_JSET:
			jump = acc&in.K != 0
		default:
			t.Fatalf("instruction %d: code %#x", i, in.Code)
		}
		if jump {
			i += int(in.Jt)
		} else {
			i += int(in.Jf)
		}
	}
	t.Fatal("the filter has no end")
	return 0
}
