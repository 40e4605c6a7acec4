//go:build linux && !ringfence_portable

package checks

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// Commands and places of programs of bpf(2) (include/uapi/linux/bpf.h).
const (
	bpfProgFDByID  = 13
	bpfObjectInfo  = 15
	bpfProgQuery   = 16
	bpfLinkFDByID  = 30
	bpfLinkNextID  = 31
	bpfEffective   = 1 // BPF_F_QUERY_EFFECTIVE
	bpfNetfilter   = 10
	cgroupIngress  = 0
	cgroupEgress   = 1
	bpfSkLookup    = 36
	tcxIngress     = 46
	tcxEgress      = 47
	netkitPrimary  = 54
	netkitPeer     = 55
	maxPrograms    = 64     // that one place is asked for
	maxBPFLinks    = 10_000 // that are looked at
	progInfoName   = 64     // of struct bpf_prog_info
	programNameLen = 16
)

// bpf is bpf(2), with an attribute of 64 bytes.
func bpf(cmd uintptr, attr *[64]byte) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(unsafe.Pointer(attr)), uintptr(len(attr)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// pinned is an address that an attribute of bpf(2) has as a number. What is on a stack moves with it, and the kernel would write to where it
// was: a pinned value is not on one.
func pinned[T any](pin *runtime.Pinner, at *T) uint64 {
	pin.Pin(at)
	return uint64(uintptr(unsafe.Pointer(at)))
}

// programsAt are the programs at one place: of an interface by its index, of a namespace or a cgroup by a descriptor.
func programsAt(target, place, flags uint32) ([]string, error) {
	var attr [64]byte
	ids := make([]uint32, maxPrograms)
	ne := binary.NativeEndian
	ne.PutUint32(attr[0:], target)
	ne.PutUint32(attr[4:], place)
	ne.PutUint32(attr[8:], flags)
	ne.PutUint32(attr[24:], maxPrograms)
	var pin runtime.Pinner
	defer pin.Unpin()
	ne.PutUint64(attr[16:], pinned(&pin, &ids[0]))
	_, err := bpf(bpfProgQuery, &attr)
	if err != nil && !errors.Is(err, unix.ENOSPC) {
		return nil, err
	}
	var names []string
	for _, id := range ids[:min(ne.Uint32(attr[24:]), maxPrograms)] {
		names = append(names, programName(id))
	}
	return names, nil
}

// programName is what a program is called; that needs CAP_SYS_ADMIN, and need not be there.
func programName(id uint32) string {
	var attr [64]byte
	binary.NativeEndian.PutUint32(attr[:], id)
	fd, err := bpf(bpfProgFDByID, &attr)
	if err != nil {
		return "a program"
	}
	defer unix.Close(fd)
	info := make([]byte, 256)
	if !objectInfo(fd, info) {
		return "a program"
	}
	if name := wire.CString(info[progInfoName : progInfoName+programNameLen]); name != "" {
		return strings.ToValidUTF8(name, "?")
	}
	return "a program without a name"
}

// objectInfo asks what the kernel tells of a program or a link.
func objectInfo(fd int, info []byte) bool {
	var attr [64]byte
	binary.NativeEndian.PutUint32(attr[0:], uint32(fd))
	binary.NativeEndian.PutUint32(attr[4:], uint32(len(info)))
	var pin runtime.Pinner
	defer pin.Unpin()
	binary.NativeEndian.PutUint64(attr[8:], pinned(&pin, &info[0]))
	_, err := bpf(bpfObjectInfo, &attr)
	return err == nil
}

// linkPrograms adds the programs of tcx and netkit to what is known of interfaces: tc(8) does not tell them. The kernel looks for interfaces in
// the namespace of the thread.
func linkPrograms(links []snapshot.Link) {
	places := []struct {
		name  string
		place uint32
		kind  string
	}{{"tcx ingress", tcxIngress, ""}, {"tcx egress", tcxEgress, ""}, {"netkit", netkitPrimary, "netkit"}, {"netkit peer", netkitPeer, "netkit"}}
	for _, p := range places {
		for i := range links {
			l := &links[i]
			if p.kind != "" && l.Kind != p.kind {
				continue
			}
			names, err := programsAt(uint32(l.Index), p.place, 0)
			if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
				break // the kernel has none of these, or does not tell
			}
			for _, name := range names {
				l.TC = append(l.TC, p.name+" "+name)
			}
		}
	}
}

