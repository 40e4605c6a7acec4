// Package usage refuses command lines that say something else than they seem to: words that are no command, flags that are given twice or
// empty, values that are none. An error names what was meant, where that can be guessed.
package usage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ringfence/ringfence/words"
)

// Group makes a command one that only has others below it. Alone or with --help it explains itself; each other word is an error.
func Group(c *cobra.Command) *cobra.Command {
	c.Args, c.DisableFlagParsing = cobra.ArbitraryArgs, true // a word that is no command comes before flags that it would have had
	c.RunE = func(c *cobra.Command, args []string) error {
		flag, value, help := "", "", false
		for i, a := range args {
			switch {
			case a == "-h" || a == "--help":
				help = true
			case i > 0 && takesNext(c, args[i-1]):
				value = a
			case (len(a) < 2 || a[0] != '-') && help:
				return told(c, args[i:])
			case len(a) < 2 || a[0] != '-':
				return UnknownCommand(c, a)
			case flag == "":
				flag = a
			}
		}
		if flag == "" {
			return c.Help() // asked for, or nothing is
		}
		name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
		if c.Flag(name) != nil && help {
			return c.Help()
		}
		if c.Flag(name) == nil && len(name) == 1 {
			if f := c.Flags().ShorthandLookup(name); f != nil {
				name = f.Name
			}
		}
		if c.Flag(name) != nil && value != "" {
			return fmt.Errorf("%s needs a command, and %q is the value of %s: %s --help lists them", c.CommandPath(), value, flag, c.CommandPath())
		}
		if c.Flag(name) != nil {
			return fmt.Errorf("%s needs a command: %s --help lists them", c.CommandPath(), c.CommandPath())
		}
		return unknownFlag(c, flag, name)
	}
	return c
}

// takesNext says whether a word is a flag that takes the next word as its value.
func takesNext(c *cobra.Command, word string) bool {
	name, long := strings.CutPrefix(word, "--")
	f := c.Flag(name)
	return long && f != nil && f.NoOptDefVal == ""
}

// UnknownCommand is the error of a word that is no command below another, with what may have been meant.
func UnknownCommand(c *cobra.Command, word string) error {
	hint := c.CommandPath() + " --help lists them"
	var names []string
	for _, below := range c.Commands() {
		if !below.Hidden {
			names = append(names, below.Name())
		}
	}
	if len(names) == 0 {
		hint = "it has no commands below it"
	}
	if near := words.Nearest(word, names); near != "" {
		hint = fmt.Sprintf("did you mean %s %s?", c.CommandPath(), near)
	}
	return fmt.Errorf("unknown command %q of %s: %s", word, c.CommandPath(), hint)
}

// Help explains a command; a word that is none is an error.
func Help() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Explain a command",
		RunE: func(c *cobra.Command, args []string) error {
			return told(c.Root(), args)
		},
	}
}

// told explains the command that words below another one name.
func told(c *cobra.Command, args []string) error {
	of, rest, err := c.Find(args)
	if of == nil || err != nil {
		of, rest = c, args
	}
	if len(rest) > 0 {
		return UnknownCommand(of, rest[0])
	}
	of.InitDefaultHelpFlag()
	return of.Help()
}

// None wants no arguments. What follows a command that has others below it was meant to be one of them.
func None(c *cobra.Command, args []string) error {
	if len(args) > 0 && strings.HasSuffix(strings.TrimSuffix(args[0], ".gz"), ".json") && c.Flags().Lookup("snapshot") != nil {
		return fmt.Errorf("%s takes no argument, not %q: did you mean --snapshot %s?", c.CommandPath(), args[0], args[0])
	}
	if len(args) > 0 && c.HasAvailableSubCommands() {
		return UnknownCommand(c, args[0])
	}
	if len(args) > 0 {
		return fmt.Errorf("%s takes no argument, not %q: %s --help explains it", c.CommandPath(), args[0], c.CommandPath())
	}
	return nil
}

// missingError is that of an argument that is not there.
type missingError string

func (e missingError) Error() string { return string(e) }

