//go:build linux && !ringfence_portable

package checks

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAgentsAskInADirectoryThatNobodyTrusts: what Gemini CLI 0.61 and Qwen Code 0.15 do with --yolo there.
func TestAgentsAskInADirectoryThatNobodyTrusts(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	const on, off = `{"security": {"folderTrust": {"enabled": true}}}`, `{"security": {"folderTrust": {"enabled": false}}}`
	for name, c := range map[string]struct {
		runtime string
		files   map[string]string
		want    string
	}{
		"gemini, nothing":                 {"gemini-cli", nil, "unread"},
		"gemini, by its version":          {"gemini-cli", map[string]string{"h/.gemini/trustedFolders.json": `{"/other": "TRUST_FOLDER"}`}, "unread"},
		"gemini, off":                     {"gemini-cli", map[string]string{"h/.gemini/settings.json": off}, "approvals"},
		"gemini, off by the host":         {"gemini-cli", map[string]string{"h/.gemini/settings.json": on, "etc/gemini-cli/settings.json": off}, "approvals"},
		"gemini, nobody trusts it":        {"gemini-cli", map[string]string{"h/.gemini/settings.json": on}, ""},
		"gemini, trusted":                 {"gemini-cli", map[string]string{"h/.gemini/trustedFolders.json": `{"/p": "TRUST_FOLDER"}`}, "approvals"},
		"gemini, one above":               {"gemini-cli", map[string]string{"h/.gemini/trustedFolders.json": `{"/p/q": "TRUST_PARENT"}`}, "approvals"},
		"gemini, all":                     {"gemini-cli", map[string]string{"h/.gemini/trustedFolders.json": `{"/": "TRUST_FOLDER"}`}, "approvals"},
		"gemini, the longest counts":      {"gemini-cli", map[string]string{"h/.gemini/trustedFolders.json": `{"/p": "TRUST_FOLDER", "/p/a": "DO_NOT_TRUST"}`}, ""},
		"gemini, a name that begins so":   {"gemini-cli", map[string]string{"h/.gemini/settings.json": on, "h/.gemini/trustedFolders.json": `{"/p/": "DO_NOT_TRUST", "/p/a/bc": "TRUST_FOLDER"}`}, ""},
		"gemini, an editor":               {"gemini-cli", map[string]string{"environ": "HOME=/h\x00GEMINI_CLI_IDE_SERVER_PORT=1\x00", "h/.gemini/settings.json": on}, "unread"},
		"gemini, a variable":              {"gemini-cli", map[string]string{"environ": "HOME=/h\x00GEMINI_CLI_TRUST_WORKSPACE=true\x00", "h/.gemini/settings.json": on}, "approvals"},
		"gemini, another home":            {"gemini-cli", map[string]string{"environ": "HOME=/h\x00GEMINI_CLI_HOME=/o\x00", "o/.gemini/trustedFolders.json": `{"/p/a": "TRUST_FOLDER"}`}, "approvals"},
		"gemini, a list that is none":     {"gemini-cli", map[string]string{"h/.gemini/trustedFolders.json": `[`}, "unread"},
		"qwen, nothing":                   {"qwen-code", nil, "approvals"},
		"qwen, by its version":            {"qwen-code", map[string]string{"h/.qwen/settings.json": on}, "unread"},
		"qwen, another home":              {"qwen-code", map[string]string{"environ": "HOME=/h\x00QWEN_HOME=/o\x00"}, "unread"},
		"gemini, two names alike":         {"gemini-cli", map[string]string{"h/.gemini/trustedFolders.json": `{"/p/q": "TRUST_PARENT", "/p/a": "DO_NOT_TRUST"}`}, "unread"},
		"gemini, a link":                  {"gemini-cli", map[string]string{"h/.gemini/settings.json": on, "h/.gemini/trustedFolders.json": `{"/link/a": "TRUST_FOLDER"}`}, "unread"},
		"gemini, no link":                 {"gemini-cli", map[string]string{"h/.gemini/settings.json": on, "h/.gemini/trustedFolders.json": `{"/h": "TRUST_FOLDER"}`}, ""},
		"gemini, by a machine":            {"gemini-cli", map[string]string{"environ": "HOME=/h\x00CI=true\x00", "h/.gemini/settings.json": on}, "unread"},
		"qwen, not trusted":               {"qwen-code", map[string]string{"h/.qwen/settings.json": on, "h/.qwen/trustedFolders.json": `{"/p/a/b": "DO_NOT_TRUST"}`}, ""},
		"qwen, not trusted, not asked":    {"qwen-code", map[string]string{"h/.qwen/trustedFolders.json": `{"/p/a/b": "DO_NOT_TRUST"}`}, "approvals"},
		"qwen, not one above":             {"qwen-code", map[string]string{"h/.qwen/settings.json": on, "h/.qwen/trustedFolders.json": `{"/p/a": "DO_NOT_TRUST"}`}, "unread"},
		"qwen, one above, and not it":     {"qwen-code", map[string]string{"h/.qwen/settings.json": on, "h/.qwen/trustedFolders.json": `{"/p/a/b": "DO_NOT_TRUST", "/p": "TRUST_FOLDER"}`}, "approvals"},
		"qwen, another list":              {"qwen-code", map[string]string{"environ": "HOME=/h\x00QWEN_CODE_TRUSTED_FOLDERS_PATH=/l\x00", "h/.qwen/settings.json": on, "l": `{"/p/a/b": "DO_NOT_TRUST"}`}, ""},
		"qwen, settings that are no such": {"qwen-code", map[string]string{"h/.qwen/settings.json": `[`}, "unread"},
	} {
		files := map[string]string{"p/a/b/x": "", "environ": "HOME=/h\x00"}
		maps.Copy(files, c.files)
		p := &process{argv: []string{"node", "/usr/bin/x", "--yolo"}}
		p.PID, p.Exe = 77, "/usr/bin/node"
		var got strings.Builder
		s, root := atTerminal(t, "/p/a/b", files)
		if err := os.Symlink("p", filepath.Join(root, "link")); err != nil {
			t.Fatal(err)
		}
		for _, b := range s.brakesOf(patternOf(patterns, c.runtime), p) {
			got.WriteString(b.Off)
			if b.Unread != "" {
				got.WriteString("unread")
			}
		}
		if got.String() != c.want {
			t.Errorf("%s: %q, want %q", name, got.String(), c.want)
		}
	}
}

