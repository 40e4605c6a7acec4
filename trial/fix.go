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
	"github.com/ringfence/ringfence/snapshot"
)

// attempts is how often a fix is planned again because the ruleset changed meanwhile, and an audit taken again because a process
// ended while it was read.
const attempts = 3

// The ways to confirm a fix.
const (
	NewSession = "new-session" // a login that is younger than it
	Console    = "console"     // a question on the terminal
	Auto       = "auto"        // the second audit decides
)

// The layers of a fix.
const (
	LayerFirewall = "firewall" // the packet filter
	LayerService  = "service"  // drop-in files, one service at a time
)

// Options say how a fix is made.
type Options struct {
	Layer   string
	By      string        // who confirms: "" is NewSession, after a question on the terminal
	Wait    time.Duration // for the confirmation
	DryRun  bool          // plan and prove, and change nothing
	Persist bool          // have the confirmed plan loaded at boot
	// Judged is by what the audits are made.
	Judged *Judged
	// Suffix is what the commands that people are told end with.
	Suffix string
	// Again are the flags that the plan is made by, as people type them.
	Again string
	// Targeted says that people named that mode: a plan without a baseline is meant.
	Targeted bool
}

// mode is who confirms.
func (o *Options) mode() string {
	if o.By == "" {
		return NewSession
	}
	return o.By
}

// Fix is one fix from the plan to its end.
type Fix struct {
	*World
	Options
	// Before is the report about Snapshot, the host as it is.
	Before   *finding.Report
	Snapshot *snapshot.Snapshot

	asked      bool
	toldBegan  bool // that workloads began since the plan was made
	proof      *remedy.Proof
	after      *finding.Report // about the host with the fix
	generation uint32          // of the ruleset that after is about
	network    string          // the digest of the network that after is about
	unlock     func()          // nil while the lock is not held
}

// Run makes the fix. It returns the report of the last audit where the fix was kept, or where there was nothing to do. An error is a
// RefusedError, an UnclearError, or of what was asked.
func (x *Fix) Run(ctx context.Context) (*finding.Report, error) {
	x.after = x.Before
	if !x.DryRun {
		if err := x.Helper.Ready(); err != nil {
			return nil, refused("%w", err)
		}
	}
	if err := x.retake(); err != nil {
		return nil, err
	}
	defer x.release()
	if err := x.clear(ctx); err != nil {
		return nil, err
	}
	if x.Layer == LayerService {
		return x.after, x.services(ctx)
	}
	var last error
	for range attempts {
		if err := x.makeRoom(ctx); err != nil {
			return nil, err
		}
		done, err := x.prepare(ctx)
		var st *State
		if !done && err == nil {
			st, err = x.try(ctx)
		}
		switch {
		case errors.Is(err, remedy.ErrChanged) && !errors.As(err, new(*UnclearError)): // else something of it may be left
			last = err
			x.People.Say("fix: the ruleset was changed meanwhile: planning again\n")
			if err := x.seeAgain(ctx); err != nil {
				return nil, err
			}
			continue
		case done:
			return x.after, err
		case err != nil:
			return nil, err
		}
		if err := x.settle(ctx, st); err != nil {
			return x.after, err
		}
		return x.after, inPart(st.Plan)
	}
	if why := new(RefusedError); errors.As(last, &why) {
		return nil, why
	}
	return nil, refused("the ruleset was changed %d times while the fix was prepared", attempts)
}

// inPart says of a plan that it does only a part of what was asked for: one that was to let in only what is known closes findings alone, or
// some of them cannot be shown to be closed.
func inPart(p *remedy.Plan) error {
	var parts []error
	if why := p.NoBaseline(); why != "" {
		parts = append(parts, fmt.Errorf("fix: it closes findings alone (%d): what no rule names is let in as before, since there is no baseline: %s", len(p.Closes), why))
	}
	if open := p.LeftOpen(); len(open) > 0 {
		parts = append(parts, fmt.Errorf("fix: it closes a part of what was found (%d): left open, since nothing shows that they would be closed: %s", len(p.Closes), strings.Join(open, ", ")))
	}
	if err := errors.Join(parts...); err != nil {
		return &PartlyError{err}
	}
	return nil
}

