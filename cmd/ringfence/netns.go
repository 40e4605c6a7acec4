package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/usage"
)

// place is where the packet model looks: the live host, another network namespace of it, or a
// snapshot.
type place struct {
	netns      string
	snapshot   string
	deep       bool // what costs seconds is read too
	quiet, ask bool
	programs   packet.Runner // asks them, with ask
}

func (p *place) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.netns, "netns", "", "look from this network namespace: a `name` of \"ip netns\", a path or pid:N")
	c.Flags().StringVar(&p.snapshot, "snapshot", "", "look at this snapshot `file` instead of the live host; - is standard input")
	if c.Name() != "paths" { // which asks about no packet
		c.Flags().BoolVar(&p.ask, "ask-programs", false, "have the kernel run programs of XDP, traffic control and cgroups on single packets, if they change nothing by it")
	}
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
	if (p.netns != "" || p.ask) && p.snapshot != "" {
		return nil, errors.New("--netns and --ask-programs are of the live host: they do not go with --snapshot")
	}
	if p.snapshot != "" {
		return e.input(p.quiet).Snapshot(p.snapshot)
	}
	if p.netns != "" {
		return nil, enterNetns(p.netns, usage.Without(os.Args, "netns"))
	}
	deadline := map[bool]time.Duration{false: 20 * time.Second, true: 10 * time.Minute}[p.deep]
	s, err := e.see(ctx, looked{deadline: deadline, quiet: p.quiet, deep: p.deep}, only...)
	if err == nil && p.ask {
		p.programs, err = askPrograms(s.Network.HostNetns())
	}
	return s, err
}
