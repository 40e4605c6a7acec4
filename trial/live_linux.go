//go:build linux && !ringfence_portable

package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
)

// OnThisHost is this machine, with state and boot files below a directory ("" is /). A file is loaded at boot by nft, or where there is none by
// this program. What is seen of the host, and who is asked, is the caller's.
func OnThisHost(root string, people People, s Sight, h Host) *World {
	disk, suffix := Disk{root}, RootArg(root)
	nft, err := host.Local().ExecutablePath("nft")
	if err != nil {
		nft = ""
	}
	return &World{
		Clock: bootClock{}, Store: disk, Tables: kernel{}, Live: kernel{}, Files: dropin.On(root), Boot: boot{disk, suffix, nft},
		Helper: helper{root, suffix}, People: people,
		Alarm: alarm{wall, journal}, Sight: s, Host: h, Program: program(), Suffix: suffix,
	}
}

// RootArg is what commands end with that work on state and boot files below a directory; "" is /.
func RootArg(root string) string {
	if root == "" {
		return ""
	}
	return " --root " + root
}

// plainRunes mean the same in a shell as by themselves.
const plainRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.,:@/-"

// program is the path of this program, where a login does not find it by its name: in PATH of a new one are at least these folders.
func program() string {
	exe, err := os.Executable()
	if err != nil {
		return ""
	}
	for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin"} {
		if exe == dir+"/ringfence" {
			return ""
		}
	}
	return Word(exe)
}

// Word is a word as people type it in a shell.
func Word(text string) string {
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(plainRunes, r) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// kernel is the live ruleset of the network namespace of this thread.
type kernel struct{}

func (kernel) Try(p *remedy.Proof, generation uint32, gate time.Duration, id string) error {
	return remedy.Apply(p, generation, gate, id)
}
func (kernel) Promote(p *remedy.Plan, id string) error { return remedy.Promote(p, id) }
func (kernel) Prolong(p *remedy.Plan, gate time.Duration, id string) error {
	return remedy.Prolong(p, gate, id)
}
func (kernel) Reload(p *remedy.Plan, id string) error   { return remedy.Reload(p, id) }
func (kernel) Withdraw(spare ...remedy.TableName) error { return remedy.Withdraw(spare...) }
func (kernel) Silence(spare ...remedy.TableName) error  { return remedy.Silence(spare...) }
func (kernel) Remove(spare ...remedy.TableName) error   { return remedy.Remove(spare...) }
func (kernel) Delete(list ...remedy.TableName) error    { return remedy.Delete(list...) }

func (kernel) Read(ctx context.Context) (*ruleset.Ruleset, error) { return readRuleset(ctx) }

func (kernel) Ours(ctx context.Context) (*ruleset.Ruleset, error) {
	return checks.ReadTables(ctx, host.Local(), remedy.TableNames()...)
}

func (kernel) Changes() (Changes, error) { return remedy.Listen() }

// cutLimit bounds how long the network may be looked at for the connections to end.
const cutLimit = 5 * time.Second

func (kernel) Cut(ctx context.Context, p *remedy.Plan) (int, error) {
	return remedy.Cut(p, checks.Collect(ctx, host.Local(), checks.Options{Deadline: cutLimit, Now: time.Now, Only: []string{"network"}}))
}

// helper starts this program as the one that watches.
type helper struct{ root, suffix string }

// Ready refuses a program that others than root could replace: what takes a trial out again, and what is run at
// boot, is this program by its path.
func (h helper) Ready() error {
	exe, err := host.OwnProgram()
	switch {
	case errors.Is(err, host.ErrOpenProgram):
		return fmt.Errorf("%w, and would run as root at boot: install it first with: install -m 755 ringfence /usr/local/sbin/", err)
	case err != nil:
		return err
	}
	return UnitCommand(exe + h.suffix)
}

// Start starts it so that it outlives this process, its terminal and, where systemd or the cgroup tree lets it, its session.
func (h helper) Start(id string, with bool) error {
	args := []string{"fix", "watch", "--id", id}
	if h.root != "" {
		args = append(args, "--root", h.root)
	}
	if with {
		args = append(args, "--with", fmt.Sprint(os.Getpid()))
	}
	return host.Detach(args)
}

// boot is what systemd does at the next boot.
type boot struct {
	Disk
	suffix, nft string
}

func (b boot) Arm() error {
	exe, err := host.OwnProgram()
	if err != nil {
		return err
	}
	return b.ArmBoot(exe + " fix rollback --trial" + b.suffix)
}

// Rehearse has nft load the confirmed ruleset once, from a file beside the one of the boot, in a network namespace of its own. Without nft
// this program loads it.
func (b boot) Rehearse(ctx context.Context, plan *remedy.Plan, id string) (Booted, error) {
	made := Booted{Text: plan.MarkedRuleset(id)}
	if b.Root == "" && !host.Systemd() {
		made.ByHand = b.RulesFile()
	}
	if b.nft == "" {
		return made, nil
	}
	rs, err := b.rehearse(ctx, made.Text)
	if err != nil { // before version 0.9.7 nft knows no comments of tables
		made.Text = plan.Ruleset
		rs, err = b.rehearse(ctx, made.Text)
	}
	made.Ruleset = rs
	return made, err
}

func (b boot) rehearse(ctx context.Context, text string) (*ruleset.Ruleset, error) {
	name, err := b.draft(text)
	if err != nil {
		return nil, fmt.Errorf("persist: %w", err)
	}
	defer func() { _ = os.Remove(name) }()
	return rehearsed(ctx, b.nft, name)
}

// Persist has a ruleset loaded at boot: by nft, or where there is none by this program.
func (b boot) Persist(ctx context.Context, made *Booted) error {
	if list := b.Strange(); len(list) > 0 {
		return &StrangeError{list}
	}
	if err := b.writeRules(made.Text); err != nil {
		return err
	}
	switch {
	case made.ByHand != "":
		return nil
	case b.nft != "":
		return b.Enable(ctx, b.nft+" -f "+b.RulesFile())
	}
	exe, err := host.OwnProgram()
	if err != nil {
		return err
	}
	return b.Enable(ctx, exe+" fix load"+b.suffix)
}
