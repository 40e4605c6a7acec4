package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/sandbox"
	"github.com/ringfence/ringfence/signature"
	"github.com/ringfence/ringfence/snapshot"
)

// Run is what is judged, and what is written of it.
type Run struct {
	Source  audit.Source // by what is judged
	Files   []string     // arguments: files, directories, patterns, - for standard input
	Expect  string       // file of the hosts that are expected
	Trust   Trust
	Outputs []reports.Output
	Options func(stdout bool) reports.Options // of a report
	// Stdin is what - stands for; Stdout takes the output without a file, piece by piece.
	Stdin  io.Reader
	Stdout io.Writer
	Bar    audit.Bar
	Now    time.Time // zero is the time that it is
}

// Many says whether the arguments stand for more than one snapshot, or more is wanted of it than that it is judged.
func (r *Run) Many() bool {
	return len(r.Files) > 1 || r.Expect != "" || r.Trust.Asked() || r.Several() ||
		len(r.Files) == 1 && r.Files[0] != "-" && (!host.IsOne(r.Files[0]) || isLines(r.Files[0]))
}

// one says whether a single snapshot is judged, whose report is written as if nothing more were wanted of it.
func (r *Run) one() bool {
	return len(r.Files) == 1 && r.Files[0] != "-" && r.Expect == "" && host.IsOne(r.Files[0]) && !isLines(r.Files[0])
}

// Inputs are the files that are read of a host or decide about it, if anything is written: none of them is to be written over.
func (r *Run) Inputs(outputs []string) (list []string) {
	if len(outputs) == 0 {
		return nil
	}
	list = append(slices.Concat(r.Trust.KnownHosts, r.Trust.AllowedSigners), r.Expect)
	for _, arg := range r.Files {
		files, err := host.Named(arg, func(name string) bool { return isSnapshot(strings.TrimSuffix(name, ".sig")) })
		if err != nil {
			continue // it is refused when it is read
		}
		for _, file := range files {
			list = append(list, file, file+".sig")
		}
	}
	return slices.DeleteFunc(list, func(file string) bool { return file == "" })
}

// state is a run that is under way.
type state struct {
	*Run
	judging *sandbox.Judging
	signers *signature.Signers
	expect  *expectation
	view    finding.Fleet
	sinks   []*sink
}

// Do judges the snapshots and writes what came of them. The error has the exit code: findings, then hosts of which nothing is known, then what
// is open under --strict. Alone says that something is wanted that is about one host.
func (r *Run) Do(ctx context.Context, alone bool) error {
	if alone || len(r.Source.Imports) > 0 {
		return errAlone
	}
	if len(r.Files) == 0 && r.Expect == "" {
		return errNone
	}
	if r.Now.IsZero() {
		r.Now = time.Now()
	}
	s := &state{Run: r}
	defer s.discard()
	if err := s.open(); err != nil {
		return err
	}
	setup, err := r.Source.Setup()
	if err != nil {
		return err
	}
	if s.judging, err = sandbox.Start(ctx, *setup); err != nil {
		return err
	}
	defer s.judging.Close()
	for d, err := range documents(r.Files, r.Stdin, r.Trust.signed()) {
		if err != nil {
			return err
		}
		if err := s.judge(ctx, d); err != nil {
			return err
		}
	}
	return s.finish()
}

// open reads what decides, and opens what is written, before anything is judged.
func (s *state) open() (err error) {
	if s.signers, err = s.Trust.signers(); err != nil {
		return err
	}
	if s.expect, err = readExpected(s.Expect); err != nil {
		return err
	}
	s.sinks, err = openSinks(s.Outputs, s.Run)
	return err
}

