// Package audit gets what a command judges and is judged by: the host, a snapshot or a report; configuration, policies and waivers. What decides
// what counts is read from files that nobody else could have written, the rest is data, whoever wrote it.
package audit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/sandbox"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trial"
	"github.com/ringfence/ringfence/version"
)

// Source says what is judged, and by what.
type Source struct {
	SnapshotFile string // "" is the live host, "-" standard input
	ConfigFile   string
	PolicyDirs   []string
	Bundle, Key  string // a file of policies and waivers, and the key that it is signed with
	WaiverFile   string
	Baseline     string // a report to compare with
	// AssumptionFile is a register of assumptions; without one they are the shipped ones, which make no findings.
	AssumptionFile string
	ModelFile      string // what people declare of the host
	Which          sandbox.Selection
	Imports        []string      // reports of other tools, as TOOL=FILE
	Deadline       time.Duration // of each collector
	Budget         time.Duration // of the packet model
	// Trusted says that what is judged decides what is changed: a snapshot has to be trusted as the configuration is, and waivers are not asked.
	Trusted bool
}

// Files are those that are read. The baseline is one of them: what is new in a report that takes its place is new no more, and nobody was told.
func (s *Source) Files() (list []string) {
	files, _ := ParseImports(s.Imports) // one that is wrong is refused where it is read
	for _, f := range append(files, s.SnapshotFile, s.ConfigFile, s.Bundle, s.Key, s.WaiverFile, s.Baseline, s.AssumptionFile, s.ModelFile) {
		if f != "" {
			list = append(list, f)
		}
	}
	for _, dir := range s.PolicyDirs {
		rules, _ := host.Named(dir, func(name string) bool { return strings.HasSuffix(name, ".rego") })
		list = append(list, rules...)
	}
	return list
}

// Input is where material comes from.
type Input struct {
	Stdin   io.Reader
	Columns int // of the terminal that a person reads on, 0 for none
	// See collects a snapshot of the live host.
	See func(ctx context.Context, deadline time.Duration, only ...string) (*snapshot.Snapshot, error)
}

// Material is what a judgement needs. A snapshot from a file is kept as its bytes, and is parsed here only for a plan.
type Material struct {
	Judging  *sandbox.Judging
	Config   *judge.Config
	Snapshot *snapshot.Snapshot
	Judged   *trial.Judged // by what is judged, for a fix that is verified later

	file  string
	text  []byte
	trust *finding.Trust
	base  *sandbox.File // the baseline

	// last is the snapshot that was judged last, and its report: a fix asks for it again where nothing of ours is loaded.
	last   *snapshot.Snapshot
	report *finding.Report
}

