// Package manual makes manual pages of commands: what --help says, in the form of man(7), section 8. Nothing is written twice.
package manual

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/usage"
	"github.com/ringfence/ringfence/version"
)

// section is that of commands for the administration of a system (man(1)).
const section = "8"

// Pages are the pages of a command and of all below it that are not hidden, by file name. The version and the date (2006-01-02, "" for none)
// stand below each.
func Pages(root *cobra.Command, version, date string) map[string]string {
	root.InitDefaultHelpCmd()
	pages := map[string]string{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		c.InitDefaultHelpFlag()
		pages[fileName(c)] = page(c, version, date)
		for _, below := range shown(c) {
			walk(below)
		}
	}
	walk(root)
	return pages
}

// shown are the commands below one that a person is told of.
func shown(c *cobra.Command) (list []*cobra.Command) {
	for _, below := range c.Commands() {
		if !below.Hidden {
			list = append(list, below)
		}
	}
	slices.SortFunc(list, func(a, b *cobra.Command) int { return cmp.Compare(a.Name(), b.Name()) })
	return list
}

func name(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// Command writes the pages of a program into a directory. It is of use to who packs the program.
func Command(root *cobra.Command, write func(dir string, files map[string]string) error) *cobra.Command {
	return &cobra.Command{
		Use: "manual DIR", Hidden: true, Args: usage.Args("DIR"), Short: "Write the manual pages into a directory",
		RunE: func(_ *cobra.Command, args []string) error {
			i := version.Read("")
			day, _, _ := strings.Cut(i.Date, "T")
			return write(args[0], Pages(root, i.Version, day))
		},
	}
}

func fileName(c *cobra.Command) string { return name(c) + "." + section }

func page(c *cobra.Command, version, date string) string {
	b := new(strings.Builder)
	fmt.Fprintf(b, ".TH %s %s %s %s %s\n", quoted(strings.ToUpper(name(c))), quoted(section), quoted(date), quoted("ringfence "+version), quoted("ringfence"))
	fmt.Fprintf(b, ".nh\n.ad l\n.SH NAME\n%s \\- %s\n", text(name(c)), text(c.Short))
	b.WriteString(".SH SYNOPSIS\n")
	if len(shown(c)) > 0 {
		fmt.Fprintf(b, "\\fB%s\\fR \\fICOMMAND\\fR\n", text(c.CommandPath()))
	} else {
		rest := strings.TrimPrefix(c.UseLine(), c.CommandPath())
		fmt.Fprintf(b, "\\fB%s\\fR%s\n", text(c.CommandPath()), text(rest))
	}
	b.WriteString(".SH DESCRIPTION\n")
	paragraphs(b, cmp.Or(c.Long, c.Short+"."))
	if list := shown(c); len(list) > 0 {
		b.WriteString(".SH COMMANDS\n")
		for _, below := range list {
			fmt.Fprintf(b, ".TP\n\\fB%s\\fR(%s)\n%s\n", text(name(below)), section, text(below.Short))
		}
	}
	flags(b, "OPTIONS", c.NonInheritedFlags())
	flags(b, "OPTIONS OF ALL COMMANDS", c.InheritedFlags())
	if c.Example != "" {
		fmt.Fprintf(b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", text(c.Example))
	}
	if !c.HasParent() { // the same for all
		b.WriteString(".SH EXIT STATUS\n")
		for _, m := range exit.Meanings() {
			fmt.Fprintf(b, ".TP\n\\fB%s\\fR\n%s\n", m.Code, text(strings.ReplaceAll(m.Text, "`", "")))
		}
	}
	seeAlso(b, c)
	return b.String()
}

// seeAlso names the commands above and beside one.
func seeAlso(b *strings.Builder, c *cobra.Command) {
	if !c.HasParent() {
		return
	}
	list := []string{name(c.Parent())}
	for _, beside := range shown(c.Parent()) {
		if beside != c {
			list = append(list, name(beside))
		}
	}
	b.WriteString(".SH SEE ALSO\n")
	for i, n := range list {
		comma := ","
		if i == len(list)-1 {
			comma = ""
		}
		fmt.Fprintf(b, ".BR %s (%s)%s\n", text(n), section, comma)
	}
}

// flags is a section of flags.
func flags(b *strings.Builder, title string, set *pflag.FlagSet) {
	begun := false
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		if !begun {
			begun = true
			fmt.Fprintf(b, ".SH %s\n", title)
		}
		value, usage := pflag.UnquoteUsage(f)
		b.WriteString(".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(b, "\\fB\\-%s\\fR, ", f.Shorthand)
		}
		fmt.Fprintf(b, "\\fB\\-\\-%s\\fR", text(f.Name))
		if value != "" {
			fmt.Fprintf(b, " \\fI%s\\fR", text(value))
		}
		b.WriteByte('\n')
		b.WriteString(text(usage))
		if d := f.DefValue; d != "" && d != "false" && d != "[]" && d != "0" && !strings.Contains(usage, "default") {
			fmt.Fprintf(b, " (default %s)", text(d))
		}
		b.WriteByte('\n')
	})
}

// paragraphs writes prose: an empty line parts them.
func paragraphs(b *strings.Builder, s string) {
	for i, p := range strings.Split(strings.TrimSpace(s), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		b.WriteString(text(p) + "\n")
	}
}

// text escapes what groff(7) would act on: a backslash, a dash that is typed, and a dot or a quote that begins a line.
func text(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "~", `\(ti`, "^", `\(ha`, "`", `\(ga`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

// quoted is an argument of a request.
func quoted(s string) string { return `"` + strings.ReplaceAll(text(s), `"`, `\(dq`) + `"` }
