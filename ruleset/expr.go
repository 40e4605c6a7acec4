package ruleset

// Expr is one expression. Exactly one of the pointers is set; where none is, the expression is
// either one without parameters that matter (Plain) or opaque, with its attributes in Raw.
type Expr struct {
	Name      string     `json:"name"`
	Immediate *Immediate `json:"immediate,omitempty"`
	Payload   *Payload   `json:"payload,omitempty"`
	Meta      *Meta      `json:"meta,omitempty"`
	Cmp       *Cmp       `json:"cmp,omitempty"`
	Range     *Range     `json:"range,omitempty"`
	Lookup    *Lookup    `json:"lookup,omitempty"`
	Bitwise   *Bitwise   `json:"bitwise,omitempty"`
	Byteorder *Byteorder `json:"byteorder,omitempty"`
	Ct        *Ct        `json:"ct,omitempty"`
	Fib       *Fib       `json:"fib,omitempty"`
	NAT       *NAT       `json:"nat,omitempty"`
	Reject    *Reject    `json:"reject,omitempty"`
	Log       *Log       `json:"log,omitempty"`
	Limit     *Limit     `json:"limit,omitempty"`
	Xt        *Xt        `json:"xt,omitempty"`
	Plain     bool       `json:"plain,omitempty"` // counter, notrack, last: complete without parameters
	Raw       Hex        `json:"raw,omitempty"`   // NFTA_EXPR_DATA of an opaque expression
}

// Opaque says that the package knows no more of the expression than its name and bytes.
func (e *Expr) Opaque() bool { return e.Raw != nil }

// Immediate loads constant data into a register, or gives a verdict.
type Immediate struct {
	Dreg    uint32   `json:"dreg"`
	Data    Hex      `json:"data,omitempty"`
	Verdict *Verdict `json:"verdict,omitempty"`
}

// The bases of a payload offset (enum nft_payload_bases).
const (
	BaseLink      = "link"
	BaseNetwork   = "network"
	BaseTransport = "transport"
	BaseInner     = "inner"
)

// Payload loads packet bytes into Dreg or, where Set, writes Sreg into the packet.
type Payload struct {
	Base   string `json:"base"`
	Offset uint32 `json:"offset"`
	Len    uint32 `json:"len"`
	Dreg   uint32 `json:"dreg,omitempty"`
	Sreg   uint32 `json:"sreg,omitempty"`
	Set    bool   `json:"set,omitempty"`
}

// Meta loads packet meta data (enum nft_meta_keys) into Dreg or, where Set, sets it from Sreg.
type Meta struct {
	Key  uint32 `json:"key"`
	Dreg uint32 `json:"dreg,omitempty"`
	Sreg uint32 `json:"sreg,omitempty"`
	Set  bool   `json:"set,omitempty"`
}

// The meta keys that have a meaning in the packet model (enum nft_meta_keys).
const (
	MetaLen      = 0
	MetaProtocol = 1
	MetaPriority = 2
	MetaMark     = 3
	MetaIif      = 4
	MetaOif      = 5
	MetaIifname  = 6
	MetaOifname  = 7
	MetaIiftype  = 8
	MetaOiftype  = 9
	MetaSkuid    = 10
	MetaSkgid    = 11
	MetaNftrace  = 12
	MetaNfproto  = 15
	MetaL4proto  = 16
	MetaPkttype  = 19
	MetaIifgroup = 21
	MetaOifgroup = 22
	MetaPrandom  = 24
	MetaIifkind  = 26
	MetaOifkind  = 27
)

// The comparison operators (enum nft_cmp_ops).
const (
	OpEq  = "=="
	OpNeq = "!="
	OpLt  = "<"
	OpLte = "<="
	OpGt  = ">"
	OpGte = ">="
)

// Cmp compares a register with data, byte by byte from the first (memcmp).
type Cmp struct {
	Sreg uint32 `json:"sreg"`
	Op   string `json:"op"`
	Data Hex    `json:"data"`
}

// Range holds when the register is (==) or is not (!=) within both bounds.
type Range struct {
	Sreg uint32 `json:"sreg"`
	Op   string `json:"op"`
	From Hex    `json:"from"`
	To   Hex    `json:"to"`
}

// Lookup searches a set; in a map, the data of the element goes to Dreg (0: the verdict).
type Lookup struct {
	Set    string `json:"set"`
	Sreg   uint32 `json:"sreg"`
	Dreg   uint32 `json:"dreg,omitempty"`
	HasReg bool   `json:"hasReg,omitempty"` // a destination register is given: a map look-up
	Invert bool   `json:"invert,omitempty"`
}

