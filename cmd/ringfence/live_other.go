//go:build !linux || ringfence_portable

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// unsupportedError is the answer of all that needs a Linux host. It is an errors.ErrUnsupported.
type unsupportedError struct{}

func (unsupportedError) Error() string {
	return "not supported on " + runtime.GOOS + ": use --snapshot FILE"
}

func (unsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// see looks at a Windows host; of other systems there are snapshots alone.
func (e *env) see(context.Context, looked, ...string) (*snapshot.Snapshot, error) {
	if s, err := audit.Look(); !errors.Is(err, errors.ErrUnsupported) {
		return s, err
	}
	return nil, unsupportedError{}
}

func (e *env) fixNow(context.Context, *audit.Material, *finding.Report, *auditFlags) error {
	return unsupportedError{}
}

func enterNetns(string, []string) error         { return unsupportedError{} }
func askPrograms(uint64) (packet.Runner, error) { return nil, unsupportedError{} }

func (e *env) readRulesetFile(context.Context, string, *snapshot.Snapshot) (*ruleset.Ruleset, error) {
	return nil, fmt.Errorf("ruleset: not supported on %s: the nft and the kernel of a Linux host read it", runtime.GOOS)
}

// fixVerbs say that they are not here, whatever their arguments.
func (e *env) fixVerbs() []*cobra.Command {
	return e.nowhere("apply", "confirm", "rollback", "status", "verify", "load", "uninstall")
}

func (e *env) hostCommands() []*cobra.Command { return e.nowhere("watch") }

func (e *env) nowhere(verbs ...string) (list []*cobra.Command) {
	for _, verb := range verbs {
		list = append(list, &cobra.Command{
			Use: verb, Short: "Works on a Linux host alone", Args: cobra.ArbitraryArgs,
			FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true}, DisableFlagParsing: runtime.GOOS == "windows",
			RunE: e.refuse,
		})
	}
	return list
}

// refuse is the answer of a verb: on a Windows host apply prints what to run there, and loads none of it.
func (e *env) refuse(c *cobra.Command, args []string) error {
	if runtime.GOOS != "windows" || c.Name() != "apply" {
		return unsupportedError{}
	}
	plan := e.planCommand()
	plan.FParseErrWhitelist.UnknownFlags = true // those that say how a plan is loaded
	plan.SetArgs(args)
	return cmp.Or(plan.ExecuteContext(c.Context()), audit.ErrByHand)
}

func (e *env) childCommands() []*cobra.Command { return nil }

// loadedPlan is none: nothing is loaded here.
func loadedPlan(*snapshot.Snapshot, string) *remedy.Plan { return nil }
