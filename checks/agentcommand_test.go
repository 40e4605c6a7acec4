//go:build linux && !ringfence_portable

package checks

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// TestRecognisedByWhatRuns: an agent is its program, or the script, module or package that an interpreter or a launcher runs; never what a
// later argument names.
func TestRecognisedByWhatRuns(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ exe, line, want string }{
		// A line of one argument is a title that the process has set.
		{"/usr/bin/node", "npm exec @playwright/mcp --port 8931 --host 0.0.0.0", "mcp"},
		{"/usr/bin/node", "node|/root/.npm/_npx/1/node_modules/.bin/playwright-mcp|--port|8931", "mcp"},
		{"/bin/dash", "sh|-c|playwright-mcp --port 8931 --host 0.0.0.0", "mcp"},
		{"/usr/bin/node", "node|/x/node_modules/@playwright/mcp/cli.js|--headless|--port=8931", "mcp"},
		{"/usr/bin/node", "node|/x/node_modules/.bin/playwright-mcp|--headless", ""},               // over its standard input
		{"/usr/bin/node", "node|/x/node_modules/.bin/playwright-mcp|--config|/srv/pw.json", "mcp"}, // its port can be there
		{"/usr/bin/uv", "uvx|--from|mcpo@latest|mcpo|--port|8000", "mcp"},
		{"/usr/bin/node", "node|/x/.bin/context7-mcp|--transport|http|--port|3005", "mcp"},
		{"/usr/bin/node", "npx|-y|@upstash/context7-mcp@latest|--transport|http", "mcp"},
		{"/usr/bin/node", "node|/x/.bin/context7-mcp", ""}, // over its standard input
		{"/usr/bin/node", "node|/x/.bin/context7-mcp|--transport|stdio", ""},
		{"/usr/bin/node", "node|/x/.bin/langgraphjs|dev|--host|0.0.0.0", "langgraph"},
		{"/usr/bin/node", "node-red", "node-red"},
		{"/usr/bin/node", "n8n", "n8n"},
		{"/usr/bin/node", "n8n-node dev", ""}, // another package
		{"/usr/bin/node", "node|/x/.bin/ccr|start", "claude-code-router"},
		{"/usr/bin/node", "npm exec supergateway --stdio npx -y some-mcp --port 8700", "supergateway"},
		{"/usr/bin/node", "node|/x/node_modules/supergateway/dist/index.js|--stdio|npx -y some-mcp", "supergateway"},
		{"/usr/bin/node", "node|/x/node_modules/.bin/mcp-proxy|--port|8710|--|npx|some-mcp", "mcp-proxy"},
		{"/usr/bin/node", "node|--env-file|.env|node_modules/@modelcontextprotocol/server-everything/dist/index.js|sse", "mcp"},
		{"/usr/bin/node", "node|--disable-warning|DEP0040|--test-timeout|9|/x/.bin/node-red", "node-red"},
		{"/usr/bin/node", "node|--no-warnings|/x/.bin/node-red", "node-red"},
		{"/usr/bin/node", "node|-pe|claude|x", ""},
		{"/x/node_modules/@cline/cli-linux-x64/bin/cline", "x/node_modules/.bin/cline|--acp", "cline"},
		{"/usr/bin/vim.basic", "vim|cline", ""},
		{"/usr/bin/python3.11", "python3.11|-X|dev|/usr/local/bin/vllm|serve|m", "vllm"},
		{"/usr/bin/python3.11", "python3.11|-m|vllm.entrypoints.openai.api_server|--port|8000", "vllm"},
		{"/usr/bin/python3.11", "python3.11|-m|uvicorn|--host|0.0.0.0|open_webui.main:app|--port|8080", "open-webui"},
		{"/usr/bin/tini", "tini|-s|--|bash|-c|exec vllm serve m", "vllm"},
		{"/usr/bin/python3", "/usr/bin/python3|/usr/bin/jupyter-notebook", "jupyter"},
		{"/usr/bin/python3", "python3|-m|jupyterlab|--ip=0.0.0.0", "jupyter"},
		{"/usr/bin/python3.11", "/usr/bin/python3|/usr/bin/dask-scheduler|--no-dashboard|--host|0.0.0.0", "dask"},
		{"/usr/bin/python3.11", "python3|-m|distributed.cli.dask_worker|tcp://h:8786", "dask"},
		{"/usr/bin/python3.11", "/usr/bin/python3|/usr/bin/dask|worker|tcp://h:8786", "dask"},
		{"/usr/bin/python3.11", "/usr/bin/python3|/usr/bin/dask|config|list", ""},
		{"/usr/lib/jvm/java-17/bin/java", "java|-cp|/opt/spark/jars/*|-Xmx1g|org.apache.spark.deploy.master.Master|--host|h", "spark"},
		{"/usr/bin/python3", "python3|-m|ipykernel_launcher|-f|k.json", ""},
		{"/usr/bin/python3", "python3|-m|sglang.launch_server|--port|30000", "sglang"},
		{"/usr/bin/node", "openclaw-gateway", "openclaw"},
		{"/usr/bin/node", "node|--max-old-space-size=1|/usr/lib/node_modules/openclaw/dist/index.js|gateway|--port|1", "openclaw"},
		{"/opt/chrome/chrome", "/opt/chrome/chrome|--headless|--remote-debugging-port=9222", "chrome-devtools"},
		{"/usr/share/code/code", "/usr/share/code/code|--remote-debugging-port=9222", "chrome-devtools"},
		{"/usr/bin/decode", "decode|--remote-debugging-port=9222", ""},
		{"/usr/lib/firefox-esr/firefox-esr", "firefox-esr|--headless|--remote-debugging-port|9333", "firefox-remote"},
		{"/usr/lib/firefox-esr/firefox-esr", "firefox-esr|-marionette", "firefox-remote"},
		{"/usr/lib/firefox-esr/firefox-esr", "firefox-esr|https://h/", ""},
		{"/usr/bin/chromedriver", "chromedriver|--port=9516|--allowed-ips=", "webdriver"},
		{"/usr/bin/geckodriver", "geckodriver|--host|0.0.0.0", "webdriver"},
		{"/usr/bin/node", "npx|playwright|run-server|--port|8080", "webdriver"},
		{"/usr/bin/node", "node|/x/node_modules/.bin/playwright|test", ""},
		{"/usr/bin/node", "node|/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js", "claude-code"},
		{"/nix/store/x-claude/bin/claude", "/nix/store/x-claude/bin/claude|-p|hi", "claude-code"},
		{"/usr/bin/node", "npx|-y|@openai/codex@latest|exec", "codex"},
		{"/usr/bin/python3", "python3|-c|import time; time.sleep(15)|/tmp/claude|x", ""},
		{"/usr/bin/vim.basic", "vim|vllm serve.md", ""},
		{"/usr/bin/grep", "grep|-r|claude|/home", ""},
		{"/usr/bin/grep", "grep|--remote-debugging-port=9222|x", ""},
		{"/usr/bin/tail", "tail|-f|/var/log/codex", ""},
		{"/usr/bin/python3", "python3|backup.py|/srv/openclaw gateway", ""},
		{"/usr/bin/node", "node|server.js|--name|/opt/claude", ""},
		{"/bin/bash", "bash|-c|cd /srv/claude && sleep 1", ""},
		{"/usr/bin/bwrap", "bwrap|--setenv|TMPDIR|/tmp/claude|--|sleep|1", ""},
		{"/usr/bin/less", "less|/usr/lib/node_modules/openclaw/dist/index.js gateway", ""},
		{"/usr/bin/env", "env|A=codex|sleep|1", ""},
	} {
		p := &process{argv: strings.Split(c.line, "|")}
		p.Exe, p.Comm = c.exe, "x"
		got := ""
		for _, pt := range patterns {
			if got == "" && pt.matches(p) != "" {
				got = pt.Name
			}
		}
		if got != c.want {
			t.Errorf("%s %q is %q, want %q (runs %q)", c.exe, c.line, got, c.want, p.command())
		}
	}
}

