package reports

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/clipperhouse/displaywidth"

	"github.com/ringfence/ringfence/escape"
)

// Clean makes host text safe for a terminal: control characters, invalid UTF-8 and characters that
// change the direction of the text become visible escapes. Line breaks stay only where keep says so.
func Clean(s string, keepBreaks bool) string { return escape.Text(s, keepBreaks) }

// sgr is an escape sequence for colour, as writeTable makes them.
var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Printable makes a rendered table safe for a terminal, whoever rendered it: colours and line breaks stay.
func Printable(table []byte) []byte {
	var b bytes.Buffer
	for len(table) > 0 {
		at := sgr.FindIndex(table)
		if at == nil {
			at = []int{len(table), len(table)}
		}
		b.WriteString(Clean(string(table[:at[0]]), true))
		b.Write(table[at[0]:at[1]])
		table = table[at[1]:]
	}
	return b.Bytes()
}

// PrintableJSON makes JSON safe for a terminal: what Clean would replace is written as the escapes of JSON, which
// mean the same.
func PrintableJSON(b []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(b) {
		switch {
		case r == '\n' || r == '\t' || unicode.IsGraphic(r) && !escape.Turns(r):
			out.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.Bytes()
}

// command is one of this program in a sentence.
var command = regexp.MustCompile(`\(ringfence [^()]*\)`)

// joint stands for a blank at which no line breaks. Cleaned text has none.
const joint = '\x00'

// together has no line break in a command that fits into one.
func together(s string, width int) string {
	return command.ReplaceAllStringFunc(s, func(c string) string {
		if displaywidth.String(c) > width {
			return c
		}
		return strings.ReplaceAll(c, " ", string(joint))
	})
}

// wrap breaks text into lines of at most width columns, at blanks where it can. It loses no
// character but the blank at a break: a word that is too long goes on in the next line.
func wrap(s string, width int) []string {
	width = max(width, 8)
	lines := broken(together(s, width), width)
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], string(joint), " ")
	}
	return lines
}

func broken(s string, width int) []string {
	var lines []string
	for para := range strings.SplitSeq(s, "\n") {
		start, used := 0, 0  // of the current line: first byte, columns
		blank, after := 0, 0 // behind its last blank: first byte, columns up to there
		for i, r := range para {
			w := displaywidth.Rune(r)
			if r == joint {
				w = 1
			}
			if used+w > width && i > start {
				if r == ' ' { // the blank itself is the break
					lines = append(lines, strings.TrimRight(para[start:i], " "))
					start, used, blank, after = i+1, 0, i+1, 0
					continue
				}
				end := i
				if blank > start && (used-after < width*2/3 || strings.ContainsRune(para[blank:i], joint)) { // a long word breaks where the line ends
					end, used = blank, used-after
				} else {
					used = 0
				}
				lines = append(lines, strings.TrimRight(para[start:end], " "))
				start, blank, after = end, end, 0
			}
			used += w
			if r == ' ' {
				blank, after = i+1, used
			}
		}
		lines = append(lines, strings.TrimRight(para[start:], " "))
	}
	return lines
}

// Cleaned has every argument of a format that is text, or has one, as one line without control characters.
func Cleaned(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case string:
			out[i] = Clean(v, false)
		case error:
			out[i] = Clean(v.Error(), false)
		case fmt.Stringer:
			out[i] = Clean(v.String(), false)
		default:
			out[i] = a
		}
	}
	return out
}

// ErrorLine makes an error one line without control characters: it can quote a hostile file.
func ErrorLine(err error) string { return Clean(strings.Join(strings.Fields(err.Error()), " "), false) }
