package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/sandbox"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trial"
	"github.com/ringfence/ringfence/version"
)

// source is where a judgement gets its material from: the flags that audit and fix plan share.
type source struct {
	snapshot string
	config   string
	policies []string
	deadline time.Duration
	budget   time.Duration
	quiet    bool
	imports  []string
	trusted  bool // the snapshot decides what is changed, so it has to be trusted as the configuration is
}

func (s *source) flags(c *cobra.Command) {
	c.Flags().StringVar(&s.snapshot, "snapshot", "", "judge this snapshot instead of the live host (- is standard input)")
	c.Flags().StringVar(&s.config, "config", "", "configuration `file` (YAML)")
	c.Flags().StringArrayVar(&s.policies, "policy", nil, "also judge by the policies of this `directory` (repeatable)")
	c.Flags().StringArrayVar(&s.imports, "import", nil, "also judge what another tool reported, as `TOOL=FILE`: openclaw=FILE (repeatable)")
	c.Flags().DurationVar(&s.deadline, "timeout", 20*time.Second, "deadline of each collector")
	c.Flags().DurationVar(&s.budget, "budget", 2*time.Minute, "how long the packet model may be asked; what it was not asked by then is unknown")
	c.Flags().BoolVarP(&s.quiet, "quiet", "q", false, "no progress on the terminal")
}

// material is what a judgement needs. A snapshot from a file is kept as its bytes, and is parsed here only for a plan.
type material struct {
	judging *sandbox.Judging
	config  *judge.Config
	snap    *snapshot.Snapshot
	file    string
	text    []byte
	judged  *trial.Judged

	// last is the snapshot that was judged last, and its report: a fix asks for it again where nothing of ours is loaded.
	last   *snapshot.Snapshot
	report *finding.Report
}

