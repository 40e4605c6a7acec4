//go:build linux && !ringfence_portable

package remedy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/nftables"

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
	b := &bench{Replica: r, job: job, read: read}
	if err := b.fresh(ctx); err != nil {
		return nil, err
	}
	if err := r.Listen(); err != nil {
		return nil, err
	}
	if err := r.Ready(job.Probes); err != nil {
		return nil, err
	}
	res := new(Result)
	if res.Before, err = b.round(ctx, true, nil); err != nil {
		return nil, err
	}
	if res.Entered, err = r.TryUnfound(answered(job.Probes), res.Before); err != nil {
		return nil, err
	}
	job.Probes = worthWaiting(job.Probes, res.Before)
	if res.After, err = b.round(ctx, false, trialOf(job.Plan, time.Hour)); err != nil {
		return nil, err
	}
	if err := r.FlushNeighbours(); err != nil {
		return nil, err
	}
	if res.Flushed, err = b.round(ctx, false, trialOf(job.Plan, time.Hour)); err != nil {
		return nil, err
	}
	for _, table := range []change{trialOf(job.Plan, time.Hour), lastingOf(job.Plan)} { // the first may not be there, where nothing could be tried
		if err := commit(0, table); err != nil {
			return nil, fmt.Errorf("load the plan: %w", err)
		}
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

// worthWaiting are the probes with those told as unanswered that nobody answered before: they are not waited for again.
func worthWaiting(list []replica.Probe, before map[int]string) []replica.Probe {
	list = slices.Clone(list)
	for i := range list {
		list[i].Answered = list[i].Answered && before[list[i].ID] == replica.Open
	}
	return list
}

// answered are probes that are sent once more where no answer came.
func answered(list []replica.Probe) []replica.Probe {
	list = slices.Clone(list)
	for i := range list {
		list[i].Answered = true
	}
	return list
}

// bench is a replica whose probes are tried.
type bench struct {
	*replica.Replica
	job  *Job
	read func(context.Context) (*ruleset.Ruleset, error)

	loaded bool // the ruleset of the host
}

// everyFamily is the families of nftables as the kernel numbers them.
var everyFamily = map[string]nftables.TableFamily{
	ruleset.FamilyInet: nftables.TableFamilyINet, ruleset.FamilyIP: nftables.TableFamilyIPv4, ruleset.FamilyIP6: nftables.TableFamilyIPv6,
	ruleset.FamilyARP: nftables.TableFamilyARP, ruleset.FamilyBridge: nftables.TableFamilyBridge, ruleset.FamilyNetdev: nftables.TableFamilyNetdev,
}

// fresh loads the ruleset of the host, without tables of ours, or where it is there already what of it counts anew.
func (b *bench) fresh(ctx context.Context) error {
	wanted := func(*ruleset.Message) bool { return true }
	if b.loaded {
		old, err := b.read(ctx)
		if err != nil {
			return fmt.Errorf("list tables: %w", err)
		}
		old.Tables = slices.DeleteFunc(old.Tables, func(t ruleset.Table) bool { return t.Legacy != "" || slices.Contains(tableNames, t.Name) })
		gone, err := takeOut(renewed(old))
		if err != nil {
			return fmt.Errorf("take out what counts: %w", err)
		}
		wanted = func(m *ruleset.Message) bool { return gone[numbered{m.Family, m.Table()}] }
	}
	if err := b.LoadLegacy(); err != nil {
		return err
	}
	batch, err := b.Messages(wanted)
	if err != nil {
		return err
	}
	if len(batch) > 0 {
		if err := sendBatch(wire.Transaction(batch), 0); err != nil {
			return fmt.Errorf("load the live ruleset: %w", err)
		}
	}
	if err := commit(0, dropTables(tableNames...)); err != nil {
		return fmt.Errorf("take our own tables out: %w", err)
	}
	b.loaded = true
	return nil
}

// numbered is a table by the number of its family and its name.
type numbered struct {
	family uint8
	name   string
}

// takeOut removes tables, and gives them by name. What a rule has counted by a name ends with the last rule that has it: they are gone before
// anything is loaded.
func takeOut(list []*ruleset.Table) (map[numbered]bool, error) {
	gone := map[numbered]bool{}
	if len(list) == 0 {
		return gone, nil
	}
	return gone, commit(0, func(conn *nftables.Conn) error {
		for _, t := range list {
			family := everyFamily[t.Family]
			gone[numbered{uint8(family), t.Name}] = true
			conn.DelTable(&nftables.Table{Name: t.Name, Family: family})
		}
		return nil
	})
}

// round tries all probes with a plan. Where rules count what they let pass, those that have to arrive are tried first, and each half finds
// nothing counted: else some would use up what is left to the others.
func (b *bench) round(ctx context.Context, all bool, plan change) (map[int]string, error) {
	var halves [2][]replica.Probe
	for _, p := range b.job.Probes {
		half := 1
		if p.Answered || !b.job.Counts {
			half = 0
		}
		p.Answered = p.Answered || all && p.Arrives
		halves[half] = append(halves[half], p)
	}
	out := map[int]string{}
	for _, probes := range halves {
		if len(probes) == 0 {
			continue
		}
		if b.job.Counts {
			if err := b.fresh(ctx); err != nil {
				return nil, err
			}
		}
		if plan != nil {
			if err := commit(0, plan); err != nil {
				return nil, fmt.Errorf("load the plan: %w", err)
			}
		}
		maps.Copy(out, b.Try(probes))
	}
	return out, nil
}