// TestJupyterFiles: what its files say of tokens and passwords, as Jupyter reads them; a program that is not followed is no answer.
func TestJupyterFiles(t *testing.T) {
	for _, c := range []struct {
		text, auth string
		unsure     bool
	}{
		{"c.NotebookApp.ip = '0.0.0.0'\nc.NotebookApp.token = ''\nc.NotebookApp.password = ''\n", authNone, false},
		{"c.NotebookApp.token = \"\"  # open\n", authNone, false},
		{"c.ServerApp.token = \"\"  # of version 7 alone\n", "", true},
		{"c.ServerApp.token = 's3cret'\n", "", false},
		{"# c.NotebookApp.token = ''\n", "", false},
		{"c.NotebookApp.token = ''\nc.NotebookApp.password = 'argon2:x'\n", "password", false},
		{"import os\nc.IdentityProvider.token = os.environ.get('T', '')\n", "", true},
		{"if True:\n    c.ServerApp.token = ''\n", "", true},
		{"c.ServerApp.identity_provider_class = 'x.Y'\nc.ServerApp.token = ''\n", "", true},
		{"c.NotebookApp.token = ''\nc.NotebookApp.token = 'again'\n", "", false},
		{"c.ServerApp.password = 'argon2:x'\nif True:\n    c.ServerApp.password = ''\n", "", true},
	} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "root/.jupyter/jupyter_notebook_config.py"), c.text)
		auth, err := jupyterAuth(&agentFiles{s: newScan(host.At(dir)), p: &process{argv: []string{"/usr/bin/python3", "/usr/bin/jupyter-notebook"}}, env: map[string]string{"HOME": "/root"}}, nil)
		if auth != c.auth || (err != nil) != c.unsure {
			t.Errorf("%q: %q, %v", c.text, auth, err)
		}
	}
}

