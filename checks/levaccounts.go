//go:build linux && !ringfence_portable

package checks

import (
	"path"
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

// lettingIn are modules of PAM that, where one is enough, let in whom they know without a password.
var lettingIn = strings.Fields("pam_wheel.so pam_permit.so pam_succeed_if.so pam_listfile.so")

// emptyTaken says whether su takes an empty password, whoever calls it: its settings of PAM have nullok, and no pam_wheel that has to let them. What lets
// somebody become root without a password is not followed, which is told.
func (s *Scan) emptyTaken(out *Outcome) bool {
	taken, kept := false, false
	for _, file := range []string{"su", "common-auth", "system-auth", "system-login"} {
		b, err := s.Host.ReadFile("/etc/pam.d/" + file)
		if err != nil && !gone(err) {
			out.partialIn("accounts", "%v", err)
		}
		for line := range strings.Lines(strings.ReplaceAll(string(b), "\\\n", " ")) {
			f := strings.Fields(line)
			if len(f) < 3 || strings.TrimPrefix(f[0], "-") != "auth" {
				continue
			}
			module := func(w string) bool { return slices.Contains(lettingIn, path.Base(w)) }
			enough := f[1] == "sufficient" || strings.Contains(line, "success=done")
			if i := slices.IndexFunc(f, module); enough && i >= 0 {
				out.partialIn("accounts", "whom %s lets become root without a password (/etc/pam.d/%s) was not followed", path.Base(f[i]), file)
			}
			kept = kept || !enough && f[1] != "optional" && strings.Contains(line, "pam_wheel.so")
			taken = taken || slices.Contains(f, "nullok")
		}
	}
	return taken && !kept
}
