package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/version"
)

// The exit codes, the same for every format.
const (
	exitOK         = 0
	exitFindings   = 1 // at or above --fail-on
	exitUsage      = 2 // usage, configuration, policy or snapshot; nothing was judged
	exitIncomplete = 3 // under --strict: something could not be judged
	exitRefused    = 4 // the fix was refused or rolled back; the host is as before
	exitUnclear    = 5 // the state of the fix is not known
)

// exitError carries an exit code. A nil Err prints nothing.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// env is what a command has of the world outside.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lines          chan string // what was typed, from the first question on
	hostRoot       string      // the directory that the host's files are below
}

// terminal says whether a stream is one.
func terminal(stream any) (int, bool) {
	f, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		w = 0
	}
	return w, true
}

// root is the command line.
func (e *env) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "ringfence",
		Short:         "Audit the posture of a host that runs AI agents and containers",
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRun:  e.before,
		Version:           version.String(),
	}
	root.PersistentFlags().StringVar(&e.hostRoot, "host-root", "", "in a container: the `directory` that the host's root is mounted at (default: that of process 1)")
	root.SetVersionTemplate("ringfence {{.Version}}\n")
	root.AddCommand(e.auditCommand(), e.collectCommand(), e.checksCommand(), e.traceCommand(), e.reachCommand(),
		e.pathsCommand(), e.fixCommand(), e.versionCommand())
	root.AddCommand(e.childCommands()...)
	root.SetHelpCommand(helpCommand())
	return root
}

// group makes a command one that only has others below it: without one it explains itself, another word is an error.
func group(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		return unknownCommand(c, args[0])
	}
	return c
}

// unknownCommand is the error of a word that is no command below another, with what may have been meant.
func unknownCommand(c *cobra.Command, word string) error {
	c.SuggestionsMinimumDistance = 2
	hint := fmt.Sprintf("%s --help lists them", c.CommandPath())
	if list := c.SuggestionsFor(word); len(list) > 0 {
		hint = fmt.Sprintf("did you mean %s %s?", c.CommandPath(), list[0])
	}
	return fmt.Errorf("unknown command %q of %s: %s", word, c.CommandPath(), hint)
}

// helpCommand explains a command; a word that is none is an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Explain a command",
		RunE: func(c *cobra.Command, args []string) error {
			of, rest, err := c.Root().Find(args)
			if of == nil || err != nil {
				of, rest = c.Root(), args
			}
			if len(rest) > 0 {
				return unknownCommand(of, rest[0])
			}
			of.InitDefaultHelpFlag()
			return of.Help()
		},
	}
}

// run is the whole program. Every error becomes one line on stderr and an exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr}
	root := e.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	ctx, stop := host.UntilSignal(context.Background())
	defer stop()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitUsage
	if by := new(host.EndedError); errors.As(context.Cause(ctx), &by) {
		code = 128 + int(by.Signal) // as the shell says it of a program that a signal ended
		if !errors.As(err, new(*exitError)) {
			err = by
		}
	}
	var ee *exitError
	if errors.As(err, &ee) {
		code = ee.code
		if ee.err == nil {
			return code
		}
	}
	e.say("ringfence: %s\n", oneLine(err))
	return code
}

// oneLine makes an error one line without control characters: it can quote a hostile file.
func oneLine(err error) string {
	s := strings.Join(strings.Fields(err.Error()), " ")
	return reports.Clean(s, false)
}

func (e *env) versionCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			i := version.Read(rego.Digest())
			switch format {
			case "text":
				return e.tellText(i.Text())
			case "json":
				b, err := json.MarshalIndent(i, "", "  ")
				if err != nil {
					return fmt.Errorf("version: %w", err)
				}
				return e.tellData(append(b, '\n'), true)
			}
			return fmt.Errorf("format %q: want text or json", format)
		},
	}
	c.Flags().StringVarP(&format, "format", "f", "text", "text or json")
	return c
}