// TestRecognisedByAVariable: what tells a server of MCP to listen can be a variable (tried with @playwright/mcp 0.0.83).
func TestRecognisedByAVariable(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "proc/7/environ"), "A=b\x00PLAYWRIGHT_MCP_PORT=8931\x00")
	writeFile(t, filepath.Join(dir, "proc/8/environ"), "A=b\x00")
	for _, c := range []struct {
		pid  int
		line string
		want bool
	}{
		{7, "node|/x/node_modules/.bin/playwright-mcp|--headless", true},
		{7, "npm exec @playwright/mcp --headless", true},
		{8, "node|/x/node_modules/.bin/playwright-mcp|--headless", false},
		{7, "cat|/x/node_modules/.bin/playwright-mcp", false},
	} {
		p := &process{argv: strings.Split(c.line, "|")}
		p.PID, p.Exe = c.pid, "/usr/bin/"+strings.FieldsFunc(c.line, func(r rune) bool { return r == '|' || r == ' ' })[0]
		if got := newScan(host.At(dir)).byVariable(patternOf(patterns, "mcp"), p) != ""; got != c.want {
			t.Errorf("%d %s: %v", c.pid, c.line, got)
		}
	}
	sglang := patternOf(patterns, "sglang").authRe
	if givesKey([]string{"sglang", "serve", "--admin-api-key", "k"}, sglang) || !givesKey([]string{"sglang", "serve", "--api-key", "k"}, sglang) {
		t.Error("a key of SGLang for administration alone leaves the models open")
	}
}

