//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// brake is an option or a variable by which an agent is started without brakes, in the data file.
type brake struct {
	Arg   string `json:"arg"`   // pattern of the arguments as one line
	Not   bool   `json:"not"`   // it has none where the pattern is not there, by its default
	Since string `json:"since"` // the version from which on that is so
	Env   string `json:"env"`   // variable with a value of true
	Off   string `json:"off"`   // approvals, sandbox, both
	How   string `json:"how"`
	argR  *regexp.Regexp
}

// maxHomes bounds the accounts whose homes are looked at, maxBrakes and maxAgentFiles what is kept.
const (
	maxHomes      = 500
	maxBrakes     = 500
	maxAgentFiles = 500
)

// isTrue says of a variable that it switches something on.
func isTrue(v string) bool {
	return slices.Contains([]string{"1", "true", "yes", "on", "y"}, strings.ToLower(strings.TrimSpace(v)))
}

// titled says of a process that a title took the place of its arguments: one word, where an interpreter runs a script.
func (p *process) titled() bool {
	return len(p.argv) == 1 && !strings.Contains(strings.TrimSpace(p.argv[0]), " ") && interpreters.MatchString(p.exeBase()) && path.Base(p.argv[0]) != p.exeBase()
}

// brakesOf is how a running agent was started without brakes.
func (s *Scan) brakesOf(pt *pattern, p *process) (list []snapshot.AgentBrake) {
	if len(pt.Brakes) == 0 && pt.Name != "claude-code" {
		return nil
	}
	add := func(b brake) {
		list = append(list, snapshot.AgentBrake{
			Runtime: pt.Name, Title: pt.Title, PID: p.PID, UID: p.UID, User: s.userName(p.UID), Container: p.Container, Off: b.Off, How: b.How,
		})
	}
	unread := func(why string) {
		add(brake{})
		list[len(list)-1].Unread = why
	}
	line := brakeLine(p.argv, pt.Yargs)
	var env map[string]string
	for _, b := range pt.Brakes {
		switch {
		case b.Not:
		case b.argR != nil && b.argR.MatchString(line):
			b.How = strings.TrimSpace(b.argR.FindString(line)) // of words that the pattern knows
			asks, err := false, error(nil)
			if geminiKinds[pt.Name].dir != "" && strings.Contains(b.Arg, "yolo") {
				asks, err = s.geminiAsks(pt.Name, p, line)
			}
			if err != nil {
				unread(err.Error())
			} else if !asks {
				add(b)
			}
		case b.Env != "":
			if env == nil {
				var err error
				if env, err = s.environ(p); err != nil && !gone(err) {
					unread("its environment was not read: " + cause(err).Error())
					env = map[string]string{}
				}
			}
			if isTrue(env[b.Env]) {
				add(b)
			}
		}
	}
	switch {
	case len(list) > 0:
	case p.cut || p.setID:
		unread("its arguments were not read whole")
	case pt.Name == "claude-code" && !p.titled():
		if how, err := s.claudeBrake(p); err != nil {
			unread(err.Error())
		} else if how != "" {
			add(brake{Off: "approvals", How: how})
		}
	case pt.Name == "codex":
		if how, err := s.codexBrake(p); err != nil {
			unread(err.Error())
		} else if how != "" {
			add(brake{Off: "sandbox", How: how})
		}
	case pt.Name == "opencode" && !(len(p.argv) > 1 && p.argv[1] == "attach"): // its server runs the commands
		if how, err := s.openCodeBrake(p); err != nil {
			unread(err.Error())
		} else if how != "" {
			add(brake{Off: "approvals", How: how})
			list[len(list)-1].Default = how == openCodeDefault
		}
	case pt.Name == "aider" && !p.titled():
		if how, err := s.aiderBrake(p); err != nil {
			unread(err.Error())
		} else if how != "" {
			add(brake{Off: "approvals", How: how})
		}
	case geminiFiles[pt.Name] != "" && !p.titled():
		err := s.geminiProject(pt.Name, p)
		if err == nil && pt.Name == "gemini-cli" {
			err = s.geminiRules(p)
		}
		if err != nil {
			unread(err.Error())
		}
	case p.titled():
		unread("a title is in the place of its arguments")
	default:
		for _, b := range pt.Brakes {
			if !b.Not || b.argR.MatchString(line) {
				continue
			}
			v := s.versionOf(pt, p)
			switch n := versionNumbers(v.Value); {
			case v.State != snapshot.Present || n == nil:
				unread("whether it asks by default hangs on its version: " + v.Reason)
			case slices.Compare(n, versionNumbers(b.Since)) >= 0:
				add(b)
				list[len(list)-1].Default = true
			}
		}
	}
	return list
}

