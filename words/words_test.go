package words

import "testing"

func TestNearest(t *testing.T) {
	list := []string{"audit", "collect", "checks", "management/ssh-reachable-from-workload", "ssh/password-authentication"}
	for word, want := range map[string]string{
		"aduit": "audit", "Audit": "audit", "colect": "collect", "check": "checks", "x": "", "": "", "frobnicate": "",
		"managment/ssh-reachable": "management/ssh-reachable-from-workload", "password": "ssh/password-authentication",
	} {
		if got := Nearest(word, list); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	for _, e := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"ab", "ba", 1}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"a", "a", 0}} {
		if got := edits(e.a, e.b); got != e.want {
			t.Errorf("%q to %q: %d, want %d", e.a, e.b, got, e.want)
		}
	}
}

func TestWrong(t *testing.T) {
	for word, want := range map[string]string{
		"jsn": "want table, json or sarif; did you mean json?", "pdf": "want table, json or sarif",
	} {
		if got := Wrong(word, []string{"table", "json", "sarif"}).Error(); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	if Or([]string{"a"}) != "a" || Or(nil) != "" {
		t.Error("a list of one")
	}
}
