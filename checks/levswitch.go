//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// switcher is a program that runs a command as somebody else.
type switcher struct {
	valued string // its options of one letter that have a value; -u has the user
	first  bool   // the first operand is the user, where no option says it
	shell  bool   // it runs a shell, with the other operands or the value of -c
	root   bool   // it makes root of who starts it where it is not said whom
}

// switchers are the programs (sudo(8), doas(1), su(1), runuser(1), setpriv(1), chpst(8), chroot(1), setuidgid(8)).
var switchers = map[string]switcher{
	"sudo": {"uCDghpRrtTU", false, false, true}, "doas": {"uaC", false, false, true}, "su": {"cgGsw", true, true, true}, "runuser": {"ucgGsw", true, true, true},
	"setpriv": {}, "chpst": {valued: "uUbe/nlLmdsaopfcrt"}, "gosu": {first: true}, "su-exec": {first: true}, "setuidgid": {first: true}, "s6-setuidgid": {first: true},
}

// longValued are options of these programs whose value can be the next word.
var longValued = strings.Fields("--user --reuid --userspec --ruid --euid --command --session-command --shell --group --groups --supp-group --regid --rgid --egid --whitelist-environment " +
	"--chdir --chroot --host --prompt --close-from --command-timeout --other-user --role --type --inh-caps --ambient-caps --bounding-set --securebits --pdeathsig")

// switching is what the words of such a program say.
type switching struct {
	who      string // "" is not said
	text     string
	asked    bool // text is for a shell
	login    bool // it runs in the home of the user
	operands []string
}

// options goes through the words.
func (s switcher) options(words []string) (x switching) {
	for i := 0; i < len(words); i++ {
		w := words[i]
		next := words[min(i+1, len(words)-1)]
		switch {
		case w == "--":
			x.operands = append(x.operands, words[i+1:]...)
			return x
		case strings.HasPrefix(w, "--"):
			name, value, joined := strings.Cut(w, "=")
			if !joined && slices.Contains(longValued, name) {
				value = next
				i++
			}
			x.long(name, value)
		case len(w) > 1 && w[0] == '-':
			if s.letters(w[1:], next, &x) {
				i++
			}
		case w == "-":
			x.login = true
		case s.shell && x.who == "": // its options may come after operands
			x.operands = append(x.operands, w)
		default:
			x.operands = words[i:]
			return x
		}
	}
	return x
}

func (x *switching) long(name, value string) {
	switch name {
	case "--user", "--reuid", "--userspec":
		x.who = value
	case "--command", "--session-command":
		x.text, x.asked = value, true
	case "--login":
		x.login = true
	}
}

// letters goes through options of one letter, and says whether the next word is the value of the last.
func (s switcher) letters(w, next string, x *switching) (taken bool) {
	for i := range len(w) {
		if strings.IndexByte(s.valued, w[i]) < 0 {
			x.login = x.login || s.root && (w[i] == 'l' || w[i] == 'i')
			continue
		}
		value := w[i+1:]
		if taken = value == ""; taken {
			value = next
		}
		switch {
		case w[i] == 'u':
			x.who = strings.TrimPrefix(value, ":") // numbers of chpst
		case w[i] == 'c' && s.shell:
			x.text, x.asked = value, true
		}
		return taken
	}
	return false
}

// switched is the command that a program runs that changes the user; the lever becomes that of the other.
func (l *levers) switched(s switcher, words []string, lever *snapshot.LeverFile, at *runsHere) []string {
	x := s.options(words[1:])
	shell := s.shell && x.who == ""
	if s.first && x.who == "" && len(x.operands) > 0 {
		x.who, x.operands = x.operands[0], x.operands[1:]
	}
	if who, _, _ := strings.Cut(x.who, ":"); who != "" || s.root {
		l.become(lever, cmp.Or(who, "root"), path.Base(words[0]))
	}
	if x.login && lever.UID >= 0 {
		at.dir = l.s.accountHome(lever.UID)
	}
	switch {
	case x.asked:
		return []string{"sh", "-c", x.text}
	case shell && len(x.operands) > 0:
		return append([]string{"sh"}, x.operands...)
	case len(x.operands) == 0 && len(at.in)+len(at.texts) > 0:
		return []string{"sh"} // reads its commands
	}
	return x.operands
}

// become makes a lever that of somebody else: of a user that the text does not tell it can be root.
func (l *levers) become(lever *snapshot.LeverFile, who, by string) {
	before := lever.UID
	lever.UID = l.s.uidOf(strings.TrimLeft(who, "#+"))
	unsure := ""
	switch {
	case lever.UID < 0 && strings.ContainsAny(who, "$`*"):
		lever.UID = 0
		unsure = "as whom " + lever.By + " runs it was not followed"
	case before != 0 && before != lever.UID:
		unsure = "whether " + by + " lets who runs " + lever.By + " do that was not followed"
	}
	lever.Unsure = cmp.Or(lever.Unsure, unsure)
}
