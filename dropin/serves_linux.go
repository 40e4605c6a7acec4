//go:build linux && !ringfence_portable

package dropin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
)

// A service that read its configuration, or was started again, serves within startLimit what it served before. It is asked each startTick.
const (
	startLimit = 15 * time.Second
	startTick  = 100 * time.Millisecond
)

// serves are the addresses that the processes of a file's service accept TCP connections at: nil where it is none with processes of its own,
// or does not run.
func (s *Services) serves(ctx context.Context, f *File) (map[int][]string, error) {
	found := map[int][]string{}
	add := func(key, pid int) error {
		at, err := s.sys.serves(pid)
		if len(at) > 0 {
			found[key] = slices.Sorted(maps.Keys(at))
		}
		if err != nil {
			return fmt.Errorf("%s: what process %d serves: %w", f.Service, pid, err)
		}
		return nil
	}
	switch {
	case f.Unit != "" && s.sys.systemd():
		pid, err := s.mainProcess(ctx, f.Unit)
		if err != nil || pid == 0 {
			return nil, err
		}
		return found, add(0, pid)
	case f.Service == serviceSSHD:
		for _, pid := range f.PIDs {
			if err := add(pid, pid); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// withoutStops leaves out what the service no longer serves with the file.
func (f *File) withoutStops(serves map[int][]string) map[int][]string {
	left := map[int][]string{}
	for key, list := range serves {
		left[key] = slices.DeleteFunc(slices.Clone(list), func(at string) bool {
			a, err := netip.ParseAddrPort(at)
			return err == nil && slices.Contains(f.Stops, int(a.Port()))
		})
	}
	return left
}

// mainProcess is the one of a unit that runs, else 0.
func (s *Services) mainProcess(ctx context.Context, unit string) (int, error) {
	out, err := s.sys.run(ctx, []string{systemctl, "show", "--property", "MainPID", "--value", "--", unit})
	if err != nil {
		return 0, fmt.Errorf("main process of %s: %s", unit, firstOfLines(out, err))
	}
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		return 0, fmt.Errorf("main process of %s: %w", unit, err)
	}
	return pid, nil
}

// initializing says that the host is in early boot (systemctl(1), is-system-running): a unit that waits for what runs then cannot be started
// from there, and begins with the files as they are.
func (s *Services) initializing(ctx context.Context) bool {
	out, _ := s.sys.run(ctx, []string{systemctl, "is-system-running"})
	return strings.TrimSpace(out) == "initializing"
}

// servesAgain waits until a server that was told to read its configuration has done so, and serves the wanted addresses with sockets that it
// did not have before. One that keeps its sockets (systemd can have made them) is watched to the end, one that has none for a moment: one
// that cannot go on ends.
func (s *Services) servesAgain(ctx context.Context, f *File, pid int, want []string, was map[string]uint32) error {
	limit := startLimit
	if len(want) == 0 {
		limit = 5 * startTick
	}
	for waited := time.Duration(0); ; waited += startTick {
		s.sys.pause(startTick)
		if !s.sys.alive(pid) {
			return fmt.Errorf("%s, process %d, ended when it was reloaded", f.Service, pid)
		}
		is, err := s.sys.serves(pid)
		missing := absent(want, is)
		kept := slices.ContainsFunc(want, func(at string) bool { return is[at] == was[at] })
		switch {
		case err == nil && len(missing) == 0 && len(want) > 0 && !kept:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case waited+startTick < limit:
			continue
		case err != nil:
			return fmt.Errorf("%s: what process %d serves: %w", f.Service, pid, err)
		case len(missing) > 0:
			return fmt.Errorf("%s, process %d, does not listen on %s again", f.Service, pid, strings.Join(missing, ", "))
		}
		return nil
	}
}

// unitServesAgain waits until a unit that was started is active and serves the wanted addresses. Where there are none it is watched for a
// moment: a program that does not get along with its confinement ends soon after its start.
func (s *Services) unitServesAgain(ctx context.Context, unit string, want []string) error {
	limit := startLimit
	if len(want) == 0 {
		limit = 3 * time.Second
	}
	for waited := time.Duration(0); ; waited += 5 * startTick {
		s.sys.pause(5 * startTick)
		_, down := s.sys.run(ctx, []string{systemctl, "is-active", "--quiet", "--", unit})
		var is map[string]uint32
		if down == nil && len(want) > 0 {
			if pid, err := s.mainProcess(ctx, unit); err == nil && pid > 0 {
				is, _ = s.sys.serves(pid)
			}
		}
		missing := absent(want, is)
		switch last := waited+5*startTick >= limit; {
		case ctx.Err() != nil:
			return ctx.Err()
		case down != nil && (last || len(want) == 0):
			return fmt.Errorf("%s does not stay up", unit)
		case down == nil && len(missing) == 0 && (last || len(want) > 0):
			return nil
		case last:
			return fmt.Errorf("%s does not listen on %s again", unit, strings.Join(missing, ", "))
		}
	}
}

// absent are the addresses that nobody serves.
func absent(want []string, is map[string]uint32) []string {
	return slices.DeleteFunc(slices.Clone(want), func(at string) bool { _, ok := is[at]; return ok })
}

// maxDescriptors bounds how many descriptors of a service are looked at.
const maxDescriptors = 1 << 16

// serves lists the sockets that a process has descriptors of and that accept TCP connections in its network namespace, by address, with
// their inodes.
func (real) serves(pid int) (map[string]uint32, error) {
	h := host.Local()
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	dir, err := h.OpenDir(proc)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	links, partly, err := dir.Links("fd", maxDescriptors)
	if err != nil {
		return nil, err
	}
	if partly {
		return nil, errors.New("not all of its descriptors can be read")
	}
	has := map[string]bool{}
	for _, target := range links {
		has[target] = true
	}
	ns, err := h.OpenNetns(filepath.Join(proc, "ns/net"), 0)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	found := map[string]uint32{}
	return found, listening(ns, func(k *wire.InetSocket) {
		if has[fmt.Sprintf("socket:[%d]", k.Inode)] {
			found[k.Local.String()] = k.Inode
		}
	})
}

// protocolMPTCP is TCP over more than one way (IPPROTO_MPTCP): such a socket accepts plain TCP too.
const protocolMPTCP = 262

// noSuchSockets is what a kernel says that has no sockets of a kind, or cannot list them (sock_diag(7)).
var noSuchSockets = []error{unix.ENOENT, unix.EINVAL, unix.EOPNOTSUPP}

// listening calls each with the sockets of a network namespace that accept TCP connections.
func listening(ns *os.File, each func(*wire.InetSocket)) error {
	conn, err := host.Local().Netlink(unix.NETLINK_SOCK_DIAG, ns)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, q := range []wire.SocketQuery{
		{Family: unix.AF_INET, Protocol: unix.IPPROTO_TCP},
		{Family: unix.AF_INET6, Protocol: unix.IPPROTO_TCP},
		{Family: unix.AF_INET, Protocol: protocolMPTCP},
		{Family: unix.AF_INET6, Protocol: protocolMPTCP},
	} {
		q.States = 1 << wire.StateListen
		messages, err := conn.Execute(q.Message())
		plain := q.Family == unix.AF_INET && q.Protocol == unix.IPPROTO_TCP
		if !plain && slices.ContainsFunc(noSuchSockets, func(e error) bool { return errors.Is(err, e) }) {
			continue
		}
		if err != nil {
			return fmt.Errorf("list sockets: %w", err)
		}
		for _, m := range messages {
			k, err := wire.ParseInet(m.Data)
			if err != nil {
				return fmt.Errorf("list sockets: %w", err)
			}
			each(&k)
		}
	}
	return nil
}