// TestKeysThatAreGiven: an option for a key asks for one if it has a value.
func TestKeysThatAreGiven(t *testing.T) {
	key, flag := regexp.MustCompile(`(^| )--api[-_]key[= ]`), regexp.MustCompile(`(^| )--secure( |$)`)
	for _, c := range []struct {
		argv   []string
		option *regexp.Regexp
		want   bool
	}{
		{[]string{"vllm", "serve", "m", "--api-key", "x"}, key, true},
		{[]string{"vllm", "serve", "--api_key=x", "--port=1"}, key, true},
		{[]string{"sh", "-c", "vllm serve m --api-key x"}, key, true},
		{[]string{"vllm", "serve", "m", "--api-key=", "--port=1"}, key, false},
		{[]string{"vllm", "serve", "m", "--api-key", "", "--port=1"}, key, false},
		{[]string{"vllm", "serve", "m", "--no-api-key-check=x"}, key, false},
		{[]string{"letta", "server", "--secure"}, flag, true},
		{[]string{"letta", "server", "--secure", "--port", "1"}, flag, true},
		{[]string{"letta", "server"}, flag, false},
	} {
		if got := givesKey(c.argv, c.option); got != c.want {
			t.Errorf("%q: %v", c.argv, got)
		}
	}
}

// TestKeysOfWrappedPrograms: a key that a proxy gives to the server that it starts is none that it asks for (mcp-proxy and supergateway of npm:
// --apiKey answers 401, --oauth2Bearer and the keys of the server 200).
func TestKeysOfWrappedPrograms(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, env, want string }{
		{"node|/x/.bin/mcp-proxy|--port|8710|--apiKey|s|--|npx|some-mcp", "", "token"},
		{"node|/x/.bin/mcp-proxy|--port|8710|--|npx|some-mcp|--api-key|s", "", ""},
		{"node|/x/.bin/mcp-proxy|--port|8710|--|npx|some-mcp", "MCP_PROXY_API_KEY=s\x00", "token"},
		{"node|/x/.bin/supergateway|--stdio|npx some-mcp --api-key s|--port|8700", "", ""},
		{"node|/x/.bin/supergateway|--stdio|npx some-mcp|--oauth2Bearer|t", "", ""},
		{"uvx|mcpo|--port|8000|--api-key|s|--|uvx|mcp-server-time", "", "token"},
		{"uvx|mcpo|--api-key||--port|8000|--|uvx|mcp-server-time", "", ""},
		{"uvx|mcpo|--port|8000|--|uvx|mcp-server-x|--api-key|s", "", ""},
		{"npx|--|mcpo|--api-key|s|--|x", "", "token"},
	} {
		s := scanWithProcess(t, map[string]string{"environ": c.env})
		p := &process{argv: strings.Split(c.line, "|")}
		p.PID, p.Exe = 77, "/usr/bin/"+p.argv[0]
		a := s.recognise(p, patterns, new(Outcome))
		if a == nil || a.Auth.Value != c.want {
			t.Errorf("%s: %+v, want %q", c.line, a, c.want)
		}
	}
}

// TestAgentsThatServe: an agent at a terminal is one that others connect to by its options (opencode 1.18.33 and Codex 0.171.0 of npm answered
// everybody without a password, by --hostname and by exec-server).
func TestAgentsThatServe(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, env, runtime, kind, auth string }{
		{"opencode", "", "opencode", "cli", "unknown"},
		{"opencode|run|serve the tea", "", "opencode", "cli", "unknown"},
		{"opencode|--hostname|0.0.0.0|--port|4098", "", "opencode", "gateway", "none"},
		{"opencode|serve|--mdns", "", "opencode", "gateway", "none"},
		{"opencode|web", "OPENCODE_SERVER_PASSWORD=x\x00", "opencode", "gateway", "token"},
		{"/x/opencode-ai/bin/opencode.exe|serve", "", "opencode", "gateway", "none"},
		{"codex|exec|serve", "", "codex", "cli", "unknown"},
		{"codex|app-server", "", "codex", "cli", "unknown"},
		{"node|/x/@openai/codex/bin/codex.js|app-server|--listen|ws://127.0.0.1:4501", "", "codex", "gateway", "none"},
		{"codex|app-server|--listen|ws://0.0.0.0:4502|--ws-auth|capability-token", "", "codex", "gateway", "token"},
		{"codex|exec-server|--listen|ws://0.0.0.0:4600", "", "codex", "gateway", "none"},
		{"codex|exec-server", "", "codex", "gateway", "none"},
		{"codex|exec-server|--listen|stdio", "", "codex", "cli", "unknown"},
	} {
		s := scanWithProcess(t, map[string]string{"environ": c.env})
		p := &process{argv: strings.Split(c.line, "|")}
		p.PID, p.Exe = 77, "/usr/bin/"+path.Base(p.argv[0])
		a := s.recognise(p, patterns, new(Outcome))
		if a == nil || a.Runtime != c.runtime || a.Kind != c.kind || !slices.Contains([]string{a.Auth.Value, a.DefaultAuth}, c.auth) || a.Auth.Value != "" && a.Auth.Value != c.auth {
			t.Errorf("%s: %+v, want %s %s %s", c.line, a, c.runtime, c.kind, c.auth)
		}
	}
}

