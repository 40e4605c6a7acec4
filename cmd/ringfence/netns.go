package main

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/snapshot"
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
	c.MarkFlagsMutuallyExclusive("netns", "snapshot")
}

// looked is how the live host is looked at.
type looked struct {
	deadline    time.Duration // of each collector
	quiet, deep bool
}

// look returns the snapshot. For another namespace the program starts itself again inside it, without
// the flag.
func (e *env) look(ctx context.Context, p *place, only ...string) (*snapshot.Snapshot, error) {
	if p.snapshot != "" {
		return e.loadSnapshot(p.snapshot)
	}
	if p.netns != "" {
		return nil, enterNetns(p.netns, withoutNetns(os.Args))
	}
	deadline := 20 * time.Second
	if p.deep {
		deadline = 10 * time.Minute
	}
	return e.see(ctx, looked{deadline: deadline, quiet: p.quiet, deep: p.deep}, only...)
}

// withoutNetns is the command line without the flag --netns.
func withoutNetns(args []string) []string {
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--":
			return append(out, args[i:]...)
		case args[i] == "--netns":
			i++
		case strings.HasPrefix(args[i], "--netns="):
		default:
			out = append(out, args[i])
		}
	}
	return out
}
