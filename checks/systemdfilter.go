//go:build linux && !ringfence_portable

package checks

import (
	"crypto/sha1" //nolint:gosec // the kernel names programs by it
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/netip"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/snapshot"
)

// Commands and types of maps of bpf(2).
const (
	bpfMapNextKey = 4
	bpfMapFDByID  = 14
	bpfReadOnly   = 8 // BPF_F_RDONLY
	lpmTrie       = 11
	maxFilterKeys = 4096 // prefixes of one map
)

// instruction is one of a BPF program (struct bpf_insn).
type instruction struct {
	code     uint8
	dst, src uint8
	off      int16
	imm      int32
}

// filterShape is one of the programs that systemd writes of IPAddressAllow= and IPAddressDeny=: which maps it looks addresses up in, in the order
// of the list, and what holds of any address.
type filterShape struct {
	ingress           bool
	maps              []filterMap
	allowAny, denyAny bool
	counts            bool // IPAccounting=
}

type filterMap struct{ v4, allow bool }

// programTag is what the kernel calls a program by its instructions, without the numbers of maps: the first bytes of a hash
// (bpf_prog_calc_tag), SHA-1 until 6.17.
type programTag [8]byte

// filterTags are the programs that systemd can write, by their tags: all since 235 are the same.
var filterTags = sync.OnceValue(func() map[programTag]filterShape {
	tags := map[programTag]filterShape{}
	for bits := range 1 << 8 {
		has := func(i int) bool { return bits>>i&1 == 1 }
		f := filterShape{ingress: has(0), allowAny: has(1), denyAny: has(2), counts: has(3)}
		for i, m := range []filterMap{{v4: true}, {}, {v4: true, allow: true}, {allow: true}} {
			if has(4 + i) {
				f.maps = append(f.maps, m)
			}
		}
		code := encode(f.program())
		old, now := sha1.Sum(code), sha256.Sum256(code) //nolint:gosec // see programTag
		tags[programTag(old[:8])], tags[programTag(now[:8])] = f, f
	}
	return tags
})

// Operations (BPF_ALU64 | BPF_MOV | BPF_X and so on) and registers of the programs.
const (
	opMove, opMoveImm, opMove32Imm, opAddImm, opOr32Imm = 0xbf, 0xb7, 0xb4, 0x07, 0x44
	opLoad, opStore, opStoreImm, opAtomicAdd, opLoadMap = 0x61, 0x63, 0x62, 0xdb, 0x18
	opIfNot, opIf, opCall, opExit                       = 0x55, 0x15, 0x85, 0x95
	callLookup, callLoadBytes                           = 1, 26 // bpf_map_lookup_elem, bpf_skb_load_bytes
	verdictAllow, verdictDeny                           = 1, 2
)

// program is its instructions.
func (f *filterShape) program() []instruction {
	code := []instruction{{opMove, 6, 1, 0, 0}, {opLoad, 7, 6, 16, 0}, {opMove32Imm, 8, 0, 0, 0}} // skb->protocol
	for _, m := range f.maps {
		code = append(code, m.lookup(f.ingress)...)
	}
	if f.allowAny {
		code = append(code, instruction{opOr32Imm, 8, 0, 0, verdictAllow})
	}
	if f.denyAny {
		code = append(code, instruction{opOr32Imm, 8, 0, 0, verdictDeny})
	}
	code = append(code, instruction{opMoveImm, 0, 0, 0, 1}, instruction{opIfNot, 8, 0, 1, verdictDeny}, instruction{opMoveImm, 0, 0, 0, 0})
	if f.counts {
		code = append(code, instruction{opIf, 0, 0, 21, 0})
		code = append(append(code, counter(0)...), instruction{opMoveImm, 1, 0, 0, 1}, instruction{opAtomicAdd, 0, 1, 0, 0})
		code = append(append(code, counter(1)...), instruction{opLoad, 1, 6, 0, 0}, instruction{opAtomicAdd, 0, 1, 0, 0}) // skb->len
		code = append(code, instruction{opMoveImm, 0, 0, 0, 1})
	}
	return append(code, instruction{opExit, 0, 0, 0, 0})
}

