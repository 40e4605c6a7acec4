package ruleset

// Expr is one expression. Exactly one of the pointers is set; where none is, the expression is
// either one without parameters that matter (Plain) or opaque, with its attributes in Raw.
type Expr struct {
	Name      string     `json:"name"`                // as the kernel calls the expression: immediate, payload, meta, cmp, match, target, ...
	Immediate *Immediate `json:"immediate,omitempty"` // loads constant data into a register, or gives a verdict
	Payload   *Payload   `json:"payload,omitempty"`   // loads bytes of the packet into a register, or writes them
	Meta      *Meta      `json:"meta,omitempty"`      // loads what the kernel notes about the packet into a register, or sets it
	Cmp       *Cmp       `json:"cmp,omitempty"`       // compares a register with data, byte by byte from the first (memcmp)
	Range     *Range     `json:"range,omitempty"`     // holds when a register is within two bounds, or when it is not
	Lookup    *Lookup    `json:"lookup,omitempty"`    // looks a key up in a set, or the data for it in a map
	Bitwise   *Bitwise   `json:"bitwise,omitempty"`   // masks bits of a register and turns some round, or shifts it
	Byteorder *Byteorder `json:"byteorder,omitempty"` // converts numbers between the order of the host and that of the network
	Ct        *Ct        `json:"ct,omitempty"`        // loads what conntrack notes about the connection into a register, or sets it
	Fib       *Fib       `json:"fib,omitempty"`       // looks an address up in the routing tables
	NAT       *NAT       `json:"nat,omitempty"`       // translates addresses and ports (nat, masq, redir), or hands the packet to a local socket (tproxy)
	Reject    *Reject    `json:"reject,omitempty"`    // answers the sender and drops the packet
	Log       *Log       `json:"log,omitempty"`       // writes the packet to the log and decides nothing
	Limit     *Limit     `json:"limit,omitempty"`     // holds while packets, or bytes, stay below a rate, or while they exceed it
	Xt        *Xt        `json:"xt,omitempty"`        // a match or a target of iptables
	Extra     *Extra     `json:"extra,omitempty"`     // the forms of the rarer expressions, of which one is set
	Plain     bool       `json:"plain,omitempty"`     // counter, notrack, last: complete without parameters
	Raw       Hex        `json:"raw,omitempty"`       // NFTA_EXPR_DATA of an opaque expression
}

// Extra is the typed form of the expressions that few rules have; at most one field is set. It is apart
// because rulesets are large and most expressions are not among these.
type Extra struct {
	Quota     *Quota     `json:"quota,omitempty"`     // holds until so many bytes have passed, or from then on
	Connlimit *Connlimit `json:"connlimit,omitempty"` // holds while so many connections are open at most, or beyond that
	Generate  *Generate  `json:"generate,omitempty"`  // puts a number into a register: numgen, or hash (jhash, symhash)
	Dynset    *Dynset    `json:"dynset,omitempty"`    // adds, updates or deletes an element of a set by a packet
	Objref    *Objref    `json:"objref,omitempty"`    // refers to a stateful object, by its name or by a map
	Queue     *QueueTo   `json:"queue,omitempty"`     // hands the packet to a program (NFQUEUE)
	Exthdr    *Exthdr    `json:"exthdr,omitempty"`    // loads from an extension header of IPv6, an option of IPv4 or TCP or a chunk of SCTP, or writes to it
	Socket    *SocketKey `json:"socket,omitempty"`    // loads a property of the local socket that would take the packet
	Rt        *Rt        `json:"rt,omitempty"`        // loads a property of the packet's route
	Xfrm      *Xfrm      `json:"xfrm,omitempty"`      // loads a property of the packet's IPsec state
	Send      *Send      `json:"send,omitempty"`      // sends a copy elsewhere (dup), or the packet itself (fwd)
	Synproxy  *Synproxy  `json:"synproxy,omitempty"`  // answers a connection attempt in place of the server
	Osf       *Osf       `json:"osf,omitempty"`       // guesses the sender's operating system from a SYN
	Offload   string     `json:"offload,omitempty"`   // flow add: the flowtable
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
	Dreg    uint32   `json:"dreg"`              // register that is loaded (enum nft_registers); 0 is the verdict
	Data    Hex      `json:"data,omitempty"`    // what is loaded; missing with a verdict
	Verdict *Verdict `json:"verdict,omitempty"` // what is decided; missing with data
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
	Base   string `json:"base"`           // header that the offset counts from: link, network, transport, inner
	Offset uint32 `json:"offset"`         // bytes from the beginning of the header
	Len    uint32 `json:"len"`            // how many bytes
	Dreg   uint32 `json:"dreg,omitempty"` // register that is loaded; 0 where the packet is written
	Sreg   uint32 `json:"sreg,omitempty"` // register that is written into the packet; 0 where the packet is read
	Set    bool   `json:"set,omitempty"`  // the packet is written, not read
}

