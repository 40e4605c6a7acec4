package power

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// told says of a rule whether it is for something: it is not, it is, or that is not known.
type told int

const (
	isNot told = iota
	maybe
	is
)

func toldIf(yes bool) told {
	if yes {
		return is
	}
	return isNot
}

// lastOf says whether a list of sudo lets something in: of the members that match the last counts, and one with a ! keeps out (sudoers(5)).
func lastOf(list []string, one func(string) told) told {
	mayLet, mayKeep := false, false
	for _, m := range slices.Backward(list) {
		name, not := strings.CutPrefix(m, "!")
		switch one(name) {
		case is:
			if not && mayLet || !not && mayKeep {
				return maybe
			}
			return toldIf(!not)
		case maybe:
			mayLet, mayKeep = mayLet || !not, mayKeep || not
		case isNot:
		}
	}
	if mayLet {
		return maybe
	}
	return isNot
}

// sudoEntry is a command of a rule, and whether the rule is for a state.
type sudoEntry struct {
	*snapshot.SudoRule
	command snapshot.SudoCommand
	user    told
}

// sudoEntries are the commands of the rules that are or may be for a state, in the order in which sudo has them.
func (g *Graph) sudoEntries(s *State) (list []sudoEntry) {
	for i := range g.snap.Powers.Sudo {
		r := &g.snap.Powers.Sudo[i]
		user := g.ruleFor(r, s)
		if user == isNot {
			continue
		}
		for _, c := range r.Commands {
			list = append(list, sudoEntry{r, c, user})
		}
	}
	return list
}

// ruleFor says whether a rule of sudo is for a state. sudo goes by the name of the account, and by the groups of the process and of the account.
func (g *Graph) ruleFor(r *snapshot.SudoRule, s *State) told {
	a := g.accounts[s.UID]
	t := lastOf(r.Users, func(name string) told {
		return g.named(name, a, s.UID, func(gid int) bool { return s.in(gid) || a != nil && a.GID == gid })
	})
	if a == nil {
		return min(t, maybe) // who has no account is refused
	}
	return t
}

// named says whether a name of sudoers stands for an account, or who has a uid. Upper and lower case are the same.
func (g *Graph) named(name string, a *snapshot.Account, uid int, in func(gid int) bool) told {
	number := func(text string) int {
		n, err := strconv.Atoi(text)
		if err != nil {
			return -1
		}
		return n
	}
	switch {
	case name == "ALL":
		return is
	case strings.HasPrefix(name, "+"), strings.HasPrefix(name, "%:"): // who is in a netgroup, or a group of a directory, is not known
		return maybe
	case strings.HasPrefix(name, "%#"):
		return toldIf(in(number(name[2:])))
	case strings.HasPrefix(name, "%"):
		for group, gid := range g.groups {
			if strings.EqualFold(group, name[1:]) && in(gid) {
				return is
			}
		}
		return isNot
	case strings.HasPrefix(name, "#"):
		return toldIf(number(name[1:]) == uid)
	}
	return toldIf(a != nil && strings.EqualFold(a.Name, name))
}

// runsAs says whether a rule lets its commands run as an account: without a list as root.
func (g *Graph) runsAs(r *snapshot.SudoRule, a *snapshot.Account) told {
	if len(r.As) == 0 {
		return toldIf(len(r.AsGroups) == 0 && a.Name == "root")
	}
	return lastOf(r.As, func(name string) told {
		if name == "" {
			return isNot // who asks, as themselves
		}
		return g.named(name, a, a.UID, func(gid int) bool { return a.GID == gid || slices.Contains(a.Groups, gid) })
	})
}

