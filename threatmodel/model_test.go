package threatmodel

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/finding"
)

// scene is a host with what a model can have: SSH, a daemon on TCP and by its socket, an agent, two containers, a management network.
func scene() *finding.Report {
	ssh := finding.Service{Proto: "tcp", Address: "0.0.0.0", Port: 22, Owner: "sshd", Namespace: "host"}
	docker := finding.Service{Proto: "tcp", Address: "0.0.0.0", Port: 2375, Owner: "dockerd", Namespace: "host"}
	web := finding.Service{Proto: "tcp", Address: "0.0.0.0", Port: 80, Owner: "nginx", Namespace: "container web"}
	exposure := func(s finding.Service, zone, origin, verdict string) finding.Exposure {
		e := finding.Exposure{Service: s, Zone: zone, Origin: origin, Family: "ipv4", Verdict: verdict}
		switch verdict {
		case "reachable":
			e.Witness = "in " + origin + " tcp 203.0.113.2:40000 > 203.0.113.1:22 syn"
		case "unreachable":
			e.StoppedBy = []finding.Cause{{Where: "inet filter/input#4", Text: "drop"}}
		default:
			e.Because = []finding.Cause{{Text: "a table was not read"}}
		}
		return e
	}
	result := func(id, severity, kind, key string) finding.Result {
		r := finding.Resource{Kind: kind, Key: key}
		return finding.Result{ID: id, Status: finding.Fail, Severity: severity, Title: "title of " + id, Remediation: "change it", Findings: []finding.Finding{{
			Resource: r, Message: "something about " + key, Severity: severity, Fingerprint: finding.Fingerprint(id, r),
			Evidence: []string{"seen"}, Remediation: []finding.Remediation{{Kind: "words", Text: "change it"}},
		}}}
	}
	return &finding.Report{
		Schema: finding.Schema, Tool: finding.Tool{Name: "ringfence", Version: "1"}, Host: finding.Host{Name: "box", ID: "id", OS: "debian", Kernel: "6", SeenBy: "root"},
		Snapshot: finding.Snapshot{Digest: "sha256:0", CollectedAt: "2026-11-29T10:00:00Z"},
		Zones: []finding.Zone{
			{Name: "ext0", Zone: External}, {Name: "mgmt0", Zone: Management}, {Name: "docker0", Zone: Workload}, {Name: "odd0", Zone: "unclassified"},
		},
		Exposures: []finding.Exposure{
			exposure(ssh, External, "ext0", "unreachable"), exposure(ssh, External, "ext1", "unreachable"), exposure(ssh, Management, "mgmt0", "reachable"),
			exposure(ssh, Workload, "docker0", "unknown"), exposure(docker, External, "ext0", "reachable"), exposure(docker, External, "ext1", "unreachable"),
			exposure(web, External, "ext0", "unreachable"),
		},
		Forwards: []finding.Forward{{From: "docker0", FromZone: Workload, To: "ext0", ToZone: External, Family: "ipv4", Verdict: "reachable", Witness: "w"}},
		Results: []finding.Result{
			result("runtime/docker-api-on-tcp", "critical", "service", docker.Key()), result("runtime/docker-socket-mounted", "critical", "mount", "/run/docker.sock in container web"),
			result("agent/old", "high", "agent", "claude-code of uid 1000: settings"), result("host/kernel", "low", "kernel", "modules"),
			{ID: "host/clock", Status: finding.Pass, Severity: "low", Title: "the clock is right"},
			{ID: "host/late", Status: finding.Unknown, Severity: "low", Title: "late", Reason: "not read"},
		},
		Assumptions: []finding.Assumption{
			{ID: "immutable", Statement: "The host is immutable.", Topics: []string{"Host OS"}, Validity: finding.Rejected, Because: []string{"/usr can be written"}},
			{ID: "odd", Statement: "Odd.", Validity: "perhaps"},
		},
		Inventory: &finding.Inventory{
			Parts: []finding.Part{
				{Key: "agent claude-code of uid 1000", Kind: finding.PartAgent, Name: "Claude Code", Zone: Workload},
				{Key: "container db", Kind: finding.PartContainer, Name: "container db", Zone: Workload, Networks: []string{"docker0"}},
				{Key: "container web", Kind: finding.PartContainer, Name: "container web", Zone: Workload, Networks: []string{"docker0"}},
				{Key: "daemon docker", Kind: finding.PartDaemon, Name: "docker", Zone: Runtime},
				{Key: "server openssh", Kind: finding.PartServer, Name: "openssh", Zone: Host, Auth: []string{finding.AuthKey}},
				{Key: "store /srv", Kind: finding.PartStore, Name: "/srv", Zone: Host},
			},
			Listeners: []finding.Listener{
				{Key: docker.Key(), Class: "runtime-api", Part: "daemon docker", Name: "dockerd", TLS: "false"},
				{Key: ssh.Key(), Class: "ssh", Part: "server openssh", Name: "sshd"},
				{Key: web.Key(), Class: "other", Part: "container web", Name: "nginx"},
			},
			Uses: []finding.Use{
				{From: "agent claude-code of uid 1000", Kind: finding.UsePower, Goal: "root", Verdict: "unknown", Because: []string{"not searched"}},
				{From: "container db", Kind: finding.UseMount, To: "store /srv", Object: "/data", Write: true, Verdict: "yes"},
				{From: "container db", Kind: finding.UsePower, Goal: "root", Verdict: "no"},
				{From: "container web", Kind: finding.UsePower, Goal: "root", Verdict: "yes", Steps: []string{"/run/docker.sock gives root"}, Trigger: "none"},
				{From: "container web", Kind: finding.UsePower, Goal: "secret", Verdict: "yes", WithRoot: true},
				{From: "container web", Kind: finding.UseSocket, To: "daemon docker", Object: "/run/docker.sock", Write: true, Verdict: "yes"},
			},
		},
	}
}