// userName is the name of an account, "" for one that has none.
func (s *Scan) userName(uid int) string {
	for _, u := range s.users() {
		if u.uid == uid {
			return u.name
		}
	}
	return ""
}

// homes are the accounts that people and agents work as: root, and those that have a home of their own.
func (s *Scan) homes() (list []user, more bool) {
	seen := map[string]bool{}
	for _, u := range s.users() {
		home := path.Clean(u.home)
		if !path.IsAbs(home) || seen[home] || u.uid != 0 && u.uid < 1000 && !strings.HasPrefix(home, "/home/") || home == "/" || home == "/nonexistent" {
			continue
		}
		if st, err := s.Host.Stat(home); err != nil || !st.IsDir {
			continue
		}
		if len(list) >= maxHomes {
			return list, true
		}
		seen[home] = true
		list = append(list, user{name: u.name, home: home, shell: u.shell, uid: u.uid, gid: u.gid})
	}
	return list, false
}

// setting is a file of an agent in a home, and what of it takes the brakes off. managed is what the administrator forbids.
type setting struct {
	runtime, file string
	off           func(text string, managed map[string]bool) (off, how string, err error)
}

var settings = []setting{
	{"claude-code", ".claude/settings.json", claudeBrakes},
	{"codex", ".codex/config.toml", codexBrakes},
	{"aider", aiderFile, aiderBrakes},
	{"hermes", ".hermes/config.yaml", hermesBrakes},
	{"gemini-cli", ".gemini/settings.json", geminiBrakes},
	{"qwen-code", ".qwen/settings.json", qwenBrakes},
}

// claudeAsks is that the administrator has Claude Code ask before each command, or keeps it in its sandbox.
const claudeAsks = "claude-code asks"

func claudeBrakes(text string, managed map[string]bool) (off, how string, err error) {
	var f claudePermissions
	if json.Unmarshal([]byte(text), &f) != nil {
		return "", "", errMalformed
	}
	if f.Permissions.DefaultMode == claudeBypass && f.Permissions.Disable != "disable" && !managed["claude-code"] {
		return "approvals", "permissions.defaultMode is " + claudeBypass, nil
	}
	r := new(claudeRules)
	if r.add(&f, ""); r.off() && !managed[claudeAsks] {
		return "approvals", claudeAllowing, nil
	}
	return "", "", nil
}

func codexBrakes(text string, managed map[string]bool) (off, how string, err error) {
	t := codexText(text)
	c := cmp.Or(t.older("sandbox_mode of its profile", ""), t.choice("its mode"))
	if c.full() && !managed["codex"] {
		return "sandbox", c.from + " is " + codexFull, nil
	}
	return "", "", nil
}

func aiderBrakes(text string, _ map[string]bool) (off, how string, err error) {
	_, yes, err := aiderAnswers(text)
	if err != nil || !yes {
		return "", "", err
	}
	return "approvals", "yes-always is true", nil
}

func hermesBrakes(text string, _ map[string]bool) (off, how string, err error) {
	return yamlBrakes(text, []string{"approvals", "mode"}, "off", "approvals.mode is off")
}

