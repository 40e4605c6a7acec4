//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// geminiKind is what of the trust in directories differs between Gemini CLI and Qwen Code.
type geminiKind struct {
	dir, etc, home, folders string // below the home; of the system; variables that name them
	ports                   string // the variable by which an editor is found, which can say what is trusted
	on                      bool   // directories have to be trusted by default, and one of which nobody said it is not
}

var geminiKinds = map[string]geminiKind{
	"gemini-cli": {".gemini", "/etc/gemini-cli", "GEMINI_CLI_HOME", "GEMINI_CLI_TRUSTED_FOLDERS_PATH", "GEMINI_CLI_IDE_SERVER_PORT", true},
	"qwen-code":  {".qwen", "/etc/qwen-code", "", "QWEN_CODE_TRUSTED_FOLDERS_PATH", "QWEN_CODE_IDE_SERVER_PORT", false},
}

// geminiAsks says of an agent that is told never to ask whether it asks all the same, as it does in a directory that its user does not trust.
func (s *Scan) geminiAsks(name string, p *process, line string) (bool, error) {
	kind := geminiKinds[name]
	env, err := s.environ(p)
	switch {
	case err != nil && !gone(err):
		return false, fmt.Errorf("its environment was not read: %w", cause(err))
	case !kind.on && env["QWEN_HOME"] != "":
		return false, errors.New("whether it may leave out questions hangs on files in QWEN_HOME, which some versions read")
	}
	asks, err := s.geminiDistrusts(kind, p, env, line)
	if asks && err == nil && kind.on && s.geminiAlone(p, env) {
		return false, errors.New("it may have no user to ask, and some versions take every directory for one that is trusted then")
	}
	return asks, err
}

// geminiValued are options of Gemini CLI whose value can be the next word.
var geminiValued = strings.Fields("-m --model --approval-mode --approvalMode -e --extensions --include-directories --includeDirectories --allowed-tools --allowedTools " +
	"--allowed-mcp-server-names -r --resume -i --prompt-interactive --promptInteractive -o --output-format")

// geminiAlone says of a Gemini CLI that it may be without a user: by its variables, without a terminal, or with a question among its arguments.
func (s *Scan) geminiAlone(p *process, env map[string]string) bool {
	if env["CI"] == "true" || env["GITHUB_ACTIONS"] == "true" {
		return true
	}
	for _, fd := range []string{"0", "1"} {
		to, err := s.Host.Readlink(fmt.Sprintf("/proc/%d/fd/%s", p.PID, fd))
		if err != nil || !strings.HasPrefix(to, "/dev/pts/") && !strings.HasPrefix(to, "/dev/tty") {
			return true
		}
	}
	words := p.argv
	if len(words) == 1 {
		words = strings.Fields(words[0])
	}
	if len(words) > 0 && interpreters.MatchString(path.Base(words[0])) {
		words = pastOptions(words[1:], "")
	}
	for i := 1; i < len(words); i++ {
		name, _, _ := strings.Cut(words[i], "=")
		option := strings.HasPrefix(name, "-")
		switch {
		case name == "--prompt", option && !strings.HasPrefix(name, "--") && strings.Contains(name, "p"):
			return true
		case !option && name != "true" && name != "false" && !slices.Contains(geminiValued, words[i-1]):
			return true
		}
	}
	return false
}

// geminiDistrusts is geminiAsks of one that a user sits at.
func (s *Scan) geminiDistrusts(kind geminiKind, p *process, env map[string]string, line string) (bool, error) {
	if kind.on {
		switch trust := env["GEMINI_CLI_TRUST_WORKSPACE"]; {
		case env["GEMINI_RESTRICTED_MODE"] == "true" || trust == "false":
			return true, nil
		case trust == "true" || strings.Contains(line, " --skip-trust "):
			return false, nil
		}
	}
	dir := path.Join(s.homeOf(p, env, "", ""), kind.dir)
	if v := env[kind.home]; kind.home != "" && path.IsAbs(v) {
		dir = path.Join(v, kind.dir)
	}
	on, told, err := s.geminiTrustSetting(p, kind, dir)
	if err != nil || !on {
		return false, err
	}
	cwd, err := s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID))
	if err != nil {
		return false, fmt.Errorf("whether it may leave out questions hangs on its working directory, which was not read: %w", cause(err))
	}
	file := path.Join(dir, "trustedFolders.json")
	if v := env[kind.folders]; path.IsAbs(v) {
		file = v
	}
	b, st, err := s.readNamed(p, file)
	if err != nil && !gone(err) {
		return false, fmt.Errorf("%s: %w", file, cause(err))
	}
	word, err := trustOf(b, cwd, kind.on)
	switch {
	case err != nil:
		return false, fmt.Errorf("%s: %w", file, err)
	case word == "yes":
		return false, nil
	case kind.on && s.trustsLink(p, b):
		return false, fmt.Errorf("it asks if its user does not trust %s, and %s trusts a link", cwd, file)
	case word == "" && !kind.on:
		return false, fmt.Errorf("it asks if its user does not trust %s, of which %s says nothing; whether it does then hangs on its version", cwd, file)
	case env[kind.ports] != "":
		return false, fmt.Errorf("it asks if its user does not trust %s, which the editor that it belongs to decides", cwd)
	case word == "" && !told:
		return false, fmt.Errorf("it asks if its user does not trust %s, of which %s does not say that; whether it does by default hangs on its version", cwd, file)
	case word != "" && s.changedAfter(p, file, st) != nil:
		return false, fmt.Errorf("it asks if its user does not trust %s, and %s was changed since it was started", cwd, file)
	}
	return true, nil
}

