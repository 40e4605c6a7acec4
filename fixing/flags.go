// Package fixing has the flags of a fix: what is planned, and how it is loaded.
package fixing

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/trial"
	"github.com/ringfence/ringfence/usage"
)

// Flags are the flags that plan a fix, and that load it.
type Flags struct {
	Fix         bool // make one
	DryRun      bool // load nothing
	Confirm     string
	Timeout     time.Duration // of the trial
	allowFrom   []string
	keep        []string
	mode        string
	established string
	Persist     string
	Layer       string
	Root        string // "" is /

	Options remedy.Options
	command *cobra.Command
	loads   *cobra.Command // has the flags of all that a plan is made by
}

// Persistence says when a confirmed fix is loaded at boot.
var Persistence = []string{"on-confirm", "never"}

// given are the flags of a fix that were given.
func (f *Flags) given() (names []string) {
	for _, name := range []string{"confirm-timeout", "persist", "layer", "root", "allow-from", "keep", "mode", "established"} {
		if f.command != nil && f.command.Flags().Changed(name) {
			names = append(names, name)
		}
	}
	return names
}

// Audit adds the flags of an audit that makes a fix.
func (f *Flags) Audit(c *cobra.Command) {
	c.Flags().BoolVar(&f.Fix, "fix", false, "load the ruleset that closes what a packet filter can close")
	f.Apply(c)
	f.Plan(c)
	f.command = c
}

// Apply adds those that say how a plan is loaded.
func (f *Flags) Apply(c *cobra.Command) {
	f.loads = c
	c.Flags().BoolVar(&f.DryRun, "dry-run", false, "plan and prove, and change nothing")
	f.Timeout, f.Persist, f.Layer = 120*time.Second, "on-confirm", trial.LayerFirewall
	usage.Choice(c, &f.Confirm, "confirm", "", []string{trial.NewSession, trial.Console, trial.Auto}, "who keeps the fix: new-session (a login younger than it), console (asked here) or auto (the second audit decides)")
	usage.Length(c, &f.Timeout, "confirm-timeout", "take the rules out again after this time")
	usage.Choice(c, &f.Persist, "persist", "", Persistence, "load the confirmed ruleset at boot: on-confirm or never")
	usage.Choice(c, &f.Layer, "layer", "", []string{trial.LayerFirewall, trial.LayerService}, "what to change: firewall (the packet filter) or service (drop-in files, one service at a time)")
	Root(c, &f.Root)
}

// Root is the directory that a fix keeps its state below.
func Root(c *cobra.Command, root *string) {
	c.Flags().Var((*directory)(root), "root", "keep state and boot files below this `directory` instead of /")
}

// directory is a path that stands for the same directory wherever it is read later: in the unit that loads a fix, and below which its files are.
type directory string

func (d *directory) String() string { return string(*d) }
func (*directory) Type() string     { return "string" }

func (d *directory) Set(text string) error {
	path, err := filepath.Abs(text)
	*d = directory(path)
	return err
}

// Plan adds those that say what is planned.
func (f *Flags) Plan(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.allowFrom, "allow-from", nil, "these `addresses` keep access to what is closed, or as PROTO/PORT@SOURCE to one port (repeatable)")
	c.Flags().StringArrayVar(&f.keep, "keep", nil, "this `flow`, PROTO/PORT[@SOURCE] or such as vrrp[@SOURCE], must go on working, also where the port is closed to others; the source is an address, a prefix or a zone (repeatable)")
	f.mode, f.established = remedy.Targeted, "cut"
	usage.Choice(c, &f.mode, "mode", "", []string{remedy.Targeted, remedy.DefaultDeny}, "targeted (close the findings) or default-deny (let in only what is known)")
	usage.Choice(c, &f.established, "established", "", []string{"cut", "drain"}, "connections to what is closed: cut or drain (let them end)")
}

// Parse reads what is kept and allowed.
func (f *Flags) Parse() error {
	var err error
	f.Options, err = remedy.ParseOptions(f.allowFrom, f.keep)
	f.Options.Mode, f.Options.Drain = f.mode, f.established == "drain"
	return err
}

// Validate says what is wrong with the flags of an audit, which can be of a snapshot.
func (f *Flags) Validate(snapshotFile string) error {
	if err := f.Parse(); err != nil {
		return err
	}
	switch {
	case !f.Fix && (f.DryRun || f.Confirm != ""):
		return errors.New("--dry-run and --confirm go with --fix")
	case !f.Fix && len(f.given()) > 0:
		return fmt.Errorf("--%s goes with --fix", f.given()[0])
	case f.Fix && snapshotFile != "":
		return errors.New("--fix works on the live host; for a snapshot there is fix plan")
	}
	return f.Loadable()
}

// Loadable says what is wrong with how a plan is loaded.
func (f *Flags) Loadable() error {
	if f.Timeout < 5*time.Second || f.Timeout > time.Hour {
		return fmt.Errorf("confirm-timeout %s: want 5s to 1h", f.Timeout)
	}
	return nil
}
