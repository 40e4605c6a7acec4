//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/packet"
)

// Commands and types of bpf(2) that asking a program needs.
const (
	bpfProgLoad     = 5
	bpfProgTestRun  = 10
	bpfSchedCLS     = 3 // BPF_PROG_TYPE_SCHED_CLS
	bpfXDP          = 6
	bpfTracing      = 2  // BPF_LINK_TYPE_TRACING
	infoXlatedLen   = 20 // of struct bpf_prog_info
	infoXlated      = 32
	maxInstructions = 30_000 // of a program that is read: its calls are told as numbers of 16 bits
	maxFrame        = 4096   // that a program can make of one
	skbContext      = 192    // struct __sk_buff
	skbMark         = 8
	skbPriority     = 32
	skbFrom         = 36 // ingress_ifindex
	skbIndex        = 40 // ifindex
	maxSymbols      = 64 << 20
)

// Programs has the kernel run programs of the network namespace that the process is in (packet.Runner). It is not safe for concurrent use.
type Programs struct {
	host    *host.Host
	symbols func() (*symbols, error)
	views   map[packet.Attached]*views
	judged  map[judgedKey]*judgedProgram
}

type judgedKey struct {
	id uint32
	at packet.Attached
}

// judgedProgram is a program that was read: what it looks at, or why it is not run.
type judgedProgram struct {
	reads packet.Reads
	err   error
}

// AskPrograms prepares it for what was seen of a network namespace, by its inode. Programs are asked of their interfaces by number, which are those
// of the namespace that the process is in.
func AskPrograms(netns uint64) (packet.Runner, error) {
	h := host.Local()
	own, err := h.Stat("/proc/self/ns/net")
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask-programs: %w", err)
	case own.Ino != netns:
		return nil, errors.New("ask-programs: this process is in another network namespace than the one that is looked at")
	}
	p := &Programs{host: h, views: map[packet.Attached]*views{}, judged: map[judgedKey]*judgedProgram{}}
	p.symbols = sync.OnceValues(p.readSymbols)
	return p, nil
}

var programTypes = map[packet.Attached]uint32{
	packet.AtXDP: bpfXDP, packet.AtIngress: bpfSchedCLS, packet.AtEgress: bpfSchedCLS,
	packet.AtGets: bpfCgroupSKB, packet.AtSends: bpfCgroupSKB,
}

// Run runs a program over a frame. The program is read first, each once.
func (p *Programs) Run(at packet.Attached, id uint32, tag string, f *packet.Frame) (packet.Ran, error) {
	var attr [64]byte
	binary.NativeEndian.PutUint32(attr[:], id)
	fd, err := bpf(bpfProgFDByID, &attr)
	if err != nil {
		return packet.Ran{}, fmt.Errorf("it is not to be had: %w", err)
	}
	defer unix.Close(fd)
	k := judgedKey{id, at}
	j := p.judged[k]
	if j == nil {
		j = new(judgedProgram)
		if j.err = untouched(id); j.err == nil {
			j.reads, j.err = p.judge(fd, at, tag)
		}
		p.judged[k] = j
	}
	if j.err != nil {
		return packet.Ran{}, j.err
	}
	ran, err := testRun(fd, at, f)
	ran.Reads = j.reads
	return ran, err
}

// untouched says that no other program replaces functions of one, or traces them (links of type tracing, which name it).
func untouched(id uint32) error {
	ne := binary.NativeEndian
	return eachLink(func(link int) error {
		info := make([]byte, 128) // struct bpf_link_info: type, id, prog_id, then attach_type, target_obj_id
		if objectInfo(link, info) && ne.Uint32(info) == bpfTracing && ne.Uint32(info[20:]) == id {
			return errors.New("another program replaces or traces a part of it")
		}
		return nil
	})
}

var errOtherProgram = errors.New("another program has its number by now")

// judge reads a program, and says why it is not run.
func (p *Programs) judge(fd int, at packet.Attached, tag string) (packet.Reads, error) {
	code, got, typ, err := translated(fd)
	switch {
	case err != nil:
		return packet.Reads{}, err
	case got != tag || typ != programTypes[at]:
		return packet.Reads{}, errOtherProgram
	}
	s, err := p.symbols()
	if err != nil {
		return packet.Reads{}, err
	}
	v := p.views[at]
	if v == nil {
		if v, err = seenAt(at, s); err != nil {
			return packet.Reads{}, err
		}
		p.views[at] = v
	}
	return v.judge(code, s)
}

