//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/snapshot"
)

// TestRulesOfDoas: words are told from keywords, and a file with a line that is wrong is none.
func TestRulesOfDoas(t *testing.T) {
	rules, err := doasRules("# a\npermit nopass keepenv setenv { -A B=c } :wheel as root cmd \"/bin/a b\" args x\\ y # b\n\ndeny \\\n bob\npermit persist \"as\" cmd a args\n")
	want := []snapshot.DoasRule{
		{Permit: true, Identity: ":wheel", As: "root", Command: "/bin/a b", Args: []string{"x y"}, Exact: true},
		{Identity: "bob", Password: true},
		{Permit: true, Identity: "as", Command: "a", Exact: true, Password: true},
	}
	if d := gocmp.Diff(want, rules); d != "" || err != nil {
		t.Error(d, err)
	}
	for _, text := range []string{"permit", "permit nopass", "allow ann", "deny nopass ann", "permit ann cmd", "permit ann as", "permit ann ann", "permit \"ann", "permit ann\\", "permit setenv ann", "permit setenv { ann", "permit ann cmd x args cmd", "permit ann\x00"} {
		if rules, err := doasRules(text + "\n"); err == nil {
			t.Errorf("%q is read: %+v", text, rules)
		}
	}
}

// TestTheDomainOfARule: sudo of Debian goes by the name that is resolved for the host: one with a domain may be that, and no no.
func TestTheDomainOfARule(t *testing.T) {
	for text, want := range map[string][2]bool{
		"web1.example.org": {true, false}, "WEB1.lan": {true, false}, "*.example.org": {true, false}, "web1": {true, true}, "db1.example.org": {false, true}, "db1": {false, true},
	} {
		if is, known := thisHost([]map[string]any{{"hostname": text}}, "web1"); is != want[0] || known != want[1] {
			t.Errorf("%s: %v, known %v", text, is, known)
		}
	}
}

// TestWordsOfDoas: a comment ends a word; a line without an end is wrong, and so is nopass with persist, as doas -C has it.
func TestWordsOfDoas(t *testing.T) {
	rules, err := doasRules("permit nopass ann#x\npermit bob cmd /bin/ls#\n#")
	want := []snapshot.DoasRule{{Permit: true, Identity: "ann"}, {Permit: true, Identity: "bob", Command: "/bin/ls", Password: true}}
	if d := gocmp.Diff(want, rules); d != "" || err != nil {
		t.Error(d, err)
	}
	for _, text := range []string{"permit nopass ann", "permit nopass persist ann\n", "permit setenv {A=b#c} ann\n"} {
		if rules, err := doasRules(text); err == nil {
			t.Errorf("%q is read: %+v", text, rules)
		}
	}
}

// TestWhatDoasRefuses: it takes no file that others than root write.
func TestWhatDoasRefuses(t *testing.T) {
	for file, n := range map[string]int{"400 0:0 /etc/doas.conf = permit ann\n": 1, "460 0:0 /etc/doas.conf = permit ann\n": 0, "644 1000:0 /etc/doas.conf = permit ann\n": 0} {
		rules, read := (&Scan{Host: powerHost(t, file).Host}).doas()
		if len(rules) != n || read.State != snapshot.Present {
			t.Errorf("%q: %v, %+v", file, rules, read)
		}
	}
}

// TestTheHostOfARule: a rule of sudo for another host is none, and one for addresses is not known to be for this one. Ids are whole, and what cvtsudoers prints
// that is no JSON is read.
func TestTheHostOfARule(t *testing.T) {
	for hosts, want := range map[string]struct {
		rules  int
		partly bool
	}{
		`{"hostname": "ALL"}`:              {1, false},
		`{"hostname": "WEB1"}`:             {1, false},
		`{"hostname": "web*"}`:             {1, false},
		`{"hostname": "web1.example.org"}`: {1, false},
		`{"hostname": "db1"}`:              {0, false},
		`{"hostname": "ALL"}, {"hostname": "web1", "negated": true}`: {0, false},
		`{"hostname": "web1", "negated": true}, {"hostname": "ALL"}`: {1, false},
		`{"networkaddr": "10.0.0.0/8"}`:                              {1, true},
	} {
		rules, err := sudoRules([]byte(`{"User_Specs": [{"User_List": [
 {"userid": 1234567}
]
 "Host_List": [`+hosts+`], "Cmnd_Specs": [{"Options": [
   "runcwd": "/a\"b",
   {"authenticate": false}], "Commands": [{"command": "ALL"}]}]}]}`), "web1.example.org")
		if err != nil || len(rules) != want.rules || want.rules == 1 && (rules[0].Partly != "") != want.partly {
			t.Errorf("%s: %+v, %v", hosts, rules, err)
		}
		if len(rules) == 1 && rules[0].Users[0] != "#1234567" {
			t.Errorf("%v", rules[0].Users)
		}
	}
}
