package reports_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

const (
	allCaps     = "000001ffffffffff"
	defaultCaps = "00000000a80425fb" // moby, daemon/pkg/oci/caps/defaults.go
)

// container is one of the scene.
type container struct {
	name         string
	caps         string
	privileged   bool
	hostPID      bool
	socket       bool // it has the control socket of the runtime
	unconfined   bool // without seccomp
	listens      int
	noNewPrivs   bool
	hostNetworks bool
}

// dockerHost is a host as many are: dockerd on TCP without certificates, an SSH server for everybody, no packet filter, six containers of which some
// may do more than they need. Somebody is logged in from the management network.
func dockerHost() *snapshot.Snapshot {
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	s.SSH.Sessions = []snapshot.SSHSession{{Local: "10.10.0.1:22", Remote: "10.10.0.9:50000", LoggedIn: snapshot.Yes}}
	own := s.Processes.List[0].NS.Net
	root := s.Processes.List[0]
	dockerd := root
	dockerd.PID, dockerd.Comm, dockerd.Exe, dockerd.Unit, dockerd.Cgroup = 700, "dockerd", "/usr/bin/dockerd", "docker.service", "/system.slice/docker.service"
	s.Processes.List = append(s.Processes.List, dockerd)
	listen := func(netns uint64, port, pid int, comm string) {
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{
			Netns: netns, Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: port, Inode: uint64(90000 + port), OwnerState: snapshot.OwnersSeen,
			Owners: []snapshot.Owner{{PID: pid, Comm: comm}},
		})
	}
	listen(own, 2375, 700, "dockerd")
	s.Runtimes.TLS = []snapshot.DaemonTLS{{PID: 700, Verify: snapshot.Fact{State: snapshot.Present, Value: "false"}, Source: "arguments"}}
	s.Runtimes.Sockets = append(s.Runtimes.Sockets, snapshot.ControlSocket{Path: "/run/docker.sock", Runtime: "docker", Mode: 0o660, UID: 0, GID: 999, Group: "docker"})
	for i, c := range []container{
		{name: "agent", caps: defaultCaps, socket: true},
		{name: "hostpid", caps: defaultCaps, hostPID: true},
		{name: "netadmin", caps: "00000000a80435fb", hostNetworks: true},
		{name: "strong", caps: allCaps, privileged: true, unconfined: true},
		{name: "web", caps: defaultCaps, listens: 8080},
		{name: "db", caps: defaultCaps, listens: 5432, unconfined: true},
	} {
		pid := 1000 + i
		id := strings.Repeat(fmt.Sprint(i+1), 64)
		p := root
		p.PID, p.Comm, p.Exe, p.Unit, p.Cgroup, p.Container, p.Runtime = pid, c.name, "/usr/bin/"+c.name, "", "/docker/"+id, id, "docker"
		p.CapPrm, p.CapEff, p.CapBnd, p.Seccomp, p.NoNewPrivs, p.PIDDepth = c.caps, c.caps, c.caps, 2, c.noNewPrivs, 2
		if c.unconfined {
			p.Seccomp = 0
		}
		n := uint64(4026540000 + 10*i)
		p.NS.Net, p.NS.PID, p.NS.Mnt, p.NS.IPC, p.NS.UTS = n, n+1, n+2, n+3, n+4
		spec := snapshot.Container{
			ID: id, Name: c.name, Image: c.name + ":1", Runtime: "docker", Running: true, PID: pid, Seccomp: !c.unconfined, MaskedPaths: 10,
			Spec: "/run/containerd/" + id + "/config.json", Privileged: c.privileged, AllDevices: c.privileged,
		}
		spec.KernelFiles = &snapshot.KernelFiles{Read: snapshot.Fact{State: snapshot.Present, Value: "mountinfo"}}
		if !c.unconfined {
			spec.Filter = &snapshot.SyscallFilter{Default: "SCMP_ACT_ERRNO"}
		}
		if c.hostPID {
			p.NS.PID, p.PIDDepth, spec.HostNS = root.NS.PID, 1, []string{"pid"}
		}
		if c.hostNetworks {
			p.NS.Net, spec.HostNS = own, []string{"network"}
		} else {
			s.Network.Links = append(s.Network.Links, snapshot.Link{Index: 100 + i, Name: "veth" + c.name, Kind: "veth", Up: true, Master: 4, PeerNetns: n})
		}
		if c.socket {
			spec.Mounts = []snapshot.ContainerMount{{Source: "/run/docker.sock", Dest: "/var/run/docker.sock", RW: true}}
		}
		if c.listens > 0 {
			listen(p.NS.Net, c.listens, pid, c.name)
		}
		s.Processes.List = append(s.Processes.List, p)
		s.Runtimes.Containers = append(s.Runtimes.Containers, spec)
	}
	s.Index()
	return s
}

// pageOf is what a person sees of the scene.
func pageOf(t *testing.T, o reports.Options) (string, *finding.Report) {
	t.Helper()
	return pageOfHost(t, dockerHost(), o)
}

