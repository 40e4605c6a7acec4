package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ringfence/ringfence/assume"
	"github.com/ringfence/ringfence/declared"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/sandbox"
)

// Assumptions judges, and keeps in a history what became of assumptions: "" keeps nothing. It is the report, what was added to the history, and the
// assumptions as text, json or oscal.
func (in *Input) Assumptions(ctx context.Context, s *Source, history, format string, all bool) (r *finding.Report, added, text string, err error) {
	m, err := in.Load(ctx, s)
	if err != nil {
		return nil, "", "", err
	}
	defer m.Close()
	o, err := m.Audit(ctx, []sandbox.Rendering{JSON, {Format: "oscal"}}, true)
	if err != nil {
		return nil, "", "", err
	}
	r = o.Report
	if history != "" {
		added, err = keep(history, r, fmt.Sprintf("sha256:%x", sha256.Sum256(o.Rendered[0])))
	}
	if err != nil {
		return nil, "", "", err
	}
	switch format {
	case "oscal":
		return r, added, string(o.Rendered[1]), nil
	case "json":
		var b bytes.Buffer
		err := reports.WriteJSON(&b, r.Assumptions)
		return r, added, b.String(), err
	default:
		return r, added, reports.AssumptionsText(r, all), nil
	}
}

// Begin is a first model of what is judged.
func (in *Input) Begin(ctx context.Context, s *Source) (string, error) {
	m, err := in.Load(ctx, s)
	if err != nil {
		return "", err
	}
	defer m.Close()
	o, err := m.Audit(ctx, nil, true)
	if err != nil {
		return "", err
	}
	return declared.Begin(o.Report), nil
}

// HistoryTold is what became of assumptions by a history. One without a line tells nothing, and was not meant.
func HistoryTold(file string) (string, error) {
	list, err := readHistory(file)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s: %w: no line is in it: assume --history FILE adds them", file, assume.ErrHistory)
	}
	return assume.Told(list, 0), err
}

// readHistory reads a history of assumptions, which is trusted as the configuration is.
func readHistory(file string) ([]assume.Transition, error) {
	text, err := host.ReadTrusted(file, assume.MaxHistory)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	list, err := assume.ReadHistory(text)
	return list, inFile(file, err)
}

// keep adds to a history what became of assumptions. The file is written anew, with what was in it: it is never half a line, and what another run
// adds meanwhile is not lost.
func keep(file string, r *finding.Report, digest string) (told string, err error) {
	release, err := host.Alone(file)
	if err != nil {
		return "", fmt.Errorf("history: %w", err)
	}
	defer release()
	before, err := readHistory(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	added, err := assume.Transitions(before, r, digest)
	if err != nil || len(added) == 0 {
		return "", err
	}
	all := append(before, added...)
	text, err := assume.Text(all)
	if err == nil {
		err = host.WriteFiles(map[string][]byte{file: text})
	}
	if err != nil {
		return "", fmt.Errorf("history: %w", err)
	}
	return assume.Told(all, len(before)), nil
}
