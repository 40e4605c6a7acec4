//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

const someKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a@b"

func TestUsableKeys(t *testing.T) {
	for name, c := range map[string]struct {
		text           string
		plain, limited bool
	}{
		"a key":                 {someKey, true, false},
		"nothing":               {"\n# " + someKey + "\n", false, false},
		"no key of its type":    {"ssh-ed25519 AAAA", false, false},
		"a word":                {"ssh-ed25519", false, false},
		"restrict":              {"restrict,pty " + someKey, true, false},
		"quotes":                {`environment="A=b c" ` + someKey, true, false},
		"a forced command":      {`command="/bin/backup \"x y\"" ` + someKey, false, true},
		"from somewhere":        {`from="10.0.0.1" ` + someKey, false, true},
		"for a time":            {`expiry-time="20300101" ` + someKey, false, true},
		"an authority":          {"cert-authority " + someKey, false, true},
		"one of two":            {`from="10.0.0.1" ` + someKey + "\n" + someKey, true, true},
		"a type that was taken": {"ssh-dss AAAAB3NzaC1kc3MAAACBAA==", false, false},
	} {
		if plain, limited := usableKeys([]byte(c.text)); plain != c.plain || limited != c.limited {
			t.Errorf("%s: %v %v", name, plain, limited)
		}
	}
}

func TestAdmitted(t *testing.T) {
	for name, c := range map[string]struct {
		uid      int
		settings map[string][]string
		want     snapshot.Login
	}{
		"by default":              {1000, map[string][]string{}, snapshot.Yes},
		"no keys":                 {1000, map[string][]string{"pubkeyauthentication": {"no"}}, snapshot.No},
		"a key and a password":    {1000, map[string][]string{"authenticationmethods": {"publickey,password"}}, snapshot.No},
		"a key or both":           {1000, map[string][]string{"authenticationmethods": {"publickey,password publickey"}}, snapshot.Yes},
		"any":                     {1000, map[string][]string{"authenticationmethods": {"any"}}, snapshot.Yes},
		"root":                    {0, map[string][]string{"permitrootlogin": {"no"}}, snapshot.No},
		"root with a key":         {0, map[string][]string{"permitrootlogin": {"without-password"}}, snapshot.Yes},
		"others are allowed":      {1000, map[string][]string{"allowusers": {"x y"}}, snapshot.No},
		"a pattern allows":        {1000, map[string][]string{"allowusers": {"x", "a*"}}, snapshot.Yes},
		"from somewhere":          {1000, map[string][]string{"allowusers": {"a@10.0.0.0/8"}}, ""},
		"denied":                  {1000, map[string][]string{"denyusers": {"a"}}, snapshot.No},
		"a group of others":       {1000, map[string][]string{"allowgroups": {"wheel"}}, snapshot.No},
		"its group":               {1000, map[string][]string{"allowgroups": {"staff"}}, snapshot.Yes},
		"its group is denied":     {1000, map[string][]string{"denygroups": {"staff"}}, snapshot.No},
		"all but some are let in": {1000, map[string][]string{"allowusers": {"!b", "a"}}, ""},
	} {
		if got, why := admitted(user{name: "a", uid: c.uid}, c.settings, []string{"staff"}); got != c.want {
			t.Errorf("%s: %q (%s)", name, got, why)
		}
	}
}
