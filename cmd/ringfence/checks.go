package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (e *env) checksCommand() *cobra.Command {
	var policies []string
	c := &cobra.Command{Use: "checks", Short: "List, explain and test the checks"}
	c.PersistentFlags().StringArrayVar(&policies, "policy", nil, "also those of this `directory` (repeatable)")
	c.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List the checks", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				p, err := loadPolicies(policies)
				if err != nil {
					return err
				}
				for i := range p.Checks {
					k := &p.Checks[i]
					if err := e.tell("%-52s %-9s %s\n", k.ID, k.Severity, k.Title); err != nil {
						return err
					}
				}
				return nil
			},
		},
		&cobra.Command{
			Use: "show ID", Short: "Explain one check", Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				p, err := loadPolicies(policies)
				if err != nil {
					return err
				}
				for i := range p.Checks {
					if p.Checks[i].ID == args[0] {
						return e.tellText(p.Checks[i].Explain())
					}
				}
				return fmt.Errorf("no check %q (ringfence checks list names them)", args[0])
			},
		},
		&cobra.Command{
			Use: "test DIR", Short: "Run the unit tests of the policies in a directory", Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error { return e.testPolicies(c, args[0]) },
		},
	)
	return group(c)
}

func (e *env) testPolicies(c *cobra.Command, dir string) error {
	p, err := loadPolicies([]string{dir})
	if err != nil {
		return err
	}
	for i := range p.Checks {
		if spare := p.Spare(&p.Checks[i]); !p.Checks[i].Builtin && len(spare) > 0 {
			e.say("ringfence: %s: reads %s, of which it uses nothing: it is unknown without need where that was not seen\n",
				p.Checks[i].File, strings.Join(spare, ", "))
		}
	}
	results, err := p.Test(c.Context())
	if err != nil {
		return err
	}
	failed := 0
	for _, r := range results {
		if !r.Pass {
			failed++
			if err := e.tell("FAIL %s %s\n", r.Name, r.Output); err != nil {
				return err
			}
		}
	}
	if err := e.tell("%d passed, %d failed\n", len(results)-failed, failed); err != nil {
		return err
	}
	if failed > 0 {
		return &exitError{code: exitFindings}
	}
	return nil
}
