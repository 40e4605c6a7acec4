package power

import (
	"path"
	"slices"
	"strings"
)

// coverage is how much of what a command of sudo allows another one matches.
type coverage int

const (
	none    coverage = iota
	part             // some, and what is left gives as much
	unclear          // perhaps all
	whole
)

// copied are where a copy of a program can be put under another name.
var copied = []string{"/tmp/a", "/var/tmp/a", "/dev/shm/a"}

// covers says how much of what a text of sudoers(5) allows a later one matches: each is ALL, or a path, a directory or a pattern, with arguments or without.
func covers(later, text string) coverage {
	switch {
	case later == "ALL", later == text:
		return whole
	case regular(later) || regular(text):
		return unclear
	}
	lpath, largs, _ := strings.Cut(later, " ")
	if text == "ALL" {
		if pattern(lpath) && slices.ContainsFunc(copied, func(p string) bool { return fits(lpath, p) != isNot }) {
			return unclear
		}
		return part
	}
	tpath, targs, _ := strings.Cut(text, " ")
	p, a := pathCovers(lpath, tpath), argsCover(strings.TrimSpace(largs), strings.TrimSpace(targs))
	switch {
	case p == none || a == none:
		return none
	case p == part || a == part && p == whole:
		return part
	}
	return min(p, a)
}

// regular says of a command that it is a regular expression, or has one as its arguments.
func regular(text string) bool { return strings.HasPrefix(text, "^") || strings.Contains(text, " ^") }

func pattern(text string) bool { return strings.ContainsAny(text, `*?[\`) }

// fits says whether a pattern of a path matches one. A * matches no slash.
func fits(p, name string) told {
	ok, err := path.Match(p, name)
	if err != nil || strings.ContainsAny(p, `[\`) {
		return maybe
	}
	return toldIf(ok)
}

// pathCovers goes by names: two of one program have the same last one.
func pathCovers(later, text string) coverage {
	dir := strings.HasSuffix(later, "/")
	switch {
	case later == text:
		return whole
	case pattern(text) || strings.HasSuffix(text, "/"):
		if !dir && !pattern(later) {
			return part // of a directory or a pattern one program is less
		}
		return unclear
	case dir:
		if path.Dir(text)+"/" == later {
			return whole
		}
		return unclearIf(strings.HasSuffix(later, "bin/") && strings.HasSuffix(path.Dir(text), "bin"))
	case pattern(later):
		if fits(later, text) == is {
			return whole
		}
		return unclearIf(fits(path.Base(later), path.Base(text)) != isNot)
	}
	return unclearIf(path.Base(later) == path.Base(text))
}

func unclearIf(may bool) coverage {
	if may {
		return unclear
	}
	return none
}

// argsCover: "" in quotes is no argument, and nothing is any.
func argsCover(later, text string) coverage {
	const nothing = `""`
	switch {
	case later == "" || later == text:
		return whole
	case text == "":
		if pattern(later) {
			return unclear
		}
		return part
	case later == nothing:
		return unclearIf(pattern(text))
	case !pattern(later):
		if pattern(text) {
			return part
		}
		return none
	case pattern(text) || text == nothing || strings.ContainsAny(later, `[\?`):
		return unclear
	}
	if starred(later, text) {
		return whole
	}
	return none
}

// starred says whether a pattern whose stars match everything matches a text.
func starred(p, text string) bool {
	parts := strings.Split(p, "*")
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, middle := range parts[1 : len(parts)-1] {
		_, after, ok := strings.Cut(text, middle)
		if !ok {
			return false
		}
		text = after
	}
	return len(parts) == 1 && text == "" || len(parts) > 1 && strings.HasSuffix(text, last)
}
