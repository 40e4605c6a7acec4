// Package declared holds a model of a host that people wrote against what was seen of it: zones with their interfaces, the flows that are meant to
// cross their boundaries, and assumptions. A real flow that nobody declared is a finding with its witness, and a declared one that is impossible is
// one with its proof. What is not known is neither.
package declared

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/assume"
	"github.com/ringfence/ringfence/words"
	"github.com/ringfence/ringfence/yamlfile"
)

// Model is what people declare of a host.
type Model struct {
	Version     int                 `json:"version"` // 1
	Zones       []Zone              `json:"zones,omitempty"`
	Flows       []Flow              `json:"flows"`
	Assumptions []assume.Assumption `json:"assumptions,omitempty"`

	about map[way][]*Flow // flows by what they are about
}

// way is the zones and the port of a flow, or the key of a service.
type way struct {
	from, to string
	port     int
	key      string
}

// What stands for a port where a flow is about no single one.
const (
	ports     = 0
	forwarded = -1
	anything  = -2
)

// index sorts the flows by what they are about.
func (m *Model) index() error {
	m.about = map[way][]*Flow{}
	ranges := 0
	for i := range m.Flows {
		f := &m.Flows[i]
		w := way{from: f.From, to: f.To, port: f.low}
		switch {
		case f.key != "":
			w = way{from: f.From, key: f.key}
		case f.whatever:
			w.port = anything
		case f.Service == "":
			w.port = forwarded
		case f.low != f.high:
			w.port = ports
			ranges++
		}
		m.about[w] = append(m.about[w], f)
	}
	if ranges > maxRanges {
		return fmt.Errorf("more than %d flows of several ports", maxRanges)
	}
	return nil
}

// Zone is a zone with the interfaces by which its packets come in.
type Zone struct {
	Name       string   `json:"name"`
	Interfaces []string `json:"interfaces"` // names, or patterns such as veth*
}

// Flow is what crosses the boundary of two zones: to a service, or forwarded by the host from one to the other.
type Flow struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Service is a port, or ports, with the protocol: tcp/22, udp/32768-65535. Without one the flow is what the host forwards.
	Service string `json:"service,omitempty"`
	Owner   string `json:"owner,omitempty"`   // the program, container or unit that has the socket; anyone
	Address string `json:"address,omitempty"` // that it listens on; any
	In      string `json:"in,omitempty"`      // the network that is not the host's, as reports call it: container web; any of the zone
	Why     string `json:"why,omitempty"`

	proto     string
	low, high int
	// Of a TM-BOM: its title, the key of the service, or that it stands for whatever crosses the boundary.
	title, key string
	whatever   bool
}

// Names are the names of the zones.
var Names = []string{"external", "management", "runtime", "workload", "host"}

// MaxSize bounds a model, in bytes.
const MaxSize = 16 << 20

const (
	maxFlows  = 50_000
	maxRanges = 5000 // of them that are about several ports: each is compared with each flow of its zones
	maxZones  = 100
	maxYAML   = 4 << 20 // bytes; a TM-BOM has pictures
)

// ErrModel is in every error of reading a model.
var ErrModel = errors.New("model")

