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

// writeRules writes the ruleset that a boot loads.
func (d Disk) writeRules(text string) error {
	if err := host.MakeDir(d.path(filepath.Dir(rulesFile)), 0o755); err != nil {
		return fmt.Errorf("persist: %w", err)
	}
	return d.write(rulesFile, text, 0o600)
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
		if err := d.write(name, text, 0o644); err != nil {
			return err
		}
	}
	if err := os.Symlink(links[wanted], d.path(wanted)); err != nil && !errors.Is(err, fs.ErrExist) {
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
	if list := d.theirs(rollbackFile, rollbackLink); len(list) > 0 {
		return fmt.Errorf("arm the next boot: %w", &StrangeError{list})
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
	if err := d.write(rollbackFile, text, 0o644); err != nil {
		return err
	}
	if err := os.Symlink(links[rollbackLink], d.path(rollbackLink)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("arm the next boot: %w", err)
	}
	return nil
}

// Disarm removes what ArmBoot made.
func (d Disk) Disarm() error { return d.removeOurs(rollbackLink, rollbackFile) }

// bootFiles are those of Persist.
var bootFiles = []string{rulesFile, unitFile, wanted, againFile}

// Persists says whether the next boot has anything of a fix, and what it lacks to load this plan; "" is nothing.
func (d Disk) Persists(p *remedy.Plan, id string) (some bool, lacks string) {
	for _, name := range bootFiles {
		switch whose := d.whose(name); {
		case whose == wroteIt:
			some = true
		case lacks != "":
		case whose == nobodys:
			lacks = fmt.Sprintf("%s is not there", d.path(name))
		default:
			lacks = fmt.Sprintf("%s is not as it was written", d.path(name))
		}
	}
	if lacks != "" || p == nil {
		return some, lacks
	}
	for name, begin := range map[string]string{unitFile: "ExecStart=", againFile: "ExecStartPost=-"} {
		command, err := d.loads(name, begin)
		if err != nil {
			return some, fmt.Sprintf("%s does not load it: %s", d.path(name), err)
		}
		if strings.HasSuffix(command, d.RulesFile()) && !d.holds(p, id) {
			return some, fmt.Sprintf("%s is not what was confirmed", d.path(rulesFile))
		}
	}
	return some, ""
}

// holds says whether the file of the ruleset is that of a plan.
func (d Disk) holds(p *remedy.Plan, id string) bool {
	text, ok := d.written(rulesFile)
	return ok && (text == p.MarkedRuleset(id) || text == p.Ruleset)
}

// loads is the command by which a file of Enable has the ruleset loaded.
func (d Disk) loads(name, begin string) (string, error) {
	text, _ := d.written(name)
	for line := range strings.Lines(text) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), begin)
		if ok && (strings.HasSuffix(command, " -f "+d.RulesFile()) || strings.Contains(command, " fix load")) {
			return command, UnitCommand(command)
		}
	}
	return "", errors.New("it is not as it was written")
}

// sweep removes what a writer left behind that was killed.
func (d Disk) sweep(dirs ...string) {
	for _, dir := range dirs {
		names, err := host.Local().ReadDir(d.path(dir))
		if err != nil {
			continue
		}
		for _, name := range names {
			if strings.HasPrefix(name, ".ringfence-") {
				_ = os.Remove(filepath.Join(d.path(dir), name))
			}
		}
	}
}

// Unpersist removes every file of Persist that is ours.
func (d Disk) Unpersist(ctx context.Context) error {
	was := d.whose(unitFile) == wroteIt
	if was {
		d.stopUnit(ctx)
	}
	for _, name := range bootFiles {
		d.sweep(filepath.Dir(name))
	}
	err := d.removeOurs(bootFiles...)
	for _, name := range []string{rulesFile, againFile} {
		_ = os.Remove(d.path(filepath.Dir(name))) // stays where something else is in it
	}
	if was {
		err = errors.Join(err, d.reloadSystemd(ctx))
	}
	return err
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
