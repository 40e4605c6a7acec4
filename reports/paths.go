package reports

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/threatmodel"
)

// Paths is the JSON of "ringfence paths -f json".
type Paths struct {
	Schema  string         `json:"schema"`  // always ringfence.paths/v1
	Answers []power.Answer `json:"answers"` // one for each principal and goal
	// Granted is what each no takes for granted.
	Granted []string `json:"granted,omitempty"`
}

// NewPaths is answers of who becomes what.
func NewPaths(list []power.Answer) *Paths {
	if list == nil {
		list = []power.Answer{}
	}
	p := &Paths{Schema: "ringfence.paths/v1", Answers: list}
	if saysNo(list) {
		p.Granted = power.Granted
	}
	return p
}

// saysNo says that an answer is no.
func saysNo(list []power.Answer) bool {
	return slices.ContainsFunc(list, func(a power.Answer) bool { return a.Verdict == power.No })
}

// PathsText lists each principal with what it becomes, the steps of each way, and what ends all ways.
func PathsText(list []power.Answer) string {
	b := new(bytes.Buffer)
	last := ""
	for i := range list {
		a := &list[i]
		if i > 0 && withRoot(&list[i-1], a) {
			continue
		}
		if k := a.Principal.Key + stateText(&a.Principal.State); k != last {
			last = k
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			fmt.Fprintf(b, "%s (%s)\n", Clean(a.Principal.Name, false), Clean(stateText(&a.Principal.State), false))
		}
		pathText(b, a)
	}
	if saysNo(list) {
		fmt.Fprintf(b, "\nEach no takes for granted that\n  - %s.\n", strings.Join(power.Granted, ";\n  - "))
	}
	if b.Len() == 0 {
		b.WriteString("nobody on the host is asked about: no workload, no agent, no service of a user, no account that logs in\n")
	}
	return b.String()
}

// withRoot says of an answer that the one before says it: who is root gets the rest, and what is not known of root leaves the rest open too.
func withRoot(before, a *power.Answer) bool {
	return a.Goal != power.Root && a.Principal.Key == before.Principal.Key && a.Verdict == before.Verdict && a.Verdict != power.No &&
		slices.EqualFunc(a.Path, before.Path, func(x, y power.Edge) bool { return x.Text == y.Text && x.Object == y.Object })
}

func pathText(b *bytes.Buffer, a *power.Answer) {
	switch a.Verdict {
	case power.No:
		fmt.Fprintf(b, "  %-26s no: nothing leads there from %s\n", a.Goal.Text(), plural(len(a.Closed), "state"))
		return
	case power.Yes:
		fmt.Fprintf(b, "  %-26s YES, %s\n", a.Goal.Text(), power.When(a.Trigger))
	default:
		fmt.Fprintf(b, "  %-26s unknown\n", a.Goal.Text())
		for _, why := range a.Because {
			fmt.Fprintf(b, "      because %s\n", Clean(why, false))
		}
		return
	}
	for n, e := range a.Path {
		fmt.Fprintf(b, "      %d. %s\n", n+1, Clean(e.Text, false))
	}
	if len(a.Cut) > 0 {
		fmt.Fprintf(b, "      to end it: change %s\n", Clean(strings.Join(a.Cut, ", and "), false))
	}
}