// Bitwise is Dreg = (Sreg & Mask) ^ Xor, or a shift by Shift bits.
type Bitwise struct {
	Sreg  uint32 `json:"sreg"`
	Dreg  uint32 `json:"dreg"`
	Len   uint32 `json:"len"`
	Mask  Hex    `json:"mask,omitempty"`
	Xor   Hex    `json:"xor,omitempty"`
	Op    string `json:"op"` // mask, lshift, rshift
	Shift uint32 `json:"shift,omitempty"`
}

// Byteorder converts Len bytes in units of Size between host and network order.
type Byteorder struct {
	Sreg uint32 `json:"sreg"`
	Dreg uint32 `json:"dreg"`
	Hton bool   `json:"hton,omitempty"`
	Len  uint32 `json:"len"`
	Size uint32 `json:"size"`
}

// Ct loads a conntrack key (enum nft_ct_keys) into Dreg or, where Set, sets it from Sreg.
// Dir is original, reply or empty.
type Ct struct {
	Key  uint32 `json:"key"`
	Dir  string `json:"dir,omitempty"`
	Dreg uint32 `json:"dreg,omitempty"`
	Sreg uint32 `json:"sreg,omitempty"`
	Set  bool   `json:"set,omitempty"`
}

// The ct keys that have a meaning in the packet model (enum nft_ct_keys).
const (
	CtState     = 0
	CtDirection = 1
	CtStatus    = 2
	CtMark      = 3
	CtL3proto   = 7
	CtSrc       = 8
	CtDst       = 9
	CtProtocol  = 10
	CtProtoSrc  = 11
	CtProtoDst  = 12
	CtZone      = 17
	CtSrcIP     = 19
	CtDstIP     = 20
	CtSrcIP6    = 21
	CtDstIP6    = 22
)

// The bits of ct state (NF_CT_STATE_BIT, include/net/netfilter/nf_conntrack.h).
const (
	CtInvalid     = 1 << 0
	CtEstablished = 1 << 1
	CtRelated     = 1 << 2
	CtNew         = 1 << 3
	CtUntracked   = 1 << 6
)

// The results and flags of a fib expression (enum nft_fib_result, nft_fib_flags).
const (
	FibOif      = 1
	FibOifname  = 2
	FibAddrtype = 3

	FibSaddr   = 1
	FibDaddr   = 2
	FibMark    = 4
	FibIif     = 8
	FibOifFlag = 16
	FibPresent = 32
)

// Fib looks an address up in the routing tables.
type Fib struct {
	Dreg   uint32 `json:"dreg"`
	Result uint32 `json:"result"`
	Flags  uint32 `json:"flags"`
}

// NAT is a translation: Kind is snat, dnat, masquerade, redirect or tproxy. Registers that are
// not used are 0.
type NAT struct {
	Kind    string `json:"kind"`
	Family  uint32 `json:"family,omitempty"`
	AddrMin uint32 `json:"addrMin,omitempty"`
	AddrMax uint32 `json:"addrMax,omitempty"`
	PortMin uint32 `json:"portMin,omitempty"`
	PortMax uint32 `json:"portMax,omitempty"`
	Flags   uint32 `json:"flags,omitempty"`
}

// Reject answers and drops. Type as in enum nft_reject_types.
type Reject struct {
	Type uint32 `json:"type"`
	Code uint32 `json:"code"`
}

// Log writes the packet to the log and never decides anything.
type Log struct {
	Prefix string `json:"prefix,omitempty"`
	Group  uint32 `json:"group,omitempty"`
}

// Limit is limit, quota, connlimit or numgen: whether it holds depends on more than the packet.
type Limit struct {
	Rate  uint64 `json:"rate,omitempty"`
	Burst uint32 `json:"burst,omitempty"`
	Over  bool   `json:"over,omitempty"`
}

// Xt is an iptables match or target inside nftables. Info is the kernel's binary form; Decoded is
// what package ruleset reads from it, nil where it does not know the extension.
type Xt struct {
	Target  bool       `json:"target,omitempty"`
	Name    string     `json:"name"`
	Rev     uint32     `json:"rev"`
	Info    Hex        `json:"info,omitempty"`
	Decoded *XtDecoded `json:"decoded,omitempty"`
}
