//go:build linux && !ringfence_portable

package remedy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
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
func (s Store) RulesFile() string { return s.path(rulesFile) }

// WriteRules writes the ruleset of a confirmed plan, which nothing loads yet.
func (s Store) WriteRules(p *Plan) error {
	if err := makeDir(s.path(filepath.Dir(rulesFile)), 0o755); err != nil {
		return fmt.Errorf("persist: %w", err)
	}
	return writeWhole(s.path(rulesFile), []byte(p.Ruleset), 0o600)
}

// plainCommand is of words that a unit, a shell and a person read in the same way.
var plainCommand = regexp.MustCompile(`^/[A-Za-z0-9_+.,:@/-]+( [A-Za-z0-9_+.,:@/=-]+)*$`)

// UnitCommand says why a command is not written into a unit of ours: it has characters that mean something else there, or others
// than root can write its program.
func UnitCommand(command string) error {
	if !plainCommand.MatchString(command) {
		return fmt.Errorf("the command %q has characters that mean something else in a unit: use paths of letters, digits and ._-", boundedText(command))
	}
	program, _, _ := strings.Cut(command, " ")
	return rootsAlone(program)
}

// Enable has a command run at boot that loads the ruleset. Only a confirmed plan is: until then a reboot is
// a rollback.
func (s Store) Enable(load string) error {
	if err := UnitCommand(load); err != nil {
		return fmt.Errorf("persist: %w", err)
	}
	for _, name := range []string{wanted, againFile} {
		if err := makeDir(s.path(filepath.Dir(name)), 0o755); err != nil {
			return fmt.Errorf("persist: %w", err)
		}
	}
	for name, text := range map[string]string{unitFile: unit(load), againFile: again(load)} {
		if err := writeWhole(s.path(name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := os.Symlink("../"+unitName, s.path(wanted)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("persist: %w", err)
	}
	return s.reloadSystemd()
}

// rollbackUnit takes back at boot what was on trial when the host went down.
const (
	rollbackUnit = "ringfence-rollback.service"
	rollbackFile = "etc/systemd/system/" + rollbackUnit
	rollbackLink = "etc/systemd/system/sysinit.target.wants/" + rollbackUnit
)

// ArmBoot has a command run at the next boot that takes a drop-in on trial back: other than rules, files
// outlive a reboot.
func (s Store) ArmBoot(command string) error {
	if err := UnitCommand(command); err != nil {
		return fmt.Errorf("arm the next boot: %w", err)
	}
	if err := makeDir(s.path(filepath.Dir(rollbackLink)), 0o755); err != nil {
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
	if err := writeWhole(s.path(rollbackFile), []byte(text), 0o644); err != nil {
		return err
	}
	if err := os.Symlink("../"+rollbackUnit, s.path(rollbackLink)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("arm the next boot: %w", err)
	}
	return nil
}

// disarmBoot removes what ArmBoot made.
func (s Store) disarmBoot() error {
	return errors.Join(ignoreMissing(os.Remove(s.path(rollbackLink))), ignoreMissing(os.Remove(s.path(rollbackFile))))
}

// Unpersist removes every file of WriteRules and Enable.
func (s Store) Unpersist() error {
	was := exists(s.path(unitFile))
	if was {
		s.stopUnit()
	}
	var errs []error
	for _, name := range []string{rulesFile, unitFile, wanted, againFile} {
		if err := os.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for _, name := range []string{rulesFile, againFile} {
		_ = os.Remove(s.path(filepath.Dir(name))) // stays where something else is in it
	}
	if was {
		errs = append(errs, s.reloadSystemd())
	}
	return errors.Join(errs...)
}

// Uninstall removes everything that was ever installed: tables, state and what is loaded at boot.
func (s Store) Uninstall(st *State) error {
	err := s.Undo(st)
	_ = os.Remove(s.path(stateDir))
	return errors.Join(err, ignoreMissing(os.Remove(s.path(lockFile))))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
