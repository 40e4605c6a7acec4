//go:build linux

package bed

import (
	"encoding/binary"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Commands of bpf(2).
const (
	bpfMapCreate  = 0
	bpfMapUpdate  = 2
	bpfProgLoad   = 5
	bpfLinkCreate = 28
)

// BPF is bpf(2); values that the attribute points to are kept where they are.
func BPF(t *testing.T, cmd uintptr, attr []byte, point map[int][]byte) int {
	t.Helper()
	var pin runtime.Pinner
	defer pin.Unpin()
	for at, v := range point {
		pin.Pin(&v[0])
		binary.NativeEndian.PutUint64(attr[at:], uint64(uintptr(unsafe.Pointer(&v[0]))))
	}
	pin.Pin(&attr[0])
	fd, errno := uintptr(0), unix.EAGAIN
	for range 100 { // the verifier gives up where a signal waits (bpf_check, signal_pending), and a program in Go has many
		if fd, _, errno = unix.Syscall(unix.SYS_BPF, cmd, uintptr(unsafe.Pointer(&attr[0])), uintptr(len(attr))); errno != unix.EAGAIN {
			break
		}
	}
	if errno != 0 {
		log := ""
		if b := point[32]; cmd == bpfProgLoad && b != nil {
			log = unix.ByteSliceToString(b)
		}
		t.Fatalf("bpf(%d): %v %s", cmd, errno, log)
	}
	return int(fd)
}

// LoadProgram loads a program of a type, for a place.
func LoadProgram(t *testing.T, typ, place uint32, name string, code []byte) int {
	t.Helper()
	ne := binary.NativeEndian
	attr, log := make([]byte, 128), make([]byte, 1<<16)
	ne.PutUint32(attr[0:], typ)
	ne.PutUint32(attr[4:], uint32(len(code)/8))
	ne.PutUint32(attr[24:], 1)
	ne.PutUint32(attr[28:], uint32(len(log)))
	copy(attr[48:64], name)
	ne.PutUint32(attr[68:], place)
	return BPF(t, bpfProgLoad, attr, map[int][]byte{8: code, 16: []byte("GPL\x00"), 32: log})
}

// NewMap makes a map of bpf(2).
func NewMap(t *testing.T, typ, key, value, entries, flags uint32) int {
	t.Helper()
	attr := make([]byte, 128)
	for i, n := range []uint32{typ, key, value, entries, flags} {
		binary.NativeEndian.PutUint32(attr[4*i:], n)
	}
	return BPF(t, bpfMapCreate, attr, nil)
}

// PutMap puts a value into a map.
func PutMap(t *testing.T, fd int, key, value []byte) {
	t.Helper()
	attr := make([]byte, 128)
	binary.NativeEndian.PutUint32(attr, uint32(fd))
	BPF(t, bpfMapUpdate, attr, map[int][]byte{8: key, 16: value})
}

// LinkProgram attaches a program to a target by a link: more is what a type of place wants besides. What it returns ends that.
func LinkProgram(t *testing.T, prog, target int, place uint32, more ...uint32) func() {
	t.Helper()
	attr := make([]byte, 64)
	for i, n := range append([]uint32{uint32(prog), uint32(target), place, 0}, more...) {
		binary.NativeEndian.PutUint32(attr[4*i:], n)
	}
	fd := BPF(t, bpfLinkCreate, attr, nil)
	return func() { _ = unix.Close(fd) }
}
