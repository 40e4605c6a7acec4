// Package assume is the register of assumptions: what a threat model takes for granted, with who answers for it, until when, and what comes back
// if it does not hold. Each is held against a host by claims: facts, checks, questions about packets and about who becomes what, rules of one's
// own. A claim is confirmed by what was seen, rejected by what was seen, or unconfirmed; nothing is confirmed by what is missing.
package assume

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/words"
	"github.com/ringfence/ringfence/yamlfile"
)

// Register is a file of assumptions.
type Register struct {
	Version int `json:"version"` // 1
	// MaxAge is how old a snapshot may be, in hours (24h) or days (7d); none is any age.
	MaxAge      string       `json:"max_age,omitempty"`
	Assumptions []Assumption `json:"assumptions"`

	shipped bool
	maxAge  time.Duration
	known   *Known
}

// Assumption is one of a register.
type Assumption struct {
	ID        string   `json:"id"`
	Statement string   `json:"statement"`
	Topics    []string `json:"topics,omitempty"`
	Owner     string   `json:"owner,omitempty"`
	Review    string   `json:"review,omitempty"` // a day (2006-01-02), in UTC
	Severity  string   `json:"severity,omitempty"`
	IfFalse   []string `json:"if_false,omitempty"`
	Supports  []string `json:"supports,omitempty"` // checks that pass only while it holds
	Holds     Claim    `json:"holds"`

	until  time.Time // it wants a review from then on
	untold bool      // nothing says what it is held by
}

// Claim is a claim about a host: one of its fields is set, beside Says.
type Claim struct {
	Says  string   `json:"says,omitempty"` // it in words
	All   []Claim  `json:"all,omitempty"`
	Any   []Claim  `json:"any,omitempty"`
	Not   *Claim   `json:"not,omitempty"`
	Fact  string   `json:"fact,omitempty"`
	Check []string `json:"check,omitempty"` // all pass, or do not apply to a host of their system
	Reach *Reach   `json:"reach,omitempty"`
	Path  *Path    `json:"path,omitempty"`
	Rego  string   `json:"rego,omitempty"` // data.ringfence.assumption.NAME
}

// Reach asks whether packets get from one place to another.
type Reach struct {
	From string `json:"from"` // zone:NAME, iface:NAME, host
	To   string `json:"to"`   // host, services, port:22/tcp, zone:NAME, iface:NAME, addr:IP
	// Except are ports that services may have all the same (53/udp), of To services alone.
	Except []string `json:"except,omitempty"`
	Answer string   `json:"answer"` // reachable, unreachable
}

// Path asks whether principals of the host get to a goal.
type Path struct {
	From   string `json:"from"`   // any, zone:workload, kind:agent, kind:service, kind:account, or the key of one
	To     string `json:"to"`     // root@host, filter@host, secret@host
	Answer string `json:"answer"` // none, some
}

// Known is what claims can name.
type Known struct {
	Checks []string
	Facts  []string
	Rules  []string // data.ringfence.assumption.NAME
	// Assumes are the assumptions that checks say they rest on, by check.
	Assumes map[string][]string
}

// ErrRegister is in every error of reading a register.
var ErrRegister = errors.New("assumptions")

// The bounds of a register.
const (
	MaxSize        = 1 << 20 // of its text, in bytes
	maxAssumptions = 500
	maxClaims      = 5000 // of all together
	maxDepth       = 10   // of claims in one another
)

//go:embed shipped.yaml
var shipped []byte

// ShippedText is the set that the program brings along, as a file to begin with.
func ShippedText() []byte { return slices.Clone(shipped) }

// Shipped is the set that the program brings along.
func Shipped(known *Known) (*Register, error) {
	r, err := Parse("shipped.yaml", shipped, known)
	if err == nil {
		r.shipped = true
	}
	return r, err
}

// Parse reads a register (YAML). What a claim names has to be there: a mistyped check would be unconfirmed for ever. An error wraps ErrRegister.
func Parse(file string, text []byte, known *Known) (*Register, error) {
	r := new(Register)
	err := tooLarge(text)
	if err == nil {
		err = yamlfile.Unmarshal(file, text, r)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRegister, err)
	}
	if r.Version != 1 {
		return nil, fmt.Errorf("%w: %s: version %d: want version: 1", ErrRegister, file, r.Version)
	}
	if err := r.Check(known); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRegister, yamlfile.Locate(file, text, err))
	}
	return r, nil
}

