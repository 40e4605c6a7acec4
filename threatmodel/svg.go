package threatmodel

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed picture.svg.tmpl
var pictureText string

//go:embed picture.css
var pictureStyle string

// picture is the template of a picture; html/template escapes whatever of the host is in it.
var picture = template.Must(template.New("picture").Parse(pictureText))

// SVG writes a drawing as SVG that stands by itself, or if link is given as a part of a page: link is where a finding stands in it, "" if it
// does not.
func (d *Drawing) SVG(w io.Writer, link func(fingerprint string) string) error {
	l := d.arrange()
	v := view{Note: d.Note(), Width: l.Width, Height: l.Height, Areas: l.Areas, Alone: link == nil, Title: d.Title(), Text: d.summary()}
	if v.Alone {
		v.Style = template.CSS(pictureStyle) //nolint:gosec // it is a file of the program
		link = func(string) string { return "" }
	}
	for i := range l.Boxes {
		v.Boxes = append(v.Boxes, viewBox(&l.Boxes[i], link))
	}
	for i := range l.Routes {
		v.Lines = append(v.Lines, d.viewLine(&l.Routes[i]))
	}
	if err := picture.Execute(w, v); err != nil {
		return fmt.Errorf("write SVG: %w", err)
	}
	return nil
}

// Style is the style of the picture, for a page that it is a part of.
func Style() template.CSS { return template.CSS(pictureStyle) } //nolint:gosec // it is a file of the program

// Title names the picture.
func (d *Drawing) Title() string {
	return "Data flows and trust boundaries of " + shorten(d.Model.Report.Host.Name, 60)
}

// summary says what the picture shows, for who does not see it.
func (d *Drawing) summary() string {
	n := map[Verdict]int{}
	for i := range d.Lines {
		n[d.Lines[i].Verdict]++
	}
	return fmt.Sprintf("%d boxes in the zones External, Management, Host with Runtime inside, and Workload; %d flows are possible, %d are proven impossible, "+
		"%d are unknown. The tables have the same, and what is not drawn.", len(d.Boxes), n[Possible], n[Impossible], n[Unknown])
}

// view is what the template is given.
type view struct {
	Width, Height int
	Title, Text   string
	Note          string
	Style         template.CSS
	Alone         bool
	Areas         []area
	Boxes         []boxView
	Lines         []lineView
}

type boxView struct {
	placed
	Class, Link  string
	Stripe       bool
	Title, Hover string
	TextX, TextY int
	Lines        []textLine
}

type textLine struct {
	Y           int
	Text, Class string
}

func viewBox(p *placed, link func(string) string) boxView {
	b := boxView{placed: *p, Class: "box " + string(p.Box.Kind), TextX: p.X + 12, Title: shorten(p.Box.Title, (p.W-18)*10/77)}
	lines := p.Box.Lines()
	found := p.Box.Found()
	b.TextY = p.Y + (p.H-p.Box.rows()*boxLine)/2 + 12
	y := b.TextY
	for _, s := range lines {
		y += boxLine
		b.Lines = append(b.Lines, textLine{y, shorten(s, (p.W-18)*10/66), "sub"})
	}
	if found != "" {
		class := "sub"
		if s := p.Box.Worst(); s != "" {
			b.Class += " " + s
			b.Stripe = true
			class = "found " + s
		}
		b.Lines = append(b.Lines, textLine{y + boxLine, found, class})
	}
	if p.Box.First != "" {
		b.Link = link(p.Box.First)
	}
	b.Hover = shorten(strings.Join(append([]string{p.Box.Title}, lines...), "; "), 300)
	if found != "" {
		b.Hover += ": " + found
	}
	return b
}

type lineView struct {
	Class          string
	Path           string
	Label, Hover   string
	Anchor         string
	LabelX, LabelY int
}

func (d *Drawing) viewLine(r *route) lineView {
	v := lineView{
		Class: "flow " + string(r.Line.Verdict), Label: r.Label, Anchor: r.Anchor, LabelX: r.LabelX, LabelY: r.LabelY,
	}
	var b strings.Builder
	for i, p := range r.Points {
		fmt.Fprintf(&b, "%c%d %d", "ML"[min(i, 1)], p.X, p.Y)
	}
	v.Path = b.String()
	f := &d.Model.Flows[r.Line.Flows[0]]
	v.Hover = shorten(fmt.Sprintf("%s to %s: %s (%s)%s", d.box(r.Line.From).Title, d.box(r.Line.To).Title, r.Line.Label(200), r.Line.Verdict, f.why()), 400)
	return v
}

// why is what shows the verdict of a flow, with a colon before it.
func (f *Flow) why() string {
	switch {
	case f.Witness != "":
		return ": " + f.Witness
	case len(f.Steps) > 0:
		return ": " + strings.Join(f.Steps, "; ")
	case len(f.StoppedBy) > 0:
		return ": " + strings.Join(f.StoppedBy, "; ")
	case len(f.Because) > 0:
		return ": because " + strings.Join(f.Because, "; ")
	default:
		return ""
	}
}