func (e *env) load(ctx context.Context, s *source) (*material, error) {
	if s.budget <= 0 {
		return nil, fmt.Errorf("budget %s: want more than 0", s.budget)
	}
	imports, err := parseImports(s.imports)
	if err != nil {
		return nil, err
	}
	setup, err := s.setup()
	if err != nil {
		return nil, err
	}
	j, err := sandbox.Start(ctx, *setup)
	if err != nil {
		return nil, err
	}
	m := &material{judging: j, config: j.Config, file: s.snapshot, judged: &trial.Judged{Config: string(setup.Config)}}
	for _, dir := range s.policies {
		if abs, err := filepath.Abs(dir); err == nil {
			m.judged.Policies = append(m.judged.Policies, abs)
		}
	}
	switch {
	case s.snapshot == "":
		m.snap, err = e.see(ctx, looked{deadline: s.deadline, quiet: s.quiet})
	case s.trusted:
		if m.text, err = e.readSnapshot(s.snapshot, host.Trusted); err == nil {
			m.snap, err = snapshot.Load(bytes.NewReader(m.text))
			err = inSnapshot(s.snapshot, err)
		}
	default:
		m.text, err = e.readSnapshot(s.snapshot, host.OpenRegular)
	}
	if err == nil && len(imports) > 0 {
		err = m.imported(imports)
	}
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// setup reads what the process that judges is given.
func (s *source) setup() (*sandbox.Setup, error) {
	setup := &sandbox.Setup{Version: version.String(), ConfigFile: s.config, Budget: s.budget}
	var err error
	if setup.Config, err = sandbox.ReadConfig(s.config); err != nil {
		return nil, err
	}
	setup.Modules, err = sandbox.ReadPolicies(s.policies)
	return setup, err
}

// imported adds reports of other tools to what is judged.
func (m *material) imported(files []string) (err error) {
	if m.snap == nil {
		if m.snap, err = snapshot.Load(bytes.NewReader(m.text)); err != nil {
			return inSnapshot(m.file, err)
		}
	}
	m.text = nil
	addImports(m.snap, files)
	return nil
}

func (m *material) close() { m.judging.Close() }

// audit judges what was loaded.
func (m *material) audit(ctx context.Context, list []sandbox.Rendering, report bool) (*sandbox.Outcome, error) {
	o, err := m.judging.Judge(ctx, m.snap, m.text, list, report)
	if err != nil && m.text != nil {
		err = inSnapshot(m.file, err)
	}
	if err == nil && m.text == nil && o.Report != nil {
		m.last, m.report = m.snap, o.Report
	}
	return o, err
}

// judge judges a snapshot that was collected, or changed, by this program.
func (m *material) judge(ctx context.Context, s *snapshot.Snapshot) (*finding.Report, error) {
	if m.last == s && s != nil {
		return m.report, nil
	}
	o, err := m.judging.Judge(ctx, s, nil, nil, true)
	if err != nil {
		return nil, err
	}
	m.last, m.report = s, o.Report
	return o.Report, nil
}

// auditFlags are the flags of audit.
type auditFlags struct {
	source
	format  string
	outputs []string
	failOn  string
	strict  bool
	noColor bool
	all     bool
	fix     fixFlags
}

func (e *env) auditCommand() *cobra.Command {
	f := new(auditFlags)
	c := &cobra.Command{
		Use: "audit", Args: cobra.NoArgs,
		Short: "Judge this host, or a snapshot of one",
		Long: "Judge this host, or a snapshot of one.\n\nExit codes: 0 nothing at or above --fail-on, " +
			"1 findings at or above it, 2 usage, policy or snapshot error,\n3 incomplete under --strict, " +
			"4 fix refused or rolled back, 5 state of the fix unknown.",
		RunE: func(c *cobra.Command, _ []string) error { return e.audit(c.Context(), f) },
	}
	f.flags(c)
	c.Flags().StringVarP(&f.format, "format", "f", "", "what goes to standard output: table, json, sarif (default table)")
	c.Flags().StringArrayVarP(&f.outputs, "output", "o", nil, "also write `FORMAT=FILE` (repeatable)")
	c.Flags().StringVar(&f.failOn, "fail-on", "high", "lowest severity that makes exit code 1; none for never")
	c.Flags().BoolVar(&f.strict, "strict", false, "exit code 3 if a check is unknown or has not seen all")
	c.Flags().BoolVar(&f.noColor, "no-color", false, "no colour (also by NO_COLOR)")
	c.Flags().BoolVar(&f.all, "all", false, "the table also lists what passed")
	f.fix.flags(c)
	return c
}

// plan checks the formats before anything is collected: a usage error costs nothing.
func (f *auditFlags) plan() ([]reports.Output, error) {
	outs, err := reports.Outputs(cmp.Or(f.format, "table"), f.outputs)
	if err != nil {
		return nil, err
	}
	if f.failOn != "none" && finding.Rank(f.failOn) >= len(finding.Severities) {
		return nil, fmt.Errorf("fail-on %q: want one of %v or none", f.failOn, finding.Severities)
	}
	return outs, f.fix.validate(f)
}

func (e *env) audit(ctx context.Context, f *auditFlags) error {
	outs, err := f.plan()
	if err != nil {
		return err
	}
	m, err := e.load(ctx, &f.source)
	if err != nil {
		return err
	}
	defer m.close()
	list := make([]sandbox.Rendering, len(outs))
	for i, o := range outs {
		list[i] = sandbox.Rendering{Format: o.Format.Name, Options: e.options(f, o.File == "")}
	}
	got, err := m.audit(ctx, list, f.fix.fix)
	if err != nil {
		return err
	}
	if err := e.writeReports(got.Rendered, outs); err != nil {
		return err
	}
	if f.fix.fix {
		return e.fixNow(ctx, m, got.Report, f)
	}
	return conclude(got.Worst, got.Unknown, f)
}

// verdict is the exit code of a report.
func verdict(r *finding.Report, f *auditFlags) error {
	return conclude(r.Worst(), r.Undecided(), f)
}

// conclude is the exit code for the highest severity that was found, "" for none, and a number of checks that leave something open.
func conclude(worst string, unknown int, f *auditFlags) error {
	if f.failOn != "none" && worst != "" && finding.Rank(worst) <= finding.Rank(f.failOn) {
		return &exitError{code: exitFindings}
	}
	if f.strict && unknown > 0 {
		return &exitError{code: exitIncomplete}
	}
	return nil
}

// options are those of a report that goes to standard output, or to a file.
func (e *env) options(f *auditFlags, stdout bool) reports.Options {
	opt := reports.Options{All: f.all}
	if stdout {
		w, tty := terminal(e.stdout)
		opt.Width = w
		opt.Color = tty && !f.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return opt
}

// writeReports writes what was rendered, files first: an error leaves nothing half written.
func (e *env) writeReports(rendered [][]byte, outs []reports.Output) error {
	files := map[string][]byte{}
	var stdout []byte
	json := false
	for i, o := range outs {
		if o.File == "" {
			stdout, json = rendered[i], o.Format.Name != "table"
		} else {
			files[o.File] = rendered[i]
		}
	}
	if err := host.WriteFiles(files); err != nil {
		return err
	}
	if err := e.tellData(stdout, json); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
