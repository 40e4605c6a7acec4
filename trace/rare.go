package trace

import (
	"bytes"
	"encoding/binary"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// slow evaluates the expressions that are rare.
func (w *walk) slow(o *op, r *rule) verdict {
	e := o.expr
	switch {
	case e.Payload != nil && e.Payload.Set:
		return w.payloadSet(e.Payload, r)
	case e.Meta != nil && e.Meta.Set:
		return w.metaSet(e.Meta, r)
	case e.Ct != nil && e.Ct.Set:
		return w.ctSet(e.Ct, r)
	case e.Ct != nil:
		return w.ct(e.Ct, r)
	case e.Fib != nil:
		return w.fibExpr(e.Fib, r)
	case e.Bitwise != nil:
		return w.shift(e.Bitwise, r)
	case e.Byteorder != nil:
		return w.byteorder(e.Byteorder, r)
	case e.NAT != nil:
		return w.nat(e.NAT, r)
	case e.Reject != nil:
		return w.reject()
	case e.Name == "notrack":
		w.notrack()
		return vNext
	case e.More().Dynset != nil:
		return w.dynset(o, r)
	case e.More().Generate != nil:
		return w.generate(e.More().Generate, r)
	case e.More().Queue != nil:
		return verdict{kind: vQueue, queue: e.More().Queue}
	case e.More().Objref != nil:
		return w.objref(e.More().Objref, r)
	case e.More().Exthdr != nil:
		return w.exthdr(e.More().Exthdr, r)
	case e.More().Socket != nil:
		return w.socketExpr(e.More().Socket, r)
	case e.More().Rt != nil:
		return w.rt(e.More().Rt, r)
	case e.More().Send != nil && e.More().Send.Kind == "dup":
		return vNext
	case e.More().Offload != "": // only a connection that was seen both ways is offloaded (nft_flow_offload_eval)
		if w.skb.given == "established" {
			return w.maybe(r, "whether the connection is offloaded")
		}
		return vNo
	case e.Xt != nil:
		return w.xt(e.Xt, r)
	case e.Limit != nil:
		return w.limit(e.Limit, r)
	case e.More().Quota != nil:
		return w.quota(e.More().Quota, r)
	case e.More().Connlimit != nil:
		return w.connlimit(e.More().Connlimit, r)
	case e.More().Xfrm != nil && unprotected(w.snap): // nft_xfrm_eval
		return vNo
	case e.More().Xfrm != nil:
		return w.maybe(r, e.Name+" depends on more than the packet")
	case e.More().Osf != nil:
		return w.osf(e.More().Osf, r)
	case e.More().Synproxy != nil:
		return w.bySynproxy(r)
	}
	return w.abort(r, e.Name+" is not understood")
}

// reject drops the packet and tells the sender; IPv4 does not answer a later fragment (nf_send_unreach).
func (w *walk) reject() verdict {
	if w.skb.v4 && w.skb.later() {
		return verdict{kind: vDrop}
	}
	return verdict{kind: vReject}
}

func (w *walk) shift(b *ruleset.Bitwise, r *rule) verdict {
	src, dst := regOffset(b.Sreg), regOffset(b.Dreg)
	n := int(b.Len)
	if src < 0 || dst < 0 || n <= 0 || src+n > regBytes || dst+n > regBytes || n%4 != 0 || b.Shift >= 32 || b.Op == "mask" {
		return w.abort(r, "bitwise "+b.Op+" of this form is not understood")
	}
	w.shiftBytes(w.regs.v[:], src, dst, n, b)
	if w.regs.dirty {
		w.shiftBytes(w.regs.unk[:], src, dst, n, b)
	}
	return vNext
}

// shiftBytes shifts words in host order, carrying over to the neighbour (nft_bitwise_eval_lshift).
func (w *walk) shiftBytes(f []byte, src, dst, n int, b *ruleset.Bitwise) {
	words := make([]uint32, n/4)
	for i := range words {
		words[i] = binary.NativeEndian.Uint32(f[src+4*i:])
	}
	carry := uint32(0)
	if b.Op == "lshift" {
		for i := len(words) - 1; i >= 0; i-- {
			words[i], carry = words[i]<<b.Shift|carry, uint32(uint64(words[i])>>(32-b.Shift))
		}
	} else {
		for i := range words {
			words[i], carry = carry|words[i]>>b.Shift, uint32(uint64(words[i])<<(32-b.Shift))
		}
	}
	for i, v := range words {
		binary.NativeEndian.PutUint32(f[dst+4*i:], v)
	}
}

// byteorder swaps units (nft_byteorder_eval): of two bytes one after the other, of four bytes and
// eight bytes likewise.
func (w *walk) byteorder(b *ruleset.Byteorder, r *rule) verdict {
	src, dst, n, size := regOffset(b.Sreg), regOffset(b.Dreg), int(b.Len), int(b.Size)
	if src < 0 || dst < 0 || size != 2 && size != 4 && size != 8 || n <= 0 || src+n > regBytes || dst+n > regBytes {
		return w.abort(r, "byteorder of this form is not understood")
	}
	h := w.regs.whole[src/4]
	w.regs.release(dst, n)
	if h.n == n && size == n {
		h.host = !h.host
		w.regs.whole[dst/4] = h
	}
	for _, f := range [][]byte{w.regs.v[:], w.regs.unk[:]} {
		buf := bytes.Clone(f[src : src+n])
		for at := 0; at+size <= n; at += size {
			for i := range size {
				f[dst+at+i] = buf[at+size-1-i]
			}
		}
	}
	return vNext
}

// objref evaluates the object that a rule, or a map of it, names (nft_objref_eval, nft_objref_map_eval).
func (w *walk) objref(o *ruleset.Objref, r *rule) verdict {
	t := r.chain.table
	if o.Set == "" {
		return w.object(t.src.Object(o.Type, o.Name), o.Type, o.Name, r)
	}
	s := t.sets[o.Set] // a map to objects: a key that is not there ends the rule
	at := regOffset(o.Sreg)
	if s == nil || at < 0 || at+int(s.src.KeyLen) > regBytes || w.regs.unknown(at, int(s.src.KeyLen)) {
		return w.maybe(r, "a map to objects")
	}
	el := w.search(s, w.regs.v[at:at+int(s.src.KeyLen)])
	if el == nil {
		return vNo
	}
	return w.object(t.src.Object(s.src.ObjectType, el.src.Object), s.src.ObjectType, el.src.Object, r)
}

// object evaluates an object by its type: those that the traffic before uses up are one, whichever rule names them.
func (w *walk) object(x *ruleset.Object, kind uint32, name string, r *rule) verdict {
	switch {
	case ruleset.Stateless(kind):
		return vNext
	case kind == ruleset.ObjectExpect: // of a connection that is not confirmed (nft_ct_expect_obj_eval)
		if w.skb.ct == nil || w.skb.given == packet.Established {
			return vNo
		}
		return vNext
	case kind == ruleset.ObjectSynproxy:
		return w.bySynproxy(r)
	case x == nil:
		return w.maybe(r, "object "+name+" was not read")
	case x.Limit != nil:
		return w.limit(x.Limit, r)
	case x.Quota != nil:
		return w.quota(x.Quota, r)
	case x.Connlimit != nil:
		return w.connlimit(x.Connlimit, r)
	}
	return w.abort(r, "object "+name+" is not understood")
}

// exthdr looks for a header that the packets of a question do not have: IPv6 extension headers and
// IPv4 options. TCP options are left open.
func (w *walk) exthdr(e *ruleset.Exthdr, r *rule) verdict {
	at := regOffset(e.Dreg)
	switch {
	case e.Sreg != 0 || e.Dreg == 0:
		return w.maybe(r, "whether the packet has the option that is changed")
	case at < 0 || at+int(e.Len) > regBytes:
		return w.abort(r, "a register that does not exist")
	case e.Op == ruleset.ExthdrIPv6 && e.Type == protoFrag && !w.skb.v4 && w.skb.fragment != whole:
		return w.fragExthdr(e, at)
	case e.Op == ruleset.ExthdrTCP && w.skb.later() && e.Present:
		w.regs.put8(at, 0)
		return vNext
	case e.Op == ruleset.ExthdrTCP && w.skb.later():
		return vNo
	case e.Op == ruleset.ExthdrTCP && w.skb.proto == packet.TCP, e.Op > ruleset.ExthdrIPv4:
		has := w.option(e.Op, e.Type, r)
		if e.Present {
			w.regs.put8(at, map[bool]uint8{true: 1}[has])
			return vNext
		}
		if !has {
			return vNo
		}
		return w.unknownReg(at, int(e.Len), "the value of a TCP option")
	case e.Op == ruleset.ExthdrTCP && e.Present:
		w.regs.put8(at, 0)
		return vNext
	case e.Op == ruleset.ExthdrTCP:
		return vNo
	}
	return w.beyondPlain(r, at, int(e.Len), e.Present)
}