// seeAgain looks at the host again, which was changed meanwhile.
func (x *Fix) seeAgain(ctx context.Context) error {
	snap, err := x.Sight.See(ctx)
	if err != nil {
		return err
	}
	before, err := x.Host.Judge(ctx, snap)
	if err != nil {
		return err
	}
	x.Snapshot, x.Before, x.after = snap, before, before
	return nil
}

// release gives the lock to whoever confirms.
func (x *Fix) release() {
	if x.unlock != nil {
		x.unlock()
		x.unlock = nil
	}
}

// retake takes the lock again.
func (x *Fix) retake() error {
	unlock, err := x.Store.Lock()
	if err != nil {
		return refused("%w", err)
	}
	x.unlock = unlock
	return nil
}

// clear takes out what is left of a fix that nobody confirmed. One that still waits is refused.
func (x *Fix) clear(ctx context.Context) error {
	at, err := x.look(ctx)
	switch {
	case err != nil:
		return refused("%w", err)
	case at.damaged != nil:
		return refused("%w; %s", at.damaged, x.wayOut())
	}
	old, here := at.st, at.here
	if at.unwritten {
		if err := x.Store.Save(old); err != nil {
			return refused("%w", err)
		}
	}
	if left, ok := old.Pending(here); ok {
		return refused("fix %s waits for its confirmation for another %s: %s%s, or %s%s", old.ID, left.Round(time.Second), x.told("confirm"), x.Options.Suffix, x.told("rollback"), x.Options.Suffix)
	}
	if old != nil && old.Phase == PhaseTrial {
		if err := x.Rollback(ctx, old); err != nil {
			return unclear("take out what is left of fix %s: %w", old.ID, err)
		}
	}
	if _, trial := at.found.id(true); trial && old == nil {
		if err := x.withdraw(ctx); err != nil {
			return unclear("take out what is on trial without a state: %w", err)
		}
	}
	return nil
}

// makeRoom asks about tables of our names that are somebody else's: these are never replaced unasked.
func (x *Fix) makeRoom(ctx context.Context) error {
	list := remedy.Strangers(x.Snapshot.NFTables.Ruleset)
	if len(list) == 0 || x.DryRun {
		x.tellStrangers(list)
		return nil
	}
	gone, err := x.askAbout(ctx, list)
	switch {
	case err != nil:
		return refused("%w", err)
	case gone:
		return x.seeAgain(ctx)
	}
	return refused("%s is somebody else's: it bears no mark of ours, and there is no state of it. Look at it with nft list ruleset, and remove it first", names(list))
}

// prepare plans and proves. It reports done where there is nothing to load, or not to be.
func (x *Fix) prepare(ctx context.Context) (done bool, err error) {
	plan, err := x.Host.Plan(ctx, x.Snapshot)
	if err != nil {
		return true, err
	}
	if !x.asked {
		x.People.Show(plan)
	}
	rs := x.Snapshot.NFTables.Ruleset
	switch {
	case rs == nil || len(plan.Rules) > 0 && !rs.Stable:
		return true, refused("the live ruleset could not be read (%s)", strings.Join(x.Snapshot.Section("nftables").Reasons, "; "))
	case len(plan.Rules) == 0:
		if why := plan.NoBaseline(); why != "" {
			return true, refused("nothing to load: nothing is to be closed, and what was asked for cannot be made: %s", why)
		}
		x.People.Say("fix: nothing to load\n")
		return true, nil
	case x.By == "" && !x.People.Terminal() && !x.DryRun:
		return true, refused("there is no terminal to confirm on (use --confirm auto)")
	}
	if x.proof, err = x.Host.Prove(ctx, plan, x.Snapshot); err != nil {
		return true, refused("not proven, so not loaded: %w", x.ofAnother(ctx, err))
	}
	for _, line := range x.proof.Evidence {
		x.People.Say("fix: %s\n", line)
	}
	if err := x.opensAgain(); err != nil {
		return true, err
	}
	if err := x.roomAtBoot(ctx); err != nil {
		return true, err
	}
	switch {
	case x.proof.Loaded(rs):
		x.People.Say("fix: nothing to load: it is loaded already\n")
		if x.Persist && !x.DryRun {
			if err := x.persistLoaded(ctx); err != nil {
				return true, err
			}
		}
		return true, inPart(x.proof.Plan())
	case x.DryRun:
		return true, inPart(x.proof.Plan())
	case x.By == "" && !x.asked && !x.People.Ask(ctx, "load this ruleset on trial? [y/N] ", "y", time.Minute):
		return true, refused("not loaded")
	}
	x.asked = true
	return false, nil
}

