//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestWhoSuLetsIn: a module of PAM keeps nobody out where it is enough alone, and whom one lets in without a password is told as not followed.
func TestWhoSuLetsIn(t *testing.T) {
	const nullok = "auth [success=1 default=ignore] pam_unix.so nullok\n"
	for text, want := range map[string]struct{ taken, told bool }{
		nullok: {true, false},
		"auth sufficient pam_rootok.so\nauth required pam_wheel.so\n" + nullok:                   {false, false},
		"auth requisite pam_wheel.so deny group=x\n" + nullok:                                    {false, false},
		"auth sufficient pam_wheel.so trust use_uid\n" + nullok:                                  {true, true},
		"auth sufficient \\\n  /lib/security/pam_wheel.so trust\nauth required pam_unix.so\n":    {false, true},
		"auth [success=done default=ignore] pam_succeed_if.so user ingroup staff\n" + nullok:     {true, true},
		"# auth sufficient pam_wheel.so trust\nauth required pam_permit.so\n" + nullok:           {true, false},
		"account sufficient pam_succeed_if.so uid = 0 use_uid quiet\nauth include system-auth\n": {false, false},
	} {
		snap := new(snapshot.Snapshot)
		out := collectPowers(t.Context(), powerHost(t, "644 0:0 /etc/pam.d/su = "+text), snap)
		told := slices.ContainsFunc(out.reasons, func(r string) bool { return strings.Contains(r, "without a password") })
		if snap.Powers.EmptyPasswords != want.taken || told != want.told {
			t.Errorf("%s: empty passwords are taken is %v, told is %v: %v", text, snap.Powers.EmptyPasswords, told, out.reasons)
		}
	}
}
