// Package escape writes text of the host so that whoever reads it is shown it, and nothing more.
package escape

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// JSON replaces in JSON text the characters that a terminal or an editor acts on and that encoding/json writes as they are: DEL, the
// controls U+0080 to U+009F, those that turn the direction of writing (Unicode TR9), and the mark U+FEFF, which has no width. Outside of strings JSON has none of
// them, so that what is read back is the same.
func JSON(b []byte) []byte {
	if !bytes.ContainsFunc(b, acts) {
		return b
	}
	out := make([]byte, 0, len(b)+64)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if acts(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return out
}

func acts(r rune) bool {
	return r >= 0x7f && r <= 0x9f || r == 0x061c || r == 0x200e || r == 0x200f || r == 0xfeff || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
