package judge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/snapshot"
)

// DocFloor is an installed package and a version below which its component has a known hole. State is below, above, or unknown where a
// distribution may have mended the hole and kept the number.
type DocFloor struct {
	Area      string `json:"area"` // of the check that tells of it
	ID        string `json:"id"`
	Component string `json:"component"`
	What      string `json:"what"` // who can do what by the hole
	Package   string `json:"package"`
	Version   string `json:"version"`
	Fixed     string `json:"fixed"` // the versions from which on it is mended
	State     string `json:"state"`
	Source    string `json:"source"`
}

// floor is a row of the data file.
type floor struct {
	ID        string   `json:"id"`
	Area      string   `json:"area"`
	Component string   `json:"component"`
	What      string   `json:"what"`
	From      string   `json:"from"`  // the version that brought the hole, "" for the first
	Fixed     []string `json:"fixed"` // of each branch that was mended, in order; the last holds for all that come later
	Packages  []struct {
		Name string `json:"name"`
		// Upstream says that the authors of the component make the package: its number is theirs.
		Upstream bool `json:"upstream"`
	} `json:"packages"`
	// Distributions are the versions of packages that are mended, by id and version of os-release(5).
	Distributions map[string]string `json:"distributions"`
	Source        string            `json:"source"`
}

// floorsData is the data file.
type floorsData struct {
	Date   string  `json:"date"`
	Floors []floor `json:"floors"`
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
// DocComponents is the packages of runtimes with flaws that their versions may have. Unread says why packages are not known, Date when the
// list of flaws was made.
type DocComponents struct {
	List   []DocComponent `json:"list"`
	Unread string         `json:"unread"`
// DocComponent is a package and one list of flaws that were repaired together.
type DocComponent struct {
	IDs     []string `json:"ids"`
	Why     string   `json:"why"`
	Needs   string   `json:"needs"` // the setting without which the flaw is none, "" for none
	Reason  string   `json:"reason"`
// States of a version towards those that have a repair.
const (
	stateBelow   = "below"
	stateFixed   = "fixed"
	stateUnknown = "unknown"
)
func (b *builder) components() {
	sec := &b.snap.Runtimes
	b.doc.Components = DocComponents{List: []DocComponent{}, Unread: unread(sec.ComponentsRead)}
	var data struct {
		Components []struct {
			Floors []struct {
				IDs   []string `json:"ids"`
				Why   string   `json:"why"`
				Needs string   `json:"needs"`
		} `json:"components"`
	if err := json.Unmarshal(rego.Floors, &data); err != nil {
		b.doc.Components.Unread = fmt.Sprintf("the list of flaws: %v", err)
		return
	b.doc.Components.Date = data.Date
	for i := range sec.Components {
		k := &sec.Components[i]
		for _, c := range data.Components {
			if c.Name != k.Name {
			for _, f := range c.Floors {
				d := DocComponent{Name: k.Name, Package: k.Package, Version: k.Version, Fixed: f.Fixed, IDs: f.IDs, Why: f.Why, Needs: f.Needs}
				d.State, d.Reason = componentState(k, f.Fixed, f.IDs)
				b.doc.Components.List = append(b.doc.Components.List, d)
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
// componentState compares a package with the versions that have a repair. One of a distribution has more repairs than its number tells: its
// changelog names them, and what that does not name is unknown.
func componentState(k *snapshot.Component, fixed, ids []string) (state, reason string) {
	state = branchState(upstreamVersion(k.Version), fixed)
	if state != stateBelow || !k.Vendor {
		return state, map[bool]string{true: "its version is not understood"}[state == stateUnknown]
	named := !slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(k.Fixes, id) })
	case named:
		return stateFixed, ""
	case k.Changelog.State != snapshot.Present:
		return stateUnknown, "its distribution repairs older versions, and its changelog could not be read"
	return stateUnknown, "its distribution repairs older versions, and its changelog does not name " + strings.Join(ids, ", ")
// debianParts are what a package's version has around that of the program: an epoch, marks of repacking, the revision.
var debianParts = regexp.MustCompile(`^(?:[0-9]+:)?([0-9][0-9.]*)`)
// upstreamVersion is the version of the program that a package has, "" where it is not understood.
func upstreamVersion(version string) string {
	m := debianParts.FindStringSubmatch(version)
	if m == nil {
		return ""
	return strings.TrimRight(m[1], ".")
// branchState compares a version with those that have a repair, each the first of its branch (MAJOR.MINOR). A branch that is older than all of
// them has none; one that is newer than all of them began with it.
func branchState(version string, fixed []string) string {
	v := numbers(version)
	if len(v) < 2 {
		return stateUnknown
	newer := true
	for _, f := range fixed {
		n := numbers(f)
		if n[0] == v[0] && n[1] == v[1] {
			if slices.Compare(v, n) >= 0 {
				return stateFixed
			return stateBelow
		newer = newer && slices.Compare(v, n) > 0
	if newer {
		return stateFixed
	return stateBelow
// numbers are those of a dotted version; nil where it has something else.
func numbers(version string) []int {
	var list []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil
		list = append(list, n)
	return list
// agentState compares the version of an agent with the lowest that has no flaw that is known. A number behind a dash is a later build, a word
// there an earlier one. Numbers of OpenClaw from 30 on are of a line that is repaired beside the newest: what an older one of these has is not told.
func agentState(runtime, version, floor string) string {
	if floor == "" {
		return stateFixed
	base, suffix, dashed := strings.Cut(strings.TrimPrefix(version, "v"), "-")
	v, f := numbers(base), numbers(floor)
	if len(v) == 0 {
		return stateUnknown
	switch c := slices.Compare(v, f); {
	case c < 0 && runtime == "openclaw" && len(v) == 3 && v[2] >= 30:
		return stateUnknown
	case c < 0, c == 0 && dashed && numbers(suffix) == nil:
		return stateBelow
	return stateFixed
}
