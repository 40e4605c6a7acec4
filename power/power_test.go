package power_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

const (
	root  = 0
	agent = 1000
	other = 1001
	staff = 50
	disks = 6
)

// quiet is a host on which nobody becomes more than they are.
func quiet() *snapshot.Snapshot {
	s := &snapshot.Snapshot{}
	for _, c := range snapshot.Collectors() {
		s.Coverage = append(s.Coverage, snapshot.Coverage{Collector: c, Status: snapshot.OK})
	}
	s.Processes.Init, s.Processes.CapBnd = snapshot.NS{User: 1, Net: 2, PID: 3, Mnt: 4}, "000001ffffffffff"
	s.Powers = snapshot.Powers{
		Searched: snapshot.SearchedAll, SudoRead: snapshot.Fact{State: snapshot.Present}, PolkitRead: snapshot.Fact{State: snapshot.Present},
		BusRead: snapshot.Fact{State: snapshot.Present},
		Accounts: []snapshot.Account{
			{Name: "root", UID: root, Login: true},
			{Name: "ann", UID: agent, GID: agent, Groups: []int{staff}, Login: true},
			{Name: "bob", UID: other, GID: other, Login: true},
		},
		Groups: []snapshot.NamedGroup{{Name: "staff", GID: staff}, {Name: "disk", GID: disks}},
		Sudo:   []snapshot.SudoRule{{Users: []string{"root"}, As: []string{"ALL"}, Commands: []snapshot.SudoCommand{{Text: "ALL"}}}},
		Programs: []snapshot.GainProgram{
			{Path: "/usr/bin/sudo", SetUID: new(int), Mode: 0o755},
			{Path: "/usr/bin/passwd", SetUID: new(int), Mode: 0o755},
			{Path: "/usr/bin/pkexec", SetUID: new(int), Mode: 0o755},
		},
	}
	return s
}

// onHost is a process of the host.
func onHost() power.State {
	return power.State{UID: agent, Groups: []int{agent, staff}, Place: power.OnHost, HostPID: true, HostNet: true, InNet: true}
}

// boxed is a process of a container.
func boxed(uid int, caps uint64) power.State {
	return power.State{UID: uid, Groups: []int{uid}, Caps: caps, Place: power.InContainer, Container: "c1"}
}

func file(path string, kind snapshot.LeverKind, uid int, trigger snapshot.Trigger, permits ...snapshot.Permit) snapshot.LeverFile {
	return snapshot.LeverFile{Path: path, Kind: kind, By: "a.service", UID: uid, Trigger: trigger, Permits: permits}
}

// exported adds an export of NFS.
func exported(x snapshot.RootExport) func(*snapshot.Snapshot, *power.State) {
	return func(s *snapshot.Snapshot, _ *power.State) { s.Powers.Exports = append(s.Powers.Exports, x) }
}

// libraryOf is a directory in which a program looks for libraries.
func libraryOf(program string, permits ...snapshot.Permit) snapshot.LeverFile {
	f := file("/opt/lib", snapshot.LeverSearch, root, snapshot.TriggerOperator, permits...)
	f.Of = program
	return f
}

func ofUser(uid int, at string) snapshot.Permit {
	return snapshot.Permit{Who: snapshot.PermitUser, ID: uid, At: at}
}

func ofGroup(gid int, at string) snapshot.Permit {
	return snapshot.Permit{Who: snapshot.PermitGroup, ID: gid, At: at}
}

// answer asks whether a state gets to a goal. A no has a certificate that is accepted.
func answer(t *testing.T, s *snapshot.Snapshot, st power.State, goal power.Goal, apis ...power.API) power.Answer {
	t.Helper()
	for _, a := range power.New(s, apis).Ask(power.Principal{Key: "p", Name: "p", State: st}) {
		if a.Goal != goal {
			continue
		}
		if a.Verdict == power.No {
			if err := power.Check(s, apis, &a); err != nil {
				t.Errorf("the certificate: %v", err)
			}
		}
		return a
	}
	t.Fatal("no answer")
	return power.Answer{}
}

