package trial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/remedy"
)

// services puts the drop-in files of a plan in place, one service at a time: each on trial, audited and
// confirmed before the next.
func (x *Fix) services(ctx context.Context) error {
	plan, err := x.Host.Plan(ctx, x.Snapshot)
	if err != nil {
		return err
	}
	if x.By == "" && !x.People.Terminal() && !x.DryRun && len(plan.Files) > 0 {
		return refused("there is no terminal to confirm on (use --confirm auto)")
	}
	var unfit []string
	kept := 0
	for i := range plan.Files {
		f := &plan.Files[i]
		x.People.Say("\nfix: %s, %s, closes %d checks; disruption: %s\n", f.Service, f.Path, len(f.Closes), f.Disruption)
		x.People.ShowFile(f)
		if f.ByHand != "" {
			x.People.Say("fix: by hand: %s\n", f.ByHand)
			continue
		}
		if x.DryRun {
			continue
		}
		if x.By == "" && !x.People.Ask(ctx, "put this file in place on trial? [y/N] ", "y", time.Minute) {
			if ctx.Err() != nil {
				return x.partly(kept, refused("interrupted"))
			}
			x.People.Say("fix: left out\n")
			continue
		}
		var no unfitError
		switch err := x.service(ctx, f); {
		case errors.As(err, new(*RefusedError)) && errors.As(err, &no):
			x.People.Say("%s\n", err)
			unfit = append(unfit, f.Path)
		case err != nil:
			return x.partly(kept, err)
		default:
			kept++
		}
	}
	if len(plan.Files) == 0 {
		x.People.Say("fix: no file to put in place\n")
	}
	if len(unfit) > 0 {
		return x.partly(kept, refused("not put in place: %s", strings.Join(unfit, ", ")))
	}
	return nil
}

// partly is a refusal after files were kept: the host is not as before.
func (x *Fix) partly(kept int, err error) error {
	if kept == 0 || !errors.As(err, new(*RefusedError)) {
		return err
	}
	return &PartlyError{fmt.Errorf("%w (files that were kept before it: %d; undo with: %s%s)", err, kept, x.told("rollback"), x.Options.Suffix)}
}

// unfitError says why a file does not do on this host: the next service can be tried all the same.
type unfitError struct{ error }

// service tries one drop-in, and keeps it or takes it back. The next boot takes it back, and the helper is there, before it is placed.
func (x *Fix) service(ctx context.Context, f *dropin.File) error {
	st, err := x.BeginFile(ctx, f, x.Wait)
	if err != nil {
		return refused("nothing was changed: %w", err)
	}
	err = x.Boot.Arm()
	if err == nil {
		err = x.Helper.Start(st.ID, x.mode() != NewSession)
	}
	if err == nil {
		err = x.Files.Place(ctx, st.File)
	}
	if err == nil {
		err = x.verifyFile(ctx, f)
	}
	if err == nil {
		st.Audited = true
		err = x.Store.Save(st)
	}
	if err != nil {
		return x.back(ctx, st, unfitError{err})
	}
	switch x.mode() {
	case NewSession:
		x.People.Say("fix: on trial as fix %s. Open a NEW login to this host within %s and type there:\n\n    %s%s\n\n",
			st.ID, x.Wait, x.told("confirm "+st.ID), x.Options.Suffix)
		x.release()
		if err := x.await(ctx, st); err != nil {
			return err
		}
		return x.retake()
	case Console:
		err = x.ask(ctx, x.Wait)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return x.back(ctx, st, err)
	}
	return x.KeepFile(ctx, st, x.Options)
}

// verifyFile wants what the file sets to be no longer asked for, and nothing to be worse in the checks that it is about: its own, and
// those that read what it changes.
func (x *Fix) verifyFile(ctx context.Context, f *dropin.File) error {
	snap, err := x.Sight.See(ctx)
	if err != nil {
		return err
	}
	after, err := x.Host.Judge(ctx, snap)
	if err != nil {
		return err
	}
	reads := x.about(f.Touches()...)
	c := &comparison{before: x.after, after: after, plan: new(remedy.Plan), about: func(check string) bool {
		return slices.Contains(f.Closes, check) || reads(check)
	}}
	if worse := c.worse(failures(c.before, c.about)); len(worse) > 0 {
		return fmt.Errorf("the audit is worse after the fix: %s", worse[0].Message)
	}
	next, err := x.Host.Plan(ctx, snap)
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
	x.after, x.Snapshot = after, snap
	return nil
}

// back takes a drop-in back for a reason.
func (w *World) back(ctx context.Context, st *State, why error) error {
	if err := w.end(ctx, st); err != nil {
		return unclear("%w, and taking %s back: %w", why, st.File.File.Path, err)
	}
	return refused("%w; everything is as before", why)
}

// KeepFile confirms the drop-in that is on trial.
func (w *World) KeepFile(ctx context.Context, st *State, o Options) error {
	if err := w.ConfirmFile(ctx, st); err != nil {
		return w.back(ctx, st, err)
	}
	w.People.Say("fix: %s stays; undo with: %s%s\n", st.File.File.Path, w.told("rollback"), o.Suffix)
	return nil
}
