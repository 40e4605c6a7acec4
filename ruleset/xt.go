package ruleset

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
)

// XtDecoded is what an iptables extension does, read from its binary form. The structures are from
// include/uapi/linux/netfilter/xt_*.h and nf_nat.h. Exactly one field is set.
type XtDecoded struct {
	Continue  bool         `json:"continue,omitempty"`  // comment, LOG, ...: never decides
	Reject    bool         `json:"reject,omitempty"`    // REJECT: answers the sender and drops the packet
	Addrtype  *XtAddrtype  `json:"addrtype,omitempty"`  // the type of an address in the routing tables
	State     *XtState     `json:"state,omitempty"`     // the state of the connection alone (state, conntrack --ctstate)
	Ports     *XtPorts     `json:"ports,omitempty"`     // ports, and of TCP flags and an option (tcp, udp)
	Multiport *XtMultiport `json:"multiport,omitempty"` // ports, of which there can be several
	ICMP      *XtICMP      `json:"icmp,omitempty"`      // type and code of ICMP or ICMPv6
	Mark      *XtMark      `json:"mark,omitempty"`      // the packet's mark, which the target MARK sets
	NAT       *XtNAT       `json:"nat,omitempty"`       // DNAT, SNAT, MASQUERADE, REDIRECT or NETMAP: translates addresses and ports
	Conntrack *XtConntrack `json:"conntrack,omitempty"` // more of the connection than its state
	IPRange   *XtIPRange   `json:"ipRange,omitempty"`   // addresses between two bounds
	MAC       *XtMAC       `json:"mac,omitempty"`       // the sender's hardware address
	Connmark  *XtConnmark  `json:"connmark,omitempty"`  // the mark of the connection, which the target CONNMARK sets, or copies to the packet or from it
	RPFilter  *XtRPFilter  `json:"rpFilter,omitempty"`  // whether the route back leaves by the interface that the packet came in by
	Pkttype   *XtPkttype   `json:"pkttype,omitempty"`   // whom the frame was sent to: the host, a group, everybody
	Physdev   *XtPhysdev   `json:"physdev,omitempty"`   // ports of bridges that the packet came in or leaves by
	TTL       *XtTTL       `json:"ttl,omitempty"`       // the time to live, or the hop limit (ttl, hl)
	Socket    *XtSocket    `json:"socket,omitempty"`    // whether a socket of the host takes the packet
	TProxy    *XtTProxy    `json:"tproxy,omitempty"`    // TPROXY: hands the packet to a transparent socket, and marks it
	Owner     *XtOwner     `json:"owner,omitempty"`     // the process that sends the packet
	DSCP      *XtDSCP      `json:"dscp,omitempty"`      // bits of the type of service (dscp, tos)
	Set       *XtSet       `json:"set,omitempty"`       // a set of ipset, in which parts of the packet are looked up
	Notrack   bool         `json:"notrack,omitempty"`   // NOTRACK, CT --notrack: conntrack leaves the packet alone
	Queue     bool         `json:"queue,omitempty"`     // NFQUEUE: hands the packet to a program
	TOS       bool         `json:"tos,omitempty"`       // changes the type of service to what is not known, and goes on
	Puts      *XtPuts      `json:"puts,omitempty"`      // SET: puts parts of the packet into a set of ipset, or takes them out
	Service   *XtService   `json:"service,omitempty"`   // DSCP, TOS, ECN: writes bits of the type of service
	TCPFlags  *XtService   `json:"tcpFlags,omitempty"`  // of the flags of TCP
	Length    *XtLength    `json:"length,omitempty"`    // the length of the packet
	Time      *XtTime      `json:"time,omitempty"`      // the time of the day and the day of the week
	Devgroup  *XtDevgroup  `json:"devgroup,omitempty"`  // groups of the interfaces that the packet comes in and goes out by
	Policy    *XtPolicy    `json:"policy,omitempty"`    // whether IPsec protects the packet
	Zone      *uint16      `json:"zone,omitempty"`      // of conntrack, which a target sets
	Written   *XtWritten   `json:"written,omitempty"`   // what the sender writes beside all that is followed (tcpmss, string, osf, ecn)
	Rewrite   *XtRewrite   `json:"rewrite,omitempty"`   // TTL, HL, TCPMSS, TCPOPTSTRIP: writes over what the sender wrote
	Classify  *uint32      `json:"classify,omitempty"`  // the queueing class that a target sets
}