// bySudo are the rules of sudo for a state (sudoers(5)). A process that cannot get privileges cannot use it.
func (g *Graph) bySudo(s *State) (list []Edge) {
	if s.NoNewPrivs || s.Place == InContainer || s.OwnUser || s.UID == 0 {
		return nil
	}
	if f := g.snap.Powers.SudoRead; f.State == snapshot.Denied || f.State == snapshot.Error {
		return []Edge{{Kind: BySudo, Object: "/etc/sudoers", Trigger: snapshot.TriggerNone, Goal: Root, Unknown: "the rules of sudo are not known: " + f.Reason}}
	}
	seen, unseen := g.hasTool(s, "sudo", "sudo-rs")
	if !seen {
		return nil
	}
	entries := g.sudoEntries(s)
	for _, a := range g.sudoTargets(entries) {
		if a.UID == s.UID {
			continue
		}
		list = append(list, g.sudoTo(s, entries, a)...)
		if slices.ContainsFunc(list, func(e Edge) bool { return e.Goal == Root && e.Unknown == "" && e.Trigger == snapshot.TriggerNone }) {
			break // who is root is everybody
		}
	}
	list = append(list, g.sudoGroups(s, entries)...)
	list = append(list, g.sudoStrangers(entries)...)
	for i := range list {
		if list[i].Unknown == "" {
			list[i].Unknown = unseen
		}
	}
	return list
}

// hasTool says of a state whether it can run sudo, or doas, with its powers: of mounts of its own those decide.
func (g *Graph) hasTool(s *State, names ...string) (ok bool, unsure string) {
	found := false
	for i := range g.snap.Powers.Programs {
		p := &g.snap.Powers.Programs[i]
		if !slices.Contains(names, path.Base(p.Path)) || p.SetUID == nil {
			continue
		}
		found = true
		switch can, why := getsTo(g.snap, s, p); {
		case can && why == "":
			return true, ""
		case can:
			ok, unsure = true, why
		}
	}
	switch {
	case s.Place == Apart && (!found || ownPrograms(g.snap, s)):
		return true, "whether it has " + names[0] + " in a mount namespace of its own was not looked at"
	case !found && !g.searched:
		return true, "no " + names[0] + " with the powers of root was found, and not everything was looked at (--deep)"
	}
	return ok, unsure
}

// sudoTargets are the accounts as which rules may let somebody run commands, root first.
func (g *Graph) sudoTargets(entries []sudoEntry) (list []*snapshot.Account) {
	root := g.accounts[0]
	if root == nil {
		root = &snapshot.Account{Name: "root"}
	}
	list = append(list, root)
	for i := range g.snap.Powers.Accounts {
		a := &g.snap.Powers.Accounts[i]
		if a.Name != root.Name && slices.ContainsFunc(entries, func(e sudoEntry) bool { return !e.command.Not && g.runsAs(e.SudoRule, a) != isNot }) {
			list = append(list, a)
		}
	}
	return list
}

// sudoTo are the edges by which rules let a state run commands as an account. Of the rules that match a command the last one decides.
func (g *Graph) sudoTo(s *State, entries []sudoEntry, a *snapshot.Account) (list []Edge) {
	var later []laterEntry
	for _, e := range slices.Backward(entries) {
		as := g.runsAs(e.SudoRule, a)
		if as == isNot {
			continue
		}
		sure := e.user == is && as == is && e.Partly == ""
		if !e.command.Not {
			why := g.commandGives(s, e.SudoRule, e.command.Text, a.UID == 0)
			list = append(list, g.sudoAs(sudoEdges(e, sure, why, later), a, Root)...)
			if goal := besides(e.command.Text); why != "" && a.UID == 0 && goal != "" {
				list = append(list, g.sudoAs(sudoEdges(e, sure, "", later), a, goal)...)
			}
		}
		if later = append(later, laterEntry{e, sure}); sure && e.command.Text == "ALL" {
			break // what comes before it counts for nothing
		}
	}
	return list
}

// sudoAs are edges of sudo as an account; of root they lead to a goal.
func (g *Graph) sudoAs(list []Edge, a *snapshot.Account, goal Goal) []Edge {
	for i := range list {
		x := &list[i]
		x.Text = fmt.Sprintf("sudo lets it run %s as %s%s", x.Object, a.Name, x.Text)
		if x.To = g.account(a.UID); a.UID == 0 {
			x.To, x.Goal = nil, goal
		}
	}
	return list
}

// laterEntry is one that decides on what both match, if it is sure to be for who asks.
type laterEntry struct {
	sudoEntry
	sure bool
}

// maxLater bounds the rules that are held against one that comes before them.
const maxLater = 2_000

