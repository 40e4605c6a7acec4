package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/snapshot"
)

// fixFlags are the flags of audit that load a plan.
type fixFlags struct {
	fix       bool
	dryRun    bool
	confirm   string
	timeout   time.Duration
	allowFrom []string

	prefixes []netip.Prefix
}

func (f *fixFlags) flags(c *cobra.Command) {
	c.Flags().BoolVar(&f.fix, "fix", false, "load the ruleset that closes what a packet filter can close")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "with --fix: print the plan and change nothing")
	c.Flags().StringVar(&f.confirm, "confirm", "", "with --fix: console (ask here) or auto (the second audit decides)")
	c.Flags().DurationVar(&f.timeout, "confirm-timeout", 120*time.Second, "with --fix: take the rules out again after this time")
	f.allowFlag(c)
}

func (f *fixFlags) allowFlag(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.allowFrom, "allow-from", nil, "these `addresses` keep access to what is closed (repeatable)")
}

func (f *fixFlags) parse() error {
	var err error
	f.prefixes, err = parsePrefixes("allow-from", f.allowFrom)
	return err
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
	case f.confirm != "" && f.confirm != "console" && f.confirm != "auto":
		return fmt.Errorf("confirm %q: want console or auto", f.confirm)
	case f.timeout < 5*time.Second || f.timeout > time.Hour:
		return fmt.Errorf("confirm-timeout %s: want 5s to 1h", f.timeout)
	}
	return nil
}

func (e *env) fixCommand() *cobra.Command {
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
			p, err := m.plan(c.Context(), m.snap, flags.prefixes)
			if err != nil {
				return err
			}
			return e.printPlan(p, format)
		},
	}
	src.flags(plan)
	flags.allowFlag(plan)
	plan.Flags().StringVarP(&format, "format", "f", "text", "text, nft (the ruleset alone) or json")
	c := &cobra.Command{Use: "fix", Short: "Close findings"}
	c.AddCommand(plan)
	return c
}

// plan is always the whole of what is to be closed, also what our table closes already.
func (m *material) plan(ctx context.Context, s *snapshot.Snapshot, allow []netip.Prefix) (*remedy.Plan, error) {
	bare := remedy.Without(s)
	r, err := m.judge(ctx, bare)
	if err != nil {
		return nil, err
	}
	return remedy.Make(r, bare, m.config.Zones, remedy.Options{AllowFrom: allow}), nil
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
	_, err := e.stdout.Write(b.Bytes())
	return err
}

func planText(b *bytes.Buffer, p *remedy.Plan) {
	if p.Ruleset == "" {
		b.WriteString("# nothing that a packet filter could close\n")
	} else {
		b.WriteString("# load with: nft -f FILE    undo with: nft " + strings.TrimSpace(p.Inverse) + "\n")
		for _, t := range p.Closes {
			fmt.Fprintf(b, "# closes %s: %s\n", t.Check, reports.Clean(t.What, false))
		}
		b.WriteString(reports.Clean(strings.ReplaceAll(p.Ruleset, "\t", "    "), true))
	}
	if len(p.Manual) > 0 {
		b.WriteString("\n# not for a packet filter:\n")
	}
	for _, m := range p.Manual {
		fmt.Fprintf(b, "# %s: %s\n", m.Check, reports.Clean(m.What, false))
		for l := range strings.SplitSeq(reports.Clean(m.Text, true), "\n") {
			fmt.Fprintf(b, "#   %s: %s\n", m.Kind, l)
		}
	}
}

func refused(format string, args ...any) error {
	return &exitError{exitRefused, fmt.Errorf("fix: "+format, args...)}
}

