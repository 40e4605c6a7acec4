//go:build linux && !ringfence_portable

package checks

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBrakesOfClaudeCode: what Claude Code 2.1.197 of npm did with a command that a model asked for, without a prompt (-p).
func TestBrakesOfClaudeCode(t *testing.T) {
	const bypass, disable = `{"permissions": {"defaultMode": "bypassPermissions"}}`, `{"permissions": {"disableBypassPermissionsMode": "disable"}}`
	const project, local, managed = "work/.claude/settings.json", "work/.claude/settings.local.json", "etc/claude-code/managed-settings.json"
	const user, skip = "home/u/.claude/settings.json", "|--dangerously-skip-permissions"
	const bash = `{"permissions": {"allow": ["Edit", "Bash"]}}`
	const normal = `{"permissions": {"defaultMode": "default"}}`
	for name, c := range map[string]struct {
		args    string
		files   map[string]string
		want    string
		unknown bool
	}{
		"nothing":                    {"", nil, "", false},
		"an option":                  {skip, nil, "--dangerously-skip-permissions", false},
		"a mode":                     {"|--permission-mode=bypassPermissions", nil, "--permission-mode bypassPermissions", false},
		"the user's":                 {"", map[string]string{user: bypass}, "", false}, // said of the account
		"the user's of a variable":   {"|CLAUDE", map[string]string{"conf/settings.json": bypass}, "/conf/settings.json (bypassPermissions)", false},
		"a project's":                {"", map[string]string{project: bypass}, "/" + project + " (bypassPermissions)", false},
		"its local":                  {"", map[string]string{local: bypass}, "/" + local + " (bypassPermissions)", false},
		"the project asks again":     {"", map[string]string{project: bypass, local: normal}, "", false},
		"settings as an option":      {"|--settings|" + bypass, nil, "--settings (bypassPermissions)", false},
		"another mode":               {"|--permission-mode|default", map[string]string{project: bypass}, "", false},
		"the administrator forbids":  {skip, map[string]string{managed: disable}, "", false},
		"forbids a file":             {"", map[string]string{project: bypass, managed: disable}, "", false},
		"the user forbids":           {skip, map[string]string{user: disable}, "", false},
		"the project forbids":        {skip, map[string]string{project: disable}, "", false},
		"without the project":        {"|--setting-sources|user", map[string]string{project: bypass}, "", false},
		"with the project":           {"|--setting-sources|user,project", map[string]string{project: bypass}, "/" + project + " (bypassPermissions)", false},
		"an empty file":              {"", map[string]string{project: bypass, local: ""}, "/" + project + " (bypassPermissions)", false},
		"a project allows all":       {"", map[string]string{project: bash}, "/" + project + " (permissions.allow has Bash)", false},
		"the user does":              {"", map[string]string{user: bash}, "", false},
		"in other words":             {"|--permission-mode|plan", map[string]string{local: `{"permissions": {"allow": [5, "Bash(*)"]}}`}, "/" + local + " (permissions.allow has Bash)", false},
		"some commands":              {"", map[string]string{project: `{"permissions": {"allow": ["Bash(:*)", "Bash(ls:*)", "bash", "*"]}}`}, "", false},
		"no list":                    {"", map[string]string{project: `{"permissions": {"allow": "Bash"}}`}, "", false},
		"the user asks":              {"", map[string]string{project: bash, user: `{"permissions": {"ask": ["Bash"]}}`}, "", false},
		"the administrator denies":   {"|--allowedTools|Bash", map[string]string{managed: `{"permissions": {"deny": ["Bash(*)"]}}`}, "", false},
		"some are asked for":         {"", map[string]string{project: bash, user: `{"permissions": {"ask": ["Bash(rm:*)"]}}`}, "/" + project + " (permissions.allow has Bash)", false},
		"an option allows":           {"|-p|x|--allowed-tools|Edit|Bash(*)", nil, "--allowedTools Bash", false},
		"an option with a list":      {"|--allowedTools=Edit,Bash|x", nil, "--allowedTools Bash", false},
		"an option for some":         {"|--allowedTools|Bash(git:*)|-p|Bash", nil, "", false},
		"an option denies":           {"|--disallowedTools|Bash", map[string]string{project: bash}, "", false},
		"a sandbox that is left":     {"", map[string]string{project: bash, user: `{"sandbox": {"enabled": true}}`}, "/" + project + " (permissions.allow has Bash)", false},
		"a sandbox that is not":      {"", map[string]string{project: bash, user: `{"sandbox": {"enabled": true, "allowUnsandboxedCommands": false}}`}, "", false},
		"forbidden is the mode":      {"", map[string]string{project: bash, managed: disable}, "/" + project + " (permissions.allow has Bash)", false},
		"malformed":                  {"", map[string]string{project: "{"}, "", true},
		"malformed forbids nothing":  {skip, map[string]string{project: "{"}, "--dangerously-skip-permissions", false},
		"what forbids is not a file": {skip, map[string]string{project + "/x": ""}, "", true},
	} {
		files := map[string]string{"proc/77/environ": "HOME=/home/u\x00", "etc/passwd": "u:x:1000:1000::/home/u:/bin/bash\n", "work/x": "", "home/u/x": ""}
		if strings.HasSuffix(c.args, "CLAUDE") {
			files["proc/77/environ"] += "CLAUDE_CONFIG_DIR=/conf\x00"
		}
		maps.Copy(files, c.files)
		s, root := hostOf(t, files)
		for link, to := range map[string]string{"root": "../..", "cwd": "/work"} {
			if err := os.Symlink(to, filepath.Join(root, "proc/77", link)); err != nil {
				t.Fatal(err)
			}
		}
		p := &process{argv: strings.Split("claude"+c.args, "|")}
		p.PID, p.UID, p.Exe = 77, 1000, "/usr/bin/claude"
		how, err := s.claudeBrake(p)
		if how != c.want || (err != nil) != c.unknown {
			t.Errorf("%s: %q %v, want %q %v", name, how, err, c.want, c.unknown)
		}
	}
}
