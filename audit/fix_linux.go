//go:build linux && !ringfence_portable

package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/sandbox"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trial"
	"github.com/ringfence/ringfence/version"
)

// Sight is how a fix sees the host. It is a trial.Sight.
type Sight struct {
	Input    *Input
	Deadline time.Duration
}

// See collects a snapshot, or with names only those parts of one.
func (s Sight) See(ctx context.Context, only ...string) (*snapshot.Snapshot, error) {
	return s.Input.See(ctx, s.Deadline, only...)
}

// Proven asks again what a fix was proven by.
func (s Sight) Proven(ctx context.Context, c *remedy.Claim, now *snapshot.Snapshot) error {
	return c.Holds(ctx, now)
}

// StillCloses asks whether a plan closes what it is about on the host as it is now.
func (s Sight) StillCloses(ctx context.Context, p *remedy.Plan, now *snapshot.Snapshot) error {
	return p.StillCloses(ctx, now)
}

// verifyBudget is how long the packet model may be asked by an audit that verifies: as by any other.
const verifyBudget = 2 * time.Minute

// Audit judges by the configuration as it was then, and the policies as they are now.
func (s Sight) Audit(ctx context.Context, by *trial.Judged, now *snapshot.Snapshot) (*finding.Report, error) {
	modules, err := sandbox.ReadPolicies(by.Policies)
	if err != nil {
		return nil, err
	}
	signed, err := sandbox.ReadBundle(by.Bundle, by.Key)
	if err != nil {
		return nil, err
	}
	j, err := sandbox.Start(ctx, sandbox.Setup{
		Version: version.String(), ConfigFile: "as it was", Config: []byte(by.Config), Modules: modules, Bundle: signed, Budget: verifyBudget, Now: time.Now().UTC(), NoWaivers: true,
	})
	if err != nil {
		return nil, err
	}
	defer j.Close()
	return (&Material{Judging: j}).Judge(ctx, now)
}

// Fixable refuses a fix of the host from where it would keep its state and its boot files elsewhere than on the host.
func Fixable(root string, dryRun bool) error {
	if apart, err := host.Apart(); err == nil && apart && root == "" && !dryRun {
		return &exit.Error{Code: exit.Refused, Err: errors.New("this is a container, and a fix would keep its state and its boot files here, not on the host: run it on the host")}
	}
	return nil
}

// UntilHangup is a context that ends a fix that is being made in the foreground when the terminal goes. One that waits for a new
// login goes on: the old one is not what counts.
func UntilHangup(ctx context.Context, confirm string) (context.Context, func()) {
	if confirm == "" || confirm == trial.NewSession {
		signal.Ignore(syscall.SIGHUP)
		return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	}
	return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
}

// FixError gives an error of a fix its exit code.
func FixError(err error) error {
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

// Fixing is how a fix judges the host and plans for it. It is a trial.Host.
type Fixing struct {
	*Material
	Options remedy.Options
}

// Plan plans as it was asked for.
func (f Fixing) Plan(ctx context.Context, s *snapshot.Snapshot) (*remedy.Plan, error) {
	return f.Material.Plan(ctx, s, f.Options)
}

// Prove proves a plan.
func (f Fixing) Prove(ctx context.Context, p *remedy.Plan, s *snapshot.Snapshot) (*remedy.Proof, error) {
	return trial.Prove(ctx, p, s)
}

// Reads are the parts of a snapshot that a check reads.
func (f Fixing) Reads(check string) []string {
	i := slices.IndexFunc(f.Judging.Checks, func(c judge.Check) bool { return c.ID == check })
	if i < 0 {
		return nil
	}
	return f.Judging.Checks[i].Reads
}
