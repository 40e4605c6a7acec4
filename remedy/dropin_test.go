package remedy

import (
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

func failing(id, path string) finding.Result {
	return finding.Result{ID: id, Status: finding.Fail, Findings: []finding.Finding{{
		Message: id, Resource: finding.Resource{Key: path, Path: path}, Remediation: []finding.Remediation{{Kind: "config", Text: "x"}},
	}}}
}

// planned is the files that a plan has for a snapshot and the checks that failed.
func planned(s *snapshot.Snapshot, results ...finding.Result) ([]File, *Plan) {
	p := &Plan{}
	for i := range results {
		f := &results[i].Findings[0]
		p.Manual = append(p.Manual, Manual{results[i].ID, f.Message, "config", "x", f.Resource.Path})
	}
	return p.dropIns(&finding.Report{Results: results}, s), p
}

func TestSocketFile(t *testing.T) {
	const check = "runtime/socket-accessible-to-others"
	s := &snapshot.Snapshot{Runtimes: snapshot.Runtimes{
		Sockets: []snapshot.ControlSocket{{Runtime: "docker", Path: "/run/docker.sock", Mode: 0o666}, {Runtime: "containerd", Path: "/run/containerd/containerd.sock", Mode: 0o666}},
		Groups:  []snapshot.Group{{Name: "docker", GID: 998, Runtime: "docker"}},
	}}
	files, p := planned(s, failing(check, "/run/docker.sock"))
	if len(files) != 1 || len(p.Manual) != 0 {
		t.Fatalf("%d files, %d left to people", len(files), len(p.Manual))
	}
	f := files[0]
	if f.Path != "/etc/systemd/system/docker.socket.d/50-ringfence.conf" || f.Want["/run/docker.sock"] != "0660 0:998" ||
		!strings.Contains(f.Content, "SocketGroup=docker\n") || !strings.Contains(f.Inverse, "chmod 666 /run/docker.sock") {
		t.Errorf("%+v", f)
	}
	files, _ = planned(s, failing(check, "/run/containerd/containerd.sock"))
	if len(files) != 1 || files[0].Path != "/etc/tmpfiles.d/ringfence-run-containerd-containerd.sock.conf" || !strings.Contains(files[0].Content, "0660 root root") {
		t.Errorf("%+v", files)
	}
}

func TestDockerFile(t *testing.T) {
	args := []string{"/usr/bin/dockerd", "-H", "fd://", "-H", "tcp://0.0.0.0:2375", "--label", "a b%c"}
	s := &snapshot.Snapshot{Runtimes: snapshot.Runtimes{TLS: []snapshot.DaemonTLS{{PID: 1, Args: args}}}}
	files, _ := planned(s, failing("runtime/docker-api-on-tcp", ""))
	want := "ExecStart=\nExecStart=/usr/bin/dockerd -H fd:// --label \"a b%%c\"\n"
	if len(files) != 1 || files[0].ByHand != "" || !strings.HasSuffix(files[0].Content, want) {
		t.Errorf("%+v", files)
	}
	s.Runtimes.TLS[0].Args = []string{"/usr/bin/dockerd", "-H", "fd://"} // daemon.json opens it
	if files, p := planned(s, failing("runtime/docker-api-on-tcp", "")); len(files) != 1 || files[0].ByHand == "" || len(p.Manual) != 1 {
		t.Errorf("%+v", files)
	}
	if files, _ := planned(s); len(files) != 0 {
		t.Errorf("without a finding: %+v", files)
	}
}

func TestAgentFiles(t *testing.T) {
	native := snapshot.Agent{
		Runtime: "openclaw", Kind: "gateway", PID: 7, Unit: "/system.slice/openclaw.service",
		Config: &snapshot.OpenClawConfig{Path: "/home/a/.openclaw/openclaw.json", Bind: "lan", AuthMode: "none", Sandbox: "off", ExecSecurity: "full"},
	}
	s := &snapshot.Snapshot{
		Agents:    snapshot.Agents{Instances: []snapshot.Agent{native}},
		Processes: snapshot.Processes{List: []snapshot.Process{{PID: 7}}},
	}
	files, p := planned(s, failing("capability/no-new-privs-off", ""), failing("agent/gateway-beyond-loopback", ""), failing("agent/sandbox-off", ""))
	byService := map[string]File{}
	for _, f := range files {
		byService[f.Service] = f
	}
	u := byService[serviceUnit]
	if u.Path != "/etc/systemd/system/openclaw.service.d/50-ringfence.conf" || u.Want["NoNewPrivileges"] != "yes" || u.Disruption == "none" ||
		!slices.Equal(u.Closes, []string{"capability/no-new-privs-off"}) {
		t.Errorf("unit: %+v", u)
	}
	o := byService[serviceOpenClaw]
	if o.ByHand == "" || !strings.Contains(o.Content, "openclaw config set gateway.bind loopback\n") || !strings.Contains(o.Inverse, "gateway.bind lan") ||
		!strings.Contains(o.Content, "agents.defaults.sandbox.mode all") {
		t.Errorf("openclaw: %+v", o)
	}
	if len(p.Manual) != 2 { // what is by hand stays with people
		t.Errorf("left to people: %+v", p.Manual)
	}
	contained := native
	contained.Container, contained.Unit, contained.Ports = "abc", "", []int{18789}
	s.Agents.Instances[0] = contained
	files, _ = planned(s, failing("agent/gateway-beyond-loopback", ""))
	if len(files) != 1 || !strings.Contains(files[0].Content, "127.0.0.1:18789:18789") || strings.Contains(files[0].Content, "bind") {
		t.Errorf("in a container: %+v", files)
	}
}
