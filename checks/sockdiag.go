//go:build linux && !ringfence_portable

package checks

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// socketKind is one kind of socket that sock_diag may be able to list.
type socketKind struct {
	proto    string
	family   uint8
	protocol int
	states   uint32
	info     bool // also ask what is above TCP
}

var socketKinds = []socketKind{
	{proto: "tcp", family: unix.AF_INET, protocol: unix.IPPROTO_TCP, states: 1 << wire.StateListen},
	{proto: "tcp", family: unix.AF_INET6, protocol: unix.IPPROTO_TCP, states: 1 << wire.StateListen},
	{proto: "udp", family: unix.AF_INET, protocol: unix.IPPROTO_UDP, states: 1 << wire.StateClose},
	{proto: "udp", family: unix.AF_INET6, protocol: unix.IPPROTO_UDP, states: 1 << wire.StateClose},
	{proto: "udplite", family: unix.AF_INET, protocol: unix.IPPROTO_UDPLITE, states: 1 << wire.StateClose},
	{proto: "udplite", family: unix.AF_INET6, protocol: unix.IPPROTO_UDPLITE, states: 1 << wire.StateClose},
	{proto: "sctp", family: unix.AF_INET, protocol: unix.IPPROTO_SCTP, states: 1 << wire.StateListen},
	{proto: "sctp", family: unix.AF_INET6, protocol: unix.IPPROTO_SCTP, states: 1 << wire.StateListen},
	{proto: "mptcp", family: unix.AF_INET, protocol: unix.IPPROTO_MPTCP, states: 1 << wire.StateListen},
	{proto: "mptcp", family: unix.AF_INET6, protocol: unix.IPPROTO_MPTCP, states: 1 << wire.StateListen},
	{proto: "raw", family: unix.AF_INET, protocol: unix.IPPROTO_RAW, states: 1<<wire.StateClose | 1<<wire.StateEstablished},
	{proto: "raw", family: unix.AF_INET6, protocol: unix.IPPROTO_RAW, states: 1<<wire.StateClose | 1<<wire.StateEstablished},
	{proto: "unix", family: unix.AF_UNIX, protocol: 0, states: 1<<wire.StateListen | 1<<wire.StateClose},
	{proto: "packet", family: unix.AF_PACKET, protocol: 0, states: 0xffffffff},
	{proto: "vsock", family: unix.AF_VSOCK, protocol: 0, states: 1 << wire.StateListen},
}

// diagState tells a family that the kernel does not have (nothing can be listening) from one that
// it has and cannot list. The kernel answers ENOENT for both, so the family is tried.
func diagState(k socketKind, err error) (state snapshot.Status, reason string) {
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
	if err = host.HasSockets(int(k.family), typ, k.protocol); err == nil {
		return snapshot.Error, "the kernel has " + k.proto + " sockets but cannot list them"
	}
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EPROTONOSUPPORT) ||
		errors.Is(err, unix.ESOCKTNOSUPPORT) {
		return snapshot.Absent, "the kernel has no " + k.proto + " sockets"
	}
	return snapshot.Error, "the kernel cannot list " + k.proto + " sockets"
}

