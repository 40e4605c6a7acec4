//go:build linux && !ringfence_portable

package checks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/packet"
)

// harmless are the functions that a program may call: they read the packet, or a map that anybody can read, or write into the packet that the
// program was given. None has an effect elsewhere, and none answers by the clock, by chance or by the processor. The look-up in a map of any kind
// (bpf_map_lookup_elem) is not among them: in one that forgets what is not used it leaves a trace.
var harmless = map[string]bool{
	"__htab_map_lookup_elem": true, "htab_map_lookup_elem": true, "trie_lookup_elem": true,
	"array_map_lookup_elem": true, "htab_of_map_lookup_elem": true, "array_of_map_lookup_elem": true,
	"bpf_skb_load_bytes": true, "bpf_skb_load_bytes_relative": true, "bpf_xdp_load_bytes": true,
	"bpf_skb_load_helper_8": true, "bpf_skb_load_helper_16": true, "bpf_skb_load_helper_32": true,
	"bpf_skb_load_helper_8_no_cache": true, "bpf_skb_load_helper_16_no_cache": true, "bpf_skb_load_helper_32_no_cache": true,
	"bpf_skb_pull_data": true, "sk_skb_pull_data": true, "bpf_csum_diff": true,
	"bpf_skb_store_bytes": true, "bpf_xdp_store_bytes": true, "bpf_l3_csum_replace": true, "bpf_l4_csum_replace": true,
}

// copying are those that copy a part of the packet to where their third argument says.
var copying = map[string]bool{"bpf_skb_load_bytes": true, "bpf_skb_load_bytes_relative": true, "bpf_xdp_load_bytes": true}

var errWrites = errors.New("it writes into a map, or where cannot be told")

// views is what a program at a place may look at beside the packet and its maps, as the kernel translates it: loads from the context and what they
// lead to, and stores into it.
type views struct {
	loads  map[string]view
	stores map[string]bool
}

// view is what a load gives.
type view struct {
	packet bool // an address in the packet
	reads  packet.Reads
}

// contextField is a field of the context of a program (struct __sk_buff, struct xdp_md).
type contextField struct {
	at     int16
	packet bool
	write  bool
	reads  packet.Reads
}

// fields are those that one run has as the kernel has them at a place. The type of a packet is that of its address only where it comes in.
func fields(at packet.Attached) []contextField {
	if at == packet.AtXDP {
		return []contextField{{at: 0, packet: true}, {at: 4, packet: true}, {at: 12}} // data, data_end, ingress_ifindex
	}
	list := []contextField{
		{at: 0},
		{at: 16},
		{at: skbIndex},
		{at: skbFrom},
		{at: 76, packet: true},
		{at: 80, packet: true}, // len, protocol, data, data_end
		{at: skbMark, reads: packet.Reads{Mark: true}},
		{at: skbMark, write: true},
		{at: skbPriority, reads: packet.Reads{Priority: true}},
		{at: skbPriority, write: true},
	}
	if at == packet.AtIngress || at == packet.AtGets {
		list = append(list, contextField{at: 4}) // pkt_type
	}
	return list
}

// seenAt finds out how this kernel translates what a program may look at: it loads small programs that do nothing else, and attaches none.
func seenAt(at packet.Attached, s *symbols) (*views, error) {
	v := &views{loads: map[string]view{}, stores: map[string]bool{}}
	for _, f := range fields(at) {
		load := uint8(opLoad)
		code := []instruction{{opMove, 6, 1, 0, 0}, {load, 0, 6, f.at, 0}, {opMoveImm, 0, 0, 0, 0}, {opExit, 0, 0, 0, 0}}
		if f.write {
			code = []instruction{{opMove, 6, 1, 0, 0}, {opMoveImm, 0, 0, 0, 0}, {opStore, 6, 0, f.at, 0}, {opExit, 0, 0, 0, 0}}
		}
		if err := v.learn(at, code, &f, s); err != nil {
			return nil, err
		}
	}
	if at == packet.AtXDP || at == packet.AtGets || at == packet.AtSends {
		return v, nil
	}
	whole := []instruction{ // a write into the packet, before which the kernel makes it the program's own (tc_cls_act_prologue)
		{opLoad, 2, 1, 76, 0},
		{opLoad, 3, 1, 80, 0},
		{opMove, 4, 2, 0, 0},
		{opAddImm, 4, 0, 0, 1},
		{0x2d, 4, 3, 1, 0},
		{0x72, 2, 0, 0, 0},
		{opMoveImm, 0, 0, 0, 0},
		{opExit, 0, 0, 0, 0},
	}
	return v, v.learn(at, whole, &contextField{}, s)
}

