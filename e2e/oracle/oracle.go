//go:build linux

// Package oracle asks the running kernel for the fate of packets. It makes interfaces in the network
// namespace of the process, writes packets into them, and watches the last priority of the input and
// postrouting hooks through NFLOG. Writing to a TUN or TAP device runs the whole stack inside the
// system call, so that when it returns the fate is final.
//
// A program that uses it must run in a network namespace made for the purpose: Start refuses to work
// in one that has other interfaces up than loopback.
package oracle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// The group of NFLOG that the observers write to, and their table.
const (
	group = 7
	Table = "ringfence_oracle"
)

// observers watch what passes. Their own rules never decide anything.
const observers = `table inet ` + Table + ` {
	chain answers { type filter hook output priority -1000000; policy accept; log group 7 queue-threshold 1
	}
	chain input { type filter hook input priority 2147483646; policy accept; log group 7 queue-threshold 1
	}
	chain postrouting { type filter hook postrouting priority 2147483646; policy accept; log group 7 queue-threshold 1
	}
}
`

// Device is an interface that the oracle makes: a TUN, or with L2 a TAP.
type Device struct {
	Name string
	L2   bool
	fd   int
	mac  net.HardwareAddr
	dst  net.HardwareAddr // that frames are sent to: its own, or that of its bridge
}

// Oracle is a running one.
type Oracle struct {
	devices map[string]*Device
	index   map[uint32]string
	log     int
	raw4    int
	raw6    int
	buf     []byte
	// Wire asks that a packet that leaves is seen to come out of a device: what is filtered after the last IP
	// hook counts then. Every destination must have a neighbour whose address is known.
	Wire bool
}

// Start makes the devices. Configure them with Shell before the first packet.
func Start(devices ...*Device) (*Oracle, error) {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range ifs {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
			return nil, fmt.Errorf("interface %s is up in this namespace: refused", i.Name)
		}
	}
	o := &Oracle{devices: map[string]*Device{}, index: map[uint32]string{}, buf: make([]byte, 1<<17)}
	for _, d := range devices {
		if err := d.open(); err != nil {
			return nil, fmt.Errorf("device %s: %w", d.Name, err)
		}
		o.devices[d.Name] = d
	}
	if err := o.listen(); err != nil {
		return nil, fmt.Errorf("nflog: %w", err)
	}
	for _, r := range []struct {
		fd  *int
		af  int
		opt func(int) error
	}{
		{&o.raw4, unix.AF_INET, func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_HDRINCL, 1) }},
		{&o.raw6, unix.AF_INET6, func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_HDRINCL, 1) }},
	} {
		if *r.fd, err = unix.Socket(r.af, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW); err != nil {
			return nil, fmt.Errorf("raw socket: %w", err)
		}
		if err := r.opt(*r.fd); err != nil {
			return nil, fmt.Errorf("raw socket: %w", err)
		}
	}
	return o, nil
}

func (d *Device) open() error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	req, err := unix.NewIfreq(d.Name)
	if err != nil {
		return err
	}
	flags := uint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if d.L2 {
		flags = unix.IFF_TAP | unix.IFF_NO_PI
	}
	req.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return err
	}
	d.fd = fd
	return nil
}

// Shell runs a script, which inherits the namespace.
func Shell(script string) error {
	cmd := exec.Command("sh", "-ec", script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// Ready reads the addresses of the devices, after they are configured. Frames for a bridge port are
// addressed to the bridge.
func (o *Oracle) Ready(bridges map[string]string) error {
	ifs, err := net.Interfaces()
	if err != nil {
		return err
	}
	macs := map[string]net.HardwareAddr{}
	for _, i := range ifs {
		o.index[uint32(i.Index)] = i.Name
		macs[i.Name] = i.HardwareAddr
	}
	for _, d := range o.devices {
		d.mac, d.dst = macs[d.Name], macs[d.Name]
		if b, ok := bridges[d.Name]; ok {
			d.dst = macs[b]
		}
	}
	return Shell(`for f in /proc/sys/net/ipv4/icmp_ratelimit /proc/sys/net/ipv4/icmp_ratemask /proc/sys/net/ipv6/icmp/ratelimit; do echo 0 > $f; done
for f in /proc/sys/net/ipv4/icmp_msgs_per_sec /proc/sys/net/ipv4/icmp_msgs_burst; do [ ! -w $f ] || echo 10000000 > $f; done`)
}

// Load replaces the ruleset by the given one and the observers.
func (o *Oracle) Load(ruleset string) error {
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader("flush ruleset\n" + ruleset + "\n" + observers)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, firstLines(out))
	}
	return nil
}

func firstLines(b []byte) string {
	s := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(s[:min(len(s), 6)], "\n")
}

