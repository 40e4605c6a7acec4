//go:build linux

package e2e

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// op is an instruction of a BPF program.
type op struct {
	code     uint8
	dst, src uint8
	off      int16
	imm      int32
}

// loadProgram loads a program of a type, for a place.
func loadProgram(t *testing.T, typ, place uint32, name string, code []op) int {
	t.Helper()
	ne := binary.NativeEndian
	var b []byte
	for _, i := range code {
		b = append(b, i.code, i.dst|i.src<<4)
		b = ne.AppendUint16(b, uint16(i.off))
		b = ne.AppendUint32(b, uint32(i.imm))
	}
	return bed.LoadProgram(t, typ, place, name, b)
}

// prefixMap is an LPM trie with prefixes of one family.
func prefixMap(t *testing.T, list ...string) int {
	t.Helper()
	size := uint32(4)
	if strings.Contains(list[0], ":") {
		size = 16
	}
	fd := bed.NewMap(t, 11, 4+size, 8, 100, 1) // BPF_F_NO_PREALLOC
	for _, s := range list {
		p := netip.MustParsePrefix(s)
		bed.PutMap(t, fd, append(binary.NativeEndian.AppendUint32(nil, uint32(p.Bits())), p.Addr().AsSlice()...), make([]byte, 8))
	}
	return fd
}

// arrayMap is an array of counters.
func arrayMap(t *testing.T, entries uint32) int {
	t.Helper()
	return bed.NewMap(t, 2, 4, 8, entries, 0)
}

// onCgroup attaches a program to a cgroup beside others (BPF_F_ALLOW_MULTI).
func onCgroup(t *testing.T, cgroup string, place uint32, prog int) {
	t.Helper()
	dir, err := os.Open(cgroup)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	attr := make([]byte, 64)
	for i, n := range []uint32{uint32(dir.Fd()), uint32(prog), place, 2} {
		binary.NativeEndian.PutUint32(attr[4*i:], n)
	}
	bed.BPF(t, 8, attr, nil)
}

// unified is where the unified hierarchy of cgroups is mounted.
func unified(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); f[2] == "cgroup2" {
			if _, err := os.Stat(filepath.Join(f[1], "cgroup.procs")); err == nil {
				return f[1]
			}
		}
	}
	t.Skip("the machine lacks: a unified hierarchy of cgroups that is mounted")
	return ""
}

// newCgroup makes a cgroup, which goes with the test.
func newCgroup(t *testing.T, above, name string) string {
	t.Helper()
	dir := filepath.Join(above, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// within runs f while this process is in a cgroup.
func within(t *testing.T, cgroup string, f func()) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	own := "/"
	for line := range strings.Lines(string(b)) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			own = p
		}
	}
	enter := func(dir string) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	enter(cgroup)
	defer enter(filepath.Join(unified(t), own))
	f()
}
