package ruleset

import (
	"bytes"
	"math"
	"strconv"
)

// XtLength matches the length of a packet, of IPv6 with the header.
type XtLength struct {
	Min    uint16 `json:"min"`              // bytes at least
	Max    uint16 `json:"max"`              // bytes at most
	Invert bool   `json:"invert,omitempty"` // any other length matches
}

// XtTime matches the second of a day and the days of the week, in UTC: bit 1<<n of Days is the day n, Sunday 0. Known is false of one that asks for
// dates, days of a month, or the time zone of the kernel.
type XtTime struct {
	Start uint32 `json:"start"`           // seconds since midnight, included
	Stop  uint32 `json:"stop"`            // seconds since midnight, included; before the start: it goes on past midnight
	Days  uint8  `json:"days"`            // bits of the days of the week: 1 Sunday, 2 Monday, ... 64 Saturday
	Known bool   `json:"known,omitempty"` // it asks for nothing else
}

// XtDevgroup matches the groups of the interfaces that a packet comes in and goes out by.
type XtDevgroup struct {
	In        bool   `json:"in,omitempty"`        // the group of the incoming interface is asked for
	Out       bool   `json:"out,omitempty"`       // the group of the outgoing interface is asked for
	InvertIn  bool   `json:"invertIn,omitempty"`  // any other group of the incoming interface matches
	InvertOut bool   `json:"invertOut,omitempty"` // any other group of the outgoing interface matches
	InGroup   uint32 `json:"inGroup"`             // number of the group, in the bits of its mask
	InMask    uint32 `json:"inMask"`              // bits of the incoming interface's group that are compared
	OutGroup  uint32 `json:"outGroup"`            // number of the group, in the bits of its mask
	OutMask   uint32 `json:"outMask"`             // bits of the outgoing interface's group that are compared
}

// Matches says whether it holds for the groups of two interfaces.
func (d *XtDevgroup) Matches(in, out uint32) bool {
	return (!d.In || ((in^d.InGroup)&d.InMask == 0) != d.InvertIn) && (!d.Out || ((out^d.OutGroup)&d.OutMask == 0) != d.InvertOut)
}

// XtPolicy matches how a packet is protected by IPsec; None is one that is not.
type XtPolicy struct {
	None bool `json:"none,omitempty"` // it matches packets without IPsec; else some of those with it
}

// WrittenMSS is what a match of the maximum segment size asks for.
const WrittenMSS = "the maximum segment size"

// WrittenData is what a match of a text in the packet asks for.
const WrittenData = "the data"

// XtText is a text that is looked for in a packet: anywhere in it, if it has no bounds.
type XtText struct {
	Text    []byte // in small letters
	Shown   string // as it is written in the rule, in quotes, cut where it is long
	Inverts bool
	Bounded bool

	raw      []byte
	folds    bool // the case of letters does not count
	from, to int
}

// In says whether a text surely is in a packet, of which unk has the bits that are not known: those of the headers are searched too (skb_find_text).
func (t *XtText) In(packet, unk []byte) bool {
	for at := t.from; at+len(t.raw) <= min(t.to, len(packet)); at++ {
		b := packet[at : at+len(t.raw)]
		if (bytes.Equal(b, t.raw) || t.folds && bytes.Equal(bytes.ToLower(b), t.Text)) && bytes.Count(unk[at:at+len(t.raw)], []byte{0}) == len(t.raw) {
			return true
		}
	}
	return false
}

// Text is what a match of a text looks for; nil where it is of something else, or not understood (struct xt_string_info).
func (x *XtWritten) Text() *XtText {
	const to, pattern, length, flags = 2, 20, 148, 149
	if x.What != WrittenData || len(x.By) <= flags || x.By[length] == 0 || int(x.By[length]) > length-pattern {
		return nil
	}
	const mostShown = 40
	text := x.By[pattern : pattern+int(x.By[length])]
	return &XtText{
		Text: bytes.ToLower(text), Shown: strconv.QuoteToASCII(string(text[:min(len(text), mostShown)])), Inverts: x.By[flags]&1 != 0,
		Bounded: ne.Uint16(x.By) != 0 || ne.Uint16(x.By[to:]) != math.MaxUint16,
		raw:     text, folds: x.By[flags]&2 != 0, from: int(ne.Uint16(x.By)), to: int(ne.Uint16(x.By[to:])),
	}
}

// XtWritten matches what the sender writes beside all that the models follow.
type XtWritten struct {
	What string `json:"what"` // in words
	By   Hex    `json:"by"`   // the match itself: the same of two rules says the same
	// Option is one of TCP that the packet has to have for it; without it the match holds if Without.
	Option  uint8 `json:"option,omitempty"`
	Without bool  `json:"without,omitempty"` // a packet without the option matches; else it does not
}

// XtRewrite is a target that writes over what the sender wrote, of what decides only where other rules ask for it.
type XtRewrite struct {
	TTL   *uint8  `json:"ttl,omitempty"`   // what it is set to
	By    int     `json:"by,omitempty"`    // or what is added to it
	Strip []uint8 `json:"strip,omitempty"` // options of TCP that are taken away
	MSS   bool    `json:"mss,omitempty"`   // the maximum segment size is written
}

