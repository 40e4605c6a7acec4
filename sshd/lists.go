package sshd

import (
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// PasswordEmpty says of an account that it needs no password.
const PasswordEmpty snapshot.Login = "empty"

// maxPatterns bounds a list of users that is looked through; of a longer one it is not known whom it lets in.
const maxPatterns = 500

// Listed says whether the lists of users and groups let an account in: Yes, No, or "" where that depends on where it comes from.
func Listed(name string, groups []string, settings map[string][]string) snapshot.Login {
	for _, l := range []struct {
		key   string
		names []string
		deny  bool
	}{{"denyusers", []string{name}, true}, {"allowusers", []string{name}, false}, {"denygroups", groups, true}, {"allowgroups", groups, false}} {
		patterns := strings.Fields(strings.Join(settings[l.key], " "))
		if len(patterns) == 0 {
			continue
		}
		if len(patterns) > maxPatterns {
			return ""
		}
		hit, hosts := false, false
		for _, p := range patterns {
			who, _, at := strings.Cut(p, "@")
			matches := slices.ContainsFunc(l.names, func(n string) bool { return wildcard(who, n) })
			hit, hosts = hit || matches && !at, hosts || matches && at || strings.HasPrefix(p, "!")
		}
		switch {
		case hosts:
			return ""
		case hit == l.deny:
			return snapshot.No
		}
	}
	return snapshot.Yes
}
