//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	vnl "github.com/vishvananda/netlink"
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

// NewNetns makes a command run in a network namespace of its own, which ends with it.
func NewNetns(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWNET
}

// errInUse is a namespace that was not made for the purpose.
var errInUse = errors.New("this network namespace is in use: refused")

// MakeLinks makes an interface of each name and index in an empty network namespace, without a peer and
// down: what a ruleset needs to name them. It refuses to work where there are interfaces.
func MakeLinks(links map[int]string) error {
	list, err := vnl.LinkList()
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	taken := map[string]bool{}
	for _, l := range list {
		if l.Attrs().Flags&net.FlagUp != 0 || l.Type() == "veth" || l.Type() == "bridge" {
			return errInUse
		}
		taken[l.Attrs().Name] = true
	}
	for index, name := range links {
		if taken[name] || index <= 1 {
			continue
		}
		attrs := vnl.NewLinkAttrs()
		attrs.Name, attrs.Index = name, index
		if err := vnl.LinkAdd(&vnl.Bridge{LinkAttrs: attrs}); err != nil {
			return fmt.Errorf("make interface %q: %w", name, err)
		}
	}
	return nil
}
