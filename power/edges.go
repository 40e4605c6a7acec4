package power

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// Changes of who it is that has a power.
const (
	itsUser = "the user that it runs as"
	itsCaps = "its capabilities"
)

// leave are the edges of a state.
func (g *Graph) leave(s *State) []Edge {
	if g.isRoot(s) {
		return []Edge{{
			Kind: BySelf, Object: "uid 0", Text: "it is root of the host", Trigger: snapshot.TriggerNone, Goal: Root, Change: itsUser,
		}}
	}
	var list []Edge
	list = append(list, g.byFiles(s)...)
	list = append(list, switched(s, g.bySudo(s))...)
	list = append(list, switched(s, g.byDoas(s))...)
	list = append(list, g.byPolkit(s)...)
	list = append(list, g.byBus(s)...)
	list = append(list, g.byPrograms(s)...)
	list = append(list, g.bySubIDs(s)...)
	list = append(list, g.bySockets(s)...)
	list = append(list, g.byNames(s)...)
	list = append(list, g.byNetwork(s)...)
	list = append(list, g.byExports(s)...)
	list = append(list, g.byCapabilities(s)...)
	list = append(list, g.byMounts(s)...)
	list = append(list, g.byProcesses(s)...)
	list = append(list, g.bySelf(s)...)
	list = append(list, switched(s, g.byPassword(s))...)
	if s.Confined != "" {
		for i := range list {
			if list[i].Unknown == "" && confines(list[i].Kind) {
				list[i].Unknown = "what " + s.Confined + " lets it do was not followed"
			}
		}
	}
	return list
}

// confines says of an edge that a security label or a filter of system calls can close it. What a process of another state does is not confined by
// it; whoever writes a file or connects to a socket can be.
func confines(k EdgeKind) bool { return k != BySelf && k != ByAccount }

// isRoot says of a state that it is root among the files of the host, or with what gives the host away. Ids are the host's: root of the host in a
// user namespace of its own has lost its capabilities, and still owns the files of root.
func (g *Graph) isRoot(s *State) bool {
	return s.UID == 0 && s.Place != InContainer && s.Confined == "" && (s.Place == OnHost || s.Caps&takeover == takeover)
}

// become is where a file leads that somebody runs or reads.
func (g *Graph) become(e Edge, f *snapshot.LeverFile) Edge {
	switch {
	case f.Kind == snapshot.LeverSecret:
		e.Goal = Secret
	case f.Kind == snapshot.LeverFilter:
		e.Goal = Filter
	case f.UID == 0:
		e.Goal = Root
	default:
		e.To = g.account(f.UID)
	}
	return e
}

// given is what a unit makes of who decides what it runs as a user: with the capabilities and the groups that it gives; no edge if it gives none.
func (g *Graph) given(e Edge, f *snapshot.LeverFile) []Edge {
	if f.Gives == nil || f.UID == 0 || e.Goal != "" {
		return nil
	}
	e.To = g.withGiven(f)
	e.Unknown, e.Text = cmp.Or(e.Unknown, f.Gives.Unsure), e.Text+", with capabilities or groups that its account lacks"
	return []Edge{e}
}

// withGiven is the account of a user with what a unit gives it.
func (g *Graph) withGiven(f *snapshot.LeverFile) *State {
	to := g.account(f.UID)
	to.Caps |= snapshot.Caps(f.Gives.Caps) & edgeCaps &^ to.Lacks
	to.Groups = append(to.Groups, f.Gives.Groups...)
	return to
}

// byOwn is what units run that a state itself decides of, with capabilities or groups that it lacks.
func (g *Graph) byOwn(s *State) (list []Edge) {
	for i := range g.snap.Powers.Alone {
		f := &g.snap.Powers.Alone[i]
		p := opened(s, f, "/")
		if f.Gives == nil || f.UID != s.UID || s.Place == InContainer || p == nil {
			continue
		}
		e := Edge{
			Kind: ByFile, Object: f.Path, Trigger: f.Trigger, Change: "who decides what " + f.By + " runs", Unknown: f.Unsure,
			Text: fmt.Sprintf("%s can change %s%s", who(p), p.At, uses(f)),
		}
		why, ok := g.inView(s, f)
		if e.Unknown = cmp.Or(e.Unknown, why); ok {
			list = append(list, g.given(e, f)...)
		}
	}
	return list
}

