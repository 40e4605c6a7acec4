package trace

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// note tells of a word of the registers why it is not known, and who decides what it is, if that is nobody's question.
type note struct {
	why string
	by  packet.Traffic // AsSent or ByChance; empty is not known
	// anew says that each load gives another number.
	anew bool
}

// openReg loads a value of which bits are open, that the sender or chance decides.
func (w *walk) openReg(at int, v, unk []byte, n note) verdict {
	w.regs.putUnk(at, v, unk)
	for i := at / 4; i < (at+len(v)+3)/4; i++ {
		w.notes[i] = n
	}
	return vNext
}

// allOpen is bits of n bytes of which none is known.
func allOpen(n int) []byte { return bytes.Repeat([]byte{0xff}, n) }

// maybeReg continues or breaks by a register that is not known. Where the sender decides, or chance, each way says how it has to be: the same for each
// rule that asks for the same. Of two that ask for other things of one value it is not known how they go together.
func (w *walk) maybeReg(o *op, r *rule) verdict {
	n := w.regNote(o.sreg, len(o.data))
	if n.by == "" {
		return w.maybe(r, n.why)
	}
	asked := slices.Concat([]byte{byte(o.kind)}, o.data, o.data2)
	if o.kind == opCmp {
		asked = append(asked, o.expr.Cmp.Op...)
	}
	return w.comesOut(r, n, asked)
}

// comesOut is a question to which the sender, or chance, has one answer.
func (w *walk) comesOut(r *rule, n note, asked []byte) verdict {
	for _, s := range w.said {
		switch {
		case n.anew || s.what != n.why:
		case bytes.Equal(s.by, asked):
			return decide(s.is)
		default:
			return w.maybe(r, n.why)
		}
	}
	at := w.at
	is := w.choose(2, r, n.why) == 1
	if w.region == nil && (n.by != packet.AsSent || w.apart(viewsOf[n.why])) {
		w.choices[at].states = []state{{n.by, n.why + ": not as the rule asks"}, {n.by, n.why + ": as the rule asks"}}
	}
	if !n.anew {
		w.said = append(w.said, said{n.why, asked, is})
	}
	return decide(is)
}

// regNote is why n bytes of the registers are not known, and who decides: of the first word that is not.
func (w *walk) regNote(at, n int) note {
	for i := at; i < at+n; i += 4 {
		if x := w.notes[i/4]; x.why != "" && w.regs.unknown(i, min(4, at+n-i)) {
			return x
		}
	}
	return note{why: "a value that the question leaves open"}
}

// generate loads a number that the question does not decide, each in turn.
func (w *walk) generate(g *ruleset.Generate, r *rule) verdict {
	at := regOffset(g.Dreg)
	if at < 0 {
		return w.abort(r, "a register that does not exist")
	}
	drawn := g.Kind == "inc" || g.Kind == "random"
	what := fmt.Sprintf("%s mod %d", g.Kind, g.Modulus)
	if drawn {
		what = "numgen " + what
	}
	if g.Modulus == 0 || g.Modulus > mapChoices {
		v := binary.NativeEndian.AppendUint32(nil, g.Offset)
		unk := allOpen(4)
		if last := g.Modulus - 1; g.Offset == 0 && g.Modulus > 0 {
			binary.NativeEndian.PutUint32(unk, filled(last))
		}
		for i := range v {
			v[i] &^= unk[i]
		}
		return w.openReg(at, v, unk, note{what, packet.ByChance, drawn || !g.HasSeed && g.Kind != "symhash"})
	}
	key := hashed{Generate: *g}
	key.Dreg = 0
	if from := regOffset(g.Sreg); g.Kind == "jhash" && from >= 0 && from+int(g.Len) <= regBytes {
		key.of = string(w.regs.v[from:from+int(g.Len)]) + string(w.regs.unk[from:from+int(g.Len)])
	}
	lasts := g.Kind == "symhash" || g.Kind == "jhash" && g.HasSeed
	for _, h := range w.hashes {
		if lasts && h.Generate == key.Generate && h.of == key.of {
			w.regs.put32(at, h.n)
			return vNext
		}
	}
	first := w.at
	key.n = uint32(w.choose(int(g.Modulus), r, what)) + g.Offset
	for i := range g.Modulus {
		w.choices[first].states = append(w.choices[first].states[:i], state{packet.ByChance, fmt.Sprintf("%s gives %d", what, i+g.Offset)})
	}
	if lasts {
		w.hashes = append(w.hashes, key)
	}
	w.regs.put32(at, key.n)
	return vNext
}

