package power_test

import (
	"testing"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
)

// TestSocketsOfDaemons: who may speak to a daemon of root that is not known, by a file that is seen or by a name in the same network, is not known to get
// nothing; of one that is known nothing is gained.
func TestSocketsOfDaemons(t *testing.T) {
	all := []snapshot.Permit{{Who: snapshot.PermitAll, At: "/run/a/sock"}}
	inner := boxed(agent, 0)
	shared := inner
	shared.InNet = true
	mounted := func(rw bool) *snapshot.Container {
		return &snapshot.Container{ID: "c1", Word: snapshot.Word{By: snapshot.ByRoot}, Mounts: []snapshot.ContainerMount{{Source: "/run/a", Dest: "/a", RW: rw}}}
	}
	bare := &snapshot.Container{ID: "c1", Word: snapshot.Word{By: snapshot.ByRoot}}
	for name, c := range map[string]struct {
		path, by string
		permits  []snapshot.Permit
		gates    []snapshot.Gate
		state    power.State
		in       *snapshot.Container
		want     power.Verdict
	}{
		"of everybody":              {"/run/a/sock", "ad", all, nil, onHost(), nil, power.Unknown},
		"of its group":              {"/run/a/sock", "ad", []snapshot.Permit{{Who: snapshot.PermitGroup, ID: staff, At: "/run/a/sock"}}, nil, onHost(), nil, power.Unknown},
		"of another group":          {"/run/a/sock", "ad", []snapshot.Permit{{Who: snapshot.PermitGroup, ID: disks, At: "/run/a/sock"}}, nil, onHost(), nil, power.No},
		"behind a door":             {"/run/a/sock", "ad", all, []snapshot.Gate{{At: "/run/a"}}, onHost(), nil, power.No},
		"of a known daemon":         {"/run/systemd/journal/stdout", "systemd-journald", all, nil, onHost(), nil, power.No},
		"of one of such a name":     {"/run/systemd/journal/stdout", "/opt/systemd-journald", all, nil, onHost(), nil, power.Unknown},
		"SSH of the first process":  {"/run/ssh-unix-local/socket", "systemd", all, nil, onHost(), nil, power.No},
		"images of systemd":         {"/run/systemd/io.systemd.MountFileSystem", "systemd-mountfsd", all, nil, onHost(), nil, power.No},
		"passwords of sssd":         {"/var/lib/sss/pipes/pam", "systemd", all, nil, onHost(), nil, power.No},
		"virtual machines, to read": {"/run/libvirt/libvirt-sock-ro", "systemd", all, nil, onHost(), nil, power.No},
		"one that others are given": {"/run/a/sock", "systemd", all, nil, onHost(), nil, power.Unknown},
		"printers":                  {"/run/cups/cups.sock", "cupsd", all, nil, onHost(), nil, power.No},
		"printers that are files":   {"/run/cups/cups.sock", "/usr/sbin/cupsd", all, nil, onHost(), nil, power.Unknown},
		"packets of NetBIOS":        {"/run/samba/nmbd/unexpected", "nmbd", all, nil, onHost(), nil, power.No},
		"another of a known daemon": {"/run/a/sock", "systemd-journald", all, nil, onHost(), nil, power.Unknown},
		"mounted":                   {"/run/a/sock", "ad", all, nil, inner, mounted(true), power.Unknown},
		"mounted to read":           {"/run/a/sock", "ad", all, nil, inner, mounted(false), power.Unknown},
		"not mounted":               {"/run/a/sock", "ad", all, nil, inner, bare, power.No},
		"a name":                    {"@a", "ad", []snapshot.Permit{{Who: snapshot.PermitAll, At: "@a"}}, nil, onHost(), nil, power.Unknown},
		"a name of a known daemon":  {"@/org/kernel/linux/storage/multipathd", "multipathd", []snapshot.Permit{{Who: snapshot.PermitAll, At: "@"}}, nil, onHost(), nil, power.No},
		"a name in the network":     {"@a", "ad", []snapshot.Permit{{Who: snapshot.PermitAll, At: "@a"}}, nil, shared, bare, power.Unknown},
		"a name in another network": {"@a", "ad", []snapshot.Permit{{Who: snapshot.PermitAll, At: "@a"}}, nil, inner, bare, power.No},
	} {
		s := quiet()
		s.Powers.Files = []snapshot.LeverFile{{Path: c.path, Kind: snapshot.LeverSocket, By: c.by, Trigger: snapshot.TriggerNone, Permits: c.permits, Gates: c.gates, Unsure: "not followed"}}
		if c.in != nil {
			s.Runtimes.Containers = []snapshot.Container{*c.in}
		}
		a := answer(t, s, c.state, power.Root)
		if a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, texts(a.Path), a.Because)
		}
		if c.want != power.No {
			continue
		}
		s.Powers.Files[0].By, s.Powers.Files[0].Gates = "another", nil
		s.Powers.Files[0].Permits = []snapshot.Permit{{Who: snapshot.PermitAll, At: c.path}}
		if err := power.Check(s, nil, &a); err == nil && c.in == nil {
			t.Errorf("%s: the certificate is taken where the socket is one of everybody of a daemon that is not known", name)
		}
	}
}

