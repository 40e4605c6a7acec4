package registry

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Bounds of a hive. The largest ones of real machines have 300,000 keys; a value of the registry has at most 1 MiB.
const (
	maxCells    = 8_000_000
	maxChildren = 200_000
	maxData     = 1 << 20
	maxValues   = 64 << 20 // bytes of all values of a key: many can name one piece of data
	maxRead     = 1 << 30  // bytes of values that are read of one hive, however often
	maxName     = 1024
	base        = 4096 // of the first bin
	none        = 0xffffffff
)

// Hive is a file of the registry (regf). It is read where it is asked, and no more of it than that.
type Hive struct {
	r     io.ReaderAt
	size  int64
	left  int   // cells that may still be read
	room  int64 // bytes of values that may
	root  uint32
	minor uint32
	// Dirty says that the file was not written to its end: changes are in its logs (.LOG1, .LOG2), which Recover brings in.
	Dirty bool
	// Written is when it was last written, as it says.
	Written time.Time
}

// OpenHive reads the head of a hive.
func OpenHive(r io.ReaderAt, size int64) (*Hive, error) {
	h := &Hive{r: r, size: size, left: maxCells, room: maxRead}
	b, err := h.bytes(0, 512)
	if err != nil || string(b[:4]) != "regf" {
		return nil, fmt.Errorf("hive: %w: it does not begin as one", ErrDamaged)
	}
	le := binary.LittleEndian
	if kind := le.Uint32(b[28:]); kind != 0 {
		return nil, fmt.Errorf("hive: %w: it is a log of one", ErrDamaged)
	}
	if major := le.Uint32(b[20:]); major != 1 {
		return nil, fmt.Errorf("hive: version %d is not read", major)
	}
	h.Dirty = le.Uint32(b[4:]) != le.Uint32(b[8:]) || !headWhole(b)
	h.minor, h.root = le.Uint32(b[24:]), le.Uint32(b[36:])
	const year1601 = 11644473600 // seconds from 1601 to 1970
	if ticks := le.Uint64(b[12:]); ticks>>63 == 0 {
		h.Written = time.Unix(int64(ticks/1e7)-year1601, int64(ticks%1e7)*100).UTC()
	}
	return h, nil
}

// Root is the key that holds all others.
func (h *Hive) Root() (Key, error) { return h.key(h.root, 0) }

func (h *Hive) bytes(off int64, n int) ([]byte, error) {
	if off < 0 || n < 0 || off+int64(n) > h.size {
		return nil, fmt.Errorf("hive: %w: it ends before offset %#x", ErrDamaged, off+int64(n))
	}
	b := make([]byte, n)
	if _, err := h.r.ReadAt(b, off); err != nil {
		return nil, fmt.Errorf("hive: %w", err)
	}
	return b, nil
}

// cell reads at most n bytes of the cell at an offset, which is counted from the first bin.
func (h *Hive) cell(off uint32, n int) ([]byte, error) {
	if h.left--; h.left < 0 {
		return nil, fmt.Errorf("hive: %w", ErrTooMuch)
	}
	at := base + int64(off)
	head, err := h.bytes(at, 4)
	if err != nil {
		return nil, err
	}
	size := int64(int32(binary.LittleEndian.Uint32(head)))
	if size >= 0 || -size < 8 { // a cell that is in use has a negative size
		return nil, fmt.Errorf("hive: %w: no cell in use at %#x", ErrDamaged, at)
	}
	has := int(min(-size-4, 1<<30))
	return h.bytes(at+4, min(n, has))
}

// part is what lies in a cell from one place to another.
func (h *Hive) part(off uint32, n int) ([]byte, error) {
	b, err := h.cell(off, n)
	if err == nil && len(b) < n {
		err = fmt.Errorf("hive: %w: the cell at %#x is shorter than what is in it", ErrDamaged, off)
	}
	return b, err
}

// hiveKey is a key node (nk).
type hiveKey struct {
	h        *Hive
	depth    int
	children uint32 // how many
	list     uint32
	values   uint32
	vlist    uint32
	security uint32
	name     string
}

func (h *Hive) key(off uint32, depth int) (*hiveKey, error) {
	b, err := h.cell(off, 76+maxName)
	if err != nil {
		return nil, err
	}
	if len(b) < 76 || string(b[:2]) != "nk" || depth > maxPath {
		return nil, fmt.Errorf("hive: %w: no key at %#x", ErrDamaged, off)
	}
	le := binary.LittleEndian
	k := &hiveKey{
		h: h, depth: depth, children: le.Uint32(b[20:]), list: le.Uint32(b[28:]), values: le.Uint32(b[36:]), vlist: le.Uint32(b[40:]), security: le.Uint32(b[44:]),
	}
	k.name, err = nameIn(b[76:], le.Uint16(b[72:]), le.Uint16(b[2:])&0x20 != 0)
	return k, err
}

// nameIn is a name of a key or a value: Latin-1, or UTF-16.
func nameIn(b []byte, length uint16, latin bool) (string, error) {
	n := int(length)
	if n > len(b) || !latin && n%2 != 0 {
		return "", fmt.Errorf("hive: %w: a name that is longer than its cell", ErrDamaged)
	}
	if !latin {
		return text16(b[:n]), nil
	}
	r := make([]rune, n)
	for i, c := range b[:n] {
		r[i] = rune(c)
	}
	return string(r), nil
}

// offsets are those of the keys in a key.
func (k *hiveKey) offsets() ([]uint32, error) {
	if k.children == 0 {
		return nil, nil
	}
	if k.children > maxChildren {
		return nil, fmt.Errorf("hive: %w", ErrTooMuch)
	}
	list, err := k.h.children(k.list, 0, nil)
	if err == nil && len(list) != int(k.children) {
		err = fmt.Errorf("hive: %w: a key of %d keys lists %d", ErrDamaged, k.children, len(list))
	}
	return list, err
}

