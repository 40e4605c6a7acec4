package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/trace"
)

// Reach is the answer to a question about packets, and its types are the specification of the JSON that
// "ringfence reach -f json" prints.
type Reach struct {
	Schema      string               `json:"schema"`                // always ringfence.reach/v1
	Question    map[string]any       `json:"question"`              // what was asked, as it was typed
	Verdict     packet.Verdict       `json:"verdict"`               // the answer
	Witness     *packet.Packet       `json:"witness,omitempty"`     // a packet that gets there
	Fate        *trace.Fate          `json:"fate,omitempty"`        // what becomes of the witness
	Conditions  []packet.Condition   `json:"conditions,omitempty"`  // how traffic has to have left limits and the like for the witness to arrive
	Path        []trace.Step         `json:"path,omitempty"`        // what decided about the witness
	StoppedBy   []packet.Cause       `json:"stopped_by,omitempty"`  // what stops packets, if none gets there
	Certificate []packet.Certificate `json:"certificate,omitempty"` // the proof, if none gets there
	Checked     bool                 `json:"checked,omitempty"`     // the witness arrived, or the certificate held
	Because     []Doubt              `json:"because,omitempty"`     // what an unknown answer hangs on
}

// Doubt is what an unknown answer hangs on.
type Doubt struct {
	packet.Where
	Expression string `json:"expression,omitempty"` // what of the rule is not understood
	Why        string `json:"why"`                  // in words
}

// Doubts are causes of an unknown answer.
func Doubts(causes []packet.Cause) []Doubt {
	var out []Doubt
	for _, c := range causes {
		out = append(out, Doubt{c.Where, c.Text, c.Text})
	}
	return out
}

// WriteJSON writes a value as indented JSON, with what is special in HTML as it is.
func WriteJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// maxListed bounds the causes that the text shows.
const maxListed = 20

// Text is the answer for a person.
func (a *Reach) Text() string {
	b := new(bytes.Buffer)
	fmt.Fprintln(b, a.Verdict)
	if len(a.Conditions) > 0 {
		fmt.Fprintf(b, "if %s\n", conditionText(a.Conditions))
	}
	if a.Witness != nil {
		b.WriteString("witness: ")
		f := *a.Fate
		f.Path = a.Path
		b.WriteString(TraceText(a.Witness, &f))
	}
	list := func(title string, n int, line func(int) string) {
		if n == 0 {
			return
		}
		fmt.Fprintln(b, title)
		for i := range min(n, maxListed) {
			fmt.Fprintf(b, "  %s\n", Clean(line(i), false))
		}
		if n > maxListed {
			fmt.Fprintf(b, "  and %d more\n", n-maxListed)
		}
	}
	list("stopped by:", len(a.StoppedBy), func(i int) string { return a.StoppedBy[i].String() })
	list("because:", len(a.Because), func(i int) string {
		return packet.Cause{Where: a.Because[i].Where, Text: a.Because[i].Why}.String()
	})
	cubes := 0
	for _, p := range a.Certificate {
		cubes += len(p.Cubes)
	}
	if cubes > 0 {
		checked := ""
		if a.Checked {
			checked = ", re-checked"
		}
		fmt.Fprintf(b, "proof: %d disjoint parts of the question, each stopped%s (-f json shows them)\n", cubes, checked)
	}
	return b.String()
}