// XtAddrtype matches the type of an address in the routing tables; masks are 1<<RTN_*.
type XtAddrtype struct {
	Source       uint16 `json:"source,omitempty"`       // types that the source may have; 0: it is not asked for
	Dest         uint16 `json:"dest,omitempty"`         // types that the destination may have; 0: it is not asked for
	InvertSource bool   `json:"invertSource,omitempty"` // the source has none of the types
	InvertDest   bool   `json:"invertDest,omitempty"`   // the destination has none of the types
	LimitIface   bool   `json:"limitIface,omitempty"`   // only addresses of the interface count that the packet comes in or goes out by
}

// XtState matches the conntrack state; Mask is in the bits of nft's ct state.
type XtState struct {
	Mask   uint32 `json:"mask"`             // states that match: 1 invalid, 2 established, 4 related, 8 new, 64 untracked
	Invert bool   `json:"invert,omitempty"` // any other state matches
}

// XtPorts is the tcp or udp match; ports in host order, both bounds included.
type XtPorts struct {
	Sport       [2]uint16 `json:"sport"`                 // first and last source port
	Dport       [2]uint16 `json:"dport"`                 // first and last destination port
	InvertSport bool      `json:"invertSport,omitempty"` // any other source port matches
	InvertDport bool      `json:"invertDport,omitempty"` // any other destination port matches
	FlagMask    uint8     `json:"flagMask,omitempty"`    // flags of TCP that are looked at; 0 is none
	FlagCmp     uint8     `json:"flagCmp,omitempty"`     // those of them that have to be set, and no other
	InvertFlags bool      `json:"invertFlags,omitempty"` // any other flags match
	// Option is one of TCP that the packet has to have; 0 is none.
	Option       uint8 `json:"option,omitempty"`
	InvertOption bool  `json:"invertOption,omitempty"` // the packet must not have the option
}

// XtMultiport matches ports against up to 15 ports and ranges.
type XtMultiport struct {
	Which  string      `json:"which"`            // source, destination, either
	Ranges [][2]uint16 `json:"ranges"`           // first and last port of each
	Invert bool        `json:"invert,omitempty"` // any other port matches
}

// XtICMP matches type and a range of codes.
type XtICMP struct {
	Type   uint8    `json:"type"`             // of ICMP 255 is any
	Codes  [2]uint8 `json:"codes"`            // first and last code
	Invert bool     `json:"invert,omitempty"` // any other type or code matches
}

// XtMark matches, or as target sets, the packet mark.
type XtMark struct {
	Set    bool   `json:"set,omitempty"`    // it is the target; else the match
	Mark   uint32 `json:"mark"`             // that the masked mark has to be; of the target the bits that are turned round once those of mask are cleared
	Mask   uint32 `json:"mask"`             // bits that are compared; of the target those that are cleared
	Invert bool   `json:"invert,omitempty"` // any other mark matches
}

// XtNAT is DNAT, SNAT, MASQUERADE or REDIRECT. Addresses are 4 or 16 bytes, ports 0 where unset.
type XtNAT struct {
	Kind    string `json:"kind"`              // dnat, snat, masquerade, redirect or netmap
	AddrMin Hex    `json:"addrMin,omitempty"` // first address; missing where none is given
	AddrMax Hex    `json:"addrMax,omitempty"` // last address; missing where none is given
	PortMin uint16 `json:"portMin,omitempty"` // first port; 0 is none
	PortMax uint16 `json:"portMax,omitempty"` // last port; 0 is none
	Flags   uint32 `json:"flags,omitempty"`   // NF_NAT_RANGE_*
}