// children adds the offsets of a list of keys: lf and lh have a hash with each, li has none, ri is a list of lists.
func (h *Hive) children(off uint32, depth int, list []uint32) ([]uint32, error) {
	head, err := h.part(off, 4)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	n := int(le.Uint16(head[2:]))
	step := 4
	switch kind := string(head[:2]); {
	case kind == "lf" || kind == "lh":
		step = 8
	case kind == "li":
	case kind == "ri" && depth == 0:
	default:
		return nil, fmt.Errorf("hive: %w: no list of keys at %#x", ErrDamaged, off)
	}
	b, err := h.part(off, 4+n*step)
	if err != nil {
		return nil, err
	}
	for i := range n {
		at := le.Uint32(b[4+i*step:])
		if head[0] != 'r' {
			list = append(list, at)
		} else if list, err = h.children(at, depth+1, list); err != nil {
			return nil, err
		}
		if len(list) > maxChildren {
			return nil, fmt.Errorf("hive: %w", ErrTooMuch)
		}
	}
	return list, nil
}

// Keys implements Key.
func (k *hiveKey) Keys() ([]string, error) {
	list, err := k.offsets()
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(list))
	for _, off := range list {
		c, err := k.h.key(off, k.depth+1)
		if err != nil {
			return nil, err
		}
		names = append(names, c.name)
	}
	slices.SortFunc(names, byName)
	return names, nil
}

// Key implements Key.
func (k *hiveKey) Key(name string) (Key, error) {
	list, err := k.offsets()
	if err != nil {
		return nil, err
	}
	for _, off := range list {
		c, err := k.h.key(off, k.depth+1)
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(c.name, name) {
			return c, nil
		}
	}
	return nil, notExist(name)
}

// Values implements Key.
func (k *hiveKey) Values() ([]Value, error) {
	if k.values == 0 {
		return nil, nil
	}
	if k.values > maxChildren {
		return nil, fmt.Errorf("hive: %w", ErrTooMuch)
	}
	offs, err := k.h.part(k.vlist, 4*int(k.values))
	if err != nil {
		return nil, err
	}
	list, room := make([]Value, 0, k.values), maxValues
	for i := range int(k.values) {
		v, err := k.h.value(binary.LittleEndian.Uint32(offs[4*i:]))
		if err != nil {
			return nil, err
		}
		if room -= len(v.Data); room < 0 {
			return nil, fmt.Errorf("hive: %w", ErrTooMuch)
		}
		list = append(list, v)
	}
	sortValues(list)
	return list, nil
}

// value reads a value (vk).
func (h *Hive) value(off uint32) (Value, error) {
	b, err := h.cell(off, 20+2*16384)
	if err != nil {
		return Value{}, err
	}
	if len(b) < 20 || string(b[:2]) != "vk" {
		return Value{}, fmt.Errorf("hive: %w: no value at %#x", ErrDamaged, off)
	}
	le := binary.LittleEndian
	v := Value{Type: Type(le.Uint32(b[12:]))}
	if v.Name, err = nameIn(b[20:], le.Uint16(b[2:]), le.Uint16(b[16:])&1 != 0); err != nil {
		return Value{}, err
	}
	size := le.Uint32(b[4:])
	switch {
	case size&0x80000000 != 0: // the data is where the offset would be
		n := size &^ 0x80000000
		if n > 4 {
			return Value{}, fmt.Errorf("hive: %w: %d bytes where there is room for 4", ErrDamaged, n)
		}
		v.Data = slices.Clone(b[8 : 8+n])
	case size > maxData:
		return Value{}, fmt.Errorf("hive: value %.100q: %w", v.Name, ErrTooMuch)
	case size > 0:
		v.Data, err = h.data(le.Uint32(b[8:]), int(size))
	}
	return v, err
}

// segment is how much of the data of a value one cell of a large one has.
const segment = 16344

func (h *Hive) data(off uint32, size int) ([]byte, error) {
	if h.room -= int64(size); h.room < 0 {
		return nil, fmt.Errorf("hive: %w", ErrTooMuch)
	}
	if size <= segment || h.minor <= 3 {
		return h.part(off, size)
	}
	head, err := h.part(off, 8)
	if err != nil {
		return nil, err
	}
	if string(head[:2]) != "db" {
		return h.part(off, size)
	}
	le := binary.LittleEndian
	n := int(le.Uint16(head[2:]))
	if n != (size+segment-1)/segment {
		return nil, fmt.Errorf("hive: %w: %d bytes in %d segments", ErrDamaged, size, n)
	}
	list, err := h.part(le.Uint32(head[4:]), 4*n)
	if err != nil {
		return nil, err
	}
	data := make([]byte, 0, size)
	for i := range n {
		b, err := h.part(le.Uint32(list[4*i:]), min(segment, size-len(data)))
		if err != nil {
			return nil, err
		}
		data = append(data, b...)
	}
	return data, nil
}

// Security implements Key.
func (k *hiveKey) Security() ([]byte, error) {
	if k.security == none {
		return nil, nil
	}
	b, err := k.h.part(k.security, 20)
	if err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(b[16:])
	if string(b[:2]) != "sk" || n > 1<<16 {
		return nil, fmt.Errorf("hive: %w: no security descriptor at %#x", ErrDamaged, k.security)
	}
	if b, err = k.h.part(k.security, 20+int(n)); err != nil {
		return nil, err
	}
	return b[20:], nil
}
