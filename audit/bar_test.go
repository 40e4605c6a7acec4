package audit

import (
	"errors"
	"testing"

	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/finding"
)

// TestBar: findings come before what is not known, and only what is asked for counts.
func TestBar(t *testing.T) {
	worse := &finding.Diff{Changes: []finding.Change{{Class: finding.New}}}
	for _, c := range []struct {
		bar     Bar
		worst   string
		unknown int
		diff    *finding.Diff
		want    int
	}{
		{Bar{FailOn: "high"}, "", 3, new(finding.Diff), exit.OK},
		{Bar{FailOn: "high"}, "medium", 0, worse, exit.OK},
		{Bar{FailOn: "high"}, "high", 0, worse, exit.Findings},
		{Bar{FailOn: "high", Strict: true}, "critical", 1, worse, exit.Findings},
		{Bar{FailOn: "high", Strict: true}, "low", 1, worse, exit.Incomplete},
		{Bar{FailOn: OnNothing}, "critical", 0, worse, exit.OK},
		{Bar{FailOn: OnNew}, "critical", 0, new(finding.Diff), exit.OK},
		{Bar{FailOn: OnNew}, "", 0, worse, exit.Findings},
	} {
		err := c.bar.Changed(c.diff.Worse())
		if err == nil {
			err = c.bar.Met(c.worst, c.unknown)
		}
		code, by := exit.OK, new(exit.Error)
		if errors.As(err, &by) {
			code = by.Code
		}
		if code != c.want {
			t.Errorf("%+v: exit code %d", c, code)
		}
	}
}
