//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// sshAccountsOf is who can log in where a server runs: the accounts of its files, and whether there are others.
type sshAccountsOf struct {
	users  []*sshdUser
	others bool // the files do not name everybody
}

// passwordEmpty says of an account that it needs no password.
const passwordEmpty snapshot.Login = "empty"

// maxPrincipals bounds the accounts of one server that are thought through.
const maxPrincipals = 128

// loginFiles reads the accounts of a server's root: passwd(5), group(5), shadow(5), nsswitch.conf(5) and what PAM asks.
func loginFiles(read func(string) ([]byte, error)) *sshAccountsOf {
	text := func(file string) string {
		b, err := read(file)
		if err != nil {
			return ""
		}
		return string(b)
	}
	passwd := text("/etc/passwd")
	a := &sshAccountsOf{others: passwd == "" || otherAccounts(text("/etc/nsswitch.conf")) || otherPasswords(text)}
	shadow, shadowErr := read("/etc/shadow")
	hashes := map[string]string{}
	for line := range strings.Lines(string(shadow)) {
		if f := strings.SplitN(line, ":", 3); len(f) == 3 {
			hashes[f[0]] = f[1]
		}
	}
	groups := namesOfGroups(text("/etc/group"))
	for line := range strings.Lines(passwd) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 6 {
			continue
		}
		u := &sshdUser{name: f[0], uid: atoi(f[2]), real: true, groups: append(slices.Clone(groups.ofGID[f[3]]), groups.ofName[f[0]]...)}
		hash, known := hashes[f[0]]
		if f[1] != "x" {
			hash, known = f[1], true
		}
		switch {
		case shadowErr != nil && f[1] == "x" && !gone(shadowErr):
		case !known:
			u.password = snapshot.No
		default:
			u.password = passwordIn(hash)
		}
		if u.password == snapshot.No && !a.others && u.name != "root" && !loginShell(path.Join("/", strings.Join(f[6:], ":"))) {
			continue // nobody: an account of the system that is no login
		}
		if len(a.users) == maxPrincipals {
			a.others = true
			break
		}
		a.users = append(a.users, u)
	}
	return a
}

// passwordIn says what an entry of shadow(5) lets in: a hash of crypt(5) a password, an empty one everybody, and what no hash is, nobody.
func passwordIn(entry string) snapshot.Login {
	switch {
	case entry == "":
		return passwordEmpty
	case strings.HasPrefix(entry, "$") || strings.HasPrefix(entry, "_") || len(entry) == 13 && !strings.ContainsAny(entry, "!*"):
		return snapshot.Yes
	}
	return snapshot.No
}

type groupList struct{ ofGID, ofName map[string][]string }

func namesOfGroups(text string) groupList {
	g := groupList{map[string][]string{}, map[string][]string{}}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 4 {
			continue
		}
		g.ofGID[f[2]] = append(g.ofGID[f[2]], f[0])
		for m := range strings.SplitSeq(f[3], ",") {
			if m != "" {
				g.ofName[m] = append(g.ofName[m], f[0])
			}
		}
	}
	return g
}

// otherAccounts says of nsswitch.conf(5) that accounts come from elsewhere than the files.
func otherAccounts(text string) bool {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "passwd:")
		if !ok {
			continue
		}
		for source := range strings.FieldsSeq(rest) {
			if !slices.Contains([]string{"files", "compat", "systemd", "mymachines", "altfiles"}, source) && source[0] != '[' {
				return true
			}
		}
	}
	return false
}

// localModules are modules of PAM that let nobody in by another password than that of shadow(5).
var localModules = []string{
	"unix", "deny", "permit", "faildelay", "nologin", "env", "cap", "faillock", "tally2", "securetty", "succeed_if", "access", "group", "warn",
	"shells", "wheel", "rootok", "listfile", "time", "usertype", "localuser", "sepermit", "gnome_keyring", "kwallet", "kwallet5", "mount",
	"ecryptfs", "fscrypt", "systemd", "systemd_home", "fprintd", "pwquality", "echo", "debug", "umask", "postgresok",
}

var authModule = regexp.MustCompile(`(?m)^\s*-?auth\s.*?pam_([a-z0-9_]+)\.so`)

// otherPasswords says whether PAM can ask for passwords that are not in shadow(5).
func otherPasswords(text func(string) string) bool {
	for _, file := range []string{"sshd", "common-auth", "system-auth", "password-auth"} {
		for _, m := range authModule.FindAllStringSubmatch(text("/etc/pam.d/"+file), -1) {
			if !slices.Contains(localModules, m[1]) {
				return true
			}
		}
	}
	return false
}

// principals are the accounts, somebody who has none, and one for each name and group that Match blocks name and no account has.
func (a *sshAccountsOf) principals(f *sshdFile) []*sshdUser {
	list := append(slices.Clone(a.users), &sshdUser{name: "ringfence-nobody", uid: -1})
	for _, names := range f.criteriaOf("user") {
		for _, name := range examples([]string{names}, "ringfence-nobody")[1:] {
			if !slices.ContainsFunc(list, func(u *sshdUser) bool { return patternList(name, u.name) == 1 }) {
				list = append(list, &sshdUser{name: name, uid: -1})
			}
		}
	}
	for _, names := range f.criteriaOf("group") {
		for _, name := range examples([]string{names}, "ringfence-nobody")[1:] {
			if !slices.ContainsFunc(list, func(u *sshdUser) bool { return slices.Contains(u.groups, name) }) {
				list = append(list, &sshdUser{name: "ringfence-nobody", uid: -1, groups: []string{name}})
			}
		}
	}
	return list
}

// logins says who of a group of connections is let in by a password, under its settings.
func (a *sshAccountsOf) logins(g *sshdGroup, settings map[string][]string) *snapshot.SSHLogins {
	l := &snapshot.SSHLogins{Root: snapshot.No}
	for _, u := range g.users {
		if listed(u.name, u.groups, settings) == snapshot.No {
			continue
		}
		switch {
		case !u.real:
			l.Others = l.Others || a.others
		case u.name == "root" || u.uid == 0:
			if u.password != snapshot.No || a.others && u.name == "" {
				l.Root = snapshot.Yes
			} else if l.Root == snapshot.No {
				l.Root = snapshot.Locked
			}
		case u.password == snapshot.No && !a.others:
			l.Locked = append(l.Locked, u.name)
		default:
			l.Users = append(l.Users, u.name)
		}
		if u.real && u.password == passwordEmpty {
			l.Empty = append(l.Empty, u.name)
		}
	}
	return l
}

// maxPatterns bounds a list of users that is looked through; of a longer one it is not known whom it lets in.
const maxPatterns = 500

// listed says whether the lists of users and groups let an account in: Yes, No, or "" where that depends on where it comes from.
func listed(name string, groups []string, settings map[string][]string) snapshot.Login {
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
