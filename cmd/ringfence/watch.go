//go:build linux && !ringfence_portable

package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/usage"
	"github.com/ringfence/ringfence/watch"
)

// watchHost is the command that stays and tells how the answers about this host change.
func (e *env) watchHost() *cobra.Command {
	src, opt, format := source{}, watch.Options{Interval: watch.DefaultInterval}, "text"
	c := &cobra.Command{
		Use: "watch", Short: "Stay, and tell how the findings of this host change, and who changed it", Args: usage.None,
		Long: "Stay, and tell how the findings of this host change, and who changed it where the kernel says.\n\n" +
			"Changes of the packet filter, the network, files that were read, sockets and processes are a reason to look; the answer is always that of " +
			"a full read, five seconds after the one before at the earliest, --interval at the latest. SIGINT and SIGTERM end it, with exit code 0.",
		RunE: func(c *cobra.Command, _ []string) error {
			ear := watch.NewEar()
			in := &audit.Input{See: func(ctx context.Context, deadline time.Duration, only ...string) (*snapshot.Snapshot, error) {
				return e.see(ctx, looked{deadline: deadline, quiet: true, note: ear.Note}, only...)
			}}
			return in.Watch(c.Context(), &src.Source, ear, opt, func(lines []*watch.Line) error {
				if format == "text" {
					return e.tellText(watch.Text(lines))
				}
				b, err := watch.JSON(lines)
				if err != nil {
					return err
				}
				return e.tellData(b, true)
			})
		},
	}
	src.judgingFlags(c)
	src.whichFlags(c)
	src.waiverFlag(c)
	usage.Choice(c, &format, "format", "f", []string{"text", "jsonl"}, "text or jsonl (a line of JSON for each change)")
	usage.Length(c, &opt.Interval, "interval", "how often the host is looked at where nothing is heard")
	src.Deadline = 20 * time.Second
	usage.Length(c, &src.Deadline, "timeout", "deadline of each collector")
	c.Flags().BoolVarP(&opt.Quiet, "quiet", "q", false, "nothing is told of looks that showed no change")
	return c
}
