package dropin

import (
	"maps"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// TestSecondFactorsStay: who is asked for a password beside a key, as the accounts do not tell, would get in by nothing once passwords are off.
func TestSecondFactorsStay(t *testing.T) {
	on := map[string][]string{"passwordauthentication": {"yes"}, "kbdinteractiveauthentication": {"yes"}, "permitrootlogin": {"yes"}}
	with := func(more ...string) map[string][]string {
		m := map[string][]string{}
		maps.Copy(m, on)
		for _, set := range more {
			name, v, _ := strings.Cut(set, "=")
			m[name] = strings.Fields(v)
		}
		return m
	}
	const key, both, kbd = "authenticationmethods=publickey", "authenticationmethods=publickey,password", "authenticationmethods=publickey,keyboard-interactive:pam"
	address := func(matched []string, set ...string) snapshot.SSHContext {
		return snapshot.SSHContext{Match: "Address 203.0.113.0/24", Settings: with(set...), Matched: append(matched, "authenticationmethods")}
	}
	passwords := finding.Settings{{Name: "PasswordAuthentication", Value: "no"}, {Name: "KbdInteractiveAuthentication", Value: "no"}}
	root := finding.Settings{{Name: "PermitRootLogin", Value: "prohibit-password"}}
	for name, c := range map[string]struct {
		settings finding.Settings
		context  snapshot.SSHContext
		file     bool
	}{
		"a key alone":                {passwords, address(nil, key), true},
		"both":                       {passwords, address(nil, both), false},
		"by PAM":                     {passwords, address(nil, kbd), false},
		"one of two ways":            {passwords, address(nil, key+" publickey,password"), true},
		"any":                        {passwords, address(nil, "authenticationmethods=any"), true},
		"it does not work now":       {passwords, address(nil, both, "passwordauthentication=no"), true},
		"its block sets it":          {passwords, address([]string{"passwordauthentication"}, both), true},
		"for root":                   {root, address(nil, kbd), false},
		"its block says it of root":  {root, address([]string{"permitrootlogin"}, kbd), true},
		"hosts are asked for beside": {finding.Settings{{Name: "HostbasedAuthentication", Value: "no"}}, address(nil, "authenticationmethods=hostbased,publickey", "hostbasedauthentication=yes"), false},
	} {
		s := withAccounts(snapshot.SSHAccount{Name: "root", Key: snapshot.Yes, LoggedIn: true})
		s.SSH.Configs[0].Contexts = []snapshot.SSHContext{{Settings: on}, c.context}
		files, left := Make(new(finding.Report), s, []Manual{{Check: "c", Kind: serviceSSHD, Settings: c.settings}})
		if (len(files) == 1) != c.file || !c.file && !strings.Contains(left[0].Text, "Match Address 203.0.113.0/24") {
			t.Errorf("%s: files %+v, left %+v", name, files, left)
		}
	}
	for match, want := range map[string]bool{"": true, "User admin": false, "User admin,root": true, "User *": true, "Address 192.0.2.0/24 User admin": false, "Group wheel": true, "all": true} {
		if mayBeRoot(match) != want {
			t.Errorf("Match %s: %v", match, !want)
		}
	}
}