// translated is a program as the kernel runs it: its instructions after the verifier, its tag and its type.
func translated(fd int) (code []instruction, tag string, typ uint32, err error) {
	ne := binary.NativeEndian
	info := make([]byte, 256)
	if !objectInfo(fd, info) {
		return nil, "", 0, errors.New("the kernel does not tell of it")
	}
	typ, tag = ne.Uint32(info), hex.EncodeToString(info[progInfoTag:progInfoTag+8])
	n := ne.Uint32(info[infoXlatedLen:])
	if n == 0 || n > 8*maxInstructions {
		return nil, "", 0, errors.New("its instructions are not told")
	}
	b := make([]byte, n)
	clear(info)
	var pin runtime.Pinner
	defer pin.Unpin()
	ne.PutUint32(info[infoXlatedLen:], n)
	ne.PutUint64(info[infoXlated:], pinned(&pin, &b[0]))
	if !objectInfo(fd, info) || ne.Uint64(info[infoXlated:]) == 0 {
		return nil, "", 0, errors.New("its instructions are not told")
	}
	for ; len(b) >= 8; b = b[8:] {
		code = append(code, instruction{b[0], b[1] & 15, b[1] >> 4, int16(ne.Uint16(b[2:])), int32(ne.Uint32(b[4:]))})
	}
	return code, tag, typ, nil
}

// testRun is one run (bpf_prog_test_run_skb, bpf_prog_test_run_xdp): nothing is sent, and the kernel only tells the answer.
func testRun(fd int, at packet.Attached, f *packet.Frame) (ran packet.Ran, err error) {
	ne := binary.NativeEndian
	var attr [64]byte
	var pin runtime.Pinner
	defer pin.Unpin()
	in, out := f.Data, make([]byte, maxFrame)
	context, after := make([]byte, skbContext), make([]byte, skbContext)
	if at == packet.AtXDP { // struct xdp_md: data, data_end, data_meta, ingress_ifindex
		context, after = context[:24], after[:24]
		ne.PutUint32(context[4:], uint32(len(in)))
		ne.PutUint32(context[12:], uint32(f.Index))
	} else {
		for place, n := range map[int]uint32{skbMark: f.Mark, skbPriority: f.Priority, skbFrom: uint32(f.From), skbIndex: uint32(f.Index)} {
			ne.PutUint32(context[place:], n)
		}
	}
	for place, n := range map[int]int{0: fd, 8: len(in), 12: len(out), 40: len(context), 44: len(after)} {
		ne.PutUint32(attr[place:], uint32(n))
	}
	for place, b := range map[int][]byte{16: in, 24: out, 48: context, 56: after} {
		ne.PutUint64(attr[place:], pinned(&pin, &b[0]))
	}
	if _, err := bpf(bpfProgTestRun, &attr); err != nil {
		return ran, fmt.Errorf("the kernel does not run it: %w", err)
	}
	ran.Verdict, ran.Data = ne.Uint32(attr[4:]), out[:min(ne.Uint32(attr[12:]), maxFrame)]
	ran.Mark, ran.Priority = f.Mark, f.Priority
	if at != packet.AtXDP {
		ran.Mark, ran.Priority = ne.Uint32(after[skbMark:]), ne.Uint32(after[skbPriority:])
	}
	return ran, nil
}

// symbols are the functions of the kernel by their distance from where calls of programs are counted from (__bpf_call_base).
type symbols struct {
	base  uint64
	names map[uint64]string
}

var errNoSymbols = errors.New("what it calls is not told (/proc/kallsyms needs CAP_SYSLOG, and kernel.kptr_restrict below 2)")

// readSymbols reads /proc/kallsyms. Modules cannot be told from the kernel by a name alone, so that their functions are left out.
func (p *Programs) readSymbols() (*symbols, error) {
	dir, err := p.host.OpenList("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	b, more, err := dir.ReadPart("kallsyms", maxSymbols)
	if err != nil || more {
		return nil, errNoSymbols
	}
	s := &symbols{names: map[uint64]string{}}
	for line := range bytes.Lines(b) {
		f := strings.Fields(string(line))
		if len(f) != 3 {
			continue
		}
		at, err := strconv.ParseUint(f[0], 16, 64)
		if err != nil || at == 0 || f[1] != "t" && f[1] != "T" {
			continue
		}
		if f[2] == "__bpf_call_base" {
			s.base = at
		}
		if known := s.names[at]; known == "" || !harmless[known] {
			s.names[at] = f[2]
		}
	}
	if s.base == 0 {
		return nil, errNoSymbols
	}
	return s, nil
}

// called is the function that a call names, as far as it is told.
func (s *symbols) called(imm int32) string {
	if name := s.names[s.base+uint64(int64(imm))]; name != "" && imm != 0 {
		return name
	}
	return "a function that is not told"
}
