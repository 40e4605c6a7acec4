//go:build linux && !ringfence_portable

package checks

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// simpleCommand is a simple command of a script: its words, the directory that it runs in, "" if that is not known, and whether it runs whenever
// the script does.
type simpleCommand struct {
	words []string
	dir   string
	sure  bool
}

// Bounds of a script.
const (
	maxScript        = 64 << 10
	maxShellCommands = 2_000
	maxExpanded      = 1 << 20
)

// shellWord is a word or an operator of a script.
type shellWord struct {
	text     string
	operator bool
}

// shellWords are the words and operators of a script (sh(1), token recognition). Comments and here-documents are left out.
func shellWords(text string) (list []shellWord) {
	var w strings.Builder
	started := false
	end := func() {
		if started {
			list = append(list, shellWord{text: w.String()})
		}
		w.Reset()
		started = false
	}
	here := ""
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\\':
			if i++; i < len(text) && text[i] != '\n' {
				w.WriteByte(text[i])
				started = true
			}
		case '\'', '"':
			n := closingQuote(text[i+1:], c)
			w.WriteString(text[i+1 : i+1+n])
			i, started = i+1+n, true
		case '#':
			if started {
				w.WriteByte(c)
				continue
			}
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case ' ', '\t', '\r':
			end()
		case '\n':
			end()
			list = append(list, shellWord{"\n", true})
			if here != "" {
				i += hereDocument(text[i+1:], here)
				here = ""
			}
		case '<', '>':
			i, here = redirection(text, i, here)
			if started && strings.Trim(w.String(), "0123456789") == "" {
				w.Reset()
				started = false
			}
			end()
		case ';', '&', '|', '(', ')', '`':
			end()
			list = append(list, shellWord{string(c), true})
		case '$':
			if i+1 < len(text) && text[i+1] == '(' {
				end()
				continue
			}
			fallthrough
		default:
			w.WriteByte(c)
			started = true
		}
	}
	end()
	return list
}

// closingQuote is where a quoted text ends.
func closingQuote(text string, quote byte) int {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == quote:
			return i
		case text[i] == '\\' && quote == '"':
			i++
		}
	}
	return len(text)
}

// redirection steps over where a command reads from or writes to, and says what ends a here-document.
func redirection(text string, i int, here string) (int, string) {
	start := i
	for i < len(text) && strings.ContainsRune("<>&|-", rune(text[i])) {
		i++
	}
	for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
		i++
	}
	word := i
	for i < len(text) && !strings.ContainsRune(" \t\n;&|()", rune(text[i])) {
		i++
	}
	if strings.HasPrefix(text[start:], "<<") && !strings.HasPrefix(text[start:], "<<<") {
		here = strings.Trim(text[word:i], `"'\`)
	}
	return i - 1, here
}

// hereDocument is how long one is, with the line that ends it.
func hereDocument(text, end string) (n int) {
	for line := range strings.Lines(text) {
		if n += len(line); strings.TrimSpace(line) == end {
			break
		}
	}
	return n
}

// shellReader goes through a script.
type shellReader struct {
	dir   string
	vars  map[string]string
	nest  []bool // what is open, and whether it may be passed by
	ended bool   // the script may have ended
	spent int    // bytes of variables that were put in
	list  []simpleCommand
}

// shellCommands are the simple commands of a script that begins in a directory, and the variables that it sets.
func shellCommands(text, dir string, vars map[string]string) ([]simpleCommand, map[string]string) {
	r := &shellReader{dir: dir, vars: maps.Clone(vars)}
	if r.vars == nil {
		r.vars = map[string]string{}
	}
	var words []string
	function := false
	tokens := shellWords(text)
	for i, t := range tokens {
		if !t.operator {
			words = append(words, t.text)
			continue
		}
		if t.text == "(" && len(words) == 1 && i+1 < len(tokens) && tokens[i+1].text == ")" {
			function, words = true, nil
			continue
		}
		function = r.command(words, function && len(words) == 0) && function
		words = nil
	}
	r.command(words, function)
	return r.list, r.vars
}

// command takes one simple command, and says whether a function is still to begin.
func (r *shellReader) command(words []string, function bool) bool {
	for len(words) > 0 {
		switch words[0] {
		case "if", "while", "until", "case":
			r.nest = append(r.nest, true)
			if words[0] == "case" {
				return false
			}
		case "for", "select":
			r.nest = append(r.nest, false)
			if i := slices.Index(words, "in"); i == 2 && len(words) > 3 {
				r.vars[words[1]] = r.expand(words[3])
			}
			return false
		case "{":
			r.nest = append(r.nest, function)
			function = false
		case "fi", "done", "esac", "}":
			r.nest = r.nest[:max(0, len(r.nest)-1)]
		case "then", "do", "else", "elif", "!", "time", "in":
		default:
			r.simple(words)
			return false
		}
		words = words[1:]
	}
	return function
}

func (r *shellReader) simple(words []string) {
	for i := range words {
		words[i] = r.expand(words[i])
	}
	sure := !r.ended && !slices.Contains(r.nest, true)
	for len(words) > 0 {
		name, value, ok := strings.Cut(words[0], "=")
		if !ok || !variableName(name) {
			break
		}
		r.vars[name] = value
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	switch words[0] {
	case "cd", "pushd":
		if len(words) > 1 {
			r.dir = below(r.dir, words[1])
		}
		return
	case "export", "readonly", "local", "declare":
		for _, w := range words[1:] {
			if name, value, ok := strings.Cut(w, "="); ok && variableName(name) {
				r.vars[name] = value
			}
		}
		return
	case "exit", "return":
		r.ended = true
		return
	}
	if len(r.list) < maxShellCommands {
		r.list = append(r.list, simpleCommand{words, r.dir, sure})
	}
	r.ended = r.ended || words[0] == "exec" && len(words) > 1
}

// below is a path seen from a directory, "" if it is not known.
func below(dir, p string) string {
	switch {
	case strings.ContainsAny(p, "$`"), p == "", p[0] == '~', p == "-":
		return ""
	case path.IsAbs(p):
		return path.Clean(p)
	case dir == "":
		return ""
	}
	return path.Join(dir, p)
}

func variableName(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == "" && (s[0] < '0' || s[0] > '9')
}

// expand replaces variables of which the script says what they are.
func (r *shellReader) expand(w string) string {
	if !strings.Contains(w, "$") {
		return w
	}
	var out strings.Builder
	for i := 0; i < len(w) && out.Len() < maxScript; i++ {
		if w[i] != '$' {
			out.WriteByte(w[i])
			continue
		}
		end := i + 1
		braced := end < len(w) && w[end] == '{'
		if braced {
			end++
		}
		from := end
		for end < len(w) && variableName(w[from:end+1]) {
			end++
		}
		value, ok := r.vars[w[from:end]]
		switch {
		case !ok, braced && (end == len(w) || w[end] != '}'), r.spent+len(value) > maxExpanded:
			out.WriteByte('$')
		default:
			r.spent += len(value)
			out.WriteString(value)
			if i = end - 1; braced {
				i = end
			}
		}
	}
	return out.String()
}
