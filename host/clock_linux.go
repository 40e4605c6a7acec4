//go:build linux && !ringfence_portable

package host

import "golang.org/x/sys/unix"

// Synchronised says whether the kernel has been told that its clock is right (adjtimex(2), STA_UNSYNC).
func Synchronised() (bool, error) {
	var t unix.Timex // without modes nothing is set
	state, err := unix.Adjtimex(&t)
	return state != timeError && t.Status&staUnsync == 0, err
}

// Of linux/timex.h.
const (
	timeError = 5
	staUnsync = 0x40
)
