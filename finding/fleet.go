package finding

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// FleetSchema names the format of a view of many hosts, and its version.
const FleetSchema = "ringfence.fleet/v1"

// Fleet is a view of many hosts: what came of each, and of each check on all of them. What is missing or unknown stands first.
type Fleet struct {
	Schema string       `json:"schema"` // always ringfence.fleet/v1
	Counts FleetCounts  `json:"counts"` // how many hosts came to what
	Hosts  []FleetHost  `json:"hosts"`  // what came of each
	Checks []FleetCheck `json:"checks"` // what came of each check
}

// FleetCounts counts hosts.
type FleetCounts struct {
	Hosts    int `json:"hosts"`    // all, but for older snapshots of them
	Missing  int `json:"missing"`  // expected, and without a snapshot
	Refused  int `json:"refused"`  // whose snapshot is no good
	Judged   int `json:"judged"`   // of which there are answers
	Older    int `json:"older"`    // snapshots of a host of which there is a newer one
	Verified int `json:"verified"` // of those that were judged
}

// What can come of a host. Only a judged one has an answer: of each other all is unknown.
const (
	Missing = "missing" // it was expected, and there is no snapshot of it
	Refused = "refused" // its snapshot is no good
	Judged  = "judged"
	Older   = "older" // judged, and there is a newer snapshot of it: it does not count
)

// FleetHost is a host, or a file that was to be about one.
type FleetHost struct {
	Name        string `json:"name"`                  // as the host calls itself, or its file is called
	ID          string `json:"id,omitempty"`          // its machine id
	State       string `json:"state"`                 // missing, refused, judged or older
	Reason      string `json:"reason,omitempty"`      // why missing or refused
	File        string `json:"file,omitempty"`        // that the snapshot is in
	CollectedAt string `json:"collectedAt,omitempty"` // when it was seen (RFC 3339, UTC)
	Snapshot    string `json:"snapshot,omitempty"`    // digest
	Trust       *Trust `json:"trust,omitempty"`       // whether it is known who the snapshot is from
	Worst       string `json:"worst,omitempty"`       // severity
	// Findings are those that count, by severity.
	Findings map[string]int `json:"findings,omitempty"`
	Pass     int            `json:"pass"` // checks that passed
	Fail     int            `json:"fail"` // checks that failed
	// Unknown are the checks that leave something open, also those that failed.
	Unknown       int      `json:"unknown"`
	NotApplicable int      `json:"notApplicable"`    // checks about what is not there
	Waived        int      `json:"waived"`           // checks whose findings are accepted, or that are left out
	Unseen        []string `json:"unseen,omitempty"` // collectors that did not see all

	cells []Cell
}

// FleetCheck is one check on all hosts that were judged: their names by its status there. Unknown also has hosts on which it
// failed and left something open.
type FleetCheck struct {
	ID            string   `json:"id"`            // area and name
	Title         string   `json:"title"`         // what is wrong where it fails
	Severity      string   `json:"severity"`      // the highest that it has on a host
	Unknown       []string `json:"unknown"`       // hosts on which it leaves something open
	Fail          []string `json:"fail"`          // hosts on which it failed
	Waived        []string `json:"waived"`        // hosts on which what it found is accepted
	Pass          []string `json:"pass"`          // hosts on which it passed
	NotApplicable []string `json:"notApplicable"` // hosts without what it is about
}

// Trust says whether it is known who a snapshot is from. A signature shows which key signed it, and nothing about whether it is true.
type Trust struct {
	Verified bool   `json:"verified"`         // the key of the signature is known to be of that host
	Reason   string `json:"reason,omitempty"` // why it is not verified
	Key      string `json:"key,omitempty"`    // fingerprint of the key that signed
	// Principal is the name that the key is known by, By the file that says so.
	Principal string `json:"principal,omitempty"`
	By        string `json:"by,omitempty"` // the file that names the key
}