// permitted is the permit by which a state gets at something, or nil.
func permitted(s *State, list []snapshot.Permit) *snapshot.Permit {
	i := slices.IndexFunc(list, func(p snapshot.Permit) bool {
		switch p.Who {
		case snapshot.PermitUser:
			return p.ID == s.UID
		case snapshot.PermitGroup:
			return s.in(p.ID)
		default:
			return true
		}
	})
	if i < 0 {
		return nil
	}
	return &list[i]
}

// opened is the permit by which a state gets at a file, or nil: it gets through the directories on the way, of a container those in the mount of source.
// One with mounts of its own can have the file elsewhere.
func opened(s *State, f *snapshot.LeverFile, source string) *snapshot.Permit {
	i := slices.IndexFunc(f.Permits, func(p snapshot.Permit) bool {
		return within(p.At, source) && permitted(s, []snapshot.Permit{p}) != nil && (s.Place == Apart || !keptOut(s, f, p, source))
	})
	if i < 0 {
		return nil
	}
	return &f.Permits[i]
}

// keptOut says whether a directory on the way from source to where a permit is keeps a state out.
func keptOut(s *State, f *snapshot.LeverFile, p snapshot.Permit, source string) bool {
	return !s.has(capDACOverride) && !s.has(capDACReadSearch) && slices.ContainsFunc(f.Gates, func(g snapshot.Gate) bool {
		return within(p.At, g.At) && within(g.At, source) && permitted(s, g.Permits) == nil
	})
}

// Capabilities with which every directory is gone through (capabilities(7)).
const (
	capDACOverride   = 1
	capDACReadSearch = 2
)

// byFiles are the files of others that a state can change, and the secrets that it can read.
func (g *Graph) byFiles(s *State) (list []Edge) {
	if s.Place == InContainer {
		return nil // by its mounts
	}
	if s.UID == 0 {
		e := Edge{Kind: ByFile, Object: "files of root", Text: "the files that root runs and reads are its own", Trigger: snapshot.TriggerNone, Goal: Root}
		if ok, why := decisive(g.snap, s); !ok || why != "" {
			e.Unknown = "which files of root it can write in a mount namespace of its own, or under a label, was not looked at"
		}
		list = append(list, e)
	}
	for i := range g.snap.Powers.Files {
		f := &g.snap.Powers.Files[i]
		if f.UID == s.UID && f.UID != 0 || f.Kind == snapshot.LeverSocket && g.answers(f) || unfiled(f) {
			continue
		}
		verb := verbOf(f)
		e := Edge{Kind: ByFile, Object: f.Path, Trigger: f.Trigger, Change: "permissions of " + f.Path}
		switch p := opened(s, f, "/"); {
		case f.Unread != "":
			e.Unknown = fmt.Sprintf("who %s %s is not known: %s", verb, f.Path, f.Unread)
			e.Change = ""
		case p == nil:
			continue
		case p.At != f.Path:
			e.Text, e.Change = fmt.Sprintf("%s %s %s, on the way to %s%s", who(p), verb, p.At, f.Path, uses(f)), "permissions of "+p.At
		default:
			e.Text = fmt.Sprintf("%s %s %s%s", who(p), verb, f.Path, uses(f))
		}
		if e.Unknown == "" {
			e.Unknown = f.Unsure
		}
		if why, ok := g.inView(s, f); !ok {
			continue
		} else if e.Unknown == "" {
			e.Unknown = why
		}
		e = g.become(e, f)
		list = append(append(append(list, e), byCluster(e, f)...), g.given(e, f)...)
	}
	return append(list, g.byOwn(s)...)
}

// byCluster is what credentials of a cluster may give who reads them: it runs workloads as root on its hosts.
func byCluster(e Edge, f *snapshot.LeverFile) []Edge {
	if f.Kind != snapshot.LeverSecret || f.By != snapshot.ClusterCredentials {
		return nil
	}
	e.Goal, e.Unknown = Root, cmp.Or(e.Unknown, "what the cluster runs on this host for who has the credentials in "+f.Path+" was not followed")
	return []Edge{e}
}

// inView says whether a state with mounts of its own gets at a file there by any of its permits, and why that is not known.
func (g *Graph) inView(s *State, f *snapshot.LeverFile) (unsure string, ok bool) {
	if s.Place != Apart {
		return "", true
	}
	wants := toWrite
	if f.Kind == snapshot.LeverSecret || f.Kind == snapshot.LeverSocket {
		wants = toReach
	}
	if f.Unread != "" {
		ok, unsure = sees(g.snap, s, f.Path, wants)
		return unsure, ok
	}
	for _, p := range f.Permits {
		if permitted(s, []snapshot.Permit{p}) == nil {
			continue
		}
		switch can, why := seesBy(g.snap, s, p.At, wants, keptOut(s, f, p, "/")); {
		case can && why == "":
			return "", true
		case can:
			ok, unsure = true, why
		}
	}
	return unsure, ok
}

