package main

import (
	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/usage"
	"github.com/ringfence/ringfence/words"
)

func (e *env) reportCommand() *cobra.Command {
	c := &cobra.Command{Use: "report", Short: "Write reports that were kept in other formats, and several as one"}
	c.AddCommand(
		e.rewriteCommand("convert FILE", "Write a report of audit -f json in other formats", reports.Names(), usage.Args("FILE")),
		e.rewriteCommand("merge FILE...", "Write the reports of several hosts as one", reports.ManyNames(), usage.Files),
	)
	return usage.Group(c)
}

// rewriteCommand writes reports from files.
func (e *env) rewriteCommand(use, short string, formats []string, args cobra.PositionalArgs) *cobra.Command {
	format, outputs, look := formats[0], []string{}, new(lookFlags)
	c := &cobra.Command{
		Use: use, Short: short, Args: args,
		Long: short + ".\n\nNo privilege is needed, and nothing is judged: the exit code is 0 whatever was found. - is standard input.",
		RunE: func(c *cobra.Command, args []string) error {
			outs, err := reports.Outputs(format, outputs, args...)
			if err != nil {
				return err
			}
			rendered, err := e.input(true).Convert(c.Context(), args, e.renderings(outs, look))
			if err != nil {
				return err
			}
			return e.writeReports(rendered, outs)
		},
	}
	look.flags(c)
	usage.Choice(c, &format, "format", "f", formats, "what goes to standard output: "+words.Or(formats))
	c.Flags().StringArrayVarP(&outputs, "output", "o", nil, "also write `FORMAT=FILE` (repeatable)")
	return c
}