// bindings are how wide processes listen on TCP in the scan's own network namespace, by pid, asked for once: the widest of the
// sockets of each.
func (s *Scan) bindings() (map[int]int, error) {
	s.boundOnce.Do(func() {
		s.bound = map[int]int{}
		inodes, _ := s.socketOwners()
		for _, k := range socketKinds[:2] {
			err := s.diagEach(k, func(m []byte) error {
				sk, err := wire.ParseInet(m)
				for _, pid := range inodes[uint64(sk.Inode)] {
					s.bound[pid] = max(s.bound[pid], width(sk.Local.Addr()))
				}
				return err
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

// diagEach dumps the sockets of a kind in the namespace of the thread. The message is valid until each returns. The first error of each is told when all were seen.
func (s *Scan) diagEach(k socketKind, each func([]byte) error) error {
	d := diag{s: s}
	defer d.close()
	return d.each(k, each)
}

// diag is a socket of sock_diag in the namespace of the thread, by which one kind is asked for after the other.
type diag struct {
	s    *Scan
	conn *netlink.Conn
}

func (d *diag) close() {
	if d.conn != nil {
		d.conn.Close()
		d.conn = nil
	}
}

// each dumps the sockets of a kind, as diagEach does. After an answer that may not have been read to its end, the next kind has a socket
// of its own.
func (d *diag) each(k socketKind, each func([]byte) error) error {
	return d.ask(wire.SocketQuery{Family: k.family, Protocol: k.protocol, States: k.states, Info: k.info}.Message(), each)
}

func (d *diag) ask(question netlink.Message, each func([]byte) error) error {
	if d.conn == nil {
		c, err := d.s.Host.Questions(unix.NETLINK_SOCK_DIAG)
		if err != nil {
			return err
		}
		d.conn = c
	}
	err := dump(d.conn, question, each)
	if err != nil && !errors.Is(err, unix.ENOENT) { // the kernel has no such kind: that is the whole answer
		d.close()
	}
	return err
}

// tcp dumps the sockets of TCP in both families, as each does of one kind. A kernel that does not answer that is asked for one family
// after the other; the errors are of these.
func (d *diag) tcp(states uint32, info bool, each func([]byte) error) (errs [2]error) {
	answered := false
	err := d.ask(wire.TCPQuery{States: states, Info: info}.Message(), func(m []byte) error {
		answered = true
		return each(m)
	})
	if err == nil || answered {
		return [2]error{err, err}
	}
	for i, k := range socketKinds[:2] {
		k.states, k.info = states, info
		errs[i] = d.each(k, each)
	}
	return errs
}

func dump(c *netlink.Conn, ask netlink.Message, each func([]byte) error) error {
	if _, err := c.Send(ask); err != nil {
		return err
	}
	var first error
	for m, err := range c.ReceiveIter() {
		if err != nil {
			return err
		}
		if err := each(m.Data); first == nil {
			first = err
		}
	}
	return first
}

// parseSocket is a socket that somebody can reach, as the kernel tells it; false is one that nobody can.
func parseSocket(k socketKind, b []byte, device func(int) string) (snapshot.Socket, bool, error) {
	switch k.family {
	case unix.AF_UNIX:
		u, err := wire.ParseUnix(b)
		sk, ok := unixSocket(&u)
		return sk, ok, err
	case unix.AF_PACKET:
		p, err := wire.ParsePacket(b)
		return snapshot.Socket{
			Proto: k.proto, Port: int(p.EtherType), UID: uidOf(p.UID), Inode: uint64(p.Inode), Device: deviceOf(p.Device, device),
		}, true, err
	case unix.AF_VSOCK:
		v, err := wire.ParseVsock(b)
		return snapshot.Socket{Proto: k.proto, Addr: strconv.Itoa(int(v.CID)), UID: -1, Port: int(v.Port), Inode: uint64(v.Inode)}, true, err
	}
	in, err := wire.ParseInet(b)
	sk, ok := inetSocket(k, &in)
	sk.Device = deviceOf(in.Device, device)
	return sk, ok, err
}

// deviceOf is the name of the interface that a socket is bound to.
func deviceOf(index int, name func(int) string) string {
	if index == 0 {
		return ""
	}
	return name(index)
}

func uidOf(uid *uint32) int {
	if uid == nil {
		return -1
	}
	return int(*uid)
}

// inetSocket tells a socket of IPv4 or IPv6. A UDP or raw socket that is connected has a peer and waits for nobody else, one without a
// port was never bound.
func inetSocket(k socketKind, in *wire.InetSocket) (snapshot.Socket, bool) {
	sk := snapshot.Socket{
		Proto: k.proto, Family: 4, Port: int(in.Local.Port()), Addr: in.Local.Addr().String(), UID: int(in.UID), Inode: uint64(in.Inode),
		Transparent: in.Transparent, Mark: in.Mark, Cgroup: in.Cgroup,
	}
	if in.Family == unix.AF_INET6 {
		sk.Family = 6
		sk.V6Only = in.V6Only == nil || *in.V6Only
	}
	switch k.proto {
	case "udp", "udplite":
		return sk, in.Peer.Port() == 0 && sk.Port != 0
	}
	return sk, true
}

// unixSocket tells a Unix socket. One without a name cannot be connected to.
func unixSocket(u *wire.UnixSocket) (snapshot.Socket, bool) {
	types := map[uint8]string{unix.SOCK_STREAM: "stream", unix.SOCK_DGRAM: "dgram", unix.SOCK_SEQPACKET: "seqpacket"}
	sk := snapshot.Socket{Proto: "unix", Type: types[u.Type], UID: uidOf(u.UID), Inode: uint64(u.Inode), Abstract: u.Abstract, Path: u.Name}
	if u.Abstract {
		sk.Path = "@" + u.Name
	}
	return sk, sk.Path != "" && (u.Type == unix.SOCK_DGRAM || u.State == wire.StateListen)
}

// procRaw reads raw sockets from /proc/thread-self/net/raw (proc(5)), for kernels without
// INET_RAW_DIAG. The file shows the namespace of the thread that opens it.
func (s *Scan) procRaw(family uint8) ([]snapshot.Socket, error) {
	file := "/proc/thread-self/net/raw"
	if family == unix.AF_INET6 {
		file += "6"
	}
	b, err := s.Host.ReadFile(file)
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
// and state stay unknown, and vsock ignores network namespaces before Linux 7.0. Sockets that were listed are of other protocols.
func (s *Scan) vsockHolders(netns uint64, listed []snapshot.Socket) []snapshot.Socket {
	other := make(map[uint64]bool, len(listed))
	for i := range listed {
		other[listed[i].Inode] = true
	}
	var socks []snapshot.Socket
	inodes, _ := s.socketOwners()
	buf := make([]byte, 64)
	for ino := range inodes {
		if other[ino] {
			continue
		}
		n, err := unix.Getxattr(s.fds[ino], "system.sockprotoname", buf)
		if err == nil && wire.CString(buf[:n]) == "AF_VSOCK" {
			socks = append(socks, snapshot.Socket{Netns: netns, Proto: "vsock", Inode: ino, UID: -1})
		}
	}
	return socks
}
