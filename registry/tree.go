package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// maxNodes bounds the keys and values of a text.
const maxNodes = 2_000_000

// maxRoots bounds the keys of a text that no key before them holds. Of what is below others it is not said that it is whole.
const maxRoots = 10_000

// Tree is keys in memory, made of texts, or put over one another from several sources.
type Tree struct {
	name   string
	keys   map[string]*Tree
	values map[string]Value
	// below are other sources of the same key: what they have and the tree does not is here too. What the tree deleted is gone.
	below   []Key
	deleted map[string]bool // keys
	gone    map[string]bool // values
	shut    bool            // nothing of below counts
	roots   []string        // of a text
	covered map[string]bool // the same, in lower case
	open    bool            // a text that does not end as regedit ends one
}

// Ended says of a text that it ends as regedit ends one: with a line without anything after the last key. One that does not may be cut.
func (t *Tree) Ended() bool { return !t.open }

// Roots are the keys of a text that no key before them holds: regedit writes a key with all that is in it, so that what is not there
// below one of them is not in the registry either.
func (t *Tree) Roots() []string { return t.roots }

func (t *Tree) cover(path string) {
	lower := strings.ToLower(path)
	for i := range len(lower) {
		if lower[i] == '\\' && t.covered[lower[:i]] {
			return
		}
	}
	if t.covered[lower] || len(t.roots) >= maxRoots {
		return
	}
	if t.covered == nil {
		t.covered = map[string]bool{}
	}
	t.covered[lower] = true
	t.roots = append(t.roots, path)
}

// Below says whether a path is that of a key, or of one in it.
func Below(path, key string) bool {
	return len(path) >= len(key) && strings.EqualFold(path[:len(key)], key) && (len(path) == len(key) || key == "" || path[len(key)] == '\\')
}

// Add makes the key at a path, if there is none.
func (t *Tree) Add(path string) *Tree {
	for name := range strings.SplitSeq(path, `\`) {
		if name == "" {
			continue
		}
		lower := strings.ToLower(name)
		c := t.keys[lower]
		if c == nil {
			if t.keys == nil {
				t.keys = map[string]*Tree{}
			}
			c = &Tree{name: name, shut: t.deleted[lower] || t.shut}
			t.keys[lower] = c
		}
		t = c
	}
	return t
}

// Set sets a value.
func (t *Tree) Set(v Value) {
	if t.values == nil {
		t.values = map[string]Value{}
	}
	t.values[strings.ToLower(v.Name)] = v
}

// Mount puts another source under the tree at a path. The source that was mounted first is asked first.
func (t *Tree) Mount(path string, k Key) {
	at := t.Add(path)
	at.below = append(at.below, k)
}

// unset deletes a value.
func (t *Tree) unset(name string) {
	delete(t.values, strings.ToLower(name))
	if t.gone == nil {
		t.gone = map[string]bool{}
	}
	t.gone[strings.ToLower(name)] = true
}

// remove deletes the key of that name.
func (t *Tree) remove(name string) {
	delete(t.keys, strings.ToLower(name))
	if t.deleted == nil {
		t.deleted = map[string]bool{}
	}
	t.deleted[strings.ToLower(name)] = true
}

// Keys implements Key.
func (t *Tree) Keys() ([]string, error) {
	found := map[string]string{}
	for lower, c := range t.keys {
		found[lower] = c.name
	}
	for _, k := range t.sources() {
		names, err := k.Keys()
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			if lower := strings.ToLower(n); found[lower] == "" && !t.deleted[lower] {
				found[lower] = n
			}
		}
	}
	names := make([]string, 0, len(found))
	for _, n := range found {
		names = append(names, n)
	}
	slices.SortFunc(names, byName)
	return names, nil
}

func (t *Tree) sources() []Key {
	if t.shut {
		return nil
	}
	return t.below
}

// Key implements Key.
func (t *Tree) Key(name string) (Key, error) {
	lower := strings.ToLower(name)
	var below []Key
	if !t.deleted[lower] {
		for _, k := range t.sources() {
			c, err := k.Key(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			below = append(below, c)
		}
	}
	c := t.keys[lower]
	switch {
	case c == nil && len(below) == 0:
		return nil, notExist(name)
	case c == nil && len(below) == 1:
		return below[0], nil
	case c == nil:
		return &Tree{name: name, below: below}, nil
	case len(below) == 0:
		return c, nil
	}
	both := *c
	both.below = append(slices.Clone(c.below), below...)
	return &both, nil
}

// Values implements Key.
func (t *Tree) Values() ([]Value, error) {
	seen := map[string]bool{}
	var list []Value
	for lower, v := range t.values {
		seen[lower] = true
		list = append(list, v)
	}
	for _, k := range t.sources() {
		more, err := k.Values()
		if err != nil {
			return nil, err
		}
		for _, v := range more {
			if lower := strings.ToLower(v.Name); !seen[lower] && !t.gone[lower] {
				seen[lower] = true
				list = append(list, v)
			}
		}
	}
	sortValues(list)
	return list, nil
}

// Security implements Key: that of the first source that has one.
func (t *Tree) Security() ([]byte, error) {
	for _, k := range t.sources() {
		if b, err := k.Security(); err != nil || b != nil {
			return b, err
		}
	}
	return nil, nil
}

// counter bounds what is made of a text.
type counter int

func (c *counter) one() error {
	if *c++; *c > maxNodes {
		return fmt.Errorf("registry: %w", ErrTooMuch)
	}
	return nil
}
