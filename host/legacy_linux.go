//go:build linux && !ringfence_portable

package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The questions of x_tables (IPT_SO_GET_INFO and IPT_SO_GET_ENTRIES, include/uapi/linux/netfilter_ipv4/ip_tables.h; the same numbers for IPv6).
const (
	legacyGetInfo    = 64
	legacyGetEntries = 65
	legacyReplace    = 64 // of setsockopt (IPT_SO_SET_REPLACE)
)

// legacyHead is what stands before the entries: the name, the size and padding (struct ipt_get_entries).
const legacyHead = 40

// ErrManyRules is a table that is larger than it may be.
var ErrManyRules = errors.New("the table is larger than is read")

// legacyAttempts is how often a table that changes while it is read is read again.
const legacyAttempts = 5

// LegacyTable is a table of iptables-legacy (or ip6tables-legacy) in the network namespace of the thread, as the kernel keeps it: its info and its
// entries (ruleset.LegacyTable). The table has to be there: the kernel makes one that is asked for and is not (xt_find_table_lock). The info
// ends with the size of the entries. It needs CAP_NET_ADMIN.
func (h *Host) LegacyTable(v6 bool, name string, infoSize, limit int) (info, entries []byte, err error) {
	if !h.live {
		return nil, nil, ErrNotLive
	}
	family, level := unix.AF_INET, unix.SOL_IP
	if v6 {
		family, level = unix.AF_INET6, unix.SOL_IPV6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	for range legacyAttempts {
		info = make([]byte, infoSize)
		copy(info, name)
		if err = getsockopt(fd, level, legacyGetInfo, info); err != nil {
			return nil, nil, fmt.Errorf("ask for the table %.32q: %w", name, err)
		}
		size := int(binary.NativeEndian.Uint32(info[infoSize-4:]))
		if size > limit {
			return nil, nil, ErrManyRules
		}
		b := make([]byte, legacyHead+size)
		copy(b, name)
		binary.NativeEndian.PutUint32(b[32:], uint32(size))
		if err = getsockopt(fd, level, legacyGetEntries, b); err == nil {
			return info, b[legacyHead:], nil
		}
		if !errors.Is(err, unix.EAGAIN) { // the size is another one now
			break
		}
	}
	return nil, nil, fmt.Errorf("read the table %.32q: %w", name, err)
}

// replaceHead is what stands before the entries of a table that is loaded (struct ipt_replace): the name, the hooks, the number of entries and their
// size, where the chains and their policies are, and where the counters of the old entries go.
const replaceHead = 96

// ReplaceLegacy loads a table of iptables-legacy in the network namespace of the thread as LegacyTable gives it.
func (h *Host) ReplaceLegacy(v6 bool, name string, info, entries []byte) error {
	family, level := unix.AF_INET, unix.SOL_IP
	if v6 {
		family, level = unix.AF_INET6, unix.SOL_IPV6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	old := make([]byte, len(info))
	copy(old, name)
	if err := getsockopt(fd, level, legacyGetInfo, old); err != nil { // makes it, if it is not there
		return fmt.Errorf("ask for the table %.32q: %w", name, err)
	}
	had := binary.NativeEndian.Uint32(old[len(old)-8:])
	counters := make([]byte, 16*max(had, 1))
	b := make([]byte, replaceHead, replaceHead+len(entries))
	copy(b, name)
	hooks, number, size := info[32:36], info[len(info)-8:len(info)-4], info[len(info)-4:]
	copy(b[32:], hooks)
	copy(b[36:], number)
	copy(b[40:], size)
	copy(b[44:], info[36:76]) // hook_entry and underflow
	binary.NativeEndian.PutUint32(b[84:], had)
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&counters[0])
	binary.NativeEndian.PutUint64(b[88:], uint64(uintptr(unsafe.Pointer(&counters[0]))))
	b = append(b, entries...)
	_, _, e := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), legacyReplace, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0)
	if e != 0 {
		return fmt.Errorf("load the table %.32q: %w", name, e)
	}
	return nil
}

func getsockopt(fd, level, option int, b []byte) error {
	n := uint32(len(b))
	_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&n)), 0)
	if e != 0 {
		return e
	}
	return nil
}
