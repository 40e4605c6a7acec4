package trace

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// ctStates are the states of a question as bits of ct state; none is what the packet would be.
var ctStates = map[packet.State]uint32{
	"": 0, packet.New: ruleset.CtNew, packet.Established: ruleset.CtEstablished, packet.Related: ruleset.CtRelated,
	packet.Invalid: ruleset.CtInvalid, packet.Untracked: ruleset.CtUntracked,
}

func (t *Tracer) check(p *packet.Packet) error {
	if err := p.Check(); err != nil {
		return err
	}
	if p.In != "local" && t.names[p.In] == nil {
		return fmt.Errorf("interface %q does not exist", p.In)
	}
	return nil
}

// skb is the packet on its way: its bytes and what the kernel knows beside them. Bits of unk are
// not given by the question: length, identification, time to live, checksums and the like.
type skb struct {
	v4      bool
	proto   uint8
	thoff   int
	link    []byte // Ethernet header; nil where the interface has none
	linkUnk []byte
	nh      []byte // network and transport header
	unk     []byte
	pkttype uint8
	mark    word
	// priority is the packet's queueing class (skb->priority).
	priority word
	// classed: that is by the type of service, which is open.
	classed bool
	ct      *conn
	untrack bool // conntrack was told to stay out, or stays out by itself
	seen    bool // by conntrack
	tos     bool // a rule changed the type of service
	// altered: something was written over the addresses, ports or bytes of the packet since it came.
	altered bool
	// readdressed: a rule wrote over the destination or its port.
	readdressed bool
	given       packet.State // conntrack state that the question gives
	taker       *socket      // that tproxy gave the packet to
	fragment                 // whole, or which part of a datagram
	// data is what a later fragment carries, and which bits of it are open; the transport header in nh is
	// that of its datagram.
	data, dataUnk []byte
}

// word is a number with the bits of it that are not known.
type word struct{ v, unk uint32 }

// build writes the headers.
func (s *skb) build(p *packet.Packet, in *link) {
	proto, _ := p.Protocol()
	src, dst := p.Src.WithZone(""), p.Dst.WithZone("")
	*s = skb{
		v4: src.Is4(), proto: proto, mark: word{v: p.Mark}, given: p.Ct, nh: s.nh[:0], unk: s.unk[:0],
		fragment: fragmentOf(p.Frag),
	}
	if s.v4 {
		s.thoff = 20
		s.nh = append(s.nh, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, proto, 0, 0)
		s.unk = append(s.unk, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x40, 0, 0xff, 0, 0xff, 0xff)
		a, b := src.As4(), dst.As4()
		s.nh = append(append(s.nh, a[:]...), b[:]...)
		s.unk = append(s.unk, 0, 0, 0, 0, 0, 0, 0, 0)
	} else {
		s.thoff = 40
		s.nh = append(s.nh, 0x60, 0, 0, 0, 0, 0, proto, 64)
		hops := byte(0xff)
		if proto == packet.ICMPv6 && p.ICMPType() >= 133 && p.ICMPType() <= 137 {
			s.nh[7], hops = 255, 0
		}
		s.unk = append(s.unk, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0, hops)
		a, b := src.As16(), dst.As16()
		s.nh = append(append(s.nh, a[:]...), b[:]...)
		s.unk = append(s.unk, zeros[:32]...)
	}
	if at, _ := s.fieldAt('t'); p.TTL != 0 {
		s.nh[at], s.unk[at] = p.TTL, 0
	}
	if p.TOS != nil {
		s.setService(*p.TOS)
		s.unk[0], s.unk[1] = 0, map[bool]byte{true: 0, false: 0x0f}[s.v4]
	}
	s.transport(p)
	s.splitOff(p)
	s.linkHeader(p, in, dst)
}

