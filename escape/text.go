package escape

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is text of the host as it can be shown: control characters, invalid UTF-8 and characters that change the direction of the text, or have no
// width, become visible escapes. Line breaks stay only where keep says so.
func Text(s string, keepBreaks bool) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n' && keepBreaks:
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsControl(r) || Turns(r) || !unicode.IsGraphic(r):
			if r < 0x100 {
				fmt.Fprintf(&b, `\x%02x`, r)
			} else {
				fmt.Fprintf(&b, `\u%04x`, r)
			}
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// Turns says of a character that it reorders text, so that a name reads as another, or that it has no width.
func Turns(r rune) bool {
	return r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2060 && r <= 0x2069 || r == 0xfeff
}

// ours are the signs that texts of the program have beside ASCII, each with one that is as wide.
var ours = map[rune]string{'·': "-", '…': "~"}

// ASCII is a text for a terminal that shows no more than ASCII.
func ASCII(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch is, ok := ours[r]; {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case ok:
			b.WriteString(is)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
