//go:build linux && !ringfence_portable

package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/sandbox"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trial"
	"github.com/ringfence/ringfence/version"
)

// fixNow makes a fix of what was found.
func (e *env) fixNow(ctx context.Context, m *material, before *finding.Report, f *auditFlags) error {
	if apart, err := host.Apart(); err == nil && apart && f.fix.root == "" && !f.fix.dryRun {
		return &exitError{exitRefused, errors.New("this is a container, and a fix would keep its state and its boot files here, not on the host: run it on the host")}
	}
	x := &trial.Fix{World: e.world(f.fix.root, sight{e, f.deadline, f.quiet}, seeing{m, f}), Options: f.fix.making(), Before: before, Snapshot: m.snap}
	x.Judged = m.judged
	ctx, stop := untilHangup(ctx, f.fix.confirm)
	defer stop()
	after, err := x.Run(ctx)
	if err != nil {
		return fixError(err)
	}
	return verdict(after, f)
}

// making says how the fix is made.
func (f *fixFlags) making() trial.Options {
	return trial.Options{
		Layer: f.layer, By: f.confirm, Wait: f.timeout, DryRun: f.dryRun, Persist: f.persist == "on-confirm", Suffix: rootArg(f.root),
	}
}

// untilHangup ends a fix that is being made in the foreground when the terminal goes. One that waits for a new
// login goes on: the old one is not what counts.
func untilHangup(ctx context.Context, confirm string) (context.Context, func()) {
	if confirm == "" || confirm == trial.NewSession {
		signal.Ignore(syscall.SIGHUP)
		return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	}
	return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
}

// fixError gives an error of a fix its exit code.
func fixError(err error) error {
	if errors.As(err, new(*trial.PartlyError)) {
		return &exitError{exitFindings, err}
	}
	for code, is := range map[int]bool{
		exitUnclear: errors.As(err, new(*trial.UnclearError)), exitRefused: errors.As(err, new(*trial.RefusedError)),
		exitFindings: errors.As(err, new(*trial.DriftError)),
	} {
		if is {
			return &exitError{code, err}
		}
	}
	return err
}

func rootArg(root string) string {
	if root == "" {
		return ""
	}
	return " --root " + root
}

// world is this machine, as a fix sees it.
func (e *env) world(root string, s trial.Sight, h trial.Host) *trial.World {
	nft, err := host.Local().ExecutablePath("nft")
	if err != nil {
		nft = ""
	}
	return trial.OnThisHost(root, rootArg(root), nft, people{e}, s, h)
}

// sight is how a fix sees the host.
type sight struct {
	e        *env
	deadline time.Duration
	quiet    bool
}

func (s sight) See(ctx context.Context) (*snapshot.Snapshot, error) {
	return s.e.see(ctx, looked{deadline: s.deadline, quiet: s.quiet})
}

func (s sight) Proven(ctx context.Context, c *remedy.Claim, now *snapshot.Snapshot) error {
	return c.Holds(ctx, now)
}

func (s sight) StillCloses(ctx context.Context, p *remedy.Plan, now *snapshot.Snapshot) error {
	return p.StillCloses(ctx, now)
}

// Audit judges by the configuration as it was then, and the policies as they are now.
func (s sight) Audit(ctx context.Context, by *trial.Judged, now *snapshot.Snapshot) (*finding.Report, error) {
	modules, err := sandbox.ReadPolicies(by.Policies)
	if err != nil {
		return nil, err
	}
	j, err := sandbox.Start(ctx, sandbox.Setup{Version: version.String(), ConfigFile: "as it was", Config: []byte(by.Config), Modules: modules, Budget: verifyBudget})
	if err != nil {
		return nil, err
	}
	defer j.Close()
	m := &material{judging: j}
	return m.judge(ctx, now)
}

// verifyBudget is how long the packet model may be asked by an audit that verifies: as by any other.
const verifyBudget = 2 * time.Minute

// seeing is how a fix judges the host and plans for it.
type seeing struct {
	m *material
	f *auditFlags
}

func (s seeing) Judge(ctx context.Context, snap *snapshot.Snapshot) (*finding.Report, error) {
	return s.m.judge(ctx, snap)
}

func (s seeing) Plan(ctx context.Context, snap *snapshot.Snapshot) (*remedy.Plan, error) {
	return s.m.plan(ctx, snap, s.f.fix.options())
}

func (s seeing) Prove(ctx context.Context, p *remedy.Plan, snap *snapshot.Snapshot) (*remedy.Proof, error) {
	return trial.Prove(ctx, p, snap)
}

func (s seeing) Reads(check string) []string {
	i := slices.IndexFunc(s.m.judging.Checks, func(c judge.Check) bool { return c.ID == check })
	if i < 0 {
		return nil
	}
	return s.m.judging.Checks[i].Reads
}

// people is whoever started the program.
type people struct{ e *env }

func (p people) Say(format string, args ...any) { p.e.say(format, args...) }

func (p people) Show(plan *remedy.Plan) { p.e.sayText("\n" + planText(plan)) }

func (p people) ShowFile(f *dropin.File) { p.e.sayText(f.Content) }

func (p people) Terminal() bool {
	_, tty := terminal(p.e.stdin)
	return tty
}

func (p people) Login() (program string, start int64, err error) { return trial.Login(os.Getpid()) }

// Ask asks on the terminal and waits for one word.
func (p people) Ask(ctx context.Context, question, want string, limit time.Duration) bool {
	p.e.say("%s", question)
	if p.e.lines == nil { // one reader for all questions: an answer that came too late is none to the next
		p.e.lines = make(chan string)
		go func() {
			in := bufio.NewReader(p.e.stdin)
			for {
				line, err := in.ReadString('\n')
				p.e.lines <- strings.TrimSpace(line)
				if err != nil {
					return
				}
			}
		}()
	}
	select {
	case a := <-p.e.lines:
		return ctx.Err() == nil && strings.EqualFold(a, want)
	case <-ctx.Done():
	case <-time.After(limit):
	}
	p.e.say("\n")
	return false
}
