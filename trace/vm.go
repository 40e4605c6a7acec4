package trace

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

// maxRules bounds the rules that one way of a packet evaluates: a snapshot can be made so that
// chains call each other without end.
const maxRules = 2_000_000

// jumpStack is how deep jumps nest (NFT_JUMP_STACK_SIZE).
const jumpStack = 16

// registers is the register file; bits of unk are not known.
type registers struct {
	v, unk [regBytes]byte
	dirty  bool // some bit of unk is set
	// whole tells of a word, where bits of it are not known, whether a field of the region begins there.
	whole [regBytes / 4]held
}

// held is a field of the region in registers: n bytes, of which the first bits are as sent and the others are zero.
type held struct {
	f       byte
	n, bits int
	// host says that it is in the byte order of the host, lowest byte first.
	host bool
	// sent says that it is from the connection's original direction: that stays, whatever rules make of the header.
	sent bool
}

// put stores known bytes, padded with zeros to whole words.
func (r *registers) put(at int, b []byte) {
	end := min((at+len(b)+3)&^3, regBytes)
	n := copy(r.v[at:], b)
	clear(r.v[at+n : end])
	if r.dirty {
		clear(r.unk[at:end])
	}
}

// forget makes every bit known again: the registers of a new chain have no values that count.
func (r *registers) forget() {
	if r.dirty {
		clear(r.unk[:])
		r.dirty = false
	}
}

func (r *registers) putUnk(at int, b, unk []byte) {
	r.put(at, b)
	if anyBit(unk) {
		copy(r.unk[at:], unk)
		r.dirty = true
		r.release(at, len(b))
	}
}

// release says of registers that they hold no field.
func (r *registers) release(at, n int) { clear(r.whole[at/4 : min((at+n+3)/4, len(r.whole))]) }

func (r *registers) putUnknown(at, n int) {
	end := min((at+n+3)&^3, regBytes)
	for i := at; i < end; i++ {
		r.v[i], r.unk[i] = 0, 0xff
	}
	r.dirty = true
	r.release(at, n)
}

func (r *registers) put32(at int, n uint32) {
	binary.NativeEndian.PutUint32(r.v[at:], n)
	if r.dirty {
		clear(r.unk[at : at+4])
	}
}

func (r *registers) putWord(at int, w word) {
	r.put32(at, w.v)
	if w.unk != 0 {
		binary.NativeEndian.PutUint32(r.unk[at:], w.unk)
		r.dirty = true
		r.release(at, 4)
	}
}

func (r *registers) put8(at int, n uint8) { r.put32(at, 0); r.v[at] = n }

func (r *registers) put16(at int, n uint16) {
	r.put32(at, 0)
	binary.NativeEndian.PutUint16(r.v[at:], n)
}

func (r *registers) unknown(at, n int) bool { return r.dirty && anyBit(r.unk[at:at+n]) }

type frame struct {
	c    *chain
	next int
}

// baseChain runs a base chain and returns accept, drop, reject, queue or stolen.
func (w *walk) baseChain(c *chain) verdict {
	v := w.chain(c)
	if v.kind != vContinue {
		return v
	}
	v = verdict{kind: vAccept}
	if c.src.Base.Policy == ruleset.Drop {
		v.kind = vDrop
	}
	w.policy(c, v.kind)
	return v
}

