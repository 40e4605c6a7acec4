package finding

import (
	"fmt"
	"slices"
	"strings"
)

// What is known of an assumption, in the words of TM-BOM.
const (
	Confirmed   = "confirmed"   // every claim that it rests on was seen to hold
	Rejected    = "rejected"    // something was seen that it says is not there
	Unconfirmed = "unconfirmed" // neither
)

// Why an assumption is unconfirmed: what could not be seen and what nobody looks after are two kinds of work.
const (
	Unseen  = "unseen"  // the evidence was not read, or did not decide
	Overdue = "overdue" // it holds, and the day is over by which somebody was to look at it again
	Stale   = "stale"   // it held when the snapshot was taken, which is too long ago
)

// Assumption is what a threat model takes for granted, held against the host.
type Assumption struct {
	ID        string   `json:"id"`               // its name in the register
	Statement string   `json:"statement"`        // what is assumed
	Topics    []string `json:"topics,omitempty"` // what it is about
	Owner     string   `json:"owner,omitempty"`  // who answers for it
	Review    string   `json:"review,omitempty"` // the last day, in UTC (2006-01-02), on which it counts without another look
	Severity  string   `json:"severity"`         // of the finding if it is rejected
	// IfFalse are threats that come back if it does not hold.
	IfFalse []string `json:"ifFalse,omitempty"`
	// Supports are checks that pass only while it holds.
	Supports []string `json:"supports,omitempty"`
	Validity string   `json:"validity"` // confirmed, rejected or unconfirmed
	// Open says of what is unconfirmed whether it was not seen, or is overdue or stale.
	Open string `json:"open,omitempty"`
	// Because is why it is not confirmed.
	Because []string `json:"because,omitempty"`
	// Claims are what it rests on, each with an answer of its own.
	Claims []Claim `json:"claims"`
	// Shipped says that it is of the set that the program brings along. Such a one is told and makes no finding.
	Shipped bool `json:"shipped,omitempty"`
}

// Claim is one of the things that an assumption rests on.
type Claim struct {
	Says     string `json:"says"`     // the claim in words
	Validity string `json:"validity"` // confirmed, rejected or unconfirmed
	// Grounds are what was asked of the host for it.
	Grounds []Ground `json:"grounds"`
}

// Ground is a question to the host that a claim rests on, and its answer.
type Ground struct {
	Kind string `json:"kind"` // fact, check, reach, path or rego
	// What is asked: the name of a fact, a check or a rule, or a question in words.
	What     string `json:"what"`
	Validity string `json:"validity"` // confirmed, rejected or unconfirmed
	// Evidence is what was seen, for or against it.
	Evidence []string `json:"evidence,omitempty"`
	Witness  string   `json:"witness,omitempty"` // a packet that refutes it
	Steps    []string `json:"steps,omitempty"`   // a way that refutes it
	Because  string   `json:"because,omitempty"` // why it is unconfirmed
}

// Under is an assumption that a check rests on: without it that nothing was found says nothing.
type Under struct {
	ID       string `json:"id"`       // of the assumption
	Validity string `json:"validity"` // confirmed, rejected or unconfirmed
}

// Add adds results, in the order of their ids.
func (r *Report) Add(list []Result) {
	r.Results = append(r.Results, list...)
	slices.SortStableFunc(r.Results, func(a, b Result) int { return strings.Compare(a.ID, b.ID) })
}

// underText says under which assumptions a check passes.
func underText(list []Under) string {
	var ids []string
	for _, u := range list {
		ids = append(ids, u.ID)
	}
	return "if " + strings.Join(ids, " and ")
}

// Hold has checks rest on assumptions: rests are the ids of those of each check. One that passes says under what; it passes no more if one of
// them is not confirmed, or is not there.
func (r *Report) Hold(rests map[string][]string) {
	for i := range r.Results {
		res := &r.Results[i]
		for _, id := range rests[res.ID] {
			validity := Unconfirmed
			at := slices.IndexFunc(r.Assumptions, func(a Assumption) bool { return a.ID == id })
			if at >= 0 {
				validity = r.Assumptions[at].Validity
			}
			res.Under = append(res.Under, Under{id, validity})
		}
		if len(res.Under) == 0 || res.Status != Pass {
			continue
		}
		res.Reason = underText(res.Under) + ", which was seen to hold"
		for _, u := range res.Under {
			if u.Validity != Confirmed {
				res.Status = Unknown
				res.Reason = fmt.Sprintf("it passes only if %s, and that is %s%s", u.ID, u.Validity, r.whyNot(u.ID))
				break
			}
		}
	}
}

// whyNot is the first reason why an assumption is not confirmed.
func (r *Report) whyNot(id string) string {
	for i := range r.Assumptions {
		if a := &r.Assumptions[i]; a.ID == id && len(a.Because) > 0 {
			return ": " + a.Because[0]
		}
	}
	return ": it is in no register"
}
