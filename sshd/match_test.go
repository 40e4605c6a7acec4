package sshd

import (
	"maps"
	"slices"
	"testing"
)

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

// TestWhatHoldsBeforeOurFile: files of the folder are read in the order of their names, and the first value of a setting counts.
func TestWhatHoldsBeforeOurFile(t *testing.T) {
	const include = "Include /etc/ssh/sshd_config.d/*.conf\n"
	files := map[string]string{"/etc/ssh/sshd_config.d/0.conf": "UseDNS no\n", "/etc/ssh/sshd_config.d/50.conf": "StrictModes no\n"}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"at the top":           {include + "StrictModes no\n", []string{"usedns"}},
		"behind a setting":     {"StrictModes no\n" + include, []string{"strictmodes", "usedns"}},
		"another file first":   {"Include /e\n" + include + "Port 22\n", []string{"permittunnel", "usedns"}},
		"within a Match block": {"Match User a\n" + include, nil},
		"in one of another":    {"Include /m\nX11Forwarding no\n" + include, []string{"x11forwarding", "usedns"}},
	} {
		f, err := Parse("/c", Source{
			Read: func(file string) ([]byte, error) {
				return []byte(map[string]string{"/c": c.text, "/e": "PermitTunnel yes\n", "/m": "Match User a\nStrictModes no\n"}[file] + files[file]), nil
			},
			Glob: func(pattern string) []string {
				if pattern == dropIns {
					return slices.Sorted(maps.Keys(files))
				}
				return []string{pattern}
			},
		})
		if err != nil || !slices.Equal(f.Earlier, c.want) {
			t.Errorf("%s: %v %v, want %v", name, f.Earlier, err, c.want)
		}
	}
}

// TestWhatAMatchBlockSets: no line outside of it changes that.
func TestWhatAMatchBlockSets(t *testing.T) {
	f, err := Parse("/c", Source{Read: func(string) ([]byte, error) {
		return []byte("StrictModes no\nMatch User a\n PasswordAuthentication yes\nMatch User b\n PermitTunnel yes\n"), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Matched(&Conn{User: &User{Name: "a", Real: true}}); !slices.Equal(got, []string{"passwordauthentication"}) {
		t.Error(got)
	}
}