// TestJupyterArguments: what is given counts before the files, behind an equals sign or as the next argument.
func TestJupyterArguments(t *testing.T) {
	for _, c := range []struct {
		argv []string
		json string
		auth string
	}{
		{[]string{"jupyter-lab", "--ServerApp.token", "", "--ServerApp.password", ""}, "{}", authNone},
		{[]string{"jupyter-lab", "--ServerApp.token="}, "{}", authNone},
		{[]string{"jupyter-lab", "--IdentityProvider.token=''"}, "{}", authNone},
		{[]string{"jupyter-lab", "--ServerApp.token=", "--ServerApp.password", "argon2:x"}, "{}", "password"},
		{[]string{"jupyter-lab", "--ServerApp.token="}, `{"PasswordIdentityProvider": {"hashed_password": "argon2:x"}}`, "password"},
		{[]string{"jupyter-lab", "--ServerApp.token", "s3cret", "--ip=0.0.0.0"}, `{"ServerApp": {"token": ""}}`, ""},
	} {
		root := t.TempDir()
		writeFile(t, filepath.Join(root, "root/.jupyter/jupyter_server_config.json"), c.json)
		writeFile(t, filepath.Join(root, "opt/lib/python3.12/site-packages/jupyter_server-2.14.2.dist-info/METADATA"), "")
		p := &process{Process: snapshot.Process{Exe: "/opt/bin/python3.12"}, argv: c.argv}
		auth, err := jupyterAuth(&agentFiles{s: newScan(host.At(root)), p: p, env: map[string]string{"HOME": "/root"}}, nil)
		if auth != c.auth || err != nil {
			t.Errorf("%q with %s: %q, %v", c.argv, c.json, auth, err)
		}
	}
}

// TestJupyterBeforeIdentityProviders: the server of Debian 12 (1.23) does not know the class, and asks; without a version both can be.
func TestJupyterBeforeIdentityProviders(t *testing.T) {
	for _, c := range []struct {
		file, argument, auth string
		err                  bool
	}{
		{"jupyter_server-1.23.3.egg-info", "--IdentityProvider.token=", "", false},
		{"jupyter_server-1.23.3.egg-info", "--ServerApp.token=", authNone, false},
		{"jupyter_server-2.0.0-py3.11.egg-info", "--IdentityProvider.token=", authNone, false},
		{"jupyter_server-2.14.2.dist-info", "--IdentityProvider.token=", authNone, false},
		{"jupyter_server_terminals-0.5.dist-info", "--IdentityProvider.token=", "", true},
		{"jupyter_server_terminals-0.5.dist-info", "--ServerApp.token=", authNone, false},
	} {
		root := t.TempDir()
		writeFile(t, filepath.Join(root, "usr/lib/python3/dist-packages", c.file, "top_level.txt"), "")
		p := &process{Process: snapshot.Process{Exe: "/usr/bin/python3.11"}, argv: []string{"/usr/bin/python3", "/usr/bin/jupyter-server", c.argument}}
		auth, err := jupyterAuth(&agentFiles{s: newScan(host.At(root)), p: p, env: map[string]string{"HOME": "/root"}}, nil)
		if auth != c.auth || (err != nil) != c.err {
			t.Errorf("%s %s: %q, %v", c.file, c.argument, auth, err)
		}
	}
}

