package winhost

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/ringfence/ringfence/snapshot"
)

var errTable = errors.New("a table of sockets that ends early")

// rows are those of a table of sockets: a number of them, and then each of a size.
func rows(b []byte, size int) ([][]byte, error) {
	if len(b) < 4 {
		return nil, errTable
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n < 0 || n > (len(b)-4)/size {
		return nil, errTable
	}
	list := make([][]byte, n)
	for i := range list {
		list[i] = b[4+i*size:][:size]
	}
	return list, nil
}

// socket is a listener; ports are in the order of the network, in a number of 32 bits.
func socket(proto string, addr netip.Addr, port, pid []byte) snapshot.WindowsListener {
	l := snapshot.WindowsListener{
		Proto: proto, Family: 4, Addr: addr.String(), Port: int(binary.BigEndian.Uint16(port)), PID: int(binary.LittleEndian.Uint32(pid)), OwnerState: snapshot.OwnersUnknown,
	}
	if addr.Is6() {
		l.Family = 6
	}
	return l
}

// tcp4 reads a MIB_TCPTABLE_OWNER_PID (tcpmib.h): state, address, port, remote address, remote port, process.
func tcp4(b []byte) (list []snapshot.WindowsListener, err error) {
	r, err := rows(b, 24)
	for _, x := range r {
		list = append(list, socket("tcp", netip.AddrFrom4([4]byte(x[4:8])), x[8:], x[20:]))
	}
	return list, err
}

// tcp6 reads a MIB_TCP6TABLE_OWNER_PID: address, scope, port, remote address, scope and port, state, process.
func tcp6(b []byte) (list []snapshot.WindowsListener, err error) {
	r, err := rows(b, 56)
	for _, x := range r {
		list = append(list, socket("tcp", netip.AddrFrom16([16]byte(x[:16])), x[20:], x[52:]))
	}
	return list, err
}

// udp4 reads a MIB_UDPTABLE_OWNER_PID (udpmib.h): address, port, process.
func udp4(b []byte) (list []snapshot.WindowsListener, err error) {
	r, err := rows(b, 12)
	for _, x := range r {
		list = append(list, socket("udp", netip.AddrFrom4([4]byte(x[:4])), x[4:], x[8:]))
	}
	return list, err
}

// udp6 reads a MIB_UDP6TABLE_OWNER_PID: address, scope, port, process.
func udp6(b []byte) (list []snapshot.WindowsListener, err error) {
	r, err := rows(b, 28)
	for _, x := range r {
		list = append(list, socket("udp", netip.AddrFrom16([16]byte(x[:16])), x[20:], x[24:]))
	}
	return list, err
}