// netPrograms are the programs of a network namespace that are of no interface: those that choose the socket, and those that hook in beside
// the packet filter. Of the latter the kernel does not tell the namespace.
func (s *Scan) netPrograms(ns *os.File) (list []snapshot.Program) {
	if ns == nil {
		own, err := s.enter(s.netns()[0])
		if err != nil {
			return netfilterPrograms()
		}
		defer own.Close()
		ns = own
	}
	names, _ := programsAt(uint32(ns.Fd()), bpfSkLookup, 0)
	for _, name := range names {
		list = append(list, snapshot.Program{Kind: snapshot.ProgramSkLookup, Name: name})
	}
	return append(list, netfilterPrograms()...)
}

// netfilterPrograms goes through all links (BPF_LINK_GET_NEXT_ID).
func netfilterPrograms() (list []snapshot.Program) {
	ne := binary.NativeEndian
	for id, n := uint32(0), 0; n < maxBPFLinks; n++ {
		var attr [64]byte
		ne.PutUint32(attr[:], id)
		if _, err := bpf(bpfLinkNextID, &attr); err != nil {
			break
		}
		id = ne.Uint32(attr[4:])
		var open [64]byte
		ne.PutUint32(open[:], id)
		fd, err := bpf(bpfLinkFDByID, &open)
		if err != nil {
			continue
		}
		var info [128]byte // struct bpf_link_info: type, id, prog_id, then by type: pf, hooknum, priority, flags
		if objectInfo(fd, info[:]) && ne.Uint32(info[0:]) == bpfNetfilter {
			p := snapshot.Program{Kind: snapshot.ProgramNetfilter, Name: programName(ne.Uint32(info[8:])), Priority: int(int32(ne.Uint32(info[24:])))}
			hooks := []string{"prerouting", "input", "forward", "output", "postrouting"}
			if h := ne.Uint32(info[20:]); int(h) < len(hooks) {
				p.Hook = hooks[h]
			}
			switch ne.Uint32(info[16:]) {
			case 2: // NFPROTO_IPV4
				p.Family = 4
			case 10: // NFPROTO_IPV6
				p.Family = 6
			default:
			}
			list = append(list, p)
		}
		unix.Close(fd)
	}
	return list
}

// cgroupPrograms finds the programs that see what the sockets of a cgroup get and send.
type cgroupPrograms struct {
	mount *host.Dir // the unified hierarchy; nil where there is none
	known map[uint64][]string
}

func (s *Scan) cgroupPrograms() *cgroupPrograms {
	c := &cgroupPrograms{known: map[uint64][]string{}}
	b, err := s.Host.ReadFile("/proc/thread-self/mounts")
	if err != nil {
		return c
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			if d, err := s.Host.OpenList(f[1]); err == nil {
				c.mount = d
			}
			break
		}
	}
	return c
}

func (c *cgroupPrograms) close() {
	if c.mount != nil {
		c.mount.Close()
	}
}

// of are the effective programs of a cgroup, which the kernel knows by its inode (INET_DIAG_CGROUP_ID).
func (c *cgroupPrograms) of(id uint64) []string {
	if id == 0 || c.mount == nil {
		return nil
	}
	if names, ok := c.known[id]; ok {
		return names
	}
	c.known[id] = nil
	const kernfs = 0xfe // FILEID_KERNFS, include/linux/exportfs.h
	fd, err := c.mount.OpenHandle(kernfs, binary.NativeEndian.AppendUint64(nil, id))
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	for _, place := range []uint32{cgroupIngress, cgroupEgress} {
		names, err := programsAt(uint32(fd), place, bpfEffective)
		if err != nil {
			return nil
		}
		for _, name := range names {
			if !slices.Contains(c.known[id], name) {
				c.known[id] = append(c.known[id], name)
			}
		}
	}
	return c.known[id]
}