// Bytes to take from.
var (
	zeros [40]byte
	ones  = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

// transport writes the header after that of IP.
func (s *skb) transport(p *packet.Packet) {
	switch s.proto {
	case packet.TCP, packet.UDP, packet.UDPLite, packet.SCTP, packet.DCCP:
		s.nh = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(s.nh, p.Sport), p.Dport)
		s.unk = append(s.unk, 0, 0, 0, 0)
	}
	switch s.proto {
	case packet.TCP:
		flags, _ := p.FlagBits()
		s.nh = append(s.nh, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0)
		s.unk = append(append(s.unk, ones[:]...), 0xf0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	case packet.UDP, packet.UDPLite:
		s.nh, s.unk = append(s.nh, zeros[:4]...), append(s.unk, ones[:4]...)
	case packet.SCTP, packet.DCCP:
		s.nh, s.unk = append(s.nh, zeros[:8]...), append(s.unk, ones[:]...)
	case packet.ICMP, packet.ICMPv6:
		s.nh = append(s.nh, p.ICMPType(), p.Code, 0, 0, 0, 0, 0, 0)
		s.unk = append(append(s.unk, 0, 0), ones[:6]...)
	default:
		s.nh, s.unk = append(s.nh, zeros[:8]...), append(s.unk, ones[:]...)
	}
}

// The packet types of a link (include/uapi/linux/if_packet.h).
const (
	pktHost      = 0
	pktBroadcast = 1
	pktMulticast = 2
)

func (s *skb) linkHeader(p *packet.Packet, in *link, dst netip.Addr) {
	if in == nil || !in.ether {
		return
	}
	h := make([]byte, 14)
	unk := make([]byte, 14)
	copy(h, in.mac)
	switch {
	case in.Loopback:
	case isMulticast(dst):
		s.pkttype = pktMulticast
		multicastMAC(h, dst)
	case in.broadcast(dst):
		s.pkttype = pktBroadcast
		copy(h, "\xff\xff\xff\xff\xff\xff")
	}
	if mac := packet.ParseMAC(p.DMAC); mac != nil {
		copy(h, mac)
	}
	if mac := packet.ParseMAC(p.SMAC); mac != nil {
		copy(h[6:], mac)
	} else if !in.Loopback {
		copy(unk[6:12], "\xff\xff\xff\xff\xff\xff")
	}
	binary.BigEndian.PutUint16(h[12:], s.etherType())
	s.link, s.linkUnk = h, unk
}

// sendHeader gives the packet the link layer header with which it leaves by an interface.
func (s *skb) sendHeader(out *link) {
	s.link, s.linkUnk = nil, nil
	if !out.ether {
		return
	}
	s.link, s.linkUnk = make([]byte, 14), make([]byte, 14)
	copy(s.link[6:], out.mac)
	copy(s.linkUnk, "\xff\xff\xff\xff\xff\xff") // the neighbour's address
	binary.BigEndian.PutUint16(s.link[12:], s.etherType())
}

func (s *skb) etherType() uint16 {
	if s.v4 {
		return 0x0800
	}
	return 0x86dd
}

// multicastMAC is the group address of RFC 1112 and RFC 2464.
func multicastMAC(h []byte, dst netip.Addr) {
	b := dst.AsSlice()
	if dst.Is4() {
		copy(h, []byte{1, 0, 0x5e, b[1] & 0x7f, b[2], b[3]})
		return
	}
	copy(h, []byte{0x33, 0x33, b[12], b[13], b[14], b[15]})
}

// broadcast says whether dst is a broadcast address on the link, or for a port on its bridge.
func (l *link) broadcast(dst netip.Addr) bool {
	if l.bridge != nil {
		l = l.bridge
	}
	if !dst.Is4() {
		return false
	}
	if dst == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return true
	}
	for _, p := range l.nets {
		if p.Addr().Is4() && p.Bits() < 31 && p.Contains(dst) {
			a, m := dst.As4(), p.Masked().Addr().As4()
			host := ^uint32(0) >> p.Bits()
			if binary.BigEndian.Uint32(a[:]) == binary.BigEndian.Uint32(m[:])|host {
				return true
			}
		}
	}
	return false
}

func (s *skb) src() netip.Addr { return s.addr(12, 8) }
func (s *skb) dst() netip.Addr { return s.addr(16, 24) }

func (s *skb) addr(at4, at6 int) netip.Addr {
	if s.v4 {
		return netip.AddrFrom4([4]byte(s.nh[at4 : at4+4]))
	}
	return netip.AddrFrom16([16]byte(s.nh[at6 : at6+16]))
}

func (s *skb) setSrc(a netip.Addr) { s.setAddr(12, 8, a) }
func (s *skb) setDst(a netip.Addr) { s.setAddr(16, 24, a) }

func (s *skb) setAddr(at4, at6 int, a netip.Addr) {
	if a.Is4() != s.v4 {
		return
	}
	s.altered = true
	if s.v4 {
		b := a.As4()
		copy(s.nh[at4:], b[:])
		clear(s.unk[at4 : at4+4])
		return
	}
	b := a.As16()
	copy(s.nh[at6:], b[:])
	clear(s.unk[at6 : at6+16])
}

// hasPorts says whether the transport has ports that a translation can change.
func (s *skb) hasPorts() bool {
	switch s.proto {
	case packet.TCP, packet.UDP, packet.UDPLite, packet.SCTP, packet.DCCP:
		return true
	}
	return false
}

func (s *skb) port(at int) uint16 {
	if !s.hasPorts() {
		return 0
	}
	return binary.BigEndian.Uint16(s.nh[s.thoff+at:])
}

func (s *skb) setPort(at int, n uint16) {
	if s.altered = true; s.hasPorts() {
		binary.BigEndian.PutUint16(s.nh[s.thoff+at:], n)
		clear(s.unk[s.thoff+at : s.thoff+at+2])
	}
}
