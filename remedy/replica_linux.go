//go:build linux && !ringfence_portable

package remedy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/replica"
	"github.com/ringfence/ringfence/ruleset"
)

// RunReplica does the child's part, in an empty network namespace. read reads the ruleset that is loaded.
func RunReplica(ctx context.Context, job *Job, read func(context.Context) (*ruleset.Ruleset, error)) (*Result, error) {
	r, err := replica.Build(&job.Host)
	if err != nil {
		return nil, err
	}
	batch, err := r.Messages()
	if err != nil {
		return nil, err
	}
	if len(batch) > 0 {
		if err := sendBatch(wire.Transaction(batch), 0); err != nil {
			return nil, fmt.Errorf("load the live ruleset: %w", err)
		}
	}
	if err := commit(0, dropTables(tableNames...)); err != nil {
		return nil, fmt.Errorf("take our own tables out: %w", err)
	}
	if err := r.Listen(); err != nil {
		return nil, err
	}
	if err := r.Ready(job.Probes); err != nil {
		return nil, err
	}
	before := slices.Clone(job.Probes)
	for i := range before {
		before[i].Answered = true
	}
	res := &Result{Before: r.Try(before)}
	if err := commit(0, trialOf(job.Plan, time.Hour)); err != nil {
		return nil, fmt.Errorf("load the plan: %w", err)
	}
	res.After = r.Try(job.Probes)
	if err := r.FlushNeighbours(); err != nil {
		return nil, err
	}
	res.Flushed = r.Try(job.Probes)
	if err := commit(0, lastingOf(job.Plan)); err != nil {
		return nil, fmt.Errorf("load the plan: %w", err)
	}
	rs, err := read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read back: %w", err)
	}
	res.Trial, res.Lasting, res.Omitted = ours(rs, trialTable), ours(rs, Table), r.Omitted
	if n := len(job.Plan.families()); len(res.Trial) != n || len(res.Lasting) != n {
		return nil, fmt.Errorf("read back: a table is missing")
	}
	return res, nil
}
