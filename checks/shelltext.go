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
	streams
}

// streams are what a command reads and writes besides what its words name.
type streams struct {
	in, out []string // files, "" of which nothing is known
	texts   []string // what the script itself has for its standard input
	// fed: what it writes becomes words or commands of others.
	fed bool
}

// Bounds of a script.
const (
	maxScript        = 256 << 10
	maxOwnScript     = 32 << 10 // of somebody else than root
	maxShellCommands = 2_000
	maxExpanded      = 1 << 20
	maxSubstituted   = 16 // scripts in the words of scripts
)

// shellReader goes through a script.
type shellReader struct {
	dir   string
	vars  map[string]string
	nest  []bool // what is open, and whether it may be passed by
	ended bool   // the script may have ended
	spent int    // bytes of variables that were put in, and of scripts in this one
	depth int
	fed   bool
	list  []simpleCommand
	// source is the text of a script that this one reads, "" if it is not to be followed.
	source func(file string) string
}

// shellCommands are the simple commands of a script that begins in a directory, and the variables that it sets.
func shellCommands(text, dir string, vars map[string]string) ([]simpleCommand, map[string]string) {
	r := &shellReader{dir: dir, vars: maps.Clone(vars)}
	r.script(text)
	return r.list, r.vars
}

// script goes through a text.
func (r *shellReader) script(text string) {
	if r.vars == nil {
		r.vars = map[string]string{}
	}
	var words []string
	var s streams
	function, pipe := false, len(r.list)
	tokens := shellWords(text)
	for i, t := range tokens {
		switch t.kind {
		case wordToken:
			words = append(words, t.text)
			continue
		case inToken:
			s.in = append(s.in, below(r.dir, r.expand(t.text)))
			continue
		case outToken:
			s.out = append(s.out, below(r.dir, r.expand(t.text)))
			continue
		case textToken:
			s.texts = append(s.texts, t.text)
			continue
		case scriptToken:
			r.substituted(t.text)
			continue
		case operatorToken:
		}
		if t.text == "(" && len(words) == 1 && i+1 < len(tokens) && tokens[i+1].text == ")" {
			function, words = true, nil
			continue
		}
		function = r.command(words, s, function && len(words) == 0) && function
		words, s = nil, streams{}
		if t.text != "|" {
			r.piped(pipe)
			pipe = len(r.list)
		}
	}
	r.command(words, s, function)
	r.piped(pipe)
}

// substituted goes through a script in the words of this one: it changes nothing of it, and what it writes becomes words.
func (r *shellReader) substituted(text string) {
	if r.depth == maxSubstituted || r.spent+len(text) > maxExpanded {
		r.list = append(r.list, simpleCommand{words: []string{"$"}, dir: r.dir})
		return
	}
	r.spent += len(text)
	dir, nest, ended, fed := r.dir, r.nest, r.ended, r.fed
	r.depth, r.fed = r.depth+1, true
	r.script(text)
	r.dir, r.nest, r.ended, r.fed = dir, nest, ended, fed
	r.depth--
}

// piped marks the commands of a pipeline, which begins in the list at one, of which a later one makes commands of what they write.
func (r *shellReader) piped(from int) {
	runs := false
	for i := len(r.list) - 1; i >= min(from, len(r.list)); i-- {
		c := &r.list[i]
		c.fed = c.fed || runs
		runs = runs || runsInput(c.words)
	}
}

// runsInput says of a command that it makes commands of what it reads, or may.
func runsInput(words []string) bool {
	for len(words) > 0 {
		name, _, ok := strings.Cut(words[0], "=")
		if !ok || !variableName(name) {
			break
		}
		words = words[1:]
	}
	for len(words) > 1 {
		w, ok := wrappers[path.Base(words[0])]
		if _, switches := switchers[path.Base(words[0])]; !ok || switches {
			break
		}
		words = pastOptions(words[1:], w.valued)
		words = words[min(w.operands, len(words)):]
	}
	if len(words) == 0 {
		return true
	}
	switch name := path.Base(words[0]); {
	case name == "read", name == "mapfile", name == "readarray":
		return true
	case name == "tee" && slices.ContainsFunc(words[1:], ofRoot.MatchString): // it becomes what root runs or reads
		return true
	case slices.Contains(harmlessReaders, name), slices.Contains(builtins, name):
		return false
	}
	return true
}

