package snapshot

import (
	"fmt"
	"net/netip"
	"slices"
)

// XFRM is the IPsec policies of a network namespace (ip-xfrm(8)). State is present where they were read, absent where the kernel has none.
type XFRM struct {
	State  Status `json:"state"`            // present, absent (without IPsec in the kernel), denied, error
	Reason string `json:"reason,omitempty"` // why the policies could not be read; empty if they were
	// Policies are in the order in which they are asked: by priority, the oldest of one priority first.
	Policies []XFRMPolicy `json:"policies,omitempty"`
	// Blocked are the directions in which what no policy matches is dropped.
	Blocked []string `json:"blocked,omitempty"`
}

// XFRMPolicy is one policy: what its selector matches is dropped, passes as it is, or has to be protected as its templates say.
type XFRMPolicy struct {
	Dir    string `json:"dir"`              // in, fwd or out
	Family int    `json:"family,omitempty"` // 4 or 6; 0 is both, without prefixes
	Src    string `json:"src,omitempty"`    // prefix that the sender is in; empty is any of either family
	Dst    string `json:"dst,omitempty"`    // prefix that the destination is in; empty is any of either family
	// Proto is a protocol number, 0 any. Ports count in the bits of their masks.
	Proto     int    `json:"proto,omitempty"`
	Sport     uint16 `json:"sport,omitempty"`     // source port, in the bits of its mask
	SportMask uint16 `json:"sportMask,omitempty"` // bits of the source port that are compared; 0 is any port
	Dport     uint16 `json:"dport,omitempty"`     // destination port, in the bits of its mask
	DportMask uint16 `json:"dportMask,omitempty"` // bits of the destination port that are compared; 0 is any port
	Ifindex   int    `json:"ifindex,omitempty"`   // index of the interface that packets come in or go out by; 0 is any
	Mark      uint32 `json:"mark,omitempty"`      // mark of packets, in the bits of mask
	Mask      uint32 `json:"mask,omitempty"`      // bits of the mark that are compared; 0: the mark is not asked for
	IfID      uint32 `json:"ifId,omitempty"`      // of XFRM interfaces alone
	Priority  uint32 `json:"priority,omitempty"`  // the lowest is asked first
	Index     uint32 `json:"index,omitempty"`     // number by which the kernel tells policies apart
	Block     bool   `json:"block,omitempty"`     // what it matches is dropped
	// Templates is how many the policy has, Required how many of them are not optional.
	Templates int `json:"templates,omitempty"`
	Required  int `json:"required,omitempty"` // how many templates are not optional
}

// Directions are those of an IPsec policy: what is delivered, what is sent, what is forwarded.
var directions = []string{"in", "out", "fwd"}

// Needs says whether plain packets that the policy matches do not pass: they are dropped, or have to be protected.
func (p *XFRMPolicy) Needs() bool {
	return p.Block || p.Required > 0 || p.Dir == "out" && p.Templates > 0
}

// check looks at the policies of one namespace.
func (x *XFRM) check(path string) error {
	if x == nil {
		return nil
	}
	if err := oneOf(x.State, factStates, "%s.state", path); err != nil {
		return err
	}
	for i := range x.Policies {
		p := &x.Policies[i]
		if err := oneOf(p.Dir, directions, "%s.policies[%d].dir", path, i); err != nil {
			return err
		}
		if p.Family != 0 && p.Family != 4 && p.Family != 6 {
			return wrong("neither 4 nor 6", "%s.policies[%d].family", path, i)
		}
		for name, text := range map[string]string{"src": p.Src, "dst": p.Dst} {
			prefix, err := netip.ParsePrefix(text)
			if (text != "" || p.Family != 0) && (err != nil || prefix.Addr().Is4() != (p.Family == 4)) {
				return wrong("no prefix of the family", "%s.policies[%d].%s", path, i, name)
			}
		}
		if p.Templates < 0 || p.Required < 0 || p.Proto < 0 || p.Proto > 255 {
			return wrong("a number that cannot be", "%s.policies[%d]", path, i)
		}
	}
	if !slices.IsSortedFunc(x.Policies, func(a, b XFRMPolicy) int { return int(int64(a.Priority) - int64(b.Priority)) }) {
		return wrong("not by priority", "%s.policies", path)
	}
	for i, dir := range x.Blocked {
		if err := oneOf(dir, directions, "%s.blocked[%d]", path, i); err != nil {
			return err
		}
	}
	return nil
}

// String tells a policy as ip-xfrm(8) does, shortly.
func (p *XFRMPolicy) String() string {
	what := "allow"
	switch {
	case p.Block:
		what = "block"
	case p.Templates > 0:
		what = "protect"
	}
	return fmt.Sprintf("IPsec policy %s src %s dst %s: %s", p.Dir, or(p.Src, "any"), or(p.Dst, "any"), what)
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