// who is a permit in words.
func who(p *snapshot.Permit) string {
	switch p.Who {
	case snapshot.PermitUser:
		return fmt.Sprintf("uid %d", p.ID)
	case snapshot.PermitGroup:
		return fmt.Sprintf("group %d", p.ID)
	default:
		return "everybody"
	}
}

// uses says what a file is for.
func uses(f *snapshot.LeverFile) string {
	as := "root"
	if f.UID != 0 {
		as = fmt.Sprintf("uid %d", f.UID)
	}
	switch f.Kind {
	case snapshot.LeverProgram:
		return fmt.Sprintf(", which %s runs as %s", f.By, as)
	case snapshot.LeverUnit, snapshot.LeverSystem:
		return fmt.Sprintf(", by which %s does what it says as %s", f.By, as)
	case snapshot.LeverSearch:
		return fmt.Sprintf(", where %s are looked for", cmp.Or(f.By, "programs"))
	case snapshot.LeverLogin:
		return fmt.Sprintf(", which is read when %s logs in", f.By)
	case snapshot.LeverSocket:
		return fmt.Sprintf(", on which %s answers as %s", f.By, as)
	case snapshot.LeverFilter:
		return ", from which the packet filter is loaded"
	default:
		return " (" + f.By + ")"
	}
}

// byNetwork are the interfaces of runtimes that a state connects to over the network.
func (g *Graph) byNetwork(s *State) (list []Edge) {
	for _, api := range g.apis {
		e := Edge{
			Kind: ByNetwork, Object: api.Name, Trigger: snapshot.TriggerNone, Unknown: api.Unsure, Change: "who reaches " + api.Name,
			Text: fmt.Sprintf("it connects to %s, which runs anything as its user and asks for no certificate", api.Name),
		}
		switch {
		case s.Offline, !s.InNet && !s.Relayed && api.Workloads == No:
			continue
		case !s.InNet && s.Relayed && api.Workloads == No:
			e.Unknown = fmt.Sprintf("whether it reaches %s is not known: a program carries its network, or that was not seen", api.Name)
		case !s.InNet && api.Workloads != Yes:
			e.Unknown = fmt.Sprintf("whether it reaches %s is not known: %s", api.Name, api.Because)
		}
		if api.UID == 0 {
			e.Goal = Root
		} else if e.To = g.account(api.UID); api.UID == s.UID {
			continue
		}
		list = append(list, e)
	}
	return list
}

// byCapabilities are what capabilities over the host's own user namespace give.
func (g *Graph) byCapabilities(s *State) (list []Edge) {
	if s.OwnUser {
		return nil
	}
	for _, c := range capabilityEdges {
		if !s.has(c.number) || !c.counts(g, s) {
			continue
		}
		e := Edge{
			Kind: ByCapability, Object: "CAP_" + strings.ToUpper(c.name), Trigger: snapshot.TriggerNone, Goal: c.goal, Unknown: c.unknown,
			Text: "CAP_" + strings.ToUpper(c.name) + " " + c.text, Change: itsCaps,
		}
		if why := g.kernelCloses(c.number); e.Unknown == "" {
			e.Unknown = why
		}
		if c.number == capSysPtrace && g.labelled(s) {
			e.Unknown = cmp.Or(e.Unknown, profileUnread)
		}
		if ok, why := decisive(g.snap, s); c.writes && s.Place == Apart && (!ok || why != "") {
			e.Unknown = "which files of root it can write in a mount namespace of its own was not looked at"
		}
		switch c.number {
		case capSysChroot:
			e = asRoot(s, e)
		case capSetgid:
			if to := g.everyGroup(s); len(to.Groups) > len(s.Groups) {
				x := e
				x.Goal, x.To = "", to
				list = append(list, x)
			}
		}
		list = append(list, e)
	}
	return list
}