// command takes one simple command, and says whether a function is still to begin.
func (r *shellReader) command(words []string, s streams, function bool) bool {
	s.fed = r.fed
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
			r.simple(words, s)
			return false
		}
		words = words[1:]
	}
	if len(s.in)+len(s.out)+len(s.texts) > 0 { // of what is between brackets
		r.note(simpleCommand{[]string{"read"}, r.dir, !r.ended && !slices.Contains(r.nest, true), s})
	}
	return function
}

func (r *shellReader) note(c simpleCommand) {
	if len(r.list) < maxShellCommands {
		r.list = append(r.list, c)
	}
}

func (r *shellReader) simple(words []string, s streams) {
	for i := range words {
		words[i] = r.expand(words[i])
	}
	sure := !r.ended && !slices.Contains(r.nest, true)
	all := words // with what is set for the command alone
	for len(words) > 0 {
		name, value, ok := strings.Cut(words[0], "=")
		if !ok || !variableName(name) {
			break
		}
		r.vars[name] = value
		words = words[1:]
	}
	if len(words) == 0 {
		if len(s.in)+len(s.out) > 0 {
			r.note(simpleCommand{[]string{"read"}, r.dir, sure, s})
		}
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
				if r.vars[name] = value; words[0] == "export" {
					r.note(simpleCommand{[]string{w}, r.dir, sure, streams{}})
				}
			}
		}
		return
	case "exit", "return":
		r.ended = true
		return
	case "exec":
		if opensFiles(words) { // what comes after reads and writes there
			r.note(simpleCommand{[]string{"read"}, r.dir, sure, s})
			return
		}
	}
	r.note(simpleCommand{all, r.dir, sure, s})
	r.ended = r.ended || words[0] == "exec" && len(words) > 1
	if (words[0] == "." || words[0] == "source") && len(words) > 1 && r.source != nil {
		r.sourced(words[1])
	}
}

// opensFiles says of exec(1p) that it runs no command: it opens files, for numbers or the {NAME} of one.
func opensFiles(words []string) bool {
	return len(words) == 1 || len(words) == 2 && strings.HasPrefix(words[1], "{") && strings.HasSuffix(words[1], "}")
}

// sourced goes through a script that this one reads, as if it were a part of it.
func (r *shellReader) sourced(w string) {
	file := below(r.dir, w)
	if file == "" || r.depth == maxSubstituted {
		return
	}
	text := r.source(file)
	if r.spent += len(text); text == "" || r.spent > maxExpanded {
		return
	}
	ended, nest := r.ended, len(r.nest)
	r.depth++
	r.script(text)
	r.depth--
	r.ended, r.nest = ended, r.nest[:min(nest, len(r.nest))]
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

func variableName(s string) bool { return s != "" && nameLength(s) == len(s) }

// nameLength is how many bytes of a text are the name of a variable.
func nameLength(s string) int {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
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
		from := i + 1
		braced := from < len(w) && w[from] == '{'
		if braced {
			from++
		}
		end := from + nameLength(w[from:])
		value, ok := r.vars[w[from:end]]
		if close := strings.IndexByte(w[end:], '}'); braced && close > 0 && defaulted.MatchString(w[end:end+close]) { // ${NAME:-WORD}
			if word := strings.TrimLeft(w[end:end+close], ":-="); !ok || value == "" {
				value, ok = word, !strings.Contains(word, "$")
			}
			end += close
		}
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

// defaulted is what says of a variable what it is where it is not set.
var defaulted = lazily(`^:?[-=]`)
