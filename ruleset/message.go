package ruleset

import (
	"encoding/binary"
	"slices"
)

// Message is one message of nf_tables as the kernel tells it, without its header.
type Message struct {
	Kind   int   `json:"kind"`   // NFT_MSG_NEW*
	Family uint8 `json:"family"` // NFPROTO_*
	Data   Hex   `json:"data"`   // attributes
}

// The messages of nf_tables (enum nf_tables_msg_types).
const (
	msgNewTable   = 0
	msgNewChain   = 3
	msgNewRule    = 6
	msgNewSet     = 9
	msgNewSetElem = 12
	msgNewObj     = 18
)

// accepted is the attributes of a message that the kernel takes as well as tells: not handles, use counts and
// the like (net/netfilter/nf_tables_api.c, nft_*_policy).
var accepted = map[int][]uint16{
	msgNewTable: {1, 2, 6}, msgNewChain: {1, 3, 4, 5, 7, 10, 12}, msgNewObj: {1, 2, 3, 4, 8},
	msgNewSet: {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 17, 18}, msgNewSetElem: {1, 2, 3}, msgNewRule: {1, 2, 4, 5, 7},
}

// Table is the name of the table that a message is about: the first attribute of every kind.
func (m *Message) Table() string {
	name := ""
	_ = attrs(m.Data, func(a attr) error { // of what is cut off there is no name
		if a.kind == 1 && name == "" {
			name = text(a.data)
		}
		return nil
	})
	return name
}

// Again turns a message into one that loads the same again. id numbers the sets of a transaction. It reports
// false for what cannot be loaded again: a flowtable.
func (m *Message) Again(id uint32) ([]byte, bool) {
	want, ok := accepted[m.Kind]
	if !ok {
		return nil, false
	}
	var out []byte
	err := attrs(m.Data, func(a attr) error {
		for _, k := range want {
			if a.kind != k {
				continue
			}
			data := a.data
			if m.Kind == msgNewTable && k == 2 { // dormant, but never owned
				data = binary.BigEndian.AppendUint32(nil, u32(a.data)&1)
			}
			if m.Kind == msgNewRule && k == 4 {
				data = loadable(a.data)
			}
			out = appendAttr(out, k|holdsOthers(m.Kind, k), data)
		}
		return nil
	})
	if err != nil {
		return nil, false
	}
	switch m.Kind {
	case msgNewSet:
		out = appendAttr(out, 10, binary.BigEndian.AppendUint32(nil, id)) // NFTA_SET_ID
	case msgNewRule:
		if proto, invert, ok := compatible(m.Data); ok {
			flags := uint32(0)
			if invert {
				flags = 2 // NFT_RULE_COMPAT_F_INV
			}
			b := appendAttr(nil, 1, binary.BigEndian.AppendUint32(nil, proto))
			b = appendAttr(b, 2, binary.BigEndian.AppendUint32(nil, flags))
			out = appendAttr(out, 5|nestedBit, b) // NFTA_RULE_COMPAT
		}
	}
	return out, true
}

// loadable is the expressions of a rule without what the kernel tells of them and does not take (untaken). What is not as expected stays as it is,
// and the kernel judges it.
func loadable(list []byte) []byte {
	const exprName, exprData, dynsetExpr, dynsetExprs = 1, 2, 7, 10
	var out []byte
	err := attrs(list, func(elem attr) error {
		var name, data []byte
		if err := attrs(elem.data, func(a attr) error {
			switch a.kind {
			case exprName:
				name = a.data
			case exprData:
				data = a.data
			}
			return nil
		}); err != nil {
			return err
		}
		not, ok := untaken[string(name)]
		if !ok {
			out = appendAttr(out, elem.kind|nestedBit, elem.data)
			return nil
		}
		has, kept := map[uint16]bool{}, []byte(nil)
		if err := attrs(data, func(a attr) error { has[a.kind] = true; return nil }); err != nil {
			return err
		}
		if err := attrs(data, func(a attr) error {
			if not(&a, has) {
				return nil
			}
			kind := a.kind
			if string(name) == "dynset\x00" && (kind == dynsetExpr || kind == dynsetExprs) {
				kind |= nestedBit
			}
			kept = appendAttr(kept, kind, a.data)
			return nil
		}); err != nil {
			return err
		}
		out = appendAttr(out, elem.kind|nestedBit, appendAttr(appendAttr(nil, exprName, name), exprData|nestedBit, kept))
		return nil
	})
	if err != nil {
		return list
	}
	return out
}

// untaken says by the name of an expression which of its attributes, beside those that it has, the kernel tells and does not take:
//
//   - of every rule that updates a set a timeout of nothing, which a set whose elements do not expire refuses (net/netfilter/nft_dynset.c);
//   - flags of none of a fingerprint of a system (nft_osf.c);
//   - flags of an option of TCP that is written, and of one that is taken out whatever says which part of it (nft_exthdr.c).
var untaken = map[string]func(a *attr, has map[uint16]bool) bool{
	"dynset\x00": func(a *attr, _ map[uint16]bool) bool { return a.kind == 6 && zero(a.data) },
	"osf\x00":    func(a *attr, _ map[uint16]bool) bool { return a.kind == 3 && zero(a.data) },
	"exthdr\x00": func(a *attr, has map[uint16]bool) bool {
		const dreg, offset, length, flags, sreg = 1, 3, 4, 5, 7
		return !has[dreg] && (a.kind == flags || !has[sreg] && (a.kind == offset || a.kind == length))
	},
}

func zero(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) }

const nestedBit = 0x8000 // NLA_F_NESTED

// holdsOthers says of attributes that hold others that they do.
func holdsOthers(kind int, attr uint16) uint16 {
	switch {
	case kind == msgNewChain && attr == 4, kind == msgNewSet && (attr == 9 || attr == 17 || attr == 18),
		kind == msgNewSetElem && attr == 3, kind == msgNewRule && attr == 4, kind == msgNewObj && attr == 4:
		return nestedBit
	}
	return 0
}

func appendAttr(b []byte, kind uint16, data []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(data)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// compatible is the protocol of a rule with iptables extensions, which the kernel asks for again but does
// not tell: the one that the rule compares before.
func compatible(data []byte) (proto uint32, invert, ok bool) {
	_, _, r, err := DecodeRule(data)
	if err != nil {
		return 0, false, false
	}
	for i := range r.Exprs {
		e := &r.Exprs[i]
		switch {
		case e.Xt != nil:
			return proto, invert, true
		case e.Cmp != nil && i > 0 && len(e.Cmp.Data) >= 1 && protocolLoad(&r.Exprs[i-1]):
			proto, invert = uint32(e.Cmp.Data[0]), e.Cmp.Op == OpNeq
		}
	}
	return 0, false, false
}

func protocolLoad(e *Expr) bool {
	return e.Meta != nil && !e.Meta.Set && e.Meta.Key == MetaL4proto ||
		e.Payload != nil && !e.Payload.Set && e.Payload.Base == BaseNetwork && e.Payload.Len == 1 && (e.Payload.Offset == 9 || e.Payload.Offset == 6)
}
