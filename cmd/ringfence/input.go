package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/snapshot"
)

// maxConfig bounds the configuration file.
const maxConfig = 1 << 20

// readConfig reads the configuration file; "" is none. A file that somebody other than root or the caller could
// have written is refused: it decides what root judges and closes.
func readConfig(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	b, err := host.ReadTrusted(file, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return b, nil
}

func parseConfig(file string, text []byte) (*judge.Config, error) {
	cfg := new(judge.Config)
	if err := yaml.UnmarshalStrict(text, cfg); err != nil {
		return nil, fmt.Errorf("config: %s: %w", file, err)
	}
	return cfg, nil
}

// loadConfig reads the configuration; without a file it is the empty one.
func loadConfig(file string) (*judge.Config, error) {
	b, err := readConfig(file)
	if err != nil {
		return nil, err
	}
	return parseConfig(file, b)
}

// policyLimits bound what is read below a directory of policies.
var policyLimits = host.TreeLimits{Files: 1000, Entries: 10_000, Depth: 16, File: judge.MaxPolicy, Total: 16 << 20}

// readPolicies reads the policies of directories that are trusted as the configuration is.
func readPolicies(dirs []string) ([]judge.Module, error) {
	var out []judge.Module
	for _, d := range dirs {
		files, err := host.ReadTrustedTree(d, ".rego", policyLimits)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", judge.ErrPolicy, err)
		}
		for _, f := range files {
			out = append(out, judge.Module{File: filepath.ToSlash(filepath.Join(d, f.Name)), Text: f.Data})
		}
	}
	return out, nil
}

// loadPolicies compiles the built-in policies and those of directories.
func loadPolicies(dirs []string) (*judge.Policies, error) {
	modules, err := readPolicies(dirs)
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
	in := e.stdin
	if file != "-" {
		f, err := open(file)
		if errors.Is(err, host.ErrNotRegular) {
			err = fmt.Errorf("%w (- is standard input)", err)
		}
		if err != nil {
			return nil, fmt.Errorf("snapshot: %w", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, snapshot.MaxSize+1))
	if err == nil && len(b) > snapshot.MaxSize {
		err = snapshot.ErrTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", inSnapshot(file, err))
	}
	return b, nil
}
