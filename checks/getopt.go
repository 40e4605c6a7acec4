//go:build linux && !ringfence_portable

package checks

import "strings"

// getopt are the options of a program that reads them by getopt_long(3).
type getopt struct {
	valued string          // the letters of those that have a value
	flags  string          // if not "", the letters of those that have none: one that is in neither can have one with it
	long   map[string]byte // the long names, each with its letter, or another byte
	first  bool            // the first word that is no option ends them
}

// read are the letters of the options in the arguments, long ones too, their values, and the words after them: a value is no option, words that are
// none are passed over, and a long name can be short of its end.
func (g *getopt) read(argv []string) (letters string, vals map[byte][]string, rest []string) {
	vals = map[byte][]string{}
	for i := 1; i < len(argv); i++ {
		a := argv[i]
		switch {
		case a == "--":
			return letters, vals, argv[i+1:]
		case (len(a) < 2 || a[0] != '-') && g.first:
			return letters, vals, argv[i:]
		case len(a) < 2 || a[0] != '-':
			continue
		}
		given, value, valued := a[1:], "", false
		if long, ok := strings.CutPrefix(a, "--"); ok {
			name, v, with := strings.Cut(long, "=")
			given, value, valued = g.letter(name), v, with
		} else if at := strings.IndexFunc(given, g.ends); at >= 0 && at+1 < len(given) {
			given, value, valued = given[:at+1], given[at+1:], true
		}
		letters += given
		if given == "" || !strings.ContainsRune(g.valued, rune(given[len(given)-1])) {
			continue
		}
		if !valued {
			if i++; i < len(argv) {
				value = argv[i]
			}
		}
		letter := given[len(given)-1]
		vals[letter] = append(vals[letter], value)
	}
	return letters, vals, nil
}

// ends says of a letter that what follows it in a word is its value.
func (g *getopt) ends(letter rune) bool {
	return strings.ContainsRune(g.valued, letter) || g.flags != "" && !strings.ContainsRune(g.flags, letter)
}

// letter is the letter of a long name, or of the only ones that begin so, "" for none.
func (g *getopt) letter(name string) string {
	if c, ok := g.long[name]; ok {
		return string(rune(c))
	}
	found := ""
	for long, c := range g.long {
		if strings.HasPrefix(long, name) && found != string(rune(c)) {
			if found != "" {
				return ""
			}
			found = string(rune(c))
		}
	}
	return found
}
