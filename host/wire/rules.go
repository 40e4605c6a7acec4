//go:build linux && !ringfence_portable

package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/snapshot"
)

// The attributes of a policy rule (FRA_*, include/uapi/linux/fib_rules.h).
const (
	fraDst            = 1
	fraSrc            = 2
	fraIifname        = 3
	fraGoto           = 4
	fraPriority       = 6
	fraFwmark         = 10
	fraFlow           = 11
	fraSuppressIfgrp  = 13
	fraSuppressPrefix = 14
	fraTable          = 15
	fraFwmask         = 16
	fraOifname        = 17
	fraPad            = 18
	fraUIDRange       = 20
	fraProtocol       = 21
	fraIPProto        = 22
	fraSport          = 23
	fraDport          = 24
	fraSportMask      = 28
	fraDportMask      = 29
)

// ruleActions are the actions of a policy rule (FR_ACT_*).
var ruleActions = map[uint8]string{
	0: "lookup", 1: "lookup", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit",
}

// ruleHeader is the size of struct fib_rule_hdr.
const ruleHeader = 12

// ListRules asks for the policy rules of a family (AF_INET or AF_INET6).
func ListRules(family uint8) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETRULE, Flags: netlink.Request | netlink.Dump},
		Data:   append([]byte{family}, make([]byte, ruleHeader-1)...),
	}
}

// ParseRule reads a struct fib_rule_hdr and its attributes. A selector that is not known makes the rule one that cannot be decided (Other).
func ParseRule(b []byte) (snapshot.PolicyRule, error) {
	if len(b) < ruleHeader {
		return snapshot.PolicyRule{}, fmt.Errorf("policy rule: %w", ErrTruncated)
	}
	const invert = 2 // FIB_RULE_INVERT
	r := snapshot.PolicyRule{
		Family: 4, Tos: int(b[3]), Table: int(b[4]), Invert: binary.NativeEndian.Uint32(b[8:])&invert != 0, Action: ruleActions[b[7]],
	}
	if b[0] == unix.AF_INET6 {
		r.Family = 6
	}
	if r.Action == "" {
		r.Action = fmt.Sprintf("action-%d", b[7])
	}
	dstLen, srcLen := int(b[1]), int(b[2])
	err := Each(b[ruleHeader:], func(kind uint16, d []byte) error {
		n, ok := ruleFields[kind]
		switch {
		case !ok:
			r.Other = true // a tunnel, an l3mdev, or what a newer kernel has
		case len(d) < n:
			return fmt.Errorf("attribute %d of %d bytes: %w", kind, len(d), ErrTruncated)
		case kind == fraDst:
			return rulePrefix(&r.Dst, d, dstLen)
		case kind == fraSrc:
			return rulePrefix(&r.Src, d, srcLen)
		case kind == fraUIDRange: // struct fib_rule_uid_range
			r.UIDs = &snapshot.UIDRange{First: binary.NativeEndian.Uint32(d), Last: binary.NativeEndian.Uint32(d[4:])}
		case n == 4:
			ruleNumber(&r, kind, d)
		default:
			ruleOther(&r, kind, d)
		}
		return nil
	})
	if err != nil {
		return r, fmt.Errorf("policy rule: %w", err)
	}
	return r, nil
}

// ruleFields are the attributes of a policy rule that are known.
var ruleFields = sizes{
	fraDst: 0, fraSrc: 0, fraIifname: 1, fraOifname: 1, fraIPProto: 1, fraSportMask: 2, fraDportMask: 2, fraPad: 0, fraProtocol: 0, fraFlow: 4,
	fraUIDRange: 8, fraGoto: 4, fraPriority: 4, fraFwmark: 4, fraFwmask: 4, fraTable: 4, fraSport: 4, fraDport: 4, fraSuppressPrefix: 4, fraSuppressIfgrp: 4,
}

func rulePrefix(to *string, d []byte, bits int) error {
	a, err := address(d)
	if err != nil {
		return err
	}
	p := netip.PrefixFrom(a, bits)
	if !p.IsValid() {
		return fmt.Errorf("prefix length %d: %w", bits, ErrTruncated)
	}
	*to = p.String()
	return nil
}

// ruleNumber takes in an attribute of four bytes.
func ruleNumber(r *snapshot.PolicyRule, kind uint16, d []byte) {
	n := binary.NativeEndian.Uint32(d)
	ports := func() [2]int { // struct fib_rule_port_range
		return [2]int{int(binary.NativeEndian.Uint16(d)), int(binary.NativeEndian.Uint16(d[2:]))}
	}
	switch kind {
	case fraGoto:
		r.Goto = int(n)
	case fraPriority:
		r.Priority = int(n)
	case fraFwmark:
		r.Mark = n
	case fraFwmask:
		r.Mask = n
	case fraTable:
		r.Table = int(n)
	case fraSport:
		r.Sport = ports()
	case fraDport:
		r.Dport = ports()
	case fraSuppressPrefix:
		if n := int32(n); n >= 0 {
			r.SuppressBits = int(n) + 1
		}
	case fraFlow:
		r.Realms = n != 0
	case fraSuppressIfgrp:
		r.Other = r.Other || int32(n) >= 0
	}
}

func ruleOther(r *snapshot.PolicyRule, kind uint16, d []byte) {
	switch kind {
	case fraIifname:
		r.Iif = CString(d)
	case fraOifname:
		r.Oif = CString(d)
	case fraIPProto:
		r.IPProto = int(d[0])
	case fraSportMask, fraDportMask: // 0 with a range, all ones with one port
		mask := binary.NativeEndian.Uint16(d)
		r.Other = r.Other || mask != 0 && mask != 0xffff
	}
}
