//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// maxDoasRules bounds the rules of doas.
const maxDoasRules = 10_000

// doas reads the rules of doas(1). It takes no file that others than root own, or that a group or everybody may write.
func (s *Scan) doas() ([]snapshot.DoasRule, snapshot.Fact) {
	const file = "/etc/doas.conf"
	more, _ := s.Host.Glob("/etc/doas.d/*.conf")
	st, err := s.Host.Stat(file)
	switch {
	case len(more) > 0:
		return nil, snapshot.Fact{State: snapshot.Error, Reason: "files of /etc/doas.d are not read"}
	case err != nil && gone(err):
		return nil, snapshot.Fact{State: snapshot.Absent}
	case err == nil && (st.UID != 0 || st.Perm&0o022 != 0):
		return nil, snapshot.Fact{State: snapshot.Present} // it refuses it, and so everybody
	}
	b, err := s.Host.ReadFile(file)
	if err != nil {
		state := snapshot.Error
		if denied(err) {
			state = snapshot.Denied
		}
		return nil, snapshot.Fact{State: state, Reason: err.Error()}
	}
	rules, err := doasRules(string(b))
	if err != nil {
		return nil, snapshot.Fact{State: snapshot.Error, Reason: file + ": " + err.Error()}
	}
	return rules, snapshot.Fact{State: snapshot.Present}
}

// doasWord is a word of doas.conf(5). One with quotes or a backslash is no keyword.
type doasWord struct {
	text  string
	plain bool
}

func (w doasWord) is(keyword string) bool { return w.plain && w.text == keyword }

var doasKeywords = []string{"permit", "deny", "as", "cmd", "args", "nopass", "persist", "nolog", "keepenv", "setenv", "{", "}"}

// doasLines are the words of each line.
func doasLines(text string) (lines [][]doasWord, err error) {
	var line []doasWord
	var w strings.Builder
	started, plain, quoted, escaped := false, true, false, false
	end := func() {
		if started {
			line = append(line, doasWord{w.String(), plain})
		}
		w.Reset()
		started, plain = false, true
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case escaped:
			escaped = false
			if c != '\n' {
				w.WriteByte(c)
				started = true
			}
		case c == '\\':
			escaped, plain = true, false
		case c == '"':
			quoted, started, plain = !quoted, true, false
		case c == '\n' && quoted, c == 0:
			return nil, errMalformed
		case quoted:
			w.WriteByte(c)
		case c == '\n':
			end()
			if len(line) > 0 {
				lines = append(lines, line)
			}
			line = nil
		case c == '#': // ends a word, too
			end()
			i += strings.IndexByte(text[i:]+"\n", '\n') - 1
		case c == ' ' || c == '\t':
			end()
		case c == '{' || c == '}':
			end()
			line = append(line, doasWord{string(c), true})
		default:
			w.WriteByte(c)
			started = true
		}
	}
	if end(); quoted || escaped || len(line) > 0 { // a line ends with its end
		return nil, errMalformed
	}
	return lines, nil
}

// doasRules reads doas.conf(5). doas runs nothing if a line is wrong.
func doasRules(text string) (list []snapshot.DoasRule, err error) {
	lines, err := doasLines(text)
	if err != nil {
		return nil, err
	}
	if len(lines) > maxDoasRules {
		return nil, fmt.Errorf("%w: more than %d rules", errMalformed, maxDoasRules)
	}
	for _, line := range lines {
		r, ok := doasRule(line)
		if !ok {
			return nil, fmt.Errorf("%w: rule %d", errMalformed, len(list)+1)
		}
		list = append(list, r)
	}
	return list, nil
}

func doasRule(line []doasWord) (r snapshot.DoasRule, ok bool) {
	r.Password = true
	switch {
	case line[0].is("permit"):
		r.Permit = true
		if line, ok = doasOptions(line[1:], &r); !ok {
			return r, false
		}
	case line[0].is("deny"):
		line = line[1:]
	default:
		return r, false
	}
	value := func() (string, bool) {
		if len(line) == 0 || line[0].plain && slices.Contains(doasKeywords, line[0].text) {
			return "", false
		}
		w := line[0].text
		line = line[1:]
		return w, true
	}
	if r.Identity, ok = value(); !ok {
		return r, false
	}
	if len(line) > 0 && line[0].is("as") {
		line = line[1:]
		if r.As, ok = value(); !ok || r.As == "" {
			return r, false
		}
	}
	if len(line) > 0 && line[0].is("cmd") {
		line = line[1:]
		if r.Command, ok = value(); !ok || r.Command == "" {
			return r, false
		}
		if len(line) > 0 && line[0].is("args") {
			line, r.Exact = line[1:], true
			for len(line) > 0 {
				w, ok := value()
				if !ok {
					return r, false
				}
				r.Args = append(r.Args, w)
			}
		}
	}
	return r, len(line) == 0
}

// doasOptions are the words after the options of a rule.
func doasOptions(line []doasWord, r *snapshot.DoasRule) ([]doasWord, bool) {
	persist := false
	for len(line) > 0 && line[0].plain {
		switch line[0].text {
		case "nopass":
			r.Password = false
		case "persist":
			persist = true
		case "nolog", "keepenv":
		case "setenv":
			i := slices.IndexFunc(line, func(w doasWord) bool { return w.is("}") })
			if len(line) < 2 || !line[1].is("{") || i < 0 {
				return nil, false
			}
			line = line[i:]
		default:
			return line, r.Password || !persist
		}
		line = line[1:]
	}
	return line, r.Password || !persist
}

// doasCommands adds the programs that rules of doas let others run.
func (l *levers) doasCommands(rules []snapshot.DoasRule) {
	for i := range rules {
		r := &rules[i]
		uid := 0
		if r.As != "" {
			uid = l.s.uidOf(r.As)
		}
		if r.Permit && r.Command != "" && uid >= 0 {
			l.words(append([]string{r.Command}, r.Args...), snapshot.LeverFile{Kind: snapshot.LeverProgram, By: "doas", UID: uid, Trigger: snapshot.TriggerOperator}, runsHere{})
		}
	}
}