// chain evaluates rules until one of them decides (nft_do_chain). vContinue is the end of the chain.
func (w *walk) chain(c *chain) verdict {
	var stack [jumpStack]frame
	depth, at := 0, 0
	w.regs.forget()
	var likely sifted
	for {
		if w.region == nil && len(w.changes) == 0 && at < len(c.rules) && !c.rules[at].run.tellsApart() && c.sifts() {
			at = w.sift(&likely, c, at)
		}
		if at >= len(c.rules) {
			if depth == 0 {
				return verdict{}
			}
			depth--
			c, at = stack[depth].c, stack[depth].next
			continue
		}
		r := &c.rules[at]
		at++
		if w.evaluated++; w.evaluated > maxRules {
			return w.abort(r, "the chains call each other without end")
		}
		if len(r.quick) > 0 && w.misses(r.quick) {
			if r.run != nil {
				at = w.after(r.run, at)
			}
			continue
		}
		if w.region != nil && w.beside(r.asks) {
			continue
		}
		v := w.rule(r)
		likely.c = nil // it can have changed the packet
		switch v.kind {
		case vContinue, vBreak:
			continue
		case vReturn:
			w.matched(r, v)
			if depth == 0 {
				return verdict{}
			}
			depth--
			c, at = stack[depth].c, stack[depth].next
		case vJump, vGoto:
			w.matched(r, v)
			if v.to == nil {
				return w.abort(r, v.missing)
			}
			if v.kind == vJump {
				if depth == jumpStack {
					return w.abort(r, "jumps nest deeper than the kernel allows")
				}
				stack[depth] = frame{c, at}
				depth++
			}
			c, at = v.to, 0
		default:
			if w.stuck == nil {
				w.matched(r, v)
			}
			return v
		}
	}
}

// rule evaluates the expressions of one rule; vBreak is a rule that does not match.
func (w *walk) rule(r *rule) verdict {
	for i := range r.ops {
		v := w.op(&r.ops[i], r)
		if v.kind != vContinue {
			v.rule = r
			return v
		}
	}
	return verdict{}
}

var (
	vNext   = verdict{}
	vNo     = verdict{kind: vBreak}
	noMatch = [2]verdict{vNo, vNext}
)

// maybe continues or breaks, both ways.
func (w *walk) maybe(r *rule, why string) verdict { return noMatch[w.choose(2, r, why)] }

func decide(ok bool) verdict {
	if ok {
		return vNext
	}
	return vNo
}

func (w *walk) op(o *op, r *rule) verdict {
	g := &w.regs
	switch o.kind {
	case opNothing:
		return vNext
	case opVerdict:
		v := o.verdict
		if v.kind == vStolen {
			return w.abort(r, v.missing)
		}
		return v
	case opImmediate:
		g.put(o.dreg, o.data)
	case opPayload:
		return w.payload(o, r)
	case opMeta:
		return w.meta(o)
	case opCmpEq, opCmpNeq:
		n := len(o.data)
		if g.unknown(o.sreg, n) {
			return w.cmpUnknown(o, r)
		}
		return decide(bytes.Equal(g.v[o.sreg:o.sreg+n], o.data) == (o.kind == opCmpEq))
	case opCmp, opRange:
		return w.ordered(o, r)
	case opBitwise:
		for i := range o.n {
			b := g.v[o.sreg+i]&o.data[i] ^ o.data2[i]
			var u byte
			if g.dirty {
				u = g.unk[o.sreg+i] & o.data[i]
			}
			g.v[o.dreg+i] = b
			if g.dirty {
				g.unk[o.dreg+i] = u
			}
		}
		if g.dirty {
			g.mask(o)
		}
	case opLookup:
		return w.lookup(o, r)
	default:
		return w.slow(o, r)
	}
	return vNext
}

// mask says what of a field is held after its upper bits were taken.
func (r *registers) mask(o *op) {
	h := r.whole[o.sreg/4]
	if o.dreg != o.sreg {
		r.release(o.dreg, o.n)
	}
	if h.f == 'c' && h.n == o.n {
		for i, x := range o.data2[:o.n] {
			if x&r.unk[o.dreg+i] != 0 {
				h = held{}
			}
		}
		r.whole[o.dreg/4] = h
		return
	}
	bits := leadingOnes(o.data[:o.n])
	if h.n != o.n || bits < 0 || h.host && bits < 8*o.n || anyBit(o.data2[:o.n]) {
		h = held{}
	}
	h.bits = min(h.bits, bits)
	r.whole[o.dreg/4] = h
}

