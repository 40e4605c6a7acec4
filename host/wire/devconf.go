//go:build linux && !ringfence_portable

package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// DevConf is the switches of one interface, by the names of their files: those of /proc/sys/net/ipv4/conf/NAME in V4, those of
// /proc/sys/net/ipv6/conf/NAME in V6. A map is nil if the interface has none of the family.
type DevConf struct {
	Name   string
	V4, V6 map[string]int32
	// Bridge is of a bridge or of a port of one.
	Bridge
}

// Bridge is what netlink tells of bridges and their ports.
type Bridge struct {
	Isolated, Hairpin, Blocking, Opening, Locked, NoCarrier bool
	// NoLearning, NoFlood, NoMulticast and NoBroadcast are switches that are on for most ports, and off for this one.
	NoLearning, NoFlood, NoMulticast, NoBroadcast bool
	// VLANFiltering, CallsIPTables and CallsIP6Tables are of the bridge itself.
	VLANFiltering, CallsIPTables, CallsIP6Tables bool

	disabled bool
}

// The attributes that lead to the switches (IFLA_*, include/uapi/linux/if_link.h).
const (
	iflaInetConf  = 1
	iflaInet6Conf = 2
	skipStats     = 8 // RTEXT_FILTER_SKIP_STATS, include/uapi/linux/rtnetlink.h
)

// interfaceHeader is the size of struct ifinfomsg.
const interfaceHeader = 16

// conf4 and conf6 are the places of switches in the kernel's lists: IPV4_DEVCONF_* of include/uapi/linux/ip.h, which begin at 1, and
// DEVCONF_* of include/uapi/linux/ipv6.h.
var (
	conf4 = map[string]int{
		"forwarding": 0, "mc_forwarding": 1, "accept_redirects": 3, "send_redirects": 5, "rp_filter": 7, "accept_source_route": 8, "disable_policy": 15, "arp_ignore": 18,
		"accept_local": 22, "src_valid_mark": 23, "route_localnet": 25,
	}
	conf6 = map[string]int{"forwarding": 0, "accept_ra": 3, "mc_forwarding": 25, "disable_ipv6": 26, "disable_policy": 48, "force_forwarding": 59}
)

// ListLinks asks for all interfaces, without their counters.
func ListLinks() netlink.Message {
	data := make([]byte, interfaceHeader, interfaceHeader+8)
	data = binary.NativeEndian.AppendUint16(data, 8)
	data = binary.NativeEndian.AppendUint16(data, unix.IFLA_EXT_MASK)
	data = binary.NativeEndian.AppendUint32(data, skipStats)
	return netlink.Message{Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request | netlink.Dump}, Data: data}
}

// ParseDevConf reads the switches out of a struct ifinfomsg and its attributes.
func ParseDevConf(b []byte) (DevConf, error) {
	var c DevConf
	if len(b) < interfaceHeader {
		return c, fmt.Errorf("interface: %w", ErrTruncated)
	}
	carrier := false
	err := fields(b[interfaceHeader:], sizes{unix.IFLA_IFNAME: 1, unix.IFLA_AF_SPEC: 0, unix.IFLA_LINKINFO: 0, unix.IFLA_CARRIER: 1}, func(kind uint16, d []byte) error {
		switch kind {
		case unix.IFLA_CARRIER:
			carrier = d[0] != 0
			return nil
		case unix.IFLA_IFNAME:
			c.Name = CString(d)
			return nil
		case unix.IFLA_LINKINFO:
			return c.bridge(d)
		}
		return Each(d, func(family uint16, d []byte) (err error) {
			switch family {
			case unix.AF_INET:
				c.V4, err = switches(d, iflaInetConf, conf4)
			case unix.AF_INET6:
				c.V6, err = switches(d, iflaInet6Conf, conf6)
			}
			return err
		})
	})
	if err != nil {
		return c, fmt.Errorf("interface: %w", err)
	}
	c.Blocking = c.Blocking || c.disabled && carrier
	c.NoCarrier = c.disabled && !carrier // nobody is behind it, and it opens with whoever comes
	return c, nil
}

// switches takes numbers of 32 bits out of the list in one attribute. What an older kernel's list does not have is left out.
func switches(b []byte, list uint16, places map[string]int) (map[string]int32, error) {
	var m map[string]int32
	err := fields(b, sizes{list: 4}, func(_ uint16, d []byte) error {
		m = make(map[string]int32, len(places))
		for name, i := range places {
			if len(d) >= 4*i+4 {
				m[name] = int32(binary.NativeEndian.Uint32(d[4*i:]))
			}
		}
		return nil
	})
	return m, err
}

// Attributes of bridges and of their ports (include/uapi/linux/if_link.h), and the states of a port (include/uapi/linux/if_bridge.h): the spanning
// tree closes one, or is about to open it.
const (
	brVLANFiltering   = 7
	brNFCallIPTables  = 36
	brNFCallIP6Tables = 37
	brportState       = 1
	brportMode        = 4
	brportLearning    = 8
	brportFlood       = 9
	brportMulticast   = 27
	brportBroadcast   = 30
	brportIsolated    = 33
	brportLocked      = 39
	stateDisabled     = 0
	stateListening    = 1
	stateLearning     = 2
	stateBlocking     = 4
)

// bridge reads what is of a bridge, or of a port of one.
func (c *DevConf) bridge(b []byte) error {
	var kind, portOf string
	var data, port []byte
	err := fields(b, sizes{unix.IFLA_INFO_KIND: 1, unix.IFLA_INFO_SLAVE_KIND: 1, unix.IFLA_INFO_DATA: 0, unix.IFLA_INFO_SLAVE_DATA: 0}, func(k uint16, d []byte) error {
		switch k {
		case unix.IFLA_INFO_KIND:
			kind = CString(d)
		case unix.IFLA_INFO_SLAVE_KIND:
			portOf = CString(d)
		case unix.IFLA_INFO_DATA:
			data = d
		default:
			port = d
		}
		return nil
	})
	if err == nil && kind == "bridge" {
		err = fields(data, sizes{brVLANFiltering: 1, brNFCallIPTables: 1, brNFCallIP6Tables: 1}, func(k uint16, d []byte) error {
			on := map[uint16]*bool{brVLANFiltering: &c.VLANFiltering, brNFCallIPTables: &c.CallsIPTables, brNFCallIP6Tables: &c.CallsIP6Tables}
			*on[k] = d[0] != 0
			return nil
		})
	}
	if err != nil || portOf != "bridge" {
		return err
	}
	on := map[uint16]*bool{brportMode: &c.Hairpin, brportIsolated: &c.Isolated, brportLocked: &c.Locked}
	off := map[uint16]*bool{brportLearning: &c.NoLearning, brportFlood: &c.NoFlood, brportMulticast: &c.NoMulticast, brportBroadcast: &c.NoBroadcast}
	want := sizes{brportState: 1}
	for _, of := range []map[uint16]*bool{on, off} {
		for k := range of {
			want[k] = 1
		}
	}
	return fields(port, want, func(k uint16, d []byte) error {
		switch {
		case k == brportState:
			c.Blocking, c.disabled = d[0] == stateBlocking, d[0] == stateDisabled
			c.Opening = d[0] == stateListening || d[0] == stateLearning
		case on[k] != nil:
			*on[k] = d[0] != 0
		default:
			*off[k] = d[0] == 0
		}
		return nil
	})
}
