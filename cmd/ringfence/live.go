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
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/sandbox"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/terminal"
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
	opt := checks.Options{Deadline: how.deadline, Now: time.Now, Version: version.String(), Only: only, Deep: how.deep, Note: how.note, LoadRuleset: checks.ReadRulesetText}
	if columns, tty := terminal.Moves(e.stderr); tty && !how.quiet {
		names := only
		if len(names) == 0 {
			for _, c := range checks.Collectors() {
				names = append(names, c.Name)
			}
		}
		left := terminal.Wait(names, columns)
		opt.Progress = func(name string) { e.say("\r\x1b[K%s", left.Done(name)) }
		defer e.say("\r\x1b[K")
	}
	return checks.CollectHost(ctx, e.hostRoot, opt)
}

// enterNetns starts the program again inside a network namespace, with these arguments. It returns only where that fails.
func enterNetns(name string, args []string) error {
	path, err := host.NetnsPath(name)
	if err != nil {
		return err
	}
	return host.ExecInNetns(path, args)
}

func askPrograms(netns uint64) (packet.Runner, error) { return checks.AskPrograms(netns) }

// fixVerbs are the verbs of fix that change the host, or tell what was changed.
func (e *env) fixVerbs() []*cobra.Command {
	return []*cobra.Command{
		e.applyCommand(), e.confirmCommand(), e.rollbackCommand(), e.statusCommand(), e.driftCommand(), e.loadCommand(),
		e.uninstallCommand(), e.watchCommand(),
	}
}

// hostCommands are those that are about a live host alone.
func (e *env) hostCommands() []*cobra.Command { return []*cobra.Command{e.watchHost()} }

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
	text, err := e.input(true).Read(file, host.OpenNamed, checks.MaxRulesetFile)
	var rs *ruleset.Ruleset
	if err == nil {
		rs, err = checks.ReadRulesetText(ctx, checks.RulesetText{Nft: text, Links: s.Network.Links})
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
	return trial.Disk{Root: root}.Loaded(s)
}
