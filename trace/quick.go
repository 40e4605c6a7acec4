package trace

import (
	"encoding/binary"

	"github.com/ringfence/ringfence/ruleset"
)

// quick is a test at the front of a rule that can be made without registers. It only ever says that
// the rule certainly does not match; else the rule is evaluated in full. Most rules of a long chain
// end at one of these.
type quick struct {
	from  byte // 'n' network header, 't' transport header, 'p' l4proto, 'f' nfproto, 'i' and 'o' interfaces
	n     uint8
	neg   bool
	off   uint16
	value uint64
	mask  uint64
}

// quickTests translates the leading loads and comparisons of a rule.
func quickTests(ops []op) []quick {
	var out []quick
	for i := 0; i+1 < len(ops); i += 2 {
		load, cmp := &ops[i], &ops[i+1]
		q := quick{mask: ^uint64(0)}
		var mask []byte
		if load.kind == opPayload && cmp.kind == opBitwise && i+2 < len(ops) && cmp.sreg == load.dreg &&
			cmp.n == load.n && !anyBit(cmp.data2[:cmp.n]) && ops[i+2].sreg == cmp.dreg {
			mask = cmp.data[:cmp.n]
			cmp = &ops[i+2]
			i++
		} else if cmp.sreg != load.dreg {
			return out
		}
		if cmp.kind != opCmpEq && cmp.kind != opCmpNeq {
			return out
		}
		q.neg = cmp.kind == opCmpNeq
		data := cmp.data
		switch load.kind {
		case opPayload:
			if len(data) != load.n || load.base != 'n' && load.base != 't' || load.off > 60 {
				return out
			}
			q.from, q.off = load.base, uint16(load.off)
		case opMeta:
			from, ok := quickMeta[load.key]
			if !ok || len(data) > metaLen(load.key) {
				return out
			}
			q.from = from
		default:
			return out
		}
		if q.neg && len(data) > 8 || mask != nil && len(data) > 8 {
			return out
		}
		for len(data) > 8 { // an equality in parts
			part := q
			part.n, part.value = 8, binary.LittleEndian.Uint64(data)
			out = append(out, part)
			data, q.off = data[8:], q.off+8
		}
		var b, m [8]byte
		q.n = uint8(copy(b[:], data))
		if mask != nil {
			copy(m[:], mask)
			q.mask = binary.LittleEndian.Uint64(m[:])
		}
		q.value = binary.LittleEndian.Uint64(b[:])
		out = append(out, q)
	}
	return out
}

var quickMeta = map[uint32]byte{
	ruleset.MetaL4proto: 'p', ruleset.MetaNfproto: 'f', ruleset.MetaIifname: 'i', ruleset.MetaOifname: 'o',
}

// load reads up to 8 bytes, least significant first.
func loadWord(b []byte, off, n int) uint64 {
	if off+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[off:])
		if n < 8 {
			w &= 1<<(8*uint(n)) - 1
		}
		return w
	}
	var w uint64
	for i := n - 1; i >= 0; i-- {
		w = w<<8 | uint64(b[off+i])
	}
	return w
}

// misses says whether the rule certainly does not match the packet as it is now.
func (w *walk) misses(tests []quick) bool {
	for i := range tests {
		q := &tests[i]
		v, unk, ok := w.quickly(q.from, int(q.off), int(q.n))
		if !ok {
			return false
		}
		unk &= q.mask
		differs := (v&q.mask^q.value)&^unk != 0
		switch {
		case differs && !q.neg:
			return true
		case unk != 0:
			return false
		case !differs && q.neg:
			return true
		}
	}
	return false
}

// quickly is what a quick test looks at, and which bits of that are not known. It reports false where that takes more than to look.
func (w *walk) quickly(from byte, off, n int) (v, unk uint64, ok bool) {
	s := &w.skb
	switch from {
	case 't':
		if s.later() {
			return 0, 0, false
		}
		off += s.thoff
		fallthrough
	case 'n':
		if off+n > len(s.nh) || s.tos && off < 2 || s.later() && off+n > s.thoff {
			return 0, 0, false
		}
		return loadWord(s.nh, off, n), loadWord(s.unk, off, n), true
	case 'p':
		return uint64(s.proto), 0, true
	case 'f':
		return uint64(w.nfproto()), 0, true
	case 'i':
		if w.in != nil {
			v = loadWord(w.in.name[:], off, n)
		}
	default:
		if w.out != nil {
			v = loadWord(w.out.name[:], off, n)
		}
	}
	return v, 0, true
}
