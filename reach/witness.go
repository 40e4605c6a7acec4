package reach

import (
	"net"
	"net/netip"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// witness picks a packet of the cube that a person recognises: a neighbour's address that is no
// network's own, the host's address on that interface, an ephemeral source port.
func (c *cube) witness(in *snapshot.Link, proto string) *packet.Packet {
	if proto == "icmp" && !c.v4 {
		proto = "icmpv6"
	}
	p := &packet.Packet{In: "local", Proto: proto, Sport: 40000}
	dst, dport := c.original(fDaddr), c.original(fDport)
	saddr, sport := c.original(fSaddr), c.original(fSport)
	src := hostPart(saddr)
	to := pickAddr(dst, c.v4)
	if in != nil {
		p.In = in.Name
		for _, a := range linkAddrs(in, c.v4) {
			if a.Addr().IsLinkLocalUnicast() {
				continue
			}
			if near := saddr.intersect(prefixSet(a)).subtract(single(addrNumber(a.Addr()))); !near.empty() {
				src = hostPart(near.subtract(single(addrNumber(a.Masked().Addr()))))
				if src == (u128{}) {
					src = near[0].lo
				}
			}
			if dst.contains(addrNumber(a.Addr())) {
				to = a.Addr()
			}
			break
		}
	}
	if in == nil && saddr.contains(addrNumber(to)) {
		src = addrNumber(to) // as the kernel chooses for what the host sends to itself
	}
	p.Src, p.Dst = src.addr(c.v4), to
	if !sport.contains(num(40000)) {
		p.Sport = uint16(sport[0].lo.lo)
	}
	if mac := c.sets[fSmac]; len(mac) > 0 && mac[0].hi != ones(48) || len(mac) > 1 {
		p.SMAC = net.HardwareAddr(hostPart(mac).bytesOf(6)).String()
	}
	p.Dport, p.TOS = uint16(dport[0].lo.lo), c.sentService()
	if dport.contains(num(443)) && !dport.singleton() {
		p.Dport = 443
	}
	p.Flags = c.flags()
	return p
}

// flags are those of a connection attempt that has to have others than SYN.
func (c *cube) flags() *string {
	s := c.sets[fTCPFlags]
	if proto := c.sets[fProto]; !proto.singleton() || proto[0].lo != num(packet.TCP) || s.empty() || s[0].lo == synFlags[0].lo || !synFlags.contains(s[0].lo) {
		return nil
	}
	letters := ""
	for i, l := range packet.FlagLetters {
		if s[0].lo.lo>>i&1 != 0 {
			letters += string(l)
		}
	}
	return &letters
}

// hostPart is the first number whose last byte is neither 0 nor 1, where there is one: those are
// mostly networks and routers.
func hostPart(s set) u128 {
	for _, i := range s {
		n := i.lo
		for range 3 {
			if n.lo&0xff > 1 {
				return n
			}
			if n == i.hi {
				break
			}
			n = n.next()
		}
	}
	if s.empty() {
		return u128{}
	}
	return s[0].lo
}

// witness names the interface as the question does, or the port of a bridge where that matters.
func (e *engine) witness(c *cube, in *snapshot.Link, proto string) *packet.Packet {
	p := c.witness(in, proto)
	if c.beside != nil {
		p.DMAC, p.Out = "02:00:00:00:00:fe", c.beside.Name // an address that nobody here has
		for _, a := range linkAddrs(in, c.v4) {
			if c.sets[fDaddr].singleton() {
				break
			}
			near := c.sets[fDaddr].intersect(prefixSet(a)).subtract(single(addrNumber(a.Masked().Addr())))
			near = near.subtract(single(addrNumber(p.Src)))
			if !near.empty() {
				p.Dst = hostPart(near).addr(c.v4)
				break
			}
		}
	}
	if in == nil {
		p.By = e.by
	}
	if len(e.toPorts) == 1 && c.beside == nil && c.sets[fOif].singleton() { // routed out by the bridge
		out := e.snap.Network.Link(e.toPorts[0])
		if b := e.snap.Network.BridgeOf(out); b != nil && c.sets[fOif].contains(num(uint64(b.Index))) {
			p.Out = out.Name
		}
	}
	switch {
	case c.port != nil:
		p.In = c.port.Name
	case in != nil:
		p.In = e.entry(in)
	}
	return p
}

// special is addresses that make an odd witness: loopback, link-local, multicast and broadcast.
var special = map[bool]set{
	true:  prefixSets("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "0.0.0.0/8"),
	false: prefixSets("fe80::/10", "::/127", "ff00::/8"),
}

func prefixSets(prefixes ...string) (s set) {
	for _, p := range prefixes {
		s = append(s, prefixSet(netip.MustParsePrefix(p))...)
	}
	return s.normal()
}

// pickAddr prefers an address that is not special.
func pickAddr(s set, v4 bool) netip.Addr {
	aside := special[v4]
	if rest := s.subtract(aside); !rest.empty() {
		s = rest
	}
	if len(s) > 0 && s[0].lo == (u128{lo: 0x7f000000}) && v4 {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return hostPart(s).addr(v4)
}