// learn loads a program and notes what its translation looks at.
func (v *views) learn(at packet.Attached, code []instruction, f *contextField, s *symbols) error {
	fd, err := loadProgram(programTypes[at], code)
	if err != nil {
		return fmt.Errorf("the kernel loads no program (needs CAP_BPF): %w", err)
	}
	defer unix.Close(fd)
	code, _, _, err = translated(fd)
	if err != nil {
		return err
	}
	r := &reading{code: code, views: v, symbols: s, learns: f}
	return r.follow()
}

func loadProgram(typ uint32, code []instruction) (int, error) {
	ne := binary.NativeEndian
	var attr [64]byte
	var pin runtime.Pinner
	defer pin.Unpin()
	b, license := encode(code), []byte("GPL\x00")
	ne.PutUint32(attr[0:], typ)
	ne.PutUint32(attr[4:], uint32(len(code)))
	ne.PutUint64(attr[8:], pinned(&pin, &b[0]))
	ne.PutUint64(attr[16:], pinned(&pin, &license[0]))
	copy(attr[48:], "ringfence_view")
	return bpf(bpfProgLoad, &attr)
}

// judge says what a program looks at, or why it is not run.
func (v *views) judge(code []instruction, s *symbols) (packet.Reads, error) {
	r := &reading{code: code, views: v, symbols: s}
	err := r.follow()
	return r.reads, err
}

// holds is what a register or a place on the stack can have in it.
type holds struct {
	kind kind
	path string // of what came from the context: the loads that led to it
	off  int    // of an address on the stack
}

type kind uint8

const (
	number      kind = iota // a number, or an address of a map or in one, from which may be read
	fromContext             // what the program was given, or what that leads to
	inStack                 // an address on the stack of its own
	inData                  // an address in the packet
	anyOf                   // one or another of these, or what the kernel put in
)

// stackSlots are the places of eight bytes on a stack (MAX_BPF_STACK).
const stackSlots = 64

// state is what is known at an instruction.
type state struct {
	regs  [11]holds
	stack [stackSlots]holds
	seen  bool
}

// reading follows a program along all of its ways.
type reading struct {
	code    []instruction
	views   *views
	symbols *symbols
	learns  *contextField // what is asked for is learnt, not judged
	reads   packet.Reads

	states []state
	work   []int
}

// The classes and modes of instructions (include/uapi/linux/bpf_common.h, bpf.h).
const (
	classLD, classLDX, classST, classSTX     = 0, 1, 2, 3
	classALU, classJMP, classJMP32, classA64 = 4, 5, 6, 7
	modeMem, modeAtomic                      = 0x60, 0xc0
	opAdd, opSub, opMov                      = 0x00, 0x10, 0xb0
	maxVisits                                = 4_000_000
)

var errTooLong = errors.New("it has too many instructions to be read")

// follow ends with an error where something is not harmless.
func (r *reading) follow() error {
	if len(r.code) > maxInstructions {
		return errTooLong
	}
	r.states = make([]state, len(r.code))
	var first state
	first.regs[1] = holds{kind: fromContext}
	first.regs[10] = holds{kind: inStack}
	if err := r.at(0, &first); err != nil {
		return err
	}
	for visits := 0; len(r.work) > 0; visits++ {
		if visits == maxVisits {
			return errTooLong
		}
		i := r.work[len(r.work)-1]
		r.work = r.work[:len(r.work)-1]
		next := r.states[i]
		if err := r.step(i, &next); err != nil {
			return err
		}
	}
	return nil
}

// at adds what holds at an instruction to what held there on other ways.
func (r *reading) at(i int, s *state) error {
	if i < 0 || i >= len(r.code) {
		return errors.New("it leaves its own instructions")
	}
	known := &r.states[i]
	if !known.seen {
		*known = *s
		known.seen = true
		r.work = append(r.work, i)
		return nil
	}
	changed := false
	for j := range known.regs {
		changed = known.regs[j].join(s.regs[j]) || changed
	}
	for j := range known.stack {
		changed = known.stack[j].join(s.stack[j]) || changed
	}
	if changed {
		r.work = append(r.work, i)
	}
	return nil
}

