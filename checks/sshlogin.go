//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/sshd"
)

// sshAccountsOf is who can log in where a server runs: the accounts of its files, and whether there are others.
type sshAccountsOf struct {
	users  []*sshd.User
	others bool // the files do not name everybody
	roots  bool // root may have a password of elsewhere
	strict bool // PAM takes no empty password
}

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
	a := &sshAccountsOf{others: passwd == "" || otherAccounts(read) || otherPasswords(read)}
	a.roots = otherPasswords(read, "sss") // it never has root: sssd.conf(5), filter_users
	a.strict = !a.others && noEmptyPasswords(read)
	if passwd == "" { // root is one of those whom it does not name
		a.users = append(a.users, &sshd.User{Name: "root", Real: true, Groups: []string{"root"}})
	}
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
		u := &sshd.User{Name: f[0], UID: atoi(f[2]), Real: true, Groups: append(slices.Clone(groups.ofGID[f[3]]), groups.ofName[f[0]]...)}
		hash, known := hashes[f[0]]
		if f[1] != "x" {
			hash, known = f[1], true
		}
		switch {
		case shadowErr != nil && f[1] == "x" && !gone(shadowErr):
		case !known:
			u.Password = snapshot.No
		default:
			u.Password = passwordIn(hash)
		}
		if u.Password == snapshot.No && !a.others && u.Name != "root" && !loginShell(path.Join("/", strings.Join(f[6:], ":"))) {
			continue // nobody: an account of the system that is no login
		}
		if len(a.users) >= maxPrincipals && (u.UID != 0 || len(a.users) >= 2*maxPrincipals) { // root can be the last
			a.others = true
			continue
		}
		a.users = append(a.users, u)
	}
	return a
}

