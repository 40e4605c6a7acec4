//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"math/big"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/sshd"
)

// maxLoginAccounts bounds the accounts of which it is asked by what they can log in.
const maxLoginAccounts = 64

// sshAccounts says of each account that has a shell whether it can log in with a key, by the configuration of the host's own server
// and the options that it was started with.
// What sshd makes of Match blocks for a user only sshd can tell; where it cannot be asked nothing is known.
func (s *Scan) sshAccounts(ctx context.Context, config string, options []string, perUser bool, procs []*process) []snapshot.SSHAccount {
	if !s.Host.Live() {
		return nil
	}
	var list []snapshot.SSHAccount
	logged := s.loggedInUsers(procs)
	shared, _ := s.askSSHD(ctx, config, options, "")
	rules, _ := s.sudo(ctx)
	become := sudoers(rules)
	for _, u := range s.users() {
		if !loginShell(u.shell) || len(list) == maxLoginAccounts || ctx.Err() != nil {
			continue
		}
		settings := shared
		if perUser {
			settings, _ = s.askSSHD(ctx, config, options, (&sshd.Conn{User: &sshd.User{Name: u.name}, Host: "unknown.invalid", Addr: "192.0.2.1", LAddr: "192.0.2.2", LPort: "22"}).Spec())
		}
		a := snapshot.SSHAccount{
			Config: config, Name: u.name, UID: u.uid, LoggedIn: logged[u.name], Admin: administrator(u, s.groupNames(u), become),
		}
		a.Key, a.Why = s.keyLogin(u, settings)
		a.Loose = s.looseKeys(u, settings)
		list = append(list, a)
	}
	return list
}

// loginShell says of the shell of an account that it lets somebody in (an empty one is /bin/sh, passwd(5)).
func loginShell(shell string) bool {
	return !slices.Contains([]string{"nologin", "false", "sync", "shutdown", "halt"}, path.Base(shell))
}

// loggedInUsers are the accounts that the host's own SSH server has in the titles of its processes after a login.
func (s *Scan) loggedInUsers(procs []*process) map[string]bool {
	users := map[string]bool{}
	for _, p := range procs {
		if exe := p.exeBase(); exe != "sshd" && exe != "sshd-session" || len(p.argv) == 0 || s.serverWord(p).By != snapshot.ByRoot && p.ExeWord.By != snapshot.ByRoot {
			continue
		}
		_, title, ok := strings.Cut(p.argv[0], ": ")
		if name, _, at := strings.Cut(title, "@"); ok && at {
			users[name] = true
		}
	}
	return users
}

// keyLogin says whether an account can log in with a key alone: Yes, No, or "" where it cannot be told; and why not.
func (s *Scan) keyLogin(u user, settings map[string][]string) (can snapshot.Login, why string) {
	if settings == nil {
		return "", "sshd could not be asked"
	}
	if can, why := admitted(u, settings, s.groupNames(u)); can != snapshot.Yes {
		return can, why
	}
	if first(settings, "usepam") != "yes" && s.lockedPassword(u.name) {
		return snapshot.No, "the account is locked"
	}
	why, unsure := "it has no key", false
	for pattern := range strings.FieldsSeq(strings.Join(settings["authorizedkeysfile"], " ")) {
		if pattern == "none" {
			continue
		}
		file := keyFileOf(pattern, &u)
		b, err := s.Host.ReadFile(file)
		switch {
		case err != nil:
			unsure = unsure || denied(err)
			continue
		case first(settings, "strictmodes") != "no" && s.loose(file, u):
			why = "others can write " + file + ", which sshd then does not read"
			continue
		}
		plain, limited := usableKeys(b, settings)
		if plain && first(settings, "revokedkeys", "none") == "none" {
			return snapshot.Yes, ""
		}
		if plain || limited {
			unsure, why = true, "its keys are limited or can be revoked"
		}
	}
	for _, other := range []string{"authorizedkeyscommand", "trustedusercakeys", "authorizedprincipalsfile", "authorizedprincipalscommand"} {
		if v := first(settings, other, "none"); v != "none" && v != "" {
			return "", "whether " + other + " lets it in was not seen"
		}
	}
	if unsure {
		return "", why
	}
	return snapshot.No, why
}

// looseKeys says why the keys of an account would let it in no longer, or not for sure, with StrictModes, where that is off; "" where they do.
func (s *Scan) looseKeys(u user, settings map[string][]string) string {
	if first(settings, "strictmodes") != "no" {
		return ""
	}
	strict := maps.Clone(settings)
	strict["strictmodes"] = []string{"yes"}
	is, reason := s.keyLogin(u, settings)
	if can, why := s.keyLogin(u, strict); can != is || why != reason {
		return why
	}
	return ""
}

func first(settings map[string][]string, key string, otherwise ...string) string {
	if v := settings[key]; len(v) > 0 {
		return v[0]
	}
	return strings.Join(otherwise, "")
}

