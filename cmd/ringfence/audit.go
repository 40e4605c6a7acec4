package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/fixing"
	"github.com/ringfence/ringfence/fleet"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/sandbox"
	"github.com/ringfence/ringfence/usage"
	"github.com/ringfence/ringfence/words"
)

// source is where a judgement gets its material from: the flags that several commands share.
type source struct {
	audit.Source
	quiet bool
}

func (s *source) flags(c *cobra.Command) {
	c.Flags().StringVar(&s.SnapshotFile, "snapshot", "", "judge this snapshot instead of the live host (- is standard input)")
	s.liveFlags(c)
}

func (s *source) liveFlags(c *cobra.Command) {
	s.Deadline = 20 * time.Second
	usage.Length(c, &s.Deadline, "timeout", "deadline of each collector")
	c.Flags().BoolVarP(&s.quiet, "quiet", "q", false, "no progress on the terminal")
	s.judgingFlags(c)
	c.Flags().StringArrayVar(&s.Imports, "import", nil, "also judge what another tool reported, as `TOOL=FILE`: openclaw=FILE (repeatable)")
}

// judgingFlags are those that say by what is judged.
func (s *source) judgingFlags(c *cobra.Command) {
	c.Flags().StringVar(&s.ConfigFile, "config", "", "configuration `file` (YAML)")
	c.Flags().StringArrayVar(&s.PolicyDirs, "policy", nil, "also judge by the policies of this `directory` (repeatable)")
	c.Flags().StringVar(&s.Bundle, "bundle", "", "also judge by the policies and waivers of this `file`, a bundle of OPA that is signed")
	c.Flags().StringVar(&s.Key, "verification-key", "", "public key `file` (PEM) that the bundle is signed with")
	s.Budget = 2 * time.Minute
	usage.Length(c, &s.Budget, "budget", "how long the packet model may be asked; what it was not asked by then is unknown")
}

func (s *source) waiverFlag(c *cobra.Command) {
	c.Flags().StringVar(&s.WaiverFile, "waivers", "", "`file` of findings that are accepted for a time (YAML)")
}

// whichFlags say which checks are judged.
func (s *source) whichFlags(c *cobra.Command) {
	c.Flags().StringArrayVar(&s.Which.Only, "only", nil, "judge only this `check` or area, or those of a pattern such as \"ssh/*\" (repeatable, or with commas)")
	c.Flags().StringArrayVar(&s.Which.Skip, "skip", nil, "leave this `check` or area out, or those of a pattern (repeatable, or with commas)")
}

// auditFlags are the flags of audit.
type auditFlags struct {
	source
	format  string
	outputs []string
	bar     audit.Bar
	run     fleet.Run
	look    lookFlags
	fix     fixing.Flags
}

func (e *env) auditCommand() *cobra.Command {
	f := new(auditFlags)
	c := &cobra.Command{
		Use: "audit", Args: usage.None,
		Short: "Judge this host, or a snapshot of one",
		Long: "Judge this host, or a snapshot of one.\n\nExit codes: 0 nothing at or above --fail-on, " +
			"1 findings at or above it, 2 usage, policy or snapshot error, 3 incomplete under --strict, " +
			"4 fix refused or rolled back, 5 state of the fix unknown.",
		RunE: func(c *cobra.Command, _ []string) error { return e.audit(c.Context(), f) },
	}
	f.run.Flags(c)
	f.liveFlags(c)
	f.whichFlags(c)
	f.format, f.bar.FailOn = "table", "high"
	usage.Choice(c, &f.format, "format", "f", reports.Names(), "what goes to standard output: "+words.Or(reports.Names()))
	c.Flags().StringArrayVarP(&f.outputs, "output", "o", nil, "also write `FORMAT=FILE` (repeatable)")
	usage.Choice(c, &f.bar.FailOn, "fail-on", "", audit.Bars, "lowest severity that makes exit code 1; none for never, new for what is worse than in --baseline")
	c.Flags().BoolVar(&f.bar.Strict, "strict", false, "exit code 3 if a check is unknown or has not seen all")
	f.waiverFlag(c)
	c.Flags().StringVar(&f.AssumptionFile, "assumptions", "", "`file` of assumptions that are held against the host (YAML)")
	c.Flags().StringVar(&f.ModelFile, "model", "", "`file` of zones, flows and assumptions that people declare (YAML, or a TM-BOM)")
	c.Flags().StringVar(&f.Baseline, "baseline", "", "say what changed since this report `file` (JSON)")
	f.look.flags(c)
	f.fix.Audit(c)
	return c
}

// plan checks the formats before anything is collected: a usage error costs nothing.
func (f *auditFlags) plan() ([]reports.Output, error) {
	outs, err := reports.Outputs(f.format, f.outputs, append(f.Files(), f.run.Inputs(f.outputs)...)...)
	if err != nil {
		return nil, err
	}
	if len(f.run.Files) > 0 {
		f.SnapshotFile = f.run.Files[0]
	}
	switch {
	case f.bar.FailOn == audit.OnNew && f.Baseline == "":
		return nil, errors.New("--fail-on new wants --baseline")
	case f.fix.Fix && (f.WaiverFile != "" || f.Baseline != "" || f.AssumptionFile != "" || f.ModelFile != ""):
		return nil, errors.New("--waivers, --assumptions, --model and --baseline do not go with --fix: it closes what is found")
	}
	return outs, f.fix.Validate(f.SnapshotFile)
}

func (e *env) audit(ctx context.Context, f *auditFlags) error {
	outs, err := f.plan()
	if err != nil {
		return err
	}
	f.Trusted = f.fix.Fix
	f.run.Stdin, f.run.Source, f.run.Outputs, f.run.Bar = e.stdin, f.Source, outs, f.bar
	if f.run.Many() {
		f.run.Stdout, f.run.Options = e.terminal(f.format != "table"), func(stdout bool) reports.Options { return e.options(&f.look, stdout) }
		return f.run.Do(ctx, f.fix.Fix || f.Baseline != "")
	}
	e.stdin = f.run.Stdin
	m, err := e.input(f.quiet).Load(ctx, &f.Source)
	if err != nil {
		return err
	}
	defer m.Close()
	list := e.renderings(outs, &f.look)
	if f.Baseline != "" {
		list = append(list, audit.JSON)
	}
	got, err := m.Audit(ctx, list, f.fix.Fix)
	if err != nil {
		return err
	}
	if err := e.writeReports(got.Rendered[:len(outs)], outs); err != nil {
		return err
	}
	if f.Baseline != "" {
		d, err := m.Since(ctx, got.Rendered[len(outs)])
		if err != nil {
			return err
		}
		e.sayText(string(d.Text))
		if err := f.bar.Changed(d.Worse); err != nil {
			return err
		}
	}
	if f.fix.Fix {
		return e.fixNow(ctx, m, got.Report, f)
	}
	return f.bar.Met(got.Worst, got.Unknown)
}

// renderings are the reports to make.
func (e *env) renderings(outs []reports.Output, look *lookFlags) []sandbox.Rendering {
	list := make([]sandbox.Rendering, len(outs))
	for i, o := range outs {
		list[i] = sandbox.Rendering{Format: o.Format.Name, Options: e.options(look, o.File == "")}
	}
	return list
}

// writeReports writes what was rendered, files first: an error leaves nothing half written.
func (e *env) writeReports(rendered [][]byte, outs []reports.Output) error {
	files, stdout, json := reports.Places(rendered, outs)
	if err := host.WriteFiles(files); err != nil {
		return err
	}
	if err := e.tellData(stdout, json); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