// TestWhatTheKernelTakesFromEverybody: modules that cannot be loaded until the next start are no way, and where they have to be signed, or nobody attaches to
// a process, it is not known to be one.
func TestWhatTheKernelTakesFromEverybody(t *testing.T) {
	fact := func(value string) snapshot.Fact { return snapshot.Fact{State: snapshot.Present, Value: value} }
	for name, c := range map[string]struct {
		capability int
		sysctl     string
		value      string
		facts      map[string]snapshot.Fact
		want       power.Verdict
	}{
		"modules":                 {16, "kernel/modules_disabled", "0", nil, power.Yes},
		"no modules":              {16, "kernel/modules_disabled", "1", nil, power.No},
		"another kernel":          {22, "kernel/kexec_load_disabled", "0", nil, power.Unknown},
		"no other kernel":         {22, "kernel/kexec_load_disabled", "1", nil, power.No},
		"built without modules":   {16, "kernel/modules_disabled", "", nil, power.No},
		"built without kexec":     {22, "kernel/kexec_load_disabled", "", nil, power.No},
		"signed modules":          {16, "kernel/modules_disabled", "0", map[string]snapshot.Fact{"moduleSignatures": fact("Y")}, power.Unknown},
		"lockdown":                {16, "kernel/modules_disabled", "0", map[string]snapshot.Fact{"lockdown": fact("none [integrity] confidentiality")}, power.Unknown},
		"no lockdown":             {16, "kernel/modules_disabled", "0", map[string]snapshot.Fact{"lockdown": fact("[none] integrity confidentiality")}, power.Yes},
		"processes":               {19, "kernel/yama/ptrace_scope", "0", nil, power.Yes},
		"children alone":          {19, "kernel/yama/ptrace_scope", "1", nil, power.Yes},
		"by the capability alone": {19, "kernel/yama/ptrace_scope", "2", nil, power.Yes},
		"nobody attaches":         {19, "kernel/yama/ptrace_scope", "3", nil, power.Unknown},
	} {
		s := quiet()
		s.Kernel.Sysctls, s.Kernel.Facts = map[string]snapshot.Fact{c.sysctl: fact(c.value), "kernel/core_pattern": fact("core")}, c.facts
		if c.value == "" {
			s.Kernel.Sysctls[c.sysctl] = snapshot.Fact{State: snapshot.Absent}
		}
		st := onHost()
		st.Caps = 1 << c.capability
		if a := answer(t, s, st, power.Root); a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, a.Path, a.Because)
		}
	}
}

