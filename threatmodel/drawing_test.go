package threatmodel

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
)

// many is a host with so many programs, containers and files that they cannot all be drawn.
func many() *finding.Report {
	r := scene()
	for i := range 300 {
		s := finding.Service{Proto: "tcp", Address: "0.0.0.0", Port: 3000 + i, Owner: fmt.Sprintf("program%d", i/20), Namespace: "host"}
		verdict := []string{"reachable", "unreachable", "unknown"}[i%3]
		r.Exposures = append(r.Exposures, finding.Exposure{Service: s, Zone: External, Origin: "ext0", Family: "ipv4", Verdict: verdict})
		r.Inventory.Listeners = append(r.Inventory.Listeners, finding.Listener{Key: s.Key(), Class: "other", Name: s.Owner})
	}
	for i := range 500 {
		key := fmt.Sprintf("container c%d", i)
		s := finding.Service{Proto: "tcp", Address: "0.0.0.0", Port: 9000 + i, Owner: "app", Namespace: key}
		r.Exposures = append(r.Exposures, finding.Exposure{Service: s, Zone: External, Origin: "ext0", Family: "ipv4", Verdict: "reachable"})
		r.Inventory.Listeners = append(r.Inventory.Listeners, finding.Listener{Key: s.Key(), Class: "other", Part: key, Name: "app"})
		r.Inventory.Parts = append(r.Inventory.Parts, finding.Part{Key: key, Kind: finding.PartContainer, Name: key, Zone: Workload})
		r.Inventory.Uses = append(r.Inventory.Uses, finding.Use{From: key, Kind: finding.UsePower, Goal: "root", Verdict: []string{"yes", "unknown"}[i%2]})
		if i%2 == 0 {
			what := finding.Resource{Kind: "workload", Key: key}
			r.Results[0].Findings = append(r.Results[0].Findings, finding.Finding{
				Resource: what, Severity: finding.Severities[i%5], Fingerprint: finding.Fingerprint("x", what), Message: "m",
			})
		}
	}
	return r
}

// TestDrawingOfManyIsReadable: a zone has few boxes, and what is not drawn is counted.
func TestDrawingOfManyIsReadable(t *testing.T) {
	d := New(many()).Draw()
	in := map[string]int{}
	findings := 0
	for i := range d.Boxes {
		b := &d.Boxes[i]
		in[b.Zone]++
		for _, n := range b.Counts {
			findings += n
		}
		if len(b.Lines()) > maxListeners+2 {
			t.Errorf("%s has %d lines", b.Title, len(b.Lines()))
		}
	}
	for zone, n := range in {
		if n > maxBoxes+3 {
			t.Errorf("%d boxes in %s", n, zone)
		}
	}
	if len(d.Lines) > 80 {
		t.Errorf("%d lines", len(d.Lines))
	}
	if findings != 254 {
		t.Errorf("%d findings are on the boxes", findings)
	}
	if _, ok := d.at["listeners "+Workload]; !ok {
		t.Error("what reaches 500 containers is not one line")
	}
	if !slices.ContainsFunc(d.Boxes, func(b Box) bool { return strings.HasPrefix(b.Key, "more "+Workload) }) {
		t.Error("nothing says that there are more containers")
	}
}

