//go:build linux

package model

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/e2e/oracle"
	"github.com/ringfence/ringfence/packet"
)

// fresh says whether no packet with these addresses and ports was sent before: conntrack would take
// it for a part of that connection.
func (b *bedOracle) fresh(p *oracle.Packet) bool {
	one := fmt.Sprint(p.Proto, p.Src, p.Sport, p.Dst, p.Dport)
	if p.Proto == 1 || p.Proto == 58 {
		return true // the identifier is the packet's number
	}
	if b.used[one] {
		return false
	}
	b.used[one], b.used[fmt.Sprint(p.Proto, p.Dst, p.Dport, p.Src, p.Sport)] = true, true
	return true
}

// again says whether a packet ends so too without the connections of earlier ones: the translation of one can have made an answer of it.
func (b *bedOracle) again(name string, p *oracle.Packet, f oracle.Fate) bool {
	if err := b.o.Forget(); err != nil {
		b.t.Fatal(err)
	}
	g := b.fate(name, p)
	return g.Fate == f.Fate && g.Oif == f.Oif
}

// question is a packet for the tracer; data is what a last fragment carries.
func question(p *oracle.Packet, data ...byte) *packet.Packet {
	flags := ""
	for i, c := range packet.FlagLetters {
		if p.Flags>>i&1 != 0 {
			flags += string(c)
		}
	}
	q := &packet.Packet{
		In: p.In, Src: p.Src, Dst: p.Dst, Proto: strconv.Itoa(int(p.Proto)), Sport: p.Sport, Dport: p.Dport,
		Type: &p.Type, Code: p.Code, Flags: &flags, Mark: p.Mark, Frag: p.Frag, TOS: new(p.TOS),
	}
	if p.Frag == "last" {
		q.Data = hex.EncodeToString(data)
	}
	if p.SMAC != nil {
		q.SMAC = p.SMAC.String()
	}
	if p.DMAC != nil {
		q.DMAC = p.DMAC.String()
	}
	return q
}

var (
	addrText = regexp.MustCompile(`\b(?:\d{1,3}\.){3}\d{1,3}\b|\b[0-9a-f]{2,4}::[0-9a-f]{0,4}\b`)
	portText = regexp.MustCompile(`(?:port|:)[ {]*(\d+)(?:-(\d+))?`)
)

