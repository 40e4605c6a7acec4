//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestToolsOfAgents: what the settings of an agent name is started by the agent itself, by exactly these arguments. A
// variable has the value that the agent has: one without a value is for no other word, and takes no command away.
func TestToolsOfAgents(t *testing.T) {
	codex := codexTools("notify = [\"/usr/bin/tell\", \"-x\"]\n[mcp_servers.a]\ncommand = \"/usr/bin/sleep\"\nargs = [\n \"100\",\n]\n[mcp_servers.b]\ncommand = \"bash\"\nargs = [\"-lc\", \"sleep 101; true\"]\n" +
		"[mcp_servers.far]\nurl = \"https://x.example\"\n")
	claude := claudeTools([]byte(`{"mcpServers": {"a": {"command": "gh-mcp", "args": ["stdio", "--dir", "${HOME}/x"]}},
		"projects": {"/p": {"mcpServers": {"b": {"command": "/opt/b"}}}},
		"hooks": {"Stop": [{"matcher": "", "hooks": [{"type": "command", "command": "date >> /tmp/log"}]}]},
		"statusLine": {"type": "command", "command": "/home/a/line.sh -s"}, "command": "nothing"}`), claudeVariablesOf(map[string]string{"HOME": "/home/a"}, "/p", nil))
	open := claudeTools([]byte(`{"mcpServers": {"x": {"command": "bash", "args": ["-c", "${X}"]}, "y": {"command": "y", "args": ["${HOME}", "${Y:-z}", "${Y:-}"]}, "n": {"command": "${N}", "args": ["${P}", "${A-B:-q}", "${CLAUDE_PROJECT_DIR}", "$HOME"]}},
		"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "${CLAUDE_PROJECT_DIR}/end.sh ${Z}"}, {"command": "cd / && A=b exec \"$CLAUDE_PROJECT_DIR/last\" $P >/dev/null"}, {"command": "/p/quoted '$P'"}]}]}}`),
		claudeVariablesOf(map[string]string{"HOME": "/home/b"}, "/p", []claudeLayer{
			{of: "user", text: []byte(`{"env": {"HOME": "/home/a", "N": 5, "O": {"a": 1}, "P": "own"}}`)}, {of: "project", text: []byte(`{"env": {"P": true}}`)},
		}))
	literal := codexTools("[mcp_servers.a]\ncommand = \"bash\"\nargs = [\"-c\", \"${X}\"]\n")
	plugins := []agentTool{{below: "/home/a/.claude/plugins"}}
	for _, c := range []struct {
		of   []agentTool
		argv string // parted by |
		want bool
	}{
		{codex, "/usr/bin/sleep|100", true},
		{codex, "/usr/bin/sleep|100|1", false},
		{codex, "/usr/bin/sleep", false},
		{codex, "bash|-lc|sleep 101; true", true},
		{codex, "bash|-lc|sleep 101", false},
		{codex, "/usr/bin/tell|-x|{}", true},
		{codex, "sleep|101", false},
		{claude, "gh-mcp|stdio|--dir|/home/a/x", true},
		{claude, "/usr/local/bin/gh-mcp|stdio|--dir|/home/a/x", true},
		{claude, "gh-mcp|http|--dir|/home/a/x", false},
		{claude, "/opt/b", true},
		{claude, "/bin/sh|-c|date >> /tmp/log", true},
		{claude, "/bin/sh|-c|date", false},
		{claude, "/home/a/line.sh|-s", true},
		{claude, "nothing", false},
		{claudeTools([]byte("{"), nil), "", false},
		{open, "bash|-c|curl http://x", false},
		{open, "sh|-c|curl http://x", false},
		{open, "bash|-c|${X}", true},
		{open, "y|/home/a|z|", true},
		{open, "y|/home/b|z|", false},
		{open, "y|/home/a|z|${Y:-}", false},
		{open, "5|own|${A-B:-q}|${CLAUDE_PROJECT_DIR}|$HOME", true},
		{open, "5|true|${A-B:-q}|${CLAUDE_PROJECT_DIR}|$HOME", true},
		{open, "5||${A-B:-q}|${CLAUDE_PROJECT_DIR}|$HOME", false},
		{open, "/bin/sh|-c|${CLAUDE_PROJECT_DIR}/end.sh ${Z}", true},
		{open, "/p/end.sh|${Z}", false},
		{open, "/p/end.sh", false},
		{open, "/p/last|true", true},
		{open, "/p/quoted|true", false},
		{literal, "bash|-c|curl http://x", false},
		{literal, "bash|-c|${X}", true},
		{plugins, "node|/home/a/.claude/plugins/cache/x/server.js", true},
		{plugins, "/bin/sh|-c|\"${CLAUDE_PLUGIN_ROOT}/hook.sh\" -v", true},
		{plugins, "/bin/sh|-c|cat /home/a/.claude/plugins/x", false},
		{plugins, "/home/a/.claude/plugins/../x", false},
		{plugins, "node|-e|1|/home/a/.claude/plugins/x", false},
	} {
		if got := slices.ContainsFunc(c.of, func(t agentTool) bool { n, ok := t.at(strings.Split(c.argv, "|")); return ok && n == 0 }); got != c.want {
			t.Errorf("%q: %v", c.argv, got)
		}
	}
}

