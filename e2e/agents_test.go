//go:build linux

package e2e

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
)

// agentsScene is a run of agents.sh: where agents listen, who gets an answer of them, and what the audit says.
type agentsScene struct {
	t      *testing.T
	dir    string
	ports  map[string]int             // of each scene, as the agent itself listens
	truth  map[string]map[string]bool // by scene, then by zone and address
	report finding.Report
}

// playAgents starts the agents and a dockerd with these options.
func playAgents(t *testing.T, options string) *agentsScene {
	t.Helper()
	bed.Need(t, "dockerd", "iptables-nft", "nft", "/usr/bin/python3", "runc", "podman", "/usr/lib/podman/netavark", "slirp4netns", "pasta")
	const ns = "rfagents"
	bed.Shell(t, "ip netns add %s", ns)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
	s := &agentsScene{t: t, dir: t.TempDir(), ports: map[string]int{}, truth: map[string]map[string]bool{}}
	if out, err := exec.CommandContext(t.Context(), "bash", "agents.sh", bed.Program(t), s.dir, ns, options).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if why := s.read("skip"); why != "" {
		t.Skipf("%s: %s", why, lastLines(s.read("dockerd.log"), 8))
	}
	if failed := s.read("failed"); failed != "" {
		t.Fatalf("did not start: %s\n%s\n%s", failed, s.read("run.log"), s.read("agents.log"))
	}
	for line := range strings.Lines(s.read("scenes")) {
		var name string
		var port int
		if _, err := fmt.Sscan(line, &name, &port); err != nil {
			t.Fatal(err)
		}
		s.ports[name], s.truth[name] = port, map[string]bool{}
	}
	for line := range strings.Lines(s.read("truth")) {
		f := strings.Fields(line)
		s.truth[f[1]][f[0]+" "+f[2]] = f[3] == "yes"
	}
	readJSON(t, filepath.Join(s.dir, "report.json"), &s.report)
	return s
}

func (s *agentsScene) read(name string) string {
	b, _ := os.ReadFile(filepath.Join(s.dir, name))
	return string(b)
}

// missing skips the test of what the kernel does not have.
func (s *agentsScene) missing(t *testing.T, scene string) {
	t.Helper()
	for line := range strings.Lines(s.read("missing")) {
		if strings.HasPrefix(line, scene+":") {
			t.Skip(line)
		}
	}
}

// answers says whether somebody in a zone gets an answer of an agent, at whatever address.
func (s *agentsScene) answers(scene, zone string) bool {
	for at, yes := range s.truth[scene] {
		if yes && strings.HasPrefix(at, zone+" ") {
			return true
		}
	}
	return false
}

// exposed is the worst verdict about an agent's own socket for a zone, and why it is not better.
func (s *agentsScene) exposed(scene, zone string) (verdict, why string) {
	rank := map[string]int{"": 0, "unreachable": 1, "unknown": 2, "reachable": 3}
	for i := range s.report.Exposures {
		e := &s.report.Exposures[i]
		if e.Service.Port == s.ports[scene] && e.Service.Owner == "python3" && e.Zone == zone && rank[e.Verdict] > rank[verdict] {
			verdict, why = e.Verdict, e.Witness
			for _, c := range e.Because {
				why += c.Text + "; "
			}
		}
	}
	return verdict, why
}

// said is what a check says about the sockets of an agent: fail with the finding, unknown, or nothing.
func (s *agentsScene) said(check, scene string) (status string, f *finding.Finding) {
	own := fmt.Sprintf(":%d (python3)", s.ports[scene])
	for i := range s.report.Results {
		r := &s.report.Results[i]
		if r.ID != check {
			continue
		}
		for j := range r.Findings {
			if strings.Contains(r.Findings[j].Resource.Key, own) {
				return "fail", &r.Findings[j]
			}
		}
		for _, u := range r.Unknowns {
			if strings.Contains(u.Resource.Key, own) {
				return "unknown", nil
			}
		}
	}
	return "", nil
}