// fixNow loads the plan as a trial, audits again and keeps it only if that audit is no worse and
// somebody confirms. Whatever ends the program takes the trial out.
func (e *env) fixNow(ctx context.Context, m *material, before *finding.Report, f *auditFlags) error {
	plan, err := m.plan(ctx, m.snap, f.fix.prefixes)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	planText(&text, plan)
	fmt.Fprintf(e.stderr, "\n%s", text.Bytes())
	_, tty := terminal(e.stdin)
	switch {
	case len(plan.Rules) == 0 || plan.Loaded(m.snap.NFTables.Ruleset):
		fmt.Fprintln(e.stderr, "fix: nothing to load")
		return verdict(before, f)
	case f.fix.dryRun:
		return verdict(before, f)
	case m.snap.NFTables.Ruleset == nil || !m.snap.NFTables.Ruleset.Stable:
		return refused("the live ruleset could not be read (%s)", strings.Join(m.snap.Section("nftables").Reasons, "; "))
	case f.fix.confirm == "" && !tty:
		return refused("there is no terminal to confirm on (use --confirm auto)")
	case f.fix.confirm == "" && !e.ask("load this ruleset now? [y/N] ", "y", time.Minute):
		return refused("not loaded")
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	trial, err := remedy.Try(plan, m.snap.NFTables.Ruleset.Generation)
	if err != nil {
		return refused("%w", err)
	}
	after, err := e.verify(ctx, m, trial, plan, before, f)
	if err == nil && f.fix.confirm != "auto" {
		err = e.confirm(ctx, f.fix.timeout)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		if rerr := trial.Rollback(); rerr != nil {
			return &exitError{exitUnclear, fmt.Errorf("fix: %w, and taking the rules out: %w", err, rerr)}
		}
		return refused("%w; the rules were taken out again", err)
	}
	if err := trial.Confirm(); err != nil {
		return &exitError{exitUnclear, fmt.Errorf("fix: %w", err)}
	}
	fmt.Fprintf(e.stderr, "fix: loaded as table inet %s until the next boot; undo with: nft %s", remedy.Table, plan.Inverse)
	return verdict(after, f)
}

// verify audits again: the trial must be what was planned, every finding that it closes must be
// gone, and no new one may be there.
func (e *env) verify(ctx context.Context, m *material, trial *remedy.Trial, plan *remedy.Plan,
	before *finding.Report, f *auditFlags,
) (*finding.Report, error) {
	snap := e.collect(ctx, f.deadline, f.quiet)
	if snap.NFTables.Ruleset == nil {
		return nil, fmt.Errorf("the ruleset could not be read back (%s)",
			strings.Join(snap.Section("nftables").Reasons, "; "))
	}
	if err := trial.ReadBack(snap.NFTables.Ruleset); err != nil {
		return nil, err
	}
	after, err := m.judge(ctx, snap)
	if err != nil {
		return nil, err
	}
	old, now := failures(before), failures(after)
	// A finding that is less severe than before was closed as far as a packet filter can: what is left
	// of a runtime API on TCP is open to the host's own processes.
	for _, t := range plan.Closes {
		was, is := old[t.Fingerprint], now[t.Fingerprint]
		if is != nil && (was == nil || finding.Rank(is.Severity) <= finding.Rank(was.Severity)) {
			return nil, fmt.Errorf("%s is still open after the fix: %s", t.Check, t.What)
		}
	}
	for fp, is := range now {
		if was := old[fp]; was == nil || finding.Rank(is.Severity) < finding.Rank(was.Severity) {
			return nil, fmt.Errorf("the audit is worse after the fix: %s", is.Message)
		}
	}
	for i := range after.Results {
		if after.Results[i].Status == finding.Unknown && before.Results[i].Status != finding.Unknown {
			return nil, fmt.Errorf("%s is unknown after the fix: %s", after.Results[i].ID, after.Results[i].Reason)
		}
	}
	return after, nil
}

// failures are the findings of a report by fingerprint. What a collector could see is no state of
// the host.
func failures(r *finding.Report) map[string]*finding.Finding {
	m := map[string]*finding.Finding{}
	for i := range r.Results {
		if r.Results[i].Status != finding.Fail || r.Results[i].ID == "coverage/incomplete" {
			continue
		}
		for j := range r.Results[i].Findings {
			f := &r.Results[i].Findings[j]
			m[f.Fingerprint] = f
		}
	}
	return m
}

func (e *env) confirm(ctx context.Context, limit time.Duration) error {
	fmt.Fprintf(e.stderr, "fix: the rules are loaded on trial. Open a NEW login to this host; if it works, type keep.\n")
	ok := make(chan bool, 1)
	go func() { ok <- e.ask(fmt.Sprintf("keep the rules? [keep within %s] ", limit), "keep", limit) }()
	select {
	case yes := <-ok:
		if !yes {
			return errors.New("not confirmed")
		}
		return nil
	case <-ctx.Done():
		return errors.New("interrupted")
	}
}

// ask asks on the terminal and waits for one word at most for limit.
func (e *env) ask(question, want string, limit time.Duration) bool {
	fmt.Fprint(e.stderr, question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(e.stdin).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case a := <-answer:
		return strings.EqualFold(a, want)
	case <-time.After(limit):
		fmt.Fprintln(e.stderr)
		return false
	}
}