func pageOfHost(t *testing.T, s *snapshot.Snapshot, o reports.Options) (string, *finding.Report) {
	t.Helper()
	p, err := judge.Load()
	if err != nil {
		t.Fatal(err)
	}
	cfg := new(judge.Config)
	r, err := judge.Judge(t.Context(), s, p, cfg, "1")
	if err != nil {
		t.Fatal(err)
	}
	r.Actions = remedy.Actions(r, s, cfg.Zones)
	table, err := reports.Named("table")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := table.Write(&b, []*finding.Report{r}, o); err != nil {
		t.Fatal(err)
	}
	return b.String(), r
}

// TestSceneOnAPage: a Docker host with 32 findings and more is 80 lines of 100 columns, and nothing is lost that somebody needs to act: every finding that is
// not of little weight is named by its check and its object, with the number of what closes it or the words for it, and every command is whole.
func TestSceneOnAPage(t *testing.T) {
	text, r := pageOf(t, reports.Options{})
	c, n := r.Count(), 0
	for _, of := range c.Findings {
		n += of
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if n < 32 || len(lines) > 80 {
		t.Errorf("%d findings, %d unknown in %d lines\n%s", n, c.Unknown, len(lines), text)
	}
	for _, l := range lines {
		if len([]rune(l)) > 100 {
			t.Errorf("%q is %d columns wide", l, len([]rune(l)))
		}
	}
	flat := strings.Join(strings.Fields(text), " ")
	for i := range r.Results {
		for _, f := range r.Results[i].Findings {
			if finding.Rank(f.Severity) >= finding.Rank("low") || r.Results[i].Status != finding.Fail {
				continue
			}
			object := strings.TrimPrefix(strings.TrimPrefix(f.Resource.Key, "input from "), "forward ")
			if !strings.Contains(flat, f.Message) && !strings.Contains(flat, object) && !strings.Contains(flat, "the "+f.Zone+" zone") {
				t.Errorf("%s: %s %s is not on the page", r.Results[i].ID, f.Resource.Kind, f.Resource.Key)
			}
			if !slices.ContainsFunc(r.Actions, func(a finding.Action) bool { return slices.Contains(a.Closes, f.Fingerprint) }) {
				t.Errorf("%s: %s: nothing is said to close it", r.Results[i].ID, f.Resource.Key)
			}
		}
	}
	for i, a := range r.Actions {
		if a.Severity == "low" || a.Severity == "info" {
			continue
		}
		if a.Command != "" && !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, a.Command+" ") || strings.HasSuffix(l, a.Command) }) {
			t.Errorf("the command %q is not whole on a line", a.Command)
		}
		if len(regexp.MustCompile(fmt.Sprintf(`(?m)^ *([0-9]+,)*%d(,[0-9]+)*  `, i+1)).FindAllString(text, -1)) < 2 {
			t.Errorf("nothing refers to %d", i+1)
		}
	}
}

// TestOneActionClosesWhatFollows: the port of the runtime is named by one thing to do, which closes the ways to root by it too, and no row says it again.
func TestOneActionClosesWhatFollows(t *testing.T) {
	text, r := pageOf(t, reports.Options{})
	first, rest, _ := strings.Cut(text, "\nCRITICAL")
	if n := strings.Count(first, "2375") + strings.Count(first, "tcp://"); n != 1 {
		t.Errorf("the list of what to do names the port %d times:\n%s", n, first)
	}
	if strings.Contains(rest, "-> change who reaches") {
		t.Errorf("a row repeats it:\n%s", rest)
	}
	i := slices.IndexFunc(r.Actions, func(a finding.Action) bool { return strings.Contains(a.Text, "tcp://") })
	if i < 0 || len(r.Actions[i].Closes) < 3 || len(r.Actions[i].Shares) == 0 {
		t.Fatalf("%+v", r.Actions)
	}
	rows := regexp.MustCompile(`(?m)^ *[0-9,]+  container .*becomes root of the host`).FindAllString(rest, -1)
	if len(rows) != 1 {
		t.Errorf("the ways to root are %d rows with numbers, want one:\n%s", len(rows), rest)
	}
}

// TestRowOfTwoActions: without a login from there one row is about what three actions close, of which one is for the container in the host's own network
// that no rule about a port keeps out. Their numbers are wider than others. It keeps to its columns.
func TestRowOfTwoActions(t *testing.T) {
	s := dockerHost()
	s.SSH.Sessions = nil
	text, _ := pageOfHost(t, s, reports.Options{})
	if !strings.Contains(text, "\n1,2,3  the SSH server") || !strings.Contains(text, "\n 3  give what runs in the network namespace of the host one of its own") {
		t.Fatalf("no row of several actions:\n%s", text)
	}
	for l := range strings.Lines(text) {
		if n := len([]rune(strings.TrimSuffix(l, "\n"))); n > 100 {
			t.Errorf("%q is %d columns wide", l, n)
		}
	}
}

// TestVerboseHasAll: with -v every finding has a row of its own with all of its evidence.
func TestVerboseHasAll(t *testing.T) {
	text, r := pageOf(t, reports.Options{Verbose: true, Width: 200})
	flat := strings.Join(strings.Fields(text), " ")
	for i := range r.Results {
		for _, f := range r.Results[i].Findings {
			for _, e := range append(slices.Clone(f.Evidence), f.Message) {
				if !strings.Contains(flat, strings.Join(strings.Fields(reports.Clean(e, false)), " ")) {
					t.Errorf("%s: %q is not there", r.Results[i].ID, e)
				}
			}
		}
	}
}
