// Package registry reads the registry of Windows where it was written down, on every system: hives (regf), texts of regedit (.reg),
// registry.pol of a policy, and what "netsh advfirewall export" writes (.wfw), which is a hive.
//
// Files are anybody's. Each reader bounds what it reads and follows, and what it does not understand is an error and never an empty key.
package registry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf16"
)

// Type is the type of a value (winnt.h).
type Type uint32

// The types that are told apart here.
const (
	None     Type = 0
	SZ       Type = 1
	ExpandSZ Type = 2
	Binary   Type = 3
	DWORD    Type = 4
	MultiSZ  Type = 7
	QWORD    Type = 11
)

// Value is a value of a key. The default value has no name.
type Value struct {
	Name string
	Type Type
	Data []byte
}

// Key is a key of the registry. Names are compared without case. A name that there is not is an fs.ErrNotExist.
type Key interface {
	// Keys are the names of the keys in it, sorted without case.
	Keys() ([]string, error)
	// Key is the key of that name in it.
	Key(name string) (Key, error)
	// Values are its values, sorted by name without case.
	Values() ([]Value, error)
	// Security is its security descriptor, self-relative (MS-DTYP 2.4.6); nil where the source has none.
	Security() ([]byte, error)
}

// ErrTooMuch is returned where a file has more than any registry has.
var ErrTooMuch = errors.New("more keys or values than are read")

// ErrDamaged is in the errors about a file that does not hold together.
var ErrDamaged = errors.New("damaged")

// maxPath is the most keys in one another; the registry itself has 512.
const maxPath = 512

// Open is the key at a path below another, whose parts are divided by backslashes.
func Open(k Key, path string) (Key, error) {
	for name := range strings.SplitSeq(path, `\`) {
		if name == "" {
			continue
		}
		next, err := k.Key(name)
		if err != nil {
			return nil, err
		}
		k = next
	}
	return k, nil
}

// Get is the value of that name.
func Get(k Key, name string) (Value, error) {
	list, err := k.Values()
	if err != nil {
		return Value{}, err
	}
	for _, v := range list {
		if strings.EqualFold(v.Name, name) {
			return v, nil
		}
	}
	return Value{}, notExist(name)
}

func notExist(name string) error { return fmt.Errorf("%.100q: %w", name, fs.ErrNotExist) }

// Text is a text, with %NAME% as it is written; the bool says that the value is one.
func (v Value) Text() (string, bool) {
	if v.Type != SZ && v.Type != ExpandSZ || len(v.Data)%2 != 0 {
		return "", false
	}
	s := text16(v.Data)
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return s, true
}

// Number is a DWORD or QWORD.
func (v Value) Number() (uint64, bool) {
	switch {
	case v.Type == DWORD && len(v.Data) == 4:
		return uint64(binary.LittleEndian.Uint32(v.Data)), true
	case v.Type == QWORD && len(v.Data) == 8:
		return binary.LittleEndian.Uint64(v.Data), true
	}
	return 0, false
}

// Texts is a list of texts.
func (v Value) Texts() ([]string, bool) {
	if v.Type != MultiSZ || len(v.Data)%2 != 0 {
		return nil, false
	}
	var list []string
	for s := range strings.SplitSeq(text16(v.Data), "\x00") {
		if s != "" {
			list = append(list, s)
		}
	}
	return list, true
}

// text16 is UTF-16LE as text.
func text16(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}

// bytes16 is text as UTF-16LE with its zero at the end, as the registry keeps it.
func bytes16(s string) []byte {
	u := append(utf16.Encode([]rune(s)), 0)
	b := make([]byte, 0, 2*len(u))
	for _, c := range u {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}

func byName(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }

func sortValues(list []Value) {
	slices.SortStableFunc(list, func(a, b Value) int { return byName(a.Name, b.Name) })
}
