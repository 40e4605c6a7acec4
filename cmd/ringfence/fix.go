package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trial"
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

	prefixes []netip.Prefix
	flows    []remedy.Flow
	ports    []remedy.Flow
	command  *cobra.Command
}

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
	c.Flags().StringVar(&f.confirm, "confirm", "", "who keeps the fix: new-session (a login younger than it), console (asked here)\nor auto (the second audit decides)")
	c.Flags().DurationVar(&f.timeout, "confirm-timeout", 120*time.Second, "take the rules out again after this time")
	c.Flags().StringVar(&f.persist, "persist", "on-confirm", "load the confirmed ruleset at boot: on-confirm or never")
	c.Flags().StringVar(&f.layer, "layer", trial.LayerFirewall, "what to change: firewall (the packet filter) or service (drop-in files, one service\nat a time)")
	rootFlag(c, &f.root)
}

func rootFlag(c *cobra.Command, root *string) {
	c.Flags().StringVar(root, "root", "", "keep state and boot files below this `directory` instead of /")
}

// planFlags say what is planned.
func (f *fixFlags) planFlags(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.allowFrom, "allow-from", nil, "these `addresses` keep access to what is closed, or as PROTO/PORT@SOURCE to one port\n(repeatable)")
	c.Flags().StringArrayVar(&f.keep, "keep", nil, "this `flow`, PROTO/PORT[@SOURCE] or such as vrrp[@SOURCE], must go on working, also\nwhere the port is closed to others; the source is an address, a prefix or a zone\n(repeatable)")
	c.Flags().StringVar(&f.mode, "mode", remedy.Targeted, "targeted (close the findings) or default-deny (let in only what is known)")
	c.Flags().StringVar(&f.established, "established", "cut", "connections to what is closed: cut or drain (let them end)")
}

func (f *fixFlags) parse() error {
	var err error
	var everywhere []string
	for _, a := range f.allowFrom {
		if !strings.Contains(a, "@") {
			everywhere = append(everywhere, a)
			continue
		}
		flow, err := remedy.ParseFlow(a)
		if err != nil {
			return fmt.Errorf("allow-from: %w", err)
		}
		f.ports = append(f.ports, flow)
	}
	if f.prefixes, err = parsePrefixes("allow-from", everywhere); err != nil {
		return err
	}
	for _, k := range f.keep {
		flow, err := remedy.ParseFlow(k)
		if err != nil {
			return fmt.Errorf("keep: %w", err)
		}
		f.flows = append(f.flows, flow)
	}
	switch {
	case f.mode != remedy.Targeted && f.mode != remedy.DefaultDeny:
		return fmt.Errorf("mode %q: want targeted or default-deny", f.mode)
	case f.established != "cut" && f.established != "drain":
		return fmt.Errorf("established %q: want cut or drain", f.established)
	}
	return nil
}

func (f *fixFlags) options() remedy.Options {
	return remedy.Options{AllowFrom: f.prefixes, AllowPorts: f.ports, Keep: f.flows, Mode: f.mode, Drain: f.established == "drain"}
}

// parsePrefixes reads the prefixes, or single addresses, of a flag.
func parsePrefixes(flag string, list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, a := range list {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			addr, aerr := netip.ParseAddr(a)
			if aerr != nil {
				return nil, fmt.Errorf("%s %q: want an address or a prefix", flag, a)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		out = append(out, p)
	}
	return out, nil
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
	case f.fix && a.snapshot != "":
		return errors.New("--fix works on the live host; for a snapshot there is fix plan")
	}
	return f.validateApply()
}

func (f *fixFlags) validateApply() error {
	switch {
	case f.confirm != "" && f.confirm != trial.NewSession && f.confirm != trial.Console && f.confirm != trial.Auto:
		return fmt.Errorf("confirm %q: want new-session, console or auto", f.confirm)
	case f.timeout < 5*time.Second || f.timeout > time.Hour:
		return fmt.Errorf("confirm-timeout %s: want 5s to 1h", f.timeout)
	case f.layer != trial.LayerFirewall && f.layer != trial.LayerService:
		return fmt.Errorf("layer %q: want firewall or service", f.layer)
	case f.persist != "on-confirm" && f.persist != "never":
		return fmt.Errorf("persist %q: want on-confirm or never", f.persist)
	}
	return nil
}

func (e *env) fixCommand() *cobra.Command {
	c := &cobra.Command{Use: "fix", Short: "Close findings: plan, prove, try, keep, undo"}
	c.AddCommand(e.planCommand())
	c.AddCommand(e.fixVerbs()...)
	return group(c)
}

func (e *env) planCommand() *cobra.Command {
	var (
		src    source
		flags  fixFlags
		format string
		dir    string
	)
	plan := &cobra.Command{
		Use: "plan", Args: cobra.NoArgs,
		Short: "Print the ruleset that closes the findings, and what else to change",
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "text" && format != "json" && format != "nft" {
				return fmt.Errorf("format %q: want text, json or nft", format)
			}
			if err := flags.parse(); err != nil {
				return err
			}
			m, err := e.load(c.Context(), &src)
			if err != nil {
				return err
			}
			defer m.close()
			p, err := m.plan(c.Context(), m.snap, flags.options())
			if err != nil {
				return err
			}
			p.Diff = p.Against(loadedPlan(m.snap, flags.root))
			if dir != "" {
				if err := host.WriteTree(dir, p.Tree()); err != nil {
					return fmt.Errorf("write the plan: %w", err)
				}
			}
			return e.printPlan(p, format)
		},
	}
	src.trusted = true
	src.flags(plan)
	rootFlag(plan, &flags.root)
	flags.planFlags(plan)
	plan.Flags().StringVarP(&dir, "output", "o", "", "also write the ruleset, what undoes it and each file below this `directory`")
	plan.Flags().StringVarP(&format, "format", "f", "text", "text, nft (the ruleset alone) or json")
	return plan
}

// plan is always the whole of what is to be closed, also what our table closes already.
func (m *material) plan(ctx context.Context, s *snapshot.Snapshot, opt remedy.Options) (*remedy.Plan, error) {
	bare := remedy.Without(s)
	r, err := m.judge(ctx, bare)
	if err != nil {
		return nil, err
	}
	return remedy.Make(r, bare, m.config.Zones, opt), nil
}

func (e *env) printPlan(p *remedy.Plan, format string) error {
	var b bytes.Buffer
	switch format {
	case "json":
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(p); err != nil {
			return fmt.Errorf("write plan: %w", err)
		}
	case "nft":
		b.WriteString(p.Ruleset)
	default:
		b.WriteString(planText(p))
	}
	if format == "text" {
		return e.tellText(b.String())
	}
	return e.tellData(b.Bytes(), format == "json")
}

// planText is a plan for people.
func planText(p *remedy.Plan) string { return p.Describe(reports.Clean) }
