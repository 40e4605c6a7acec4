//go:build linux && !ringfence_portable

package checks

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/ruleset"
)

// Commands and attributes of ipset (include/uapi/linux/netfilter/ipset/ip_set.h).
const (
	nfnlSubsysIPSet   = 6
	ipsetCmdList      = 7
	ipsetCmdByIndex   = 15
	ipsetProtocol     = 7
	ipsetAttrProtocol = 1
	ipsetAttrName     = 2
	ipsetAttrType     = 3
	ipsetAttrFamily   = 5
	ipsetAttrData     = 7
	ipsetAttrADT      = 8
	ipsetAttrIndex    = 11
	ipsetFlagNoMatch  = 1 << 2
)

// readIPSets reads the sets that rules of iptables refer to, and the members of lists of sets. Rules name a set by its
// number.
func (r *nfReader) readIPSets(ns *os.File, dial func(int, *os.File) (*netlink.Conn, error)) ([]ruleset.IPSet, error) {
	wanted := r.rs.IPSetIndexes()
	if len(wanted) == 0 {
		return nil, nil
	}
	conn, err := dial(unix.NETLINK_NETFILTER, ns)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	q := &ipsetReader{conn: conn, left: r.left}
	for _, index := range wanted {
		name, err := q.name(index)
		if err != nil {
			return nil, fmt.Errorf("ipset %d: %w", index, err)
		}
		if err := q.read(name, int(index), 0); err != nil {
			return nil, fmt.Errorf("ipset %s: %w", name, err)
		}
	}
	return q.sets, nil
}

type ipsetReader struct {
	conn *netlink.Conn
	sets []ruleset.IPSet
	left *int
}

func (q *ipsetReader) request(cmd int, flags netlink.HeaderFlags, attrs ...netlink.Attribute) netlink.Message {
	b, _ := netlink.MarshalAttributes(append([]netlink.Attribute{{Type: ipsetAttrProtocol, Data: []byte{ipsetProtocol}}}, attrs...))
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(nfnlSubsysIPSet<<8 | cmd), Flags: netlink.Request | flags},
		Data:   append([]byte{unix.AF_INET, unix.NFNETLINK_V0, 0, 0}, b...),
	}
}

// name is the set of a number.
func (q *ipsetReader) name(index uint16) (string, error) {
	msgs, err := q.conn.Execute(q.request(ipsetCmdByIndex, 0, netlink.Attribute{
		Type: ipsetAttrIndex | netlink.NetByteOrder, Data: binary.BigEndian.AppendUint16(nil, index),
	}))
	if err != nil {
		return "", err
	}
	name := ""
	for _, m := range msgs {
		if len(m.Data) < 4 {
			continue
		}
		err = eachAttr(m.Data[4:], func(kind uint16, data []byte) error {
			if kind == ipsetAttrName {
				name = cut0(data)
			}
			return nil
		})
	}
	if name == "" && err == nil {
		err = errShort
	}
	return name, err
}

// read lists one set, and those that it is a list of.
func (q *ipsetReader) read(name string, index, depth int) error {
	if depth > 1 || slices.ContainsFunc(q.sets, func(s ruleset.IPSet) bool { return s.Name == name && s.Index == index }) {
		return nil // the kernel has no lists of lists
	}
	set := ruleset.IPSet{Index: index, Name: name}
	if _, err := q.conn.Send(q.request(ipsetCmdList, netlink.Dump, netlink.Attribute{Type: ipsetAttrName, Data: cstring(name)})); err != nil {
		return err
	}
	for m, err := range q.conn.ReceiveIter() {
		if err != nil {
			return err
		}
		if q.left != nil {
			if *q.left -= len(m.Data); *q.left < 0 {
				return errTooLarge
			}
		}
		if len(m.Data) < 4 {
			continue
		}
		if err := parseIPSet(&set, m.Data[4:]); err != nil {
			return err
		}
	}
	q.sets = append(q.sets, set)
	for _, e := range set.Elements {
		if e.Set != "" {
			if err := q.read(e.Set, -1, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseIPSet takes in one message of a listing.
func parseIPSet(set *ruleset.IPSet, b []byte) error {
	return eachAttr(b, func(kind uint16, data []byte) error {
		switch {
		case kind == ipsetAttrType:
			set.Type = cut0(data)
		case kind == ipsetAttrFamily && len(data) > 0:
			set.Family = int(data[0])
		case kind == ipsetAttrADT:
			return eachAttr(data, func(_ uint16, el []byte) error {
				e, err := parseIPSetElement(el)
				set.Elements = append(set.Elements, e)
				return err
			})
		}
		return nil
	})
}

func parseIPSetElement(b []byte) (e ruleset.IPSetElement, err error) {
	bits, bits2 := -1, -1
	var addr, addr2 netip.Addr
	err = eachAttr(b, func(kind uint16, d []byte) error {
		switch {
		case kind == 1:
			addr = ipsetAddr(d)
		case kind == 20:
			addr2 = ipsetAddr(d)
		case kind == 3 && len(d) > 0:
			bits = int(d[0])
		case kind == 21 && len(d) > 0:
			bits2 = int(d[0])
		case kind == 4 && len(d) >= 2:
			e.Port = binary.BigEndian.Uint16(d)
		case kind == 7 && len(d) > 0:
			e.Proto = d[0]
		case kind == 8 && len(d) >= 4:
			e.NoMatch = binary.BigEndian.Uint32(d)&ipsetFlagNoMatch != 0
		case kind == 10 && len(d) >= 4:
			e.Mark = binary.BigEndian.Uint32(d)
		case kind == 17 && len(d) >= 6:
			e.MAC = net.HardwareAddr(d[:6]).String()
		case kind == 18:
			e.Set = cut0(d)
		case kind == 23:
			e.Iface = cut0(d)
		}
		return nil
	})
	prefix := func(a netip.Addr, n int) netip.Prefix {
		if !a.IsValid() {
			return netip.Prefix{}
		}
		if n < 0 || n > a.BitLen() {
			n = a.BitLen()
		}
		return netip.PrefixFrom(a, n).Masked()
	}
	e.Net, e.Net2 = prefix(addr, bits), prefix(addr2, bits2)
	return e, err
}

// ipsetAddr reads an address, which is an attribute of its own inside.
func ipsetAddr(b []byte) netip.Addr {
	var a netip.Addr
	_ = eachAttr(b, func(_ uint16, d []byte) error {
		a, _ = netip.AddrFromSlice(d)
		return nil
	})
	return a
}
