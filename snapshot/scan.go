package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep values lie inside each other: statements of set elements make about thirty levels.
const maxDepth = 64

// Bounds of the memory that a snapshot takes when it is built from its file: perByte bytes for each of the file's, and
// maxMemory. What collect writes takes at most six.
const (
	perByte   = 16
	maxMemory = 1 << 30
)

// scanner reads a snapshot once and builds nothing. What it lets pass has the shape of the format and a bounded size.
type scanner struct {
	b      []byte
	at     int
	depth  int
	path   []step
	counts []int // of values, by type
	memory int
}

// step is a part of a path: a field or key, or where name is empty the index in a list.
type step struct {
	name  string
	index int
}

// scan checks that b is a snapshot in the sense of the published schema, with each key once.
func scan(b []byte) error {
	root, types := snapshotShape()
	s := &scanner{b: b, counts: make([]int, types)}
	if !utf8.Valid(b) {
		return errors.New("it is not UTF-8")
	}
	if err := s.value(root); err != nil {
		return err
	}
	s.space()
	if s.at < len(b) {
		return s.bad("text after the end of the snapshot")
	}
	return nil
}

// bad is an error at the place that the scanner has come to.
func (s *scanner) bad(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if p := pathText(s.path); p != "" {
		return fmt.Errorf("%s: %s", p, text)
	}
	return errors.New(text)
}

func pathText(path []step) string {
	var b strings.Builder
	for _, p := range path {
		if p.name == "" {
			fmt.Fprintf(&b, "[%d]", p.index)
		} else {
			b.WriteString(keyText(p.name))
		}
	}
	return strings.TrimPrefix(b.String(), ".")
}

func keyText(key string) string {
	if plainKey(key) {
		return "." + key
	}
	return fmt.Sprintf("[%.80q]", key)
}

