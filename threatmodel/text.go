package threatmodel

import (
	"fmt"
	"io"
	"strings"

	"github.com/ringfence/ringfence/escape"
)

// arrows are how Mermaid and DOT draw a verdict.
var arrows = map[Verdict]struct{ mermaid, style, head, mark string }{
	Possible:   {"-->", "solid", "normal", ""},
	Impossible: {"--x", "dotted", "tee", "✕ "},
	Unknown:    {"-.->", "dashed", "normal", "? "},
}

// boxText is a box in a few words, a line each.
func boxText(b *Box) []string {
	list := []string{shorten(b.Title, titleWidth)}
	lines := b.Lines()
	for _, s := range lines[:min(len(lines), maxLabels)] {
		list = append(list, shorten(s, titleWidth))
	}
	if n := len(lines) - maxLabels; n > 0 {
		list = append(list, fmt.Sprintf("and %d more", n))
	}
	if s := b.Found(); s != "" {
		list = append(list, s)
	}
	return list
}

// byZone writes the boxes of each zone between what begins and what ends it. Runtime is inside of Host.
func (d *Drawing) byZone(begin func(Zone), box func(int), end func()) {
	write := func(zone string) {
		for i := range d.Boxes {
			if d.Boxes[i].Zone == zone {
				box(i)
			}
		}
	}
	for _, z := range d.Model.Zones {
		if z.In != "" {
			continue
		}
		begin(z)
		write(z.Key)
		for _, inner := range d.Model.Zones {
			if inner.In == z.Key {
				begin(inner)
				write(inner.Key)
				end()
			}
		}
		end()
	}
}

// Mermaid writes a drawing as a flowchart of Mermaid.
func (d *Drawing) Mermaid(w io.Writer) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	d.byZone(func(z Zone) {
		fmt.Fprintf(&b, "subgraph zone_%s[\"%s\"]\n", z.Key, z.Title)
	}, func(i int) {
		open, shut := "[", "]"
		switch d.Boxes[i].Kind {
		case Actor:
			open, shut = "([", "])"
		case Store:
			open, shut = "[(", ")]"
		default:
		}
		var text []string
		for _, s := range boxText(&d.Boxes[i]) {
			text = append(text, MermaidText(s))
		}
		fmt.Fprintf(&b, "  n%d%s\"%s\"%s\n", i, open, strings.Join(text, "<br/>"), shut)
		if s := d.Boxes[i].Worst(); s != "" {
			fmt.Fprintf(&b, "  class n%d %s\n", i, s)
		}
	}, func() { b.WriteString("end\n") })
	for i := range d.Lines {
		l := &d.Lines[i]
		a := arrows[l.Verdict]
		fmt.Fprintf(&b, "n%d %s|\"%s\"| n%d\n", d.at[l.From], a.mermaid, MermaidText(a.mark+l.Label(titleWidth)), d.at[l.To])
	}
	if note := d.Note(); note != "" {
		fmt.Fprintf(&b, "note[\"%s\"]\n", MermaidText(note))
	}
	b.WriteString("classDef critical stroke:#a40e26,stroke-width:3px\nclassDef high stroke:#b3401a,stroke-width:3px\n" +
		"classDef medium stroke:#7d5600,stroke-width:2px\nclassDef low stroke:#0a5c8c\nclassDef info stroke:#57606a\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write Mermaid: %w", err)
	}
	return nil
}

// MermaidText is a text between quotes of Mermaid: what its grammar, its Markdown or HTML acts on is written as entities.
func MermaidText(text string) string {
	var b strings.Builder
	for _, r := range escape.Text(text, false) {
		if r < 0x80 && !strings.ContainsRune("\"#&<>|[]{}()`;%\\*_~", r) || r >= 0xa0 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}

// DOT writes a drawing in the language of Graphviz.
func (d *Drawing) DOT(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph ringfence {\nrankdir=LR\nlabel=%s\nnode [shape=box, fontname=\"sans-serif\", fontsize=11]\n"+
		"edge [fontname=\"sans-serif\", fontsize=9]\n", dotText(strings.TrimSuffix(d.Title()+"\n"+d.Note(), "\n")))
	d.byZone(func(z Zone) {
		fmt.Fprintf(&b, "subgraph cluster_%s {\nlabel=%s\nstyle=dashed\n", z.Key, dotText(z.Title))
	}, func(i int) {
		shape := map[NodeKind]string{Actor: "ellipse", Component: "box", Store: "cylinder"}[d.Boxes[i].Kind]
		fmt.Fprintf(&b, "n%d [shape=%s, label=%s%s]\n", i, shape, dotText(strings.Join(boxText(&d.Boxes[i]), "\n")), dotColor[d.Boxes[i].Worst()])
	}, func() { b.WriteString("}\n") })
	for i := range d.Lines {
		l := &d.Lines[i]
		a := arrows[l.Verdict]
		fmt.Fprintf(&b, "n%d -> n%d [style=%s, arrowhead=%s, label=%s]\n", d.at[l.From], d.at[l.To], a.style, a.head, dotText(a.mark+l.Label(titleWidth)))
	}
	b.WriteString("}\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write DOT: %w", err)
	}
	return nil
}

var dotColor = map[string]string{
	"critical": ", color=\"#a40e26\", penwidth=2", "high": ", color=\"#b3401a\", penwidth=2", "medium": ", color=\"#7d5600\", penwidth=2", "low": ", color=\"#0a5c8c\"",
}

// dotText is a string of DOT. A backslash is doubled, so that no escape of labels (\N, \G, \l) is made of what a host calls something; an
// ampersand is written as an entity, since Graphviz reads those of HTML in every string.
func dotText(s string) string {
	s = escape.Text(s, true)
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "&", "&amp;").Replace(s) + `"`
}
