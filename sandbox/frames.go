package sandbox

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxFrame bounds what the two processes say to each other at once, in bytes.
const maxFrame = 1 << 30

// errFrame is what cannot have been said by the other process of this program.
var errFrame = errors.New("not an answer of this program")

// writeFrame writes the length of b, in eight bytes with the highest first, and b.
func writeFrame(w io.Writer, b []byte) error {
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], uint64(len(b)))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

// readFrame reads a frame. It is io.EOF where the other side has closed between two of them. Memory is taken as
// bytes arrive, not as they are announced.
func readFrame(r io.Reader) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint64(head[:])
	if n > maxFrame {
		return nil, fmt.Errorf("%w: %d bytes", errFrame, n)
	}
	var b bytes.Buffer
	b.Grow(int(min(n, 1<<20)))
	if m, err := io.CopyN(&b, r, int64(n)); err != nil {
		return nil, fmt.Errorf("%w: %d of %d bytes", io.ErrUnexpectedEOF, m, n)
	}
	return b.Bytes(), nil
}

func writeValue(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeFrame(w, b)
}

// readValue reads a frame of JSON that has no field too many.
func readValue(r io.Reader, v any) error {
	b, err := readFrame(r)
	if err != nil {
		return err
	}
	return strictValue(b, v)
}

func strictValue(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errFrame, err)
	}
	return nil
}