// admitted says whether sshd lets an account log in with a key, if it has one (sshd_config(5)).
func admitted(u user, settings map[string][]string, groups []string) (can snapshot.Login, why string) {
	if first(settings, "pubkeyauthentication", "yes") != "yes" {
		return snapshot.No, "PubkeyAuthentication is off"
	}
	if m := strings.Fields(strings.Join(settings["authenticationmethods"], " ")); len(m) > 0 && !slices.Contains(m, "any") && !slices.Contains(m, "publickey") {
		return snapshot.No, "AuthenticationMethods wants more than a key"
	}
	if root := first(settings, "permitrootlogin"); u.uid == 0 && (root == "no" || root == "forced-commands-only") {
		return snapshot.No, "PermitRootLogin is " + root
	}
	switch sshd.Listed(u.name, groups, settings) {
	case snapshot.No:
		return snapshot.No, "the lists of users and groups do not let it in"
	case "":
		return "", "the lists of users ask for more than the name"
	default:
	}
	return snapshot.Yes, ""
}

// groupNames are the names of an account's groups.
func (s *Scan) groupNames(u user) (names []string) {
	for _, g := range s.groups() {
		if slices.Contains(g.members, u.name) {
			names = append(names, g.name)
		}
	}
	return names
}

// lockedPassword says of an account that passwd(1) has locked it: without PAM sshd then lets nobody in (platform.c, auth.c). One that
// cannot be read counts as locked.
func (s *Scan) lockedPassword(name string) bool {
	b, err := s.Host.ReadFile("/etc/shadow")
	if err != nil {
		return true
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.SplitN(line, ":", 3); len(f) == 3 && f[0] == name {
			return strings.HasPrefix(f[1], "!")
		}
	}
	return false
}

// loose says of a file of keys that sshd does not read it under StrictModes: it, or a folder up to the home, is not the account's or
// root's, or others can write it (misc.c, safe_path).
func (s *Scan) loose(file string, u user) bool {
	for p := file; ; p = path.Dir(p) {
		st, err := s.Host.Stat(p)
		if err != nil || st.UID != u.uid && st.UID != 0 || st.Perm&0o022 != 0 {
			return true
		}
		if p == "/" || p == path.Clean(u.home) {
			return false
		}
	}
}

// keyTypes are those of keys that an OpenSSH of today takes by default.
var keyTypes = []string{
	"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
	"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
}

// usableKeys says of a file of keys whether one of them logs in without a condition, and whether others do under one: an option that
// names where from, how long, what command, or that it is a certificate authority (sshd(8), AUTHORIZED_KEYS FILE FORMAT). Keys that the settings
// of a server refuse are none.
func usableKeys(b []byte, settings map[string][]string) (plain, limited bool) {
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if isKey(line, settings) {
			plain = true
			continue
		}
		options, rest := cutOptions(line)
		if !isKey(rest, settings) {
			continue
		}
		conditions := []string{"from=", "expiry-time=", "command=", "cert-authority", "principals="}
		options = strings.ToLower(options)
		if slices.ContainsFunc(conditions, func(c string) bool { return strings.Contains(options, c) }) {
			limited = true
		} else {
			plain = true
		}
	}
	return plain, limited
}

// cutOptions separates the options of a line from the key: they end at the first blank outside of quotes.
func cutOptions(line string) (options, key string) {
	quoted := false
	for i, r := range line {
		switch {
		case r == '"' && (i == 0 || line[i-1] != '\\'):
			quoted = !quoted
		case (r == ' ' || r == '\t') && !quoted:
			return line[:i], strings.TrimSpace(line[i:])
		}
	}
	return line, ""
}

// taken says of a key that a server takes it: its type, of RSA by one of the signatures, and the length of RSA keys (sshd_config(5),
// PubkeyAcceptedAlgorithms and RequiredRSASize).
func taken(kind string, key []byte, settings map[string][]string) bool {
	accepted := strings.Split(first(settings, "pubkeyacceptedalgorithms", first(settings, "pubkeyacceptedkeytypes")), ",")
	signatures := []string{kind}
	if kind == "ssh-rsa" {
		signatures = append(signatures, "rsa-sha2-256", "rsa-sha2-512")
		least, err := strconv.Atoi(first(settings, "requiredrsasize", "1024"))
		if err != nil || rsaBits(key) < least {
			return false
		}
	}
	return accepted[0] == "" || slices.ContainsFunc(signatures, func(x string) bool { return slices.Contains(accepted, x) })
}

// rsaBits is the length of the modulus of an RSA key (RFC 4253, 6.6), 0 if it has none.
func rsaBits(key []byte) int {
	var field []byte
	for range 3 { // the type, the exponent, the modulus
		if len(key) < 4 {
			return 0
		}
		n := int(binary.BigEndian.Uint32(key))
		if n > len(key)-4 {
			return 0
		}
		field, key = key[4:4+n], key[4+n:]
	}
	return new(big.Int).SetBytes(field).BitLen()
}

// isKey says of a text that it begins with the type of a key and a key of that type, which a server with these settings takes.
func isKey(text string, settings map[string][]string) bool {
	f := strings.Fields(text)
	if len(f) < 2 || !slices.Contains(keyTypes, f[0]) {
		return false
	}
	b, err := base64.StdEncoding.DecodeString(f[1])
	if err != nil || len(b) < 4 {
		return false
	}
	n := int(binary.BigEndian.Uint32(b))
	return n == len(f[0]) && len(b) > 4+n && string(b[4:4+n]) == f[0] && taken(f[0], b, settings)
}

// own says of a mount namespace that this program is in it, and reads the files that are meant there.
func own(byPID map[int]*process, mntns uint64) bool {
	p := byPID[os.Getpid()]
	return p != nil && p.NS.Mnt == mntns
}
