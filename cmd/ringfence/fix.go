package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/fixing"
	"github.com/ringfence/ringfence/fleet"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/usage"
)

func (e *env) fixCommand() *cobra.Command {
	c := &cobra.Command{Use: "fix", Short: "Close findings: plan, prove, try, keep, undo"}
	c.AddCommand(e.planCommand())
	c.AddCommand(e.fixVerbs()...)
	return usage.Group(c)
}

func (e *env) planCommand() *cobra.Command {
	var (
		src    source
		flags  fixing.Flags
		format = "text"
		dir    string
	)
	plan := &cobra.Command{
		Use: "plan", Args: usage.None,
		Short: "Print the ruleset that closes the findings, and what else to change",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := flags.Parse(); err != nil {
				return err
			}
			if fleet.IsGroup(src.SnapshotFile) {
				return e.planGroup(c.Context(), &src, flags.Options, format, dir)
			}
			m, err := e.input(src.quiet).Load(c.Context(), &src.Source)
			if err != nil {
				return err
			}
			defer m.Close()
			p, err := m.Plan(c.Context(), m.Snapshot, flags.Options)
			if err != nil {
				return err
			}
			p.Diff = p.Against(loadedPlan(m.Snapshot, flags.Root))
			if dir != "" {
				if err := host.WriteTree(dir, p.Tree()); err != nil {
					return fmt.Errorf("write the plan: %w", err)
				}
			}
			return e.printPlan(p, format)
		},
	}
	src.Trusted = true
	src.flags(plan)
	fixing.Root(plan, &flags.Root)
	flags.Plan(plan)
	plan.Flags().StringVarP(&dir, "output", "o", "", "also write the ruleset, what undoes it and each file below this `directory`")
	usage.Choice(plan, &format, "format", "f", []string{"text", "json", "nft"}, "text, nft (the ruleset alone) or json")
	return plan
}

// planGroup prints the plans of several hosts.
func (e *env) planGroup(ctx context.Context, src *source, opt remedy.Options, format, dir string) error {
	if format == "nft" || dir != "" {
		return errors.New("-f nft and --output are of one host: --snapshot names several")
	}
	g, err := fleet.Plans(ctx, e.input(true), src.Source, opt)
	switch {
	case err != nil:
		return err
	case format == "json":
		return e.tellJSON("plans", g)
	}
	return e.tellText(g.Text(reports.Clean))
}

func (e *env) printPlan(p *remedy.Plan, format string) error {
	switch format {
	case "json":
		return e.tellJSON("plan", p)
	case "nft":
		return e.tellData([]byte(p.Ruleset), false)
	default:
		return e.tellText(planText(p))
	}
}

// planText is a plan for people.
func planText(p *remedy.Plan) string { return p.Describe(reports.Clean) }