// The parts of a conntrack match (XT_CONNTRACK_*, xt_conntrack.h), as bits of Flags and Invert.
const (
	XtCtState     = 1 << 0
	XtCtProto     = 1 << 1
	XtCtOrigSrc   = 1 << 2
	XtCtOrigDst   = 1 << 3
	XtCtReplSrc   = 1 << 4
	XtCtReplDst   = 1 << 5
	XtCtStatus    = 1 << 6
	XtCtExpires   = 1 << 7
	XtCtOrigSport = 1 << 8
	XtCtOrigDport = 1 << 9
	XtCtReplSport = 1 << 10
	XtCtReplDport = 1 << 11
	XtCtDirection = 1 << 12
)

// The parts of the status that a conntrack match takes for states (XT_CONNTRACK_STATE_SNAT, _DNAT).
const (
	XtStateSNAT = 1 << 6
	XtStateDNAT = 1 << 7
)

// XtConntrack is a conntrack match on more than the state. Addresses and masks are 16 bytes, in the
// order original source, original destination, reply source, reply destination; ports likewise, in
// host order with both bounds.
type XtConntrack struct {
	Flags  uint16       `json:"flags"`            // bits of what is asked for: 1 state, 2 protocol, 4 to 32 addresses, 64 status, ... (XT_CONNTRACK_*)
	Invert uint16       `json:"invert,omitempty"` // bits of what has to be otherwise (XT_CONNTRACK_*)
	State  uint16       `json:"state,omitempty"`  // XT_CONNTRACK_STATE bits
	Status uint16       `json:"status,omitempty"` // IPS_* bits
	Proto  uint16       `json:"proto,omitempty"`  // number of the protocol of the connection (IPPROTO_*)
	Addrs  [4]Hex       `json:"addrs"`            // original source and destination, source and destination of replies; each of 16 bytes
	Masks  [4]Hex       `json:"masks"`            // bits of the addresses that are compared, in the same order
	Ports  [4][2]uint16 `json:"ports"`            // first and last of each, in the same order
}

// XtIPRange matches addresses within bounds, of 16 bytes each.
type XtIPRange struct {
	Source       bool `json:"source,omitempty"`       // the source is asked for
	Dest         bool `json:"dest,omitempty"`         // the destination is asked for
	InvertSource bool `json:"invertSource,omitempty"` // the source is outside
	InvertDest   bool `json:"invertDest,omitempty"`   // the destination is outside
	SrcMin       Hex  `json:"srcMin"`                 // lowest source, included
	SrcMax       Hex  `json:"srcMax"`                 // highest source, included
	DstMin       Hex  `json:"dstMin"`                 // lowest destination, included
	DstMax       Hex  `json:"dstMax"`                 // highest destination, included
}

// XtMAC matches the sender's hardware address.
type XtMAC struct {
	Addr   Hex  `json:"addr"`             // 6 bytes
	Invert bool `json:"invert,omitempty"` // any other address matches
}

// XtConnmark matches the mark of the connection or, as target, copies marks. Mode is match, set, save
// or restore.
type XtConnmark struct {
	Mode   string `json:"mode"`             // match, set, save (of the packet for the connection) or restore (of the connection for the packet)
	Mark   uint32 `json:"mark"`             // that the masked mark has to be, or that is set
	Mask   uint32 `json:"mask"`             // bits of the connection's mark that are compared or written
	NFMask uint32 `json:"nfMask,omitempty"` // bits of the packet's mark that are saved, or written by restore
	Invert bool   `json:"invert,omitempty"` // any other mark matches
	// Shift is by how many bits a target shifts what it copies, to the left, or to the right.
	Shift uint8 `json:"shift,omitempty"`
	Right bool  `json:"right,omitempty"` // the shift is to the right; else to the left
}

// Shifted is a mark as a target shifts it before it is stored (connmark_tg_shift).
func (c *XtConnmark) Shifted(mark uint32) uint32 {
	if c.Right {
		return mark >> (c.Shift & 31)
	}
	return mark << (c.Shift & 31)
}

