//go:build linux && !ringfence_portable

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/terminal"
	"github.com/ringfence/ringfence/trial"
)

// fixNow makes a fix of what was found.
func (e *env) fixNow(ctx context.Context, m *audit.Material, before *finding.Report, f *auditFlags) error {
	if apart, err := host.Apart(); err == nil && apart && f.fix.root == "" && !f.fix.dryRun {
		return &exit.Error{Code: exit.Refused, Err: errors.New("this is a container, and a fix would keep its state and its boot files here, not on the host: run it on the host")}
	}
	x := &trial.Fix{World: e.world(f.fix.root, audit.Sight{Input: e.input(f.quiet), Deadline: f.Deadline}, audit.Fixing{Material: m, Options: f.fix.options}), Options: f.fix.making(), Before: before, Snapshot: m.Snapshot}
	x.Judged = m.Judged
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
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return &exit.Error{Code: exit.Refused, Err: fmt.Errorf("a fix needs root (sudo ringfence ...): %w", err)}
	}
	if errors.As(err, new(*trial.PartlyError)) {
		return &exit.Error{Code: exit.Findings, Err: err}
	}
	for code, is := range map[int]bool{
		exit.Unclear: errors.As(err, new(*trial.UnclearError)), exit.Refused: errors.As(err, new(*trial.RefusedError)),
		exit.Findings: errors.As(err, new(*trial.DriftError)),
	} {
		if is {
			return &exit.Error{Code: code, Err: err}
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
