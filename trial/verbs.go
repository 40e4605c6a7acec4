package trial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// locked runs f with the state of the last fix, under the lock. One that is damaged is refused.
func (w *World) locked(ctx context.Context, f func(st *State, here Moment) error) error {
	return w.atLast(ctx, func(at *where) error {
		if at.damaged != nil {
			return refused("%w; %s", at.damaged, w.wayOut())
		}
		return f(at.st, at.here)
	})
}

// atLast runs f with what is known of the last fix, under the lock. A fix that was just loaded is still being audited: it is waited for.
// What the kernel's tables say is written down before.
func (w *World) atLast(ctx context.Context, f func(at *where) error) error {
	unlock, err := w.Store.Lock()
	for range 50 {
		if !errors.Is(err, ErrBusy) {
			break
		}
		w.Clock.Sleep(200 * time.Millisecond)
		unlock, err = w.Store.Lock()
	}
	if err != nil {
		return refused("%w", err)
	}
	defer unlock()
	at, err := w.look(ctx)
	if err != nil {
		return refused("%w", err)
	}
	if at.unwritten {
		if err := w.Store.Save(at.st); err != nil {
			return refused("%w", err)
		}
	}
	return f(at)
}

// ConfirmNow keeps the fix that is on trial; an id that is not "" must be its own. It must be asked for from a login that is younger
// than the fix, or from the console.
func (w *World) ConfirmNow(ctx context.Context, id string, console bool, o Options) error {
	return w.locked(ctx, func(st *State, here Moment) error {
		if _, ok := st.Pending(here); !ok {
			return refused("%w", ErrNotPending)
		}
		if id != "" && id != st.ID {
			return refused("the fix on trial is %s, not %s", st.ID, id)
		}
		if !console {
			if err := w.youngerLogin(st); err != nil {
				return refused("%w", err)
			}
		}
		if !st.Audited { // who made it would have the lock
			return w.endFor(ctx, st, errNotAudited)
		}
		if st.File != nil {
			return w.KeepFile(ctx, st, o)
		}
		open, err := w.provenStill(ctx, st)
		if err != nil {
			return w.out(ctx, st, err)
		}
		if err := w.confirmOnce(ctx, st, o); err != nil {
			return err
		}
		if err := inPart(st.Plan); err != nil {
			w.People.Say("%s\n", err)
		}
		if open != nil {
			w.People.Say("fix: the host is no longer as it was when this was planned: %s; apply it again with %s\n", open, w.again(st))
		}
		return nil
	})
}

// confirmOnce keeps a fix that is on trial, or lets it wait for its second confirmation.
func (w *World) confirmOnce(ctx context.Context, st *State, o Options) error {
	if !st.AsksAgain() {
		return w.Keep(ctx, st, o)
	}
	if err := w.Prolong(ctx, st); err != nil {
		return w.out(ctx, st, err)
	}
	w.People.Say("fix: confirmed once. %s\nfix: within %s open another NEW login to this host and type there:\n\n    %s%s\n\n"+
		"fix: without it the rules go out again, whatever runs until then.\n", whyAgain, secondWait, w.told("confirm "+st.ID), o.Suffix)
	return nil
}

var errNotAudited = errors.New("it was not audited: the program that loaded it ended before that")

// provenStill proves a plan again where the ruleset or the network is another than the one that was audited last: who waited for the confirmation
// can be gone, or not have seen yet what others loaded, and nobody waits for an interface that gets another name. An interface that is new is no
// reason to open again what is closed to the others: open says what is so to it.
func (w *World) provenStill(ctx context.Context, st *State) (open, err error) {
	snap, err := w.seeRules(ctx, "network", "nftables") // most of what there is to see has no part in this
	if err != nil || remedy.NetworkDigest(snap) == st.Network && snap.NFTables.Ruleset.Generation == st.Generation {
		return nil, err
	}
	if snap, err = w.seeRules(ctx); err != nil {
		return nil, err
	}
	same := remedy.NetworkDigest(snap) == st.Network
	if same && snap.NFTables.Ruleset.Generation == st.Generation {
		return nil, nil
	}
	if err := w.Sight.Proven(ctx, st.claim(), snap); err != nil || same {
		return nil, err
	}
	return w.Sight.StillCloses(ctx, st.Plan, snap), nil
}

// seeRules looks at the host, or at parts of it, and wants the ruleset to be read.
func (w *World) seeRules(ctx context.Context, only ...string) (*snapshot.Snapshot, error) {
	snap, err := w.Sight.See(ctx, only...)
	if err != nil {
		return nil, err
	}
	if snap.NFTables.Ruleset == nil {
		return nil, fmt.Errorf("the ruleset could not be read (%s)", strings.Join(snap.Section("nftables").Reasons, "; "))
	}
	return snap, nil
}