// Load starts the process that judges, and gets what it judges. Errors of configuration, policies and waivers come before anything is collected.
func (in *Input) Load(ctx context.Context, s *Source) (*Material, error) {
	imports, err := ParseImports(s.Imports)
	if err != nil {
		return nil, err
	}
	setup, err := s.Setup()
	if err != nil {
		return nil, err
	}
	j, err := sandbox.Start(ctx, *setup)
	if err != nil {
		return nil, err
	}
	m := &Material{Judging: j, Config: j.Config, file: s.SnapshotFile, base: setup.Baseline, Judged: &trial.Judged{Config: string(setup.Config)}}
	for _, dir := range s.PolicyDirs {
		m.Judged.Policies = append(m.Judged.Policies, absolute(dir))
	}
	if s.Bundle != "" {
		m.Judged.Bundle, m.Judged.Key = absolute(s.Bundle), absolute(s.Key)
	}
	switch {
	case s.SnapshotFile == "":
		m.Snapshot, err = in.See(ctx, s.Deadline)
	case s.Trusted:
		if m.text, err = in.snapshotText(s.SnapshotFile, host.Trusted); err == nil {
			m.Snapshot, err = snapshot.Load(bytes.NewReader(m.text))
			err = inFile(s.SnapshotFile, err)
		}
	default:
		m.text, err = in.snapshotText(s.SnapshotFile, host.OpenRegular)
	}
	if err == nil && len(imports) > 0 {
		err = m.imported(imports)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// absolute is a path that means the same from another directory.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// imported adds reports of other tools to what is judged.
func (m *Material) imported(files []string) (err error) {
	if m.Snapshot == nil {
		if m.Snapshot, err = snapshot.Load(bytes.NewReader(m.text)); err != nil {
			return inFile(m.file, err)
		}
	}
	m.text = nil
	AddImports(m.Snapshot, files)
	return nil
}

// Setup reads what the process that judges is given.
func (s *Source) Setup() (*sandbox.Setup, error) {
	setup := &sandbox.Setup{Version: version.String(), ConfigFile: s.ConfigFile, Budget: s.Budget, Selection: s.Which}
	var err error
	if setup.Config, err = sandbox.ReadConfig(s.ConfigFile); err != nil {
		return nil, err
	}
	setup.Now, setup.NoWaivers = time.Now().UTC(), s.Trusted
	if setup.Bundle, err = sandbox.ReadBundle(s.Bundle, s.Key); err != nil {
		return nil, err
	}
	if s.AssumptionFile != "" {
		setup.AssumptionFile = s.AssumptionFile
		if setup.Assumptions, err = sandbox.ReadAssumptions(s.AssumptionFile); err != nil {
			return nil, err
		}
	}
	if s.ModelFile != "" {
		setup.ModelFile = s.ModelFile
		if setup.Model, err = sandbox.ReadModel(s.ModelFile); err != nil {
			return nil, err
		}
	}
	if s.WaiverFile != "" {
		setup.WaiverFile = s.WaiverFile
		if setup.Waivers, err = sandbox.ReadWaivers(s.WaiverFile); err != nil {
			return nil, err
		}
	}
	if s.Baseline != "" { // it decides what counts as new
		b, err := host.ReadTrusted(s.Baseline, finding.MaxSize)
		if err != nil {
			return nil, fmt.Errorf("baseline: %w", err)
		}
		setup.Baseline = &sandbox.File{Name: s.Baseline, Text: b}
	}
	setup.Modules, err = sandbox.ReadPolicies(s.PolicyDirs)
	return setup, err
}

// Close ends the process that judges.
func (m *Material) Close() { m.Judging.Close() }

// Audit judges what was loaded.
func (m *Material) Audit(ctx context.Context, list []sandbox.Rendering, report bool) (*sandbox.Outcome, error) {
	o, err := m.Judging.Judge(ctx, &sandbox.Question{Snapshot: m.Snapshot, Text: m.text, Trust: m.trust, Renderings: list, Report: report})
	if err != nil && m.text != nil {
		err = inFile(m.file, err)
	}
	if err == nil && m.text == nil && o.Report != nil {
		m.last, m.report = m.Snapshot, o.Report
	}
	return o, err
}

// Judge judges a snapshot that was collected, or changed, by this program.
func (m *Material) Judge(ctx context.Context, s *snapshot.Snapshot) (*finding.Report, error) {
	if m.last == s && s != nil {
		return m.report, nil
	}
	o, err := m.Judging.Judge(ctx, &sandbox.Question{Snapshot: s, Report: true})
	if err != nil {
		return nil, err
	}
	m.last, m.report = s, o.Report
	return o.Report, nil
}

// Plan is always the whole of what is to be closed, also what our table closes already.
func (m *Material) Plan(ctx context.Context, s *snapshot.Snapshot, opt remedy.Options) (*remedy.Plan, error) {
	bare := remedy.Without(s)
	r, err := m.Judge(ctx, bare)
	if err != nil {
		return nil, err
	}
	return remedy.Make(r, bare, m.Config.Zones, opt), nil
}

// JSON is the rendering that a report is read back from, with what to do first.
var JSON = sandbox.Rendering{Format: "json"}

// Since is what changed since the baseline.
func (m *Material) Since(ctx context.Context, now []byte) (*sandbox.Comparison, error) {
	c, err := m.Judging.Compare(ctx, *m.base, sandbox.File{Text: now})
	if err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	return c, nil
}
