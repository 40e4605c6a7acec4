package packet

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Parse reads the text form: 'tcp 172.17.0.2:40000 > 10.0.0.1:22 syn'. IPv6 addresses with
// ports stand in brackets; after them come TCP flags by name or letter, "type N" and "code N" of
// ICMP, "mark N", "ttl N", "tos N", "ct STATE", "smac ADDR", "dmac ADDR", "frag first|middle|last"
// "data HEX" and "out PORT".
func Parse(in, text string) (*Packet, error) {
	f := strings.Fields(text)
	if len(f) < 4 || f[2] != ">" {
		return nil, fmt.Errorf("packet %q: want 'PROTO SRC[:PORT] > DST[:PORT] [FLAGS]'", text)
	}
	p := &Packet{In: in, Proto: f[0]}
	var err error
	if p.Src, p.Sport, err = endpoint(f[1]); err != nil {
		return nil, err
	}
	if p.Dst, p.Dport, err = endpoint(f[3]); err != nil {
		return nil, err
	}
	if p.Sport == 0 && p.Dport != 0 {
		p.Sport = 40000
	}
	for rest := f[4:]; len(rest) > 0; {
		n, err := p.option(rest)
		if err != nil {
			return nil, fmt.Errorf("packet %q: %w", text, err)
		}
		rest = rest[n:]
	}
	if err := p.says(f[3]); err != nil {
		return nil, fmt.Errorf("packet %q: %w", text, err)
	}
	return p, p.Check()
}

// Ported says of a protocol that its packets have ports.
func Ported(proto uint8) bool {
	return proto == TCP || proto == UDP || proto == SCTP || proto == UDPLite || proto == DCCP
}

// says refuses a text that means something else than the packet that it would be: of a protocol with ports but without one, and the other way round.
func (p *Packet) says(dst string) error {
	proto, err := p.Protocol()
	if err != nil {
		return err
	}
	_, bare := netip.ParseAddr(strings.Trim(dst, "[]"))
	switch {
	case Ported(proto) && bare == nil:
		return fmt.Errorf("%s goes to a port, such as %s", p.Proto, EndpointText(p.Dst, 22, true))
	case !Ported(proto) && (p.Sport != 0 || bare != nil):
		return fmt.Errorf("%s has no ports: want %s > %s", p.Proto, p.Src, p.Dst)
	case p.Flags != nil && proto != TCP:
		return fmt.Errorf("%s has no flags: they are of tcp", p.Proto)
	case (p.Type != nil || p.Code != 0) && proto != ICMP && proto != ICMPv6:
		return fmt.Errorf("%s has no type and no code: they are of icmp and icmpv6", p.Proto)
	}
	return nil
}

var flagNames = map[string]string{"fin": "F", "syn": "S", "rst": "R", "psh": "P", "ack": "A", "urg": "U", "ece": "E", "cwr": "W"}

// option reads one option at the front of f and returns how many words it took.
func (p *Packet) option(f []string) (int, error) {
	word := strings.ToLower(f[0])
	number := func(bits int) (uint64, error) {
		if len(f) < 2 {
			return 0, fmt.Errorf("%s: a number is missing", word)
		}
		n, err := strconv.ParseUint(f[1], 0, bits)
		if err != nil {
			return 0, fmt.Errorf("%s %s: not a number of %d bits", word, f[1], bits)
		}
		return n, nil
	}
	switch word {
	case "type":
		n, err := number(8)
		typ := uint8(n)
		p.Type = &typ
		return 2, err
	case "code":
		n, err := number(8)
		p.Code = uint8(n)
		return 2, err
	case "ttl":
		n, err := number(8)
		p.TTL = uint8(n)
		return 2, err
	case "tos":
		n, err := number(8)
		p.TOS = new(uint8(n))
		return 2, err
	case "mark":
		n, err := number(32)
		p.Mark = uint32(n)
		return 2, err
	case "ct", "smac", "dmac", "frag", "data", "out":
		if len(f) < 2 {
			return 0, fmt.Errorf("%s: a value is missing", word)
		}
		if word == "ct" {
			p.Ct = State(f[1])
			return 2, nil
		}
		*map[string]*string{"smac": &p.SMAC, "dmac": &p.DMAC, "frag": &p.Frag, "data": &p.Data, "out": &p.Out}[word] = f[1]
		return 2, nil
	}
	letters := ""
	for _, part := range strings.FieldsFunc(word, func(r rune) bool { return r == ',' || r == '+' || r == '|' }) {
		if l, ok := flagNames[part]; ok {
			letters += l
		} else {
			letters += strings.ToUpper(part)
		}
	}
	if p.Flags != nil {
		letters = *p.Flags + letters
	}
	p.Flags = &letters
	_, err := p.FlagBits()
	return 1, err
}

func endpoint(s string) (netip.Addr, uint16, error) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.WithZone(""), 0, nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.Addr{}, 0, fmt.Errorf("address %q: want ADDR, ADDR:PORT or [ADDR]:PORT", s)
	}
	return ap.Addr().WithZone(""), ap.Port(), nil
}

// EndpointText is an address with its port, where there are ports.
func EndpointText(a netip.Addr, port uint16, ports bool) string {
	if !ports {
		return a.String()
	}
	return netip.AddrPortFrom(a, port).String()
}

// String is the packet in the form that Parse reads.
func (p *Packet) String() string {
	proto, _ := p.Protocol()
	ports := Ported(proto)
	s := p.Proto + " " + EndpointText(p.Src, p.Sport, ports) + " > " + EndpointText(p.Dst, p.Dport, ports)
	switch proto {
	case TCP:
		flags, _ := p.FlagBits()
		if flags == flagBits['S'] {
			s += " syn"
		} else {
			s += " " + *p.Flags
		}
	case ICMP, ICMPv6:
		s = fmt.Sprintf("%s type %d code %d", s, p.ICMPType(), p.Code)
	}
	if p.Mark != 0 {
		s += fmt.Sprintf(" mark %d", p.Mark)
	}
	if p.TTL != 0 {
		s += fmt.Sprintf(" ttl %d", p.TTL)
	}
	if p.TOS != nil {
		s += fmt.Sprintf(" tos %d", *p.TOS)
	}
	for _, o := range []struct{ word, value string }{
		{"ct", string(p.Ct)}, {"smac", p.SMAC}, {"dmac", p.DMAC}, {"frag", p.Frag}, {"data", p.Data}, {"out", p.Out},
	} {
		if o.value != "" {
			s += " " + o.word + " " + o.value
		}
	}
	return s
}
