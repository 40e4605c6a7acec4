//go:build linux && !ringfence_portable

package trial

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
)

// loginProgram says of a process name that it is the one that a login runs under.
func loginProgram(comm string) bool {
	switch comm {
	case "sshd", "sshd-session", "dropbear", "login", "in.telnetd":
		return true
	}
	return false
}

// clockTick is the unit of start times in /proc/PID/stat (USER_HZ, 100 on every Linux architecture that Go
// runs on).
const clockTick = 10_000_000 // ns

// Login finds the login that a process belongs to, and when that began, in nanoseconds of CLOCK_BOOTTIME. A
// process that was detached from its login (a terminal multiplexer, a service) has none.
func Login(pid int) (program string, start int64, err error) {
	for range 128 {
		comm, parent, began, err := stat(pid)
		if err != nil {
			return "", 0, err
		}
		if loginProgram(comm) {
			from, err := local(pid)
			if err == nil && from != "" {
				err = fmt.Errorf("this login (%s) comes from the host itself (%s), which meets none of the rules: open one from where the host is administered", comm, from)
			}
			return comm, began, err
		}
		if parent <= 1 {
			return "", 0, nil
		}
		pid = parent
	}
	return "", 0, nil
}

// stat reads the name, the parent and the start time of a process (proc_pid_stat(5)).
func stat(pid int) (comm string, parent int, start int64, err error) {
	b, err := host.Local().ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", 0, 0, fmt.Errorf("process %d: %w", pid, err)
	}
	open, end := strings.IndexByte(string(b), '('), strings.LastIndexByte(string(b), ')')
	if open < 0 || end < open {
		return "", 0, 0, fmt.Errorf("process %d: stat is not readable", pid)
	}
	f := strings.Fields(string(b[end+1:])) // from field 3 on
	if len(f) < 20 {
		return "", 0, 0, fmt.Errorf("process %d: stat is too short", pid)
	}
	parent, err = strconv.Atoi(f[1])
	if err != nil {
		return "", 0, 0, fmt.Errorf("process %d: %w", pid, err)
	}
	ticks, err := strconv.ParseInt(f[19], 10, 64)
	if err != nil {
		return "", 0, 0, fmt.Errorf("process %d: %w", pid, err)
	}
	return string(b[open+1 : end]), parent, ticks * clockTick, nil
}

// local says of the process of a login over the network that its peer is this host itself: an address of loopback, or one that is the
// host's own. Such a login never meets what is closed to others.
func local(pid int) (string, error) {
	peer, err := peerOf(pid)
	if err != nil || !peer.IsValid() {
		return "", err
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", fmt.Errorf("addresses of the host: %w", err)
	}
	own := slices.ContainsFunc(addrs, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && p.Addr().Unmap() == peer
	})
	if !peer.IsLoopback() && !own {
		return "", nil
	}
	return peer.String(), nil
}

// peerOf is the other end of the first TCP connection that a process has, by its descriptors: that of a login comes before all that it
// forwards. It is invalid where there is none.
func peerOf(pid int) (peer netip.Addr, err error) {
	dir, err := host.Local().OpenDir(filepath.Join("/proc", strconv.Itoa(pid)))
	if err != nil {
		return peer, fmt.Errorf("process %d: %w", pid, err)
	}
	defer dir.Close()
	links, _, err := dir.Links("fd", maxLoginDescriptors)
	if err != nil {
		return peer, fmt.Errorf("process %d: %w", pid, err)
	}
	conn, err := host.Local().Netlink(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return peer, fmt.Errorf("list connections: %w", err)
	}
	defer conn.Close()
	lowest := math.MaxInt
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		msgs, err := conn.Execute(wire.SocketQuery{Family: family, Protocol: unix.IPPROTO_TCP, States: 1 << wire.StateEstablished}.Message())
		if err != nil && family == unix.AF_INET {
			return peer, fmt.Errorf("list connections: %w", err)
		}
		for _, m := range msgs {
			k, err := wire.ParseInet(m.Data)
			if err != nil {
				return peer, fmt.Errorf("list connections: %w", err)
			}
			for name, target := range links {
				n, err := strconv.Atoi(name)
				if err == nil && n < lowest && target == fmt.Sprintf("socket:[%d]", k.Inode) {
					lowest, peer = n, k.Peer.Addr().Unmap().WithZone("")
				}
			}
		}
	}
	return peer, nil
}

// maxLoginDescriptors bounds how many descriptors of a login are looked at.
const maxLoginDescriptors = 4096