// XtRPFilter holds where the route back leaves through the interface that the packet came in by.
type XtRPFilter struct {
	Loose       bool `json:"loose,omitempty"`       // the route back may leave by any interface
	ValidMark   bool `json:"validMark,omitempty"`   // the route back is looked up with the mark of the packet
	AcceptLocal bool `json:"acceptLocal,omitempty"` // a packet with an address of the host as its source is taken, too
	Invert      bool `json:"invert,omitempty"`      // it holds where there is no such route
}

// XtPkttype matches the link's kind of destination (PACKET_*).
type XtPkttype struct {
	Type   uint32 `json:"type"`             // 0 for the host, 1 broadcast, 2 multicast, ... (PACKET_*, linux/if_packet.h)
	Invert bool   `json:"invert,omitempty"` // any other kind matches
}

// XtTTL compares the time to live, or the hop limit, of the packet (==, !=, < or >).
type XtTTL struct {
	Op    string `json:"op"`    // ==, !=, < or >
	Value uint8  `json:"value"` // that the packet's is compared with
}

// XtSocket matches packets that a socket of the host takes: not one bound to any address, unless NoWildcard;
// only a transparent one with Transparent.
type XtSocket struct {
	Transparent bool `json:"transparent,omitempty"` // the socket has to be transparent (ip(7), IP_TRANSPARENT)
	NoWildcard  bool `json:"noWildcard,omitempty"`  // a socket bound to any address counts, too
	RestoreMark bool `json:"restoreMark,omitempty"` // the packet gets the mark of the socket
}

// XtTProxy hands packets to the transparent socket at an address (4 or 16 bytes, zero: the interface's) and port
// (0: the packet's), and marks them.
type XtTProxy struct {
	Addr Hex    `json:"addr"`           // of the socket; zero: that of the interface
	Port uint16 `json:"port,omitempty"` // of the socket; 0: that of the packet
	Mark uint32 `json:"mark,omitempty"` // that the packet gets, in the bits of mask
	Mask uint32 `json:"mask,omitempty"` // bits of the mark that are written
}

// XtOwner matches the process that sends a packet. Match and Invert are XT_OWNER_* bits.
type XtOwner struct {
	Match  uint8 `json:"match"`            // bits of what is asked for: 1 uid, 2 gid, 4 that there is a socket
	Invert uint8 `json:"invert,omitempty"` // those of them that have to be otherwise
	// UIDs and GIDs are the first and the last that are meant, Known says that they were read.
	UIDs  [2]uint32 `json:"uids,omitzero"`
	GIDs  [2]uint32 `json:"gids,omitzero"`   // first and last gid
	Known bool      `json:"known,omitempty"` // it asks for nothing else, as for other groups of the process
}

// What a match for the owner asks for (XT_OWNER_*, include/uapi/linux/netfilter/xt_owner.h).
const (
	ownerUID    = 1
	ownerGID    = 2
	ownerSocket = 4
)

// Matches says whether a process with those ids is meant, that has a socket and no other groups (owner_mt).
func (x *XtOwner) Matches(uid, gid uint32) bool {
	in := func(n uint32, r [2]uint32) bool { return r[0] <= n && n <= r[1] }
	switch {
	case x.Match&x.Invert&ownerSocket != 0:
		return false
	case x.Match&ownerUID != 0 && in(uid, x.UIDs) == (x.Invert&ownerUID != 0):
		return false
	case x.Match&ownerGID != 0 && in(gid, x.GIDs) == (x.Invert&ownerGID != 0):
		return false
	}
	return true
}

// XtDSCP compares bits of the type of service, by the dscp or tos match.
type XtDSCP struct {
	Value  uint8 `json:"value"`            // that the masked type of service has to be
	Mask   uint8 `json:"mask"`             // bits of the type of service that are compared
	Invert bool  `json:"invert,omitempty"` // any other value matches
}

