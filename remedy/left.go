package remedy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/dropin"
)

// OpenError says of checks why what the plan closes for them cannot be shown to be closed. Unknown says that of some of it the model knows too
// little of the host: nothing is known to be open.
type OpenError struct {
	Why     map[string]string
	Unknown bool
}

// Error is the first of them.
func (e *OpenError) Error() string {
	checks := slices.Sorted(maps.Keys(e.Why))
	return e.Why[checks[0]]
}

// leave is the plan without what closes the findings of some checks, which become work for people with the reason. It is nil where nothing is
// left to load. A baseline stays one: what no rule of it lets in is dropped by its policy, whatever is left out. It is not loaded where the model does not
// know the host: then neither is known who comes in by what it lets in.
func (p *Plan) leave(open *OpenError) *Plan {
	if p.Mode != Targeted && open.Unknown {
		return nil
	}
	why := maps.Clone(open.Why)
	for more := true; more; { // a rule can be for several checks
		more = false
		for _, checks := range p.Shared {
			for _, c := range checks {
				if reason, ok := why[c]; ok {
					for _, other := range checks {
						if why[other] == "" {
							why[other], more = reason, true
						}
					}
				}
			}
		}
	}
	left := *p
	left.singles = nil
	left.Rules = slices.DeleteFunc(slices.Clone(p.Rules), func(r Rule) bool { return why[r.Closes] != "" })
	if len(left.Rules) == len(p.Rules) || p.Mode == Targeted && !slices.ContainsFunc(left.Rules, func(r Rule) bool { return !r.Accept }) {
		return nil
	}
	left.Closes, left.Manual = []Target{}, slices.Clone(p.Manual)
	for _, t := range p.Closes {
		if why[t.Check] == "" {
			left.Closes = append(left.Closes, t)
			continue
		}
		left.Manual = append(left.Manual, dropin.Manual{
			Check: t.Check, What: t.What, Kind: "words", Text: "it is left out, since it cannot be shown to be closed: " + why[t.Check], Reason: dropin.ReasonOpen,
		})
	}
	left.Ruleset, left.Inverse = left.text(), left.inverse()
	return &left
}

// LeftOpen are the checks whose findings a plan was made to close and leaves open, since that could not be shown.
func (p *Plan) LeftOpen() (list []string) {
	for _, m := range p.Manual {
		if m.Reason == dropin.ReasonOpen && !slices.Contains(list, m.Check) {
			list = append(list, m.Check)
		}
	}
	return list
}

// leftOut tells what a plan leaves out that another one closes.
func (p *Plan) leftOut(than *Plan) (list []string) {
	for _, m := range p.Manual[len(than.Manual):] {
		list = append(list, fmt.Sprintf("%s: %s: %s", m.Check, m.What, strings.TrimSpace(m.Text)))
	}
	return list
}
