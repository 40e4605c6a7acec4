//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// maxTools bounds the programs that the settings of one agent name.
const maxTools = 200

// agentTool is a program that an agent starts by itself and without its sandbox, as its settings name it. More says that arguments follow.
type agentTool struct {
	argv  []string
	more  bool
	below string // instead: a directory of plugins, whose programs they all are
}

// at is where in the arguments of a process those of a tool begin: for a script behind its interpreter and one option of that, as the kernel has it.
func (t *agentTool) at(argv []string) (n int, ok bool) {
	if t.below != "" {
		args := (&process{argv: argv}).runsArgs()
		if len(args) == 0 {
			return 0, false
		}
		first := strings.Trim(args[0], `"'`)
		return 0, strings.HasPrefix(path.Clean(first), t.below+"/") || strings.HasPrefix(first, "${CLAUDE_PLUGIN_ROOT}/")
	}
	for n := range min(3, len(argv)) {
		args := argv[n:]
		if len(t.argv) > 0 && len(args) >= len(t.argv) && (t.more || len(args) == len(t.argv)) &&
			path.Base(args[0]) == path.Base(t.argv[0]) && slices.Equal(args[1:len(t.argv)], t.argv[1:]) {
			return n, true
		}
	}
	return 0, false
}

// toolsOf are the programs that the settings of an agent name: servers of MCP, hooks, what it tells of events. What is not read names none, so
// that these are measured as commands.
func (s *Scan) toolsOf(p *process, runtime string) (list []agentTool) {
	env, err := s.environ(p)
	if err != nil && !gone(err) {
		return nil
	}
	cwd, _ := s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID))
	text := func(file string) string {
		b, _, err := s.readNamed(p, file)
		if err != nil {
			return ""
		}
		return string(b)
	}
	switch runtime {
	case "codex":
		for _, dir := range []string{s.homeOf(p, env, "CODEX_HOME", ".codex"), path.Join(cwd, ".codex")} {
			list = append(list, codexTools(text(path.Join(dir, "config.toml")))...)
		}
	case "claude-code":
		layers, _, _ := s.claudeSettings(p)
		vars := claudeVariablesOf(env, cwd, layers)
		state := s.homeOf(p, env, "", ".claude.json")
		if dir := env["CLAUDE_CONFIG_DIR"]; dir != "" {
			state = path.Join(dir, ".claude.json")
		}
		for _, file := range []string{state, path.Join(cwd, ".mcp.json")} {
			list = append(list, claudeTools([]byte(text(file)), vars)...)
		}
		for _, v := range optionValues(p.argv, "--mcp-config") {
			if !strings.HasPrefix(strings.TrimSpace(v), "{") {
				if !path.IsAbs(v) {
					v = path.Join(cwd, v)
				}
				v = text(v)
			}
			list = append(list, claudeTools([]byte(v), vars)...)
		}
		list = append(list, agentTool{below: path.Join(s.homeOf(p, env, "CLAUDE_CONFIG_DIR", ".claude"), "plugins")})
		for _, l := range layers {
			list = append(list, claudeTools(l.text, vars)...)
		}
	}
	return list[:min(len(list), maxTools)]
}

// codexTools are the servers of MCP in a configuration of Codex, and the program that it tells of events.
func codexTools(text string) (list []agentTool) {
	if v := tomlValues(text, "", "notify"); len(v) > 0 {
		list = append(list, agentTool{argv: v, more: true})
	}
	for line := range strings.Lines(text) {
		m := tomlSection.FindStringSubmatch(line)
		if m == nil || !strings.HasPrefix(m[1], "mcp_servers.") || len(list) > maxTools {
			continue
		}
		if v := tomlValues(text, m[1], "command"); len(v) == 1 {
			list = append(list, agentTool{argv: append(v, tomlValues(text, m[1], "args")...)})
		}
	}
	return list
}

