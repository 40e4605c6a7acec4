package main

import (
	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/usage"
)

func (e *env) explainCommand() *cobra.Command {
	var src source
	var file string
	c := &cobra.Command{
		Use: "explain ID|FINGERPRINT", Short: "Tell all that is known about one check or one finding of this host",
		Long: "Tell all that is known about one check or one finding of this host, of a snapshot, or in a report that audit -f json wrote. " +
			"A finding is named by its fingerprint, or by the first characters of it.",
		Args: usage.Args("ID|FINGERPRINT"),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := e.input(src.quiet).Explain(c.Context(), file, args[0], &src.Source)
			if err != nil {
				return err
			}
			return e.tellText(text)
		},
	}
	src.flags(c)
	c.Flags().StringVar(&file, "report", "", "look into this report `file` (JSON; - is standard input)")
	return c
}
