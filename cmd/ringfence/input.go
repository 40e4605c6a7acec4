package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/sandbox"
	"github.com/ringfence/ringfence/snapshot"
)

// loadConfig reads the configuration; without a file it is the empty one.
func loadConfig(file string) (*judge.Config, error) {
	b, err := sandbox.ReadConfig(file)
	if err != nil {
		return nil, err
	}
	return judge.ParseConfig(file, b)
}

// loadPolicies compiles the built-in policies and those of directories.
func loadPolicies(dirs []string) (*judge.Policies, error) {
	modules, err := sandbox.ReadPolicies(dirs)
	if err != nil {
		return nil, err
	}
	return judge.Load(modules...)
}

// loadSnapshot reads a snapshot file; "-" is standard input. It is data, whoever wrote it.
func (e *env) loadSnapshot(file string) (*snapshot.Snapshot, error) {
	b, err := e.readSnapshot(file, host.OpenRegular)
	if err != nil {
		return nil, err
	}
	s, err := snapshot.Load(bytes.NewReader(b))
	return s, inSnapshot(file, err)
}

// inSnapshot adds the name of the file to what is wrong with a snapshot.
func inSnapshot(file string, err error) error {
	if err == nil || file == "-" {
		return err
	}
	return fmt.Errorf("%s: %w", file, err)
}

// readSnapshot reads the bytes of a snapshot from a file that open lets pass, or from standard input.
func (e *env) readSnapshot(file string, open func(string) (*os.File, error)) ([]byte, error) {
	b, err := e.readAll(file, open, snapshot.MaxSize)
	switch {
	case errors.Is(err, host.ErrNotRegular):
		err = fmt.Errorf("%w (- is standard input)", err)
	case errors.Is(err, errTooLarge):
		err = inSnapshot(file, snapshot.ErrTooLarge)
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return b, nil
}

var errTooLarge = errors.New("the file is too large")

// readAll reads at most limit bytes of a file that open opens, or of standard input where it is "-". More is errTooLarge.
func (e *env) readAll(file string, open func(string) (*os.File, error), limit int64) ([]byte, error) {
	in := e.stdin
	if file != "-" {
		f, err := open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errTooLarge
	}
	return b, err
}
