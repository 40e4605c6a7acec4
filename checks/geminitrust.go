//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"path"
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
	if err != nil && !gone(err) {
		return false, fmt.Errorf("its environment was not read: %w", cause(err))
	}
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
	case word == "yes", word == "" && !kind.on:
		return false, nil
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
		n := len(rule)
		if !longest {
			n = map[bool]int{true: 1}[trusted]
		}
		if n > most {
			most, word = n, map[bool]string{true: "yes", false: "no"}[trusted]
		}
	}
	return word, nil
}
