//go:build linux && !ringfence_portable

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/fixtures"
)

// ownPolicy is a policy of a user.
const ownPolicy = `# METADATA
# title: T
# description: D
# custom: {severity: low, reads: [], remediation: R}
package ringfence.own.mine

finding contains {"resource": {"kind": "host", "key": "k"}, "message": "m"}
`

// portable builds the program as it is on other systems, of the files that are for those, to run here.
func portable(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "portable")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-tags", "ringfence_portable", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// said is what became of one command.
type said struct {
	code        int
	out, errors string
}

func do(t *testing.T, program string, args ...string) said {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ee := new(exec.ExitError); err != nil && !errors.As(err, &ee) {
		t.Fatal(err)
	}
	return said{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// TestOtherSystems: where the host cannot be looked at, a snapshot is judged as it is here, to the letter but for how
// the process that judges is confined; and what needs the host is refused in one line.
func TestOtherSystems(t *testing.T) {
	there := portable(t)
	here, err := exec.LookPath("ringfence")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("snapshot", func(t *testing.T) { sameOfSnapshot(t, here, there) })
	t.Run("host", func(t *testing.T) { refusedThere(t, here, there) })
}

func sameOfSnapshot(t *testing.T, here, there string) {
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	host := fixtures.Host()
	host.NFTables.Ruleset.Tables = nil // so that there is something to find and to close
	var text bytes.Buffer
	if err := host.Write(&text); err != nil {
		t.Fatal(err)
	}
	snap, mine := write("host.json", text.String()), write("mine.rego", ownPolicy)
	config := write("config.yaml", "zones:\n  external:\n    interfaces: [ext0]\n")
	batch := write("batch.jsonl", `{"id":1,"in":"ext0","proto":"tcp","src":"203.0.113.77","dst":"203.0.113.1","sport":40000,"dport":22,"flags":"syn"}`+"\n")
	for _, args := range [][]string{
		{"audit", "--snapshot", snap, "--all"},
		{"audit", "--snapshot", snap, "-f", "json", "--config", config, "--policy", filepath.Dir(mine)},
		{"audit", "--snapshot", snap, "-f", "sarif", "--fail-on", "none"},
		{"audit", "--snapshot", snap, "--fix"},
		{"audit", "--snapshot", config},
		{"reach", "--snapshot", snap, "--from", "external", "--to", "host", "--dport", "22", "-f", "json"},
		{"reach", "--snapshot", snap, "--from", "workload", "--to", "management", "--check"},
		{"trace", "--snapshot", snap, "--in", "ext0", "tcp 203.0.113.77:40000 > 203.0.113.1:22 syn"},
		{"trace", "--snapshot", snap, "--batch", batch},
		{"fix", "plan", "--snapshot", snap},
		{"fix", "plan", "--snapshot", snap, "-f", "json"},
		{"fix", "plan", "--snapshot", snap, "-f", "nft", "--mode", "default-deny", "--keep", "tcp/22@192.0.2.0/24"},
		{"checks", "list"},
		{"checks", "show", "firewall/no-input-filter"},
		{"checks", "test", dir},
		{"version"},
		{"fix", "plan", "--snapshot", snap, "--config", "/nowhere"},
	} {
		want, got := do(t, here, args...), do(t, there, args...)
		switch {
		case strings.Contains(want.out, `"schema": "ringfence.report/`):
			want.out, got.out = unconfined(t, want.out, ""), unconfined(t, got.out, "absent: not supported on linux")
		case args[0] == "audit" && strings.Contains(want.out, judgedBy):
			var how string
			want.out, _, _ = strings.Cut(want.out, judgedBy)
			if got.out, how, _ = strings.Cut(got.out, judgedBy); !strings.HasPrefix(how, "less confined than wanted") {
				t.Errorf("%q: judged %q", args, how)
			}
		}
		if want != got {
			t.Errorf("%q:\nhere  %+v\nthere %+v", args, want, got)
		}
	}
	if got := do(t, there, "audit", "--snapshot", snap); got.code != exit.Findings {
		t.Errorf("nothing was found: exit code %d", got.code)
	}
	if got := do(t, there, "fix", "plan", "--snapshot", snap, "-f", "nft"); !strings.Contains(got.out, "counter drop") {
		t.Errorf("nothing is closed: %q", got.out)
	}
	// What is written to a file is what goes to standard output.
	file := filepath.Join(dir, "report.json")
	if got := do(t, there, "audit", "--snapshot", snap, "--fail-on", "none", "-f", "json", "-o", "sarif="+file); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	sarif, err := os.ReadFile(file)
	if want := do(t, there, "audit", "--snapshot", snap, "--fail-on", "none", "-f", "sarif"); err != nil || want.out != string(sarif) {
		t.Errorf("%v: the file is another report than standard output", err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v %v", st, err)
	}
}

// judgedBy begins what a table says of the process that judged.
const judgedBy = "\nJudged "

// unconfined is a JSON report without what it says about the process that judged, which has to say that of seccomp.
func unconfined(t *testing.T, report, seccomp string) string {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal([]byte(report), &m); err != nil {
		t.Fatal(err)
	}
	held, _ := m["confinement"].(map[string]any)
	if seccomp != "" && !reflect.DeepEqual(held, map[string]any{
		"noNewPrivs": false, "capabilities": "held", "landlock": seccomp, "seccomp": seccomp,
		"files": "open", "network": "open", "programs": "open",
	}) {
		t.Errorf("confinement %v", held)
	}
	maps.DeleteFunc(m, func(k string, _ any) bool { return k == "confinement" })
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func refusedThere(t *testing.T, here, there string) {
	list := [][]string{
		{"audit"},
		{"audit", "-f", "json", "--strict", "--fail-on", "none"},
		{"audit", "--fix", "--confirm", "auto"},
		{"collect"},
		{"reach", "--from", "external", "--to", "host"},
		{"reach", "--from", "external", "--to", "host", "--netns", "blue"},
		{"trace", "--in", "lo", "tcp 127.0.0.1:40000 > 127.0.0.1:22 syn"},
		{"fix", "plan"},
		{"fix", "confirm", "--console", "1234abcd"},
		{"fix", "apply", "--confirm", "auto", "--layer=service"},
	}
	for _, c := range (&env{}).fixVerbs() {
		if !c.Hidden {
			list = append(list, []string{"fix", c.Name()})
		}
	}
	want := said{exit.Usage, "", "ringfence: not supported on linux: use --snapshot FILE\n"}
	for _, args := range list {
		if got := do(t, there, args...); got != want {
			t.Errorf("%q: %+v", args, got)
		}
	}
	// Every command of here is known there, so that none of them ends in a list of commands.
	for _, args := range [][]string{{"--help"}, {"fix", "--help"}} {
		if a, b := commands(do(t, here, args...).out), commands(do(t, there, args...).out); !reflect.DeepEqual(a, b) {
			t.Errorf("%q: %q here, %q there", args, a, b)
		}
	}
}

// commands are the names that a help text lists.
func commands(help string) (names []string) {
	_, list, _ := strings.Cut(help, "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	for l := range strings.Lines(list) {
		if !strings.HasPrefix(l, "   ") { // what goes on in another line
			names = append(names, strings.Fields(l)[0])
		}
	}
	return names
}
