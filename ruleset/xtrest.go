package ruleset

// XtU32 is an iptables match of words of the packet: all of its tests have to hold (include/uapi/linux/netfilter/xt_u32.h).
type XtU32 struct {
	Tests  []U32Test
	Invert bool
}

// U32Test loads a word, works on it step by step, and wants it in one of the ranges.
type U32Test struct {
	At     uint32 // from the beginning of the network header
	Steps  []U32Step
	Ranges [][2]uint32
}

// U32Step is what is done with a word.
type U32Step struct {
	Op     uint8
	Number uint32
}

// The operations of a step (enum xt_u32_ops).
const (
	U32And   = 0
	U32Left  = 1
	U32Right = 2
	U32At    = 3 // load the word that is so far behind the place that the value names
)

// The sizes of struct xt_u32 and its parts.
const (
	u32Most = 11
	u32Pair = 8
	u32Test = 2*u32Most*u32Pair + 4
)

// U32 reads it; nil is another match.
func (x *Xt) U32() *XtU32 {
	b := x.Info
	if x.Target || x.Name != "u32" || len(b) < u32Most*u32Test+2 || b[u32Most*u32Test] > u32Most {
		return nil
	}
	u := &XtU32{Invert: b[u32Most*u32Test+1] != 0}
	for i := range int(b[u32Most*u32Test]) {
		t := b[i*u32Test:]
		steps, values := int(t[u32Test-4]), int(t[u32Test-3])
		if steps < 1 || steps > u32Most || values > u32Most {
			return nil
		}
		test := U32Test{At: ne.Uint32(t)}
		for j := 1; j < steps; j++ {
			test.Steps = append(test.Steps, U32Step{Op: t[j*u32Pair+4], Number: ne.Uint32(t[j*u32Pair:])})
		}
		for j := range values {
			v := t[(u32Most+j)*u32Pair:]
			test.Ranges = append(test.Ranges, [2]uint32{ne.Uint32(v), ne.Uint32(v[4:])})
		}
		u.Tests = append(u.Tests, test)
	}
	return u
}

// XtService writes bits of the type of service: those of Mask are cleared, then those of Value are turned round.
type XtService struct {
	Mask  uint8 `json:"mask"`  // bits that are cleared
	Value uint8 `json:"value"` // bits that are then turned round
}

// Of is the type of service that comes out.
func (x *XtService) Of(tos uint8) uint8 { return tos&^x.Mask ^ x.Value }

// decodeService reads the targets that write the type of service (dscp_tg, tos_tg, ecn_tg).
func decodeService(name string, b []byte) *XtDecoded {
	const dscp = 0xfc
	switch {
	case name == "DSCP" && len(b) >= 1: // struct xt_DSCP_info
		return &XtDecoded{Service: &XtService{Mask: dscp, Value: b[0] << 2}}
	case name == "TOS" && len(b) >= 2: // struct xt_tos_target_info
		return &XtDecoded{Service: &XtService{Mask: b[1], Value: b[0]}}
	case name == "ECN" && len(b) >= 3:
		return decodeECN(b)
	}
	return &XtDecoded{TOS: true}
}

// WrittenECN is what the match ecn asks for.
const WrittenECN = "the bits of ECN"

// decodeECN reads what is written of ECN (struct ipt_ECN_info): bits of the type of service, and the flags ECE and CWR.
func decodeECN(b []byte) *XtDecoded {
	const setIP, setECE, setCWR, bits, ece, cwr = 0x01, 0x10, 0x20, 0x03, 0x40, 0x80
	d := new(XtDecoded)
	if b[0]&setIP != 0 {
		d.Service = &XtService{Mask: bits, Value: b[1] & bits}
	}
	if b[0]&(setECE|setCWR) != 0 {
		d.TCPFlags = &XtService{Mask: b[0]&setECE<<2 | b[0]&setCWR<<2}
		d.TCPFlags.Value = (b[2]&1*ece | b[2]>>1&1*cwr) & d.TCPFlags.Mask
	}
	d.Continue = d.Service == nil && d.TCPFlags == nil
	return d
}

// XtConnlabel matches a label of the connection, and gives it to it first if Set.
type XtConnlabel struct {
	Bit         uint16
	Invert, Set bool
}

// Connlabel reads it (struct xt_connlabel_mtinfo); nil is another match.
func (x *Xt) Connlabel() *XtConnlabel {
	if x.Target || x.Name != "connlabel" || len(x.Info) < 4 {
		return nil
	}
	const invert, set = 1, 2
	f := ne.Uint16(x.Info[2:])
	return &XtConnlabel{Bit: ne.Uint16(x.Info), Invert: f&invert != 0, Set: f&set != 0}
}

// Drawn is a match that comes out one way or another for reasons that neither the packet nor the traffic before tells: by the processor that works on
// it, or by the hash of an address. It says by what, in words; empty is another match.
func (x *Xt) Drawn() string {
	switch {
	case x.Target:
	case x.Name == "cpu" && len(x.Info) >= 8:
		return "the processor that works on the packet"
	case x.Name == "cluster" && len(x.Info) >= 16:
		return "the hash of the sender's address"
	}
	return ""
}

// QueueTo reads the target that hands packets to a program (struct xt_NFQ_info to xt_NFQ_info_v3); nil is another target.
func (x *Xt) QueueTo() *QueueTo {
	if !x.Target || x.Name != "NFQUEUE" || len(x.Info) < 2 {
		return nil
	}
	q := &QueueTo{Num: uint32(ne.Uint16(x.Info)), Total: 1}
	if x.Rev >= 1 {
		if len(x.Info) < 4 {
			return nil
		}
		q.Total = uint32(ne.Uint16(x.Info[2:]))
	}
	if x.Rev >= 2 {
		if len(x.Info) < 6 {
			return nil
		}
		q.Bypass = ne.Uint16(x.Info[4:])&1 != 0
	}
	return q
}

// Queues says whether some rule hands packets to a program.
func (r *Ruleset) Queues() bool {
	if r == nil {
		return false
	}
	return r.some(func(e Expr) bool {
		return e.More().Queue != nil || e.Xt != nil && e.Xt.Target && e.Xt.Name == "NFQUEUE"
	})
}

// XtRealm matches bits of the realm of the packet's route.
type XtRealm struct {
	ID, Mask uint32
	Invert   bool
}

// Realm reads it (struct xt_realm_info); nil is another match.
func (x *Xt) Realm() *XtRealm {
	if x.Target || x.Name != "realm" || len(x.Info) < 9 {
		return nil
	}
	return &XtRealm{ID: ne.Uint32(x.Info), Mask: ne.Uint32(x.Info[4:]), Invert: x.Info[8] != 0}
}