// claudeVariables are the variables that Claude Code has, and how much was written for them.
type claudeVariables struct {
	// Of servers: in some of its ways a project's settings do not count for them yet (2.1.197: they never do with -p).
	servers []map[string]string
	hooks   map[string]string // with the variable that hooks have besides
	spent   int
}

// claudeVariablesOf are those of its environment, and those of its settings over them. Of what is no text it makes one.
func claudeVariablesOf(env map[string]string, cwd string, layers []claudeLayer) *claudeVariables {
	own, all := map[string]string{}, map[string]string{}
	maps.Copy(own, env)
	maps.Copy(all, env)
	for _, l := range layers {
		var set struct {
			Env map[string]any `json:"env"`
		}
		if json.Unmarshal(l.text, &set) != nil {
			continue
		}
		for name, v := range set.Env {
			switch v.(type) {
			case string, float64, bool:
				all[name] = fmt.Sprint(v)
				if l.of != "project" {
					own[name] = all[name]
				}
			}
		}
	}
	c := &claudeVariables{servers: []map[string]string{own}, hooks: maps.Clone(all)}
	if !maps.Equal(own, all) {
		c.servers = append(c.servers, all)
	}
	c.hooks["CLAUDE_PROJECT_DIR"] = cwd
	return c
}

var claudeVariable = lazily(`\$\{([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}`)

// argvs are the arguments of a server with the values of ${NAME} and ${NAME:-WORD} in them. One without a value stays as it is, as with Claude Code.
func (c *claudeVariables) argvs(argv []string) (list [][]string) {
	for _, vals := range c.servers {
		one := slices.Clone(argv)
		for i := range one {
			one[i] = claudeVariable.get().ReplaceAllStringFunc(one[i], func(ref string) string {
				m := claudeVariable.FindStringSubmatch(ref)
				v, ok := vals[m[1]]
				if !ok && m[2] != "" {
					v, ok = m[2][len(":-"):], true
				}
				if c.spent += len(v); !ok || c.spent > maxExpanded {
					return ref
				}
				return v
			})
		}
		if len(list) == 0 || !slices.Equal(list[0], one) {
			list = append(list, one)
		}
	}
	return list
}

