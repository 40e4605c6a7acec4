package remedy

import (
	"strings"

	"github.com/ringfence/ringfence/escape"
)

// plainInterface says whether the name of an interface can be written in nft's syntax as what it is: there a quoted name has no
// escapes, and an asterisk is a wildcard.
func plainInterface(name string) bool {
	return name != "" && len(name) < 16 && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("\"\\*", r)
	})
}

// comment is what a rule says about itself: one line that nft takes, which knows no escapes (NFTNL_UDATA_COMMENT_MAXLEN is 128).
func comment(s string) string {
	return strings.NewReplacer(`"`, "'", `\`, "/", "*", "_").Replace(escape.Line(strings.TrimSpace(s)))
}
