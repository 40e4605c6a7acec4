package threatmodel

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

// The TM-BOM is the schema of the OWASP Threat Model Library, version 1.0.2.
const tmbomSchema = "https://github.com/OWASP/www-project-threat-model-library/blob/v1.0.2/threat-model.schema.json"

// extension is the key under which a TM-BOM has what the format has no place for.
const extension = "github.com/ringfence/ringfence/reach"

// Lengths of texts in exports, in characters.
const (
	titleLength = 200
	textLength  = 2000
)

type tmbom struct {
	Schema     string           `json:"$schema"`
	Version    string           `json:"version"`
	Scope      tmScope          `json:"scope"`
	Text       string           `json:"description"`
	Reviewed   string           `json:"reviewed_at,omitempty"`
	Diagrams   []tmDiagram      `json:"diagrams"`
	Zones      []tmNamed        `json:"trust_zones"`
	Boundaries []tmBoundary     `json:"trust_boundaries"`
	Actors     []tmActor        `json:"actors"`
	Components []tmComponent    `json:"components"`
	Stores     []tmStore        `json:"data_stores"`
	Sets       []tmSet          `json:"data_sets"`
	Flows      []tmFlow         `json:"data_flows"`
	Assumed    []tmAssumption   `json:"assumptions,omitempty"`
	Personas   []tmPersona      `json:"threat_personas"`
	Threats    []tmThreat       `json:"threats"`
	Controls   []tmControl      `json:"controls"`
	Risks      []tmRisk         `json:"risks"`
	Extensions map[string]tmExt `json:"extensions"`
}

type tmScope struct {
	Title       string   `json:"title"`
	Text        string   `json:"description"`
	Criticality string   `json:"business_criticality"`
	Sensitivity []string `json:"data_sensitivity"`
	Exposure    string   `json:"exposure"`
	Tier        string   `json:"tier"`
}

type tmDiagram struct {
	Title  string `json:"title"`
	Type   string `json:"type"`
	Source string `json:"source"`
}

type tmNamed struct {
	Name  string `json:"symbolic_name"`
	Title string `json:"title"`
	Text  string `json:"description"`
}

type tmBoundary struct {
	A       string   `json:"trust_zone_a"`
	B       string   `json:"trust_zone_b"`
	Access  []string `json:"access_control_methods,omitempty"`
	Methods []string `json:"authentication_methods,omitempty"`
}

type tmActor struct {
	tmNamed
	Type string `json:"type"`
	Zone string `json:"trust_zone"`
}

type tmComponent struct {
	tmNamed
	Parent string `json:"parent_component,omitempty"`
	Zone   string `json:"trust_zone"`
}

type tmStore struct {
	tmNamed
	Type string `json:"type"`
	Zone string `json:"trust_zone"`
}

type tmSet struct {
	tmNamed
	Placements  []tmPlacement `json:"placements"`
	Sensitivity []string      `json:"data_sensitivity"`
	Access      []string      `json:"access_control_methods"`
}

type tmPlacement struct {
	Store     string `json:"data_store"`
	Encrypted bool   `json:"encrypted"`
}

type tmEnd struct {
	Type   string `json:"type"`
	Object string `json:"object"`
}

type tmFlow struct {
	tmNamed
	Source    tmEnd `json:"source"`
	Dest      tmEnd `json:"destination"`
	Sensitive bool  `json:"has_sensitive_data"`
	Encrypted bool  `json:"encrypted"`
}

type tmAssumption struct {
	Text     string   `json:"description"`
	Topics   []string `json:"topics,omitempty"`
	Validity string   `json:"validity"`
}

type tmPersona struct {
	tmNamed
	Person        bool   `json:"is_person"`
	Skill         string `json:"skill_level"`
	Access        string `json:"access_level"`
	Malicious     bool   `json:"malicious_intent"`
	Applicability string `json:"applicability_to_org"`
}

type tmThreat struct {
	tmNamed
	Affected   []string `json:"components_affected"`
	Persona    string   `json:"threat_persona"`
	Event      string   `json:"event"`
	Sources    []string `json:"sources"`
	Weaknesses []tmCWE  `json:"weaknesses,omitempty"`
}

type tmCWE struct {
	ID int `json:"cwe_id"`
}

type tmControl struct {
	tmNamed
	Threats  []string    `json:"threats"`
	Boundary *tmBoundary `json:"trust_boundary,omitempty"`
	Status   string      `json:"status"`
	Priority string      `json:"priority"`
}

