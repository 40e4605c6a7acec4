//go:build linux && !ringfence_portable

package host

import (
	"os"
	"path/filepath"
)

// ReadImported reads a report of another tool that the command line names, as ReadNamed does: a regular file of a disk, of at most MaxNamed
// bytes, and within a bounded time. Author is who could have written it.
func ReadImported(path string) ([]byte, Author, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, Author{}, err
	}
	h := Local()
	who, at, err := h.Author(abs)
	if err != nil {
		return nil, Author{}, err
	}
	b, st, err := h.ReadNamed(&Principal{UID: os.Geteuid(), GID: os.Getegid()}, abs)
	if err == nil && (st.Dev != at.Dev || st.Ino != at.Ino) { // it was changed meanwhile
		who.Others = true
	}
	return b, who, err
}
