package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/words"
)

// MaxSize bounds a snapshot file: the largest one that was measured (10,000 processes, 10,000
// sockets, 10,000 rules, 100,000 set elements) is below 40 MB.
const MaxSize = 256 << 20

// ErrTooLarge is returned for a snapshot above MaxSize.
var ErrTooLarge = errors.New("larger than 256 MiB")

// MaxElements bounds the elements of all sets of a snapshot that is read: in memory they are many times as large as
// in a file.
const MaxElements = 2_000_000

// ErrTooMany is returned for a snapshot with more, ErrTooManyValues for one with more of something else than a host
// has, or of which much more would be built than is in the file.
var (
	ErrTooMany       = errors.New("more than 2,000,000 elements of sets")
	ErrTooManyValues = errors.New("too many values")
)

// Load reads a snapshot and refuses what is none: a document of another schema, one that ends early, has a field that
// the format does not have, lacks one that it has or has one twice, or says what no host can say. The error names
// the place and what is wrong with it. What is read takes at most sixteen times its size in memory, and 1 GiB.
//
// The digest is verified where there is one. It tells damage, not forgery: whoever can write the file can write it.
func Load(r io.Reader) (*Snapshot, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	if len(b) > MaxSize {
		return nil, fmt.Errorf("read snapshot: %w", ErrTooLarge)
	}
	var head struct {
		Schema string `json:"schema"` // what it says that it is
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", words.JSONError(b, err))
	}
	if err := known(head.Schema); err != nil {
		return nil, err
	}
	if err := scan(b); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	s := new(Snapshot)
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	if err := s.verify(); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	s.Index()
	return s, nil
}

// known refuses the schema of what is no snapshot, or of another version, with what would be one.
func known(schema string) error {
	switch {
	case schema == Schema:
		return nil
	case strings.HasPrefix(schema, "ringfence.snapshot/"):
		return fmt.Errorf("read snapshot: schema %q, this program reads %q", schema, Schema)
	case strings.HasPrefix(schema, "ringfence.report"):
		return fmt.Errorf("read snapshot: it is a report (schema %q), want a snapshot, which ringfence collect writes; report convert and diff read reports", schema)
	default:
		return fmt.Errorf("read snapshot: schema %q, this program reads %q, which ringfence collect writes", schema, Schema)
	}
}

// Write writes the snapshot with its digest as indented JSON; the same snapshot gives the same bytes.
func (s *Snapshot) Write(w io.Writer) error {
	s, err := s.asText()
	if err != nil {
		return err
	}
	digest, err := s.Digest()
	if err != nil {
		return err
	}
	out := *s
	out.Integrity = &Integrity{Digest: digest}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err = e.Encode(out); err == nil {
		_, err = w.Write(escape.JSON(b.Bytes()))
	}
	if err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// asText is the snapshot as it will be read: keys of maps that differ in bytes that are not UTF-8 alone become one.
func (s *Snapshot) asText() (*Snapshot, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write snapshot: %w", err)
	}
	if !bytes.Contains(b, []byte(`\ufffd`)) {
		return s, nil
	}
	text := new(Snapshot)
	if err := json.Unmarshal(b, text); err != nil {
		return nil, fmt.Errorf("write snapshot: %w", err)
	}
	return text, nil
}

// ErrDamaged is returned for a snapshot that is not what its digest was made of.
var ErrDamaged = errors.New("integrity.digest: the snapshot was changed after it was collected, or is damaged")

// verify compares the snapshot with the digest in it, if there is one.
func (s *Snapshot) verify() error {
	if s.Integrity == nil {
		return nil
	}
	digest, err := s.Digest()
	if err != nil {
		return err
	}
	if digest != s.Integrity.Digest {
		return ErrDamaged
	}
	return nil
}

// Digest identifies the snapshot's content: the SHA-256 of its JSON without white space and without Integrity, fields in
// the order of the types, keys of maps sorted. White space, the order of keys and escapes in a file do not change it.
func (s *Snapshot) Digest() (string, error) {
	content := *s
	content.Integrity = nil
	b, err := json.Marshal(content)
	if err != nil {
		return "", fmt.Errorf("digest of the snapshot: %w", err)
	}
	// Bytes that are not UTF-8 are written as this escape; what is read back holds the character.
	b = append(bytes.ReplaceAll(b, []byte(`\ufffd`), []byte("\ufffd")), '\n')
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
