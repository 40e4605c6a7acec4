//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// cvtsudoers is what cvtsudoers(1) makes of the rules of sudo with -f json and -e: aliases are replaced by what they stand for.
type cvtsudoers struct {
	Defaults []struct {
		Binding []json.RawMessage `json:"Binding"`
		Options []map[string]any  `json:"Options"`
	} `json:"Defaults"`
	Specs []struct {
		Users []map[string]any `json:"User_List"`
		Hosts []map[string]any `json:"Host_List"`
		Cmnds []struct {
			As       []map[string]any `json:"runasusers"`
			AsGroups []map[string]any `json:"runasgroups"`
			Options  []map[string]any `json:"Options"`
			Commands []map[string]any `json:"Commands"`
		} `json:"Cmnd_Specs"`
	} `json:"User_Specs"`
}

// Bounds of the rules of sudo.
const (
	maxSudoers   = 4 << 20
	maxSudoRules = 10_000
)

// sudo is the rules of sudo, read once. Callers do not change them.
func (s *Scan) sudo(ctx context.Context) ([]snapshot.SudoRule, snapshot.Fact) {
	s.sudoOnce.Do(func() { s.sudoRules, s.sudoRead = s.readSudo(ctx) })
	return s.sudoRules, s.sudoRead
}

// readSudo reads the rules of sudo by its own cvtsudoers.
func (s *Scan) readSudo(ctx context.Context) ([]snapshot.SudoRule, snapshot.Fact) {
	if _, err := s.Host.Lstat("/etc/sudoers"); gone(err) {
		return nil, snapshot.Fact{State: snapshot.Absent}
	}
	if !s.Host.Live() {
		return nil, snapshot.Fact{State: snapshot.Error, Reason: "the rules of sudo can only be read on a live host"}
	}
	program, err := s.Host.ExecutablePath("cvtsudoers")
	if err != nil {
		return nil, snapshot.Fact{State: snapshot.Error, Reason: "/etc/sudoers is there, and cvtsudoers of sudo, which reads it, is not"}
	}
	cmd := host.Command(ctx, program, "-f", "json", "-e", "/etc/sudoers")
	if given, all := s.sudoers(); !all { // it takes those too that sudo refuses
		cmd = host.Command(ctx, program, "-f", "json", "-e", "-")
		cmd.Stdin = bytes.NewReader(given)
	}
	var out, text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &text
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C"}
	if err := host.Run(cmd); err != nil {
		state := snapshot.Error
		if bytes.Contains(text.Bytes(), []byte("ermission denied")) {
			state = snapshot.Denied
		}
		return nil, snapshot.Fact{State: state, Reason: fmt.Sprintf("cvtsudoers: %v: %.200s", err, bytes.TrimSpace(text.Bytes()))}
	}
	rules, err := sudoRules(out.Bytes(), s.nodeName())
	if err != nil {
		return nil, snapshot.Fact{State: snapshot.Error, Reason: "cvtsudoers: " + err.Error()}
	}
	return rules, snapshot.Fact{State: snapshot.Present}
}

// nodeName is what the host calls itself, "" if that is not known.
func (s *Scan) nodeName() string {
	b, _ := s.Host.ReadFile("/proc/sys/kernel/hostname")
	return strings.TrimSpace(string(b))
}

// sudoRules reads what cvtsudoers prints.
func sudoRules(b []byte, hostname string) (list []snapshot.SudoRule, err error) {
	if len(b) > maxSudoers {
		return nil, fmt.Errorf("%w: more than %d bytes", errMalformed, maxSudoers)
	}
	var doc cvtsudoers
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, nil // a file of comments
	}
	read := json.NewDecoder(bytes.NewReader(mendedJSON(b)))
	read.UseNumber()
	if err := read.Decode(&doc); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	d := doc.defaults()
	for _, spec := range doc.Specs {
		here, known := thisHost(spec.Hosts, hostname)
		if !here {
			continue
		}
		for _, c := range spec.Cmnds {
			if len(list) == maxSudoRules {
				return nil, fmt.Errorf("%w: more than %d rules", errMalformed, maxSudoRules)
			}
			r := oneSudoRule(spec.Users, c.As, c.Options, c.Commands, d)
			if !known {
				r.Partly = "it is for some hosts alone"
			}
			for _, m := range c.AsGroups {
				group, ok := m["usergroup"].(string)
				if id, numbered := m["usergid"]; numbered {
					group, ok = fmt.Sprintf("#%v", id), true
				}
				if !ok {
					r.Partly = "its commands run with other groups"
				}
				r.AsGroups = append(r.AsGroups, negated(m)+group)
			}
			list = append(list, r)
		}
	}
	return list, nil
}

// What cvtsudoers prints that is no JSON: members of a list that are none of an object, and a list of nobody without a comma after it.
var (
	strayMember = lazily(`(?m)^(\s*)"(runcwd|runchroot|role|type|apparmor_profile|privs|limitprivs)": ("(?:[^"\\]|\\.)*")(,?)\s*$`)
	strayList   = lazily(`\](\s*"Host_List":)`)
)

func mendedJSON(b []byte) []byte {
	b = strayMember.ReplaceAll(b, []byte(`$1{"$2": $3}$4`))
	return strayList.ReplaceAll(b, []byte(`],$1`))
}

// thisHost says of members of a list of hosts whether it is for this one, and whether that is known.
func thisHost(hosts []map[string]any, name string) (is, known bool) {
	short, _, _ := strings.Cut(name, ".")
	for _, m := range slices.Backward(hosts) {
		text, ok := m["hostname"].(string)
		host := short
		if strings.Contains(text, ".") {
			host = name
		}
		fits, err := path.Match(strings.ToLower(text), strings.ToLower(host))
		switch {
		case text == "ALL", ok && err == nil && fits && name != "":
			return m["negated"] != true, true
		case !ok, err != nil, name == "", strings.ContainsAny(text, "[\\"), mayResolve(text, short):
			return true, false
		}
	}
	return false, true
}

