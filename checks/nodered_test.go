//go:build linux && !ringfence_portable

package checks

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestNodeRED: it asks nobody unless its settings have adminAuth (node-red 4 of npm: /flows answered 200); comments of the file that it brings are none.
func TestNodeRED(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	const script = "/usr/bin/node-red"
	for name, c := range map[string]struct {
		settings string
		length   int
		want     string // "" is the default, which asks nobody
		unknown  bool
	}{
		"no settings":      {"", len("node " + script + " "), "", false},
		"only comments":    {"/** adminAuth: x\n*/\nmodule.exports = {\n //adminAuth: {\n uiPort: 1880, // adminAuth: y\n}", len("node " + script + " "), "", false},
		"a login":          {"module.exports = {\n  adminAuth: {type: \"credentials\", users: [{username: \"a\"}]}}", len("node " + script + " "), "login", false},
		"everybody reads":  {"module.exports = { adminAuth: {users: [], default: {permissions: \"*\"}}}", len("node " + script + " "), "", true},
		"hidden arguments": {"", len("node " + script + " -u /data "), "", true},
		"slash and star":   {"module.exports = {httpStatic: '/srv/*', adminAuth: {users: []} /* x */}", len("node " + script + " "), "login", false},
		"in a comment":     {"// of /srv/*\nmodule.exports = {adminAuth: {users: []}} // */", len("node " + script + " "), "login", false},
		"not defined":      {"module.exports = {adminAuth: undefined}", len("node " + script + " "), "", false},
		"it depends":       {"module.exports = {adminAuth: process.env.A ? {users: []} : undefined}", len("node " + script + " "), "", true},
		"set afterwards":   {"var s = {}; s.adminAuth = {users: []}; module.exports = s", len("node " + script + " "), "", true},
		"of another file":  {"module.exports = {...require('./base.js')}", len("node " + script + " "), "", true},
		"of a module":      {"module.exports = {adminAuth: require('./user-authentication')}", len("node " + script + " "), "", true},
		"a key of a file":  {"module.exports = {https: {key: require('fs').readFileSync('k.pem')}}", len("node " + script + " "), "", false},
		"without editor":   {"module.exports = {httpAdminRoot: false}", len("node " + script + " "), "", true},
		"a method":         {"module.exports = {adminAuth: {users: [], default() { return null }}}", len("node " + script + " "), "", true},
	} {
		files := map[string]string{"environ": "HOME=/root\x00_=" + script + "\x00"}
		if c.settings != "" {
			files["root/.node-red/settings.js"] = c.settings
		}
		s := scanWithProcess(t, files)
		p := &process{argv: []string{"node-red"}, argLen: c.length}
		p.PID, p.Exe = 77, "/usr/bin/node"
		a := s.recognise(p, patterns, new(Outcome))
		if a == nil || a.DefaultAuth != "none" || a.Auth.Value != c.want || (a.Auth.State == snapshot.Error) != c.unknown {
			t.Errorf("%s: %+v, want %q %v", name, a, c.want, c.unknown)
		}
	}
}

// TestNodeREDIsToldOfSettings: options can be cut short, and -D changes what the file says.
func TestNodeREDIsToldOfSettings(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	const login = "module.exports = {adminAuth: {users: []}}"
	for _, c := range []struct {
		line, want string
		unknown    bool
	}{
		{"node|/x/.bin/node-red|-u|/data", "login", false},
		{"node|/x/.bin/node-red|--userDir=/data", "login", false},
		{"node|/x/.bin/node-red|--user|/data", "login", false},
		{"node|/x/.bin/node-red|--set=/data/settings.js", "login", false},
		{"node|/x/.bin/node-red|-p|1880", "", false},
		{"node|/x/.bin/node-red|-D|adminAuth=null|-u|/data", "", true},
		{"node|/x/.bin/node-red|--define=adminAuth=null|-u|/data", "", true},
	} {
		s := scanWithProcess(t, map[string]string{"environ": "HOME=/root\x00", "data/settings.js": login})
		p := &process{argv: strings.Split(c.line, "|")}
		p.PID, p.Exe = 77, "/usr/bin/node"
		a := s.recognise(p, patterns, new(Outcome))
		if a == nil || a.Auth.Value != c.want || (a.Auth.State == snapshot.Error) != c.unknown {
			t.Errorf("%s: %+v, want %q %v", c.line, a, c.want, c.unknown)
		}
	}
}
