package finding

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The classes of changes, the worst first.
const (
	Wider         = "exposure got wider"
	New           = "new finding"
	SeverityUp    = "severity went up"
	CoverageWorse = "coverage got worse"
	Reopened      = "waiver no longer holds"
	Fixed         = "fixed"
	CoverageMore  = "coverage got better"
)

// classes in the order in which they are told; those before Fixed are worse than before.
var classes = []string{Wider, New, SeverityUp, CoverageWorse, Reopened, Fixed, CoverageMore}

// DiffSchema names the format of changes.
const DiffSchema = "ringfence.diff/v1"

// Diff is what changed on a host from one report to another.
type Diff struct {
	Schema string `json:"schema"` // ringfence.diff/v1
	Host   Host   `json:"host"`   // of the new report
	// Old and New are what was compared.
	Old Snapshot `json:"old"`
	New Snapshot `json:"new"` // what was judged now
	// Notes say what makes the two hard to compare, such as other policies.
	Notes     []string `json:"notes,omitempty"`
	Changes   []Change `json:"changes"`   // the worst first
	Unchanged int      `json:"unchanged"` // findings that are in both
}

// Change is one thing that is otherwise than before.
type Change struct {
	Class       string `json:"class"`                 // what kind of change it is
	Check       string `json:"check,omitempty"`       // the check that tells it, if one does
	Severity    string `json:"severity,omitempty"`    // of the finding that it is about
	Object      string `json:"object"`                // what it is about: the key of a resource, a collector or a check
	Message     string `json:"message"`               // the change in words
	Zone        string `json:"zone,omitempty"`        // where packets come from, if it is about who reaches what
	Witness     string `json:"witness,omitempty"`     // a packet that shows it
	Fingerprint string `json:"fingerprint,omitempty"` // of the finding that it is about
}

// Worse says whether something is worse than before.
func (d *Diff) Worse() bool {
	return slices.ContainsFunc(d.Changes, func(c Change) bool { return slices.Index(classes, c.Class) < slices.Index(classes, Fixed) })
}

// ErrOtherHost is returned for reports of two hosts.
var ErrOtherHost = errors.New("the reports are of two hosts")

// Compare says what changed from one report of a host to another.
func Compare(before, after *Report) (*Diff, error) {
	c := newComparison(before, after)
	if !c.sameHost() {
		return nil, fmt.Errorf("%w: %s and %s", ErrOtherHost, before.Host.Name, after.Host.Name)
	}
	if before.Tool.Policies != after.Tool.Policies {
		c.d.Notes = append(c.d.Notes, "they were judged by other policies")
	}
	if before.Tool.Config != after.Tool.Config {
		c.d.Notes = append(c.d.Notes, "they were judged by another configuration")
	}
	c.findings()
	c.exposures()
	c.coverage()
	slices.SortStableFunc(c.d.Changes, func(a, b Change) int {
		return cmp.Or(
			slices.Index(classes, a.Class)-slices.Index(classes, b.Class), Rank(a.Severity)-Rank(b.Severity),
			strings.Compare(a.Check, b.Check), strings.Compare(a.Object, b.Object), strings.Compare(a.Zone, b.Zone),
		)
	})
	return c.d, nil
}

func newComparison(before, after *Report) *comparison {
	old, now := madeAgain(before.Containers, after.Containers)
	return &comparison{old: newSide(before, old), new: newSide(after, now), d: &Diff{
		Schema: DiffSchema, Host: after.Host, Old: before.Snapshot, New: after.Snapshot, Changes: []Change{},
	}}
}

// Carry notes in a report the findings of an earlier one of the same host that it does not have and that are not known to be gone: their checks
// could not be decided, or what they were about was not seen. Those that the earlier one carried are among them.
func Carry(before, after *Report) {
	c := newComparison(before, after)
	if !c.sameHost() {
		return
	}
	c.pair()
	list := c.old.found
	for i := range before.Carried {
		if res := c.old.results[before.Carried[i].Check]; res != nil {
			list = append(list, &entry{res: res, f: &before.Carried[i].Finding})
		}
	}
	has := map[string]bool{}
	for _, e := range c.new.found {
		has[e.f.Fingerprint] = true
	}
	for _, was := range list {
		res := c.new.results[was.res.ID]
		if was.other == nil && res != nil && !has[was.f.Fingerprint] && !was.f.Waiver.Holds() && !c.settled(res, was.f) {
			has[was.f.Fingerprint] = true
			after.Carried = append(after.Carried, Carried{Check: res.ID, Finding: *was.f})
		}
	}
}