// TestOwnGitOfCodex: Codex looks for its catalogues by a git of its own; any other git is a command.
func TestOwnGitOfCodex(t *testing.T) {
	root := snapshot.Word{By: snapshot.ByRoot}
	m := &measuring{out: &snapshot.AgentSandbox{Runtime: "codex"}, tools: []agentTool{}}
	for argv, want := range map[string]bool{
		"/usr/bin/git -c safe.bareRepository=explicit ls-remote https://x.example HEAD": true,
		"git push": false,
		"git -c core.pager=x log safe.bareRepository=explicit": false,
	} {
		p := &process{}
		p.Exe, p.ExeWord, p.argv = "/usr/bin/git", root, strings.Fields(argv)
		if got, _ := m.tool(p); got != want {
			t.Errorf("%q: %v", argv, got)
		}
		p.ExeWord = snapshot.WordOf(1000)
		if is, _ := m.tool(p); is {
			t.Errorf("%q of a user is taken for git", argv)
		}
	}
}

// TestVersionOfItsInstaller: an installer names a directory by the version, with the kind of machine behind it.
func TestVersionOfItsInstaller(t *testing.T) {
	for exe, want := range map[string]string{
		"/home/a/.local/share/claude/versions/2.1.332":                                                             "2.1.332",
		"/home/a/.codex/packages/app-server-daemon/releases/0.171.0-x86_64-unknown-linux-musl/bin/codex":           "0.171.0",
		"/home/a/.codex/packages/app-server-daemon/releases/0.171.0-x86_64-unknown-linux-musl/bin/codex (deleted)": "0.171.0",
		"/srv/releases/0.171.0-x/bin/codex":                                                                        "",
	} {
		p := &process{}
		p.Exe = exe
		if got := (&Scan{}).versionOf(&pattern{}, p); got.Value != want {
			t.Errorf("%s: %+v", exe, got)
		}
	}
}

// TestHomeInMemory: a home on tmpfs is the user's in a sandbox too, unless another file system is in its place.
func TestHomeInMemory(t *testing.T) {
	const disk = "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	outside := parseMountinfo([]byte(disk + "22 21 0:30 / /home rw - tmpfs t rw\n"))
	for text, want := range map[string]string{
		"41 1 8:1 / / ro - ext4 /dev/sda1 rw\n42 41 0:30 / /home rw - tmpfs t rw\n": "writable",
		"41 1 8:1 / / ro - ext4 /dev/sda1 rw\n42 41 0:30 / /home ro - tmpfs t rw\n": "read-only",
		"41 1 8:1 / / ro - ext4 /dev/sda1 rw\n42 41 0:55 / /home rw - tmpfs t rw\n": "own",
		"41 1 8:1 / / ro - ext4 /dev/sda1 rw\n":                                     "read-only",
	} {
		if got := homeInside(parseMountinfo([]byte(text)), outside, map[uint64]bool{outside[0].dev: true}, "/home/alice"); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
