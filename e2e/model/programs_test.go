//go:build linux

package model

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/e2e/oracle"
	"github.com/ringfence/ringfence/packet"
)

// op is an instruction of a BPF program.
type op struct {
	code     uint8
	dst, src uint8
	off      int16
	imm      int32
}

func assembled(code []op) (b []byte) {
	for _, i := range code {
		b = append(b, i.code, i.dst|i.src<<4)
		b = binary.NativeEndian.AppendUint16(b, uint16(i.off))
		b = binary.NativeEndian.AppendUint32(b, uint32(i.imm))
	}
	return b
}

// netShort is a number as it is in a packet, loaded by this machine.
func netShort(n uint16) int32 {
	return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n)))
}

func netWord(a string) int32 {
	b := netip.MustParseAddr(a).As4()
	return int32(binary.NativeEndian.Uint32(b[:]))
}

// where programs of a test are attached: the type and place of each, and what they answer.
type spot struct {
	name       string
	typ, place uint32
	data, end  int16
	pass, drop int32
}

var spots = []spot{
	{"XDP", 6, 37, 0, 4, 2, 1},
	{"tcx ingress", 3, 46, 76, 80, -1, 2},
	{"tcx egress", 3, 47, 76, 80, 0, 2},
}

// program is what one does: the instructions between its beginning, after which register 2 is where the packet begins and 6 its context, and the end that
// lets it pass. A jump to the end is one with the offset toPass, one that drops has toDrop.
type program struct {
	name string
	code func(t *testing.T) []op
	only string // a place that it is for
}

const (
	toPass = 1000
	toDrop = 2000
)

// finished puts a program together.
func (s *spot) finished(middle []op) []op {
	code := []op{
		{0xbf, 6, 1, 0, 0},
		{0xb7, 7, 0, 0, 0},
		{0x61, 2, 1, s.data, 0},
		{0x61, 3, 1, s.end, 0},
		{0xbf, 4, 2, 0, 0},
		{0x07, 4, 0, 0, 38},
		{0x2d, 4, 3, toPass, 0},
		{0x69, 5, 2, 12, 0},
		{0x55, 5, 0, toPass, netShort(0x0800)},
	}
	code = append(code, middle...)
	pass := len(code)
	code = append(code, op{0xb7, 0, 0, 0, s.pass}, op{0x95, 0, 0, 0, 0})
	if slices.Contains(code, drop) {
		code = append(code, op{0xb7, 0, 0, 0, s.drop}, op{0x95, 0, 0, 0, 0})
	}
	for i := range code {
		switch code[i].off {
		case toPass:
			code[i].off = int16(pass - i - 1)
		case toDrop:
			code[i].off = int16(pass + 2 - i - 1)
		}
	}
	return code
}

var drop = op{0x05, 0, 0, toDrop, 0}

func plain(code ...op) func(*testing.T) []op { return func(*testing.T) []op { return code } }

// found looks 12 bytes, or as many as there are, of the stack up in a map, and drops what is there.
func lookedUp(fd int, at int32) []op {
	return []op{
		{0x18, 1, 1, 0, int32(fd)}, {}, {0xbf, 2, 10, 0, 0}, {0x07, 2, 0, 0, at}, {0x85, 0, 0, 0, 1}, {0x15, 0, 0, toPass, 0}, drop,
	}
}

