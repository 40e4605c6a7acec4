package snapshot

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// Packed says whether a file is compressed by gzip (RFC 1952).
func Packed(b []byte) bool { return len(b) > 2 && b[0] == 0x1f && b[1] == 0x8b }

// Unpack is the text of a snapshot file, which can be compressed by gzip. One that is larger than MaxSize is ErrTooLarge.
func Unpack(b []byte) ([]byte, error) {
	if !Packed(b) {
		return b, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, MaxSize+1))
	switch {
	case err == nil && len(text) > MaxSize:
		return nil, ErrTooLarge
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("gzip: it ends early")
	case err != nil:
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return text, nil
}
