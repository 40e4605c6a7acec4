//go:build linux

package oracle

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Packet is one to inject. In is a device or "local".
type Packet struct {
	In           string
	Src, Dst     netip.Addr
	Proto        uint8
	Sport, Dport uint16
	Type, Code   uint8
	Flags        uint8
	SMAC         net.HardwareAddr // of TAP devices
	DMAC         net.HardwareAddr // the neighbour on a bridge that the frame is for; the host where it is left out
	Mark         uint32           // of local packets
	Broadcast    bool             // the destination is a broadcast address on the link
	// Frag asks for the fate of the first or the last fragment of the datagram; both are sent.
	Frag string
	TTL  uint8 // or hop limit; 0 is what most senders write
	TOS  uint8 // or traffic class
}

// Fate is what the kernel did.
type Fate struct {
	Fate string // local, forward, output, drop or reject
	Oif  string
	To   string
}

const (
	protoFrag   = 44
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58

	protoDCCP    = 33
	protoSCTP    = 132
	protoUDPLite = 136
)

// idOffset is where the transport keeps the number by which the packet is known again. Translation
// leaves it alone, and answers repeat it.
func idOffset(proto uint8) int {
	switch proto {
	case protoUDP, protoUDPLite:
		return 8
	case protoSCTP: // the tag of an INIT
		return 16
	}
	return 4
}

// Ask injects a packet and reports its fate. Every packet needs a number of its own.
func (o *Oracle) Ask(p *Packet, id uint32) (Fate, error) {
	parts := [][]byte{p.bytes(id)}
	if p.Frag != "" {
		parts = p.fragments(parts[0], id)
	}
	for _, b := range parts {
		if err := o.inject(p, b); err != nil {
			return Fate{}, err
		}
	}
	return o.fate(p, id)
}

func (o *Oracle) inject(p *Packet, b []byte) error {
	if p.In == "local" {
		switch err := o.send(p, b); {
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH),
			errors.Is(err, unix.EACCES), errors.Is(err, unix.EINVAL):
		case err != nil:
			return fmt.Errorf("send: %w", err)
		}
		return nil
	}
	d := o.devices[p.In]
	if d == nil {
		return fmt.Errorf("no device %s", p.In)
	}
	if d.L2 {
		b = append(d.frame(p), b...)
	}
	if _, err := unix.Write(d.fd, b); err != nil {
		return fmt.Errorf("write to %s: %w", p.In, err)
	}
	return nil
}

func (o *Oracle) fate(p *Packet, id uint32) (Fate, error) {
	f := Fate{Fate: "drop"}
	answered := false
	seen := func(ip []byte) bool {
		n, proto, ok := number(ip)
		if !ok || proto != p.Proto || n != id || p.Frag == "first" && partOf(ip) == "last" || p.Frag == "last" && partOf(ip) == "first" {
			return false
		}
		if partOf(ip) == "last" {
			return true
		}
		_, th, _ := header(ip) // an echo reply has the number of its request
		return proto != protoICMP && proto != protoICMPv6 || th[0] == p.Type
	}
	err := o.events(func(e *event) {
		switch {
		case e.hook == 1 && seen(e.payload):
			f = Fate{Fate: "local", To: destination(e.payload)}
		case e.hook == 4 && seen(e.payload) && f.Fate != "local":
			f = Fate{Fate: "forward", Oif: e.oif, To: destination(e.payload)}
			if p.In == "local" {
				f.Fate = "output"
			}
		case answers(e.payload, p, id):
			answered = true
		}
	})
	if f.Oif == "lo" { // left for the host itself and did not arrive
		f = Fate{Fate: "drop"}
	}
	out := ""
	o.drain(func(dev string, ip []byte) {
		if answers(ip, p, id) {
			answered = true
		} else if seen(ip) {
			out = dev
		}
	})
	switch {
	case !o.Wire:
	case out == "" && f.Fate != "local":
		f = Fate{Fate: "drop"}
	case out != "" && f.Fate == "drop": // from port to port, past the IP hooks
		f = Fate{Fate: "forward", Oif: out}
	}
	if f.Fate == "drop" && answered {
		f.Fate = "reject"
	}
	return f, err
}

// header finds the transport header of an IP packet.
func header(ip []byte) (proto uint8, th []byte, ok bool) {
	switch {
	case len(ip) >= 20 && ip[0]>>4 == 4:
		n := int(ip[0]&15) * 4
		if len(ip) < n {
			return 0, nil, false
		}
		return ip[9], ip[n:], true
	case len(ip) >= 48 && ip[0]>>4 == 6 && ip[6] == protoFrag:
		return ip[40], ip[48:], true
	case len(ip) >= 40 && ip[0]>>4 == 6:
		return ip[6], ip[40:], true
	}
	return 0, nil, false
}

