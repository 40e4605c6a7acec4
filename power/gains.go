package power

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/snapshot"
)

// polkitKnown says whether the rules of polkit were read, or there are none and it lets nobody do anything.
func (g *Graph) polkitKnown() bool {
	state := g.snap.Powers.PolkitRead.State
	return state == snapshot.Present || state == snapshot.Absent
}

// byPolkit is what polkit lets a state do without a password: it asks the daemons of the system on the bus, and gets no privileges by itself.
func (g *Graph) byPolkit(s *State) (list []Edge) {
	if s.Place == InContainer {
		return nil
	}
	if f := g.snap.Powers.PolkitRead; f.State == snapshot.Denied || f.State == snapshot.Error {
		return []Edge{{Kind: ByPolkit, Object: "polkit", Trigger: snapshot.TriggerNone, Goal: Root, Unknown: "the rules of polkit are not known: " + f.Reason}}
	}
	bus, unseen := sees(g.snap, s, busSocket, toReach)
	for i := range g.snap.Powers.Polkit {
		if !bus {
			break
		}
		p := &g.snap.Powers.Polkit[i]
		if n := g.asked(p.Action); n != nil && s.UID != 0 && !g.mayAsk(s, n) {
			continue // the bus does not let it ask
		}
		e := Edge{Kind: ByPolkit, Object: p.File, Trigger: snapshot.TriggerNone, Goal: Root, Change: "the rule of polkit in " + p.File}
		switch {
		case p.Unread != "":
			e.Unknown = fmt.Sprintf("%s was not followed: %s", p.File, p.Unread)
		case !g.meets(p, s), actionGoal(p.Action) == "" && !executes(p), p.Narrower && p.Action == manageUnits:
			continue
		case p.Narrower:
			e.Unknown = fmt.Sprintf("for what %s lets it do %s was not followed", p.File, cmp.Or(p.Action, "every action"))
		default:
			if p.Session {
				e.Trigger = snapshot.TriggerLogin
			}
			e.Text = fmt.Sprintf("polkit lets it do %s by %s, without a password", cmp.Or(p.Action, "every action"), p.File)
			e.Unknown = unseen
		}
		if goal := actionGoal(p.Action); p.Unread == "" && goal != "" {
			e.Goal = goal
		}
		switch {
		case p.Action == execAction:
			list = append(list, g.byPkexec(s, e)...)
			continue
		case executes(p) && p.Unread == "":
			x := e
			x.Goal, x.Unknown = Root, cmp.Or(x.Unknown, g.wordsGive(s, p.Exec, false, true))
			x.Text = fmt.Sprintf("polkit lets it do %s by %s, by which pkexec runs %s as root", p.Action, p.File, strings.Join(p.Exec, " "))
			list = append(list, g.byPkexec(s, x)...)
			if actionGoal(p.Action) == "" {
				continue
			}
		}
		list = append(list, e)
	}
	return list
}

// execAction is the action that a program runs by itself, and no daemon: pkexec(1).
const execAction = "org.freedesktop.policykit.exec"

// executes says of a grant that pkexec runs a program of its own by it, and not one that everybody at the machine is meant to run so.
func executes(p *snapshot.PolkitGrant) bool {
	return len(p.Exec) > 0 && !(strings.HasPrefix(p.Exec[0], "/usr/l") && slices.Contains(rego.Gains().Helpers, path.Base(p.Exec[0])))
}

// byPkexec is what polkit lets pkexec do for a state: it is a set-id program, and needs the powers of one.
func (g *Graph) byPkexec(s *State, e Edge) []Edge {
	ok, why := g.hasTool(s, "pkexec")
	if !ok || s.NoNewPrivs || s.OwnUser {
		return nil
	}
	e.Unknown = cmp.Or(e.Unknown, why)
	return switched(s, []Edge{e})
}

// manageUnits is an action of which a condition on details is no way to root: what starts commands (StartTransientUnit) has no details, and a unit
// that is there does what its files say.
const manageUnits = "org.freedesktop.systemd1.manage-units"

// meets says whether a grant is for a state. At the machine itself only people log in.
func (g *Graph) meets(p *snapshot.PolkitGrant, s *State) bool {
	if p.Session && (g.accounts[s.UID] == nil || !g.accounts[s.UID].Login) {
		return false
	}
	return !slices.ContainsFunc(p.Users, func(u string) bool { a := g.names[u]; return a == nil || a.UID != s.UID }) &&
		!slices.ContainsFunc(p.Groups, func(name string) bool { gid, ok := g.groups[name]; return !ok || !g.memberOf(s, gid) })
}

