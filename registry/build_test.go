package registry

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
)

// builder makes hives for the tests.
type builder struct{ b []byte }

// hiveOf is a hive with the keys of a tree.
func hiveOf(t *Tree) []byte {
	x := &builder{b: make([]byte, base+32)}
	copy(x.b[base:], "hbin")
	root := x.key(t, 0x2c)
	le := binary.LittleEndian
	rest := 4096 - (len(x.b)-base)%4096 // of the bin is free
	x.b = append(le.AppendUint32(x.b, uint32(rest)), make([]byte, rest-4)...)
	le.PutUint32(x.b[base+8:], uint32(len(x.b)-base))
	h := x.b[:base]
	copy(h, "regf")
	for at, v := range map[int]uint32{4: 1, 8: 1, 20: 1, 24: 5, 32: 1, 36: root, 40: uint32(len(x.b) - base), 44: 1} {
		le.PutUint32(h[at:], v)
	}
	var sum uint32
	for i := 0; i < 508; i += 4 {
		sum ^= le.Uint32(h[i:])
	}
	le.PutUint32(h[508:], sum)
	return x.b
}

// cell adds a cell and returns its offset.
func (x *builder) cell(data []byte) uint32 {
	off := len(x.b) - base
	size := (len(data) + 4 + 7) &^ 7
	x.b = binary.LittleEndian.AppendUint32(x.b, uint32(-int32(size)))
	x.b = append(x.b, data...)
	x.b = append(x.b, make([]byte, size-4-len(data))...)
	return uint32(off)
}

func (x *builder) key(t *Tree, flags uint16) uint32 {
	names, _ := t.Keys()
	le := binary.LittleEndian
	var children []uint32
	list := make([]byte, 4)
	copy(list, "lh")
	le.PutUint16(list[2:], uint16(len(names)))
	for _, n := range names {
		c := t.keys[strings.ToLower(n)]
		children = append(children, x.key(c, 0x20))
		list = le.AppendUint32(list, children[len(children)-1])
		list = le.AppendUint32(list, 0)
	}
	var vlist []byte
	values, _ := t.Values()
	for _, v := range values {
		vlist = le.AppendUint32(vlist, x.value(v))
	}
	b := make([]byte, 76)
	copy(b, "nk")
	le.PutUint16(b[2:], flags)
	for at, v := range map[int]uint32{16: none, 20: uint32(len(names)), 28: none, 32: none, 36: uint32(len(values)), 40: none, 44: none, 48: none} {
		le.PutUint32(b[at:], v)
	}
	if len(names) > 0 {
		le.PutUint32(b[28:], x.cell(list))
	}
	if len(values) > 0 {
		le.PutUint32(b[40:], x.cell(vlist))
	}
	le.PutUint16(b[72:], uint16(len(t.name)))
	at := x.cell(append(b, t.name...))
	for _, c := range children {
		le.PutUint32(x.b[base+int(c)+4+16:], at)
	}
	return at
}

func (x *builder) value(v Value) uint32 {
	le := binary.LittleEndian
	b := make([]byte, 20)
	copy(b, "vk")
	size := uint32(len(v.Data))
	switch {
	case len(v.Data) <= 4:
		copy(b[8:], v.Data)
		size |= 0x80000000
	case len(v.Data) > segment:
		var list []byte
		n := 0
		for part := range slices.Chunk(v.Data, segment) {
			list = le.AppendUint32(list, x.cell(part))
			n++
		}
		db := append([]byte("db"), 0, 0, 0, 0, 0, 0)
		le.PutUint16(db[2:], uint16(n))
		le.PutUint32(db[4:], x.cell(list))
		le.PutUint32(b[8:], x.cell(db))
	default:
		le.PutUint32(b[8:], x.cell(v.Data))
	}
	name := []byte(v.Name)
	if slices.ContainsFunc([]rune(v.Name), func(r rune) bool { return r > 0x7f }) {
		name = nil
		for _, c := range utf16.Encode([]rune(v.Name)) {
			name = le.AppendUint16(name, c)
		}
	} else {
		le.PutUint16(b[16:], 1)
	}
	le.PutUint16(b[2:], uint16(len(name)))
	le.PutUint32(b[4:], size)
	le.PutUint32(b[12:], uint32(v.Type))
	return x.cell(append(b, name...))
}
