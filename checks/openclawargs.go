//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// A gateway sets its title over its arguments. What it was started with is then told by its unit, by the specification of its container, by a
// launcher above it, or not at all; how long its arguments were it still tells.

// openClawFlags applies the options of "openclaw gateway run" by whoever starts it: its unit, its container, itself and the launchers above it,
// of the same user and of root, who can both speak for it. It says whether options may be hidden that decide how it authenticates.
func (s *Scan) openClawFlags(p *process, env map[string]string, cfg *snapshot.OpenClawConfig) (hidden bool) {
	known := false
	for _, argv := range s.startsOf(p, env) {
		openClawOptions(argv, cfg)
		known = known || startsGateway(argv)
	}
	byPID := s.byPID()
	for q, depth := p, 0; q != nil && depth < 4; q, depth = byPID[q.PPID], depth+1 {
		if (q.UID == p.UID || q.UID == 0) && q.NS.Mnt == p.NS.Mnt {
			openClawOptions(q.argv, cfg)
			known = known || startsGateway(q.argv)
		}
	}
	return !known && hidesAuth(p.argLen, env["_"], cfg.AuthMode)
}

// openClawProfile is the profile that a command line names which starts the gateway: its own, or that of its unit or its container. A launcher has
// no state open that would tell it.
func (s *Scan) openClawProfile(p *process, env map[string]string) (profile string) {
	for _, argv := range append(s.startsOf(p, env), p.argv) {
		words := plainWords(argv)
		script := slices.IndexFunc(words, func(w string) bool { return slices.Contains(gatewayScripts, path.Base(w)) })
		if script < 0 {
			continue
		}
		words = words[script:]
		if slices.Contains(words, "--dev") {
			profile = "dev"
		}
		profile = cmp.Or(argument(words, "--profile"), profile)
	}
	return profile
}

// hidesAuth says whether --auth with another mode has room in arguments of such a length, after an interpreter, the script by its path (which a
// shell leaves in the environment) and the command.
func hidesAuth(length int, script, mode string) bool {
	if !slices.Contains([]string{"openclaw", "openclaw.mjs"}, path.Base(script)) {
		script = "openclaw"
	}
	const option = len("--auth=none\x00")
	rest := length - len("node\x00") - len(script+"\x00") - len("gateway\x00")
	return rest >= option && (mode == authNone || rest != option+1) // none leaves no room for one byte; --port 18789 is as long
}

// startsOf are the command lines by which the unit or the container of a process starts it.
func (s *Scan) startsOf(p *process, env map[string]string) (list [][]string) {
	switch {
	case p.Container != "":
		return [][]string{s.containerArgs(p)}
	case p.Unit != "" && p.UserUnit == "":
		argv, _ := s.startsWith(p.Unit)
		return [][]string{argv}
	case p.UserUnit != "":
		return [][]string{s.userUnitArgs(p, env)}
	}
	return nil
}

// userUnitArgs is the program and the arguments of a unit that a user has, as that user's files or root's say (systemd.unit(5)).
func (s *Scan) userUnitArgs(p *process, env map[string]string) []string {
	if strings.Contains(p.UserUnit, "/") {
		return nil
	}
	home := (&agentFiles{s: s, p: p, env: env}).home()
	for _, dir := range []string{path.Join(home, ".config/systemd/user"), "/etc/systemd/user", path.Join(home, ".local/share/systemd/user"), "/usr/lib/systemd/user"} {
		file := path.Join(dir, p.UserUnit)
		b, _, err := s.configOf(p, file)
		if err != nil {
			continue
		}
		lines := unitText(nil, b)
		names, _ := s.Host.ReadDir(file + ".d")
		for _, name := range names[:min(len(names), maxDropIns)] {
			if b, _, err := s.configOf(p, path.Join(file+".d", name)); err == nil && strings.HasSuffix(name, ".conf") {
				lines = unitText(lines, b)
			}
		}
		argv, why := commandOf(lines, func(file string) ([]byte, error) {
			b, _, err := s.configOf(p, strings.ReplaceAll(file, "%h", home))
			return b, err
		})
		if why != "" {
			return nil
		}
		return argv
	}
	return nil
}

// containerArgs is what the specification of a container of root's says that it runs.
func (s *Scan) containerArgs(p *process) []string {
	if p.Container == "" || strings.ContainsAny(p.Container, "/*?[") || !p.ContainerWord.Trusted() {
		return nil
	}
	for _, pl := range specPlaces {
		i := strings.LastIndex(pl.pattern, "/*/")
		files, _ := s.Host.Glob(pl.pattern[:i+1] + p.Container + pl.pattern[i+2:])
		for _, file := range files {
			var spec struct {
				Process struct {
					Args []string `json:"args"`
				} `json:"process"`
			}
			author, _, err := s.Host.Author(file)
			if err != nil || !author.Root() {
				continue
			}
			if b, err := s.Host.ReadFile(file); err == nil && json.Unmarshal(b, &spec) == nil {
				return spec.Process.Args
			}
		}
	}
	return nil
}

// gatewayScripts are the names of the files that "gateway" is a command of.
var gatewayScripts = []string{"openclaw", "openclaw.mjs", "index.js", "entry.js", "run-node.mjs", "index.ts", "entry.ts", "clawdbot", "moltbot"}

// startsGateway says of a command line that it starts a gateway with all of its options: a shell or a unit leaves no variable in it.
func startsGateway(argv []string) bool {
	list := plainWords(argv)
	script := slices.IndexFunc(list, func(w string) bool { return slices.Contains(gatewayScripts, path.Base(w)) })
	return script >= 0 && slices.Contains(list[script:], "gateway") &&
		!slices.ContainsFunc(list[script:], func(w string) bool { return strings.ContainsAny(w, "$`") })
}

// plainWords are the words of a command line, of which one can be a command line itself.
func plainWords(argv []string) (list []string) {
	for _, a := range argv {
		if strings.ContainsAny(a, " \t\n") {
			list = append(list, strings.FieldsFunc(a, func(r rune) bool { return strings.ContainsRune(" \t\n;&|()\"'", r) })...)
		} else {
			list = append(list, a)
		}
	}
	return list
}

// openClawOptions applies the options of a command line that starts a gateway.
func openClawOptions(argv []string, cfg *snapshot.OpenClawConfig) {
	if !slices.ContainsFunc(argv, func(a string) bool { return strings.Contains(a, "gateway") }) {
		return
	}
	argv = plainWords(argv)
	if v := argument(argv, "--bind"); v != "" && cfg.Bind == "" {
		cfg.Bind = v
	}
	if v := argument(argv, "--auth"); v != "" {
		cfg.AuthMode = v
	}
	if v := argument(argv, "--tailscale"); v != "" {
		cfg.Tailscale = strings.TrimPrefix(v, "off")
	}
	cfg.Port = atoiOr(argument(argv, "--port"), cfg.Port)
	for _, secret := range []string{"--token", "--token-file", "--password", "--password-file"} {
		cfg.SecretSet = cfg.SecretSet || argument(argv, secret) != ""
	}
}