var programs = []program{
	{"drops a protocol", plain(op{0x71, 5, 2, 23, 0}, op{0x55, 5, 0, toPass, 17}, drop), ""},
	{"drops a port", plain(op{0x69, 5, 2, 36, 0}, op{0x55, 5, 0, toPass, netShort(443)}, drop), ""},
	{"drops what has any fragment", plain(op{0x69, 5, 2, 20, 0}, op{0x57, 5, 0, 0, netShort(0x3fff)}, op{0x15, 5, 0, toPass, 0}, drop), ""},
	{"drops later fragments", plain(op{0x69, 5, 2, 20, 0}, op{0x57, 5, 0, 0, netShort(0x1fff)}, op{0x15, 5, 0, toPass, 0}, drop), ""},
	{"drops senders by prefixes", func(t *testing.T) []op {
		fd := bed.NewMap(t, 11, 8, 8, 100, 1)
		for _, p := range []string{"8.8.0.0/16", "203.0.113.8/29", "172.17.0.2/32", "192.0.2.0/25"} {
			q := netip.MustParsePrefix(p)
			bed.PutMap(t, fd, append(binary.NativeEndian.AppendUint32(nil, uint32(q.Bits())), q.Addr().AsSlice()...), make([]byte, 8))
		}
		return append([]op{{0x61, 5, 2, 26, 0}, {0x63, 10, 5, -4, 0}, {0x62, 10, 0, -8, 32}}, lookedUp(fd, -8)...)
	}, ""},
	{"drops ports of a hash", func(t *testing.T) []op {
		fd := bed.NewMap(t, 1, 4, 8, 100, 0)
		for _, n := range []uint16{22, 53, 8080} {
			bed.PutMap(t, fd, binary.NativeEndian.AppendUint32(nil, uint32(netShort(n))), make([]byte, 8))
		}
		return append([]op{{0x69, 5, 2, 36, 0}, {0x63, 10, 5, -4, 0}}, lookedUp(fd, -4)...)
	}, ""},
	{"drops by the sum of an address", plain(op{0x61, 5, 2, 26, 0}, op{0x61, 4, 2, 30, 0}, op{0xaf, 5, 4, 0, 0}, op{0x57, 5, 0, 0, 0x03}, op{0x55, 5, 0, toPass, 1}, drop), ""},
	{"marks a port", plain(op{0x69, 5, 2, 36, 0}, op{0x55, 5, 0, toPass, netShort(22)}, op{0xb7, 1, 0, 0, 7}, op{0x63, 6, 1, 8, 0}), "tcx ingress"},
	{"marks a protocol", plain(op{0x71, 5, 2, 23, 0}, op{0x55, 5, 0, toPass, 17}, op{0xb7, 1, 0, 0, 9}, op{0x63, 6, 1, 8, 0}), "tcx ingress"},
	{"drops what has a mark", plain(op{0x61, 5, 6, 8, 0}, op{0x55, 5, 0, toPass, 7}, drop), "tcx egress"},
	{"leaves a wrong checksum", plain(
		op{0x61, 5, 2, 30, 0}, op{0x55, 5, 0, toPass, netWord("203.0.113.1")}, op{0x62, 2, 0, 30, netWord("10.10.0.9")},
	), "XDP"},
	{"sends pings to another host", plain(append([]op{
		{0x71, 5, 2, 23, 0}, {0x55, 5, 0, toPass, 1}, {0x61, 5, 2, 30, 0}, {0x55, 5, 0, toPass, netWord("203.0.113.1")}, {0x62, 2, 0, 30, netWord("10.10.0.9")},
	}, summed("203.0.113.1", "10.10.0.9")...)...), "XDP"},
	{"sends to another address of the host", plain(append(append([]op{
		{0x71, 5, 2, 23, 0},
		{0x55, 5, 0, toPass, 6},
		{0x69, 5, 2, 20, 0},
		{0x57, 5, 0, 0, netShort(0x3fff)},
		{0x55, 5, 0, toPass, 0},
		{0x61, 5, 2, 30, 0},
		{0x55, 5, 0, toPass, netWord("203.0.113.1")},
		{0x62, 10, 0, -8, netWord("203.0.113.2")},
	}, replaced(11, 50, 0x14)...), append(replaced(10, 24, 4),
		op{0xbf, 1, 6, 0, 0}, op{0xb7, 2, 0, 0, 30}, op{0xbf, 3, 10, 0, 0}, op{0x07, 3, 0, 0, -8}, op{0xb7, 4, 0, 0, 4}, op{0xb7, 5, 0, 0, 0}, op{0x85, 0, 0, 0, 9})...)...), "tcx ingress"},
}

// replaced has the kernel change a checksum as an address changes (bpf_l3_csum_replace, bpf_l4_csum_replace).
func replaced(function, at, flags int32) []op {
	return []op{
		{0xbf, 1, 6, 0, 0}, {0xb7, 2, 0, 0, at}, {0xb4, 3, 0, 0, netWord("203.0.113.1")}, {0xb4, 4, 0, 0, netWord("203.0.113.2")}, {0xb7, 5, 0, 0, flags}, {0x85, 0, 0, 0, function},
	}
}

