package host

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"slices"
)

// Object is what the loader goes by in a program or a library (elf(5), ld.so(8)).
type Object struct {
	Class   elf.Class
	Machine elf.Machine
	// Interp is the loader of a program, "" of a library and of a program that loads nothing.
	Interp string
	// Needed are the libraries that it asks for, Audit those that watch it.
	Needed, Audit []string
	// Path is where it looks for them first. Inherited says that those that it loads look there too (DT_RPATH).
	Path      string
	Inherited bool
	// NoDefault: it looks in no directory of the system.
	NoDefault bool
}

// Bounds of what is read of an object. The loader reads more of none that runs.
const (
	maxSegments = 128
	maxDynamic  = 4096 // entries
	maxLoaded   = 256  // libraries of one object
	maxString   = 4096 // PATH_MAX
)

// ErrNotObject says that a file is no program or library of the kernel's own format.
var ErrNotObject = errors.New("no ELF file")

// errObject says that a file has that format, and something in it that no loader takes, or too much of it.
var errObject = errors.New("an ELF file that is not followed")

// blocks reads a file by blocks, and keeps the last two: what is read of an object is small, and close together.
type blocks struct {
	r    io.ReaderAt
	kept [2]block
	last int
}

type block struct {
	at   int64 // one more than its place: 0 is none
	text []byte
}

const blockSize = 8 << 10

func (b *blocks) ReadAt(into []byte, offset int64) (n int, err error) {
	for n < len(into) {
		at := offset + int64(n)
		text, err := b.block(at / blockSize * blockSize)
		if err != nil {
			return n, err
		}
		from := int(at % blockSize)
		if from >= len(text) {
			return n, io.EOF
		}
		n += copy(into[n:], text[from:])
	}
	return n, nil
}

// block is what of the file is in a block of it.
func (b *blocks) block(at int64) ([]byte, error) {
	for i := range b.kept {
		if b.kept[i].at == at+1 {
			b.last = i
			return b.kept[i].text, nil
		}
	}
	k := &b.kept[1-b.last]
	if cap(k.text) == 0 {
		k.text = make([]byte, blockSize)
	}
	k.at = 0
	n, err := b.r.ReadAt(k.text[:blockSize], at)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	k.at, k.text, b.last = at+1, k.text[:n], 1-b.last
	return k.text, nil
}

