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

	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/snapshot"
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
}

// The layers of a fix.
const (
	layerFirewall = "firewall"
	layerService  = "service"
)

// The ways to confirm a fix.
const (
	confirmSession = "new-session"
	confirmConsole = "console"
	confirmAuto    = "auto"
)

func (f *fixFlags) flags(c *cobra.Command) {
	c.Flags().BoolVar(&f.fix, "fix", false, "load the ruleset that closes what a packet filter can close")
	f.applyFlags(c)
	f.planFlags(c)
}

// applyFlags say how a plan is loaded.
func (f *fixFlags) applyFlags(c *cobra.Command) {
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "plan and prove, and change nothing")
	c.Flags().StringVar(&f.confirm, "confirm", "", "who keeps the fix: new-session (a login younger than it), console (asked here)\nor auto (the second audit decides)")
	c.Flags().DurationVar(&f.timeout, "confirm-timeout", 120*time.Second, "take the rules out again after this time")
	c.Flags().StringVar(&f.persist, "persist", "on-confirm", "load the confirmed ruleset at boot: on-confirm or never")
	c.Flags().StringVar(&f.layer, "layer", layerFirewall, "what to change: firewall (the packet filter) or service (drop-in files, one service\nat a time)")
	rootFlag(c, &f.root)
}

func rootFlag(c *cobra.Command, root *string) {
	c.Flags().StringVar(root, "root", "", "keep state and boot files below this `directory` instead of /")
}

// planFlags say what is planned.
func (f *fixFlags) planFlags(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.allowFrom, "allow-from", nil, "these `addresses` keep access to what is closed (repeatable)")
	c.Flags().StringArrayVar(&f.keep, "keep", nil, "this `flow`, PROTO/PORT[@SOURCE] or such as vrrp[@SOURCE], must go on working\n(repeatable)")
	c.Flags().StringVar(&f.mode, "mode", remedy.Targeted, "targeted (close the findings) or default-deny (let in only what is known)")
	c.Flags().StringVar(&f.established, "established", "cut", "connections to what is closed: cut or drain (let them end)")
}

func (f *fixFlags) parse() error {
	var err error
	if f.prefixes, err = parsePrefixes("allow-from", f.allowFrom); err != nil {
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
	return remedy.Options{AllowFrom: f.prefixes, Keep: f.flows, Mode: f.mode, Drain: f.established == "drain"}
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
	case f.fix && a.snapshot != "":
		return errors.New("--fix works on the live host; for a snapshot there is fix plan")
	}
	return f.validateApply()
}

func (f *fixFlags) validateApply() error {
	switch {
	case f.confirm != "" && f.confirm != confirmSession && f.confirm != confirmConsole && f.confirm != confirmAuto:
		return fmt.Errorf("confirm %q: want new-session, console or auto", f.confirm)
	case f.timeout < 5*time.Second || f.timeout > time.Hour:
		return fmt.Errorf("confirm-timeout %s: want 5s to 1h", f.timeout)
	case f.layer != layerFirewall && f.layer != layerService:
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
	return c
}

func (e *env) planCommand() *cobra.Command {
	var (
		src    source
		flags  fixFlags
		format string
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
			return e.printPlan(p, format)
		},
	}
	src.trusted = true
	src.flags(plan)
	rootFlag(plan, &flags.root)
	flags.planFlags(plan)
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
		planText(&b, p)
	}
	if format == "text" {
		return e.tellText(b.String())
	}
	return e.tellData(b.Bytes(), format == "json")
}

func exceptText(list []netip.Prefix) string {
	if len(list) == 0 {
		return ""
	}
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return " (but for " + strings.Join(texts, ", ") + ")"
}

func planText(b *bytes.Buffer, p *remedy.Plan) {
	if p.Ruleset == "" {
		b.WriteString("# nothing that a packet filter could close\n")
	} else {
		b.WriteString("# load with: nft -f FILE    undo with: nft '" + strings.ReplaceAll(strings.TrimSpace(p.Inverse), "\n", "; ") + "'\n")
		for _, t := range p.Closes {
			fmt.Fprintf(b, "# closes %s: %s%s\n", reports.Clean(t.Check, false), reports.Clean(t.What, false), exceptText(t.Except))
		}
		b.WriteString(reports.Clean(strings.ReplaceAll(p.Ruleset, "\t", "    "), true))
		if strings.HasPrefix(p.Diff, "-") || p.Diff != "" && !strings.HasPrefix(p.Diff, "+table") {
			b.WriteString("\n# against what is loaded:\n" + reports.Clean(strings.ReplaceAll(p.Diff, "\t", "    "), true))
		}
		fmt.Fprintf(b, "# disruption: %s\n", p.Disruption)
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(b, "# warning: %s\n", reports.Clean(w, false))
	}
	for i := range p.Files {
		f := &p.Files[i]
		how := "ringfence fix apply --layer service puts it in place on trial"
		if f.ByHand != "" {
			how = "by hand: " + reports.Clean(f.ByHand, false)
		}
		fmt.Fprintf(b, "\n# file %s (%s)\n", reports.Clean(f.Path, false), how)
		if len(f.Closes) > 0 {
			fmt.Fprintf(b, "# closes %s\n", reports.Clean(strings.Join(f.Closes, ", "), false))
		}
		if len(f.Validate) > 0 {
			fmt.Fprintf(b, "# check: %s\n", reports.Clean(strings.Join(f.Validate, " "), false))
		}
		fmt.Fprintf(b, "# then: %s    undo: %s    disruption: %s\n%s", reports.Clean(f.Reload, false), reports.Clean(f.Inverse, false), reports.Clean(f.Disruption, false),
			reports.Clean(f.Content, true))
	}
	if len(p.Manual) > 0 {
		b.WriteString("\n# not for a packet filter:\n")
	}
	for _, m := range p.Manual {
		fmt.Fprintf(b, "# %s: %s\n", reports.Clean(m.Check, false), reports.Clean(m.What, false))
		for l := range strings.SplitSeq(reports.Clean(m.Text, true), "\n") {
			fmt.Fprintf(b, "#   %s: %s\n", reports.Clean(m.Kind, false), l)
		}
	}
}
