// Package sandbox judges and renders in a process without powers: it holds no capability, opens no file and no socket, and starts no
// program. That process is given everything as bytes on its standard input, and answers on its standard output; each message is a frame
// of JSON, some are followed by frames of bytes. It is the only one that compiles policies and, in an audit, the only one that parses
// what a snapshot says. What it answers is data: bounded, strictly decoded and compared with what was asked.
package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ringfence/ringfence/assume"
	"github.com/ringfence/ringfence/declared"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/snapshot"
)

const (
	// maxJudging bounds one judgement beside the packet model, which has a budget.
	maxJudging = 10 * time.Minute
	// endGrace is for a process to end by itself, so that it can be told why it did.
	endGrace = 2 * time.Second
)

// Judging is a process that judges, and what is known of it. It is started again where it came to no good end.
type Judging struct {
	// Checks and Config are what it judges by, as it reads them from the setup.
	Checks []judge.Check
	Config *judge.Config

	setup       Setup
	assumptions []finding.Assumption // as they are before they are held against anything
	confinement finding.Confinement
	child       *child // nil after it came to no good end
	begin       func() *child
	now         time.Time
}

// child is the process that judges, or where no process can be started the same code in this one.
type child struct {
	in   io.WriteCloser
	out  io.ReadCloser
	kill func()
	end  func() string // waits for it, and says how it ended
}

// Outcome is what came of a judgement.
type Outcome struct {
	Worst    string          // the highest severity that was found; "" is none
	Unknown  int             // checks that could not be decided
	Rendered [][]byte        // one for each rendering that was asked for
	Report   *finding.Report // where it was asked for
	Brief    *finding.Brief  // where it was asked for

	worse bool // of a comparison
}

// Question is what is judged, and what is wanted of it.
type Question struct {
	Snapshot   *snapshot.Snapshot // collected by this program, or with Text what is known of where that is from
	Text       []byte             // as it was read
	Trust      *finding.Trust     // what is known of who it is from
	Renderings []Rendering
	Report     bool
	Brief      bool
}

// Start starts the process with the configuration and the policies, whose errors are told here: nothing was collected yet.
func Start(ctx context.Context, s Setup) (*Judging, error) {
	j := &Judging{setup: s, begin: startChild}
	if err := j.start(ctx); err != nil {
		var told toldError
		if errors.As(err, &told) {
			return nil, err
		}
		return nil, fmt.Errorf("judge: %w", err)
	}
	return j, nil
}

// Close ends the process.
func (j *Judging) Close() {
	if j.child != nil {
		j.child.in.Close()
		j.child.kill()
		j.child.end()
		j.child = nil
	}
}

// At says what time it is for judgements from now on; without it, it is that of the setup.
func (j *Judging) At(now time.Time) { j.now = now }

// toldError is an error that the process found in what it was given.
type toldError string

func (e toldError) Error() string { return string(e) }

// start starts the process and gives it the setup.
func (j *Judging) start(ctx context.Context) error {
	j.child = j.begin()
	var r ready
	err := j.within(ctx, func(c *child) error {
		if err := writeValue(c.in, j.setup); err != nil {
			return err
		}
		return readValue(c.out, &r)
	})
	switch {
	case err != nil:
		return err
	case r.Error != "":
		j.Close()
		return toldError(r.Error)
	case r.Config == nil && !j.setup.Lazy:
		return fmt.Errorf("%w: no configuration", errFrame)
	}
	j.Checks, j.Config, j.confinement, j.assumptions = r.Checks, r.Config, r.Confinement, r.Assumptions
	return nil
}

// within does something with the process, and ends it where that fails or takes too long. The error then says how
// it ended.
func (j *Judging) within(ctx context.Context, f func(c *child) error) error {
	c := j.child
	done := make(chan error, 1)
	go func() { done <- f(c) }()
	late := time.NewTimer(j.setup.Budget + maxJudging)
	defer late.Stop()
	var why error
	select {
	case err := <-done:
		if err == nil {
			return nil
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			why = err
		}
	case <-ctx.Done():
		why = ctx.Err()
	case <-late.C:
		why = fmt.Errorf("no answer within %s", j.setup.Budget+maxJudging)
	}
	j.child = nil
	c.in.Close()
	if why != nil {
		c.kill()
	}
	stuck := time.AfterFunc(endGrace, c.kill) // it may have closed its output and nothing else
	how := c.end()
	stuck.Stop()
	c.out.Close()
	if why != nil && !errors.Is(why, os.ErrClosed) && !errors.Is(why, syscall.EPIPE) {
		return why
	}
	return errors.New(how)
}