// Cell is what came of one check on one host.
type Cell struct {
	Check    string `json:"check"`          // area and name
	Status   string `json:"status"`         // what came of it
	Severity string `json:"severity"`       // of the check, or of its worst finding
	Open     bool   `json:"open,omitempty"` // it leaves something open
}

// Brief is a report without its details: what a view of many hosts is made of.
type Brief struct {
	Host     FleetHost `json:"host"`     // what came of it
	Cells    []Cell    `json:"cells"`    // what came of each check
	Accepted int       `json:"accepted"` // checks that leave something open, which was accepted
}

// Brief is the report without its details.
func (r *Report) Brief() *Brief {
	c := r.Count()
	b := &Brief{Host: FleetHost{
		Name: r.Host.Name, ID: r.Host.ID, State: Judged, CollectedAt: r.Snapshot.CollectedAt, Snapshot: r.Snapshot.Digest, Trust: r.Trust,
		Worst: r.Worst(), Findings: c.Findings, Pass: c.Pass, Fail: c.Fail, Unknown: r.Undecided(), NotApplicable: c.NotApplicable, Waived: c.Waived,
	}}
	open := map[string]bool{}
	for _, o := range r.Open() {
		open[o.Check] = true
	}
	b.Accepted = len(open) - b.Host.Unknown
	for i := range r.Results {
		res := &r.Results[i]
		b.Cells = append(b.Cells, Cell{res.ID, res.Status, res.Severity, open[res.ID]})
	}
	for _, cov := range r.Coverage {
		if cov.Status != "ok" && cov.Status != "absent" {
			b.Host.Unseen = append(b.Host.Unseen, cov.Collector)
		}
	}
	return b
}

// Valid refuses words that are not of the vocabulary, and checks other than those in their order.
func (b *Brief) Valid(checks []string) bool {
	if len(b.Cells) != len(checks) || b.Host.State != Judged || b.Host.Worst != "" && Rank(b.Host.Worst) >= len(Severities) {
		return false
	}
	for i, c := range b.Cells {
		switch c.Status {
		case Fail, Pass, Unknown, NotApplicable, Waived:
		default:
			return false
		}
		if c.Check != checks[i] || Rank(c.Severity) >= len(Severities) {
			return false
		}
	}
	return true
}

// Add adds a host that was judged.
func (f *Fleet) Add(b *Brief) {
	b.Host.cells = b.Cells
	f.Hosts = append(f.Hosts, b.Host)
}

// Finish marks what is older, counts and sorts. The titles of checks are given by id.
func (f *Fleet) Finish(titles map[string]string) {
	f.Schema = FleetSchema
	f.markOlder()
	for i := range f.Hosts {
		h := &f.Hosts[i]
		if h.State != Older {
			f.Counts.Hosts++
		}
		switch h.State {
		case Missing:
			f.Counts.Missing++
		case Refused:
			f.Counts.Refused++
		case Older:
			f.Counts.Older++
		default:
			f.Counts.Judged++
			if h.Trust != nil && h.Trust.Verified {
				f.Counts.Verified++
			}
		}
	}
	order := []string{Missing, Refused, Judged, Older}
	slices.SortStableFunc(f.Hosts, func(a, b FleetHost) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State)),
			cmp.Compare(b.Unknown, a.Unknown),
			cmp.Compare(Rank(a.Worst), Rank(b.Worst)),
			strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID), strings.Compare(a.File, b.File), strings.Compare(a.CollectedAt, b.CollectedAt),
		)
	})
	f.addChecks(titles)
}

// markOlder has one snapshot of each host count: the newest of those that are verified, or where none is the newest of all.
func (f *Fleet) markOlder() {
	newest := map[[2]string]int{}
	for i := range f.Hosts {
		h := &f.Hosts[i]
		if h.State != Judged {
			continue
		}
		key := [2]string{h.Name, h.ID}
		j, ok := newest[key]
		if !ok {
			newest[key] = i
			continue
		}
		old := &f.Hosts[j]
		if v, w := h.Trust.Holds(), old.Trust.Holds(); v && !w || v == w && later(h.CollectedAt, old.CollectedAt) {
			old.State, newest[key] = Older, i
		} else {
			h.State = Older
		}
	}
}