// sameHost says whether the reports are of one host.
func (c *comparison) sameHost() bool {
	before, after := &c.old.r.Host, &c.new.r.Host
	return before.ID == after.ID && (before.ID != "" || before.Name == after.Name)
}

// side is one of the two reports.
type side struct {
	r       *Report
	results map[string]*Result
	found   []*entry
	sockets map[string][]*entry // those that are about a socket, by its key
	reach   map[string]*way
	ways    []string
	to      map[string][]string // the ways to a socket, by its key
	again   map[string]string   // what containers that were made again are called in both reports, by their names in this one
}

// entry is a finding with its check, and what it is in the other report.
type entry struct {
	res   *Result
	f     *Finding
	other *entry
}

func newSide(r *Report, again map[string]string) *side {
	s := &side{r: r, again: again, results: map[string]*Result{}, sockets: map[string][]*entry{}, reach: map[string]*way{}, to: map[string][]string{}}
	for i := range r.Results {
		res := &r.Results[i]
		s.results[res.ID] = res
		for j := range res.Findings {
			e := &entry{res: res, f: &res.Findings[j]}
			s.found = append(s.found, e)
		}
	}
	s.readWays()
	for _, e := range s.found {
		for _, key := range s.socketsOf(e) {
			s.sockets[key] = append(s.sockets[key], e)
		}
	}
	return s
}

// pair finds the findings that are in both: those about the same first, then each of the rest with one of the same stable key. Two that differ in
// nothing but the names of interfaces are two.
func (c *comparison) pair() {
	same := func(_ *side, e *entry) string { return e.res.ID + "\x00" + e.f.Fingerprint }
	renamed := func(s *side, e *entry) string { return s.stable(e.res.ID, e.f) }
	for _, key := range []func(*side, *entry) string{same, renamed} {
		left := map[string][]*entry{}
		for _, e := range c.old.found {
			if e.other == nil {
				k := key(c.old, e)
				left[k] = append(left[k], e)
			}
		}
		for _, e := range c.new.found {
			if e.other != nil {
				continue
			}
			if k := key(c.new, e); len(left[k]) > 0 {
				e.other, left[k][0].other = left[k][0], e
				left[k] = left[k][1:]
			}
		}
	}
}

// stable is a key that stays if interfaces get other names, or containers are made again: interfaces are replaced by their zones.
func (s *side) stable(check string, f *Finding) string {
	key := f.Resource.Key
	for _, z := range s.r.Zones {
		if z.Name != "" && strings.Contains(key, z.Name) {
			words := strings.Fields(key)
			for i, w := range words {
				if strings.Trim(w, ",:") == z.Name {
					words[i] = strings.Replace(w, z.Name, "the "+z.Zone+" zone", 1)
				}
			}
			key = strings.Join(words, " ")
		}
	}
	return strings.Join([]string{check, f.Resource.Kind, s.sameContainer(key)}, "\x00")
}

type comparison struct {
	old, new *side
	d        *Diff
}

func (c *comparison) add(class string, e *entry, message string) {
	c.d.Changes = append(c.d.Changes, Change{
		Class: class, Check: e.res.ID, Severity: e.f.Severity, Object: e.f.Resource.Key, Message: message, Zone: e.f.Zone, Witness: e.f.Witness,
		Fingerprint: e.f.Fingerprint,
	})
}

// findings compares what was found.
func (c *comparison) findings() {
	c.pair()
	for _, now := range c.new.found {
		was := now.other
		switch {
		case was == nil && now.f.Waiver.Holds():
		case was == nil && c.widened(now): // the ways tell it
		case was == nil:
			c.add(New, now, now.f.Message)
		default:
			c.d.Unchanged++
			c.same(was, now)
		}
	}
	for _, was := range c.old.found {
		if was.other != nil {
			continue
		}
		res := c.new.results[was.res.ID]
		if res != nil && c.settled(res, was.f) {
			c.add(Fixed, was, was.f.Message)
		} else if res == nil || res.Status != Unknown { // that a check is unknown is told once
			c.add(CoverageWorse, was, "it is not known any more whether "+was.f.Message)
		}
	}
}

