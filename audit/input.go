package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

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

// Convert writes reports of files in other formats, several as one. "-" is standard input. They are data, whoever wrote them.
func (in *Input) Convert(ctx context.Context, files []string, list []sandbox.Rendering) ([][]byte, error) {
	if err := onceStdin(files...); err != nil {
		return nil, err
	}
	var read []sandbox.File
	for _, file := range files {
		f, err := in.file(file)
		if err != nil {
			return nil, err
		}
		read = append(read, f)
	}
	j, err := sandbox.Start(ctx, sandbox.Setup{Lazy: true})
	if err != nil {
		return nil, err
	}
	defer j.Close()
	return j.Convert(ctx, read, list)
}

// Compare says what changed on a host between two files of reports or snapshots; a snapshot is judged by what the source says.
func (in *Input) Compare(ctx context.Context, before, after string, s *Source) (*sandbox.Comparison, error) {
	if err := onceStdin(before, after); err != nil {
		return nil, err
	}
	var both [2]sandbox.File
	for i, file := range []string{before, after} {
		var err error
		if both[i], err = in.file(file); err != nil {
			return nil, err
		}
	}
	setup, err := s.Setup()
	if err != nil {
		return nil, err
	}
	setup.Lazy = s.ConfigFile == "" && len(s.PolicyDirs) == 0 && s.Bundle == "" // what is named is read, though two reports do not need it: it can be wrong
	j, err := sandbox.Start(ctx, *setup)
	if err != nil {
		return nil, err
	}
	defer j.Close()
	return j.Compare(ctx, both[0], both[1])
}

// Explain is everything that is known of a check or a finding: from a report file, or of the host or a snapshot.
func (in *Input) Explain(ctx context.Context, file, which string, s *Source) (string, error) {
	if file != "" && s.SnapshotFile != "" {
		return "", errors.New("--report and --snapshot do not go together")
	}
	if file != "" {
		f, err := in.file(file)
		if err != nil {
			return "", err
		}
		j, err := sandbox.Start(ctx, sandbox.Setup{Lazy: true})
		if err != nil {
			return "", err
		}
		defer j.Close()
		return j.Explain(ctx, f, which, in.Columns)
	}
	m, err := in.Load(ctx, s)
	if err != nil {
		return "", err
	}
	defer m.Close()
	o, err := m.Audit(ctx, []sandbox.Rendering{JSON}, false)
	if err != nil {
		return "", err
	}
	return m.Judging.Explain(ctx, sandbox.File{Text: o.Rendered[0]}, which, in.Columns)
}

// onceStdin refuses files of which several are standard input.
func onceStdin(files ...string) error {
	if n := len(slices.DeleteFunc(slices.Clone(files), func(f string) bool { return f != "-" })); n > 1 {
		return errors.New("standard input (-) can be one of the files only")
	}
	return nil
}

// file reads a report or a snapshot.
func (in *Input) file(file string) (sandbox.File, error) {
	b, err := in.Read(file, host.OpenRegular, finding.MaxSize)
	return sandbox.File{Name: file, Text: b}, inFile(file, err)
}

// TrustedSnapshot reads a snapshot file that decides what is changed: it is trusted as the configuration is.
func (in *Input) TrustedSnapshot(file string) (*snapshot.Snapshot, error) {
	b, err := in.snapshotText(file, host.Trusted)
	if err != nil {
		return nil, err
	}
	s, err := snapshot.Load(bytes.NewReader(b))
	return s, inFile(file, err)
}

// inFile adds the name of the file to what is wrong with what is in it, unless it is named already.
func inFile(file string, err error) error {
	if err == nil || file == "-" || strings.Contains(err.Error(), " "+file+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", file, err)
}

// snapshotText reads the bytes of a snapshot from a file that open lets pass, or from standard input.
func (in *Input) snapshotText(file string, open func(string) (*os.File, error)) ([]byte, error) {
	b, err := in.Read(file, open, snapshot.MaxSize)
	if err == nil {
		if b, err = snapshot.Unpack(b); err != nil && !errors.Is(err, snapshot.ErrTooLarge) {
			err = inFile(file, err)
		}
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