// judge judges one snapshot. What is wrong with it is not an error of the run.
func (s *state) judge(ctx context.Context, d *document) error {
	refuse := func(h *finding.FleetHost, err error) error {
		h.State, h.Reason, h.File = finding.Refused, err.Error(), d.file
		if h.Name == "" {
			h.Name = nameOf(d.file)
		}
		s.expect.see(h.Name)
		s.view.Hosts = append(s.view.Hosts, *h)
		return nil
	}
	of := new(finding.FleetHost)
	if d.err != nil {
		return refuse(of, d.err)
	}
	head, err := snapshot.ReadHead(d.text)
	if err != nil {
		return refuse(of, err)
	}
	of.Name, of.ID, of.CollectedAt = head.Host.Name, head.Host.MachineID, head.CollectedAt
	trust, err := s.Trust.check(d, head, s.signers, s.expect.namesOf(head.Host.Name), s.Now)
	if err != nil {
		return refuse(of, err)
	}
	known := &snapshot.Snapshot{CollectedAt: head.CollectedAt}
	known.Host.Name, known.Host.MachineID, known.Host.BootID = head.Host.Name, head.Host.MachineID, head.Host.BootID
	got, err := s.judging.Judge(ctx, s.question(d, known, trust))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return refuse(of, err)
	}
	h := &got.Brief.Host // who it is about and from is at our word, not at that of the process that read it
	h.Name, h.ID, h.CollectedAt, h.Trust, h.File = of.Name, of.ID, of.CollectedAt, trust, d.file
	s.expect.see(h.Name)
	s.view.Add(got.Brief)
	return s.write(got)
}

func (s *state) question(d *document, known *snapshot.Snapshot, trust *finding.Trust) *sandbox.Question {
	q := &sandbox.Question{Snapshot: known, Text: d.text, Trust: trust, Brief: true}
	for _, k := range s.sinks {
		if k.format != "" {
			q.Renderings = append(q.Renderings, sandbox.Rendering{Format: k.format, Options: k.options})
		}
		q.Report = q.Report || k.format == "" && k.keeps
	}
	return q
}

// write hands what came of one snapshot to the outputs.
func (s *state) write(got *sandbox.Outcome) error {
	at := 0
	for _, k := range s.sinks {
		switch {
		case k.format != "":
			if err := k.many.Add(got.Rendered[at]); err != nil {
				return err
			}
			at++
		case k.keeps:
			k.list = append(k.list, got.Report)
		}
	}
	return nil
}

// finish adds what is missing, writes what is written at the end, and says how it ended.
func (s *state) finish() error {
	s.view.Hosts = append(s.view.Hosts, s.expect.missing()...)
	titles := map[string]string{}
	for i := range s.judging.Checks {
		titles[s.judging.Checks[i].ID] = s.judging.Checks[i].Title
	}
	s.view.Finish(titles)
	worst, undecided, unjudged := s.view.Worst()
	if s.one() && unjudged > 0 {
		return fmt.Errorf("%s: %s", s.Files[0], s.view.Hosts[0].Reason)
	}
	for _, k := range s.sinks {
		if err := k.end(&s.view); err != nil {
			return err
		}
	}
	for _, k := range s.sinks {
		if k.file == nil {
			continue
		}
		if err := k.file.Commit(); err != nil {
			return err
		}
	}
	if s.view.Counts.Judged == 0 {
		return fmt.Errorf("no snapshot was judged: %s: %s", s.view.Hosts[0].Name, s.view.Hosts[0].Reason)
	}
	return s.outcome(worst, undecided, unjudged)
}

// outcome is the exit code.
func (s *state) outcome(worst string, undecided, unjudged int) error {
	err := s.Bar.Met(worst, undecided)
	if code := new(exit.Error); errors.As(err, &code) && code.Code == exit.Findings {
		return err
	}
	if unjudged > 0 {
		return &exit.Error{Code: exit.Incomplete, Err: fmt.Errorf("of %d of %d hosts nothing is known", unjudged, s.view.Counts.Hosts)}
	}
	if n := s.view.Counts.Judged - s.view.Counts.Verified; n > 0 && s.Trust.signed() {
		return &exit.Error{Code: exit.Incomplete, Err: fmt.Errorf("of %d of %d hosts it is not known who the snapshot is from", n, s.view.Counts.Hosts)}
	}
	return err
}

func (s *state) discard() {
	for _, k := range s.sinks {
		if k.file != nil {
			k.file.Discard()
		}
	}
}
