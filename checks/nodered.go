//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"path"
	"slices"
	"strings"
)

var (
	// adminAuth is the key of an object with the beginning of its value.
	adminAuth = lazily(`(?:^|[\s,{(])["']?adminAuth["']?\s*:\s*(\{|require\(|undefined\b|null\b|false\b|)`)
	anonymous = lazily(`(^|[\s,{])["']?default["']?\s*[:(,]`)
	// jsElsewhere is what settings come by from another place: another object or its parts.
	jsElsewhere = lazily(`\.\.\.|\bObject\.assign\b|\bexport\s+default\b|\bmodule\.exports\s*=\s*[^{\s]`)
	// noEditor has the editor and its interface away, so that nobody can log in.
	noEditor = lazily(`(?:^|[\s,{(])["']?http(?:Admin)?Root["']?\s*:\s*false\b`)
)

// nodeRedAuth reads the settings of Node-RED: of -s, else settings.js of -u or of ~/.node-red. They are a program, of which only the usual form
// is understood: adminAuth of an object that is exported. It asks for nothing by itself (1880 of all addresses, version 4).
func nodeRedAuth(f *agentFiles, named []string) (string, error) {
	dir := path.Join(f.home(), ".node-red")
	if v := nodeRedOption(f.p.argv, "-u", "--userDir"); v != "" {
		dir = v
	}
	file := path.Join(dir, "settings.js")
	if v := nodeRedOption(f.p.argv, "-s", "--settings"); v != "" {
		file = v
	} else if len(named) > 0 {
		file = named[len(named)-1]
	}
	text := withoutJSComments(f.text(file))
	switch {
	case f.lost != nil || f.young != nil:
		return "", errors.Join(f.lost, f.young)
	case hidesSettings(f.p, f.env["_"]):
		return "", errors.New("its title hides the options that it was started with, which can name another file of settings")
	case slices.ContainsFunc(f.p.argv, func(a string) bool { return strings.HasPrefix(a, "-D") || strings.HasPrefix(a, "--d") }):
		return "", errors.New("options of it change its settings (-D)")
	}
	return nodeRedSettings(file, text)
}

// nodeRedSettings is what a file of settings says (node-red 4.1.15: an empty adminAuth and one of another module ask too).
func nodeRedSettings(file, text string) (string, error) {
	found := adminAuth.FindAllStringSubmatch(text, -1)
	switch {
	case strings.Count(text, "adminAuth") != len(found), len(found) > 1, len(found) == 1 && found[0][1] == "":
		return "", errors.New(file + ": it sets adminAuth in a way that is not followed")
	case len(found) == 0 && jsElsewhere.MatchString(text):
		return "", errors.New(file + ": it has settings from another place, which are not followed")
	case len(found) == 0 || strings.Contains("undefined null false", found[0][1]):
		if noEditor.MatchString(text) {
			return "", errors.New(file + ": it has no editor, and what its flows serve is not known")
		}
		return "", nil
	case found[0][1] != "{":
		return "", errors.New(file + ": adminAuth is that of another file, which is not followed")
	case anonymous.MatchString(text[strings.Index(text, "adminAuth"):]):
		return "", errors.New(file + ": what adminAuth lets those do who do not log in is not known")
	}
	return "login", nil
}

// nodeRedOption is the last value of an option, whose long name can be cut short (nopt).
func nodeRedOption(argv []string, short, long string) (value string) {
	for i, a := range argv {
		key, v, given := strings.Cut(a, "=")
		switch {
		case key != short && (len(key) < len("--x") || !strings.HasPrefix(long, key)):
		case given:
			value = v
		case i+1 < len(argv):
			value = argv[i+1]
		}
	}
	return value
}

// withoutJSComments is a program of JavaScript without its comments. What stands in texts is none.
func withoutJSComments(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' || c == '\'' || c == '`':
			end := i + 1
			for end < len(text) && text[end] != c && (c == '`' || text[end] != '\n') {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			b.WriteString(text[i:min(end+1, len(text))])
			i = end
		case strings.HasPrefix(text[i:], "//"):
			n := strings.IndexByte(text[i:], '\n')
			if n < 0 {
				return b.String()
			}
			i += n
			b.WriteByte('\n')
		case strings.HasPrefix(text[i:], "/*"):
			n := strings.Index(text[i+2:], "*/")
			if n < 0 {
				return b.String()
			}
			i += n + 3
			b.WriteByte(' ')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// hidesSettings says whether the title of Node-RED hides an option that names other settings: by the length of its arguments, if a shell has left
// the script in the environment.
func hidesSettings(p *process, script string) bool {
	if len(p.argv) != 1 || strings.Contains(p.argv[0], " ") {
		return false
	}
	if path.Base(script) != "node-red" {
		return p.argLen > len("node-red\x00") // a title over more than itself
	}
	return p.argLen-len("node\x00")-len(script+"\x00") >= len("-s\x00x\x00")
}
