package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/trial"
	"github.com/ringfence/ringfence/usage"
)

// fixFlags are the flags of audit that load a plan.
type fixFlags struct {
	fix         bool
	dryRun      bool
	confirm     string
	timeout     time.Duration
	allowFrom   []string
	keep        []string
	mode        string
	established string
	persist     string
	layer       string
	root        string

	options remedy.Options
	command *cobra.Command
}

// persistence says when a confirmed fix is loaded at boot.
var persistence = []string{"on-confirm", "never"}

// given are the flags of a fix that were given.
func (f *fixFlags) given() (names []string) {
	for _, name := range []string{"confirm-timeout", "persist", "layer", "root", "allow-from", "keep", "mode", "established"} {
		if f.command != nil && f.command.Flags().Changed(name) {
			names = append(names, name)
		}
	}
	return names
}

func (f *fixFlags) flags(c *cobra.Command) {
	c.Flags().BoolVar(&f.fix, "fix", false, "load the ruleset that closes what a packet filter can close")
	f.applyFlags(c)
	f.planFlags(c)
	f.command = c
}

// applyFlags say how a plan is loaded.
func (f *fixFlags) applyFlags(c *cobra.Command) {
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "plan and prove, and change nothing")
	f.timeout, f.persist, f.layer = 120*time.Second, "on-confirm", trial.LayerFirewall
	usage.Choice(c, &f.confirm, "confirm", "", []string{trial.NewSession, trial.Console, trial.Auto}, "who keeps the fix: new-session (a login younger than it), console (asked here)\nor auto (the second audit decides)")
	usage.Length(c, &f.timeout, "confirm-timeout", "take the rules out again after this time")
	usage.Choice(c, &f.persist, "persist", "", persistence, "load the confirmed ruleset at boot: on-confirm or never")
	usage.Choice(c, &f.layer, "layer", "", []string{trial.LayerFirewall, trial.LayerService}, "what to change: firewall (the packet filter) or service (drop-in files, one service\nat a time)")
	rootFlag(c, &f.root)
}

func rootFlag(c *cobra.Command, root *string) {
	c.Flags().StringVar(root, "root", "", "keep state and boot files below this `directory` instead of /")
}

// planFlags say what is planned.
func (f *fixFlags) planFlags(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.allowFrom, "allow-from", nil, "these `addresses` keep access to what is closed, or as PROTO/PORT@SOURCE to one port\n(repeatable)")
	c.Flags().StringArrayVar(&f.keep, "keep", nil, "this `flow`, PROTO/PORT[@SOURCE] or such as vrrp[@SOURCE], must go on working, also\nwhere the port is closed to others; the source is an address, a prefix or a zone\n(repeatable)")
	f.mode, f.established = remedy.Targeted, "cut"
	usage.Choice(c, &f.mode, "mode", "", []string{remedy.Targeted, remedy.DefaultDeny}, "targeted (close the findings) or default-deny (let in only what is known)")
	usage.Choice(c, &f.established, "established", "", []string{"cut", "drain"}, "connections to what is closed: cut or drain (let them end)")
}

func (f *fixFlags) parse() error {
	var err error
	f.options, err = remedy.ParseOptions(f.allowFrom, f.keep)
	f.options.Mode, f.options.Drain = f.mode, f.established == "drain"
	return err
}

func (f *fixFlags) validate(a *auditFlags) error {
	if err := f.parse(); err != nil {
		return err
	}
	switch {
	case !f.fix && (f.dryRun || f.confirm != ""):
		return errors.New("--dry-run and --confirm go with --fix")
	case !f.fix && len(f.given()) > 0:
		return fmt.Errorf("--%s goes with --fix", f.given()[0])
	case f.fix && a.SnapshotFile != "":
		return errors.New("--fix works on the live host; for a snapshot there is fix plan")
	}
	return f.validateApply()
}

func (f *fixFlags) validateApply() error {
	if f.timeout < 5*time.Second || f.timeout > time.Hour {
		return fmt.Errorf("confirm-timeout %s: want 5s to 1h", f.timeout)
	}
	return nil
}

func (e *env) fixCommand() *cobra.Command {
	c := &cobra.Command{Use: "fix", Short: "Close findings: plan, prove, try, keep, undo"}
	c.AddCommand(e.planCommand())
	c.AddCommand(e.fixVerbs()...)
	return usage.Group(c)
}

func (e *env) planCommand() *cobra.Command {
	var (
		src    source
		flags  fixFlags
		format = "text"
		dir    string
	)
	plan := &cobra.Command{
		Use: "plan", Args: usage.None,
		Short: "Print the ruleset that closes the findings, and what else to change",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := flags.parse(); err != nil {
				return err
			}
			m, err := e.input(src.quiet).Load(c.Context(), &src.Source)
			if err != nil {
				return err
			}
			defer m.Close()
			p, err := m.Plan(c.Context(), m.Snapshot, flags.options)
			if err != nil {
				return err
			}
			p.Diff = p.Against(loadedPlan(m.Snapshot, flags.root))
			if dir != "" {
				if err := host.WriteTree(dir, p.Tree()); err != nil {
					return fmt.Errorf("write the plan: %w", err)
				}
			}
			return e.printPlan(p, format)
		},
	}
	src.Trusted = true
	src.flags(plan)
	rootFlag(plan, &flags.root)
	flags.planFlags(plan)
	plan.Flags().StringVarP(&dir, "output", "o", "", "also write the ruleset, what undoes it and each file below this `directory`")
	usage.Choice(plan, &format, "format", "f", []string{"text", "json", "nft"}, "text, nft (the ruleset alone) or json")
	return plan
}

func (e *env) printPlan(p *remedy.Plan, format string) error {
	switch format {
	case "json":
		return e.tellJSON("plan", p)
	case "nft":
		return e.tellData([]byte(p.Ruleset), false)
	default:
		return e.tellText(planText(p))
	}
}

// planText is a plan for people.
func planText(p *remedy.Plan) string { return p.Describe(reports.Clean) }
