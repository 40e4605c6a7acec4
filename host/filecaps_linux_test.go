//go:build linux && !ringfence_portable

package host

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFileCaps: what a program gives and what it lets inherit are read as the kernel keeps them, of each revision.
func TestFileCaps(t *testing.T) {
	words := func(list ...uint32) (b []byte) {
		for _, w := range list {
			b = binary.LittleEndian.AppendUint32(b, w)
		}
		return b
	}
	for name, c := range map[string]struct {
		kept                   []byte
		permitted, inheritable uint64
	}{
		"none":           {nil, 0, 0},
		"both":           {words(capRevision2|1, 1<<7, 1<<2, 1<<7, 1<<6), 1<<7 | 1<<39, 1<<2 | 1<<38},
		"inherited":      {words(capRevision2|1, 0, 1<<21, 0, 0), 0, 1 << 21},
		"of root":        {words(capRevision3, 1<<7, 1<<2, 0, 0, 0), 1 << 7, 1 << 2},
		"of another one": {words(capRevision3, 1<<7, 1<<2, 0, 0, 1000), 0, 0},
	} {
		file := filepath.Join(t.TempDir(), "program")
		err := os.WriteFile(file, nil, 0o700)
		if err == nil && c.kept != nil {
			err = unix.Setxattr(file, "security.capability", c.kept, 0)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if p, i, err := Local().FileCaps(file); err != nil || p != c.permitted || i != c.inheritable {
			t.Errorf("%s: %x, %x, %v", name, p, i, err)
		}
	}
	if p, i := parseFileCaps(words(capRevision1, 5, 6)); p != 5 || i != 6 {
		t.Errorf("the first revision: %x, %x", p, i)
	}
}
