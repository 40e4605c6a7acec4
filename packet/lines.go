package packet

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// maxLine bounds one line of a batch.
const maxLine = 64 << 10

// Lines calls f for each line of a batch that is not empty, with its number from 1 on, until it returns an error.
func Lines(r io.Reader, f func(n int, line []byte) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 4096), maxLine)
	for n := 1; s.Scan(); n++ {
		if strings.TrimSpace(s.Text()) == "" {
			continue
		}
		if err := f(n, s.Bytes()); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	return nil
}