// flow is the flow of a model between two nodes, by its kind.
func flow(t *testing.T, m *Model, from, to string, kind FlowKind) *Flow {
	t.Helper()
	i := slices.IndexFunc(m.Flows, func(f Flow) bool { return f.From == from && f.To == to && f.Kind == kind })
	if i < 0 {
		t.Fatalf("no %s flow from %s to %s", kind, from, to)
	}
	return &m.Flows[i]
}

// TestFlows: what is possible by one way is possible, and each verdict has what shows it.
func TestFlows(t *testing.T) {
	m := New(scene())
	for _, c := range []struct {
		from, to string
		kind     FlowKind
		verdict  Verdict
		shown    bool
	}{
		{"actor external", "listener tcp 0.0.0.0:22 (sshd)", ByNetwork, Impossible, true},
		{"actor management", "listener tcp 0.0.0.0:22 (sshd)", ByNetwork, Possible, true},
		{"actor workload", "listener tcp 0.0.0.0:22 (sshd)", ByNetwork, Unknown, true},
		{"actor external", "listener tcp 0.0.0.0:2375 (dockerd)", ByNetwork, Possible, true},
		{"actor external", "listener tcp 0.0.0.0:80 (nginx) in container web", ByNetwork, Impossible, true},
		{"actor workload", "network external", ByForward, Possible, true},
		{"container web", "daemon docker", BySocket, Possible, false},
		{"container db", "store /srv", ByMount, Possible, true},
		{"container web", "goal root", ByPower, Possible, true},
		{"container db", "goal root", ByPower, Impossible, true},
		{"agent claude-code of uid 1000", "goal root", ByPower, Unknown, true},
	} {
		if f := flow(t, m, c.from, c.to, c.kind); f.Verdict != c.verdict || c.shown != (f.why() != "") {
			t.Errorf("%s: %s%s, want %s", f.Key, f.Verdict, f.why(), c.verdict)
		}
	}
	if len(m.Flows) != 11 {
		t.Errorf("%d flows: what comes with being root is told once", len(m.Flows))
	}
	if f := flow(t, m, "actor external", "listener tcp 0.0.0.0:2375 (dockerd)", ByNetwork); !slices.Equal(f.By, []string{"ext0 ipv4"}) || !slices.Equal(f.Not, []string{"ext1 ipv4: impossible"}) {
		t.Errorf("by %v, not by %v: what is unreachable by ext1 does not count", f.By, f.Not)
	}
}

// TestVerdictsNobodyKnows: a word that is no verdict is never taken for a proof.
func TestVerdictsNobodyKnows(t *testing.T) {
	r := scene()
	r.Exposures[0].Verdict, r.Exposures[1].Verdict = "fine", ""
	r.Inventory.Uses[2].Verdict = "never"
	m := New(r)
	if f := flow(t, m, "actor external", "listener tcp 0.0.0.0:22 (sshd)", ByNetwork); f.Verdict != Unknown {
		t.Errorf("%s", f.Verdict)
	}
	if f := flow(t, m, "container db", "goal root", ByPower); f.Verdict != Unknown {
		t.Errorf("%s", f.Verdict)
	}
}

// TestFindingsAreOnWhatTheyAreAbout: each finding is on one node.
func TestFindingsAreOnWhatTheyAreAbout(t *testing.T) {
	m := New(scene())
	want := map[string]string{
		"listener tcp 0.0.0.0:2375 (dockerd)": "runtime/docker-api-on-tcp", "container web": "runtime/docker-socket-mounted",
		"agent claude-code of uid 1000": "agent/old", "goal root": "host/kernel",
	}
	got := map[string]string{}
	for i := range m.Nodes {
		for _, f := range m.Nodes[i].Findings {
			got[m.Nodes[i].Key] += f.Result.ID
		}
	}
	for key, id := range want {
		if got[key] != id {
			t.Errorf("%s has %q, want %s", key, got[key], id)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
}

// TestWithoutInventory: a report of an older version still has its listeners.
func TestWithoutInventory(t *testing.T) {
	r := scene()
	r.Inventory = nil
	m := New(r)
	if f := flow(t, m, "actor management", "listener tcp 0.0.0.0:22 (sshd)", ByNetwork); f.Verdict != Possible {
		t.Errorf("%s", f.Verdict)
	}
	if n := m.Node("container web"); n != nil {
		t.Errorf("%+v", n)
	}
}
