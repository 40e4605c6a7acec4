package escape

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxLine bounds what a name or a message of somebody else adds to a text of ours, in bytes.
const MaxLine = 120

// Line is one line of at most MaxLine bytes, with a question mark for what cannot be printed.
func Line(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s[:min(len(s), 4*MaxLine)])
	for len(s) > MaxLine {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}
