//go:build linux && !ringfence_portable

package checks

import (
	"encoding/binary"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/packet"
)

// testMap makes a map, and puts one value in it.
func testMap(t *testing.T, typ, keySize, flags uint32, key []byte) int32 {
	t.Helper()
	ne := binary.NativeEndian
	var attr [64]byte
	for i, n := range []uint32{typ, keySize, 8, 4, flags} {
		ne.PutUint32(attr[4*i:], n)
	}
	fd, err := bpf(0, &attr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	var pin runtime.Pinner
	defer pin.Unpin()
	value := make([]byte, 8)
	clear(attr[:])
	ne.PutUint32(attr[:], uint32(fd))
	ne.PutUint64(attr[8:], pinned(&pin, &key[0]))
	ne.PutUint64(attr[16:], pinned(&pin, &value[0]))
	if _, err := bpf(2, &attr); err != nil {
		t.Fatal(err)
	}
	return int32(fd)
}

// lookUp looks a number at the top of the stack up in a map; register 0 has where it is.
func lookUp(m int32) []instruction {
	return []instruction{
		{opMoveImm, 2, 0, 0, 0},
		{opStore, 10, 2, -4, 0},
		{opMove, 2, 10, 0, 0},
		{opAddImm, 2, 0, 0, -4},
		{opLoadMap, 1, 1, 0, m},
		{},
		{opCall, 0, 0, 0, callLookup},
	}
}

// TestProgramsAreReadBeforeTheyRun: one that could change something, or that answers by what a run does not have, is not run, and says why. Others
// answer as they do for traffic.
func TestProgramsAreReadBeforeTheyRun(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root, to load programs")
	}
	st, err := host.Local().Stat("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	r, err := AskPrograms(st.Ino)
	if err != nil {
		t.Fatal(err)
	}
	array, hash := testMap(t, 2, 4, 0, make([]byte, 4)), testMap(t, 1, 4, 0, make([]byte, 4))
	lru, trie := testMap(t, 9, 4, 0, make([]byte, 4)), testMap(t, lpmTrie, 8, 1, make([]byte, 8))
	pass, drop := instruction{opMoveImm, 0, 0, 0, 0}, instruction{opMoveImm, 0, 0, 0, 2}
	exit := instruction{opExit, 0, 0, 0, 0}
	with := func(parts ...any) (code []instruction) {
		for _, p := range parts {
			switch p := p.(type) {
			case instruction:
				code = append(code, p)
			case []instruction:
				code = append(code, p...)
			}
		}
		return append(code, exit)
	}
	loadBytes := func(at, size int32) []instruction {
		return []instruction{
			{opMove32Imm, 2, 0, 0, at}, {opMove, 3, 10, 0, 0}, {opAddImm, 3, 0, 0, -8}, {opMove32Imm, 4, 0, 0, size}, {opCall, 0, 0, 0, callLoadBytes},
		}
	}
	call := func(n int32) instruction { return instruction{opCall, 0, 0, 0, n} }
	for _, c := range []struct {
		name    string
		code    []instruction
		refused string
		verdict uint32
		mark    uint32
		bytes   bool
	}{
		{name: "pass", code: with(pass)},
		{name: "drop", code: with(drop), verdict: 2},
		{name: "a map is looked up", code: with(lookUp(array), drop), verdict: 2},
		{name: "a hash is looked up", code: with(lookUp(hash), drop), verdict: 2},
		{name: "prefixes are looked up", code: with(
			instruction{opMoveImm, 2, 0, 0, 0}, instruction{opStore, 10, 2, -4, 0}, instruction{opStore, 10, 2, -8, 0}, instruction{opMove, 2, 10, 0, 0}, instruction{opAddImm, 2, 0, 0, -8},
			instruction{opLoadMap, 1, 1, 0, trie}, instruction{}, call(callLookup), instruction{opIfNot, 0, 0, 2, 0}, pass, exit, drop,
		), verdict: 2},
		{name: "the packet is read", code: with(loadBytes(23, 1), instruction{0x71, 0, 10, -8, 0}), verdict: packet.TCP},
		{name: "the packet is written over", code: with(
			instruction{opLoad, 2, 1, 76, 0}, instruction{opLoad, 3, 1, 80, 0}, instruction{opMove, 4, 2, 0, 0}, instruction{opAddImm, 4, 0, 0, 23},
			instruction{0x2d, 4, 3, 1, 0}, instruction{0x72, 2, 0, 22, 5}, pass,
		), bytes: true},
		{name: "by its mark", code: with(instruction{opLoad, 0, 1, 8, 0}), verdict: 5, mark: 5},
		{name: "marks", code: with(instruction{opMoveImm, 2, 0, 0, 7}, instruction{opStore, 1, 2, 8, 0}, pass), mark: 7},
		{name: "by its length", code: with(instruction{opLoad, 0, 1, 0, 0}), verdict: 54},
		{name: "a map is counted in", code: with(lookUp(array), instruction{opIf, 0, 0, 2, 0}, instruction{opMoveImm, 1, 0, 0, 1}, instruction{opAtomicAdd, 0, 1, 0, 0}, pass), refused: "writes into a map"},
		{name: "a map is written to", code: with(lookUp(hash), instruction{opIf, 0, 0, 1, 0}, instruction{0x7a, 0, 0, 0, 1}, pass), refused: "writes into a map"},
		{name: "the packet is copied into a map", code: with(
			instruction{opMove, 6, 1, 0, 0}, lookUp(hash), instruction{opIf, 0, 0, 5, 0}, instruction{opMove, 1, 6, 0, 0}, instruction{opMove32Imm, 2, 0, 0, 0},
			instruction{opMove, 3, 0, 0, 0}, instruction{opMove32Imm, 4, 0, 0, 4}, call(callLoadBytes), pass,
		), refused: "writes into a map"},
		{name: "a look-up that is remembered", code: with(lookUp(lru), pass), refused: "writes into a map"},
		{name: "an element is deleted", code: with(lookUp(hash)[:6], call(3), pass), refused: "delete_elem"},
		{name: "the clock", code: with(call(5), pass), refused: "bpf_ktime_get_ns"},
		{name: "chance", code: with(call(7), pass), refused: "rnd_u32"},
		{name: "the processor", code: with(call(8), pass), refused: "processor"},
		{name: "a redirection", code: with(instruction{opMoveImm, 1, 0, 0, 1}, instruction{opMoveImm, 2, 0, 0, 0}, call(23)), refused: "bpf_redirect"},
		{name: "a hash of the flow", code: with(instruction{opLoad, 0, 1, 68, 0}), refused: "beside the packet"},
		{name: "the queue", code: with(instruction{opLoad, 0, 1, 12, 0}), refused: "beside the packet"},
		{name: "another queue", code: with(instruction{opMoveImm, 2, 0, 0, 7}, instruction{opStore, 1, 2, 12, 0}, pass), refused: "beside the packet"},
		{name: "what other programs left", code: with(instruction{opLoad, 0, 1, 48, 0}), refused: "beside the packet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fd, err := loadProgram(bpfSchedCLS, c.code)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			info := make([]byte, 256)
			objectInfo(fd, info)
			id := binary.NativeEndian.Uint32(info[4:])
			frame := &packet.Frame{Data: tcpFrame(), Mark: c.mark}
			if strings.HasPrefix(c.name, "marks") {
				frame.Mark = 0
			}
			ran, err := r.Run(packet.AtIngress, id, tagOf(id), frame)
			switch {
			case c.refused != "":
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("%v, want one of %q", err, c.refused)
				}
			case err != nil:
				t.Error(err)
			case ran.Verdict != c.verdict || ran.Mark != c.mark || ran.Reads.Bytes != c.bytes:
				t.Errorf("%+v", ran)
			}
		})
	}
}

// tcpFrame is a frame with a segment of TCP.
func tcpFrame() []byte {
	b := make([]byte, 54)
	b[12], b[14], b[17], b[22], b[23], b[46] = 8, 0x45, 40, 64, packet.TCP, 0x50
	return b
}
