//go:build linux && !ringfence_portable

package checks

import (
	"strings"
	"testing"
)

// TestDefaultsByVersion: how a runtime asks by default hangs on its version, and is not known without it. Flowise 3.0.0 of npm still goes by
// both of its variables, the MCP Inspector 0.15.0 answered 401.
func TestDefaultsByVersion(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	const flowise, inspector = "node|/x/node_modules/flowise/bin/run|start", "node|/x/node_modules/@modelcontextprotocol/inspector/server/build/index.js"
	for _, c := range []struct{ line, version, env, want string }{
		{flowise, "3.0.1", "", "login"},
		{flowise, "3.0.0", "", "none"},
		{flowise, "3.0.1-rc.1", "", "none"},
		{flowise, "2.2.8", "FLOWISE_PASSWORD=x\x00", "none"},
		{flowise, "2.2.8", "FLOWISE_USERNAME=a\x00FLOWISE_PASSWORD=x\x00", "password"},
		{flowise + "|--FLOWISE_USERNAME=a|--FLOWISE_PASSWORD|x", "2.2.8", "", "password"},
		{flowise, "", "", "unknown"},
		{flowise, "next", "", "unknown"},
		{inspector, "0.15.0", "", "token"},
		{inspector, "0.14.0", "", "none"},
		{inspector, "0.15.0", "DANGEROUSLY_OMIT_AUTH=1\x00", "none"},
		{inspector, "", "", "unknown"},
	} {
		files := map[string]string{"environ": c.env}
		if c.version != "" {
			pkg, _, _ := strings.Cut(strings.TrimPrefix(c.line, "node|/x/node_modules/"), map[bool]string{true: "/server", false: "/bin"}[strings.Contains(c.line, "@")])
			files["x/node_modules/"+pkg+"/package.json"] = `{"name": "` + pkg + `", "version": "` + c.version + `"}`
		}
		s := scanWithProcess(t, files)
		p := &process{argv: strings.Split(c.line, "|")}
		p.PID, p.Exe = 77, "/usr/bin/node"
		a := s.recognise(p, patterns, new(Outcome))
		if a == nil {
			t.Errorf("%s: not recognised", c.line)
			continue
		}
		got := a.DefaultAuth
		if a.Auth.Value != "" {
			got = a.Auth.Value
		}
		if got != c.want {
			t.Errorf("%s %q %q: %s, want %s", c.line, c.version, c.env, got, c.want)
		}
	}
}

// TestCodeServerAsks: the last argument counts before the configuration (code-server 4.100.3 of npm sent to /login, or let in).
func TestCodeServerAsks(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, file, want string }{
		{"", "auth: none", "none"},
		{"|--auth|password", "auth: none", ""},
		{"|--auth=none", "auth: password", "none"},
		{"|--auth|none|--auth|password", "", ""},
		{"|--auth|password|--auth=none", "", "none"},
		{"|--|--auth=none", "", ""},
		{"", "", ""},
	} {
		files := map[string]string{"environ": "HOME=/root\x00"}
		if c.file != "" {
			files["root/.config/code-server/config.yaml"] = c.file
		}
		s := scanWithProcess(t, files)
		p := &process{argv: strings.Split("node|/usr/lib/code-server"+c.args, "|")}
		p.PID, p.Exe = 77, "/usr/bin/node"
		if a := s.recognise(p, patterns, new(Outcome)); a == nil || a.DefaultAuth != "password" || a.Auth.Value != c.want || a.Auth.Reason != "" {
			t.Errorf("%s %s: %+v, want %q", c.args, c.file, a, c.want)
		}
	}
}
