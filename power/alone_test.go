package power_test

import (
	"testing"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
)

// TestMountsOfWhatRootRuns: root of a container decides of what root of the host runs where it has that mounted, and a user of what that user runs; by a home
// that is mounted somebody becomes its owner at the next login.
func TestMountsOfWhatRootRuns(t *testing.T) {
	t.Parallel()
	own := []snapshot.Permit{{Who: snapshot.PermitUser, ID: agent, At: "/srv/own"}}
	alone := []snapshot.LeverFile{
		{Path: "/opt/job/run", Kind: snapshot.LeverProgram, By: "cron", Trigger: snapshot.TriggerTimer},
		{Path: "/opt/perhaps", Kind: snapshot.LeverProgram, By: "cron", Trigger: snapshot.TriggerTimer, Unsure: "that was not followed"},
		{Path: "/srv/own", Kind: snapshot.LeverProgram, By: "a.service", UID: agent, Trigger: snapshot.TriggerRestart, Permits: own, Gives: &snapshot.LeverGives{Caps: "0000000000001000"}},
		{Path: "/srv/key", Kind: snapshot.LeverSecret, By: "private keys", Trigger: snapshot.TriggerNone},
	}
	const override = 1 << 1
	for name, c := range map[string]struct {
		source string
		ro     bool
		uid    int
		caps   uint64
		goal   power.Goal
		want   power.Verdict
	}{
		"a script of root":                      {"/opt", false, root, 0, power.Root, power.Yes},
		"read-only":                             {"/opt", true, root, 0, power.Root, power.No},
		"by somebody else":                      {"/opt", false, agent, 0, power.Root, power.No},
		"beside it":                             {"/opt/other", false, root, 0, power.Root, power.No},
		"perhaps":                               {"/opt/perhaps", false, root, 0, power.Root, power.Unknown},
		"what a unit runs with more":            {"/srv", false, agent, 0, power.Filter, power.Yes},
		"by root, with power over files":        {"/srv", false, root, override, power.Filter, power.Yes},
		"by root without":                       {"/srv", false, root, 0, power.Filter, power.Unknown},
		"by another":                            {"/srv", false, 4711, 0, power.Filter, power.No},
		"a secret":                              {"/srv/key", true, root, 0, power.Secret, power.Yes},
		"a secret, by nobody":                   {"/srv/key", true, 4711, 0, power.Secret, power.No},
		"the home of one who becomes root":      {"/home", false, root, override, power.Root, power.Yes},
		"its own home":                          {"/home/bob", false, other, 0, power.Root, power.Yes},
		"its own home, read-only":               {"/home/bob", true, other, 0, power.Root, power.No},
		"a file of its own home":                {"/home/bob/.bashrc", false, other, 0, power.Root, power.Yes},
		"settings of its own agent":             {"/home/bob/.claude", false, other, 0, power.Root, power.Unknown},
		"a project in its own home":             {"/home/bob/work", false, other, 0, power.Root, power.No},
		"root, and the home of somebody":        {"/home", false, root, 0, power.Root, power.Unknown},
		"settings that may decide":              {"/etc/letsencrypt", false, root, 0, power.Root, power.Unknown},
		"settings that do":                      {"/etc/logrotate.d", false, root, 0, power.Root, power.Yes},
		"settings that do not":                  {"/etc/localtime", false, root, 0, power.Root, power.No},
		"the devices of the kernel":             {"/sys", false, root, 0, power.Root, power.Unknown},
		"the devices of the kernel, to read":    {"/sys", true, root, 0, power.Root, power.No},
		"the devices of the kernel, by nobody":  {"/sys", false, 4711, 0, power.Root, power.No},
		"what formats of programs are for root": {"/proc/sys/fs", false, root, 0, power.Root, power.Yes},
	} {
		s := withBox()
		s.Powers.Alone = alone
		s.Powers.Accounts[2].Home = "/home/bob"
		s.Powers.Sudo = []snapshot.SudoRule{{Users: []string{"bob"}, Commands: []snapshot.SudoCommand{{Text: "ALL"}}}}
		s.Runtimes.Containers[0].Mounts = []snapshot.ContainerMount{{Source: c.source, Dest: "/x", RW: !c.ro}}
		from := power.State{UID: c.uid, Groups: []int{c.uid}, Caps: c.caps, Place: power.InContainer, Container: s.Runtimes.Containers[0].ID}
		if a := answer(t, s, from, c.goal); a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, texts(a.Path), a.Because)
		}
	}
}

// TestSettingsOfTheKernelInAContainer: where the runtime does not keep them read-only root of a container has the kernel run a program as root of the host.
func TestSettingsOfTheKernelInAContainer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		uid  int
		file snapshot.KernelFile
		want power.Verdict
	}{
		"root":              {root, snapshot.KernelFile{Path: "/proc/sys", FS: "proc"}, power.Yes},
		"another":           {agent, snapshot.KernelFile{Path: "/proc/sys", FS: "proc"}, power.No},
		"the keys of SysRq": {root, snapshot.KernelFile{Path: "/proc/sysrq-trigger", FS: "proc"}, power.No},
	} {
		s := withBox()
		s.Runtimes.Containers[0].KernelFiles = &snapshot.KernelFiles{Read: snapshot.Fact{State: snapshot.Present}, Writable: []snapshot.KernelFile{c.file}}
		from := power.State{UID: c.uid, Groups: []int{c.uid}, Place: power.InContainer, Container: s.Runtimes.Containers[0].ID}
		if a := answer(t, s, from, power.Root); a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, texts(a.Path), a.Because)
		}
	}
}

// TestOwnProgramsOfUnits: what a unit runs as somebody, and with more than their account has, is a way for them if they decide of it.
func TestOwnProgramsOfUnits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		whose int
		gives snapshot.LeverGives
		goal  power.Goal
		want  power.Verdict
	}{
		"a capability":                    {agent, snapshot.LeverGives{Caps: "0000000000001000"}, power.Filter, power.Yes},
		"of no other goal":                {agent, snapshot.LeverGives{Caps: "0000000000001000"}, power.Root, power.No},
		"a group":                         {agent, snapshot.LeverGives{Groups: []int{disks}}, power.Secret, power.Yes},
		"of somebody else":                {other, snapshot.LeverGives{Groups: []int{disks}}, power.Secret, power.No},
		"kept from something by the unit": {agent, snapshot.LeverGives{Caps: "0000000000001000", Unsure: "that was not followed"}, power.Filter, power.Unknown},
	} {
		s := quiet()
		s.Powers.Files = []snapshot.LeverFile{{Path: "/etc/shadow", Kind: snapshot.LeverSecret, Trigger: snapshot.TriggerNone, Permits: []snapshot.Permit{{Who: snapshot.PermitGroup, ID: disks, At: "/etc/shadow"}}}}
		s.Powers.Alone = []snapshot.LeverFile{{
			Path: "/home/ann/tool", Kind: snapshot.LeverProgram, By: "tool.service", UID: c.whose, Trigger: snapshot.TriggerRestart, Gives: &c.gives,
			Permits: []snapshot.Permit{{Who: snapshot.PermitUser, ID: c.whose, At: "/home/ann/tool"}},
		}}
		if a := answer(t, s, onHost(), c.goal); a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, texts(a.Path), a.Because)
		}
	}
}