// TestAgentsInNamespaces: who connects to an agent is the truth, with dockerd and its proxy, without the proxy, with Podman, runc, pairs,
// chains of namespaces, shared interfaces, sockets that were handed over and programs that pass connections on. The exposures and the
// policy agree with it: what the kernel connects is never unreachable, and no pass.
func TestAgentsInNamespaces(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	for _, c := range []struct {
		name, options string
		want          map[string]string // the external zone's verdict, by scene
	}{
		{"proxy", "", map[string]string{
			"published": "reachable", "webui": "reachable", "local": "reachable", "closed": "reachable", "inner": "unreachable",
			"hostnet": "reachable", "several": "reachable", "veth": "reachable", "loopback": "unreachable", "filtered": "unreachable",
			"picky": "reachable", "six": "reachable", "chain": "unknown", "island": "unreachable", "mvlan": "reachable",
			"mvfilter": "unreachable", "mvprivate": "reachable", "ivlan2": "reachable", "ivlan3": "reachable", "handedin": "reachable",
			"handedout": "reachable", "runc": "reachable", "podman": "reachable", "slirp": "unknown", "pasta": "unknown", "tun": "unknown",
		}},
		{"without the proxy", "--userland-proxy=false", map[string]string{
			"published": "reachable", "webui": "reachable", "local": "reachable", "closed": "reachable", "inner": "unreachable",
			"hostnet": "reachable", "several": "reachable",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := playAgents(t, c.options)
			for _, scene := range sortedScenes(c.want) {
				t.Run(scene, func(t *testing.T) {
					s.missing(t, scene)
					s.agrees(t, scene, c.want[scene])
				})
			}
			t.Run("cases", s.cases)
			s.checked(t)
		})
	}
}

func sortedScenes(m map[string]string) (out []string) {
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// agrees holds what is said about one agent against who connects to it.
func (s *agentsScene) agrees(t *testing.T, scene, want string) {
	if s.ports[scene] == 0 {
		t.Fatal("the scene was not played")
	}
	for _, zone := range []string{"external", "workload"} {
		connects := s.answers(scene, zone)
		verdict, why := s.exposed(scene, zone)
		if zone == "external" && verdict != want {
			t.Errorf("%s: %q, want %s: %s", zone, verdict, want, why)
		}
		switch {
		case connects && verdict != "reachable" && verdict != "unknown":
			t.Errorf("%s: said %q, and it answers: %v", zone, verdict, s.truth[scene])
		case zone == "external" && !connects && verdict == "reachable":
			t.Errorf("%s: the witness %q, and nobody gets an answer: %v", zone, why, s.truth[scene])
		}
		const open = "agent/unauthenticated-runtime-reachable"
		if status, _ := s.said(open, scene); connects && status == "" {
			t.Errorf("%s: it answers, and %s says nothing about it", zone, open)
		}
	}
	if status, f := s.said("agent/unauthenticated-runtime-reachable", scene); f != nil && want == "unreachable" {
		for _, e := range f.Evidence {
			if strings.HasPrefix(e, "reachable on ext0") {
				t.Errorf("%s although it is %s from outside: %q", status, want, e)
			}
		}
	}
}

// cases are those that were judged wrongly once: an agent that is published without a proxy, and one under another port that asks nobody
// who they are.
func (s *agentsScene) cases(t *testing.T) {
	status, f := s.said("agent/unauthenticated-runtime-reachable", "published")
	if status != "fail" {
		t.Fatalf("the published agent: %q", status)
	}
	evidence := strings.Join(f.Evidence, "\n")
	if f.Severity != "critical" || !strings.Contains(evidence, "reachable on ext0: ") || !strings.Contains(evidence, "reachable on docker0: ") {
		t.Errorf("%s, %s, not of both zones", f.Severity, evidence)
	}
	for _, id := range []string{"agent/gateway-beyond-loopback", "agent/gateway-reachable-from-workload"} {
		if status, _ := s.said(id, "webui"); status != "fail" {
			t.Errorf("%s about Open WebUI: %q", id, status)
		}
	}
	i := slices.IndexFunc(s.report.Results, func(r finding.Result) bool { return r.ID == "agent/gateway-without-authentication" })
	if i < 0 || s.report.Results[i].Status != finding.Fail {
		t.Errorf("an Open WebUI that asks for no login: %+v", s.report.Results[i])
	}
	// The port of one container's proxy is not that of another container's agent.
	for i := range s.report.Results {
		for _, f := range s.report.Results[i].Findings {
			if strings.HasPrefix(f.Resource.Key, "vllm in container inner ") {
				t.Errorf("%s: %s is told of an agent on loopback", s.report.Results[i].ID, f.Resource.Key)
			}
		}
	}
}

// checked: what is claimed of any socket was looked at twice.
func (s *agentsScene) checked(t *testing.T) {
	n := map[string]int{}
	for i := range s.report.Exposures {
		e := &s.report.Exposures[i]
		n[e.Verdict]++
		if (e.Verdict != "unknown") != e.Checked {
			t.Errorf("%s %s:%d in %s from %s: %s, checked %v", e.Service.Proto, e.Service.Address, e.Service.Port, cmp.Or(e.Service.Namespace, "?"), e.Zone, e.Verdict, e.Checked)
		}
	}
	t.Log(n)
}
