package reports_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/snapshot"
)

// ways are answers about one agent: two steps to root, the filter with it, and a service that gets nowhere, with a name that is hostile.
func ways() []power.Answer {
	agent := power.Principal{Key: "agent a", Name: "A", Kind: power.Agent, State: power.State{UID: 1000, Groups: []int{1000}, Place: power.OnHost}}
	bob := &power.State{UID: 1001, Groups: []int{1001}, Place: power.OnHost}
	path := []power.Edge{
		{Kind: power.ByFile, Object: "/opt/b", Text: "everybody can change /opt/b", Trigger: snapshot.TriggerTimer, To: bob},
		{Kind: power.BySudo, Object: "bob: ALL", Text: "sudo lets it run \"x\" as root\n\x1b[31m", Trigger: snapshot.TriggerNone, Goal: power.Root},
	}
	evil := power.Principal{Key: "service e", Name: "e\"]; click n0 \x1b[2J<script>", Kind: power.Service, State: power.State{UID: 7, Place: power.Apart, NoNewPrivs: true}}
	return []power.Answer{
		{Principal: agent, Goal: power.Root, Verdict: power.Yes, Path: path, Trigger: snapshot.TriggerTimer, Cut: []string{"permissions of /opt/b"}},
		{Principal: agent, Goal: power.Filter, Verdict: power.Yes, Path: path, Trigger: snapshot.TriggerTimer},
		{Principal: evil, Goal: power.Root, Verdict: power.No, Closed: []power.State{evil.State}},
		{Principal: evil, Goal: power.Secret, Verdict: power.Unknown, Because: []string{"it was not read"}},
	}
}

func TestPathsText(t *testing.T) {
	want := `A (uid 1000, on the host)
  root of the host           YES, at the next run of a timer
      1. everybody can change /opt/b
      2. sudo lets it run "x" as root\n\x1b[31m
      to end it: change permissions of /opt/b

e"]; click n0 \x1b[2J<script> (uid 7, with mounts of its own, gets no new privileges)
  root of the host           no: nothing leads there from 1 state
  secrets of the host        unknown
      because it was not read
`
	got, granted, _ := strings.Cut(reports.PathsText(ways()), "\nEach no takes for granted that\n")
	if granted == "" {
		t.Error("a no does not say what it takes for granted")
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if text := reports.PathsText(nil); !strings.HasPrefix(text, "nobody") {
		t.Error(text)
	}
}

// TestWhatANoTakesForGranted: a document with a no says what was not looked at, and one without does not.
func TestWhatANoTakesForGranted(t *testing.T) {
	if p := reports.NewPaths(ways()); !slices.Equal(p.Granted, power.Granted) {
		t.Errorf("granted is %q", p.Granted)
	}
	if p := reports.NewPaths(ways()[:1]); p.Granted != nil || strings.Contains(reports.PathsText(ways()[:1]), "for granted") {
		t.Error("an answer that is no no takes something for granted")
	}
}

func TestPathsMermaid(t *testing.T) {
	list := ways()
	list[2].Verdict, list[2].Path = power.Yes, list[0].Path
	got := reports.PathsMermaid(list)
	want := `flowchart LR
  n0["A"]
  n1["uid 1001, on the host"]
  n0 -->|"everybody can change /opt/b"| n1
  n2["root of the host"]
  n1 -->|"sudo lets it run #34;x#34; as root#92;n#92;x1b#91;31m"| n2
  n3["e#34;#93;#59; click n0 #92;x1b#91;2J#60;script#62;"]
  n3 -->|"everybody can change /opt/b"| n1
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestPathsMermaidIsNoMarkdown: labels of Mermaid are Markdown, in which what a host calls something has no stress.
func TestPathsMermaidIsNoMarkdown(t *testing.T) {
	list := ways()
	list[0].Principal.Name = "**a** __b__ ~c~"
	if got := reports.PathsMermaid(list); strings.ContainsAny(got, "*_~") {
		t.Error(got)
	}
}

func TestOpenGraph(t *testing.T) {
	b, err := json.Marshal(reports.NewOpenGraph("h", ways()))
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Metadata struct {
			SourceKind string `json:"source_kind"`
		}
		Graph struct {
			Nodes []struct {
				ID    string
				Kinds []string
			}
			Edges []struct {
				Kind       string
				Start, End struct{ Value string }
			}
		}
	}
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	if g.Metadata.SourceKind != "Ringfence" || len(g.Graph.Nodes) != 3 || len(g.Graph.Edges) != 2 || g.Graph.Edges[0].Kind != "RFByFile" {
		t.Errorf("%s", b)
	}
	ids := map[string]bool{}
	for _, n := range g.Graph.Nodes {
		ids[n.ID] = true
	}
	for _, e := range g.Graph.Edges {
		if !ids[e.Start.Value] || !ids[e.End.Value] {
			t.Errorf("an edge without its ends: %+v", e)
		}
	}
}
