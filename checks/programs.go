//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unsafe"

	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// Commands and places of programs of bpf(2) (include/uapi/linux/bpf.h).
const (
	bpfProgNextID    = 11
	bpfProgFDByID    = 13
	bpfObjectInfo    = 15
	bpfProgQuery     = 16
	bpfLinkFDByID    = 30
	bpfLinkNextID    = 31
	bpfEffective     = 1 // BPF_F_QUERY_EFFECTIVE
	bpfNetfilter     = 10
	bpfFlowDissector = 17
	bpfSkLookup      = 36
	tcxIngress       = 46
	tcxEgress        = 47
	netkitPrimary    = 54
	netkitPeer       = 55
	maxPrograms      = 64     // that one place is asked for
	maxBPFLinks      = 10_000 // that are looked at
	maxBPFPrograms   = 10_000 // that are looked at
	progInfoName     = 64     // of struct bpf_prog_info
	progInfoTag      = 8
	xdpHardware      = 3 // XDP_ATTACHED_HW, after which comes XDP_ATTACHED_MULTI
	programNameLen   = 16
)

// bpfTries bounds how often bpf(2) is called that says EAGAIN, with a pause after each, twice as long each time: of a link that is being made
// (bpf_link_by_id), which on a loaded host can take its maker a second, and of a program that a signal took from the verifier, as Go sends them to its threads.
const (
	bpfTries = 10
	bpfPause = time.Millisecond
)

// bpf is bpf(2), with an attribute of 64 bytes.
func bpf(cmd uintptr, attr *[64]byte) (int, error) {
	return tried(func() (int, error) {
		n, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(unsafe.Pointer(attr)), uintptr(len(attr)))
		if errno != 0 {
			return 0, errno
		}
		return int(n), nil
	})
}

// tried calls again what says EAGAIN.
func tried(call func() (int, error)) (n int, err error) {
	for i := range bpfTries {
		if n, err = call(); !errors.Is(err, unix.EAGAIN) {
			break
		}
		time.Sleep(bpfPause << i)
	}
	return n, err
}

// pinned is an address that an attribute of bpf(2) has as a number. What is on a stack moves with it, and the kernel would write to where it
// was: a pinned value is not on one.
func pinned[T any](pin *runtime.Pinner, at *T) uint64 {
	pin.Pin(at)
	return uint64(uintptr(unsafe.Pointer(at)))
}

// programsAt are the names of the programs at one place, as programIDs tells them.
func programsAt(target, place, flags uint32) (names []string, err error) {
	ids, err := programIDs(target, place, flags)
	for _, id := range ids {
		names = append(names, programName(id))
	}
	return names, err
}

// programIDs are the programs at one place: of an interface by its index, of a namespace or a cgroup by a descriptor. A kernel without the
// place has none there; an error leaves open whether there are any.
func programIDs(target, place, flags uint32) ([]uint32, error) {
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
	switch _, err := bpf(bpfProgQuery, &attr); {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS): // the kernel has no such place, or no bpf(2)
		return nil, nil
	case err != nil && !errors.Is(err, unix.ENOSPC):
		return nil, err
	}
	return ids[:min(ne.Uint32(attr[24:]), maxPrograms)], nil
}

// programName is what a program is called; that needs CAP_SYS_ADMIN, and need not be there.
func programName(id uint32) string {
	info, _, err := programInfo(id)
	if err != nil {
		return "a program"
	}
	if name := wire.CString(info[progInfoName : progInfoName+programNameLen]); name != "" {
		return strings.ToValidUTF8(name, "?")
	}
	return "a program without a name"
}

// maxProgramMaps is how many maps of a program are asked for.
const maxProgramMaps = 16

