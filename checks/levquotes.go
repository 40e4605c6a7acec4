//go:build linux && !ringfence_portable

package checks

import "strings"

// quotedWords are the words of a setting (systemd.syntax(7)): what quotes stand for, anywhere in a word, and escapes.
func quotedWords(text string) (list []string) {
	var w strings.Builder
	started, quote := false, byte(0)
	for i := 0; i < len(text) && len(list) < maxWords; i++ {
		c := text[i]
		blank := c == ' ' || c == '\t' || c == '\n'
		switch {
		case c == '\\' && i+1 < len(text):
			n := escaped(text[i:], &w)
			i, started = i+n-1, true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, started = c, true
		case quote == 0 && blank:
			if started {
				list = append(list, w.String())
			}
			w.Reset()
			started = false
		default:
			w.WriteByte(c)
			started = true
		}
	}
	if started && len(list) < maxWords {
		list = append(list, w.String())
	}
	return list
}

// escaped writes what an escape at the beginning of a text stands for, and says how long that is.
func escaped(text string, w *strings.Builder) int {
	if n := hexByte(text); n >= 0 {
		w.WriteByte(byte(n))
		return 4
	}
	if i := strings.IndexByte("abfnrtvs", text[1]); i >= 0 {
		w.WriteByte("\a\b\f\n\r\t\v "[i])
		return 2
	}
	if len(text) > 3 && text[1] <= '3' && strings.Trim(text[1:4], "01234567") == "" {
		w.WriteByte((text[1]-'0')<<6 | (text[2]-'0')<<3 | (text[3] - '0'))
		return 4
	}
	w.WriteByte(text[1])
	return 2
}

// commandsOf are the commands of lines of a unit; a word that is ; is between two (systemd.service(5)).
func commandsOf(lines []string) (list []string) {
	for _, line := range lines {
		var parts []string
		double, single := 0, 0
		for part := range strings.SplitSeq(line, " ; ") {
			parts = append(parts, part)
			double, single = double+strings.Count(part, `"`), single+strings.Count(part, "'")
			if double%2 == 0 && single%2 == 0 {
				list = append(list, strings.TrimSpace(strings.Join(parts, " ; ")))
				parts = nil
			}
		}
		if rest := strings.TrimSpace(strings.Join(parts, " ; ")); rest != "" {
			list = append(list, rest)
		}
	}
	return list
}
