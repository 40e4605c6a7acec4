// Package waiver accepts findings for a time: a file says which, why, who answers for it and until when. What is accepted stays in every report
// and does not count; it counts again when the time is over, or when it is no longer what was accepted. What is unknown is no finding, and is
// accepted apart.
package waiver

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/words"
	"github.com/ringfence/ringfence/yamlfile"
)

// List is a file of waivers.
type List struct {
	Waivers []Waiver `json:"waivers,omitempty"`
	// AcceptUnknown are checks whose answer is not known, which then do not count under --strict.
	AcceptUnknown []Waiver `json:"accept_unknown,omitempty"`
}

// Waiver accepts findings of one check, or one finding.
type Waiver struct {
	Finding string `json:"finding"`          // id of a check, or a fingerprint, of which 12 characters are enough
	Host    string `json:"host,omitempty"`   // pattern of its name or id; every host
	Object  string `json:"object,omitempty"` // pattern of the key of the resource; every object
	Reason  string `json:"reason"`
	Owner   string `json:"owner,omitempty"` // who answers for it
	Expires string `json:"expires"`         // the last day in UTC (2006-01-02), or a moment (RFC 3339)
	While   *While `json:"while,omitempty"`

	until time.Time // it does not hold from then on
}

// While is what was accepted: what is more than that counts again.
type While struct {
	Zones    []string `json:"zones,omitempty"`    // from where it can be reached at most
	Severity string   `json:"severity,omitempty"` // at most
	Owner    string   `json:"owner,omitempty"`    // pattern of the program, container or unit that has the socket
}

// maxAhead is how far ahead a waiver can expire.
const maxAhead = 365 * 24 * time.Hour

// ErrWaivers is in every error of reading waivers.
var ErrWaivers = errors.New("waivers")

var fingerprint = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// zones that a finding can be about.
var zones = []string{"external", "unclassified", "workload", "runtime", "management", "host"}

// Parse reads a file of waivers (YAML). The checks are those that there are. An error wraps ErrWaivers, and nothing is accepted then.
func Parse(file string, text []byte, checks []string, now time.Time) (*List, error) {
	l := new(List)
	if err := yamlfile.Unmarshal(file, text, l); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWaivers, err)
	}
	for _, part := range []struct {
		name string
		list []Waiver
	}{{"waivers", l.Waivers}, {"accept_unknown", l.AcceptUnknown}} {
		for i := range part.list {
			w := &part.list[i]
			err := w.check(checks, now)
			switch {
			case err != nil || part.name == "waivers":
			case w.While != nil:
				err = errors.New("while is of findings: what is unknown has no zone, severity or owner")
			case fingerprint.MatchString(w.Finding):
				err = fmt.Errorf("finding %q: want the id of a check, since what is unknown has no fingerprint", w.Finding)
			}
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrWaivers, yamlfile.Locate(file, text, yamlfile.At(err, part.name, i)))
			}
		}
	}
	return l, nil
}

func (w *Waiver) check(checks []string, now time.Time) error {
	switch {
	case w.Finding == "":
		return errors.New("no finding: want the id of a check or a fingerprint")
	case !fingerprint.MatchString(w.Finding) && !slices.Contains(checks, w.Finding):
		if near := words.Nearest(w.Finding, checks); near != "" {
			return fmt.Errorf("no check %q: did you mean %s?", w.Finding, near)
		}
		return fmt.Errorf("no check %q, and no fingerprint (at least 12 of its characters)", w.Finding)
	case strings.TrimSpace(w.Reason) == "":
		return fmt.Errorf("%s: no reason", w.Finding)
	case w.Expires == "":
		return fmt.Errorf("%s: no expires: a waiver ends", w.Finding)
	}
	if err := w.parseTime(); err != nil {
		return fmt.Errorf("%s: %w", w.Finding, err)
	}
	if w.until.After(now.Add(maxAhead + 24*time.Hour)) {
		return fmt.Errorf("%s: expires %s: more than 365 days ahead", w.Finding, w.Expires)
	}
	if w.While == nil {
		return nil
	}
	if w.While.Zones == nil && w.While.Severity == "" && w.While.Owner == "" {
		return fmt.Errorf("%s: while says nothing: want zones, severity or owner, or no while", w.Finding)
	}
	if w.While.Zones != nil && len(w.While.Zones) == 0 {
		return fmt.Errorf("%s: while.zones names no zone: %w", w.Finding, words.Wrong("", zones))
	}
	for _, z := range w.While.Zones {
		if !slices.Contains(zones, z) {
			return fmt.Errorf("%s: while.zones %q: %w", w.Finding, z, words.Wrong(z, zones))
		}
	}
	if s := w.While.Severity; s != "" && finding.Rank(s) >= len(finding.Severities) {
		return fmt.Errorf("%s: while.severity %q: %w", w.Finding, s, words.Wrong(s, finding.Severities))
	}
	return nil
}

// parseTime reads until when it holds: to the end of a day, or to a moment.
func (w *Waiver) parseTime() error {
	day, err := time.Parse(time.DateOnly, w.Expires)
	if err == nil {
		w.until = day.AddDate(0, 0, 1)
		return nil
	}
	if w.until, err = time.Parse(time.RFC3339, w.Expires); err != nil {
		return fmt.Errorf("expires %q: want a day such as 2027-03-31, or a moment such as 2027-03-31T18:00:00+02:00", w.Expires)
	}
	return nil
}

// about says whether it is for a host: one file is for many.
func (w *Waiver) about(h *finding.Host) bool {
	return w.Host == "" || glob(w.Host, h.Name) || glob(w.Host, h.ID)
}

// matches says whether it is about a finding of a check, or with nil about the check.
func (w *Waiver) matches(h *finding.Host, check string, f *finding.Finding) bool {
	if !w.about(h) {
		return false
	}
	if f == nil {
		return w.Finding == check
	}
	if w.Finding != check && !(fingerprint.MatchString(w.Finding) && strings.HasPrefix(f.Fingerprint, w.Finding)) {
		return false
	}
	return w.Object == "" || glob(w.Object, f.Resource.Key)
}

// reopened says why a finding that it is about counts all the same, "" where it does not.
func (w *Waiver) reopened(r *finding.Report, f *finding.Finding, now time.Time) string {
	if !now.Before(w.until) {
		return "it has expired"
	}
	if w.While == nil {
		return ""
	}
	if s := w.While.Severity; s != "" && finding.Rank(f.Severity) < finding.Rank(s) {
		return fmt.Sprintf("its severity is %s, and %s was accepted", f.Severity, s)
	}
	if list := w.While.Zones; len(list) > 0 {
		for _, z := range f.AllZones() {
			if !slices.Contains(list, z) {
				return fmt.Sprintf("it is open to the %s zone too", z)
			}
		}
	}
	if w.While.Owner != "" {
		owners := r.Owners(f)
		if len(owners) == 0 {
			return fmt.Sprintf("it is not known who has it, and %s was accepted", w.While.Owner)
		}
		for _, owner := range owners {
			if !glob(w.While.Owner, owner) {
				return fmt.Sprintf("%s has it, and %s was accepted", owner, w.While.Owner)
			}
		}
	}
	return ""
}

// glob compares a text with a pattern, in which * is any text and ? any character.
func glob(pattern, s string) bool {
	p, t := []rune(pattern), []rune(s)
	i, j, star, mark := 0, 0, -1, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
