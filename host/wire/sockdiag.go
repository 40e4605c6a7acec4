//go:build linux && !ringfence_portable

package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Messages of sock_diag (include/uapi/linux/sock_diag.h).
const (
	tcpDiagGetsock   = 18 // TCPDIAG_GETSOCK of include/uapi/linux/inet_diag.h
	sockDiagByFamily = 20
	sockDestroy      = 21
)

// States of a socket (include/net/tcp_states.h). A query names them as bits: 1 << StateListen.
const (
	StateEstablished = 1
	StateFinWait1    = 4
	StateFinWait2    = 5
	StateClose       = 7 // as datagram sockets without a peer are
	StateCloseWait   = 8
	StateListen      = 10
)

// SocketQuery asks for all sockets of a family (AF_INET, AF_INET6, AF_UNIX, AF_PACKET or AF_VSOCK) that are in one of the states.
type SocketQuery struct {
	Family   uint8
	Protocol int    // IPPROTO_*, for AF_INET and AF_INET6
	States   uint32 // bits; a packet socket has none
	// Info asks for what TCP tells of itself besides, of which the protocol above it is read (InetSocket.ULP).
	Info bool
}

// TCPQuery asks for all sockets of TCP of both families of IP that are in one of the states: the kernel walks its tables once for it, and
// they are those of all network namespaces. It is the form of the question that there was before sock_diag (inet_diag_rcv_msg_compat).
type TCPQuery struct {
	States uint32 // bits, as of SocketQuery
	Info   bool   // as of SocketQuery
}

// Message is the query as a request for a dump.
func (q TCPQuery) Message() netlink.Message {
	b := make([]byte, oldRequestSize)
	if q.Info {
		b[3] = inetRequestInfo
	}
	binary.NativeEndian.PutUint32(b[4+inetIDSize:], q.States)
	return netlink.Message{Header: netlink.Header{Type: tcpDiagGetsock, Flags: netlink.Request | netlink.Dump}, Data: b}
}

// Sizes of the requests (include/uapi/linux/{inet,unix,packet,vm_sockets}_diag.h).
const (
	inetRequestSize   = 56 // struct inet_diag_req_v2
	oldRequestSize    = 60 // struct inet_diag_req
	inetIDSize        = 48 // struct inet_diag_sockid, its last part
	unixRequestSize   = 24
	packetRequestSize = 20
	vsockRequestSize  = 24

	inetRequestProtocol = 3      // INET_DIAG_REQ_PROTOCOL
	inetRequestInfo     = 1 << 1 // the extension INET_DIAG_INFO
	unixShowNameUID     = 1 | 0x40
	packetShowInfo      = 1
)

// Message is the query as a request for a dump.
func (q SocketQuery) Message() netlink.Message {
	return netlink.Message{Header: netlink.Header{Type: sockDiagByFamily, Flags: netlink.Request | netlink.Dump}, Data: q.request()}
}

func (q SocketQuery) request() []byte {
	var b []byte
	switch q.Family {
	case unix.AF_UNIX:
		b = make([]byte, unixRequestSize)
		binary.NativeEndian.PutUint32(b[4:], q.States)
		binary.NativeEndian.PutUint32(b[12:], unixShowNameUID)
	case unix.AF_PACKET:
		b = make([]byte, packetRequestSize)
		binary.NativeEndian.PutUint32(b[8:], packetShowInfo)
	case unix.AF_VSOCK:
		b = make([]byte, vsockRequestSize)
		binary.NativeEndian.PutUint32(b[4:], q.States)
	default:
		return q.inetRequest()
	}
	b[0] = q.Family
	return b
}

// inetRequest asks for no extensions but Info: what is read here the kernel tells without (inet_diag_msg_attrs_fill).
func (q SocketQuery) inetRequest() []byte {
	b := make([]byte, inetRequestSize)
	b[0], b[1] = q.Family, byte(q.Protocol)
	binary.NativeEndian.PutUint32(b[4:], q.States)
	if q.Info {
		b[2] = inetRequestInfo
	}
	if q.Protocol > 255 { // MPTCP is asked for by an attribute, in the place of TCP
		b[1] = unix.IPPROTO_TCP
		proto := binary.NativeEndian.AppendUint32(nil, uint32(q.Protocol))
		b = append(b, attributes(netlink.Attribute{Type: inetRequestProtocol, Data: proto})...)
	}
	return b
}

// InetSocket is a socket of AF_INET or AF_INET6, as sock_diag tells it.
type InetSocket struct {
	Family      uint8
	State       uint8
	Local, Peer netip.AddrPort // an IPv4 address of an IPv6 socket is still one of ::ffff:0:0/96
	Device      int            // index of the interface that it is bound to; 0 is none
	UID         uint32
	Inode       uint32
	V6Only      *bool   // nil where the kernel does not tell, as of IPv4 and of connected sockets
	Transparent *bool   // nil before Linux 5.11
	Mark        *uint32 // nil without CAP_NET_ADMIN
	// Cgroup is the inode of the cgroup in which it was made; 0 is not told (before Linux 5.9, without CONFIG_SOCK_CGROUP_DATA).
	Cgroup uint64
	// ULP is the protocol that took over a TCP socket ("mptcp", "tls"); the kernel tells it to CAP_NET_ADMIN alone, since Linux 5.4.
	ULP string

	id [inetIDSize]byte
}

// Attributes of a socket of AF_INET and AF_INET6 (INET_DIAG_*).
const (
	inetMsgSize       = 72 // struct inet_diag_msg
	inetSKV6Only      = 11
	inetMark          = 15
	inetULP           = 19
	inetULPName       = 1
	inetCgroup        = 21
	inetSockopt       = 22
	inetSockoptTransp = 1 << 5 // of struct inet_diag_sockopt
)

