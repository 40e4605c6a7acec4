package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/manual"
	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/terminal"
	"github.com/ringfence/ringfence/usage"
	"github.com/ringfence/ringfence/version"
)

// textOrJSON are the formats of a command that answers a question.
var textOrJSON = []string{"text", "json"}

// env is what a command has of the world outside.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	answers        terminal.Answers
	hostRoot       string // the directory that the host's files are below
}

// input is where a command gets from what it judges.
func (e *env) input(quiet bool) *audit.Input {
	return &audit.Input{Stdin: e.stdin, Columns: terminal.Columns(e.stdout), See: func(ctx context.Context, deadline time.Duration, only ...string) (*snapshot.Snapshot, error) {
		return e.see(ctx, looked{deadline: deadline, quiet: quiet}, only...)
	}}
}

// root is the command line.
func (e *env) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "ringfence",
		Short:         "Audit the posture of a host that runs AI agents and containers",
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRun:  e.before,
	}
	root.PersistentFlags().StringVar(&e.hostRoot, "host-root", "", "in a container: the `directory` that the host's root is mounted at (default: that of process 1)")
	root.Flags().BoolP("version", "V", false, "print the version")
	root.AddCommand(e.auditCommand(), e.collectCommand(), e.checksCommand(), e.traceCommand(), e.reachCommand(),
		e.pathsCommand(), e.assumeCommand(), e.modelCommand(), e.fixCommand(), e.explainCommand(), e.reportCommand(), e.diffCommand(), e.versionCommand())
	root.AddCommand(append(e.hostCommands(), e.childCommands()...)...)
	root.AddCommand(manual.Command(root, host.WriteNewTree))
	root.SetHelpCommand(usage.Help())
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			usage.Group(c)
		}
	}
	usage.Strict(usage.Group(root), audit.Completions)
	return root
}

// run is the whole program. Every error becomes one line on stderr and an exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr}
	root := e.root()
	if len(args) == 1 && (args[0] == "--version" || args[0] == "-V") {
		args = []string{"version"}
	}
	root.SetArgs(args)
	told := &usage.Out{To: stdout, Fold: func(s string) string { return reports.Folded(s, terminal.ColumnsFor(stdout)) }}
	root.SetOut(told)
	root.SetErr(stderr)
	ctx, stop := host.UntilSignal(context.Background())
	defer stop()
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = told.Err
	}
	if err == nil {
		return exit.OK
	}
	code, err := audit.Ended(context.Cause(ctx), err)
	if err != nil {
		e.say("ringfence: %s\n", reports.ErrorLine(err))
	}
	return code
}

func (e *env) versionCommand() *cobra.Command {
	format := "text"
	c := &cobra.Command{
		Use: "version", Short: "Print the version", Args: usage.None,
		RunE: func(*cobra.Command, []string) error {
			i := version.Read(rego.Digest())
			if format == "text" {
				return e.tellText(i.Text())
			}
			return e.tellJSON("version", i)
		},
	}
	usage.Choice(c, &format, "format", "f", textOrJSON, "text or json")
	return c
}
