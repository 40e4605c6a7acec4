package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/reports"
)

// File is the text of a report, or where it says so of a snapshot. It is data, whoever wrote it, and parsed by the process that judges alone.
type File struct {
	Name string `json:"name"` // for messages; "" and "-" are none
	Text []byte `json:"text"`
}

// inFile adds the name of the file to what is wrong with what is in it.
func inFile(file string, err error) error {
	if err == nil || file == "-" || file == "" {
		return err
	}
	return fmt.Errorf("%s: %w", file, err)
}

// Comparison is what changed from one report to another.
type Comparison struct {
	Worse bool   // something is worse than before
	Text  []byte // for a person
	JSON  []byte // a finding.Diff
}

// Convert writes reports in other formats, several as one.
func (j *Judging) Convert(ctx context.Context, files []File, list []Rendering) ([][]byte, error) {
	o, err := j.askFiles(ctx, &job{Renderings: list}, files)
	if err != nil {
		return nil, err
	}
	return o.Rendered, nil
}

// Compare says what changed on a host between two reports or snapshots.
func (j *Judging) Compare(ctx context.Context, before, after File) (*Comparison, error) {
	o, err := j.askFiles(ctx, &job{Compare: true}, []File{before, after})
	if err != nil {
		return nil, err
	}
	return &Comparison{Worse: o.worse, Text: o.Rendered[0], JSON: o.Rendered[1]}, nil
}

// Explain is everything that a report knows about a check or a finding, as reports.Explain.
func (j *Judging) Explain(ctx context.Context, file File, which string, columns int) (string, error) {
	o, err := j.askFiles(ctx, &job{Explain: which, Columns: columns}, []File{file})
	if err != nil {
		return "", err
	}
	return string(o.Rendered[0]), nil
}

// askFiles gives a job about files to the process.
func (j *Judging) askFiles(ctx context.Context, ask *job, files []File) (*Outcome, error) {
	var texts [][]byte
	for _, f := range files {
		ask.Files, texts = append(ask.Files, f.Name), append(texts, f.Text)
	}
	o, err := j.ask(ctx, ask, texts...)
	var told toldError
	if err != nil && !errors.As(err, &told) && ctx.Err() == nil {
		return nil, fmt.Errorf("read reports: %s", reports.ErrorLine(err))
	}
	return o, err
}

// frames is how many renderings answer a job.
func (j *job) frames() int {
	switch {
	case j.Compare:
		return 2
	case j.Explain != "":
		return 1
	default:
		return len(j.Renderings)
	}
}

// rewrite renders reports, each of another host or time.
func (j *job) rewrite(texts [][]byte) ([][]byte, *judged, error) {
	var list []*finding.Report
	seen := map[[3]string]string{}
	for i, name := range j.Files {
		r, err := finding.Load(texts[i])
		if err != nil {
			return nil, nil, inFile(name, err)
		}
		key := [3]string{r.Host.ID, r.Host.Name, r.Snapshot.Digest + r.Snapshot.CollectedAt}
		if other, twice := seen[key]; twice {
			return nil, nil, fmt.Errorf("%s and %s are of the same snapshot of one host", other, name)
		}
		seen[key] = name
		r.Trust = r.Trust.Told()
		list = append(list, r)
	}
	if j.Explain != "" {
		text, err := reports.Explain(list[0], j.Explain, j.Columns)
		return [][]byte{[]byte(text)}, new(judged), err
	}
	frames, err := render(list, j.Renderings)
	return frames, new(judged), err
}

// compare compares two reports; a snapshot is judged first.
func (b *bench) compare(ctx context.Context, j *job, texts [][]byte) ([][]byte, *judged, error) {
	if len(texts) != 2 {
		return nil, nil, fmt.Errorf("%w: %d files to compare", errFrame, len(texts))
	}
	var both [2]*finding.Report
	for i, name := range j.Files {
		var err error
		if both[i], err = finding.Load(texts[i]); errors.Is(err, finding.ErrSnapshot) {
			both[i], _, err = b.judge(ctx, texts[i], false, time.Time{})
		}
		if err != nil {
			return nil, nil, inFile(name, err)
		}
	}
	d, err := finding.Compare(both[0], both[1])
	if err != nil {
		return nil, nil, err
	}
	var text bytes.Buffer
	if err := reports.WriteJSON(&text, d); err != nil {
		return nil, nil, fmt.Errorf("write changes: %w", err)
	}
	return [][]byte{[]byte(reports.DiffText(d)), text.Bytes()}, &judged{Worse: d.Worse()}, nil
}