// Meta loads packet meta data (enum nft_meta_keys) into Dreg or, where Set, sets it from Sreg.
type Meta struct {
	Key  uint32 `json:"key"`            // number of what is read or set (enum nft_meta_keys): 3 mark, 6 iifname, 16 l4proto, ...
	Dreg uint32 `json:"dreg,omitempty"` // register that is loaded; 0 where it is set
	Sreg uint32 `json:"sreg,omitempty"` // register that has what is set; 0 where it is read
	Set  bool   `json:"set,omitempty"`  // it is set, not read
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
	Sreg uint32 `json:"sreg"` // register that is compared
	Op   string `json:"op"`   // ==, !=, <, <=, > or >=
	Data Hex    `json:"data"` // that the register is compared with
}

// Range holds when the register is (==) or is not (!=) within both bounds.
type Range struct {
	Sreg uint32 `json:"sreg"` // register that is compared
	Op   string `json:"op"`   // == or !=
	From Hex    `json:"from"` // lower bound, included
	To   Hex    `json:"to"`   // upper bound, included
}

// Lookup searches a set; in a map, the data of the element goes to Dreg (0: the verdict).
type Lookup struct {
	Set    string `json:"set"`              // name of a set or a map of the table
	Sreg   uint32 `json:"sreg"`             // register with the key
	Dreg   uint32 `json:"dreg,omitempty"`   // register that the data of a map goes to
	HasReg bool   `json:"hasReg,omitempty"` // a destination register is given: a map look-up
	Invert bool   `json:"invert,omitempty"` // it holds where the set does not have the key
}

// Bitwise is Dreg = (Sreg & Mask) ^ Xor, or a shift by Shift bits.
type Bitwise struct {
	Sreg  uint32 `json:"sreg"`            // register that is read
	Dreg  uint32 `json:"dreg"`            // register that is written
	Len   uint32 `json:"len"`             // bytes that are worked on
	Mask  Hex    `json:"mask,omitempty"`  // bits that stay; missing in a shift
	Xor   Hex    `json:"xor,omitempty"`   // bits that are then turned round; missing in a shift
	Op    string `json:"op"`              // mask, lshift, rshift
	Shift uint32 `json:"shift,omitempty"` // by how many bits; 0 with a mask
}

// Byteorder converts Len bytes in units of Size between host and network order.
type Byteorder struct {
	Sreg uint32 `json:"sreg"`           // register that is read
	Dreg uint32 `json:"dreg"`           // register that is written
	Hton bool   `json:"hton,omitempty"` // from the order of the host to that of the network; else the other way
	Len  uint32 `json:"len"`            // bytes that are converted
	Size uint32 `json:"size"`           // bytes of each number: 2, 4 or 8
}

// Ct loads a conntrack key (enum nft_ct_keys) into Dreg or, where Set, sets it from Sreg.
// Dir is original, reply or empty.
type Ct struct {
	Key  uint32 `json:"key"`            // number of what is read or set (enum nft_ct_keys): 0 state, 3 mark, ...
	Dir  string `json:"dir,omitempty"`  // direction whose value is meant: original or reply; empty where the key has none
	Dreg uint32 `json:"dreg,omitempty"` // register that is loaded; 0 where it is set
	Sreg uint32 `json:"sreg,omitempty"` // register that has what is set; 0 where it is read
	Set  bool   `json:"set,omitempty"`  // it is set, not read
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
	Dreg   uint32 `json:"dreg"`   // register that is loaded
	Result uint32 `json:"result"` // 1 index of the outgoing interface, 2 its name, 3 type of the address (enum nft_fib_result)
	// bits of what is asked with: 1 source, 2 destination, 4 mark, 8 incoming, 16 outgoing interface; 32: whether there is a route
	Flags uint32 `json:"flags"`
}

// NAT is a translation: Kind is snat, dnat, masquerade, redirect or tproxy. Registers that are
// not used are 0.
type NAT struct {
	Kind    string `json:"kind"`              // snat, dnat, masquerade, redirect or tproxy
	Family  uint32 `json:"family,omitempty"`  // of the addresses: 2 IPv4, 10 IPv6 (NFPROTO_*); 0 where none is given
	AddrMin uint32 `json:"addrMin,omitempty"` // register with the address, or the first of a range; 0 is none
	AddrMax uint32 `json:"addrMax,omitempty"` // register with the last address; 0 is none
	PortMin uint32 `json:"portMin,omitempty"` // register with the port, or the first of a range; 0 is none
	PortMax uint32 `json:"portMax,omitempty"` // register with the last port; 0 is none
	Flags   uint32 `json:"flags,omitempty"`   // bits of NF_NAT_RANGE_* (linux/netfilter/nf_nat.h)
}