// yamlBrakes compares one setting of a file of YAML, in which off can be a word or a truth value.
func yamlBrakes(text string, keys []string, want any, how string) (off, told string, err error) {
	var m map[string]any
	if len(text) > maxYAML || yaml.Unmarshal([]byte(text), &m) != nil {
		return "", "", errMalformed
	}
	v := valueAt(m, keys...)
	if v == want || want == "off" && v == false {
		return "approvals", how, nil
	}
	return "", "", nil
}

// managed is what root forbids to agents of all users: taking the brakes off.
func (s *Scan) managed() map[string]bool {
	m := map[string]bool{}
	more, _ := s.Host.Glob(claudeManagedDir) // what is not read forbids nothing
	slices.Sort(more)
	rules := new(claudeRules)
	for _, file := range append([]string{claudeManaged}, more...) {
		var f claudePermissions
		if b, err := s.rootFile(file); err == nil && json.Unmarshal(b, &f) == nil {
			if f.Permissions.Disable != "" {
				m["claude-code"] = f.Permissions.Disable == "disable"
			}
			rules.add(&f, file)
		}
	}
	m[claudeAsks] = rules.asks || rules.sandbox && rules.stays
	if b, err := s.rootFile("/etc/codex/requirements.toml"); err == nil {
		modes := tomlValues(string(b), "", "allowed_sandbox_modes")
		m["codex"] = len(modes) > 0 && !slices.Contains(modes, "danger-full-access")
	}
	return m
}

// rootFile reads a file that root alone can write.
func (s *Scan) rootFile(file string) ([]byte, error) {
	if a, _, err := s.Host.Author(file); err != nil {
		return nil, err
	} else if !a.Root() {
		return nil, fmt.Errorf("%s can be written by others than root", file)
	}
	return s.Host.ReadFile(file)
}

// readAs reads a file that an account names, with its rights, for as long as there is patience with it.
func (s *Scan) readAs(u *user, file string) ([]byte, error) {
	return patient(s, uidParty(u.uid), func() ([]byte, error) {
		b, _, err := s.Host.ReadNamed(&host.Principal{UID: u.uid, GID: u.gid}, file)
		return b, err
	})
}

// findBrakes adds what the settings of accounts say, for agents that will be started by them.
func (s *Scan) findBrakes(sec *snapshot.Agents, patterns []*pattern) {
	titles := map[string]string{"hermes": "Hermes agent"}
	for _, pt := range patterns {
		titles[pt.Name] = pt.Title
	}
	read := present("settings")
	managed := s.managed()
	users, more := s.homes()
	if more {
		read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("there are more than %d homes", maxHomes)}
	}
	for _, u := range users {
		if b, ok := s.openCodeHome(&u); ok && len(sec.Brakes) < maxBrakes {
			sec.Brakes = append(sec.Brakes, b)
		}
		files := slices.Clone(settings)
		rules, more := s.Host.Glob(path.Join(u.home, geminiPolicies))
		for _, file := range rules[:min(len(rules), maxPolicies)] {
			files = append(files, setting{"gemini-cli", strings.TrimPrefix(file, u.home+"/"), geminiRulesOf})
		}
		if more || len(rules) > maxPolicies {
			read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("there are more rules of Gemini CLI in %s than were read", u.home)}
		}
		for _, f := range files {
			file := path.Join(u.home, f.file)
			b, err := s.readAs(&u, file)
			if gone(err) {
				continue
			}
			var off, how string
			if err == nil {
				off, how, err = f.off(string(b), managed)
			}
			switch {
			case len(sec.Brakes) >= maxBrakes:
				read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("there are more than %d settings", maxBrakes)}
			case err != nil:
				sec.Brakes = append(sec.Brakes, snapshot.AgentBrake{
					Runtime: f.runtime, Title: titles[f.runtime], UID: u.uid, User: u.name, File: file, Unread: cause(err).Error(),
				})
			case off != "":
				sec.Brakes = append(sec.Brakes, snapshot.AgentBrake{
					Runtime: f.runtime, Title: titles[f.runtime], UID: u.uid, User: u.name, File: file, Off: off, How: how,
				})
			}
		}
	}
	sec.BrakesRead = &read
}
