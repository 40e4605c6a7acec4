//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"strings"
)

// brakeLine are the arguments of an agent as one line with a blank at each end. A blank within an argument is none: a question that names an option
// gives none.
func brakeLine(argv []string, byYargs bool) string {
	if len(argv) == 1 { // a title
		return " " + argv[0] + " "
	}
	if byYargs {
		argv = yargsWords(argv)
	}
	var b strings.Builder
	for _, a := range argv {
		b.WriteByte(' ')
		b.WriteString(strings.Join(strings.Fields(a), "\u00a0"))
	}
	return b.String() + " "
}

// yargsLetters are the options of agents that have no value.
const yargsLetters = "dsylhvc"

// yargsWords are arguments with each option as its own word, as yargs reads them (yargs-parser): letters together, --camelCase, =true and a word true
// behind it, and without the options that =false, a word false and --no- switch off.
func yargsWords(argv []string) (list []string) {
	for i := 0; i < len(argv) && argv[i] != "--"; i++ {
		name, value, valued := strings.Cut(argv[i], "=")
		if len(name) < 2 || name[0] != '-' {
			list = append(list, argv[i])
			continue
		}
		if !valued && i+1 < len(argv) && (argv[i+1] == "true" || argv[i+1] == "false") {
			i++
			value, valued = argv[i], true
		}
		names := []string{kebab(name)}
		if name[1] != '-' {
			flags := name[1:]
			if end := strings.IndexFunc(flags, func(r rune) bool { return !strings.ContainsRune(yargsLetters, r) }); end >= 0 && end+1 < len(flags) {
				flags, value, valued = flags[:end], "", false // the rest is a letter with its value
			}
			if names = names[:0]; flags == "" {
				continue
			}
			for _, letter := range flags {
				names = append(names, "-"+string(letter))
			}
		}
		if positive, no := strings.CutPrefix(names[0], "--no-"); no {
			list = slices.DeleteFunc(list, func(a string) bool { return a == "--"+positive })
			continue
		}
		last := names[len(names)-1]
		if valued {
			list = slices.DeleteFunc(list, func(a string) bool { return a == last })
		}
		switch {
		case valued && value == "false":
			names = names[:len(names)-1]
		case valued && value != "true":
			names[len(names)-1] += "=" + value
		}
		list = append(list, names...)
	}
	return list
}

// kebab is --camel-case of --camelCase.
func kebab(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('-')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