func number(ip []byte) (uint32, uint8, bool) {
	proto, th, ok := header(ip)
	at := idOffset(proto)
	if !ok || len(th) < at+4 {
		return 0, proto, false
	}
	return binary.BigEndian.Uint32(th[at:]), proto, true
}

func destination(ip []byte) string {
	proto, th, _ := header(ip)
	a, _ := netip.AddrFromSlice(ip[16:20])
	if ip[0]>>4 == 6 {
		a, _ = netip.AddrFromSlice(ip[24:40])
	}
	if (proto == protoTCP || proto == protoUDP || proto == protoSCTP || proto == protoDCCP || proto == protoUDPLite) && len(th) >= 4 && partOf(ip) != "last" {
		return netip.AddrPortFrom(a, binary.BigEndian.Uint16(th[2:])).String()
	}
	return a.String()
}

// answers says whether a packet is an ICMP error about the packet with that number, or a reset for
// it.
func answers(ip []byte, p *Packet, id uint32) bool {
	proto, th, ok := header(ip)
	if !ok || len(th) < 8 || partOf(ip) != "" {
		return false
	}
	switch {
	case proto == protoICMP && (th[0] == 3 || th[0] == 11 || th[0] == 12),
		proto == protoICMPv6 && th[0] < 128:
		n, inner, ok := number(th[8:])
		return ok && inner == p.Proto && n == id
	case proto == protoTCP && p.Proto == protoTCP && th[13]&4 != 0:
		seq, ack := binary.BigEndian.Uint32(th[4:]), binary.BigEndian.Uint32(th[8:])
		return th[13]&16 != 0 && ack-id <= 2 || seq == ackOf(id)
	}
	return false
}

// ackOf is the acknowledgement number that a packet carries: a reset for it repeats it.
func ackOf(id uint32) uint32 { return id ^ 0x5a5a5a5a }

func (d *Device) frame(p *Packet) []byte {
	f := make([]byte, 14)
	copy(f, d.dst)
	if p.Dst.IsMulticast() {
		b := p.Dst.AsSlice()
		if p.Dst.Is4() {
			copy(f, []byte{1, 0, 0x5e, b[1] & 0x7f, b[2], b[3]})
		} else {
			copy(f, []byte{0x33, 0x33, b[12], b[13], b[14], b[15]})
		}
	} else if p.Broadcast {
		copy(f, "\xff\xff\xff\xff\xff\xff")
	}
	if p.DMAC != nil {
		copy(f, p.DMAC)
	}
	copy(f[6:], []byte{2, 0, 0, 0, 0, 9})
	if p.SMAC != nil {
		copy(f[6:], p.SMAC)
	}
	binary.BigEndian.PutUint16(f[12:], map[bool]uint16{true: 0x0800, false: 0x86dd}[p.Dst.Is4()])
	return f
}

func (p *Packet) bytes(id uint32) []byte {
	th := p.transport(id)
	if p.Frag != "" {
		if n := -len(th) & 7; n > 0 {
			th = append(th, make([]byte, n)...)
		}
		th = append(th, LastData(id)...)
		if p.Proto == protoUDP {
			binary.BigEndian.PutUint16(th[4:], uint16(len(th)))
		}
	}
	src, dst := p.Src.AsSlice(), p.Dst.AsSlice()
	p.checksum(th, src, dst)
	if p.Src.Is4() {
		h := []byte{0x45, p.TOS, 0, 0, byte(id >> 8), byte(id) | 1, 0, 0, cmp.Or(p.TTL, 64), p.Proto, 0, 0}
		binary.BigEndian.PutUint16(h[2:], uint16(20+len(th)))
		h = append(append(h, src...), dst...)
		binary.BigEndian.PutUint16(h[10:], fold(sum(h, 0)))
		return append(h, th...)
	}
	hops := cmp.Or(p.TTL, 64)
	if p.Proto == protoICMPv6 {
		hops = 255
	}
	h := []byte{0x60 | p.TOS>>4, p.TOS << 4, 0, 0, 0, 0, p.Proto, hops}
	binary.BigEndian.PutUint16(h[4:], uint16(len(th)))
	return append(append(append(h, src...), dst...), th...)
}