// passwordIn says what an entry of shadow(5) lets in: a hash of crypt(5) a password, an empty one everybody, and what no hash is, nobody.
func passwordIn(entry string) snapshot.Login {
	switch {
	case entry == "":
		return sshd.PasswordEmpty
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

// otherAccounts says of nsswitch.conf(5) that accounts or their groups come from elsewhere than the files, or that it cannot be read.
func otherAccounts(read func(string) ([]byte, error)) bool {
	return otherSources(read, "passwd", "group", "initgroups")
}

// otherSources says of databases of nsswitch.conf(5) that one of them comes from elsewhere than from files, or that this is not known.
func otherSources(read func(string) ([]byte, error), databases ...string) bool {
	b, err := read("/etc/nsswitch.conf")
	if err != nil {
		return !gone(err)
	}
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		database, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || !slices.Contains(databases, database) {
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

// maxPAMFiles bounds the files of PAM that are read.
const maxPAMFiles = 32

// otherPasswords says whether PAM can ask for passwords that are not in shadow(5), or what it asks cannot be read (pam.conf(5)).
// Modules of some names are left out.
func otherPasswords(read func(string) ([]byte, error), but ...string) (other bool) {
	whole := pamAsks(read, []string{"sshd", "common-auth", "system-auth", "password-auth"}, func(module, _ string) {
		other = other || !slices.Contains(localModules, module) && !slices.Contains(but, module)
	})
	return other || !whole
}

// noEmptyPasswords says that PAM lets nobody in by an empty password: pam_unix(8) does with nullok alone, and nothing else of SSH lets everybody in.
func noEmptyPasswords(read func(string) ([]byte, error)) bool {
	asked, open := false, false
	whole := pamAsks(read, []string{"sshd"}, func(module, line string) {
		asked = asked || module == "unix"
		open = open || module == "unix" && strings.Contains(line, "nullok") || module == "permit" && !strings.Contains(line, "required")
	})
	return whole && asked && !open
}

// pamAsks tells of each module that PAM asks who somebody is, and of its line, in some files and those that they include. It is false if one of them
// cannot be read.
func pamAsks(read func(string) ([]byte, error), files []string, tell func(module, line string)) (whole bool) {
	for i := 0; i < len(files); i++ {
		b, err := read(pamFile("/etc/pam.d", files[i]))
		if gone(err) {
			b, err = read(pamFile("/usr/lib/pam.d", files[i]))
		}
		if gone(err) {
			continue
		}
		if err != nil || i == maxPAMFiles {
			return false
		}
		for line := range strings.Lines(strings.ReplaceAll(string(b), "\\\n", " ")) {
			include, module := pamLine(line)
			if module != "" {
				tell(module, line)
			}
			if include != "" && !slices.Contains(files, include) {
				files = append(files, include)
			}
		}
	}
	return true
}

// pamFile is a file of PAM: one of a directory, or one by its path.
func pamFile(dir, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(dir, name)
}

// pamLine is the file that a line of PAM includes, or the module that it asks who somebody is, without pam_ if it has such a name.
func pamLine(line string) (include, module string) {
	line, _, _ = strings.Cut(line, "#")
	f := strings.Fields(line)
	if len(f) == 2 && f[0] == "@include" {
		return f[1], ""
	}
	if len(f) < 3 || !strings.EqualFold(strings.TrimPrefix(f[0], "-"), "auth") {
		return "", ""
	}
	at := 2
	for strings.HasPrefix(f[1], "[") && at < len(f)-1 && !strings.HasSuffix(f[at-1], "]") {
		at++
	}
	if f[1] == "include" || f[1] == "substack" {
		return f[at], ""
	}
	name := path.Base(f[at])
	short, ok := strings.CutPrefix(strings.TrimSuffix(name, ".so"), "pam_")
	if !ok {
		return "", name
	}
	return "", short
}

// logins says who of a group of connections is let in by a password, under its settings. Of whom it cannot be told whether they have one
// is unsure.
func (a *sshAccountsOf) logins(g *sshd.Group, settings map[string][]string) *snapshot.SSHLogins {
	l := &snapshot.SSHLogins{Root: snapshot.No}
	for _, u := range g.Users {
		if sshd.Listed(u.Name, u.Groups, settings) == snapshot.No {
			continue
		}
		switch {
		case !u.Real:
			l.Others = l.Others || a.others
		case u.Name == "root" || u.UID == 0:
			l.Root = surest(l.Root, a.passwordOfRoot(u))
		case u.Password == "":
			l.Unsure = append(l.Unsure, u.Name)
		case u.Password != snapshot.No:
			l.Users = append(l.Users, u.Name)
		case a.others:
			l.Unsure = append(l.Unsure, u.Name)
		default:
			l.Locked = append(l.Locked, u.Name)
		}
		if u.Real && u.Password == sshd.PasswordEmpty && a.takesEmpty(u, settings) {
			l.Empty = append(l.Empty, u.Name)
		}
	}
	return l
}

// takesEmpty says whether an empty password of an account is one that lets it in: what keeps passwords of root out keeps that out too, and PAM may.
func (a *sshAccountsOf) takesEmpty(u *sshd.User, settings map[string][]string) bool {
	if slices.Contains([]string{"no", "without-password", "prohibit-password", "forced-commands-only"}, first(settings, "permitrootlogin")) && u.UID == 0 {
		return false
	}
	return !a.strict || first(settings, "usepam") != "yes"
}

// passwordOfRoot is Yes where an account with the powers of root has a password, Locked where it has none, Unsure where that cannot be told.
func (a *sshAccountsOf) passwordOfRoot(u *sshd.User) snapshot.Login {
	switch {
	case u.Password == "" || u.Password == snapshot.No && a.roots:
		return snapshot.Unsure
	case u.Password == snapshot.No:
		return snapshot.Locked
	}
	return snapshot.Yes
}

// surest is the answer for several accounts of root's powers: one that has a password is enough.
func surest(a, b snapshot.Login) snapshot.Login {
	order := []snapshot.Login{snapshot.No, snapshot.Locked, snapshot.Unsure, snapshot.Yes}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}
