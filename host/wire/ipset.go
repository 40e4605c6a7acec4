//go:build linux && !ringfence_portable

package wire

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/ruleset"
)

// Commands and attributes of ipset (include/uapi/linux/netfilter/ipset/ip_set.h).
const (
	ipsetCmdList, ipsetCmdAdd, ipsetCmdByIndex = 7, 9, 15 // IPSET_CMD_LIST, _ADD, _GET_BYINDEX
	ipsetVersion                               = 7        // IPSET_PROTOCOL

	ipsetProtocol, ipsetName, ipsetType, ipsetFamily, ipsetData, ipsetADT, ipsetIndex = 1, 2, 3, 5, 7, 8, 11

	// Of an element.
	elemIP, elemCIDR, elemPort, elemProto, elemFlags, elemMark        = 1, 3, 4, 7, 8, 10
	elemEther, elemMember, elemIP2, elemCIDR2, elemIface              = 17, 18, 20, 21, 23
	ipsetAddrIPv4, ipsetAddrIPv6                                      = 1, 2
	ipsetFlagPhysDev, ipsetFlagNoMatch, ipsetFlagWildcard      uint32 = 1 << 1, 1 << 2, 1 << 7

	// Of a set: what is laid over addresses, and flags.
	createFlags, createBitMask, createNetMask        = 8, 12, 20
	ipsetFlagForceAdd                         uint32 = 1 << 5
)

func ipsetRequest(cmd int, flags netlink.HeaderFlags, attrs ...netlink.Attribute) netlink.Message {
	attrs = append([]netlink.Attribute{{Type: ipsetProtocol, Data: []byte{ipsetVersion}}}, attrs...)
	return nfnetlink(unix.NFNL_SUBSYS_IPSET, cmd, flags, unix.AF_INET, attrs...)
}

// NameIPSet asks for the name of the set of a number, which rules have. ParseIPSetName reads the answer.
func NameIPSet(index uint16) netlink.Message {
	return ipsetRequest(ipsetCmdByIndex, 0, netlink.Attribute{Type: ipsetIndex | netlink.NetByteOrder, Data: big16(index)})
}

// ParseIPSetName reads the name of a set.
func ParseIPSetName(b []byte) (name string, err error) {
	_, attrs, err := Body(b)
	if err == nil {
		err = fields(attrs, sizes{ipsetName: 1}, func(_ uint16, d []byte) error {
			name = CString(d)
			return nil
		})
	}
	if err == nil && name == "" {
		err = ErrTruncated
	}
	if err != nil {
		return "", fmt.Errorf("name of an ipset: %w", err)
	}
	return name, nil
}

// ListIPSet asks for a set and its elements, in as many messages as it takes.
func ListIPSet(name string) netlink.Message {
	return ipsetRequest(ipsetCmdList, netlink.Dump, text(ipsetName, name))
}

