package dropin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// asksForMore says that a server that reads our file asks some of those who log in for a password beside their key, which the settings switch off: they, or root among
// them, would get in by nothing any more (sshd_config(5), AuthenticationMethods). Whom a Match block is about the accounts do not tell: it can be an address.
func asksForMore(s *snapshot.Snapshot, list finding.Settings) string {
	for i := range s.SSH.Configs {
		c := &s.SSH.Configs[i]
		if c.Container != "" || !c.DropIns {
			continue
		}
		for j := range c.Contexts {
			x := &c.Contexts[j]
			methods := strings.Fields(strings.Join(x.Settings["authenticationmethods"], " "))
			if len(methods) == 0 || !anyWorks(methods, offIn(x, nil)) || anyWorks(methods, offIn(x, list)) {
				continue
			}
			where := ""
			if x.Match != "" {
				where = " for Match " + escape.Line(x.Match)
			}
			return fmt.Sprintf("%s has AuthenticationMethods %s%s: who that is about could not log in at all any more: change it there first",
				escape.Line(c.Path), escape.Line(strings.Join(methods, " ")), where)
		}
	}
	return ""
}

// offIn are the methods that are off in a context once settings are set for all connections. What its Match block sets itself stays.
func offIn(x *snapshot.SSHContext, list finding.Settings) (off []string) {
	value := func(name string) string {
		for _, set := range list {
			if strings.EqualFold(set.Name, name) && !slices.Contains(x.Matched, name) {
				return set.Value
			}
		}
		return strings.Join(x.Settings[name], " ")
	}
	root := mayBeRoot(x.Match) && slices.ContainsFunc(list, func(set finding.Setting) bool { return strings.EqualFold(set.Name, "PermitRootLogin") }) &&
		slices.Contains([]string{"prohibit-password", "without-password"}, value("permitrootlogin"))
	for method, name := range map[string]string{
		"password": "passwordauthentication", "keyboard-interactive": "kbdinteractiveauthentication", "hostbased": "hostbasedauthentication",
	} {
		if value(name) == "no" || root && method != "hostbased" {
			off = append(off, method)
		}
	}
	return off
}

// mayBeRoot says of the criteria of a Match block that they can be about root: they do not name others alone (sshd_config(5), Match).
func mayBeRoot(match string) bool {
	words := strings.Fields(match)
	for i := 0; i+1 < len(words); i += 2 {
		if strings.EqualFold(words[i], "User") && !strings.ContainsAny(words[i+1], "*?!\"=") && !slices.Contains(strings.Split(words[i+1], ","), "root") {
			return false
		}
	}
	return true
}

// anyWorks says of the ways that AuthenticationMethods names that one of them asks for no method that is off.
func anyWorks(ways, off []string) bool {
	return slices.ContainsFunc(ways, func(way string) bool {
		return !slices.ContainsFunc(strings.Split(way, ","), func(method string) bool {
			name, _, _ := strings.Cut(method, ":")
			return slices.Contains(off, name)
		})
	})
}
