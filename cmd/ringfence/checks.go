package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/judge"
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
						return e.tellText(explain(&p.Checks[i]))
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
	return c
}

func explain(c *judge.Check) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n%s\n\n%s\n\nfix: %s\nreads: %s\n", c.ID, c.Severity, c.Title,
		strings.TrimSpace(c.Description), strings.TrimSpace(c.Remediation), strings.Join(c.Reads, ", "))
	for _, r := range []struct {
		name string
		list []string
	}{
		{"CIS", c.References.CIS},
		{"NIST 800-53", c.References.NIST},
		{"ATT&CK", c.References.ATTACK},
		{"CWE", c.References.CWE},
		{"CVE", c.References.CVE},
	} {
		if len(r.list) > 0 {
			fmt.Fprintf(&b, "%s: %s\n", r.name, strings.Join(r.list, ", "))
		}
	}
	return b.String()
}

func (e *env) testPolicies(c *cobra.Command, dir string) error {
	p, err := loadPolicies([]string{dir})
	if err != nil {
		return err
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
