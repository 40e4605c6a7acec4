//go:build linux && !ringfence_portable

package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// Children are the hidden commands that this program starts itself with, each in a network namespace of its own, with a job on its
// standard input and the answer on its standard output. They refuse to work in a namespace that has anything in it.
var Children = map[string]func(ctx context.Context, in io.Reader, out io.Writer) error{"replica": replicate, "rehearse": rehearse}

// runChild starts this program as one of the Children.
func runChild(ctx context.Context, command string, job []byte) ([]byte, error) {
	var out, errs bytes.Buffer
	cmd := host.Command(ctx, "/proc/self/exe", command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = bytes.NewReader(job), &out, &errs, host.Environment()
	host.NewNetns(cmd)
	if err := host.Run(cmd); err != nil {
		return nil, whatItSaid(strings.TrimPrefix(errs.String(), "ringfence: "), err)
	}
	return out.Bytes(), nil
}

// whatItSaid is the error of a program: what it wrote, in one line, or where that is nothing how it ended.
func whatItSaid(text string, err error) error {
	if words := strings.Fields(text); len(words) > 0 {
		return errors.New(strings.Join(words, " "))
	}
	return err
}

// Prove proves a plan, with the live ruleset and this program as the child that builds the replica.
func Prove(ctx context.Context, plan *remedy.Plan, s *snapshot.Snapshot) (*remedy.Proof, error) {
	messages, err := checks.DumpRuleset(ctx, host.Local())
	if err != nil {
		return nil, err
	}
	legacy, err := checks.DumpLegacy(host.Local())
	if err != nil {
		return nil, err
	}
	return remedy.Prove(ctx, &remedy.Input{Plan: plan, Snapshot: s, Messages: messages, Legacy: legacy, Run: func(ctx context.Context, job []byte) ([]byte, error) {
		return runChild(ctx, "replica", job)
	}})
}

// replicate builds the replica and tries the plan in it.
func replicate(ctx context.Context, in io.Reader, out io.Writer) error {
	var job remedy.Job
	if err := json.NewDecoder(in).Decode(&job); err != nil {
		return err
	}
	res, err := remedy.RunReplica(ctx, &job, readRuleset)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(res)
}

func readRuleset(ctx context.Context) (*ruleset.Ruleset, error) {
	return checks.ReadRuleset(ctx, host.Local())
}

// rehearsal is a file that nft loads at boot.
type rehearsal struct{ Nft, File string }

// rehearsed is what nft makes of a file, in a network namespace of its own.
func rehearsed(ctx context.Context, nft, file string) (*ruleset.Ruleset, error) {
	job, err := json.Marshal(rehearsal{nft, file})
	if err != nil {
		return nil, err
	}
	out, err := runChild(ctx, "rehearse", job)
	if err != nil {
		return nil, fmt.Errorf("rehearse %s: %w", file, err)
	}
	rs := new(ruleset.Ruleset)
	if err := json.Unmarshal(out, rs); err != nil {
		return nil, fmt.Errorf("rehearse %s: %w", file, err)
	}
	return rs, nil
}

// rehearse has nft load the file, and tells what that made.
func rehearse(ctx context.Context, in io.Reader, out io.Writer) error {
	var job rehearsal
	if err := json.NewDecoder(in).Decode(&job); err != nil {
		return err
	}
	before, err := readRuleset(ctx)
	switch {
	case err != nil:
		return err
	case len(before.Tables) > 0:
		return errors.New("this is no empty network namespace")
	}
	cmd := host.Command(ctx, job.Nft, "-f", job.File)
	cmd.Env = host.Environment()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := host.Run(cmd); err != nil {
		return whatItSaid(said.String(), err)
	}
	rs, err := readRuleset(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(rs)
}