// geminiTrustSetting says whether directories have to be trusted, and whether a file says so.
func (s *Scan) geminiTrustSetting(p *process, kind geminiKind, dir string) (on, told bool, err error) {
	on = kind.on
	for _, file := range []string{path.Join(kind.etc, "system-defaults.json"), path.Join(dir, "settings.json"), path.Join(kind.etc, "settings.json")} {
		b, err := s.readAtStart(p, file)
		if gone(err) {
			continue
		}
		if err == nil {
			var m map[string]any
			if m, err = geminiSettings(string(b)); err == nil {
				if v, ok := valueAt(m, "security", "folderTrust", "enabled").(bool); ok {
					on, told = v, true
				}
			}
		}
		if err != nil {
			return false, false, fmt.Errorf("whether it may leave out questions hangs on %s: %w", file, cause(err))
		}
	}
	return on, told, nil
}

// trustOf is what a list of directories says of one: "yes", "no", or nothing. Of Gemini CLI the longest name counts, for what is below it too; of Qwen
// Code each that is trusted, and a name that is not for itself alone.
func trustOf(list []byte, dir string, longest bool) (word string, err error) {
	if len(list) == 0 {
		return "", nil
	}
	v, err := decodeJSON5(list)
	m, ok := v.(map[string]any)
	if err != nil || !ok {
		return "", errors.New("it is not understood")
	}
	most := -1
	for rule, level := range m {
		at := path.Clean(rule)
		if level == "TRUST_PARENT" {
			at = path.Dir(at)
		}
		trusted := level == "TRUST_FOLDER" || level == "TRUST_PARENT"
		if !trusted && level != "DO_NOT_TRUST" || at != dir && (!trusted && !longest || !strings.HasPrefix(dir, strings.TrimSuffix(at, "/")+"/")) {
			continue
		}
		n, says := len(rule), map[bool]string{true: "yes", false: "no"}[trusted]
		if !longest {
			n = map[bool]int{true: 1}[trusted]
		}
		if n == most && says != word {
			return "", errors.New("two of its names count alike, and do not say the same")
		}
		if n > most {
			most, word = n, says
		}
	}
	return word, nil
}

// maxTrusted bounds the names of which it is looked at whether they are links.
const maxTrusted = 100

// trustsLink says of a list of directories that it trusts one that may be another by a link, as the process sees it. Gemini CLI goes by where it leads.
func (s *Scan) trustsLink(p *process, list []byte) bool {
	v, _ := decodeJSON5(list)
	m, _ := v.(map[string]any)
	n := 0
	for rule, level := range m {
		if level != "TRUST_FOLDER" && level != "TRUST_PARENT" {
			continue
		}
		if n++; n > maxTrusted {
			return true
		}
		at := path.Clean(rule)
		if level == "TRUST_PARENT" {
			at = path.Dir(at)
		}
		linked, err := patient(s, s.party(p), func() (bool, error) { return s.leadsElsewhere(fmt.Sprintf("/proc/%d/root", p.PID), at) })
		if linked || err != nil {
			return true
		}
	}
	return false
}

// leadsElsewhere says of a path below a root directory that there is a link on the way.
func (s *Scan) leadsElsewhere(root, p string) (bool, error) {
	names := split(p)
	for i := range min(len(names), maxTrusted) {
		st, err := s.Host.Lstat(path.Join(root, path.Join(names[:i+1]...)))
		if gone(err) {
			return false, nil
		}
		if err != nil || st.Mode&fs.ModeSymlink != 0 {
			return true, err
		}
	}
	return len(names) > maxTrusted, nil
}
