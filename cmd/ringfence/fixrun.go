//go:build linux && !ringfence_portable

package main

import (
	"bufio"
	"bytes"
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
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/ruleset"
)

func refused(format string, args ...any) error {
	return &exitError{exitRefused, fmt.Errorf("fix: "+format, args...)}
}

func unclear(format string, args ...any) error {
	return &exitError{exitUnclear, fmt.Errorf("fix: "+format, args...)}
}

// attempts is how often a fix is planned again because the ruleset changed meanwhile.
const attempts = 3

// fixing is one fix from the plan to its end.
type fixing struct {
	*env
	m      *material
	before *finding.Report
	f      *auditFlags
	store  remedy.Store
	asked  bool
	proof  *remedy.Proof
	unlock func() // nil while the lock is not held
}

// release gives the lock to whoever confirms.
func (x *fixing) release() {
	if x.unlock != nil {
		x.unlock()
		x.unlock = nil
	}
}

// retake takes the lock again.
func (x *fixing) retake() error {
	unlock, err := x.store.Lock()
	if err != nil {
		return refused("%w", err)
	}
	x.unlock = unlock
	return nil
}

// fixNow plans, proves, loads on trial, audits again, and keeps the fix only if that audit is no worse
// and it is confirmed. Whatever ends the program, the trial ends too.
func (e *env) fixNow(ctx context.Context, m *material, before *finding.Report, f *auditFlags) error {
	x := &fixing{env: e, m: m, before: before, f: f, store: remedy.Store{Root: f.fix.root}}
	if !f.fix.dryRun {
		if err := trusted(x.store); err != nil {
			return err
		}
	}
	if err := x.retake(); err != nil {
		return err
	}
	defer x.release()
	old, err := x.store.Load()
	if err == nil {
		err = old.Ours()
	}
	if err != nil {
		return refused("%w", err)
	}
	if left, ok := old.Pending(); ok {
		return refused("fix %s waits for its confirmation for another %s: ringfence fix confirm, or ringfence fix rollback", old.ID, left.Round(time.Second))
	}
	if old != nil && old.Phase == remedy.PhaseTrial { // nobody confirmed it, and it was not taken out
		if err := x.store.Rollback(old); err != nil {
			return unclear("take out what is left of fix %s: %w", old.ID, err)
		}
	}
	ctx, stop := x.signals(ctx)
	defer stop()
	if f.fix.layer == layerService {
		return x.services(ctx)
	}
	for range attempts {
		done, err := x.prepare(ctx)
		if done || err != nil {
			return err
		}
		st, err := x.try(ctx)
		switch {
		case errors.Is(err, remedy.ErrChanged):
			e.say("fix: the ruleset was changed meanwhile: planning again\n")
			m.snap = e.collect(ctx, f.deadline, f.quiet)
			if x.before, err = m.judge(ctx, m.snap); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		return x.settle(ctx, st)
	}
	return refused("the ruleset was changed %d times while the fix was prepared", attempts)
}

// signals ends a fix that is being made in the foreground when the terminal goes. One that waits for a new
// login goes on: the old one is not what counts.
func (x *fixing) signals(ctx context.Context) (context.Context, func()) {
	if x.mode() == confirmSession {
		signal.Ignore(syscall.SIGHUP)
		return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	}
	return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
}

// mode is who confirms: on a terminal a new login, unless something else is asked for.
func (x *fixing) mode() string {
	if x.f.fix.confirm == "" {
		return confirmSession
	}
	return x.f.fix.confirm
}

// prepare plans and proves. It reports done where there is nothing to load, or not to be.
func (x *fixing) prepare(ctx context.Context) (done bool, err error) {
	plan, err := x.m.plan(ctx, x.m.snap, x.f.fix.options())
	if err != nil {
		return true, err
	}
	if !x.asked {
		var text bytes.Buffer
		planText(&text, plan)
		x.sayText("\n" + text.String())
	}
	if len(plan.Rules) == 0 {
		x.say("fix: nothing to load\n")
		return true, verdict(x.before, x.f)
	}
	_, tty := terminal(x.stdin)
	switch {
	case x.m.snap.NFTables.Ruleset == nil || !x.m.snap.NFTables.Ruleset.Stable:
		return true, refused("the live ruleset could not be read (%s)", strings.Join(x.m.snap.Section("nftables").Reasons, "; "))
	case x.f.fix.confirm == "" && !tty && !x.f.fix.dryRun:
		return true, refused("there is no terminal to confirm on (use --confirm auto)")
	}
	if x.proof, err = x.prove(ctx, plan); err != nil {
		return true, refused("not proven, so not loaded: %w", err)
	}
	for _, line := range x.proof.Evidence {
		x.say("fix: %s\n", line)
	}
	switch {
	case x.proof.Loaded(x.m.snap.NFTables.Ruleset):
		x.say("fix: nothing to load: it is loaded already\n")
		return true, verdict(x.before, x.f)
	case x.f.fix.dryRun:
		return true, verdict(x.before, x.f)
	case x.f.fix.confirm == "" && !x.asked && !x.ask("load this ruleset on trial? [y/N] ", "y", time.Minute):
		return true, refused("not loaded")
	}
	x.asked = true
	return false, nil
}

func (x *fixing) prove(ctx context.Context, plan *remedy.Plan) (*remedy.Proof, error) {
	messages, err := checks.DumpRuleset(ctx, host.Local())
	if err != nil {
		return nil, err
	}
	return remedy.Prove(ctx, &remedy.Input{Plan: plan, Snapshot: x.m.snap, Messages: messages, Run: runReplica})
}

// runReplica starts this program as the child that builds the replica.
func runReplica(ctx context.Context, job []byte) ([]byte, error) {
	return runChild(ctx, "replica", job)
}

// runChild starts this program with a hidden command in a network namespace of its own.
func runChild(ctx context.Context, command string, job []byte) ([]byte, error) {
	var out, errs bytes.Buffer
	cmd := host.Command(ctx, "/proc/self/exe", command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = bytes.NewReader(job), &out, &errs, host.Environment()
	host.NewNetns(cmd)
	if err := host.Run(cmd); err != nil {
		return nil, errors.New(firstLine(strings.TrimPrefix(errs.String(), "ringfence: "), err))
	}
	return out.Bytes(), nil
}

// replicaCommand is the child: of no use to a person, and it refuses to work in a namespace that has
// anything in it.
func (e *env) replicaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "replica", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var job remedy.Job
			if err := json.NewDecoder(e.stdin).Decode(&job); err != nil {
				return err
			}
			res, err := remedy.RunReplica(c.Context(), &job, func(ctx context.Context) (*ruleset.Ruleset, error) {
				return checks.ReadRuleset(ctx, host.Local())
			})
			if err != nil {
				return err
			}
			return json.NewEncoder(e.stdout).Encode(res)
		},
	}
}

