//go:build linux && !ringfence_portable

package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// The messages and attributes of nexthop objects (RTM_GETNEXTHOP, NHA_*, include/uapi/linux/nexthop.h), and the attribute of a route that
// names one (RTA_NH_ID).
const (
	getNexthop   = 106
	nhaID        = 1
	nhaGroup     = 2
	nhaBlackhole = 4
	nhaOif       = 5
	nhaGateway   = 6
	rtaNexthop   = 30
	rtaMultipath = 9
	rtaEncapType = 21
)

// encapTypes are the names of LWTUNNEL_ENCAP_* as ip-route(8) has them, by number (include/uapi/linux/lwtunnel.h).
var encapTypes = []string{"", "mpls", "ip", "ila", "ip6", "seg6", "bpf", "seg6local", "rpl", "ioam6", "xfrm"}

// The sizes of struct nhmsg, nexthop_grp and rtmsg.
const (
	nexthopHeader = 8
	nexthopMember = 8
	routeHeader   = 12
)

// Nexthop is a nexthop object: an interface, or a group of others.
type Nexthop struct {
	ID, Oif   int
	Gateway   netip.Addr
	Blackhole bool
	Group     []int
	Flags     int // RTNH_F_*
}

// ListNexthops asks for all nexthop objects.
func ListNexthops() netlink.Message {
	return netlink.Message{Header: netlink.Header{Type: getNexthop, Flags: netlink.Request | netlink.Dump}, Data: make([]byte, nexthopHeader)}
}

// ParseNexthop reads a struct nhmsg and its attributes.
func ParseNexthop(b []byte) (Nexthop, error) {
	var n Nexthop
	if len(b) < nexthopHeader {
		return n, fmt.Errorf("nexthop: %w", ErrTruncated)
	}
	n.Flags = int(binary.NativeEndian.Uint32(b[4:]))
	err := fields(b[nexthopHeader:], sizes{nhaID: 4, nhaOif: 4, nhaGateway: 4, nhaBlackhole: 0, nhaGroup: nexthopMember}, func(kind uint16, d []byte) (err error) {
		switch kind {
		case nhaID:
			n.ID = int(binary.NativeEndian.Uint32(d))
		case nhaOif:
			n.Oif = int(binary.NativeEndian.Uint32(d))
		case nhaGateway:
			n.Gateway, err = address(d)
		case nhaBlackhole:
			n.Blackhole = true
		case nhaGroup:
			for ; len(d) >= nexthopMember; d = d[nexthopMember:] {
				n.Group = append(n.Group, int(binary.NativeEndian.Uint32(d)))
			}
		}
		return err
	})
	if err != nil {
		return n, fmt.Errorf("nexthop: %w", err)
	}
	return n, nil
}

// RouteNexthop is which nexthop object a route has; 0 is none, and what is done with packets that take it, as ip-route(8) calls it.
type RouteNexthop struct {
	Family, Table, Tos, Metric, Nexthop int
	Dst                                 netip.Prefix
	Encap                               string
	// Realm is that of each of several hops; Realms says that they differ. That of a route with one hop is not read here.
	Realm  uint32
	Realms bool
}

// Key is what tells the route from others.
func (r RouteNexthop) Key() RouteNexthop {
	return RouteNexthop{Family: r.Family, Table: r.Table, Tos: r.Tos, Metric: r.Metric, Dst: r.Dst}
}

func encapName(d []byte) string {
	n := int(binary.NativeEndian.Uint16(d))
	if n < len(encapTypes) {
		return encapTypes[n]
	}
	return fmt.Sprintf("type %d", n)
}

// hops reads what is said of several hops: a list of struct rtnexthop, each with attributes. What is done with packets is told if it is on one of them.
func (r *RouteNexthop) hops(d []byte) error {
	const header = 8 // rtnh_len, flags, hops, ifindex
	for first := true; len(d) >= header; first = false {
		n := int(binary.NativeEndian.Uint16(d))
		if n < header || n > len(d) {
			return ErrTruncated
		}
		realm := uint32(0)
		err := fields(d[header:n], sizes{rtaEncapType: 2, unix.RTA_FLOW: 4}, func(kind uint16, a []byte) error {
			switch kind {
			case rtaEncapType:
				r.Encap = encapName(a)
			case unix.RTA_FLOW:
				realm = binary.NativeEndian.Uint32(a)
			}
			return nil
		})
		if err != nil {
			return err
		}
		r.Realms = r.Realms || !first && realm != r.Realm
		r.Realm = realm
		d = d[min((n+3)&^3, len(d)):]
	}
	return nil
}

// ListRoutes asks for the routes of a family (AF_INET or AF_INET6).
func ListRoutes(family uint8) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request | netlink.Dump},
		Data:   append([]byte{family}, make([]byte, routeHeader-1)...),
	}
}

// ParseRouteNexthop reads what tells a route from others, and its nexthop object, out of a struct rtmsg and its attributes.
func ParseRouteNexthop(b []byte) (RouteNexthop, error) {
	var r RouteNexthop
	if len(b) < routeHeader {
		return r, fmt.Errorf("route: %w", ErrTruncated)
	}
	r.Family, r.Tos, r.Table = 4, int(b[3]), int(b[4])
	to := netip.IPv4Unspecified()
	if b[0] == unix.AF_INET6 {
		r.Family, to = 6, netip.IPv6Unspecified()
	}
	bits := int(b[1])
	err := fields(b[routeHeader:], sizes{unix.RTA_DST: 4, unix.RTA_TABLE: 4, unix.RTA_PRIORITY: 4, rtaNexthop: 4, rtaEncapType: 2, rtaMultipath: 0}, func(kind uint16, d []byte) (err error) {
		switch kind {
		case unix.RTA_DST:
			to, err = address(d)
		case unix.RTA_TABLE:
			r.Table = int(binary.NativeEndian.Uint32(d))
		case unix.RTA_PRIORITY:
			r.Metric = int(binary.NativeEndian.Uint32(d))
		case rtaNexthop:
			r.Nexthop = int(binary.NativeEndian.Uint32(d))
		case rtaEncapType:
			r.Encap = encapName(d)
		case rtaMultipath:
			err = r.hops(d)
		}
		return err
	})
	if err != nil {
		return r, fmt.Errorf("route: %w", err)
	}
	if r.Dst = netip.PrefixFrom(to, bits); !r.Dst.IsValid() {
		return r, fmt.Errorf("route: a prefix of %d bits", bits)
	}
	return r, nil
}