// inPlace is what a shell puts in its own place at the end of a command, nil where a variable in it has no value, or may be quoted.
func (c *claudeVariables) inPlace(command string) []string {
	if c.spent += len(command); c.spent > maxExpanded || strings.Contains(command, "$") && strings.ContainsAny(command, `'\`) {
		return nil
	}
	r := &shellReader{vars: maps.Clone(c.hooks)}
	r.script(command)
	c.spent += r.spent
	if len(r.list) == 0 {
		return nil
	}
	words := r.list[len(r.list)-1].words
	for len(words) > 0 {
		name, _, ok := strings.Cut(words[0], "=")
		if words[0] != "exec" && (!ok || !variableName(name)) {
			break
		}
		words = words[1:]
	}
	if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, "$") }) {
		return nil
	}
	return words
}

// claudeTools are the servers of MCP in a file of Claude Code, those of projects too, and the commands of its hooks and its line of status.
func claudeTools(text []byte, vars *claudeVariables) (list []agentTool) {
	var m map[string]any
	if json.Unmarshal(text, &m) != nil {
		return nil
	}
	servers := func(v any) {
		all, _ := v.(map[string]any)
		for _, name := range sortedKeys(all) {
			one, _ := all[name].(map[string]any)
			if program, ok := one["command"].(string); ok && program != "" && len(list) <= maxTools {
				for _, argv := range vars.argvs(append([]string{program}, texts(one["args"])...)) {
					list = append(list, agentTool{argv: argv})
				}
			}
		}
	}
	servers(m["mcpServers"])
	projects, _ := m["projects"].(map[string]any)
	for _, name := range sortedKeys(projects) {
		one, _ := projects[name].(map[string]any)
		servers(one["mcpServers"])
	}
	var commands func(v any)
	commands = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				commands(x)
			}
		case map[string]any:
			if c, ok := v["command"].(string); ok && len(list) <= maxTools {
				list = append(list, shellTools(c, vars)...)
			}
			for _, k := range sortedKeys(v) {
				commands(v[k])
			}
		}
	}
	commands(m["hooks"])
	commands(m["statusLine"])
	return list
}

// shellTools are the forms in which a command shows that a shell was given: the shell itself, with the command as it is written, or the program in
// its place.
func shellTools(command string, vars *claudeVariables) []agentTool {
	list := []agentTool{{argv: vars.inPlace(command)}}
	for _, shell := range shells {
		for _, option := range []string{"-c", "-lc"} {
			list = append(list, agentTool{argv: []string{shell, option, command}})
		}
	}
	return list
}

// codexOwnGit are the options by which Codex starts git for its own catalogues.
var codexOwnGit = []string{"-c", "safe.bareRepository=explicit"}

// tool says of a process that the agent started it by itself, and not for a model: its settings name it, or it is known to do so. The arguments of
// a process are its own word: its program has to be the one that they name. A script can have put any in its place: may says that.
func (m *measuring) tool(p *process) (is, may bool) {
	if m.out.Runtime == "codex" && p.exeBase() == "git" && p.ExeWord.Trusted() && len(p.argv) > 3 && slices.Equal(p.argv[1:3], codexOwnGit) {
		return true, false
	}
	if m.tools == nil {
		m.tools = append([]agentTool{}, m.s.toolsOf(m.agent, m.out.Runtime)...)
	}
	for i := range m.tools {
		t := &m.tools[i]
		n, ok := t.at(p.argv)
		if !ok {
			continue
		}
		word := p.argv[0]
		if t.below == "" {
			word = t.argv[0]
		}
		if n == 0 && m.runs(p, word) || n > 0 && m.runs(p, p.argv[0]) && slices.ContainsFunc(m.named(word), func(file string) bool {
			return slices.Equal(m.interpreter(file), p.argv[:n])
		}) {
			return true, false
		}
		may = may || slices.ContainsFunc(m.named(word), func(file string) bool { return m.interpreter(file) != nil })
	}
	return false, may
}

// runs says of a process in the mounts of the agent that its program is the file which a word names for the agent.
func (m *measuring) runs(p *process, word string) bool {
	is, err := m.s.Host.Stat("/proc/" + strconv.Itoa(p.PID) + "/exe")
	return err == nil && slices.ContainsFunc(m.named(word), func(file string) bool {
		st, err := m.s.statIn(m.agent, file)
		return err == nil && st.Dev == is.Dev && st.Ino == is.Ino
	})
}

// interpreter is what a script asks to be run by, and its option: the first arguments of that. Nil for what is none.
func (m *measuring) interpreter(file string) []string {
	text, _, err := m.s.readNamed(m.agent, file)
	line, _, _ := strings.Cut(string(text), "\n")
	line, is := strings.CutPrefix(line, "#!")
	if err != nil || !is {
		return nil
	}
	name, option, _ := strings.Cut(strings.TrimSpace(line), " ")
	if option = strings.TrimSpace(option); path.Base(name) == "env" {
		name, option = option, ""
	}
	if option == "" {
		return []string{name}
	}
	return []string{name, option}
}

// maxPath bounds the directories of programs that are looked at for one word.
const maxPath = 50

// named are the files that a word can name for the agent; shells are started by their place too.
func (m *measuring) named(word string) []string {
	cwd, _ := m.s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", m.agent.PID))
	if strings.Contains(word, "/") {
		return []string{below(cwd, word)}
	}
	env, err := m.s.environ(m.agent)
	if err != nil && !gone(err) {
		return nil
	}
	var files []string
	for dir := range strings.SplitSeq(cmp.Or(env["PATH"], usualPath)+":/bin:/usr/bin", ":") {
		if file := below(cwd, path.Join(cmp.Or(dir, "."), word)); len(files) < maxPath {
			files = append(files, file)
		}
	}
	return files
}