// same compares a finding that is in both.
func (c *comparison) same(was, now *entry) {
	if Rank(now.f.Severity) < Rank(was.f.Severity) {
		c.add(SeverityUp, now, fmt.Sprintf("%s (it was %s)", now.f.Message, was.f.Severity))
	}
	if was.f.Waiver.Holds() && !now.f.Waiver.Holds() {
		why := "there is none any more"
		if now.f.Waiver != nil {
			why = now.f.Waiver.Reopened
		}
		c.add(Reopened, now, now.f.Message+": "+why)
	}
	for _, z := range now.f.AllZones() {
		if before := was.f.AllZones(); len(before) > 0 && !slices.Contains(before, z) && !c.openedFrom(now, z, false) {
			c.add(Wider, now, fmt.Sprintf("%s, now also the %s zone", now.f.Message, z))
		}
	}
}

// settled says whether a finding that is gone is known to be gone.
func (c *comparison) settled(res *Result, f *Finding) bool {
	if !res.decided() {
		return false
	}
	if slices.ContainsFunc(res.Unknowns, func(u Unclear) bool { return eitherFamily(u.Resource.Key) == eitherFamily(f.Resource.Key) }) {
		return false
	}
	return res.Status != Fail || !c.blinder()
}

// blinder says whether a part of the host was seen worse than before.
func (c *comparison) blinder() bool {
	for _, now := range c.new.r.Coverage {
		for _, was := range c.old.r.Coverage {
			if was.Collector == now.Collector && sight(now.Status) > sight(was.Status) {
				return true
			}
		}
	}
	return false
}

// sight orders how well something was seen, the best first.
func sight(status string) int {
	switch status {
	case "ok", "absent":
		return 0
	case "partial":
		return 1
	default:
		return 2
	}
}

// maxReasons is how many reasons of a collector a change tells: the report has all of them.
const maxReasons = 3

func few(reasons []string) string {
	if n := len(reasons) - maxReasons; n > 0 {
		return fmt.Sprintf("%s (and %d more)", strings.Join(reasons[:maxReasons], "; "), n)
	}
	return strings.Join(reasons, "; ")
}

// coverage compares what is known.
func (c *comparison) coverage() {
	for _, now := range c.new.r.Coverage {
		for _, was := range c.old.r.Coverage {
			if was.Collector != now.Collector || sight(was.Status) == sight(now.Status) {
				continue
			}
			class, message := CoverageMore, fmt.Sprintf("%s was %s and is %s", now.Collector, was.Status, now.Status)
			if sight(now.Status) > sight(was.Status) {
				class = CoverageWorse
				message += ": " + few(now.Reasons)
			}
			c.d.Changes = append(c.d.Changes, Change{Class: class, Object: now.Collector, Message: message})
		}
	}
	for i := range c.new.r.Results {
		now := &c.new.r.Results[i]
		was := c.old.results[now.ID]
		if was == nil {
			continue
		}
		if was.decided() == now.decided() {
			c.doubts(was, now)
			continue
		}
		change := Change{Class: CoverageMore, Check: now.ID, Object: now.ID, Message: "it is known now: " + strings.ReplaceAll(now.Status, "_", " ")}
		switch {
		case now.Status == Unknown:
			change.Class, change.Message = CoverageWorse, fmt.Sprintf("it was %s and is unknown: %s", strings.ReplaceAll(was.Status, "_", " "), now.Reason)
		case !now.decided() && len(was.Findings) > 0: // each of them tells it
			continue
		case !now.decided():
			change.Class, change.Message = CoverageWorse, fmt.Sprintf("it was %s and is left out: %s", strings.ReplaceAll(was.Status, "_", " "), now.Reason)
		default:
		}
		c.d.Changes = append(c.d.Changes, change)
	}
}

// decided says whether there is an answer: a check that was left out has none.
func (r *Result) decided() bool {
	return r.Status != Unknown && (r.Status != Waived || len(r.Findings) > 0)
}

// doubts tells the objects that a check could not decide and that it had decided, or did not have, before.
func (c *comparison) doubts(was, now *Result) {
	known := map[string]bool{}
	for _, u := range was.Unknowns {
		known[c.old.stable(was.ID, &Finding{Resource: u.Resource})] = true
	}
	for _, u := range now.Unknowns {
		if !known[c.new.stable(now.ID, &Finding{Resource: u.Resource})] {
			c.d.Changes = append(c.d.Changes, Change{
				Class: CoverageWorse, Check: now.ID, Object: u.Resource.Key, Message: fmt.Sprintf("%s could not be decided: %s", u.Resource.Key, u.Reason),
			})
		}
	}
}