// everyGroup is a state with every group that there is, or that may do something with a file.
func (g *Graph) everyGroup(s *State) *State {
	to := *s
	gids := slices.Collect(maps.Values(g.groups))
	for i := range g.snap.Powers.Files {
		for _, p := range g.snap.Powers.Files[i].Permits {
			if p.Who == snapshot.PermitGroup {
				gids = append(gids, p.ID)
			}
		}
	}
	slices.Sort(gids)
	gids = slices.DeleteFunc(slices.Compact(gids), s.in)
	to.Groups = slices.Concat(s.Groups, gids)
	return &to
}

// startsSetUID says whether a state can run a set-id program of root. Which loader starts one is looked up from the directory that its starter has as /.
func startsSetUID(g *Graph, s *State) bool {
	return onFiles(g, s) && !s.NoNewPrivs && slices.ContainsFunc(g.snap.Powers.Programs, func(p snapshot.GainProgram) bool {
		ok, _ := getsTo(g.snap, s, &p)
		return ok && p.SetUID != nil && *p.SetUID == 0 && runs(s, &p)
	})
}

// capabilityEdge is what one capability gives (capabilities(7)).
type capabilityEdge struct {
	name    string
	number  int
	goal    Goal
	text    string
	unknown string
	counts  func(g *Graph, s *State) bool
	writes  bool // it takes a file that can be written
}

func always(*Graph, *State) bool { return true }

// onFiles says of a state that it sees the files of the host.
func onFiles(_ *Graph, s *State) bool { return s.Place != InContainer }

// Capabilities that a kernel can take the use of from everybody, and others of which more is to be said.
const (
	capSysChroot = 18
	capSysModule = 16
	capSysPtrace = 19
)

// kernelCloses is why it is not known that a capability is of use: nobody attaches to a process where ptrace_scope is 3, which stays until the host starts
// again (Yama.rst), and modules have to be signed (kernel_lockdown(7)).
func (g *Graph) kernelCloses(capability int) string {
	k := &g.snap.Kernel
	switch {
	case capability == capSysPtrace && k.Sysctls["kernel/yama/ptrace_scope"].Value == "3":
		return "the kernel lets nobody attach to a process (ptrace_scope is 3), and what it reads of processes was not followed"
	case capability == capSysModule && (k.Facts["moduleSignatures"].Value == "Y" || strings.Contains(k.Facts["lockdown"].Value, "[integrity]") || strings.Contains(k.Facts["lockdown"].Value, "[confidentiality]")):
		return "the kernel loads signed modules alone, and what they do was not followed"
	}
	return ""
}

// kernelHas says of something that a setting of the kernel takes away for good whether the kernel may do it: one without the setting was built without it.
func kernelHas(s *snapshot.Snapshot, disabled string) bool {
	absent := s.Kernel.Sysctls[disabled].State == snapshot.Absent && s.Kernel.Sysctls["kernel/core_pattern"].State == snapshot.Present // which every kernel has
	return !absent && s.Kernel.Sysctls[disabled].Value != "1"
}

// takeover are the capabilities that give the host away by themselves.
const takeover = 1<<21 | 1<<16 | 1<<17 | 1<<1 | 1<<7

var capabilityEdges = []capabilityEdge{
	{"sys_module", 16, Root, "loads code into the kernel", "", func(g *Graph, _ *State) bool { return kernelHas(g.snap, "kernel/modules_disabled") }, false},
	{"sys_boot", 22, Root, "starts another kernel in the place of this one (kexec_load(2))", "whether the kernel starts another was not followed", func(g *Graph, _ *State) bool { return kernelHas(g.snap, "kernel/kexec_load_disabled") }, false},
	{"sys_rawio", 17, Root, "writes the memory and the disks of the host", "", always, false},
	{"sys_admin", 21, Root, "mounts file systems and enters namespaces", "", always, false},
	{"sys_ptrace", 19, Root, "runs code in the processes of the host, which it sees", "", func(_ *Graph, s *State) bool { return s.HostPID }, false},
	{"dac_read_search", 2, Secret, "opens every file of a file system by its handle", "", always, false},
	{"dac_override", 1, Root, "writes every file of the host, which it sees", "", onFiles, true},
	{"chown", 0, Root, "makes every file of the host its own, which it sees", "", onFiles, true},
	{"fowner", 3, Root, "changes the permissions of every file of the host, which it sees", "", onFiles, true},
	{"setuid", 7, Root, "becomes every user among the host's files", "", onFiles, false},
	{"setgid", capSetgid, Secret, "becomes a member of every group among the host's files", "", onFiles, false},
	{"setfcap", 31, Root, "gives capabilities to programs of the host", "", onFiles, true},
	{"net_admin", 12, Filter, "over the host's network rewrites its packet filter", "", func(_ *Graph, s *State) bool { return s.HostNet }, false},
	{"sys_chroot", capSysChroot, Root, "starts a set-id program in a directory of its own as /, by a loader of its own", "", startsSetUID, false},
	{"mknod", capMknod, Root, "makes files for the disks of the host, and opens them", "which devices its control group lets it use was not followed", onFiles, true},
	{"bpf", 39, Root, "loads programs into the kernel", "what programs CAP_BPF can load without CAP_PERFMON and CAP_NET_ADMIN was not followed", always, false},
	{"mac_admin", 33, Root, "changes security labels", "what the labels of the host keep closed was not followed", always, false},
}

