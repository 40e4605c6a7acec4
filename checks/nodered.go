//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"path"
	"strings"
)

var (
	// jsComment is a comment of JavaScript; the rest of a line after // counts only where no URL can be meant.
	jsComment = lazily(`(?s:/\*.*?\*/)|(?m:(^|[\s,{;])//.*$)`)
	adminAuth = lazily(`(?m)(^|[\s,{])["']?adminAuth["']?\s*:`)
	anonymous = lazily(`(^|[\s,{])["']?default["']?\s*:`)
)

// nodeRedAuth reads the settings of Node-RED: of -s, else settings.js of -u or of ~/.node-red. They are a program, of which only the usual form
// is understood: adminAuth of an object that is exported. It asks for nothing by itself (1880 of all addresses, version 4).
func nodeRedAuth(f *agentFiles, named []string) (string, error) {
	dir := path.Join(f.home(), ".node-red")
	for _, option := range []string{"-u", "--userDir"} {
		if v := argument(f.p.argv, option); v != "" {
			dir = v
		}
	}
	file := path.Join(dir, "settings.js")
	if len(named) > 0 {
		file = named[len(named)-1]
	}
	text := jsComment.ReplaceAllString(f.text(file), " ")
	switch {
	case f.lost != nil || f.young != nil:
		return "", errors.Join(f.lost, f.young)
	case hidesSettings(f.p, f.env["_"]):
		return "", errors.New("its title hides the options that it was started with, which can name another file of settings")
	case !adminAuth.MatchString(text):
		return "", nil
	case anonymous.MatchString(text[adminAuth.FindStringIndex(text)[0]:]):
		return "", errors.New(file + ": what adminAuth lets those do who do not log in is not known")
	}
	return "login", nil
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
