package declared

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/assume"
	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/words"
)

// document is what is read of a TM-BOM (OWASP Threat Model Library, 1.0.2). The rest is for people.
type document struct {
	Zones       []named     `json:"trust_zones"`
	Actors      []named     `json:"actors"`
	Components  []named     `json:"components"`
	Stores      []named     `json:"data_stores"`
	Flows       []crossing  `json:"data_flows"`
	Assumptions []statement `json:"assumptions"`
	// Extensions are ours, where there are some: by what a flow goes.
	Extensions map[string]json.RawMessage `json:"extensions"`
}

type named struct {
	Name  string `json:"symbolic_name"`
	Title string `json:"title"`
	Zone  string `json:"trust_zone"`
}

type crossing struct {
	Name   string `json:"symbolic_name"`
	Title  string `json:"title"`
	Source end    `json:"source"`
	Dest   end    `json:"destination"`
}

type end struct {
	Type   string `json:"type"`
	Object string `json:"object"`
}

type statement struct {
	Text   string   `json:"description"`
	Topics []string `json:"topics"`
}

// extension is the key under which the program's own documents say by what flows go.
const extension = "github.com/ringfence/ringfence/reach"

type extended struct {
	Flows map[string]struct {
		Kind string `json:"kind"`
	} `json:"flows"`
}

// isTMBOM says whether a text is one: an object of JSON that has zones in the way of that format.
func isTMBOM(text []byte) bool {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] != '{' {
		return false
	}
	var d struct {
		Zones *json.RawMessage `json:"trust_zones"`
		Flows *json.RawMessage `json:"data_flows"`
	}
	return json.Unmarshal(text, &d) == nil && d.Zones != nil && d.Flows != nil
}

// ofTMBOM reads a TM-BOM. Its zones have to be called as those of the program; its flows are between objects, each in a zone: one that leads to a
// component which is called as a socket is about that, one that our own documents say is forwarded is that, and all others stand for whatever crosses the
// boundary. Flows to stores are none of packets.
func ofTMBOM(text []byte) (*Model, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, err
	}
	var ext extended
	if raw, ok := d.Extensions[extension]; ok {
		if err := json.Unmarshal(raw, &ext); err != nil {
			return nil, fmt.Errorf("extensions: %w", err)
		}
	}
	zones, err := d.zones()
	if err != nil {
		return nil, err
	}
	objects := map[string]named{}
	for _, list := range [][]named{d.Actors, d.Components, d.Stores} {
		for _, o := range list {
			objects[o.Name] = o
		}
	}
	m := &Model{Version: 1, Flows: []Flow{}}
	for i, c := range d.Flows {
		f, err := c.flow(zones, objects, ext.Flows[c.Name].Kind)
		if err != nil {
			return nil, fmt.Errorf("data_flows[%d] (%s): %w", i, c.Name, err)
		}
		if f != nil {
			m.Flows = append(m.Flows, *f)
		}
	}
	m.Assumptions, err = d.assumptions()
	return m, err
}

// zones are the program's names of the zones of a document.
func (d *document) zones() (map[string]string, error) {
	out := map[string]string{}
	for _, z := range d.Zones {
		name := strings.ToLower(z.Name)
		if !slices.Contains(Names, name) {
			name = strings.ToLower(z.Title)
		}
		if !slices.Contains(Names, name) {
			return nil, fmt.Errorf("trust zone %q: %w", z.Name, words.Wrong(name, Names))
		}
		out[z.Name] = name
	}
	return out, nil
}

// socketTitle is how a component is called that is a socket: as the key of a service.
var socketTitle = regexp.MustCompile(`^(tcp|udp|sctp|udplite) \S+:[0-9]+ \(.*\)`)

// flow is a flow of packets, nil if it is none or crosses no boundary.
func (c *crossing) flow(zones map[string]string, objects map[string]named, kind string) (*Flow, error) {
	source, ok := objects[c.Source.Object]
	dest, found := objects[c.Dest.Object]
	switch {
	case !ok || !found:
		return nil, errors.New("its source or destination is not in the document")
	case c.Dest.Type == "data-store" || c.Source.Type == "data-store" || kind != "" && kind != "network" && kind != "forward":
		return nil, nil
	}
	f := &Flow{From: zones[source.Zone], To: zones[dest.Zone], title: escape.Text(c.Title, false)}
	if f.title == "" {
		f.title = escape.Text(c.Name, false)
	}
	if f.From == "" || f.To == "" {
		return nil, errors.New("its source or destination is in no trust zone of the document")
	}
	switch {
	case kind == "forward":
	case socketTitle.MatchString(dest.Title):
		f.key = dest.Title
	default:
		f.whatever = true
		if f.To == "runtime" { // what listens there is in the network of the host
			f.To = "host"
		}
	}
	if f.From == f.To && f.key == "" {
		return nil, nil
	}
	return f, nil
}

var notInID = regexp.MustCompile(`[^a-z0-9]+`)

// assumptions are those of a document. One that says what a shipped one says is held as that is; of the others the format does not tell how.
func (d *document) assumptions() (list []assume.Assumption, err error) {
	seen := map[string]bool{}
	for i, s := range d.Assumptions {
		a, known, err := assume.Stated(s.Text)
		if err != nil {
			return nil, err
		}
		if !known {
			id := strings.Trim(notInID.ReplaceAllString(strings.ToLower(s.Text), "-"), "-")
			a = assume.Untold(strings.Trim(id[:min(len(id), 40)], "-"), escape.Text(s.Text, false), s.Topics)
		}
		if a.ID == "" || seen[a.ID] {
			a.ID = strings.Trim(fmt.Sprintf("%s-%d", a.ID, i), "-")
		}
		seen[a.ID] = true
		list = append(list, a)
	}
	return list, nil
}
