//go:build linux && !ringfence_portable

package trial

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
)

const (
	rulesFile = "etc/ringfence/ringfence.nft"
	unitName  = "ringfence-ruleset.service"
	unitFile  = "etc/systemd/system/" + unitName
)

const (
	// wanted is the link that enables the unit with the system.
	wanted = "etc/systemd/system/sysinit.target.wants/" + unitName
	// againFile has nftables.service, which begins by flushing everything, load the ruleset again whenever it has
	// loaded its own.
	againFile = "etc/systemd/system/nftables.service.d/50-ringfence.conf"
)

func again(load string) string {
	return "# what ringfence confirmed to be closed\n[Service]\nExecStartPost=-" + load + "\nExecReload=-" + load + "\n"
}

// unit loads the confirmed ruleset at boot: after other firewalls, which may flush, and before the
// network and the container runtimes.
func unit(load string) string {
	return strings.Join([]string{
		"[Unit]",
		"Description=ringfence: what was confirmed to be closed",
		"DefaultDependencies=no",
		"Wants=network-pre.target",
		"After=local-fs.target nftables.service firewalld.service ufw.service netfilter-persistent.service",
		"Before=network-pre.target docker.service podman.service containerd.service shutdown.target",
		"Conflicts=shutdown.target",
		"",
		"[Service]",
		"Type=oneshot",
		"RemainAfterExit=yes",
		"ExecStart=" + load,
		"",
		"[Install]",
		"WantedBy=sysinit.target",
		"",
	}, "\n")
}

// RulesFile is where the confirmed ruleset is for nft to load.
func (d Disk) RulesFile() string { return d.path(rulesFile) }

// WriteRules writes the ruleset of a confirmed plan, which nothing loads yet.
func (d Disk) WriteRules(p *remedy.Plan) error {
	if err := host.MakeDir(d.path(filepath.Dir(rulesFile)), 0o755); err != nil {
		return fmt.Errorf("persist: %w", err)
	}
	return host.WriteOwn(d.path(rulesFile), []byte(p.Ruleset), 0o600)
}

// plainCommand is of words that a unit, a shell and a person read in the same way.
var plainCommand = regexp.MustCompile(`^/[A-Za-z0-9_+.,:@/-]+( [A-Za-z0-9_+.,:@/=-]+)*$`)

// UnitCommand says why a command is not written into a unit of ours: it has characters that mean something else there, or others
// than root can write its program.
func UnitCommand(command string) error {
	if !plainCommand.MatchString(command) {
		return fmt.Errorf("the command %q has characters that mean something else in a unit: use paths of letters, digits and ._-", escape.Line(command))
	}
	program, _, _ := strings.Cut(command, " ")
	return host.RootsAlone(program)
}

// Enable has a command run at boot that loads the ruleset. Only a confirmed plan is: until then a reboot is
// a rollback.
func (d Disk) Enable(ctx context.Context, load string) error {
	if err := UnitCommand(load); err != nil {
		return fmt.Errorf("persist: %w", err)
	}
	for _, name := range []string{wanted, againFile} {
		if err := host.MakeDir(d.path(filepath.Dir(name)), 0o755); err != nil {
			return fmt.Errorf("persist: %w", err)
		}
	}
	for name, text := range map[string]string{unitFile: unit(load), againFile: again(load)} {
		if err := host.WriteOwn(d.path(name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := os.Symlink("../"+unitName, d.path(wanted)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("persist: %w", err)
	}
	return d.reloadSystemd(ctx)
}

// rollbackUnit takes back at boot what was on trial when the host went down.
const (
	rollbackUnit = "ringfence-rollback.service"
	rollbackFile = "etc/systemd/system/" + rollbackUnit
	rollbackLink = "etc/systemd/system/sysinit.target.wants/" + rollbackUnit
)

// ArmBoot has a command run at the next boot that takes a drop-in on trial back: other than rules, files
// outlive a reboot.
func (d Disk) ArmBoot(command string) error {
	if err := UnitCommand(command); err != nil {
		return fmt.Errorf("arm the next boot: %w", err)
	}
	if err := host.MakeDir(d.path(filepath.Dir(rollbackLink)), 0o755); err != nil {
		return fmt.Errorf("arm the next boot: %w", err)
	}
	text := strings.Join([]string{
		"[Unit]",
		"Description=ringfence: take back what nobody confirmed",
		"DefaultDependencies=no",
		"After=local-fs.target",
		"Before=sysinit.target systemd-sysctl.service ssh.service sshd.service shutdown.target",
		"Conflicts=shutdown.target",
		"",
		"[Service]",
		"Type=oneshot",
		"ExecStart=" + command,
		"",
		"[Install]",
		"WantedBy=sysinit.target",
		"",
	}, "\n")
	if err := host.WriteOwn(d.path(rollbackFile), []byte(text), 0o644); err != nil {
		return err
	}
	if err := os.Symlink("../"+rollbackUnit, d.path(rollbackLink)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("arm the next boot: %w", err)
	}
	return nil
}

// Disarm removes what ArmBoot made.
func (d Disk) Disarm() error {
	return errors.Join(ignoreMissing(os.Remove(d.path(rollbackLink))), ignoreMissing(os.Remove(d.path(rollbackFile))))
}

// Unpersist removes every file of WriteRules and Enable.
func (d Disk) Unpersist(ctx context.Context) error {
	_, err := os.Stat(d.path(unitFile))
	was := err == nil
	if was {
		d.stopUnit(ctx)
	}
	var errs []error
	for _, name := range []string{rulesFile, unitFile, wanted, againFile} {
		if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for _, name := range []string{rulesFile, againFile} {
		_ = os.Remove(d.path(filepath.Dir(name))) // stays where something else is in it
	}
	if was {
		errs = append(errs, d.reloadSystemd(ctx))
	}
	return errors.Join(errs...)
}

// reloadSystemd has systemd read the files of the disk, if it is those that it reads.
func (d Disk) reloadSystemd(ctx context.Context) error {
	if d.Root != "" {
		return nil
	}
	if err := dropin.Systemctl(ctx, "daemon-reload"); err != nil {
		return fmt.Errorf("systemd reads its files again: %w", err)
	}
	return nil
}

// stopUnit ends the unit that was run at boot, which does nothing but that systemd forgets it.
func (d Disk) stopUnit(ctx context.Context) {
	if d.Root == "" {
		_ = dropin.Systemctl(ctx, "stop", "--", unitName)
	}
}
