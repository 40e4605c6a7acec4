//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"strings"
	"testing"
)

// TestProgramsThatChangeTheUser: no form in which a program runs a command as root is passed over, and none as somebody else is taken for root.
func TestProgramsThatChangeTheUser(t *testing.T) {
	ofRoot := map[string]passedCase{}
	for _, command := range []string{
		"sudo sh -c '/opt/a x'", "sudo -u root bash -lc '/opt/a x'", "sudo -iu root /opt/a", "sudo -nHuroot /opt/a", "sudo -D /opt /opt/a", "sudo --chdir /opt --user=root /opt/a",
		"sudo -u '#0' /opt/a", "sudo -n -- env -i A=b /opt/a", "sudo -i ./a/../../opt/a", "doas sh -c '/opt/a x'", "doas -u root /opt/a",
		"su -c /opt/a", "su -lc /opt/a", "su -lc '/opt/a x' root", "su root --command=/opt/a", "su -s /bin/sh - root -c /opt/a", "su root /opt/a", "su - root -- -c '/opt/a x'",
		"runuser -u root -- sh -c '/opt/a x'", "runuser -l root -c '/opt/a x'", "setpriv --reuid root --clear-groups --regid 0 sh -c '/opt/a x'", "setpriv --nnp /opt/a",
		"chpst -e /etc/x -u root sh -c '/opt/a x'", "chpst -u :0:0 /opt/a", "gosu root sh -c '/opt/a x'", "setuidgid root /opt/a",
	} {
		ofRoot[command] = passedCase{[]string{cronOf(command), anns, annsDir, "755 0:0 /bin/sh", "755 0:0 /root/"}, true}
	}
	ofRoot["sudo -u $X /opt/a"] = passedCase{[]string{cronOf("sudo -u $X /opt/a"), anns}, false}
	passedOver(t, "/opt", ofRoot)

	for _, command := range []string{"chpst -e /etc/x /opt/a", "chpst -u :1000:1000 /opt/a", "setpriv --nnp /opt/a", "sudo -u bob sh -c /opt/a", "sudo /opt/a", "su root -c /opt/a"} {
		s := powerHost(t, unitOf("User=ann; ExecStart=/usr/bin/"+command), anns)
		if got := found(t, s, "/opt/a"); slices.ContainsFunc(got, func(f string) bool { return strings.HasPrefix(f, "program /opt/a 0 ") && !strings.Contains(f, "(") }) {
			t.Errorf("ann runs %s: %q", command, got)
		}
	}
}
