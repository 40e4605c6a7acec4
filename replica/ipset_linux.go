//go:build linux && !ringfence_portable

package replica

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"
	vnl "github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/ruleset"
)

// ipsetKinds are the types of ipset that are made, and the type that stands for each: what differs is how the kernel
// keeps the elements.
var ipsetKinds = map[string]string{
	"hash:ip": "hash:ip", "bitmap:ip": "hash:ip", "hash:net": "hash:net", "hash:ip,port": "hash:ip,port", "hash:net,port": "hash:net,port",
	"hash:ip,port,ip": "hash:ip,port,ip", "hash:ip,port,net": "hash:ip,port,net", "hash:net,net": "hash:net,net", "hash:ip,mark": "hash:ip,mark",
	"hash:mac": "hash:mac", "hash:net,iface": "hash:net,iface", "bitmap:port": "bitmap:port", "list:set": "list:set",
}

// maxIPSetIndex bounds the numbers of sets: rules name a set by its number, so that all below it are made too.
const maxIPSetIndex = 512

// ipsets makes the sets of ipset that rules look up: such a rule is refused without its set.
func (r *Replica) ipsets() error {
	if len(r.host.IPSets) == 0 {
		return nil
	}
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer conn.Close()
	var fillers []string
	made := map[string]bool{}
	next := 0
	for _, s := range byNumber(r.host.IPSets) {
		kind := ipsetKinds[s.Type]
		if s.Index > maxIPSetIndex || kind == "" {
			return fmt.Errorf("ipset %s of type %s, number %d, is not copied", s.Name, s.Type, s.Index)
		}
		if made[s.Name] { // a rule names it, and a list
			continue
		}
		made[s.Name] = true
		for ; next < s.Index; next++ {
			name := fmt.Sprintf("rf-filler-%d", next)
			if err := vnl.IpsetCreate(name, "hash:ip", vnl.IpsetCreateOptions{}); err != nil {
				return fmt.Errorf("make ipset %s: %w", name, err)
			}
			fillers = append(fillers, name)
		}
		if err := vnl.IpsetCreate(s.Name, kind, vnl.IpsetCreateOptions{Family: uint8(s.Family), PortTo: 65535}); err != nil {
			return fmt.Errorf("make ipset %s: %w", s.Name, err)
		}
		next++
	}
	for i := range r.host.IPSets {
		s := &r.host.IPSets[i]
		for j := range s.Elements {
			if err := fill(conn, s, &s.Elements[j]); err != nil {
				return err
			}
		}
	}
	for _, name := range fillers {
		if err := vnl.IpsetDestroy(name); err != nil {
			return fmt.Errorf("remove ipset %s: %w", name, err)
		}
	}
	return nil
}

// byNumber orders sets as they have to be made: those that only lists name have no number of their own, and come last.
func byNumber(sets []ruleset.IPSet) []ruleset.IPSet {
	return slices.SortedStableFunc(slices.Values(sets), func(a, b ruleset.IPSet) int {
		return cmp.Compare(uint(a.Index), uint(b.Index))
	})
}

// special adds an element that the library cannot: a member of a list, an exception, a port without a protocol.
func special(conn *netlink.Conn, set string, data ...netlink.Attribute) error {
	b, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: nl.IPSET_ATTR_PROTOCOL, Data: []byte{nl.IPSET_PROTOCOL}},
		{Type: nl.IPSET_ATTR_SETNAME, Data: nl.ZeroTerminated(set)},
		{Type: nl.IPSET_ATTR_DATA | unix.NLA_F_NESTED, Data: marshal(data)},
	})
	if err != nil {
		return fmt.Errorf("add to ipset %s: %w", set, err)
	}
	_, err = conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_IPSET<<8 | nl.IPSET_CMD_ADD, Flags: netlink.Request | netlink.Acknowledge},
		Data:   append([]byte{unix.AF_INET, unix.NFNETLINK_V0, 0, 0}, b...),
	})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add to ipset %s: %w", set, err)
	}
	return nil
}

func marshal(attrs []netlink.Attribute) []byte {
	b, _ := netlink.MarshalAttributes(attrs) // fails only for attributes above 64 KiB
	return b
}

// exception adds a network that is no match, though a larger one that holds it is.
func exception(conn *netlink.Conn, s *ruleset.IPSet, e *ruleset.IPSetElement) error {
	if s.Type != "hash:net" {
		return fmt.Errorf("ipset %s: elements of type %s that are marked as no match are not copied", s.Name, s.Type)
	}
	kind := uint16(nl.IPSET_ATTR_IPADDR_IPV6)
	if e.Net.Addr().Is4() {
		kind = nl.IPSET_ATTR_IPADDR_IPV4
	}
	return special(conn, s.Name,
		netlink.Attribute{Type: nl.IPSET_ATTR_IP | unix.NLA_F_NESTED, Data: marshal([]netlink.Attribute{{Type: kind | unix.NLA_F_NET_BYTEORDER, Data: e.Net.Addr().AsSlice()}})},
		netlink.Attribute{Type: nl.IPSET_ATTR_CIDR, Data: []byte{uint8(e.Net.Bits())}},
		netlink.Attribute{Type: nl.IPSET_ATTR_CADT_FLAGS | unix.NLA_F_NET_BYTEORDER, Data: binary.BigEndian.AppendUint32(nil, nl.IPSET_FLAG_NOMATCH)},
	)
}

// fill adds an element to a set.
func fill(conn *netlink.Conn, s *ruleset.IPSet, e *ruleset.IPSetElement) error {
	switch {
	case e.NoMatch:
		return exception(conn, s, e)
	case s.Type == "bitmap:port": // of no protocol
		return special(conn, s.Name, netlink.Attribute{Type: nl.IPSET_ATTR_PORT | unix.NLA_F_NET_BYTEORDER, Data: binary.BigEndian.AppendUint16(nil, e.Port)})
	case e.Set != "":
		return special(conn, s.Name, netlink.Attribute{Type: nl.IPSET_ATTR_NAME, Data: nl.ZeroTerminated(e.Set)})
	}
	entry := &vnl.IPSetEntry{IFace: e.Iface}
	parts := s.Parts()
	address := func(p netip.Prefix, part string) (net.IP, uint8) {
		if !p.IsValid() {
			return nil, 0
		}
		if part == "net" {
			return p.Addr().AsSlice(), uint8(p.Bits())
		}
		return p.Addr().AsSlice(), 0
	}
	entry.IP, entry.CIDR = address(e.Net, parts[0])
	entry.IP2, entry.CIDR2 = address(e.Net2, parts[len(parts)-1])
	if slices.Contains(parts, "port") {
		entry.Port, entry.Protocol = &e.Port, &e.Proto
	}
	if slices.Contains(parts, "mark") {
		entry.Mark = &e.Mark
	}
	if strings.HasSuffix(s.Type, "mac") {
		mac, err := net.ParseMAC(e.MAC)
		if err != nil {
			return fmt.Errorf("ipset %s: %w", s.Name, err)
		}
		entry.MAC = mac
	}
	if err := vnl.IpsetAdd(s.Name, entry); err != nil {
		return fmt.Errorf("add to ipset %s: %w", s.Name, err)
	}
	return nil
}
