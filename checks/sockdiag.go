//go:build linux && !ringfence_portable

package checks

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/snapshot"
)

// Constants of include/uapi/linux/{sock_diag,inet_diag,unix_diag,packet_diag,vm_sockets_diag}.h.
const (
	sockDiagByFamily = 20
	inetDiagSKV6Only = 11
	inetDiagMark     = 15
	inetDiagSockopt  = 22
	inetDiagProtocol = 3 // INET_DIAG_REQ_PROTOCOL
	unixDiagName     = 0
	stateEstablished = 1
	stateClose       = 7
	stateListen      = 10
)

// socketKind is one kind of socket that sock_diag may be able to list.
type socketKind struct {
	proto    string
	family   uint8
	protocol int
	states   uint32
}

var socketKinds = []socketKind{
	{"tcp", unix.AF_INET, unix.IPPROTO_TCP, 1 << stateListen},
	{"tcp", unix.AF_INET6, unix.IPPROTO_TCP, 1 << stateListen},
	{"udp", unix.AF_INET, unix.IPPROTO_UDP, 1 << stateClose},
	{"udp", unix.AF_INET6, unix.IPPROTO_UDP, 1 << stateClose},
	{"udplite", unix.AF_INET, unix.IPPROTO_UDPLITE, 1 << stateClose},
	{"udplite", unix.AF_INET6, unix.IPPROTO_UDPLITE, 1 << stateClose},
	{"sctp", unix.AF_INET, unix.IPPROTO_SCTP, 1 << stateListen},
	{"sctp", unix.AF_INET6, unix.IPPROTO_SCTP, 1 << stateListen},
	{"mptcp", unix.AF_INET, unix.IPPROTO_MPTCP, 1 << stateListen},
	{"mptcp", unix.AF_INET6, unix.IPPROTO_MPTCP, 1 << stateListen},
	{"raw", unix.AF_INET, unix.IPPROTO_RAW, 1<<stateClose | 1<<stateEstablished},
	{"raw", unix.AF_INET6, unix.IPPROTO_RAW, 1<<stateClose | 1<<stateEstablished},
	{"unix", unix.AF_UNIX, 0, 1<<stateListen | 1<<stateClose},
	{"packet", unix.AF_PACKET, 0, 0xffffffff},
	{"vsock", unix.AF_VSOCK, 0, 1 << stateListen},
}

// listSockets asks sock_diag of one namespace for every kind. What is beyond somebody's share is counted, and not listed.
func (s *Scan) listSockets(ns *os.File, inode uint64, device func(int) string, keep func(*snapshot.Socket) bool,
) ([]snapshot.Socket, []snapshot.SocketFamily) {
	var socks []snapshot.Socket
	var fams []snapshot.SocketFamily
	for _, k := range socketKinds {
		err := s.diagEach(ns, k, func(m []byte) {
			if sk, ok := parseSocket(k, m, device); ok && keep(&sk) {
				socks = append(socks, sk)
			}
		})
		if err != nil && k.proto == "raw" && !denied(err) {
			if more, perr := s.procRaw(ns, k.family); perr == nil {
				for i := range more {
					if keep(&more[i]) {
						socks = append(socks, more[i])
					}
				}
				err = nil
			}
		}
		fam := snapshot.SocketFamily{Netns: inode, Proto: k.proto, State: snapshot.OK}
		if k.family == unix.AF_INET6 {
			fam.Proto += "6"
		}
		if err != nil {
			fam.State, fam.Reason = diagState(k, err)
		}
		fams = append(fams, fam)
	}
	for i := range socks {
		socks[i].Netns = inode
	}
	return socks, fams
}

