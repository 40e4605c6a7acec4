package ruleset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kind says how the values of an operand are written.
type kind uint8

const (
	kRaw     kind = iota // a number in network order, as hexadecimal
	kNumber              // a number in network order
	kHost                // a number in host order
	kMark                // a number in host order, as hexadecimal
	kIfname              // a name, with * where its end is open
	kString              // a name
	kAddr                // an IPv4 or IPv6 address
	kProto               // a protocol by name
	kNfproto             // a family
	kMAC
	kEther // an EtherType
	kHardware
	kState
	kStatus
	kFlags // of TCP
	kDirection
	kRouteType
	kClass // MAJOR:MINOR
	kMillis
	kHour
	kDay
	kPkttype
	kBool
	kFragOff // of IPv6, above three other bits
)

// kinds are those of nft's datatypes (enum datatypes, nftables include/datatype.h).
var kinds = map[uint32]kind{
	2: kNfproto, 4: kHost, 7: kAddr, 8: kAddr, 9: kMAC, 10: kEther, 12: kProto, 13: kNumber, 14: kNumber, 15: kFlags, 18: kMillis, 19: kMark,
	20: kHost, 21: kHardware, 22: kHost, 23: kClass, 24: kHost, 25: kHost, 26: kState, 27: kDirection, 28: kStatus, 29: kNumber, 31: kPkttype,
	32: kNumber, 33: kNumber, 34: kNumber, 35: kHost, 36: kNumber, 37: kNumber, 38: kRouteType, 39: kBool, 41: kIfname,
}

// sizes are the bytes of nft's datatypes that stand in concatenations.
var sizes = map[uint32]int{7: 4, 8: 16, 9: 6, 10: 2, 12: 1, 13: 2, 14: 1, 19: 4, 20: 4, 41: 16, 29: 1, 24: 4, 25: 4, 26: 4, 38: 4}

// ofType is the operands of a datatype: several of a concatenation, six bits each.
func ofType(typ uint32, n int) []operand {
	var out []operand
	for shift := 24; shift >= 0; shift -= 6 {
		t := typ >> shift & 0x3f
		if t == 0 {
			continue
		}
		size := sizes[t]
		if typ < 64 {
			size = n
		}
		if size == 0 {
			return []operand{{n: n}}
		}
		out = append(out, operand{kind: kinds[t], n: size})
	}
	if len(out) == 0 {
		return []operand{{n: n}}
	}
	return out
}

// swapped is the operand after a change of its byte order.
func (o operand) swapped() operand {
	switch o.kind {
	case kHost, kMark:
		o.kind = kNumber
	case kNumber, kRaw:
		o.kind = kHost
	case kMillis, kHour, kDay, kClass, kState, kStatus:
		o.bits = -1 // in network order from here on
	}
	return o
}

// host is a number in host order, or in network order where the operand was swapped.
func (o operand) host(d []byte) uint64 {
	d = slices.Clone(d)
	if o.bits >= 0 && binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		slices.Reverse(d)
	}
	var n uint64
	for _, b := range d[max(0, len(d)-8):] {
		n = n<<8 | uint64(b)
	}
	return n
}

// number prints data as a number, for masks.
func (o operand) number(d []byte) string {
	switch o.kind {
	case kState:
		return namesOf(uint32(o.host(d)), stateNames)
	case kStatus:
		return namesOf(uint32(o.host(d)), statusNames)
	case kHost, kMark, kClass, kMillis:
		return fmt.Sprintf("0x%x", o.host(d))
	}
	return fmt.Sprintf("0x%x", d)
}

