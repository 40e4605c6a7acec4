package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/usage"
)

// place is where the packet model looks: the live host, another network namespace of it, or a
// snapshot.
type place struct {
	netns    string
	snapshot string
	quiet    bool
	deep     bool // what costs seconds is read too
}

func (p *place) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.netns, "netns", "", "look from this network namespace: a `name` of \"ip netns\", a path or pid:N")
	c.Flags().StringVar(&p.snapshot, "snapshot", "", "look at this snapshot `file` instead of the live host; - is standard input")
	c.Flags().BoolVarP(&p.quiet, "quiet", "q", false, "no progress on the terminal")
}

// looked is how the live host is looked at.
type looked struct {
	deadline    time.Duration // of each collector
	quiet, deep bool
	note        func(path string) // told each path that is looked at
}

// look returns the snapshot. For another namespace the program starts itself again inside it, without
// the flag.
func (e *env) look(ctx context.Context, p *place, only ...string) (*snapshot.Snapshot, error) {
	if p.netns != "" && p.snapshot != "" {
		return nil, errors.New("--netns is of the live host: it does not go with --snapshot")
	}
	if p.snapshot != "" {
		return e.input(p.quiet).Snapshot(p.snapshot)
	}
	if p.netns != "" {
		return nil, enterNetns(p.netns, usage.Without(os.Args, "netns"))
	}
	deadline := 20 * time.Second
	if p.deep {
		deadline = 10 * time.Minute
	}
	return e.see(ctx, looked{deadline: deadline, quiet: p.quiet, deep: p.deep}, only...)
}
