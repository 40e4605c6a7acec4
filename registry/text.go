package registry

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxText bounds a text of regedit and a registry.pol, in bytes.
const MaxText = 256 << 20

// ReadText reads a text of regedit into a tree whose first keys are the roots (HKEY_LOCAL_MACHINE). The text is UTF-16 with its mark, or UTF-8.
func ReadText(b []byte) (*Tree, error) {
	text, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("registry text: %w", err)
	}
	p := &parser{text: text, root: new(Tree), cut: !strings.HasSuffix(text, "\n")}
	first := strings.TrimSpace(p.line())
	if !strings.HasPrefix(first, "Windows Registry Editor Version 5") && first != "REGEDIT4" {
		return nil, fmt.Errorf("registry text: %w: it does not begin as one", ErrDamaged)
	}
	p.ansi = first == "REGEDIT4"
	p.root.open = !strings.HasSuffix(strings.ReplaceAll(text, "\r", ""), "\n\n")
	for p.text != "" {
		if err := p.entry(); err != nil {
			return nil, fmt.Errorf("registry text, line %d: %w", p.at, err)
		}
	}
	return p.root, nil
}

// Decode is a file of Windows as text: UTF-16 by its byte order mark or by its zeroes, else UTF-8.
func Decode(b []byte) (string, error) {
	if len(b) > MaxText {
		return "", ErrTooMuch
	}
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return text16(b[2:]), nil
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		swapped := make([]byte, len(b)-2)
		for i := 0; i+1 < len(swapped); i += 2 {
			swapped[i], swapped[i+1] = b[i+3], b[i+2]
		}
		return text16(swapped), nil
	case len(b) >= 2 && b[0] != 0 && b[1] == 0:
		return text16(b), nil
	}
	b = bytes.TrimPrefix(b, []byte{0xef, 0xbb, 0xbf})
	if !utf8.Valid(b) { // of the code page of some machine: what is not ASCII cannot be told
		return strings.ToValidUTF8(string(b), "\ufffd"), nil
	}
	return string(b), nil
}

// parser reads a text of regedit line by line.
type parser struct {
	text string
	at   int
	ansi bool // texts in hex are of one byte each
	cut  bool // the text ends within a line, so that more of its last value may have been there
	root *Tree
	key  *Tree
	made counter
}

func (p *parser) line() string {
	line, rest, _ := strings.Cut(p.text, "\n")
	p.text = rest
	p.at++
	return strings.TrimSuffix(line, "\r")
}

// atCut says that the line that was read last is one that the text ends within.
func (p *parser) atCut() bool { return p.cut && p.text == "" }

func (p *parser) entry() error {
	line := strings.TrimSpace(p.line())
	switch {
	case line == "" || line[0] == ';':
		return nil
	case line[0] == '[':
		return p.section(line)
	case line[0] == '"' || line[0] == '@':
		return p.value(line)
	}
	return fmt.Errorf("%w: neither a key nor a value: %.40q", ErrDamaged, line)
}

