//go:build linux && !ringfence_portable

package checks

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// mcpFiles are where agents are told of servers of the Model Context Protocol, below a home, and the keys below which these are. Those that a project
// brings with it are not looked for.
var mcpFiles = []struct {
	runtime, file string
	at            []string
}{
	{"claude-code", ".claude.json", []string{"mcpServers"}},
	{"claude-desktop", ".config/Claude/claude_desktop_config.json", []string{"mcpServers"}},
	{"codex", ".codex/config.toml", nil},
	{"cursor", ".cursor/mcp.json", []string{"mcpServers"}},
	{"windsurf", ".codeium/windsurf/mcp_config.json", []string{"mcpServers"}},
	{"gemini-cli", ".gemini/settings.json", []string{"mcpServers"}},
	{"copilot-cli", ".copilot/mcp-config.json", []string{"mcpServers"}},
	{"vscode", ".config/Code/User/mcp.json", []string{"servers"}},
	{"opencode", ".config/opencode/opencode.json", []string{"mcp"}},
	{"openclaw", ".openclaw/openclaw.json", []string{"mcp", "servers"}},
}

// maxMCP bounds the servers that are kept, and those of one file.
const maxMCP = 500

// findMCP adds the servers that agents of accounts are told of, and the files with their secrets that others can read.
func (s *Scan) findMCP(sec *snapshot.Agents) {
	read, w := present("settings"), s.newPermitWalker()
	users, more := s.homes()
	if more {
		read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("there are more than %d homes", maxHomes)}
	}
	for _, u := range users {
		for _, f := range mcpFiles {
			file := path.Join(u.home, f.file)
			b, err := s.readAs(&u, file)
			if gone(err) {
				continue
			}
			var list []snapshot.MCPServer
			if err == nil {
				list, err = mcpServers(string(b), f.at)
			}
			if err != nil { // of this account's own file: nothing else is unknown by it
				if len(sec.MCPUnread) < maxMCP {
					sec.MCPUnread = append(sec.MCPUnread, snapshot.UnreadFile{File: file, Reason: fmt.Sprint(cause(err))})
				} else {
					read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("more than %d files of settings could not be read", maxMCP)}
				}
				continue
			}
			secret := false
			for _, m := range list {
				m.Runtime, m.UID, m.User, m.File = f.runtime, u.uid, u.name, file
				if secret = secret || m.Secret; len(sec.MCP) >= maxMCP {
					read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("there are more than %d servers", maxMCP)}
					break
				}
				sec.MCP = append(sec.MCP, m)
			}
			if secret {
				s.secretSettings(sec, w, &u, f.runtime, f.file, &read)
			}
		}
	}
	sec.MCPRead = &read
}

// secretSettings adds a file that holds secrets of servers, if others can use it.
func (s *Scan) secretSettings(sec *snapshot.Agents, w *permitWalker, u *user, runtime, name string, read *snapshot.Fact) {
	file, err := patient(s, uidParty(u.uid), func() (*snapshot.AgentFile, error) { return s.openFile(w, u, name, true) })
	switch {
	case err != nil && !gone(err):
		*read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("who reads %s of %s: %v", name, u.name, err)}
	case file != nil && len(sec.Files) < maxAgentFiles:
		file.Runtime = runtime
		for i := range sec.Files {
			if sec.Files[i].Path == file.Path && sec.Files[i].User == file.User {
				return
			}
		}
		sec.Files = append(sec.Files, *file)
	}
}

// mcpServers are the servers in a text, of JSON below keys, or of TOML as Codex has it. Claude Code has those of each project too.
func mcpServers(text string, at []string) (list []snapshot.MCPServer, err error) {
	if at == nil {
		return codexServers(text), nil
	}
	var m map[string]any
	if json.Unmarshal([]byte(text), &m) != nil { // settings of editors and of OpenClaw have comments
		v, err := decodeJSON5([]byte(text))
		tree, ok := v.(map[string]any)
		if err != nil || !ok {
			return nil, errMalformed
		}
		m = tree
	}
	add := func(v any) {
		servers, _ := v.(map[string]any)
		for _, name := range sortedKeys(servers) {
			if one, ok := servers[name].(map[string]any); ok && len(list) <= maxMCP {
				list = append(list, mcpServer(name, one))
			}
		}
	}
	add(valueAt(m, at...))
	projects, _ := m["projects"].(map[string]any)
	for _, p := range sortedKeys(projects) {
		if one, ok := projects[p].(map[string]any); ok {
			add(one["mcpServers"])
		}
	}
	if len(list) > maxMCP {
		return nil, errors.New("it has more servers than are kept")
	}
	return list, nil
}

