package main

import (
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/authoring"
	"github.com/ringfence/ringfence/docs"
	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/usage"
)

func (e *env) checksCommand() *cobra.Command {
	var policies []string
	c := &cobra.Command{Use: "checks", Short: "List, explain and test the checks"}
	c.PersistentFlags().StringArrayVar(&policies, "policy", nil, "also those of this `directory` (repeatable)")
	c.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List the checks", Args: usage.None,
			RunE: func(*cobra.Command, []string) error {
				p, err := audit.Policies(policies)
				if err != nil {
					return err
				}
				return e.tellProse(authoring.ListText(p.Checks))
			},
		},
		&cobra.Command{
			Use: "show ID", Short: "Explain one check", Args: usage.Args("ID"),
			RunE: func(_ *cobra.Command, args []string) error {
				p, err := audit.Policies(policies)
				if err != nil {
					return err
				}
				text, err := p.Explain(args[0])
				if err != nil {
					return err
				}
				return e.tellProse(text)
			},
		},
		e.testCommand(), e.newCheckCommand(&policies), e.documentCommand(), e.exportCommand(),
	)
	return usage.Group(c)
}

func (e *env) testCommand() *cobra.Command {
	opt := judge.TestOptions{User: true}
	var run string
	var verbose bool
	c := &cobra.Command{
		Use: "test DIR", Short: "Run the unit tests of the policies in a directory", Args: usage.Args("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			if run != "" {
				var err error
				if opt.Run, err = regexp.Compile(run); err != nil {
					return fmt.Errorf("run: %w", err)
				}
			}
			opt.Trace = verbose
			p, err := audit.Policies([]string{args[0]})
			if err != nil {
				return err
			}
			spare, text, failed, err := authoring.Test(c.Context(), p, args[0], opt)
			e.sayText(spare)
			if err != nil {
				return err
			}
			if err := e.tellText(text); err != nil || failed == 0 {
				return err
			}
			return &exit.Error{Code: exit.Findings}
		},
	}
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "name each test, and tell how one that fails was evaluated")
	c.Flags().StringVar(&run, "run", "", "only the tests whose name this regular `expression` matches")
	c.Flags().BoolVar(&opt.Coverage, "coverage", false, "which lines of the policies the tests evaluated")
	return c
}

func (e *env) newCheckCommand(policies *[]string) *cobra.Command {
	return &cobra.Command{
		Use: "new AREA/CHECK DIR", Short: "Begin a check of one's own, with its test, in a directory of policies", Args: usage.Args("AREA/CHECK", "DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := audit.Policies(*policies)
			if err != nil {
				return err
			}
			files, err := authoring.New(args[0], p.Checks)
			if err != nil {
				return err
			}
			if err := host.WriteNewTree(args[1], files); err != nil {
				return fmt.Errorf("new: %w", err)
			}
			return e.tell("%s is begun: ringfence checks test %s, then ringfence audit --policy %s\n", args[0], args[1], args[1])
		},
	}
}

func (e *env) documentCommand() *cobra.Command {
	var src audit.Source
	var schema bool
	c := &cobra.Command{
		Use: "document", Short: "Print the document that policies see of this host, or its schema", Args: usage.None,
		RunE: func(c *cobra.Command, _ []string) error {
			if schema {
				return e.tellData(docs.Document, true)
			}
			cfg, err := audit.Config(src.ConfigFile)
			if err != nil {
				return err
			}
			s, err := e.look(c.Context(), &place{snapshot: src.SnapshotFile})
			if err != nil {
				return err
			}
			return e.tellJSON("document", judge.DocumentOf(c.Context(), s, cfg))
		},
	}
	c.Flags().StringVar(&src.SnapshotFile, "snapshot", "", "of this snapshot instead of the live host (- is standard input)")
	c.Flags().StringVar(&src.ConfigFile, "config", "", "configuration `file` (YAML), for zones")
	c.Flags().BoolVar(&schema, "schema", false, "the JSON schema of the document")
	return c
}

func (e *env) exportCommand() *cobra.Command {
	return &cobra.Command{
		Use: "export DIR", Short: "Write the built-in policies, their library and the schema of the document, for opa and regal", Args: usage.Args("DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := judge.Export()
			if err != nil {
				return err
			}
			files["README.md"] = authoring.ReadMe
			if err := host.WriteNewTree(args[0], files); err != nil {
				return fmt.Errorf("export: %w", err)
			}
			return nil
		},
	}
}
