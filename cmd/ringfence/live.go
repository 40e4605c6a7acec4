//go:build linux && !ringfence_portable

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/sandbox"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trial"
	"github.com/ringfence/ringfence/version"
)

// What is asked of the host itself, or done to it, is behind the functions of this file and fixNow. Where the host is none that
// ringfence can look at, those of live_other.go say so.

// see is a snapshot of the live host, or with names only of those parts of it.
func (e *env) see(ctx context.Context, how looked, only ...string) (*snapshot.Snapshot, error) {
	snap, err := e.collect(ctx, how, only...)
	if err != nil {
		return nil, err
	}
	return snap, ctx.Err()
}

// collect sees the live host, or with names only those parts of it. Progress goes to stderr where
// that is a terminal.
func (e *env) collect(ctx context.Context, how looked, only ...string) (*snapshot.Snapshot, error) {
	opt := checks.Options{Deadline: how.deadline, Now: time.Now, Version: version.String(), Only: only, Deep: how.deep, LoadRuleset: checks.ReadRulesetText}
	_, tty := terminal(e.stderr)
	if tty && !how.quiet {
		n, all := 0, len(checks.Collectors())
		if len(only) > 0 {
			all = len(only)
		}
		opt.Progress = func(name string) {
			n++
			e.say("\r\x1b[Kcollecting %d/%d %s", n, all, name)
		}
		defer e.say("\r\x1b[K")
	}
	return checks.CollectHost(ctx, e.hostRoot, opt)
}

// readImported reads a report of another tool, and who could have written it.
func readImported(file string) ([]byte, snapshot.Word, error) {
	b, who, err := host.ReadImported(file)
	word := snapshot.WordOf(who.UID)
	switch {
	case who.Others:
		word = snapshot.Word{By: snapshot.ByOthers}
	case err != nil && len(b) == 0 && who == (host.Author{}):
		word = snapshot.Word{}
	}
	return b, word, err
}

// enterNetns starts the program again inside a network namespace, with these arguments. It returns only where that fails.
func enterNetns(name string, args []string) error {
	path, err := host.NetnsPath(name)
	if err != nil {
		return err
	}
	return host.ExecInNetns(path, args)
}

// fixVerbs are the verbs of fix that change the host, or tell what was changed.
func (e *env) fixVerbs() []*cobra.Command {
	return []*cobra.Command{
		e.applyCommand(), e.confirmCommand(), e.rollbackCommand(), e.statusCommand(), e.driftCommand(), e.loadCommand(),
		e.uninstallCommand(), e.watchCommand(),
	}
}

// childCommands are those that this program starts itself with.
func (e *env) childCommands() []*cobra.Command {
	list := []*cobra.Command{e.child(checks.LoadRulesetCommand, checks.LoadRuleset), e.child(checks.SeeCommand, checks.See), e.child(sandbox.Command, sandbox.Serve)}
	for name, run := range trial.Children {
		list = append(list, e.child(name, run))
	}
	return list
}

// readRulesetFile reads a ruleset that is not loaded; "-" is standard input.
func (e *env) readRulesetFile(ctx context.Context, file string, s *snapshot.Snapshot) (*ruleset.Ruleset, error) {
	text, err := e.readAll(file, host.OpenNamed, checks.MaxRulesetFile)
	var rs *ruleset.Ruleset
	if err == nil {
		rs, err = checks.ReadRulesetText(ctx, text, s.Network.Links)
	}
	if err != nil {
		return nil, fmt.Errorf("ruleset %s: %w", file, err)
	}
	return rs, nil
}

// child is a command that this program starts itself with: of no use to a person.
func (e *env) child(name string, run func(context.Context, io.Reader, io.Writer) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return run(c.Context(), e.stdin, e.stdout) },
	}
}

// loadedPlan is the plan of our table that is loaded, where its state can be read.
func loadedPlan(s *snapshot.Snapshot, root string) *remedy.Plan {
	st, err := trial.Disk{Root: root}.Load()
	if err != nil || st == nil || st.Phase != trial.PhaseConfirmed || st.Drift(s.NFTables.Ruleset) != nil {
		return nil
	}
	return st.Plan
}
