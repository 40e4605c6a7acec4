package reach

import (
	"context"
	"errors"

	"github.com/ringfence/ringfence/packet"
)

// errTooComplex ends a question whose answer would take too many cases.
var errTooComplex = errors.New("the rules split the question into too many cases")

// errNoTime ends the questions of an audit whose time is over.
var errNoTime = errors.New("the audit's time was used up")

// The bounds of one question. A step is about one rule over one set of packets. maxCases is how much can be in the
// works at one time, in sets of packets of an ordinary size: about 600 bytes each.
const (
	maxSteps = 3_200_000
	maxCases = 120_000
)

// Effort is what the questions of one party may cost. It counts steps of the model, and no time, so that a snapshot is
// judged alike on every machine: one that needs more than its share is answered with unknown, and the reason. Only
// Context depends on the clock, and it too can only turn an answer into unknown.
type Effort struct {
	Whose    string // names the party in the reason of unknown answers
	Left     int    // steps for all of its questions
	Question int    // steps for each of them; 0 is the model's own bound
	Cases    int    // that one question may hold at one time; 0 is the model's own bound
	// Context ends the questions, also in their middle. It may be nil.
	Context context.Context

	over error // why there is no more
}

// usedUpError is the reason of a question that there was no effort left for.
type usedUpError struct{ whose string }

func (u *usedUpError) Error() string {
	return "the effort for " + u.whose + " is used up: the rules decide too much that is open, or there are too many questions"
}

// Spend takes steps away. It returns an error, whose text is the reason for an unknown answer, when none are left or the
// time is over.
func (e *Effort) Spend(steps int) error {
	switch {
	case e == nil:
		return nil
	case e.over != nil:
	case e.Left < steps:
		e.Left, e.over = 0, &usedUpError{e.Whose}
	case e.Context != nil && e.Context.Err() != nil:
		e.over = errNoTime
	default:
		e.Left -= steps
	}
	return e.over
}

// Within is the model with an effort that all questions to it share. What the models have found out about the snapshot
// they share with each other.
func (m *Model) Within(e *Effort) *Model {
	w := *m
	w.effort = e
	return &w
}

// refuses is why no question is answered at all: what was not read, or that no effort is left.
func (m *Model) refuses() []packet.Cause {
	if len(m.general) > 0 {
		return m.general
	}
	if err := m.effort.Spend(m.base); err != nil {
		return []packet.Cause{{Text: err.Error()}}
	}
	return nil
}

// pollEvery is after how many steps a question asks for its effort and the time.
const pollEvery = 1024

// charge takes steps of a question away, and says whether it has to end. The next spend gives the reason.
func (e *engine) charge(steps int) bool {
	if e.over != nil {
		return true
	}
	e.steps += steps
	if e.steps > e.maxSteps {
		e.over = errTooComplex
	} else if e.steps-e.paid >= pollEvery {
		e.over, e.paid = e.effort.Spend(e.steps-e.paid), e.steps
	}
	return e.over != nil
}

// intervalsPerStep is how many intervals of sets are compared and copied in the time of one step.
const intervalsPerStep = 128

// parts charges for parting packets by a set: what is compared is as long as the two sets.
func (e *engine) parts(c *cube, f field, by set) bool {
	return e.charge((len(c.sets[f]) + len(by)) / intervalsPerStep)
}

// spendStates charges one step for each case that is at work, and bounds what they hold.
func (e *engine) spendStates(live []state) error {
	held := 0
	for i := range live {
		held += live[i].cube.size()
	}
	return e.hold(len(live), held)
}

func (e *engine) hold(steps, held int) error {
	if e.charge(steps) {
		return e.over
	}
	if held > e.maxCases {
		e.over = errTooComplex
	}
	return e.over
}

// end pays what was not paid yet.
func (e *engine) end() {
	if e.steps > e.paid {
		_ = e.effort.Spend(e.steps - e.paid) // the next question hears of it
		e.paid = e.steps
	}
}

// size is about how much memory the packets take, in cubes of an ordinary size.
func (c *cube) size() int {
	n := len(c.doubts) + len(c.trail)
	for f := range c.sets {
		n += len(c.sets[f]) / 4
	}
	return 1 + n/6
}