var (
	mcpName    = lazily(`^[A-Za-z0-9_.:@/ -]{1,64}$`)
	mcpSecret  = lazily(`(?i)(key|token|secret|passw|authorization|credential|cookie|\bpat\b)`)
	mcpLiteral = lazily(`^(?:[A-Za-z]+ )?[^\s$]{8,}$`) // not a variable, nor a word
	mcpOption  = lazily(`(?i)^--?[\w-]*(key|token|secret|password)[\w-]*=([^\s$]{8,})$`)
)

// mcpServer is what one entry says: a program that the agent starts, or the address of a server.
func mcpServer(name string, m map[string]any) snapshot.MCPServer {
	v := snapshot.MCPServer{Name: name}
	if !mcpName.MatchString(name) {
		v.Name = "?"
	}
	for _, key := range []string{"url", "httpUrl", "serverUrl"} {
		if text, ok := m[key].(string); ok && v.Host == "" {
			v.Host, v.Clear = mcpAddress(text)
			u, err := url.Parse(text)
			v.Secret = v.Secret || err == nil && (u.User != nil || mcpSecret.MatchString(u.RawQuery))
		}
	}
	for _, key := range []string{"env", "headers", "environment", "http_headers"} {
		inner, _ := m[key].(map[string]any)
		for k, x := range inner {
			text, ok := x.(string)
			v.Secret = v.Secret || ok && mcpSecret.MatchString(k) && mcpLiteral.MatchString(text)
		}
	}
	args := texts(m["args"])
	if list, ok := m["command"].([]any); ok {
		args = append(args, texts(list)...)
	}
	for _, a := range args {
		v.Secret = v.Secret || mcpOption.MatchString(a)
	}
	return v
}

// mcpAddress is the host of an address, and whether what is said to it goes in clear over a network. One of variables is not known.
func mcpAddress(text string) (name string, clear bool) {
	u, err := url.Parse(text)
	if err != nil || !mcpName.MatchString(u.Hostname()) {
		return "?", false
	}
	name = u.Hostname()
	ip := net.ParseIP(name)
	local := name == "localhost" || strings.HasSuffix(name, ".localhost") || ip != nil && ip.IsLoopback()
	return name, (u.Scheme == "http" || u.Scheme == "ws") && !local
}

// codexServers are the tables mcp_servers.NAME of a configuration of Codex.
func codexServers(text string) (list []snapshot.MCPServer) {
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		m := tomlSection.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name, ok := strings.CutPrefix(m[1], "mcp_servers.")
		if name, _, _ = strings.Cut(name, ".env"); !ok || seen[name] || len(list) >= maxMCP {
			continue
		}
		seen[name] = true
		entry := map[string]any{}
		if u := tomlValues(text, "mcp_servers."+name, "url"); len(u) == 1 {
			entry["url"] = u[0]
		}
		var args []any
		for _, a := range tomlValues(text, "mcp_servers."+name, "args") {
			args = append(args, a)
		}
		entry["args"] = args
		v := mcpServer(strings.Trim(name, `"'`), entry)
		v.Secret = v.Secret || codexSecret(text, "mcp_servers."+name)
		list = append(list, v)
	}
	return list
}

// codexSecret says of a table that it, or its table env, has a literal under the name of a secret.
func codexSecret(text, section string) bool {
	at := ""
	for line := range strings.Lines(text) {
		if m := tomlSection.FindStringSubmatch(line); m != nil {
			at = m[1]
			continue
		}
		m := tomlLine.FindStringSubmatch(line)
		if m == nil || at != section+".env" && at != section+".http_headers" && at != section {
			continue
		}
		value := tomlText.FindStringSubmatch(m[2])
		if value != nil && strings.HasPrefix(m[2], value[0]) && mcpSecret.MatchString(m[1]) && !strings.HasSuffix(m[1], "env_var") && mcpLiteral.MatchString(value[1]+value[2]) {
			return true
		}
	}
	return false
}