// later compares times of RFC 3339; one that is none is before all others.
func later(a, b string) bool {
	s, err := time.Parse(time.RFC3339, a)
	t, err2 := time.Parse(time.RFC3339, b)
	return err == nil && (err2 != nil || s.After(t))
}

// Holds says whether it is known who the snapshot is from.
func (t *Trust) Holds() bool { return t != nil && t.Verified }

// Told is what is left of it in a report that was written to a file: nobody signed that, and whoever wrote it can have written this.
func (t *Trust) Told() *Trust {
	if !t.Holds() {
		return t
	}
	told := *t
	told.Verified = false
	told.Reason = "a report says that it was verified, and who wrote the report is not known"
	return &told
}

// addChecks turns the hosts' answers round.
func (f *Fleet) addChecks(titles map[string]string) {
	by := map[string]int{}
	for i := range f.Hosts {
		h := &f.Hosts[i]
		if h.State != Judged {
			continue
		}
		for _, c := range h.cells {
			at, ok := by[c.Check]
			if !ok {
				at = len(f.Checks)
				by[c.Check] = at
				f.Checks = append(f.Checks, FleetCheck{
					ID: c.Check, Title: titles[c.Check], Severity: c.Severity,
					Unknown: []string{}, Fail: []string{}, Waived: []string{}, Pass: []string{}, NotApplicable: []string{},
				})
			}
			f.Checks[at].add(h.Name, c)
		}
	}
	slices.SortStableFunc(f.Checks, func(a, b FleetCheck) int {
		return cmp.Or(cmp.Compare(a.order(), b.order()), cmp.Compare(Rank(a.Severity), Rank(b.Severity)),
			cmp.Compare(len(b.Unknown)+len(b.Fail), len(a.Unknown)+len(a.Fail)), strings.Compare(a.ID, b.ID))
	})
}

func (c *FleetCheck) add(host string, cell Cell) {
	if Rank(cell.Severity) < Rank(c.Severity) {
		c.Severity = cell.Severity
	}
	if cell.Open {
		c.Unknown = append(c.Unknown, host)
	}
	switch cell.Status {
	case Fail:
		c.Fail = append(c.Fail, host)
	case Waived:
		c.Waived = append(c.Waived, host)
	case Pass:
		c.Pass = append(c.Pass, host)
	case NotApplicable:
		c.NotApplicable = append(c.NotApplicable, host)
	default:
	}
}

// order has what is unknown somewhere before what failed somewhere, and that before the rest.
func (c *FleetCheck) order() int {
	switch {
	case len(c.Unknown) > 0:
		return 0
	case len(c.Fail) > 0:
		return 1
	}
	return 2
}

// Worst is the highest severity that was found on a host that counts, Undecided how many answers are not known on them, and Unjudged the
// hosts of which nothing is known.
func (f *Fleet) Worst() (worst string, undecided, unjudged int) {
	for i := range f.Hosts {
		h := &f.Hosts[i]
		switch h.State {
		case Judged:
			undecided += h.Unknown
			if h.Worst != "" && (worst == "" || Rank(h.Worst) < Rank(worst)) {
				worst = h.Worst
			}
		case Older:
		default:
			unjudged++
		}
	}
	return worst, undecided, unjudged
}

// Found is how many findings of each severity count on the hosts that do, and how many answers are not known there.
func (f *Fleet) Found() (found map[string]int, undecided int) {
	found = map[string]int{}
	for i := range f.Hosts {
		if f.Hosts[i].State != Judged {
			continue
		}
		undecided += f.Hosts[i].Unknown
		for s, n := range f.Hosts[i].Findings {
			found[s] += n
		}
	}
	return found, undecided
}

// Columns are the hosts that were judged and count, in their order.
func (f *Fleet) Columns() (names []string) {
	for i := range f.Hosts {
		if f.Hosts[i].State == Judged {
			names = append(names, f.Hosts[i].Name)
		}
	}
	return names
}
