// Package packet has the values that both engines of the packet model speak of: packets, where they come from, the answers to
// questions about them and their causes. It decides nothing: what becomes of a packet is found out twice, by packages reach and
// trace, which share no more than these values and how they are read and written.
package packet

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Packet is one packet as the question gives it. In is the interface that it arrives on, or "local"
// for one that a process of the host sends.
type Packet struct {
	ID    json.RawMessage `json:"id,omitempty"`    // as the question had it
	In    string          `json:"in"`              // the interface that it comes in by, or local
	Src   netip.Addr      `json:"src"`             // as it is sent
	Dst   netip.Addr      `json:"dst"`             // as it is sent
	Proto string          `json:"proto"`           // tcp, udp, icmp, icmpv6 or a number
	Sport uint16          `json:"sport,omitempty"` // of tcp, udp and sctp
	Dport uint16          `json:"dport,omitempty"` // of tcp, udp and sctp
	Type  *uint8          `json:"type,omitempty"`  // of ICMP; an echo request where it is left out
	Code  uint8           `json:"code,omitempty"`  // of ICMP
	Flags *string         `json:"flags,omitempty"` // letters of FSRPAUEW; "S" where it is left out
	SMAC  string          `json:"smac,omitempty"`  // who sent the frame
	// DMAC is where the frame is addressed to; empty is the host itself. On a bridge port another
	// address is that of a neighbour, to whom the bridge hands the frame over.
	DMAC string `json:"dmac,omitempty"`
	// Out is the port of a bridge that leads to that neighbour, or to the one that the packet is routed to; empty is any.
	Out  string `json:"out,omitempty"`
	Mark uint32 `json:"mark,omitempty"` // the mark that it begins with
	// TTL is the time to live, or the hop limit, as it is sent; 0 leaves it open.
	TTL uint8 `json:"ttl,omitempty"`
	// TOS is the type of service, or the traffic class; left out it is open.
	TOS *uint8 `json:"tos,omitempty"`
	// Ct is new, established, related, invalid or untracked; empty is what the packet would be as
	// the first of its connection.
	Ct State `json:"ct,omitempty"`
	// Frag is which fragment of a datagram the packet is: first, middle or last; empty is a whole one.
	// The ports and flags are those of the datagram, also where the fragment does not carry them.
	Frag string `json:"frag,omitempty"`
	// Data is the first bytes that a middle or last fragment carries, in hexadecimal; empty leaves them open.
	Data string `json:"data,omitempty"`
	// By is the process that sends a packet of the host; left out is one that is not known.
	By *Sender `json:"by,omitempty"`
}

// UnmarshalJSON reads a packet; the protocol is a name or a number, and other fields are refused.
func (p *Packet) UnmarshalJSON(b []byte) error {
	type plain Packet
	aux := struct {
		Proto any `json:"proto"`
		*plain
	}{plain: (*plain)(p)}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(&aux); err != nil {
		return err
	}
	switch v := aux.Proto.(type) {
	case string:
		p.Proto = v
	case json.Number:
		p.Proto = v.String()
	case nil:
		return errors.New("the packet has no protocol")
	default:
		return fmt.Errorf("protocol %v: want a name or a number", v)
	}
	return nil
}

// The protocol numbers that have headers of their own (IANA, include/uapi/linux/in.h).
const (
	ICMP    = 1
	IGMP    = 2
	TCP     = 6
	UDP     = 17
	DCCP    = 33
	ICMPv6  = 58
	SCTP    = 132
	UDPLite = 136
)

var protoNumbers = map[string]uint8{
	"tcp": TCP, "udp": UDP, "icmp": ICMP, "icmpv6": ICMPv6, "ipv6-icmp": ICMPv6,
	"sctp": SCTP, "dccp": DCCP, "udplite": UDPLite, "gre": 47, "esp": 50, "ah": 51, "igmp": IGMP,
}

var flagBits = map[rune]uint8{'F': 1, 'S': 2, 'R': 4, 'P': 8, 'A': 16, 'U': 32, 'E': 64, 'W': 128}

// Protocol is the number of the packet's protocol.
func (p *Packet) Protocol() (uint8, error) {
	if n, ok := protoNumbers[strings.ToLower(p.Proto)]; ok {
		return n, nil
	}
	n, err := strconv.ParseUint(p.Proto, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("protocol %q: want tcp, udp, icmp, icmpv6 or a number", p.Proto)
	}
	return uint8(n), nil
}

// FlagLetters are the first letters of the flags of TCP, CWR by its last but one, by their bits.
const FlagLetters = "FSRPAUEW"

// FlagBits are the packet's TCP flags: a SYN where none are given.
func (p *Packet) FlagBits() (uint8, error) {
	if p.Flags == nil {
		return flagBits['S'], nil
	}
	var b uint8
	for _, c := range strings.ToUpper(*p.Flags) {
		bit, ok := flagBits[c]
		if !ok {
			return 0, fmt.Errorf("TCP flags %q: want letters of %s", *p.Flags, FlagLetters)
		}
		b |= bit
	}
	return b, nil
}

// ICMPType is the packet's type: that of an echo request where none is given.
func (p *Packet) ICMPType() uint8 {
	switch {
	case p.Type != nil:
		return *p.Type
	case p.Dst.Is4():
		return 8
	}
	return 128
}

var states = []State{"", New, Established, Related, Invalid, Untracked}

// Fragments are the names of the parts of a datagram, a whole one's first.
var Fragments = []string{"", "first", "middle", "last"}

// Check says what is wrong with the packet itself, apart from any host.
func (p *Packet) Check() error {
	switch {
	case !p.Src.IsValid():
		return errors.New("the packet has no source address")
	case !p.Dst.IsValid():
		return errors.New("the packet has no destination address")
	case p.Src.Is4() && !p.Dst.Unmap().Is4(), p.Dst.Is4() && !p.Src.Unmap().Is4():
		return errors.New("source and destination are of different families")
	case p.In == "":
		return errors.New("the packet has no interface: give one in \"in\", or \"local\"")
	}
	if _, err := p.Protocol(); err != nil {
		return err
	}
	if _, err := p.FlagBits(); err != nil {
		return err
	}
	if !slices.Contains(Fragments, p.Frag) {
		return fmt.Errorf("fragment %q: want first, middle or last", p.Frag)
	}
	if data, err := hex.DecodeString(p.Data); err != nil || len(data) > 0 && slices.Index(Fragments, p.Frag) < 2 {
		return fmt.Errorf("data %q: want bytes in hexadecimal, of a middle or last fragment", p.Data)
	}
	if !slices.Contains(states, p.Ct) {
		return fmt.Errorf("conntrack state %q: want new, established, related, invalid or untracked", p.Ct)
	}
	for _, mac := range []string{p.SMAC, p.DMAC} {
		if mac != "" && ParseMAC(mac) == nil {
			return fmt.Errorf("hardware address %q: want six bytes", mac)
		}
	}
	return nil
}

// ParseMAC reads a hardware address of six bytes; it is nil where the text is none.
func ParseMAC(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil || len(b) != 6 {
		return nil
	}
	return b
}