// TestSocketsInContainers: root of a container speaks to what is mounted in it as root, also to what is root's alone on the host and to daemons that
// do nothing for others; in a user namespace of its own it is somebody else.
func TestSocketsInContainers(t *testing.T) {
	const agentOf = "/tmp/ssh-x/agent.7"
	root, user, own, weak := boxed(0, 0xa80425fb), boxed(agent, 0), boxed(0, 0xa80425fb), boxed(0, 0)
	own.OwnUser = true
	its := []snapshot.Permit{{Who: snapshot.PermitUser, ID: 1077, At: agentOf}}
	shut := []snapshot.Gate{{At: "/tmp/ssh-x", Permits: []snapshot.Permit{{Who: snapshot.PermitUser, ID: 1077, At: "/tmp/ssh-x"}}}}
	for name, c := range map[string]struct {
		path, by string
		uid      int
		source   string
		state    power.State
		want     power.Verdict
	}{
		"root's alone":                       {"/run/a/sock", "ad", 0, "/run/a", root, power.Unknown},
		"the socket itself":                  {"/var/run/a/sock", "ad", 0, "/run/a/sock", root, power.Unknown},
		"by the link":                        {"/run/a/sock", "ad", 0, "/var/run/a", root, power.Unknown},
		"another directory":                  {"/run/a/sock", "ad", 0, "/run/ab", root, power.No},
		"without capabilities":               {"/run/a/sock", "ad", 0, "/run/a", weak, power.Unknown},
		"somebody in it":                     {"/run/a/sock", "ad", 0, "/run/a", user, power.No},
		"in a user namespace of its own":     {"/run/a/sock", "ad", 0, "/run/a", own, power.No},
		"the first process":                  {"/run/systemd/private", "systemd", 0, "/run/systemd/private", root, power.Unknown},
		"the bus":                            {"/run/dbus/system_bus_socket", "systemd", 0, "/run/dbus", root, power.Unknown},
		"the bus, for somebody":              {"/run/dbus/system_bus_socket", "systemd", 0, "/run/dbus", user, power.No},
		"the log":                            {"/run/systemd/journal/stdout", "systemd-journald", 0, "/run/systemd/journal", root, power.No},
		"another by the name of the log":     {"/run/systemd/journal/stdout", "ad", 0, "/run/systemd/journal", root, power.Unknown},
		"an agent of SSH":                    {agentOf, "ssh-agent", 1077, "/tmp/ssh-x", root, power.Unknown},
		"an agent, without capabilities":     {agentOf, "ssh-agent", 1077, "/tmp/ssh-x", weak, power.No},
		"an agent, for somebody":             {agentOf, "ssh-agent", 1077, "/tmp/ssh-x", user, power.No},
		"a known program, of a user":         {"/run/systemd/journal/x", "systemd-journald", 1077, "/run/systemd/journal", root, power.Unknown},
		"an agent, in its own namespace too": {agentOf, "ssh-agent", 1077, "/tmp/ssh-x", own, power.No},
	} {
		s := quiet()
		s.Powers.Accounts = append(s.Powers.Accounts, snapshot.Account{Name: "carl", UID: 1077, GID: 1077, Login: true})
		s.Powers.Sudo = append(s.Powers.Sudo, snapshot.SudoRule{Users: []string{"carl"}, Commands: []snapshot.SudoCommand{{Text: "ALL"}}})
		f := snapshot.LeverFile{Path: c.path, Kind: snapshot.LeverSocket, By: c.by, UID: c.uid, Trigger: snapshot.TriggerNone, Unsure: "not followed"}
		if c.uid != 0 {
			f.Permits, f.Gates = its, shut
		}
		s.Powers.Files = []snapshot.LeverFile{f}
		s.Runtimes.Containers = []snapshot.Container{{ID: "c1", Word: snapshot.Word{By: snapshot.ByRoot}, Mounts: []snapshot.ContainerMount{{Source: c.source, Dest: "/a"}}}}
		a := answer(t, s, c.state, power.Root)
		if a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, texts(a.Path), a.Because)
		}
		if c.want != power.No || c.state.UID != 0 || c.state.OwnUser {
			continue
		}
		s.Powers.Files[0] = snapshot.LeverFile{Path: c.source + "/x", Kind: snapshot.LeverSocket, By: "another", Trigger: snapshot.TriggerNone}
		if err := power.Check(s, nil, &a); err == nil {
			t.Errorf("%s: the certificate is taken where a socket of root is mounted", name)
		}
	}
}

// TestSocketsBesideSecrets: root of a container in which the whole host is mounted to be read speaks to its sockets, and the answer names one.
func TestSocketsBesideSecrets(t *testing.T) {
	s := quiet()
	s.Powers.Files = []snapshot.LeverFile{{
		Path: "/run/a/sock", Kind: snapshot.LeverSocket, By: "ad", Trigger: snapshot.TriggerNone, Unsure: "not followed", Permits: []snapshot.Permit{{Who: snapshot.PermitAll, At: "/run/a/sock"}},
	}}
	s.Runtimes.Containers = []snapshot.Container{{ID: "c1", Word: snapshot.Word{By: snapshot.ByRoot}, Mounts: []snapshot.ContainerMount{{Source: "/", Dest: "/host"}}}}
	if a := answer(t, s, boxed(root, 0xa80425fb), power.Root); a.Verdict != power.Unknown || len(a.Path) != 1 || a.Because[0] != "not followed" {
		t.Errorf("root: %s by %v, %v", a.Verdict, texts(a.Path), a.Because)
	}
	if a := answer(t, s, boxed(root, 0xa80425fb), power.Secret); a.Verdict != power.Yes {
		t.Errorf("secrets: %s by %v, %v", a.Verdict, texts(a.Path), a.Because)
	}
}
