//go:build linux && !ringfence_portable

package remedy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

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
	if err := loadAgain(batch); err != nil {
		return nil, fmt.Errorf("load the live ruleset: %w", err)
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

// loadAgain sends messages that a kernel told as one transaction. Each is its type in two bytes, then what
// follows the header.
func loadAgain(messages [][]byte) error {
	if len(messages) == 0 {
		return nil
	}
	mark := func(kind netlink.HeaderType) netlink.Message {
		return netlink.Message{
			Header: netlink.Header{Type: kind, Flags: netlink.Request},
			Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, unix.NFNL_SUBSYS_NFTABLES},
		}
	}
	batch := []netlink.Message{mark(unix.NFNL_MSG_BATCH_BEGIN)}
	for _, m := range messages {
		kind := netlink.HeaderType(uint16(m[0]) | uint16(m[1])<<8)
		flags := netlink.Request | netlink.Create
		if kind&0xff == unix.NFT_MSG_NEWRULE {
			flags |= netlink.Append
		}
		batch = append(batch, netlink.Message{
			Header: netlink.Header{Type: kind, Flags: flags},
			Data:   append([]byte{m[2], unix.NFNETLINK_V0, 0, 0}, m[3:]...),
		})
	}
	return sendBatch(append(batch, mark(unix.NFNL_MSG_BATCH_END)), 0)
}
