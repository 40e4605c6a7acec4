package host

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"
)

// counted counts how often is read.
type counted struct {
	io.ReaderAt
	reads int
}

func (c *counted) ReadAt(b []byte, at int64) (int, error) {
	c.reads++
	return c.ReaderAt.ReadAt(b, at)
}

// TestBlocks: what is read by blocks is what the file has, to its end.
func TestBlocks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 3*blockSize+17)
	for i := range text {
		text[i] = byte(random.Uint32())
	}
	plain := bytes.NewReader(text)
	b := &blocks{r: plain}
	for range 5000 {
		at, n := random.Int64N(int64(len(text)+100)), random.IntN(2*blockSize)
		want, got := make([]byte, n), make([]byte, n)
		nw, werr := plain.ReadAt(want, at)
		ng, gerr := b.ReadAt(got, at)
		if n == 0 {
			continue
		}
		if nw != ng || !bytes.Equal(want, got) || !errors.Is(gerr, werr) {
			t.Fatalf("%d bytes at %d: %d and %v, want %d and %v", n, at, ng, gerr, nw, werr)
		}
	}
	if _, err := (&blocks{r: failing{}}).ReadAt(make([]byte, 1), 0); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a file that is not read: %v", err)
	}
}

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, os.ErrPermission }

// TestObjectIsReadInFewReads: the parts of an object that count are read together.
func TestObjectIsReadInFewReads(t *testing.T) {
	for _, name := range []string{"/bin/sh", "/proc/self/exe"} {
		f, err := os.Open(name)
		if err != nil {
			continue // of another system
		}
		c := &counted{ReaderAt: f}
		if _, err := readObject(c); err != nil || c.reads > 6 {
			t.Errorf("%s: %d reads, %v", name, c.reads, err)
		}
		f.Close()
	}
}