// The attributes of NFLOG (NFULA_*, include/uapi/linux/netfilter/nfnetlink_log.h).
const (
	nfulaPacketHdr = 1
	nfulaOutdev    = 5
	nfulaPayload   = 9
	nfulaCfgCmd    = 1
	nfulaCfgMode   = 2
)

func (o *Oracle) listen() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
	attr := func(kind uint16, data []byte) []byte {
		b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(data)))
		b = append(binary.NativeEndian.AppendUint16(b, kind), data...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		return b
	}
	mode := append(binary.BigEndian.AppendUint32(nil, 256), 2, 0) // NFULNL_COPY_PACKET
	for _, a := range [][]byte{attr(nfulaCfgCmd, []byte{1}), attr(nfulaCfgMode, mode)} {
		body := append([]byte{unix.AF_UNSPEC, 0, 0, group}, a...)
		h := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
		h = binary.NativeEndian.AppendUint16(h, unix.NFNL_SUBSYS_ULOG<<8|1) // NFULNL_MSG_CONFIG
		h = binary.NativeEndian.AppendUint16(h, unix.NLM_F_REQUEST|unix.NLM_F_ACK)
		h = append(append(h, make([]byte, 8)...), body...)
		if err := unix.Sendto(fd, h, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return err
		}
		if err := acknowledged(fd); err != nil {
			return err
		}
	}
	o.log = fd
	return nil
}

func acknowledged(fd int) error {
	buf := make([]byte, 4096)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			continue
		case err != nil:
			return err
		case n >= 20 && binary.NativeEndian.Uint16(buf[4:]) == unix.NLMSG_ERROR:
			if e := int32(binary.NativeEndian.Uint32(buf[16:])); e != 0 {
				return unix.Errno(-e)
			}
			return nil
		}
	}
}

// event is one packet that an observer saw.
type event struct {
	hook    byte // 1 input, 3 output, 4 postrouting (NF_INET_*)
	oif     string
	payload []byte
}

// Forget empties conntrack: a packet whose addresses happen to be those of an earlier connection, as a
// translation left them, would be taken for a part of it.
func (o *Oracle) Forget() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	h := binary.NativeEndian.AppendUint32(nil, 20)
	h = binary.NativeEndian.AppendUint16(h, unix.NFNL_SUBSYS_CTNETLINK<<8|2) // IPCTNL_MSG_CT_DELETE
	h = binary.NativeEndian.AppendUint16(h, unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	h = append(h, make([]byte, 12)...) // of every family
	if err := unix.Sendto(fd, h, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	return acknowledged(fd)
}

// events reads what the observers saw since the last call.
func (o *Oracle) events(each func(*event)) error {
	for {
		n, _, err := unix.Recvfrom(o.log, o.buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			return fmt.Errorf("nflog: %w", err)
		}
		for b := o.buf[:n]; len(b) >= 16; {
			l := int(binary.NativeEndian.Uint32(b))
			if l < 16 || l > len(b) {
				break
			}
			if binary.NativeEndian.Uint16(b[4:]) == unix.NFNL_SUBSYS_ULOG<<8 && l >= 20 {
				each(o.event(b[20:l]))
			}
			b = b[min((l+3)&^3, len(b)):]
		}
	}
}

func (o *Oracle) event(b []byte) *event {
	e := new(event)
	for len(b) >= 4 {
		l := int(binary.NativeEndian.Uint16(b))
		if l < 4 || l > len(b) {
			break
		}
		data := b[4:l]
		switch binary.NativeEndian.Uint16(b[2:]) & 0x3fff {
		case nfulaPacketHdr:
			e.hook = data[2]
		case nfulaOutdev:
			e.oif = o.index[binary.BigEndian.Uint32(data)]
		case nfulaPayload:
			e.payload = data
		}
		b = b[min((l+3)&^3, len(b)):]
	}
	return e
}

// drain empties the queues of the devices, and hands what left by them on.
func (o *Oracle) drain(each func(dev string, ip []byte)) {
	buf := make([]byte, 65536)
	for _, d := range o.devices {
		for {
			n, err := unix.Read(d.fd, buf)
			if err != nil || n <= 0 {
				break
			}
			b := buf[:n]
			if d.L2 {
				if n < 14 {
					continue
				}
				b = b[14:]
			}
			each(d.Name, b)
		}
	}
}

// Close gives the devices back. The namespace itself ends with the process.
func (o *Oracle) Close() {
	for _, d := range o.devices {
		_ = unix.Close(d.fd)
	}
	for _, fd := range []int{o.log, o.raw4, o.raw6} {
		_ = unix.Close(fd)
	}
}
