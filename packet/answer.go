package packet

import "fmt"

// Verdict is the answer to a question about packets.
type Verdict string

// The three answers: yes with a witness, no with what stopped every packet, and not known with the reason.
const (
	Reachable   Verdict = "reachable"
	Unreachable Verdict = "unreachable"
	Unknown     Verdict = "unknown"
)

// State is what conntrack takes a packet for (enum ip_conntrack_info, IP_CT_*; NF_CT_STATE_BIT of "ct state"). Empty is the
// first packet of a connection.
type State string

// The states that nft's "ct state" names.
const (
	New         State = "new"
	Established State = "established"
	Related     State = "related"
	Invalid     State = "invalid"
	Untracked   State = "untracked"
)

// Hook is a place in the stack where base chains run (enum nf_inet_hooks, enum nf_dev_hooks).
type Hook string

// The hooks, by the names that nft gives them.
const (
	Ingress     Hook = "ingress"
	Prerouting  Hook = "prerouting"
	Input       Hook = "input"
	Forward     Hook = "forward"
	Output      Hook = "output"
	Postrouting Hook = "postrouting"
	Egress      Hook = "egress"
)

// Where is a place in a ruleset: a rule by its handle, or the policy of a base chain. Without a table it is none.
type Where struct {
	Family string `json:"family,omitempty"` // of the table: ip, ip6, inet, bridge and others
	Table  string `json:"table,omitempty"`  // its name
	Chain  string `json:"chain,omitempty"`  // its name
	Rule   uint64 `json:"rule,omitempty"`   // handle
	Policy bool   `json:"policy,omitempty"` // it is the policy of the chain that decides
}

// String is the place in one word, "inet filter/input#12"; empty where it is none.
func (w Where) String() string {
	switch {
	case w.Table == "":
		return ""
	case w.Policy:
		return fmt.Sprintf("%s %s/%s#policy", w.Family, w.Table, w.Chain)
	}
	return fmt.Sprintf("%s %s/%s#%d", w.Family, w.Table, w.Chain, w.Rule)
}

// Cause names what decided, or what stands in the way of deciding: a rule, a policy, or a fact about the host.
type Cause struct {
	Where
	Text string `json:"text"` // the rule, or the cause that is no rule
}

// String is the cause in one line.
func (c Cause) String() string {
	if c.Table == "" {
		return c.Text
	}
	return c.Where.String() + ": " + c.Text
}