// diagState tells a family that the kernel does not have (nothing can be listening) from one that
// it has and cannot list. The kernel answers ENOENT for both, so the family is tried.
func diagState(k socketKind, err error) (state, reason string) {
	if denied(err) {
		return snapshot.Denied, err.Error()
	}
	if !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.EINVAL) &&
		!errors.Is(err, syscall.EOPNOTSUPP) {
		return snapshot.Error, err.Error()
	}
	typ := unix.SOCK_STREAM
	switch k.proto {
	case "udp", "udplite", "packet":
		typ = unix.SOCK_DGRAM
	case "raw":
		typ = unix.SOCK_RAW
	}
	fd, err := unix.Socket(int(k.family), typ|unix.SOCK_CLOEXEC, k.protocol)
	if err == nil {
		unix.Close(fd)
		return snapshot.Error, "the kernel has " + k.proto + " sockets but cannot list them"
	}
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EPROTONOSUPPORT) ||
		errors.Is(err, unix.ESOCKTNOSUPPORT) {
		return snapshot.Absent, "the kernel has no " + k.proto + " sockets"
	}
	return snapshot.Error, "the kernel cannot list " + k.proto + " sockets"
}

// diag lists the sockets of a kind.
func (s *Scan) diag(ns *os.File, k socketKind) ([][]byte, error) {
	var out [][]byte
	err := s.diagEach(ns, k, func(m []byte) { out = append(out, append([]byte(nil), m...)) })
	return out, err
}

// bindings are how wide processes listen on TCP in the scan's own network namespace, by pid, asked for once: the widest of the
// sockets of each.
func (s *Scan) bindings() (map[int]int, error) {
	s.boundOnce.Do(func() {
		s.bound = map[int]int{}
		inodes, _ := s.socketOwners()
		for _, k := range socketKinds[:2] {
			err := s.diagEach(nil, k, func(m []byte) {
				sk, ok := parseInet(k, m, func(int) string { return "" })
				addr, err := netip.ParseAddr(sk.Addr)
				if !ok || err != nil {
					return
				}
				for _, pid := range inodes[sk.Inode] {
					s.bound[pid] = max(s.bound[pid], width(addr))
				}
			})
			if s.boundErr == nil {
				s.boundErr = err
			}
		}
	})
	return s.bound, s.boundErr
}

// How wide an address is bound.
const (
	boundLoopback = 1 + iota
	boundCustom
	boundWide
)

func width(a netip.Addr) int {
	switch {
	case a.IsUnspecified():
		return boundWide
	case !a.Unmap().IsLoopback():
		return boundCustom
	}
	return boundLoopback
}

// diagEach dumps the sockets of a kind. The message is valid until each returns.
func (s *Scan) diagEach(ns *os.File, k socketKind, each func([]byte)) error {
	c, err := s.Host.Netlink(unix.NETLINK_SOCK_DIAG, ns)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Send(netlink.Message{
		Header: netlink.Header{Type: sockDiagByFamily, Flags: netlink.Request | netlink.Dump},
		Data:   diagRequest(k),
	})
	if err != nil {
		return err
	}
	for m, err := range c.ReceiveIter() {
		if err != nil {
			return err
		}
		each(m.Data)
	}
	return nil
}

func diagRequest(k socketKind) []byte {
	switch k.family {
	case unix.AF_UNIX: // struct unix_diag_req
		b := make([]byte, 24)
		b[0] = k.family
		binary.NativeEndian.PutUint32(b[4:], k.states)
		binary.NativeEndian.PutUint32(b[12:], 1|0x40) // UDIAG_SHOW_NAME, UDIAG_SHOW_UID
		return b
	case unix.AF_PACKET: // struct packet_diag_req
		b := make([]byte, 20)
		b[0] = k.family
		binary.NativeEndian.PutUint32(b[8:], 1) // PACKET_SHOW_INFO
		return b
	case unix.AF_VSOCK: // struct vsock_diag_req
		b := make([]byte, 24)
		b[0] = k.family
		binary.NativeEndian.PutUint32(b[4:], k.states)
		return b
	}
	b := make([]byte, 56) // struct inet_diag_req_v2
	b[0] = k.family
	b[1] = byte(k.protocol)
	b[2] = 0xff // all extensions
	if k.proto == "raw" {
		b[1] = 255
	}
	binary.NativeEndian.PutUint32(b[4:], k.states)
	if k.protocol > 255 { // MPTCP is asked for by an attribute, in the place of TCP
		proto := make([]byte, 4)
		binary.NativeEndian.PutUint32(proto, uint32(k.protocol))
		a, _ := netlink.MarshalAttributes([]netlink.Attribute{{Type: inetDiagProtocol, Data: proto}})
		b[1] = unix.IPPROTO_TCP
		b = append(b, a...)
	}
	return b
}

