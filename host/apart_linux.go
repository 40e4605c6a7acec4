//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// rootOfOne is the root directory of process 1, as the kernel has it (proc_pid_root(5)).
const rootOfOne = "/proc/1/root"

// Apart says whether this process has another root directory than process 1: a container that shares the pids of the host has, and its files
// are not the host's. Whoever may not look at process 1 is told by what is mounted at the two (proc_pid_mountinfo(5)). The error is that of a
// look that is refused: then it is not known.
func Apart() (bool, error) {
	var own, one unix.Stat_t
	if err := unix.Stat("/", &own); err != nil {
		return false, fmt.Errorf("stat /: %w", err)
	}
	err := unix.Stat(rootOfOne, &one)
	if err == nil {
		return own.Dev != one.Dev || own.Ino != one.Ino, nil
	}
	here, herr := rootMount("/proc/self/mountinfo")
	there, terr := rootMount("/proc/1/mountinfo")
	if herr != nil || terr != nil || here == "" || there == "" {
		return false, fmt.Errorf("stat %s: %w", rootOfOne, err)
	}
	return here != there, nil
}

// rootMount is the device and the directory of it that is mounted at the root of a process; "" if that is below a mount.
func rootMount(mountinfo string) (string, error) {
	b, err := readFile(mountinfo, mountinfo)
	if err != nil {
		return "", err
	}
	at := ""
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == "/" {
			at = f[2] + " " + f[3] // the last one is on top
		}
	}
	return at, nil
}

// Shut is the machine that the program runs on, whose files cannot be read: those at their paths are somebody else's. What the kernel tells
// in /proc and /sys is read. Every other path is refused as /proc/1/root is, or is an error.
func Shut() *Host {
	h := Local()
	h.instead = "/proc/self/mem" // below which nothing is: ENOTDIR
	if err := unix.Stat(rootOfOne, new(unix.Stat_t)); err != nil {
		h.instead = rootOfOne
	}
	return h
}

// shut says that a path is not the kernel's, and that files are none of the host's.
func (h *Host) shut(p string) bool {
	if h.instead == "" {
		return false
	}
	p = filepath.Join("/", p)
	return p != "/proc" && p != "/sys" && !strings.HasPrefix(p, "/proc/") && !strings.HasPrefix(p, "/sys/")
}

// base is the directory that a path is looked up from.
func (h *Host) base(p string) string {
	if h.shut(p) {
		return h.instead
	}
	if h.note != nil {
		h.note(p)
	}
	return h.root
}

// RunFromRoot runs a program that Command prepared from another root directory. An empty one is that of process 1, with its namespaces of
// mounts, names, IPC and cgroups as far as this process may enter them; that the root is another one needs CAP_SYS_CHROOT, and for
// process 1 CAP_SYS_PTRACE. A thread of its own goes there and ends with the program.
func RunFromRoot(cmd *exec.Cmd, root string) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if err := enterRoot(root); err != nil {
			done <- err
			return
		}
		done <- cmd.Run()
	}()
	return <-done
}

// errNoProc is a root in which the program would not see the processes that it has to look at.
var errNoProc = errors.New("there is no /proc of this host in it (mount the host's root with what is below it, rbind)")

func enterRoot(root string) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("enter another root: %w", err)
	}
	entered := false
	if root == "" {
		root = rootOfOne
		entered = enterOne()
	}
	if !entered {
		err := unix.Chroot(root)
		switch {
		case errors.Is(err, unix.EPERM):
			return fmt.Errorf("enter the root directory %s: %w (needs CAP_SYS_CHROOT)", root, err)
		case err != nil:
			return fmt.Errorf("enter the root directory %s: %w", root, err)
		}
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("enter the root directory %s: %w", root, err)
	}
	link, err := os.Readlink("/proc/self")
	if err != nil || link != fmt.Sprint(os.Getpid()) {
		return fmt.Errorf("enter the root directory %s: %w", root, errNoProc)
	}
	return nil
}

// enterOne enters the namespaces of process 1, and says whether what the thread sees then is what process 1 sees.
func enterOne() bool {
	var want, got unix.Stat_t
	if unix.Stat(rootOfOne, &want) != nil {
		return false
	}
	var files []*os.File
	for _, name := range []string{"uts", "ipc", "cgroup", "mnt"} { // mounts last: the others are found by this /proc
		if f, err := os.Open("/proc/1/ns/" + name); err == nil {
			defer f.Close()
			files = append(files, f)
		}
	}
	for _, f := range files {
		_ = unix.Setns(int(f.Fd()), 0) // without it the root directory alone is entered
	}
	return unix.Stat("/", &got) == nil && got.Dev == want.Dev && got.Ino == want.Ino
}
