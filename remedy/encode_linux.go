//go:build linux && !ringfence_portable

package remedy

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"

	"github.com/ringfence/ringfence/ruleset"
)

// What our expressions name, as the kernel numbers it.
var (
	kernelOps   = map[string]expr.CmpOp{ruleset.OpEq: expr.CmpOpEq, ruleset.OpNeq: expr.CmpOpNeq}
	kernelBases = map[string]expr.PayloadBase{
		ruleset.BaseNetwork: expr.PayloadBaseNetworkHeader, ruleset.BaseTransport: expr.PayloadBaseTransportHeader,
	}
	kernelVerdicts = map[string]expr.VerdictKind{ruleset.Accept: expr.VerdictAccept, ruleset.Drop: expr.VerdictDrop}
)

// encoded is the expressions of a rule for google/nftables; sets are the numbers in the transaction of the sets that it
// makes. An expression that none of our rules has is an error: nothing of a rule is ever left out.
func encoded(list []ruleset.Expr, sets map[string]uint32) ([]expr.Any, error) {
	out := make([]expr.Any, len(list))
	for i := range list {
		if out[i] = encodeExpr(&list[i], sets); out[i] == nil {
			return nil, fmt.Errorf("encode: expression %q is none of ours", list[i].Name)
		}
	}
	return out, nil
}

// encodeExpr is nil for what our rules do not have.
func encodeExpr(e *ruleset.Expr, sets map[string]uint32) expr.Any {
	switch {
	case e.Meta != nil && !e.Meta.Set:
		return &expr.Meta{Key: expr.MetaKey(e.Meta.Key), Register: e.Meta.Dreg}
	case e.Ct != nil && !e.Ct.Set && e.Ct.Dir == "":
		return &expr.Ct{Key: expr.CtKey(e.Ct.Key), Register: e.Ct.Dreg}
	case e.Fib != nil && e.Fib.Result == ruleset.FibAddrtype && e.Fib.Flags == ruleset.FibDaddr:
		return &expr.Fib{Register: e.Fib.Dreg, ResultADDRTYPE: true, FlagDADDR: true}
	case e.Payload != nil && !e.Payload.Set:
		if base, ok := kernelBases[e.Payload.Base]; ok {
			return &expr.Payload{DestRegister: e.Payload.Dreg, Base: base, Offset: e.Payload.Offset, Len: e.Payload.Len}
		}
	case e.Bitwise != nil && e.Bitwise.Op == "mask":
		b := e.Bitwise
		return &expr.Bitwise{SourceRegister: b.Sreg, DestRegister: b.Dreg, Len: b.Len, Mask: b.Mask, Xor: b.Xor}
	case e.Cmp != nil:
		if op, ok := kernelOps[e.Cmp.Op]; ok {
			return &expr.Cmp{Op: op, Register: e.Cmp.Sreg, Data: e.Cmp.Data}
		}
	case e.Lookup != nil && !e.Lookup.HasReg:
		l := e.Lookup
		return &expr.Lookup{SourceRegister: l.Sreg, SetName: l.Set, SetID: sets[l.Set], Invert: l.Invert}
	case e.Immediate != nil && e.Immediate.Verdict != nil:
		if kind, ok := kernelVerdicts[e.Immediate.Verdict.Kind]; ok {
			return &expr.Verdict{Kind: kind}
		}
	case e.Plain && e.Name == "counter":
		return &expr.Counter{}
	}
	return nil
}

// setKinds are the types of our sets as the kernel knows them.
var setKinds = map[string]nftables.SetDatatype{
	kindIPv4: nftables.TypeIPAddr, kindIPv6: nftables.TypeIP6Addr, kindNames: nftables.TypeIFName,
	kindTwice: nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIFName),
}

// keyOrders are the orders of bytes that nft is told of, which lists a set by them: names have none, and it reads them as the host's.
var keyOrders = map[string]binaryutil.ByteOrder{kindNames: binaryutil.NativeEndian}

// encodedElements are the elements of a set for google/nftables.
func encodedElements(s *namedSet) []nftables.SetElement {
	list := make([]nftables.SetElement, len(s.elements))
	for i, e := range s.elements {
		list[i] = nftables.SetElement{Key: e.Key, IntervalEnd: e.IntervalEnd}
	}
	return list
}
