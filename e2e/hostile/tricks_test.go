//go:build linux

package hostile

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
	"golang.org/x/sys/unix"
)

// playRename calls itself HOSTILE_NAME (PR_SET_NAME), all its threads, and listens.
func playRename() error {
	name := append([]byte(os.Getenv("HOSTILE_NAME")), 0)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if err := os.WriteFile("/proc/self/task/"+t.Name()+"/comm", name[:len(name)-1], 0); err != nil {
			return err
		}
	}
	return listen(os.Getenv("HOSTILE_LISTEN"))
}

// number reads HOSTILE_COUNT.
func number() int {
	n, _ := strconv.Atoi(os.Getenv("HOSTILE_COUNT"))
	return n
}

// playMounts mounts a file many times, at long paths, so that the list of mounts becomes HOSTILE_COUNT bytes long.
func playMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", homes[mal], "tmpfs", 0, ""); err != nil {
		return err
	}
	dir := filepath.Join(homes[mal], strings.Repeat("d", 200), strings.Repeat("e", 200), strings.Repeat("f", 200), strings.Repeat("g", 200))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for done := 0; done < number(); done += 1800 { // the path stands twice in each line
		at, err := os.MkdirTemp(dir, "m")
		if err == nil {
			err = unix.Mount(at, at, "", unix.MS_BIND, "")
		}
		if err != nil {
			return lacking(err, "mounts in namespaces of ordinary users")
		}
	}
	return nil
}

// playRoots starts HOSTILE_COUNT processes, each with a root of its own.
func playRoots() error {
	dir, err := os.MkdirTemp(homes[mal], "roots")
	if err != nil {
		return err
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	prog := filepath.Join(dir, "p")
	if err := os.WriteFile(prog, exe, 0o755); err != nil {
		return err
	}
	for i := range number() {
		at := filepath.Join(dir, strconv.Itoa(i))
		if err := os.Mkdir(at, 0o755); err != nil {
			return err
		}
		if err := os.Link(prog, at+"/p"); err != nil {
			return err
		}
		cmd := exec.Command("/p")
		cmd.Env = []string{roleVar + "=pause"}
		cmd.SysProcAttr = &unix.SysProcAttr{Chroot: at}
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		kept = append(kept, in)
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("start in %s: %w", at, err)
		}
	}
	return nil
}

// playRules loads HOSTILE_RULES and makes interfaces and listeners in its own network namespace.
func playRules() error {
	if err := up("lo", ""); err != nil {
		return err
	}
	name := os.Getenv("HOSTILE_NAME")
	if name == "" {
		name = "va"
	}
	if err := veth(name, "vb", "10.0.0.1/24"); err != nil {
		return err
	}
	cmd := exec.Command("/usr/sbin/nft", "-f", "-")
	cmd.Stdin = strings.NewReader(os.Getenv("HOSTILE_RULES"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, out)
	}
	return listen(os.Getenv("HOSTILE_LISTEN"))
}

// playFiles makes HOSTILE_COUNT names in a directory of its own file system: what they are says HOSTILE_KEEP.
func playFiles() error {
	dir := os.Getenv("HOSTILE_FILES")
	for i := range number() {
		var err error
		switch at := filepath.Join(dir, fmt.Sprintf("%064x", i)); os.Getenv("HOSTILE_KEEP") {
		case "specs":
			if err = os.Mkdir(at, 0o755); err == nil {
				err = os.Mkdir(at+"/userdata", 0o755)
			}
			if err == nil {
				err = os.Symlink("/home/mal/spec.json", at+"/userdata/config.json")
			}
		default:
			err = os.Mkdir(at, 0o755)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// playHang mounts a file system at HOSTILE_FILES that answers nothing but the first request (fuse(4)).
func playHang() error {
	fd, err := unix.Open("/run/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		fmt.Printf("lacking: FUSE (CONFIG_FUSE_FS): %v\n", err)
	}
	if err != nil {
		return fmt.Errorf("open the device of FUSE: %w", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d,allow_other", fd, mal, mal)
	if err := unix.Mount("fuse", os.Getenv("HOSTILE_FILES"), "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("mount FUSE: %w", err)
	}
	buf := make([]byte, 1<<17)
	n, err := unix.Read(fd, buf)
	if err != nil || n < 40 {
		return fmt.Errorf("first request of %d bytes: %w", n, errors.Join(err, unix.EPROTO))
	}
	var out bytes.Buffer
	// struct fuse_out_header and struct fuse_init_out (linux/fuse.h): version 7.31, and nothing that is optional.
	if err := binary.Write(&out, binary.NativeEndian, struct {
		Len          uint32
		Error        int32
		Unique       uint64
		Major, Minor uint32
		Rest         [56]byte
	}{80, 0, binary.NativeEndian.Uint64(buf[8:]), 7, 31, [56]byte{}}); err != nil {
		return err
	}
	if _, err := unix.Write(fd, out.Bytes()); err != nil {
		return fmt.Errorf("answer the first request: %w", err)
	}
	kept = append(kept, fd)
	return nil
}

// playCollect collects, with its first thread in the mount namespace HOSTILE_FILES, and says what is read of mounts.
func playCollect() error {
	if unix.Gettid() != os.Getpid() { // the first goroutine is not on the first thread any more
		return unix.Exec("/proc/self/exe", os.Args, os.Environ())
	}
	runtime.LockOSThread()
	if ns := os.Getenv("HOSTILE_FILES"); ns != "" {
		fd, err := unix.Open(ns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Unshare(unix.CLONE_FS)
		}
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNS)
		}
		if err != nil {
			return fmt.Errorf("enter %s: %w", ns, err)
		}
	}
	done := make(chan *snapshot.Snapshot)
	go func() {
		opt := checks.Options{Deadline: deadline, Now: time.Now, Only: []string{"kernel", "runtimes"}}
		done <- checks.Collect(context.Background(), host.Local(), opt)
	}()
	s := <-done
	var seen []any
	for _, k := range s.Runtimes.Sockets {
		for _, m := range k.Mounts {
			seen = append(seen, k.Path, m.Path)
		}
	}
	for _, c := range s.Coverage {
		seen = append(seen, c.Collector, c.Status)
	}
	mounts, err := json.Marshal(s.Kernel.Mounts)
	fmt.Println("seen", seen, string(mounts))
	return err
}
