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
	Extra     *Extra     `json:"extra,omitempty"`
	Plain     bool       `json:"plain,omitempty"` // counter, notrack, last: complete without parameters
	Raw       Hex        `json:"raw,omitempty"`   // NFTA_EXPR_DATA of an opaque expression
}

// Extra is the typed form of the expressions that few rules have; at most one field is set. It is apart
// because rulesets are large and most expressions are not among these.
type Extra struct {
	Quota     *Quota     `json:"quota,omitempty"`
	Connlimit *Connlimit `json:"connlimit,omitempty"`
	Generate  *Generate  `json:"generate,omitempty"`
	Dynset    *Dynset    `json:"dynset,omitempty"`
	Objref    *Objref    `json:"objref,omitempty"`
	Queue     *QueueTo   `json:"queue,omitempty"`
	Exthdr    *Exthdr    `json:"exthdr,omitempty"`
	Socket    *SocketKey `json:"socket,omitempty"`
	Rt        *Rt        `json:"rt,omitempty"`
	Xfrm      *Xfrm      `json:"xfrm,omitempty"`
	Send      *Send      `json:"send,omitempty"`
	Synproxy  *Synproxy  `json:"synproxy,omitempty"`
	Osf       *Osf       `json:"osf,omitempty"`
	Offload   string     `json:"offload,omitempty"` // flow add: the flowtable
}

var noExtra Extra

// More returns the rare forms of an expression; none is set where it has none.
func (e *Expr) More() *Extra {
	if e.Extra == nil {
		return &noExtra
	}
	return e.Extra
}

// Opaque says that the package knows no more of the expression than its name and bytes.
func (e *Expr) Opaque() bool { return e.Raw != nil }

// Writes says whether an expression of nftables changes the packet, what the kernel notes about it, or its connection. The note that has
// nft(8) tell how a packet goes decides nothing.
func (e *Expr) Writes() bool {
	return e.Payload != nil && e.Payload.Set || e.Meta != nil && e.Meta.Set && e.Meta.Key != MetaNftrace || e.Ct != nil && e.Ct.Set
}

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
	MetaLen          = 0
	MetaProtocol     = 1
	MetaPriority     = 2
	MetaMark         = 3
	MetaIif          = 4
	MetaOif          = 5
	MetaIifname      = 6
	MetaOifname      = 7
	MetaIiftype      = 8
	MetaOiftype      = 9
	MetaSkuid        = 10
	MetaSkgid        = 11
	MetaNftrace      = 12
	MetaNfproto      = 15
	MetaL4proto      = 16
	MetaRtclassid    = 13
	MetaSecmark      = 14
	MetaBriIifname   = 17
	MetaBriOifname   = 18
	MetaPkttype      = 19
	MetaCPU          = 20
	MetaIifgroup     = 21
	MetaOifgroup     = 22
	MetaCgroup       = 23
	MetaPrandom      = 24
	MetaSecpath      = 25
	MetaIifkind      = 26
	MetaOifkind      = 27
	MetaBriIifpvid   = 28
	MetaBriIifvproto = 29
	MetaTimeNs       = 30
	MetaTimeDay      = 31
	MetaTimeHour     = 32
	MetaSdif         = 33
	MetaSdifname     = 34
	MetaBroute       = 35
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
	CtState      = 0
	CtDirection  = 1
	CtStatus     = 2
	CtMark       = 3
	CtSecmark    = 4
	CtExpiration = 5
	CtHelper     = 6
	CtL3proto    = 7
	CtSrc        = 8
	CtDst        = 9
	CtProtocol   = 10
	CtProtoSrc   = 11
	CtProtoDst   = 12
	CtLabels     = 13
	CtPkts       = 14
	CtBytes      = 15
	CtAvgpkt     = 16
	CtZone       = 17
	CtEventmask  = 18
	CtSrcIP      = 19
	CtDstIP      = 20
	CtSrcIP6     = 21
	CtDstIP6     = 22
	CtID         = 23
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
	// ToGroup says that it goes to listeners of Group over netlink, Snaplen bytes of each packet and Queue of
	// them at a time; else to the kernel's log with Level (of syslog) and Flags (NF_LOG_*).
	ToGroup bool    `json:"toGroup,omitempty"`
	Snaplen uint32  `json:"snaplen,omitempty"`
	Queue   uint32  `json:"queue,omitempty"`
	Level   *uint32 `json:"level,omitempty"`
	Flags   uint32  `json:"flags,omitempty"`
}

// Limit holds while packets (or, with Bytes, bytes) stay under Rate in each Per seconds; with Over,
// while they exceed it. It depends on the traffic before the packet.
type Limit struct {
	Rate  uint64 `json:"rate,omitempty"`
	Per   uint64 `json:"per,omitempty"` // seconds
	Burst uint32 `json:"burst,omitempty"`
	Bytes bool   `json:"bytes,omitempty"`
	Over  bool   `json:"over,omitempty"`
}

// Quota holds until Bytes have passed; with Over, from then on.
type Quota struct {
	Bytes uint64 `json:"bytes"`
	Over  bool   `json:"over,omitempty"`
}

// Connlimit holds while the connections counted are at most Count; with Over, beyond it.
type Connlimit struct {
	Count uint32 `json:"count"`
	Over  bool   `json:"over,omitempty"`
}

