package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/terminal"
	"github.com/ringfence/ringfence/usage"
)

// lookFlags say what a report shows, and how.
type lookFlags struct {
	color    string
	noColor  bool
	all      bool
	verbose  bool
	summary  bool
	severity string
}

func (f *lookFlags) flags(c *cobra.Command) {
	f.color = terminal.Modes[0]
	usage.Choice(c, &f.color, "color", "", terminal.Modes, "colour: auto (on a terminal, or as NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE and TERM say), always, never")
	c.Flags().BoolVar(&f.noColor, "no-color", false, "the same as --color never")
	c.Flags().BoolVar(&f.all, "all", false, "the table also lists what passed")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "the table has all evidence, and findings of low severity")
	c.Flags().BoolVar(&f.summary, "summary", false, "the table has only the counts and what to do first")
	usage.Choice(c, &f.severity, "severity", "", finding.Severities, "the table lists findings of at least this `severity` (--fail-on says which count)")
}

// options are those of a report that goes to standard output, or to a file.
func (e *env) options(f *lookFlags, stdout bool) reports.Options {
	opt := reports.Options{All: f.all, Verbose: f.verbose, Summary: f.summary, Severity: f.severity}
	if !stdout {
		return opt
	}
	if f.noColor {
		f.color = "never"
	}
	columns, is := terminal.Of(e.stdout)
	opt.Width, opt.Color, opt.ASCII = terminal.Width(columns, is, os.Getenv), terminal.Color(f.color, is, os.Getenv), terminal.ASCII(os.Getenv)
	return opt
}
