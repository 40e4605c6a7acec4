//go:build linux && !ringfence_portable

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/reports"
)

func (e *env) applyCommand() *cobra.Command {
	f := &auditFlags{failOn: "none"}
	f.fix.fix = true
	c := &cobra.Command{
		Use: "apply", Args: cobra.NoArgs,
		Short: "Plan, prove and load the fix on trial, and keep it once it is confirmed",
		RunE: func(c *cobra.Command, _ []string) error {
			if f.snapshot != "" {
				return errors.New("fix apply works on the live host; for a snapshot there is fix plan")
			}
			if err := f.fix.parse(); err != nil {
				return err
			}
			if err := f.fix.validateApply(); err != nil {
				return err
			}
			m, err := e.load(c.Context(), &f.source)
			if err != nil {
				return err
			}
			defer m.close()
			report, err := m.judge(c.Context(), m.snap)
			if err != nil {
				return err
			}
			return e.fixNow(c.Context(), m, report, f)
		},
	}
	f.flags(c)
	f.fix.applyFlags(c)
	f.fix.planFlags(c)
	return c
}

// locked runs f with the state of the last fix, under the lock.
func locked(root string, f func(s remedy.Store, st *remedy.State) error) error {
	s := remedy.Store{Root: root}
	unlock, err := s.Lock()
	for range 50 { // a fix that was just loaded is still being audited
		if !errors.Is(err, remedy.ErrBusy) {
			break
		}
		time.Sleep(200 * time.Millisecond)
		unlock, err = s.Lock()
	}
	if err != nil {
		return refused("%w", err)
	}
	defer unlock()
	st, err := s.Load()
	if err == nil {
		err = st.Ours()
	}
	if err != nil {
		return refused("%w", err)
	}
	return f(s, st)
}

func (e *env) confirmCommand() *cobra.Command {
	var (
		root    string
		console bool
		persist string
	)
	c := &cobra.Command{
		Use: "confirm [ID]", Args: cobra.MaximumNArgs(1),
		Short: "Keep the fix that is on trial, from a login that is younger than it",
		RunE: func(c *cobra.Command, args []string) error {
			return locked(root, func(s remedy.Store, st *remedy.State) error {
				if _, ok := st.Pending(); !ok {
					return refused("%w", remedy.ErrNotPending)
				}
				if len(args) == 1 && args[0] != st.ID {
					return refused("the fix on trial is %s, not %s", st.ID, args[0])
				}
				if !console {
					if err := youngerLogin(st); err != nil {
						return refused("%w", err)
					}
				}
				if st.File != nil {
					return e.keepFile(st, s)
				}
				return e.keep(c.Context(), st, s, persist == "on-confirm")
			})
		},
	}
	rootFlag(c, &root)
	c.Flags().BoolVar(&console, "console", false, "this is no login over the network that the fix could have cut")
	c.Flags().StringVar(&persist, "persist", "on-confirm", "load the confirmed ruleset at boot: on-confirm or never")
	return c
}

// youngerLogin wants this process to belong to a login that began after the fix was loaded: an older one
// can live on while every new one is refused.
func youngerLogin(st *remedy.State) error {
	program, start, err := remedy.Login(os.Getpid())
	switch {
	case err != nil:
		return err
	case program == "":
		return errors.New("this process belongs to no login (a terminal multiplexer or a service?): " +
			"confirm from a new login, or with --console where you sit at the machine")
	case start <= st.Applied:
		return fmt.Errorf("this login (%s) is older than the fix: open a new one and confirm there", program)
	}
	return nil
}

func (e *env) rollbackCommand() *cobra.Command {
	var (
		root  string
		trial bool
	)
	c := &cobra.Command{
		Use: "rollback", Args: cobra.NoArgs,
		Short: "Take the fix out again, on trial or confirmed",
		RunE: func(*cobra.Command, []string) error {
			return locked(root, func(s remedy.Store, st *remedy.State) error {
				var err error
				switch {
				case st == nil:
					return refused("there is no fix to take out")
				case trial && st.Phase != remedy.PhaseTrial:
					return nil
				case st.Phase == remedy.PhaseTrial:
					err = s.Rollback(st)
				default:
					err = s.Undo(st)
				}
				if err != nil {
					return unclear("%w", err)
				}
				e.say("fix: %s was taken out\n", st.ID)
				return nil
			})
		},
	}
	rootFlag(c, &root)
	c.Flags().BoolVar(&trial, "trial", false, "only one that was not confirmed")
	return c
}

func (e *env) statusCommand() *cobra.Command {
	var root, format string
	c := &cobra.Command{
		Use: "status", Args: cobra.NoArgs, Short: "Tell what is loaded, and what waits for its confirmation",
		RunE: func(*cobra.Command, []string) error {
			st, err := remedy.Store{Root: root}.Load()
			if err != nil {
				return err
			}
			if format == "json" {
				b, err := json.MarshalIndent(st, "", "  ")
				if err != nil {
					return err
				}
				return e.tellData(append(b, '\n'), true)
			}
			return e.tell("%s\n", statusText(st))
		},
	}
	rootFlag(c, &root)
	c.Flags().StringVarP(&format, "format", "f", "text", "text or json")
	return c
}