type tmRisk struct {
	tmNamed
	Threats    []string `json:"threats"`
	Likelihood string   `json:"likelihood"`
	Impact     string   `json:"impact"`
	ImpactText string   `json:"impact_description"`
	Score      int      `json:"score"`
	Level      string   `json:"level"`
}

// tmExt is what the format has no place for: how each flow is known.
type tmExt struct {
	Snapshot string              `json:"snapshot"`
	Flows    map[string]tmAnswer `json:"flows"`
}

type tmAnswer struct {
	Kind      FlowKind `json:"kind"`
	Verdict   Verdict  `json:"verdict"`
	By        []string `json:"by,omitempty"`
	Witness   string   `json:"witness,omitempty"`
	Steps     []string `json:"steps,omitempty"`
	StoppedBy []string `json:"stoppedBy,omitempty"`
	Because   []string `json:"because,omitempty"`
}

// TMBOM writes a model as a TM-BOM, the exchange format of the OWASP Threat Model Library. Flows that are proven impossible are no flows there: each
// is a control that is active, with its proof.
func (m *Model) TMBOM(w io.Writer) error {
	t := &tmbom{
		Schema: tmbomSchema, Version: "1", Text: m.about(), Scope: m.scope(),
		Diagrams: []tmDiagram{}, Zones: []tmNamed{}, Boundaries: []tmBoundary{}, Actors: []tmActor{}, Components: []tmComponent{}, Stores: []tmStore{},
		Flows: []tmFlow{}, Threats: []tmThreat{}, Controls: []tmControl{}, Risks: []tmRisk{},
	}
	if at, err := time.Parse(time.RFC3339, m.Report.Snapshot.CollectedAt); err == nil {
		t.Reviewed = at.UTC().Format(time.RFC3339)
	}
	t.Assumed = m.tmAssumptions()
	t.Personas = personas()
	m.tmNodes(t)
	m.tmFlows(t)
	m.tmThreats(t)
	m.tmControls(t)
	if err := m.tmDiagrams(t); err != nil {
		return err
	}
	return writeIndented(w, "TM-BOM", t)
}

