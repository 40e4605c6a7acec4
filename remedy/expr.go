package remedy

import (
	"encoding/binary"

	"github.com/ringfence/ringfence/ruleset"
)

// The expressions that our rules are made of, all by the first of the registers of 16 bytes (NFT_REG_1).

func meta(key uint32) ruleset.Expr {
	return ruleset.Expr{Name: "meta", Meta: &ruleset.Meta{Key: key, Dreg: 1}}
}

// metaInto loads into another register.
func metaInto(key, reg uint32) ruleset.Expr {
	return ruleset.Expr{Name: "meta", Meta: &ruleset.Meta{Key: key, Dreg: reg}}
}

func ct(key uint32) ruleset.Expr {
	return ruleset.Expr{Name: "ct", Ct: &ruleset.Ct{Key: key, Dreg: 1}}
}

// transport loads bytes of the header of TCP, UDP or ICMP.
func transport(offset, n uint32) ruleset.Expr {
	return ruleset.Expr{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: offset, Len: n, Dreg: 1}}
}

// masked keeps the bits of the mask.
func masked(mask []byte) ruleset.Expr {
	return ruleset.Expr{Name: "bitwise", Bitwise: &ruleset.Bitwise{
		Sreg: 1, Dreg: 1, Len: uint32(len(mask)), Mask: mask, Xor: make([]byte, len(mask)), Op: "mask",
	}}
}

func compared(op string, data []byte) ruleset.Expr {
	return ruleset.Expr{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: op, Data: data}}
}

func equals(data []byte) ruleset.Expr  { return compared(ruleset.OpEq, data) }
func differs(data []byte) ruleset.Expr { return compared(ruleset.OpNeq, data) }

// lookup asks whether a set of the table has what was loaded, or with invert has not.
func lookup(set string, invert bool) ruleset.Expr {
	return ruleset.Expr{Name: "lookup", Lookup: &ruleset.Lookup{Set: set, Sreg: 1, Invert: invert}}
}

func counter() ruleset.Expr { return ruleset.Expr{Name: "counter", Plain: true} }

func verdict(kind string) ruleset.Expr {
	return ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: kind}}}
}

// network and native are numbers as packets and as the kernel's own registers have them.
func network(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }
func native(n uint32) []byte  { return binary.NativeEndian.AppendUint32(nil, n) }
