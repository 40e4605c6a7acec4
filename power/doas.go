package power

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// byDoas are the rules of doas for a state (doas.conf(5)): of those that match the last one decides. Its words are words: it has no names for everybody,
// and no patterns.
func (g *Graph) byDoas(s *State) (list []Edge) {
	if s.NoNewPrivs || s.Place == InContainer || s.OwnUser || s.UID == 0 {
		return nil
	}
	if f := g.snap.Powers.DoasRead; f.State == snapshot.Denied || f.State == snapshot.Error {
		return []Edge{{Kind: ByDoas, Object: "/etc/doas.conf", Trigger: snapshot.TriggerNone, Goal: Root, Unknown: "the rules of doas are not known: " + f.Reason}}
	}
	seen, unseen := g.hasTool(s, "doas")
	if !seen || g.accounts[s.UID] == nil {
		return nil // it does nothing for who has no account
	}
	var mine []*snapshot.DoasRule
	for i := range g.snap.Powers.Doas {
		if r := &g.snap.Powers.Doas[i]; g.doasFor(r, s) {
			mine = append(mine, r)
		}
	}
	for _, a := range g.doasTargets(mine) {
		if a.UID == s.UID {
			continue
		}
		for _, x := range g.doasTo(s, mine, a) {
			x.Unknown = cmp.Or(x.Unknown, unseen)
			list = append(list, x)
		}
		if slices.ContainsFunc(list, func(e Edge) bool { return e.Goal == Root && e.Unknown == "" && e.Trigger == snapshot.TriggerNone }) {
			break
		}
	}
	return list
}

// doasFor says whether a rule is for a state: by a name or a number of a user, or of a group after a colon.
func (g *Graph) doasFor(r *snapshot.DoasRule, s *State) bool {
	if name, ok := strings.CutPrefix(r.Identity, ":"); ok {
		gid, known := g.groups[name]
		if !known {
			n, err := strconv.Atoi(name)
			return err == nil && s.in(n)
		}
		return s.in(gid)
	}
	return g.uidOf(r.Identity) == s.UID
}

// uidOf is the uid of a name or a number, -1 if it is none.
func (g *Graph) uidOf(name string) int {
	if a := g.names[name]; a != nil {
		return a.UID
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 {
		return n
	}
	return -1
}

// doasTargets are the accounts as which rules may let somebody run commands, root first.
func (g *Graph) doasTargets(mine []*snapshot.DoasRule) (list []*snapshot.Account) {
	root := g.accounts[0]
	if root == nil {
		root = &snapshot.Account{Name: "root"}
	}
	list = append(list, root)
	for i := range g.snap.Powers.Accounts {
		a := &g.snap.Powers.Accounts[i]
		if a.UID != 0 && slices.ContainsFunc(mine, func(r *snapshot.DoasRule) bool { return r.Permit && (r.As == "" || g.uidOf(r.As) == a.UID) }) {
			list = append(list, a)
		}
	}
	return list
}

// doasTo are the edges by which rules let a state run commands as an account.
func (g *Graph) doasTo(s *State, mine []*snapshot.DoasRule, a *snapshot.Account) (list []Edge) {
	var later []*snapshot.DoasRule
	for _, r := range slices.Backward(mine) {
		if r.As != "" && g.uidOf(r.As) != a.UID {
			continue
		}
		if r.Permit && !slices.ContainsFunc(later, func(l *snapshot.DoasRule) bool { return doasCovers(l, r) }) {
			x := g.doasEdge(s, r, later, a)
			list = append(list, x)
			if goal := besides(r.Command); x.Unknown != "" && a.UID == 0 && goal != "" && len(r.Args) == 0 && !r.Exact {
				x.Unknown, x.Goal = "", goal
				list = append(list, x)
			}
		}
		if later = append(later, r); r.Command == "" || len(later) > maxLater {
			break
		}
	}
	return list
}

func (g *Graph) doasEdge(s *State, r *snapshot.DoasRule, later []*snapshot.DoasRule, a *snapshot.Account) Edge {
	words := append([]string{r.Command}, r.Args...)
	what := strings.Join(words, " ")
	e := Edge{Kind: ByDoas, Trigger: snapshot.TriggerNone, Object: r.Identity + ": " + cmp.Or(what, "every command")}
	e.Change, e.Text = "the rule of doas for "+e.Object, fmt.Sprintf("doas lets it run %s as %s", cmp.Or(what, "every command"), a.Name)
	switch {
	case r.Command == "" && slices.ContainsFunc(later, func(l *snapshot.DoasRule) bool { return !l.Permit }):
		e.Text += ", but for some, which a copy of a program gets around"
	case r.Command != "":
		if e.Unknown = g.wordsGive(s, words, false, a.UID == 0); len(r.Args) == 0 && r.Exact && !g.programOpen(s, r.Command) {
			e.Unknown = cmp.Or(e.Unknown, g.aloneGives(r.Command))
		}
	}
	if r.Password {
		e.Trigger, e.Text = snapshot.TriggerOperator, e.Text+", with the password of its account"
	}
	if e.To = g.account(a.UID); a.UID == 0 {
		e.To, e.Goal = nil, Root
	}
	return e
}

// doasCovers says of a later rule that it matches whatever another one lets somebody run.
func doasCovers(later, r *snapshot.DoasRule) bool {
	return later.Command == "" || later.Command == r.Command && (!later.Exact || r.Exact && slices.Equal(later.Args, r.Args))
}