// try loads the proven plan on trial and audits again. On an error the trial is out again.
func (x *fixing) try(ctx context.Context) (*remedy.State, error) {
	wait := x.f.fix.timeout
	st, err := x.store.Begin(x.proof, wait)
	if err != nil {
		return nil, refused("nothing was loaded: %w", err)
	}
	if err := x.helper(st); err != nil {
		return nil, errors.Join(refused("nothing was loaded: start the helper that takes the trial out again: %w", err), x.store.Rollback(st))
	}
	if err := st.Load(x.proof, x.m.snap.NFTables.Ruleset.Generation); err != nil {
		if rerr := x.store.Rollback(st); rerr != nil {
			return nil, unclear("%w, and taking it out: %w", err, rerr)
		}
		if errors.Is(err, remedy.ErrChanged) {
			return nil, err
		}
		return nil, refused("%w", err)
	}
	for range attempts { // a process that ends while it is read makes an audit incomplete
		if err = x.verify(ctx); !errors.Is(err, errIncomplete) {
			break
		}
	}
	if err != nil {
		return nil, x.out(st, err)
	}
	return st, nil
}

// out takes the trial out again for a reason.
func (x *fixing) out(st *remedy.State, why error) error {
	if err := x.store.Rollback(st); err != nil {
		return unclear("%w, and taking the rules out: %w; the kernel stops them by itself", why, err)
	}
	return refused("%w; the rules were taken out again", why)
}

// settle waits for the confirmation, and keeps the fix or takes it out.
func (x *fixing) settle(ctx context.Context, st *remedy.State) error {
	var err error
	switch x.mode() {
	case confirmSession:
		x.say("fix: loaded on trial as fix %s. Open a NEW login to this host within %s and type there:\n\n    ringfence fix confirm %s%s\n\n"+
			"fix: without it the rules go out again.\n", st.ID, x.f.fix.timeout, st.ID, rootArg(x.f.fix.root))
		x.release()
		return x.await(ctx, st)
	case confirmConsole:
		err = x.confirm(ctx, x.f.fix.timeout)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return x.out(st, err)
	}
	if err := x.keep(ctx, st, x.store, x.f.fix.persist == "on-confirm"); err != nil {
		return err
	}
	return verdict(x.before, x.f)
}

func rootArg(root string) string {
	if root == "" {
		return ""
	}
	return " --root " + root
}

