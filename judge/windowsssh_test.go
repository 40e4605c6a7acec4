package judge

import (
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestSSHOfWindowsIsKnown: a server is present or has the defaults only where its own file was read; another one that listens is not known.
func TestSSHOfWindowsIsKnown(t *testing.T) {
	one := []snapshot.SSHContext{{Settings: map[string][]string{"passwordauthentication": {"no"}}}}
	present, absent, denied := snapshot.Fact{State: snapshot.Present}, snapshot.Fact{State: snapshot.Absent}, snapshot.Fact{State: snapshot.Denied, Reason: "denied"}
	for name, c := range map[string]struct {
		ssh  snapshot.WindowsSSH
		want string
	}{
		"read":         {snapshot.WindowsSSH{Read: present, Config: present, Contexts: one}, "present"},
		"without file": {snapshot.WindowsSSH{Read: present, Config: absent, Contexts: one}, "absent"},
		"refused":      {snapshot.WindowsSSH{Read: present, Config: denied}, "denied"},
		"older":        {snapshot.WindowsSSH{Read: present, Config: absent}, "its settings were not told"},
		"another":      {snapshot.WindowsSSH{Read: absent, Config: absent}, "it is another server than the service sshd, which is not installed"},
		"no registry":  {snapshot.WindowsSSH{Read: denied, Config: absent}, "denied"},
	} {
		if d := windowsSSH(&c.ssh); d.State != c.want || len(d.Contexts) != len(c.ssh.Contexts) {
			t.Errorf("%s: %+v, want %s", name, d, c.want)
		}
	}
}