// tooLarge refuses a text before it is parsed: each assumption has a line with its id, or a brace of its own.
func tooLarge(text []byte) error {
	if len(text) > MaxSize {
		return fmt.Errorf("larger than %d MiB", MaxSize>>20)
	}
	if n := strings.Count(string(text), "statement"); n > 4*maxAssumptions {
		return fmt.Errorf("more than %d assumptions", maxAssumptions)
	}
	return nil
}

// Check refuses what names nothing, is there twice, or leans on itself.
func (r *Register) Check(known *Known) error {
	r.known = known
	if len(r.Assumptions) > maxAssumptions {
		return fmt.Errorf("more than %d assumptions", maxAssumptions)
	}
	var err error
	if r.maxAge, err = age(r.MaxAge); err != nil {
		return err
	}
	seen := map[string]bool{}
	left := maxClaims
	for i := range r.Assumptions {
		a := &r.Assumptions[i]
		if err := a.check(known, &left); err != nil {
			return yamlfile.At(err, "assumptions", i)
		}
		if seen[a.ID] {
			return yamlfile.At(fmt.Errorf("%s is there twice", a.ID), "assumptions", i)
		}
		seen[a.ID] = true
	}
	return r.circles()
}

// age reads how old a snapshot may be.
func age(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := words.Length(s)
	if err != nil {
		return 0, fmt.Errorf("max_age %q: %w", s, err)
	}
	return d, nil
}

var (
	idText   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	portText = regexp.MustCompile(`^([0-9]{1,5})/(tcp|udp|sctp)$`)
)

func (a *Assumption) check(known *Known, left *int) error {
	switch {
	case !idText.MatchString(a.ID):
		return fmt.Errorf("id %q: want small letters, digits and dashes", a.ID)
	case strings.TrimSpace(a.Statement) == "":
		return fmt.Errorf("%s: no statement", a.ID)
	case a.Severity == "":
		a.Severity = "medium"
	case finding.Rank(a.Severity) >= len(finding.Severities):
		return fmt.Errorf("%s: severity %q: %w", a.ID, a.Severity, words.Wrong(a.Severity, finding.Severities))
	}
	if a.Review != "" {
		day, err := time.Parse(time.DateOnly, a.Review)
		if err != nil {
			return fmt.Errorf("%s: review %q: want a day such as 2027-03-31", a.ID, a.Review)
		}
		a.until = day.AddDate(0, 0, 1)
	}
	for _, t := range a.IfFalse {
		if strings.TrimSpace(t) == "" {
			return fmt.Errorf("%s: if_false: a threat without a name", a.ID)
		}
	}
	for _, c := range a.Supports {
		if err := named("check", c, known.Checks); err != nil {
			return fmt.Errorf("%s: supports: %w", a.ID, err)
		}
	}
	if a.untold {
		return nil
	}
	if err := a.Holds.check(known, left, maxDepth); err != nil {
		return fmt.Errorf("%s: holds: %w", a.ID, err)
	}
	return nil
}

// named refuses a name that nothing has.
func named(what, name string, list []string) error {
	if slices.Contains(list, name) {
		return nil
	}
	if near := words.Nearest(name, list); near != "" {
		return fmt.Errorf("no %s %q: did you mean %s?", what, name, near)
	}
	return fmt.Errorf("no %s %q", what, name)
}

// check refuses a claim that says nothing, says two things, or names what is not there.
func (c *Claim) check(known *Known, left *int, depth int) error {
	if *left--; *left < 0 {
		return fmt.Errorf("more than %d claims", maxClaims)
	}
	if depth == 0 {
		return fmt.Errorf("more than %d claims in one another", maxDepth)
	}
	var set []string
	for name, is := range map[string]bool{
		"all": c.All != nil, "any": c.Any != nil, "not": c.Not != nil, "fact": c.Fact != "", "check": c.Check != nil, "reach": c.Reach != nil,
		"path": c.Path != nil, "rego": c.Rego != "",
	} {
		if is {
			set = append(set, name)
		}
	}
	slices.Sort(set)
	if len(set) != 1 {
		return fmt.Errorf("a claim wants one of all, any, not, fact, check, reach, path and rego, not %q", strings.Join(set, ", "))
	}
	switch set[0] {
	case "fact":
		return named("fact", c.Fact, known.Facts)
	case "rego":
		return named("rule", c.Rego, known.Rules)
	case "reach":
		return c.Reach.check()
	case "path":
		return c.Path.check()
	case "check":
		return checks(c.Check, known)
	default:
		return c.parts(known, left, depth-1)
	}
}

