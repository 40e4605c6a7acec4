package judge

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestWhatAServiceGives: a listener that is taken for a runtime gives what it is itself: root alone gives root.
func TestWhatAServiceGives(t *testing.T) {
	root, mal := snapshot.Word{By: snapshot.ByRoot}, snapshot.WordOf(1001)
	for name, c := range map[string]struct {
		socket    int // its uid
		p         snapshot.Process
		port      int
		class     string
		gives     string
		container bool
	}{
		"root's daemon":           {0, snapshot.Process{Comm: "dockerd", Exe: "/usr/bin/dockerd", ExeWord: root}, 4243, "runtime-api", rootOnHost, false},
		"handed to root's daemon": {1001, snapshot.Process{Comm: "dockerd", Exe: "/usr/bin/dockerd", ExeWord: root}, 4243, "runtime-api", rootOnHost, false},
		"mal's of that name":      {1001, snapshot.Process{Comm: "dockerd", Exe: "/home/mal/dockerd", UID: 1001, ExeWord: mal}, 4243, "runtime-api", "uid 1001", false},
		"mal's on that port":      {1001, snapshot.Process{Comm: "x", Exe: "/home/mal/x", UID: 1001, ExeWord: mal}, 2375, "runtime-api", "uid 1001", false},
		"rootless":                {1001, snapshot.Process{Comm: "dockerd", Exe: "/usr/bin/dockerd", UID: 1001, ExeWord: root}, 2375, "runtime-api", "uid 1001", false},
		"a set-id program's":      {1001, snapshot.Process{Comm: "dockerd", Exe: "/usr/bin/su", ExeWord: root}, 2375, "runtime-api", "uid 1001", false},
		"a container's":           {0, snapshot.Process{Comm: "x", Exe: "/bin/x", ExeWord: root}, 2375, "runtime-api", "container c1", true},
		"mal's omi":               {1001, snapshot.Process{Comm: "omix", Exe: "/home/mal/omix", UID: 1001, ExeWord: mal}, 4243, "other", "uid 1001", false},
		"a link named omi":        {1001, snapshot.Process{Comm: "omix", Exe: "/bin/sleep", UID: 1001, ExeWord: root}, 4243, "other", "uid 1001", false},
		"the server of OMI":       {0, snapshot.Process{Comm: "omiserver", Exe: "/opt/omi/bin/omiserver", ExeWord: root}, 4243, "winrm", rootOnHost, false},
	} {
		s := fixtures.Host()
		c.p.PID, c.p.NS = 77, s.Processes.Init
		if c.container {
			c.p.Container, c.p.ContainerWord = "c1", root
		}
		s.Processes.List = append(s.Processes.List, c.p)
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{
			Netns: s.Network.HostNetns(), Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: c.port, UID: c.socket, OwnerState: "seen",
			Owners: []snapshot.Owner{{PID: 77, Comm: c.p.Comm}},
		})
		seen := false
		for _, svc := range build(t.Context(), s, zones.Config{}).doc.Services {
			if svc.Port != c.port {
				continue
			}
			if seen = true; svc.Class != c.class || svc.Gives != c.gives {
				t.Errorf("%s: %s %q, want %s %q", name, svc.Class, svc.Gives, c.class, c.gives)
			}
		}
		if !seen {
			t.Errorf("%s: no service", name)
		}
	}
}

// TestWhatAProxyGives: who reaches a proxy has what the socket behind it gives, also where a container has it mounted; one that may not use the socket leads
// nowhere.
func TestWhatAProxyGives(t *testing.T) {
	root := snapshot.Word{By: snapshot.ByRoot}
	for name, c := range map[string]struct {
		p     snapshot.Process
		leads string
		class string
		gives string
	}{
		"of root":                     {snapshot.Process{}, "/var/run/docker.sock", "runtime-api", rootOnHost},
		"of a member of the group":    {snapshot.Process{UID: 1001, GID: 1001, Groups: []int{998}}, "/run/docker.sock", "runtime-api", rootOnHost},
		"of a user who is none":       {snapshot.Process{UID: 1001, GID: 1001}, "/run/docker.sock", "other", "uid 1001"},
		"in a container":              {snapshot.Process{Container: "c1", ContainerWord: root}, "/mnt/api.sock", "runtime-api", rootOnHost},
		"to a container's own daemon": {snapshot.Process{Container: "c1", ContainerWord: root}, "/run/docker.sock", "runtime-api", "container c1"},
	} {
		s := fixtures.Host()
		c.p.PID, c.p.NS, c.p.Comm, c.p.Exe, c.p.ExeWord = 77, s.Processes.Init, "socat", "/usr/bin/socat", root
		s.Processes.List = append(s.Processes.List, c.p)
		s.Runtimes.Sockets = []snapshot.ControlSocket{{
			Path: "/run/docker.sock", Mode: 0o660, GID: 998, Word: root, Mounts: []snapshot.Mount{{PID: 77, Container: "c1", Path: "/mnt/api.sock"}},
		}}
		s.Runtimes.TLS = []snapshot.DaemonTLS{{PID: 77, Leads: c.leads, API: []string{":1"}, APIRead: &snapshot.Fact{State: snapshot.Present}, Verify: snapshot.Fact{State: snapshot.Present, Value: "false"}}}
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{
			Netns: s.Network.HostNetns(), Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 1, UID: c.p.UID, OwnerState: "seen", Owners: []snapshot.Owner{{PID: 77, Comm: "socat"}},
		})
		seen := false
		for _, svc := range build(t.Context(), s, zones.Config{}).doc.Services {
			if svc.Port == 1 {
				if seen = true; svc.Class != c.class || svc.Gives != c.gives {
					t.Errorf("%s: %s %q, want %s %q", name, svc.Class, svc.Gives, c.class, c.gives)
				}
			}
		}
		if !seen {
			t.Errorf("%s: no service", name)
		}
	}
}

