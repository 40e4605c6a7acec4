//go:build linux && !ringfence_portable

package main

import (
	"cmp"
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/fixing"
	"github.com/ringfence/ringfence/trial"
	"github.com/ringfence/ringfence/usage"
)

func (e *env) applyCommand() *cobra.Command {
	f := &auditFlags{bar: audit.Bar{FailOn: audit.OnNothing}}
	f.fix.Fix, f.Trusted = true, true
	c := &cobra.Command{
		Use: "apply", Args: usage.None,
		Short: "Plan, prove and load the fix on trial, and keep it once it is confirmed",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.fix.Parse(); err != nil {
				return err
			}
			if f.SnapshotFile != "" {
				p, err := e.input(f.quiet).ByHand(c.Context(), &f.Source, f.fix.Options)
				if err == nil {
					err = cmp.Or(e.printPlan(p, "text"), audit.ErrByHand)
				}
				return err
			}
			if err := f.fix.Loadable(); err != nil {
				return err
			}
			m, err := e.input(f.quiet).Load(c.Context(), &f.Source)
			if err != nil {
				return err
			}
			defer m.Close()
			report, err := m.Judge(c.Context(), m.Snapshot)
			if err != nil {
				return err
			}
			return e.fixNow(c.Context(), m, report, f)
		},
	}
	f.flags(c)
	_ = c.Flags().MarkHidden("snapshot") // that is refused
	f.fix.Apply(c)
	f.fix.Plan(c)
	return c
}

// verb is a verb without arguments that does something with what is loaded.
func (e *env) verb(use, short string, do func(ctx context.Context, w *trial.World) error) *cobra.Command {
	var root string
	c := &cobra.Command{Use: use, Short: short, Args: usage.None, RunE: func(c *cobra.Command, _ []string) error {
		return audit.FixError(do(c.Context(), e.world(root, audit.Sight{Input: e.input(true), Deadline: confirmDeadline}, nil)))
	}}
	fixing.Root(c, &root)
	return c
}

// confirmDeadline is that of each collector where what was proven is asked again of the host: as an audit has it.
const confirmDeadline = 20 * time.Second

func (e *env) confirmCommand() *cobra.Command {
	var (
		root    string
		console bool
		persist = "on-confirm"
	)
	c := &cobra.Command{
		Use: "confirm [ID]", Args: usage.Args("[ID]"),
		Short: "Keep the fix that is on trial, from a login that is younger than it",
		RunE: func(c *cobra.Command, args []string) error {
			id := append(args, "")[0]
			return audit.FixError(e.world(root, audit.Sight{Input: e.input(false), Deadline: confirmDeadline}, nil).ConfirmNow(c.Context(), id, console, trial.Options{Persist: persist == "on-confirm", Suffix: trial.RootArg(root)}))
		},
	}
	fixing.Root(c, &root)
	c.Flags().BoolVar(&console, "console", false, "this is no login over the network that the fix could have cut")
	usage.Choice(c, &persist, "persist", "", fixing.Persistence, "load the confirmed ruleset at boot: on-confirm or never")
	return c
}

func (e *env) rollbackCommand() *cobra.Command {
	var onlyTrial bool
	c := e.verb("rollback", "Take the fix out again, on trial or confirmed", func(ctx context.Context, w *trial.World) error {
		return w.TakeOut(ctx, onlyTrial)
	})
	c.Flags().BoolVar(&onlyTrial, "trial", false, "only one that was not confirmed")
	return c
}

func (e *env) statusCommand() *cobra.Command {
	format := "text"
	c := e.verb("status", "Tell what is loaded, and what waits for its confirmation", func(ctx context.Context, w *trial.World) error {
		st, text, err := w.Status(ctx)
		if err != nil {
			return err
		}
		if format == "json" {
			return e.tellJSON("status", st)
		}
		return e.tellText(text + "\n")
	})
	usage.Choice(c, &format, "format", "f", textOrJSON, "text or json")
	return c
}

func (e *env) driftCommand() *cobra.Command {
	var watch bool
	c := e.verb("verify", "Compare what is loaded with what was confirmed, and ask whether that closes it now; exit code 1 where not",
		func(ctx context.Context, w *trial.World) error {
			same := func(id string) error {
				return e.tell("fix %s is loaded as it was confirmed, and closes what it is about\n", id)
			}
			if watch {
				ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
				defer stop()
				return w.WatchDrift(ctx, same)
			}
			id, err := w.Verify(ctx)
			if err != nil {
				return err
			}
			return same(id)
		})
	c.Flags().BoolVar(&watch, "watch", false, "stay, and name the process that changes the rules when it does")
	return c
}

func (e *env) uninstallCommand() *cobra.Command {
	return e.verb("uninstall", "Remove every rule, file and unit of ours", func(ctx context.Context, w *trial.World) error { return w.Uninstall(ctx) })
}

// loadCommand loads the confirmed fix again: what the unit runs at boot where there is no nft.
func (e *env) loadCommand() *cobra.Command {
	return e.verb("load", "Load the confirmed fix again, as at boot", func(ctx context.Context, w *trial.World) error { return w.LoadAgain(ctx) })
}

// watchCommand is the helper: it takes a trial out at its deadline, or when the process that could confirm
// it is gone.
func (e *env) watchCommand() *cobra.Command {
	var (
		id   string
		with int
	)
	c := e.verb("watch", "", func(_ context.Context, w *trial.World) error {
		signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
		return w.Watch(context.Background(), id, func() bool { return with > 0 && syscall.Kill(with, 0) != nil })
	})
	c.Hidden = true
	c.Flags().StringVar(&id, "id", "", "")
	c.Flags().IntVar(&with, "with", 0, "")
	return c
}
