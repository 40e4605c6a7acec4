//go:build linux

package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/e2e/bed"
)

// byPort is a program that drops what has a port at a place of the frame and lets the rest pass: of XDP or traffic control by where its context has the
// packet, of a cgroup with a copy of the port.
func byPort(data, end, at int16, port uint16, pass, drop int32) []op {
	n := int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, port)))
	return []op{
		{0x61, 2, 1, data, 0},
		{0x61, 3, 1, end, 0},
		{0xbf, 4, 2, 0, 0},
		{0x07, 4, 0, 0, int32(at) + 2},
		{0x2d, 4, 3, 2, 0},
		{0x69, 5, 2, at, 0},
		{0x15, 5, 0, 2, n},
		{0xb7, 0, 0, 0, pass},
		{0x95, 0, 0, 0, 0},
		{0xb7, 0, 0, 0, drop},
		{0x95, 0, 0, 0, 0},
	}
}

// counting counts packets from port 1024 in an array and lets all pass.
func counting(data, end int16, m int, pass int32) []op {
	return []op{
		{0x61, 2, 1, data, 0},
		{0x61, 3, 1, end, 0},
		{0xbf, 4, 2, 0, 0},
		{0x07, 4, 0, 0, 36},
		{0x2d, 4, 3, 12, 0},
		{0x69, 5, 2, 34, 0},
		{0x55, 5, 0, 10, 4},
		{0xb7, 2, 0, 0, 0},
		{0x63, 10, 2, -4, 0},
		{0xbf, 2, 10, 0, 0},
		{0x07, 2, 0, 0, -4},
		{0x18, 1, 1, 0, int32(m)},
		{},
		{0x85, 0, 0, 0, 1},
		{0x15, 0, 0, 2, 0},
		{0xb7, 1, 0, 0, 1},
		{0xdb, 0, 1, 0, 0},
		{0xb7, 0, 0, 0, pass},
		{0x95, 0, 0, 0, 0},
	}
}

// counted is the first number of an array.
func counted(t *testing.T, m int) uint64 {
	t.Helper()
	attr, value := make([]byte, 128), make([]byte, 8)
	binary.NativeEndian.PutUint32(attr, uint32(m))
	bed.BPF(t, 1, attr, map[int][]byte{8: make([]byte, 4), 16: value})
	return binary.NativeEndian.Uint64(value)
}

// onFilter attaches a program by a filter of clsact.
func onFilter(t *testing.T, prog int, dev, where string) {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("bpf", dir, "bpf", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, 0) })
	path := filepath.Join(dir, "prog")
	attr := make([]byte, 128)
	binary.NativeEndian.PutUint32(attr[8:], uint32(prog))
	bed.BPF(t, 6, attr, map[int][]byte{0: append([]byte(path), 0)})
	bed.Shell(t, "tc qdisc add dev %s clsact; tc filter add dev %s %s bpf da object-pinned %s", dev, dev, where, path)
	t.Cleanup(func() { bed.Shell(t, "tc qdisc del dev %s clsact", dev) })
}

