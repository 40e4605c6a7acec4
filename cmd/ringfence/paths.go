package main

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/reports"
)

// pathsCommand asks who can become what.
func (e *env) pathsCommand() *cobra.Command {
	var (
		where            place
		from, to, format string
	)
	c := &cobra.Command{
		Use:   "paths [--from PRINCIPAL] [--to GOAL]",
		Short: "Say who on the host can become root, rewrite its packet filter or read its secrets, and by what",
		Example: `  ringfence paths
  ringfence paths --from 'agent claude-code of uid 1000' --to root
  ringfence paths --deep -f json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if to != "" && !slices.Contains(power.Goals, power.Goal(to)) {
				return fmt.Errorf("--to %q: want root, filter or secret", to)
			}
			if !slices.Contains([]string{"text", "json", "mermaid", "opengraph"}, format) {
				return fmt.Errorf("format %q: want text, json, mermaid or opengraph", format)
			}
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
	c.Flags().StringVar(&to, "to", "", "only this `goal`: root, filter or secret")
	c.Flags().StringVarP(&format, "format", "f", "text", "text, json, mermaid or opengraph (BloodHound)")
	return c
}

func (e *env) tellPaths(host string, list []power.Answer, format string) error {
	var v any
	switch format {
	case "text":
		return e.tellText(reports.PathsText(list))
	case "mermaid":
		return e.tellText(reports.PathsMermaid(list))
	case "json":
		v = reports.NewPaths(list)
	default:
		v = reports.NewOpenGraph(host, list)
	}
	var b bytes.Buffer
	if err := reports.WriteJSON(&b, v); err != nil {
		return fmt.Errorf("write paths: %w", err)
	}
	return e.tellData(b.Bytes(), true)
}