// TestWays: each thing that gives somebody more is a way, and without it there is none.
func TestWays(t *testing.T) {
	all := snapshot.Permit{Who: snapshot.PermitAll, At: "/opt"}
	sudo := func(user, as, command string, password bool) func(*snapshot.Snapshot, *power.State) {
		return func(s *snapshot.Snapshot, _ *power.State) {
			r := snapshot.SudoRule{Users: []string{user}, Commands: []snapshot.SudoCommand{{Text: command}}, Password: password}
			if as != "" {
				r.As = []string{as}
			}
			s.Powers.Sudo = append(s.Powers.Sudo, r)
		}
	}
	lever := func(f snapshot.LeverFile) func(*snapshot.Snapshot, *power.State) {
		return func(s *snapshot.Snapshot, _ *power.State) { s.Powers.Files = append(s.Powers.Files, f) }
	}
	program := func(p snapshot.GainProgram) func(*snapshot.Snapshot, *power.State) {
		return func(s *snapshot.Snapshot, _ *power.State) { s.Powers.Programs = append(s.Powers.Programs, p) }
	}
	with := func(list ...func(*snapshot.Snapshot, *power.State)) func(*snapshot.Snapshot, *power.State) {
		return func(s *snapshot.Snapshot, st *power.State) {
			for _, f := range list {
				f(s, st)
			}
		}
	}
	state := func(change func(*power.State)) func(*snapshot.Snapshot, *power.State) {
		return func(_ *snapshot.Snapshot, st *power.State) { change(st) }
	}
	container := func(c snapshot.Container, st power.State) func(*snapshot.Snapshot, *power.State) {
		return func(s *snapshot.Snapshot, to *power.State) {
			c.ID = "c1"
			if c.Unread == "" {
				c.KernelFiles = &snapshot.KernelFiles{Read: snapshot.Fact{State: snapshot.Present}}
			}
			s.Runtimes.Containers = append(s.Runtimes.Containers, c)
			*to = st
		}
	}
	nnp := state(func(st *power.State) { st.NoNewPrivs = true })
	find := snapshot.GainProgram{Path: "/usr/local/bin/find", SetUID: new(int), Mode: 0o755}
	gid := disks
	for name, c := range map[string]struct {
		change  func(*snapshot.Snapshot, *power.State)
		goal    power.Goal
		want    power.Verdict
		trigger snapshot.Trigger
	}{
		"nothing":                                  {nil, power.Root, power.No, snapshot.TriggerNone},
		"a script of a unit":                       {lever(file("/opt/a", snapshot.LeverProgram, root, snapshot.TriggerTimer, ofUser(agent, "/opt/a"))), power.Root, power.Yes, snapshot.TriggerTimer},
		"a directory above it":                     {lever(file("/opt/a", snapshot.LeverProgram, root, snapshot.TriggerRestart, all)), power.Root, power.Yes, snapshot.TriggerRestart},
		"behind a directory of others":             {lever(snapshot.LeverFile{Path: "/opt/d/a", Kind: snapshot.LeverProgram, Permits: []snapshot.Permit{{Who: snapshot.PermitAll, At: "/opt/d/a"}}, Gates: []snapshot.Gate{{At: "/opt/d", Permits: []snapshot.Permit{ofGroup(disks, "/opt/d")}}}}), power.Root, power.No, snapshot.TriggerNone},
		"behind a directory of its group":          {lever(snapshot.LeverFile{Path: "/opt/d/a", Kind: snapshot.LeverProgram, Permits: []snapshot.Permit{{Who: snapshot.PermitAll, At: "/opt/d/a"}}, Gates: []snapshot.Gate{{At: "/opt/d", Permits: []snapshot.Permit{ofGroup(staff, "/opt/d")}}}}), power.Root, power.Yes, snapshot.TriggerNone},
		"behind a directory of others, in a mount": {with(lever(snapshot.LeverFile{Path: "/opt/d/e/a", Kind: snapshot.LeverProgram, Permits: []snapshot.Permit{{Who: snapshot.PermitAll, At: "/opt"}, {Who: snapshot.PermitAll, At: "/opt/d/e/a"}}, Gates: []snapshot.Gate{{At: "/opt/d"}}}), container(snapshot.Container{Mounts: []snapshot.ContainerMount{{Source: "/opt/d/e", Dest: "/e", RW: true}}}, boxed(agent, 0))), power.Root, power.Yes, snapshot.TriggerNone},
		"of another user":                          {lever(file("/opt/a", snapshot.LeverProgram, root, snapshot.TriggerTimer, ofUser(other, "/opt/a"))), power.Root, power.No, snapshot.TriggerNone},
		"by a group":                               {lever(file("/opt/a", snapshot.LeverUnit, root, snapshot.TriggerTimer, ofGroup(staff, "/opt/a"))), power.Root, power.Yes, snapshot.TriggerTimer},
		"by another user, who gets root":           {with(lever(file("/opt/b", snapshot.LeverProgram, other, snapshot.TriggerTimer, ofUser(agent, "/opt/b"))), lever(file("/opt/a", snapshot.LeverProgram, root, snapshot.TriggerRestart, ofUser(other, "/opt/a")))), power.Root, power.Yes, snapshot.TriggerRestart},
		"by another user, who gets nothing":        {lever(file("/opt/b", snapshot.LeverProgram, other, snapshot.TriggerTimer, ofUser(agent, "/opt/b"))), power.Root, power.No, snapshot.TriggerNone},
		"permissions that were not read":           {lever(snapshot.LeverFile{Path: "/opt/a", Kind: snapshot.LeverProgram, Trigger: snapshot.TriggerTimer, Unread: "denied"}), power.Root, power.Unknown, snapshot.TriggerTimer},
		"a file of the filter":                     {lever(file("/etc/nftables.conf", snapshot.LeverFilter, root, snapshot.TriggerRestart, ofUser(agent, "/etc/nftables.conf"))), power.Filter, power.Yes, snapshot.TriggerRestart},
		"a file of the filter is not root":         {lever(file("/etc/nftables.conf", snapshot.LeverFilter, root, snapshot.TriggerRestart, ofUser(agent, "/etc/nftables.conf"))), power.Root, power.No, snapshot.TriggerNone},
		"a secret":                                 {lever(file("/etc/shadow", snapshot.LeverSecret, root, snapshot.TriggerNone, ofGroup(staff, "/etc/shadow"))), power.Secret, power.Yes, snapshot.TriggerNone},
		"sudo of all, with a password":             {sudo("ann", "", "ALL", true), power.Root, power.Yes, snapshot.TriggerOperator},
		"sudo of all, without":                     {sudo("%staff", "root", "ALL", false), power.Root, power.Yes, snapshot.TriggerNone},
		"sudo of somebody else":                    {sudo("bob", "root", "ALL", false), power.Root, power.No, snapshot.TriggerNone},
		"sudo of find":                             {sudo("#1000", "root", "/usr/bin/find", false), power.Root, power.Yes, snapshot.TriggerNone},
		"sudo of tee with a star":                  {sudo("ann", "root", "/usr/bin/tee /etc/motd*", false), power.Root, power.Yes, snapshot.TriggerNone},
		"sudo of tee to one file":                  {sudo("ann", "root", "/usr/bin/tee /etc/motd", false), power.Root, power.Unknown, snapshot.TriggerNone},
		"sudo of a program that is not known":      {sudo("ann", "root", "/opt/backup", false), power.Root, power.Unknown, snapshot.TriggerNone},
		"sudo of a program that it can change":     {with(sudo("ann", "root", "/opt/backup", false), lever(file("/opt/backup", snapshot.LeverProgram, other, snapshot.TriggerOperator, ofUser(agent, "/opt/backup")))), power.Root, power.Yes, snapshot.TriggerNone},
		"sudo of a pattern of tee":                 {sudo("ann", "root", "/usr/bin/tee ^/etc/motd[0-9]*$", false), power.Root, power.Unknown, snapshot.TriggerNone},
		"sudo of a directory":                      {sudo("ann", "root", "/opt/tools/", false), power.Root, power.Unknown, snapshot.TriggerNone},
		"sudo of /usr/bin":                         {sudo("ann", "root", "/usr/bin/", false), power.Root, power.Yes, snapshot.TriggerNone},
		"sudo of a netgroup": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Sudo = []snapshot.SudoRule{{Users: []string{"+admins"}, Commands: []snapshot.SudoCommand{{Text: "ALL"}}, Partly: "who is in it is not known"}}
		}, power.Root, power.Unknown, snapshot.TriggerNone},
		"sudo as somebody who gets nothing":        {sudo("ann", "bob", "ALL", false), power.Root, power.No, snapshot.TriggerNone},
		"sudo without new privileges, and a login": {with(sudo("ann", "root", "ALL", false), nnp), power.Root, power.Yes, snapshot.TriggerLogin},
		"sudo that was not read":                   {func(s *snapshot.Snapshot, _ *power.State) { s.Powers.SudoRead = snapshot.Fact{State: snapshot.Denied} }, power.Root, power.Unknown, snapshot.TriggerNone},
		"polkit, of its group": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Polkit = []snapshot.PolkitGrant{{Action: "org.freedesktop.systemd1.manage-units", Groups: []string{"staff"}}}
		}, power.Root, power.Yes, snapshot.TriggerNone},
		"polkit, without new privileges": {with(func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Polkit = []snapshot.PolkitGrant{{Users: []string{"ann"}}}
		}, nnp), power.Root, power.Yes, snapshot.TriggerNone},
		"polkit, of another group": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Polkit = []snapshot.PolkitGrant{{Action: "org.freedesktop.systemd1.manage-units", Groups: []string{"disk"}}}
		}, power.Root, power.No, snapshot.TriggerNone},
		"polkit, of an action of no matter": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Polkit = []snapshot.PolkitGrant{{Action: "org.freedesktop.login1.reboot", Session: true}}
		}, power.Root, power.No, snapshot.TriggerNone},
		"polkit, of one unit": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Polkit = []snapshot.PolkitGrant{{Action: "org.freedesktop.systemd1.manage-units", Groups: []string{"staff"}, Narrower: true}}
		}, power.Root, power.No, snapshot.TriggerNone},
		"polkit, of one program": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Polkit = []snapshot.PolkitGrant{{Action: "org.freedesktop.policykit.exec", Groups: []string{"staff"}, Narrower: true}}
		}, power.Root, power.Unknown, snapshot.TriggerNone},
		"polkit, of some details of every action": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Polkit = []snapshot.PolkitGrant{{Users: []string{"ann"}, Narrower: true}}
		}, power.Root, power.Unknown, snapshot.TriggerNone},
		"polkit, at the machine itself": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Polkit = []snapshot.PolkitGrant{{Action: "org.freedesktop.systemd1.manage-units", Users: []string{"ann"}, Session: true}}
		}, power.Root, power.Yes, snapshot.TriggerLogin},
		"polkit, of a file that is a program": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Powers.Polkit = []snapshot.PolkitGrant{{File: "/etc/x.rules", Unread: "it is a program"}}
		}, power.Root, power.Unknown, snapshot.TriggerNone},
		"a setuid find":                                           {program(find), power.Root, power.Yes, snapshot.TriggerNone},
		"a setuid program that is not known":                      {program(snapshot.GainProgram{Path: "/opt/x", SetUID: new(int), Mode: 0o755}), power.Root, power.Unknown, snapshot.TriggerNone},
		"a setuid program of others":                              {program(snapshot.GainProgram{Path: "/opt/find", SetUID: new(int), Mode: 0o750, GID: disks}), power.Root, power.No, snapshot.TriggerNone},
		"a setgid program, and what the group gets":               {with(program(snapshot.GainProgram{Path: "/opt/vim", SetGID: &gid, Mode: 0o755}), lever(file("/dev/sda", snapshot.LeverDevice, root, snapshot.TriggerNone, ofGroup(disks, "/dev/sda")))), power.Root, power.Yes, snapshot.TriggerNone},
		"perl with cap_setuid":                                    {program(snapshot.GainProgram{Path: "/usr/bin/perl", Caps: "0000000000000080", Mode: 0o755}), power.Root, power.Yes, snapshot.TriggerNone},
		"a setuid program that loads what they write":             {with(program(snapshot.GainProgram{Path: "/usr/bin/chage", SetUID: new(int), Mode: 0o755}), lever(libraryOf("/usr/bin/chage", ofGroup(staff, "/opt/lib")))), power.Root, power.Yes, snapshot.TriggerNone},
		"a setuid program that loads what others write":           {with(program(snapshot.GainProgram{Path: "/usr/bin/chage", SetUID: new(int), Mode: 0o755}), lever(libraryOf("/usr/bin/chage", ofGroup(disks, "/opt/lib")))), power.Root, power.No, snapshot.TriggerNone},
		"a library of a setuid program, without new privileges":   {with(state(func(st *power.State) { st.NoNewPrivs = true }), program(snapshot.GainProgram{Path: "/usr/bin/chage", SetUID: new(int), Mode: 0o755}), lever(libraryOf("/usr/bin/chage", ofGroup(staff, "/opt/lib")))), power.Root, power.Yes, snapshot.TriggerLogin},
		"a setuid program that loads where it is started":         {program(snapshot.GainProgram{Path: "/usr/bin/chage", SetUID: new(int), Mode: 0o755, LoadsHere: true}), power.Root, power.Yes, snapshot.TriggerNone},
		"a setuid program whose libraries are not known":          {program(snapshot.GainProgram{Path: "/usr/bin/chage", SetUID: new(int), Mode: 0o755, LoadsUnread: "no ELF"}), power.Root, power.Unknown, snapshot.TriggerNone},
		"a rule of sudo for a program that loads what they write": {with(sudo("ann", "root", "/opt/x", false), lever(libraryOf("/opt/x", ofGroup(staff, "/opt/lib")))), power.Root, power.Yes, snapshot.TriggerNone},
		"an export that root of a client writes":                  {exported(snapshot.RootExport{Dir: "/srv", To: "*(rw)", AnyPort: true}), power.Root, power.Unknown, snapshot.TriggerNone},
		"an export that asks for a port of root":                  {exported(snapshot.RootExport{Dir: "/srv", To: "*(rw)"}), power.Root, power.No, snapshot.TriggerNone},
		"an export, with such a port":                             {with(exported(snapshot.RootExport{Dir: "/srv", To: "*(rw)"}), state(func(st *power.State) { st.Caps = 1 << 10 })), power.Root, power.Unknown, snapshot.TriggerNone},
		"an export, from a network of its own":                    {with(exported(snapshot.RootExport{Dir: "/srv", To: "*(rw)"}), state(func(st *power.State) { st.InNet, st.HostNet = false, false })), power.Root, power.Unknown, snapshot.TriggerNone},
		"an export for the host, from there":                      {with(exported(snapshot.RootExport{Dir: "/srv", To: "localhost", OwnHost: true}), state(func(st *power.State) { st.InNet, st.HostNet = false, false })), power.Root, power.No, snapshot.TriggerNone},
		"an export, without a network":                            {with(exported(snapshot.RootExport{Dir: "/srv", To: "*(rw)", AnyPort: true}), state(func(st *power.State) { st.InNet, st.Offline = false, true })), power.Root, power.No, snapshot.TriggerNone},
		"ping with cap_net_raw":                                   {program(snapshot.GainProgram{Path: "/usr/bin/ping", Caps: "0000000000002000", Mode: 0o755}), power.Root, power.No, snapshot.TriggerNone},
		"CAP_NET_ADMIN over the host's network":                   {state(func(st *power.State) { st.Caps = 1 << 12 }), power.Filter, power.Yes, snapshot.TriggerNone},
		"CAP_NET_ADMIN in a network of its own":                   {container(snapshot.Container{}, boxed(root, 1<<12)), power.Filter, power.No, snapshot.TriggerNone},
		"CAP_SYS_ADMIN in a container":                            {container(snapshot.Container{}, boxed(root, 1<<21)), power.Root, power.Yes, snapshot.TriggerNone},
		"CAP_DAC_OVERRIDE in a container":                         {container(snapshot.Container{}, boxed(root, 1<<1)), power.Root, power.No, snapshot.TriggerNone},
		"CAP_DAC_READ_SEARCH in a container":                      {container(snapshot.Container{}, boxed(root, 1<<2)), power.Secret, power.Yes, snapshot.TriggerNone},
		"a writable /etc in a container":                          {container(snapshot.Container{Mounts: []snapshot.ContainerMount{{Source: "/etc", Dest: "/host", RW: true}}}, boxed(root, 0)), power.Root, power.Yes, snapshot.TriggerRestart},
		"a writable /etc in a container, of a user":               {container(snapshot.Container{Mounts: []snapshot.ContainerMount{{Source: "/etc", Dest: "/host", RW: true}}}, boxed(agent, 0)), power.Root, power.No, snapshot.TriggerNone},
		"a directory of data in a container":                      {container(snapshot.Container{Mounts: []snapshot.ContainerMount{{Source: "/srv/data", Dest: "/data", RW: true}}}, boxed(root, 0)), power.Root, power.No, snapshot.TriggerNone},
		"a script of root in a mount, of a user":                  {with(lever(file("/srv/data/x", snapshot.LeverProgram, root, snapshot.TriggerTimer, ofUser(agent, "/srv/data/x"))), container(snapshot.Container{Mounts: []snapshot.ContainerMount{{Source: "/srv/data", Dest: "/data", RW: true}}}, boxed(agent, 0))), power.Root, power.Yes, snapshot.TriggerTimer},
		"the same script, not mounted":                            {with(lever(file("/srv/other/x", snapshot.LeverProgram, root, snapshot.TriggerTimer, ofUser(agent, "/srv/other/x"))), container(snapshot.Container{Mounts: []snapshot.ContainerMount{{Source: "/srv/data", Dest: "/data", RW: true}}}, boxed(agent, 0))), power.Root, power.No, snapshot.TriggerNone},
		"the files of a container's own":                          {container(snapshot.Container{Mounts: []snapshot.ContainerMount{{Source: "/var/lib/docker/containers/c1/hosts", Dest: "/etc/hosts", RW: true}, {Source: "/var/lib/docker/volumes/v/_data", Dest: "/data", RW: true}}}, boxed(root, 0)), power.Root, power.No, snapshot.TriggerNone},
		"the files of all containers":                             {container(snapshot.Container{Mounts: []snapshot.ContainerMount{{Source: "/var/lib/docker", Dest: "/x", RW: true}}}, boxed(root, 0)), power.Root, power.Yes, snapshot.TriggerRestart},
		"keys of root in a container, read-only":                  {container(snapshot.Container{Mounts: []snapshot.ContainerMount{{Source: "/root/.ssh", Dest: "/k"}}}, boxed(root, 0)), power.Secret, power.Yes, snapshot.TriggerNone},
		"passwords in a container, of their group":                {with(lever(file("/etc/shadow", snapshot.LeverSecret, root, snapshot.TriggerNone, ofGroup(agent, "/etc/shadow"))), container(snapshot.Container{Mounts: []snapshot.ContainerMount{{Source: "/etc", Dest: "/e"}}}, boxed(agent, 0))), power.Secret, power.Yes, snapshot.TriggerNone},
		"a container whose mounts are not known":                  {container(snapshot.Container{Unread: "no specification was found"}, boxed(agent, 0)), power.Root, power.Unknown, snapshot.TriggerNone},
		"a container of which nothing is known":                   {state(func(st *power.State) { *st = boxed(agent, 0) }), power.Root, power.Unknown, snapshot.TriggerNone},
		"a container as a user says it is":                        {with(container(snapshot.Container{Word: snapshot.WordOf(agent)}, boxed(agent, 0)), func(s *snapshot.Snapshot, _ *power.State) { s.Runtimes.Containers[0].KernelFiles = nil }), power.Root, power.Unknown, snapshot.TriggerNone},
		"a disk in a container":                                   {container(snapshot.Container{Devices: []string{"/dev/sda"}}, boxed(root, 0)), power.Root, power.Yes, snapshot.TriggerNone},
		"another disk in a container":                             {container(snapshot.Container{Devices: []string{"/dev/rbd0"}}, boxed(root, 0)), power.Root, power.Unknown, snapshot.TriggerNone},
		"a card in a container":                                   {container(snapshot.Container{Devices: []string{"/dev/mmcblk0"}}, boxed(root, 0)), power.Root, power.Yes, snapshot.TriggerNone},
		"no disk in a container":                                  {container(snapshot.Container{Devices: []string{"/dev/net/tun"}}, boxed(root, 0)), power.Root, power.No, snapshot.TriggerNone},
		"the socket of docker, of its group": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Runtimes.Sockets = []snapshot.ControlSocket{{Runtime: "docker", Path: "/run/docker.sock", Mode: 0o660, GID: staff, Word: snapshot.Word{By: snapshot.ByKernel}}}
		}, power.Root, power.Yes, snapshot.TriggerNone},
		"the socket of docker, of others": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Runtimes.Sockets = []snapshot.ControlSocket{{Runtime: "docker", Path: "/run/docker.sock", Mode: 0o660, GID: disks}}
		}, power.Root, power.No, snapshot.TriggerNone},
		"libvirt, as polkit has it": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Runtimes.Sockets = []snapshot.ControlSocket{{Runtime: "libvirt", Path: "/run/libvirt/libvirt-sock", Mode: 0o666, Gated: true, Asks: "polkit"}}
		}, power.Root, power.No, snapshot.TriggerNone},
		"libvirt, by a rule of polkit": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Runtimes.Sockets = []snapshot.ControlSocket{{Runtime: "libvirt", Path: "/run/libvirt/libvirt-sock", Mode: 0o666, Gated: true, Asks: "polkit"}}
			s.Powers.Polkit = []snapshot.PolkitGrant{{Action: "org.libvirt.unix.manage", File: "60-libvirt.rules"}}
		}, power.Root, power.Yes, snapshot.TriggerNone},
		"libvirt, rules that are not known": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Runtimes.Sockets = []snapshot.ControlSocket{{Runtime: "libvirt", Path: "/run/libvirt/libvirt-sock", Mode: 0o666, Gated: true, Asks: "polkit"}}
			s.Powers.PolkitRead = snapshot.Fact{State: snapshot.Error, Reason: "x"}
		}, power.Root, power.Unknown, snapshot.TriggerNone},
		"libvirt, asks something else": {func(s *snapshot.Snapshot, _ *power.State) {
			s.Runtimes.Sockets = []snapshot.ControlSocket{{Runtime: "libvirt", Path: "/run/libvirt/libvirt-sock", Mode: 0o666, Gated: true, Asks: "sasl"}}
		}, power.Root, power.Unknown, snapshot.TriggerNone},
		"the socket of docker in a container": {with(func(s *snapshot.Snapshot, _ *power.State) {
			s.Runtimes.Sockets = []snapshot.ControlSocket{{Runtime: "docker", Path: "/run/docker.sock", Mode: 0o660, Word: snapshot.Word{By: snapshot.ByKernel}, Mounts: []snapshot.Mount{{Container: "c1", Path: "/run/docker.sock"}}}}
		}, container(snapshot.Container{}, boxed(root, 0))), power.Root, power.Yes, snapshot.TriggerNone},
		"the host's processes, seen by one of its user": {with(func(s *snapshot.Snapshot, _ *power.State) {
			s.Processes.List = []snapshot.Process{{PID: 9, Comm: "bash", UID: agent, GID: agent, CapPrm: "0", NS: s.Processes.Init}}
			s.Powers.Files = []snapshot.LeverFile{file("/opt/a", snapshot.LeverProgram, root, snapshot.TriggerTimer, ofUser(agent, "/opt/a"))}
		}, container(snapshot.Container{}, func() power.State { st := boxed(agent, 0); st.HostPID = true; return st }())), power.Root, power.Yes, snapshot.TriggerTimer},
		"root in a user namespace of its own":                              {state(func(st *power.State) { st.UID, st.OwnUser = root, true }), power.Root, power.Yes, snapshot.TriggerNone},
		"root in a user namespace and a container, with files of the host": {with(container(snapshot.Container{Mounts: []snapshot.ContainerMount{{Source: "/etc", Dest: "/host", RW: true}}}, boxed(root, 0)), state(func(st *power.State) { st.OwnUser = true })), power.Root, power.Yes, snapshot.TriggerRestart},
		"root with mounts of its own":                                      {state(func(st *power.State) { st.UID, st.Place = root, power.Apart }), power.Root, power.Unknown, snapshot.TriggerNone},
		"a label that is not known":                                        {with(lever(file("/opt/a", snapshot.LeverProgram, root, snapshot.TriggerTimer, ofUser(agent, "/opt/a"))), state(func(st *power.State) { st.Confined = "the label x" })), power.Root, power.Unknown, snapshot.TriggerTimer},
	} {
		t.Run(name, func(t *testing.T) {
			s, st := quiet(), onHost()
			if c.change != nil {
				c.change(s, &st)
			}
			a := answer(t, s, st, c.goal)
			if a.Verdict != c.want || a.Trigger != c.trigger {
				t.Errorf("%s, %s by %v, %v", a.Verdict, a.Trigger, texts(a.Path), a.Because)
			}
		})
	}
}