// TestProgramsAnswerForConnections: with --ask-programs, what programs let pass is reachable as the kernel has it, and what they drop is not said to be.
// Nothing is said of a program that could change something, but its name and what it does; and it is not run.
func TestProgramsAnswerForConnections(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	cgroupScene(t)
	bed.Need(t, "tc")
	slice := newCgroup(t, unified(t), fmt.Sprintf("rfa%d.slice", time.Now().UnixNano()))
	within(t, slice, func() {
		for _, port := range []string{"22", "80"} {
			l, err := net.Listen("tcp", "0.0.0.0:"+port)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}
	})
	defer startServer(t, "e")()
	ext, err := net.InterfaceByName("ext0")
	if err != nil {
		t.Fatal(err)
	}
	const toPort, fromPort = 36, 34 // in a frame of IPv4
	link := func(typ, place uint32, code []op) func(*testing.T) {
		return func(t *testing.T) { linkProgram(t, loadProgram(t, typ, place, "byport", code), ext.Index, place) }
	}
	on := func(place uint32, code []op) func(*testing.T) {
		return func(t *testing.T) {
			prog := loadProgram(t, 8, place, "byport", code)
			onCgroup(t, slice, place, prog)
			t.Cleanup(func() { offCgroup(t, slice, place, prog) })
		}
	}
	for _, c := range []struct {
		name   string
		attach func(*testing.T)
		fate   string // of a packet to port 80
	}{
		{"XDP", link(6, 37, byPort(0, 4, toPort, 80, 2, 1)), "drop"},
		{"tcx ingress", link(3, 46, byPort(76, 80, toPort, 80, -1, 2)), "drop"},
		{"tcx egress, of the answer", link(3, 47, byPort(76, 80, fromPort, 80, 0, 2)), "unknown"},
		{"two of tcx", func(t *testing.T) {
			link(3, 46, byPort(76, 80, toPort, 9999, -1, 2))(t)
			link(3, 46, byPort(76, 80, toPort, 80, -1, 2))(t)
		}, "drop"},
		{"clsact", func(t *testing.T) {
			onFilter(t, loadProgram(t, 3, 0, "byport", byPort(76, 80, toPort, 80, 0, 2)), "ext0", "ingress")
		}, "drop"},
		{"clsact egress, of the answer", func(t *testing.T) {
			onFilter(t, loadProgram(t, 3, 0, "byport", byPort(76, 80, fromPort, 80, 0, 2)), "ext0", "egress")
		}, "unknown"},
		{"the cgroup, of what it gets", on(0, byPort(76, 80, toPort-14, 80, 1, 0)), "drop"},
		{"the cgroup, of what it answers", on(1, byPort(76, 80, fromPort-14, 80, 1, 0)), "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.attach(t)
			for _, port := range []string{"22", "80"} {
				open := gets("e", "203.0.113.1:"+port)
				if open != (port == "22") {
					t.Fatalf("a connection to port %s: %v", port, open)
				}
				question := []string{"--from", "iface:ext0", "--src", "203.0.113.9/32", "--to", "addr:203.0.113.1", "--dport", port}
				if got := asked(t, question...); got != "unknown" {
					t.Errorf("port %s, without asking: %s", port, got)
				}
				want := map[bool]string{true: "reachable", false: "unknown"}[open]
				if got := asked(t, append(question, "--ask-programs")...); got != want {
					t.Errorf("port %s: %s, want %s", port, got, want)
				}
			}
			if got := traced(t, "tcp 203.0.113.9:40000 > 203.0.113.1:80 syn", "--ask-programs"); !strings.Contains(got, `"fate": "`+c.fate+`"`) {
				t.Errorf("want %s: %s", c.fate, got)
			}
		})
	}
	t.Run("a process", func(t *testing.T) {
		prog := loadProgram(t, 8, 1, "byport", byPort(76, 80, toPort-14, 443, 1, 0))
		question := []string{"--from", "host", "--cgroup", strings.TrimPrefix(slice, unified(t)), "--to", "addr:203.0.113.9", "--dport", "443"}
		other := newCgroup(t, slice, "sleeps")
		sleep := exec.Command("sleep", "600")
		within(t, slice, func() {
			if err := sleep.Start(); err != nil {
				t.Fatal(err)
			}
		})
		defer func() { _ = sleep.Process.Kill(); _ = sleep.Wait(); time.Sleep(50 * time.Millisecond) }()
		onCgroup(t, slice, 1, loadProgram(t, 8, 1, "byport", byPort(76, 80, toPort-14, 444, 1, 0)))
		if got := asked(t, append(question, "--ask-programs")...); got != "reachable" {
			t.Errorf("a program that drops another port: %s", got)
		}
		onCgroup(t, other, 1, prog)
		onCgroup(t, slice, 1, prog)
		if got := asked(t, append(question, "--ask-programs")...); got == "reachable" {
			t.Errorf("a program that drops the port: %s", got)
		}
	})
}

// TestProgramsThatAreNotRun: one that keeps state, one that sends packets on and one that calls others is named with what it does, and is not run.
func TestProgramsThatAreNotRun(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	servedScene(t)
	ext, err := net.InterfaceByName("ext0")
	if err != nil {
		t.Fatal(err)
	}
	array, programs := arrayMap(t, 1), bed.NewMap(t, 3, 4, 4, 1, 0) // BPF_MAP_TYPE_PROG_ARRAY
	for _, c := range []struct {
		name, why  string
		typ, place uint32
		code       []op
	}{
		{"counts", "it writes into a map", 3, 46, counting(76, 80, array, -1)},
		{"countsxdp", "it writes into a map", 6, 37, counting(0, 4, array, 2)},
		{"redirects", "it calls bpf_redirect", 3, 46, []op{{0xb7, 1, 0, 0, int32(ext.Index)}, {0xb7, 2, 0, 0, 0}, {0x85, 0, 0, 0, 23}, {0xb7, 0, 0, 0, -1}, {0x95, 0, 0, 0, 0}}},
		{"calls", "bpf_tail_call", 3, 46, []op{{0x18, 2, 1, 0, int32(programs)}, {}, {0xb7, 3, 0, 0, 0}, {0x85, 0, 0, 0, 12}, {0xb7, 0, 0, 0, -1}, {0x95, 0, 0, 0, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			linkProgram(t, loadProgram(t, c.typ, c.place, c.name, c.code), ext.Index, c.place)
			if !gets("e", "203.0.113.1:22") {
				t.Fatal("the program lets nothing pass")
			}
			before := counted(t, array)
			got := traced(t, "tcp 203.0.113.9:1024 > 203.0.113.1:22 syn", "--ask-programs")
			if !strings.Contains(got, `"fate": "unknown"`) || !strings.Contains(got, "the program "+c.name+" at ") || !strings.Contains(got, c.why) {
				t.Errorf("want the program and %q: %s", c.why, got)
			}
			if after := counted(t, array); after != before {
				t.Errorf("counted %d before it was asked about, %d after", before, after)
			}
		})
	}
}

// traced is the answer of trace about a packet by ext0.
func traced(t *testing.T, text string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(bed.Program(t), append([]string{"trace", "-q", "-f", "json", "--in", "ext0", text}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.Bytes())
	}
	return string(out)
}

// offCgroup takes a program off a cgroup.
func offCgroup(t *testing.T, cgroup string, place uint32, prog int) {
	t.Helper()
	dir, err := os.Open(cgroup)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	attr := make([]byte, 64)
	for i, n := range []uint32{uint32(dir.Fd()), uint32(prog), place} {
		binary.NativeEndian.PutUint32(attr[4*i:], n)
	}
	bed.BPF(t, 9, attr, nil)
}
