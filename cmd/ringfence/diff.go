package main

import (
	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/usage"
)

func (e *env) diffCommand() *cobra.Command {
	var src source
	format := "text"
	c := &cobra.Command{
		Use: "diff OLD NEW", Short: "Say what changed on a host between two reports or snapshots",
		Long: "Say what changed on a host between two reports (JSON) or snapshots. No privilege is needed. What is not known any more is " +
			"worse, never fixed.\n\nExit codes: 0 nothing is worse, 1 something is, 2 usage error.",
		Args: usage.Args("OLD", "NEW"),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := e.input(true).Compare(c.Context(), args[0], args[1], &src.Source)
			if err != nil {
				return err
			}
			if format == "json" {
				err = e.tellData(d.JSON, true)
			} else {
				err = e.tellProse(string(d.Text))
			}
			if err == nil && d.Worse {
				err = &exit.Error{Code: exit.Findings}
			}
			return err
		},
	}
	src.judgingFlags(c)
	usage.Choice(c, &format, "format", "f", textOrJSON, "text or json")
	return c
}
