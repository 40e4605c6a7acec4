//go:build linux && !ringfence_portable

package checks

import (
	"os"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/sshd"
)

// TestEmptyPasswordsLetIn: an account without a password is one that sshd lets in as OpenSSH 9.2 did: root where PermitRootLogin takes passwords,
// and with PAM nobody without nullok.
func TestEmptyPasswordsLetIn(t *testing.T) {
	const debian = "auth\t[success=1 default=ignore]\tpam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n"
	for name, c := range map[string]struct {
		permit, pam, common string
		want                []string
	}{
		"without PAM":                {"yes", "no", debian, []string{"root", "alice"}},
		"root by keys alone":         {"without-password", "no", debian, []string{"alice"}},
		"root by its commands alone": {"forced-commands-only", "no", debian, []string{"alice"}},
		"no root":                    {"no", "no", debian, []string{"alice"}},
		"PAM without nullok":         {"yes", "yes", debian, nil},
		"PAM with nullok":            {"yes", "yes", "auth [success=1 default=ignore] pam_unix.so nullok\n" + debian, []string{"root", "alice"}},
		"PAM that lets everybody in": {"no", "yes", "auth sufficient pam_permit.so\n" + debian, []string{"alice"}},
		"PAM that asks elsewhere":    {"no", "yes", "auth sufficient pam_ldap.so\n" + debian, []string{"alice"}},
		"PAM that asks nothing":      {"no", "yes", "auth required pam_deny.so\n", []string{"alice"}},
	} {
		files := map[string]string{
			"/etc/passwd": "root::0:0::/root:/bin/sh\nalice::1000:1000::/home/alice:/bin/sh\nbob:$6$x:1001:1001::/home/bob:/bin/sh\n",
			"/etc/shadow": "", "/etc/pam.d/sshd": "@include common-auth\n", "/etc/pam.d/common-auth": c.common,
		}
		a := loginFiles(func(f string) ([]byte, error) {
			if text, ok := files[f]; ok {
				return []byte(text), nil
			}
			return nil, os.ErrNotExist
		})
		settings := map[string][]string{"permitrootlogin": {c.permit}, "usepam": {c.pam}}
		var real []*sshd.User
		for _, u := range new(sshd.File).Principals(a.users) {
			if u.Real {
				real = append(real, u)
			}
		}
		got := a.logins(&sshd.Group{Users: real}, settings)
		if !slices.Equal(got.Empty, c.want) || got.Root != snapshot.Yes {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
}