// TestWhatASocketGives: what a user keeps gives that user, and what nobody vouches for is not known to give anything.
func TestWhatASocketGives(t *testing.T) {
	mal := snapshot.WordOf(1001)
	for name, c := range map[string]struct {
		s    snapshot.ControlSocket
		want string
	}{
		"root's":                  {snapshot.ControlSocket{Path: "/run/docker.sock", Word: snapshot.Word{By: snapshot.ByRoot}}, rootOnHost},
		"given to a user by root": {snapshot.ControlSocket{Path: "/run/docker.sock", UID: 1001, Word: snapshot.Word{By: snapshot.ByRoot}}, rootOnHost},
		"a user's":                {snapshot.ControlSocket{Path: "/run/user/1001/docker.sock", UID: 1001, Word: mal}, "uid 1001"},
		"a link of a user's":      {snapshot.ControlSocket{Path: "/run/user/1001/docker.sock", Word: mal}, "uid 1001"},
		"of an older snapshot":    {snapshot.ControlSocket{Path: "/run/user/1001/docker.sock", UID: 1001}, "uid 1001"},
		"anybody's":               {snapshot.ControlSocket{Path: "/run/docker.sock", Word: snapshot.Word{By: snapshot.ByOthers}}, ""},
	} {
		if got := socketGives(&c.s); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	s := fixtures.Host()
	s.Processes.List = append(s.Processes.List, snapshot.Process{PID: 77, Comm: "sh", Exe: "/bin/sh", UID: 1002, GID: 1002})
	s.Runtimes.Sockets = []snapshot.ControlSocket{{
		Runtime: "docker", Path: "/run/user/1001/docker.sock", UID: 1001, Mode: 0o777, Word: mal, Closed: true,
		Mounts: []snapshot.Mount{{PID: 77, Path: "/run/user/1001/docker.sock"}, {PID: 77, Path: "/tmp/docker.sock"}},
	}}
	d := build(t.Context(), s, zones.Config{}).doc.Sockets[0]
	if len(d.MountedIn) != 1 || d.MountedIn[0].Path != "/tmp/docker.sock" {
		t.Errorf("%+v, want what is not behind the user's directory", d.MountedIn)
	}
}

// TestWhatAnUnseenOwnerGives: a socket whose holder is not seen gives a container where that one has the network namespace to itself, and
// the host where anybody else is in it.
func TestWhatAnUnseenOwnerGives(t *testing.T) {
	root := snapshot.Word{By: snapshot.ByRoot}
	in := func(pid int, container string) snapshot.Process {
		p := snapshot.Process{PID: pid, Comm: "x", Exe: "/bin/x", ExeWord: root, Container: container}
		p.NS.Net = 7001
		if container != "" {
			p.ContainerWord = root
		}
		return p
	}
	for name, c := range map[string]struct {
		inside []snapshot.Process
		uid    int
		want   string
	}{
		"a container's alone":          {[]snapshot.Process{in(77, "c1"), in(78, "c1")}, 0, "container c1"},
		"a user's in a container":      {[]snapshot.Process{in(77, "c1")}, 1001, "uid 1001"},
		"of two containers":            {[]snapshot.Process{in(77, "c1"), in(78, "c2")}, 0, rootOnHost},
		"a process of the host's also": {[]snapshot.Process{in(77, "c1"), in(78, "")}, 0, rootOnHost},
		"nobody is in it":              {nil, 0, rootOnHost},
	} {
		s := fixtures.Host()
		behind(s, 7001, -1, nil)
		s.Processes.List = append(s.Processes.List, c.inside...)
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{Netns: 7001, Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 4243, UID: c.uid, OwnerState: "unknown"})
		found := false
		for _, svc := range build(t.Context(), s, zones.Config{}).doc.Services {
			if svc.Port == 4243 {
				found = true
				if svc.Gives != c.want {
					t.Errorf("%s: %q, want %q", name, svc.Gives, c.want)
				}
			}
		}
		if !found {
			t.Errorf("%s: no service", name)
		}
	}
}
