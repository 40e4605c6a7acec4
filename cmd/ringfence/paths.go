package main

import (
	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/usage"
)

// pathsCommand asks who can become what.
func (e *env) pathsCommand() *cobra.Command {
	var (
		where    place
		from, to string
		format   = "text"
	)
	c := &cobra.Command{
		Use:   "paths [--from PRINCIPAL] [--to GOAL]",
		Short: "Say who on the host can become root, rewrite its packet filter or read its secrets, and by what",
		Example: `  ringfence paths
  ringfence paths --from 'agent claude-code of uid 1000' --to root
  ringfence paths --deep -f json`,
		Args: usage.None,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := e.look(c.Context(), &where)
			if err != nil {
				return err
			}
			list, err := judge.Paths(c.Context(), s, nil, from, power.Goal(to))
			if err != nil {
				return err
			}
			return e.tellPaths(s.Host.Name, list, format)
		},
	}
	where.flags(c)
	c.Flags().BoolVar(&where.deep, "deep", false, "look for set-id programs on all file systems of the host, not in the directories of packages alone")
	c.Flags().StringVar(&from, "from", "", "only this `principal`, by its name or key")
	usage.Choice(c, &to, "to", "", []string{"root", "filter", "secret"}, "only this `goal`: root, filter or secret")
	usage.Choice(c, &format, "format", "f", []string{"text", "json", "mermaid", "opengraph"}, "text, json, mermaid or opengraph (BloodHound)")
	return c
}

func (e *env) tellPaths(host string, list []power.Answer, format string) error {
	switch format {
	case "text":
		return e.tellProse(reports.PathsText(list))
	case "mermaid":
		return e.tellText(reports.PathsMermaid(list))
	case "json":
		return e.tellJSON("paths", reports.NewPaths(list))
	default:
		return e.tellJSON("paths", reports.NewOpenGraph(host, list))
	}
}
