package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/snapshot"
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

// Changed is an exit.Error if something is worse than in a baseline.
func (b *Bar) Changed(worse bool) error {
	if b.FailOn == OnNew && worse {
		return &exit.Error{Code: exit.Findings}
	}
	return nil
}

// Held is an exit.Error if an assumption is rejected, or unconfirmed under Strict.
func (b *Bar) Held(list []finding.Assumption) error {
	has := func(validity string) bool {
		return slices.ContainsFunc(list, func(a finding.Assumption) bool { return a.Validity == validity })
	}
	switch {
	case has(finding.Rejected):
		return &exit.Error{Code: exit.Findings}
	case b.Strict && has(finding.Unconfirmed):
		return &exit.Error{Code: exit.Incomplete}
	default:
		return nil
	}
}

// Unseen says which parts of the host a snapshot has not, and is the exit.Error for that.
func Unseen(s *snapshot.Snapshot, strict bool) (told string, err error) {
	refused, whole := s.Gaps()
	for _, c := range refused {
		told += fmt.Sprintf("ringfence: %s was not seen: %s\n", c.Collector, reports.Clean(strings.Join(c.Reasons, "; "), false))
	}
	switch {
	case len(refused) == len(s.Coverage):
		return told, &exit.Error{Code: exit.Incomplete, Err: errors.New("no part of the host was seen")}
	case strict && !whole:
		return told, &exit.Error{Code: exit.Incomplete}
	default:
		return told, nil
	}
}

// Ended is the exit code of a command that ended with an error, and what is to be said of it; nothing if the code says it. cause is why its
// context ended.
func Ended(cause, err error) (int, error) {
	code := exit.Usage
	if by := new(host.EndedError); errors.As(cause, &by) {
		code = 128 + int(by.Signal) // as the shell says it of a program that a signal ended
		if !errors.As(err, new(*exit.Error)) {
			err = by
		}
	}
	if by := new(exit.Error); errors.As(err, &by) {
		code = by.Code
		if by.Err == nil {
			return code, nil
		}
	}
	return code, err
}
