//go:build linux && !ringfence_portable

package host

import (
	"encoding/binary"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// The revisions of the capabilities of a file, and the length of each (include/uapi/linux/capability.h).
const (
	capRevisionMask = 0xff000000
	capRevision1    = 0x01000000
	capRevision2    = 0x02000000
	capRevision3    = 0x03000000
	maxFileCaps     = 24
)

// FileCaps are the permitted and the inheritable set of capabilities that a program of the host has by its file (capabilities(7), file capabilities), 0
// without one: of the second it has what who starts it inherits. Those that count in user namespaces of another root alone are none.
func (h *Host) FileCaps(p string) (permitted, inheritable uint64, err error) {
	var b [maxFileCaps]byte
	n, err := unix.Lgetxattr(h.path(p), "security.capability", b[:])
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOENT):
		return 0, 0, nil
	case err != nil:
		return 0, 0, &fs.PathError{Op: "read the capabilities of", Path: p, Err: err}
	}
	permitted, inheritable = parseFileCaps(b[:n])
	return permitted, inheritable, nil
}

// parseFileCaps reads struct vfs_cap_data or vfs_ns_cap_data: a revision, then words of the permitted and the inheritable set.
func parseFileCaps(b []byte) (permitted, inheritable uint64) {
	word := func(at int) uint64 { return uint64(binary.LittleEndian.Uint32(b[at:])) }
	if len(b) < 12 {
		return 0, 0
	}
	switch revision := binary.LittleEndian.Uint32(b) & capRevisionMask; {
	case revision == capRevision1:
		return word(4), word(8)
	case revision == capRevision3 && (len(b) < maxFileCaps || binary.LittleEndian.Uint32(b[20:]) != 0):
		return 0, 0
	case revision != capRevision2 && revision != capRevision3 || len(b) < 20:
		return 0, 0
	}
	return word(4) | word(12)<<32, word(8) | word(16)<<32
}
