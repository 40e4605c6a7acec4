//go:build linux && !ringfence_portable

package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// RouteGroups are the groups of rtnetlink that tell of what decides about packets (RTNLGRP_*, include/uapi/linux/rtnetlink.h).
var RouteGroups = []uint32{
	unix.RTNLGRP_LINK, unix.RTNLGRP_TC, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_IFADDR,
	unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV6_RULE, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF, unix.RTNLGRP_NEXTHOP,
}

// routeEvents are what the messages of those groups are about, by the first number of each group of four (RTM_NEW*): the kernel numbers
// new, gone, asked for and set one after the other.
var routeEvents = map[uint16]string{
	unix.RTM_NEWLINK: "link", unix.RTM_NEWADDR: "address", unix.RTM_NEWROUTE: "route", unix.RTM_NEWRULE: "routing rule",
	unix.RTM_NEWQDISC: "queueing discipline", unix.RTM_NEWTCLASS: "traffic class", unix.RTM_NEWTFILTER: "traffic filter",
	unix.RTM_NEWNETCONF: "switch of forwarding or source validation", unix.RTM_NEWNEXTHOP: "next hop",
}

// routeCloned marks a route that the kernel made from another for itself (RTM_F_CLONED).
const routeCloned = 0x200

// ParseRouteEvent says in words what a message of rtnetlink is about. It reports false for one that changes nothing that is looked at.
func ParseRouteEvent(m netlink.Message) (what string, ok bool, err error) {
	kind := uint16(m.Header.Type)
	what, ok = routeEvents[kind&^3]
	if !ok {
		return "", false, nil
	}
	verb := "changed"
	if kind&3 == 1 {
		verb = "is gone"
	}
	switch kind &^ 3 {
	case unix.RTM_NEWLINK:
		if len(m.Data) < interfaceHeader {
			return "", true, fmt.Errorf("change of a link: %w", ErrTruncated)
		}
		err = fields(m.Data[interfaceHeader:], sizes{unix.IFLA_IFNAME: 1}, func(_ uint16, d []byte) error {
			what = "link " + CString(d)
			return nil
		})
		if err != nil {
			return "", true, fmt.Errorf("change of a link: %w", err)
		}
	case unix.RTM_NEWROUTE:
		if len(m.Data) < routeHeader {
			return "", true, fmt.Errorf("change of a route: %w", ErrTruncated)
		}
		if flags := m.Data[8:routeHeader]; binary.NativeEndian.Uint32(flags)&routeCloned != 0 {
			return "", false, nil
		}
	default:
	}
	return what + " " + verb, true, nil
}