func parseSocket(k socketKind, b []byte, device func(int) string) (snapshot.Socket, bool) {
	switch k.family {
	case unix.AF_UNIX:
		return parseUnix(b)
	case unix.AF_PACKET:
		return parsePacket(b, device)
	case unix.AF_VSOCK:
		return parseVsock(b)
	}
	return parseInet(k, b, device)
}

// parseInet reads struct inet_diag_msg. A UDP or raw socket that is connected has a peer and waits
// for nobody else, one without a port was never bound.
func parseInet(k socketKind, b []byte, device func(int) string) (snapshot.Socket, bool) {
	if len(b) < 72 {
		return snapshot.Socket{}, false
	}
	sk := snapshot.Socket{
		Proto: k.proto, Family: 4, Port: be16(b[4:]),
		UID:   int(binary.NativeEndian.Uint32(b[64:])),
		Inode: uint64(binary.NativeEndian.Uint32(b[68:])),
	}
	addr := netip.AddrFrom4([4]byte(b[8:12]))
	if b[0] == unix.AF_INET6 {
		sk.Family = 6
		addr = netip.AddrFrom16([16]byte(b[8:24]))
		sk.V6Only = true // until the attribute says otherwise
	}
	sk.Addr = addr.String()
	if idx := int(binary.NativeEndian.Uint32(b[40:])); idx != 0 {
		sk.Device = device(idx)
	}
	dport := be16(b[6:])
	if k.proto != "raw" && k.proto != "tcp" && k.proto != "sctp" && k.proto != "mptcp" {
		if dport != 0 || sk.Port == 0 {
			return sk, false
		}
	}
	attrs, err := netlink.UnmarshalAttributes(b[72:])
	if err != nil {
		return sk, true
	}
	for _, a := range attrs {
		switch {
		case a.Type == inetDiagSKV6Only && len(a.Data) >= 1 && sk.Family == 6:
			sk.V6Only = a.Data[0] != 0
		case a.Type == inetDiagSockopt && len(a.Data) >= 1: // struct inet_diag_sockopt, a bit each
			transparent := a.Data[0]&(1<<5) != 0
			sk.Transparent = &transparent
		case a.Type == inetDiagMark && len(a.Data) >= 4:
			mark := binary.NativeEndian.Uint32(a.Data)
			sk.Mark = &mark
		}
	}
	return sk, true
}

// parseUnix reads struct unix_diag_msg. Sockets without a name cannot be connected to.
func parseUnix(b []byte) (snapshot.Socket, bool) {
	if len(b) < 16 {
		return snapshot.Socket{}, false
	}
	types := map[byte]string{1: "stream", 2: "dgram", 5: "seqpacket"}
	sk := snapshot.Socket{
		Proto: "unix", Type: types[b[1]], UID: -1,
		Inode: uint64(binary.NativeEndian.Uint32(b[4:])),
	}
	if sk.Type != "dgram" && b[2] != stateListen {
		return sk, false
	}
	attrs, err := netlink.UnmarshalAttributes(b[16:])
	if err != nil {
		return sk, false
	}
	for _, a := range attrs {
		switch {
		case a.Type == unixDiagName && len(a.Data) > 0 && a.Data[0] == 0:
			sk.Abstract, sk.Path = true, "@"+string(a.Data[1:])
		case a.Type == unixDiagName && len(a.Data) > 0:
			sk.Path = cut0(a.Data)
		case a.Type == 7 && len(a.Data) >= 4: // UNIX_DIAG_UID
			sk.UID = int(binary.NativeEndian.Uint32(a.Data))
		}
	}
	return sk, sk.Path != ""
}

