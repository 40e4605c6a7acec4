package snapshot

import "slices"

// Program is a program of bpf(2) beside the packet filter.
type Program struct {
	Kind string `json:"kind"` // sk_lookup, netfilter or flow_dissector
	Name string `json:"name"` // that its loader gave it, or words for one that has none; empty where it is unread
	// Unread says why it is not known whether there are any of the kind, and of what name.
	Unread string `json:"unread,omitempty"`
	// Family, Hook and Priority are of one at a hook of netfilter.
	Family   int    `json:"family,omitempty"`
	Hook     string `json:"hook,omitempty"`     // of netfilter: prerouting, input, forward, output or postrouting
	Priority int    `json:"priority,omitempty"` // of netfilter: at a hook the lowest comes first
}

// LinkProgram is a program of bpf(2) that sees the packets of an interface.
type LinkProgram struct {
	Place string `json:"place"`         // xdp, tcx ingress, tcx egress, tc ingress, tc egress
	ID    uint32 `json:"id"`            // by which the kernel knows it until it is gone
	Name  string `json:"name"`          // that its loader gave it, or words for one that has none
	Tag   string `json:"tag,omitempty"` // by its instructions
	// Protocol is the EtherType that a filter of traffic control is for, 3 (ETH_P_ALL) is all.
	Protocol uint16 `json:"protocol,omitempty"`
}

// Places of the programs of an interface.
const (
	PlaceXDP        = "xdp"
	PlaceTCXIngress = "tcx ingress"
	PlaceTCXEgress  = "tcx egress"
	PlaceTCIngress  = "tc ingress"
	PlaceTCEgress   = "tc egress"
)

// Told says whether all that can take packets of an interface are programs that can be asked.
func (l *Link) Told() bool {
	xdp := slices.ContainsFunc(l.Programs, func(p LinkProgram) bool { return p.Place == PlaceXDP })
	filters := slices.DeleteFunc(slices.Clone(l.TC), func(tc string) bool { return tc == "clsact" || tc == "ingress" })
	of := slices.DeleteFunc(slices.Clone(l.Programs), func(p LinkProgram) bool { return p.Place == PlaceXDP })
	return l.TCUnread == "" && xdp == l.XDP && len(filters) == len(of)
}

func checkLinkPrograms(list []LinkProgram, path string) error {
	for i, p := range list {
		if err := oneOf(p.Place, []string{PlaceXDP, PlaceTCXIngress, PlaceTCXEgress, PlaceTCIngress, PlaceTCEgress}, "%s[%d].place", path, i); err != nil {
			return err
		}
	}
	return nil
}

// Kinds of programs: one that chooses the socket of what is delivered, also where none listens, one that drops or lets pass at a hook of netfilter,
// and one that reads the protocol and the ports by which policy rules of routing go.
const (
	ProgramSkLookup      = "sk_lookup"
	ProgramNetfilter     = "netfilter"
	ProgramFlowDissector = "flow_dissector"
)

// String is the program for people.
func (p *Program) String() string {
	if p.Unread != "" {
		return "of which the kernel does not tell (" + p.Unread + ")"
	}
	return or(p.Name, "without a name")
}

func checkPrograms(list []Program, path string) error {
	for i, p := range list {
		if err := oneOf(p.Kind, []string{ProgramSkLookup, ProgramNetfilter, ProgramFlowDissector}, "%s[%d].kind", path, i); err != nil {
			return err
		}
	}
	return nil
}

// LookupProgram is the name of a program that chooses the socket of what is delivered, or empty.
func (n *Network) LookupProgram() string { return n.programOf(ProgramSkLookup) }

// Dissector is the name of a program that reads the protocol and the ports of packets, or empty.
func (n *Network) Dissector() string { return n.programOf(ProgramFlowDissector) }

func (n *Network) programOf(kind string) string {
	for _, p := range n.Programs {
		if p.Kind == kind {
			return p.String()
		}
	}
	return ""
}
