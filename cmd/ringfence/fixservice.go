//go:build linux && !ringfence_portable

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
)

// services puts the drop-in files of a plan in place, one service at a time: each on trial, audited and
// confirmed before the next.
func (x *fixing) services(ctx context.Context) error {
	plan, err := x.m.plan(ctx, x.m.snap, x.f.fix.options())
	if err != nil {
		return err
	}
	_, tty := terminal(x.stdin)
	if x.f.fix.confirm == "" && !tty && !x.f.fix.dryRun && len(plan.Files) > 0 {
		return refused("there is no terminal to confirm on (use --confirm auto)")
	}
	var unfit []string
	for i := range plan.Files {
		f := &plan.Files[i]
		x.say("\nfix: %s, %s, closes %d checks; disruption: %s\n", f.Service, f.Path, len(f.Closes), f.Disruption)
		x.sayText(f.Content)
		if f.ByHand != "" {
			x.say("fix: by hand: %s\n", f.ByHand)
			continue
		}
		if x.f.fix.dryRun {
			continue
		}
		if x.f.fix.confirm == "" && !x.ask("put this file in place on trial? [y/N] ", "y", time.Minute) {
			x.say("fix: left out\n")
			continue
		}
		switch err := x.service(ctx, plan, f); {
		case isUnfit(err):
			x.say("%s\n", err)
			unfit = append(unfit, f.Path)
		case err != nil:
			return err
		}
	}
	if len(plan.Files) == 0 {
		x.say("fix: no file to put in place\n")
	}
	if len(unfit) > 0 {
		return refused("not put in place: %s", strings.Join(unfit, ", "))
	}
	return verdict(x.before, x.f)
}

// unfitError says why a file does not do on this host: the next service can be tried all the same.
type unfitError struct{ error }

func isUnfit(err error) bool {
	var e *exitError
	return errors.As(err, &e) && e.code == exitRefused && errors.As(err, new(unfitError))
}

// service tries one drop-in, and keeps it or takes it back.
func (x *fixing) service(ctx context.Context, plan *remedy.Plan, f *remedy.File) error {
	st, err := x.store.BeginFile(f, x.f.fix.timeout)
	if err != nil {
		return refused("nothing was changed: %w", err)
	}
	exe, err := host.OwnProgram()
	if err == nil {
		err = x.store.ArmBoot(exe + " fix rollback --trial" + rootArg(x.store.Root))
	}
	if err == nil {
		err = x.helper(st)
	}
	if err == nil {
		err = x.store.PutFile(st)
	}
	if err == nil {
		err = x.auditAgain(ctx, plan, f)
	}
	if err != nil {
		return x.back(st, unfitError{err})
	}
	switch x.mode() {
	case confirmSession:
		x.say("fix: on trial as fix %s. Open a NEW login to this host within %s and type there:\n\n    ringfence fix confirm %s%s\n\n",
			st.ID, x.f.fix.timeout, st.ID, rootArg(x.store.Root))
		x.release()
		if err := x.await(ctx, st); err != nil {
			var ee *exitError
			if !errors.As(err, &ee) || ee.code != exitFindings {
				return err
			}
		}
		return x.retake()
	case confirmConsole:
		err = x.confirm(ctx, x.f.fix.timeout)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return x.back(st, err)
	}
	return x.keepFile(st, x.store)
}

// auditAgain wants the findings of the file's checks to be gone, and no new ones to be there.
func (x *fixing) auditAgain(ctx context.Context, plan *remedy.Plan, f *remedy.File) error {
	snap := x.collect(ctx, x.f.deadline, x.f.quiet)
	after, err := x.m.judge(ctx, snap)
	if err != nil {
		return err
	}
	left := *plan // the firewall's findings are not this layer's
	left.Closes = nil
	if err := noWorse(x.before, after, &left); err != nil && !errors.Is(err, errIncomplete) {
		return err
	}
	next, err := x.m.plan(ctx, snap, x.f.fix.options())
	if err != nil {
		return err
	}
	for i := range next.Files {
		for name := range f.Want {
			if _, still := next.Files[i].Want[name]; still && next.Files[i].Path == f.Path {
				return fmt.Errorf("%s is still asked for after it was set", name)
			}
		}
	}
	x.before, x.m.snap = after, snap
	return nil
}

// back takes a drop-in back for a reason.
func (x *fixing) back(st *remedy.State, why error) error {
	if err := x.store.Rollback(st); err != nil {
		return unclear("%w, and taking %s back: %w", why, st.File.File.Path, err)
	}
	return refused("%w; everything is as before", why)
}

// keepFile confirms the drop-in that is on trial.
func (e *env) keepFile(st *remedy.State, store remedy.Store) error {
	if err := store.ConfirmFile(st); err != nil {
		if rerr := store.Rollback(st); rerr != nil {
			return unclear("%w, and taking it back: %w", err, rerr)
		}
		return refused("%w; everything is as before", err)
	}
	e.say("fix: %s stays; undo with: ringfence fix rollback%s\n", st.File.File.Path, rootArg(store.Root))
	return nil
}