// programInfo is what the kernel tells of a program (struct bpf_prog_info), and the ids of its maps in the order of their first use.
func programInfo(id uint32) (info []byte, maps []uint32, err error) {
	var attr [64]byte
	ne := binary.NativeEndian
	ne.PutUint32(attr[:], id)
	fd, err := bpf(bpfProgFDByID, &attr)
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(fd)
	info, maps = make([]byte, 256), make([]uint32, maxProgramMaps)
	var pin runtime.Pinner
	defer pin.Unpin()
	ne.PutUint32(info[52:], maxProgramMaps)
	ne.PutUint64(info[56:], pinned(&pin, &maps[0]))
	if !objectInfo(fd, info) {
		return nil, nil, fmt.Errorf("program %d is not told", id)
	}
	n := ne.Uint32(info[52:])
	if n > maxProgramMaps {
		return info, nil, nil
	}
	return info, maps[:n], nil
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
	}{{snapshot.PlaceTCXIngress, tcxIngress, ""}, {snapshot.PlaceTCXEgress, tcxEgress, ""}, {"netkit", netkitPrimary, "netkit"}, {"netkit peer", netkitPeer, "netkit"}}
	for _, p := range places {
		for i := range links {
			l := &links[i]
			if p.kind != "" && l.Kind != p.kind {
				continue
			}
			ids, err := programIDs(uint32(l.Index), p.place, 0)
			if errors.Is(err, unix.EPERM) { // by EACCES the peer of a netkit is refused: its programs are told with the other end
				l.TCUnread = err.Error()
				continue
			}
			for _, id := range ids {
				l.TC = append(l.TC, p.name+" "+programName(id))
				if p.kind == "" {
					l.Programs = append(l.Programs, linkProgram(p.name, id))
				}
			}
		}
	}
	order := []string{snapshot.PlaceXDP, snapshot.PlaceTCXIngress, snapshot.PlaceTCIngress, snapshot.PlaceTCXEgress, snapshot.PlaceTCEgress}
	for i := range links {
		slices.SortStableFunc(links[i].Programs, func(a, b snapshot.LinkProgram) int {
			return slices.Index(order, a.Place) - slices.Index(order, b.Place)
		})
	}
}

// linkProgram is a program of an interface.
func linkProgram(place string, id uint32) snapshot.LinkProgram {
	return snapshot.LinkProgram{Place: place, ID: id, Name: programName(id), Tag: tagOf(id)}
}

// tagOf is what the kernel calls a program by its instructions; empty where it does not tell.
func tagOf(id uint32) string {
	info, _, err := programInfo(id)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(info[progInfoTag : progInfoTag+8])
}

// xdpProgram is the program of XDP; where two see packets, or the hardware has it, none is told.
func xdpProgram(x *vnl.LinkXdp) []snapshot.LinkProgram {
	if x == nil || !x.Attached || x.ProgId == 0 || x.AttachMode >= xdpHardware {
		return nil
	}
	return []snapshot.LinkProgram{linkProgram(snapshot.PlaceXDP, x.ProgId)}
}

// trafficControl tells the filters on a link's ingress and egress hooks: each can drop or redirect a packet before the packet filter sees it. Of
// programs that decide by themselves the kernel also says which they are.
func trafficControl(h *vnl.Handle, l vnl.Link, qdiscs []string, out *snapshot.Link) {
	for _, q := range qdiscs {
		for _, parent := range []uint32{vnl.HANDLE_MIN_INGRESS, vnl.HANDLE_MIN_EGRESS} {
			filters, err := h.FilterList(l, parent)
			if err != nil {
				continue
			}
			place := snapshot.PlaceTCIngress
			if parent == vnl.HANDLE_MIN_EGRESS {
				place = snapshot.PlaceTCEgress
			}
			for _, f := range filters {
				out.TC = append(out.TC, q+" "+f.Type())
				if b, ok := f.(*vnl.BpfFilter); ok && b.DirectAction && b.Id > 0 && (b.Chain == nil || *b.Chain == 0) {
					p := linkProgram(place, uint32(b.Id))
					p.Protocol = b.Protocol
					out.Programs = append(out.Programs, p)
				}
			}
		}
		if len(out.TC) == 0 {
			out.TC = append(out.TC, q)
		}
	}
}

// untold notes that there may be programs of which the kernel does not tell.
func untold(sec *snapshot.Network, out *Outcome) {
	why := ""
	for i := range sec.Links {
		why = cmp.Or(why, sec.Links[i].TCUnread)
	}
	for i := range sec.Programs {
		why = cmp.Or(why, sec.Programs[i].Unread)
	}
	if why != "" {
		out.partial("programs beside the packet filter: %s (needs CAP_NET_ADMIN and CAP_SYS_ADMIN)", why)
	}
}