// Args wants one argument for each name; those in brackets can be missing.
func Args(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		for i, name := range names {
			if i >= len(args) && !strings.HasPrefix(name, "[") {
				return missingError(fmt.Sprintf("%s wants %s: %s --help explains it", c.CommandPath(), name, c.CommandPath()))
			}
			if i < len(args) && name == "DIR" && args[i] == "-" {
				return fmt.Errorf("%s: DIR %q: %w", c.CommandPath(), args[i], words.WantError(wantDirectory))
			}
			if i < len(args) && args[i] == "" {
				return fmt.Errorf("%s: %s is empty", c.CommandPath(), strings.Trim(name, "[]"))
			}
		}
		if len(args) > len(names) {
			return fmt.Errorf("%s wants %s alone, not also %q", c.CommandPath(), strings.Join(names, " "), args[len(names)])
		}
		return nil
	}
}

// Files wants two files or more.
func Files(c *cobra.Command, args []string) error {
	if len(args) < 2 {
		return missingError(fmt.Sprintf("%s wants at least two files: %s --help explains it", c.CommandPath(), c.CommandPath()))
	}
	return nil
}

// apart are flags of which the second says something else than the first, or leaves it without a meaning.
var apart = [][2]string{
	{"color", "no-color"}, {"summary", "all"}, {"snapshot", "deep"}, {"snapshot", "host-root"}, {"schema", "snapshot"}, {"schema", "config"},
}

// ofTable are flags that make the table shorter, and no other format. Those that make it longer ask for what each other has.
var ofTable = []string{"severity", "summary"}

// untabled is the first flag about the table that was given where no table is written. Commands without --summary write none of the kind.
func untabled(c *cobra.Command) string {
	format, out := c.Flags().Lookup("format"), c.Flags().Lookup("output")
	if c.Flags().Lookup("summary") == nil || format == nil || out == nil || format.Value.String() == table {
		return ""
	}
	if list, ok := out.Value.(pflag.SliceValue); ok && slices.ContainsFunc(list.GetSlice(), func(o string) bool { return strings.HasPrefix(o, table+"=") }) {
		return ""
	}
	i := slices.IndexFunc(ofTable, c.Flags().Changed)
	if i < 0 {
		return ""
	}
	return ofTable[i]
}

// table is the format that people read.
const table = "table"

// idle are flags of a group that a command below it has no use for, by the names of both commands.
var idle = map[string]string{"checks test": "policy", "checks document": "policy", "checks export": "policy"}

// contradiction is the error of a command line with two flags that do not go together, or with one that says nothing there.
func contradiction(c *cobra.Command) error {
	if p := c.Parent(); p != nil {
		if name := idle[p.Name()+" "+c.Name()]; name != "" && c.Flags().Changed(name) {
			return fmt.Errorf("--%s says nothing to %s: leave it out", name, c.CommandPath())
		}
	}
	for _, pair := range apart {
		if c.Flags().Changed(pair[0]) && c.Flags().Changed(pair[1]) {
			return fmt.Errorf("--%s and --%s do not go together: leave one out", pair[0], pair[1])
		}
	}
	if name := untabled(c); name != "" {
		return fmt.Errorf("--%s is about the table, and none is written: each other format has everything", name)
	}
	return nil
}

// Strict has every flag of a command and of those below it refuse to be given twice with another value, if it is no list, to be
// given empty, and to be given with another that contradicts it. A shell offers what values knows of what help calls a value. It
// comes after all flags were defined.
func Strict(c *cobra.Command, values func(name string) []string) {
	c.SetFlagErrorFunc(explain)
	help := c.HelpFunc()
	c.SetHelpFunc(func(c *cobra.Command, args []string) {
		// Help was asked for beside words: the command tells what it would say of them, but of those that are missing.
		err := c.ValidateArgs(c.Flags().Args())
		if out, ok := c.OutOrStdout().(*Out); ok && err != nil && !errors.As(err, new(missingError)) {
			out.Err = err
			return
		}
		folded(c, func() { help(c, args) })
	})
	seen := map[*pflag.Flag]bool{}
	wrap := func(f *pflag.Flag) {
		if seen[f] {
			return
		}
		seen[f] = true
		if f.DefValue == "[]" || f.DefValue == "0s" {
			f.DefValue = "" // help tells no default of what is nothing
		}
		name, _ := pflag.UnquoteUsage(f)
		one := strict{Value: f.Value, directory: name == "directory"}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			one.many = true
			f.Value = &several{one, list}
		} else {
			f.Value = &one
		}
	}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.PreRunE == nil && c.RunE != nil {
			c.PreRunE = func(c *cobra.Command, _ []string) error { return contradiction(c) }
		}
		complete(c, values)
		if c.HasParent() && c.Parent().Name() == "completion" {
			c.Args = None // in our words
		}
		c.PersistentFlags().VisitAll(wrap)
		c.LocalFlags().VisitAll(wrap)
		for _, below := range c.Commands() {
			walk(below)
		}
	}
	walk(c)
}

