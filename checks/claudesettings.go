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
	} `json:"permissions"`
}

const claudeBypass = "bypassPermissions"

// claudeBrake is what a running Claude Code acts without asking by, if it is not the file of an account, which is said by itself. Each file can
// forbid that, also to an option; an option counts before the files, and of these the last (2.1.197: a project's counts too with -p).
func (s *Scan) claudeBrake(p *process) (how string, err error) {
	mode, from := "", ""
	if words := optionValues(p.argv, "--permission-mode"); len(words) > 0 {
		mode, from = last(words), "--permission-mode "+claudeBypass
	}
	if slices.Contains(p.argv, "--dangerously-skip-permissions") {
		mode, from = claudeBypass, "--dangerously-skip-permissions"
	}
	option := mode != ""
	files, more, unread := s.claudeSettings(p)
	if more {
		unread = errors.New(claudeManagedDir + ": not every file was read")
	}
	for _, f := range files {
		var c claudePermissions
		switch malformed := f.err == nil && json.Unmarshal(f.text, &c) != nil; {
		case f.err != nil, malformed && !option: // what is malformed forbids nothing
			unread = fmt.Errorf("%s: %w", f.path, cmpErr(f.err))
		case c.Permissions.Disable == "disable":
			return "", nil
		case !option && c.Permissions.DefaultMode != "":
			mode, from = c.Permissions.DefaultMode, f.path
		}
	}
	switch {
	case option && mode != claudeBypass:
		return "", nil
	case unread != nil && !gone(unread):
		return "", unread
	case mode != claudeBypass || !option && s.isHomeFile(from, ".claude/settings.json"):
		return "", nil
	case !option:
		return from + " (" + claudeBypass + ")", nil
	}
	return from, nil
}

// cmpErr is why a file was not read, or that it is malformed.
func cmpErr(err error) error {
	if err == nil {
		return errMalformedSettings
	}
	return cause(err)
}
