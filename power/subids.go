package power

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// bySubIDs are the users and groups of the host that a state may be in a user namespace of its own (subuid(5)): it has no capabilities there over what is the
// host's, and the files of that user all the same.
func (g *Graph) bySubIDs(s *State) (list []Edge) {
	for _, to := range g.subStates(s) {
		tool, file, what := "newuidmap", "/etc/subuid", fmt.Sprintf("uid %d", to.UID)
		if to.UID == s.UID {
			tool, file, what = "newgidmap", "/etc/subgid", "other groups"
		}
		ok, why := g.startsTool(s, tool)
		if !ok {
			continue
		}
		e := Edge{
			Kind: ByProgram, Object: file, Trigger: snapshot.TriggerNone, To: to, Change: "the ids of its account in " + file,
			Unknown: cmp.Or(why, g.spacesClosed()), Text: fmt.Sprintf("%s lets it be %s of the host in a user namespace of its own, by %s", tool, what, file),
		}
		list = append(list, e)
	}
	return list
}

// subStates are what a state can be by the ids of its account: root alone where that is among them.
func (g *Graph) subStates(s *State) (list []*State) {
	if s.NoNewPrivs || s.OwnUser || s.Place == InContainer || s.UID == 0 {
		return nil
	}
	var mine []snapshot.SubIDs
	for _, r := range g.snap.Powers.SubIDs {
		if r.UID == s.UID {
			mine = append(mine, r)
		}
	}
	if len(mine) == 0 {
		return nil
	}
	in := func(id int, groups bool) bool {
		return slices.ContainsFunc(mine, func(r snapshot.SubIDs) bool { return r.Groups == groups && r.Has(id) })
	}
	base := *s
	base.OwnUser, base.Caps, base.HostNet = true, 0, false
	base.Groups = slices.Clone(s.Groups)
	for _, group := range g.snap.Powers.Groups {
		if in(group.GID, true) && !base.in(group.GID) {
			base.Groups = append(base.Groups, group.GID)
		}
	}
	uids := []int{0}
	for i := range g.snap.Powers.Accounts {
		uids = append(uids, g.snap.Powers.Accounts[i].UID)
	}
	slices.Sort(uids)
	for _, uid := range slices.Compact(uids) {
		if uid == s.UID || !in(uid, false) {
			continue
		}
		to := base
		to.UID = uid
		if list = append(list, &to); uid == 0 {
			return list
		}
	}
	if len(base.Groups) > len(s.Groups) {
		list = append(list, &base)
	}
	return list
}

// startsTool says whether a state can start a program of a name with the powers of its file, root's or capabilities, and why that is not known.
func (g *Graph) startsTool(s *State, name string) (ok bool, unsure string) {
	for i := range g.snap.Powers.Programs {
		p := &g.snap.Powers.Programs[i]
		if path.Base(p.Path) != name || p.SetUID == nil && p.Caps == "" || !runs(s, p) {
			continue
		}
		switch can, why := getsTo(g.snap, s, p); {
		case can && why == "":
			return true, bounded(s, p)
		case can:
			ok, unsure = true, why
		}
	}
	return ok, unsure
}

// spacesClosed is why it is not known that somebody makes a user namespace (user_namespaces(7)), "" if the kernel was not seen to keep them from it.
func (g *Graph) spacesClosed() string {
	k := g.snap.Kernel.Sysctls
	if k["kernel/unprivileged_userns_clone"].Value == "0" || k["user/max_user_namespaces"].Value == "0" || k["kernel/apparmor_restrict_unprivileged_userns"].Value == "1" {
		return "whether it can make a user namespace, which the kernel keeps from programs, was not followed"
	}
	return ""
}

// subIDs looks at what a state may be in user namespaces of its own.
func (k *checker) subIDs(st *State) error {
	for _, to := range k.base.subStates(st) {
		for _, p := range k.s.Powers.Programs {
			if strings.HasPrefix(path.Base(p.Path), "new") && strings.HasSuffix(p.Path, "idmap") && runs(st, &p) && k.starts(st, &p) && !k.closed[to.key()] {
				return fmt.Errorf("uid %d may be uid %d of the host with more groups, which is not among the states", st.UID, to.UID)
			}
		}
	}
	return nil
}
