package certificate

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

// Flags of TCP (RFC 9293, RFC 3168): a connection begins with a SYN, beside which the sender sets these as it likes (net/ipv4/tcp_input.c:
// tcp_rcv_state_process).
const (
	flagSYN  = 0x02
	flagPSH  = 0x08
	flagURG  = 0x20
	flagECE  = 0x40
	flagCWR  = 0x80
	besides  = flagPSH | flagURG | flagECE | flagCWR
	attempts = 16 // as many ways to begin a connection
)

// rank numbers the flags of TCP so that those with which a connection can begin are the first ones, one after the other.
func rank(flags int) int64 {
	if flags&^besides != flagSYN {
		return attempts + int64(flags)
	}
	n := int64(0)
	for i, bit := range []int{flagPSH, flagURG, flagECE, flagCWR} {
		if flags&bit != 0 {
			n |= 1 << i
		}
	}
	return n
}

// flagsOf are the flags of a rank.
func flagsOf(rank int64) int {
	if rank >= attempts {
		return int(rank - attempts)
	}
	flags := flagSYN
	for i, bit := range []int{flagPSH, flagURG, flagECE, flagCWR} {
		if rank>>i&1 != 0 {
			flags |= bit
		}
	}
	return flags
}

// flagSpans are the ranks of the flags of a region: a SYN without more stands for all with which a connection can begin.
func flagSpans(flags int, sets []int) ([]span, error) {
	if len(sets) == 0 {
		if flags == flagSYN {
			return []span{{new(big.Int), big.NewInt(attempts - 1)}}, nil
		}
		sets = []int{flags}
	}
	ranks := make([]int64, len(sets))
	for i, f := range sets {
		if f < 0 || f > 255 {
			return nil, fmt.Errorf("flags %d", f)
		}
		ranks[i] = rank(f)
	}
	slices.Sort(ranks)
	if len(slices.Compact(slices.Clone(ranks))) != len(ranks) {
		return nil, fmt.Errorf("flags %v are there twice", sets)
	}
	var list []span
	for _, n := range ranks {
		if last := len(list) - 1; last >= 0 && list[last].hi.Int64() == n-1 {
			list[last].hi = big.NewInt(n)
			continue
		}
		list = append(list, span{big.NewInt(n), big.NewInt(n)})
	}
	return list, nil
}

// flagsToFollow are the flags of a box of TCP, of those that no rule tells apart one.
func (k *Checker) flagsToFollow(b *box) (list []int) {
	seen := map[int]bool{}
	for _, s := range b.dims[dimFlags] {
		for n := s.lo.Int64(); n <= s.hi.Int64(); n++ {
			flags := flagsOf(n)
			if alike := flags & (k.asked | ^besides); !seen[alike] {
				seen[alike] = true
				list = append(list, flags)
			}
		}
	}
	return list
}

// askedFlags are the flags beside SYN that rules ask for: by a part of the header that has them, of which a mask leaves some, or by a match.
func askedFlags(r *ruleset.Ruleset) (asked int) {
	if r == nil {
		return 0
	}
	for _, t := range r.Tables {
		for _, c := range t.Chains {
			for _, rule := range c.Rules {
				for i := range rule.Exprs {
					asked |= flagsAskedBy(rule.Exprs, i)
				}
			}
		}
	}
	return asked & besides
}

// flagsAskedBy are those that an expression asks for. What is read of another header counts if it goes beyond it (20 bytes of IPv4 behind 14 of Ethernet); the
// addresses of IPv6 are where that header ends.
func flagsAskedBy(list []ruleset.Expr, i int) int {
	const at, network, link = 13, 20, 34
	if x := list[i].Xt; x != nil {
		switch d := x.Decoded; {
		case d == nil: // nobody knows what it does, nor follows it
			return 0
		case d.Ports != nil:
			return int(d.Ports.FlagMask)
		case d.TCPFlags != nil, d.Written != nil:
			return besides
		}
		return 0
	}
	p := list[i].Payload
	if p == nil || p.Set {
		return 0
	}
	end := uint64(p.Offset) + uint64(p.Len)
	address := p.Len == 16 && (p.Offset == 8 || p.Offset == 24)
	switch p.Base {
	case ruleset.BaseTransport:
		if p.Offset > at || end <= at {
			return 0
		}
	case ruleset.BaseNetwork:
		if end <= network || address {
			return 0
		}
	case ruleset.BaseLink:
		if end <= link {
			return 0
		}
	}
	if p.Base == ruleset.BaseTransport && p.Len == 1 && i+1 < len(list) {
		if m := list[i+1].Bitwise; m != nil && m.Op == "mask" && m.Sreg == p.Dreg && m.Dreg == p.Dreg && len(m.Mask) == 1 {
			return int(m.Mask[0])
		}
	}
	return besides
}
