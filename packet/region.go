package packet

// Region is a set of packets as they are sent: every combination of one number from each list of ranges, which are written
// "first-last". Addresses are written as addresses.
type Region struct {
	In string `json:"in"` // the interface that they come in by, or local
	// Out is the port of a bridge that leads to the neighbour for whom the frames are; empty is frames for the host.
	Out   string   `json:"out,omitempty"`
	V4    bool     `json:"v4"`              // of IPv4, else of IPv6
	Proto int      `json:"proto"`           // number of the protocol
	Src   []string `json:"src,omitempty"`   // source addresses
	Dst   []string `json:"dst,omitempty"`   // destination addresses
	Sport []string `json:"sport,omitempty"` // source ports
	Dport []string `json:"dport,omitempty"` // destination ports
	SMAC  []string `json:"smac,omitempty"`  // who sent the frames
	// Type is that of ICMP, Flags are those of TCP.
	Type  int `json:"type,omitempty"`
	Flags int `json:"flags,omitempty"` // of TCP, as a number; 2, a SYN, is also one beside others with which a connection can begin, if FlagSets is empty
	// FlagSets are the flags of TCP that they have, if those are some of the ones with which a connection can begin.
	FlagSets []int `json:"flag_sets,omitempty"`
	Empty    bool  `json:"empty,omitempty"` // there is no such packet
}

// Cube is a part of a question and what stops it. By is for people: who checks a certificate finds out by itself.
type Cube struct {
	Region
	By Cause `json:"stopped_by"` // what stops them
	// Oif is the interface that they would have left by, by its index; 0 is that they were stopped before that was decided.
	Oif int `json:"-"`
}

// Certificate is the proof of an unreachable answer for one origin and family: cubes that are disjoint, cover the
// question, and are each stopped by a rule, a policy or a decision of the stack.
type Certificate struct {
	Question Region `json:"question"` // all packets that were asked about
	Cubes    []Cube `json:"cubes"`    // disjoint parts that cover it
}
