//go:build linux

package hostile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
)

// result is the result of a check.
func (r *Report) result(id string) *finding.Result {
	r.t.Helper()
	for i := range r.Results {
		if r.Results[i].ID == id {
			return &r.Results[i]
		}
	}
	r.t.Fatalf("no result of %s", id)
	return nil
}

// finds says whether a check has a finding whose key has these parts, and gives it.
func (r *Report) finds(id string, parts ...string) *finding.Finding {
	r.t.Helper()
	res := r.result(id)
	for i := range res.Findings {
		if all(res.Findings[i].Resource.Key, parts) {
			return &res.Findings[i]
		}
	}
	return nil
}

// all says whether a text has all of these parts.
func all(s string, parts []string) bool {
	return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(s, p) })
}

// covered is the coverage of a collector.
func (r *Report) covered(collector string) finding.Coverage {
	r.t.Helper()
	for _, c := range r.Coverage {
		if c.Collector == collector {
			return c
		}
	}
	r.t.Fatalf("no coverage of %s", collector)
	return finding.Coverage{}
}

// keeps wants every finding of an earlier report in this one, with the same fingerprint and at least its severity, and
// no check that was decided then to be undecided or to pass now.
func (r *Report) keeps(before *Report) {
	r.t.Helper()
	for i := range before.Results {
		old := &before.Results[i]
		now := r.result(old.ID)
		if old.Status == finding.Fail && now.Status != finding.Fail {
			r.t.Errorf("%s: %s before, %s now: %s", old.ID, old.Status, now.Status, now.Reason)
		}
		for _, f := range old.Findings {
			if !slices.ContainsFunc(now.Findings, func(g finding.Finding) bool {
				return g.Fingerprint == f.Fingerprint && finding.Rank(g.Severity) <= finding.Rank(f.Severity)
			}) {
				r.t.Errorf("%s: the finding about %q is gone (%s)", old.ID, f.Resource.Key, now.Status)
			}
		}
	}
}

// adds wants whatever this report has beyond an earlier one to be about what has one of these words in its key: nothing
// about somebody else. No check and no section is undecided as a whole that was not.
func (r *Report) adds(before *Report, words ...string) {
	r.t.Helper()
	theirs := func(s string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
	}
	var wrong []string
	note := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, c := range r.Coverage {
		old := before.covered(c.Collector)
		for _, why := range c.Reasons {
			if !slices.Contains(old.Reasons, why) && !theirs(why) {
				note("the section %s is %s, and was %s: %.200s", c.Collector, c.Status, old.Status, why)
			}
		}
	}
	for i := range r.Results {
		now := &r.Results[i]
		old := before.result(now.ID)
		for _, f := range now.Findings {
			if now.ID == "coverage/incomplete" {
				continue // says what the sections say, which were compared
			}
			if !slices.ContainsFunc(old.Findings, func(g finding.Finding) bool { return g.Fingerprint == f.Fingerprint }) && !theirs(f.Resource.Key) {
				note("%s: a finding about %q that is not there without: %s: %v", now.ID, f.Resource.Key, f.Message, f.Evidence)
			}
		}
		for _, u := range now.Unknowns {
			if !slices.ContainsFunc(old.Unknowns, func(g finding.Unclear) bool { return g.Resource == u.Resource }) && !theirs(u.Resource.Key) {
				note("%s: %q is unknown and was not: %s", now.ID, u.Resource.Key, u.Reason)
			}
		}
		if now.Status == finding.Unknown && old.Status != finding.Unknown && len(now.Unknowns) == 0 {
			note("%s: %s before, unknown now: %.200s", now.ID, old.Status, now.Reason)
		}
	}
	for i, w := range wrong {
		if i == 4 {
			r.t.Errorf("and %d more", len(wrong)-i)
			break
		}
		r.t.Error(w)
	}
}
