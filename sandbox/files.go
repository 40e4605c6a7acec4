package sandbox

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/ringfence/ringfence/assume"
	"github.com/ringfence/ringfence/bundle"
	"github.com/ringfence/ringfence/declared"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/judge"
)

// maxConfig bounds the configuration file.
const maxConfig = 1 << 20

// ReadConfig reads the configuration file; "" is none. A file that somebody other than root or the caller could
// have written is refused: it decides what root judges and closes.
func ReadConfig(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	b, err := host.ReadTrusted(file, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return b, nil
}

// ReadWaivers reads a file of waivers, which is trusted as the configuration is: whoever writes it decides what counts.
func ReadWaivers(file string) ([]byte, error) {
	b, err := host.ReadTrusted(file, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("waivers: %w", err)
	}
	return b, nil
}

// ReadAssumptions reads a register of assumptions, which is trusted as the configuration is: whoever writes it decides what a check passes under.
func ReadAssumptions(file string) ([]byte, error) {
	b, err := host.ReadTrusted(file, assume.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("assumptions: %w", err)
	}
	return b, nil
}

// ReadModel reads a model that people declare, which is trusted as the configuration is: what it has is no finding.
func ReadModel(file string) ([]byte, error) {
	b, err := host.ReadTrusted(file, declared.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return b, nil
}

// Signed is a signed bundle of policies and waivers, and the key that it is signed with.
type Signed struct {
	Name string `json:"name"` // for messages
	File []byte `json:"file"`
	Key  []byte `json:"key"` // public, in PEM
}

// ReadBundle reads a bundle, whoever wrote it, and the key that it has to be signed with, which is trusted as the configuration is. Without a file
// it is nil.
func ReadBundle(file, key string) (*Signed, error) {
	switch {
	case file == "" && key == "":
		return nil, nil
	case file == "":
		return nil, errors.New("--verification-key goes with --bundle")
	case key == "":
		return nil, errors.New("--bundle wants --verification-key: a bundle that nobody signed is refused (--policy reads a directory)")
	}
	k, err := host.ReadTrusted(key, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("verification key: %w", err)
	}
	f, err := host.OpenRegular(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", bundle.ErrBundle, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, bundle.MaxSize+1)) // more is refused by who opens it
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", bundle.ErrBundle, file, err)
	}
	return &Signed{Name: file, File: b, Key: k}, nil
}

// policyLimits bound what is read below a directory of policies.
var policyLimits = host.TreeLimits{Files: 1000, Entries: 10_000, Depth: 16, File: judge.MaxPolicy, Total: 16 << 20}

// ReadPolicies reads the policies of directories that are trusted as the configuration is.
func ReadPolicies(dirs []string) ([]judge.Module, error) {
	var out []judge.Module
	for _, d := range dirs {
		files, err := host.ReadTrustedTree(d, ".rego", policyLimits)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", judge.ErrPolicy, err)
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%w: %s: no file in it ends in .rego", judge.ErrPolicy, d)
		}
		for _, f := range files {
			out = append(out, judge.Module{File: filepath.ToSlash(filepath.Join(d, f.Name)), Text: f.Data})
		}
	}
	return out, nil
}