func (p *Packet) transport(id uint32) []byte {
	ports := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, p.Sport), p.Dport)
	n := binary.BigEndian.AppendUint32(nil, id)
	switch p.Proto {
	case protoTCP:
		b := append(ports, n...)
		ack := uint32(0)
		if p.Flags&16 != 0 {
			ack = ackOf(id)
		}
		b = binary.BigEndian.AppendUint32(b, ack)
		return append(b, 0x50, p.Flags, 0xff, 0xff, 0, 0, 0, 0)
	case protoUDP, protoUDPLite:
		return append(append(ports, 0, 12, 0, 0), n...)
	case protoSCTP: // an INIT: no tag, one chunk
		b := append(ports, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 20)
		return append(append(b, n...), 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1)
	case protoDCCP: // a REQUEST, whose sequence number is of 24 bits: here the packet's number is in its reserved field
		return append(append(ports, n...), 0, 0, 0, 0)
	case protoICMP, protoICMPv6:
		return append([]byte{p.Type, p.Code, 0, 0}, n...)
	}
	return append([]byte{0, 0, 0, 0}, n...)
}

func (p *Packet) checksum(th, src, dst []byte) {
	pseudo := sum(dst, sum(src, uint32(p.Proto)+uint32(len(th))))
	switch p.Proto {
	case protoTCP:
		binary.BigEndian.PutUint16(th[16:], fold(sum(th, pseudo)))
	case protoUDP, protoUDPLite:
		binary.BigEndian.PutUint16(th[6:], fold(sum(th, pseudo)))
	case protoSCTP:
		binary.LittleEndian.PutUint32(th[8:], crc32.Checksum(th, crc32.MakeTable(crc32.Castagnoli)))
	case protoICMP:
		binary.BigEndian.PutUint16(th[2:], fold(sum(th, 0)))
	case protoICMPv6:
		binary.BigEndian.PutUint16(th[2:], fold(sum(th, pseudo)))
	}
}

func sum(b []byte, s uint32) uint32 {
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		s += uint32(b[len(b)-1]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}

func (o *Oracle) send(p *Packet, b []byte) error {
	fd := o.raw4
	if !p.Dst.Is4() {
		fd = o.raw6
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(p.Mark)); err != nil {
		return err
	}
	if p.Dst.Is4() {
		return unix.Sendto(fd, b, 0, &unix.SockaddrInet4{Addr: p.Dst.As4()})
	}
	return unix.Sendto(fd, b, 0, &unix.SockaddrInet6{Addr: p.Dst.As16()})
}

// LastData is what the last fragment carries: the packet's number, wherever it is looked for.
func LastData(id uint32) []byte {
	return bytes.Repeat(binary.BigEndian.AppendUint32(nil, id), 4)
}

// fragments cuts a datagram before its last 16 bytes.
func (p *Packet) fragments(b []byte, id uint32) [][]byte {
	head := 20
	if !p.Src.Is4() {
		head = 40
	}
	data := b[head:]
	cut := len(data) - 16
	var out [][]byte
	for _, part := range []struct {
		data []byte
		off  int
		more bool
	}{{data[:cut], 0, true}, {data[cut:], cut, false}} {
		h := append([]byte(nil), b[:head]...)
		if p.Src.Is4() {
			bits := uint16(part.off / 8)
			if part.more {
				bits |= 0x2000
			}
			binary.BigEndian.PutUint16(h[2:], uint16(head+len(part.data)))
			binary.BigEndian.PutUint16(h[4:], uint16(id))
			binary.BigEndian.PutUint16(h[6:], bits)
			h[10], h[11] = 0, 0
			binary.BigEndian.PutUint16(h[10:], fold(sum(h, 0)))
		} else {
			bits := uint16(part.off)
			if part.more {
				bits |= 1
			}
			h[6] = protoFrag
			binary.BigEndian.PutUint16(h[4:], uint16(8+len(part.data)))
			h = append(h, p.Proto, 0)
			h = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(h, bits), id)
		}
		out = append(out, append(h, part.data...))
	}
	return out
}

// partOf says which fragment an IP packet is: first, last, or "" for a whole one.
func partOf(ip []byte) string {
	var bits uint16
	switch {
	case len(ip) >= 20 && ip[0]>>4 == 4:
		bits = binary.BigEndian.Uint16(ip[6:]) & 0x3fff
		bits = bits<<3 | bits>>13
	case len(ip) >= 48 && ip[0]>>4 == 6 && ip[6] == protoFrag:
		bits = binary.BigEndian.Uint16(ip[42:])
	}
	switch {
	case bits>>3 != 0:
		return "last"
	case bits&1 != 0:
		return "first"
	}
	return ""
}