// Parse reads a model: YAML, or a TM-BOM (JSON). An error wraps ErrModel, and nothing is held against anything then.
func Parse(file string, text []byte) (*Model, error) {
	m, err := parse(file, text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	return m, nil
}

func parse(file string, text []byte) (*Model, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("%s: larger than %d MiB", file, MaxSize>>20)
	}
	if isTMBOM(text) {
		m, err := ofTMBOM(text)
		if err == nil && len(m.Flows) > maxFlows {
			err = fmt.Errorf("more than %d flows", maxFlows)
		}
		if err == nil {
			err = m.index()
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return m, nil
	}
	if len(text) > maxYAML {
		return nil, fmt.Errorf("%s: larger than %d MiB", file, maxYAML>>20)
	}
	m := new(Model)
	if err := yamlfile.Unmarshal(file, text, m); err != nil {
		return nil, err
	}
	if m.Version != 1 {
		return nil, fmt.Errorf("%s: version %d: want version: 1", file, m.Version)
	}
	if len(m.Flows) > maxFlows || len(m.Zones) > maxZones {
		return nil, fmt.Errorf("%s: more than %d flows or %d zones", file, maxFlows, maxZones)
	}
	seen := map[string]bool{}
	for i := range m.Zones {
		if err := m.Zones[i].check(seen); err != nil {
			return nil, yamlfile.Locate(file, text, yamlfile.At(err, "zones", i))
		}
	}
	at := map[Flow]int{}
	for i := range m.Flows {
		f := &m.Flows[i]
		err := f.check()
		key := *f
		key.Why = ""
		if j, twice := at[key]; err == nil && twice {
			err = fmt.Errorf("it is flows[%d] too", j)
		}
		if err != nil {
			return nil, yamlfile.Locate(file, text, yamlfile.At(err, "flows", i))
		}
		at[key] = i
	}
	if err := m.index(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

// check refuses a zone that is none, is there twice, or has an interface of another one.
func (z *Zone) check(seen map[string]bool) error {
	if !slices.Contains(Names, z.Name) {
		return fmt.Errorf("name %q: %w", z.Name, words.Wrong(z.Name, Names))
	}
	for _, name := range append([]string{"zone " + z.Name}, z.Interfaces...) {
		if seen[name] {
			return fmt.Errorf("%s is there twice", name)
		}
		seen[name] = true
		if _, err := path.Match(name, ""); err != nil || name == "" {
			return fmt.Errorf("interfaces: %q is no pattern", name)
		}
	}
	return nil
}

var serviceText = regexp.MustCompile(`^(tcp|udp|sctp|udplite)/([0-9]{1,5})(?:-([0-9]{1,5}))?$`)

// check refuses a flow of zones that are none, or of no port.
func (f *Flow) check() error {
	for name, zone := range map[string]string{"from": f.From, "to": f.To} {
		if !slices.Contains(Names, zone) {
			return fmt.Errorf("%s %q: %w", name, zone, words.Wrong(zone, Names))
		}
	}
	if f.Service == "" {
		switch {
		case f.Owner != "" || f.Address != "" || f.In != "":
			return errors.New("owner, address and in are of a service")
		case f.From == "host" || f.To == "host":
			return errors.New("what the host itself sends, or takes, wants a service such as tcp/22")
		case f.From == f.To:
			return fmt.Errorf("from %s to %s: it crosses no boundary", f.From, f.To)
		}
		return nil
	}
	m := serviceText.FindStringSubmatch(f.Service)
	if m == nil {
		return fmt.Errorf("service %q: want such as tcp/22 or udp/32768-65535", f.Service)
	}
	f.proto = m[1]
	f.low, _ = strconv.Atoi(m[2])
	if f.high = f.low; m[3] != "" {
		f.high, _ = strconv.Atoi(m[3])
	}
	if f.low < 1 || f.high > 65535 || f.low > f.high {
		return fmt.Errorf("service %q: ports are 1 to 65535, the lower first", f.Service)
	}
	if f.To == "host" && f.In != "" {
		return errors.New("in is of a service that is not in the host's network")
	}
	if f.From == f.To {
		return fmt.Errorf("from %s to %s: it crosses no boundary", f.From, f.To)
	}
	return nil
}

// String is the flow in words.
func (f *Flow) String() string {
	if f.title != "" {
		return f.title
	}
	var s strings.Builder
	s.WriteString(f.From + " -> " + f.To)
	if f.Service != "" {
		s.WriteString(" " + f.Service)
	}
	for _, more := range []struct{ name, value string }{{" of ", f.Owner}, {" at ", f.Address}, {" in ", f.In}} {
		if more.value != "" {
			s.WriteString(more.name + more.value)
		}
	}
	return strings.TrimSpace(s.String())
}
