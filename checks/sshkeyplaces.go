//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/sshd"
)

// keyPlace is a file by which accounts log in that a configuration of the host's own server names (sshd_config(5), AuthorizedKeysFile,
// AuthorizedPrincipalsFile, TrustedUserCAKeys).
type keyPlace struct {
	file, what string
	user       string // empty: it decides of every account
	// loose says that sshd does not ask who can write it: without StrictModes, and of certificate authorities always (auth2-pubkey.c).
	loose bool
}

// maxKeyPlaces bounds the files that are looked at: accounts times patterns.
const maxKeyPlaces = 4096

// notePlaces adds the files by which these accounts log in under these settings.
func (r *sshReader) notePlaces(users []*sshd.User, settings map[string][]string) {
	if first(settings, "pubkeyauthentication", "yes") == "no" {
		return
	}
	for _, ca := range settings["trustedusercakeys"] {
		if path.IsAbs(ca) {
			r.addPlace(keyPlace{file: path.Clean(ca), what: snapshot.KeysOfAuthorities, loose: true})
		}
	}
	loose := first(settings, "strictmodes") == "no"
	for _, u := range users {
		if !u.Real || sshd.Listed(u.Name, u.Groups, settings) == snapshot.No || u.UID == 0 && first(settings, "permitrootlogin") == "no" {
			continue
		}
		for setting, what := range map[string]string{"authorizedkeysfile": "", "authorizedprincipalsfile": snapshot.KeysOfPrincipals} {
			for pattern := range strings.FieldsSeq(strings.Join(settings[setting], " ")) {
				if pattern = strings.Trim(pattern, `"`); pattern != "none" {
					r.addPlace(keyPlace{file: pattern, what: what, user: u.Name, loose: loose})
				}
			}
		}
	}
}

func (r *sshReader) addPlace(p keyPlace) {
	switch {
	case slices.Contains(r.places, p):
	case len(r.places) == maxKeyPlaces:
		r.morePlaces = true
	default:
		r.places = append(r.places, p)
	}
}

// placedKeys adds the files of a configuration that others than their user and root can write, but for those below a home that are looked at
// anyway.
func (s *Scan) placedKeys(ctx context.Context, sec *snapshot.SSH, r *sshReader, out *Outcome) {
	if r.morePlaces {
		out.partialIn("keys", "more files of keys are named than are looked at")
	}
	w := s.newPermitWalker()
	for _, p := range r.places {
		u := user{uid: 0}
		if p.user != "" {
			i := slices.IndexFunc(s.users(), func(u user) bool { return u.name == p.user })
			if i < 0 {
				continue
			}
			u = s.users()[i]
		}
		file := keyFileOf(p.file, &u)
		if ctx.Err() != nil {
			out.partialIn("keys", "there was no time to look at all authorized keys")
			return
		}
		if slices.Contains(defaultKeyFiles(&u), file) && !p.loose ||
			slices.ContainsFunc(sec.KeyFiles, func(k snapshot.KeyFile) bool { return k.Path == file && k.User == p.user }) {
			continue
		}
		why, err := patient(s, uidParty(u.uid), func() (string, error) {
			if _, err := s.Host.Stat(file); err != nil && (!gone(err) || !p.loose) {
				return "", err // sshd takes no file that somebody else makes there, unless it does not ask
			}
			return s.othersWrite(w, file, u.uid)
		})
		switch {
		case err != nil && !gone(err):
			out.partialIn("keys", "keys of %s: %v", file, err)
		case err == nil && why != "":
			sec.KeyFiles = append(sec.KeyFiles, snapshot.KeyFile{Path: file, User: p.user, What: p.what, Writable: why})
		}
	}
}

// keyFileOf is the file that a pattern of sshd means for an account (sshd_config(5), TOKENS): what is not a whole path is below its home.
func keyFileOf(pattern string, u *user) string {
	file := strings.NewReplacer("%%", "%", "%h", u.home, "%u", u.name, "%U", strconv.Itoa(u.uid)).Replace(pattern)
	if !path.IsAbs(file) {
		file = path.Join(u.home, file)
	}
	return path.Clean(file)
}

// defaultKeyFiles are the files of keys of an account unless a configuration says otherwise (servconf.c).
func defaultKeyFiles(u *user) []string {
	return []string{path.Join(u.home, ".ssh/authorized_keys"), path.Join(u.home, ".ssh/authorized_keys2")}
}
