package main

import (
	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/usage"
)

func (e *env) diffCommand() *cobra.Command {
	var src source
	format := "text"
	c := &cobra.Command{
		Use: "diff OLD NEW", Short: "Say what changed on a host between two reports or snapshots",
		Long: "Say what changed on a host between two reports (JSON) or snapshots. No privilege is needed. What is not known any more is\n" +
			"worse, never fixed.\n\nExit codes: 0 nothing is worse, 1 something is, 2 usage error.",
		Args: usage.Args("OLD", "NEW"),
		RunE: func(c *cobra.Command, args []string) error {
			var both [2]*finding.Report
			for i, file := range args {
				var err error
				if both[i], err = e.input(true).ReportOrSnapshot(c.Context(), file, src.Source); err != nil {
					return err
				}
			}
			d, err := finding.Compare(both[0], both[1])
			if err != nil {
				return err
			}
			if format == "json" {
				err = e.tellJSON("changes", d)
			} else {
				err = e.tellText(reports.DiffText(d))
			}
			if err == nil && d.Worse() {
				err = &exit.Error{Code: exit.Findings}
			}
			return err
		},
	}
	src.judgingFlags(c)
	usage.Choice(c, &format, "format", "f", textOrJSON, "text or json")
	return c
}
