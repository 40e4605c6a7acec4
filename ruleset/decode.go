package ruleset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// ErrTruncated is returned for netlink attributes that end early.
var ErrTruncated = errors.New("netlink attributes end early")

// The kernel's NFTA_* numbers below are from include/uapi/linux/netfilter/nf_tables.h.

type attr struct {
	kind uint16
	data []byte
}

// attrs walks the attributes of b. Nested and byte order flags are stripped.
func attrs(b []byte, each func(attr) error) error {
	for len(b) > 0 {
		kind, data, rest, err := nextAttr(b)
		if err != nil {
			return err
		}
		if err := each(attr{kind, data}); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// attrSet is attributes by number. Those beyond its end are only counted: no message that is read here
// has a number as high with a meaning that is known.
type attrSet struct {
	at   [24][]byte
	more bool
}

// fields collects the attributes by number; a number that occurs twice keeps the last.
func fields(b []byte) (m attrSet, err error) {
	for len(b) > 0 {
		kind, data, rest, err := nextAttr(b)
		if err != nil {
			return m, err
		}
		if int(kind) < len(m.at) {
			m.at[kind] = data
		} else {
			m.more = true
		}
		b = rest
	}
	return m, nil
}

// nextAttr cuts the first attribute off.
func nextAttr(b []byte) (kind uint16, data, rest []byte, err error) {
	if len(b) < 4 {
		return 0, nil, nil, ErrTruncated
	}
	n := int(binary.NativeEndian.Uint16(b))
	if n < 4 || n > len(b) {
		return 0, nil, nil, ErrTruncated
	}
	return binary.NativeEndian.Uint16(b[2:]) & 0x3fff, b[4:n], b[min((n+3)&^3, len(b)):], nil
}

func u32(b []byte) uint32 {
	switch {
	case len(b) >= 4:
		return binary.BigEndian.Uint32(b)
	case len(b) == 2:
		return uint32(binary.BigEndian.Uint16(b))
	case len(b) == 1:
		return uint32(b[0])
	}
	return 0
}

func u64(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	return uint64(u32(b))
}

func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return strings.ToValidUTF8(string(b), "�")
}

func clone(b []byte) Hex { return append(Hex{}, b...) }

// FamilyName names a netfilter family (NFPROTO_*).
func FamilyName(n uint8) string {
	switch n {
	case 1:
		return FamilyInet
	case 2:
		return FamilyIP
	case 3:
		return FamilyARP
	case 5:
		return FamilyNetdev
	case 7:
		return FamilyBridge
	case 10:
		return FamilyIP6
	}
	return fmt.Sprintf("family-%d", n)
}

// DecodeTable decodes the attributes of an NFT_MSG_NEWTABLE message.
func DecodeTable(family uint8, b []byte) (Table, error) {
	m, err := fields(b)
	if err != nil {
		return Table{}, fmt.Errorf("table: %w", err)
	}
	return Table{
		Family: FamilyName(family), Name: text(m.at[1]), Handle: u64(m.at[4]),
		Dormant: u32(m.at[2])&1 != 0, Owner: u32(m.at[7]), Comment: comment(m.at[6]),
	}, nil
}

// hookName names a hook. Numbers mean different hooks in the netdev family, and inet's ingress has
// a number of its own (NF_INET_INGRESS, include/uapi/linux/netfilter.h).
func hookName(family uint8, n uint32) string {
	names := []string{"prerouting", "input", "forward", "output", "postrouting", "ingress"}
	switch family {
	case 5:
		names = []string{"ingress", "egress"}
	case 3:
		names = []string{"input", "output", "forward"}
	}
	if int(n) < len(names) {
		return names[n]
	}
	return fmt.Sprintf("hook-%d", n)
}

// DecodeChain decodes the attributes of an NFT_MSG_NEWCHAIN message and names its table.
func DecodeChain(family uint8, b []byte) (string, Chain, error) {
	m, err := fields(b)
	if err != nil {
		return "", Chain{}, fmt.Errorf("chain: %w", err)
	}
	c := Chain{Name: text(m.at[3]), Handle: u64(m.at[2])}
	if m.at[4] == nil {
		return text(m.at[1]), c, nil
	}
	h, err := fields(m.at[4])
	if err != nil {
		return "", Chain{}, fmt.Errorf("hook of chain %q: %w", c.Name, err)
	}
	c.Base = &Base{
		Type: text(m.at[7]), Hook: hookName(family, u32(h.at[1])), Priority: int32(u32(h.at[2])),
		Policy: Accept,
	}
	if m.at[5] != nil && u32(m.at[5]) == 0 {
		c.Base.Policy = Drop
	}
	if h.at[3] != nil {
		c.Base.Devices = append(c.Base.Devices, text(h.at[3]))
	}
	err = attrs(h.at[4], func(a attr) error {
		if d := text(a.data); h.at[3] == nil || d != text(h.at[3]) {
			c.Base.Devices = append(c.Base.Devices, d)
		}
		return nil
	})
	return text(m.at[1]), c, err
}

// DecodeRule decodes the attributes of an NFT_MSG_NEWRULE message.
func DecodeRule(b []byte) (table, chain string, rule Rule, err error) {
	m, err := fields(b)
	if err != nil {
		return "", "", Rule{}, fmt.Errorf("rule: %w", err)
	}
	rule = Rule{Handle: u64(m.at[3]), Comment: comment(m.at[7])}
	rule.Exprs, err = decodeList(m.at[4])
	return text(m.at[1]), text(m.at[2]), rule, err
}

// comment reads nft's rule comment from the user data, a list of (type u8, length u8, bytes). It
// is whatever the ruleset's author put there, so a malformed one is simply no comment.
func comment(b []byte) string {
	for len(b) >= 2 {
		kind, n := b[0], int(b[1])
		if len(b) < 2+n {
			return ""
		}
		if kind == 0 {
			return text(b[2 : 2+n])
		}
		b = b[2+n:]
	}
	return ""
}

func decodeList(b []byte) ([]Expr, error) {
	n := 0
	_ = attrs(b, func(attr) error { n++; return nil }) // what is broken is found below
	exprs := make([]Expr, 0, n)
	err := attrs(b, func(a attr) error {
		e, err := decodeExpr(a.data)
		exprs = append(exprs, e)
		return err
	})
	return exprs, err
}

// CountExprs counts the expressions of an NFT_MSG_NEWRULE message without decoding them: the other
// side of the comparison which shows that none is lost.
func CountExprs(b []byte) (int, error) {
	m, err := fields(b)
	if err != nil {
		return 0, err
	}
	n := 0
	err = attrs(m.at[4], func(attr) error { n++; return nil })
	return n, err
}

func decodeVerdict(b []byte) (*Verdict, error) {
	m, err := fields(b)
	if err != nil {
		return nil, fmt.Errorf("verdict: %w", err)
	}
	v := &Verdict{Chain: text(m.at[2])}
	switch code := int32(u32(m.at[1])); code {
	case 0:
		v.Kind = Drop
	case 1:
		v.Kind = Accept
	case 2:
		v.Kind = Stolen
	case -1:
		v.Kind = Continue
	case -2:
		v.Kind = "break"
	case -3:
		v.Kind = Jump
	case -4:
		v.Kind = Goto
	case -5:
		v.Kind = Return
	default:
		v.Kind = fmt.Sprintf("verdict-%d", code)
		if code&0xff == 3 {
			v.Kind = Queue
		}
	}
	return v, nil
}

// decodeData decodes NFTA_DATA_*: a value or a verdict.
func decodeData(b []byte) (Hex, *Verdict, error) {
	m, err := fields(b)
	if err != nil {
		return nil, nil, fmt.Errorf("data: %w", err)
	}
	if m.at[2] != nil {
		v, err := decodeVerdict(m.at[2])
		return nil, v, err
	}
	return clone(m.at[1]), nil, nil
}

// DecodeSet decodes the attributes of an NFT_MSG_NEWSET message and names its table.
func DecodeSet(b []byte) (string, Set, error) {
	m, err := fields(b)
	if err != nil {
		return "", Set{}, fmt.Errorf("set: %w", err)
	}
	f := u32(m.at[3])
	s := Set{
		Name: text(m.at[2]), Anonymous: f&1 != 0, Constant: f&2 != 0, Interval: f&4 != 0,
		Map: f&8 != 0, Timeout: f&0x10 != 0, Dynamic: f&0x20 != 0, Objects: f&0x40 != 0,
		KeyType: u32(m.at[4]), KeyLen: u32(m.at[5]), DataType: u32(m.at[6]), DataLen: u32(m.at[7]),
		TimeoutMs: u64(m.at[11]), ObjectType: u32(m.at[15]),
	}
	desc, err := fields(m.at[9])
	if err != nil {
		return "", Set{}, fmt.Errorf("set %q: %w", s.Name, err)
	}
	s.Size = u32(desc.at[1])
	err = attrs(desc.at[2], func(a attr) error {
		d, err := fields(a.data)
		s.FieldLens = append(s.FieldLens, u32(d.at[1]))
		return err
	})
	return text(m.at[1]), s, err
}

// DecodeElements decodes the elements of an NFT_MSG_NEWSETELEM message.
func DecodeElements(b []byte) ([]Element, error) {
	m, err := fields(b)
	if err != nil {
		return nil, fmt.Errorf("set elements: %w", err)
	}
	els := make([]Element, 0, len(m.at[3])/leastElement+1)
	keys := make([]byte, 0, len(m.at[3])/2) // of plain elements, one after the other
	err = attrs(m.at[3], func(a attr) error {
		if key, end, ok := plainElement(a.data); ok && len(key) <= cap(keys)-len(keys) {
			keys = append(keys, key...)
			els = append(els, Element{Key: keys[len(keys)-len(key) : len(keys) : len(keys)], IntervalEnd: end})
			return nil
		}
		e, err := decodeElement(a.data)
		els = append(els, e)
		return err
	})
	return els, err
}

// leastElement is the bytes of an element with a key of four: its header, that of the key and that of the
// value.
const leastElement = 16

// plainElement reads an element that is a key and perhaps the mark of an interval's end, as those of large
// sets are.
func plainElement(b []byte) (key []byte, end, ok bool) {
	for len(b) > 0 {
		kind, data, rest, err := nextAttr(b)
		if err != nil {
			return nil, false, false
		}
		switch kind {
		case 1: // NFTA_SET_ELEM_KEY, a nested NFTA_DATA_VALUE
			k, value, more, err := nextAttr(data)
			if err != nil || k != 1 || len(more) > 0 {
				return nil, false, false
			}
			key = value
		case 3: // NFTA_SET_ELEM_FLAGS
			flags := u32(data)
			if flags&^1 != 0 {
				return nil, false, false
			}
			end = flags == 1
		default:
			return nil, false, false
		}
		b = rest
	}
	return key, end, key != nil
}

func decodeElement(b []byte) (Element, error) {
	m, err := fields(b)
	if err != nil {
		return Element{}, fmt.Errorf("set element: %w", err)
	}
	flags := u32(m.at[3])
	e := Element{
		IntervalEnd: flags&1 != 0, CatchAll: flags&2 != 0, Object: text(m.at[9]),
		TimeoutMs: u64(m.at[4]), ExpiresMs: u64(m.at[5]),
	}
	for _, f := range []struct {
		raw []byte
		dst *Hex
	}{{m.at[1], &e.Key}, {m.at[10], &e.KeyEnd}} {
		if f.raw != nil {
			if *f.dst, _, err = decodeData(f.raw); err != nil {
				return e, err
			}
		}
	}
	if m.at[2] != nil {
		if e.Data, e.Verdict, err = decodeData(m.at[2]); err != nil {
			return e, err
		}
	}
	if m.at[7] != nil {
		x, err := decodeExpr(m.at[7])
		if err != nil {
			return e, err
		}
		e.Exprs = append(e.Exprs, x)
	}
	if m.at[11] != nil {
		e.Exprs, err = decodeList(m.at[11])
	}
	return e, err
}

// DecodeFlowtable names the table and the flowtable of an NFT_MSG_NEWFLOWTABLE message.
func DecodeFlowtable(b []byte) (table, name string, err error) {
	m, err := fields(b)
	return text(m.at[1]), text(m.at[2]), err
}
