package escape

import (
	"strings"
	"testing"
)

func TestLine(t *testing.T) {
	if got := Line("a\x1b[31m\u202e" + strings.Repeat("ü", 100)); len(got) > MaxLine || strings.ContainsAny(got, "\x1b\u202e") || !strings.HasSuffix(got, "ü") {
		t.Errorf("%q", got)
	}
}