// hashed is a number that came of something for the packet, and comes of it again.
type hashed struct {
	ruleset.Generate
	of string
	n  uint32
}

// filled is a number with all bits set below its first.
func filled(n uint32) uint32 {
	for shift := uint(1); shift < 32; shift *= 2 {
		n |= n >> shift
	}
	return n
}

// ctCount loads what the connection has carried (nft_ct_get_eval): of one that begins this packet alone, which is counted before rules ask.
func (w *walk) ctCount(e *ruleset.Ct, at int, c *conn) verdict {
	const why = "what the connection has carried"
	switch {
	case !c.known || c.state != ruleset.CtNew:
		return w.unknownReg(at, 8, why)
	case e.Dir == "reply":
		w.regs.put(at, make([]byte, 8))
	case e.Key == ruleset.CtPkts:
		w.regs.put(at, binary.NativeEndian.AppendUint64(nil, 1))
	default: // the length of the packet
		return w.openReg(at, make([]byte, 8), binary.NativeEndian.AppendUint64(nil, 0xffff), note{why: lengthText, by: packet.AsSent})
	}
	return vNext
}

// connlabel matches a label of the connection, or gives it one (connlabel_mt). Without a connection it has none.
func (w *walk) connlabel(x *ruleset.XtConnlabel, r *rule) verdict {
	c := w.skb.ct
	switch {
	case c == nil:
		return decide(x.Invert)
	case !c.known:
		return w.maybe(r, "the labels of the connection")
	}
	has := slices.Contains(c.labels, x.Bit) || x.Set
	if has && x.Set {
		c.labels = append(c.labels, x.Bit)
	}
	return decide(has != x.Invert)
}

// u32 compares words of the packet (u32_match_it). What the sender writes there is a condition.
func (w *walk) u32(x *ruleset.Xt, u *ruleset.XtU32, r *rule) verdict {
	open := false
	w.extended(r)
	for i := range u.Tests {
		switch w.u32Test(&u.Tests[i]) {
		case no:
			return decide(u.Invert)
		case perhaps:
			open = true
		case yes:
		}
	}
	if !open {
		return decide(!u.Invert)
	}
	if w.skb.later() || w.skb.tos {
		return w.maybe(r, wordsText)
	}
	if v := w.comesOut(r, note{why: wordsText, by: packet.AsSent}, x.Info[:len(x.Info)-2]); (v == vNext) == u.Invert {
		return vNo
	}
	return vNext
}

// certainty is whether something holds.
type certainty uint8

const (
	no certainty = iota
	perhaps
	yes
)

func (w *walk) u32Test(t *ruleset.U32Test) certainty {
	s := &w.skb
	load := func(at uint64) (v word, known bool) {
		end := len(s.nh)
		if s.later() {
			end = s.thoff
		}
		if s.tos || at+4 > uint64(end) {
			return word{}, false
		}
		return word{binary.BigEndian.Uint32(s.nh[at:]), binary.BigEndian.Uint32(s.unk[at:])}, true
	}
	var base uint64
	v, known := load(uint64(t.At))
	for _, step := range t.Steps {
		if !known {
			return perhaps
		}
		switch n := step.Number; step.Op {
		case ruleset.U32And:
			v.v, v.unk = v.v&n, v.unk&n
		case ruleset.U32Left:
			v.v, v.unk = v.v<<(n&31), v.unk<<(n&31)
		case ruleset.U32Right:
			v.v, v.unk = v.v>>(n&31), v.unk>>(n&31)
		case ruleset.U32At:
			if v.unk != 0 {
				return perhaps
			}
			base += uint64(v.v)
			if base > 0xffff {
				return no // beyond every packet
			}
			v, known = load(base + uint64(n))
		default:
			return perhaps
		}
	}
	if !known {
		return perhaps
	}
	return v.among(t.Ranges)
}

