//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What struct seccomp_data has where (seccomp(2)), on a little-endian machine.
const (
	dataNumber = 0
	dataArch   = 4
	dataArgs   = 16
)

// computing are the system calls that the Go runtime makes while a program only computes, reads from and writes to
// what is open. Their numbers differ by architecture, their names are those of both amd64 and arm64.
var computing = []uint32{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_PREAD64, unix.SYS_CLOSE, unix.SYS_FSTAT, unix.SYS_LSEEK,
	unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_BRK,
	unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_RESTART_SYSCALL,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
	unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY,
	unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_GETRANDOM,
	unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2,
	unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
}

// asked is a system call that is let through if an argument is as asked.
type asked struct {
	call uint32
	arg  uint32
	op   uint16 // BPF_JEQ, or BPF_JSET: one of the bits
	with uint32
	not  bool
}

// program is the filter in classic BPF. A call that is not in a list fails with EPERM; clone3, whose arguments a
// filter cannot see, with ENOSYS, after which a C library takes clone; another architecture's calls kill.
func program(arch, pid uint32) []unix.SockFilter {
	const (
		load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		jump = unix.BPF_JMP | unix.BPF_K
		ret  = unix.BPF_RET | unix.BPF_K
	)
	deny := unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	allow := unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW}
	p := []unix.SockFilter{
		{Code: load, K: dataArch},
		{Code: jump | unix.BPF_JEQ, K: arch, Jt: 1},
		{Code: ret, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: load, K: dataNumber},
	}
	for _, a := range []asked{
		{unix.SYS_CLONE, 0, unix.BPF_JSET, unix.CLONE_THREAD, false}, // threads, not processes
		{unix.SYS_TGKILL, 0, unix.BPF_JEQ, pid, false},               // signals to itself, by which it preempts
		{unix.SYS_FCNTL, 1, unix.BPF_JEQ, unix.F_GETFL, false},
		{unix.SYS_MMAP, 2, unix.BPF_JSET, unix.PROT_EXEC, true}, // no new code
		{unix.SYS_MPROTECT, 2, unix.BPF_JSET, unix.PROT_EXEC, true},
	} {
		yes, no := allow, deny
		if a.not {
			yes, no = deny, allow
		}
		p = append(
			p,
			unix.SockFilter{Code: jump | unix.BPF_JEQ, K: a.call, Jf: 4},
			unix.SockFilter{Code: load, K: dataArgs + 8*a.arg},
			unix.SockFilter{Code: jump | a.op, K: a.with, Jf: 1},
			yes,
			no,
		)
	}
	p = append(
		p,
		unix.SockFilter{Code: jump | unix.BPF_JEQ, K: unix.SYS_CLONE3, Jf: 1},
		unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
	)
	for i, call := range computing { // the end is not 256 instructions away
		p = append(p, unix.SockFilter{Code: jump | unix.BPF_JEQ, K: call, Jt: uint8(len(computing) - i)})
	}
	return append(p, deny, allow)
}

// filterCalls puts the filter on all threads of the process at once (SECCOMP_FILTER_FLAG_TSYNC), which needs
// no_new_privs or CAP_SYS_ADMIN.
func filterCalls() error {
	arch := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	if arch == 0 {
		return errors.New("no filter for this architecture")
	}
	p := program(arch, uint32(unix.Getpid()))
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	r, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(p)
	switch {
	case errno != 0:
		return errno
	case r != 0:
		return errors.New("a thread has a filter of its own")
	}
	return nil
}
