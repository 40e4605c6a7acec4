// Package yamlfile reads YAML into Go values, strictly, and says at which line and column something else stands than is wanted.
package yamlfile

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	node "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/words"
)

// Unmarshal reads a text into a value by the names of its JSON fields. A key that the value does not have, one that is there twice, more
// than one document and a value of another kind are errors, which begin with the file and the place. No text leaves the value as it is.
func Unmarshal(file string, text []byte, into any) error {
	d := node.NewDecoder(strings.NewReader(string(text)))
	var doc, more node.Node
	if err := d.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return broken(file, string(text), err)
	}
	if doc.Kind == node.DocumentNode && len(doc.Content) == 1 {
		switch err := d.Decode(&more); {
		case err == nil:
			return fmt.Errorf("%s:%d:%d: more than one document", file, more.Line, more.Column)
		case !errors.Is(err, io.EOF):
			return broken(file, string(text), err)
		}
		if key := again(&doc); key != nil {
			return fmt.Errorf("%s:%d:%d: key %q is there already", file, key.Line, key.Column, key.Value)
		}
		if p := check(doc.Content[0], reflect.TypeOf(into).Elem(), ""); p != nil {
			return fmt.Errorf("%s:%d:%d: %s", file, p.at.Line, p.at.Column, p.what)
		}
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		return syntax(file, err)
	}
	return nil
}

// problem is what is wrong with a node.
type problem struct {
	at   *node.Node
	what string
}

// Types that read JSON or a text by themselves.
var (
	ownJSON = reflect.TypeFor[json.Unmarshaler]()
	ownText = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// check compares a node with the type that it is read into. Aliases are left to the parser: they lead to what was compared.
func check(n *node.Node, t reflect.Type, path string) *problem {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n.Tag == "!!null" && strings.ContainsAny(path, ".[") && t.Kind() != reflect.Interface: // a section of the file can be left without anything
		return &problem{n, path + ": it has no value: leave it out, or give it one"}
	case n.Kind == node.AliasNode || n.Tag == "!!null" || reflect.PointerTo(t).Implements(ownJSON):
		return nil
	case n.Kind == node.ScalarNode && reflect.PointerTo(t).Implements(ownText):
		return checkText(n, t, path)
	}
	want := ""
	switch t.Kind() {
	case reflect.Struct:
		if n.Kind == node.MappingNode {
			return checkFields(n, t, path)
		}
		want = "keys with values"
	case reflect.Map:
		if n.Kind == node.MappingNode {
			return checkEach(n.Content, 2, t.Elem(), path)
		}
		want = "keys with values"
	case reflect.Slice:
		if n.Kind == node.SequenceNode {
			return checkEach(n.Content, 1, t.Elem(), path)
		}
		want = "a list, such as [a, b]"
	case reflect.String:
		if n.Kind != node.ScalarNode {
			want = "a text"
		} else if n.Value == "" {
			return &problem{n, path + ": it is empty: leave it out, or give it a value"}
		}
	case reflect.Bool:
		if n.Tag != "!!bool" {
			want = "true or false"
		}
	case reflect.Int, reflect.Int64:
		if n.Tag != "!!int" {
			want = "a number"
		}
	default: // any
	}
	if want == "" {
		return nil
	}
	if path == "" {
		path = "the file"
	}
	return &problem{n, fmt.Sprintf("%s: want %s, not %s", path, want, kind(n))}
}

// checkText has a value read its text.
func checkText(n *node.Node, t reflect.Type, path string) *problem {
	err := reflect.New(t).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value))
	switch {
	case err == nil:
		return nil
	case t == reflect.TypeFor[netip.Prefix]():
		return &problem{n, fmt.Sprintf("%s: want an address and how many bits of it, such as 192.0.2.0/24, not %s", path, kind(n))}
	default:
		return &problem{n, fmt.Sprintf("%s: %v", path, err)}
	}
}

// checkFields compares the keys of a node with the fields of a structure.
func checkFields(n *node.Node, t reflect.Type, path string) *problem {
	fields := map[string]reflect.Type{}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields[name] = f.Type
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Value == "<<" && key.Tag == "!!merge" {
			continue
		}
		of, ok := fields[key.Value]
		if !ok {
			return &problem{key, strings.TrimPrefix(path+": ", ": ") + fmt.Sprintf("unknown key %q: %s", key.Value, words.Wrong(key.Value, names))}
		}
		if p := check(n.Content[i+1], of, join(path, key.Value)); p != nil {
			return p
		}
	}
	return nil
}

// checkEach compares the elements of a list, or each second of the keys and values of a map.
func checkEach(list []*node.Node, step int, t reflect.Type, path string) *problem {
	for i := step - 1; i < len(list); i += step {
		name := fmt.Sprintf("[%d]", i)
		if step == 2 {
			name = list[i-1].Value
		}
		if p := check(list[i], t, join(path, name)); p != nil {
			return p
		}
	}
	return nil
}

func join(path, name string) string {
	if path == "" || strings.HasPrefix(name, "[") {
		return path + name
	}
	return path + "." + name
}

func kind(n *node.Node) string {
	switch n.Kind {
	case node.MappingNode:
		return "keys with values"
	case node.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("%.40q", n.Value)
	}
}
