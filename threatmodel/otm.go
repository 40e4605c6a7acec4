package threatmodel

import (
	"fmt"
	"io"
)

type otm struct {
	Version    string         `json:"otmVersion"`
	Project    otmProject     `json:"project"`
	Drawings   []otmDrawing   `json:"representations"`
	Zones      []otmZone      `json:"trustZones"`
	Components []otmComponent `json:"components"`
	Flows      []otmFlow      `json:"dataflows"`
	Threats    []otmThreat    `json:"threats"`
	Controls   []otmControl   `json:"mitigations"`
}

type otmProject struct {
	Name       string         `json:"name"`
	ID         string         `json:"id"`
	Text       string         `json:"description"`
	Attributes map[string]any `json:"attributes"`
}

type otmParent struct {
	Zone      string `json:"trustZone,omitempty"`
	Component string `json:"component,omitempty"`
}

type otmZone struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Text string `json:"description"`
	Type string `json:"type"`
	Risk struct {
		Trust int `json:"trustRating"`
	} `json:"risk"`
	Parent *otmParent `json:"parent,omitempty"`
	Places []otmPlace `json:"representations"`
}

type otmComponent struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Text    string     `json:"description"`
	Type    string     `json:"type"`
	Parent  otmParent  `json:"parent"`
	Threats []otmState `json:"threats"`
	Tags    []string   `json:"tags"`
	Places  []otmPlace `json:"representations"`
}

type otmState struct {
	Threat   string         `json:"threat"`
	State    string         `json:"state"`
	Controls []otmControlAt `json:"mitigations"`
}

type otmControlAt struct {
	Control string `json:"mitigation"`
	State   string `json:"state"`
}

type otmFlow struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Text       string         `json:"description"`
	Source     string         `json:"source"`
	Dest       string         `json:"destination"`
	Tags       []string       `json:"tags"`
	Attributes map[string]any `json:"attributes"`
}

type otmThreat struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Text       string   `json:"description"`
	Categories []string `json:"categories"`
	CWEs       []string `json:"cwes"`
	Risk       struct {
		Likelihood int    `json:"likelihood"`
		Impact     int    `json:"impact"`
		Text       string `json:"impactComment"`
	} `json:"risk"`
}

type otmControl struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Text      string `json:"description"`
	Reduction int    `json:"riskReduction"`
}

// trust is how far a zone is trusted, from 0 to 100.
var trust = map[string]int{External: 0, Management: 70, Host: 90, Runtime: 80, Workload: 20}

// OTM writes a model in the Open Threat Model format, version 0.2.0. Flows that are proven impossible are left out: the format has no place for a proof.
func (m *Model) OTM(w io.Writer) error {
	o := &otm{
		Version: "0.2.0",
		Project: otmProject{
			Name: shorten("Host "+m.Report.Host.Name, titleLength), ID: symbolic("host " + m.Report.Host.ID + " " + m.Report.Host.Name), Text: m.about(),
			Attributes: map[string]any{"snapshot": m.Report.Snapshot.Digest},
		},
		Zones: []otmZone{}, Components: []otmComponent{}, Flows: []otmFlow{}, Threats: []otmThreat{}, Controls: []otmControl{},
	}
	for _, z := range m.Zones {
		row := otmZone{ID: z.Key, Name: z.Title, Text: z.Text, Type: z.Key, Places: []otmPlace{}}
		row.Risk.Trust = trust[z.Key]
		if z.In != "" {
			row.Parent = &otmParent{Zone: z.In}
		}
		o.Zones = append(o.Zones, row)
	}
	for i := range m.Report.Results {
		if r := &m.Report.Results[i]; statusOf(r) != "" {
			o.Controls = append(o.Controls, otmControl{symbolic("control " + r.ID), shorten(controlTitle(r), titleLength), shorten(controlText(r), textLength), 100})
		}
	}
	seen, kinds := map[string]bool{}, map[string]NodeKind{}
	for i := range m.Nodes {
		m.otmNode(o, &m.Nodes[i], seen)
		kinds[symbolic(m.Nodes[i].Key)] = m.Nodes[i].Kind
	}
	o.draw(kinds)
	for i := range m.Flows {
		f := &m.Flows[i]
		if f.Verdict == Impossible {
			continue
		}
		o.Flows = append(o.Flows, otmFlow{
			ID: symbolic("flow " + f.Key), Name: shorten(fmt.Sprintf("%s to %s: %s", m.Node(f.From).Name, m.Node(f.To).Name, f.Label), titleLength),
			Text: shorten(m.sentence(f), textLength), Source: symbolic(f.From), Dest: symbolic(f.To), Tags: []string{string(f.Kind), string(f.Verdict)},
			Attributes: map[string]any{"verdict": f.Verdict, "witness": shorten(f.Witness, titleLength)},
		})
	}
	return writeIndented(w, "OTM", o)
}

// otmNode writes a node with what was found about it.
func (m *Model) otmNode(o *otm, n *Node, seen map[string]bool) {
	c := otmComponent{
		ID: symbolic(n.Key), Name: shorten(n.Name, titleLength), Text: shorten(n.Text, textLength), Type: string(n.Kind), Parent: otmParent{Zone: n.Zone},
		Threats: []otmState{}, Tags: []string{}, Places: []otmPlace{},
	}
	if n.Part != "" {
		c.Type, c.Tags = n.Part, append(c.Tags, string(n.Kind))
	}
	if m.Node(n.In) != nil {
		c.Parent = otmParent{Component: symbolic(n.In)}
	}
	for _, x := range n.Findings {
		f := x.Finding
		name := threatName(f)
		state := otmState{name, "exposed", []otmControlAt{{symbolic("control " + x.Result.ID), "recommended"}}}
		if f.Waiver.Holds() {
			state.State, state.Controls[0].State = "accepted", "rejected"
		}
		c.Threats = append(c.Threats, state)
		if seen[name] {
			continue
		}
		seen[name] = true
		t := otmThreat{ID: name, Name: shorten(f.Message, titleLength), Text: shorten(evidence(f), textLength), Categories: []string{}, CWEs: []string{}}
		for _, id := range weaknesses(x.Result) {
			t.CWEs = append(t.CWEs, fmt.Sprintf("CWE-%d", id))
		}
		t.Risk.Likelihood, t.Risk.Impact = m.likelihoodOf(n, f)*20, impactOf(f.Severity)*20
		t.Risk.Text = "severity " + shorten(f.Severity, titleLength)
		o.Threats = append(o.Threats, t)
	}
	o.Components = append(o.Components, c)
}
