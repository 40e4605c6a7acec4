//go:build linux && !ringfence_portable

package checks

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAnswersOfBPFAreNotOnAStack: a stack that grows on the way to bpf(2) moves, and the kernel writes to an address that it was given as a
// number. Each depth is one at which a stack may grow.
func TestAnswersOfBPFAreNotOnAStack(t *testing.T) {
	const mapCreate, array = 0, 2 // BPF_MAP_CREATE, BPF_MAP_TYPE_ARRAY
	ne := binary.NativeEndian
	var attr [64]byte
	for i, n := range []uint32{array, 4, 4, 1} { // type, and the sizes of a key, of a value, and of the map
		ne.PutUint32(attr[4*i:], n)
	}
	fd, err := bpf(mapCreate, &attr)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for depth := range 1000 {
		got := make(chan uint32)
		go func() {
			deeper(depth, func() {
				var info [80]byte
				objectInfo(fd, info[:])
				got <- ne.Uint32(info[4:]) // its id
			})
		}()
		if <-got == 0 {
			t.Errorf("at a depth of %d calls nothing was answered", depth)
		}
	}
}

//go:noinline
func deeper(n int, f func()) int {
	var pad [32]byte
	pad[n%32] = byte(n)
	if n == 0 {
		f()
		return 0
	}
	return deeper(n-1, f) + int(pad[n%32])
}
