//go:build linux

package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
)

// A confined command has user, network and mount namespaces of its own, a root that is read-only, and can gain no privileges.
const confinedCommand = `unshare -r -n -m sh -ec 'mount -o remount,bind,ro /; exec setpriv --no-new-privs sleep 1000'`

// TestSandboxIsMeasured has agents that are told to use a sandbox, and what they run in one or beside it: what counts is the process.
func TestSandboxIsMeasured(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "setpriv")
	program := bed.Program(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const (
		on, off = `{"sandbox": {"enabled": true}}`, `{"sandbox": {"enabled": false}}`
		hook    = `{"sandbox": {"enabled": true}, "hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "sleep 1009"}]}]}}`
		waits   = `/usr/bin/python3 -c 'import time; time.sleep(1000)'`
		server  = `echo '{"mcpServers": {"x": {"command": "/usr/bin/python3", "args": ["-c", "import time; time.sleep(1000)"]}, "y": {"command": "./tool", "args": ["1011"]}}}' >.mcp.json; `
		pauses  = `mkfifo never; read x <never`
	)
	scenes := map[string]struct {
		name, user, project string // of the agent; its settings
		commands            []string
		status, says        string
	}{
		"confined":               {"claude", on, "", []string{confinedCommand}, finding.Pass, ""},
		"one is beside it":       {"claude", on, "", []string{confinedCommand, "sleep 1001"}, finding.Fail, "sleep has the network of the agent, can write the files of its user"},
		"below a shell":          {"claude", on, "", []string{"sh -c 'sleep 1002 & wait'"}, finding.Fail, "is not in one"},
		"network is shared":      {"claude", on, "", []string{strings.Replace(confinedCommand, "-n -m", "-m", 1)}, finding.Fail, "sleep has the network of the agent"},
		"nothing runs":           {"claude", on, "", nil, finding.Unknown, "no command of it runs now"},
		"a tool server":          {"claude", on, "", []string{server + "exec " + waits}, finding.Unknown, "no command of it runs now"},
		"a tool and a command":   {"claude", on, "", []string{server + "exec " + waits, confinedCommand}, finding.Pass, ""},
		"of another script":      {"claude", on, "", []string{"exec " + waits, confinedCommand}, finding.Unknown, "is a command or a tool server"},
		"a tool is a script":     {"claude", on, "", []string{server + "(echo '#!/bin/sh -e'; echo '" + pauses + "') >tool; chmod +x tool; exec ./tool 1011"}, finding.Unknown, "no command of it runs now"},
		"put there by a script":  {"claude", on, "", []string{server + `(echo '#!/bin/sh'; echo 'exec -a tool sleep "$@"') >tool; chmod +x tool; exec -a tool sleep 1011`}, finding.Unknown, "is a command or a tool server"},
		"a hook":                 {"claude", hook, "", []string{"sleep 1009"}, finding.Unknown, "no command of it runs now"},
		"a hook and a command":   {"claude", hook, "", []string{"sleep 1009", "sleep 1010"}, finding.Fail, "is not in one"},
		"has a hook's name":      {"claude", hook, "", []string{"echo '" + pauses + "' >1009; exec -a sleep sh 1009"}, finding.Fail, "has the network of the agent"},
		"the project has it off": {"claude", on, off, []string{"sleep 1003"}, finding.Fail, "a project's settings switch off the sandbox"},
		"the project's is empty": {"claude", on, " ", []string{confinedCommand}, finding.Pass, ""}, // as the sandbox itself leaves it
		"off":                    {"claude", off, "", []string{"sleep 1004"}, finding.NotApplicable, ""},
		"malformed":              {"claude", "{", "", []string{"sleep 1005"}, finding.Unknown, "it is malformed"},
		"by default":             {"codex", "", "", []string{"sleep 1006"}, finding.Fail, "Codex CLI is told to use a sandbox"},
		"of another name":        {"claude-notes", on, "", []string{"sleep 1008"}, finding.NotApplicable, ""},
	}
	for name, c := range scenes {
		t.Run(name, func(t *testing.T) {
			home := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			work := filepath.Join(home, "work")
			for file, text := range map[string]string{home + "/.claude/settings.json": c.user, work + "/.claude/settings.json": c.project} {
				if text != "" {
					write(t, file, text)
				}
			}
			agent := filepath.Join(home, c.name)
			lines := []string{"#!/bin/bash"}
			for _, cmd := range c.commands {
				lines = append(lines, cmd+" &")
			}
			write(t, agent, strings.Join(append(lines, "echo up", "read forever"), "\n")+"\n")
			if err := os.Chmod(agent, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(work, 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(agent)
			cmd.Dir, cmd.Env = work, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = exec.Command("pkill", "-P", strconv.Itoa(cmd.Process.Pid)).Run()
				in.Close()
				_ = cmd.Wait()
			}()
			if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			var res finding.Result
			is := func() bool {
				res = auditOf(t, program, "agent/sandbox-not-in-force")
				b, _ := json.Marshal(res)
				return res.Status == c.status && strings.Contains(string(b), c.says)
			}
			for range 5 { // until its commands are in their places
				if is() {
					return
				}
			}
			t.Errorf("%s %q %+v, want %s %q", res.Status, res.Reason, res.Findings, c.status, c.says)
		})
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// auditOf is the result of one check on the bed.
func auditOf(t *testing.T, program, id string) finding.Result {
	t.Helper()
	b, err := exec.Command(program, "audit", "-f", "json", "-q", "--fail-on", "none").Output()
	r := new(finding.Report)
	if err == nil {
		err = json.Unmarshal(b, r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Results[slices.IndexFunc(r.Results, func(x finding.Result) bool { return x.ID == id })]
}
