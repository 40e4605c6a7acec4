package judge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/snapshot"
)

// DocFloor is an installed package and a version below which its component has a known hole. State is below, above, or unknown where a
// distribution may have mended the hole and kept the number.
type DocFloor struct {
	Area      string `json:"area"`      // of the check that tells of it
	ID        string `json:"id"`        // of the hole: CVE-2024-21626
	Component string `json:"component"` // what people call it: runc, Docker Engine
	What      string `json:"what"`      // who can do what by the hole
	Package   string `json:"package"`   // as the package manager names it
	Version   string `json:"version"`   // of the package that is installed, with epoch and revision
	Fixed     string `json:"fixed"`     // the versions from which on it is mended
	State     string `json:"state"`     // below, above, unknown
	Source    string `json:"source"`    // URL that tells of the hole
}

// floor is a row of the data file.
type floor struct {
	ID        string   `json:"id"`        // of the hole: CVE-2024-21626
	Area      string   `json:"area"`      // of the check that tells of it: runtime, ssh
	Component string   `json:"component"` // what people call it
	What      string   `json:"what"`      // who can do what by the hole
	From      string   `json:"from"`      // the version that brought the hole, "" for the first
	Fixed     []string `json:"fixed"`     // of each branch that was mended, in order; the last holds for all that come later
	Packages  []struct {
		Name string `json:"name"` // as the package manager has it
		// Upstream says that the authors of the component make the package: its number is theirs.
		Upstream bool `json:"upstream"`
	} `json:"packages"`
	// Distributions are the versions of packages that are mended, by id and version of os-release(5).
	Distributions map[string]string `json:"distributions"`
	Source        string            `json:"source"` // URL that tells of the hole
}

// floorsData is the data file.
type floorsData struct {
	Date   string  `json:"date"`   // of the data, YYYY-MM-DD
	Floors []floor `json:"floors"` // one for each hole of each component
}

func readFloors() (*floorsData, error) {
	d := new(floorsData)
	if err := json.Unmarshal(rego.Floors, d); err != nil {
		return nil, fmt.Errorf("floors.json: %w", err)
	}
	return d, nil
}

// floors compares the installed packages with the data file.
func (b *builder) floors() {
	b.doc.Floors = []DocFloor{}
	data, err := readFloors()
	if err != nil {
		panic(err) // the file is part of the program, and a test reads it
	}
	system := b.snap.Host.OS + " " + b.snap.Host.OSVersion
	for i := range data.Floors {
		f := &data.Floors[i]
		for _, named := range f.Packages {
			for _, p := range b.snap.System.Packages {
				if p.Name != named.Name {
					continue
				}
				d := DocFloor{
					Area: f.Area, ID: f.ID, Component: f.Component, What: f.What, Package: p.Name, Version: p.Version,
					Fixed: strings.Join(f.Fixed, ", "), State: f.state(&p, named.Upstream, system), Source: f.Source,
				}
				if own := f.Distributions[system]; own != "" && !named.Upstream {
					d.Fixed = own
				}
				b.doc.Floors = append(b.doc.Floors, d)
			}
		}
	}
}

// state is below, above or unknown. A distribution that keeps the number of a version and mends its holes is known by the version of its
// package alone.
func (f *floor) state(p *snapshot.Package, upstream bool, system string) string {
	if own := f.Distributions[system]; own != "" && !upstream {
		if compareVersions(p.Version, own) < 0 {
			return "below"
		}
		return "above"
	}
	v := p.Version
	if _, rest, ok := strings.Cut(v, ":"); ok {
		v = rest
	}
	if !strings.Contains(f.Fixed[0], "-") {
		if i := strings.LastIndex(v, "-"); i > 0 {
			v = v[:i]
		}
	}
	switch {
	case f.From != "" && compareVersions(v, f.From) < 0, f.mended(v):
		return "above"
	case upstream:
		return "below"
	}
	return "unknown"
}

// mended says whether a version has the fix: that of its own branch, or a branch later than all that were mended.
func (f *floor) mended(v string) bool {
	for _, fixed := range f.Fixed {
		if branch(fixed) == branch(v) {
			return compareVersions(v, fixed) >= 0
		}
	}
	return compareVersions(v, f.Fixed[len(f.Fixed)-1]) >= 0
}

// branch is the first two numbers of a version.
func branch(v string) string {
	if parts := strings.SplitN(v, ".", 3); len(parts) >= 2 {
		return parts[0] + "." + strings.TrimRight(parts[1], "abcdefghijklmnopqrstuvwxyz")
	}
	return v
}

// compareVersions compares versions of packages as dpkg does (deb-version(7)): epoch, then version, then revision.
func compareVersions(a, b string) int {
	ea, ua, ra := splitVersion(a)
	eb, ub, rb := splitVersion(b)
	return cmp.Or(compareParts(ea, eb), compareParts(ua, ub), compareParts(ra, rb))
}

func splitVersion(v string) (epoch, upstream, revision string) {
	if e, rest, ok := strings.Cut(v, ":"); ok {
		epoch, v = e, rest
	}
	if i := strings.LastIndex(v, "-"); i >= 0 {
		return epoch, v[:i], v[i+1:]
	}
	return epoch, v, ""
}

// compareParts goes through both in turns of what is no digit and of numbers; a tilde is before everything, also before the end.
func compareParts(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !digit(a[0]) || b != "" && !digit(b[0]) {
			if c := cmp.Compare(order(a), order(b)); c != 0 {
				return c
			}
			a, b = a[min(1, len(a)):], b[min(1, len(b)):]
		}
		na, nb := number(&a), number(&b)
		if c := cmp.Or(cmp.Compare(len(na), len(nb)), strings.Compare(na, nb)); c != 0 {
			return c
		}
	}
	return 0
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// order is that of the first character of what is no number: a tilde, the end or a digit, letters, all else.
func order(s string) int {
	switch {
	case s == "" || digit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z':
		return int(s[0])
	}
	return int(s[0]) + 256
}

// number cuts the digits off the front, without leading zeroes.
func number(s *string) string {
	i := 0
	for i < len(*s) && digit((*s)[i]) {
		i++
	}
	n := strings.TrimLeft((*s)[:i], "0")
	*s = (*s)[i:]
	return n
}
