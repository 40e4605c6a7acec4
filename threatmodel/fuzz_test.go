package threatmodel

import (
	"regexp"
	"testing"
	"unicode"

	"github.com/ringfence/ringfence/escape"
)

// FuzzTexts: whatever a host calls something stays inside of the quotes of Mermaid and DOT, is short, and has a name in exports.
func FuzzTexts(f *testing.F) {
	for _, s := range []string{"web", `"];n1`, "</svg><script>", "a\u202eb", "\xff\x00\x1b[31m", "\\N&amp;#35;", "actor external", "日本語の名前がここにあります", "x\\"} {
		f.Add(s)
	}
	mermaid, dot, name := regexp.MustCompile("^"+mermaidQuoted+"$"), regexp.MustCompile("^"+dotQuoted+"$"), regexp.MustCompile(`^[0-9a-z-]+$`)
	f.Fuzz(func(t *testing.T, s string) {
		short := shorten(s, titleWidth)
		if w := width(short); w > titleWidth {
			t.Errorf("%q is %d wide", short, w)
		}
		for _, c := range short {
			if !unicode.IsGraphic(c) || escape.Turns(c) {
				t.Errorf("%q has %U", short, c)
			}
		}
		if m := `"` + MermaidText(s) + `"`; !mermaid.MatchString(m) {
			t.Error(m)
		}
		if d := dotText(s); !dot.MatchString(d) {
			t.Error(d)
		}
		if n := symbolic(s); !name.MatchString(n) || len(n) > 80 {
			t.Error(n)
		}
	})
}
