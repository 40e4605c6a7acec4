package dropin

import "testing"

func TestShellWord(t *testing.T) {
	for word, want := range map[string]string{"a.service": "a.service", `a\x2db.service`: `'a\x2db.service'`, "": "''", "a'b": `'a'\''b'`, "$(x)": "'$(x)'"} {
		if got := shellWord(word); got != want {
			t.Errorf("%s: %s", word, got)
		}
	}
}