// XtPhysdev matches bridge ports. Mask and Invert are XT_PHYSDEV_OP_* bits: 1 in, 2 out, 4 bridged,
// 8 is-in, 16 is-out.
type XtPhysdev struct {
	In     string `json:"in,omitempty"`     // name of the port that the packet came in by; one with a + at its end is what names begin with
	Out    string `json:"out,omitempty"`    // name of the port that the packet leaves by; one with a + at its end is what names begin with
	Mask   uint8  `json:"mask"`             // bits of what is asked for
	Invert uint8  `json:"invert,omitempty"` // those of them that have to be otherwise
}

// Matches says whether the match has a packet of bridge ports, "" where there is none; via says whether it came in by a bridge with br_netfilter
// (physdev_mt).
func (p *XtPhysdev) Matches(via bool, in, out string) bool {
	const isIn, isOut, bridged, hasIn, hasOut = 1, 2, 4, 8, 16
	asked := func(op uint8) bool { return p.Mask&op != 0 }
	inverted := func(op uint8) bool { return p.Invert&op != 0 }
	if !via {
		return p.Mask&^p.Invert&(isIn|isOut|bridged|hasIn|hasOut) == 0
	}
	switch {
	case asked(bridged) && (out != "") == inverted(bridged), asked(hasIn) && (in != "") == inverted(hasIn), asked(hasOut) && (out != "") == inverted(hasOut),
		asked(isIn) && in != "" && named(in, p.In) == inverted(isIn):
		return false
	case !asked(isOut):
		return true
	}
	return out != "" && named(out, p.Out) != inverted(isOut)
}

// named says whether an interface has a name, or one that begins as that before a +.
func named(name, as string) bool {
	if begin, ok := strings.CutSuffix(as, "+"); ok {
		return strings.HasPrefix(name, begin)
	}
	return name == as
}

var ne = binary.NativeEndian

// decode sets Decoded where the extension, its revision and its length are known.
func (x *Xt) decode() {
	b := x.Info
	if x.Target {
		x.Decoded = decodeTarget(x.Name, x.Rev, b)
		return
	}
	switch {
	case x.Name == "comment":
		x.Decoded = &XtDecoded{Continue: true}
	case x.Name == "addrtype" && x.Rev == 1 && len(b) >= 8:
		f := ne.Uint32(b[4:])
		x.Decoded = &XtDecoded{Addrtype: &XtAddrtype{
			Source: ne.Uint16(b), Dest: ne.Uint16(b[2:]),
			InvertSource: f&1 != 0, InvertDest: f&2 != 0, LimitIface: f&0xc != 0,
		}}
	case x.Name == "conntrack" && x.Rev >= 1 && x.Rev <= 3 && len(b) >= 154:
		x.Decoded = decodeConntrack(x.Rev, b)
	case x.Name == "state" && x.Rev == 0 && len(b) >= 4:
		x.Decoded = &XtDecoded{State: &XtState{Mask: StateBits(ne.Uint32(b))}}
	case x.Name == "tcp" && len(b) >= 12:
		x.Decoded = &XtDecoded{Ports: &XtPorts{
			Sport:       [2]uint16{ne.Uint16(b), ne.Uint16(b[2:])},
			Dport:       [2]uint16{ne.Uint16(b[4:]), ne.Uint16(b[6:])},
			InvertSport: b[11]&1 != 0, InvertDport: b[11]&2 != 0,
			FlagMask: b[9], FlagCmp: b[10], InvertFlags: b[11]&4 != 0, Option: b[8], InvertOption: b[8] != 0 && b[11]&8 != 0,
		}}
	case x.Name == "udp" && len(b) >= 9:
		x.Decoded = &XtDecoded{Ports: &XtPorts{
			Sport:       [2]uint16{ne.Uint16(b), ne.Uint16(b[2:])},
			Dport:       [2]uint16{ne.Uint16(b[4:]), ne.Uint16(b[6:])},
			InvertSport: b[8]&1 != 0, InvertDport: b[8]&2 != 0,
		}}
	case x.Name == "multiport" && x.Rev == 1 && len(b) >= 48:
		x.Decoded = decodeMultiport(b)
	case (x.Name == "icmp" || x.Name == "icmp6") && len(b) >= 4:
		x.Decoded = &XtDecoded{ICMP: &XtICMP{
			Type: b[0], Codes: [2]uint8{b[1], b[2]}, Invert: b[3]&1 != 0,
		}}
	case x.Name == "mark" && x.Rev == 1 && len(b) >= 9:
		x.Decoded = &XtDecoded{Mark: &XtMark{
			Mark: ne.Uint32(b), Mask: ne.Uint32(b[4:]), Invert: b[8] != 0,
		}}
	default:
		x.Decoded = decodeRareMatch(x.Name, x.Rev, b)
	}
}

