package trial

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
)

// DamagedError says that what is written of the last fix cannot be read, also not its copy.
type DamagedError struct{ Err error }

func (e *DamagedError) Error() string { return "state: " + e.Err.Error() }

// Unwrap is the reason.
func (e *DamagedError) Unwrap() error { return e.Err }

// found is what the kernel has of tables with our names.
type found []remedy.Found

// id is the fix of a table of ours, on trial or lasting; there is "" where it does not say so.
func (f found) id(onTrial bool) (id string, there bool) {
	for _, t := range f {
		if t.Ours && !t.Watches && t.OnTrial == onTrial {
			return t.ID, true
		}
	}
	return "", false
}

// ours says whether any of them is ours.
func (f found) ours() bool {
	for _, t := range f {
		if t.Ours {
			return true
		}
	}
	return false
}

// strangers are those that are somebody else's.
func (f found) strangers() (list []remedy.TableName) {
	for _, t := range f {
		if !t.Ours {
			list = append(list, t.TableName)
		}
	}
	return list
}

// promoted says of a trial that the kernel has its tables as lasting ones, which nobody could write down.
func (st *State) promoted(rs *ruleset.Ruleset) bool {
	if st.Phase != PhaseTrial || st.Plan == nil {
		return false
	}
	id, there := found(remedy.Find(rs)).id(false)
	if id != "" || !there {
		return there && id == st.ID
	}
	return remedy.Lasting(rs, st.Lasting) == nil && (st.Before == nil || remedy.Lasting(rs, st.Before.Lasting) != nil)
}

// confirmed is the state of a trial that was kept. What a boot loads is, until this is written too, what was confirmed before.
func (st *State) confirmed() *State {
	kept := *st
	kept.Phase, kept.Working, kept.Before = PhaseConfirmed, nil, nil
	if st.Before == nil {
		return &kept
	}
	kept.Files = st.Before.Files
	if before := st.Before.booted(); before != nil {
		b := *before
		b.Before, b.Files = nil, nil
		kept.Before = &b
	}
	return &kept
}

// booted is the fix that a boot loads: this one, or what was confirmed before.
func (st *State) booted() *State {
	for ; st != nil; st = st.Before {
		if st.Plan != nil && st.Persisted {
			return st
		}
	}
	return nil
}

// settled is a state as the kernel's tables complete it: a trial that was kept, and a confirmed fix that a boot ended, which loaded what was
// confirmed before.
func (st *State) settled(rs *ruleset.Ruleset, here Moment) *State {
	switch {
	case st == nil:
		return nil
	case st.BootID == here.Boot:
		if st.Netns == here.Netns && st.promoted(rs) {
			return st.confirmed()
		}
	case st.Phase == PhaseConfirmed && !st.Persisted && st.Plan != nil:
		id, there := found(remedy.Find(rs)).id(false)
		switch {
		case there && (id == st.ID || id == "" && st.Drift(rs) == nil):
			if st.ByHand {
				return st
			}
			kept := *st // a boot loaded it, only that could not be written down
			kept.Persisted, kept.Before = true, nil
			return &kept
		case st.Before != nil:
			before := *st.Before
			before.Files = st.Files
			return &before
		}
	}
	return st
}

// ended is what is confirmed once a boot has ended a trial of rules: what was before it. Of any other state it is the same.
func (st *State) ended(here Moment) *State {
	if st != nil && st.Phase == PhaseTrial && st.File == nil && st.BootID != here.Boot && st.Before != nil {
		return st.Before
	}
	return st
}

// where is what is known of the last fix, and where and when this is.
type where struct {
	st   *State
	here Moment
	// found are tables with our names in the kernel. It is empty where unread says why that could not be read.
	found  found
	unread error
	// other says in what the tables of the state are others than it knows them.
	other error
	// unwritten says that the state on the disk is an older one.
	unwritten bool
	// damaged says that the state cannot be read.
	damaged *DamagedError
}

// look is the state of the last fix, if it is one of this network namespace, as the kernel completes it. A state that is damaged is no error.
func (w *World) look(ctx context.Context) (*where, error) {
	at := new(where)
	var err error
	if at.here, err = w.Clock.Here(); err != nil {
		return nil, err
	}
	if at.st, err = w.Store.Load(); err != nil && !errors.As(err, &at.damaged) {
		return nil, err
	}
	if err := at.st.Ours(at.here); err != nil {
		if w.Clock.Lives(at.st.Netns) {
			return at, err
		}
		gone := *at.st // as with a boot: the tables went with the namespace, and the container was started again
		gone.BootID = ""
		at.st = &gone
	}
	rs, err := w.Live.Ours(ctx)
	if err != nil {
		at.unread = err
		return at, nil //nolint:nilerr // each verb says for itself whether it can go on without
	}
	written := at.st
	at.found, at.st = remedy.Find(rs), at.st.settled(rs, at.here)
	at.unwritten = at.st != written
	if at.st != nil && at.st.Plan != nil {
		at.other = at.st.Altered(rs)
		if at.st.Phase == PhaseConfirmed {
			at.other = at.st.Drift(rs)
		}
	}
	return at, nil
}

