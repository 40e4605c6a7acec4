package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
)

// maxExpect bounds the file of hosts that are expected, in bytes.
const maxExpect = 16 << 20

// expected is a host that there has to be a snapshot of.
type expected struct {
	name    string
	aliases []string // by which known_hosts can have it
	seen    bool
}

// expectation is the hosts that are expected, by each of their names.
type expectation struct {
	file string
	list []*expected
	by   map[string]*expected
}

// readExpected reads a file with a host a line: its name, and behind it others that it has. It decides what is missing, so it is trusted as
// the configuration is.
func readExpected(file string) (*expectation, error) {
	e := &expectation{file: file, by: map[string]*expected{}}
	if file == "" {
		return e, nil
	}
	text, err := host.ReadTrusted(file, maxExpect)
	if err != nil {
		return nil, fmt.Errorf("expect-hosts: %w", err)
	}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		words := strings.Fields(string(line))
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := e.add(words); err != nil {
			return nil, fmt.Errorf("expect-hosts: %s:%d: %w", file, n, err)
		}
	}
	if len(e.list) == 0 {
		return nil, fmt.Errorf("expect-hosts: %s: no host is in it", file)
	}
	return e, nil
}

func (e *expectation) add(words []string) error {
	x := &expected{name: words[0], aliases: words[1:]}
	for _, w := range words {
		key := strings.ToLower(w)
		if strings.ContainsFunc(w, func(r rune) bool { return r < '!' || r > '~' }) || len(w) > 253 || strings.ContainsAny(w, "[]=,*?") {
			return fmt.Errorf("%.80q: want a host a line, and behind it other names that it has", w)
		}
		if e.by[key] != nil {
			return errors.New(w + " is there twice")
		}
		e.by[key] = x
	}
	e.list = append(e.list, x)
	return nil
}

// see marks the host that has a name as seen.
func (e *expectation) see(name string) {
	if x := e.by[strings.ToLower(name)]; x != nil {
		x.seen = true
	}
}

// namesOf are a name of a host and the others that it is expected by.
func (e *expectation) namesOf(name string) []string {
	x := e.by[strings.ToLower(name)]
	if x == nil || !strings.EqualFold(x.name, name) {
		return []string{name}
	}
	return append([]string{name}, x.aliases...)
}

// missing are the hosts that were not seen.
func (e *expectation) missing() (list []finding.FleetHost) {
	for _, x := range e.list {
		if !x.seen {
			list = append(list, finding.FleetHost{Name: x.name, State: finding.Missing, Reason: "there is no snapshot of it, and " + e.file + " expects one"})
		}
	}
	return list
}
