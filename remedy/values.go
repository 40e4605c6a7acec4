package remedy

import (
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds what a name or a message of somebody else adds to a text of ours, in bytes.
const maxText = 120

// plainText says of a value that it is one line of printable text, and UTF-8: what goes into a file, a unit or a command
// has neither a line end nor a control character, which could begin a setting of its own.
func plainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// boundedText is one line of at most maxText bytes, with a question mark for what cannot be printed.
func boundedText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s[:min(len(s), 4*maxText)])
	for len(s) > maxText {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// plainPath is of paths that mean the same in a file of tmpfiles.d(5), in a unit, in a shell and by themselves: no blank,
// quote, glob, specifier or variable is in them, and no way up.
var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9_+.,:@-]+)+$`)

// usablePath says whether a path can be written into files and commands of ours as it is.
func usablePath(p string) bool {
	return len(p) < 4096 && plainPath.MatchString(p) && path.Clean(p) == p
}

// groupName is of names that groupadd(8) makes.
var groupName = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

// shellWord quotes a word for a POSIX shell, where it needs it.
func shellWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.,:@/=-", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// plainInterface says whether the name of an interface can be written in nft's syntax as what it is: there a quoted name has no
// escapes, and an asterisk is a wildcard.
func plainInterface(name string) bool {
	return name != "" && len(name) < 16 && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("\"\\*", r)
	})
}

// comment is what a rule says about itself: one line that nft takes, which knows no escapes (NFTNL_UDATA_COMMENT_MAXLEN is 128).
func comment(s string) string {
	return strings.NewReplacer(`"`, "'", `\`, "/", "*", "_").Replace(boundedText(strings.TrimSpace(s)))
}

// heading is the first line of a file of ours: the checks that it is for.
func heading(checks []string) string {
	var list []string
	for _, c := range checks {
		list = append(list, boundedText(c))
	}
	return "# ringfence: " + strings.Join(list, ", ") + "\n"
}