// leadingOnes is how many bits a mask takes, if they are the first ones; else below 0.
func leadingOnes(mask []byte) int {
	bits := 0
	for bits < 8*len(mask) && mask[bits/8]&(0x80>>(bits%8)) != 0 {
		bits++
	}
	for bit := bits; bit < 8*len(mask); bit++ {
		if mask[bit/8]&(0x80>>(bit%8)) != 0 {
			return -1
		}
	}
	return bits
}

// holds is the field that a register has all of, with no more than its first bits where they were masked.
func (w *walk) holds(at, n int) (held, bool) {
	h := w.regs.whole[at/4]
	return h, at%4 == 0 && h.f != 0 && h.n == n && (h.sent || w.asSent(h.f))
}

func (w *walk) cmpUnknown(o *op, r *rule) verdict {
	n := len(o.data)
	if of, ok := w.serviceIn(o.sreg, n); ok {
		return decide(w.part('c', servicesThat(func(c byte) bool { return bytes.Equal(of(c), o.data) }), r) == (o.kind == opCmpEq))
	}
	if h, ok := w.holds(o.sreg, n); ok {
		lo, hi := slices.Clone(o.data), slices.Clone(o.data)
		if h.host {
			slices.Reverse(lo)
			slices.Reverse(hi)
		}
		for bit := h.bits; bit < 8*n; bit++ {
			if lo[bit/8]&(0x80>>(bit%8)) != 0 {
				return decide(o.kind == opCmpNeq) // the masked bits are zero
			}
			hi[bit/8] |= 0x80 >> (bit % 8)
		}
		return decide(w.part(h.f, spans{{lo, hi}}, r) == (o.kind == opCmpEq))
	}
	v, u := w.regs.v[o.sreg:o.sreg+n], w.regs.unk[o.sreg:o.sreg+n]
	if !possible(v, u, o.data, o.data) {
		return decide(o.kind == opCmpNeq)
	}
	return w.maybeReg(o, r)
}

// ordered carries out <, <=, >, >= and ranges, byte by byte as memcmp does.
func (w *walk) ordered(o *op, r *rule) verdict {
	n := len(o.data)
	v := w.regs.v[o.sreg : o.sreg+n]
	holds := func(v []byte) bool {
		if o.kind == opRange {
			in := bytes.Compare(v, o.data) >= 0 && bytes.Compare(v, o.data2) <= 0
			return in == (o.expr.Range.Op == ruleset.OpEq)
		}
		d := bytes.Compare(v, o.data)
		switch o.expr.Cmp.Op {
		case ruleset.OpLt:
			return d < 0
		case ruleset.OpLte:
			return d <= 0
		case ruleset.OpGt:
			return d > 0
		}
		return d >= 0
	}
	if !w.regs.unknown(o.sreg, n) {
		return decide(holds(v))
	}
	if of, ok := w.serviceIn(o.sreg, n); ok {
		return decide(w.part('c', servicesThat(func(c byte) bool { return holds(of(c)) }), r))
	}
	if h, ok := w.holds(o.sreg, n); ok && h.bits == 8*n && !h.host {
		among, is := o.among()
		return decide(w.part(h.f, among, r) == is)
	}
	least, most := bounds(v, w.regs.unk[o.sreg:o.sreg+n])
	if o.kind == opRange {
		inside := possible(v, w.regs.unk[o.sreg:o.sreg+n], o.data, o.data2)
		if !inside {
			return decide(o.expr.Range.Op == ruleset.OpNeq)
		}
		if bytes.Compare(least, o.data) >= 0 && bytes.Compare(most, o.data2) <= 0 {
			return decide(o.expr.Range.Op == ruleset.OpEq)
		}
	} else if holds(least) == holds(most) {
		return decide(holds(least))
	}
	return w.maybeReg(o, r)
}

