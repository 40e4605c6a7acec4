package dropin

import (
	"path"
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
func planned(s *snapshot.Snapshot, results ...finding.Result) ([]File, *maker) {
	p := &maker{}
	for i := range results {
		f := &results[i].Findings[0]
		p.left = append(p.left, Manual{Check: results[i].ID, What: f.Message, Kind: "config", Text: "x", Resource: f.Resource.Path})
	}
	return p.services(&finding.Report{Results: results}, s), p
}

var root = snapshot.Word{By: snapshot.ByRoot}

// TestSocketOfAUserGetsNoFile: who owns the folder of a socket can put a link to any file in its place.
func TestSocketOfAUserGetsNoFile(t *testing.T) {
	const check = "runtime/socket-accessible-to-others"
	for name, sock := range map[string]snapshot.ControlSocket{
		"a user's":                  {Path: "/run/user/1001/docker.sock", Word: snapshot.WordOf(1001), Ino: 7},
		"nobody's word":             {Path: "/run/docker.sock", Ino: 7},
		"not seen":                  {Path: "/run/docker.sock", Word: root},
		"a blank":                   {Path: "/run/a b.sock", Word: root, Ino: 7},
		"a specifier":               {Path: "/run/%t.sock", Word: root, Ino: 7},
		"a glob":                    {Path: "/run/*.sock", Word: root, Ino: 7},
		"a line of its own":         {Path: "/run/x\nf /etc/cron.d/x 0644 root root - x.sock", Word: root, Ino: 7},
		"a way up":                  {Path: "/run/../etc/x.sock", Word: root, Ino: 7},
		"a command of a substitute": {Path: "/run/$(id).sock", Word: root, Ino: 7},
	} {
		sock.Runtime, sock.Mode = "containerd", 0o666
		s := &snapshot.Snapshot{Runtimes: snapshot.Runtimes{Sockets: []snapshot.ControlSocket{sock}}}
		files, p := planned(s, failing(check, sock.Path))
		if len(files) != 0 || len(p.left) != 1 || strings.Contains(p.left[0].What, "\n") || strings.Contains(p.left[0].Text, "chmod") {
			t.Errorf("%s: %+v %+v", name, files, p.left)
		}
	}
}

func TestSocketFile(t *testing.T) {
	const check = "runtime/socket-accessible-to-others"
	s := &snapshot.Snapshot{Runtimes: snapshot.Runtimes{
		Sockets: []snapshot.ControlSocket{
			{Runtime: "docker", Path: "/run/docker.sock", Mode: 0o666, Word: root, Dev: 1, Ino: 7},
			{Runtime: "containerd", Path: "/run/containerd/containerd.sock", Mode: 0o666, Word: root, Dev: 1, Ino: 8},
		},
		Groups: []snapshot.Group{{Name: "docker", GID: 998, Runtime: "docker"}},
	}}
	files, p := planned(s, failing(check, "/run/docker.sock"))
	if len(files) != 1 || len(p.left) != 0 {
		t.Fatalf("%d files, %d left to people", len(files), len(p.left))
	}
	f := files[0]
	if f.Path != "/etc/systemd/system/docker.socket.d/zz-ringfence.conf" || f.Want["/run/docker.sock"] != "0660 0:998" ||
		!strings.Contains(f.Content, "SocketGroup=docker\n") || !strings.Contains(f.Inverse, "chmod 666 -- /run/docker.sock") ||
		f.SocketFile != "1:7" {
		t.Errorf("%+v", f)
	}
	files, _ = planned(s, failing(check, "/run/containerd/containerd.sock"))
	if len(files) != 1 || files[0].Path != "/etc/tmpfiles.d/ringfence-run-containerd-containerd.sock.conf" || !strings.Contains(files[0].Content, "0660 root root") {
		t.Errorf("%+v", files)
	}
}

func TestDockerFile(t *testing.T) {
	args := []string{"/usr/bin/dockerd", "-H", "fd://", "-H", "tcp://0.0.0.0:2375", "--label", "a b%c"}
	runs := snapshot.UnitFact{Unit: "docker.service", Verified: true}
	s := &snapshot.Snapshot{
		Runtimes:  snapshot.Runtimes{TLS: []snapshot.DaemonTLS{{PID: 1, Args: args, Runs: runs}}},
		Processes: snapshot.Processes{List: []snapshot.Process{{PID: 1, Comm: "dockerd", ExeWord: root}}},
	}
	files, _ := planned(s, failing("runtime/docker-api-on-tcp", ""))
	want := "ExecStart=\nExecStart=/usr/bin/dockerd -H fd:// --label \"a b%%c\"\n"
	if len(files) != 1 || files[0].ByHand != "" || !strings.HasSuffix(files[0].Content, want) || !slices.Equal(files[0].Stops, []int{2375}) {
		t.Errorf("%+v", files)
	}
	s.Runtimes.TLS[0].Args = []string{"/usr/bin/dockerd", "-H", "fd://"} // daemon.json opens it
	if files, p := planned(s, failing("runtime/docker-api-on-tcp", "")); len(files) != 1 || files[0].ByHand == "" || len(p.left) != 1 {
		t.Errorf("%+v", files)
	}
	if files, _ := planned(s); len(files) != 0 {
		t.Errorf("without a finding: %+v", files)
	}
}

// TestSettings: what a finding asks for goes into a file whole, or stays with people: as values, or in the text of policies that have none.
func TestSettings(t *testing.T) {
	values := func(pairs ...string) (list finding.Settings) {
		for p := range slices.Chunk(pairs, 2) {
			list = append(list, finding.Setting{Name: p[0], Value: p[1]})
		}
		return list
	}
	sysctl := func(list finding.Settings, text string) Manual {
		return Manual{Check: "c", Kind: "sysctl", Text: text, Settings: list}
	}
	sshd := func(list finding.Settings, text string) Manual {
		return Manual{Check: "d", Kind: "sshd", Text: text, Settings: list}
	}
	for name, c := range map[string]struct {
		work []Manual
		want string // the files without their heading
		left int
	}{
		"values":                 {[]Manual{sysctl(values("kernel.a", "1", "net.b.c-d/e", "2"), "in words")}, "kernel.a = 1\nnet.b.c-d/e = 2\n", 0},
		"the text of before":     {[]Manual{sysctl(nil, "kernel.a=1 and kernel.b = 2")}, "kernel.a = 1\nkernel.b = 2\n", 0},
		"lines of sshd":          {[]Manual{sshd(nil, "PermitRootLogin no\nX11Forwarding no\n")}, "PermitRootLogin no\nX11Forwarding no\n", 0},
		"values of sshd":         {[]Manual{sshd(values("PermitRootLogin", "no"), "")}, "PermitRootLogin no\n", 0},
		"a sentence":             {[]Manual{sysctl(nil, "set kernel.a=1 and kernel.b = 2")}, "", 1},
		"half a sentence":        {[]Manual{sysctl(nil, "kernel.a=1 and start it again")}, "", 1},
		"half a sentence before": {[]Manual{sysctl(nil, "stop it and kernel.a=1")}, "", 1},
		"one value is none":      {[]Manual{sysctl(values("kernel.a", "1", "kernel.b", "1 2"), "")}, "", 1},
		"a line of its own":      {[]Manual{sysctl(values("kernel.a", "1\nkernel.b = 1"), "")}, "", 1},
		"a line end":             {[]Manual{sshd(values("PermitRootLogin", "no\n"), "")}, "", 1},
		"a way up":               {[]Manual{sysctl(values("kernel/../../etc/x", "1"), "")}, "", 1},
		"a name of sshd's":       {[]Manual{sshd(values("Match all", "no"), "")}, "", 1},
		"asked for twice":        {[]Manual{sysctl(values("kernel.a", "1"), ""), sysctl(values("kernel.a", "1", "kernel.b", "1"), "")}, "kernel.a = 1\nkernel.b = 1\n", 0},
		"against another":        {[]Manual{sysctl(values("kernel.a", "1"), ""), sysctl(values("kernel.b", "1", "kernel.a", "2"), "")}, "kernel.a = 1\n", 1},
		"against itself":         {[]Manual{sysctl(values("kernel.a", "1", "kernel.a", "2"), "")}, "", 1},
		"nothing":                {[]Manual{sysctl(nil, "")}, "", 1},
	} {
		files, left := Make(new(finding.Report), withAccounts(snapshot.SSHAccount{Name: "a", Key: snapshot.Yes}), c.work)
		var text strings.Builder
		for _, f := range files {
			_, after, _ := strings.Cut(f.Content, "\n")
			text.WriteString(after)
			if len(f.Closes) != 1 {
				t.Errorf("%s: closes %v", name, f.Closes)
			}
		}
		if got := text.String(); got != c.want || len(left) != c.left {
			t.Errorf("%s: %q, left %v", name, got, left)
		}
	}
}

// TestWithoutTCP: each way to write the option, and the port that it is about.
func TestWithoutTCP(t *testing.T) {
	for _, c := range []struct {
		args []string
		left int
		want []int
	}{
		{[]string{"-H", "tcp://0.0.0.0:2375", "-H", "fd://"}, 2, []int{2375}},
		{[]string{"--host", "tcp://[::]:4243/v1"}, 0, []int{4243}},
		{[]string{"-Htcp://10.0.0.1", "-H=tcp://:1", "--host=tcp://:2"}, 0, []int{2375, 2376, 1, 2}},
		{[]string{"--label=tcp://x:1", "-H", "unix:///x"}, 3, nil},
	} {
		if left, removed := withoutTCP(c.args); len(left) != c.left || !slices.Equal(ports(removed), c.want) {
			t.Errorf("%v: %v, %v", c.args, left, ports(removed))
		}
	}
}

// TestDockerFileIsAboutDockerServiceAlone: what anybody else starts under that name is never written into the unit.
func TestDockerFileIsAboutDockerServiceAlone(t *testing.T) {
	for name, change := range map[string]func(*snapshot.DaemonTLS, *snapshot.Process){
		"no fact": func(d *snapshot.DaemonTLS, _ *snapshot.Process) { d.Runs = snapshot.UnitFact{} },
		"not verified": func(d *snapshot.DaemonTLS, _ *snapshot.Process) {
			d.Runs.Verified, d.Runs.Why = false, "it is uid 1001's"
		},
		"of another unit":  func(d *snapshot.DaemonTLS, _ *snapshot.Process) { d.Runs.Unit = "x.service" },
		"a user's process": func(_ *snapshot.DaemonTLS, p *snapshot.Process) { p.UID = 1001 },
		"a user's program": func(_ *snapshot.DaemonTLS, p *snapshot.Process) { p.ExeWord = snapshot.WordOf(1001) },
		"not seen":         func(_ *snapshot.DaemonTLS, p *snapshot.Process) { p.PID = 2 },
		"a line of its own": func(d *snapshot.DaemonTLS, _ *snapshot.Process) {
			d.Args = append(d.Args, "--label", "a\nExecStartPre=/x")
		},
		"a program of blanks": func(d *snapshot.DaemonTLS, _ *snapshot.Process) { d.Args[0] = "/opt/a b/dockerd" },
	} {
		d := snapshot.DaemonTLS{
			PID: 1, Args: []string{"/usr/bin/dockerd", "-H", "tcp://127.0.0.1:2375"}, Runs: snapshot.UnitFact{Unit: "docker.service", Verified: true},
		}
		p := snapshot.Process{PID: 1, Comm: "dockerd", ExeWord: root}
		change(&d, &p)
		s := &snapshot.Snapshot{Runtimes: snapshot.Runtimes{TLS: []snapshot.DaemonTLS{d}}, Processes: snapshot.Processes{List: []snapshot.Process{p}}}
		files, plan := planned(s, failing("runtime/docker-api-on-tcp", ""))
		if len(files) != 0 || len(plan.left) != 2 || !strings.Contains(plan.left[1].Text, "no file is written for it: ") {
			t.Errorf("%s: %+v %+v", name, files, plan.left)
		}
	}
}

func TestAgentFiles(t *testing.T) {
	native := snapshot.Agent{
		Runtime: "openclaw", Kind: "gateway", PID: 7, Unit: "openclaw.service",
		Runs:   snapshot.UnitFact{Unit: "openclaw.service", Verified: true},
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
	if u.Path != "/etc/systemd/system/openclaw.service.d/zz-ringfence.conf" || u.Want["NoNewPrivileges"] != "yes" || u.Disruption == "none" ||
		!slices.Equal(u.Closes, []string{"capability/no-new-privs-off"}) {
		t.Errorf("unit: %+v", u)
	}
	o := byService[serviceOpenClaw]
	if o.ByHand == "" || !strings.Contains(o.Content, "openclaw config set gateway.bind loopback\n") || !strings.Contains(o.Inverse, "gateway.bind lan") ||
		!strings.Contains(o.Content, "agents.defaults.sandbox.mode all") {
		t.Errorf("openclaw: %+v", o)
	}
	if len(p.left) != 2 { // what is by hand stays with people
		t.Errorf("left to people: %+v", p.left)
	}
	s.Agents.Instances[0].Runs.Verified = false
	if files, p := planned(s, failing("capability/no-new-privs-off", "")); len(files) != 0 || len(p.left) != 2 {
		t.Errorf("not verified: %+v %+v", files, p.left)
	}
	s.Agents.Instances[0] = native
	s.Agents.Instances[0].Config = &snapshot.OpenClawConfig{Path: "/home/a/x", Bind: "lan; curl x | sh"}
	if files, _ := planned(s, failing("agent/gateway-beyond-loopback", "")); len(files) != 1 || strings.Contains(files[0].Inverse, "curl") {
		t.Errorf("a value of a configuration is a command: %+v", files)
	}
	contained := native
	contained.Container, contained.Unit, contained.Ports = "abc", "", []int{18789}
	s.Agents.Instances[0] = contained
	files, _ = planned(s, failing("agent/gateway-beyond-loopback", ""))
	if len(files) != 1 || !strings.Contains(files[0].Content, "127.0.0.1:18789:18789") || strings.Contains(files[0].Content, "bind") {
		t.Errorf("in a container: %+v", files)
	}
}

// TestSysctlFileIsReadLast: what is kept holds after the next boot too, whatever the files of others set.
func TestSysctlFileIsReadLast(t *testing.T) {
	m := &maker{left: []Manual{{Check: "host/kernel-baseline", Kind: serviceSysctl, Settings: finding.Settings{{Name: "kernel.dmesg_restrict", Value: "1"}}}}}
	files := m.settings(new(snapshot.Snapshot))
	if len(files) != 1 || len(m.left) != 0 {
		t.Fatalf("%+v, left %+v", files, m.left)
	}
	ours := path.Base(files[0].Path)
	for _, other := range []string{"10-network-security.conf", "90-ringfence.conf", "99-sysctl.conf", "99-protect-links.conf", "99-kubernetes-cri.conf", "99-zfs.conf"} {
		if ours <= other {
			t.Errorf("%s is read after %s", other, ours)
		}
	}
	if !strings.Contains(files[0].Reload, files[0].Path) {
		t.Error(files[0].Reload)
	}
}

// TestUnitFileIsReadLast: a socket that override.conf opens is closed after its next start too.
func TestUnitFileIsReadLast(t *testing.T) {
	for _, other := range []string{"10-x.conf", "50-ringfence.conf", "99-last.conf", "override.conf"} {
		if ours := path.Base(unitDropIn("docker.socket")); ours <= other {
			t.Errorf("%s is read after %s", other, ours)
		}
	}
}