// ofAnother adds to what a proof ended with that the ruleset is another than the one that was planned for: the replica has the one that is loaded.
func (x *Fix) ofAnother(ctx context.Context, err error) error {
	if rs, rerr := x.Live.Read(ctx); rerr != nil || rs.Generation == x.Snapshot.NFTables.Ruleset.Generation {
		return err
	}
	return fmt.Errorf("%w, and %w", err, remedy.ErrChanged)
}

// try loads the proven plan on trial and audits again. The helper that takes it out is there before it. On an error the trial is out
// again.
func (x *Fix) try(ctx context.Context) (*State, error) {
	st, err := x.Begin(x.proof, &x.Options)
	if err != nil {
		return nil, refused("nothing was loaded: %w", err)
	}
	if err := x.Helper.Start(st.ID, x.mode() != NewSession); err != nil {
		return nil, errors.Join(refused("nothing was loaded: start the helper that takes the trial out again: %w", err), x.end(ctx, st))
	}
	if err := x.load(ctx, st); err != nil {
		if rerr := x.end(ctx, st); rerr != nil {
			return nil, unclear("%w, and taking it out: %w", err, rerr)
		}
		if errors.Is(err, remedy.ErrChanged) {
			return nil, err
		}
		return nil, refused("%w", err)
	}
	err = x.verifyAgain(ctx)
	if err == nil {
		st.Audited, st.Generation, st.Network, st.Undecided = true, x.generation, x.network, slices.Sorted(maps.Keys(undecided(st.Plan, x.after)))
		err = x.Store.Save(st)
	}
	if err != nil {
		return nil, x.out(ctx, st, err)
	}
	return st, nil
}

// gaps is how often the trial is tried for the ruleset as others have just made it, and provings how often what was proven is shown again of
// what they have made of it.
const (
	gaps     = 200
	provings = 5
)

// load loads the trial for the ruleset that was proven, or for what others have made of it since: where the proof covers that as well, or holds
// of it on the model. It ends with remedy.ErrChanged where neither can be told before they change it again.
func (x *Fix) load(ctx context.Context, st *State) error {
	err := x.Load(st, x.proof, x.Snapshot.NFTables.Ruleset.Generation)
	for n, proven := 0, 0; errors.Is(err, remedy.ErrChanged) && n < gaps && ctx.Err() == nil; n++ {
		rs, rerr := x.Live.Read(ctx)
		if rerr != nil || !rs.Stable {
			x.Clock.Sleep(20 * time.Millisecond)
			continue
		}
		if x.proof.Covers(rs) != nil {
			if proven++; proven > provings {
				return err
			}
			if perr := x.proveAgain(ctx); perr != nil {
				return fmt.Errorf("%w (%w)", err, perr)
			}
			continue
		}
		err = x.Load(st, x.proof, rs.Generation)
	}
	return err
}

// proveAgain shows of the host as it is now, on the model, what was proven: the proof stands on that from now on.
func (x *Fix) proveAgain(ctx context.Context) error {
	snap, err := x.seeRules(ctx)
	if err != nil {
		return err
	}
	return x.Sight.Proven(ctx, x.proof.Claim(), snap)
}

// out takes the trial out again for a reason.
func (w *World) out(ctx context.Context, st *State, why error) error {
	if err := w.end(ctx, st); err != nil {
		return unclear("%w, and taking the rules out: %w%s", why, err, stops(err))
	}
	return refused("%w; the rules were taken out again", why)
}

// endFor takes a trial out again for a reason: rules, or a file.
func (w *World) endFor(ctx context.Context, st *State, why error) error {
	if st.File != nil {
		return w.back(ctx, st, why)
	}
	return w.out(ctx, st, why)
}