// youngerLogin wants this process to belong to a login that began after the fix was loaded: an older one
// can live on while every new one is refused.
func (w *World) youngerLogin(st *State) error {
	program, start, err := w.People.Login()
	switch {
	case err != nil:
		return err
	case program == "":
		return errors.New("this process belongs to no login (a terminal multiplexer or a service?): " +
			"confirm from a new login, or with --console where you sit at the machine")
	case start <= st.Confirmed:
		return fmt.Errorf("this login (%s) is older than the first confirmation: open another one and confirm there", program)
	case start <= st.Applied:
		return fmt.Errorf("this login (%s) is older than the fix: open a new one and confirm there", program)
	}
	return nil
}

// TakeOut takes the fix out, on trial or confirmed, or only where it is on trial.
func (w *World) TakeOut(ctx context.Context, onlyTrial bool) error {
	return w.atLast(ctx, func(at *where) error {
		st, left := at.st, w.Boot.Strange()
		var err error
		switch {
		case st == nil:
			return w.takeOutStateless(ctx, at, onlyTrial)
		case onlyTrial && st.Phase != PhaseTrial:
			return nil
		case st.Phase == PhaseTrial:
			err = w.Rollback(ctx, st)
		default:
			err = w.Undo(ctx, st)
		}
		if err != nil {
			return unclear("%w", err)
		}
		w.People.Say("fix: %s was taken out\n", st.ID)
		w.tellStays(at.found.strangers(), left)
		return nil
	})
}

// takeOutStateless takes out what the kernel and the next boot have of a fix that there is no state of: what is on trial, or where nothing
// is everything.
func (w *World) takeOutStateless(ctx context.Context, at *where, onlyTrial bool) error {
	_, trial := at.found.id(true)
	_, lasting := at.found.id(false)
	some, _ := w.Boot.Persists(nil, "")
	var err error
	switch {
	case at.unread != nil:
		return unclear("what is loaded could not be read: %w", at.unread)
	case trial:
		if err = w.withdraw(ctx); err == nil && at.damaged != nil && !lasting && !some { // nothing else can be in it
			err = errors.Join(w.Boot.Disarm(), w.Store.Forget())
		}
	case onlyTrial && at.damaged != nil:
		w.tellFiles()
		return unclear("whether a file is on trial cannot be told: %w", at.damaged)
	case onlyTrial:
		return nil
	case at.damaged == nil && !at.found.ours() && !some:
		w.tellStays(at.found.strangers(), w.Boot.Strange())
		return refused("there is no fix to take out")
	default:
		err = w.Undo(ctx, nil)
	}
	if err != nil {
		return unclear("%w", err)
	}
	w.People.Say("fix: what was loaded, and what there was no state of, was taken out\n")
	if at.damaged != nil {
		w.tellFiles()
	}
	w.tellStays(at.found.strangers(), w.Boot.Strange())
	return nil
}

// tellFiles says what a damaged state may have known of.
func (w *World) tellFiles() {
	w.People.Say("fix: files of services that the damaged state told of stay: look below /etc for 00-ringfence.conf, 50-ringfence.conf, 90-ringfence.conf, 99-zz-ringfence.conf and zz-ringfence.conf\n")
}

// Uninstall removes everything that was ever installed: tables, state and what is done at boot.
func (w *World) Uninstall(ctx context.Context) error {
	return w.atLast(ctx, func(at *where) error {
		left, files := at.found.strangers(), w.Boot.Strange()
		gone, err := w.askAbout(ctx, left)
		if gone {
			left = nil
		}
		gone, ferr := w.askAboutFiles(ctx, files)
		if gone {
			files = nil
		}
		err = errors.Join(err, ferr)
		if err = errors.Join(err, w.Undo(ctx, at.st), w.Store.Clear()); err != nil {
			return unclear("%w", err)
		}
		w.People.Say("fix: nothing of it is left\n")
		if at.damaged != nil {
			w.tellFiles()
		}
		w.tellStays(left, files)
		return nil
	})
}

