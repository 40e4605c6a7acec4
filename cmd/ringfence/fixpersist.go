//go:build linux && !ringfence_portable

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
)

// persistPlan has the confirmed ruleset loaded at boot: by nft, after it loaded it once in a network
// namespace of its own, which it returns, or where there is no nft by this program.
func persistPlan(ctx context.Context, store remedy.Store, plan *remedy.Plan) (*ruleset.Ruleset, error) {
	if err := store.WriteRules(plan); err != nil {
		return nil, err
	}
	nft, err := host.Local().ExecutablePath("nft")
	if err != nil {
		exe, err := host.OwnProgram()
		if err != nil {
			return nil, err
		}
		return nil, store.Enable(exe + " fix load" + rootArg(store.Root))
	}
	job, err := json.Marshal(rehearsal{nft, store.RulesFile()})
	if err != nil {
		return nil, err
	}
	out, err := runChild(ctx, "rehearse", job)
	if err != nil {
		return nil, fmt.Errorf("rehearse %s: %w", store.RulesFile(), err)
	}
	rs := new(ruleset.Ruleset)
	if err := json.Unmarshal(out, rs); err != nil {
		return nil, fmt.Errorf("rehearse %s: %w", store.RulesFile(), err)
	}
	return rs, store.Enable(nft + " -f " + store.RulesFile())
}

// rehearsal is a file that nft loads at boot.
type rehearsal struct{ Nft, File string }

// rehearseCommand is the child that has nft load the file in its own network namespace and tells what that made.
func (e *env) rehearseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rehearse", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var job rehearsal
			if err := json.NewDecoder(e.stdin).Decode(&job); err != nil {
				return err
			}
			before, err := checks.ReadRuleset(c.Context(), host.Local())
			switch {
			case err != nil:
				return err
			case len(before.Tables) > 0:
				return errors.New("this is no empty network namespace")
			}
			cmd := host.Command(c.Context(), job.Nft, "-f", job.File)
			cmd.Env = host.Environment()
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := host.Run(cmd); err != nil {
				return errors.New(firstLine(out.String(), err))
			}
			rs, err := checks.ReadRuleset(c.Context(), host.Local())
			if err != nil {
				return err
			}
			return json.NewEncoder(e.stdout).Encode(rs)
		},
	}
}
