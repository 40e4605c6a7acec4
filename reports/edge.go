package reports

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ringfence/ringfence/finding"
)

// entry is a row of a format that has one for each finding, one for each check without any, one for what a check with findings leaves open, and one
// for each finding of before that is not known to be gone: readers take what has no row any more for closed.
type entry struct {
	r       *finding.Report
	res     *finding.Result
	f       *finding.Finding // nil for a check without findings, or what one leaves open
	open    bool             // what a check with findings leaves open
	carried bool             // it was found before
}

// entries are the rows of reports.
func entries(list []*finding.Report) (out []entry) {
	for _, r := range list {
		for i := range r.Results {
			res := &r.Results[i]
			if len(res.Findings) == 0 {
				out = append(out, entry{r: r, res: res})
			}
			for j := range res.Findings {
				out = append(out, entry{r: r, res: res, f: &res.Findings[j]})
			}
			if leavesOpen(res) {
				out = append(out, entry{r: r, res: res, open: true})
			}
		}
		out = append(out, carried(r)...)
	}
	return out
}

// carried are the rows of the findings of before that are not known to be gone.
func carried(r *finding.Report) (out []entry) {
	if len(r.Carried) == 0 {
		return nil
	}
	results := map[string]*finding.Result{}
	for i := range r.Results {
		results[r.Results[i].ID] = &r.Results[i]
	}
	for i := range r.Carried {
		if res := results[r.Carried[i].Check]; res != nil {
			out = append(out, entry{r: r, res: res, f: &r.Carried[i].Finding, carried: true})
		}
	}
	return out
}

// leavesOpen says whether a check has findings, and beside them something that it did not see or could not decide.
func leavesOpen(res *finding.Result) bool {
	return len(res.Findings) > 0 && (res.Status == finding.Unknown || res.Status == finding.Fail && (res.Reason != "" || len(res.Unknowns) > 0))
}

// status is that of the row: a finding whose waiver holds is waived.
func (e *entry) status() string {
	switch {
	case e.open, e.carried:
		return finding.Unknown
	case e.f != nil && e.f.Waiver.Holds():
		return finding.Waived
	default:
		return e.res.Status
	}
}

// evidence is what was seen, or of what is not known each with why.
func (e *entry) evidence() (list []string) {
	if e.f != nil {
		return e.f.Evidence
	}
	for _, u := range e.res.Unknowns {
		list = append(list, u.Resource.Key+": "+u.Reason)
	}
	return list
}

func (e *entry) severity() string {
	if e.f != nil {
		return e.f.Severity
	}
	return e.res.Severity
}

// message is the consequence, or why there is no answer.
func (e *entry) message() string {
	switch {
	case e.carried:
		return oneLine("Not known to be gone (" + strings.ReplaceAll(e.res.Status, "_", " ") + "): " + e.f.Message)
	case e.f != nil:
		return oneLine(e.f.Message)
	case e.res.Reason != "":
		return oneLine(e.res.Reason)
	case e.open && len(e.res.Unknowns) == 0: // a report that somebody wrote
		return "not decided, and nobody says why"
	case e.open:
		return oneLine(fmt.Sprintf("%s could not be decided: %s", count(len(e.res.Unknowns), "object"), e.evidence()[0]))
	default:
		return oneLine(e.res.Title)
	}
}

// remedy is what to do first about it.
func (e *entry) remedy() string {
	if e.f == nil || len(e.f.Remediation) == 0 {
		return oneLine(e.res.Remediation)
	}
	for i := range e.r.Actions {
		a := &e.r.Actions[i]
		for _, id := range a.Closes {
			if id == e.f.Fingerprint && a.Command != "" {
				return oneLine(a.Command)
			}
		}
	}
	return oneLine(e.f.Remediation[0].Text)
}

// identity is one for all hosts, as long as the finding and the host stay.
func (e *entry) identity() string {
	what := e.res.ID
	if e.f != nil {
		what = e.f.Fingerprint
	}
	sum := sha256.Sum256([]byte(e.r.Host.ID + "\x00" + e.r.Host.Name + "\x00" + what))
	return hex.EncodeToString(sum[:])
}

// uuid has the form of a UUID, of version 8 (RFC 9562): made of an identity.
func uuid(identity string) string {
	return identity[:8] + "-" + identity[8:12] + "-8" + identity[13:16] + "-a" + identity[17:20] + "-" + identity[20:32]
}

// upTo is at most n characters of a text, with a mark where it is cut.
func upTo(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// joined is texts of a host in one line.
func joined(list []string) string { return Clean(strings.Join(list, "; "), false) }
