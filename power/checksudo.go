package power

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// tool says whether a state may run a program with other powers by its name. Where those are was looked at everywhere.
func (k *checker) tool(st *State, name string) bool {
	lacking := st.Place == Apart
	for _, p := range k.s.Powers.Programs {
		if base := path.Base(p.Path); (base == name || base == name+"-rs") && p.SetUID != nil {
			if lacking = false; k.starts(st, &p) {
				return true
			}
		}
	}
	return lacking
}

// sudo refuses every rule that may be for a state and lets it run anything, but one that a later one takes away from everybody.
func (k *checker) sudo(st *State) error {
	if !k.tool(st, "sudo") {
		return nil
	}
	away := map[string]bool{} // of commands that are taken away, as whoever it is
	for i := len(k.s.Powers.Sudo) - 1; i >= 0; i-- {
		r := &k.s.Powers.Sudo[i]
		whole := r.Partly == "" && slices.Equal(r.As, []string{"ALL"}) && k.allOf(r, st)
		for j := len(r.Commands) - 1; j >= 0; j-- {
			c := &r.Commands[j]
			switch {
			case c.Not && whole:
				away[c.Text] = true
			case c.Not, away["ALL"] && len(r.AsGroups) == 0, away[c.Text] && len(r.AsGroups) == 0, !k.mayMean(r, st), k.ends(st, r):
			default:
				return fmt.Errorf("sudo has a rule for uid %d: %s", st.UID, c.Text)
			}
		}
	}
	return nil
}

// allOf says of a rule that it is for a state, whoever else it is for.
func (k *checker) allOf(r *snapshot.SudoRule, st *State) bool {
	if len(r.Users) != 1 {
		return false
	}
	a := k.base.accounts[st.UID]
	return r.Users[0] == "ALL" || a != nil && r.Users[0] == a.Name
}

// mayMean says of a rule that it may be for a state: of those whom it names, and keeps out, one may be it.
func (k *checker) mayMean(r *snapshot.SudoRule, st *State) bool {
	if own := k.base.accounts[st.UID]; own != nil && len(r.Users) > 0 && r.Users[len(r.Users)-1] == "!"+own.Name {
		return false // the last one counts
	}
	return slices.ContainsFunc(r.Users, func(u string) bool {
		a := k.base.accounts[st.UID]
		switch {
		case u == "ALL", strings.HasPrefix(u, "+"), strings.HasPrefix(u, "%:"):
			return true
		case strings.HasPrefix(u, "!"):
			return false
		case strings.HasPrefix(u, "%"):
			return slices.ContainsFunc(k.s.Powers.Groups, func(g snapshot.NamedGroup) bool {
				named := strings.EqualFold(u[1:], g.Name) || u == fmt.Sprintf("%%#%d", g.GID)
				return named && (slices.Contains(st.Groups, g.GID) || a != nil && a.GID == g.GID)
			}) || slices.ContainsFunc(st.Groups, func(gid int) bool { return u == fmt.Sprintf("%%#%d", gid) })
		}
		return u == fmt.Sprintf("#%d", st.UID) || a != nil && strings.EqualFold(u, a.Name)
	})
}

// ends says of a rule that whoever it lets commands run as is among the states.
func (k *checker) ends(st *State, r *snapshot.SudoRule) bool {
	if slices.Equal(r.As, []string{"ALL", "!root"}) && len(r.AsGroups) == 0 {
		return !slices.ContainsFunc(k.s.Powers.Accounts, func(a snapshot.Account) bool { return a.Name != "root" && (a.UID == 0 || !k.turned(st, &a)) })
	}
	return len(r.As) > 0 && len(r.AsGroups) == 0 && !slices.ContainsFunc(r.As, func(name string) bool {
		a := k.base.names[name]
		return name != "" && (a == nil || a.UID == 0 || !k.turned(st, a))
	})
}

// doas refuses every rule that is for a state and permits anything, but one after which comes one that denies it everything.
func (k *checker) doas(st *State) error {
	if f := k.s.Powers.DoasRead.State; f == snapshot.Denied || f == snapshot.Error {
		return fmt.Errorf("the rules of doas are not known")
	}
	if !k.tool(st, "doas") {
		return nil
	}
	for i := len(k.s.Powers.Doas) - 1; i >= 0; i-- {
		r := &k.s.Powers.Doas[i]
		group, named := strings.CutPrefix(r.Identity, ":")
		own := named && slices.ContainsFunc(st.Groups, func(gid int) bool {
			id, ok := k.base.groups[group]
			return ok && id == gid || !ok && group == fmt.Sprint(gid)
		})
		a := k.base.names[r.Identity]
		if !named {
			own = a != nil && a.UID == st.UID || a == nil && r.Identity == fmt.Sprint(st.UID)
		}
		switch as := k.base.names[r.As]; {
		case !own:
		case !r.Permit && r.As == "" && r.Command == "":
			return nil
		case r.Permit && (as == nil || as.UID == 0 || as.UID != st.UID && !k.turned(st, as)):
			return fmt.Errorf("doas has a rule for uid %d", st.UID)
		}
	}
	return nil
}
