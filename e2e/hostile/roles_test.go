//go:build linux

package hostile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// roleVar names what this program is to do in the place of the tests. The programs of a world are copies of it.
const roleVar = "HOSTILE_ROLE"

// roles are what it can do. Each prints "ready" and its pid when it has done it, and lasts until its input ends.
var roles = map[string]func() error{
	"world":     playWorld,
	"pause":     func() error { return nil },
	"listen":    playListen,
	"container": playContainer,
	"inside":    playInside,
	"leave":     playLeave,
	"headless":  playHeadless,
	"twofaced":  playTwofaced,
	"knock":     playKnock,
	"watch":     playWatch,
	"spawn":     playSpawn,
	"apart":     playApart,
	"netns":     playNetns,
	"receive":   playReceive,
	"memory":    playMemory,
	"call":      playCall,
	"rename":    playRename,
	"mounts":    playMounts,
	"roots":     playRoots,
	"rules":     playRules,
	"hang":      playHang,
	"files":     playFiles,
	"collect":   playCollect,
	"maze":      playMaze,
	"behind":    playBehind,
	"beneath":   playBeneath,
}

// unasked says whether somebody started this program as the sshd of a world, to ask it about a configuration: it
// does not answer.
func unasked() bool {
	return len(os.Args) > 1 && filepath.Base(os.Args[0]) == "sshd" && (os.Args[1] == "-G" || os.Args[1] == "-T")
}

