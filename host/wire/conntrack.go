//go:build linux && !ringfence_portable

package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Messages, attributes and status bits of conntrack (include/uapi/linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h,
// nf_conntrack_tcp.h, nf_conntrack_sctp.h).
const (
	ctNew, ctGet, ctDelete = 0, 1, 2 // IPCTNL_MSG_CT_*

	ctaTupleOrig, ctaTupleReply, ctaStatus, ctaProtoInfo, ctaTimeout, ctaStatusMask = 1, 2, 3, 4, 7, 26
	ctaTupleIP, ctaTupleProto                                                       = 1, 2
	ctaIPv4Src, ctaIPv4Dst, ctaIPv6Src, ctaIPv6Dst                                  = 1, 2, 3, 4
	ctaProtoNum, ctaSrcPort, ctaDstPort                                             = 1, 2, 3
	ctaProtoInfoTCP, ctaProtoInfoSCTP                                               = 1, 3
	ctaProtoState, ctaTCPFlagsOriginal, ctaTCPFlagsReply                            = 1, 4, 5 // the state has the same number for TCP and SCTP

	tcpEstablished  = 3    // TCP_CONNTRACK_ESTABLISHED
	sctpEstablished = 4    // SCTP_CONNTRACK_ESTABLISHED
	tcpLiberal      = 0x08 // IP_CT_TCP_FLAG_BE_LIBERAL: its window is not known

	confirmed = 1 << 3 // IPS_CONFIRMED, as every entry is

	// Until a packet sets the host's own, in seconds (tcp_timeouts, udp_timeouts of net/netfilter).
	tcpTimeout, udpTimeout = 5 * 24 * 3600, 120
)

// Status bits of a connection (IPS_*).
const (
	SeenReply  = 1 << 1 // a packet was seen each way
	Assured    = 1 << 2 // it is not dropped early
	SrcNAT     = 1 << 4
	DstNAT     = 1 << 5
	Translated = SrcNAT | DstNAT
)

// Connection is a connection as conntrack knows it, in the direction of its first packet.
type Connection struct {
	Proto    uint8          // IPPROTO_*
	From, To netip.AddrPort // who opened it, and what they sent to, before any translation
	// Client and Server are the same as whoever answers has them, after any translation. They are not valid where it is not told.
	Client, Server netip.AddrPort
	Status         uint32
	// Ended says of TCP and SCTP that it is no longer, or not yet, established. Such a connection is remembered for minutes.
	Ended bool
}

// ListConnections asks for the connections of a family (AF_INET, AF_INET6, or AF_UNSPEC for both) whose status has these bits.
// Kernels before 5.8 answer with all.
func ListConnections(family uint8, status uint32) netlink.Message {
	var filter []netlink.Attribute
	if status != 0 {
		filter = []netlink.Attribute{{Type: ctaStatus, Data: big32(status)}, {Type: ctaStatusMask, Data: big32(status)}}
	}
	return nfnetlink(unix.NFNL_SUBSYS_CTNETLINK, ctGet, netlink.Dump, family, filter...)
}

// DeleteConnection has conntrack forget a connection.
func DeleteConnection(proto uint8, from, to netip.AddrPort) netlink.Message {
	return nfnetlink(unix.NFNL_SUBSYS_CTNETLINK, ctDelete, netlink.Acknowledge, familyOf(from.Addr()), tuple(ctaTupleOrig, proto, from, to))
}

// KnowConnection has conntrack know a connection of TCP or UDP as one that from opened and to answered. The kernel answers EEXIST
// where it knows it already.
func KnowConnection(proto uint8, from, to netip.AddrPort) netlink.Message {
	timeout := uint32(udpTimeout)
	if proto == unix.IPPROTO_TCP {
		timeout = tcpTimeout
	}
	attrs := []netlink.Attribute{
		tuple(ctaTupleOrig, proto, from, to), tuple(ctaTupleReply, proto, to, from),
		{Type: ctaStatus, Data: big32(SeenReply | Assured | confirmed)},
		{Type: ctaTimeout, Data: big32(timeout)},
	}
	if proto == unix.IPPROTO_TCP {
		liberal := []byte{tcpLiberal, tcpLiberal} // struct nf_ct_tcp_flags: the flag and its mask
		attrs = append(attrs, nested(ctaProtoInfo, nested(
			ctaProtoInfoTCP,
			netlink.Attribute{Type: ctaProtoState, Data: []byte{tcpEstablished}},
			netlink.Attribute{Type: ctaTCPFlagsOriginal, Data: liberal},
			netlink.Attribute{Type: ctaTCPFlagsReply, Data: liberal},
		)))
	}
	return nfnetlink(unix.NFNL_SUBSYS_CTNETLINK, ctNew, netlink.Acknowledge|netlink.Create|netlink.Excl, familyOf(from.Addr()), attrs...)
}

func familyOf(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// tuple is one direction of a connection.
func tuple(kind uint16, proto uint8, from, to netip.AddrPort) netlink.Attribute {
	source, destination := uint16(ctaIPv4Src), uint16(ctaIPv4Dst)
	if from.Addr().Is6() {
		source, destination = ctaIPv6Src, ctaIPv6Dst
	}
	return nested(
		kind,
		nested(
			ctaTupleIP,
			netlink.Attribute{Type: source, Data: from.Addr().AsSlice()}, netlink.Attribute{Type: destination, Data: to.Addr().AsSlice()},
		),
		nested(
			ctaTupleProto,
			netlink.Attribute{Type: ctaProtoNum, Data: []byte{proto}},
			netlink.Attribute{Type: ctaSrcPort, Data: big16(from.Port())}, netlink.Attribute{Type: ctaDstPort, Data: big16(to.Port())},
		),
	)
}

// ParseConnection reads a connection of a listing. One without addresses is an error; one of a protocol without ports has port 0.
func ParseConnection(b []byte) (Connection, error) {
	var c Connection
	_, attrs, err := Body(b)
	if err != nil {
		return c, fmt.Errorf("connection: %w", err)
	}
	err = fields(attrs, sizes{ctaStatus: 4, ctaProtoInfo: 0, ctaTupleOrig: 0, ctaTupleReply: 0}, func(kind uint16, d []byte) error {
		switch kind {
		case ctaProtoInfo:
			return Each(d, c.protocolState)
		case ctaTupleOrig:
			return c.ends(d, &c.From, &c.To)
		case ctaTupleReply:
			return c.ends(d, &c.Server, &c.Client)
		}
		c.Status = binary.BigEndian.Uint32(d)
		return nil
	})
	if err == nil && (!c.From.Addr().IsValid() || !c.To.Addr().IsValid()) {
		err = ErrTruncated
	}
	if err != nil {
		return c, fmt.Errorf("connection: %w", err)
	}
	return c, nil
}

func (c *Connection) protocolState(proto uint16, b []byte) error {
	established, ok := map[uint16]byte{ctaProtoInfoTCP: tcpEstablished, ctaProtoInfoSCTP: sctpEstablished}[proto]
	if !ok {
		return nil
	}
	return fields(b, sizes{ctaProtoState: 1}, func(_ uint16, d []byte) error {
		c.Ended = d[0] != established
		return nil
	})
}

// ends reads who sends in one direction, and to whom.
func (c *Connection) ends(tuple []byte, from, to *netip.AddrPort) error {
	return fields(tuple, sizes{ctaTupleIP: 0, ctaTupleProto: 0}, func(part uint16, d []byte) error {
		if part == ctaTupleIP {
			return fields(d, sizes{ctaIPv4Src: 4, ctaIPv4Dst: 4, ctaIPv6Src: 16, ctaIPv6Dst: 16}, func(kind uint16, d []byte) error {
				a, err := address(d)
				if kind == ctaIPv4Src || kind == ctaIPv6Src {
					*from = netip.AddrPortFrom(a, from.Port())
				} else {
					*to = netip.AddrPortFrom(a, to.Port())
				}
				return err
			})
		}
		return fields(d, sizes{ctaProtoNum: 1, ctaSrcPort: 2, ctaDstPort: 2}, func(kind uint16, d []byte) error {
			switch kind {
			case ctaSrcPort:
				*from = netip.AddrPortFrom(from.Addr(), binary.BigEndian.Uint16(d))
			case ctaDstPort:
				*to = netip.AddrPortFrom(to.Addr(), binary.BigEndian.Uint16(d))
			default:
				c.Proto = d[0]
			}
			return nil
		})
	})
}
