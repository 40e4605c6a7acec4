//go:build linux && !ringfence_portable

package checks

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

var errMalformedSettings = errors.New("it is malformed")

// claudeLayer is a file of settings of Claude Code that is there: whose it is, and its text or why it was not read.
type claudeLayer struct {
	path, of string
	text     []byte
	err      error
}

// claudeSettings are the settings of Claude Code in the order in which they give way: the user's, the project's, its local ones, those of the
// command line, the administrator's. --setting-sources leaves some of the first three out. more is true if not all of them were read.
func (s *Scan) claudeSettings(p *process) (list []claudeLayer, more bool, err error) {
	env, err := s.environ(p)
	if err != nil && !gone(err) {
		return nil, false, fmt.Errorf("its environment, which names its settings, was not read: %w", cause(err))
	}
	dir := s.homeOf(p, env, "CLAUDE_CONFIG_DIR", ".claude")
	cwd, err := s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID))
	if err != nil {
		return nil, false, fmt.Errorf("its working directory, which has settings, was not read: %w", cause(err))
	}
	var files []claudeLayer
	sources := optionValues(p.argv, "--setting-sources")
	add := func(source, of, file string) {
		if len(sources) == 0 || slices.Contains(strings.FieldsFunc(last(sources), func(r rune) bool { return r == ',' || r == ' ' }), source) {
			files = append(files, claudeLayer{path: file, of: of})
		}
	}
	add("user", "user", path.Join(dir, "settings.json"))
	add("project", "project", path.Join(cwd, ".claude/settings.json"))
	add("local", "project", path.Join(cwd, ".claude/settings.local.json"))
	switch v := argument(p.argv, "--settings"); {
	case strings.HasPrefix(strings.TrimSpace(v), "{"):
		files = append(files, claudeLayer{path: "--settings", of: "arguments", text: []byte(v)})
	case path.IsAbs(v):
		files = append(files, claudeLayer{path: v, of: "arguments"})
	case v != "":
		files = append(files, claudeLayer{path: path.Join(cwd, v), of: "arguments"})
	}
	managed, more := s.globIn(p, claudeManagedDir)
	slices.Sort(managed)
	for _, f := range append([]string{claudeManaged}, managed...) {
		files = append(files, claudeLayer{path: f, of: "administrator"})
	}
	for _, f := range files {
		if f.text == nil {
			f.text, _, f.err = s.readNamed(p, f.path)
		}
		// An empty file says nothing: its sandbox leaves some where it has something over files that are not there.
		if !gone(f.err) && (f.err != nil || strings.TrimSpace(string(f.text)) != "") {
			list = append(list, f)
		}
	}
	return list, more, nil
}

// claudePermissions is what settings of Claude Code say of asking.
type claudePermissions struct {
	Permissions struct {
		DefaultMode string `json:"defaultMode"`
		Disable     string `json:"disableBypassPermissionsMode"`
		Allow       any    `json:"allow"`
		Ask         any    `json:"ask"`
		Deny        any    `json:"deny"`
	} `json:"permissions"`
	Sandbox struct {
		Enabled     *bool `json:"enabled"`
		Unsandboxed *bool `json:"allowUnsandboxedCommands"`
	} `json:"sandbox"`
}

const (
	claudeBypass   = "bypassPermissions"
	claudeAllowing = "permissions.allow has Bash"
)

// allCommands says of a list of permissions that it has those of every command.
func allCommands(v any) bool {
	list, _ := v.([]any)
	return slices.ContainsFunc(list, func(e any) bool { return e == "Bash" || e == "Bash(*)" })
}

// claudeRules are what the settings of Claude Code say of all commands, each file on top of those before it: one that asks or denies counts before
// all that allow. In a sandbox that no command may leave nothing is asked for.
type claudeRules struct {
	files          []string // that allow them
	option, asks   bool
	sandbox, stays bool
}

func (r *claudeRules) add(c *claudePermissions, from string) {
	if allCommands(c.Permissions.Allow) {
		r.files = append(r.files, from)
	}
	r.asks = r.asks || allCommands(c.Permissions.Ask) || allCommands(c.Permissions.Deny)
	if on := c.Sandbox.Enabled; on != nil {
		r.sandbox = *on
	}
	if on := c.Sandbox.Unsandboxed; on != nil {
		r.stays = !*on
	}
}

// off says that commands run without a question, outside of a sandbox.
func (r *claudeRules) off() bool {
	return (r.option || len(r.files) > 0) && !r.asks && !(r.sandbox && r.stays)
}

// options adds what options allow and deny: words after each, up to the next option, parted by commas or blanks.
func (r *claudeRules) options(argv []string) {
	has := func(names ...string) bool {
		for i := range argv {
			name, value, _ := strings.Cut(argv[i], "=")
			if !slices.Contains(names, name) {
				continue
			}
			for _, a := range argv[i+1:] {
				if strings.HasPrefix(a, "-") {
					break
				}
				value += " " + a
			}
			words := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
			if slices.Contains(words, "Bash") || slices.Contains(words, "Bash(*)") {
				return true
			}
		}
		return false
	}
	r.option = has("--allowedTools", "--allowed-tools")
	r.asks = r.asks || has("--disallowedTools", "--disallowed-tools")
}

// claudeBrake is what a running Claude Code acts without asking by, if it is not the file of an account, which is said by itself. Each file can
// forbid a mode that never asks, also to an option; an option counts before the files, and of these the last (2.1.197: a project's counts too with -p).
func (s *Scan) claudeBrake(p *process) (how string, err error) {
	mode, from, rules := "", "", new(claudeRules)
	if words := optionValues(p.argv, "--permission-mode"); len(words) > 0 {
		mode, from = last(words), "--permission-mode "+claudeBypass
	}
	if slices.Contains(p.argv, "--dangerously-skip-permissions") {
		mode, from = claudeBypass, "--dangerously-skip-permissions"
	}
	option, forbidden := mode != "", false
	rules.options(p.argv)
	files, more, unread := s.claudeSettings(p)
	if more {
		unread = errors.New(claudeManagedDir + ": not every file was read")
	}
	for _, f := range files {
		var c claudePermissions
		switch malformed := f.err == nil && json.Unmarshal(f.text, &c) != nil; {
		case f.err != nil, malformed && !option: // what is malformed forbids nothing
			unread = fmt.Errorf("%s: %w", f.path, cmpErr(f.err))
			continue
		case malformed:
			continue
		case !option && c.Permissions.DefaultMode != "":
			mode, from = c.Permissions.DefaultMode, f.path
		}
		forbidden = forbidden || c.Permissions.Disable == "disable"
		rules.add(&c, f.path)
	}
	bypasses := mode == claudeBypass && !forbidden
	isHome := func(file string) bool { return s.isHomeFile(file, ".claude/settings.json") }
	switch {
	case unread != nil && !gone(unread):
		return "", unread
	case bypasses && option:
		return from, nil
	case bypasses && !isHome(from):
		return from + " (" + claudeBypass + ")", nil
	case bypasses || !rules.off():
		return "", nil
	case rules.option:
		return "--allowedTools Bash", nil
	}
	if at := slices.IndexFunc(rules.files, func(file string) bool { return !isHome(file) }); at >= 0 {
		return rules.files[at] + " (" + claudeAllowing + ")", nil
	}
	return "", nil
}

// cmpErr is why a file was not read, or that it is malformed.
func cmpErr(err error) error {
	if err == nil {
		return errMalformedSettings
	}
	return cause(err)
}
