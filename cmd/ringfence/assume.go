package main

import (
	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/assume"
	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/usage"
)

// assumeCommand holds assumptions against the host.
func (e *env) assumeCommand() *cobra.Command {
	f, history, format := new(auditFlags), "", "text"
	c := &cobra.Command{
		Use: "assume", Short: "Say which assumptions of a threat model hold on this host, or a snapshot of one", Args: usage.None,
		Long: "Say which assumptions of a threat model hold on this host, or a snapshot of one: those of a file, or the ten that are shipped.\n\nExit codes: 0 none is rejected, 1 one is, 2 usage, file or snapshot error, 3 one is unconfirmed under --strict.",
		RunE: func(c *cobra.Command, _ []string) error {
			r, added, text, err := e.input(f.quiet).Assumptions(c.Context(), &f.Source, history, format, f.look.verbose)
			if err != nil {
				return err
			}
			e.sayText(added)
			if format == "text" {
				err = e.tellProse(text)
			} else {
				err = e.tellData([]byte(text), true)
			}
			if err != nil {
				return err
			}
			return f.bar.Held(r.Assumptions)
		},
	}
	f.flags(c)
	c.Flags().StringVar(&f.AssumptionFile, "assumptions", "", "`file` of assumptions (YAML); without one the shipped ones")
	c.Flags().StringVar(&history, "history", "", "add to this `file` (JSON lines) what has become of assumptions since its last lines")
	c.Flags().BoolVar(&f.bar.Strict, "strict", false, "exit code 3 if an assumption is unconfirmed")
	c.Flags().BoolVarP(&f.look.verbose, "verbose", "v", false, "each claim with its evidence")
	usage.Choice(c, &format, "format", "f", []string{"text", "json", "oscal"}, "text, json or oscal (assessment results)")
	c.AddCommand(
		&cobra.Command{
			Use: "init", Short: "Write the shipped assumptions as a file to begin with", Args: usage.None,
			RunE: func(*cobra.Command, []string) error { return e.tellData(assume.ShippedText(), false) },
		},
		&cobra.Command{
			Use: "diff FILE", Short: "Say what became of assumptions, by a history that assume --history wrote", Args: usage.Args("FILE"),
			RunE: func(_ *cobra.Command, args []string) error {
				text, err := audit.HistoryTold(args[0])
				if err != nil {
					return err
				}
				return e.tellProse(text)
			},
		},
	)
	return c
}

// modelCommand begins a model of the host.
func (e *env) modelCommand() *cobra.Command {
	var src source
	c := &cobra.Command{Use: "model", Short: "Declare what a host is meant to let pass, and hold it against the host (audit --model)"}
	begin := &cobra.Command{
		Use: "init", Short: "Write a first model of this host, or of a snapshot: its zones, its flows, what is assumed", Args: usage.None,
		RunE: func(c *cobra.Command, _ []string) error {
			text, err := e.input(src.quiet).Begin(c.Context(), &src.Source)
			if err != nil {
				return err
			}
			return e.tellText(text)
		},
	}
	src.flags(begin)
	c.AddCommand(begin)
	return usage.Group(c)
}
