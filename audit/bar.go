package audit

import (
	"slices"

	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/finding"
)

// Bar is what makes an audit end with another exit code than 0.
type Bar struct {
	FailOn string // the lowest severity that does, or OnNothing, or OnNew
	Strict bool   // so does a check that leaves something open
}

// What a bar can be beside a severity: no finding at all, or what is worse than in a baseline.
const (
	OnNothing = "none"
	OnNew     = "new"
)

// Bars are all words for FailOn.
var Bars = append(slices.Clone(finding.Severities), OnNothing, OnNew)

// Met is an exit.Error for the highest severity that was found, "" for none, and a number of checks that leave something open.
func (b *Bar) Met(worst string, unknown int) error {
	if b.FailOn != OnNothing && b.FailOn != OnNew && worst != "" && finding.Rank(worst) <= finding.Rank(b.FailOn) {
		return &exit.Error{Code: exit.Findings}
	}
	if b.Strict && unknown > 0 {
		return &exit.Error{Code: exit.Incomplete}
	}
	return nil
}

// Changed is an exit.Error for what changed since a baseline.
func (b *Bar) Changed(d *finding.Diff) error {
	if b.FailOn == OnNew && d.Worse() {
		return &exit.Error{Code: exit.Findings}
	}
	return nil
}
