package threatmodel

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

// hostile is a host on which everything has a name that is code somewhere.
func hostile() *finding.Report {
	names := []string{
		`</svg><script>alert(1)</script>`, `"];n1-->n2;["`, `-->`, "a\u202eb\u2066c\u200bd", strings.Repeat("x", 4<<10), "🔥💥 ü 日本", `end`, `\"\N\G`, "a\nb\tc\x00d\x1b[31m",
		`javascript:alert(1)`, `{{.}} ${x} &lt;&amp; %22 #35;`, `click n1 "javascript:alert(1)"`, "'`|~*_", "\xff\xfe", "",
	}
	r := scene()
	r.Host.Name, r.Snapshot.CollectedAt = names[0], names[1]
	for i, n := range names {
		s := finding.Service{Proto: "tcp", Address: "0.0.0.0", Port: 1000 + i, Owner: n, Namespace: "host"}
		key := "container " + n
		r.Exposures = append(r.Exposures, finding.Exposure{Service: s, Zone: External, Origin: n, Family: "ipv4", Verdict: "reachable", Witness: n})
		r.Zones = append(r.Zones, finding.Zone{Name: n, Zone: Workload, Reason: n})
		r.Forwards = append(r.Forwards, finding.Forward{From: n, FromZone: n, To: n, ToZone: n, Verdict: n})
		r.Inventory.Listeners = append(r.Inventory.Listeners, finding.Listener{Key: s.Key(), Class: "ssh", Name: n})
		r.Inventory.Parts = append(
			r.Inventory.Parts, finding.Part{Key: key, Kind: finding.PartContainer, Name: n, Zone: n, Detail: n, In: n, Networks: []string{n}, Auth: []string{n}},
		)
		r.Inventory.Uses = append(r.Inventory.Uses, finding.Use{From: key, Kind: finding.UsePower, Goal: "root", Verdict: "yes", Steps: []string{n}, Cut: []string{n}})
		res := finding.Resource{Kind: "workload", Key: key}
		r.Assumptions = append(r.Assumptions, finding.Assumption{ID: n, Statement: n, Topics: []string{n}, Validity: n, Because: []string{n}, Review: n})
		r.Results = append(r.Results, finding.Result{ID: n, Status: finding.Fail, Severity: n, Title: n, Description: n, Findings: []finding.Finding{{
			Resource: res, Message: n, Severity: "critical", Evidence: []string{n}, Fingerprint: finding.Fingerprint(n, res), Steps: []string{n},
		}}})
	}
	return r
}

// unseen is a host of which nothing could be read.
func unseen() *finding.Report {
	r := scene()
	r.Exposures, r.Forwards, r.Zones, r.Inventory = nil, nil, nil, new(finding.Inventory)
	for i := range r.Results {
		r.Results[i].Status, r.Results[i].Findings, r.Results[i].Reason = finding.Unknown, nil, "not read"
	}
	return r
}

