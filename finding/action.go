package finding

import (
	"slices"
	"strings"
)

// Action is one thing to do, and what it closes.
type Action struct {
	// Command is typed in a shell of the host as it is; "" is work by hand. The word NETWORK in it stands for the network of those who
	// administer the host, which nothing on it tells.
	Command  string   `json:"command,omitempty"`
	Text     string   `json:"text"`             // what the command does, or what to change
	Severity string   `json:"severity"`         // the highest of what it closes
	Closes   []string `json:"closes"`           // fingerprints; some of them need the actions before it that share them too
	Shares   []string `json:"shares,omitempty"` // fingerprints of what it ends in part: an action after it closes it
}

// Cause is what findings have in common that are about several objects in the same way: the check, the severity, and what is said of the object without
// its name.
func (f *Finding) Cause(check string) string {
	without := func(s string) string {
		if f.Resource.Key == "" {
			return s
		}
		return strings.ReplaceAll(s, f.Resource.Key, "\x00")
	}
	parts := []string{check, f.Severity, without(f.Message)}
	for _, m := range f.Remediation {
		parts = append(parts, m.Kind, without(m.Text))
	}
	return strings.Join(parts, "\x01")
}

// WithoutObject is a text of a finding without the words that name its object: what is equal of several objects is one thing.
func (f *Finding) WithoutObject(text string) string {
	named := strings.Fields(strings.ToLower(f.Resource.Key))
	words := strings.Fields(strings.ReplaceAll(text, f.Resource.Key, " "))
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return slices.Contains(named, strings.ToLower(w)) }), " ")
}

// zoneOrder has the zones from which it is worst to be reached first.
var zoneOrder = []string{"external", "unclassified", "workload", "runtime", "management", "host", ""}

// Ordered ranks actions. What several of them end together is closed by the last of these.
func Ordered(list []Action, of map[string]*Finding) []Action {
	RankActions(list, of)
	done := map[string]bool{}
	for i := range slices.Backward(list) {
		a := &list[i]
		a.Shares = slices.DeleteFunc(a.Shares, func(id string) bool {
			if done[id] {
				return false
			}
			done[id] = true
			a.Closes = append(a.Closes, id)
			return true
		})
	}
	return list
}

// RankActions puts those first that close what is worst, then what the worst zone can use, then those that close most.
func RankActions(list []Action, of map[string]*Finding) {
	zone := func(a *Action) int {
		worst := len(zoneOrder)
		for _, id := range slices.Concat(a.Closes, a.Shares) {
			if f := of[id]; f != nil && f.Severity == a.Severity {
				worst = min(worst, slices.Index(zoneOrder, f.Zone))
			}
		}
		return worst
	}
	slices.SortStableFunc(list, func(a, b Action) int {
		if d := Rank(a.Severity) - Rank(b.Severity); d != 0 {
			return d
		}
		if d := zone(&a) - zone(&b); d != 0 {
			return d
		}
		return len(b.Closes) + len(b.Shares) - len(a.Closes) - len(a.Shares)
	})
}

// Counting are the findings that count, by their fingerprints.
func (r *Report) Counting() map[string]*Finding {
	open := map[string]*Finding{}
	for i := range r.Results {
		if r.Results[i].Status != Fail {
			continue
		}
		for j := range r.Results[i].Findings {
			if r.Results[i].Findings[j].Waiver.Holds() {
				continue
			}
			open[r.Results[i].Findings[j].Fingerprint] = &r.Results[i].Findings[j]
		}
	}
	return open
}