// memberOf says whether polkit takes a state for a member of a group: it goes by the account, and not by the process.
func (g *Graph) memberOf(s *State, gid int) bool {
	if a := g.accounts[s.UID]; a != nil {
		return a.GID == gid || slices.Contains(a.Groups, gid)
	}
	return s.in(gid)
}

// byPrograms are the programs that have other powers than who runs them.
func (g *Graph) byPrograms(s *State) (list []Edge) {
	if s.NoNewPrivs || s.Place == InContainer || s.OwnUser {
		return nil
	}
	if !g.searched {
		list = append(list, Edge{
			Kind: ByProgram, Object: "programs elsewhere", Trigger: snapshot.TriggerNone, Goal: Root,
			Unknown: "set-id programs outside of the directories of packages were not looked for (--deep)",
		})
	}
	if ownPrograms(g.snap, s) {
		list = append(list, Edge{
			Kind: ByProgram, Object: "programs of its own mounts", Trigger: snapshot.TriggerNone, Goal: Root,
			Unknown: "set-id programs on file systems that the host does not see were not looked for",
		})
	}
	for i := range g.snap.Powers.Programs {
		p := &g.snap.Powers.Programs[i]
		if !runs(s, p) {
			continue
		}
		ok, why := getsTo(g.snap, s, p)
		if !ok {
			continue
		}
		for _, e := range g.gained(s, p) {
			e.Unknown = cmp.Or(e.Unknown, why)
			list = append(list, e)
		}
	}
	return list
}

// getsTo says whether a state gets to a program, by the directories on the way and its mounts, and why that is not known.
func getsTo(snap *snapshot.Snapshot, s *State, p *snapshot.GainProgram) (ok bool, unsure string) {
	shut := !s.has(capDACOverride) && !s.has(capDACReadSearch) && slices.ContainsFunc(p.Gates, func(d snapshot.Gate) bool { return permitted(s, d.Permits) == nil })
	if s.Place != Apart {
		return s.Place == OnHost && !shut, ""
	}
	return seesBy(snap, s, p.Path, toRun, shut)
}

// runs says whether a state can run a program, by its mode.
func runs(s *State, p *snapshot.GainProgram) bool {
	switch {
	case s.UID == p.UID:
		return p.Mode&0o100 != 0
	case s.in(p.GID):
		return p.Mode&0o010 != 0
	}
	return p.Mode&0o001 != 0
}

// gained are the edges of one program.
func (g *Graph) gained(s *State, p *snapshot.GainProgram) (list []Edge) {
	name := path.Base(p.Path)
	e := Edge{Kind: ByProgram, Object: p.Path, Trigger: snapshot.TriggerNone, Change: "the powers of " + p.Path}
	switch by, change, unsure := g.loads(s, p); {
	case g.shares(s, p):
		e.Unknown = p.Path + " lets who it is told to into the sessions of others (multiuser), and whom was not looked at"
	case harmless(p.Path) && by == "":
		return nil
	case by != "" && (unsure == "" || !runsOthers(name) && !writes(name)):
		e.Text, e.Change, e.Unknown = by, cmp.Or(change, e.Change), unsure
	case !runsOthers(name) && !writes(name):
		e.Unknown = "what " + p.Path + " lets who runs it do was not followed"
	}
	e.Unknown = cmp.Or(e.Unknown, bounded(s, p))
	if p.SetUID != nil && *p.SetUID != s.UID {
		x := e
		x.Text = fmt.Sprintf("%s runs as uid %d, whoever starts it%s", p.Path, *p.SetUID, e.Text)
		if *p.SetUID == 0 {
			x = asRoot(s, x)
		} else {
			x.To = turned(s, *p.SetUID, s.Groups) // whose groups it has by a login alone
			if p.SetGID != nil && !s.in(*p.SetGID) {
				x.To.Groups = append(slices.Clone(s.Groups), *p.SetGID)
			}
		}
		list = append(list, x)
	}
	if p.SetGID != nil && !s.in(*p.SetGID) {
		x := e
		to := *s
		to.Groups = append(slices.Clone(s.Groups), *p.SetGID)
		x.To, x.Text = &to, fmt.Sprintf("%s runs with group %d, whoever starts it%s", p.Path, *p.SetGID, e.Text)
		list = append(list, x)
	}
	if all := p.SetUID != nil && *p.SetUID == 0 || gives(s, p)&(1<<capDACOverride|1<<capDACReadSearch) != 0; all && reads(name) && s.Place == OnHost {
		list = append(list, Edge{
			Kind: e.Kind, Object: e.Object, Trigger: e.Trigger, Change: e.Change, Goal: Secret, Unknown: bounded(s, p),
			Text: p.Path + " reads every file, whoever starts it",
		})
	}
	for _, c := range capabilityEdges {
		if gives(s, p)&(1<<c.number) == 0 {
			continue
		}
		to := *s
		to.Caps |= 1 << c.number
		if s.has(c.number) || !c.counts(g, &to) {
			continue
		}
		x := e
		x.To, x.Text = &to, fmt.Sprintf("%s has CAP_%s, whoever starts it%s", p.Path, strings.ToUpper(c.name), e.Text)
		list = append(list, x)
	}
	return list
}