var inetFields = sizes{inetSKV6Only: 1, inetSockopt: 1, inetMark: 4, inetULP: 0, inetCgroup: 8}

// ParseInet reads struct inet_diag_msg and its attributes.
func ParseInet(b []byte) (InetSocket, error) {
	if len(b) < inetMsgSize {
		return InetSocket{}, fmt.Errorf("inet socket: %w", ErrTruncated)
	}
	s := InetSocket{
		Family: b[0], State: b[1],
		Device: int(binary.NativeEndian.Uint32(b[40:])),
		UID:    binary.NativeEndian.Uint32(b[64:]), Inode: binary.NativeEndian.Uint32(b[68:]),
		id: [inetIDSize]byte(b[4 : 4+inetIDSize]),
	}
	end := func(port, addr int) netip.AddrPort {
		a := netip.AddrFrom4([4]byte(b[addr : addr+4]))
		if s.Family == unix.AF_INET6 {
			a = netip.AddrFrom16([16]byte(b[addr : addr+16]))
		}
		return netip.AddrPortFrom(a, binary.BigEndian.Uint16(b[port:]))
	}
	s.Local, s.Peer = end(4, 8), end(6, 24)
	err := fields(b[inetMsgSize:], inetFields, func(kind uint16, d []byte) error {
		switch kind {
		case inetSKV6Only:
			only := d[0] != 0
			s.V6Only = &only
		case inetSockopt:
			transparent := d[0]&inetSockoptTransp != 0
			s.Transparent = &transparent
		case inetCgroup:
			s.Cgroup = binary.NativeEndian.Uint64(d)
		case inetMark:
			mark := binary.NativeEndian.Uint32(d)
			s.Mark = &mark
		case inetULP:
			return fields(d, sizes{inetULPName: 0}, func(_ uint16, name []byte) error {
				s.ULP = CString(name)
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("inet socket: %w", err)
	}
	return s, nil
}

// Destroy asks the kernel to end this socket (SOCK_DESTROY, needs INET_DIAG_DESTROY), if it is in one of the states.
func (s *InetSocket) Destroy(protocol uint8, states uint32) netlink.Message {
	b := make([]byte, inetRequestSize)
	b[0], b[1] = s.Family, protocol
	binary.NativeEndian.PutUint32(b[4:], states)
	copy(b[inetRequestSize-inetIDSize:], s.id[:])
	return netlink.Message{Header: netlink.Header{Type: sockDestroy, Flags: netlink.Request | netlink.Acknowledge}, Data: b}
}

// UnixSocket is a socket of AF_UNIX, as sock_diag tells it.
type UnixSocket struct {
	Type     uint8 // SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET
	State    uint8
	Inode    uint32
	Name     string // a path, or what follows the zero byte of an abstract name; "" is none
	Abstract bool
	UID      *uint32 // nil before Linux 5.3
}

// ParseUnix reads struct unix_diag_msg and its attributes (UNIX_DIAG_*).
func ParseUnix(b []byte) (UnixSocket, error) {
	const size, name, uid = 16, 0, 7
	if len(b) < size {
		return UnixSocket{}, fmt.Errorf("unix socket: %w", ErrTruncated)
	}
	s := UnixSocket{Type: b[1], State: b[2], Inode: binary.NativeEndian.Uint32(b[4:])}
	err := fields(b[size:], sizes{name: 0, uid: 4}, func(kind uint16, d []byte) error {
		switch {
		case kind == uid:
			n := binary.NativeEndian.Uint32(d)
			s.UID = &n
		case len(d) > 0 && d[0] == 0:
			s.Abstract, s.Name = true, string(d[1:])
		default:
			s.Name = CString(d)
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("unix socket: %w", err)
	}
	return s, nil
}

// PacketSocket is a socket of AF_PACKET, as sock_diag tells it.
type PacketSocket struct {
	EtherType uint16
	Inode     uint32
	Device    int     // index of the interface that it is bound to; 0 is none
	UID       *uint32 // nil where the kernel does not tell
}

// ParsePacket reads struct packet_diag_msg and its attributes (PACKET_DIAG_*).
func ParsePacket(b []byte) (PacketSocket, error) {
	const size, info, uid = 16, 0, 5
	if len(b) < size {
		return PacketSocket{}, fmt.Errorf("packet socket: %w", ErrTruncated)
	}
	s := PacketSocket{EtherType: binary.NativeEndian.Uint16(b[2:]), Inode: binary.NativeEndian.Uint32(b[4:])}
	err := fields(b[size:], sizes{info: 4, uid: 4}, func(kind uint16, d []byte) error {
		switch kind {
		case info: // struct packet_diag_info
			s.Device = int(binary.NativeEndian.Uint32(d))
		case uid:
			n := binary.NativeEndian.Uint32(d)
			s.UID = &n
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("packet socket: %w", err)
	}
	return s, nil
}

// VsockSocket is a socket of AF_VSOCK, as sock_diag tells it.
type VsockSocket struct {
	CID, Port uint32 // where it listens
	Inode     uint32
}

// ParseVsock reads struct vsock_diag_msg.
func ParseVsock(b []byte) (VsockSocket, error) {
	if len(b) < 32 {
		return VsockSocket{}, fmt.Errorf("vsock socket: %w", ErrTruncated)
	}
	return VsockSocket{
		CID: binary.NativeEndian.Uint32(b[4:]), Port: binary.NativeEndian.Uint32(b[8:]), Inode: binary.NativeEndian.Uint32(b[20:]),
	}, nil
}
