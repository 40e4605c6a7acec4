//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// TestCommandsInGVisor: the processes of "runsc do sleep 100" (release 20221219) as they were below an agent. The command is none of them, and what
// confines it is not what they hold.
func TestCommandsInGVisor(t *testing.T) {
	s := newScan(host.Local())
	one := s.initNS()
	proc := func(pid, ppid int, net uint64, caps string, argv ...string) *process {
		p := &process{argv: argv}
		p.PID, p.PPID, p.Exe, p.ExeWord, p.CapPrm = pid, ppid, "/usr/bin/runsc", snapshot.Word{By: snapshot.ByRoot}, caps
		p.NS = snapshot.NS{User: one.User, Net: net, Mnt: 7}
		p.NoNewPrivs = argv[0] != "runsc"
		return p
	}
	for name, c := range map[string]struct {
		net  uint64
		more string
		want snapshot.AgentCommand
	}{
		"a network of its own":    {2, "--overlay=true", snapshot.AgentCommand{Network: "own", Files: "own", NoNewPrivs: true}},
		"the network of the host": {1, "--overlay=true", snapshot.AgentCommand{Network: "shared", Files: "own", NoNewPrivs: true}},
		"its files are written":   {2, "--overlay2=none", snapshot.AgentCommand{Network: "own", Files: "shared", NoNewPrivs: true}},
	} {
		agent := proc(10, 1, 1, "", "claude")
		run := proc(11, 10, 1, "000001ffffffffff", "runsc", "do", "sleep", "100")
		list := []*process{
			proc(12, 11, 3, "000000000004001f", "runsc-gofer", "--root=/tmp/r", c.more, "gofer"),
			proc(13, 11, c.net, "0000003ffeffffff", "runsc-sandbox", "--root=/tmp/r", c.more, "boot"),
		}
		stub := proc(14, 13, c.net, "0000003ffeffffff", "")
		m := &measuring{s: s, agent: agent, below: map[int][]*process{11: list, 13: {stub}}, is: map[int]*snapshot.Agent{}, out: &snapshot.AgentSandbox{}}
		m.look(run, false)
		if len(m.out.Commands) != 1 {
			t.Fatalf("%s: %+v", name, m.out.Commands)
		}
		got := m.out.Commands[0]
		if got.Network != c.want.Network || got.Files != c.want.Files || got.NoNewPrivs != c.want.NoNewPrivs || got.Capabilities != "" {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	m := &measuring{s: s, agent: proc(10, 1, 1, "", "claude"), is: map[int]*snapshot.Agent{}, out: &snapshot.AgentSandbox{}}
	if m.look(proc(11, 10, 1, "", "runsc", "list"), false); len(m.out.Commands) > 0 {
		t.Errorf("runsc list: %+v", m.out.Commands)
	}
}

// TestCoveringMount: what a mount hides is not on the way: firejail --private mounts the home below a /home over which it mounts another.
func TestCoveringMount(t *testing.T) {
	mounts := parseMountinfo([]byte(`95 94 254:0 / / rw,relatime - ext4 /dev/vda rw
141 95 0:51 / /home rw,nosuid,nodev - tmpfs tmpfs rw,mode=755
142 141 254:0 /home/t3user /home/t3user rw,relatime - ext4 /dev/vda rw
164 141 0:53 / /home rw,nosuid,nodev,noexec - tmpfs tmpfs rw,mode=755
170 95 254:0 / /srv ro - ext4 /dev/vda rw
171 170 254:0 / /srv rw - ext4 /dev/vda rw
`))
	for p, want := range map[string]string{"/home/t3user/x": "164", "/home": "164", "/etc": "95", "/srv/a": "171"} {
		if got := covering(mounts, p); got == nil || got.id != want {
			t.Errorf("%s: %+v, want mount %s", p, got, want)
		}
	}
	if got := covering(mounts[2:3], "/home/t3user"); got == nil || got.id != "142" {
		t.Errorf("without its parents: %+v", got)
	}
}