func texts(list []power.Edge) (out []string) {
	for _, e := range list {
		out = append(out, e.Text+e.Unknown)
	}
	return out
}

// TestUnreadIsNeverNo: what a collector did not read makes no an unknown.
func TestUnreadIsNeverNo(t *testing.T) {
	for _, section := range []string{"powers", "processes", "runtimes", "listeners", "network", "nftables"} {
		s := quiet()
		for i := range s.Coverage {
			if s.Coverage[i].Collector == section {
				s.Coverage[i].Status, s.Coverage[i].Reasons = snapshot.Denied, []string{"not root"}
			}
		}
		if a := answer(t, s, onHost(), power.Root); a.Verdict != power.Unknown || !strings.Contains(fmt.Sprint(a.Because), "not root") {
			t.Errorf("%s: %s %v", section, a.Verdict, a.Because)
		}
	}
	s := quiet()
	s.Powers.Searched = snapshot.SearchedPath
	if a := answer(t, s, onHost(), power.Root); a.Verdict != power.Unknown || !a.Unsearched {
		t.Errorf("programs elsewhere: %s, %v", a.Verdict, a.Unsearched)
	}
	s.Coverage = s.Coverage[:1]
	if a := answer(t, s, onHost(), power.Root); a.Verdict != power.Unknown || a.Unsearched || strings.Contains(fmt.Sprint(a.Because), "--deep") {
		t.Errorf("programs elsewhere and more: %s, %v, %v", a.Verdict, a.Unsearched, a.Because)
	}
}