// loads is by what a state decides which libraries a program loads, with what takes that away, and why it is not known that it does; "" if by nothing.
func (g *Graph) loads(s *State, p *snapshot.GainProgram) (by, change, unsure string) {
	if p.LoadsHere {
		return ", and loads libraries from the directory in which it is started", "", ""
	}
	for _, i := range g.of[p.Path] {
		f := &g.snap.Powers.Files[i]
		q := opened(s, f, "/")
		why, ok := g.inView(s, f)
		if why = cmp.Or(f.Unread, f.Unsure, why); q == nil && f.Unread == "" || !ok || by != "" && why != "" {
			continue
		}
		at := f.Path
		if q != nil {
			at = q.At
		}
		by, change, unsure = fmt.Sprintf(", and loads %s, which is decided by who changes %s", f.Path, at), "permissions of "+at, why
	}
	if by == "" && p.LoadsUnread != "" {
		return ", and loads libraries", "", fmt.Sprintf("which libraries %s loads is not known: %s", p.Path, p.LoadsUnread)
	}
	return by, change, unsure
}

// bySockets are the control sockets of runtimes that a state can connect to.
func (g *Graph) bySockets(s *State) (list []Edge) {
	for i := range g.snap.Runtimes.Sockets {
		k := &g.snap.Runtimes.Sockets[i]
		if k.Container != "" {
			continue
		}
		at := k.Path
		switch s.Place {
		case InContainer:
			j := slices.IndexFunc(k.Mounts, func(m snapshot.Mount) bool { return m.Container == s.Container })
			if j < 0 {
				continue
			}
			at = k.Mounts[j].Path
		default:
			if k.Closed && s.UID != k.UID && s.UID != 0 {
				continue
			}
		}
		p := snapshot.Process{UID: s.UID, Groups: s.Groups, GID: -1}
		if !k.MayWrite(&p) {
			continue
		}
		unseen := ""
		if s.Place == Apart {
			ok, why := sees(g.snap, s, realRun(k.Path), toReach)
			if unseen = why; !ok {
				continue
			}
		}
		e := Edge{
			Kind: BySocket, Object: at, Trigger: snapshot.TriggerNone, Change: "access to " + k.Path,
			Text: fmt.Sprintf("it connects to %s, by which %s runs anything as its user", at, k.Runtime),
		}
		switch {
		case s.OwnUser && s.UID == 0 && k.UID != 0:
			e.Unknown = "whether root in a user namespace of its own can connect to " + at + " was not looked at"
		case k.Gated && s.UID == 0 && !s.OwnUser: // root is asked nothing (polkit(8))
		case k.Gated && k.Asks == "polkit" && s.Place != InContainer && g.polkitKnown():
			continue // byPolkit has what its rules let it do
		case k.Gated:
			e.Unknown = "what polkit lets it do by " + at + " was not followed"
		case !k.Word.Trusted() && k.Word.By != snapshot.ByUID:
			e.Unknown = "who decides what is at " + at + " is not known"
		default:
			e.Unknown = unseen
		}
		if k.UID == 0 {
			e.Goal = Root
		} else if e.To = g.account(k.UID); k.UID == s.UID {
			continue
		}
		list = append(list, e)
	}
	return list
}

// realRun is a path of a socket without the link that /var/run is.
func realRun(p string) string {
	if rest, ok := strings.CutPrefix(p, "/var/run/"); ok {
		return "/run/" + rest
	}
	return p
}

// shares says of a program that it is a screen that runs as root, and that somebody else has a session of it: that one says whom it lets in (screen(1), multiuser).
func (g *Graph) shares(s *State, p *snapshot.GainProgram) bool {
	return path.Base(p.Path) == "screen" && p.SetUID != nil && slices.ContainsFunc(g.snap.Processes.List, func(q snapshot.Process) bool {
		return strings.EqualFold(q.Comm, "screen") && q.UID != s.UID && q.Container == ""
	})
}

// harmless says of a program that its package means it to be run by everybody, and that it gives nobody more than it is for.
func harmless(file string) bool {
	return slices.Contains(rego.Gains().Harmless, path.Base(file)) && (strings.HasPrefix(file, "/usr/") || strings.HasPrefix(file, "/bin/") || strings.HasPrefix(file, "/sbin/")) &&
		!strings.HasPrefix(file, "/usr/local/")
}
