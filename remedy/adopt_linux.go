//go:build linux && !ringfence_portable

package remedy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/ruleset"
)

// Constants of include/uapi/linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h and nf_conntrack_tcp.h.
const (
	ctNew    = unix.NFNL_SUBSYS_CTNETLINK << 8 // IPCTNL_MSG_CT_NEW is 0
	ctGet    = ctNew | 1                       // IPCTNL_MSG_CT_GET
	ctDelete = ctNew | 2                       // IPCTNL_MSG_CT_DELETE

	ctaTupleOrig, ctaTupleReply, ctaStatus, ctaProtoInfo, ctaTimeout = 1, 2, 3, 4, 7
	ctaTupleIP, ctaTupleProto                                        = 1, 2
	ctaIPv4Src, ctaIPv4Dst, ctaIPv6Src, ctaIPv6Dst                   = 1, 2, 3, 4
	ctaProtoNum, ctaSrcPort, ctaDstPort                              = 1, 2, 3
	ctaProtoInfoTCP                                                  = 1
	ctaTCPState, ctaTCPFlagsOriginal, ctaTCPFlagsReply               = 1, 4, 5
	tcpEstablished                                                   = 3 // TCP_CONNTRACK_ESTABLISHED

	seenReply  = 1 << 1 // IPS_SEEN_REPLY, and so on
	assured    = 1 << 2
	confirmed  = 1 << 3 // as every entry is
	translated = 1<<4 | 1<<5
	tcpLiberal = 0x08 // IP_CT_TCP_FLAG_BE_LIBERAL: its window is not known

	// Until a packet sets the host's own (tcp_timeouts, udp_timeouts of net/netfilter).
	tcpTimeout, udpTimeout = 5 * 24 * 3600, 120
)

// adopt has conntrack know the connections that are open, and who opened them. As long as no rule asked for the state
// of a connection none is tracked, and afterwards the side that happens to send first counts as the one that opened
// it: the baseline would drop what the peer of a connection of the host's own sends, and a denial would take what is
// sent to a closed port for an answer. Connections that are known already stay as they are. Of a family that is tracked
// they are not looked for.
func (p *Plan) adopt(isTracked func(v4 bool) bool) error {
	if !slices.Contains(p.families(), ruleset.FamilyInet) || isTracked(true) && isTracked(false) {
		return nil
	}
	diag, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return fmt.Errorf("list connections: %w", err)
	}
	defer diag.Close()
	track, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer track.Close()
	for _, proto := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
		open, err := connections(diag, proto)
		if err != nil {
			return err
		}
		for i := range open {
			k := &open[i]
			if isTracked(k.local.Addr().Is4()) {
				continue
			}
			from, to := k.local, k.peer
			if k.incoming {
				from, to = to, from
			}
			if _, err := track.Execute(known(proto, from, to)); err != nil && !errors.Is(err, unix.EEXIST) {
				return fmt.Errorf("have the connection with %s tracked: %w", k.peer, err)
			}
		}
	}
	return nil
}

// nothing is what is tracked where that is not known.
func nothing(bool) bool { return false }

// known is the message that makes a connection one that was opened and answered.
func known(proto byte, from, to netip.AddrPort) netlink.Message {
	family := byte(unix.AF_INET6)
	if from.Addr().Is4() {
		family = unix.AF_INET
	}
	timeout := uint32(udpTimeout)
	if proto == unix.IPPROTO_TCP {
		timeout = tcpTimeout
	}
	attrs := []netlink.Attribute{
		{Type: unix.NLA_F_NESTED | ctaTupleOrig, Data: tuple(proto, from, to)},
		{Type: unix.NLA_F_NESTED | ctaTupleReply, Data: tuple(proto, to, from)},
		{Type: ctaStatus, Data: binary.BigEndian.AppendUint32(nil, seenReply|assured|confirmed)},
		{Type: ctaTimeout, Data: binary.BigEndian.AppendUint32(nil, timeout)},
	}
	if proto == unix.IPPROTO_TCP {
		liberal := []byte{tcpLiberal, tcpLiberal} // struct nf_ct_tcp_flags: the flag and its mask
		attrs = append(attrs, netlink.Attribute{Type: unix.NLA_F_NESTED | ctaProtoInfo, Data: marshal(netlink.Attribute{
			Type: unix.NLA_F_NESTED | ctaProtoInfoTCP, Data: marshal(
				netlink.Attribute{Type: ctaTCPState, Data: []byte{tcpEstablished}},
				netlink.Attribute{Type: ctaTCPFlagsOriginal, Data: liberal},
				netlink.Attribute{Type: ctaTCPFlagsReply, Data: liberal},
			),
		})})
	}
	return ctMessage(ctNew, netlink.Acknowledge|netlink.Create|netlink.Excl, family, attrs...)
}

// ctMessage is a request to conntrack.
func ctMessage(kind netlink.HeaderType, flags netlink.HeaderFlags, family byte, attrs ...netlink.Attribute) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: kind, Flags: netlink.Request | flags},
		Data:   append([]byte{family, unix.NFNETLINK_V0, 0, 0}, marshal(attrs...)...),
	}
}

// tuple is one direction of a connection.
func tuple(proto byte, from, to netip.AddrPort) []byte {
	source, destination := uint16(ctaIPv4Src), uint16(ctaIPv4Dst)
	if from.Addr().Is6() {
		source, destination = ctaIPv6Src, ctaIPv6Dst
	}
	return marshal(
		netlink.Attribute{Type: unix.NLA_F_NESTED | ctaTupleIP, Data: marshal(
			netlink.Attribute{Type: source, Data: from.Addr().AsSlice()},
			netlink.Attribute{Type: destination, Data: to.Addr().AsSlice()},
		)},
		netlink.Attribute{Type: unix.NLA_F_NESTED | ctaTupleProto, Data: marshal(
			netlink.Attribute{Type: ctaProtoNum, Data: []byte{proto}},
			netlink.Attribute{Type: ctaSrcPort, Data: binary.BigEndian.AppendUint16(nil, from.Port())},
			netlink.Attribute{Type: ctaDstPort, Data: binary.BigEndian.AppendUint16(nil, to.Port())},
		)},
	)
}

func marshal(attrs ...netlink.Attribute) []byte {
	b, _ := netlink.MarshalAttributes(attrs) // fails only for attributes above 64 KiB
	return b
}