// decodeRewrite reads ipt_TTL_info, ip6t_HL_info and xt_tcpoptstrip_target_info.
func decodeRewrite(name string, b []byte) *XtDecoded {
	x := new(XtRewrite)
	switch {
	case name == "TCPMSS":
		x.MSS = true
	case name == "TCPOPTSTRIP" && len(b) >= 32:
		for kind := 2; kind < 256; kind++ {
			if ne.Uint32(b[kind/32*4:])>>(kind%32)&1 != 0 {
				x.Strip = append(x.Strip, uint8(kind))
			}
		}
	case name == "TCPOPTSTRIP" || len(b) < 2 || b[0] > 2:
		return nil
	case b[0] == 0:
		ttl := b[1]
		x.TTL = &ttl
	default:
		x.By = map[uint8]int{1: int(b[1]), 2: -int(b[1])}[b[0]]
	}
	return &XtDecoded{Rewrite: x}
}

// decodeSentMatch reads matches of what a sender writes beside addresses and ports, and of the clock (xt_length_info, xt_time_info), of groups of
// interfaces and of IPsec (xt_devgroup_info, xt_policy_info).
func decodeSentMatch(name string, rev uint32, b []byte) *XtDecoded {
	if rev != 0 && name != "string" {
		return nil
	}
	switch {
	case name == "length" && len(b) >= 5:
		return &XtDecoded{Length: &XtLength{Min: ne.Uint16(b), Max: ne.Uint16(b[2:]), Invert: b[4] != 0}}
	case name == "time" && len(b) >= 22:
		return &XtDecoded{Time: decodeTime(b)}
	case name == "devgroup" && len(b) >= 20:
		f := ne.Uint32(b)
		return &XtDecoded{Devgroup: &XtDevgroup{
			In: f&1 != 0, InvertIn: f&2 != 0, Out: f&4 != 0, InvertOut: f&8 != 0,
			InGroup: ne.Uint32(b[4:]), InMask: ne.Uint32(b[8:]), OutGroup: ne.Uint32(b[12:]), OutMask: ne.Uint32(b[16:]),
		}}
	case name == "policy" && len(b) >= 308:
		const in, out, none = 1, 2, 4
		if f := ne.Uint16(b[304:]); f&(in|out) != 0 {
			return &XtDecoded{Policy: &XtPolicy{None: f&none != 0}}
		}
	case name == "tcpmss" && len(b) >= 5:
		const mss = 2
		return &XtDecoded{Written: &XtWritten{What: WrittenMSS, By: clone(b), Option: mss, Without: b[4] != 0}}
	case name == "string" && rev == 1:
		return &XtDecoded{Written: &XtWritten{What: WrittenData, By: clone(b)}}
	case name == "osf":
		return &XtDecoded{Written: &XtWritten{What: "the system that the SYN looks like", By: clone(b)}}
	case name == "ecn":
		return &XtDecoded{Written: &XtWritten{What: WrittenECN, By: clone(b)}}
	}
	return nil
}

func decodeTime(b []byte) *XtTime {
	const allOfMonth = 0xfffffffe
	t := &XtTime{Start: ne.Uint32(b[8:]), Stop: ne.Uint32(b[12:])}
	t.Known = ne.Uint32(b) == 0 && ne.Uint32(b[4:]) >= math.MaxInt32 && ne.Uint32(b[16:]) == allOfMonth && b[21] == 0 && max(t.Start, t.Stop) < 24*60*60
	days := b[20] // Monday is 1, Sunday 7
	t.Days = days&0x7e | days>>7
	return t
}

// The bits of a CT target by which a zone is of one direction alone (XT_CT_ZONE_DIR_ORIG, XT_CT_ZONE_DIR_REPL).
const (
	ctZoneOrig  = 1 << 2
	ctZoneReply = 1 << 3
)

// decodeZone reads the zone of a CT target, that of the direction in which a connection begins.
func decodeZone(b []byte) *XtDecoded {
	zone := ne.Uint16(b[2:])
	if ne.Uint16(b)&(ctZoneOrig|ctZoneReply) == ctZoneReply {
		zone = 0
	}
	return &XtDecoded{Zone: &zone}
}

// Zones are the zones that a CT target sets, of the direction in which a connection begins and of that of its answers.
func (x *Xt) Zones() (begins, answers uint16) {
	if x.Decoded == nil || x.Decoded.Zone == nil {
		return 0, 0
	}
	begins, answers = *x.Decoded.Zone, *x.Decoded.Zone
	if b := x.Info; len(b) >= 4 { // else it is that of an earlier snapshot, which has no more
		answers = ne.Uint16(b[2:])
		if ne.Uint16(b)&(ctZoneOrig|ctZoneReply) == ctZoneOrig {
			answers = 0
		}
	}
	return begins, answers
}
