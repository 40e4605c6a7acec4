// Package threatmodel draws a host as a data-flow diagram with trust boundaries. A Model is one ordered value that is made of a report; the
// picture, Mermaid, DOT, TM-BOM and OTM are printers of it. What becomes what is decided here, once.
//
// A flow is possible, with a packet or steps that show it; proven impossible; or unknown, with the reason. A model holds text of the host as it
// was seen: each printer escapes it at its own edge.
package threatmodel

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
)

// The zones, in their order. Runtime is inside of Host.
const (
	External   = "external"
	Management = "management"
	Host       = "host"
	Runtime    = "runtime"
	Workload   = "workload"
)

// Zone is a trust zone.
type Zone struct {
	Key, Title, Text string
	In               string // the zone that it is inside of
	// Interfaces are those of the host by which the zone comes in.
	Interfaces []string
}

// NodeKind is what a node is in a data-flow diagram.
type NodeKind string

// The kinds of nodes.
const (
	Actor     NodeKind = "actor"
	Component NodeKind = "component"
	Store     NodeKind = "store"
)

// Node is somebody or something in a zone.
type Node struct {
	Key  string // stable
	Kind NodeKind
	Zone string
	Name string
	Text string
	// In is the key of the node that it is a part of.
	In string
	// Part is the kind of the part that it is (finding.Part), "listener" of a listener, and "" of what the model adds itself.
	Part string
	// Class is that of a listener and Program who has it; Networks and Auth are those of a part.
	Class    string
	Program  string
	Networks []string
	Auth     []string
	// Findings are those that are about it, the most severe first.
	Findings []Found
	// Open are the questions about it that are not decided.
	Open []finding.Open
}

// Found is a finding, and the check that has it.
type Found struct {
	Result  *finding.Result
	Finding *finding.Finding
}

// Worst is the highest severity of the findings of a node that count, "" if there are none.
func (n *Node) Worst() string {
	for _, f := range n.Findings {
		if !f.Finding.Waiver.Holds() {
			return f.Finding.Severity
		}
	}
	return ""
}

// Verdict says whether a flow is there.
type Verdict string

// The verdicts.
const (
	Possible   Verdict = "possible"
	Impossible Verdict = "impossible"
	Unknown    Verdict = "unknown"
)

// FlowKind is what a flow goes by.
type FlowKind string

// The kinds of flows.
const (
	ByNetwork FlowKind = "network" // packets to a listener
	ByForward FlowKind = "forward" // packets through the host
	BySocket  FlowKind = "socket"  // the control socket of a daemon
	ByMount   FlowKind = "mount"   // files
	ByPower   FlowKind = "power"   // what somebody can become
)

// Flow leads from a node to another one.
type Flow struct {
	Key      string // stable
	From, To string // keys of nodes
	Kind     FlowKind
	Verdict  Verdict
	Label    string // short
	// By are the interfaces and families of a network flow that have its verdict.
	By []string
	// Not are those that have another verdict, with it.
	Not []string
	// Witness is a packet that shows it, Steps a way; StoppedBy is the proof that there is none; Because is why it is not known.
	Witness   string
	Steps     []string
	StoppedBy []string
	Because   []string
	// Expected says that a check asks for it: that it is impossible is worth being drawn.
	Expected  bool
	Encrypted bool
}

// Boundary is where flows cross from a zone into another one.
type Boundary struct {
	A, B                          string // zones, A is before B
	Possible, Impossible, Unknown int    // flows that cross it
	Filter                        bool   // a packet filter is asked
	Files                         bool   // permissions of files are
	Auth                          []string
}

// Model is a host as a data-flow diagram.
type Model struct {
	Report     *finding.Report
	Zones      []Zone
	Boundaries []Boundary
	Nodes      []Node // in the order of zones, kinds and keys
	Flows      []Flow // in the order of their keys

	at map[string]int // nodes by key
}

// Node is the node of a key, or nil.
func (m *Model) Node(key string) *Node {
	if i, ok := m.at[key]; ok {
		return &m.Nodes[i]
	}
	return nil
}

// Zone is the zone of a key, or nil.
func (m *Model) Zone(key string) *Zone {
	for i := range m.Zones {
		if m.Zones[i].Key == key {
			return &m.Zones[i]
		}
	}
	return nil
}