// TestCertificates: a certificate holds for its own snapshot, and for none in which one more thing is open, or that lacks a state.
func TestCertificates(t *testing.T) {
	s := quiet()
	s.Powers.Files = []snapshot.LeverFile{file("/opt/b", snapshot.LeverProgram, other, snapshot.TriggerTimer, ofUser(agent, "/opt/b"))}
	a := answer(t, s, onHost(), power.Root)
	if a.Verdict != power.No || len(a.Closed) < 2 {
		t.Fatalf("%s with %d states", a.Verdict, len(a.Closed))
	}
	less := a
	less.Closed = slices.DeleteFunc(slices.Clone(a.Closed), func(st power.State) bool { return st.UID == other })
	if power.Check(s, nil, &less) == nil {
		t.Error("a certificate that lacks a state is accepted")
	}
	for name, change := range map[string]func(*snapshot.Snapshot){
		"a file": func(s *snapshot.Snapshot) {
			s.Powers.Files = append(s.Powers.Files, file("/opt/c", snapshot.LeverProgram, root, snapshot.TriggerTimer, ofUser(other, "/opt/c")))
		},
		"sudo": func(s *snapshot.Snapshot) { s.Powers.Sudo[0].Users = []string{"bob"} },
		"a program": func(s *snapshot.Snapshot) {
			s.Powers.Programs = append(s.Powers.Programs, snapshot.GainProgram{Path: "/opt/find", SetUID: new(int), Mode: 0o755})
		},
		"a socket": func(s *snapshot.Snapshot) {
			s.Runtimes.Sockets = []snapshot.ControlSocket{{Runtime: "docker", Path: "/run/docker.sock", Mode: 0o666}}
		},
		"the search":  func(s *snapshot.Snapshot) { s.Powers.Searched = snapshot.SearchedPath },
		"the reading": func(s *snapshot.Snapshot) { s.Powers.SudoRead.State = snapshot.Error },
		"a section":   func(s *snapshot.Snapshot) { s.Coverage = s.Coverage[:3] },
	} {
		changed := quiet()
		changed.Powers.Files = slices.Clone(s.Powers.Files)
		change(changed)
		if power.Check(changed, nil, &a) == nil {
			t.Errorf("the certificate is accepted although %s changed", name)
		}
	}
}