// among is the numbers that a comparison is about, and whether it holds for them or for all others.
func (o *op) among() (list spans, is bool) {
	n := len(o.data)
	first, last := make([]byte, n), bytes.Repeat([]byte{0xff}, n)
	if o.kind == opRange {
		if bytes.Compare(o.data, o.data2) > 0 {
			return nil, o.expr.Range.Op == ruleset.OpEq
		}
		return spans{{o.data, o.data2}}, o.expr.Range.Op == ruleset.OpEq
	}
	switch o.expr.Cmp.Op {
	case ruleset.OpLt:
		return spans{{o.data, last}}, false
	case ruleset.OpLte:
		return spans{{first, o.data}}, true
	case ruleset.OpGt:
		return spans{{first, o.data}}, false
	}
	return spans{{o.data, last}}, true
}

// regWhy says why n bytes of the registers are not known: the reason of the first that is not.
func (w *walk) regWhy(at, n int) string { return w.regNote(at, n).why }

// unknownReg loads a value that cannot be known.
func (w *walk) unknownReg(at, n int, why string) verdict {
	n = min(n, regBytes-at)
	w.regs.putUnknown(at, n)
	for i := at / 4; i < (at+n+3)/4; i++ {
		w.notes[i] = note{why: why}
	}
	return vNext
}

// lookup searches a set (nft_lookup_eval).
func (w *walk) lookup(o *op, r *rule) verdict {
	l := o.expr.Lookup
	key := w.regs.v[o.sreg : o.sreg+o.n]
	if w.regs.unknown(o.sreg, o.n) {
		return w.lookupUnknown(o, r, key, w.regs.unk[o.sreg:o.sreg+o.n])
	}
	if why := w.changed(o.set, true); why != "" {
		return w.abort(r, why)
	}
	el := w.search(o.set, key)
	if el == nil && o.set.src.Dynamic {
		return w.absent(o, r, key, l)
	}
	return w.found(o, r, el, l)
}

// changed says why the packet's own changes of a set leave open what is in it; with exact, only where
// they are not known themselves.
func (w *walk) changed(s *set, exact bool) string {
	for i := range w.changes {
		switch c := &w.changes[i]; {
		case c.set != s:
		case c.why != "":
			return c.why
		case !exact:
			return "a set that the packet itself changed"
		}
	}
	return ""
}

// search finds the element of a key, with what the packet itself added or deleted on its way.
func (w *walk) search(s *set, key []byte) *element {
	for i := len(w.changes) - 1; i >= 0; i-- {
		if c := &w.changes[i]; c.set == s && bytes.Equal(c.key, key) {
			return c.el
		}
	}
	if el := s.find(key); el != nil {
		return el
	}
	return s.catchAll
}

func (w *walk) found(o *op, r *rule, el *element, l *ruleset.Lookup) verdict {
	if (el != nil) == l.Invert {
		return vNo
	}
	if el == nil {
		return vNext
	}
	for i := range el.ops {
		if v := w.op(&el.ops[i], r); v.kind != vContinue {
			return v
		}
	}
	if !l.HasReg {
		return vNext
	}
	if l.Dreg != 0 {
		w.regs.put(o.dreg, el.src.Data[:min(len(el.src.Data), regBytes-o.dreg)])
		return vNext
	}
	if el.verdict == nil {
		return w.abort(r, "a verdict map without a verdict")
	}
	v := *el.verdict
	if v.kind == vStolen {
		return w.abort(r, v.missing)
	}
	return v
}

// mapChoices bounds the elements among which an unknown key is followed.
const mapChoices = 32

