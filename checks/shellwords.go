//go:build linux && !ringfence_portable

package checks

import (
	"strings"
)

// shellWord is a part of a script: a word, an operator, where a command reads from or writes to, or a script within a word.
type shellWord struct {
	text string
	kind tokenKind
}

type tokenKind int

const (
	wordToken     tokenKind = iota
	operatorToken           // ends a command
	inToken                 // a file that is read
	outToken                // a file that is written
	textToken               // a here-document, or the string of one
	scriptToken             // what is between $( and ), or backquotes
)

// wordReader takes a script apart.
type wordReader struct {
	text    string
	list    []shellWord
	w       strings.Builder
	started bool
	here    []hereDoc // that begin with the next line
}

// hereDoc is a here-document to come: the line that ends it, where it is in the list, and whether nothing in it is replaced.
type hereDoc struct {
	end    string
	at     int
	quoted bool
}

// shellWords are the parts of a script (sh(1), token recognition), without comments.
func shellWords(text string) []shellWord {
	r := &wordReader{text: text}
	for i := 0; i < len(text); i++ {
		i = r.next(i)
	}
	r.end()
	return r.list
}

func (r *wordReader) end() {
	if r.started {
		r.list = append(r.list, shellWord{text: r.w.String()})
	}
	r.w.Reset()
	r.started = false
}

func (r *wordReader) add(text string, kind tokenKind) { r.list = append(r.list, shellWord{text, kind}) }

// next takes what begins at a byte, and says where it ends.
func (r *wordReader) next(i int) int {
	text := r.text
	switch c := text[i]; c {
	case '\\':
		if i++; i < len(text) && text[i] != '\n' {
			r.w.WriteByte(text[i])
			r.started = true
		}
	case '\'', '"':
		n := closingQuote(text[i+1:], c)
		quoted := text[i+1 : i+1+n]
		if c == '"' {
			quoted = r.substitutions(quoted)
		}
		r.w.WriteString(quoted)
		r.started = true
		return i + 1 + n
	case '#':
		if r.started {
			r.w.WriteByte(c)
			return i
		}
		for i+1 < len(text) && text[i+1] != '\n' {
			i++
		}
	case ' ', '\t', '\r':
		r.end()
	case '\n':
		r.end()
		r.add("\n", operatorToken)
		return r.documents(i)
	case '<', '>':
		return r.redirection(i)
	case '`', '$':
		if inner, n := substitution(text[i:]); n > 0 {
			r.add(inner, scriptToken)
			r.w.WriteByte('$')
			r.started = true
			return i + n - 1
		}
		r.w.WriteByte(c)
		r.started = true
	case ';', '&', '|', '(', ')':
		r.end()
		r.add(string(c), operatorToken)
	default:
		r.w.WriteByte(c)
		r.started = true
	}
	return i
}

// substitution is the script that a text begins with, between $( and ) or backquotes, and how long it is with these; 0 if it begins with none.
func substitution(text string) (inner string, n int) {
	if text[0] == '`' {
		for end := 1; end < len(text); end++ {
			switch text[end] {
			case '\\':
				end++
			case '`':
				return strings.ReplaceAll(text[1:end], "\\`", "`"), end + 1
			}
		}
		return text[1:], len(text)
	}
	if !strings.HasPrefix(text, "$(") {
		return "", 0
	}
	end := closingBracket(text[2:])
	return text[2 : 2+end], min(end+3, len(text))
}

// closingBracket is where a script between brackets ends.
func closingBracket(text string) int {
	open := 1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\\':
			i++
		case '\'', '"':
			i += 1 + closingQuote(text[i+1:], c)
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				return i
			}
		}
	}
	return len(text)
}

// substitutions adds the scripts in a text, and leaves a $ for each.
func (r *wordReader) substitutions(text string) string {
	if !strings.ContainsAny(text, "$`") {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\\':
			if i++; i < len(text) {
				if !strings.ContainsRune("$`\"\\\n", rune(text[i])) {
					b.WriteByte(c)
				}
				b.WriteByte(text[i])
			}
		case '`', '$':
			inner, n := substitution(text[i:])
			b.WriteByte('$')
			if n > 0 {
				r.add(inner, scriptToken)
				i += n - 1
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// closingQuote is where a quoted text ends. A script between double quotes has its own.
func closingQuote(text string, quote byte) int {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == quote:
			return i
		case quote != '"':
		case text[i] == '\\':
			i++
		case strings.HasPrefix(text[i:], "$("):
			i += 2 + closingBracket(text[i+2:])
		}
	}
	return len(text)
}

// redirection takes where a command reads from or writes to.
func (r *wordReader) redirection(i int) int {
	text := r.text
	if r.started && strings.Trim(r.w.String(), "0123456789") == "" {
		r.w.Reset()
		r.started = false
	}
	r.end()
	if strings.HasPrefix(text[i+1:], "(") { // <(...) is a file with what the script writes
		end := closingBracket(text[i+2:])
		r.add(text[i+2:i+2+end], scriptToken)
		r.w.WriteByte('$')
		r.started = true
		return min(i+2+end, len(text)-1)
	}
	start := i
	for i < len(text) && strings.IndexByte("<>&|-", text[i]) >= 0 {
		i++
	}
	op := text[start:i]
	for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
		i++
	}
	word := i
	for i < len(text) && !strings.ContainsRune(" \t\n;&|()<>", rune(text[i])) {
		if c := text[i]; c == '\'' || c == '"' {
			i += 1 + closingQuote(text[i+1:], c)
		}
		i++
	}
	i = min(i, len(text))
	target := text[word:i]
	if strings.ContainsAny(target, "\"'\\") {
		target = strings.NewReplacer(`"`, "", `'`, "", `\`, "").Replace(target)
	}
	switch {
	case strings.HasPrefix(op, "<<<"):
		r.add(target, textToken)
	case strings.HasPrefix(op, "<<"):
		r.here = append(r.here, hereDoc{target, len(r.list), target != text[word:i]})
		r.add("", textToken)
	case target == "", strings.Trim(target, "0123456789-") == "", strings.HasPrefix(target, "/dev/") && !strings.HasPrefix(target, "/dev/shm/"):
	case strings.Contains(op, ">"):
		r.add(target, outToken)
	default:
		r.add(target, inToken)
	}
	return i - 1
}

// documents takes the here-documents that begin after the end of a line.
func (r *wordReader) documents(i int) int {
	for _, h := range r.here {
		rest := r.text[min(i+1, len(r.text)):]
		n, body := 0, 0
		for line := range strings.Lines(rest) {
			if n += len(line); strings.TrimSpace(line) == h.end {
				break
			}
			body = n
		}
		if r.list[h.at].text = rest[:body]; !h.quoted {
			r.substitutions(rest[:body])
		}
		i += n
	}
	r.here = nil
	return i
}
