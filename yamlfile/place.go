package yamlfile

import (
	"errors"
	"fmt"

	node "go.yaml.in/yaml/v3"
)

// PlaceError is what is wrong with the value that keys (string) and indices (int) lead to.
type PlaceError struct {
	Path []any
	Err  error
}

// At says which value an error is about.
func At(err error, path ...any) error {
	if err == nil {
		return nil
	}
	return &PlaceError{path, err}
}

func (e *PlaceError) Error() string {
	path := ""
	for _, p := range e.Path {
		if i, ok := p.(int); ok {
			path += fmt.Sprintf("[%d]", i)
		} else {
			path = join(path, p.(string))
		}
	}
	return path + ": " + e.Err.Error()
}

func (e *PlaceError) Unwrap() error { return e.Err }

// Locate adds to an error the file, and the line and the column of the value that it is about, where it says which.
func Locate(file string, text []byte, err error) error {
	if err == nil {
		return nil
	}
	var path []any
	for inner, p := err, (*PlaceError)(nil); errors.As(inner, &p); inner = p.Err {
		path = append(path, p.Path...)
	}
	var doc node.Node
	if len(path) == 0 || node.Unmarshal(text, &doc) != nil || len(doc.Content) != 1 {
		return fmt.Errorf("%s: %w", file, err)
	}
	n, at := doc.Content[0], doc.Content[0]
	for _, step := range path {
		if n, at = below(n, step, at); n == nil {
			break
		}
	}
	return fmt.Errorf("%s:%d:%d: %w", file, at.Line, at.Column, err)
}

// below is the value of a key or an index, and where it stands: of a key that is the key. Without one it is nil, and stands where it was.
func below(n *node.Node, step any, at *node.Node) (value, place *node.Node) {
	if n.Kind == node.AliasNode {
		n = n.Alias
	}
	switch i, isIndex := step.(int); {
	case n.Kind == node.SequenceNode && isIndex && i < len(n.Content):
		return n.Content[i], n.Content[i]
	case n.Kind == node.MappingNode && !isIndex:
		for k := 0; k+1 < len(n.Content); k += 2 {
			if n.Content[k].Value == step {
				return n.Content[k+1], n.Content[k]
			}
		}
	}
	return nil, at
}