func cut0(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// parsePacket reads struct packet_diag_msg and PACKET_DIAG_INFO. The port is the EtherType.
func parsePacket(b []byte, device func(int) string) (snapshot.Socket, bool) {
	if len(b) < 16 {
		return snapshot.Socket{}, false
	}
	sk := snapshot.Socket{
		Proto: "packet", Port: int(binary.NativeEndian.Uint16(b[2:])), UID: -1,
		Inode: uint64(binary.NativeEndian.Uint32(b[4:])),
	}
	attrs, err := netlink.UnmarshalAttributes(b[16:])
	if err != nil {
		return sk, true
	}
	for _, a := range attrs {
		switch {
		case a.Type == 0 && len(a.Data) >= 4:
			if idx := int(binary.NativeEndian.Uint32(a.Data)); idx != 0 {
				sk.Device = device(idx)
			}
		case a.Type == 5 && len(a.Data) >= 4: // PACKET_DIAG_UID
			sk.UID = int(binary.NativeEndian.Uint32(a.Data))
		}
	}
	return sk, true
}

// parseVsock reads struct vsock_diag_msg.
func parseVsock(b []byte) (snapshot.Socket, bool) {
	if len(b) < 32 {
		return snapshot.Socket{}, false
	}
	return snapshot.Socket{
		Proto: "vsock", Addr: fmt.Sprint(binary.NativeEndian.Uint32(b[4:])), UID: -1,
		Port:  int(binary.NativeEndian.Uint32(b[8:])),
		Inode: uint64(binary.NativeEndian.Uint32(b[20:])),
	}, true
}

// procRaw reads raw sockets from /proc/thread-self/net/raw (proc(5)), for kernels without
// INET_RAW_DIAG. The file shows the namespace of the thread that opens it.
func (s *Scan) procRaw(ns *os.File, family uint8) ([]snapshot.Socket, error) {
	file := "/proc/thread-self/net/raw"
	if family == unix.AF_INET6 {
		file += "6"
	}
	var b []byte
	read := func() (err error) {
		b, err = s.Host.ReadFile(file)
		return err
	}
	var err error
	if ns == nil {
		err = read()
	} else {
		err = s.Host.InNetns(ns, read)
	}
	if err != nil {
		return nil, err
	}
	var socks []snapshot.Socket
	for i, line := range strings.Split(string(b), "\n") {
		f := strings.Fields(line)
		if i == 0 || len(f) < 10 {
			continue
		}
		sk := snapshot.Socket{Proto: "raw", Family: 4, UID: atoi(f[7])}
		sk.Inode, _ = strconv.ParseUint(f[9], 10, 64)
		addr, port, _ := strings.Cut(f[1], ":")
		n, _ := strconv.ParseUint(port, 16, 16)
		sk.Port = int(n)
		raw, err := hex.DecodeString(addr)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for w := 0; w+4 <= len(raw); w += 4 { // each word is in host order
			slices.Reverse(raw[w : w+4])
		}
		if a, ok := netip.AddrFromSlice(raw); ok {
			sk.Addr = a.String()
		}
		if family == unix.AF_INET6 {
			sk.Family, sk.V6Only = 6, true
		}
		socks = append(socks, sk)
	}
	return socks, nil
}

// vsockHolders finds vsock sockets by the descriptors of processes, where the kernel cannot list
// them (no VSOCKETS_DIAG): the protocol name is an attribute of the socket file (xattr(7)). Port
// and state stay unknown, and vsock ignores network namespaces before Linux 7.0.
func (s *Scan) vsockHolders(netns uint64) []snapshot.Socket {
	var socks []snapshot.Socket
	inodes, _ := s.socketOwners()
	buf := make([]byte, 64)
	for ino := range inodes {
		n, err := unix.Getxattr(s.fds[ino], "system.sockprotoname", buf)
		if err == nil && cut0(buf[:n]) == "AF_VSOCK" {
			socks = append(socks, snapshot.Socket{Netns: netns, Proto: "vsock", Inode: ino, UID: -1})
		}
	}
	return socks
}