func plainKey(name string) bool {
	for _, c := range []byte(name) {
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return name != "" && len(name) <= 80
}

func (s *scanner) space() {
	for s.at < len(s.b) && (s.b[s.at] == ' ' || s.b[s.at] == '\n' || s.b[s.at] == '\t' || s.b[s.at] == '\r') {
		s.at++
	}
}

// next is the next byte that is no space, 0 at the end.
func (s *scanner) next() byte {
	s.space()
	if s.at == len(s.b) {
		return 0
	}
	return s.b[s.at]
}

func (s *scanner) word(w string) bool {
	if !bytes.HasPrefix(s.b[s.at:], []byte(w)) {
		return false
	}
	s.at += len(w)
	return true
}

// take counts what is built for a value.
func (s *scanner) take(n int) error {
	s.memory += n
	if s.memory > maxMemory || s.memory > perByte*len(s.b)+1<<16 {
		return fmt.Errorf("%s: for the size of the file: %w", pathText(s.path), ErrTooManyValues)
	}
	return nil
}

func (s *scanner) value(sh *shape) error {
	if sh.most > 0 {
		if s.counts[sh.typ]++; s.counts[sh.typ] > sh.most {
			return fmt.Errorf("%s: %w", pathText(s.path), sh.err)
		}
	}
	c := s.next()
	if c == 'n' && s.word("null") {
		if !sh.null {
			return s.bad("null instead of %s", sh.kind)
		}
		return nil
	}
	switch sh.kind {
	case kindObject, kindMap:
		return s.inside('{', c, sh, s.object)
	case kindList, kindArray:
		return s.inside('[', c, sh, s.list)
	case kindBool:
		if !s.word("true") && !s.word("false") {
			return s.bad("not %s", sh.kind)
		}
		return nil
	case kindInt:
		return s.integer(sh)
	}
	if c != '"' {
		return s.bad("not %s", sh.kind)
	}
	text, err := s.text()
	if err != nil {
		return err
	}
	return s.stringOf(sh, text)
}

func (s *scanner) stringOf(sh *shape, text []byte) error {
	switch sh.kind {
	case kindHex:
		if !isHex(text) || len(text)%2 != 0 {
			return s.bad("%.80q is not hexadecimal", text)
		}
	case kindText:
		if err := sh.text().UnmarshalText(text); err != nil {
			return s.bad("%.80q: %v", text, err)
		}
	}
	return s.take(len(text))
}

// inside reads an object or a list, which begins with open.
func (s *scanner) inside(open, c byte, sh *shape, read func(*shape) error) error {
	if c != open {
		return s.bad("not %s", sh.kind)
	}
	if s.depth == maxDepth {
		return s.bad("more than %d values inside each other", maxDepth)
	}
	s.depth++
	s.at++
	err := read(sh)
	s.depth--
	return err
}

func (s *scanner) object(sh *shape) error {
	var seen uint64
	keys := map[string]bool{}
	for first := true; ; first = false {
		c := s.next()
		if c == '}' {
			s.at++
			break
		}
		if !first {
			if c != ',' {
				return s.bad("an object that does not go on")
			}
			s.at++
			c = s.next()
		}
		if c != '"' {
			return s.bad("no key where one has to be")
		}
		key, err := s.text()
		if err != nil {
			return err
		}
		if s.next() != ':' {
			return s.bad("no colon after %.80q", key)
		}
		s.at++
		if sh.kind == kindObject {
			err = s.member(sh, key, &seen)
		} else {
			err = s.entry(sh, string(key), keys)
		}
		if err != nil {
			return err
		}
	}
	if missing := sh.required &^ seen; missing != 0 {
		return s.bad("%q is missing", sh.children[bits.TrailingZeros64(missing)].name)
	}
	return nil
}

// member reads the value of one field.
func (s *scanner) member(sh *shape, key []byte, seen *uint64) error {
	i, ok := sh.fields[string(key)]
	if !ok {
		return s.bad("unknown field %.80q", key)
	}
	f := &sh.children[i]
	if *seen&(1<<i) != 0 {
		return s.bad("%q is there twice", f.name)
	}
	*seen |= 1 << i
	return s.under(step{name: f.name}, f.pointee, f.shape)
}

// entry reads the value of one key of a map.
func (s *scanner) entry(sh *shape, key string, keys map[string]bool) error {
	if keys[key] {
		return s.bad("%.80q is there twice", key)
	}
	keys[key] = true
	return s.under(step{name: key}, 2*(16+len(key)+sh.elem.size), sh.elem) // a map is at most half full
}

// under reads a value that lies in another, and takes that much memory there.
func (s *scanner) under(p step, memory int, sh *shape) error {
	s.path = append(s.path, p)
	if err := s.take(memory); err != nil {
		return err
	}
	if err := s.value(sh); err != nil {
		return err
	}
	s.path = s.path[:len(s.path)-1]
	return nil
}

func (s *scanner) list(sh *shape) error {
	n := 0
	for ; ; n++ {
		c := s.next()
		if c == ']' {
			s.at++
			break
		}
		if n > 0 {
			if c != ',' {
				return s.bad("a list that does not go on")
			}
			s.at++
		}
		if err := s.under(step{index: n}, sh.elem.size, sh.elem); err != nil {
			return err
		}
	}
	if sh.kind == kindArray && n != sh.length {
		return s.bad("%d values instead of %d", n, sh.length)
	}
	return nil
}

func (s *scanner) integer(sh *shape) error {
	start := s.at
	for s.at < len(s.b) && strings.IndexByte("+-.0123456789Ee", s.b[s.at]) >= 0 {
		s.at++
	}
	text := string(s.b[start:s.at])
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || digits[0] == '0' && len(digits) > 1 {
		return s.bad("not %s", sh.kind)
	}
	var err error
	if sh.signed {
		_, err = strconv.ParseInt(text, 10, sh.bits)
	} else {
		_, err = strconv.ParseUint(text, 10, sh.bits)
	}
	if err != nil {
		return s.bad("%.40q is not %s of the right size", text, sh.kind)
	}
	return nil
}

// text reads a string.
func (s *scanner) text() ([]byte, error) {
	start := s.at
	s.at++
	escaped := false
	for s.at < len(s.b) {
		switch c := s.b[s.at]; {
		case c == '"':
			s.at++
			if !escaped {
				return s.b[start+1 : s.at-1], nil
			}
			var text string
			if err := json.Unmarshal(s.b[start:s.at], &text); err != nil {
				return nil, s.bad("%v", err)
			}
			return []byte(text), nil
		case c == '\\':
			escaped = true
			s.at++
		case c < ' ':
			return nil, s.bad("a control character in a string")
		}
		s.at++
	}
	return nil, s.bad("a string without an end")
}

func isHex(text []byte) bool {
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func (k kind) String() string {
	return map[kind]string{
		kindObject: "an object", kindMap: "an object", kindList: "a list", kindArray: "a list", kindString: "a string",
		kindHex: "a string", kindText: "a string", kindBool: "true or false", kindInt: "an integer",
	}[k]
}