// sudoEdges are what a command gives, with what comes later: one edge, two where it depends whether a password is asked for, and none if it is taken away.
// Their texts are what there is to add; why is why it is not known what the command gives.
func sudoEdges(e sudoEntry, sure bool, why string, later []laterEntry) (list []Edge) {
	rule := strings.Join(e.Users, ",") + ": " + e.command.Text
	x := Edge{Kind: BySudo, Object: rule, Trigger: snapshot.TriggerNone, Change: "the rule of sudo for " + rule}
	switch {
	case e.Partly != "":
		x.Unknown = "a rule of sudo is not followed: " + e.Partly
	case !sure:
		x.Unknown = "a rule of sudo names somebody of whom it is not known who that is: " + strings.Join(append(slices.Clone(e.Users), e.As...), ", ")
	case len(later) > maxLater:
		x.Unknown = "more rules of sudo come after one than are followed"
	default:
		x.Unknown = why
	}
	asked := "" // why a password may be asked for
	for _, l := range later[:min(len(later), maxLater)] {
		switch c := covers(l.command.Text, e.command.Text); {
		case c == none:
		case c == whole && l.sure:
			return nil
		case c == part:
			if e.command.Text == "ALL" && l.command.Not {
				x.Text = ", but for some, which a copy of a program gets around"
			}
		case l.command.Not, l.Partly != "":
			x.Unknown = cmp.Or(x.Unknown, "whether a later rule of sudo takes "+e.command.Text+" away was not followed: "+l.command.Text)
		case l.Password && !e.Password:
			asked = "whether sudo asks for a password was not followed, by a later rule: " + l.command.Text
		}
	}
	if e.Password || asked != "" {
		y := x
		y.Trigger, y.Text = snapshot.TriggerOperator, x.Text+", with the password of its account"
		list = append(list, y)
	}
	if !e.Password {
		x.Unknown = cmp.Or(x.Unknown, asked)
		list = append(list, x)
	}
	return list
}

// sudoGroups are the edges of rules that let commands run with other groups.
func (g *Graph) sudoGroups(s *State, entries []sudoEntry) (list []Edge) {
	for i, e := range entries {
		if e.command.Not || len(e.AsGroups) == 0 {
			continue
		}
		to := *s
		to.Groups = slices.Clone(s.Groups)
		for _, group := range slices.Sorted(maps.Keys(g.groups)) {
			gid := g.groups[group]
			if lastOf(e.AsGroups, func(name string) told {
				return toldIf(name == "ALL" || strings.EqualFold(name, group) || name == "#"+strconv.Itoa(gid))
			}) == is && !to.in(gid) {
				to.Groups = append(to.Groups, gid)
			}
		}
		if len(to.Groups) == len(s.Groups) {
			continue
		}
		for _, x := range sudoEdges(e, e.user == is && e.Partly == "", g.commandGives(s, e.SudoRule, e.command.Text, false), nil) {
			if slices.ContainsFunc(entries[i+1:], func(l sudoEntry) bool { return covers(l.command.Text, e.command.Text) != none }) {
				x.Unknown = cmp.Or(x.Unknown, "with which groups a later rule of sudo lets it run "+e.command.Text+" was not followed")
			}
			x.To, x.Text = &to, fmt.Sprintf("sudo lets it run %s with other groups%s", x.Object, x.Text)
			list = append(list, x)
		}
	}
	return list
}

// sudoStrangers are the edges of rules that name somebody whose account is not known.
func (g *Graph) sudoStrangers(entries []sudoEntry) (list []Edge) {
	for _, e := range entries {
		for _, name := range e.As {
			if e.command.Not || name == "" || name == "ALL" || name == "root" || strings.ContainsAny(name[:1], "!#%+") || g.knows(name) {
				continue
			}
			list = append(list, Edge{
				Kind: BySudo, Object: name, Trigger: snapshot.TriggerNone, Goal: Root, Unknown: "a rule of sudo names somebody whose account is not known: " + name,
			})
		}
	}
	return list
}

// knows says of a name whether there is an account of it.
func (g *Graph) knows(name string) bool {
	return g.names[name] != nil || slices.ContainsFunc(g.snap.Powers.Accounts, func(a snapshot.Account) bool { return strings.EqualFold(a.Name, name) })
}