func checks(list []string, known *Known) error {
	if len(list) == 0 {
		return errors.New("check: none is named")
	}
	for _, id := range list {
		if err := named("check", id, known.Checks); err != nil {
			return err
		}
	}
	return nil
}

// parts checks the claims that one joins.
func (c *Claim) parts(known *Known, left *int, depth int) error {
	list := c.joined()
	if len(list) == 0 {
		return errors.New("all or any of nothing")
	}
	for i := range list {
		if err := list[i].check(known, left, depth); err != nil {
			return err
		}
	}
	return nil
}

// joined are the claims that one joins.
func (c *Claim) joined() []*Claim {
	var out []*Claim
	for _, list := range [][]Claim{c.All, c.Any} {
		for i := range list {
			out = append(out, &list[i])
		}
	}
	if c.Not != nil {
		out = append(out, c.Not)
	}
	return out
}

// rests are the assumptions that each check rests on: by the register, and by what checks say themselves.
func (r *Register) rests() map[string][]string {
	out := map[string][]string{}
	for i := range r.Assumptions {
		for _, c := range r.Assumptions[i].Supports {
			out[c] = append(out[c], r.Assumptions[i].ID)
		}
	}
	if r.known == nil {
		return out
	}
	for _, c := range slices.Sorted(maps.Keys(r.known.Assumes)) {
		for _, id := range r.known.Assumes[c] {
			if !slices.Contains(out[c], id) {
				out[c] = append(out[c], id)
			}
		}
	}
	return out
}

// circles refuses an assumption that is held by a check which passes only while the assumption holds.
func (r *Register) circles() error {
	rests := r.rests()
	by := map[string]*Assumption{}
	for i := range r.Assumptions {
		by[r.Assumptions[i].ID] = &r.Assumptions[i]
	}
	done, open := map[string]bool{}, map[string]bool{}
	var visit func(a *Assumption) error
	visit = func(a *Assumption) error {
		if done[a.ID] {
			return nil
		}
		open[a.ID] = true
		for _, c := range a.Holds.checks() {
			for _, id := range rests[c] {
				if open[id] {
					return fmt.Errorf("%s is held by %s, which passes only if %s holds: a circle", a.ID, c, id)
				}
				if by[id] != nil {
					if err := visit(by[id]); err != nil {
						return err
					}
				}
			}
		}
		open[a.ID], done[a.ID] = false, true
		return nil
	}
	for i := range r.Assumptions {
		if err := visit(&r.Assumptions[i]); err != nil {
			return err
		}
	}
	return nil
}

// checks are the checks that a claim names.
func (c *Claim) checks() []string {
	list := slices.Clone(c.Check)
	for _, p := range c.joined() {
		list = append(list, p.checks()...)
	}
	return list
}

// ShippedEntries are entries of the shipped set as its file has them.
func ShippedEntries(ids []string) string {
	const begins = "  - id: "
	var b strings.Builder
	for i, entry := range strings.Split(string(shipped), "\n"+begins) {
		id, _, _ := strings.Cut(entry, "\n")
		if i > 0 && slices.Contains(ids, id) {
			b.WriteString(begins + strings.TrimRight(entry, "\n") + "\n\n")
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Untold is an assumption of a format that does not say what it is held by: it is never confirmed.
func Untold(id, statement string, topics []string) Assumption {
	return Assumption{ID: id, Statement: statement, Topics: topics, untold: true}
}

// Stated is the shipped assumption whose statement a text begins with. Its claims name what is shipped too, and are checked with the register.
func Stated(text string) (Assumption, bool, error) {
	var r Register
	if err := yamlfile.Unmarshal("shipped.yaml", shipped, &r); err != nil {
		return Assumption{}, false, fmt.Errorf("%w: %w", ErrRegister, err)
	}
	for _, a := range r.Assumptions {
		if strings.HasPrefix(strings.ToLower(text), strings.ToLower(strings.TrimSuffix(a.Statement, "."))) {
			return a, true, nil
		}
	}
	return Assumption{}, false, nil
}
