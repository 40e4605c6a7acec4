//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/snapshot"
)

// maxConnections bounds the connections that are looked through for published ports in use.
const maxConnections = 500_000

// The attributes of a connection (CTA_*, include/uapi/linux/netfilter/nfnetlink_conntrack.h).
const (
	ctaTupleOrig  = 1
	ctaStatus     = 3
	ctaProtoInfo  = 4
	ctaStatusMask = 26
	ctaTupleIP    = 1
	ctaTupleProto = 2
	ipsAssured    = 1 << 2
	ipsDstNAT     = 1 << 5

	tcpEstablished = 3 // TCP_CONNTRACK_ESTABLISHED
)

// publishedInUse counts the open connections to ports that are translated to somebody behind the host. A kernel
// without conntrack, or one that we may not ask, has none to tell: nothing is judged by it.
func (s *Scan) publishedInUse() []snapshot.PortUse {
	conn, err := s.Host.Netlink(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil
	}
	defer conn.Close()
	bits := binary.BigEndian.AppendUint32(nil, ipsDstNAT)
	filter, _ := netlink.MarshalAttributes([]netlink.Attribute{{Type: ctaStatus, Data: bits}, {Type: ctaStatusMask, Data: bits}})
	_, err = conn.Send(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_CTNETLINK<<8 | 1, Flags: netlink.Request | netlink.Dump}, // IPCTNL_MSG_CT_GET
		Data:   append([]byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0}, filter...),
	})
	if err != nil {
		return nil
	}
	found := map[snapshot.PortUse]int{}
	seen := 0
	for m, err := range conn.ReceiveIter() {
		if seen++; err != nil || seen > maxConnections {
			break
		}
		if use, ok := parseConnection(m.Data); ok {
			found[use]++
		}
	}
	var out []snapshot.PortUse
	for use, n := range found {
		use.Connections = n
		out = append(out, use)
	}
	slices.SortFunc(out, func(a, b snapshot.PortUse) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Addr, b.Addr))
	})
	return out
}

// parseConnection reads where a translated connection that is open was first sent to. Older kernels do not filter by status.
func parseConnection(b []byte) (use snapshot.PortUse, ok bool) {
	if len(b) < 4 {
		return use, false
	}
	open := true
	translated := false
	err := eachAttr(b[4:], func(kind uint16, data []byte) error {
		switch kind {
		case ctaStatus:
			const both = ipsDstNAT | ipsAssured // translated, and answered
			translated = len(data) >= 4 && binary.BigEndian.Uint32(data)&both == both
		case ctaProtoInfo: // a connection that ended is remembered for minutes
			return eachAttr(data, func(_ uint16, tcp []byte) error {
				return eachAttr(tcp, func(kind uint16, v []byte) error {
					open = open && (kind != 1 || len(v) >= 1 && v[0] == tcpEstablished)
					return nil
				})
			})
		case ctaTupleOrig:
			return eachAttr(data, func(kind uint16, data []byte) error { return tuplePart(&use, kind, data) })
		}
		return nil
	})
	return use, err == nil && translated && open && use.Proto != "" && use.Port != 0
}

func tuplePart(use *snapshot.PortUse, kind uint16, data []byte) error {
	return eachAttr(data, func(part uint16, v []byte) error {
		switch {
		case kind == ctaTupleIP && (part == 2 || part == 4): // CTA_IP_V4_DST, CTA_IP_V6_DST
			a, ok := netip.AddrFromSlice(v)
			if !ok {
				return fmt.Errorf("address of %d bytes", len(v))
			}
			use.Addr = a.String()
		case kind == ctaTupleProto && part == 1 && len(v) >= 1: // CTA_PROTO_NUM
			use.Proto = map[byte]string{6: "tcp", 17: "udp", 132: "sctp"}[v[0]]
		case kind == ctaTupleProto && part == 3 && len(v) >= 2: // CTA_PROTO_DST_PORT
			use.Port = be16(v)
		}
		return nil
	})
}

func eachAttr(b []byte, f func(kind uint16, data []byte) error) error {
	attrs, err := netlink.UnmarshalAttributes(b)
	if err != nil {
		return err
	}
	for _, a := range attrs {
		if err := f(a.Type&0x3fff, a.Data); err != nil {
			return err
		}
	}
	return nil
}
