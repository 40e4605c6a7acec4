package remedy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/ruleset"
)

// Constants of include/uapi/linux/netfilter/nf_conntrack_common.h and nf_conntrack_tcp.h, and requests to conntrack.
const (
	ctNew    = unix.NFNL_SUBSYS_CTNETLINK<<8 | nl.IPCTNL_MSG_CT_NEW
	ctGet    = unix.NFNL_SUBSYS_CTNETLINK<<8 | nl.IPCTNL_MSG_CT_GET
	ctDelete = unix.NFNL_SUBSYS_CTNETLINK<<8 | nl.IPCTNL_MSG_CT_DELETE

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
		{Type: unix.NLA_F_NESTED | nl.CTA_TUPLE_ORIG, Data: tuple(proto, from, to)},
		{Type: unix.NLA_F_NESTED | nl.CTA_TUPLE_REPLY, Data: tuple(proto, to, from)},
		{Type: nl.CTA_STATUS, Data: binary.BigEndian.AppendUint32(nil, seenReply|assured|confirmed)},
		{Type: nl.CTA_TIMEOUT, Data: binary.BigEndian.AppendUint32(nil, timeout)},
	}
	if proto == unix.IPPROTO_TCP {
		liberal := []byte{tcpLiberal, tcpLiberal} // struct nf_ct_tcp_flags: the flag and its mask
		attrs = append(attrs, netlink.Attribute{Type: unix.NLA_F_NESTED | nl.CTA_PROTOINFO, Data: marshal(netlink.Attribute{
			Type: unix.NLA_F_NESTED | nl.CTA_PROTOINFO_TCP, Data: marshal(
				netlink.Attribute{Type: nl.CTA_PROTOINFO_TCP_STATE, Data: []byte{nl.TCP_CONNTRACK_ESTABLISHED}},
				netlink.Attribute{Type: nl.CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, Data: liberal},
				netlink.Attribute{Type: nl.CTA_PROTOINFO_TCP_FLAGS_REPLY, Data: liberal},
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
	source, destination := uint16(nl.CTA_IP_V4_SRC), uint16(nl.CTA_IP_V4_DST)
	if from.Addr().Is6() {
		source, destination = nl.CTA_IP_V6_SRC, nl.CTA_IP_V6_DST
	}
	return marshal(
		netlink.Attribute{Type: unix.NLA_F_NESTED | nl.CTA_TUPLE_IP, Data: marshal(
			netlink.Attribute{Type: source, Data: from.Addr().AsSlice()},
			netlink.Attribute{Type: destination, Data: to.Addr().AsSlice()},
		)},
		netlink.Attribute{Type: unix.NLA_F_NESTED | nl.CTA_TUPLE_PROTO, Data: marshal(
			netlink.Attribute{Type: nl.CTA_PROTO_NUM, Data: []byte{proto}},
			netlink.Attribute{Type: nl.CTA_PROTO_SRC_PORT, Data: binary.BigEndian.AppendUint16(nil, from.Port())},
			netlink.Attribute{Type: nl.CTA_PROTO_DST_PORT, Data: binary.BigEndian.AppendUint16(nil, to.Port())},
		)},
	)
}

func marshal(attrs ...netlink.Attribute) []byte {
	b, _ := netlink.MarshalAttributes(attrs) // fails only for attributes above 64 KiB
	return b
}
