package registry

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// ReadPol reads a registry.pol of a policy (MS-GPREG 2.2) into a tree, whose keys are below that of the machine or the user.
func ReadPol(b []byte) (*Tree, error) {
	if len(b) < 8 || string(b[:4]) != "PReg" || binary.LittleEndian.Uint32(b[4:]) != 1 {
		return nil, fmt.Errorf("registry.pol: %w: it does not begin as one", ErrDamaged)
	}
	if len(b) > MaxText {
		return nil, fmt.Errorf("registry.pol: %w", ErrTooMuch)
	}
	p := &pol{b: b, at: 8}
	root := new(Tree)
	var made counter
	for p.at < len(b) {
		key, v, err := p.entry()
		if err == nil {
			err = made.one()
		}
		if err == nil && strings.Count(key, `\`) > maxPath {
			err = ErrDamaged
		}
		if err != nil {
			return nil, fmt.Errorf("registry.pol, byte %d: %w", p.at, err)
		}
		applyPol(root.Add(key), v)
	}
	return root, nil
}

// applyPol does what an entry says: names that begin with "**" are commands.
func applyPol(k *Tree, v Value) {
	lower := strings.ToLower(v.Name)
	switch {
	case strings.HasPrefix(lower, "**del."):
		k.unset(v.Name[len("**del."):])
	case strings.HasPrefix(lower, "**delvals"):
		k.values = nil
		k.shut = true
	case strings.HasPrefix(lower, "**deletevalues"):
		if list, ok := v.Text(); ok {
			for name := range strings.SplitSeq(list, ";") {
				k.unset(strings.TrimSpace(name))
			}
		}
	case strings.HasPrefix(lower, "**deletekeys"):
		if list, ok := v.Text(); ok {
			for name := range strings.SplitSeq(list, ";") {
				k.remove(strings.TrimSpace(name))
			}
		}
	case strings.HasPrefix(lower, "**soft."):
		v.Name = v.Name[len("**soft."):]
		if _, has := k.values[strings.ToLower(v.Name)]; !has {
			k.Set(v)
		}
	case strings.HasPrefix(lower, "**"): // SecureKey and its like say nothing of values
	default:
		k.Set(v)
	}
}

// pol reads [key;value;type;size;data], all of it but the data in UTF-16LE.
type pol struct {
	b  []byte
	at int
}

func (p *pol) entry() (key string, v Value, err error) {
	if err = p.mark('['); err == nil {
		key, err = p.text()
	}
	if err == nil {
		v.Name, err = p.text()
	}
	var typ, size uint32
	if err == nil {
		typ, err = p.number()
	}
	if err == nil {
		size, err = p.number()
	}
	if err != nil {
		return "", v, err
	}
	if size > maxData || int(size) > len(p.b)-p.at {
		return "", v, fmt.Errorf("%w: %d bytes of data", ErrDamaged, size)
	}
	v.Type, v.Data = Type(typ), p.b[p.at:p.at+int(size)]
	p.at += int(size)
	return key, v, p.mark(']')
}

func (p *pol) mark(c byte) error {
	if p.at+2 > len(p.b) || p.b[p.at] != c || p.b[p.at+1] != 0 {
		return fmt.Errorf("%w: no %q where one has to be", ErrDamaged, c)
	}
	p.at += 2
	return nil
}

// text reads up to a zero, and the semicolon after it.
func (p *pol) text() (string, error) {
	for i := p.at; i+1 < len(p.b); i += 2 {
		if p.b[i] == 0 && p.b[i+1] == 0 {
			s := text16(p.b[p.at:i])
			p.at = i + 2
			return s, p.mark(';')
		}
		if i-p.at > 2*16384 {
			break
		}
	}
	return "", fmt.Errorf("%w: a name without an end", ErrDamaged)
}

func (p *pol) number() (uint32, error) {
	if p.at+4 > len(p.b) {
		return 0, fmt.Errorf("%w: it ends in an entry", ErrDamaged)
	}
	n := binary.LittleEndian.Uint32(p.b[p.at:])
	p.at += 4
	return n, p.mark(';')
}
