//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// What an administrator sets for Codex: the first gives way to what a user says, the second does not.
const (
	codexSystem  = "/etc/codex/config.toml"
	codexManaged = "/etc/codex/managed_config.toml"
)

// codexFull is the mode without a sandbox; as a profile of permissions it begins with a colon.
const codexFull = "danger-full-access"

// maxProjects bounds the directories above the working one that can have settings of a project.
const maxProjects = 32

// codexChoice is the mode that one place gives, and which place it is.
type codexChoice struct{ mode, from string }

func (c codexChoice) full() bool { return c.mode == codexFull || c.mode == ":"+codexFull }

// codexSandbox reads the mode of Codex. The last of these counts that says something: the system's configuration, the user's, its profile, that of a
// project which the user trusts, the command line, the administrator's. Where the last two differ, there is a sandbox or Codex does not start.
func (s *Scan) codexSandbox(p *process, b *snapshot.AgentSandbox) {
	line := codexLine(p.argv)
	managed, err := s.codexFile(p, codexManaged)
	if err != nil {
		b.Configured, b.From = snapshot.Fact{State: snapshot.Error, Reason: err.Error()}, codexManaged
		return
	}
	choice := cmp.Or(managed.choice(codexManaged), line.option)
	if line.flag.mode != "" && (choice.mode == "" || choice == line.option || choice.full()) {
		choice = line.flag
	}
	if choice.mode == "" {
		if choice, err = s.codexFiles(p, line.profile); err != nil {
			b.Configured = snapshot.Fact{State: snapshot.Error, Reason: err.Error()}
			return
		}
	}
	b.From = choice.from
	switch {
	case choice.full():
		b.Configured = present("off")
	case slices.Contains([]string{"read-only", ":read-only", "workspace-write", ":workspace", "the default"}, choice.mode):
		b.Configured = present("on")
	default:
		b.Configured = snapshot.Fact{State: snapshot.Error, Reason: choice.from + " has a mode that is not known"}
	}
}

// codexArguments are the mode that a flag gives, that of options of the configuration, and the profile.
type codexArguments struct {
	flag, option codexChoice
	profile      string
}

// codexOption is an option of the configuration that gives a mode: the value of -c.
var codexOption = lazily(`^\s*(sandbox_mode|default_permissions)\s*=\s*["']?([^"']*?)["']?\s*$`)

// codexLine reads the arguments: a value is the next one, or behind "=", or behind the letter of the option. Of options the last counts, and of the
// two names of a mode that of permissions.
func codexLine(argv []string) (line codexArguments) {
	for i, a := range argv {
		switch a {
		case "--":
			return line
		case "--dangerously-bypass-approvals-and-sandbox", "--yolo":
			line.flag = codexChoice{codexFull, a}
		case "--full-auto":
			line.flag = codexChoice{"workspace-write", a}
		}
		if v, ok := codexValue(argv, i, "--sandbox", "-s"); ok {
			line.flag = codexChoice{v, "--sandbox"}
		}
		if v, ok := codexValue(argv, i, "--profile", "-p"); ok {
			line.profile = v
		}
		v, _ := codexValue(argv, i, "--config", "-c")
		if m := codexOption.FindStringSubmatch(v); m != nil && (m[1] == "default_permissions" || line.option.from != "-c default_permissions") {
			line.option = codexChoice{m[2], "-c " + m[1]}
		}
	}
	return line
}

// codexValue is the value of an option with a long and a short name that an argument gives.
func codexValue(argv []string, i int, long, short string) (value string, ok bool) {
	a := argv[i]
	switch {
	case (a == long || a == short) && i+1 < len(argv):
		return argv[i+1], true
	case strings.HasPrefix(a, long+"="):
		return a[len(long)+1:], true
	case strings.HasPrefix(a, short) && len(a) > len(short):
		return strings.TrimPrefix(a[len(short):], "="), true
	}
	return "", false
}

// codexText is the text of a configuration.
type codexText string

// codexFile reads a configuration as the program does; one that is not there is empty.
func (s *Scan) codexFile(p *process, file string) (codexText, error) {
	b, _, err := s.readNamed(p, file)
	if err != nil && !gone(err) {
		return "", fmt.Errorf("%s: %w", file, cause(err))
	}
	return codexText(b), nil
}

