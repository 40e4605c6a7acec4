//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestServersOfAgents: what settings name is a program or an address; a secret is a literal under the name of one, and no variable.
func TestServersOfAgents(t *testing.T) {
	json := []string{"mcpServers"}
	for name, c := range map[string]struct {
		text string
		at   []string
		want string // name, host, and what it is
	}{
		"a program":         {`{"mcpServers": {"fs": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem"]}}}`, json, "fs"},
		"a secret of it":    {`{"mcpServers": {"gh": {"command": "gh-mcp", "env": {"GITHUB_TOKEN": "ghp_0123456789abcdef"}}}}`, json, "gh secret"},
		"a variable":        {`{"mcpServers": {"gh": {"command": "x", "env": {"GITHUB_TOKEN": "${GITHUB_TOKEN}", "MODE": "0123456789"}}}}`, json, "gh"},
		"an option":         {`{"mcpServers": {"x": {"command": "x", "args": ["--api-key=0123456789"]}}}`, json, "x secret"},
		"elsewhere":         {`{"mcpServers": {"t": {"type": "http", "url": "https://mcp.example.net/mcp", "headers": {"Authorization": "Bearer 0123456789"}}}}`, json, "t mcp.example.net secret"},
		"in clear":          {`{"mcpServers": {"t": {"url": "http://10.0.0.9:8080/sse"}}}`, json, "t 10.0.0.9 clear"},
		"a key in it":       {`{"mcpServers": {"t": {"httpUrl": "http://t.example.net/?api_key=x"}}}`, json, "t t.example.net clear secret"},
		"on loopback":       {`{"mcpServers": {"a": {"url": "http://localhost:1/"}, "b": {"serverUrl": "http://127.0.0.1:2/"}, "c": {"url": "ws://[::1]:3"}}}`, json, "a localhost, b 127.0.0.1, c ::1"},
		"of variables":      {`{"mcpServers": {"t": {"url": "http://${HOST}/"}}}`, json, "t ?"},
		"no name":           {`{"mcpServers": {"\u001b[2J": {}}}`, json, "?"},
		"of projects":       {`{"projects": {"/p": {"mcpServers": {"t": {"url": "http://h/"}}}}}`, json, "t h clear"},
		"of opencode":       {`{"mcp": {"t": {"type": "local", "command": ["t", "--token=0123456789"]}}}`, []string{"mcp"}, "t secret"},
		"with comments":     {"{\n // tickets\n \"servers\": {\"t\": {\"url\": \"http://h/\"},},\n}", []string{"servers"}, "t h clear"},
		"nothing":           {`{}`, json, ""},
		"malformed":         {`{`, json, "!"},
		"of Codex":          {"[mcp_servers.docs]\nurl = \"http://docs.example.net/mcp\"\nbearer_token_env_var = \"DOCS_TOKEN\"\n[mcp_servers.gh]\ncommand = \"gh\"\n[mcp_servers.gh.env]\nGH_TOKEN = \"ghp_0123456789\"\n", nil, "docs docs.example.net clear, gh secret"},
		"a table of others": {"[model_providers.x]\nbase_url = \"http://x/\"\n", nil, ""},
	} {
		list, err := mcpServers(c.text, c.at)
		var got []string
		for _, m := range list {
			got = append(got, strings.Join(strings.Fields(fmt.Sprint(m.Name, " ", m.Host, map[bool]string{true: " clear"}[m.Clear], map[bool]string{true: " secret"}[m.Secret])), " "))
		}
		if line := strings.Join(got, ", ") + map[bool]string{true: "!"}[err != nil]; line != c.want {
			t.Errorf("%s: %q, want %q", name, line, c.want)
		}
	}
}

// TestSecretsOfServersAreReadByOthers: settings that hold a secret are a file of secrets, and those without are none.
func TestSecretsOfServersAreReadByOthers(t *testing.T) {
	s, root := hostOf(t, map[string]string{
		"etc/passwd": "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\n", "etc/group": "root:x:0:\n",
		"home/ann/.cursor/mcp.json": `{"mcpServers": {"gh": {"env": {"TOKEN": "0123456789"}}}}`, "home/bob/.cursor/mcp.json": `{"mcpServers": {"fs": {"command": "x"}}}`,
	})
	for _, u := range []struct {
		name string
		uid  int
	}{{"ann", 1000}, {"bob", 1001}} {
		for _, p := range []string{"", ".cursor", ".cursor/mcp.json"} {
			if err := os.Chown(filepath.Join(root, "home", u.name, p), u.uid, u.uid); err != nil {
				t.Fatal(err)
			}
		}
	}
	sec := new(snapshot.Agents)
	s.findMCP(sec)
	if len(sec.MCP) != 2 || len(sec.Files) != 1 || sec.Files[0].User != "ann" || sec.Files[0].To != "everybody" || sec.MCPRead.State != snapshot.Present {
		t.Errorf("%+v %+v %+v", sec.MCP, sec.Files, sec.MCPRead)
	}
}

func FuzzMCP(f *testing.F) {
	f.Add(`{"mcpServers": {"t": {"url": "http://h/", "env": {"KEY": "0123456789"}}}, "projects": {"/": {"mcpServers": {}}}}`)
	f.Add("[mcp_servers.x]\nurl = \"http://h\"\n[mcp_servers.x.env]\nA_KEY = '0123456789'\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, at := range [][]string{{"mcpServers"}, nil} {
			list, _ := mcpServers(text, at)
			for _, m := range list {
				if m.Name != "?" && !mcpName.MatchString(m.Name) {
					t.Errorf("%q", m.Name)
				}
			}
		}
	})
}