// stateText is a state in a few words.
func stateText(s *power.State) string {
	parts := []string{fmt.Sprintf("uid %d", s.UID)}
	switch s.Place {
	case power.InContainer:
		parts = append(parts, "in a container")
	case power.Apart:
		parts = append(parts, "with mounts of its own")
	default:
		parts = append(parts, "on the host")
	}
	for _, x := range []struct {
		is   bool
		text string
	}{
		{s.OwnUser, "in a user namespace of its own"},
		{s.HostPID && s.Place == power.InContainer, "sees the host's processes"},
		{s.HostNet && s.Place == power.InContainer, "in the host's network"},
		{s.NoNewPrivs, "gets no new privileges"},
		{s.Caps != 0, fmt.Sprintf("capabilities %x", s.Caps)},
	} {
		if x.is {
			parts = append(parts, x.text)
		}
	}
	if s.Confined != "" {
		parts = append(parts, "confined by "+s.Confined)
	}
	return strings.Join(parts, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// PathsMermaid draws the known ways as a flowchart of Mermaid: one node a state or goal, one arrow a step.
func PathsMermaid(list []power.Answer) string {
	d := &drawing{ids: map[string]string{}, arrows: map[string]bool{}}
	d.b.WriteString("flowchart LR\n")
	for i := range list {
		a := &list[i]
		if a.Verdict != power.Yes {
			continue
		}
		at := d.node(a.Principal.Key, a.Principal.Name)
		for _, e := range a.Path {
			to := ""
			if e.Goal != "" {
				to = d.node("goal "+string(e.Goal), e.Goal.Text())
			} else {
				to = d.node("state "+stateText(e.To)+fmt.Sprint(e.To.Groups), stateText(e.To))
			}
			d.arrow(at, to, e.Text)
			at = to
		}
	}
	return d.b.String()
}

// drawing is a flowchart in the making.
type drawing struct {
	b      strings.Builder
	ids    map[string]string
	arrows map[string]bool
}

func (d *drawing) node(key, text string) string {
	id, ok := d.ids[key]
	if !ok {
		id = fmt.Sprintf("n%d", len(d.ids))
		d.ids[key] = id
		fmt.Fprintf(&d.b, "  %s[\"%s\"]\n", id, threatmodel.MermaidText(text))
	}
	return id
}

func (d *drawing) arrow(from, to, text string) {
	if line := fmt.Sprintf("  %s -->|\"%s\"| %s\n", from, threatmodel.MermaidText(text), to); !d.arrows[line] {
		d.arrows[line] = true
		d.b.WriteString(line)
	}
}

// OpenGraph is the format of BloodHound for graphs of other domains.
type OpenGraph struct {
	Metadata struct {
		SourceKind string `json:"source_kind"`
	} `json:"metadata"`
	Graph struct {
		Nodes []OpenGraphNode `json:"nodes"`
		Edges []OpenGraphEdge `json:"edges"`
	} `json:"graph"`
}

// OpenGraphNode is a principal, a state or a goal.
type OpenGraphNode struct {
	ID         string         `json:"id"`
	Kinds      []string       `json:"kinds"`
	Properties map[string]any `json:"properties"`
}

// OpenGraphEdge is a step.
type OpenGraphEdge struct {
	Kind       string         `json:"kind"`
	Start      OpenGraphEnd   `json:"start"`
	End        OpenGraphEnd   `json:"end"`
	Properties map[string]any `json:"properties"`
}

// OpenGraphEnd is an end of an edge by its id.
type OpenGraphEnd struct {
	Value string `json:"value"`
}

// NewOpenGraph is the known ways as a graph.
func NewOpenGraph(host string, list []power.Answer) *OpenGraph {
	g := new(OpenGraph)
	g.Metadata.SourceKind = "Ringfence"
	g.Graph.Nodes, g.Graph.Edges = []OpenGraphNode{}, []OpenGraphEdge{}
	node := func(id, kind, name string) string {
		id = "ringfence:" + host + ":" + id
		if !slices.ContainsFunc(g.Graph.Nodes, func(n OpenGraphNode) bool { return n.ID == id }) {
			g.Graph.Nodes = append(g.Graph.Nodes, OpenGraphNode{id, []string{kind, "RF"}, map[string]any{"name": Clean(name, false)}})
		}
		return id
	}
	for i := range list {
		a := &list[i]
		if a.Verdict != power.Yes {
			continue
		}
		at := node(a.Principal.Key, "RFPrincipal", a.Principal.Name)
		for _, e := range a.Path {
			to := ""
			if e.Goal != "" {
				to = node("goal "+string(e.Goal), "RFGoal", e.Goal.Text())
			} else {
				to = node("state "+stateText(e.To)+fmt.Sprint(e.To.Groups), "RFState", stateText(e.To))
			}
			edge := OpenGraphEdge{
				"RFBy" + strings.ToUpper(string(e.Kind[:1])) + string(e.Kind[1:]),
				OpenGraphEnd{at},
				OpenGraphEnd{to},
				map[string]any{"text": Clean(e.Text, false), "trigger": string(e.Trigger), "object": Clean(e.Object, false)},
			}
			if !slices.ContainsFunc(g.Graph.Edges, func(o OpenGraphEdge) bool {
				return o.Start == edge.Start && o.End == edge.End && o.Kind == edge.Kind && o.Properties["object"] == edge.Properties["object"]
			}) {
				g.Graph.Edges = append(g.Graph.Edges, edge)
			}
			at = to
		}
	}
	return g
}
