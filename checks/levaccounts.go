//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// powerAccounts are the accounts of the host with their groups.
func (s *Scan) powerAccounts() (list []snapshot.Account) {
	for _, u := range s.users() {
		a := snapshot.Account{Name: u.name, UID: u.uid, GID: u.gid, Login: loginShell(u.shell), Home: u.home}
		for _, g := range s.groups() {
			if g.gid != u.gid && slices.Contains(g.members, u.name) {
				a.Groups = append(a.Groups, g.gid)
			}
		}
		list = append(list, a)
	}
	return list
}

// emptyPasswords marks the accounts whose password is empty.
func (s *Scan) emptyPasswords(list []snapshot.Account) error {
	empty := map[string]bool{}
	for _, file := range []string{"/etc/passwd", "/etc/shadow"} { // what shadow says counts, where it has an account
		b, err := s.Host.ReadFile(file)
		if err != nil && !gone(err) {
			return err
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.SplitN(line, ":", 3); len(f) == 3 {
				empty[f[0]] = f[1] == ""
			}
		}
	}
	for i := range list {
		list[i].NoPassword = empty[list[i].Name]
	}
	return nil
}

// emptyTaken says whether su takes an empty password, whoever calls it: its settings of PAM have nullok, and no pam_wheel.
func (s *Scan) emptyTaken() bool {
	taken := false
	for _, file := range []string{"su", "common-auth", "system-auth", "system-login"} {
		b, _ := s.Host.ReadFile("/etc/pam.d/" + file)
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			switch {
			case len(f) < 3 || strings.TrimPrefix(f[0], "-") != "auth":
			case strings.Contains(line, "pam_wheel.so"):
				return false
			case slices.Contains(f, "nullok"):
				taken = true
			}
		}
	}
	return taken
}
