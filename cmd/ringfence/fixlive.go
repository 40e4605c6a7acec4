//go:build linux && !ringfence_portable

package main

import (
	"context"
	"os"
	"time"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/terminal"
	"github.com/ringfence/ringfence/trial"
)

// fixNow makes a fix of what was found.
func (e *env) fixNow(ctx context.Context, m *audit.Material, before *finding.Report, f *auditFlags) error {
	if err := audit.Fixable(f.fix.Root, f.fix.DryRun); err != nil {
		return err
	}
	x := &trial.Fix{World: e.world(f.fix.Root, audit.Sight{Input: e.input(f.quiet), Deadline: f.Deadline}, audit.Fixing{Material: m, Options: f.fix.Options}), Options: f.fix.Making(), Before: before, Snapshot: m.Snapshot}
	x.Judged = m.Judged
	ctx, stop := audit.UntilHangup(ctx, f.fix.Confirm)
	defer stop()
	after, err := x.Run(ctx)
	if err != nil {
		return audit.FixError(err)
	}
	return f.bar.Met(after.Worst(), after.Undecided())
}

// world is this machine, as a fix sees it.
func (e *env) world(root string, s trial.Sight, h trial.Host) *trial.World {
	return trial.OnThisHost(root, people{e}, s, h)
}

// people is whoever started the program.
type people struct{ e *env }

func (p people) Say(format string, args ...any) { p.e.say(format, args...) }

func (p people) Show(plan *remedy.Plan) { p.e.sayText("\n" + planText(plan)) }

func (p people) ShowFile(f *dropin.File) { p.e.sayText(f.Content) }

func (p people) Terminal() bool {
	_, tty := terminal.Of(p.e.stdin)
	return tty
}

func (p people) Login() (program string, start int64, err error) { return trial.Login(os.Getpid()) }

// Ask asks on the terminal and waits for one word.
func (p people) Ask(ctx context.Context, question, want string, limit time.Duration) bool {
	p.e.say("%s", question)
	yes, told := p.e.answers.Is(ctx, p.e.stdin, want, limit)
	if !told {
		p.e.say("\n")
	}
	return yes
}
