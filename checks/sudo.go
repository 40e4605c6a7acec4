//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

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
	rules, err := sudoRules(out.Bytes())
	if err != nil {
		return nil, snapshot.Fact{State: snapshot.Error, Reason: "cvtsudoers: " + err.Error()}
	}
	return rules, snapshot.Fact{State: snapshot.Present}
}

// sudoRules reads what cvtsudoers prints.
func sudoRules(b []byte) (list []snapshot.SudoRule, err error) {
	if len(b) > maxSudoers {
		return nil, fmt.Errorf("%w: more than %d bytes", errMalformed, maxSudoers)
	}
	var doc cvtsudoers
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	password, defaults := true, ""
	for _, d := range doc.Defaults {
		for _, o := range d.Options {
			if v, ok := o["authenticate"].(bool); ok && len(d.Binding) == 0 {
				password = v
			} else if ok {
				defaults = "defaults for some users or commands say whether a password is asked for"
			}
			for _, k := range []string{"env_keep", "targetpw", "rootpw", "runaspw"} {
				if o[k] == true {
					defaults = "the default " + k + " is not followed"
				}
			}
		}
	}
	for _, spec := range doc.Specs {
		for _, c := range spec.Cmnds {
			if len(list) == maxSudoRules {
				return nil, fmt.Errorf("%w: more than %d rules", errMalformed, maxSudoRules)
			}
			list = append(list, oneSudoRule(spec.Users, spec.Hosts, c.As, c.Options, c.Commands, password, defaults))
		}
	}
	return list, nil
}

// oneSudoRule is one rule; what it has that is not followed is said.
func oneSudoRule(users, hosts, as, options, commands []map[string]any, password bool, defaults string) snapshot.SudoRule {
	r := snapshot.SudoRule{Users: []string{}, Commands: []snapshot.SudoCommand{}, Password: password, Partly: defaults}
	partly := func(what string) { r.Partly = what }
	name := func(m map[string]any, into *[]string) {
		for _, k := range []struct{ key, prefix string }{{"username", ""}, {"usergroup", "%"}, {"userid", "#"}, {"usergid", "%#"}} {
			if v, ok := m[k.key]; ok {
				*into = append(*into, k.prefix+fmt.Sprint(v))
				if m["negated"] == true {
					partly("it leaves somebody out")
				}
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
	if !slices.ContainsFunc(hosts, func(m map[string]any) bool { return m["hostname"] == "ALL" && m["negated"] != true }) {
		partly("it is for some hosts alone")
	}
	for _, o := range options {
		if v, ok := o["authenticate"].(bool); ok {
			r.Password = v
		}
		if o["setenv"] == true {
			r.SetEnv = true
		}
		if o["noexec"] == true {
			partly("its commands are kept from running others (noexec)")
		}
	}
	for _, m := range commands {
		text, ok := m["command"].(string)
		if !ok {
			partly("it has a command of a kind that is not followed")
			continue
		}
		r.Commands = append(r.Commands, snapshot.SudoCommand{Text: text, Not: m["negated"] == true})
	}
	return r
}
