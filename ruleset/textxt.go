package ruleset

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// text prints an iptables extension with what is known of it, in words close to those of iptables. nft has no
// syntax for these.
func (x *Xt) text() string {
	s := map[bool]string{true: "xt target ", false: "xt match "}[x.Target] + strconv.Quote(x.Name)
	if x.Name == "comment" && !x.Target {
		return s + " " + strconv.Quote(text(x.Info))
	}
	if d := x.Decoded; d != nil {
		s = strings.TrimSpace(s + " " + d.text())
	}
	return s
}

func (d *XtDecoded) text() string {
	switch {
	case d.State != nil:
		return "state " + not(d.State.Invert) + namesOf(d.State.Mask, stateNames)
	case d.Ports != nil:
		return d.Ports.text()
	case d.Multiport != nil:
		var list []string
		for _, r := range d.Multiport.Ranges {
			list = append(list, portRange(r))
		}
		return map[string]string{"source": "sport ", "destination": "dport ", "either": "port "}[d.Multiport.Which] +
			not(d.Multiport.Invert) + strings.Join(list, ",")
	case d.Mark != nil && d.Mark.Set:
		return fmt.Sprintf("set 0x%x/0x%x", d.Mark.Mark, d.Mark.Mask)
	case d.Mark != nil:
		return fmt.Sprintf("%s0x%x/0x%x", not(d.Mark.Invert), d.Mark.Mark, d.Mark.Mask)
	case d.Connmark != nil:
		return fmt.Sprintf("%s 0x%x/0x%x", d.Connmark.Mode, d.Connmark.Mark, d.Connmark.Mask)
	case d.Addrtype != nil:
		return d.Addrtype.text()
	case d.NAT != nil:
		return d.NAT.text()
	case d.TProxy != nil:
		return fmt.Sprintf("to :%d mark 0x%x/0x%x", d.TProxy.Port, d.TProxy.Mark, d.TProxy.Mask)
	case d.ICMP != nil && d.ICMP.Type != 0xff:
		return fmt.Sprintf("%stype %d", not(d.ICMP.Invert), d.ICMP.Type)
	case d.Physdev != nil:
		return strings.TrimSpace("in " + d.Physdev.In + " out " + d.Physdev.Out)
	case d.Set != nil:
		return fmt.Sprintf("%sset %d", not(d.Set.Invert), d.Set.Index)
	case d.IPRange != nil && d.IPRange.Source:
		return "src " + not(d.IPRange.InvertSource) + short(d.IPRange.SrcMin) + "-" + short(d.IPRange.SrcMax)
	case d.IPRange != nil:
		return "dst " + not(d.IPRange.InvertDest) + short(d.IPRange.DstMin) + "-" + short(d.IPRange.DstMax)
	}
	return ""
}

func not(invert bool) string {
	if invert {
		return "! "
	}
	return ""
}

func portRange(r [2]uint16) string {
	if r[0] == r[1] {
		return fmt.Sprint(r[0])
	}
	return fmt.Sprintf("%d-%d", r[0], r[1])
}

func (p *XtPorts) text() string {
	var out []string
	all := [2]uint16{0, 65535}
	if p.Sport != all || p.InvertSport {
		out = append(out, "sport "+not(p.InvertSport)+portRange(p.Sport))
	}
	if p.Dport != all || p.InvertDport {
		out = append(out, "dport "+not(p.InvertDport)+portRange(p.Dport))
	}
	if p.FlagMask != 0 {
		out = append(out, fmt.Sprintf("flags %s%s/%s", not(p.InvertFlags), tcpFlags(p.FlagCmp), tcpFlags(p.FlagMask)))
	}
	return strings.Join(out, " ")
}

func (a *XtAddrtype) text() string {
	types := func(mask uint16) string {
		var list []string
		for i, n := range routeTypes {
			if mask>>i&1 != 0 {
				list = append(list, n)
			}
		}
		return strings.Join(list, ",")
	}
	var out []string
	if a.Source != 0 {
		out = append(out, "src-type "+not(a.InvertSource)+types(a.Source))
	}
	if a.Dest != 0 {
		out = append(out, "dst-type "+not(a.InvertDest)+types(a.Dest))
	}
	return strings.Join(out, " ")
}

// short is an address of 16 bytes, of which IPv4 uses the first four.
func short(b []byte) string {
	if len(b) == 16 && allZeroes(b[4:]) && !allZeroes(b[:4]) {
		b = b[:4]
	}
	a, _ := netip.AddrFromSlice(b)
	return a.String()
}

func (n *XtNAT) text() string {
	s := ""
	if len(n.AddrMin) > 0 {
		s = short(n.AddrMin)
		if hi := short(n.AddrMax); hi != s {
			s += "-" + hi
		}
	}
	if n.PortMin != 0 {
		s += ":" + portRange([2]uint16{n.PortMin, n.PortMax})
	}
	if s == "" {
		return ""
	}
	return "to " + s
}
