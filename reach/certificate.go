package reach

import (
	"net"
	"strconv"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// certificate writes down what was stopped, as the packets were sent: before any translation. Packets
// that were followed several ways, for a doubt, are in it once.
func (e *engine) certificate(whole cube, in *snapshot.Link, stopped []stoppedBy) packet.Certificate {
	name := e.entry(in)
	p := packet.Certificate{Question: whole.region(name), Cubes: []packet.Cube{}}
	var loose []cube
	for _, s := range stopped {
		if s.cube.shadow {
			continue
		}
		parts := []cube{s.cube.sent()}
		if s.cube.loose || !services(s.cube.v4).subtract(s.cube.sets[fService]).empty() { // these can overlap each other
			for i := range loose {
				var rest []cube
				for j := range parts {
					rest = append(rest, parts[j].without(&loose[i])...)
				}
				parts = rest
			}
			loose = append(loose, parts...)
		}
		for i := range parts {
			p.Cubes = append(p.Cubes, packet.Cube{Region: parts[i].region(name), By: s.by})
		}
	}
	return p
}

// outBy is a certificate about frames for neighbours behind a port of a bridge.
func outBy(p packet.Certificate, port string) packet.Certificate {
	p.Question.Out = port
	for i := range p.Cubes {
		p.Cubes[i].Out = port
	}
	return p
}

// without is the packets that are not in o, in disjoint parts.
func (c *cube) without(o *cube) []cube {
	var out []cube
	rest := *c
	for _, f := range sentFields {
		in, not := rest.split(f, o.sets[f])
		if len(in) == 0 {
			return []cube{*c}
		}
		out = append(out, not...)
		rest = in[0]
	}
	return out
}

// sentFields are the fields that the sender chooses.
var sentFields = []field{fSaddr, fDaddr, fSport, fDport, fSmac, fTCPFlags}

// sent is the packets as they were before any translation, with nothing but what the sender chose.
func (c *cube) sent() cube {
	d := *c
	for _, f := range sentFields {
		d.sets[f] = c.original(f)
	}
	d.nat, d.snat, d.keptAddr, d.keptPort, d.keptSport, d.wrote = false, false, false, false, false, nil
	return d
}

// original is the numbers of a field before a translation, and before rules wrote over it.
func (c *cube) original(f field) set {
	switch {
	case c.wrote != nil && c.wrote.sets[f] != nil:
		return c.wrote.sets[f]
	case c.snat && f == fSaddr:
		return c.sets[fOrigSaddr]
	case c.snat && f == fSport:
		return c.sets[fOrigSport]
	case c.nat:
		switch f {
		case fDaddr:
			return c.sets[fOrigDaddr]
		case fDport:
			return c.sets[fOrigDport]
		}
	}
	return c.sets[f]
}

func (c *cube) region(in string) packet.Region {
	r := packet.Region{In: in, V4: c.v4, Proto: int(c.sets[fProto][0].lo.lo)}
	addrs := func(s set) []string {
		out := make([]string, len(s))
		for i, x := range s {
			out[i] = x.lo.addr(c.v4).String() + "-" + x.hi.addr(c.v4).String()
		}
		return out
	}
	numbers := func(s set) []string {
		out := make([]string, len(s))
		for i, x := range s {
			out[i] = strconv.FormatUint(x.lo.lo, 10) + "-" + strconv.FormatUint(x.hi.lo, 10)
		}
		return out
	}
	if mac := c.sets[fSmac]; len(mac) > 0 {
		for _, x := range mac {
			r.SMAC = append(r.SMAC, net.HardwareAddr(x.lo.bytesOf(6)).String()+"-"+net.HardwareAddr(x.hi.bytesOf(6)).String())
		}
	}
	r.Src, r.Dst = addrs(c.original(fSaddr)), addrs(c.original(fDaddr))
	switch r.Proto {
	case 1, 58:
		r.Type = int(c.sets[fICMPType][0].lo.lo)
	case 6:
		r.Flags, r.FlagSets = flagsOfRegion(c.original(fTCPFlags))
		fallthrough
	default:
		r.Sport, r.Dport = numbers(c.original(fSport)), numbers(c.original(fDport))
	}
	return r
}

// flagsOfRegion are the flags of TCP of a region: the least ones, and all if they are some of those of connection attempts.
func flagsOfRegion(s set) (least int, list []int) {
	least = int(s[0].lo.lo)
	if len(s.subtract(synFlags)) > 0 || len(synFlags.subtract(s)) == 0 {
		return least, nil
	}
	for _, x := range s {
		for n := x.lo.lo; n <= x.hi.lo; n++ {
			list = append(list, int(n))
		}
	}
	return least, list
}