// bySelf is what somebody writes of their own account, and what that account does later without the restrictions of this state.
func (g *Graph) bySelf(s *State) (list []Edge) {
	a := g.accounts[s.UID]
	if s.Place == InContainer || s.UID == 0 || a == nil {
		return nil
	}
	fresh := g.account(s.UID)
	if fresh.key() == s.key() || !s.NoNewPrivs && !s.OwnUser && s.Confined == "" && s.Place == OnHost && !gainsGroups(s, fresh) && !s.looser(fresh) {
		return nil
	}
	e := Edge{Kind: ByAccount, Object: a.Name, To: fresh, Trigger: snapshot.TriggerLogin, Text: fmt.Sprintf("it writes what %s reads at the next login", a.Name)}
	home, unseen := true, ""
	if s.Place == Apart {
		home, unseen = sees(g.snap, s, cmp.Or(a.Home, "/"), toWrite)
	}
	manager, closed := g.userManager(s.UID), ""
	if manager && s.Place == Apart {
		manager, closed = sees(g.snap, s, fmt.Sprintf("/run/user/%d", s.UID), toReach)
	}
	if manager {
		unseen = closed
		e.Trigger, e.Text = snapshot.TriggerNone, fmt.Sprintf("the manager of %s starts what it asks for, without its restrictions", a.Name)
	}
	switch {
	case !manager && (!a.Login || !home):
		return append(g.byTable(s, e), g.byLinger(s, e)...)
	case s.Confined != "":
		e.Unknown = "what " + s.Confined + " lets it do was not followed"
	case unseen != "":
		e.Unknown = unseen
	}
	return append(list, e)
}

// byPassword are the accounts whose password is empty: su lets whoever calls it in.
func (g *Graph) byPassword(s *State) (list []Edge) {
	if s.NoNewPrivs || s.Place == InContainer || s.OwnUser || s.UID == 0 {
		return nil
	}
	i := slices.IndexFunc(g.snap.Powers.Programs, func(p snapshot.GainProgram) bool {
		ok, _ := getsTo(g.snap, s, &p)
		return ok && path.Base(p.Path) == "su" && p.SetUID != nil && runs(s, &p)
	})
	if i < 0 {
		return nil
	}
	for j := range g.snap.Powers.Accounts {
		a := &g.snap.Powers.Accounts[j]
		if !a.NoPassword || !a.Login || a.UID == s.UID {
			continue
		}
		e := Edge{Kind: ByAccount, Object: a.Name, Trigger: snapshot.TriggerNone, Change: "the password of " + a.Name, Text: fmt.Sprintf("%s has an empty password, and su lets it in", a.Name)}
		if e.To = g.account(a.UID); a.UID == 0 {
			e.To, e.Goal = nil, Root
		}
		if _, e.Unknown = getsTo(g.snap, s, &g.snap.Powers.Programs[i]); e.Unknown == "" && !g.snap.Powers.EmptyPasswords {
			e.Unknown = "whether su takes the empty password of " + a.Name + " was not followed (pam.d(5))"
		}
		list = append(list, e)
	}
	return list
}

// gainsGroups says whether a fresh login has groups that a state lacks.
func gainsGroups(s, fresh *State) bool {
	return slices.ContainsFunc(fresh.Groups, func(gid int) bool { return !s.in(gid) })
}

// userManager says whether the manager of a user runs (user@.service).
func (g *Graph) userManager(uid int) bool {
	unit := fmt.Sprintf("user@%d.service", uid)
	return slices.ContainsFunc(g.snap.Processes.List, func(p snapshot.Process) bool { return p.Unit == unit && p.UID == uid && p.Comm == "systemd" })
}