// summed changes the checksum of a header as an address in it changes (RFC 1624).
func summed(before, after string) []op {
	n := int32(0)
	for a, flip := range map[string]uint16{before: 0xffff, after: 0} {
		b := netip.MustParseAddr(a).As4()
		n += int32(binary.NativeEndian.Uint16(b[:])^flip) + int32(binary.NativeEndian.Uint16(b[2:])^flip)
	}
	fold := []op{{0xbf, 4, 5, 0, 0}, {0x77, 4, 0, 0, 16}, {0x57, 5, 0, 0, 0xffff}, {0x0f, 5, 4, 0, 0}}
	code := append([]op{{0x69, 5, 2, 24, 0}, {0xa7, 5, 0, 0, 0xffff}, {0x07, 5, 0, 0, n}}, fold...)
	return append(append(code, fold...), op{0xa7, 5, 0, 0, 0xffff}, op{0x6b, 2, 5, 24, 0})
}

// marked is the rules behind programs: what they mark is decided here.
const marked = `table inet f {
	chain input { type filter hook input priority 0; policy accept; ct state invalid drop; meta mark 7 drop; tcp dport 80 drop; meta mark 9 ip saddr 203.0.113.9 reject; }
	chain forward { type filter hook forward priority 0; policy accept; meta mark 7 accept; ip daddr 8.8.8.0/24 drop; meta mark 9 drop; }
	chain post { type filter hook postrouting priority 0; policy accept; ip saddr 172.17.0.0/24 meta mark set 7; }
}
`

// TestProgramsThatAreAsked: what a program does with a packet is what the tracer says that it does, where it has the kernel ask it. Maps stay as they
// were.
func TestProgramsThatAreAsked(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newCrossing(t, crossing)
	b.o.Wire = true
	r := rand.New(rand.NewPCG(21, 2026))
	if err := b.o.Load(marked); err != nil {
		t.Fatal(err)
	}
	sum := tally{causes: map[string]int{}, fates: map[string]int{}}
	asked := 0
	for i := range spots {
		for _, p := range programs {
			if p.only != "" && p.only != spots[i].name {
				continue
			}
			for _, dev := range []string{"ext0", "vw1"} {
				if dev == "vw1" && p.name != "drops a port" && p.name != "drops later fragments" {
					continue
				}
				asked++
				b.askProgram(&spots[i], &p, dev, r, &sum)
			}
		}
	}
	t.Logf("%d programs, %d packets, unknown %d: %v, %v", asked, sum.packets, sum.unknown, sum.causes, sum.fates)
	if len(sum.wrong) > 0 {
		t.Errorf("%d wrong:\n%s", len(sum.wrong), strings.Join(sum.wrong[:min(len(sum.wrong), 10)], "\n"))
	}
	if asked < 20 || 50*sum.unknown > sum.packets {
		t.Errorf("%d programs, of %d packets %d unknown", asked, sum.packets, sum.unknown)
	}
}

// runs counts what it is asked to run.
type runs struct {
	packet.Runner
	t *testing.T
	n int
}

func (r *runs) Run(at packet.Attached, id uint32, tag string, f *packet.Frame) (packet.Ran, error) {
	ran, err := r.Runner.Run(at, id, tag, f)
	if err != nil {
		r.t.Errorf("%s: %v", at, err)
	}
	r.n++
	return ran, err
}

func (b *bedOracle) askProgram(s *spot, p *program, dev string, r *rand.Rand, sum *tally) {
	b.t.Helper()
	link, err := net.InterfaceByName(dev)
	if err != nil {
		b.t.Fatal(err)
	}
	fd := bed.LoadProgram(b.t, s.typ, s.place, "asked", assembled(s.finished(p.code(b.t))))
	defer bed.LinkProgram(b.t, fd, link.Index, s.place)()
	if err := b.o.Forget(); err != nil {
		b.t.Fatal(err)
	}
	b.see()
	runner, err := checks.AskPrograms(b.snap.Network.HostNetns())
	if err != nil {
		b.t.Fatal(err)
	}
	count := &runs{Runner: runner, t: b.t}
	b.ask = count
	defer func() { b.ask = nil }()
	list := slices.DeleteFunc(packets(r, 3000, marked+"port 443 port 53 frag"), func(p *oracle.Packet) bool {
		if s.place == 47 { // what answers a packet that leaves by the device, and what a fragment leaves as, is not asked about here
			return p.In == dev || p.In == "local" || p.DMAC != nil || p.Frag != "" || p.Proto == packet.UDPLite
		}
		return p.In != dev || p.DMAC != nil || p.Proto == packet.UDPLite
	})
	b.compare(fmt.Sprintf("%s: %s on %s", s.name, p.name, dev), list[:min(len(list), 1000)], sum)
	if count.n == 0 {
		b.t.Errorf("%s: %s on %s: it was never asked", s.name, p.name, dev)
	}
}