// ParseIPSet takes one message of a listing in: the type and family of the set, and elements of it.
func ParseIPSet(set *ruleset.IPSet, b []byte) error {
	_, attrs, err := Body(b)
	if err == nil {
		err = fields(attrs, sizes{ipsetType: 1, ipsetFamily: 1, ipsetADT: 0, ipsetData: 0}, func(kind uint16, d []byte) error {
			switch kind {
			case ipsetType:
				set.Type = CString(d)
			case ipsetFamily:
				set.Family = int(d[0])
			case ipsetData:
				return parseHead(set, d)
			case ipsetADT:
				return Each(d, func(_ uint16, el []byte) error {
					e, err := parseElement(el)
					set.Elements = append(set.Elements, e)
					return err
				})
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("ipset %s: %w", set.Name, err)
	}
	return nil
}

// parseHead reads what a set lays over addresses, and whether it takes elements out to put others in.
func parseHead(set *ruleset.IPSet, b []byte) error {
	return fields(b, sizes{createFlags: 4, createBitMask: 0, createNetMask: 1}, func(kind uint16, d []byte) (err error) {
		switch kind {
		case createFlags:
			set.Evicts = binary.BigEndian.Uint32(d)&ipsetFlagForceAdd != 0
			return nil
		case createBitMask:
			set.Mask, err = elementAddress(d)
			return err
		}
		size := 32
		if set.Family == unix.AF_INET6 {
			size = 128
		}
		set.Mask, _ = netip.AddrFromSlice(net.CIDRMask(int(d[0]), size))
		return nil
	})
}

var elementFields = sizes{
	elemIP: 0, elemIP2: 0, elemCIDR: 1, elemCIDR2: 1, elemPort: 2, elemProto: 1, elemFlags: 4, elemMark: 4, elemEther: 6, elemMember: 1, elemIface: 1,
}

func parseElement(b []byte) (e ruleset.IPSetElement, err error) {
	bits, bits2 := -1, -1
	var addr, addr2 netip.Addr
	err = fields(b, elementFields, func(kind uint16, d []byte) (err error) {
		switch kind {
		case elemIP:
			addr, err = elementAddress(d)
		case elemIP2:
			addr2, err = elementAddress(d)
		case elemCIDR:
			bits = int(d[0])
		case elemCIDR2:
			bits2 = int(d[0])
		case elemPort:
			e.Port = binary.BigEndian.Uint16(d)
		case elemProto:
			e.Proto = d[0]
		case elemFlags:
			flags := binary.BigEndian.Uint32(d)
			e.NoMatch, e.Wildcard, e.PhysDev = flags&ipsetFlagNoMatch != 0, flags&ipsetFlagWildcard != 0, flags&ipsetFlagPhysDev != 0
		case elemMark:
			e.Mark = binary.BigEndian.Uint32(d)
		case elemEther:
			e.MAC = net.HardwareAddr(d[:6]).String()
		case elemMember:
			e.Set = CString(d)
		case elemIface:
			e.Iface = CString(d)
		}
		return err
	})
	e.Net, e.Net2 = network(addr, bits), network(addr2, bits2)
	return e, err
}

// network is the network of an address; a length that is missing or impossible is that of the address alone.
func network(a netip.Addr, bits int) netip.Prefix {
	if !a.IsValid() {
		return netip.Prefix{}
	}
	if bits < 0 || bits > a.BitLen() {
		bits = a.BitLen()
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// elementAddress reads an address, which is an attribute of its own inside.
func elementAddress(b []byte) (a netip.Addr, err error) {
	err = Each(b, func(_ uint16, d []byte) (err error) {
		a, err = address(d)
		return err
	})
	return a, err
}

// AddIPSetElement adds an element to the set, which says by its type what is told of the element.
func AddIPSetElement(set *ruleset.IPSet, e *ruleset.IPSetElement) (netlink.Message, error) {
	parts := set.Parts()
	var data []netlink.Attribute
	add := func(kind uint16, d []byte) { data = append(data, netlink.Attribute{Type: kind, Data: d}) }
	ends := func(p netip.Prefix, part string, ip, cidr uint16) {
		if !p.IsValid() {
			return
		}
		kind := uint16(ipsetAddrIPv4)
		if p.Addr().Is6() {
			kind = ipsetAddrIPv6
		}
		data = append(data, nested(ip, netlink.Attribute{Type: kind | netlink.NetByteOrder, Data: p.Addr().AsSlice()}))
		if part == "net" {
			add(cidr, []byte{uint8(p.Bits())})
		}
	}
	ends(e.Net, parts[0], elemIP, elemCIDR)
	ends(e.Net2, parts[len(parts)-1], elemIP2, elemCIDR2)
	if slices.Contains(parts, "port") {
		add(elemPort|netlink.NetByteOrder, big16(e.Port))
		if len(parts) > 1 { // a set of ports alone is of no protocol
			add(elemProto, []byte{e.Proto})
		}
	}
	if slices.Contains(parts, "mark") {
		add(elemMark|netlink.NetByteOrder, big32(e.Mark))
	}
	if slices.Contains(parts, "mac") {
		mac, err := net.ParseMAC(e.MAC)
		if err != nil {
			return netlink.Message{}, fmt.Errorf("ipset %s: %w", set.Name, err)
		}
		add(elemEther, mac)
	}
	if e.Set != "" {
		data = append(data, text(elemMember, e.Set))
	}
	if e.Iface != "" {
		data = append(data, text(elemIface, e.Iface))
	}
	flags := uint32(0)
	for flag, has := range map[uint32]bool{ipsetFlagNoMatch: e.NoMatch, ipsetFlagWildcard: e.Wildcard, ipsetFlagPhysDev: e.PhysDev} {
		if has {
			flags |= flag
		}
	}
	if flags != 0 {
		add(elemFlags|netlink.NetByteOrder, big32(flags))
	}
	return ipsetRequest(ipsetCmdAdd, netlink.Acknowledge, text(ipsetName, set.Name), nested(ipsetData, data...)), nil
}