func (h *holds) join(other holds) bool {
	if *h == other || h.kind == anyOf {
		return false
	}
	*h = holds{kind: anyOf}
	return true
}

// step takes one instruction, and goes on where it can.
func (r *reading) step(i int, s *state) error {
	in := r.code[i]
	var err error
	switch in.code & 7 {
	case classLD:
		if in.code != opLoadMap || i+1 >= len(r.code) {
			return errors.New("it has an instruction that is not known")
		}
		s.regs[in.dst] = holds{kind: anyOf} // of the kernel's own, if it is an address
		if in.src >= 1 && in.src <= 6 && in.src != 3 && in.src != 4 {
			s.regs[in.dst] = holds{}
		}
		return r.at(i+2, s)
	case classLDX:
		err = r.load(in, s)
	case classST, classSTX:
		err = r.store(in, s)
	case classALU, classA64:
		err = s.compute(in)
	default:
		return r.jump(i, in, s)
	}
	if err != nil {
		return err
	}
	return r.at(i+1, s)
}

var sizes = map[uint8]int{0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}

func (h *holds) then(in instruction) string {
	return h.path + "/" + strconv.Itoa(sizes[in.code&0x18]) + "@" + strconv.Itoa(int(in.off))
}

func (r *reading) load(in instruction, s *state) error {
	from := s.regs[in.src]
	switch from.kind {
	case number, inData:
		s.regs[in.dst] = holds{}
	case inStack:
		s.regs[in.dst] = s.spilled(from.off+int(in.off), sizes[in.code&0x18])
	case fromContext:
		path := from.then(in)
		if r.learns != nil && !r.learns.write {
			r.learn(path)
		}
		v, ok := r.views.loads[path]
		if !ok {
			return errors.New("it looks at what the kernel knows beside the packet, which a run does not have")
		}
		r.reads.Mark, r.reads.Priority = r.reads.Mark || v.reads.Mark, r.reads.Priority || v.reads.Priority
		switch {
		case v.packet:
			s.regs[in.dst] = holds{kind: inData}
		case in.code&0x18 == 0x18:
			s.regs[in.dst] = holds{kind: fromContext, path: path}
		default:
			s.regs[in.dst] = holds{}
		}
	default:
		return errors.New("what it reads from cannot be told")
	}
	return nil
}

// learn notes a load of a program that looks at one field alone: the last on its way gives the field.
func (r *reading) learn(path string) {
	v := r.views.loads[path]
	f := r.learns
	v.packet = v.packet || f.packet
	v.reads = packet.Reads{Mark: v.reads.Mark || f.reads.Mark, Priority: v.reads.Priority || f.reads.Priority}
	r.views.loads[path] = v
}

// spilled is what a place on the stack has in it.
func (s *state) spilled(off, size int) holds {
	if off >= 0 || off < -8*stackSlots {
		return holds{kind: anyOf}
	}
	if h := s.stack[stackSlots+floor8(off)]; size == 8 && off%8 == 0 || h.kind == number || h.kind == anyOf {
		return h
	}
	return holds{}
}

// floor8 is the place of eight bytes that an address below the frame is in.
func floor8(off int) int { return -((-off + 7) / 8) }

func (r *reading) store(in instruction, s *state) error {
	to := s.regs[in.dst]
	size := sizes[in.code&0x18]
	atomic := in.code&7 == classSTX && in.code&0xe0 == modeAtomic
	if in.code&0xe0 != modeMem && !atomic {
		return errors.New("it has an instruction that is not known")
	}
	switch {
	case to.kind == inStack:
		s.spill(to.off+int(in.off), size, in, atomic)
		return nil
	case to.kind == inData && !atomic:
		r.reads.Bytes = true
		return nil
	case to.kind == fromContext && !atomic:
		path := to.then(in)
		if r.learns != nil && r.learns.write {
			r.views.stores[path] = true
		}
		if !r.views.stores[path] {
			return errors.New("it writes into what the kernel knows beside the packet")
		}
		r.reads.Writes = true
		return nil
	}
	return errWrites
}