// TestCuts: the changes end all ways, and no way is left with them.
func TestCuts(t *testing.T) {
	s := quiet()
	s.Powers.Files = []snapshot.LeverFile{
		file("/opt/a", snapshot.LeverProgram, root, snapshot.TriggerTimer, snapshot.Permit{Who: snapshot.PermitAll, At: "/opt"}),
		file("/opt/b", snapshot.LeverProgram, root, snapshot.TriggerRestart, snapshot.Permit{Who: snapshot.PermitAll, At: "/opt"}),
		file("/etc/x", snapshot.LeverSystem, root, snapshot.TriggerNone, ofGroup(staff, "/etc/x")),
	}
	a := answer(t, s, onHost(), power.Root)
	if want := []string{"permissions of /etc/x", "permissions of /opt"}; !slices.Equal(a.Cut, want) {
		t.Errorf("%v, want %v", a.Cut, want)
	}
	s.Powers.Files = nil
	if a := answer(t, s, onHost(), power.Root); a.Verdict != power.No {
		t.Errorf("with the changes made: %s by %v", a.Verdict, texts(a.Path))
	}
	capable, super := onHost(), onHost()
	capable.Caps, super.UID = 1<<16, 0
	for want, st := range map[string]power.State{"the capabilities of process a": capable, "the user that process a runs as": super} {
		if a := power.New(s, nil).Ask(power.Principal{Name: "process a", State: st})[0]; !slices.Equal(a.Cut, []string{want}) {
			t.Errorf("%v, want %s", a.Cut, want)
		}
	}
}

