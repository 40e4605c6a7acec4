//go:build linux && !ringfence_portable

package checks

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// claudeFile is what of the settings of Claude Code is about its sandbox.
type claudeFile struct {
	Sandbox struct {
		Enabled                   *bool    `json:"enabled"`
		EnableWeakerNestedSandbox bool     `json:"enableWeakerNestedSandbox"`
		AllowUnsandboxedCommands  *bool    `json:"allowUnsandboxedCommands"`
		ExcludedCommands          []string `json:"excludedCommands"`
		Network                   struct {
			AllowAllUnixSockets bool `json:"allowAllUnixSockets"`
		} `json:"network"`
	} `json:"sandbox"`
}

// What an administrator sets for Claude Code: a file, and on top of it those of a directory in the order of their names (code.claude.com, managed settings).
const (
	claudeManaged    = "/etc/claude-code/managed-settings.json"
	claudeManagedDir = "/etc/claude-code/managed-settings.d/[^.]*.json"
)

// claudeSandbox reads the settings of Claude Code. The last that says something counts, so that a project's file can switch off what the user has on.
func (s *Scan) claudeSandbox(p *process, b *snapshot.AgentSandbox) {
	files, more, err := s.claudeSettings(p)
	if err != nil {
		b.Configured = snapshot.Fact{State: snapshot.Error, Reason: err.Error()}
		return
	}
	configured := snapshot.Fact{State: snapshot.Present, Value: "off"}
	if more {
		configured = snapshot.Fact{State: snapshot.Error, Reason: claudeManagedDir + ": not every file was read"}
	}
	for _, f := range files {
		var c claudeFile
		err := f.err
		if err == nil && json.Unmarshal(f.text, &c) != nil {
			err = errMalformedSettings
		}
		if err != nil {
			configured, b.From = snapshot.Fact{State: snapshot.Error, Reason: f.path + ": " + cause(err).Error()}, f.path
			continue
		}
		if on := c.Sandbox.Enabled; on != nil {
			if !*on && configured.Value == "on" && f.of == "project" {
				b.Overridden = b.From
			}
			if *on {
				b.Overridden = ""
			}
			configured, b.From = present("%s", onOff(*on)), f.path
		}
		b.Weak = append(b.Weak, c.weak()...)
	}
	slices.Sort(b.Weak)
	b.Weak, b.Configured = slices.Compact(b.Weak), configured
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// weak names the settings that let commands out of the sandbox, or parts of the host into it.
func (c *claudeFile) weak() (list []string) {
	if c.Sandbox.EnableWeakerNestedSandbox {
		list = append(list, "enableWeakerNestedSandbox")
	}
	if len(c.Sandbox.ExcludedCommands) > 0 {
		list = append(list, "excludedCommands")
	}
	if c.Sandbox.Network.AllowAllUnixSockets {
		list = append(list, "network.allowAllUnixSockets")
	}
	return list
}

// srtSettings reads what weakens the sandbox of srt, which has no setting to be off.
func (s *Scan) srtSettings(p *process, b *snapshot.AgentSandbox) {
	env, err := s.environ(p)
	if err != nil && !gone(err) {
		return // the file weakens at most, and what is measured counts
	}
	file := argument(p.argv, "--settings")
	if file == "" {
		file = path.Join(s.homeOf(p, env, "", ""), ".srt-settings.json")
	} else if cwd, err := s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID)); err == nil && !path.IsAbs(file) {
		file = path.Join(cwd, file)
	}
	var c struct {
		Weaker  bool `json:"enableWeakerNestedSandbox"`
		Network struct {
			All bool `json:"allowAllUnixSockets"`
		} `json:"network"`
	}
	text, _, err := s.readNamed(p, file)
	if err != nil || json.Unmarshal(text, &c) != nil {
		return
	}
	if c.Weaker {
		b.Weak = append(b.Weak, "enableWeakerNestedSandbox")
	}
	if c.Network.All {
		b.Weak = append(b.Weak, "network.allowAllUnixSockets")
	}
}

// homeOf is the directory of an agent's settings: what a variable says, or one in the home of its user.
func (s *Scan) homeOf(p *process, env map[string]string, variable, dir string) string {
	if v := env[variable]; variable != "" && path.IsAbs(v) {
		return v
	}
	home := env["HOME"]
	if !path.IsAbs(home) {
		home = "/"
		for _, u := range s.users() {
			if u.uid == p.UID {
				home = u.home
			}
		}
	}
	return path.Join(home, dir)
}

// openClawSandbox is what the configuration of a gateway says: on is for every session, else some run on the host.
func openClawSandbox(a *snapshot.Agent, b *snapshot.AgentSandbox) {
	switch {
	case a.Config == nil || a.ConfigRead.State != snapshot.Present && a.ConfigRead.State != snapshot.Absent:
		b.Configured = snapshot.Fact{State: snapshot.Error, Reason: a.ConfigRead.Reason}
	case a.Config.Sandbox == "all" && len(a.Config.WeakAgents) == 0:
		b.Configured, b.From = present("on"), a.Config.Path
	case a.Config.Sandbox == "unknown":
		b.Configured = snapshot.Fact{State: snapshot.Error, Reason: a.Config.Path + " has a mode that is not known"}
	default:
		b.Configured, b.From = present("off"), a.Config.Path
	}
}

// lacksForSandbox names what a sandbox of bubblewrap cannot do without, as the agent would find it.
func (s *Scan) lacksForSandbox(p *process, runtime string) (list []string) {
	needs := []string{"bwrap"}
	switch runtime {
	case "codex":
		needs = nil // it brings one
	case "claude-code", "sandbox-runtime":
		needs = append(needs, "socat")
	}
	for _, name := range needs {
		if !slices.ContainsFunc([]string{"/usr/bin", "/usr/local/bin", "/bin", "/usr/sbin", "/run/current-system/sw/bin"}, func(dir string) bool {
			_, err := s.Host.StatIn(p.PID, path.Join(dir, name))
			return err == nil || !gone(err)
		}) {
			list = append(list, "the program "+name)
		}
	}
	if p.UID == 0 {
		return list
	}
	for _, k := range []struct{ file, off, why string }{
		{"/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces is 0"},
		{"/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone is 0"},
	} {
		if b, err := s.Host.ReadFile(k.file); err == nil && strings.TrimSpace(string(b)) == k.off {
			list = append(list, "user namespaces ("+k.why+")")
		}
	}
	return list
}