// Generate puts a number from Offset to Offset+Modulus-1 into Dreg: Kind is inc or random (numgen),
// jhash or symhash. Of a jhash, Sreg and Len say what is hashed.
type Generate struct {
	Kind    string `json:"kind"`
	Dreg    uint32 `json:"dreg"`
	Modulus uint32 `json:"modulus"`
	Offset  uint32 `json:"offset,omitempty"`
	Sreg    uint32 `json:"sreg,omitempty"`
	Len     uint32 `json:"len,omitempty"`
	Seed    uint32 `json:"seed,omitempty"`
	HasSeed bool   `json:"hasSeed,omitempty"`
}

// The operations of a dynset (enum nft_dynset_ops).
const (
	DynsetAdd    = "add"
	DynsetUpdate = "update"
	DynsetDelete = "delete"
)

// Dynset adds, updates or deletes an element of a set from the packet path. The rule goes on, unless
// the set is full or a statement of the element does not hold; Invert turns that round.
type Dynset struct {
	Set       string `json:"set"`
	Op        string `json:"op"`
	Key       uint32 `json:"key"`            // register
	Data      uint32 `json:"data,omitempty"` // register, of a map
	TimeoutMs uint64 `json:"timeoutMs,omitempty"`
	Invert    bool   `json:"invert,omitempty"`
	Exprs     []Expr `json:"exprs,omitempty"`
}

// The types of stateful objects (NFT_OBJECT_*).
const (
	ObjectCounter   = 1
	ObjectQuota     = 2
	ObjectHelper    = 3
	ObjectLimit     = 4
	ObjectConnlimit = 5
	ObjectTunnel    = 6
	ObjectTimeout   = 7
	ObjectSecmark   = 8
	ObjectExpect    = 9
	ObjectSynproxy  = 10
)

// Objref refers to a stateful object by name, or by the map Set with the key in Sreg.
type Objref struct {
	Type uint32 `json:"type,omitempty"`
	Name string `json:"name,omitempty"`
	Set  string `json:"set,omitempty"`
	Sreg uint32 `json:"sreg,omitempty"`
}

// QueueTo hands the packet to a program. With Bypass it is accepted when no program listens.
type QueueTo struct {
	Num    uint32 `json:"num"`
	Total  uint32 `json:"total,omitempty"`
	Bypass bool   `json:"bypass,omitempty"`
	Fanout bool   `json:"fanout,omitempty"`
	Sreg   uint32 `json:"sreg,omitempty"`
}

// The kinds of header that exthdr looks for (enum nft_exthdr_op).
const (
	ExthdrIPv6 = 0
	ExthdrTCP  = 1
	ExthdrIPv4 = 2
	ExthdrSCTP = 3
	ExthdrDCCP = 4
)

// Exthdr loads from, or with Sreg writes to, an IPv6 extension header, an IPv4 or TCP option or an
// SCTP chunk. With Present it loads whether there is one.
type Exthdr struct {
	Op      uint32 `json:"op"`
	Type    uint32 `json:"type"`
	Offset  uint32 `json:"offset,omitempty"`
	Len     uint32 `json:"len,omitempty"`
	Present bool   `json:"present,omitempty"`
	Dreg    uint32 `json:"dreg,omitempty"`
	Sreg    uint32 `json:"sreg,omitempty"`
}

// SocketKey loads a property of the local socket that would take the packet (enum
// nft_socket_keys: 0 transparent, 1 mark, 2 wildcard, 3 cgroupv2).
type SocketKey struct {
	Key   uint32 `json:"key"`
	Dreg  uint32 `json:"dreg"`
	Level uint32 `json:"level,omitempty"`
}

// SocketCgroup is the key of the cgroup that a socket is in.
const SocketCgroup = 3

// Rt loads routing data (enum nft_rt_keys: 0 classid, 1 nexthop4, 2 nexthop6, 3 tcpmss, 4 xfrm).
type Rt struct {
	Key  uint32 `json:"key"`
	Dreg uint32 `json:"dreg"`
}

// Xfrm loads a property of the packet's IPsec state (enum nft_xfrm_keys); Dir is 0 in, 1 out.
type Xfrm struct {
	Key   uint32 `json:"key"`
	Dreg  uint32 `json:"dreg"`
	Dir   uint32 `json:"dir"`
	Spnum uint32 `json:"spnum,omitempty"`
}

// Send is dup (a copy goes on elsewhere, the packet stays) or fwd (the packet itself leaves by
// another device, in the netdev family). Registers hold the address and the interface index.
type Send struct {
	Kind string `json:"kind"`
	Addr uint32 `json:"addr,omitempty"`
	Dev  uint32 `json:"dev,omitempty"`
	Nfp  uint32 `json:"nfp,omitempty"`
}

// Synproxy answers a connection attempt in place of the server.
type Synproxy struct {
	MSS    uint32 `json:"mss,omitempty"`
	Wscale uint32 `json:"wscale,omitempty"`
	Flags  uint32 `json:"flags,omitempty"`
}

// Osf guesses the sender's operating system from a SYN.
type Osf struct {
	Dreg  uint32 `json:"dreg"`
	TTL   uint32 `json:"ttl,omitempty"`
	Flags uint32 `json:"flags,omitempty"`
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
