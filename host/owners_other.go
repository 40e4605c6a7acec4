//go:build unix && (!linux || ringfence_portable)

package host

import (
	"io/fs"
	"syscall"
)

// openFlags have opening wait for nothing.
const openFlags = syscall.O_NONBLOCK | syscall.O_NOCTTY

// ownerOf is whose a file is.
func ownerOf(st fs.FileInfo) (uid, gid int, known bool) {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return int(sys.Uid), int(sys.Gid), true
	}
	return 0, 0, false
}