func play(name string) {
	if name == "" {
		for {
			time.Sleep(time.Hour)
		}
	}
	f := roles[name]
	if f == nil {
		fmt.Fprintln(os.Stderr, "no role", name)
		os.Exit(2)
	}
	if err := f(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if name == "world" {
		return
	}
	fmt.Println("ready", os.Getpid())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// lacking ends the program, and with it the test, for what the kernel does not have.
func lacking(err error, what string) error {
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EPERM) {
		fmt.Printf("lacking: %s: %v\n", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// child starts this program again in another role, and waits for it to be ready.
func child(role string, attr *syscall.SysProcAttr, env ...string) (int, error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(append(os.Environ(), roleVar+"="+role), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = attr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	fmt.Println("pid", cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		return 0, fmt.Errorf("%s: %w", role, err)
	}
	os.Exit(0)
	return 0, nil
}

// kept keeps files open until the program ends.
var kept []any

func listen(addrs string) error {
	for a := range strings.SplitSeq(addrs, "||") {
		network, addr, _ := strings.Cut(a, " ")
		l, err := net.Listen(network, addr)
		if err != nil {
			return err
		}
		kept = append(kept, l)
	}
	return nil
}

func playListen() error { return listen(os.Getenv("HOSTILE_LISTEN")) }

// playContainer makes a container as a runtime does: namespaces, a cgroup and a root of its own.
func playContainer() error {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	for _, c := range os.Getenv("HOSTILE_NAMESPACES") {
		attr.Cloneflags |= map[rune]uintptr{
			'p': syscall.CLONE_NEWPID, 'i': syscall.CLONE_NEWIPC, 'u': syscall.CLONE_NEWUTS, 'n': syscall.CLONE_NEWNET,
		}[c]
	}
	_, err := child("inside", attr)
	return err
}

func playInside() error {
	dir := os.Getenv("HOSTILE_ROOT")
	if cg := os.Getenv("HOSTILE_CGROUP"); cg != "" {
		if err := os.WriteFile(cg+"/cgroup.procs", []byte("0"), 0); err != nil {
			return err
		}
	}
	if err := first(
		step{"private", unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")},
		step{"bind", unix.Mount(dir, dir, "", unix.MS_BIND|unix.MS_REC, "")},
		step{"enter", os.Chdir(dir)},
		step{"old root", os.MkdirAll(".old", 0o700)},
		step{"pivot", unix.PivotRoot(".", ".old")},
		step{"enter", os.Chdir("/")},
		step{"proc", os.MkdirAll("/proc", 0o755)},
	); err != nil {
		return err
	}
	if strings.Contains(os.Getenv("HOSTILE_NAMESPACES"), "p") {
		if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
			return fmt.Errorf("proc: %w", err)
		}
	}
	if err := unix.Unmount("/.old", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the old root: %w", err)
	}
	prog := os.Getenv("HOSTILE_PROGRAM")
	if err := os.Setenv(roleVar, os.Getenv("HOSTILE_INNER")); err != nil {
		return err
	}
	return unix.Exec(prog, append([]string{prog}, strings.Fields(os.Getenv("HOSTILE_ARGS"))...), os.Environ())
}

// playLeave leaves by chroot(2) into an empty directory, after it has started a child that stays.
func playLeave() error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{roleVar + "=pause"}
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if _, err := out.Read(make([]byte, 64)); err != nil {
		return err
	}
	if dir := os.Getenv("HOSTILE_VOID"); dir != "" {
		return errors.Join(unix.Chroot(dir), os.Chdir("/"))
	}
	return nil
}

// playKnock says when somebody opens a FIFO for reading: until then, opening it for writing waits.
func playKnock() error {
	for f := range strings.SplitSeq(os.Getenv("HOSTILE_FILES"), ";") {
		go func() {
			if _, err := os.OpenFile(f, os.O_WRONLY, 0); err == nil {
				fmt.Println("opened", f)
			}
		}()
	}
	return nil
}

// playWatch says which files are opened (inotify(7)): what is opened with O_PATH is not.
func playWatch() error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return lacking(err, "inotify")
	}
	names := map[int]string{}
	for f := range strings.SplitSeq(os.Getenv("HOSTILE_FILES"), ";") {
		wd, err := unix.InotifyAddWatch(fd, f, unix.IN_OPEN)
		if err != nil {
			return fmt.Errorf("watch %s: %w", f, err)
		}
		names[wd] = f
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := unix.Read(fd, buf)
			if err != nil || n < unix.SizeofInotifyEvent {
				return
			}
			for at := 0; at+unix.SizeofInotifyEvent <= n; {
				e := (*unix.InotifyEvent)(unsafe.Pointer(&buf[at]))
				fmt.Println("opened", names[int(e.Wd)])
				at += unix.SizeofInotifyEvent + int(e.Len)
			}
		}
	}()
	return nil
}

// playSpawn starts many: HOSTILE_SPAWN is a list of their arguments, the first of which is only what they call themselves.
func playSpawn() error {
	var list [][]string
	if err := json.Unmarshal([]byte(os.Getenv("HOSTILE_SPAWN")), &list); err != nil {
		return err
	}
	var long string
	if n := 0; os.Getenv("HOSTILE_LONG") != "" {
		if _, err := fmt.Sscan(os.Getenv("HOSTILE_LONG"), &n); err != nil {
			return err
		}
		long = strings.Repeat("CANARY42longArgument ", n/21)
	}
	for _, args := range list {
		cmd := exec.Command("/proc/self/exe")
		if prog := os.Getenv("HOSTILE_WITH"); prog != "" {
			cmd = exec.Command(prog)
		}
		cmd.Args = args
		for left := long; len(left) > 0; { // one argument has at most 128 KiB (MAX_ARG_STRLEN, execve(2))
			n := min(len(left), 100_000)
			cmd.Args, left = append(cmd.Args, left[:n]), left[n:]
		}
		cmd.Env = []string{roleVar + "=pause"}
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		kept = append(kept, in)
		if err := cmd.Start(); err != nil {
			return err
		}
	}
	return nil
}

// playApart plays HOSTILE_INNER in a user namespace of its own, and in others: HOSTILE_NAMESPACES.
func playApart() error {
	attr := &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	for _, c := range os.Getenv("HOSTILE_NAMESPACES") {
		attr.Cloneflags |= map[rune]uintptr{'m': syscall.CLONE_NEWNS, 'n': syscall.CLONE_NEWNET, 'p': syscall.CLONE_NEWPID}[c]
	}
	_, err := child(os.Getenv("HOSTILE_INNER"), attr)
	return lacking(err, "user namespaces of ordinary users")
}

// playNetns makes a network namespace that none of its threads stays in, with a listening socket in it. What keeps it is
// the socket, and HOSTILE_KEEP: fd (a descriptor of it), mount (a file that it is mounted on) or pass (the socket alone,
// given to another process).
func playNetns() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return lacking(err, "network namespaces")
	}
	var lo error
	if lo = up("lo", ""); lo != nil {
		return lo
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: 4444})
	}
	if err == nil {
		err = unix.Listen(fd, 1)
	}
	if err != nil {
		return err
	}
	switch os.Getenv("HOSTILE_KEEP") {
	case "fd":
		f, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return err
		}
		kept = append(kept, f)
	case "mount":
		at := os.Getenv("HOSTILE_FILES")
		if err := unix.Mount("/proc/thread-self/ns/net", at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount the namespace: %w", err)
		}
	case "pass":
		c, err := net.Dial("unix", os.Getenv("HOSTILE_FILES"))
		if err != nil {
			return err
		}
		if _, _, err := c.(*net.UnixConn).WriteMsgUnix([]byte("s"), unix.UnixRights(fd), nil); err != nil {
			return fmt.Errorf("pass the socket: %w", err)
		}
		if err := unix.Close(fd); err != nil {
			return err
		}
	}
	return unix.Setns(int(home.Fd()), unix.CLONE_NEWNET)
}

// playReceive keeps the descriptors that it gets at a socket.
func playReceive() error {
	l, err := net.Listen("unix", os.Getenv("HOSTILE_FILES"))
	if err != nil {
		return err
	}
	kept = append(kept, l)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		kept = append(kept, c)
		oob := make([]byte, 64)
		if _, n, _, _, err := c.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), oob); err == nil && n > 0 {
			fmt.Println("received")
		}
	}()
	return nil
}

// playMemory maps a file, HOSTILE_FILES, for all who have it, and takes its name away if HOSTILE_KEEP says unlink.
func playMemory() error {
	f, err := os.OpenFile(os.Getenv("HOSTILE_FILES"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o666), f.Truncate(4096)); err != nil {
		return err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	kept = append(kept, b)
	if os.Getenv("HOSTILE_KEEP") == "unlink" {
		return os.Remove(f.Name())
	}
	return nil
}

// playCall opens a connection and keeps it.
func playCall() error {
	network, addr, _ := strings.Cut(os.Getenv("HOSTILE_LISTEN"), " ")
	c, err := net.Dial(network, addr)
	kept = append(kept, c)
	return err
}
