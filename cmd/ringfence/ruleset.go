//go:build linux && !ringfence_portable

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// maxRuleset bounds a ruleset file.
const maxRuleset = 256 << 20

// nftPlaces is where the program nft is looked for: not in PATH, since this often runs as root.
var nftPlaces = []string{"/usr/sbin/nft", "/sbin/nft", "/usr/local/sbin/nft", "/usr/bin/nft"}

// readRulesetFile reads a ruleset that is not loaded: a child of this program, in a network namespace of
// its own with the names of the host's interfaces, has nft load it there and reads it back.
func (e *env) readRulesetFile(ctx context.Context, file string, s *snapshot.Snapshot) (*ruleset.Ruleset, error) {
	in := e.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("ruleset: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxRuleset+1))
	if err != nil {
		return nil, fmt.Errorf("ruleset: %w", err)
	}
	if len(text) > maxRuleset {
		return nil, fmt.Errorf("ruleset: %s is larger than 256 MiB", file)
	}
	job := loadJob{Text: text, Links: map[int]string{}}
	for _, l := range s.Network.Links {
		job.Links[l.Index] = l.Name
	}
	b, err := json.Marshal(job)
	if err != nil {
		return nil, fmt.Errorf("ruleset: %w", err)
	}
	var out, errs bytes.Buffer
	cmd := host.Command(ctx, "/proc/self/exe", "load-ruleset")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(b), &out, &errs
	host.NewNetns(cmd)
	if err := host.Run(cmd); err != nil {
		return nil, fmt.Errorf("ruleset %s: %s", file, firstLine(errs.String(), err))
	}
	rs := new(ruleset.Ruleset)
	if err := json.Unmarshal(out.Bytes(), rs); err != nil {
		return nil, fmt.Errorf("ruleset: %w", err)
	}
	return rs, nil
}

// loadJob is what the child is given.
type loadJob struct {
	Text  []byte         `json:"text"`
	Links map[int]string `json:"links"` // names of interfaces by index, which iif and oif compare
}

// loadRulesetCommand is the child: it is of no use to a person, and refuses to work in a namespace
// that has anything in it.
func (e *env) loadRulesetCommand() *cobra.Command {
	return &cobra.Command{
		Use: "load-ruleset", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var job loadJob
			if err := json.NewDecoder(e.stdin).Decode(&job); err != nil {
				return err
			}
			if err := host.MakeLinks(job.Links); err != nil {
				return err
			}
			nft, err := findProgram(nftPlaces)
			if err != nil {
				return err
			}
			cmd := host.Command(c.Context(), nft, "-f", "-")
			cmd.Stdin, cmd.Env = bytes.NewReader(job.Text), []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := host.Run(cmd); err != nil {
				return fmt.Errorf("nft: %s", firstLine(out.String(), err))
			}
			rs, err := checks.ReadRuleset(c.Context(), host.Local())
			if err != nil {
				return err
			}
			return json.NewEncoder(e.stdout).Encode(rs)
		},
	}
}

func findProgram(places []string) (string, error) {
	for _, p := range places {
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
			return p, nil
		}
	}
	return "", errors.New("the program nft was not found: it is needed to read a ruleset file")
}
