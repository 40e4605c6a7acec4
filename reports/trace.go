package reports

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/trace"
)

// Trace is a fate with the way to it: the JSON of "ringfence trace -f json".
type Trace struct {
	Schema string `json:"schema"` // always ringfence.trace/v1
	trace.Fate
	Path    []trace.Step `json:"path"`              // what decided, in the order of the way
	Because []Doubt      `json:"because,omitempty"` // what an unknown fate hangs on
}

// NewTrace is what became of a packet.
func NewTrace(f *trace.Fate) *Trace {
	t := &Trace{Schema: "ringfence.trace/v1", Fate: *f, Path: f.Path}
	if t.Path == nil {
		t.Path = []trace.Step{}
	}
	for _, c := range f.Because {
		t.Because = append(t.Because, Doubt{Where: c.Where, Why: c.Text})
	}
	return t
}

// TraceText draws the way of a packet as a list of stations, the deciding one last.
func TraceText(p *packet.Packet, f *trace.Fate) string {
	b := new(bytes.Buffer)
	fmt.Fprintf(b, "%s, in by %s\n", Clean(p.String(), false), Clean(p.In, false))
	var hook packet.Hook
	for _, s := range f.Path {
		if s.Table == "" {
			hook = ""
			fmt.Fprintf(b, "  -> %s\n", Clean(s.Effect, false))
			continue
		}
		if s.Hook != hook {
			hook = s.Hook
			fmt.Fprintf(b, "  %s\n", hook)
		}
		place := fmt.Sprintf("%s %s/%s", s.Family, s.Table, s.Chain)
		if s.Rule != 0 {
			place += fmt.Sprintf("#%d", s.Rule)
		}
		fmt.Fprintf(b, "     %-8s %s: %s\n", s.Effect, Clean(place, false), Clean(s.Text, false))
	}
	fmt.Fprintf(b, "fate: %s", f.Fate)
	for _, w := range []struct{ name, value string }{
		{"by", f.Rule}, {"out", f.Oif}, {"to", f.To}, {"socket", f.Socket}, {"because", f.Why},
	} {
		if w.value != "" {
			fmt.Fprintf(b, ", %s %s", w.name, Clean(w.value, false))
		}
	}
	b.WriteByte('\n')
	for _, c := range f.ByTraffic {
		fmt.Fprintf(b, "  %s", c.Fate.Fate)
		if c.Fate.Rule != "" {
			fmt.Fprintf(b, " by %s", Clean(c.Fate.Rule, false))
		}
		fmt.Fprintf(b, " if %s\n", conditionText(c.If))
	}
	return b.String()
}

// conditionText is conditions in one line.
func conditionText(list []packet.Condition) string {
	var texts []string
	for _, c := range list {
		texts = append(texts, Clean(c.String(), false))
	}
	return strings.Join(texts, ", and ")
}