// Reject answers and drops. Type as in enum nft_reject_types.
type Reject struct {
	Type uint32 `json:"type"` // 0 an error of ICMP, 1 a reset of TCP, 2 an error of ICMP of either family (enum nft_reject_types)
	Code uint32 `json:"code"` // of the error, as ICMP or ICMPv6 has it; of type 2 one of enum nft_reject_inet_code
}

// Log writes the packet to the log and never decides anything.
type Log struct {
	Prefix string `json:"prefix,omitempty"` // text that the message begins with
	Group  uint32 `json:"group,omitempty"`  // number of the group of listeners, if it goes to one
	// ToGroup says that it goes to listeners of Group over netlink, Snaplen bytes of each packet and Queue of
	// them at a time; else to the kernel's log with Level (of syslog) and Flags (NF_LOG_*).
	ToGroup bool    `json:"toGroup,omitempty"`
	Snaplen uint32  `json:"snaplen,omitempty"` // bytes of each packet that go to the group
	Queue   uint32  `json:"queue,omitempty"`   // how many packets are collected before they go to the group
	Level   *uint32 `json:"level,omitempty"`   // 0 emerg to 7 debug, 8 audit; missing where it goes to a group
	Flags   uint32  `json:"flags,omitempty"`   // bits of what the kernel's log tells besides (NF_LOG_*)
}

// Limit holds while packets (or, with Bytes, bytes) stay under Rate in each Per seconds; with Over,
// while they exceed it. It depends on the traffic before the packet.
type Limit struct {
	Rate  uint64 `json:"rate,omitempty"`  // packets or bytes
	Per   uint64 `json:"per,omitempty"`   // seconds
	Burst uint32 `json:"burst,omitempty"` // packets or bytes that may go beyond the rate at once
	Bytes bool   `json:"bytes,omitempty"` // bytes are counted; else packets
	Over  bool   `json:"over,omitempty"`  // it holds beyond the rate; else below it
}

// Quota holds until Bytes have passed; with Over, from then on.
type Quota struct {
	Bytes uint64 `json:"bytes"`          // how many may pass
	Over  bool   `json:"over,omitempty"` // it holds once they have passed; else until then
}

// Connlimit holds while the connections counted are at most Count; with Over, beyond it.
type Connlimit struct {
	Count uint32 `json:"count"`          // connections at once
	Over  bool   `json:"over,omitempty"` // it holds beyond the count; else up to it
}

// Generate puts a number from Offset to Offset+Modulus-1 into Dreg: Kind is inc or random (numgen),
// jhash or symhash. Of a jhash, Sreg and Len say what is hashed.
type Generate struct {
	Kind    string `json:"kind"`              // inc, random, jhash or symhash
	Dreg    uint32 `json:"dreg"`              // register that is loaded
	Modulus uint32 `json:"modulus"`           // how many numbers there are
	Offset  uint32 `json:"offset,omitempty"`  // the lowest of them
	Sreg    uint32 `json:"sreg,omitempty"`    // register with what is hashed; 0 of other kinds
	Len     uint32 `json:"len,omitempty"`     // bytes that are hashed; 0 of other kinds
	Seed    uint32 `json:"seed,omitempty"`    // of a jhash, where it is told
	HasSeed bool   `json:"hasSeed,omitempty"` // the seed is told; else the kernel drew one
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
	Set       string `json:"set"`                 // name of the set
	Op        string `json:"op"`                  // add, update or delete
	Key       uint32 `json:"key"`                 // register
	Data      uint32 `json:"data,omitempty"`      // register, of a map
	TimeoutMs uint64 `json:"timeoutMs,omitempty"` // after which the element goes, in milliseconds; 0: that of the set
	Invert    bool   `json:"invert,omitempty"`    // the rule goes on where it would end, and ends where it would go on
	Exprs     []Expr `json:"exprs,omitempty"`     // statements that the element gets: limit, counter, ...
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
	Type uint32 `json:"type,omitempty"` // NFT_OBJECT_*; 0 where a map says which object
	Name string `json:"name,omitempty"` // of the object; empty where a map says which
	Set  string `json:"set,omitempty"`  // name of the map; empty where the object is named
	Sreg uint32 `json:"sreg,omitempty"` // register with the key for the map
}

