//go:build linux && !ringfence_portable

package checks

import (
	"strings"
	"testing"
)

// TestRulesOfGemini: a rule that may let every command run unasked leaves it unknown whether the agent asks, wherever it has it from; one for another
// tool, or for commands with one beginning, does not.
func TestRulesOfGemini(t *testing.T) {
	const rule, allow, shell = "[[rule]]\n", "decision = \"allow\"\n", "toolName = \"run_shell_command\"\n"
	for text, want := range map[string]bool{
		rule + shell + allow:                true,
		rule + allow:                        true,
		rule + "toolName = \"*\"\n" + allow: true,
		rule + "toolName = [\"read_file\", \"run_shell_command\"]\n" + allow: true,
		rule + "commandRegex = \".\"\n" + allow:                              true,
		rule + "commandPrefix = [\"git\", \"\"]\n" + allow:                   true,
		rule + "commandPrefix = \"\"\n" + allow:                              true,
		"rule = [{toolName = 'run_shell_command', decision = 'allow'}]\n":    true,
		rule + "commandPrefix = \"git status\"\n" + allow + rule + allow:     true,
		rule + "commandPrefix = \"git status\"\n" + allow:                    false,
		rule + "toolName = \"read_file\"\n" + allow:                          false,
		rule + shell + "decision = \"ask_user\"\n":                           false,
		rule + shell + "decision = \"deny\"\n":                               false,
		"# " + allow:                                                         false,
		"":                                                                   false,
	} {
		if got := geminiAllows(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file, argv string
		want       bool
	}{
		{"p/.gemini/policies/x.toml", "gemini", true},
		{"etc/gemini-cli/policies/x.toml", "gemini", true},
		{"p/rules.toml", "gemini|--policy|rules.toml", true},
		{"srv/rules.toml", "gemini|--admin-policy=/srv/none.toml,/srv/rules.toml", true},
		{"p/rules.toml", "gemini", false},
		{"p/.gemini/policies/x.txt", "gemini", false},
	} {
		s := agentIn(t, "/p", map[string]string{c.file: rule + shell + allow, "p/x": ""})
		p := &process{argv: append([]string{"node", "/usr/bin/x"}, strings.Split(c.argv, "|")[1:]...)}
		p.PID, p.Exe = 77, "/usr/bin/node"
		list := s.brakesOf(patternOf(patterns, "gemini-cli"), p)
		if is := len(list) == 1 && strings.Contains(list[0].Unread, rulesUnfollowed); is != c.want || !is && len(list) > 0 {
			t.Errorf("%s %s: %+v", c.argv, c.file, list)
		}
	}
}
