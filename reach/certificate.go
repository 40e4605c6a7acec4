package reach

import (
	"net"
	"strconv"

	"github.com/ringfence/ringfence/snapshot"
)

// Region is a set of packets as they are sent: every combination of one number from each list of
// ranges. Numbers are those of the fields; addresses are written as addresses.
type Region struct {
	In    string   `json:"in"`
	V4    bool     `json:"v4"`
	Proto int      `json:"proto"`
	Src   []string `json:"src,omitempty"` // "first-last"
	Dst   []string `json:"dst,omitempty"`
	Sport []string `json:"sport,omitempty"`
	Dport []string `json:"dport,omitempty"`
	SMAC  []string `json:"smac,omitempty"`
	// Type and Code are those of ICMP, Flags of TCP.
	Type  int  `json:"type,omitempty"`
	Flags int  `json:"flags,omitempty"`
	Empty bool `json:"empty,omitempty"` // there is no such packet
}

// ProofCube is a part of a question and what stops it.
type ProofCube struct {
	Region
	By Cause `json:"stopped_by"`
}

// Proof is the certificate of an unreachable answer for one origin and family: cubes that are
// disjoint, cover the question, and are each stopped by a rule, a policy or a decision of the stack.
type Proof struct {
	Question Region      `json:"question"`
	Cubes    []ProofCube `json:"cubes"`
}

// certificate writes down what was stopped, as the packets were sent: before any translation. Packets
// that were followed several ways, for a doubt, are in it once.
func (e *engine) certificate(whole cube, in *snapshot.Link) Proof {
	name := e.entry(in)
	p := Proof{Question: whole.region(name), Cubes: []ProofCube{}}
	var loose []cube
	for _, s := range e.proof {
		if s.cube.shadow {
			continue
		}
		parts := []cube{s.cube.sent()}
		if s.cube.loose { // these can overlap each other
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
			p.Cubes = append(p.Cubes, ProofCube{parts[i].region(name), s.by})
		}
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
var sentFields = []field{fSaddr, fDaddr, fSport, fDport, fSmac}

// sent is the packets as they were before any translation, with nothing but what the sender chose.
func (c *cube) sent() cube {
	d := *c
	for _, f := range sentFields {
		d.sets[f] = c.original(f)
	}
	d.nat, d.snat, d.keptAddr, d.keptPort, d.keptSport = false, false, false, false, false
	return d
}

// original is the numbers of a field before a translation.
func (c *cube) original(f field) set {
	switch {
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

func (c *cube) region(in string) Region {
	r := Region{In: in, V4: c.v4, Proto: int(c.sets[fProto][0].lo.lo)}
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
		r.Flags = int(c.sets[fTCPFlags][0].lo.lo)
		fallthrough
	default:
		r.Sport, r.Dport = numbers(c.original(fSport)), numbers(c.original(fDport))
	}
	return r
}
