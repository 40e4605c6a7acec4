//go:build linux && !ringfence_portable

package checks

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"

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

// readRules reads the policy rules of one family. It reads the messages itself: the library loses the
// action, so that a rule that drops would be taken for one that looks up.
func (s *Scan) readRules(ns *os.File, family int) ([]snapshot.PolicyRule, error) {
	conn, err := s.Host.Netlink(unix.NETLINK_ROUTE, ns)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	af := map[int]byte{4: unix.AF_INET, 6: unix.AF_INET6}[family]
	_, err = conn.Send(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETRULE, Flags: netlink.Request | netlink.Dump}, Data: append([]byte{af}, make([]byte, 11)...),
	})
	if err != nil {
		return nil, fmt.Errorf("list policy rules: %w", err)
	}
	var list []snapshot.PolicyRule
	for m, err := range conn.ReceiveIter() {
		if err != nil {
			return nil, fmt.Errorf("list policy rules: %w", err)
		}
		r, err := policyRule(family, m.Data)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// policyRule decodes a struct fib_rule_hdr and its attributes. A selector that is not known makes the
// rule one that cannot be decided.
func policyRule(family int, b []byte) (snapshot.PolicyRule, error) {
	if len(b) < 12 {
		return snapshot.PolicyRule{}, fmt.Errorf("policy rule of %d bytes", len(b))
	}
	dstLen, srcLen := int(b[1]), int(b[2])
	const invert = 2 // FIB_RULE_INVERT
	r := snapshot.PolicyRule{
		Family: family, Tos: int(b[3]), Table: int(b[4]), Invert: binary.NativeEndian.Uint32(b[8:])&invert != 0,
		Action: ruleActions[b[7]],
	}
	if r.Action == "" {
		r.Action = fmt.Sprintf("action-%d", b[7])
	}
	attrs, err := netlink.UnmarshalAttributes(b[12:])
	if err != nil {
		return r, fmt.Errorf("policy rule: %w", err)
	}
	for _, a := range attrs {
		ruleAttribute(&r, a.Type&0x3fff, a.Data, srcLen, dstLen)
	}
	return r, nil
}

func ruleAttribute(r *snapshot.PolicyRule, kind uint16, d []byte, srcLen, dstLen int) {
	word := func() int {
		switch {
		case len(d) >= 4:
			return int(binary.NativeEndian.Uint32(d))
		case len(d) >= 1:
			return int(d[0])
		}
		return 0
	}
	ports := func() [2]int {
		if len(d) < 4 {
			return [2]int{}
		}
		return [2]int{int(binary.NativeEndian.Uint16(d)), int(binary.NativeEndian.Uint16(d[2:]))}
	}
	prefix := func(bits int) string {
		a, ok := netip.AddrFromSlice(d)
		if !ok {
			return ""
		}
		return netip.PrefixFrom(a, bits).String()
	}
	name := func() string { return strings.TrimRight(string(d), "\x00") }
	switch kind {
	case fraDst:
		r.Dst = prefix(dstLen)
	case fraSrc:
		r.Src = prefix(srcLen)
	case fraIifname:
		r.Iif = name()
	case fraOifname:
		r.Oif = name()
	case fraGoto:
		r.Goto = word()
	case fraPriority:
		r.Priority = word()
	case fraFwmark:
		r.Mark = uint32(word())
	case fraFwmask:
		r.Mask = uint32(word())
	case fraTable:
		r.Table = word()
	case fraIPProto:
		r.IPProto = word()
	case fraSport:
		r.Sport = ports()
	case fraDport:
		r.Dport = ports()
	case fraSuppressPrefix:
		if n := int32(word()); n >= 0 {
			r.SuppressBits = int(n) + 1
		}
	case fraSuppressIfgrp:
		r.Other = r.Other || int32(word()) >= 0
	case fraSportMask, fraDportMask: // 0 with a range, all ones with one port
		mask := 0
		if len(d) >= 2 {
			mask = int(binary.NativeEndian.Uint16(d))
		}
		r.Other = r.Other || mask != 0 && mask != 0xffff
	case fraPad, fraProtocol, fraFlow:
	default: // a tunnel, a user, an l3mdev, or what a newer kernel has
		r.Other = true
	}
}