func (p *parser) section(line string) error {
	path, ok := strings.CutSuffix(line[1:], "]")
	if !ok || strings.Count(path, `\`) > maxPath {
		return fmt.Errorf("%w: no key: %.40q", ErrDamaged, line)
	}
	if err := p.made.one(); err != nil {
		return err
	}
	if gone, ok := strings.CutPrefix(path, "-"); ok {
		i := strings.LastIndexByte(gone, '\\')
		p.root.Add(gone[:max(i, 0)]).remove(gone[i+1:])
		p.key = nil
		return nil
	}
	p.key = p.root.Add(path)
	p.root.cover(path)
	return nil
}

func (p *parser) value(line string) error {
	if err := p.made.one(); err != nil {
		return err
	}
	name := ""
	rest := line[1:]
	if line[0] == '"' {
		var err error
		if name, rest, err = p.quoted(line[1:]); err != nil {
			return err
		}
	}
	rest, ok := strings.CutPrefix(strings.TrimSpace(rest), "=")
	if !ok {
		return fmt.Errorf("%w: a value without =: %.40q", ErrDamaged, line)
	}
	v := Value{Name: name}
	rest = strings.TrimSpace(rest)
	switch {
	case p.key == nil && rest == "-":
		return nil
	case p.key == nil:
		return fmt.Errorf("%w: a value outside of a key", ErrDamaged)
	case rest == "-":
		p.key.unset(name)
		return nil
	case strings.HasPrefix(rest, `"`):
		s, _, err := p.quoted(rest[1:])
		if err != nil {
			return err
		}
		v.Type, v.Data = SZ, bytes16(s)
	case strings.HasPrefix(rest, "dword:"):
		n, err := strconv.ParseUint(strings.TrimSpace(rest[6:]), 16, 32)
		if err != nil {
			return fmt.Errorf("%w: no number: %.40q", ErrDamaged, rest)
		}
		if p.atCut() && len(strings.TrimSpace(rest[6:])) < 8 {
			return fmt.Errorf("%w: a number without an end", ErrDamaged)
		}
		v.Type, v.Data = DWORD, binary.LittleEndian.AppendUint32(nil, uint32(n))
	case strings.HasPrefix(rest, "hex"):
		if err := p.hexadecimal(&v, rest[3:]); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%w: a value of no kind: %.40q", ErrDamaged, rest)
	}
	p.key.Set(v)
	return nil
}

// quoted reads a text up to its quotation mark; it can go on over lines, since regedit writes new lines as they are.
func (p *parser) quoted(s string) (text, rest string, err error) {
	var b strings.Builder
	for {
		i := strings.IndexAny(s, `"\`)
		switch {
		case i < 0 && p.text == "" || i >= 0 && s[i] == '\\' && i+1 == len(s) && p.text == "":
			return "", "", fmt.Errorf("%w: a text without an end", ErrDamaged)
		case i < 0:
			b.WriteString(s + "\n")
			s = p.line()
		case s[i] == '"':
			b.WriteString(s[:i])
			return b.String(), s[i+1:], nil
		case i+1 == len(s):
			b.WriteString(s + "\n")
			s = p.line()
		default:
			b.WriteString(s[:i])
			b.WriteByte(s[i+1])
			s = s[i+2:]
		}
	}
}

// hexadecimal reads what follows "hex": a type in brackets, and bytes, over lines that end in a backslash.
func (p *parser) hexadecimal(v *Value, s string) error {
	v.Type = Binary
	if t, rest, ok := strings.Cut(s, ")"); ok && strings.HasPrefix(t, "(") {
		n, err := strconv.ParseUint(t[1:], 16, 32)
		if err != nil {
			return fmt.Errorf("%w: no type: %.40q", ErrDamaged, s)
		}
		v.Type, s = Type(n), rest
	}
	s, ok := strings.CutPrefix(s, ":")
	if !ok {
		return fmt.Errorf("%w: no bytes: %.40q", ErrDamaged, s)
	}
	for {
		line, more := strings.CutSuffix(strings.TrimSpace(s), `\`)
		digits := strings.NewReplacer(",", "", " ", "", "\t", "").Replace(line)
		b, err := hex.DecodeString(digits)
		if err != nil {
			return fmt.Errorf("%w: no bytes: %.40q", ErrDamaged, line)
		}
		if v.Data = append(v.Data, b...); len(v.Data) > maxData {
			return ErrTooMuch
		}
		if !more && !p.atCut() {
			break
		}
		if p.text == "" {
			return fmt.Errorf("%w: bytes without an end", ErrDamaged)
		}
		s = p.line()
	}
	if p.ansi && (v.Type == ExpandSZ || v.Type == MultiSZ) {
		wide := make([]byte, 0, 2*len(v.Data))
		for _, c := range v.Data {
			wide = append(wide, c, 0)
		}
		v.Data = wide
	}
	return nil
}