// LoadAgain loads the confirmed fix again: what the unit runs at boot where there is no nft. A trial that the last boot ended is taken
// out before.
func (w *World) LoadAgain(ctx context.Context) error {
	return w.locked(ctx, func(st *State, here Moment) error {
		if st != nil && st.Phase == PhaseTrial && st.BootID != here.Boot && st.Before != nil {
			if err := w.Rollback(ctx, st); err != nil { // what was confirmed is loaded all the same
				w.People.Say("fix: take out what is left of fix %s: %s\n", st.ID, err)
			}
			st = st.Before
		}
		if st == nil {
			return refused("there is no confirmed fix")
		}
		if err := w.Reload(ctx, st); err != nil {
			return refused("%w", err)
		}
		w.People.Say("fix: %s is loaded\n", st.ID)
		return nil
	})
}

// Verify compares what is loaded with what was confirmed, asks whether that closes on the host as it is now what it is about, and returns its
// id. A DriftError says that it is another, or does not.
func (w *World) Verify(ctx context.Context) (id string, err error) {
	st, err := w.same(ctx)
	if err != nil {
		return "", err
	}
	for range attempts {
		if err = w.closesNow(ctx, st); !errors.Is(err, errIncomplete) {
			break
		}
	}
	return st.ID, err
}

// asConfirmed wants the tables of a fix in a ruleset to be those that were confirmed.
func (w *World) asConfirmed(st *State, rs *ruleset.Ruleset) error {
	if err := st.Drift(rs); err != nil {
		return &DriftError{fmt.Errorf("fix %s is no longer as confirmed: %w; load it again with %s", st.ID, err, w.command("load"))}
	}
	return nil
}

// closesNow wants a confirmed fix to close on the host as it is now what it is about.
func (w *World) closesNow(ctx context.Context, st *State) error {
	snap, err := w.Sight.See(ctx)
	if err == nil && snap.NFTables.Ruleset != nil { // the tables can be others since they were read
		if err := w.asConfirmed(st, snap.NFTables.Ruleset); err != nil {
			return err
		}
	}
	if err == nil {
		err = w.Sight.StillCloses(ctx, st.Plan, snap)
	}
	if err == nil && st.Judged != nil {
		err = w.foundAgain(ctx, st, snap)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errIncomplete): // nothing that another fix would mend
		return &DriftError{fmt.Errorf("fix %s: %w", st.ID, err)}
	case err != nil:
		return &DriftError{fmt.Errorf("fix %s: %w; apply it again with %s", st.ID, err, w.again(st))}
	}
	return nil
}

// foundAgain says which of the findings that a fix closed the audit has again: as severe as they were without it, and to whom was not meant to
// keep access. A check that was decided when the fix was kept, and is not now, could have them.
func (w *World) foundAgain(ctx context.Context, st *State, snap *snapshot.Snapshot) error {
	report, err := w.Sight.Audit(ctx, st.Judged, snap)
	if err != nil {
		return fmt.Errorf("the audit cannot be made again: %w", err)
	}
	c := &comparison{after: report, before: new(finding.Report), plan: st.Plan}
	if err := c.closed(); err != nil {
		return err
	}
	now := undecided(st.Plan, report)
	for _, check := range slices.Sorted(maps.Keys(now)) {
		if !slices.Contains(st.Undecided, check) {
			return fmt.Errorf("%w: %s: %s", errIncomplete, check, now[check])
		}
	}
	return nil
}