// Status tells what is loaded, and what waits for its confirmation: the state, nil where there is none, and a text. Where the state is lost or
// damaged the kernel's tables tell: then the state has no plan.
func (w *World) Status(ctx context.Context) (*State, string, error) {
	at, err := w.look(ctx)
	switch {
	case errors.Is(err, ErrElsewhere):
		return at.st, at.st.Text(at.here, w.command), nil
	case err != nil:
		return nil, "", err
	case at.st == nil && at.damaged == nil && at.unread != nil:
		return nil, "", unclear("whether one is loaded is not known: %w", at.unread)
	}
	text := w.text(at)
	for _, phase := range []string{PhaseTrial, PhaseConfirmed} {
		if id, there := at.found.id(phase == PhaseTrial); there && at.st == nil {
			return &State{ID: id, Phase: phase, BootID: at.here.Boot, Netns: at.here.Netns}, text, nil
		}
	}
	return at.st, text, nil
}

// text is what status tells of it.
func (w *World) text(at *where) string {
	var lines []string
	switch {
	case at.damaged != nil:
		lines = append(lines, fmt.Sprintf("%s; %s", at.damaged, w.wayOut()))
	case at.st != nil || !at.found.ours():
		lines = append(lines, at.st.Text(at.here, w.command)+w.missing(at))
		if before := at.st.ended(at.here); before != at.st {
			lines = append(lines, before.Text(at.here, w.command))
		}
	}
	if at.st == nil {
		lines = append(lines, w.stateless(at)...)
	}
	for _, t := range at.found.strangers() {
		lines = append(lines, t.String()+" is somebody else's, and is left alone")
	}
	if at.unread != nil {
		lines = append(lines, fmt.Sprintf("what is loaded could not be read: %s", at.unread))
	}
	return strings.Join(lines, "\n")
}

// stateless tells of tables of ours that there is no state of.
func (w *World) stateless(at *where) (lines []string) {
	for _, onTrial := range []bool{true, false} {
		id, there := at.found.id(onTrial)
		if !there {
			continue
		}
		if id != "" {
			id = " " + id
		}
		if onTrial {
			lines = append(lines, fmt.Sprintf("rules of fix%s are on trial, and there is no state of it: they stop by themselves; %s", id, w.wayOut()))
		} else {
			lines = append(lines, fmt.Sprintf("rules of fix%s are loaded as confirmed, and there is no state of it: %s", id, w.wayOut()))
		}
	}
	return lines
}

// missing tells that the tables of a fix are not there, are those of another, were changed, or are not loaded by the next boot.
func (w *World) missing(at *where) string {
	if at.st == nil || at.st.Plan == nil || at.unread != nil {
		return ""
	}
	_, pending := at.st.Pending(at.here)
	id, there := at.found.id(at.st.Phase == PhaseTrial)
	switch {
	case at.st.Phase == PhaseTrial && !pending:
		return ""
	case !there && at.st.Phase == PhaseTrial:
		return fmt.Sprintf("; its rules are not loaded: %s clears what is left of it", w.command("rollback"))
	case !there:
		return "; its rules are not loaded now: load them with " + w.command("load")
	case id != "" && id != at.st.ID:
		return fmt.Sprintf("; but what is loaded are rules of fix %s, of which there is no state: %s replaces them, %s takes all out", id, w.command("load"), w.command("rollback"))
	case at.other != nil && pending:
		return fmt.Sprintf("; but its rules were changed: %s", at.other)
	case at.other != nil:
		return fmt.Sprintf("; but its rules are no longer as confirmed: %s; load them again with %s", at.other, w.command("load"))
	}
	if _, lacks := w.Boot.Persists(at.st.Plan, at.st.ID); at.st.Persisted && lacks != "" {
		return fmt.Sprintf("; but the next boot does not load it: %s; apply it again with %s", lacks, w.again(at.st))
	}
	return ""
}

// spare are the tables with our names that are somebody else's, which are never touched unasked.
func (w *World) spare(ctx context.Context) ([]remedy.TableName, error) {
	var err error
	for i := range 3 {
		if i > 0 {
			w.Clock.Sleep(200 * time.Millisecond)
		}
		var rs *ruleset.Ruleset
		if rs, err = w.Live.Ours(ctx); err == nil {
			return remedy.Strangers(rs), nil
		}
	}
	return nil, fmt.Errorf("whose tables are loaded could not be read: %w", err)
}

// remove removes every table of ours.
func (w *World) remove(ctx context.Context) error {
	spare, err := w.spare(ctx)
	if err != nil {
		return err
	}
	return w.Tables.Remove(spare...)
}

// alone wants no table with one of our names to be somebody else's.
func (w *World) alone(ctx context.Context) error {
	list, err := w.spare(ctx)
	if err == nil && len(list) > 0 {
		err = fmt.Errorf("%s is somebody else's: remove it first", names(list))
	}
	return err
}

// askAbout asks on a terminal whether tables that have our names and are somebody else's are to go, and removes them then.
func (w *World) askAbout(ctx context.Context, list []remedy.TableName) (gone bool, err error) {
	if len(list) == 0 || !w.People.Terminal() || !w.People.Ask(ctx, fmt.Sprintf("%s is somebody else's: remove it? [y/N] ", names(list)), "y", time.Minute) {
		return false, nil
	}
	return true, w.Tables.Delete(list...)
}

func names(list []remedy.TableName) string {
	words := make([]string, len(list))
	for i, t := range list {
		words[i] = t.String()
	}
	return strings.Join(words, " and ")
}

// tellStrangers says that tables with our names stay.
func (w *World) tellStrangers(list []remedy.TableName) {
	if len(list) > 0 {
		w.People.Say("fix: %s is somebody else's (it bears no mark of ours, and there is no state of it), and is left alone\n", names(list))
	}
}

// tellStays says that tables and files with our names stay.
func (w *World) tellStays(tables []remedy.TableName, files []string) {
	w.tellStrangers(tables)
	w.tellFilesStay(files)
}
