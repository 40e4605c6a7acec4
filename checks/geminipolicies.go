//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// geminiPolicies is where files with rules of Gemini CLI lie below a home, and below the directory of a project (docs/reference/policy-engine.md of it).
const geminiPolicies = ".gemini/policies/*.toml"

// geminiSystemPolicies are those of the administrator.
const geminiSystemPolicies = "/etc/gemini-cli/policies/*.toml"

// maxPolicies bounds the files of rules that are read for one agent.
const maxPolicies = 100

// rulesUnfollowed is what is told of a file by which commands may be run unasked: which of several rules counts was not followed.
const rulesUnfollowed = "its rules may let commands run unasked, and were not followed"

var (
	geminiRule    = regexp.MustCompile(`(?m)^[ \t]*\[`)
	geminiAllowed = regexp.MustCompile(`["']allow["']`)
	geminiTools   = regexp.MustCompile(`(?m)^[ \t]*["']?toolName["']?[ \t]*=[ \t]*["']([a-z_]+)["'][ \t]*$`)
	geminiPrefix  = regexp.MustCompile(`(?m)^[ \t]*["']?commandPrefix["']?[ \t]*=[ \t]*["'][^"']+["'][ \t]*$`)
)

// geminiAllows says of a file of rules that one of them may let every command run unasked: each that allows, but for those of another tool and those
// for commands with one beginning.
func geminiAllows(text string) bool {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			lines = append(lines, line)
		}
	}
	text = strings.Join(lines, "")
	starts := geminiRule.FindAllStringIndex(text, -1)
	for i := range len(starts) + 1 {
		begin, end := 0, len(text)
		if i > 0 {
			begin = starts[i-1][0]
		}
		if i < len(starts) {
			end = starts[i][0]
		}
		rule := text[begin:end]
		tool := geminiTools.FindStringSubmatch(rule)
		switch {
		case !geminiAllowed.MatchString(rule):
		case tool != nil && tool[1] != "run_shell_command" && len(geminiTools.FindAllString(rule, -1)) == 1:
		case geminiPrefix.MatchString(rule):
		default:
			return true
		}
	}
	return false
}

// geminiRulesOf is that a file of rules in a home was not followed.
func geminiRulesOf(text string, _ map[string]bool) (off, how string, err error) {
	if geminiAllows(text) {
		return "", "", errors.New(rulesUnfollowed)
	}
	return "", "", nil
}

// geminiRules is why it is not known whether a running Gemini CLI asks: rules that its arguments, its directory or the administrator give it. Those of
// homes are of their accounts.
func (s *Scan) geminiRules(p *process) error {
	cwd, err := s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID))
	if err != nil {
		return fmt.Errorf("its working directory, which has rules, was not read: %w", cause(err))
	}
	var files []string
	for _, pattern := range []string{path.Join(cwd, geminiPolicies), geminiSystemPolicies} {
		found, more := s.globIn(p, pattern)
		if more {
			return fmt.Errorf("%s was not read", path.Dir(pattern))
		}
		files = append(files, found...)
	}
	for _, named := range optionValues(p.argv, "--policy", "--admin-policy") {
		for file := range strings.SplitSeq(named, ",") {
			files = append(files, below(cwd, strings.TrimSpace(file)))
		}
	}
	if len(files) > maxPolicies {
		return fmt.Errorf("there are more than %d files of rules", maxPolicies)
	}
	for _, file := range files {
		b, _, err := s.readNamed(p, file)
		switch {
		case gone(err):
		case err != nil: // a directory too
			return fmt.Errorf("%s: %w", file, cause(err))
		case geminiAllows(string(b)):
			return fmt.Errorf("%s: %s", file, rulesUnfollowed)
		}
	}
	return nil
}
