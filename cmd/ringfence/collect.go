package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/fleet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/usage"
)

func (e *env) collectCommand() *cobra.Command {
	var (
		keep     fleet.Keep
		deadline = 20 * time.Second
		quiet    bool
		strict   bool
		deep     bool
		imports  []string
		from     string
	)
	c := &cobra.Command{
		Use: "collect", Args: usage.None,
		Short: "Write a snapshot of this host, to judge it elsewhere",
		Long: "Write a snapshot of this host, to judge it elsewhere.\n\nExit codes: 0 written, 2 not written, 3 written, but no part of the host was seen, " +
			"or under --strict not every part.",
		RunE: func(c *cobra.Command, _ []string) error {
			files, err := audit.ParseImports(imports)
			if err = errors.Join(err, keep.Check(audit.FromFiles(from, files)...)); err != nil {
				return err
			}
			snap, err := e.seeFrom(c.Context(), from, looked{deadline: deadline, quiet: quiet, deep: deep})
			if err != nil {
				return err
			}
			audit.AddImports(snap, files)
			if err := keep.Write(snap, e.tellData); err != nil {
				return err
			}
			told, err := audit.Unseen(snap, strict)
			e.sayText(told)
			return err
		},
	}
	keep.Flags(c)
	c.Flags().StringArrayVar(&imports, "import", nil, "also keep what another tool reported, as `TOOL=FILE`: openclaw=FILE (repeatable)")
	c.Flags().StringVar(&from, "from", "", "instead of this host, what was written down of another: `windows:DIR` (docs/windows.md)")
	usage.Length(c, &deadline, "timeout", "deadline of each collector")
	c.Flags().BoolVar(&deep, "deep", false, "look for set-id programs on all file systems of the host too (wants a longer --timeout)")
	c.Flags().BoolVar(&strict, "strict", false, "exit code 3 when a part of the host was not seen")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "no progress on the terminal")
	return c
}

// seeFrom is a snapshot of the live host, or of what was written down of another.
func (e *env) seeFrom(ctx context.Context, from string, how looked) (*snapshot.Snapshot, error) {
	if from == "" {
		return e.see(ctx, how)
	}
	return audit.From(from, e.say)
}
