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

// The messages and attributes of IPsec policies (include/uapi/linux/xfrm.h).
const (
	xfrmGetPolicy  = 0x15
	xfrmNewPolicy  = 0x13
	xfrmGetDefault = 0x28
	xfrmaTmpl      = 5
	xfrmaMark      = 21
	xfrmaIfID      = 31
)

// The sizes of struct xfrm_userpolicy_id, xfrm_userpolicy_info and xfrm_user_tmpl, and where a template says that it is optional.
const (
	xfrmPolicyID   = 64
	xfrmPolicyInfo = 168
	xfrmTemplate   = 64
	xfrmOptional   = 50
)

// xfrmDirections are XFRM_POLICY_IN, XFRM_POLICY_OUT and XFRM_POLICY_FWD. What is above belongs to a socket.
var xfrmDirections = []string{"in", "out", "fwd"}

// ListPolicies asks for the IPsec policies.
func ListPolicies() netlink.Message {
	return netlink.Message{Header: netlink.Header{Type: xfrmGetPolicy, Flags: netlink.Request | netlink.Dump}, Data: make([]byte, xfrmPolicyID)}
}

// GetPolicyDefault asks for what happens where no policy matches.
func GetPolicyDefault() netlink.Message {
	return netlink.Message{Header: netlink.Header{Type: xfrmGetDefault, Flags: netlink.Request}, Data: make([]byte, 4)}
}

// ParsePolicyDefault reads struct xfrm_userpolicy_default: the directions in which what no policy matches is dropped.
func ParsePolicyDefault(m netlink.Message) (blocked []string, err error) {
	if m.Header.Type != xfrmGetDefault || len(m.Data) < 3 {
		return nil, fmt.Errorf("default policy: %w", ErrTruncated)
	}
	const block = 1 // XFRM_USERPOLICY_BLOCK
	for i, dir := range []string{"in", "fwd", "out"} {
		if m.Data[i] == block {
			blocked = append(blocked, dir)
		}
	}
	return blocked, nil
}

// ParsePolicy reads a struct xfrm_userpolicy_info and its attributes. It reports false for a policy of one socket.
func ParsePolicy(b []byte) (p snapshot.XFRMPolicy, ok bool, err error) {
	if len(b) < xfrmPolicyInfo {
		return p, false, fmt.Errorf("policy: %w", ErrTruncated)
	}
	if p, ok = xfrmSelector(b); !ok {
		return p, false, fmt.Errorf("policy: a selector of family %d with prefixes of %d and %d bits", binary.NativeEndian.Uint16(b[40:]), b[42], b[43])
	}
	p.Priority, p.Index = binary.NativeEndian.Uint32(b[152:]), binary.NativeEndian.Uint32(b[156:])
	if int(b[160]) >= len(xfrmDirections) {
		return p, false, nil
	}
	p.Dir, p.Block = xfrmDirections[b[160]], b[161] != 0
	err = fields(b[xfrmPolicyInfo:], sizes{xfrmaTmpl: xfrmTemplate, xfrmaMark: 8, xfrmaIfID: 4}, func(kind uint16, d []byte) error {
		switch kind {
		case xfrmaMark:
			p.Mark, p.Mask = binary.NativeEndian.Uint32(d), binary.NativeEndian.Uint32(d[4:])
		case xfrmaIfID:
			p.IfID = binary.NativeEndian.Uint32(d)
		case xfrmaTmpl:
			for ; len(d) >= xfrmTemplate; d = d[xfrmTemplate:] {
				p.Templates++
				if d[xfrmOptional] == 0 {
					p.Required++
				}
			}
		}
		return nil
	})
	if err != nil {
		return p, false, fmt.Errorf("policy: %w", err)
	}
	return p, true, nil
}

// xfrmSelector reads a struct xfrm_selector.
func xfrmSelector(b []byte) (p snapshot.XFRMPolicy, ok bool) {
	big := binary.BigEndian.Uint16
	p.Dport, p.DportMask, p.Sport, p.SportMask = big(b[32:]), big(b[34:]), big(b[36:]), big(b[38:])
	p.Proto, p.Ifindex = int(b[44]), int(int32(binary.NativeEndian.Uint32(b[48:])))
	size := 4
	switch binary.NativeEndian.Uint16(b[40:]) {
	case unix.AF_INET:
		p.Family = 4
	case unix.AF_INET6:
		p.Family, size = 6, 16
	case 0:
		return p, b[42] == 0 && b[43] == 0 // for both families
	default:
		return p, false
	}
	for i, to := range []*string{&p.Dst, &p.Src} {
		a, _ := netip.AddrFromSlice(b[16*i : 16*i+size])
		prefix := netip.PrefixFrom(a, int(b[42+i]))
		if !prefix.IsValid() {
			return p, false
		}
		*to = prefix.String()
	}
	return p, true
}