// TestPlaces: no box lies on another one, each is inside of its boundary, and each line begins and ends at its boxes.
func TestPlaces(t *testing.T) {
	for name, r := range map[string]*finding.Report{"scene": scene(), "many": many(), "hostile": hostile(), "unseen": unseen()} {
		l := New(r).Draw().arrange()
		for i := range l.Boxes {
			a := &l.Boxes[i]
			if a.Y < 0 || a.Y+a.H > l.Height || a.X < 0 || a.X+a.W > l.Width {
				t.Errorf("%s: %s is outside", name, a.Box.Title)
			}
			for j := range i {
				b := &l.Boxes[j]
				if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
					t.Errorf("%s: %s lies on %s", name, a.Box.Title, b.Box.Title)
				}
			}
			title := l.d.Model.Zone(a.Box.Zone).Title
			z := l.Areas[slices.IndexFunc(l.Areas, func(z area) bool { return z.Title == title })]
			if a.X < z.X || a.Y < z.Y+zoneHead || a.X+a.W > z.X+z.W || a.Y+a.H > z.Y+z.H {
				t.Errorf("%s: %s is not inside of %s", name, a.Box.Title, title)
			}
		}
		for i := range l.Routes {
			r := &l.Routes[i]
			for at, key := range map[point]string{r.Points[0]: r.Line.From, r.Points[len(r.Points)-1]: r.Line.To} {
				b := &l.Boxes[l.at[key]]
				if at.X != b.X && at.X != b.X+b.W || at.Y < b.Y || at.Y > b.Y+b.H {
					t.Errorf("%s: a line of %s is at %+v", name, b.Box.Title, at)
				}
			}
		}
		if len(l.Areas) != len(order) {
			t.Errorf("%s: %d boundaries", name, len(l.Areas))
		}
	}
}

// TestWhatIsDrawn: what is impossible is drawn only if a check asks for it; each verdict has a line of its own that can be told without colour.
func TestWhatIsDrawn(t *testing.T) {
	d := New(scene()).Draw()
	got := map[Verdict]int{}
	for i := range d.Lines {
		got[d.Lines[i].Verdict]++
	}
	if got[Possible] != 6 || got[Unknown] != 2 || got[Impossible] != 2 || d.LeftOut != 1 {
		t.Errorf("%v, %d left out", got, d.LeftOut)
	}
	svg := string(printed(t, func(w io.Writer) error { return d.SVG(w, nil) }))
	for _, want := range []string{
		`class="flow impossible"`, `class="flow unknown"`, ">✕ tcp 22<", ">? tcp 22<", `class="box component critical"`, "1 question is left open", ">/run/docker.sock<",
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(svg, "<a ") {
		t.Error("a picture that stands by itself has links")
	}
	page := string(printed(t, func(w io.Writer) error { return d.SVG(w, func(id string) string { return "#" + id[:4] }) }))
	if !strings.Contains(page, `<a href="#`) || strings.Contains(page, "<style>") {
		t.Error("a picture in a page has its own style, or no links")
	}
}

// TestNoteOfWhatIsNotKnown: what accounts and services can become has no lines where it is not known, and a picture without a table says so.
func TestNoteOfWhatIsNotKnown(t *testing.T) {
	r := scene()
	r.Inventory.Parts = append(r.Inventory.Parts, finding.Part{Key: "account ann", Kind: finding.PartAccount, Name: "ann", Zone: Host})
	r.Inventory.Uses = append(r.Inventory.Uses, finding.Use{From: "account ann", Kind: finding.UsePower, Goal: "root", Verdict: "unknown", Because: []string{"sudo was not read"}})
	if note := New(r).Draw().Note(); !strings.Contains(note, "what services and accounts can become is unknown") {
		t.Error(note)
	}
}

// TestLabel: ports of one protocol stand together, and what is left out is counted.
func TestLabel(t *testing.T) {
	for _, c := range []struct {
		labels []string
		n      int
		want   string
	}{
		{[]string{"tcp 22"}, 18, "tcp 22"},
		{[]string{"tcp 22", "tcp 80", "udp 53"}, 40, "tcp 22, 80, udp 53"},
		{[]string{"tcp 22", "tcp 80", "tcp 443", "tcp 8080", "tcp 8443", "tcp 9000"}, 18, "tcp 22, 80 +4"},
		{[]string{strings.Repeat("x", 50), "y"}, 18, strings.Repeat("x", 13) + "… +1"},
		{[]string{strings.Repeat("x", 50)}, 18, strings.Repeat("x", 17) + "…"},
	} {
		l := &Line{Kind: ByNetwork, Labels: c.labels}
		if got := l.Label(c.n); got != c.want {
			t.Errorf("%v: %q, want %q", c.labels, got, c.want)
		}
	}
}