func decodeRareMatch(name string, rev uint32, b []byte) *XtDecoded {
	switch {
	case name == "iprange" && rev == 1 && len(b) >= 65:
		f := b[64]
		return &XtDecoded{IPRange: &XtIPRange{
			Source: f&1 != 0, Dest: f&2 != 0, InvertSource: f&16 != 0, InvertDest: f&32 != 0,
			SrcMin: clone(b[:16]), SrcMax: clone(b[16:32]), DstMin: clone(b[32:48]), DstMax: clone(b[48:64]),
		}}
	case name == "mac" && rev == 0 && len(b) >= 12:
		return &XtDecoded{MAC: &XtMAC{Addr: clone(b[:6]), Invert: ne.Uint32(b[8:]) != 0}}
	case name == "connmark" && rev == 1 && len(b) >= 9:
		return &XtDecoded{Connmark: &XtConnmark{
			Mode: "match", Mark: ne.Uint32(b), Mask: ne.Uint32(b[4:]), Invert: b[8] != 0,
		}}
	case name == "rpfilter" && rev == 0 && len(b) >= 1:
		return &XtDecoded{RPFilter: &XtRPFilter{
			Loose: b[0]&1 != 0, ValidMark: b[0]&2 != 0, AcceptLocal: b[0]&4 != 0, Invert: b[0]&8 != 0,
		}}
	case name == "set":
		return decodeSet(rev, b)
	case name == "nfacct": // counts
		return &XtDecoded{Continue: true}
	case name == "socket" && (rev == 0 || rev <= 3 && len(b) >= 1):
		x := &XtSocket{}
		if rev > 0 {
			x.Transparent, x.NoWildcard, x.RestoreMark = b[0]&1 != 0, b[0]&2 != 0, b[0]&4 != 0
		}
		return &XtDecoded{Socket: x}
	case name == "owner" && rev == 1 && len(b) >= 18: // struct xt_owner_match_info
		return &XtDecoded{Owner: &XtOwner{
			Match: b[16], Invert: b[17], UIDs: [2]uint32{ne.Uint32(b), ne.Uint32(b[4:])}, GIDs: [2]uint32{ne.Uint32(b[8:]), ne.Uint32(b[12:])},
			Known: b[16]&^(ownerUID|ownerGID|ownerSocket) == 0,
		}}
	case name == "dscp" && rev == 0 && len(b) >= 2: // the upper six bits
		return &XtDecoded{DSCP: &XtDSCP{Value: b[0] << 2, Mask: 0xfc, Invert: b[1] != 0}}
	case name == "tos" && rev == 1 && len(b) >= 3:
		return &XtDecoded{DSCP: &XtDSCP{Value: b[1], Mask: b[0], Invert: b[2] != 0}}
	case name == "pkttype" && rev == 0 && len(b) >= 8:
		return &XtDecoded{Pkttype: &XtPkttype{Type: ne.Uint32(b), Invert: ne.Uint32(b[4:]) != 0}}
	case (name == "ttl" || name == "hl") && rev == 0 && len(b) >= 2 && b[0] < 4:
		return &XtDecoded{TTL: &XtTTL{Op: []string{"==", "!=", "<", ">"}[b[0]], Value: b[1]}}
	case name == "physdev" && rev == 0 && len(b) >= 66:
		p := &XtPhysdev{In: wildcard(b[:16], b[16:32]), Out: wildcard(b[32:48], b[48:64]), Invert: b[64], Mask: b[65]}
		return &XtDecoded{Physdev: p}
	}
	return decodeSentMatch(name, rev, b)
}

