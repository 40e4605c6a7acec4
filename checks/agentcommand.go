//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/sshd"
)

// interpreters run programs that their arguments name; for other programs the arguments say nothing
// ("vim vllm serve.md" is no vLLM).
var interpreters = lazily(
	`^(node|nodejs|bun|deno|python[0-9.]*|pypy[0-9.]*|uv|uvx|pipx|npx|npm|pnpm|pnpx|bunx|yarn|java|ruby|sh|bash|dash|ash|zsh|busybox|tini|dumb-init|` +
		`catatonit|env|nohup|setsid|nice|stdbuf|timeout|sudo|uvicorn|gunicorn|hypercorn|docker-entrypoint\.sh|entrypoint\.sh)$`,
)

// maxPeeled bounds the interpreters and launchers that one command line goes through.
const maxPeeled = 6

// command is what a process runs, the interpreters and launchers before it taken away: a script and its arguments, a module, a package.
// "" where that is no file or package, as text that is given to an interpreter.
func (p *process) command() string {
	if !p.peeled {
		p.peeled = true
		line := strings.Join(p.runsArgs(), " ")
		p.runsWhat = strings.Clone(line[:min(len(line), maxLine)])
	}
	return p.runsWhat
}

// runsArgs are the arguments of what a process runs behind interpreters and launchers.
func (p *process) runsArgs() []string {
	args := p.argv
	if len(args) == 1 {
		args = strings.Fields(args[0])
	}
	for range maxPeeled {
		if len(args) == 0 || !interpreters.MatchString(path.Base(args[0])) {
			break
		}
		args = peel(path.Base(args[0]), args[1:])
	}
	return args
}

// valued are the options of interpreters and launchers that have a value in the next argument.
var valued = map[string][]string{
	"python": {"-X", "-W", "--check-hash-based-pycs"},
	"node":   nodeValued,
	"npx":    {"-p", "--package", "-w", "--workspace", "--registry", "--cache", "--prefix", "--loglevel"},
	"uvx":    {"--from", "--with", "--python", "-p", "--index-url", "-i", "--directory", "--project", "--env-file", "--extra"},
	"sh":     {"-o", "+o", "--rcfile", "--init-file"},
	"tini":   {"-p", "-e"},
	"env":    {"-u", "-C", "-S", "--unset", "--chdir"},
	"java":   {"-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-opens", "--add-modules"},
	"sudo":   {"-u", "-g", "-h", "-p", "-C", "-U", "-T"},
	"nice":   {"-n"},
	"asgi": {
		"--host", "--port", "--workers", "-w", "-b", "--bind", "-k", "--worker-class", "--log-level", "--env-file", "--ssl-keyfile", "--ssl-certfile",
		"--app-dir", "--timeout-keep-alive", "-c", "--config", "--chdir", "-t", "--timeout", "--threads", "--root-path", "--uds", "--loop", "--http",
		"--forwarded-allow-ips", "--log-config", "--limit-concurrency", "--reload-dir", "--access-logfile", "--error-logfile", "-n", "--name",
	},
}

// peel is what an interpreter or launcher runs, given its arguments.
func peel(name string, args []string) []string {
	switch {
	case strings.HasPrefix(name, "python"), strings.HasPrefix(name, "pypy"):
		return afterOptions(args, valued["python"], "-c", "-m")
	case name == "node", name == "nodejs":
		return afterOptions(args, valued["node"], "-e", "--eval", "-p", "--print", "-pe")
	case name == "bun", name == "deno":
		args = afterOptions(args, valued["node"], "-e")
		if len(args) > 0 && slices.Contains([]string{"run", "serve", "x"}, args[0]) {
			args = afterOptions(args[1:], valued["node"])
		}
		return unversioned(args)
	case name == "npx", name == "pnpx", name == "bunx", name == "npm", name == "pnpm", name == "yarn":
		args = afterOptions(args, valued["npx"])
		if name == "npm" || name == "pnpm" || name == "yarn" {
			if len(args) == 0 || !slices.Contains([]string{"exec", "x", "dlx", "run", "start"}, args[0]) {
				return nil
			}
			args = afterOptions(args[1:], valued["npx"])
		}
		return unversioned(args)
	case name == "uvx", name == "uv", name == "pipx":
		args = afterOptions(args, valued["uvx"])
		for len(args) > 0 && name != "uvx" && slices.Contains([]string{"run", "tool"}, args[0]) {
			args = afterOptions(args[1:], valued["uvx"], "-m")
		}
		return unversioned(args)
	case slices.Contains([]string{"sh", "bash", "dash", "ash", "zsh"}, name):
		return shellCommand(args)
	case name == "busybox":
		return args
	case name == "java":
		return afterOptions(args, valued["java"], "-jar")
	case name == "uvicorn", name == "gunicorn", name == "hypercorn":
		return afterOptions(args, valued["asgi"])
	case name == "env", name == "nohup", name == "setsid", name == "stdbuf":
		args = afterOptions(args, valued["env"])
		for len(args) > 0 && name == "env" && strings.Contains(args[0], "=") {
			args = args[1:]
		}
		return args
	case name == "timeout":
		if args = afterOptions(args, []string{"-s", "-k", "--signal", "--kill-after"}); len(args) > 0 {
			return args[1:]
		}
		return nil
	case name == "sudo", name == "nice":
		return afterOptions(args, valued[name])
	}
	return afterOptions(args, valued["tini"])
}

// afterOptions is what follows the options. Of one that is in ends its value begins what is run, as -m of Python; for one that gives the
// program as text, as -c, there is nothing.
func afterOptions(args, values []string, ends ...string) []string {
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			return args[i+1:]
		case a == "-m" || a == "-jar":
			if slices.Contains(ends, a) {
				return args[i+1:]
			}
		case slices.Contains(ends, a):
			return nil
		case slices.Contains(values, a):
			i++
		case !strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "+"):
			return args[i:]
		}
	}
	return nil
}

// unversioned takes the version from the name of a package: @playwright/mcp@latest, fastmcp==2.0.
func unversioned(args []string) []string {
	if len(args) == 0 {
		return nil
	}
	name := args[0]
	if i := strings.LastIndexByte(name, '@'); i > 0 {
		name = name[:i]
	}
	name, _, _ = strings.Cut(name, "==")
	return append([]string{name}, args[1:]...)
}

// shellCommand is what a shell runs: a script, or the one simple command of -c.
func shellCommand(args []string) []string {
	for i, a := range args {
		if !strings.HasPrefix(a, "-") {
			return args[i:]
		}
		if strings.HasPrefix(a, "--") || !strings.HasSuffix(a, "c") {
			continue
		}
		if i+1 == len(args) {
			return nil
		}
		list := sshd.Words(strings.TrimSpace(args[i+1]))
		for len(list) > 0 && (list[0] == "exec" || strings.Contains(list[0], "=")) {
			list = list[1:]
		}
		return list
	}
	return nil
}