// readObject reads what the loader reads: the program headers, and what they say is where. Sections count for nothing.
func readObject(r io.ReaderAt) (Object, error) {
	r = &blocks{r: r}
	var ident [elf.EI_NIDENT]byte
	if _, err := r.ReadAt(ident[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return Object{}, err
	}
	if !bytes.Equal(ident[:4], []byte(elf.ELFMAG)) {
		return Object{}, ErrNotObject
	}
	o := &objectReader{r: r, order: binary.LittleEndian, Object: Object{Class: elf.Class(ident[elf.EI_CLASS])}}
	if elf.Data(ident[elf.EI_DATA]) == elf.ELFDATA2MSB {
		o.order = binary.BigEndian
	}
	if err := o.segments(); err != nil {
		return Object{}, err
	}
	return o.Object, nil
}

type objectReader struct {
	Object
	r     io.ReaderAt
	order binary.ByteOrder
	loads []elf.Prog64 // where addresses are in the file
	own   bool         // it has a path that is not inherited
}

// at reads a structure.
func (o *objectReader) at(offset uint64, into any) error {
	if offset > 1<<62 {
		return errObject
	}
	return binary.Read(io.NewSectionReader(o.r, int64(offset), int64(binary.Size(into))), o.order, into)
}

// segments reads the program headers, the name of the loader and the dynamic section.
func (o *objectReader) segments() error {
	offset, size, n, err := o.header()
	if err != nil {
		return err
	}
	if n > maxSegments {
		return errObject
	}
	var interp, dynamic *elf.Prog64
	for i := range uint64(n) {
		p, err := o.segment(offset + i*uint64(size))
		if err != nil {
			return err
		}
		switch elf.ProgType(p.Type) {
		case elf.PT_LOAD:
			o.loads = append(o.loads, p)
		case elf.PT_INTERP:
			interp = &p
		case elf.PT_DYNAMIC:
			dynamic = &p
		}
	}
	if interp != nil {
		if o.Interp, err = o.text(interp.Off, interp.Filesz); err != nil {
			return err
		}
	}
	if dynamic == nil {
		return nil
	}
	return o.dynamic(dynamic)
}

// header says where the program headers are.
func (o *objectReader) header() (offset uint64, size, n uint16, err error) {
	switch o.Class {
	case elf.ELFCLASS64:
		var h elf.Header64
		err = o.at(0, &h)
		o.Machine = elf.Machine(h.Machine)
		return h.Phoff, h.Phentsize, h.Phnum, err
	case elf.ELFCLASS32:
		var h elf.Header32
		err = o.at(0, &h)
		o.Machine = elf.Machine(h.Machine)
		return uint64(h.Phoff), h.Phentsize, h.Phnum, err
	default:
		return 0, 0, 0, errObject
	}
}

func (o *objectReader) segment(offset uint64) (elf.Prog64, error) {
	if o.Class == elf.ELFCLASS64 {
		var p elf.Prog64
		err := o.at(offset, &p)
		return p, err
	}
	var p elf.Prog32
	err := o.at(offset, &p)
	return elf.Prog64{Type: p.Type, Off: uint64(p.Off), Vaddr: uint64(p.Vaddr), Filesz: uint64(p.Filesz)}, err
}

// text is a string of the file that ends with a zero.
func (o *objectReader) text(offset, most uint64) (string, error) {
	b := make([]byte, min(most, maxString))
	if offset > 1<<62 {
		return "", errObject
	}
	n, err := o.r.ReadAt(b, int64(offset))
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	s, _, ok := bytes.Cut(b[:n], []byte{0})
	if !ok {
		return "", errObject
	}
	return string(s), nil
}

// nameEntry is an entry of the dynamic section that has a string.
type nameEntry struct {
	tag elf.DynTag
	at  uint64
}

// dynamic reads the dynamic section: its strings are told by their offsets in a table whose address it has too.
func (o *objectReader) dynamic(p *elf.Prog64) error {
	var names []nameEntry
	var table, size uint64
	step := uint64(16)
	if o.Class == elf.ELFCLASS32 {
		step = 8
	}
	for i := uint64(0); i*step < p.Filesz; i++ {
		tag, value, err := o.tag(p.Off + i*step)
		switch {
		case err != nil:
			return err
		case i == maxDynamic:
			return errObject
		case tag == elf.DT_NULL:
			return o.names(names, table, size)
		}
		switch tag {
		case elf.DT_STRTAB:
			table = value
		case elf.DT_STRSZ:
			size = value
		case elf.DT_FLAGS_1:
			o.NoDefault = value&uint64(elf.DF_1_NODEFLIB) != 0
		case elf.DT_NEEDED, elf.DT_RPATH, elf.DT_RUNPATH, elf.DT_AUXILIARY, elf.DT_FILTER, elf.DT_AUDIT, elf.DT_DEPAUDIT:
			names = append(names, nameEntry{tag, value})
		}
	}
	return o.names(names, table, size)
}

func (o *objectReader) tag(offset uint64) (elf.DynTag, uint64, error) {
	if o.Class == elf.ELFCLASS64 {
		var d elf.Dyn64
		err := o.at(offset, &d)
		return elf.DynTag(d.Tag), d.Val, err
	}
	var d elf.Dyn32
	err := o.at(offset, &d)
	return elf.DynTag(d.Tag), uint64(d.Val), err
}

// names reads strings of a table, by the segment that its address is in.
func (o *objectReader) names(list []nameEntry, table, size uint64) error {
	i := slices.IndexFunc(o.loads, func(l elf.Prog64) bool { return table >= l.Vaddr && table-l.Vaddr < l.Filesz })
	for _, e := range list {
		if i < 0 || e.at >= size {
			return errObject
		}
		s, err := o.text(o.loads[i].Off+table-o.loads[i].Vaddr+e.at, size-e.at)
		if err != nil {
			return err
		}
		o.named(e.tag, s)
		if len(o.Needed) > maxLoaded || len(o.Audit) > maxLoaded {
			return errObject
		}
	}
	return nil
}

// named notes a string of the dynamic section. Of the two kinds of places the one that is not inherited counts alone.
func (o *objectReader) named(tag elf.DynTag, s string) {
	switch tag {
	case elf.DT_RUNPATH:
		o.Path, o.Inherited, o.own = s, false, true
	case elf.DT_RPATH:
		if !o.own {
			o.Path, o.Inherited = s, true
		}
	case elf.DT_AUDIT, elf.DT_DEPAUDIT:
		o.Audit = append(o.Audit, s)
	default:
		o.Needed = append(o.Needed, s)
	}
}

// Cached are the libraries of the loader's cache (ldconfig(8)): by their names the paths, in their order.
type Cached map[string][]string

// The format of the cache: a magic number, how many entries, how long the strings are; then the entries, each with offsets of a name and a path.
const (
	cacheMagic  = "glibc-ld.so.cache1.1"
	cacheHead   = 48
	cacheEntry  = 24
	maxCached   = 100_000
	cacheOffset = len(cacheMagic)
)

// ErrCache says that a file is no cache of the loader.
var ErrCache = errors.New("no cache of the loader")

// ParseCache reads the cache of the loader of glibc. Caches of old systems have one of an older format before it.
func ParseCache(b []byte) (Cached, error) {
	i := bytes.Index(b, []byte(cacheMagic))
	if i < 0 || len(b)-i < cacheHead {
		return nil, ErrCache
	}
	b = b[i:]
	var order binary.ByteOrder = binary.LittleEndian
	n := order.Uint32(b[cacheOffset:])
	if n > maxCached { // of a host of the other byte order
		order = binary.BigEndian
		n = order.Uint32(b[cacheOffset:])
	}
	if n > maxCached || int(n)*cacheEntry > len(b)-cacheHead {
		return nil, ErrCache
	}
	text := func(at uint32) string {
		if int64(at) >= int64(len(b)) {
			return ""
		}
		s, _, _ := bytes.Cut(b[at:min(len(b), int(at)+maxString)], []byte{0})
		return string(s)
	}
	list := Cached{}
	for e := b[cacheHead:][:n*cacheEntry]; len(e) > 0; e = e[cacheEntry:] {
		name, p := text(order.Uint32(e[4:])), text(order.Uint32(e[8:]))
		if name != "" && path.IsAbs(p) {
			list[name] = append(list[name], p)
		}
	}
	return list, nil
}