// TestGeminiWithoutAUser: versions of Gemini CLI from 0.29 to 0.39 trust every directory where nobody is there to ask: then it is unknown.
func TestGeminiWithoutAUser(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"p/x": "", "environ": "HOME=/h\x00", "h/.gemini/settings.json": `{"security": {"folderTrust": {"enabled": true}}}`}
	for line, unread := range map[string]bool{
		"node|/usr/bin/gemini|--yolo": false, "gemini|--yolo": false, "gemini --yolo": false, "gemini|-m|x|--yolo": false, "node|--no-warnings|/usr/bin/gemini|--yolo|true": false,
		"gemini|--yolo|-i|a question": false, "gemini|--yolo|--prompt-interactive=a": false,
		"node|/usr/bin/gemini|-p|a|--yolo": true, "gemini|--yolo|--prompt=a": true, "gemini|-yp|a": true, "gemini|--yolo|a": true, "gemini --yolo -p x": true,
	} {
		for _, terminal := range []bool{true, false} {
			s, _ := atTerminal(t, "/p", files)
			if !terminal {
				s = agentIn(t, "/p", files)
			}
			p := &process{argv: strings.Split(line, "|")}
			p.PID, p.Exe = 77, "/usr/bin/node"
			list := s.brakesOf(patternOf(patterns, "gemini-cli"), p)
			if got := len(list) == 1 && list[0].Unread != ""; got != (unread || !terminal) || !got && len(list) > 0 {
				t.Errorf("%s, at a terminal: %t: %+v", line, terminal, list)
			}
		}
	}
}

// atTerminal is agentIn of one whose input and output are a terminal, and its root.
func atTerminal(t *testing.T, cwd string, files map[string]string) (s *Scan, root string) {
	t.Helper()
	s, root = agentAndRoot(t, cwd, files)
	fds := filepath.Join(root, "proc/77/fd")
	if err := os.Mkdir(fds, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, fd := range []string{"0", "1"} {
		if err := os.Symlink("/dev/pts/0", filepath.Join(fds, fd)); err != nil {
			t.Fatal(err)
		}
	}
	return s, root
}
