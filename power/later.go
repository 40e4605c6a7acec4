package power

import (
	"fmt"
	"path"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
)

// later are the programs by which everybody has something done later by a daemon of root, which starts it as their account, and where they keep it: crontab(1)
// and at(1) write there with the powers of a group, a user or root.
var later = []struct {
	program, by string
	kept        []string
}{
	{"crontab", "cron", []string{"/var/spool/cron"}},
	{"at", "atd", []string{"/var/spool/cron", "/var/spool/at", "/var/spool/atd", "/var/spool/atjobs"}},
}

// lingering are the actions of polkit by which somebody who is not logged in has a manager of their own (loginctl enable-linger): the first is allowed everybody.
var lingering = []string{"", "org.freedesktop.login1.set-self-linger", "org.freedesktop.login1.set-user-linger"}

// byTable is what cron and atd do for an account by what it asks them for.
func (g *Graph) byTable(s *State, e Edge) (list []Edge) {
	if s.NoNewPrivs || s.OwnUser {
		return nil
	}
	for _, l := range later {
		runs := slices.ContainsFunc(g.snap.Powers.Programs, func(p snapshot.GainProgram) bool {
			ok, _ := getsTo(g.snap, s, &p)
			return ok && path.Base(p.Path) == l.program && (p.SetGID != nil || p.SetUID != nil) && runs(s, &p)
		})
		if !runs || !slices.ContainsFunc(l.kept, func(dir string) bool { ok, _ := sees(g.snap, s, dir, toWrite); return ok }) {
			continue
		}
		x := e
		x.Object, x.Trigger, x.Text = l.program, snapshot.TriggerTimer, l.by+" runs what it asks for, without its restrictions"
		x.Unknown = fmt.Sprintf("whether %s takes what its account asks for was not looked at", l.by)
		list = append(list, x)
	}
	return list
}

// byLinger is the manager that an account has started for itself, logged in or not.
func (g *Graph) byLinger(s *State, e Edge) []Edge {
	bus, _ := sees(g.snap, s, busSocket, toReach)
	its, _ := sees(g.snap, s, fmt.Sprintf("/run/user/%d", s.UID), toReach)
	if !bus || !its || !slices.ContainsFunc(g.snap.Powers.Polkit, func(p snapshot.PolkitGrant) bool {
		if n := g.asked(p.Action); n != nil && !g.mayAsk(s, n) {
			return false
		}
		return p.Unread == "" && slices.Contains(lingering, p.Action) && g.meets(&p, s)
	}) {
		return nil
	}
	e.Object, e.Trigger, e.Text = "linger", snapshot.TriggerNone, "it has a manager of its account started, which runs what it asks for without its restrictions"
	e.Unknown = "whether it has a manager of its account started (loginctl enable-linger) was not looked at"
	return []Edge{e}
}

// later looks at what is done for the account of a state by what it asks for.
func (k *checker) later(st *State) error {
	if k.gets(st, busSocket, false, false) && k.gets(st, fmt.Sprintf("/run/user/%d", st.UID), false, false) {
		for _, p := range k.s.Powers.Polkit {
			if slices.Contains(lingering, p.Action) && k.base.meets(&p, st) && !k.unasked(st, p.Action) {
				return fmt.Errorf("what a manager of uid %d does is not among the states", st.UID)
			}
		}
	}
	if st.NoNewPrivs || st.OwnUser {
		return nil
	}
	for _, p := range k.s.Powers.Programs {
		if !runs(st, &p) || !k.gets(st, p.Path, false, true) {
			continue
		}
		for _, l := range later {
			if path.Base(p.Path) == l.program && slices.ContainsFunc(l.kept, func(dir string) bool { return k.gets(st, dir, true, false) }) {
				return fmt.Errorf("what %s does for uid %d is not among the states", l.by, st.UID)
			}
		}
	}
	return nil
}
