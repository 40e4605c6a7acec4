//go:build linux && !ringfence_portable

package checks

import "testing"

// TestLiteralOfAPattern: what a pattern is passed over for is in everything that it matches.
func TestLiteralOfAPattern(t *testing.T) {
	for pattern, want := range map[string]string{
		"(^|/)ollama (serve|runner)( |$)": "ollama ",
		`open_webui\.main:app`:            "open_webui.main:app",
		"(?i)vllm":                        "",
		"a|bcd":                           "",
		"x?yz":                            "yz",
		"(ab)+c*":                         "ab",
		"[":                               "",
	} {
		if got := literalOf(pattern); got != want {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
}
