//go:build linux && !ringfence_portable

package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/sandbox"
	"github.com/ringfence/ringfence/watch"
)

// watched is the live host as a watch sees it.
type watched struct {
	in      *Input
	source  *Source
	judging *sandbox.Judging
	ear     *watch.Ear
	tell    func(watch.Event)
}

// Watch watches the live host, judged by what the source says, until ctx ends. The ear is told which files are read by who made the input.
func (in *Input) Watch(ctx context.Context, s *Source, ear *watch.Ear, opt watch.Options, tell func([]*watch.Line) error) error {
	setup, err := s.Setup()
	if err != nil {
		return err
	}
	j, err := sandbox.Start(ctx, *setup)
	if err != nil {
		return err
	}
	defer j.Close()
	opt.Reads = map[string][]string{}
	for i := range j.Checks {
		opt.Reads[j.Checks[i].ID] = j.Checks[i].Reads
	}
	return watch.Run(ctx, &watched{in: in, source: s, judging: j, ear: ear}, opt, tell)
}

// Listen is of watch.World.
func (w *watched) Listen(ctx context.Context, tell func(watch.Event)) []string {
	w.tell = tell
	return w.ear.Listen(ctx, tell)
}

// Read is of watch.World.
func (w *watched) Read(ctx context.Context) (*watch.Reading, error) {
	began := time.Now()
	snap, err := w.in.See(ctx, w.source.Deadline)
	if err != nil {
		return nil, err
	}
	w.ear.Seen(began, w.tell)
	w.judging.At(time.Now().UTC()) // a waiver expires while somebody watches
	o, err := w.judging.Judge(ctx, &sandbox.Question{Snapshot: snap, Report: true})
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(o.Report)
	if err != nil {
		return nil, fmt.Errorf("write report: %w", err)
	}
	return &watch.Reading{Report: o.Report, Snapshot: snap, Text: text}, nil
}

// Compare is of watch.World.
func (w *watched) Compare(ctx context.Context, before, after *watch.Reading) (*finding.Diff, error) {
	c, err := w.judging.Compare(ctx, sandbox.File{Text: before.Text}, sandbox.File{Text: after.Text})
	if err != nil {
		return nil, err
	}
	d := new(finding.Diff)
	if err := json.Unmarshal(c.JSON, d); err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	return d, nil
}