// Judge judges a snapshot, which is given as it was read, or as it was collected. It has an error only where the
// snapshot is no good, or for the end of ctx: a process that ends before it is done makes every check unknown, or
// where the policies of the user could be the cause those alone.
func (j *Judging) Judge(ctx context.Context, q *Question) (*Outcome, error) {
	ask := job{Live: q.Text == nil, Renderings: q.Renderings, Report: q.Report, Brief: q.Brief, Trust: q.Trust, Now: j.now}
	text := q.Text
	if ask.Live {
		var err error
		if text, err = json.Marshal(q.Snapshot); err != nil {
			return nil, fmt.Errorf("write snapshot: %w", err)
		}
	}
	o, err := j.ask(ctx, &ask, text)
	var told toldError
	if err != nil && !errors.As(err, &told) && (len(j.setup.Modules) > 0 || j.setup.Bundle != nil) && j.setup.Leave == "" && ctx.Err() == nil {
		j.setup.Leave = "not evaluated: with the policies of the user judging ended: " + reports.ErrorLine(err)
		o, err = j.ask(ctx, &ask, text)
		if !ask.Live { // the next snapshot is of somebody else
			j.Close()
			j.setup.Leave = ""
		}
	}
	switch {
	case err == nil:
		return o, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &told) && !ask.Live:
		return nil, err
	}
	r := j.unjudged(q.Snapshot, "judging ended before it was done: "+reports.ErrorLine(err))
	r.Confinement, r.Trust = &j.confinement, q.Trust
	o = &Outcome{Worst: r.Worst(), Unknown: r.Undecided(), Report: r, Brief: r.Brief()}
	o.Rendered, err = render([]*finding.Report{r}, q.Renderings)
	return o, err
}

// unjudged is the report where judging came to no end.
func (j *Judging) unjudged(s *snapshot.Snapshot, reason string) *finding.Report {
	r := judge.Unjudged(s, j.Checks, j.Config, j.setup.Version, reason)
	for _, a := range j.assumptions {
		a.Because = []string{reason}
		r.Assumptions = append(r.Assumptions, a)
	}
	if slices.ContainsFunc(r.Assumptions, func(a finding.Assumption) bool { return !a.Shipped }) {
		r.Add(assume.Results(r.Assumptions))
	}
	if j.setup.ModelFile != "" {
		r.Add(declared.Unheld(reason))
	}
	return r
}

// ask gives a job to the process, which is started anew if it has ended.
func (j *Judging) ask(ctx context.Context, ask *job, texts ...[]byte) (*Outcome, error) {
	if j.child == nil {
		if err := j.start(ctx); err != nil {
			return nil, err
		}
	}
	o := new(Outcome)
	err := j.within(ctx, func(c *child) error {
		if err := writeValue(c.in, ask); err != nil {
			return err
		}
		for _, text := range texts {
			if err := writeFrame(c.in, text); err != nil {
				return err
			}
		}
		return o.read(c.out, ask, j.Checks, len(j.assumptions)+len(declared.IDs))
	})
	return o, err
}

// read reads the answer to a job. Others are the results that there can be beside the checks.
func (o *Outcome) read(r io.Reader, ask *job, checks []judge.Check, others int) error {
	var got judged
	err := readValue(r, &got)
	switch {
	case err != nil:
		return err
	case got.Error != "":
		return toldError(got.Error)
	}
	o.Worst, o.Unknown, o.worse = got.Worst, got.Unknown, got.Worse
	if o.Worst != "" && finding.Rank(o.Worst) >= len(finding.Severities) || o.Unknown < 0 || o.Unknown > len(checks)+others {
		return fmt.Errorf("%w: worst %q, %d unknown", errFrame, o.Worst, o.Unknown)
	}
	if ask.Brief {
		ids := make([]string, len(checks))
		for i := range checks {
			ids[i] = checks[i].ID
		}
		if o.Brief = got.Brief; o.Brief == nil || !o.Brief.Valid(ids) {
			return fmt.Errorf("%w: a report in brief", errFrame)
		}
	}
	for range ask.frames() {
		b, err := readFrame(r)
		if err != nil {
			return err
		}
		o.Rendered = append(o.Rendered, b)
	}
	if !ask.Report {
		return nil
	}
	o.Report = new(finding.Report)
	if err := readValue(r, o.Report); err != nil {
		return err
	}
	return results(o.Report, checks)
}

// besides are the areas of results that no policy makes.
var besides = []string{"assumption/", "model/", "waiver/"}

// results refuses a report that has not one result for each check, in their order, beside those that no policy makes.
func results(r *finding.Report, checks []judge.Check) error {
	if len(r.Results) < len(checks) {
		return fmt.Errorf("%w: %d results of %d checks", errFrame, len(r.Results), len(checks))
	}
	n := 0
	for i := range r.Results {
		id := r.Results[i].ID
		switch {
		case n < len(checks) && checks[n].ID == id:
			n++
		case slices.ContainsFunc(besides, func(area string) bool { return strings.HasPrefix(id, area) }):
		case n < len(checks):
			return fmt.Errorf("%w: result %q in the place of %q", errFrame, id, checks[n].ID)
		default:
			return fmt.Errorf("%w: result %q of no check", errFrame, id)
		}
	}
	if n != len(checks) {
		return fmt.Errorf("%w: %d results of %d checks", errFrame, n, len(checks))
	}
	return nil
}

// ownChild judges in this process.
func ownChild(why error) *child {
	in, toChild := io.Pipe()
	fromChild, out := io.Pipe()
	absent := "absent: " + why.Error()
	held := finding.Confinement{
		Capabilities: "held", Landlock: absent, Seccomp: absent, Files: host.Open, Network: host.Open, Programs: host.Open,
	}
	ended := make(chan string, 1)
	go func() {
		err := serve(context.Background(), in, out, held)
		out.Close()
		in.Close()
		ended <- fmt.Sprint("judging ended: ", err)
	}()
	return &child{
		in: toChild, out: fromChild,
		kill: func() { fromChild.Close() },
		end: sync.OnceValue(func() string {
			fromChild.Close()
			select {
			case how := <-ended:
				return how
			case <-time.After(endGrace): // nothing can end what runs in this process
				return "judging did not end"
			}
		}),
	}
}
