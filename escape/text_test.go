package escape

import "testing"

func TestASCII(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain text\n": "plain text\n", "web1 · 2 passed …\n": "web1 - 2 passed ~\n", "über 日": `\u00fcber \u65e5`, "\U0001f600": `\U0001f600`,
	} {
		if got := ASCII(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
