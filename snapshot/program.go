package snapshot

// Program is a program of bpf(2) beside the packet filter.
type Program struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Unread says why it is not known whether there are any of the kind, and of what name.
	Unread string `json:"unread,omitempty"`
	// Family, Hook and Priority are of one at a hook of netfilter.
	Family   int    `json:"family,omitempty"`
	Hook     string `json:"hook,omitempty"`
	Priority int    `json:"priority,omitempty"`
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
