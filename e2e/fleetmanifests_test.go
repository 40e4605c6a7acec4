//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/ringfence/ringfence/e2e/bed"
)

// container is what the test asks of a container of a manifest.
type container struct {
	Args            []string
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Drop []string }
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

// pods are the pods of a manifest: whatever has containers.
func pods(t *testing.T, text []byte) (out []map[string]yaml.Node) {
	t.Helper()
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		m := map[string]yaml.Node{}
		if n.Kind == yaml.MappingNode && n.Decode(&m) == nil {
			if _, ok := m["containers"]; ok {
				out = append(out, m)
				return
			}
		}
		for _, below := range n.Content {
			walk(below)
		}
	}
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var n yaml.Node
		err := d.Decode(&n)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		walk(&n)
	}
}

// checkPods wants pods to see the host, to hold no token and to be able to do no more than what seeing takes, and their commands to be commands.
func checkPods(t *testing.T, what string, text []byte) {
	t.Helper()
	list := pods(t, text)
	if len(list) == 0 {
		t.Errorf("%s: no pod", what)
	}
	for _, p := range list {
		var pid, network bool
		token := true
		var all []container
		for key, into := range map[string]any{"hostPID": &pid, "hostNetwork": &network, "automountServiceAccountToken": &token} {
			n := p[key]
			if err := n.Decode(into); err != nil {
				t.Errorf("%s: %s: %v", what, key, err)
			}
		}
		for _, key := range []string{"initContainers", "containers"} {
			var some []container
			if n, ok := p[key]; ok && n.Decode(&some) != nil {
				t.Errorf("%s: %s", what, key)
			}
			all = append(all, some...)
		}
		if !pid || !network || token {
			t.Errorf("%s: hostPID %v, hostNetwork %v, a token %v", what, pid, network, token)
		}
		for _, c := range all {
			s := c.SecurityContext
			if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem || len(s.Capabilities.Drop) != 1 || len(c.VolumeMounts) != 1 || !c.VolumeMounts[0].ReadOnly {
				t.Errorf("%s: %+v", what, c)
			}
			if out, err := exec.Command(bed.Program(t), append(c.Args, "--help")...).CombinedOutput(); err != nil || !strings.Contains(strings.Join(c.Args, " "), "--host-root /host") {
				t.Errorf("%s: %q: %v: %s", what, c.Args, err, out)
			}
		}
	}
}

// TestFleetManifests: the manifests and the chart are ones that a cluster takes, as far as tools that are there say; their commands are commands.
func TestFleetManifests(t *testing.T) {
	dir := t.TempDir()
	validate := func(file string) {
		if path, err := exec.LookPath("kubectl-validate"); err != nil {
			t.Log("kubectl-validate is not there: fields of manifests are not checked")
		} else if out, err := exec.Command(path, file).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", file, out)
		}
	}
	for _, name := range []string{"daemonset.yaml", "cronjob.yaml"} {
		file := filepath.Join("../deploy/kubernetes", name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		checkPods(t, name, text)
		validate(file)
	}
	helm, err := exec.LookPath("helm")
	if err != nil {
		t.Log("helm is not there: the chart is not rendered")
		return
	}
	const chart = "../deploy/helm/ringfence"
	if out, err := exec.Command(helm, "lint", "--strict", chart).CombinedOutput(); err != nil {
		t.Errorf("%s", out)
	}
	for _, args := range [][]string{
		{"--set", "mode=daemonset"}, {"--set", "mode=cronjob,nodes=7"}, {"--set", "auditArgs={--only,firewall}", "--set", "priorityClassName=system-node-critical", "--set", "imagePullSecrets[0].name=x"},
	} {
		text, err := exec.Command(helm, append([]string{"template", "rf", chart, "--namespace", "ringfence"}, args...)...).Output()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		checkPods(t, strings.Join(args, " "), text)
		file := filepath.Join(dir, "chart.yaml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		validate(file)
	}
	if out, err := exec.Command(helm, "template", "rf", chart, "--set", "mode=nonsense").CombinedOutput(); err == nil {
		t.Errorf("a mode that is none: %s", out)
	}
}

// TestFleetPipelines runs the scripts of the action and of the template as their services do.
func TestFleetPipelines(t *testing.T) {
	bed.Need(t, "sqlite3")
	dir := t.TempDir()
	bed.Shell(t, `mkdir -p %[1]s/snapshots; cp ../fixtures/base/host.json %[1]s/snapshots/`, dir)
	script := func(file string, find func(m map[string]yaml.Node) (string, error)) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]yaml.Node{}
		if err := yaml.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		s, err := find(m)
		if err != nil || s == "" {
			t.Fatalf("%s: %v", file, err)
		}
		return s
	}
	run := func(script string, env ...string) {
		t.Helper()
		cmd := exec.Command("bash", "-e", "-o", "pipefail", "-c", script)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), append(env, "RINGFENCE="+bed.Program(t))...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s\n%s", err, out, script)
		}
	}
	run(script("../deploy/ci/action.yml", func(m map[string]yaml.Node) (string, error) {
		var runs struct{ Steps []struct{ Run string } }
		n := m["runs"]
		err := n.Decode(&runs)
		return runs.Steps[0].Run, err
	}), "SNAPSHOT=snapshots", "FAIL_ON=high", "ARGS=--only\nssh\n", "RUNNER_TEMP="+dir, "GITHUB_OUTPUT="+dir+"/output", "GITHUB_STEP_SUMMARY="+dir+"/summary")
	run(script("../deploy/ci/gitlab-ci.yml", func(m map[string]yaml.Node) (string, error) {
		var job struct{ Script []string }
		n := m[".ringfence"]
		err := n.Decode(&job)
		return strings.Join(job.Script, "\n"), err
	}), "SNAPSHOTS=snapshots", "FAIL_ON=high")
	for name, want := range map[string]string{
		"ringfence.sarif": `"version": "2.1.0"`, "summary": "## ringfence", "output": "sarif=", "ringfence-out/junit.xml": "<testsuites", "ringfence-out/gl-sast-report.json": `"vulnerabilities"`,
		"ringfence-out/report.json": `"ringfence.reports/v1"`,
	} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s: %v, %.200s", name, err, b)
		}
	}
	bed.Shell(t, `cd %[1]s; %[2]s audit --quiet --snapshot snapshots/host.json -f jsonl >rows.jsonl; sqlite3 checks.db <%[3]s/load.sql; test "$(sqlite3 checks.db "SELECT count(*) > 100 FROM checks WHERE status = 'pass' OR status = 'not_applicable'")" = 1`,
		dir, bed.Program(t), absolute(t, "../deploy/osquery"))
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	p, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