// folded has what a command prints as help in lines that its reader sees whole.
func folded(c *cobra.Command, help func()) {
	to := c.OutOrStdout()
	out, ok := to.(*Out)
	if !ok || out.Fold == nil {
		help()
		return
	}
	var b bytes.Buffer
	c.SetOut(&b)
	help()
	c.SetOut(to)
	_, _ = io.WriteString(out, out.Fold(b.String())) // Out keeps the error
}

// strict is the value of a flag that is given once, and not empty.
type strict struct {
	pflag.Value
	many      bool
	directory bool // of a directory, for which there is no standard input
	given     *string
}

// several is that of a list, where each is given once.
type several struct {
	strict
	pflag.SliceValue
}

const wantDirectory = "a directory, not standard input or output"

var errEmpty = errors.New("is empty")

func (s *strict) Set(text string) error {
	if text == "" {
		return errEmpty
	}
	if s.given != nil && !s.many && (*s.given != text || s.Type() != "bool") {
		return fmt.Errorf("was given already, as %q", *s.given)
	}
	if s.directory && text == "-" {
		return words.WantError(wantDirectory)
	}
	if err := s.Value.Set(text); err != nil {
		if want := wanted[s.Type()]; want != "" && !errors.As(err, new(words.WantError)) {
			return words.WantError(want)
		}
		return err
	}
	s.given = &text
	return nil
}

// wanted says what the value of a flag is, by its type.
var wanted = map[string]string{
	"int": "a number", "duration": words.ALength, "bool": "true or false",
}

// explain makes the error of a flag one that says what to do.
func explain(c *cobra.Command, err error) error {
	if bad := new(pflag.InvalidValueError); errors.As(err, &bad) {
		name, why := bad.GetFlag().Name, bad.Unwrap()
		if errors.Is(why, errEmpty) {
			return fmt.Errorf("--%s is empty: leave it out, or give it a value", name)
		}
		if strings.HasPrefix(why.Error(), "was given") {
			return fmt.Errorf("--%s %q: it %w", name, bad.GetValue(), why)
		}
		return fmt.Errorf("%s %q: %w", name, bad.GetValue(), why)
	}
	if none := new(pflag.NotExistError); errors.As(err, &none) {
		if short := none.GetSpecifiedShortnames(); short != "" {
			name, _, _ := strings.Cut(short, "=")
			return unknownFlag(c, "-"+short, name)
		}
		return unknownFlag(c, "--"+none.GetSpecifiedName(), none.GetSpecifiedName())
	}
	if needs := new(pflag.ValueRequiredError); errors.As(err, &needs) {
		return fmt.Errorf("--%s needs a value: %s --help explains it", needs.GetFlag().Name, c.CommandPath())
	}
	return err
}

func unknownFlag(c *cobra.Command, given, name string) error {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	hint := c.CommandPath() + " --help lists them"
	if near := words.Nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean --%s?", near)
	}
	return fmt.Errorf("unknown flag %q of %s: %s", given, c.CommandPath(), hint)
}

// Without is a command line without a flag that has a value.
func Without(args []string, name string) []string {
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--":
			return append(out, args[i:]...)
		case args[i] == "--"+name:
			i++
		case strings.HasPrefix(args[i], "--"+name+"="):
		default:
			out = append(out, args[i])
		}
	}
	return out
}

// Out is where help goes: its printer loses the error of what could not be written.
type Out struct {
	To   io.Writer
	Fold func(string) string // breaks help into lines that its reader sees whole
	Err  error
}

func (o *Out) Write(b []byte) (int, error) {
	n, err := o.To.Write(b)
	if o.Err == nil {
		o.Err = err
	}
	return n, err
}
