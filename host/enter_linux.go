package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// NetnsPath turns a name of "ip netns", a path or "pid:N" into the file of a network namespace.
func NetnsPath(name string) (string, error) {
	if n, ok := strings.CutPrefix(name, "pid:"); ok {
		pid, err := strconv.ParseUint(n, 10, 31)
		if err != nil || pid == 0 {
			return "", fmt.Errorf("network namespace %q: want pid:N", name)
		}
		return fmt.Sprintf("/proc/%d/ns/net", pid), nil
	}
	switch {
	case name == "" || name == "." || name == "..":
		return "", errors.New("network namespace: a name is missing")
	case strings.Contains(name, "/"):
		return filepath.Clean(name), nil
	}
	return "/run/netns/" + name, nil
}

// ExecInNetns replaces the process by itself, started again with other arguments inside the network
// namespace of the file at path. It returns only where that fails. A program of many threads cannot
// move as a whole in any other way: a namespace belongs to a thread (setns(2)).
func ExecInNetns(path string, args []string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	defer f.Close()
	if kind, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE); err != nil || kind != unix.CLONE_NEWNET {
		return fmt.Errorf("network namespace: %s is none", path)
	}
	runtime.LockOSThread()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %s: %w", path, err)
	}
	if err := unix.Exec("/proc/self/exe", args, os.Environ()); err != nil {
		return fmt.Errorf("start again in network namespace %s: %w", path, err)
	}
	return nil
}
