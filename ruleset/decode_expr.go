package ruleset

import (
	"fmt"
	"slices"
)

// known is the attributes that the decoder of an expression reads. One that has others is opaque:
// a newer kernel may have given it a meaning that the decoder would miss.
var known = map[string][]uint16{
	"immediate": {1, 2},
	"payload":   {1, 2, 3, 4, 5, 6, 7, 8},
	"meta":      {1, 2, 3},
	"cmp":       {1, 2, 3},
	"range":     {1, 2, 3, 4},
	"lookup":    {1, 2, 3, 4, 5},
	"bitwise":   {1, 2, 3, 4, 5, 6, 7},
	"byteorder": {1, 2, 3, 4, 5},
	"ct":        {1, 2, 3, 4},
	"fib":       {1, 2, 3},
	"nat":       {1, 2, 3, 4, 5, 6, 7},
	"masq":      {1, 2, 3},
	"redir":     {1, 2, 3},
	"tproxy":    {1, 2, 3},
	"reject":    {1, 2},
	"log":       {1, 2, 3, 4, 5, 6},
	"limit":     {1, 2, 3, 4, 5, 6},
	"match":     {1, 2, 3},
	"target":    {1, 2, 3},
	"counter":   {1, 2, 3},
	"notrack":   {},
	"last":      {1, 2, 3},
	"quota":     {1, 2, 3, 4},
	"connlimit": {1, 2},
	"numgen":    {1, 2, 3, 4},
	"hash":      {1, 2, 3, 4, 5, 6, 7},
	"dynset":    {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
	"objref":    {1, 2, 3, 4, 5},
	"queue":     {1, 2, 3, 4},
	"exthdr":    {1, 2, 3, 4, 5, 6, 7},
	"socket":    {1, 2, 3},
	"rt":        {1, 2},
	"xfrm":      {1, 2, 3, 4},
	"dup":       {1, 2},
	"fwd":       {1, 2, 3},
	"synproxy":  {1, 2, 3},
	"osf":       {1, 2, 3},

	"flow_offload": {1},
}

func decodeExpr(b []byte) (Expr, error) {
	m, err := fields(b)
	if err != nil {
		return Expr{}, fmt.Errorf("expression: %w", err)
	}
	e := Expr{Name: text(m.at[1])}
	d, err := fields(m.at[2])
	if err != nil {
		return e, fmt.Errorf("expression %q: %w", e.Name, err)
	}
	if !covered(e.Name, &d) || !e.typed(&d) {
		return Expr{Name: e.Name, Raw: clone(m.at[2])}, nil
	}
	return e, nil
}

func covered(name string, d *attrSet) bool {
	list, ok := known[name]
	if !ok {
		return false
	}
	if d.more {
		return false
	}
	for k := range d.at {
		if d.at[k] != nil && !slices.Contains(list, uint16(k)) {
			return false
		}
	}
	return true
}

// typed fills in the typed form and says whether it holds all of the expression.
func (e *Expr) typed(d *attrSet) bool {
	switch e.Name {
	case "immediate":
		data, v, err := decodeData(d.at[2])
		e.Immediate = &Immediate{Dreg: u32(d.at[1]), Data: data, Verdict: v}
		return err == nil
	case "payload":
		return e.payload(d)
	case "meta":
		e.Meta = &Meta{Key: u32(d.at[2]), Dreg: u32(d.at[1]), Sreg: u32(d.at[3]), Set: d.at[3] != nil}
	case "cmp":
		return e.cmp(d)
	case "range":
		return e.rangeOf(d)
	case "lookup":
		e.Lookup = &Lookup{
			Set: text(d.at[1]), Sreg: u32(d.at[2]), Dreg: u32(d.at[3]), HasReg: d.at[3] != nil,
			Invert: u32(d.at[5])&1 != 0,
		}
	case "bitwise":
		return e.bitwise(d)
	case "byteorder":
		e.Byteorder = &Byteorder{
			Sreg: u32(d.at[1]), Dreg: u32(d.at[2]), Hton: u32(d.at[3]) == 1, Len: u32(d.at[4]), Size: u32(d.at[5]),
		}
	case "ct":
		e.Ct = &Ct{Key: u32(d.at[2]), Dreg: u32(d.at[1]), Sreg: u32(d.at[4]), Set: d.at[4] != nil}
		if d.at[3] != nil {
			e.Ct.Dir = [...]string{"original", "reply"}[u32(d.at[3])&1]
		}
	case "fib":
		e.Fib = &Fib{Dreg: u32(d.at[1]), Result: u32(d.at[2]), Flags: u32(d.at[3])}
	case "nat", "masq", "redir", "tproxy":
		return e.nat(d)
	case "reject":
		e.Reject = &Reject{Type: u32(d.at[1]), Code: u32(d.at[2])}
	case "log":
		e.Log = &Log{Prefix: text(d.at[2]), Group: u32(d.at[1]), ToGroup: d.at[1] != nil, Snaplen: u32(d.at[3]), Queue: u32(d.at[4]), Flags: u32(d.at[6])}
		if d.at[5] != nil {
			level := u32(d.at[5])
			e.Log.Level = &level
		}
	case "limit":
		e.Limit = decodeLimit(d)
	case "quota":
		e.Extra = &Extra{Quota: &Quota{Bytes: u64(d.at[1]), Over: u32(d.at[2])&1 != 0}}
	case "connlimit":
		e.Extra = &Extra{Connlimit: &Connlimit{Count: u32(d.at[1]), Over: u32(d.at[2])&1 != 0}}
	case "numgen", "hash":
		return e.generate(d)
	case "dynset":
		return e.dynset(d)
	case "objref":
		e.Extra = &Extra{Objref: &Objref{Type: u32(d.at[1]), Name: text(d.at[2]), Sreg: u32(d.at[3]), Set: text(d.at[4])}}
	case "queue":
		f := u32(d.at[3])
		e.Extra = &Extra{Queue: &QueueTo{
			Num: u32(d.at[1]), Total: u32(d.at[2]), Bypass: f&1 != 0, Fanout: f&2 != 0, Sreg: u32(d.at[4]),
		}}
	case "exthdr":
		e.Extra = &Extra{Exthdr: &Exthdr{
			Dreg: u32(d.at[1]), Type: u32(d.at[2]), Offset: u32(d.at[3]), Len: u32(d.at[4]),
			Present: u32(d.at[5])&1 != 0, Op: u32(d.at[6]), Sreg: u32(d.at[7]),
		}}
	case "socket":
		e.Extra = &Extra{Socket: &SocketKey{Key: u32(d.at[1]), Dreg: u32(d.at[2]), Level: u32(d.at[3])}}
	case "rt":
		e.Extra = &Extra{Rt: &Rt{Dreg: u32(d.at[1]), Key: u32(d.at[2])}}
	case "xfrm":
		e.Extra = &Extra{Xfrm: &Xfrm{Dreg: u32(d.at[1]), Key: u32(d.at[2]), Dir: u32(d.at[3]), Spnum: u32(d.at[4])}}
	case "dup":
		e.Extra = &Extra{Send: &Send{Kind: "dup", Addr: u32(d.at[1]), Dev: u32(d.at[2])}}
	case "fwd":
		e.Extra = &Extra{Send: &Send{Kind: "fwd", Dev: u32(d.at[1]), Addr: u32(d.at[2]), Nfp: u32(d.at[3])}}
	case "synproxy":
		e.Extra = &Extra{Synproxy: &Synproxy{MSS: u32(d.at[1]), Wscale: u32(d.at[2]), Flags: u32(d.at[3])}}
	case "osf":
		e.Extra = &Extra{Osf: &Osf{Dreg: u32(d.at[1]), TTL: u32(d.at[2]), Flags: u32(d.at[3])}}
	case "flow_offload":
		e.Extra = &Extra{Offload: text(d.at[1])}
	case "match", "target":
		e.Xt = &Xt{Target: e.Name == "target", Name: text(d.at[1]), Rev: u32(d.at[2]), Info: clone(d.at[3])}
		e.Xt.decode()
	default: // counter, notrack, last
		e.Plain = true
	}
	return true
}

func (e *Expr) payload(d *attrSet) bool {
	bases := []string{BaseLink, BaseNetwork, BaseTransport, BaseInner}
	base := u32(d.at[2])
	if int(base) >= len(bases) {
		return false
	}
	e.Payload = &Payload{
		Base: bases[base], Offset: u32(d.at[3]), Len: u32(d.at[4]),
		Dreg: u32(d.at[1]), Sreg: u32(d.at[5]), Set: d.at[5] != nil,
	}
	return true
}

func (e *Expr) cmp(d *attrSet) bool {
	ops := []string{OpEq, OpNeq, OpLt, OpLte, OpGt, OpGte}
	op := u32(d.at[2])
	data, _, err := decodeData(d.at[3])
	if err != nil || int(op) >= len(ops) {
		return false
	}
	e.Cmp = &Cmp{Sreg: u32(d.at[1]), Op: ops[op], Data: data}
	return true
}

func (e *Expr) rangeOf(d *attrSet) bool {
	from, _, err1 := decodeData(d.at[3])
	to, _, err2 := decodeData(d.at[4])
	op := u32(d.at[2])
	if err1 != nil || err2 != nil || op > 1 {
		return false
	}
	e.Range = &Range{Sreg: u32(d.at[1]), Op: []string{OpEq, OpNeq}[op], From: from, To: to}
	return true
}

func (e *Expr) bitwise(d *attrSet) bool {
	ops := []string{"mask", "lshift", "rshift"}
	op := u32(d.at[6])
	if int(op) >= len(ops) {
		return false // and, or, xor of two registers (Linux 6.13)
	}
	e.Bitwise = &Bitwise{Sreg: u32(d.at[1]), Dreg: u32(d.at[2]), Len: u32(d.at[3]), Op: ops[op]}
	var err error
	if op != 0 {
		shift, _, err := decodeData(d.at[7])
		e.Bitwise.Shift = u32(shift)
		if len(shift) == 4 { // the amount is in host order, unlike everything around it
			e.Bitwise.Shift = uint32(shift[0]) | uint32(shift[1])<<8 | uint32(shift[2])<<16 |
				uint32(shift[3])<<24
		}
		return err == nil
	}
	if e.Bitwise.Mask, _, err = decodeData(d.at[4]); err != nil {
		return false
	}
	e.Bitwise.Xor, _, err = decodeData(d.at[5])
	return err == nil
}

func (e *Expr) nat(d *attrSet) bool {
	switch e.Name {
	case "masq":
		e.NAT = &NAT{Kind: "masquerade", Flags: u32(d.at[1]), PortMin: u32(d.at[2]), PortMax: u32(d.at[3])}
	case "redir":
		e.NAT = &NAT{Kind: "redirect", PortMin: u32(d.at[1]), PortMax: u32(d.at[2]), Flags: u32(d.at[3])}
	case "tproxy":
		e.NAT = &NAT{Kind: "tproxy", Family: u32(d.at[1]), AddrMin: u32(d.at[2]), PortMin: u32(d.at[3])}
	default:
		kind := u32(d.at[1])
		if kind > 1 {
			return false
		}
		e.NAT = &NAT{
			Kind: []string{"snat", "dnat"}[kind], Family: u32(d.at[2]), AddrMin: u32(d.at[3]),
			AddrMax: u32(d.at[4]), PortMin: u32(d.at[5]), PortMax: u32(d.at[6]), Flags: u32(d.at[7]),
		}
	}
	return true
}

func (e *Expr) generate(d *attrSet) bool {
	if e.Name == "numgen" {
		kinds := []string{"inc", "random"}
		k := u32(d.at[3])
		if int(k) >= len(kinds) {
			return false
		}
		e.Extra = &Extra{Generate: &Generate{Kind: kinds[k], Dreg: u32(d.at[1]), Modulus: u32(d.at[2]), Offset: u32(d.at[4])}}
		return true
	}
	kinds := []string{"jhash", "symhash"}
	k := u32(d.at[7])
	if int(k) >= len(kinds) {
		return false
	}
	e.Extra = &Extra{Generate: &Generate{
		Kind: kinds[k], Sreg: u32(d.at[1]), Dreg: u32(d.at[2]), Len: u32(d.at[3]), Modulus: u32(d.at[4]),
		Seed: u32(d.at[5]), HasSeed: d.at[5] != nil, Offset: u32(d.at[6]),
	}}
	return true
}

// dynset reads NFTA_DYNSET_*; 7 is one statement, 10 a list of them.
func (e *Expr) dynset(d *attrSet) bool {
	ops := []string{DynsetAdd, DynsetUpdate, DynsetDelete}
	op := u32(d.at[3])
	if int(op) >= len(ops) {
		return false
	}
	e.Extra = &Extra{Dynset: &Dynset{
		Set: text(d.at[1]), Op: ops[op], Key: u32(d.at[4]), Data: u32(d.at[5]), TimeoutMs: u64(d.at[6]),
		Invert: u32(d.at[9])&1 != 0,
	}}
	var err error
	switch {
	case d.at[10] != nil:
		e.Extra.Dynset.Exprs, err = decodeList(d.at[10])
	case d.at[7] != nil:
		var one Expr
		one, err = decodeExpr(d.at[7])
		e.Extra.Dynset.Exprs = []Expr{one}
	}
	return err == nil
}
