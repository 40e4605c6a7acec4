package judge

import (
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestFourFactsOfACommand: each is a fact of its own, what was not read is unclear, and so is what Landlock could confine.
func TestFourFactsOfACommand(t *testing.T) {
	confined := snapshot.AgentCommand{Program: "sleep", Network: "own", Files: "read-only", NoNewPrivs: true, Seccomp: 2}
	for name, c := range map[string]struct {
		runtime string
		change  func(*snapshot.AgentCommand)
		lacks   string
		unclear string
	}{
		"confined":           {"claude-code", func(*snapshot.AgentCommand) {}, "", ""},
		"files of its own":   {"claude-code", func(c *snapshot.AgentCommand) { c.Files = "own" }, "", ""},
		"the network":        {"claude-code", func(c *snapshot.AgentCommand) { c.Network = "shared" }, "network", ""},
		"the home":           {"claude-code", func(c *snapshot.AgentCommand) { c.Files = "writable" }, "files", ""},
		"the files":          {"claude-code", func(c *snapshot.AgentCommand) { c.Files = "shared" }, "files", ""},
		"privileges":         {"claude-code", func(c *snapshot.AgentCommand) { c.NoNewPrivs = false }, "privileges", ""},
		"capabilities":       {"claude-code", func(c *snapshot.AgentCommand) { c.Capabilities = "0000000000000001" }, "capabilities", ""},
		"nothing":            {"claude-code", func(c *snapshot.AgentCommand) { *c = snapshot.AgentCommand{Network: "shared", Files: "shared"} }, "network files privileges", ""},
		"not read":           {"claude-code", func(c *snapshot.AgentCommand) { c.Files = "unknown" }, "", "not read"},
		"as Landlock has it": {"codex", func(c *snapshot.AgentCommand) { c.Files, c.Network = "shared", "shared" }, "network files", "Landlock"},
		"no Landlock there":  {"claude-code", func(c *snapshot.AgentCommand) { c.Files, c.Network = "shared", "shared" }, "network files", ""},
	} {
		cmd := confined
		c.change(&cmd)
		d := command(&snapshot.AgentSandbox{Runtime: c.runtime}, &cmd)
		if !slices.Equal(d.Lacks, strings.Fields(c.lacks)) || (d.Unclear != "") != (c.unclear != "") || !strings.Contains(d.Unclear, c.unclear) {
			t.Errorf("%s: lacks %v, unclear %q", name, d.Lacks, d.Unclear)
		}
	}
}
