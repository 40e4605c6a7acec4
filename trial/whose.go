package trial

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/dropin"
)

// StrangeError says that files with names of ours are somebody else's: neither replaced nor removed unasked.
type StrangeError struct{ files []string }

func (e *StrangeError) Error() string {
	return theirs(e.files) + " (not as a fix wrote it): look at it, and move it away first"
}

// theirs says of files that they are somebody else's.
func theirs(files []string) string {
	verb := " is"
	if len(files) > 1 {
		verb = " are"
	}
	return strings.Join(files, " and ") + verb + " somebody else's"
}

// askAboutFiles asks on a terminal whether files that have our names and are somebody else's are to go, and removes them then.
func (w *World) askAboutFiles(ctx context.Context, files []string) (gone bool, err error) {
	if len(files) == 0 || !w.People.Terminal() || !w.People.Ask(ctx, "remove "+strings.Join(files, " and ")+", somebody else's? [y/N] ", "y", time.Minute) {
		return false, nil
	}
	return true, w.Boot.Delete(files...)
}

// tellFilesStay says that files with our names stay.
func (w *World) tellFilesStay(files []string) {
	if len(files) > 0 {
		w.People.Say("fix: %s (not as a fix wrote it), and left alone\n", theirs(files))
	}
}

// roomAtBoot wants the files that a boot loads the plan by to be ours, or gone: who is asked on a terminal decides.
func (x *Fix) roomAtBoot(ctx context.Context) error {
	files := x.Boot.Strange()
	switch {
	case len(files) == 0 || !x.Persist:
		return nil
	case x.DryRun:
		x.tellFilesStay(files)
		return nil
	}
	gone, err := x.askAboutFiles(ctx, files)
	switch {
	case err != nil:
		return refused("%w", err)
	case gone:
		return nil
	}
	return refused("%w", &StrangeError{files})
}

// mayReplace wants a file that is where a drop-in goes to be one that a fix of ours put there: who is asked on a terminal decides.
func (w *World) mayReplace(ctx context.Context, before *State, a *dropin.Applied) error {
	if a.Old == nil || before.put(a.File.Path, *a.Old) {
		return nil
	}
	if w.People.Terminal() && w.People.Ask(ctx, a.File.Path+" is somebody else's: put ours in its place, until it is taken back? [y/N] ", "y", time.Minute) {
		return nil
	}
	return unfitError{&StrangeError{[]string{a.File.Path}}}
}

// put says whether a fix of ours put that text there.
func (st *State) put(path, text string) bool {
	for ; st != nil; st = st.Before {
		if slices.ContainsFunc(st.Files, func(a dropin.Applied) bool { return a.File.Path == path && a.File.Content == text }) {
			return true
		}
	}
	return false
}

// takeBackKept takes back the files that were kept, the last one first. One that somebody changed since is asked about: it stays, with what it
// sets and what was kept there before it.
func (w *World) takeBackKept(ctx context.Context, kept []dropin.Applied) error {
	var errs []error
	var stay []string
	for i := len(kept) - 1; i >= 0; i-- {
		a := &kept[i]
		path := a.File.Path
		switch {
		case slices.Contains(stay, path):
		case w.Files.Changed(a) && !(w.People.Terminal() && w.People.Ask(ctx, path+" was changed since it was put in place: take it back? [y/N] ", "y", time.Minute)):
			stay = append(stay, path)
			w.People.Say("fix: %s was changed since it was put in place, and is left alone with what it sets\n", path)
		default:
			errs = append(errs, w.Files.TakeBack(ctx, a))
		}
	}
	return errors.Join(errs...)
}