// TestJupyterReadsItsOwnFiles: each server of Jupyter has names of files and classes of its own, and a file that is named is instead of them. Tried
// with notebook 6.4 and jupyter_server 1.23.
func TestJupyterReadsItsOwnFiles(t *testing.T) {
	const open, closed = `{"NotebookApp": {"token": ""}}`, `{"NotebookApp": {"password": "sha1:a:b"}}`
	notebook, server := []string{"/usr/bin/python3", "/usr/bin/jupyter-notebook"}, []string{"/usr/bin/python3", "/usr/bin/jupyter-server"}
	for name, c := range map[string]struct {
		argv  []string
		named string
		files map[string]string
		auth  string
		err   bool
	}{
		"a named file":                 {notebook, "/alt/x.py", map[string]string{"alt/x.py": "c = get_config()\nc.NotebookApp.token = ''\n"}, authNone, false},
		"a named file without ending":  {notebook, "/alt/x", map[string]string{"alt/x.json": open}, authNone, false},
		"instead of the others":        {notebook, "/alt/x.json", map[string]string{"alt/x.json": open, "root/.jupyter/jupyter_notebook_config.json": closed}, authNone, false},
		"an empty one instead":         {notebook, "/alt/x.json", map[string]string{"alt/x.json": "{}", "root/.jupyter/jupyter_notebook_config.json": open}, "", false},
		"the common file all the same": {notebook, "/alt/x.json", map[string]string{"alt/x.json": "{}", "root/.jupyter/jupyter_config.json": open}, authNone, false},
		"a directory is of extensions": {notebook, "", map[string]string{"root/.jupyter/jupyter_notebook_config.d/a.json": open}, "", false},
		"the notebook's file":          {server, "", map[string]string{"root/.jupyter/jupyter_notebook_config.json": `{"ServerApp": {"token": ""}}`}, "", false},
		"the notebook's password":      {append(server, "--ServerApp.token="), "", map[string]string{"root/.jupyter/jupyter_server_config.json": closed}, authNone, false},
		"the notebook's argument":      {append(server, "--NotebookApp.token="), "", nil, "", false},
		"by its version":               {notebook, "", map[string]string{"root/.jupyter/jupyter_notebook_config.json": `{"ServerApp": {"token": ""}}`}, "", true},
		"of a module":                  {[]string{"python3", "-m", "jupyter_server", "--NotebookApp.token="}, "", nil, "", false},
	} {
		dir, named := t.TempDir(), []string(nil)
		for file, text := range c.files {
			writeFile(t, filepath.Join(dir, file), text)
		}
		if c.named != "" {
			named = []string{c.named}
		}
		auth, err := jupyterAuth(&agentFiles{s: newScan(host.At(dir)), p: &process{argv: c.argv}, env: map[string]string{"HOME": "/root"}}, named)
		if auth != c.auth || (err != nil) != c.err {
			t.Errorf("%s: %q, %v", name, auth, err)
		}
	}
}

