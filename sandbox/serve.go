package sandbox

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"time"

	"github.com/ringfence/ringfence/assume"
	"github.com/ringfence/ringfence/bundle"
	"github.com/ringfence/ringfence/declared"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/waiver"
	"github.com/ringfence/ringfence/words"
)

// Setup is what a process that judges is started with.
type Setup struct {
	Version    string         `json:"version"`              // of this program
	ConfigFile string         `json:"configFile,omitempty"` // its name, for messages
	Config     []byte         `json:"config,omitempty"`     // its text
	Modules    []judge.Module `json:"modules,omitempty"`    // policies of the user
	Bundle     *Signed        `json:"bundle,omitempty"`     // policies and waivers that somebody signed
	Budget     time.Duration  `json:"budget"`               // of the packet model
	Selection  Selection      `json:"selection,omitzero"`
	NoWaivers  bool           `json:"noWaivers,omitempty"`  // those of the bundle are left out
	WaiverFile string         `json:"waiverFile,omitempty"` // its name, for messages
	Waivers    []byte         `json:"waivers,omitempty"`    // its text
	Now        time.Time      `json:"now,omitzero"`         // whether a waiver has expired, or a review is due
	// AssumptionFile is the name of a register of assumptions, for messages, and Assumptions its text: without one it is the shipped set.
	AssumptionFile string `json:"assumptionFile,omitempty"`
	Assumptions    []byte `json:"assumptions,omitempty"`
	// Lazy says that configuration and policies are read with the first snapshot, if there is one.
	Lazy bool `json:"lazy,omitempty"`
	// Baseline is an earlier report, of which findings that are not known to be gone are carried on.
	Baseline *File `json:"baseline,omitempty"`

	// ModelFile is the name of a model that people declare, for messages, and Model its text.
	ModelFile string `json:"modelFile,omitempty"`
	Model     []byte `json:"model,omitempty"`

	waivers *waiver.List
	before  *finding.Report
	Leave   string `json:"leave,omitempty"` // why the policies of the user are not evaluated
}

// ready answers a setup. With an error there is nothing more to ask.
type ready struct {
	Error       string              `json:"error,omitempty"`
	Checks      []judge.Check       `json:"checks,omitempty"`
	Config      *judge.Config       `json:"config,omitempty"`
	Confinement finding.Confinement `json:"confinement"`
	// Assumptions are those of the register, not held against anything yet.
	Assumptions []finding.Assumption `json:"assumptions,omitempty"`
}

// job asks for a judgement of the snapshot in the frame behind it, or for something about files.
type job struct {
	Live       bool        `json:"live"` // the snapshot was collected by this program now: it is not refused for its size
	Renderings []Rendering `json:"renderings,omitempty"`
	Report     bool        `json:"report"` // also the report as data
	Brief      bool        `json:"brief,omitempty"`
	// Trust is what is known of who the snapshot is from.
	Trust *finding.Trust `json:"trust,omitempty"`
	// Now decides whether a waiver has expired, if that is not as in the setup.
	Now time.Time `json:"now,omitzero"`
	// Files are the names of reports whose texts are in the frames behind it, in place of a snapshot.
	Files   []string `json:"files,omitempty"`
	Compare bool     `json:"compare,omitempty"` // the two files, of which each can be a snapshot
	Explain string   `json:"explain,omitempty"` // a check or a finding of the one file
	Columns int      `json:"columns,omitempty"` // of who reads it
}

// Rendering is a report in one format.
type Rendering struct {
	Format  string          `json:"format"`
	Options reports.Options `json:"options"`
}

// judged answers a job. The renderings are in the frames behind it, then the report if it was asked for.
type judged struct {
	Error   string `json:"error,omitempty"`
	Worst   string `json:"worst"`
	Unknown int    `json:"unknown"`
	// Brief is the report without its details, where it was asked for.
	Brief *finding.Brief `json:"brief,omitempty"`
	Worse bool           `json:"worse,omitempty"` // of a comparison
}

// Garbage is collected when it is that many percent of what is in use. Compiling the policies is most of what an ordinary host costs, and leaves
// little. From a size on that snapshots of ordinary hosts do not have, in bytes, a judgement throws away many times what it keeps: there as much may come together
// as there is room, and less of what is large.
const (
	startGC       = 200
	largeSnapshot = 256 << 10
	largeGC       = 80
	room          = 176 << 20
)

