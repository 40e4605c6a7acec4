package sshd

import "testing"

// TestWhichConnectionsAreThoughtThrough: what Match blocks leave to the settings of everybody is thought through too, and ports on which the
// server does not listen are not.
func TestWhichConnectionsAreThoughtThrough(t *testing.T) {
	const no = "\n PasswordAuthentication no\n"
	itself, names := EndsOf(map[string][]string{"port": {"22", "2222"}}, true), Ends{Names: true}
	for name, c := range map[string]struct {
		text string
		ends Ends
		want bool // somebody is let in by a password
	}{
		"the other port":               {"Match LocalPort 22" + no, itself, true},
		"the other port of a socket":   {"Match LocalPort 22" + no, Ends{}, true},
		"both ports":                   {"Match LocalPort 22" + no + "Match LocalPort 2222" + no, itself, false},
		"a port of nobody":             {"PasswordAuthentication no\nMatch LocalPort 2200\n PasswordAuthentication yes\n", itself, false},
		"a port of an address":         {"PasswordAuthentication no\nMatch LocalPort 2200\n PasswordAuthentication yes\n", EndsOf(map[string][]string{"listenaddress": {"[::1]:2200 rdomain a"}}, true), true},
		"a name that nobody has":       {"Match Host unknown.invalid" + no, names, true},
		"every name":                   {"Match Host *" + no, names, false},
		"names that are not asked for": {"PasswordAuthentication no\nMatch Host a.example.org\n PasswordAuthentication yes\n", Ends{}, false},
		"an address as a name":         {"PasswordAuthentication no\nMatch Host 10.*\n PasswordAuthentication yes\n", Ends{}, true},
		"between two networks": {
			"PasswordAuthentication no\nMatch Address 10.0.0.0/16" + no + "Match Address 10.255.0.0/16" + no + "Match Address 10.0.0.0/8\n PasswordAuthentication yes\n", names, true,
		},
	} {
		f, err := Parse("/c", Source{Read: func(string) ([]byte, error) { return []byte(c.text), nil }, Glob: func(string) []string { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		groups, whole := f.Groups([]*User{{Name: "root", Real: true}}, c.ends, MaxQuestions)
		got := false
		for _, g := range groups {
			got = got || f.Over(g.Conn, f.Global(nil, Defaults()))["passwordauthentication"][0] == "yes"
		}
		if got != c.want || !whole {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