// TestOpenClawWithoutItsFile: a secret of the environment is for the mode that the file sets. If the file cannot be read the mode is not
// known, unless an option gives it.
func TestOpenClawWithoutItsFile(t *testing.T) {
	for _, c := range []struct {
		file, env, flag string
		auth            string
		state           snapshot.Status
	}{
		{`{gateway: {mode: "local"}}`, "OPENCLAW_GATEWAY_TOKEN=x", "", "token", snapshot.Present},
		{"", "OPENCLAW_GATEWAY_TOKEN=x", "", "token", snapshot.Present},
		{"{gateway: ", "OPENCLAW_GATEWAY_TOKEN=x", "", "", snapshot.Error},
		{"{gateway: ", "OPENCLAW_GATEWAY_PASSWORD=x", "", "", snapshot.Error},
		{"{gateway: ", "OPENCLAW_GATEWAY_TOKEN=x", "--auth=none", "none", snapshot.Present},
		{`{gateway: {auth: {mode: "none"}}, tools: {exec: {ask: "${X}"}}}`, "OPENCLAW_GATEWAY_TOKEN=x", "", "none", snapshot.Present},
		{`{gateway: {auth: {mode: "\u0024{OC}"}}}`, "OC=none", "", "none", snapshot.Present},
	} {
		root := t.TempDir()
		writeFile(t, filepath.Join(root, "proc/7/environ"), "HOME=/root\x00"+c.env+"\x00")
		if c.file != "" {
			writeFile(t, filepath.Join(root, "proc/7/root/root/.openclaw/openclaw.json"), c.file)
		}
		p := &process{argv: []string{"openclaw-gateway", c.flag}}
		p.PID = 7
		a := &snapshot.Agent{Ports: []int{18789}}
		newScan(host.At(root)).openClaw(p, a, new(Outcome))
		if a.Auth.Value != c.auth || a.Auth.State != c.state || c.state == snapshot.Error && a.Config.AuthMode != "unknown" {
			t.Errorf("%s with %s %s: %+v", c.file, c.env, c.flag, a.Auth)
		}
	}
}

// TestOpenClawIncludesAndVariables: what a configuration includes, and what its variables stand for, decide; what is not known is no mode.
func TestOpenClawIncludesAndVariables(t *testing.T) {
	files := map[string]string{
		"/c/openclaw.json":  `{ gateway: { $include: "./gateway.json5" }, agents: { $include: "./agents.json5" } }`,
		"/c/gateway.json5":  `{ mode: "local", bind: "loopback", auth: { mode: "none" }, tailscale: { mode: "funnel" } }`,
		"/c/agents.json5":   `{ defaults: { sandbox: { mode: "all" } } }`,
		"/c/beside.json":    `{ gateway: { $include: ["gateway.json5", "sub/token.json"], bind: "lan" } }`,
		"/c/sub/token.json": `{ auth: { $include: "deep.json5" } }`,
		"/c/sub/deep.json5": `{ mode: "token", token: "${TOK}" }`,
		"/c/var.json":       `{ gateway: { auth: { mode: "${OC_AUTH}" } }, agents: { defaults: { sandbox: { mode: "${NO_SUCH}" } } } }`,
		"/c/inline.json":    `{ env: { vars: { OC_INLINE: "none" } }, gateway: { auth: { mode: "${OC_INLINE}" } } }`,
		"/c/escaped.json":   `{ gateway: { auth: { mode: "$${OC_AUTH}" } } }`,
		"/c/loop.json":      `{ gateway: { $include: "loop.json" } }`,
		"/c/out.json":       `{ gateway: { $include: "/etc/gateway.json" } }`,
		"/c/missing.json":   `{ gateway: { $include: "none.json" } }`,
		"/c/each.json":      `{ agents: { entries: { a: { sandbox: { mode: "all" } } } }, gateway: { auth: { mode: "token$" } } }`,
	}
	s := newScan(host.At(t.TempDir()))
	for _, c := range []struct {
		file string
		want snapshot.OpenClawConfig
		auth string
		ok   bool
	}{
		{"openclaw.json", snapshot.OpenClawConfig{Mode: "local", Bind: "loopback", AuthMode: "none", Sandbox: "all", Tailscale: "funnel"}, "none", true},
		{"beside.json", snapshot.OpenClawConfig{Mode: "local", Bind: "lan", AuthMode: "token", SecretSet: true, Sandbox: "off", Tailscale: "funnel"}, "token", true},
		{"var.json", snapshot.OpenClawConfig{AuthMode: "none", Sandbox: "unknown"}, "none", false},
		{"inline.json", snapshot.OpenClawConfig{AuthMode: "none", Sandbox: "off"}, "none", true},
		{"escaped.json", snapshot.OpenClawConfig{AuthMode: "unknown", Sandbox: "off"}, "", true},
		{"each.json", snapshot.OpenClawConfig{AuthMode: "unknown", Sandbox: "all"}, "", true},
		{"loop.json", snapshot.OpenClawConfig{AuthMode: "token", Sandbox: "off"}, "token", false},
		{"out.json", snapshot.OpenClawConfig{AuthMode: "token", Sandbox: "off"}, "token", false},
		{"missing.json", snapshot.OpenClawConfig{AuthMode: "token", Sandbox: "off"}, "token", false},
	} {
		cfg := snapshot.OpenClawConfig{AuthMode: "token", Sandbox: "off"}
		tree := &clawTree{read: func(f string) ([]byte, snapshot.Word, error) {
			text, ok := files[f]
			if !ok {
				return nil, snapshot.Word{}, errMalformed
			}
			return []byte(text), snapshot.WordOf(1000), nil
		}}
		v, err := tree.load("/c/"+c.file, nil)
		if err == nil {
			var d decoded
			d.file, d.err = fileOf(substitute(v, s.clawEnv(&process{}, map[string]string{"OC_AUTH": "none", "TOK": "x"}, "/c", v)))
			err = d.apply(&cfg)
		}
		auth := openClawAuth(&cfg)
		if d := cmp.Diff(c.want, cfg); d != "" || auth.Value != c.auth || (err == nil) != c.ok {
			t.Errorf("%s: %v %v\n%s", c.file, auth, err, d)
		}
	}
}