// netPrograms are the programs of a network namespace that are of no interface: those that choose the socket, and those that hook in beside
// the packet filter. Of the latter the kernel does not tell the namespace.
func (s *Scan) netPrograms(ns *os.File) (list []snapshot.Program) {
	names, err := s.lookupPrograms(ns)
	if err != nil {
		list = append(list, snapshot.Program{Kind: snapshot.ProgramSkLookup, Unread: err.Error()})
	}
	for _, name := range names {
		list = append(list, snapshot.Program{Kind: snapshot.ProgramSkLookup, Name: name})
	}
	names, err = s.dissectors(ns)
	if err != nil {
		list = append(list, snapshot.Program{Kind: snapshot.ProgramFlowDissector, Unread: err.Error()})
	}
	for _, name := range names {
		list = append(list, snapshot.Program{Kind: snapshot.ProgramFlowDissector, Name: name})
	}
	more, err := s.netfilterPrograms()
	if err != nil {
		list = append(list, snapshot.Program{Kind: snapshot.ProgramNetfilter, Unread: err.Error()})
	}
	return append(list, more...)
}

func (s *Scan) lookupPrograms(ns *os.File) ([]string, error) { return s.programsOf(ns, bpfSkLookup) }

// dissectors are the programs that read protocols and ports: that of the init's namespace does it for all (__skb_flow_dissect).
func (s *Scan) dissectors(ns *os.File) ([]string, error) {
	names, err := s.programsOf(ns, bpfFlowDissector)
	if first, oerr := s.Host.OpenNS("/proc/1/ns/net", 0); oerr == nil {
		defer first.Close()
		if more, oerr := programsAt(uint32(first.Fd()), bpfFlowDissector, 0); oerr == nil {
			names = append(names, more...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// programsOf are those at a place of a network namespace; nil is the host's own.
func (s *Scan) programsOf(ns *os.File, place uint32) ([]string, error) {
	if ns == nil {
		own, err := s.enter(&s.netns()[0])
		if err != nil {
			return nil, err
		}
		defer own.Close()
		ns = own
	}
	return programsAt(uint32(ns.Fd()), place, 0)
}

// netfilterPrograms are those of all namespaces, which are asked for once.
func (s *Scan) netfilterPrograms() ([]snapshot.Program, error) {
	s.besideOnce.Do(func() { s.beside, s.besideErr = netfilterLinks() })
	return s.beside, s.besideErr
}

// netfilterLinks finds them among all links. The error leaves open whether there are more.
func netfilterLinks() (list []snapshot.Program, err error) {
	err = eachLink(func(link int) error {
		if p, ok := netfilterProgram(link); ok {
			list = append(list, p)
		}
		return nil
	})
	return list, err
}

// eachLink goes through all links (BPF_LINK_GET_NEXT_ID), which needs CAP_SYS_ADMIN.
func eachLink(each func(link int) error) error {
	ne := binary.NativeEndian
	for id, n := uint32(0), 0; n < maxBPFLinks; n++ {
		var attr, open [64]byte
		ne.PutUint32(attr[:], id)
		switch _, err := bpf(bpfLinkNextID, &attr); {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS): // the last, or a kernel without links
			return nil
		case err != nil:
			return err
		}
		id = ne.Uint32(attr[4:])
		ne.PutUint32(open[:], id)
		fd, err := bpf(bpfLinkFDByID, &open)
		switch {
		case errors.Is(err, unix.ENOENT): // it is gone
			continue
		case err != nil:
			return err
		}
		err = each(fd)
		unix.Close(fd)
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("more than %d links of programs", maxBPFLinks)
}

// netfilterProgram is what a link has at a hook of netfilter; false is a link of another type.
func netfilterProgram(link int) (p snapshot.Program, ok bool) {
	ne := binary.NativeEndian
	info := make([]byte, 128) // struct bpf_link_info: type, id, prog_id, then by type: pf, hooknum, priority, flags
	if !objectInfo(link, info) || ne.Uint32(info) != bpfNetfilter {
		return p, false
	}
	p = snapshot.Program{Kind: snapshot.ProgramNetfilter, Name: programName(ne.Uint32(info[8:])), Priority: int(int32(ne.Uint32(info[24:])))}
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
	return p, true
}