func (w *walk) lookupUnknown(o *op, r *rule, key, unk []byte) verdict {
	if why := w.changed(o.set, false); why != "" {
		return w.abort(r, why)
	}
	l := o.expr.Lookup
	if o.set.src.Dynamic {
		field := ""
		if h, ok := w.holds(o.sreg, o.n); ok {
			field = fmt.Sprintf("%+v", h)
		}
		if w.putIn(o, r, field) {
			return w.foundPut(o, r, l)
		}
	}
	if of, ok := w.serviceIn(o.sreg, o.n); ok {
		return w.lookupService(o, r, of)
	}
	if h, ok := w.holds(o.sreg, o.n); ok && h.bits == 8*o.n && !h.host && len(o.set.concat) == 0 {
		return w.lookupField(o, r, h.f, l)
	}
	if v, ok := w.lookupFields(o, r, l); ok {
		return v
	}
	if el := o.set.whole(key, unk); el != nil {
		return w.found(o, r, el, l)
	}
	els, more := o.set.candidates(key, unk, mapChoices)
	switch {
	case len(els) == 0:
		return w.found(o, r, o.set.catchAll, l)
	case !l.HasReg && !more && len(els[0].ops) == 0 && o.set.catchAll == nil:
		if n := w.regNote(o.sreg, o.n); n.by != "" {
			return decide((w.comesOut(r, n, fmt.Appendf(nil, "%p", o.set)) == vNext) != l.Invert)
		}
		return w.maybe(r, w.regWhy(o.sreg, o.n))
	case more:
		why := w.regWhy(o.sreg, o.n)
		if fieldOf(why) == 0 { // else fewer numbers of that field are looked up among fewer elements
			why += ", looked up in a large set"
		}
		return w.abort(r, why)
	}
	els = append(els, o.set.catchAll)
	return w.found(o, r, els[w.oneOfElements(o, r, els)], l)
}

// lookupField searches a set for a field of the region: where its elements carry nothing they are looked at as one, else one after the other.
func (w *walk) lookupField(o *op, r *rule, f byte, l *ruleset.Lookup) verdict {
	_, all, alike := o.set.parts()
	if alike && !l.HasReg && o.set.catchAll == nil {
		return decide(w.part(f, all, r) != l.Invert)
	}
	return w.found(o, r, w.among(f, o.set.alikes(), o.set, r), l)
}

// change is an element that the packet added to a set, or deleted (el is nil). Where why is given, the
// element is not known: a later look-up of the set cannot be followed.
type change struct {
	set *set
	key []byte
	el  *element
	why string
}

// dynset adds, updates or deletes an element (nft_dynset_eval).
func (w *walk) dynset(o *op, r *rule) verdict {
	d := o.expr.More().Dynset
	if o.set == nil || o.sreg < 0 || o.sreg+int(o.set.src.KeyLen) > regBytes {
		return w.abort(r, "set "+d.Set+" does not exist")
	}
	n := int(o.set.src.KeyLen)
	key := w.regs.v[o.sreg : o.sreg+n]
	if w.regs.unknown(o.sreg, n) {
		w.changes = append(w.changes, change{set: o.set, why: w.regWhy(o.sreg, n)})
		return w.maybeReg(o, r)
	}
	if at := regOffset(d.Data); d.Data != 0 && at >= 0 {
		if size := min(int(o.set.src.DataLen), regBytes-at); w.regs.unknown(at, size) {
			w.changes = append(w.changes, change{set: o.set, why: w.regWhy(at, size)})
			return w.maybe(r, w.regWhy(at, size))
		}
	}
	if why := w.changed(o.set, true); why != "" {
		return w.abort(r, why)
	}
	if d.Op == ruleset.DynsetDelete {
		w.changes = append(w.changes, change{set: o.set, key: bytes.Clone(key)})
		return vNext
	}
	el := w.search(o.set, key)
	if el == nil {
		if size := o.set.src.Size; size > 0 && len(o.set.src.Elements) >= int(size) {
			return decide(d.Invert) // the set is full
		}
		el = &element{src: &ruleset.Element{Key: bytes.Clone(key)}, ops: o.inner}
		if at := regOffset(d.Data); d.Data != 0 && at >= 0 {
			el.src.Data = bytes.Clone(w.regs.v[at:min(at+int(o.set.src.DataLen), regBytes)])
		}
		w.changes = append(w.changes, change{set: o.set, key: bytes.Clone(key), el: el})
	}
	for i := range el.ops {
		if v := w.op(&el.ops[i], r); v.kind != vContinue {
			return v
		}
	}
	return decide(!d.Invert)
}