// serve answers a setup, and jobs until there are no more.
func serve(ctx context.Context, in io.Reader, out io.Writer, held finding.Confinement) error {
	var s Setup
	if err := readValue(in, &s); err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	answer := ready{Confinement: held}
	b := &bench{setup: &s, held: &held}
	if !s.Lazy {
		if err := b.prepare(); err != nil {
			answer.Error = err.Error()
			return writeValue(out, answer)
		}
		answer.Checks, answer.Config, answer.Assumptions = b.policies.Checks, b.config, b.config.Register.Unheld("nothing was judged")
	}
	if err := writeValue(out, answer); err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	for {
		var j job
		err := readValue(in, &j)
		if errors.Is(err, io.EOF) {
			return nil
		}
		var texts [][]byte
		for range max(1, len(j.Files)) {
			var text []byte
			if err == nil {
				text, err = readFrame(in)
			}
			texts = append(texts, text)
		}
		if err != nil {
			return fmt.Errorf("judge: %w", err)
		}
		if len(texts[0]) > largeSnapshot {
			b.pace()
		}
		frames, answer, err := b.do(ctx, &j, texts)
		if err != nil {
			frames, answer = nil, &judged{Error: err.Error()}
		}
		if err := writeValue(out, answer); err != nil {
			return fmt.Errorf("judge: %w", err)
		}
		for _, f := range frames {
			if err := writeFrame(out, f); err != nil {
				return fmt.Errorf("judge: %w", err)
			}
		}
	}
}

// pace has each collection of garbage say when the next one is.
func (b *bench) pace() {
	if b.paced {
		return
	}
	b.paced = true
	debug.SetGCPercent(largeGC)
	type cycle struct{ _ *byte } // a finalizer runs behind each collection
	var next func(*cycle)
	next = func(c *cycle) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		if metrics.Read(live); live[0].Value.Kind() == metrics.KindUint64 {
			debug.SetGCPercent(percent(live[0].Value.Uint64()))
		}
		runtime.SetFinalizer(c, next)
	}
	runtime.SetFinalizer(new(cycle), next)
}

// percent is how much garbage may come together beside what is in use, in bytes.
func percent(live uint64) int {
	if live >= room {
		return largeGC
	}
	return max(largeGC, min(startGC, int(100*room/max(live, 1))-100))
}

// bench is what a process judges by.
type bench struct {
	paced    bool
	setup    *Setup
	held     *finding.Confinement
	policies *judge.Policies // nil until they are compiled
	config   *judge.Config
}

// prepare compiles the policies and reads the configuration, once.
func (b *bench) prepare() (err error) {
	if b.policies == nil {
		b.policies, b.config, err = b.setup.prepare()
	}
	return err
}

// do is what a job asks for: the frames behind its answer, and that.
func (b *bench) do(ctx context.Context, j *job, texts [][]byte) ([][]byte, *judged, error) {
	switch {
	case j.Compare:
		return b.compare(ctx, j, texts)
	case len(j.Files) > 0:
		return j.rewrite(texts)
	}
	r, snap, err := b.judge(ctx, texts[0], j.Live, j.Now)
	if err != nil {
		return nil, nil, err
	}
	r.Trust = j.Trust
	if len(j.Renderings) > 0 {
		r.Actions = remedy.Actions(r, snap, b.config.Zones)
	}
	frames, err := render([]*finding.Report{r}, j.Renderings)
	if err == nil && j.Report {
		var text []byte
		text, err = json.Marshal(r)
		frames = append(frames, text)
	}
	answer := &judged{Worst: r.Worst(), Unknown: r.Undecided()}
	if j.Brief {
		answer.Brief = r.Brief()
	}
	return frames, answer, err
}

// digests are those of the policies, with the user's, and of the configuration.
func (s *Setup) digests() (policies, config string) {
	policies = rego.Digest()
	if len(s.Modules) > 0 {
		h := sha256.New()
		fmt.Fprintln(h, policies)
		for _, m := range s.Modules {
			fmt.Fprintf(h, "%d %d\n%s%s", len(m.File), len(m.Text), m.File, m.Text)
		}
		policies = fmt.Sprintf("sha256:%x", h.Sum(nil))
	}
	if len(s.Config) > 0 {
		config = fmt.Sprintf("sha256:%x", sha256.Sum256(s.Config))
	}
	return policies, config
}

// openBundle adds what is in a bundle.
func (s *Setup) openBundle() error {
	if s.Bundle == nil {
		return nil
	}
	c, err := bundle.Open(s.Bundle.Name, s.Bundle.File, s.Bundle.Key)
	if err != nil {
		return err
	}
	s.Modules = append(s.Modules, c.Modules...)
	switch {
	case c.Waivers == nil || s.NoWaivers:
	case s.WaiverFile != "":
		return fmt.Errorf("%w: %s has waivers, and --waivers names others: want one of them", bundle.ErrBundle, s.Bundle.Name)
	default:
		s.WaiverFile, s.Waivers = s.Bundle.Name, c.Waivers
	}
	return nil
}