func printed(t *testing.T, write func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tmbomSchemaOf(t *testing.T) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open("testdata/tmbom.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("tmbom.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("tmbom.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func cases() map[string]*finding.Report {
	return map[string]*finding.Report{"scene": scene(), "hostile": hostile(), "unseen": unseen(), "many": many(), "empty": {}}
}

// TestTMBOM: each document holds against the published schema, its names are unique, and what it refers to is there.
func TestTMBOM(t *testing.T) {
	schema := tmbomSchemaOf(t)
	for name, r := range cases() {
		out := printed(t, New(r).TMBOM)
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got tmbom
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		add := func(list ...tmNamed) {
			for _, n := range list {
				if names[n.Name] {
					t.Errorf("%s: %s is there twice", name, n.Name)
				}
				names[n.Name] = true
			}
		}
		add(got.Zones...)
		for _, x := range got.Actors {
			add(x.tmNamed)
		}
		for _, x := range got.Components {
			add(x.tmNamed)
		}
		for _, x := range got.Stores {
			add(x.tmNamed)
		}
		for _, x := range got.Threats {
			add(x.tmNamed)
		}
		for _, x := range got.Flows {
			add(x.tmNamed)
			if !names[x.Source.Object] || !names[x.Dest.Object] {
				t.Errorf("%s: %s leads from or to nowhere", name, x.Name)
			}
		}
		for _, x := range got.Controls {
			add(x.tmNamed)
			for _, threat := range x.Threats {
				if !names[threat] {
					t.Errorf("%s: no threat %s", name, threat)
				}
			}
		}
		for _, x := range got.Risks {
			add(x.tmNamed)
		}
		for _, x := range got.Threats {
			for _, c := range x.Affected {
				if !names[c] {
					t.Errorf("%s: no component %s", name, c)
				}
			}
		}
	}
}

// TestWhatBecomesWhat: a flow that is possible or unknown is a flow, one that is proven impossible a control with its proof; a check is a control whose
// status says what came of it.
func TestWhatBecomesWhat(t *testing.T) {
	m := New(scene())
	var got tmbom
	if err := json.Unmarshal(printed(t, m.TMBOM), &got); err != nil {
		t.Fatal(err)
	}
	if got.Scope.Exposure != "external" || len(got.Zones) != 5 || len(got.Flows) != 8 || len(got.Threats) != 4 || len(got.Risks) != 4 {
		t.Errorf("%s, %d zones, %d flows, %d threats, %d risks", got.Scope.Exposure, len(got.Zones), len(got.Flows), len(got.Threats), len(got.Risks))
	}
	status := map[string]string{}
	for _, c := range got.Controls {
		status[c.Title] = c.Status
	}
	for title, want := range map[string]string{
		"Prevent: title of host/kernel": "suggested", "Prevent: the clock is right": "active", "Prevent: late": "assumed", "No flow: Outsider to tcp 0.0.0.0:22 (sshd): tcp 22": "active",
	} {
		if status[title] != want {
			t.Errorf("%s: %q, want %s", title, status[title], want)
		}
	}
	i := slices.IndexFunc(got.Risks, func(r tmRisk) bool { return strings.Contains(r.Title, "2375") })
	if r := got.Risks[i]; r.Score != 15 || r.Level != "very_high" || r.Likelihood != "possible" || r.Impact != "severe" {
		t.Errorf("%+v", r)
	}
	if b := got.Boundaries[slices.IndexFunc(got.Boundaries, func(b tmBoundary) bool { return b.A == Management && b.B == Host })]; !slices.Equal(b.Methods, []string{"public_key"}) {
		t.Errorf("%+v", b)
	}
	if a := got.Assumed; len(a) != 2 || a[0].Validity != "rejected" || a[0].Topics[0] != "host-os" || !strings.Contains(a[0].Text, "/usr can be written") || a[1].Validity != "unconfirmed" {
		t.Errorf("%+v", a)
	}
	shut := scene()
	shut.Coverage = []finding.Coverage{{Collector: "listeners", Status: "ok"}, {Collector: "network", Status: "ok"}}
	for want, verdict := range map[string]string{"internal": "unreachable", "external": "unknown"} {
		for i := range shut.Exposures {
			shut.Exposures[i].Verdict = verdict
		}
		if got := New(shut).exposure(); got != want || New(unseen()).exposure() != "external" {
			t.Errorf("%s: exposure %s", verdict, got)
		}
	}
	var none tmbom
	if err := json.Unmarshal(printed(t, New(unseen()).TMBOM), &none); err != nil {
		t.Fatal(err)
	}
	for _, c := range none.Controls {
		if c.Status != "assumed" {
			t.Errorf("%s is %s on a host of which nothing was read", c.Title, c.Status)
		}
	}
}

// TestOneListenerMore changes one component, its flows and nothing else.
func TestOneListenerMore(t *testing.T) {
	r := scene()
	var before, after tmbom
	if err := json.Unmarshal(printed(t, New(r).TMBOM), &before); err != nil {
		t.Fatal(err)
	}
	s := finding.Service{Proto: "tcp", Address: "0.0.0.0", Port: 21, Owner: "ftpd", Namespace: "host"}
	r.Exposures = append(r.Exposures, finding.Exposure{Service: s, Zone: External, Origin: "ext0", Family: "ipv4", Verdict: "reachable", Witness: "w"})
	r.Inventory.Listeners = append(r.Inventory.Listeners, finding.Listener{Key: s.Key(), Class: "other", Name: "ftpd"})
	if err := json.Unmarshal(printed(t, New(r).TMBOM), &after); err != nil {
		t.Fatal(err)
	}
	key := symbolic(listenerKey(s.Key()))
	after.Components = slices.DeleteFunc(after.Components, func(c tmComponent) bool { return c.Name == key })
	after.Flows = slices.DeleteFunc(after.Flows, func(f tmFlow) bool { return f.Dest.Object == key })
	before.Diagrams, after.Diagrams, before.Extensions, after.Extensions = nil, nil, nil, nil
	if diff := cmp.Diff(before, after, cmp.AllowUnexported(tmActor{}, tmComponent{}, tmStore{}, tmSet{}, tmFlow{}, tmPersona{}, tmThreat{}, tmControl{}, tmRisk{})); diff != "" {
		t.Error(diff)
	}
}

// TestRoundTrip: what a fix closes is no flow any more, and its control is active under the same name.
func TestRoundTrip(t *testing.T) {
	r := scene()
	var before, after tmbom
	if err := json.Unmarshal(printed(t, New(r).TMBOM), &before); err != nil {
		t.Fatal(err)
	}
	for i := range r.Exposures {
		if e := &r.Exposures[i]; e.Service.Port == 2375 {
			e.Verdict, e.Witness, e.StoppedBy = "unreachable", "", []finding.Cause{{Where: "inet ringfence/input#1", Text: "drop"}}
		}
	}
	r.Results[0].Status, r.Results[0].Findings = finding.Pass, nil
	r.Assumptions[0].Validity = finding.Confirmed
	if err := json.Unmarshal(printed(t, New(r).TMBOM), &after); err != nil {
		t.Fatal(err)
	}
	name := symbolic("flow actor external > listener tcp 0.0.0.0:2375 (dockerd)")
	flow := func(d *tmbom) bool {
		return slices.ContainsFunc(d.Flows, func(f tmFlow) bool { return f.Name == name })
	}
	status := func(d *tmbom, name string) string {
		i := slices.IndexFunc(d.Controls, func(c tmControl) bool { return c.Name == name })
		if i < 0 {
			return ""
		}
		return d.Controls[i].Status
	}
	check := symbolic("control runtime/docker-api-on-tcp")
	if !flow(&before) || flow(&after) || status(&before, name) != "" || status(&after, name) != "active" {
		t.Errorf("the flow: %v, then %v and %q", flow(&before), flow(&after), status(&after, name))
	}
	if a, b := status(&before, check), status(&after, check); a != "suggested" || b != "active" {
		t.Errorf("the control was %s and is %s", a, b)
	}
	if a, b := before.Assumed[0].Validity, after.Assumed[0].Validity; a != "rejected" || b != "confirmed" {
		t.Errorf("the assumption was %s and is %s", a, b)
	}
}

// TestOTM: what a document refers to is there, and it has what the schema requires.
func TestOTM(t *testing.T) {
	for name, r := range cases() {
		var got otm
		if err := json.Unmarshal(printed(t, New(r).OTM), &got); err != nil {
			t.Fatal(err)
		}
		ids, threats, controls := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for _, z := range got.Zones {
			ids[z.ID] = true
		}
		for _, c := range got.Components {
			if ids[c.ID] {
				t.Errorf("%s: %s is there twice", name, c.ID)
			}
			ids[c.ID] = true
		}
		for _, x := range got.Threats {
			threats[x.ID] = true
		}
		for _, x := range got.Controls {
			controls[x.ID] = true
		}
		for _, c := range got.Components {
			if (c.Parent.Zone == "") == (c.Parent.Component == "") || !ids[c.Parent.Zone+c.Parent.Component] {
				t.Errorf("%s: parent %+v of %s", name, c.Parent, c.ID)
			}
			for _, x := range c.Threats {
				if !threats[x.Threat] || !controls[x.Controls[0].Control] {
					t.Errorf("%s: %+v", name, x)
				}
			}
		}
		for _, f := range got.Flows {
			if !ids[f.Source] || !ids[f.Dest] {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if got.Version != "0.2.0" || got.Project.ID == "" || got.Project.Name == "" || len(got.Zones) != 5 {
			t.Errorf("%s: %+v", name, got.Project)
		}
	}
}

// TestOTMIsDrawn: everything has one place in the drawing, beside nothing else and inside what it is in: Threat Dragon takes no model without, and asks
// for the places of each parent.
func TestOTMIsDrawn(t *testing.T) {
	for name, r := range cases() {
		var got otm
		if err := json.Unmarshal(printed(t, New(r).OTM), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Drawings) != 1 || got.Drawings[0].Type != "diagram" {
			t.Fatalf("%s: %+v", name, got.Drawings)
		}
		zone, corner, taken := map[string]otmPlace{}, map[string]otmPoint{}, map[otmPoint]string{}
		place := func(id string, list []otmPlace, from otmPoint) otmPlace {
			if len(list) != 1 || list[0].Drawing != got.Drawings[0].ID || list[0].At.X < 0 || list[0].At.Y < 0 {
				t.Fatalf("%s: %s is at %+v", name, id, list)
			}
			list[0].At = otmPoint{from.X + list[0].At.X, from.Y + list[0].At.Y}
			corner[id] = list[0].At
			return list[0]
		}
		for _, z := range got.Zones {
			from := otmPoint{}
			if z.Parent != nil {
				from = corner[z.Parent.Zone]
			}
			zone[z.ID] = place(z.ID, z.Places, from)
			if at := zone[z.ID]; at.At.X+at.Size.Width > got.Drawings[0].Size.Width || at.At.Y+at.Size.Height > got.Drawings[0].Size.Height {
				t.Errorf("%s: %s ends outside of the drawing", name, z.ID)
			}
		}
		byID, of := map[string]otmComponent{}, map[string]string{}
		for _, c := range got.Components {
			byID[c.ID] = c
		}
		var see func(c otmComponent)
		see = func(c otmComponent) {
			if of[c.ID] != "" {
				return
			}
			from := corner[c.Parent.Zone]
			of[c.ID] = c.Parent.Zone
			if c.Parent.Component != "" {
				see(byID[c.Parent.Component])
				from, of[c.ID] = corner[c.Parent.Component], of[c.Parent.Component]
			}
			at, in := place(c.ID, c.Places, from), zone[of[c.ID]]
			if other := taken[at.At]; other != "" {
				t.Errorf("%s: %s is where %s is", name, c.ID, other)
			}
			taken[at.At] = c.ID
			if at.At.X+at.Size.Width > in.At.X+in.Size.Width || at.At.Y+at.Size.Height > in.At.Y+in.Size.Height {
				t.Errorf("%s: %s at %+v is outside of %s, %+v", name, c.ID, at, of[c.ID], in)
			}
		}
		for _, c := range got.Components {
			see(c)
		}
	}
}

// TestNothingActs: no format of a hostile host has a character that a terminal or a browser acts on, or code of the host.
func TestNothingActs(t *testing.T) {
	for name, r := range cases() {
		m := New(r)
		d := m.Draw()
		for format, write := range map[string]func(io.Writer) error{
			"TM-BOM": m.TMBOM, "OTM": m.OTM, "Mermaid": d.Mermaid, "DOT": d.DOT, "SVG": func(w io.Writer) error { return d.SVG(w, nil) },
		} {
			text := string(printed(t, write))
			for _, c := range text {
				if c != '\n' && (!unicode.IsGraphic(c) || escape.Turns(c)) {
					t.Errorf("%s of %s has %U", format, name, c)
					break
				}
			}
			if format == "SVG" && strings.Contains(text, "<script") {
				t.Errorf("%s of %s has a script", format, name)
			}
		}
	}
}

// TestSVGIsXML: a picture that stands by itself is read by whatever reads XML.
func TestSVGIsXML(t *testing.T) {
	for name, r := range cases() {
		d := xml.NewDecoder(bytes.NewReader(printed(t, func(w io.Writer) error { return New(r).Draw().SVG(w, nil) })))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// mermaidLine and dotLine are the lines that the printers make.
var (
	mermaidLine = regexp.MustCompile(`^(flowchart LR|subgraph zone_[a-z]+\[` + mermaidQuoted + `\]|end|  n\d+(\[|\(\[|\[\()` + mermaidBox + `(\]|\]\)|\)\])|` +
		`  class n\d+ [a-z]+|n\d+ (-->|--x|-\.->)\|` + mermaidQuoted + `\| n\d+|note\[` + mermaidQuoted + `\]|classDef .*)$`)
	dotLine = regexp.MustCompile(`^(digraph ringfence \{|rankdir=LR|label=` + dotQuoted + `|(node|edge) \[.*\]|subgraph cluster_[a-z]+ \{|style=dashed|\}|` +
		`n\d+ \[shape=[a-z]+, label=` + dotQuoted + `(, color="#[0-9a-f]+")?(, penwidth=2)?\]|n\d+ -> n\d+ \[style=[a-z]+, arrowhead=[a-z]+, label=` + dotQuoted + `\])$`)
)

const (
	mermaidQuoted = `"[^"\[\]{}()<>|` + "`" + `]*"`
	mermaidBox    = `"([^"\[\]{}()<>|` + "`" + `]|<br/>)*"`
	dotQuoted     = `"([^"\\]|\\["\\n])*"`
)

// TestMermaidLines: whatever a host calls things, each line is one of those that the printer makes.
func TestMermaidLines(t *testing.T) {
	for name, r := range cases() {
		out := printed(t, New(r).Draw().Mermaid)
		for l := range strings.Lines(string(out)) {
			if !mermaidLine.MatchString(strings.TrimSuffix(l, "\n")) {
				t.Errorf("%s: %s", name, l)
			}
		}
		if len(out) > 50_000 { // maxTextSize of Mermaid
			t.Errorf("%s: %d bytes", name, len(out))
		}
	}
}

// TestDOTLines: as TestMermaidLines, of DOT.
func TestDOTLines(t *testing.T) {
	for name, r := range cases() {
		for l := range strings.Lines(string(printed(t, New(r).Draw().DOT))) {
			if !dotLine.MatchString(strings.TrimSuffix(l, "\n")) {
				t.Errorf("%s: %s", name, l)
			}
		}
	}
}

// TestNamesStay: the names of a model depend on nothing but the keys of what is named.
func TestNamesStay(t *testing.T) {
	name := regexp.MustCompile(`^[0-9a-z-]+$`)
	names := map[string]string{}
	for _, key := range []string{"listener tcp 0.0.0.0:22 (sshd)", "listener tcp 0.0.0.0 22 sshd", "container ü", "container ö", "", "goal root", "goal röt", "actor ü", "actor ö", strings.Repeat("y", 300)} {
		s := symbolic(key)
		if !name.MatchString(s) || len(s) > 80 || slices.Contains(slices.Collect(maps.Values(names)), s) {
			t.Errorf("%q: %s", key, s)
		}
		names[key] = s
	}
	if names["listener tcp 0.0.0.0:22 (sshd)"] != "listener-tcp-0-0-0-0-22-sshd-0ad50176" {
		t.Errorf("%v: what other tools keep by this name is lost", names)
	}
}