// TestPrincipals: containers, agents, services and accounts are asked about, root's own processes are not, and equal ones are one.
func TestPrincipals(t *testing.T) {
	s := quiet()
	at := func(pid, uid int, comm, unit, container string) snapshot.Process {
		p := snapshot.Process{
			PID: pid, PPID: 1, UID: uid, GID: uid, Comm: comm, Unit: unit, Container: container, CapEff: "0", CapPrm: "0", CapAmb: "0", CapBnd: "0",
			NS: s.Processes.Init, ContainerWord: snapshot.Word{By: snapshot.ByKernel},
		}
		if container != "" {
			p.NS.Mnt, p.NS.Net, p.NS.PID = 40, 41, 42
		}
		return p
	}
	atd := at(13, 1, "atd", "atd.service", "") // root's, as somebody else for a while
	atd.RealRoot = true
	s.Processes.List = []snapshot.Process{
		at(1, 0, "systemd", "init.scope", ""), at(10, 0, "sshd", "ssh.service", ""), at(11, 33, "nginx", "nginx.service", ""), at(12, 33, "nginx", "nginx.service", ""), atd,
		at(20, 0, "sh", "", "c1"), at(21, 0, "sleep", "", "c1"), at(22, 100, "app", "", "c1"),
	}
	s.Runtimes.Containers = []snapshot.Container{{ID: "c1", Name: "web", Running: true}}
	s.Index()
	var got []string
	for _, p := range power.Principals(s, zones.Classify(s, nil)) {
		got = append(got, fmt.Sprintf("%s %s %d", p.Kind, p.Key, p.State.UID))
	}
	want := []string{"account account ann 1000", "account account bob 1001", "workload container web 0", "workload container web 100", "service service nginx.service 33"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// withBox is a quiet host with a container in which nothing of the host is mounted.
func withBox() *snapshot.Snapshot {
	s := quiet()
	s.Runtimes.Containers = []snapshot.Container{{ID: "c1", KernelFiles: &snapshot.KernelFiles{Read: snapshot.Fact{State: snapshot.Present}}}}
	return s
}

// TestInterfacesOnTheNetwork: who reaches the interface of a runtime becomes who it runs as.
func TestInterfacesOnTheNetwork(t *testing.T) {
	api := power.API{Name: "tcp 0.0.0.0:2375 (dockerd)", Workloads: power.No}
	change := func(f func(*power.API)) power.API {
		a := api
		f(&a)
		return a
	}
	offline := boxed(root, 0)
	offline.Offline = true
	relayed := boxed(root, 0)
	relayed.Relayed = true
	for name, c := range map[string]struct {
		api  power.API
		from power.State
		want power.Verdict
	}{
		"of the host":                      {api, onHost(), power.Yes},
		"of a container, not reached":      {api, boxed(root, 0), power.No},
		"of a container, reached":          {change(func(a *power.API) { a.Workloads = power.Yes }), boxed(root, 0), power.Yes},
		"of a container, not known":        {change(func(a *power.API) { a.Workloads, a.Because = power.Unknown, "a limit" }), boxed(root, 0), power.Unknown},
		"of a container without a network": {change(func(a *power.API) { a.Workloads = power.Yes }), offline, power.No},
		"of a container behind a program":  {api, relayed, power.Unknown},
		"certificates are not known":       {change(func(a *power.API) { a.Unsure = "not seen" }), onHost(), power.Unknown},
		"of a user who gets nothing":       {change(func(a *power.API) { a.UID = other }), onHost(), power.No},
	} {
		t.Run(name, func(t *testing.T) {
			if a := answer(t, withBox(), c.from, power.Root, c.api); a.Verdict != c.want {
				t.Errorf("%s by %v, %v", a.Verdict, texts(a.Path), a.Because)
			}
		})
	}
	a := answer(t, withBox(), boxed(root, 0), power.Root, api)
	if power.Check(withBox(), []power.API{change(func(a *power.API) { a.Workloads = power.Unknown })}, &a) == nil {
		t.Error("the certificate is accepted although the interface may be reached")
	}
}
