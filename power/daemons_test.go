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