// prepare compiles the policies and reads the configuration.
func (s *Setup) prepare() (*judge.Policies, *judge.Config, error) {
	cfg, err := judge.ParseConfig(s.ConfigFile, s.Config)
	if err != nil {
		return nil, nil, err
	}
	if err := s.openBundle(); err != nil {
		return nil, nil, err
	}
	p, err := judge.Load(s.Modules...)
	if err != nil {
		return nil, nil, err
	}
	if err := cfg.Validate(p); err != nil {
		return nil, nil, fmt.Errorf("config: %w", err)
	}
	left, err := s.Selection.leftOut(p.Checks)
	if err != nil {
		return nil, nil, err
	}
	if cfg.Checks.Skip = append(cfg.Checks.Skip, left...); noneLeft(p.Checks, cfg.Checks.Skip) {
		return nil, nil, errNoneLeft
	}
	if s.ModelFile != "" {
		if cfg.Model, err = declared.Parse(s.ModelFile, s.Model); err != nil {
			return nil, nil, err
		}
	}
	if cfg.Register, err = s.register(p, cfg.Model); err != nil {
		return nil, nil, err
	}
	cfg.Now = s.Now
	if s.WaiverFile != "" {
		var ids []string
		for i := range p.Checks {
			ids = append(ids, p.Checks[i].ID)
		}
		ids = slices.Concat(ids, cfg.Register.IDs(), declared.IDs)
		if s.waivers, err = waiver.Parse(s.WaiverFile, s.Waivers, ids, s.Now); err != nil {
			return nil, nil, err
		}
	}
	if s.Baseline != nil {
		if s.before, err = finding.Load(s.Baseline.Text); err != nil {
			return nil, nil, fmt.Errorf("baseline: %w", inFile(s.Baseline.Name, err))
		}
	}
	p.Leave(s.Leave)
	cfg.Budget = s.Budget
	return p, cfg, nil
}

// register is what assumptions are held against the host.
func (s *Setup) register(p *judge.Policies, m *declared.Model) (*assume.Register, error) {
	r := new(assume.Register)
	var err error
	switch {
	case s.AssumptionFile != "":
		if r, err = assume.Parse(s.AssumptionFile, s.Assumptions, p.Known()); err != nil {
			return nil, err
		}
	case m == nil || len(m.Assumptions) == 0:
		return assume.Shipped(p.Known())
	}
	if m != nil {
		r.Assumptions = append(r.Assumptions, m.Assumptions...)
	}
	if err := r.Check(p.Known()); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", assume.ErrRegister, cmp.Or(s.ModelFile, s.AssumptionFile), err)
	}
	return r, nil
}

// judge judges the text of a snapshot.
func (b *bench) judge(ctx context.Context, text []byte, live bool, now time.Time) (*finding.Report, *snapshot.Snapshot, error) {
	if err := b.prepare(); err != nil {
		return nil, nil, err
	}
	var snap *snapshot.Snapshot
	var err error
	if live {
		snap = new(snapshot.Snapshot)
		if err = strictValue(text, snap); err == nil {
			snap.Index()
		}
	} else {
		snap, err = snapshot.Load(bytes.NewReader(text))
		err = snapshot.Explain(err, text, b.setup.Version)
	}
	if err != nil {
		return nil, nil, err
	}
	s := b.setup
	if !now.IsZero() {
		b.config.Now = now
	}
	r, err := judge.Judge(ctx, snap, b.policies, b.config, s.Version)
	if err != nil {
		return nil, nil, err
	}
	r.Confinement = b.held
	r.Tool.Policies, r.Tool.Config = s.digests()
	if s.waivers != nil {
		if now.IsZero() {
			now = s.Now
		}
		s.waivers.Apply(r, s.Waivers, now)
	}
	if s.before != nil {
		finding.Carry(s.before, r)
	}
	return r, snap, nil
}

func render(all []*finding.Report, list []Rendering) ([][]byte, error) {
	var out [][]byte
	for _, l := range list {
		format, err := reports.Named(l.Format)
		if err != nil {
			return nil, err
		}
		if len(all) > 1 && !format.Many {
			return nil, fmt.Errorf("%s is of one host: want %s", l.Format, words.Or(reports.ManyNames()))
		}
		var b bytes.Buffer
		if err := format.Write(&b, all, l.Options); err != nil {
			return nil, err
		}
		out = append(out, b.Bytes())
	}
	return out, nil
}
