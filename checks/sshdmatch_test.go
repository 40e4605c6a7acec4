//go:build linux && !ringfence_portable

package checks

import "testing"

// TestWhichConnectionsAreThoughtThrough: what Match blocks leave to the settings of everybody is thought through too, and ports on which the
// server does not listen are not.
func TestWhichConnectionsAreThoughtThrough(t *testing.T) {
	const no = "\n PasswordAuthentication no\n"
	itself, names := endsOf(map[string][]string{"port": {"22", "2222"}}, true), sshdEnds{names: true}
	for name, c := range map[string]struct {
		text string
		ends sshdEnds
		want bool // somebody is let in by a password
	}{
		"the other port":               {"Match LocalPort 22" + no, itself, true},
		"the other port of a socket":   {"Match LocalPort 22" + no, sshdEnds{}, true},
		"both ports":                   {"Match LocalPort 22" + no + "Match LocalPort 2222" + no, itself, false},
		"a port of nobody":             {"PasswordAuthentication no\nMatch LocalPort 2200\n PasswordAuthentication yes\n", itself, false},
		"a port of an address":         {"PasswordAuthentication no\nMatch LocalPort 2200\n PasswordAuthentication yes\n", endsOf(map[string][]string{"listenaddress": {"[::1]:2200 rdomain a"}}, true), true},
		"a name that nobody has":       {"Match Host unknown.invalid" + no, names, true},
		"every name":                   {"Match Host *" + no, names, false},
		"names that are not asked for": {"PasswordAuthentication no\nMatch Host a.example.org\n PasswordAuthentication yes\n", sshdEnds{}, false},
		"an address as a name":         {"PasswordAuthentication no\nMatch Host 10.*\n PasswordAuthentication yes\n", sshdEnds{}, true},
		"between two networks": {
			"PasswordAuthentication no\nMatch Address 10.0.0.0/16" + no + "Match Address 10.255.0.0/16" + no + "Match Address 10.0.0.0/8\n PasswordAuthentication yes\n", names, true,
		},
	} {
		f, err := parseSSHD("/c", func(string) ([]byte, error) { return []byte(c.text), nil }, func(string) []string { return nil })
		if err != nil {
			t.Fatal(err)
		}
		groups, whole := f.groups([]*sshdUser{{name: "root", real: true}}, c.ends, maxQuestions)
		got := false
		for _, g := range groups {
			got = got || f.over(g.conn, f.global(nil, listsOf(judgedDefaults)))["passwordauthentication"][0] == "yes"
		}
		if got != c.want || !whole {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