// packets makes questions out of the bed's own addresses and what the ruleset mentions, each with its
// neighbours.
func packets(r *rand.Rand, n int, rules string) []*oracle.Packet {
	v4 := []string{
		"10.10.0.1", "10.10.0.9", "203.0.113.1", "203.0.113.2", "203.0.113.9", "172.17.0.1", "172.17.0.2", "172.17.0.3", "10.99.0.9", "8.8.8.8",
		"192.168.1.1", "192.168.7.7", "127.0.0.1", "198.18.0.1", "198.18.1.1", "198.18.2.1", "198.18.3.1", "192.0.2.5",
	}
	v6 := []string{"fd10::1", "fd10::9", "fd20::1", "fd20::9", "fd17::1", "fd17::2", "fd99::9", "2001:db8::5", "fd66::1", "fd67::1"}
	for _, a := range addrText.FindAllString(rules, -1) {
		addr, err := netip.ParseAddr(a)
		if err != nil || addr.IsMulticast() {
			continue
		}
		list := &v4
		if addr.Is6() {
			list = &v6
		}
		for _, x := range []netip.Addr{addr, addr.Next(), addr.Prev()} {
			if x.IsValid() && !x.IsMulticast() {
				*list = append(*list, x.String())
			}
		}
	}
	ports := []int{22, 80, 443, 8080, 53, 161, 1, 65535, 8443, 9000, 9001}
	for _, m := range portText.FindAllStringSubmatch(rules, -1) {
		for _, s := range m[1:] {
			if k, err := strconv.Atoi(s); err == nil && k > 1 && k < 65535 {
				ports = append(ports, k, k, k, k-1, k+1)
			}
		}
	}
	var out []*oracle.Packet
	for len(out) < n {
		p := onePacket(r, v4, v6, ports)
		if odds := map[bool]int{true: 2, false: 8}[strings.Contains(rules, "dscp")]; r.IntN(odds) == 0 && p.In != "local" { // a raw socket routes as of its own
			p.TOS = uint8(pick(r, 0x20, 0x08, 0x10, 0xb8, 2, 0x28, 0xff))
		}
		if odds := map[bool]int{true: 3, false: 30}[strings.Contains(rules, "fib") || strings.Contains(rules, "pkttype")]; r.IntN(odds) == 0 {
			toMany(r, p)
		}
		if odds := map[bool]int{true: 2, false: 10}[strings.Contains(rules, "frag")]; r.IntN(odds) == 0 && fragmented(p) {
			p.Frag = pick(r, "first", "last")
		}
		out = append(out, p)
	}
	return out
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// homes is where the sources of an interface usually are.
var homes = map[string][]string{
	"mgmt0": {"10.10.0.9", "192.168.1.7", "fd10::9"}, "ext0": {"203.0.113.9", "8.8.4.4", "192.0.2.5", "fd20::9", "2001:db8::7"},
	"vw1": {"172.17.0.2", "172.17.5.5", "fd17::2"}, "vw2": {"172.17.0.3", "fd17::3"}, "tun1": {"10.99.0.9", "192.168.7.9", "8.8.8.8", "fd99::9"},
	"local": {"10.10.0.1", "203.0.113.1", "127.0.0.1", "172.17.0.1", "fd20::1", "fd10::1"},
}

// broadcasts are the broadcast addresses on each link, and groups that the host has joined there (joins) or not. A
// bridge also floods them to its other ports, which is a second fate beside the first.
var broadcasts = map[string][]string{
	"mgmt0": {"10.10.0.255", "255.255.255.255", "224.0.0.1", "224.0.0.251", "239.1.2.3", "ff02::1", "ff02::fb", "ff05::1:3", "0.0.0.0"},
	"ext0":  {"203.0.113.255", "255.255.255.255", "224.0.0.1", "224.0.0.251", "239.1.2.3", "ff02::fb", "ff01::1", "ff02::1:ff00:1"},
	"tun1":  {"10.99.0.255", "224.0.0.1", "239.1.2.3", "ff02::2"},
}

// joins are the groups that the sockets of the host join, by interface.
var joins = map[string][]string{"mgmt0": {"224.0.0.251", "ff05::1:3"}, "ext0": {"239.1.2.3", "ff02::fb"}}

func onePacket(r *rand.Rand, v4, v6 []string, ports []int) *oracle.Packet {
	p := &oracle.Packet{
		In: pick(r, "mgmt0", "ext0", "ext0", "vw1", "vw2", "tun1", "local"), Sport: uint16(1024 + r.IntN(64000)), Dport: uint16(pick(r, ports...)),
		Flags: 2,
	}
	if r.IntN(6) == 0 {
		p.Sport = uint16(pick(r, ports...))
	}
	p.Src = netip.MustParseAddr(pick(r, homes[p.In]...))
	list := v4
	if p.Src.Is6() {
		list = v6
	}
	if r.IntN(60) == 0 && p.Src.Is6() && p.In != "local" {
		p.Src = netip.MustParseAddr(pick(r, "::ffff:127.0.0.1", "::ffff:203.0.113.1", "::ffff:8.8.8.8"))
	}
	if r.IntN(4) == 0 && p.In != "local" {
		p.Src = netip.MustParseAddr(pick(r, list...))
	}
	p.Dst = netip.MustParseAddr(pick(r, list...))
	p.Proto = pick(r, uint8(6), 6, 6, 17, 17, 1)
	switch {
	case p.Proto == 1:
		p.Type = pick(r, uint8(8), 8, 8, 0, 3, 13, 17, 11)
		if p.Src.Is6() {
			p.Proto, p.Type = 58, pick(r, uint8(128), 128, 129, 1, 3, 135, 136, 139)
		}
		p.Sport, p.Dport = 0, 0
	case p.Proto == 6 && r.IntN(6) == 0:
		p.Flags = uint8(r.IntN(64))
	case p.Proto == 17 && r.IntN(12) == 0 && p.In == "ext0" && p.Src.Is4():
		// Without ports only the addresses tell connections apart.
		p.Proto, p.Src = pick(r, uint8(47), 50, 99, 2, 4, 51, 112, 33), netip.AddrFrom4([4]byte{100, 64, byte(r.IntN(256)), byte(1 + r.IntN(254))})
		p.Sport, p.Dport = 0, 0
	case p.Proto == 17 && r.IntN(8) == 0 && p.In != "local":
		p.Proto = pick(r, uint8(132), 136)
	}
	if p.In == "ext0" || strings.HasPrefix(p.In, "vw") {
		p.SMAC = net.HardwareAddr{2, 0, 0, 0, 0, byte(7 + r.IntN(3))}
	}
	if p.In == "local" && r.IntN(6) == 0 {
		p.Mark = 0x77
	}
	return p
}

// toMany turns a packet into one for all of a link, or for a group, also of a sender without an address.
func toMany(r *rand.Rand, p *oracle.Packet) {
	if len(broadcasts[p.In]) == 0 || p.Proto != 6 && p.Proto != 17 && p.Proto != 1 && p.Proto != 58 {
		return
	}
	p.Dst, p.Broadcast = netip.MustParseAddr(pick(r, broadcasts[p.In]...)), true
	switch nobody := r.IntN(4) == 0; {
	case p.Dst.Is4() && (p.Src.Is6() || nobody):
		p.Src = netip.IPv4Unspecified()
	case p.Dst.Is6() && (p.Src.Is4() || nobody):
		p.Src = netip.IPv6Unspecified()
	}
	switch {
	case p.Dst.Is4() && p.Proto == 58:
		p.Proto, p.Type = 1, 8
	case p.Dst.Is6() && p.Proto == 1:
		p.Proto, p.Type = 58, 128
	}
}

// fragmented says whether a packet can be asked about in fragments.
func fragmented(p *oracle.Packet) bool {
	echo := p.Proto == 1 && p.Type == 8 || p.Proto == 58 && p.Type == 128
	return !p.Broadcast && p.In != "local" && (echo || p.Proto == 6 || p.Proto == 17)
}
