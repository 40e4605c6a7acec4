package reach

import (
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

// certificate writes down what was stopped, as the packets were sent: before any translation.
func (e *engine) certificate(starts []cube, in *snapshot.Link) Proof {
	name := "local"
	if in != nil {
		name = in.Name
	}
	p := Proof{Cubes: []ProofCube{}}
	whole := starts[0]
	for _, s := range starts[1:] {
		whole.sets[fDaddr] = append(append(set{}, whole.sets[fDaddr]...), s.sets[fDaddr]...).normal()
	}
	for i := range e.proof {
		if c := &e.proof[i].cube; e.proof[i].by.Text != "" || e.proof[i].by.Table != "" {
			p.Cubes = append(p.Cubes, ProofCube{c.region(name), e.proof[i].by})
			if len(starts) > 1 { // what had no route was stopped before the start
				whole.sets[fDaddr] = append(append(set{}, whole.sets[fDaddr]...), c.original(fDaddr)...).normal()
			}
		}
	}
	p.Question = whole.region(name)
	return p
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
