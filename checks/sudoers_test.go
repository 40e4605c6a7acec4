//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestAdministrators: who becomes root, by groups and by rules of sudo about every command as root.
func TestAdministrators(t *testing.T) {
	all := []snapshot.SudoCommand{{Text: "ALL"}}
	rule := func(user string, as []string, commands []snapshot.SudoCommand, partly string) []snapshot.SudoRule {
		return []snapshot.SudoRule{{Users: []string{user}, As: as, Commands: commands, Partly: partly}}
	}
	for name, c := range map[string]struct {
		uid    int
		groups []string
		rules  []snapshot.SudoRule
		want   bool
	}{
		"root":              {0, nil, nil, true},
		"a user":            {1000, []string{"users"}, nil, false},
		"of the group":      {1000, []string{"users", "wheel"}, nil, true},
		"by a rule":         {1000, nil, rule("a", []string{"ALL"}, all, ""), true},
		"as nobody says":    {1000, nil, rule("a", nil, all, ""), true},
		"a group's rule":    {1000, []string{"ops"}, rule("%ops", []string{"root"}, all, ""), true},
		"another's":         {1000, nil, rule("b", nil, all, ""), false},
		"one command":       {1000, nil, rule("a", nil, []snapshot.SudoCommand{{Text: "/usr/bin/id"}}, ""), false},
		"as somebody else":  {1000, nil, rule("a", []string{"postgres"}, all, ""), false},
		"all but a command": {1000, nil, rule("a", nil, []snapshot.SudoCommand{{Text: "ALL"}, {Text: "/bin/sh", Not: true}}, ""), false},
		"not followed":      {1000, nil, rule("a", nil, all, "it is for some hosts alone"), false},
		"everybody":         {1000, nil, rule("ALL", nil, all, ""), false},
	} {
		if got := administrator(user{name: "a", uid: c.uid}, c.groups, sudoers(c.rules)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