// TestDaskAsksForCertificates: by an option, a variable or a file of YAML; a scheduler of 2022.12 listened at tls:// then, and else for everybody.
func TestDaskAsksForCertificates(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(patterns, func(pt *pattern) bool { return pt.Name == "dask" })
	for name, c := range map[string]struct {
		files map[string]string
		argv  string
		want  string
	}{
		"nothing":        {nil, "dask-scheduler --host 0.0.0.0", ""},
		"an option":      {nil, "dask-scheduler --tls-ca-file c.pem --tls-cert c.pem", "token"},
		"a variable":     {map[string]string{"environ": "DASK_DISTRIBUTED__COMM__TLS__CA_FILE=/c\x00"}, "dask-scheduler", "token"},
		"a file":         {map[string]string{"etc/dask/d.yaml": "distributed:\n  comm:\n    tls:\n      ca-file: /c\n"}, "dask-scheduler", "token"},
		"another file":   {map[string]string{"environ": "DASK_CONFIG=/x\x00", "x/d.yml": "distributed: {comm: {tls: {ca-file: /c}}}\n"}, "dask-scheduler", "token"},
		"other settings": {map[string]string{"etc/dask/d.yaml": "distributed: {comm: {tls: {ca-file: null}}}\n"}, "dask-scheduler", ""},
	} {
		p := &process{argv: append([]string{"/usr/bin/python3", "/usr/bin/" + strings.Fields(c.argv)[0]}, strings.Fields(c.argv)[1:]...)}
		p.PID, p.Exe = 77, "/usr/bin/python3.11"
		if got := scanWithProcess(t, c.files).authOf(patterns[i], p); got.Value != c.want {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
}

// TestVersionByARelativePath: a program that is started below its directory, as "node node_modules/.bin/gemini", is beside its package.
func TestVersionByARelativePath(t *testing.T) {
	s, root := tree(t, map[string]string{
		"srv/a/node_modules/@google/gemini-cli/package.json": `{"name":"@google/gemini-cli","version":"0.61.0"}`, "proc/0/x": "",
	})
	if err := os.Symlink("/srv/a", filepath.Join(root, "proc/0/cwd")); err != nil {
		t.Fatal(err)
	}
	p := &process{argv: []string{"node", "node_modules/.bin/gemini", "--acp"}}
	p.Exe = "/usr/bin/node"
	if v := s.npmVersion("@google/gemini-cli", p); v.Value != "0.61.0" {
		t.Errorf("%+v", v)
	}
}
