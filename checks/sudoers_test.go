//go:build linux && !ringfence_portable

package checks

import "testing"

// TestAdministrators: who becomes root, by groups and by rules of sudo about every command as root.
func TestAdministrators(t *testing.T) {
	for name, c := range map[string]struct {
		uid    int
		groups []string
		rule   string
		want   bool
	}{
		"root":                {0, nil, "", true},
		"a user":              {1000, []string{"users"}, "", false},
		"of the group":        {1000, []string{"users", "wheel"}, "", true},
		"by a rule":           {1000, nil, "a ALL=(ALL:ALL) NOPASSWD: ALL", true},
		"as nobody says":      {1000, nil, "a ALL = ALL", true},
		"a group's rule":      {1000, []string{"ops"}, "%ops ALL=(ALL) ALL", true},
		"another's":           {1000, nil, "b ALL=(ALL:ALL) ALL", false},
		"one command":         {1000, nil, "a ALL=(ALL) /usr/bin/id", false},
		"as somebody else":    {1000, nil, "a ALL=(postgres) ALL", false},
		"all but a command":   {1000, nil, "a ALL=(ALL) ALL, !/bin/sh", false},
		"a comment":           {1000, nil, "# a ALL=(ALL) ALL", false},
		"everybody, targetpw": {1000, nil, "ALL ALL=(ALL) ALL", false},
	} {
		var sudoers []string
		if m := sudoRule.FindStringSubmatch(c.rule); m != nil && m[1] != "ALL" {
			sudoers = append(sudoers, m[1])
		}
		if got := administrator(user{name: "a", uid: c.uid}, c.groups, sudoers); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
