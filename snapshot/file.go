package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxSize bounds a snapshot file: the largest one that was measured (10,000 processes, 10,000
// sockets, 10,000 rules, 100,000 set elements) is below 40 MB.
const MaxSize = 256 << 20

// ErrTooLarge is returned for a snapshot above MaxSize.
var ErrTooLarge = errors.New("larger than 256 MiB")

// MaxElements bounds the elements of all sets of a snapshot that is read: in memory they are many times as large as
// in a file.
const MaxElements = 2_000_000

// ErrTooMany is returned for a snapshot with more.
var ErrTooMany = errors.New("more than 2,000,000 elements of sets")

// Load reads a snapshot. A document of another schema, with unknown fields, or that ends early is
// an error.
func Load(r io.Reader) (*Snapshot, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	if len(b) > MaxSize {
		return nil, fmt.Errorf("read snapshot: %w", ErrTooLarge)
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	if head.Schema != Schema {
		return nil, fmt.Errorf("read snapshot: schema %q, this program reads %q", head.Schema, Schema)
	}
	// Each element has a key, and little else has: the count is made before anything is built from it.
	if bytes.Count(b, []byte(`"key"`)) > MaxElements {
		return nil, fmt.Errorf("read snapshot: %w", ErrTooMany)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	s := new(Snapshot)
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	return s, nil
}

// Write writes the snapshot as indented JSON; the same snapshot gives the same bytes.
func (s *Snapshot) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(s); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// Digest identifies the snapshot's content.
func (s *Snapshot) Digest() (string, error) {
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(s); err != nil {
		return "", fmt.Errorf("digest of the snapshot: %w", err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