// await watches until a new login has confirmed, somebody took the trial out, or the time is over.
func (x *fixing) await(ctx context.Context, st *remedy.State) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	changes, err := remedy.Changes(ctx)
	if err != nil {
		return x.lockedOut(st, err)
	}
	var foreign *remedy.Change
	for {
		now, err := x.store.Load()
		left, pending := st.Pending()
		switch {
		case err == nil && st.Kept(now):
			x.say("fix: confirmed\n")
			return verdict(x.before, x.f)
		case err == nil && (now == nil || now.ID != st.ID):
			return refused("the rules were taken out again by somebody else")
		case foreign != nil && x.altered(ctx, st):
			return x.lockedOut(st, fmt.Errorf("the rules on trial were changed %s", reports.Clean(foreign.String(), false)))
		case ctx.Err() != nil:
			return x.lockedOut(st, errors.New("interrupted"))
		case !pending || left < 500*time.Millisecond:
			return x.lockedOut(st, errors.New("not confirmed"))
		}
		foreign = nil
		select {
		case <-tick.C:
		case c, ok := <-changes:
			if ok {
				foreign = &c
			}
		case <-ctx.Done():
		}
	}
}

// altered says whether the trial is no longer what was loaded.
func (x *fixing) altered(ctx context.Context, st *remedy.State) bool {
	rs, err := checks.ReadRuleset(ctx, host.Local())
	return err == nil && st.Altered(rs) != nil
}

// lockedOut takes the trial out under the lock, unless somebody confirmed it in the last moment.
func (x *fixing) lockedOut(st *remedy.State, why error) error {
	for range 50 {
		unlock, err := x.store.Lock()
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		defer unlock()
		if now, err := x.store.Load(); err == nil && st.Kept(now) {
			x.say("fix: confirmed\n")
			return verdict(x.before, x.f)
		}
		return x.out(st, why)
	}
	return unclear("%w, and another fix has the lock; the helper takes the rules out", why)
}

// keep makes the trial lasting, reads it back, and has it loaded at boot.
func (e *env) keep(ctx context.Context, st *remedy.State, store remedy.Store, persist bool) error {
	rs, err := checks.ReadRuleset(ctx, host.Local())
	if err == nil {
		err = store.Confirm(st, rs)
	}
	if err != nil {
		if rerr := store.Rollback(st); rerr != nil {
			return unclear("%w, and taking the rules out: %w", err, rerr)
		}
		return refused("%w; the rules were taken out again", err)
	}
	if rs, err = checks.ReadRuleset(ctx, host.Local()); err == nil {
		err = st.Drift(rs)
	}
	if err != nil {
		return unclear("loaded, but read back it is another: %w", err)
	}
	switch n, err := st.Plan.Cut(e.collect(ctx, 5*time.Second, true, "network")); {
	case err != nil:
		e.say("fix: open connections to what is closed stall until they time out: %s\n", err)
	case n > 0:
		e.say("fix: %d open connections to what is closed were ended\n", n)
	}
	undo := "ringfence fix rollback" + rootArg(store.Root)
	if !persist {
		e.say("fix: loaded as %s until the next boot; undo with: %s\n", st.Plan.Tables(), undo)
		return nil
	}
	if store.Root == "" && !host.Systemd() {
		if err := store.WriteRules(st.Plan); err != nil {
			return unclear("loaded as %s, but only until the next boot: %w; undo with: %s", st.Plan.Tables(), err, undo)
		}
		e.say("fix: loaded as %s until the next boot: systemd is not the init here, so have yours load %s; undo with: %s\n",
			st.Plan.Tables(), store.RulesFile(), undo)
		return nil
	}
	if rs, err = persistPlan(ctx, store, st.Plan); err == nil {
		err = st.Persist(rs)
	}
	if err == nil {
		err = store.Save(st)
	}
	if err != nil {
		return unclear("loaded as %s, but only until the next boot: %w; undo with: %s", st.Plan.Tables(), err, undo)
	}
	e.say("fix: loaded as %s, and again at each boot; undo with: %s\n", st.Plan.Tables(), undo)
	return nil
}

func (e *env) confirm(ctx context.Context, limit time.Duration) error {
	e.say("fix: the rules are loaded on trial. Open a NEW login to this host; if it works, type keep.\n")
	ok := make(chan bool, 1)
	go func() {
		ok <- e.ask(fmt.Sprintf("keep the rules? [keep within %s] ", limit.Round(time.Second)), "keep", limit)
	}()
	select {
	case yes := <-ok:
		if !yes {
			return errors.New("not confirmed")
		}
		return nil
	case <-ctx.Done():
		return errors.New("interrupted")
	}
}

// ask asks on the terminal and waits for one word at most for limit.
func (e *env) ask(question, want string, limit time.Duration) bool {
	e.say("%s", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(e.stdin).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case a := <-answer:
		return strings.EqualFold(a, want)
	case <-time.After(limit):
		e.say("\n")
		return false
	}
}

// helper starts the process that takes the trial out when its time is over. It outlives this one, its
// terminal and, where systemd or the cgroup tree lets it, its session.
func (x *fixing) helper(st *remedy.State) error {
	args := []string{"fix", "watch", "--id", st.ID}
	if x.f.fix.root != "" {
		args = append(args, "--root", x.f.fix.root)
	}
	if x.mode() != confirmSession {
		args = append(args, "--with", fmt.Sprint(os.Getpid()))
	}
	return host.Detach(args)
}