// wildcard writes an interface name with a mask the way iptables does: a mask that ends before the
// name's terminator leaves the end open.
func wildcard(name, mask []byte) string {
	s := text(name)
	if n := bytes.IndexByte(mask, 0); n >= 0 && n <= len(s) && s != "" { // the name itself may have the + too
		s = s[:n] + "+"
	}
	return s
}

// StateBits turns XT_CONNTRACK_STATE bits (xt_conntrack.h) into the bits of nft's ct state.
func StateBits(m uint32) uint32 {
	bits := m & (CtInvalid | CtEstablished | CtRelated | CtNew)
	if m&(1<<8) != 0 {
		bits |= CtUntracked
	}
	return bits
}

// decodeConntrack reads xt_conntrack_mtinfo1 to 3. A rule on the state alone has a form of its own.
func decodeConntrack(rev uint32, b []byte) *XtDecoded {
	const alias = 1 << 13
	flags, invert, mask := ne.Uint16(b[146:]), ne.Uint16(b[148:]), ne.Uint16(b[150:])
	if flags&^alias == XtCtState && mask&(XtStateSNAT|XtStateDNAT) == 0 { // they are status, not state
		return &XtDecoded{State: &XtState{Mask: StateBits(uint32(mask)), Invert: invert&XtCtState != 0}}
	}
	c := &XtConntrack{
		Flags: flags &^ alias, Invert: invert, State: mask, Status: ne.Uint16(b[152:]), Proto: ne.Uint16(b[136:]),
	}
	for i := range 4 {
		c.Addrs[i], c.Masks[i] = clone(b[32*i:32*i+16]), clone(b[32*i+16:32*i+32])
		port := ne.Uint16(b[138+2*i:])
		if rev < 3 { // one port, in network order
			port = binary.BigEndian.Uint16(b[138+2*i:])
		}
		c.Ports[i] = [2]uint16{port, port}
		if rev == 3 && len(b) >= 162 {
			c.Ports[i][1] = ne.Uint16(b[154+2*i:])
		}
	}
	return &XtDecoded{Conntrack: c}
}

func decodeMultiport(b []byte) *XtDecoded {
	which := []string{"source", "destination", "either"}
	n := int(b[1])
	if int(b[0]) >= len(which) || n > 15 {
		return nil
	}
	m := &XtMultiport{Which: which[b[0]], Invert: b[47] != 0, Ranges: [][2]uint16{}}
	for i := 0; i < n; i++ {
		lo := ne.Uint16(b[2+2*i:])
		hi := lo
		if b[32+i] != 0 && i+1 < n {
			i++
			hi = ne.Uint16(b[2+2*i:])
		}
		m.Ranges = append(m.Ranges, [2]uint16{lo, hi})
	}
	return &XtDecoded{Multiport: m}
}

// bystanders are targets after which the packet goes on as it was, as far as the model looks at it.
var bystanders = []string{
	"LOG", "NFLOG", "CHECKSUM", "TRACE", "AUDIT", "SECMARK", "CONNSECMARK", "IDLETIMER", "LED", "RATEEST", "TEE",
}