// writeIndented writes a value as JSON without characters that a terminal acts on.
func writeIndented(w io.Writer, what string, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(v)
	if err == nil {
		_, err = w.Write(escape.JSON(b.Bytes()))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return nil
}

// named is the name, title and description of something.
func named(name, title, text string) tmNamed {
	return tmNamed{name, shorten(title, titleLength), shorten(text, textLength)}
}

func (m *Model) about() string {
	r := m.Report
	open := ""
	if n := len(r.Open()); n > 0 {
		open = fmt.Sprintf(" Questions that are left open: %d.", n)
	}
	return shorten(fmt.Sprintf("Drawn by %s %s from the host as it was seen (snapshot %s). A flow that is described as unknown is not known to be there; "+
		"what is proven impossible is an active control. A check that could not be decided is an assumed control.%s", r.Tool.Name, r.Tool.Version, r.Snapshot.Digest, open), textLength)
}

// scope says what a host does not tell by defaults, and that they are.
func (m *Model) scope() tmScope {
	s := tmScope{
		Title: shorten("Host "+m.Report.Host.Name, titleLength),
		Text: shorten(strings.TrimSpace(m.Report.Host.OS+" kernel "+m.Report.Host.Kernel)+". Criticality, sensitivity and tier are defaults: a host does not tell them. "+
			"The exposure is internal if each way from outside that was seen is proven to be closed.", textLength),
		Criticality: "moderate", Sensitivity: []string{"op"}, Exposure: m.exposure(), Tier: "important",
	}
	return s
}

// exposure is external where somebody from outside gets to a listener, or can: what is not known, or was not read at all, is not internal.
func (m *Model) exposure() string {
	looked := false
	for _, c := range m.Report.Coverage {
		if slices.Contains([]string{"listeners", "network", "windows"}, c.Collector) {
			if looked = slices.Contains([]string{"ok", "absent", "partial"}, c.Status); !looked {
				return "external"
			}
		}
	}
	if !looked {
		return "external"
	}
	for i := range m.Flows {
		if f := &m.Flows[i]; f.Kind == ByNetwork && f.Verdict != Impossible && m.Node(f.From).Zone == External {
			return "external"
		}
	}
	return "internal"
}

func (m *Model) tmNodes(t *tmbom) {
	for _, z := range m.Zones {
		text := z.Text
		if len(z.Interfaces) > 0 {
			text += " Interfaces: " + strings.Join(z.Interfaces, ", ") + "."
		}
		t.Zones = append(t.Zones, named(z.Key, z.Title, text))
	}
	for i := range m.Boundaries {
		b := &m.Boundaries[i]
		row := tmBoundary{A: b.A, B: b.B, Methods: tmMethods(b.Auth)}
		if b.Filter {
			row.Access = append(row.Access, "acl")
		}
		if b.Files {
			row.Access = append(row.Access, "dac")
		}
		t.Boundaries = append(t.Boundaries, row)
	}
	for i := range m.Nodes {
		n := &m.Nodes[i]
		name := named(symbolic(n.Key), n.Name, n.Text)
		switch n.Kind {
		case Actor:
			t.Actors = append(t.Actors, tmActor{name, actorType(n), n.Zone})
		case Store:
			t.Stores = append(t.Stores, tmStore{name, "object", n.Zone})
		default:
			c := tmComponent{tmNamed: name, Zone: n.Zone}
			if up := m.Node(n.In); up != nil && up.Kind == Component {
				c.Parent = symbolic(up.Key)
			}
			t.Components = append(t.Components, c)
		}
	}
	t.Sets = []tmSet{{
		named("secrets", "Secrets of the host", "Passwords and private keys that root alone is to read."), []tmPlacement{{Store: symbolic("goal secret")}}, []string{"cred"}, []string{"dac"},
	}}
}

func actorType(n *Node) string {
	switch n.Key {
	case "actor external":
		return "third_party"
	case "actor management":
		return "administrator"
	}
	if n.Part == finding.PartAccount {
		return "user"
	}
	return "system"
}

// tmMethods are ways to be let in, in the words of TM-BOM.
func tmMethods(auth []string) (list []string) {
	for _, a := range auth {
		if w := map[string]string{
			finding.AuthNone: "none", finding.AuthKey: "public_key", finding.AuthPassword: "password", finding.AuthToken: "token", finding.AuthLogin: "sso",
		}[a]; w != "" {
			list = append(list, w)
		}
	}
	return list
}

// end is an end of a flow.
func (m *Model) end(key string) tmEnd {
	n := m.Node(key)
	return tmEnd{map[NodeKind]string{Actor: "actor", Component: "component", Store: "data-store"}[n.Kind], symbolic(key)}
}

// sentence says of a flow what it is and how that is known.
func (m *Model) sentence(f *Flow) string {
	text := map[Verdict]string{Possible: "Possible", Impossible: "Proven impossible", Unknown: "Unknown whether it is possible"}[f.Verdict] + f.why()
	if len(f.By) > 0 {
		text += " (" + strings.Join(f.By[:min(len(f.By), 8)], ", ") + ")"
	}
	return text + "."
}

func (m *Model) tmFlows(t *tmbom) {
	ext := tmExt{m.Report.Snapshot.Digest, map[string]tmAnswer{}}
	for i := range m.Flows {
		f := &m.Flows[i]
		name := symbolic("flow " + f.Key)
		title := fmt.Sprintf("%s to %s: %s", m.Node(f.From).Name, m.Node(f.To).Name, f.Label)
		ext.Flows[name] = tmAnswer{
			f.Kind, f.Verdict, texts(f.By), shorten(f.Witness, textLength), texts(f.Steps), texts(f.StoppedBy), texts(f.Because),
		}
		if f.Verdict == Impossible {
			c := tmControl{tmNamed: named(name, "No flow: "+title, m.sentence(f)), Threats: []string{}, Status: "active", Priority: "none"}
			if a, b := m.Node(f.From).Zone, m.Node(f.To).Zone; a != b {
				c.Boundary = &tmBoundary{A: a, B: b}
			}
			t.Controls = append(t.Controls, c)
			continue
		}
		t.Flows = append(t.Flows, tmFlow{
			named(name, title, m.sentence(f)), m.end(f.From), m.end(f.To), f.To == "goal secret", f.Encrypted,
		})
	}
	t.Extensions = map[string]tmExt{extension: ext}
}

// texts are texts of the host as they can be shown.
func texts(list []string) (out []string) {
	for _, s := range list {
		out = append(out, shorten(s, textLength))
	}
	return out
}

func personas() []tmPersona {
	return []tmPersona{
		{named("outsider", "Outsider", "Somebody who sends packets from outside."), true, "engineer", "anonymous", true, "high"},
		{named("workload", "Workload", "Code in a container, a machine or a sandbox, or what a model told an agent to run."), false, "expert_engineer", "user", true, "moderate"},
		{named("neighbour", "Neighbour", "An account or a service of the host, or somebody in a management network."), true, "insider", "user", true, "low"},
	}
}

// tmAssumptions are the assumptions with why they are not confirmed, and until when they count.
func (m *Model) tmAssumptions() (list []tmAssumption) {
	for i := range m.Report.Assumptions {
		a := &m.Report.Assumptions[i]
		text := a.Statement
		if len(a.Because) > 0 {
			text += " Because: " + strings.Join(a.Because[:min(len(a.Because), maxReasons)], "; ") + "."
		}
		if a.Review != "" {
			text += " To be looked at again by " + a.Review + "."
		}
		x := tmAssumption{Text: shorten(text, textLength), Validity: finding.Unconfirmed}
		if a.Validity == finding.Confirmed || a.Validity == finding.Rejected {
			x.Validity = a.Validity
		}
		for _, topic := range a.Topics {
			if s := slug(topic); s != "" {
				x.Topics = append(x.Topics, s)
			}
		}
		list = append(list, x)
	}
	return list
}

// threatName is the name of the threat that a finding is.
func threatName(f *finding.Finding) string {
	return "threat-" + slug(f.Fingerprint[:min(len(f.Fingerprint), 16)])
}

func (m *Model) tmThreats(t *tmbom) {
	seen := map[string]bool{}
	for i := range m.Nodes {
		n := &m.Nodes[i]
		for _, x := range n.Findings {
			f := x.Finding
			name := threatName(f)
			if seen[name] {
				continue
			}
			seen[name] = true
			threat := tmThreat{
				tmNamed: named(name, f.Message, x.Result.Description), Affected: []string{symbolic(n.Key)}, Persona: persona(n, f),
				Event: shorten(cmp.Or(evidence(f), f.Message, x.Result.Title), textLength), Sources: []string{"adversary"},
			}
			for _, id := range weaknesses(x.Result) {
				threat.Weaknesses = append(threat.Weaknesses, tmCWE{id})
			}
			t.Threats = append(t.Threats, threat)
			if f.Waiver.Holds() {
				continue
			}
			l, impact := m.likelihoodOf(n, f), impactOf(f.Severity)
			t.Risks = append(t.Risks, tmRisk{
				named("risk-"+name, f.Message, x.Result.Title),
				[]string{name},
				likelihoods[l-1], impacts[impact-1],
				"severity " + shorten(f.Severity, titleLength) + " of the check " + shorten(x.Result.ID, titleLength), l * impact, levelOf(l * impact),
			})
		}
	}
}

func (m *Model) tmControls(t *tmbom) {
	seen := map[string]bool{}
	for i := range m.Report.Results {
		r := &m.Report.Results[i]
		name := symbolic("control " + r.ID)
		status := statusOf(r)
		if status == "" || seen[name] {
			continue
		}
		seen[name] = true
		priority := r.Severity
		if finding.Rank(priority) >= finding.Rank("info") {
			priority = "none"
		}
		c := tmControl{tmNamed: named(name, controlTitle(r), controlText(r)), Threats: []string{}, Status: status, Priority: priority}
		for j := range r.Findings {
			c.Threats = append(c.Threats, threatName(&r.Findings[j]))
		}
		t.Controls = append(t.Controls, c)
	}
}

// controlTitle names a check as what keeps its problem away: titles of checks say the problem.
func controlTitle(r *finding.Result) string { return "Prevent: " + r.Title }

// controlText says which check a control is, what came of it, and what to do.
func controlText(r *finding.Result) string {
	text := r.ID + ": "
	if r.Reason != "" {
		text += r.Reason + ". "
	}
	return strings.TrimSpace(text + r.Remediation)
}

func (m *Model) tmDiagrams(t *tmbom) error {
	d := m.Draw()
	for _, x := range []struct {
		kind  string
		write func(io.Writer) error
	}{{"graphviz", d.DOT}, {"svg", func(w io.Writer) error { return d.SVG(w, nil) }}} {
		var b bytes.Buffer
		if err := x.write(&b); err != nil {
			return err
		}
		t.Diagrams = append(t.Diagrams, tmDiagram{d.Title(), x.kind, b.String()})
	}
	return nil
}