// among says whether a number, of which bits may be open, is in one of some ranges.
func (v word) among(ranges [][2]uint32) certainty {
	of := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	least, most := v.v&^v.unk, v.v|v.unk
	is := no
	for _, x := range ranges {
		switch {
		case least >= x[0] && most <= x[1]:
			return yes
		case possible(of(v.v), of(v.unk), of(x[0]), of(x[1])):
			is = perhaps
		}
	}
	return is
}

// drawn is a match that comes out by what nobody knows before: the same for each rule that asks for the same.
func (w *walk) drawn(x *ruleset.Xt, r *rule) verdict {
	if x.Name == "cluster" && w.skb.ct == nil { // xt_cluster_mt
		return vNo
	}
	return w.comesOut(r, note{why: x.Drawn(), by: packet.ByChance}, x.Info)
}

// oneOfElements goes on with one element of a set, or with none, for a key that is not known: of one that the sender decides, or chance, each way says
// which.
func (w *walk) oneOfElements(o *op, r *rule, els []*element) int {
	at := w.at
	n := w.regNote(o.sreg, o.n)
	way := w.choose(len(els), r, n.why)
	if w.region != nil || n.by == "" || w.choices[at].states != nil || n.by == packet.AsSent && !w.says(n) {
		return way
	}
	for _, el := range els {
		text := n.why + ": none of those in the set"
		if el != nil {
			text = fmt.Sprintf("%s: that of the element %x", n.why, []byte(el.src.Key))
		}
		w.choices[at].states = append(w.choices[at].states, state{n.by, text})
	}
	return way
}

// says notes that elements of a set are what the sender wrote, and reports whether that goes together with all that rules have asked before.
func (w *walk) says(n note) bool {
	again := slices.ContainsFunc(w.said, func(s said) bool { return s.what == n.why })
	w.said = append(w.said, said{what: n.why})
	return w.apart(viewsOf[n.why]) && !again
}

// osf loads the name of the system that sends such packets (nft_osf_eval): of a SYN alone, whose options the sender chooses.
func (w *walk) osf(x *ruleset.Osf, r *rule) verdict {
	s := &w.skb
	at := regOffset(x.Dreg)
	const size, syn = 16, 2
	switch {
	case at < 0 || at+size > regBytes:
		return w.abort(r, "a register that does not exist")
	case s.later():
		return w.maybe(r, "what a fragment has where a SYN would be")
	case s.proto == packet.TCP && s.unk[s.thoff+13]&syn == 0 && s.nh[s.thoff+13]&syn == 0:
		return vNo
	case s.proto != packet.TCP:
		return w.maybe(r, "what the packet has where a SYN would be")
	}
	return w.openReg(at, make([]byte, size), allOpen(size), note{why: systemText, by: packet.AsSent})
}

// queued hands the packet to a program, and says whether it goes on (nf_queue): where none listens it is dropped, or goes on if the rule says so.
func (w *walk) queued(v *verdict) bool {
	q, f := v.queue, w.snap.NFTables.Queues
	if q == nil || f == nil || f.State != snapshot.Present && f.State != snapshot.Absent {
		return w.choose(2, v.rule, "a program outside the kernel decides") == 0
	}
	bound, all := 0, max(int(q.Total), 1)
	for name := range strings.FieldsSeq(f.Value) {
		n, err := strconv.Atoi(name)
		if err != nil || q.Sreg != 0 || int(q.Num) <= n && n < int(q.Num)+all {
			bound++
		}
	}
	if bound > 0 && w.choose(2, v.rule, "a program outside the kernel decides") == 0 {
		return true
	}
	return bound == 0 && q.Bypass
}