// New makes the model of a report.
func New(r *finding.Report) *Model {
	m := &Model{Report: r, Zones: zonesOf(r), at: map[string]int{}}
	b := &building{m: m, inv: r.Inventory}
	if b.inv == nil {
		b.inv = new(finding.Inventory)
	}
	b.goals()
	b.parts()
	b.listeners()
	b.exposures()
	b.forwards()
	b.uses()
	b.findings()
	m.sort()
	m.boundaries()
	return m
}

func zonesOf(r *finding.Report) []Zone {
	list := []Zone{
		{Key: External, Title: "External", Text: "Whoever reaches the host by a network that nobody gave to management."},
		{Key: Management, Title: "Management", Text: "The networks from which the host is administered."},
		{Key: Host, Title: "Host", Text: "The host itself: its kernel, its services and its accounts."},
		{Key: Runtime, Title: "Runtime", Text: "Container and machine runtimes, and agents that run on the host.", In: Host},
		{Key: Workload, Title: "Workload", Text: "Containers, machines, sandboxes, and agents that run what a model writes."},
	}
	for _, z := range r.Zones {
		key := known(z.Zone)
		for i := range list {
			if list[i].Key == key && z.Name != "local processes" && !slices.Contains(list[i].Interfaces, z.Name) {
				list[i].Interfaces = append(list[i].Interfaces, z.Name)
			}
		}
	}
	return list
}

// known is the zone of a name: what is not classified counts as external.
func known(zone string) string {
	if slices.Contains(order, zone) {
		return zone
	}
	return External
}

var order = []string{External, Management, Host, Runtime, Workload}

var kinds = []NodeKind{Actor, Component, Store}

func (m *Model) sort() {
	slices.SortFunc(m.Nodes, func(a, b Node) int {
		return cmp.Or(
			slices.Index(order, a.Zone)-slices.Index(order, b.Zone), slices.Index(kinds, a.Kind)-slices.Index(kinds, b.Kind), strings.Compare(a.Key, b.Key),
		)
	})
	for i := range m.Nodes {
		m.at[m.Nodes[i].Key] = i
	}
	slices.SortFunc(m.Flows, func(a, b Flow) int { return strings.Compare(a.Key, b.Key) })
}

// boundaries counts the flows between zones. A boundary without a flow is there where zones touch: each with the host.
func (m *Model) boundaries() {
	at := map[[2]string]int{}
	of := func(a, b string) *Boundary {
		if slices.Index(order, a) > slices.Index(order, b) {
			a, b = b, a
		}
		i, ok := at[[2]string{a, b}]
		if !ok {
			i = len(m.Boundaries)
			at[[2]string{a, b}] = i
			m.Boundaries = append(m.Boundaries, Boundary{A: a, B: b})
		}
		return &m.Boundaries[i]
	}
	for _, z := range order {
		if z != Host {
			of(z, Host)
		}
	}
	for i := range m.Flows {
		f := &m.Flows[i]
		from, to := m.Node(f.From), m.Node(f.To)
		if from.Zone == to.Zone {
			continue
		}
		b := of(from.Zone, to.Zone)
		switch f.Verdict {
		case Possible:
			b.Possible++
		case Impossible:
			b.Impossible++
		default:
			b.Unknown++
		}
		b.Filter = b.Filter || (f.Kind == ByNetwork || f.Kind == ByForward) && f.Verdict == Impossible
		b.Files = b.Files || f.Kind == BySocket || f.Kind == ByMount
		if f.Verdict == Possible {
			for _, a := range m.auth(to) {
				if !slices.Contains(b.Auth, a) {
					b.Auth = append(b.Auth, a)
				}
			}
		}
	}
	for i := range m.Boundaries {
		slices.Sort(m.Boundaries[i].Auth)
	}
	slices.SortFunc(m.Boundaries, func(a, b Boundary) int {
		return cmp.Or(slices.Index(order, a.A)-slices.Index(order, b.A), slices.Index(order, a.B)-slices.Index(order, b.B))
	})
}

// auth are the ways by which a node, or what it is a part of, lets somebody in.
func (m *Model) auth(n *Node) []string {
	for range m.Nodes {
		if n == nil || len(n.Auth) > 0 {
			break
		}
		n = m.Node(n.In)
	}
	if n == nil {
		return nil
	}
	return n.Auth
}
