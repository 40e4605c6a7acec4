package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/sandbox"
	"github.com/ringfence/ringfence/snapshot"
)

// Config reads the configuration; without a file it is the empty one.
func Config(file string) (*judge.Config, error) {
	b, err := sandbox.ReadConfig(file)
	if err != nil {
		return nil, err
	}
	return judge.ParseConfig(file, b)
}

// Policies compiles the built-in policies and those of directories.
func Policies(dirs []string) (*judge.Policies, error) {
	modules, err := sandbox.ReadPolicies(dirs)
	if err != nil {
		return nil, err
	}
	return judge.Load(modules...)
}

// Snapshot reads a snapshot file; "-" is standard input. It is data, whoever wrote it.
func (in *Input) Snapshot(file string) (*snapshot.Snapshot, error) {
	b, err := in.snapshotText(file, host.OpenRegular)
	if err != nil {
		return nil, err
	}
	s, err := snapshot.Load(bytes.NewReader(b))
	return s, inFile(file, err)
}

// Report reads a report file; "-" is standard input. It is data, whoever wrote it.
func (in *Input) Report(file string) (*finding.Report, error) {
	b, err := in.Read(file, host.OpenRegular, finding.MaxSize)
	if err != nil {
		return nil, inFile(file, err)
	}
	r, err := finding.Load(b)
	return r, inFile(file, err)
}

// Reports reads reports, each of another host or time.
func (in *Input) Reports(files []string) (list []*finding.Report, err error) {
	seen := map[[3]string]string{}
	for _, file := range files {
		r, err := in.Report(file)
		if err != nil {
			return nil, err
		}
		key := [3]string{r.Host.ID, r.Host.Name, r.Snapshot.Digest + r.Snapshot.CollectedAt}
		if other := seen[key]; other != "" {
			return nil, fmt.Errorf("%s and %s are of the same snapshot of one host", other, file)
		}
		seen[key] = file
		list = append(list, r)
	}
	return list, nil
}

// inFile adds the name of the file to what is wrong with what is in it.
func inFile(file string, err error) error {
	if err == nil || file == "-" {
		return err
	}
	return fmt.Errorf("%s: %w", file, err)
}

// snapshotText reads the bytes of a snapshot from a file that open lets pass, or from standard input.
func (in *Input) snapshotText(file string, open func(string) (*os.File, error)) ([]byte, error) {
	b, err := in.Read(file, open, snapshot.MaxSize)
	if err == nil {
		b, err = snapshot.Unpack(b)
	}
	switch {
	case errors.Is(err, host.ErrNotRegular):
		err = fmt.Errorf("%w (- is standard input)", err)
	case errors.Is(err, ErrTooLarge), errors.Is(err, snapshot.ErrTooLarge):
		err = inFile(file, snapshot.ErrTooLarge)
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return b, nil
}

// ErrTooLarge is returned for a file that is larger than it may be.
var ErrTooLarge = errors.New("the file is too large")

// Read reads at most limit bytes of a file that open opens, or of standard input where it is "-". More is ErrTooLarge.
func (in *Input) Read(file string, open func(string) (*os.File, error), limit int64) ([]byte, error) {
	from := in.Stdin
	if file != "-" {
		f, err := open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	b, err := io.ReadAll(io.LimitReader(from, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = ErrTooLarge
	}
	return b, err
}