// QueueTo hands the packet to a program. With Bypass it is accepted when no program listens.
type QueueTo struct {
	Num    uint32 `json:"num"`              // number of the first queue
	Total  uint32 `json:"total,omitempty"`  // how many queues from the first on share the packets
	Bypass bool   `json:"bypass,omitempty"` // packets are accepted if no program listens; else they are dropped
	Fanout bool   `json:"fanout,omitempty"` // the queue is chosen by the CPU that has the packet
	Sreg   uint32 `json:"sreg,omitempty"`   // register with the number of the queue; 0 is none
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
	Op      uint32 `json:"op"`                // 0 IPv6 header, 1 TCP option, 2 IPv4 option, 3 SCTP chunk, 4 DCCP option (enum nft_exthdr_op)
	Type    uint32 `json:"type"`              // number of the header, the option or the chunk
	Offset  uint32 `json:"offset,omitempty"`  // bytes from its beginning
	Len     uint32 `json:"len,omitempty"`     // how many bytes
	Present bool   `json:"present,omitempty"` // it is asked whether there is one, and not what is in it
	Dreg    uint32 `json:"dreg,omitempty"`    // register that is loaded; 0 where it is written
	Sreg    uint32 `json:"sreg,omitempty"`    // register that is written into it; 0 where it is read
}

// SocketKey loads a property of the local socket that would take the packet (enum
// nft_socket_keys: 0 transparent, 1 mark, 2 wildcard, 3 cgroupv2).
type SocketKey struct {
	Key   uint32 `json:"key"`             // 0 transparent, 1 mark, 2 wildcard, 3 cgroupv2
	Dreg  uint32 `json:"dreg"`            // register that is loaded
	Level uint32 `json:"level,omitempty"` // of a cgroup: how far below the root the one is that is told
}

// SocketCgroup is the key of the cgroup that a socket is in.
const SocketCgroup = 3

// Rt loads routing data (enum nft_rt_keys: 0 classid, 1 nexthop4, 2 nexthop6, 3 tcpmss, 4 xfrm).
type Rt struct {
	Key  uint32 `json:"key"`  // 0 classid, 1 nexthop4, 2 nexthop6, 3 tcpmss, 4 xfrm
	Dreg uint32 `json:"dreg"` // register that is loaded
}

// Xfrm loads a property of the packet's IPsec state (enum nft_xfrm_keys); Dir is 0 in, 1 out.
type Xfrm struct {
	Key   uint32 `json:"key"`             // number of the property (enum nft_xfrm_keys)
	Dreg  uint32 `json:"dreg"`            // register that is loaded
	Dir   uint32 `json:"dir"`             // 0 in, 1 out
	Spnum uint32 `json:"spnum,omitempty"` // which state of several that the packet went through, from 0 on
}

// Send is dup (a copy goes on elsewhere, the packet stays) or fwd (the packet itself leaves by
// another device, in the netdev family). Registers hold the address and the interface index.
type Send struct {
	Kind string `json:"kind"`           // dup or fwd
	Addr uint32 `json:"addr,omitempty"` // register with the address of the next hop; 0 is none
	Dev  uint32 `json:"dev,omitempty"`  // register with the index of the interface; 0 is none
	Nfp  uint32 `json:"nfp,omitempty"`  // family of the address (NFPROTO_*); 0 is none
}

// Synproxy answers a connection attempt in place of the server.
type Synproxy struct {
	MSS    uint32 `json:"mss,omitempty"`    // maximum segment size that it answers with
	Wscale uint32 `json:"wscale,omitempty"` // shift of the window that it answers with
	Flags  uint32 `json:"flags,omitempty"`  // bits of the options that it answers with (NF_SYNPROXY_OPT_*)
}

// Osf guesses the sender's operating system from a SYN.
type Osf struct {
	Dreg  uint32 `json:"dreg"`            // register that the name of the system goes to
	TTL   uint32 `json:"ttl,omitempty"`   // how the time to live is compared: 0 strictly, 1 at most, 2 not at all
	Flags uint32 `json:"flags,omitempty"` // 1: with the version of the system (NFT_OSF_F_VERSION)
}

// Xt is an iptables match or target inside nftables. Info is the kernel's binary form; Decoded is
// what package ruleset reads from it, nil where it does not know the extension.
type Xt struct {
	Target  bool       `json:"target,omitempty"`  // it is a target; else a match
	Name    string     `json:"name"`              // as iptables-extensions(8) has it
	Rev     uint32     `json:"rev"`               // revision of the kernel's binary form
	Info    Hex        `json:"info,omitempty"`    // in the byte order of the host
	Decoded *XtDecoded `json:"decoded,omitempty"` // missing where the extension is not known
}