// settle waits for the confirmation, and keeps the fix or takes it out.
func (x *Fix) settle(ctx context.Context, st *State) error {
	if was := st.Before; was != nil && was.Plan != nil {
		x.People.Say("fix: fix %s, which was confirmed, holds beside it until this one is kept: whom only the new rules let in comes in after that\n", was.ID)
	}
	var err error
	switch x.mode() {
	case NewSession:
		x.People.Say("fix: loaded on trial as fix %s. Open a NEW login to this host within %s and type there:\n\n    %s%s\n\n"+
			"fix: without it the rules go out again.\n", st.ID, x.Wait, x.told("confirm "+st.ID), x.Options.Suffix)
		x.release()
		return x.await(ctx, st)
	case Console:
		if err = x.ask(ctx, x.Wait); err == nil && st.AsksAgain() {
			err = x.askAgain(ctx, st)
		}
	}
	if err == nil {
		err = x.current(ctx)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return x.out(ctx, st, err)
	}
	return x.Keep(ctx, st, x.Options)
}

// askAgain asks for the second confirmation of what was just confirmed.
func (x *Fix) askAgain(ctx context.Context, st *State) error {
	err := x.current(ctx)
	if err == nil {
		err = x.Prolong(ctx, st)
	}
	if err != nil {
		return err
	}
	x.People.Say("fix: confirmed once. %s\n", whyAgain)
	return x.ask(ctx, secondWait)
}

// whyAgain tells people why they are asked twice.
const whyAgain = "A host that lets in only what it knows is confirmed twice: what has to be renewed now and then (neighbours, leases, names) " +
	"can fail some minutes later."

// ask asks on the terminal whether to keep what is on trial.
func (x *Fix) ask(ctx context.Context, wait time.Duration) error {
	x.People.Say("fix: the rules are loaded on trial. Open a NEW login to this host; if it works, type keep.\n")
	yes := x.People.Ask(ctx, fmt.Sprintf("keep the rules? [keep within %s] ", wait.Round(time.Second)), "keep", wait)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case !yes:
		return errors.New("not confirmed")
	}
	return nil
}

// Keep makes the trial lasting, reads it back, ends what is open to what it closes, and has it loaded at boot.
func (w *World) Keep(ctx context.Context, st *State, o Options) error {
	if err := w.Confirm(ctx, st); err != nil {
		return w.out(ctx, st, err)
	}
	rs, err := w.Live.Ours(ctx)
	if err == nil {
		err = st.Drift(rs)
	}
	if err != nil {
		return unclear("loaded, but read back it is another: %w", err)
	}
	switch n, err := w.Live.Cut(ctx, st.Plan); {
	case err != nil:
		w.People.Say("fix: open connections to what is closed stall until they time out: %s\n", err)
	case n > 0:
		w.People.Say("fix: %d open connections to what is closed were ended\n", n)
	}
	undo := w.told("rollback") + o.Suffix
	if !o.Persist {
		w.People.Say("fix: loaded as %s until the next boot; undo with: %s\n", st.Plan.Tables(), undo)
		return nil
	}
	return w.persist(ctx, st, o)
}

// persist has a confirmed fix loaded at boot. As what is written down before it is, for who is killed in between.
func (w *World) persist(ctx context.Context, st *State, o Options) error {
	undo := w.told("rollback") + o.Suffix
	booted, err := w.Boot.Rehearse(ctx, st.Plan, st.ID)
	if err == nil {
		err = st.Boots(&booted)
	}
	if err == nil {
		err = w.Store.Save(st)
	}
	if err == nil {
		err = w.Boot.Persist(ctx, &booted)
	}
	if err == nil && booted.ByHand != "" {
		w.People.Say("fix: loaded as %s until the next boot: systemd is not the init here, so have yours load %s; undo with: %s\n",
			st.Plan.Tables(), booted.ByHand, undo)
		return nil
	}
	if err == nil {
		st.Persisted, st.Before = true, nil
		err = w.Store.Save(st)
	}
	if err != nil {
		return unclear("loaded as %s, but only until the next boot: %w; undo with: %s", st.Plan.Tables(), err, undo)
	}
	w.People.Say("fix: loaded as %s, and again at each boot; undo with: %s\n", st.Plan.Tables(), undo)
	return nil
}