// spill puts something on the stack. What an atomic instruction gives back is a number.
func (s *state) spill(off, size int, in instruction, atomic bool) {
	if off >= 0 || off < -8*stackSlots || off+size > 0 || off%size != 0 {
		for i := range s.stack {
			s.stack[i] = holds{kind: anyOf}
		}
		return
	}
	put := holds{}
	switch {
	case atomic:
		s.regs[in.src], s.regs[0] = holds{}, holds{kind: anyOf}
	case in.code&7 == classSTX && size == 8 && off%8 == 0:
		put = s.regs[in.src]
	}
	at := stackSlots + floor8(off)
	if size < 8 && s.stack[at].kind == number {
		return
	}
	s.stack[at] = put
}

// compute is arithmetic: an address with a number added to it is one in the same place.
func (s *state) compute(in instruction) error {
	op, wide, byReg := in.code&0xf0, in.code&7 == classA64, in.code&8 != 0
	dst := s.regs[in.dst]
	src := holds{}
	if byReg {
		src = s.regs[in.src]
	}
	switch {
	case op == opMov && byReg && wide && in.off == -1:
		return errors.New("it looks at what each processor keeps for itself")
	case op == opMov && wide && (in.off == 0 || !byReg):
		s.regs[in.dst] = src
	case op == opMov && wide: // with a sign, or an address of an arena
		s.regs[in.dst] = holds{kind: anyOf}
	case op == opMov && src.kind == anyOf, op == 0x80 && dst.kind == anyOf:
		s.regs[in.dst] = holds{kind: anyOf}
	case op == opMov:
		s.regs[in.dst] = holds{}
	case op == opAdd && wide && dst.kind == inStack && !byReg:
		s.regs[in.dst].off += int(in.imm)
	case (op == opAdd || op == opSub) && wide:
		s.regs[in.dst] = moved(dst, src, op)
	case dst.kind == anyOf || src.kind == anyOf:
		s.regs[in.dst] = holds{kind: anyOf}
	default:
		s.regs[in.dst] = holds{}
	}
	return nil
}

// moved is one value added to another, or taken from it.
func moved(dst, src holds, op uint8) holds {
	switch {
	case dst.kind == number && src.kind == number:
		return holds{}
	case dst.kind == inData && src.kind == number:
		return dst
	case src.kind == inData && dst.kind == number && op == opAdd:
		return src
	case dst.kind == inData && src.kind == inData && op == opSub:
		return holds{}
	}
	return holds{kind: anyOf}
}

// jump is a jump, a call or the end.
func (r *reading) jump(i int, in instruction, s *state) error {
	switch {
	case in.code == opExit:
		return nil
	case in.code == opCall && in.src == 1:
		return r.enter(i, in, s)
	case in.code == opCall:
		name := r.symbols.called(in.imm)
		if in.src != 0 || !harmless[name] {
			if in.src == 0 && in.imm == callTailCall {
				name = "another program (bpf_tail_call)"
			}
			return fmt.Errorf("it calls %s", strings.ToValidUTF8(name, "?"))
		}
		if copying[name] && s.regs[3].kind != inStack {
			return errWrites
		}
		s.called()
		return r.at(i+1, s)
	case in.code == 0x05: // ja
		return r.at(i+1+int(in.off), s)
	case in.code == 0x06: // gotol
		return r.at(i+1+int(in.imm), s)
	}
	if op := in.code & 0xf0; !slices.Contains([]uint8{0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0}, op) {
		return errors.New("it has an instruction that is not known")
	}
	if err := r.at(i+1+int(in.off), s); err != nil {
		return err
	}
	return r.at(i+1, s)
}

// callTailCall is bpf_tail_call, which the kernel tells by its number.
const callTailCall = 12

// called is what a function leaves: a number or an address to read from, and nothing of its arguments.
func (s *state) called() {
	for n := range 6 {
		s.regs[n] = holds{}
	}
}

// enter goes into a function of the program. What it gets of the caller's stack it may write to.
func (r *reading) enter(i int, in instruction, s *state) error {
	var inside state
	copy(inside.regs[1:6], s.regs[1:6])
	for n := 1; n < 6; n++ {
		if h := &inside.regs[n]; h.kind == inStack {
			*h = holds{kind: anyOf}
			for j := range s.stack {
				s.stack[j] = holds{kind: anyOf}
			}
		}
	}
	inside.regs[10] = holds{kind: inStack}
	if err := r.at(i+1+int(in.off), &inside); err != nil {
		return err
	}
	s.called()
	s.regs[0] = holds{kind: anyOf}
	return r.at(i+1, s)
}
