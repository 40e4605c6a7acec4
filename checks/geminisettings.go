//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// geminiFiles are the settings of Gemini CLI and of Qwen Code, which comes from it, below a home and below the directory of a project.
var geminiFiles = map[string]string{"gemini-cli": ".gemini/settings.json", "qwen-code": ".qwen/settings.json"}

// geminiBrakes is what settings of Gemini CLI say of commands: that the tool for all of them is allowed, and is not to be confirmed. A mode that never
// asks is an option alone.
func geminiBrakes(text string, _ map[string]bool) (off, how string, err error) {
	m, err := geminiSettings(text)
	for _, key := range []string{"policyPaths", "adminPolicyPaths"} {
		if list, ok := m[key].([]any); ok && len(list) > 0 {
			return "", "", fmt.Errorf("%s names files of rules: %s", key, rulesUnfollowed)
		}
	}
	if err != nil || !geminiShell(m, "allowed") || geminiShell(m, "confirmationRequired") || geminiShell(m, "exclude") {
		return "", "", err
	}
	return "approvals", "tools.allowed has the tool for commands", nil
}

// qwenBrakes is the mode of settings of Qwen Code.
func qwenBrakes(text string, _ map[string]bool) (off, how string, err error) {
	m, err := geminiSettings(text)
	if mode, ok := valueAt(m, "tools", "approvalMode").(string); err != nil || !ok || !strings.EqualFold(mode, "yolo") {
		return "", "", err
	}
	return "approvals", "tools.approvalMode is yolo", nil
}

func geminiSettings(text string) (map[string]any, error) {
	v, err := decodeJSON5([]byte(text))
	m, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, errMalformed
	}
	return m, nil
}

// geminiShell says of a list of tools that it has the one for commands, and not for some commands alone.
func geminiShell(m map[string]any, key string) bool {
	list, _ := valueAt(m, "tools", key).([]any)
	return slices.ContainsFunc(list, func(e any) bool { return e == "run_shell_command" || e == "ShellTool" })
}

// geminiProject is why it is not known whether a running agent asks: settings of its directory say that it does not, and count if the user trusts that.
func (s *Scan) geminiProject(name string, p *process) error {
	cwd, err := s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID))
	if err != nil {
		return fmt.Errorf("its working directory, which has settings, was not read: %w", cause(err))
	}
	file := path.Join(cwd, geminiFiles[name])
	b, _, err := s.readNamed(p, file)
	if gone(err) || s.isHomeFile(file, geminiFiles[name]) {
		return nil
	}
	how, reads := "", geminiBrakes
	if name == "qwen-code" {
		reads = qwenBrakes
	}
	if err == nil {
		_, how, err = reads(string(b), nil)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", file, cause(err))
	case how != "":
		return fmt.Errorf("%s says that it does not ask (%s), if its user trusts the directory", file, how)
	}
	return nil
}
