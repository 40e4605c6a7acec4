package ruleset

import "encoding/binary"

// XtDecoded is what an iptables extension does, read from its binary form. The structures are from
// include/uapi/linux/netfilter/xt_*.h and nf_nat.h. Exactly one field is set.
type XtDecoded struct {
	Continue  bool         `json:"continue,omitempty"` // comment, LOG, ...: never decides
	Reject    bool         `json:"reject,omitempty"`
	Addrtype  *XtAddrtype  `json:"addrtype,omitempty"`
	State     *XtState     `json:"state,omitempty"`
	Ports     *XtPorts     `json:"ports,omitempty"`
	Multiport *XtMultiport `json:"multiport,omitempty"`
	ICMP      *XtICMP      `json:"icmp,omitempty"`
	Mark      *XtMark      `json:"mark,omitempty"`
	NAT       *XtNAT       `json:"nat,omitempty"`
}

// XtAddrtype matches the type of an address in the routing tables; masks are 1<<RTN_*.
type XtAddrtype struct {
	Source       uint16 `json:"source,omitempty"`
	Dest         uint16 `json:"dest,omitempty"`
	InvertSource bool   `json:"invertSource,omitempty"`
	InvertDest   bool   `json:"invertDest,omitempty"`
	LimitIface   bool   `json:"limitIface,omitempty"`
}

// XtState matches the conntrack state; Mask is in the bits of nft's ct state.
type XtState struct {
	Mask   uint32 `json:"mask"`
	Invert bool   `json:"invert,omitempty"`
}

// XtPorts is the tcp or udp match; ports in host order, both bounds included.
type XtPorts struct {
	Sport       [2]uint16 `json:"sport"`
	Dport       [2]uint16 `json:"dport"`
	InvertSport bool      `json:"invertSport,omitempty"`
	InvertDport bool      `json:"invertDport,omitempty"`
	FlagMask    uint8     `json:"flagMask,omitempty"`
	FlagCmp     uint8     `json:"flagCmp,omitempty"`
	InvertFlags bool      `json:"invertFlags,omitempty"`
}

// XtMultiport matches ports against up to 15 ports and ranges.
type XtMultiport struct {
	Which  string      `json:"which"` // source, destination, either
	Ranges [][2]uint16 `json:"ranges"`
	Invert bool        `json:"invert,omitempty"`
}

// XtICMP matches type and a range of codes.
type XtICMP struct {
	Type   uint8    `json:"type"`
	Codes  [2]uint8 `json:"codes"`
	Invert bool     `json:"invert,omitempty"`
}

// XtMark matches, or as target sets, the packet mark.
type XtMark struct {
	Set    bool   `json:"set,omitempty"`
	Mark   uint32 `json:"mark"`
	Mask   uint32 `json:"mask"`
	Invert bool   `json:"invert,omitempty"`
}

// XtNAT is DNAT, SNAT, MASQUERADE or REDIRECT. Addresses are 4 or 16 bytes, ports 0 where unset.
type XtNAT struct {
	Kind    string `json:"kind"`
	AddrMin Hex    `json:"addrMin,omitempty"`
	AddrMax Hex    `json:"addrMax,omitempty"`
	PortMin uint16 `json:"portMin,omitempty"`
	PortMax uint16 `json:"portMax,omitempty"`
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
	case x.Name == "conntrack" && x.Rev == 3 && len(b) >= 154:
		x.Decoded = decodeConntrack(b)
	case x.Name == "state" && x.Rev == 0 && len(b) >= 4:
		x.Decoded = &XtDecoded{State: &XtState{Mask: stateBits(ne.Uint32(b))}}
	case x.Name == "tcp" && len(b) >= 12 && b[8] == 0 && b[11]&8 == 0: // no TCP option
		x.Decoded = &XtDecoded{Ports: &XtPorts{
			Sport:       [2]uint16{ne.Uint16(b), ne.Uint16(b[2:])},
			Dport:       [2]uint16{ne.Uint16(b[4:]), ne.Uint16(b[6:])},
			InvertSport: b[11]&1 != 0, InvertDport: b[11]&2 != 0,
			FlagMask: b[9], FlagCmp: b[10], InvertFlags: b[11]&4 != 0,
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
	}
}

// stateBits turns XT_CONNTRACK_STATE bits (xt_conntrack.h) into the bits of nft's ct state.
func stateBits(m uint32) uint32 {
	bits := m & (CtInvalid | CtEstablished | CtRelated | CtNew)
	if m&(1<<8) != 0 {
		bits |= CtUntracked
	}
	return bits
}

// decodeConntrack knows only rules on the state; status, addresses and ports stay opaque.
func decodeConntrack(b []byte) *XtDecoded {
	const state, alias = 1 << 0, 1 << 13
	flags, invert, mask := ne.Uint16(b[146:]), ne.Uint16(b[148:]), ne.Uint16(b[150:])
	if flags&^alias != state || mask&(1<<6|1<<7) != 0 { // SNAT and DNAT are status, not state
		return nil
	}
	return &XtDecoded{State: &XtState{Mask: stateBits(uint32(mask)), Invert: invert&state != 0}}
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

func decodeTarget(name string, rev uint32, b []byte) *XtDecoded {
	switch {
	case name == "LOG" || name == "NFLOG" || name == "CHECKSUM" || name == "TCPMSS":
		return &XtDecoded{Continue: true}
	case name == "REJECT":
		return &XtDecoded{Reject: true}
	case name == "MARK" && rev == 2 && len(b) >= 8:
		return &XtDecoded{Mark: &XtMark{Set: true, Mark: ne.Uint32(b), Mask: ne.Uint32(b[4:])}}
	case name == "MASQUERADE":
		return &XtDecoded{NAT: &XtNAT{Kind: "masquerade"}}
	case name == "DNAT" || name == "SNAT" || name == "REDIRECT":
		kind := map[string]string{"DNAT": "dnat", "SNAT": "snat", "REDIRECT": "redirect"}[name]
		return decodeNATRange(kind, b)
	}
	return nil
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
	return &XtDecoded{NAT: n}
}