// mayResolve says of a name with a domain that it may be the one that DNS has for a host: sudo asks for that with fqdn, which is on where it is built so (Debian).
func mayResolve(pattern, short string) bool {
	label, _, dotted := strings.Cut(pattern, ".")
	return dotted && (strings.EqualFold(label, short) || strings.ContainsAny(pattern, "*?"))
}

// followedOptions are those of a rule that decide nothing about who becomes whom, or are followed.
var followedOptions = []string{
	"authenticate", "setenv", "noexec", "log_input", "log_output", "log_subcmds", "send_mail", "mail_always", "sudoedit_follow", "command_timeout", "runcwd",
}

// sudoDefaults are the settings of sudo that say what a rule gives.
type sudoDefaults struct {
	password, setEnv bool
	partly           string // what is not followed
}

// defaults are the settings that are for everybody; those for some users, hosts or commands, and those that are not followed, are said.
func (doc *cvtsudoers) defaults() sudoDefaults {
	all := sudoDefaults{password: true}
	for _, d := range doc.Defaults {
		for _, o := range d.Options {
			for _, k := range []string{"targetpw", "rootpw", "runaspw", "noexec", "runas_default", "exempt_group", "runchroot", "intercept", "group_source", "match_group_by_gid"} {
				if v, ok := o[k]; ok && v != false {
					all.partly = "the default " + k + " is not followed"
				}
			}
			if o["env_reset"] == false {
				all.partly = "which variables are kept by default is not followed"
			}
			if names, ok := o["env_keep"].([]any); ok && o["operation"] != "list_remove" && slices.ContainsFunc(names, decidesPrograms) {
				all.partly = "the default env_keep keeps a variable by which programs run others"
			}
			_, password := o["authenticate"]
			_, setEnv := o["setenv"]
			switch {
			case len(d.Binding) > 0 && (password || setEnv):
				all.partly = "defaults for some users or commands say whether a password is asked for, or what is kept"
			case password:
				all.password = o["authenticate"] != false
			case setEnv:
				all.setEnv = o["setenv"] == true
			}
		}
	}
	return all
}

// keptByPackages are variables that distributions have in env_keep, by which no program runs another.
var keptByPackages = lazily(`^(?:COLORS|DISPLAY|HOSTNAME|HISTSIZE|KDEDIR|LS_COLORS|MAIL|PS1|PS2|QTDIR|USERNAME|LANG|LANGUAGE|LC_[A-Z*]+|_XKB_CHARSET|XAUTHORITY|XAUTHORIZATION|TZ|TERM|COLORTERM|` +
	`SSH_AUTH_SOCK|SSH_AGENT_PID|SSH_CONNECTION|SSH_CLIENT|SSH_TTY|[a-z]+_proxy|[A-Z]+_PROXY|DEBEMAIL|DEBFULLNAME|GPG_AGENT_INFO|LINES|COLUMNS|XDG_SESSION_COOKIE|MACHTYPE|WINDOWID)$`)

// decidesPrograms says of a variable that it is not known to leave alone what programs run.
func decidesPrograms(name any) bool {
	text, ok := name.(string)
	return !ok || !keptByPackages.MatchString(text)
}

// negated is a ! for a member that is kept out.
func negated(m map[string]any) string {
	if m["negated"] == true {
		return "!"
	}
	return ""
}

// oneContent is why a rule with a digest is not followed: who writes the program makes another one of it.
const oneContent = "it is for a program of one content alone"

// oneSudoRule is one rule; what it has that is not followed is said.
func oneSudoRule(users, as, options, commands []map[string]any, d sudoDefaults) snapshot.SudoRule {
	r := snapshot.SudoRule{Users: []string{}, Commands: []snapshot.SudoCommand{}, Password: d.password, SetEnv: d.setEnv, Partly: d.partly}
	partly := func(what string) { r.Partly = what }
	name := func(m map[string]any, into *[]string) {
		for _, k := range []struct{ key, prefix string }{{"username", ""}, {"usergroup", "%"}, {"userid", "#"}, {"usergid", "%#"}, {"netgroup", "+"}, {"nonunixgroup", "%:"}, {"nonunixgid", "%:#"}} {
			if v, ok := m[k.key]; ok {
				*into = append(*into, negated(m)+k.prefix+fmt.Sprint(v))
				return
			}
		}
		partly("it names somebody otherwise than by a user or a group")
	}
	for _, m := range users {
		name(m, &r.Users)
	}
	for _, m := range as {
		name(m, &r.As)
	}
	for _, o := range options {
		if v, ok := o["authenticate"].(bool); ok {
			r.Password = v
		}
		if v, ok := o["setenv"].(bool); ok {
			r.SetEnv = v
		}
		if o["noexec"] == true {
			partly("its commands are kept from running others (noexec)")
		}
		for _, k := range sortedKeys(o) {
			if !slices.Contains(followedOptions, k) {
				partly("its option " + k + " is not followed")
			}
		}
	}
	for _, m := range commands {
		text, ok := m["command"].(string)
		if !ok {
			partly("it has a command of a kind that is not followed")
			continue
		}
		if slices.ContainsFunc([]string{"sha224", "sha256", "sha384", "sha512"}, func(k string) bool { return m[k] != nil }) {
			partly(oneContent)
		}
		r.Commands = append(r.Commands, snapshot.SudoCommand{Text: text, Not: m["negated"] == true})
	}
	return r
}