func statusText(st *remedy.State) string {
	if st == nil {
		return "no fix is loaded"
	}
	what := func(st *remedy.State) string {
		var parts []string
		if st.Plan != nil {
			parts = append(parts, fmt.Sprintf("%d rules", len(st.Plan.Rules)))
		}
		if st.File != nil {
			parts = append(parts, "file "+st.File.File.Path)
		}
		for i := range st.Files {
			parts = append(parts, "file "+st.Files[i].File.Path)
		}
		return strings.Join(parts, ", ")
	}
	left, pending := st.Pending()
	switch {
	case pending:
		return fmt.Sprintf("fix %s is on trial for another %s: %s; keep it with ringfence fix confirm", st.ID, left.Round(time.Second), what(st))
	case st.Phase == remedy.PhaseTrial:
		return fmt.Sprintf("fix %s was not confirmed in time; ringfence fix rollback clears what is left of it", st.ID)
	}
	lasts := "until the next boot"
	if st.Persisted || st.Plan == nil {
		lasts = "also after a boot"
	}
	return fmt.Sprintf("fix %s is confirmed: %s, %s", st.ID, what(st), lasts)
}

func (e *env) driftCommand() *cobra.Command {
	var (
		root  string
		watch bool
	)
	c := &cobra.Command{
		Use: "verify", Args: cobra.NoArgs,
		Short: "Compare what is loaded with what was confirmed; exit code 1 where it is another",
		RunE: func(c *cobra.Command, _ []string) error {
			if !watch {
				return e.drift(c.Context(), root)
			}
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return e.watchDrift(ctx, root)
		},
	}
	rootFlag(c, &root)
	c.Flags().BoolVar(&watch, "watch", false, "stay, and name the process that changes the rules when it does")
	return c
}

// drift compares once.
func (e *env) drift(ctx context.Context, root string) error {
	st, err := remedy.Store{Root: root}.Load()
	if err != nil {
		return err
	}
	if st == nil || st.Phase != remedy.PhaseConfirmed || st.Plan == nil {
		return refused("no confirmed fix to compare with")
	}
	rs, err := checks.ReadRuleset(ctx, host.Local())
	if err != nil {
		return err
	}
	if err := st.Drift(rs); err != nil {
		return &exitError{exitFindings, fmt.Errorf("fix %s is no longer as confirmed: %w; load it again with ringfence fix load", st.ID, err)}
	}
	return e.tell("fix %s is loaded as it was confirmed\n", st.ID)
}

// watchDrift compares at each change of our table, until one leaves it another: that ends it, with the name of the
// process, which the kernel tells only while somebody listens.
func (e *env) watchDrift(ctx context.Context, root string) error {
	changes, err := remedy.Changes(ctx)
	if err != nil {
		return err
	}
	if err := e.drift(ctx, root); err != nil {
		return err
	}
	for c := range changes {
		if err := e.drift(ctx, root); err != nil {
			var ee *exitError
			if errors.As(err, &ee) {
				ee.err = fmt.Errorf("changed %s: %w", reports.Clean(c.String(), false), ee.err)
			}
			return err
		}
	}
	return nil
}

func (e *env) uninstallCommand() *cobra.Command {
	var root string
	c := &cobra.Command{
		Use: "uninstall", Args: cobra.NoArgs, Short: "Remove every rule, file and unit of ours",
		RunE: func(*cobra.Command, []string) error {
			return locked(root, func(s remedy.Store, st *remedy.State) error {
				if err := s.Uninstall(st); err != nil {
					return unclear("%w", err)
				}
				e.say("fix: nothing of it is left\n")
				return nil
			})
		},
	}
	rootFlag(c, &root)
	return c
}

// loadCommand loads the confirmed fix again: what the unit runs at boot where there is no nft.
func (e *env) loadCommand() *cobra.Command {
	var root string
	c := &cobra.Command{
		Use: "load", Args: cobra.NoArgs, Short: "Load the confirmed fix again, as at boot",
		RunE: func(*cobra.Command, []string) error {
			return locked(root, func(_ remedy.Store, st *remedy.State) error {
				if st == nil {
					return refused("there is no confirmed fix")
				}
				if err := st.Reload(); err != nil {
					return refused("%w", err)
				}
				e.say("fix: %s is loaded\n", st.ID)
				return nil
			})
		},
	}
	rootFlag(c, &root)
	return c
}

// watchCommand is the helper: it takes a trial out at its deadline, or when the process that could confirm
// it is gone.
func (e *env) watchCommand() *cobra.Command {
	var (
		root, id string
		with     int
	)
	c := &cobra.Command{
		Use: "watch", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
			s := remedy.Store{Root: root}
			for broken := 0; ; {
				st, err := s.Load()
				if err == nil {
					broken = 0
				} else if broken++; broken > 100 { // nobody could confirm it any more
					return remedy.Withdraw()
				}
				if err == nil && (st == nil || st.ID != id || st.Phase != remedy.PhaseTrial) {
					return nil
				}
				_, pending := st.Pending()
				if gone := with > 0 && syscall.Kill(with, 0) != nil; err == nil && (!pending || gone) && e.expire(s, id) {
					return nil
				}
				time.Sleep(200 * time.Millisecond)
			}
		},
	}
	rootFlag(c, &root)
	c.Flags().StringVar(&id, "id", "", "")
	c.Flags().IntVar(&with, "with", 0, "")
	return c
}

// expire takes a trial out that is still one, and says whether there is nothing left to do.
func (e *env) expire(s remedy.Store, id string) bool {
	err := locked(s.Root, func(s remedy.Store, st *remedy.State) error {
		if st == nil || st.ID != id || st.Phase != remedy.PhaseTrial {
			return nil
		}
		return s.Rollback(st)
	})
	return err == nil
}