// same is the confirmed fix, where what is loaded and what the next boot loads is it.
func (w *World) same(ctx context.Context) (*State, error) {
	at, err := w.look(ctx)
	switch {
	case err != nil:
		return nil, err
	case at.damaged != nil:
		return nil, refused("%w; %s", at.damaged, w.wayOut())
	}
	st := at.st.ended(at.here)
	if st == nil || st.Phase != PhaseConfirmed || st.Plan == nil {
		return nil, refused("no confirmed fix to compare with")
	}
	rs, err := w.Live.Ours(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.asConfirmed(st, rs); err != nil {
		return nil, err
	}
	if _, lacks := w.Boot.Persists(st.Plan, st.ID); st.Persisted && lacks != "" {
		return nil, &DriftError{fmt.Errorf("fix %s is loaded, and the next boot does not load it: %s; apply it again with %s", st.ID, lacks, w.again(st))}
	}
	return st, nil
}

// everyNow is how often a watcher asks whether what is loaded closes on the host as it is now what it is about.
const everyNow = time.Minute

// WatchDrift compares at each change of our tables, until one leaves them others: that ends it, with the name of the
// process, which the kernel tells only while somebody listens. Each time that they are as confirmed it calls same. That they no longer close
// what they are about ends it too: the host is looked at every minute.
func (w *World) WatchDrift(ctx context.Context, same func(id string) error) error {
	changes, err := w.Live.Changes()
	if err != nil {
		return err
	}
	defer changes.Close()
	id, err := w.Verify(ctx)
	var early *DriftError
	if errors.As(err, &early) { // was it somebody while that was read?
		if c, ok := ourChange(ctx, changes); ok {
			early.err = fmt.Errorf("changed %s: %w", c, early.err)
		}
	}
	for err == nil {
		if err = same(id); err != nil {
			break
		}
		var c remedy.Change
		if c, err = w.nextOurs(ctx, changes); err != nil || ctx.Err() != nil {
			break
		}
		var drift *DriftError
		if _, err = w.same(ctx); errors.As(err, &drift) {
			drift.err = fmt.Errorf("changed %s: %w", c, drift.err)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// nextOurs waits for a change of our tables, and asks now and then whether they still close what they are about.
func (w *World) nextOurs(ctx context.Context, changes Changes) (remedy.Change, error) {
	asked, err := w.Clock.Here()
	for err == nil && ctx.Err() == nil {
		if c, ok := changes.Next(ctx, tick); ok && c.Table != "" {
			return c, nil
		}
		var here Moment
		if here, err = w.Clock.Here(); err != nil || here.Now-asked.Now < int64(everyNow) {
			continue
		}
		asked = here
		_, err = w.Verify(ctx)
	}
	return remedy.Change{}, err
}

// mostOthers bounds the changes of others that are passed over to find one of ours that has happened already: a host on which
// others never cease to change theirs still learns of the drift.
const mostOthers = 1000

// ourChange is the first change of our tables among those that wait to be read.
func ourChange(ctx context.Context, changes Changes) (remedy.Change, bool) {
	for range mostOthers {
		c, ok := changes.Next(ctx, tick)
		if !ok || c.Table != "" {
			return c, ok
		}
	}
	return remedy.Change{}, false
}

// lost is how often the state can be unreadable before nobody could confirm a trial any more.
const lost = 100

// Watch is the helper: it takes the trial of an id out at its deadline, or when gone says that the process that could confirm it is. One
// that was confirmed once anybody can confirm. Where it cannot, it says so to everybody and tries again, ever more rarely.
func (w *World) Watch(ctx context.Context, id string, gone func() bool) error {
	pause, failed, loud := tick, 0, true
	var last *State
	for broken := 0; ; w.Clock.Sleep(pause) {
		st, err := w.Store.Load()
		here, herr := w.Clock.Here()
		if err != nil || herr != nil {
			if broken++; broken > lost {
				return errors.Join(w.withdraw(ctx), w.orphan(ctx, last))
			}
			continue
		}
		broken = 0
		switch {
		case st == nil || st.ID != id:
			return errors.Join(w.abandon(ctx, id), w.orphan(ctx, last))
		case st.Phase != PhaseTrial:
			return nil
		}
		last = st
		if !st.over(here, gone) {
			continue
		}
		if err = w.expire(ctx, id, gone, &loud); err == nil {
			continue // the state says what became of it
		}
		if failed++; failed > lost {
			return unclear("take out fix %s: %w", id, err)
		}
		pause = min(2*pause, time.Minute)
	}
}

// abandon takes the rules of a trial out that the state no longer tells of: nobody can confirm them.
func (w *World) abandon(ctx context.Context, id string) error {
	rs, err := w.Live.Ours(ctx)
	if err != nil {
		return nil //nolint:nilerr // the kernel stops them
	}
	if on, there := found(remedy.Find(rs)).id(true); !there || on != id {
		return nil
	}
	return w.withdraw(ctx)
}

// orphan takes the file of a trial back that is still in place, and that no state tells of any more.
func (w *World) orphan(ctx context.Context, last *State) error {
	if last == nil || last.File == nil {
		return nil
	}
	return w.atLast(ctx, func(at *where) error {
		if at.st != nil || w.Files.Holds(ctx, last.File) != nil {
			return nil //nolint:nilerr // it was kept, or taken back
		}
		return w.end(ctx, last)
	})
}

// over says that nobody can confirm a trial any more.
func (st *State) over(here Moment, gone func() bool) bool {
	_, pending := st.Pending(here)
	return !pending || st.Confirmed == 0 && gone()
}

// expire takes a trial out that is over, if it is still one. The first time that it cannot it is loud.
func (w *World) expire(ctx context.Context, id string, gone func() bool, loud *bool) error {
	return w.locked(ctx, func(st *State, here Moment) error {
		switch {
		case st == nil || st.ID != id || st.Phase != PhaseTrial || !st.over(here, gone):
			return nil
		case *loud:
			*loud = false
			return w.end(ctx, st)
		}
		return w.Rollback(ctx, st)
	})
}
