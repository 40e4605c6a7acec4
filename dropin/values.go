package dropin

import (
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ringfence/ringfence/escape"
)

// plainText says of a value that it is one line of printable text, and UTF-8: what goes into a file, a unit or a command
// has neither a line end nor a control character, which could begin a setting of its own.
func plainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
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

// heading is the first line of a file of ours: the checks that it is for.
func heading(checks []string) string {
	var list []string
	for _, c := range checks {
		list = append(list, escape.Line(c))
	}
	return "# ringfence: " + strings.Join(list, ", ") + "\n"
}