// value prints data the way nft writes the values of the operand.
func (o operand) value(d []byte) string {
	switch o.kind {
	case kNumber:
		return fmt.Sprint(operand{bits: -1}.host(d))
	case kFragOff:
		return fmt.Sprint(operand{bits: -1}.host(d) >> 3)
	case kHost:
		if (o.text == "iif" || o.text == "oif" || strings.HasSuffix(o.text, " oif")) && len(d) == 4 && o.host(d) == 1 {
			return `"lo"`
		}
		return fmt.Sprint(o.host(d))
	case kMark:
		return fmt.Sprintf("0x%x", o.host(d))
	case kIfname, kString:
		n := text(d)
		if o.kind == kIfname && len(d) < NameSize && bytes.IndexByte(d, 0) < 0 { // iptables-nft compares the byte that ends the name too
			n += "*"
		}
		return strconv.Quote(n)
	case kAddr:
		return addrText(d)
	case kProto:
		if s, ok := protoNames[u32(d)]; ok && len(d) == 1 {
			return s
		}
		return fmt.Sprint(operand{bits: -1}.host(d))
	case kMAC:
		if len(d) == 6 {
			return net.HardwareAddr(d).String()
		}
	case kClass:
		if len(d) == 4 {
			return fmt.Sprintf("%x:%x", o.host(d)>>16, o.host(d)&0xffff)
		}
	case kMillis:
		return (time.Duration(o.host(d)) * time.Millisecond).String()
	case kHour:
		s := o.host(d)
		return fmt.Sprintf("%q", fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60))
	}
	if s := o.named(d); s != "" {
		return s
	}
	return fmt.Sprintf("0x%x", d)
}

// named prints the values that have names.
func (o operand) named(d []byte) string {
	pick := func(list ...string) string {
		if n := o.host(d); n < uint64(len(list)) {
			return list[n]
		}
		return ""
	}
	switch o.kind {
	case kNfproto:
		if len(d) == 1 {
			return map[byte]string{2: "ipv4", 10: "ipv6"}[d[0]]
		}
	case kEther:
		if len(d) == 2 {
			return map[uint16]string{0x0800: "ip", 0x86dd: "ip6", 0x0806: "arp", 0x8100: "vlan"}[binary.BigEndian.Uint16(d)]
		}
	case kHardware:
		if o.host(d) == 1 {
			return "ether"
		}
		return fmt.Sprint(o.host(d))
	case kState:
		return namesOf(uint32(o.host(d)), stateNames)
	case kStatus:
		return namesOf(uint32(o.host(d)), statusNames)
	case kFlags:
		if len(d) == 1 {
			return tcpFlags(d[0])
		}
	case kDirection:
		return pick("original", "reply")
	case kRouteType:
		return pick(routeTypes...)
	case kDay:
		return pick(`"Sunday"`, `"Monday"`, `"Tuesday"`, `"Wednesday"`, `"Thursday"`, `"Friday"`, `"Saturday"`)
	case kPkttype:
		return pick("host", "broadcast", "multicast", "other")
	case kBool:
		return pick("missing", "exists")
	}
	return ""
}

// addrText prints an address; one that is cut short is a prefix.
func addrText(d []byte) string {
	full := d
	if len(d) < 4 {
		full = append(append([]byte{}, d...), make([]byte, 4-len(d))...)
	} else if len(d) > 4 && len(d) < 16 {
		full = append(append([]byte{}, d...), make([]byte, 16-len(d))...)
	}
	a, ok := netip.AddrFromSlice(full)
	switch {
	case !ok:
		return fmt.Sprintf("0x%x", d)
	case len(full) != len(d):
		return fmt.Sprintf("%s/%d", a, len(d)*8)
	}
	return a.String()
}

type bitName struct {
	bit  uint32
	name string
}

// The bit fields of conntrack.
var (
	stateNames = []bitName{
		{CtInvalid, "invalid"},
		{CtEstablished, "established"},
		{CtRelated, "related"},
		{CtNew, "new"},
		{CtUntracked, "untracked"},
	}
	statusNames = []bitName{
		{1, "expected"},
		{2, "seen-reply"},
		{4, "assured"},
		{8, "confirmed"},
		{16, "snat"},
		{32, "dnat"},
		{512, "dying"},
	}
)

// namesOf names the bits of a mask, or prints it where one of them has no name.
func namesOf(bits uint32, table []bitName) string {
	var names []string
	left := bits
	for _, s := range table {
		if bits&s.bit != 0 {
			names = append(names, s.name)
			left &^= s.bit
		}
	}
	if left != 0 || len(names) == 0 {
		return fmt.Sprintf("0x%x", bits)
	}
	return strings.Join(names, ",")
}

// routeTypes are the RTN_* that nft knows, by number.
var routeTypes = []string{
	"unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw",
}

func tcpFlags(b byte) string {
	var names []string
	for i, n := range []string{"fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"} {
		if b>>i&1 != 0 {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return "0x0"
	}
	return strings.Join(names, "|")
}

var protoNames = map[uint32]string{
	1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 50: "esp", 51: "ah", 58: "ipv6-icmp", 132: "sctp",
	136: "udplite",
}