// lookup looks the other end's address up in a map, and notes in register 8 what that says.
func (m filterMap) lookup(ingress bool) []instruction {
	proto, size, at, verdict := int32(0x0008), int32(4), int32(16), int32(verdictDeny) // ETH_P_IP as it is in the packet; iphdr.daddr
	switch {
	case m.v4 && ingress:
		at = 12
	case !m.v4 && ingress:
		proto, size, at = 0xdd86, 16, 8
	case !m.v4:
		proto, size, at = 0xdd86, 16, 24
	}
	if m.allow {
		verdict = verdictAllow
	}
	return []instruction{
		{opIfNot, 7, 0, 14, proto},
		{opMove, 1, 6, 0, 0},
		{opMove32Imm, 2, 0, 0, at},
		{opMove, 3, 10, 0, 0},
		{opAddImm, 3, 0, 0, -size},
		{opMove32Imm, 4, 0, 0, size},
		{opCall, 0, 0, 0, callLoadBytes},
		{opLoadMap, 1, 1, 0, 0},
		{},
		{opMove, 2, 10, 0, 0},
		{opAddImm, 2, 0, 0, -size - 4},
		{opStoreImm, 2, 0, 0, 8 * size},
		{opCall, 0, 0, 0, callLookup},
		{opIf, 0, 0, 1, 0},
		{opOr32Imm, 8, 0, 0, verdict},
	}
}

// counter finds a number in the map of those that are counted.
func counter(key int32) []instruction {
	return []instruction{
		{opMoveImm, 0, 0, 0, key},
		{opStore, 10, 0, -4, 0},
		{opMove, 2, 10, 0, 0},
		{opAddImm, 2, 0, 0, -4},
		{opLoadMap, 1, 1, 0, 0},
		{},
		{opCall, 0, 0, 0, callLookup},
		{opIf, 0, 0, 2, 0},
	}
}

func encode(code []instruction) (b []byte) {
	ne := binary.NativeEndian
	for _, i := range code {
		b = append(b, i.code, i.dst|i.src<<4)
		b = ne.AppendUint16(b, uint16(i.off))
		b = ne.AppendUint32(b, uint32(i.imm))
	}
	return b
}

// addressFilter is what a program of systemd goes by; nil is another program, or one whose maps cannot be read.
func addressFilter(prog uint32, ingress bool) *snapshot.AddressFilter {
	info, ids, err := programInfo(prog)
	if err != nil || binary.NativeEndian.Uint32(info) != bpfCgroupSKB {
		return nil
	}
	f, ok := filterTags()[programTag(info[8:16])]
	want := len(f.maps)
	if f.counts {
		want++
	}
	if !ok || len(ids) != want || len(f.maps) > 0 && f.ingress != ingress {
		return nil
	}
	out := new(snapshot.AddressFilter)
	for i, m := range f.maps {
		list, err := lpmKeys(ids[i], m.v4)
		switch {
		case err != nil:
			return nil
		case m.allow:
			out.Allow = append(out.Allow, list...)
		default:
			out.Deny = append(out.Deny, list...)
		}
	}
	everything := []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	if f.allowAny {
		out.Allow = append(out.Allow, everything...)
	}
	if f.denyAny {
		out.Deny = append(out.Deny, everything...)
	}
	return out
}

var errFilterMap = errors.New("no map of a program that filters by addresses")

// lpmKeys are the prefixes in a map (struct bpf_lpm_trie_key).
func lpmKeys(id uint32, v4 bool) ([]netip.Prefix, error) {
	ne := binary.NativeEndian
	var open [64]byte
	ne.PutUint32(open[0:], id)
	ne.PutUint32(open[8:], bpfReadOnly)
	fd, err := bpf(bpfMapFDByID, &open)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	size := 20
	if v4 {
		size = 8
	}
	info := make([]byte, 128) // struct bpf_map_info: type, id, key_size
	if !objectInfo(fd, info) || ne.Uint32(info) != lpmTrie || int(ne.Uint32(info[8:])) != size {
		return nil, errFilterMap
	}
	var list []netip.Prefix
	key := make([]byte, size)
	for n := 0; ; n++ {
		next := make([]byte, size)
		switch more, err := nextKey(fd, key, next, n == 0); {
		case err != nil:
			return nil, err
		case !more:
			return list, nil
		case n == maxFilterKeys:
			return nil, errFilterMap
		}
		addr, _ := netip.AddrFromSlice(next[4:])
		p, err := addr.Prefix(int(ne.Uint32(next)))
		if err != nil {
			return nil, errFilterMap
		}
		list, key = append(list, p), next
	}
}

// nextKey is the key behind one, or the first of a map.
func nextKey(fd int, key, next []byte, first bool) (more bool, err error) {
	var attr [64]byte
	ne := binary.NativeEndian
	var pin runtime.Pinner
	defer pin.Unpin()
	ne.PutUint32(attr[0:], uint32(fd))
	if !first {
		ne.PutUint64(attr[8:], pinned(&pin, &key[0]))
	}
	ne.PutUint64(attr[16:], pinned(&pin, &next[0]))
	_, err = bpf(bpfMapNextKey, &attr)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	return err == nil, err
}
