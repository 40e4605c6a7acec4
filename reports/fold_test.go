package reports

import (
	"strings"
	"testing"

	"github.com/clipperhouse/displaywidth"
)

// TestFolded: what is too long for a terminal goes on below its last column, or further in, and loses nothing but the blanks of its breaks.
func TestFolded(t *testing.T) {
	long := strings.Repeat("word ", 20) + "end"
	for name, c := range map[string]struct {
		text  string
		width int
		want  string
	}{
		"no terminal":      {"  " + long + "\n", 0, "  " + long + "\n"},
		"it fits":          {"  a  b\nc", 6, "  a  b\nc"},
		"further in":       {"  one two three four five six\n", 20, "  one two three\n      four five six\n"},
		"in its column":    {"id    low   one two three four five six seven\nx\n", 44, "id    low   one two three four five six\n            seven\nx\n"},
		"too narrow a one": {"id        low    " + "one two three four\n", 30, "id        low    one two\n    three four\n"},
		"a paragraph":      {"one two three\n\nfour five six seven\n\nx: one two three\ny: one\n", 10, "one two\nthree\n\nfour five\nsix seven\n\nx: one\n    two\n    three\ny: one\n"},
		"wide characters":  {"  高高高高 高高高高\n", 16, "  高高高高\n      高高高高\n"},
	} {
		got := Folded(c.text, c.width)
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for width := 1; width < 130; width++ {
		got := Folded("a    b  "+long+"\n    "+long+"\n", width)
		if strings.Join(strings.Fields(got), "") != strings.Join(strings.Fields("a b "+long+long), "") {
			t.Fatalf("%d columns: %q", width, got)
		}
		for line := range strings.Lines(got) {
			if n := displaywidth.String(strings.TrimRight(line, "\n")); width >= 16 && n > width {
				t.Errorf("%d columns: %q has %d", width, line, n)
			}
		}
	}
}
