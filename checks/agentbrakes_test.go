//go:build linux && !ringfence_portable

package checks

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// TestBrakesOfARunningAgent: options count where the program reads them, and not as a part of another argument.
func TestBrakesOfARunningAgent(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	trusting := agentIn(t, "/", map[string]string{"environ": "GEMINI_CLI_TRUST_WORKSPACE=true\x00"})
	empty := agentIn(t, "/", map[string]string{
		"x/node_modules/cline/package.json": `{"name": "cline", "version": "3.0.65"}`, "old/node_modules/cline/package.json": `{"name": "cline", "version": "2.8.1"}`,
	})
	for _, c := range []struct{ runtime, line, off string }{
		{"claude-code", "claude|--dangerously-skip-permissions", "approvals"},
		{"claude-code", "claude|--permission-mode|bypassPermissions|-p|x", "approvals"},
		{"claude-code", "claude|--allow-dangerously-skip-permissions", ""}, // it may be switched on later
		{"claude-code", "claude|--permission-mode|acceptEdits", ""},
		{"codex", "codex|--yolo", "both"},
		{"codex", "codex|exec|-s|danger-full-access|x", "sandbox"},
		{"codex", "codex|-c|sandbox_mode=\"danger-full-access\"", "sandbox"},
		{"codex", "codex|--sandbox|workspace-write", ""},
		{"gemini-cli", "gemini|--approval-mode=yolo", "approvals"},
		{"gemini-cli", "gemini|-p|--yolop", ""},
		{"copilot-cli", "copilot|--allow-all-tools", "approvals"},
		{"codex", "codex|exec|why is --yolo a bad idea", ""},
		{"gemini-cli", "gemini|-p|is -y the same as --yolo ?", ""},
		{"gemini-cli", "gemini --yolo -p x", "approvals"}, // a title
		{"gemini-cli", "node|/usr/bin/gemini|--yolo=true", "approvals"},
		{"gemini-cli", "gemini|--approvalMode|yolo", "approvals"},
		{"gemini-cli", "gemini|-dy", "approvals"},
		{"gemini-cli", "gemini|-yd", "approvals"},
		{"gemini-cli", "gemini|-pyes", ""},
		{"gemini-cli", "gemini|-y|-pyes", "approvals"},
		{"gemini-cli", "gemini|-y=true", "approvals"},
		{"gemini-cli", "gemini|--yolo|false", ""},
		{"gemini-cli", "gemini|--yolo|--no-yolo", ""},
		{"gemini-cli", "gemini|--no-yolo|--yolo", "approvals"},
		{"gemini-cli", "gemini|-y=false|-d", ""},
		{"gemini-cli", "gemini|--yolo=true|--yolo=false", ""},
		{"gemini-cli", "gemini|--|--yolo", ""},
		{"gemini-cli", "gemini|--allowed-tools|write_file,run_shell_command", "approvals"},
		{"gemini-cli", "gemini|--allowedTools=run_shell_command", "approvals"},
		{"gemini-cli", "gemini|--allowed-tools|run_shell_command(git)", ""},
		{"qwen-code", "qwen|-sy", "approvals"},
		{"opencode", "opencode|run|--dangerouslySkipPermissions", "approvals"},
		{"copilot-cli", "copilot|--allow-tool|write|shell|-p|x", "approvals"},
		{"copilot-cli", "copilot|--allow-tool|shell(git:*)|--deny-tool|shell", ""},
		{"cline", "/x/node_modules/cline/bin/cline|tell me", "default"},
		{"cline", "/x/node_modules/cline/bin/cline|--auto-approve|false|x", ""},
		{"cline", "/x/node_modules/cline/bin/cline|mcp", ""},
		{"cline", "/old/node_modules/cline/bin/cline|x", ""},
		{"cline", "/old/node_modules/cline/bin/cline|-y|x", "approvals"},
		{"cline", "cline|x", "unread"},
	} {
		p := &process{argv: strings.Split(c.line, "|")}
		p.PID = 77
		var got strings.Builder
		at := empty
		if c.runtime == "gemini-cli" {
			at = trusting
		}
		for _, b := range at.brakesOf(patternOf(patterns, c.runtime), p) {
			if b.Unread != "" {
				b.Off = "unread"
			} else if b.Default {
				b.Off = "default"
			}
			got.WriteString(b.Off)
		}
		if got.String() != c.off {
			t.Errorf("%s: got %q, want %q", c.line, got.String(), c.off)
		}
	}
}

