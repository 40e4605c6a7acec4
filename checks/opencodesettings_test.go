//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// openCodeCases are settings, and what opencode 1.18.33 of npm made of them (debug agent build).
var openCodeCases = map[string]struct {
	files map[string]string
	env   string
	args  string
	how   string // "" if it asks or does not run commands, "?" if it is not known
}{
	"the default":               {how: openCodeDefault},
	"asks":                      {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":{"bash":"ask"}}`}},
	"config.json":               {files: map[string]string{"~/.config/opencode/config.json": `{"permission":{"bash":"ask"}}`}},
	"a comment and a comma":     {files: map[string]string{"~/.config/opencode/opencode.jsonc": `{/*{*/"permission":{"bash":"ask",},} // x`}},
	"jsonc counts over json":    {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":{"bash":"ask"}}`, "~/.config/opencode/opencode.jsonc": `{"permission":{"bash":"allow"}}`}, how: "permission.bash is allow"},
	"a word":                    {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":"ask"}`}},
	"a star behind":             {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":{"bash":"allow","*":"ask"}}`}},
	"a star before":             {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":{"*":"ask","bash":"allow"}}`}, how: "permission.bash is allow"},
	"a place is kept":           {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":{"bash":"ask"}}`, "/w/opencode.json": `{"permission":{"*":"allow"}}`}, how: "permission.* is allow"},
	"some without a question":   {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":{"bash":{"*":"ask","git *":"allow"}}}`}},
	"some with a question":      {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":{"bash":{"git push *":"ask"}}}`}, how: openCodeDefault},
	"any but the empty command": {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":{"bash":{"*":"ask","?*":"allow"}}}`}, how: "permission.bash is allow"},
	"for no command":            {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":{"bash":{"*":"allow","":"ask"," ":"ask","* ":"ask","?":"deny"}}}`}, how: "permission.bash is allow"},
	"with a word or without":    {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":{"bash":{"*":"allow","* *":"ask"}}}`}},
	"a name with its end":       {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":{"bash":"ask","bash *":"allow"}}`}, how: "permission.bash * is allow"},
	"another word for yes":      {files: map[string]string{"/w/opencode.json": `{"permission":{"bash":"allow"}}`, "~/.config/opencode/opencode.json": `{"permission":{"bash":"ask"}}`}, env: "OPENCODE_DISABLE_PROJECT_CONFIG=yes", how: "permission.bash is allow"},
	"a part of the name":        {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":{"ba*":"ask"}}`}},
	"no tool":                   {files: map[string]string{"~/.config/opencode/opencode.json": `{"tools":{"bash":false}}`}},
	"a tool and a question":     {files: map[string]string{"~/.config/opencode/opencode.json": `{"tools":{"bash":true},"permission":{"bash":"ask"}}`}},
	"the agent's own":           {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":{"bash":"ask"},"agent":{"build":{"permission":{"bash":"allow"}}}}`}, how: "agent.build.permission.bash is allow"},
	"another agent's":           {files: map[string]string{"~/.config/opencode/opencode.json": `{"agent":{"x":{"permission":{"bash":"ask"}}}}`}, how: openCodeDefault},
	"another agent":             {files: map[string]string{"~/.config/opencode/opencode.json": `{"agent":{"x":{"permission":{"bash":"ask"}}}}`}, args: "--agent|x"},
	"another by default":        {files: map[string]string{"~/.config/opencode/opencode.json": `{"default_agent":"x","agent":{"x":{"permission":{"bash":"ask"}}}}`}},
	"a mode":                    {files: map[string]string{"~/.config/opencode/opencode.json": `{"mode":{"build":{"permission":{"bash":"ask"}}}}`}},
	"an agent of Markdown":      {files: map[string]string{"~/.config/opencode/agent/build.md": "---\npermission:\n  bash: ask\n---\n"}, how: "?"},
	"the project counts":        {files: map[string]string{"~/.config/opencode/opencode.json": `{"permission":{"bash":"allow"}}`, "/w/opencode.json": `{"permission":{"bash":"ask"}}`}},
	"a directory above":         {files: map[string]string{"/opencode.json": `{"permission":{"bash":"ask"}}`}},
	"above the repository":      {files: map[string]string{"/opencode.json": `{"permission":{"bash":"ask"}}`, "/w/.git/HEAD": "ref: refs/heads/main\n"}, how: openCodeDefault},
	"no project":                {files: map[string]string{"/w/opencode.json": `{"permission":{"bash":"ask"}}`}, env: "OPENCODE_DISABLE_PROJECT_CONFIG=1", how: openCodeDefault},
	"its directory":             {files: map[string]string{"/w/opencode.json": `{"permission":{"bash":"ask"}}`, "/w/.opencode/opencode.json": `{"permission":{"bash":"allow"}}`}, how: "permission.bash is allow"},
	"the upper directory":       {files: map[string]string{"/.opencode/opencode.json": `{"permission":{"bash":"ask"}}`, "/w/.opencode/opencode.json": `{"permission":{"bash":"allow"}}`}},
	"home over project":         {files: map[string]string{"/w/opencode.json": `{"permission":{"bash":"allow"}}`, "~/.opencode/opencode.json": `{"permission":{"bash":"ask"}}`}},
	"a file of the environment": {files: map[string]string{"/x.json": `{"permission":{"bash":"deny"}}`}, env: "OPENCODE_CONFIG=/x.json"},
	"project over that file":    {files: map[string]string{"/x.json": `{"permission":{"bash":"deny"}}`, "/w/opencode.json": `{"permission":{"bash":"allow"}}`}, env: "OPENCODE_CONFIG=/x.json", how: "permission.bash is allow"},
	"a directory of it":         {files: map[string]string{"/c/opencode.json": `{"permission":{"bash":"ask"}}`, "/w/.opencode/opencode.json": `{"permission":{"bash":"allow"}}`}, env: "OPENCODE_CONFIG_DIR=/c"},
	"a text of it":              {files: map[string]string{"/w/.opencode/opencode.json": `{"permission":{"bash":"allow"}}`}, env: `OPENCODE_CONFIG_CONTENT={"permission":{"bash":"ask"}}`},
	"permissions of it":         {env: `OPENCODE_CONFIG_CONTENT={"permission":{"bash":"allow"}}` + "\x00" + `OPENCODE_PERMISSION={"bash":"ask"}`},
	"malformed ones":            {env: "OPENCODE_PERMISSION=ask", how: openCodeDefault},
	"another place":             {files: map[string]string{"/xdg/opencode/opencode.json": `{"permission":{"bash":"ask"}}`}, env: "XDG_CONFIG_HOME=/xdg"},
	"a variable":                {files: map[string]string{"/w/opencode.json": `{"permission":{"bash":"{env:OCP}"}}`}, env: "OCP=ask"},
	"a file within":             {files: map[string]string{"/w/opencode.json": `{"permission":{"bash":"{file:/p}"}}`}, how: "?"},
	"the administrator's":       {files: map[string]string{"/etc/opencode/opencode.json": `{"permission":{"bash":"ask"}}`, "/w/opencode.json": `{"permission":{"bash":"allow"}}`}},
	"over the administrator's":  {files: map[string]string{"/etc/opencode/opencode.json": `{"permission":{"bash":"ask"}}`}, env: `OPENCODE_PERMISSION={"bash":"allow"}`, how: "permission.bash is allow"},
	"malformed":                 {files: map[string]string{"/w/opencode.json": `{"permission":`}, how: "?"},
	"an option":                 {files: map[string]string{"/w/opencode.json": `{"permission":{"bash":"ask"}}`}, args: "--auto", how: "--auto"},
	"a client":                  {args: "attach|http://127.0.0.1:4096"},
}

// TestBrakesOfARunningOpenCode: each place that decides on its commands is read, in the order in which one gives way to another.
func TestBrakesOfARunningOpenCode(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range openCodeCases {
		files := map[string]string{"etc/passwd": "bob:x:1000:1000::/home/bob:/bin/sh\n", "w/": "", "proc/77/environ": "HOME=/home/bob\x00" + c.env}
		for f, text := range c.files {
			files[strings.Replace(f, "~", "/home/bob", 1)] = text
		}
		s, root := tree(t, files)
		for link, to := range map[string]string{"root": "../..", "cwd": "/w"} {
			if err := os.Symlink(to, filepath.Join(root, "proc/77", link)); err != nil {
				t.Fatal(err)
			}
		}
		p := &process{argv: strings.Split(strings.TrimSuffix("opencode|"+c.args, "|"), "|")}
		p.PID, p.Container = 77, "c"
		var got strings.Builder
		for _, b := range s.brakesOf(patternOf(patterns, "opencode"), p) {
			got.WriteString(b.How)
			if b.Unread != "" {
				got.WriteString("?")
			}
			if b.Default != (b.How == openCodeDefault) {
				t.Errorf("%s: %+v", name, b)
			}
		}
		if got.String() != c.how {
			t.Errorf("%s: got %q, want %q", name, got.String(), c.how)
		}
	}
}

// TestBrakesOfAnAccountsOpenCode: an account that has used it has the default, which nobody set; one without a trace of it has nothing.
func TestBrakesOfAnAccountsOpenCode(t *testing.T) {
	const own, used = "root/.config/opencode/opencode.json", "root/.local/share/opencode/auth.json"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no trace":                {nil, ""},
		"used":                    {map[string]string{used: "{}"}, "approvals true /root/.config/opencode/opencode.json"},
		"settings of other kinds": {map[string]string{own: `{"theme":"x"}`}, "approvals true /root/.config/opencode/opencode.json"},
		"allowed":                 {map[string]string{own: `{"permission":"allow"}`}, "approvals false /root/.config/opencode/opencode.json"},
		"asks":                    {map[string]string{own: `{"permission":{"bash":"ask"}}`, used: "{}"}, ""},
		"the administrator asks":  {map[string]string{used: "{}", "etc/opencode/opencode.json": `{"permission":{"bash":"ask"}}`}, ""},
		"malformed":               {map[string]string{own: `{`}, "unread"},
	} {
		files := map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/bash\n", "root/": ""}
		maps.Copy(files, c.files)
		s, _ := tree(t, files)
		sec := new(snapshot.Agents)
		s.findBrakes(sec, nil)
		got := ""
		for _, b := range sec.Brakes {
			if got = fmt.Sprint(b.Off, " ", b.Default, " ", b.File); b.Unread != "" {
				got = "unread"
			}
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
