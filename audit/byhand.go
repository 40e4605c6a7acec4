package audit

import (
	"context"
	"errors"

	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/remedy"
)

// ErrByHand ends a fix of a Windows host, once its plan is told.
var ErrByHand error = &exit.Error{Code: exit.Refused, Err: errors.New("nothing is loaded on Windows: run the commands of the plan")}

// ByHand is the plan for the host of a snapshot, where that runs Windows. Of other hosts a plan is loaded, which no snapshot is.
func (in *Input) ByHand(ctx context.Context, s *Source, opt remedy.Options) (*remedy.Plan, error) {
	m, err := in.Load(ctx, s)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if !m.Snapshot.OnWindows() {
		return nil, errors.New("fix apply works on the live host; for a snapshot there is fix plan")
	}
	return m.Plan(ctx, m.Snapshot, opt)
}