func decodeTarget(name string, rev uint32, b []byte) *XtDecoded {
	switch {
	case slices.Contains(bystanders, name):
		return &XtDecoded{Continue: true}
	case name == "CLASSIFY" && len(b) >= 4: // struct xt_classify_target_info
		return &XtDecoded{Classify: new(ne.Uint32(b))}
	case name == "DSCP" || name == "TOS" || name == "ECN":
		return decodeService(name, b)
	case name == "TTL" || name == "HL" || name == "TCPMSS" || name == "TCPOPTSTRIP":
		return decodeRewrite(name, b)
	case name == "NOTRACK" || name == "CT" && len(b) >= 2 && ne.Uint16(b)&1 != 0:
		return &XtDecoded{Notrack: true}
	case name == "CT" && len(b) >= 4 && ne.Uint16(b)&^(ctZoneOrig|ctZoneReply) == 0:
		return decodeZone(b)
	case name == "SET":
		return decodePuts(rev, b)
	case name == "TPROXY" && rev == 1 && len(b) >= 26: // xt_tproxy_target_info_v1
		return &XtDecoded{TProxy: &XtTProxy{
			Mask: ne.Uint32(b), Mark: ne.Uint32(b[4:]), Addr: clone(b[8:24]), Port: binary.BigEndian.Uint16(b[24:]),
		}}
	case name == "TPROXY" && rev == 0 && len(b) >= 14:
		return &XtDecoded{TProxy: &XtTProxy{
			Mask: ne.Uint32(b), Mark: ne.Uint32(b[4:]), Addr: clone(b[8:12]), Port: binary.BigEndian.Uint16(b[12:]),
		}}
	case name == "NFQUEUE":
		return &XtDecoded{Queue: true}
	case name == "CONNMARK":
		return decodeConnmark(rev, b)
	case name == "REJECT":
		return &XtDecoded{Reject: true}
	case name == "MARK" && rev == 2 && len(b) >= 8:
		return &XtDecoded{Mark: &XtMark{Set: true, Mark: ne.Uint32(b), Mask: ne.Uint32(b[4:])}}
	case name == "MASQUERADE" || name == "DNAT" || name == "SNAT" || name == "REDIRECT" || name == "NETMAP":
		kind := strings.ToLower(name)
		return decodeNATRange(kind, b)
	}
	return nil
}

// decodeConnmark reads xt_connmark_tginfo1, and xt_connmark_tginfo2, which has a shift before the mode.
func decodeConnmark(rev uint32, b []byte) *XtDecoded {
	mode := 12
	if rev == 2 {
		mode = 14
	}
	if rev != 1 && rev != 2 || len(b) <= mode || b[mode] > 2 {
		return nil
	}
	c := &XtConnmark{
		Mode: []string{"set", "save", "restore"}[b[mode]],
		Mark: ne.Uint32(b), Mask: ne.Uint32(b[4:]), NFMask: ne.Uint32(b[8:]),
	}
	if rev == 2 {
		c.Right, c.Shift = b[12] != 0, b[13]
	}
	return &XtDecoded{Connmark: c}
}

// decodeNATRange reads nf_nat_range2, nf_nat_range or the single range of
// nf_nat_ipv4_multi_range_compat; the length tells which.
func decodeNATRange(kind string, b []byte) *XtDecoded {
	const mapIPs, proto = 1, 2
	n := &XtNAT{Kind: kind}
	var flags uint32
	switch {
	case len(b) >= 40: // nf_nat_range, nf_nat_range2: flags, 2 addresses of 16 bytes, 2 ports
		flags = ne.Uint32(b)
		n.AddrMin, n.AddrMax = clone(b[4:20]), clone(b[20:36])
		n.PortMin, n.PortMax = binary.BigEndian.Uint16(b[36:]), binary.BigEndian.Uint16(b[38:])
	case len(b) >= 20 && ne.Uint32(b) == 1:
		flags = ne.Uint32(b[4:])
		n.AddrMin, n.AddrMax = clone(b[8:12]), clone(b[12:16])
		n.PortMin, n.PortMax = binary.BigEndian.Uint16(b[16:]), binary.BigEndian.Uint16(b[18:])
	default:
		return nil
	}
	if flags&mapIPs == 0 {
		n.AddrMin, n.AddrMax = nil, nil
	}
	if flags&proto == 0 {
		n.PortMin, n.PortMax = 0, 0
	}
	n.Flags = flags &^ (mapIPs | proto)
	return &XtDecoded{NAT: n}
}
