package waiver

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/finding"
)

// The checks of the waivers themselves.
var own = []struct{ id, title, description, remediation string }{
	{"waiver/duplicate", "Two waivers are about one finding", "The first of a file decides; the others hide what was accepted when.", "Keep one waiver for each finding."},
	{"waiver/expired", "A waiver has expired", "What it accepted counts again.", "Close the finding, or accept it anew with a new date."},
	{"waiver/stale", "A waiver is about nothing", "Nothing was found that it accepts. It would hide what comes later.", "Take it out of the file."},
	{"waiver/without-owner", "Nobody answers for a waiver", "A finding is accepted, and nobody is named who answers for that.", "Name an owner."},
}

// Apply marks what is accepted in a report, and adds what is wrong with the waivers. The digest is that of the file.
func (l *List) Apply(r *finding.Report, text []byte, now time.Time) {
	problems := map[string][]finding.Finding{}
	tell := func(check string, w *Waiver, message string) {
		p := w.problem(check, message)
		for i, told := 0, problems[check]; i < len(told); i++ {
			if told[i].Fingerprint != p.Fingerprint {
				continue
			}
			if !slices.Contains(told[i].Evidence, message) && told[i].Message != message { // of one thing there is one finding
				told[i].Evidence = append(told[i].Evidence, message)
			}
			return
		}
		problems[check] = append(problems[check], p)
	}
	used := make([]bool, len(l.Waivers))
	sum := &finding.Waivers{Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(text)), Given: len(l.Waivers) + len(l.AcceptUnknown)}
	for i := range r.Results {
		res := &r.Results[i]
		for j := range res.Findings {
			f := &res.Findings[j]
			first := -1
			for k := range l.Waivers {
				w := &l.Waivers[k]
				if !w.matches(&r.Host, res.ID, f) {
					continue
				}
				used[k] = true
				if first >= 0 {
					tell("waiver/duplicate", w, fmt.Sprintf("%s of %s is accepted by two waivers: the first of the file decides", f.Resource.Key, res.ID))
					continue
				}
				first = k
				f.Waiver = &finding.Waiver{Reason: w.Reason, Owner: w.Owner, Expires: w.Expires, Reopened: w.reopened(r, f, now)}
				if f.Waiver.Holds() {
					sum.Applied++
				} else {
					sum.Reopened++
				}
			}
		}
		settle(res)
	}
	l.unknown(r, now, sum, tell)
	for k := range l.Waivers {
		w := &l.Waivers[k]
		if !now.Before(w.until) {
			tell("waiver/expired", w, fmt.Sprintf("the waiver of %s has expired (%s)", w.Finding, w.Expires))
		}
		if w.Owner == "" {
			tell("waiver/without-owner", w, fmt.Sprintf("nobody answers for the waiver of %s", w.Finding))
		}
		if !used[k] && w.decided(r) {
			tell("waiver/stale", w, fmt.Sprintf("nothing was found that the waiver of %s is about", w.Finding))
		}
	}
	r.Waivers = sum
	for _, c := range own {
		res := finding.Result{
			ID: c.id, Status: finding.Pass, Severity: "low", Title: c.title, Description: c.description, Remediation: c.remediation, Findings: problems[c.id],
		}
		if len(res.Findings) > 0 {
			res.Status = finding.Fail
		}
		r.Results = append(r.Results, res)
	}
	slices.SortStableFunc(r.Results, func(a, b finding.Result) int { return strings.Compare(a.ID, b.ID) })
}

// settle makes a check whose findings are all accepted a waived one, and its severity that of what counts.
func settle(res *finding.Result) {
	if res.Status != finding.Fail {
		return
	}
	worst, open := "", 0
	for j := range res.Findings {
		f := &res.Findings[j]
		if f.Waiver.Holds() {
			continue
		}
		open++
		if worst == "" || finding.Rank(f.Severity) < finding.Rank(worst) {
			worst = f.Severity
		}
	}
	switch {
	case open == 0 && len(res.Unknowns) > 0: // what is not known is not accepted with it
		res.Status, res.Reason = finding.Unknown, res.Unknowns[0].Resource.Key+": "+res.Unknowns[0].Reason
	case open == 0 && res.Reason != "": // that there can be more
		res.Status = finding.Unknown
	case open == 0:
		res.Status, res.Reason = finding.Waived, "all findings are accepted"
	default:
		res.Severity = worst
	}
}

// unknown marks the checks whose answer is not known and that are accepted so.
func (l *List) unknown(r *finding.Report, now time.Time, sum *finding.Waivers, tell func(string, *Waiver, string)) {
	for k := range l.AcceptUnknown {
		w := &l.AcceptUnknown[k]
		if w.Owner == "" {
			tell("waiver/without-owner", w, fmt.Sprintf("nobody answers for it that %s is not known", w.Finding))
		}
		if !now.Before(w.until) {
			tell("waiver/expired", w, fmt.Sprintf("that %s is not known was accepted until %s", w.Finding, w.Expires))
			continue
		}
		found := false
		for i := range r.Results {
			res := &r.Results[i]
			if res.Status != finding.Unknown || !w.matches(&r.Host, res.ID, nil) || !w.covers(res) {
				continue
			}
			found = true
			if res.Waiver == nil {
				res.Waiver = &finding.Waiver{Reason: w.Reason, Owner: w.Owner, Expires: w.Expires}
				sum.Applied++
			}
		}
		if !found && w.about(&r.Host) {
			tell("waiver/stale", w, fmt.Sprintf("%s is known, or something else of it is unknown", w.Finding))
		}
	}
}

// covers says whether everything that is not known of a check is what it is about.
func (w *Waiver) covers(res *finding.Result) bool {
	if w.Object == "" {
		return true
	}
	for _, u := range res.Unknowns {
		if !glob(w.Object, u.Resource.Key) {
			return false
		}
	}
	return len(res.Unknowns) > 0
}

// decided says whether it is known that nothing is there that it is about: a check that was not decided may have it again.
func (w *Waiver) decided(r *finding.Report) bool {
	if !w.about(&r.Host) {
		return false
	}
	for i := range r.Results {
		res := &r.Results[i]
		if res.Status == finding.Unknown && (res.ID == w.Finding || fingerprint.MatchString(w.Finding)) || res.ID == w.Finding && len(res.Unknowns) > 0 {
			return false
		}
	}
	return true
}

// problem is a finding about a waiver.
func (w *Waiver) problem(check, message string) finding.Finding {
	key := strings.TrimSpace(w.Finding + " " + w.Object)
	if w.Host != "" {
		key += " on " + w.Host
	}
	return finding.Finding{
		Resource: finding.Resource{Kind: "waiver", Key: key}, Message: message, Severity: "low", Evidence: []string{w.Reason + ", until " + w.Expires},
		Remediation: []finding.Remediation{}, Fingerprint: fmt.Sprintf("%x", sha256.Sum256([]byte(check+"\x00waiver\x00"+key))),
	}
}
