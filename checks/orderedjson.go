//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// object is one of JSON whose members keep their order. A nil one is empty.
type object struct {
	keys []string
	vals map[string]any
}

func (o *object) names() []string {
	if o == nil {
		return nil
	}
	return o.keys
}

func (o *object) get(key string) any {
	if o == nil {
		return nil
	}
	return o.vals[key]
}

// set gives a member its value; one that was there keeps its place.
func (o *object) set(key string, v any) {
	if o.vals == nil {
		o.vals = map[string]any{}
	}
	if _, ok := o.vals[key]; !ok {
		o.keys = append(o.keys, key)
	}
	o.vals[key] = v
}

// merge puts the members of another object over its own, and those of objects within them.
func (o *object) merge(over *object) {
	for _, key := range over.names() {
		old, was := o.get(key).(*object)
		within, is := over.get(key).(*object)
		if !was || !is {
			o.set(key, over.get(key))
			continue
		}
		both := &object{keys: slices.Clone(old.keys), vals: map[string]any{}}
		maps.Copy(both.vals, old.vals)
		both.merge(within)
		o.set(key, both)
	}
}

// orderedJSON decodes JSON with comments and commas at ends; objects keep their order, and a member that comes twice has its last value. The decoder of
// JSON5 that reads other settings (decodeJSON5) gives maps, which have no order, and has no tokens.
func orderedJSON(text []byte) (any, error) {
	text = plainJSON(text)
	if depth := nesting(text); depth > maxNesting {
		return nil, fmt.Errorf("nested more than %d levels deep", maxNesting)
	}
	if !json.Valid(text) {
		return nil, errMalformed
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return orderedValue(d)
}

// orderedValue decodes the next value of a text that is valid.
func orderedValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := new(object)
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := orderedValue(d)
			if err != nil {
				return nil, err
			}
			name, _ := key.(string)
			o.set(name, v)
		}
		_, err = d.Token()
		return o, err
	case json.Delim('['):
		var list []any
		for d.More() {
			v, err := orderedValue(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	return t, nil
}

// plainJSON takes comments and commas at ends out of a text.
func plainJSON(text []byte) []byte {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch rest := text[i:]; {
		case rest[0] == '"':
			end := 1
			for ; end < len(rest) && rest[end] != '"'; end++ {
				if rest[end] == '\\' {
					end++
				}
			}
			end = min(end+1, len(rest))
			out = append(out, rest[:end]...)
			i += end - 1
		case bytes.HasPrefix(rest, []byte("//")), bytes.HasPrefix(rest, []byte("/*")):
			stop, more := "\n", 0
			if rest[1] == '*' {
				stop, more = "*/", 2
			}
			end := bytes.Index(rest[2:], []byte(stop))
			if end < 0 {
				return out
			}
			i += 2 + end + more - 1
		case rest[0] == '}', rest[0] == ']':
			out = bytes.TrimRight(out, " \t\r\n")
			out = append(bytes.TrimSuffix(out, []byte(",")), rest[0])
		default:
			out = append(out, rest[0])
		}
	}
	return out
}