// choice is the mode that a configuration gives: as a profile of permissions, else by its older name.
func (t codexText) choice(file string) codexChoice {
	for _, key := range []string{"default_permissions", "sandbox_mode"} {
		if m := tomlValues(string(t), "", key); len(m) == 1 && m[0] != "" {
			return codexChoice{m[0], file}
		}
	}
	return codexChoice{}
}

// older is the mode of a profile within the configuration, which Codex had before profiles were files.
func (t codexText) older(file, profile string) codexChoice {
	if p := tomlValues(string(t), "", "profile"); profile == "" && len(p) == 1 {
		profile = p[0]
	}
	if m := tomlValues(string(t), "profiles."+profile, "sandbox_mode"); profile != "" && len(m) == 1 {
		return codexChoice{m[0], file}
	}
	return codexChoice{}
}

// trusts says whether the user trusts the settings of a project in a directory.
func (t codexText) trusts(dir string) bool {
	level := tomlValues(string(t), `projects."`+dir+`"`, "trust_level")
	return len(level) == 1 && level[0] == "trusted"
}

// codexFiles is the mode that configurations give; without any there is a sandbox.
func (s *Scan) codexFiles(p *process, profile string) (codexChoice, error) {
	env, err := s.environ(p)
	if err != nil && !gone(err) {
		return codexChoice{}, fmt.Errorf("its environment, which names its configuration, was not read: %w", cause(err))
	}
	if strings.Contains(profile, "/") {
		return codexChoice{}, errors.New("its profile is no name")
	}
	dir := s.homeOf(p, env, "CODEX_HOME", ".codex")
	file := path.Join(dir, "config.toml")
	own, err := s.codexFile(p, file)
	if err != nil {
		return codexChoice{}, err
	}
	found, err := s.codexProject(p, own, dir)
	if err != nil || found.mode != "" {
		return found, err
	}
	if profile != "" {
		name := path.Join(dir, profile+".config.toml")
		layer, err := s.codexFile(p, name)
		if found = layer.choice(name); err != nil || found.mode != "" {
			return found, err
		}
	}
	system, err := s.codexFile(p, codexSystem)
	if err != nil {
		return codexChoice{}, err
	}
	return cmp.Or(own.older(file, profile), own.choice(file), system.choice(codexSystem), codexChoice{"the default", file + " gives no mode"}), nil
}

// codexProject is the mode that settings of a project give, from the working directory upwards, if the user trusts it.
func (s *Scan) codexProject(p *process, own codexText, home string) (codexChoice, error) {
	if !strings.Contains(string(own), "trust_level") {
		return codexChoice{}, nil
	}
	cwd, err := s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID))
	if err != nil {
		return codexChoice{}, fmt.Errorf("its working directory, which has settings, was not read: %w", cause(err))
	}
	trusted := own.trusts(cwd)
	for dir, n := cwd, 0; n < maxProjects; dir, n = path.Dir(dir), n+1 {
		file := path.Join(dir, ".codex/config.toml")
		if path.Dir(file) != home && (trusted || own.trusts(dir)) {
			text, err := s.codexFile(p, file)
			if found := text.choice(file); err != nil || found.mode != "" {
				return found, err
			}
		}
		if dir == "/" {
			break
		}
	}
	return codexChoice{}, nil
}

// codexBrake is what a running Codex is without a sandbox by, if it is not the configuration of an account, which is said by itself.
func (s *Scan) codexBrake(p *process) (how string, err error) {
	var b snapshot.AgentSandbox
	s.codexSandbox(p, &b)
	switch {
	case b.Configured.State == snapshot.Error:
		return "", errors.New(b.Configured.Reason)
	case b.Configured.Value != "off":
		return "", nil
	case s.isHomeFile(b.From, ".codex/config.toml"):
		return "", nil
	}
	return fmt.Sprintf("%s (%s)", b.From, codexFull), nil
}

// isHomeFile says of a file that it is that of an account with a home.
func (s *Scan) isHomeFile(file, name string) bool {
	users, _ := s.homes()
	return slices.ContainsFunc(users, func(u user) bool { return path.Join(u.home, name) == file })
}