// TestBrakesOfAProjectOfGemini: settings of a directory count if its user trusts that, which is not known.
func TestBrakesOfAProjectOfGemini(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]map[string]string{
		"gemini-cli": {"p/.gemini/settings.json": `{"tools": {"allowed": ["run_shell_command"]}}`}, "qwen-code": {"p/.qwen/settings.json": `{"tools": {"approvalMode": "yolo"}}`},
	} {
		files["p/x"] = ""
		s := scanWithProcess(t, files)
		p := &process{argv: []string{"node", "/usr/bin/x"}}
		p.PID, p.Exe = 77, "/usr/bin/node"
		if list := s.brakesOf(patternOf(patterns, name), p); len(list) != 1 || !strings.Contains(list[0].Unread, "working directory") {
			t.Errorf("%s, a directory that is not known: %+v", name, list)
		}
		s = agentIn(t, "/p", files)
		if list := s.brakesOf(patternOf(patterns, name), p); len(list) != 1 || !strings.Contains(list[0].Unread, "trusts the directory") {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

// TestBrakesOfAider: what a running aider reads besides its arguments, of which argparse takes beginnings too.
func TestBrakesOfAider(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	const yes, no, home = "yes-always: true\n", "yes_always: false\n", "home/u/.aider.conf.yml"
	for name, c := range map[string]struct {
		args  string
		files map[string]string
		want  string
	}{
		"nothing":          {"", nil, ""},
		"a beginning":      {"|--yes", nil, "--yes"},
		"the user's":       {"", map[string]string{home: yes}, ""}, // said of the account
		"the project's":    {"", map[string]string{"p/.aider.conf.yml": yes}, "/p/.aider.conf.yml (yes-always)"},
		"between":          {"", map[string]string{"p/a/.aider.conf.yml": yes}, ""},
		"its directory's":  {"", map[string]string{"p/a/b/.aider.conf.yml": "yes-always: \"on\"\n"}, "/p/a/b/.aider.conf.yml (yes-always)"},
		"the last counts":  {"", map[string]string{"p/.aider.conf.yml": yes, "p/a/b/.aider.conf.yml": no}, ""},
		"another file":     {"|--config|../c.yml", map[string]string{"p/a/c.yml": yes}, "/p/a/c.yml (yes-always)"},
		"a variable":       {"", map[string]string{"p/.env": "export AIDER_YES_ALWAYS='true'\n", "p/a/b/.aider.conf.yml": no}, "/p/.env (AIDER_YES_ALWAYS)"},
		"another variable": {"|--env-file=/v", map[string]string{"v": "AIDER_YES_ALWAYS=1\n"}, "/v (AIDER_YES_ALWAYS)"},
		"malformed":        {"", map[string]string{"p/.aider.conf.yml": "{"}, "unread"},
	} {
		files := map[string]string{"environ": "HOME=/home/u\x00", "etc/passwd": "u:x:1000:1000::/home/u:/bin/bash\n", "p/a/b/x": "", "home/u/x": "", "p/.git/HEAD": "x"}
		maps.Copy(files, c.files)
		s := agentIn(t, "/p/a/b", files)
		p := &process{argv: strings.Split("python3|/usr/bin/aider"+c.args, "|")}
		p.PID, p.UID, p.Exe = 77, 1000, "/usr/bin/python3"
		got := ""
		for _, b := range s.brakesOf(patternOf(patterns, "aider"), p) {
			if got = b.How; b.Unread != "" {
				got = "unread"
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// agentIn is a host of files with the process 77 in a directory; the file environ is its environment.
func agentIn(t *testing.T, cwd string, files map[string]string) *Scan {
	t.Helper()
	s, _ := agentAndRoot(t, cwd, files)
	return s
}

// agentAndRoot is agentIn, and below which directory its files are.
func agentAndRoot(t *testing.T, cwd string, files map[string]string) (s *Scan, root string) {
	t.Helper()
	s, root = hostOf(t, files)
	writeFile(t, filepath.Join(root, "proc/77/environ"), files["environ"])
	for link, to := range map[string]string{"root": "../..", "cwd": cwd} {
		if err := os.Symlink(to, filepath.Join(root, "proc/77", link)); err != nil {
			t.Fatal(err)
		}
	}
	return s, root
}

// tree makes files for a scan, and says below which directory; a name that ends with a slash is a directory.
func tree(t *testing.T, files map[string]string) (s *Scan, root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range files {
		at := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(at, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return newScan(host.At(root)), root
}

// TestBrakesInSettings reads the settings of each account that has a home, and what root forbids to all of them.
func TestBrakesInSettings(t *testing.T) {
	const passwd = "root:x:0:0::/root:/bin/bash\nnobody:x:65534:65534::/nonexistent:/bin/false\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"claude":                         {map[string]string{"root/.claude/settings.json": `{"permissions":{"defaultMode":"bypassPermissions"}}`}, []string{"approvals"}},
		"claude, asks":                   {map[string]string{"root/.claude/settings.json": `{"permissions":{"defaultMode":"plan"}}`}, nil},
		"claude, no JSON":                {map[string]string{"root/.claude/settings.json": `{`}, []string{"unread"}},
		"claude, all commands":           {map[string]string{"root/.claude/settings.json": `{"permissions":{"allow":["Bash"]}}`}, []string{"approvals"}},
		"claude, the administrator asks": {map[string]string{"root/.claude/settings.json": `{"permissions":{"allow":["Bash"]}}`, "etc/claude-code/managed-settings.json": `{"permissions":{"ask":["Bash"]}}`}, nil},
		"codex":                          {map[string]string{"root/.codex/config.toml": "sandbox_mode = \"danger-full-access\"\n"}, []string{"sandbox"}},
		"codex, a profile":               {map[string]string{"root/.codex/config.toml": "profile = \"a\"\n[profiles.a]\nsandbox_mode = \"danger-full-access\"\n"}, []string{"sandbox"}},
		"codex, another":                 {map[string]string{"root/.codex/config.toml": "[profiles.a]\nsandbox_mode = \"danger-full-access\"\n"}, nil},
		"aider":                          {map[string]string{"root/.aider.conf.yml": "yes-always: true\n"}, []string{"approvals"}},
		"gemini, all commands":           {map[string]string{"root/.gemini/settings.json": `{"tools": {"allowed": ["x", "ShellTool"]}} // x`}, []string{"approvals"}},
		"gemini, some":                   {map[string]string{"root/.gemini/settings.json": `{"tools": {"allowed": ["run_shell_command(git)"], "approvalMode": "yolo"}}`}, nil},
		"gemini, asks":                   {map[string]string{"root/.gemini/settings.json": `{"tools": {"allowed": ["run_shell_command"], "confirmationRequired": ["run_shell_command"]}}`}, nil},
		"gemini, no JSON":                {map[string]string{"root/.gemini/settings.json": `[`}, []string{"unread"}},
		"gemini, rules":                  {map[string]string{"root/.gemini/policies/a.toml": "[[rule]]\ntoolName = \"run_shell_command\"\ndecision = \"allow\"\n"}, []string{"unread"}},
		"gemini, named rules":            {map[string]string{"root/.gemini/settings.json": `{"policyPaths": ["/srv/rules"]}`}, []string{"unread"}},
		"gemini, other rules":            {map[string]string{"root/.gemini/policies/a.toml": "[[rule]]\ntoolName = \"run_shell_command\"\ndecision = \"deny\"\n"}, nil},
		"qwen":                           {map[string]string{"root/.qwen/settings.json": `{"tools": {"approvalMode": "YOLO"}}`}, []string{"approvals"}},
		"qwen, asks":                     {map[string]string{"root/.qwen/settings.json": `{"tools": {"approvalMode": "auto-edit"}}`}, nil},
		"hermes":                         {map[string]string{"root/.hermes/config.yaml": "approvals:\n  mode: off\n"}, []string{"approvals"}},
		"nothing":                        {map[string]string{"root/": ""}, nil},
	} {
		c.files["etc/passwd"] = passwd
		s, _ := tree(t, c.files)
		sec := new(snapshot.Agents)
		s.findBrakes(sec, nil)
		var got []string
		for _, b := range sec.Brakes {
			if b.Unread != "" {
				b.Off = "unread"
			}
			got = append(got, b.Off)
		}
		if d := cmp.Diff(c.want, got); d != "" || sec.BrakesRead.State != snapshot.Present {
			t.Errorf("%s: %+v, want -, got +\n%s", name, sec.BrakesRead, d)
		}
	}
	titled := &process{argv: []string{"claude"}}
	titled.Exe = "/usr/bin/node"
	pt := &pattern{Name: "claude-code", Brakes: []brake{{Off: "approvals"}}}
	nobody, _ := tree(t, nil)
	if list := nobody.brakesOf(pt, titled); len(list) != 1 || list[0].Unread == "" {
		t.Errorf("arguments behind a title: %+v", list)
	}
	if off, _, err := claudeBrakes(`{"permissions":{"defaultMode":"bypassPermissions"}}`, map[string]bool{"claude-code": true}); off != "" || err != nil {
		t.Errorf("forbidden by root: %q %v", off, err)
	}
}

// TestFilesOpenToOthers: the mode of a file counts where every directory on the way lets others through.
func TestFilesOpenToOthers(t *testing.T) {
	for name, c := range map[string]struct {
		home, file os.FileMode
		want       string
	}{
		"read by everybody":    {0o755, 0o644, "everybody"},
		"home is closed":       {0o700, 0o644, ""},
		"file is closed":       {0o755, 0o600, ""},
		"written by everybody": {0o755, 0o602, "everybody"},
		"a group of nobody":    {0o755, 0o660, ""},
	} {
		s, root := tree(t, map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/bash\n", "root/.codex/auth.json": "{}"})
		for at, mode := range map[string]os.FileMode{"/root": c.home, "/root/.codex": 0o755, "/root/.codex/auth.json": c.file} {
			if err := os.Chmod(filepath.Join(root, at), mode); err != nil {
				t.Fatal(err)
			}
		}
		sec := new(snapshot.Agents)
		s.findAgentFiles(sec)
		var got strings.Builder
		for _, f := range sec.Files {
			got.WriteString(f.To)
		}
		if got.String() != c.want {
			t.Errorf("%s: got %q, want %q", name, got.String(), c.want)
		}
	}
}

// TestFilesOpenByTheWay: a directory on the way that others write lets them put another file there; a link is followed; what a list lets others read
// is open to them.
func TestFilesOpenByTheWay(t *testing.T) {
	read := aclOf(t, "02000000"+"01000600ffffffff"+"02000400e8030000"+"04000000ffffffff"+"10000400ffffffff"+"20000000ffffffff")
	for name, c := range map[string]struct {
		do   func(at func(string) string) error
		want string
	}{
		"a directory":  {func(at func(string) string) error { return os.Chmod(at("/root/.codex"), 0o777) }, "everybody writes /root/.codex"},
		"a sticky one": {func(at func(string) string) error { return os.Chmod(at("/root/.codex"), 0o777|os.ModeSticky) }, ""},
		"behind a door": {func(at func(string) string) error {
			return errors.Join(os.Chmod(at("/root/.codex"), 0o777), os.Chmod(at("/root"), 0o700))
		}, ""},
		"of somebody else":  {func(at func(string) string) error { return os.Chown(at("/root/.codex"), 1000, 0) }, "user ann writes /root/.codex"},
		"a list":            {func(at func(string) string) error { return setACL(at("/root/.codex/auth.json"), read) }, "user ann reads /root/.codex/auth.json"},
		"a link":            {func(at func(string) string) error { return linked(at, "/srv/auth.json") }, "everybody reads /srv/auth.json"},
		"a link to nothing": {func(at func(string) string) error { return linked(at, "/srv/none") }, ""},
		"no directory": {func(at func(string) string) error {
			return errors.Join(os.RemoveAll(at("/root/.codex")), os.WriteFile(at("/root/.codex"), nil, 0o600))
		}, ""},
	} {
		s, root := tree(t, map[string]string{
			"etc/passwd": "root:x:0:0::/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/sh\n", "root/.codex/auth.json": "{}", "srv/auth.json": "{}",
		})
		at := func(p string) string { return filepath.Join(root, p) }
		if err := errors.Join(os.Chmod(root, 0o755), os.Chmod(at("/srv/auth.json"), 0o644), c.do(at)); err != nil {
			t.Fatal(err)
		}
		sec := new(snapshot.Agents)
		s.findAgentFiles(sec)
		var got []string
		for _, f := range sec.Files {
			got = append(got, f.To+map[bool]string{true: " writes ", false: " reads "}[f.Write]+f.Path)
		}
		if strings.Join(got, ", ") != c.want || sec.FilesRead.State != snapshot.Present {
			t.Errorf("%s: got %q, want %q, %+v", name, got, c.want, sec.FilesRead)
		}
	}
}

// linked puts a link into the place of a file of an agent.
func linked(at func(string) string, to string) error {
	return errors.Join(os.Remove(at("/root/.codex/auth.json")), os.Symlink(to, at("/root/.codex/auth.json")))
}

// TestWhatTunnelsPublish takes the arguments of programs apart.
func TestWhatTunnelsPublish(t *testing.T) {
	known, err := loadPublishers()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ exe, line, want string }{
		{"cloudflared", "cloudflared|tunnel|--url|http://localhost:3000", "cloudflared everybody [127.0.0.1:3000]"},
		{"cloudflared", "cloudflared|tunnel|run|--token|x", "cloudflared everybody []"},
		{"cloudflared", "cloudflared|version", ""},
		{"ngrok", "ngrok|http|8080", "ngrok everybody [127.0.0.1:8080]"},
		{"ngrok", "ngrok|http|--domain=x.ngrok.app|https://localhost:8443", "ngrok everybody [127.0.0.1:8443]"},
		{"tailscale", "tailscale|funnel|3000", "tailscale funnel everybody [127.0.0.1:3000]"},
		{"tailscale", "tailscale|status", ""},
		{"code-tunnel", "code-tunnel|--accept-server-license-terms|tunnel", "VS Code tunnel members []"},
		{"code", "/usr/share/code/code|--unity-launch", ""},
		{"node", "node|/usr/lib/node_modules/.bin/lt|--port|5000", "localtunnel everybody [127.0.0.1:5000]"},
		{"ssh", "ssh|-R|80:localhost:3000|nokey@localhost.run", "ssh -R everybody [127.0.0.1:3000]"},
		{"ssh", "ssh|-fNR|0.0.0.0:80:127.0.0.1:80|me@example.org", ""},
		{"ssh", "ssh|-N|-R|*:80:127.0.0.1:80|me@example.org", "ssh -R everybody [127.0.0.1:80]"},
		{"ssh", "ssh|-R|8080:localhost:80|me@example.org", "ssh -R server [127.0.0.1:80]"},
		{"ssh", "ssh|-R|8080:db.example.org:5432|me@example.org", ""},
		{"ssh", "ssh|-R|1080|me@example.org", "ssh -R server []"},
		{"ssh", "ssh|-L|8080:localhost:80|me@example.org", ""},
		{"tmate", "tmate|-F", "tmate everybody []"},
	} {
		p := &process{argv: strings.Split(c.line, "|")}
		p.Exe = "/usr/bin/" + c.exe
		got := ""
		for _, k := range known {
			if pub := k.of(p); pub != nil && got == "" {
				got = fmt.Sprint(pub.Program, " ", pub.To, " ", pub.Targets)
			}
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.line, got, c.want)
		}
	}
}

// TestWhatTailscaleServes: what is served by a port that Funnel opens is everybody's.
func TestWhatTailscaleServes(t *testing.T) {
	serve := base64.StdEncoding.EncodeToString([]byte(`{"TCP":{"443":{"HTTPS":true},"8443":{"HTTPS":true}},
		"Web":{"h.ts.net:443":{"Handlers":{"/":{"Proxy":"http://127.0.0.1:18789"}}},"h.ts.net:8443":{"Handlers":{"/":{"Proxy":"http://localhost:3000"},"/f":{"Path":"/srv"}}}},
		"AllowFunnel":{"h.ts.net:443":true}}`))
	list, err := servesIn([]byte(`{"_machinekey":"cHJpdmtleQ==","_serve/abcd":"`+serve+`"}`), new(process))
	if err != nil || len(list) != 2 || list[0].Program != "tailscale funnel" || list[0].Targets[0] != "127.0.0.1:18789" || list[1].To != "members" {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := servesIn([]byte(`{"_serve/a":"!"}`), new(process)); err == nil {
		t.Error("a malformed state is understood")
	}
}

// TestSecretsInArguments: a secret is the value of an option for one, and no path, number, switch or reference.
func TestSecretsInArguments(t *testing.T) {
	for line, want := range map[string]string{
		"llama-server|--api-key|sk-0123456789":           "--api-key",
		"redis-server|--requirepass|hunter2hunter2":      "--requirepass",
		"cloudflared|tunnel|run|--token=eyJhbGciOiJ":     "--token",
		"env|PGPASSWORD=hunter22|psql":                   "PGPASSWORD",
		"curl|-H|Authorization: Bearer 0123456789":       "a header Authorization",
		"vllm|serve|m|--max-tokens|409600":               "",
		"x|--token-file|/etc/token":                      "",
		"x|--password|/run/secrets/p":                    "",
		"x|--password|$PASSWORD1":                        "",
		"x|--token|--verbose":                            "",
		"mysqld|--skip-password|something":               "",
		"train|--pad-token|<pad_token>":                  "",
		"x|--api-key|":                                   "",
		"/opt/token=abcdefgh":                            "",
		"sshd: me|--password":                            "",
		"gitlab-runner|--registration-token|abcdefghijk": "--registration-token",

		"postgres_exporter|--dsn=postgresql://u:hunter22@db/x": "the password of a URL",
		"celery|-A|app|-b|redis://:hunter22@db:6379/0|worker":  "the password of a URL",
		"git|clone|https://me:ghp0123456789@host/r.git":        "the password of a URL",
		"git|clone|ssh://git@host:2222/r.git":                  "",
		"x|http://localhost:8000/a:bcdefghi@c":                 "",
		"x|redis://:$PASSWORD@db":                              "",
		"x|https://u:********@h/":                              "",
		"bot|glpat-01234567890123456789":                       "a token",
		"docker|run|-e|K=sk-ant-0123456789012345678901|img":    "a token",
		"x|sk-learn":                      "",
		"sshpass|-p|hunter22|ssh|h":       "-p",
		"sshpass|-phunter22|ssh|h":        "-p",
		"sshpass|-f|/etc/p|ssh|-p|222222": "",
		"mysql|-uroot|-phunter22|db":      "-p",
		"mysql|-uroot|-p|database":        "",
		"mysql|-uroot|-pxxxxxxxx":         "",
		"redis-cli|-a|hunter22|ping":      "-a",
		"curl|-u|me:hunter22|http://h/":   "-u",
		"curl|-u|me|http://h/":            "",
		"smbclient|//h/s|-U|me%hunter22":  "-U",
		"ssh|-p|222222|h":                 "",
	} {
		if got := secretIn(strings.Split(line, "|")); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

// TestSecretsInUnits: settings of a unit are told to everybody, files of variables to those who may read them.
func TestSecretsInUnits(t *testing.T) {
	s, root := tree(t, map[string]string{"etc/open.env": "API_KEY=sk0123456789\nMODE=x\n", "etc/closed.env": "API_KEY=sk0123456789\n"})
	if err := os.Chmod(filepath.Join(root, "etc/open.env"), 0o644); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range s.unitSecrets("a.service", []unitLine{
		{"[Service]", "Environment", `"DB_PASSWORD=hunter2hunter2" LANG=C PASSWORD_FILE=/x TOKEN=$x`},
		{"[Service]", "EnvironmentFile", "-/etc/open.env"},
		{"[Service]", "EnvironmentFile", "/etc/closed.env"},
		{"[Service]", "ExecStart", "/usr/bin/x --api-key abcdefghijk"},
		{"[Unit]", "Environment", "API_KEY=sk0123456789"},
	}) {
		got = append(got, o.Kind+" "+o.Name+" "+o.File)
	}
	want := []string{"unit DB_PASSWORD ", "unit --api-key ", "environment-file API_KEY /etc/open.env"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
}

// TestManagedSettingsOfADirectory: files of the administrator's directory count on top of his file, in the order of their names, for the brakes and for
// the sandbox; one that is hidden does not.
func TestManagedSettingsOfADirectory(t *testing.T) {
	const dir = "etc/claude-code/managed-settings.d/"
	for name, c := range map[string]struct {
		files   map[string]string
		forbids bool
		sandbox string
	}{
		"nothing":         {nil, false, "off"},
		"a file alone":    {map[string]string{"etc/claude-code/managed-settings.json": `{"permissions": {"disableBypassPermissionsMode": "disable"}, "sandbox": {"enabled": true}}`}, true, "on"},
		"a directory":     {map[string]string{dir + "10.json": `{"permissions": {"disableBypassPermissionsMode": "disable"}, "sandbox": {"enabled": true}}`}, true, "on"},
		"the last counts": {map[string]string{dir + "10.json": `{"sandbox": {"enabled": true}}`, dir + "20.json": `{"sandbox": {"enabled": false}, "permissions": {"disableBypassPermissionsMode": "disable"}}`}, true, "off"},
		"says nothing":    {map[string]string{"etc/claude-code/managed-settings.json": `{"permissions": {"disableBypassPermissionsMode": "disable"}}`, dir + "10.json": `{"sandbox": {"enabled": true}}`}, true, "on"},
		"hidden":          {map[string]string{dir + ".10.json": `{"sandbox": {"enabled": true}}`, dir + "x.txt": `{`}, false, "off"},
		"malformed":       {map[string]string{dir + "10.json": `{`}, false, ""},
	} {
		s, root := hostOf(t, c.files)
		if err := os.MkdirAll(filepath.Join(root, "proc/77"), 0o755); err != nil {
			t.Fatal(err)
		}
		for link, to := range map[string]string{"root": "../..", "cwd": "/work"} {
			if err := os.Symlink(to, filepath.Join(root, "proc/77", link)); err != nil {
				t.Fatal(err)
			}
		}
		p := &process{argv: []string{"claude"}}
		p.PID = 77
		var b snapshot.AgentSandbox
		s.claudeSandbox(p, &b)
		if got := s.managed()["claude-code"]; got != c.forbids || b.Configured.Value != c.sandbox {
			t.Errorf("%s: forbids %v, want %v; %+v, want %q", name, got, c.forbids, b.Configured, c.sandbox)
		}
	}
}
