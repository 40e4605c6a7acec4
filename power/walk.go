package power

import (
	"container/heap"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
)

// maxStates bounds the states of one question.
const maxStates = 2_000

// node is a state that is entered, and the way to it.
type node struct {
	state *State
	goal  Goal
	from  *node
	by    *Edge
	cost  rank
}

// rank orders ways: by the worst trigger, then by the triggers of all steps, then by the steps.
type rank struct{ worst, sum, steps int }

func (r rank) less(o rank) bool {
	switch {
	case r.worst != o.worst:
		return r.worst < o.worst
	case r.sum != o.sum:
		return r.sum < o.sum
	}
	return r.steps < o.steps
}

func (r rank) with(t snapshot.Trigger) rank {
	c := cost(t)
	return rank{max(r.worst, c), r.sum + c, r.steps + 1}
}

type queue []*node

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].cost.less(q[j].cost) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(*node)) }
func (q *queue) Pop() any {
	old := *q
	n := old[len(old)-1]
	*q = old[:len(old)-1]
	return n
}

// reached is what a walk found: the cheapest way to each goal, the states that were entered, and whether all were.
type reached struct {
	goals  map[Goal]*node
	states []*State
	whole  bool
}

// walk enters all states from one on, by edges that are known to be there, or by all.
func (g *Graph) walk(from *State, unknown bool) reached {
	r := reached{goals: map[Goal]*node{}, whole: true}
	seen := map[string]bool{}
	q := &queue{{state: from}}
	for q.Len() > 0 {
		n := heap.Pop(q).(*node)
		if n.goal != "" {
			if r.goals[n.goal] == nil {
				r.goals[n.goal] = n
			}
			continue
		}
		k := n.state.key()
		if seen[k] {
			continue
		}
		if len(r.states) == maxStates {
			r.whole = false
			break
		}
		seen[k] = true
		r.states = append(r.states, n.state)
		list := g.from(n.state)
		for i := range list {
			e := &list[i]
			if g.cut[e.Change] || e.Unknown != "" && !unknown || e.Goal != "" && r.goals[e.Goal] != nil {
				continue
			}
			heap.Push(q, &node{state: e.To, goal: e.Goal, from: n, by: e, cost: n.cost.with(e.Trigger)})
		}
	}
	if root := r.goals[Root]; root != nil { // who is root gets the rest
		for _, goal := range Goals {
			if at := r.goals[goal]; at == nil || root.cost.less(at.cost) {
				r.goals[goal] = root
			}
		}
	}
	return r
}

// path are the edges of the way to a node.
func (n *node) path() (list []Edge) {
	for ; n.by != nil; n = n.from {
		list = append(list, *n.by)
	}
	slices.Reverse(list)
	return list
}

// latest is the last trigger of a way in their order.
func latest(path []Edge) snapshot.Trigger {
	t := snapshot.TriggerNone
	for _, e := range path {
		if cost(e.Trigger) > cost(t) {
			t = e.Trigger
		}
	}
	return t
}

// ofWhom are changes as they read without the way that they are about: whose they are.
func ofWhom(name string, cut []string) []string {
	for i, change := range cut {
		switch change {
		case itsUser:
			cut[i] = "the user that " + name + " runs as"
		case itsCaps:
			cut[i] = "the capabilities of " + name
		}
	}
	return cut
}

// from are the edges of a state, made once.
func (g *Graph) from(s *State) []Edge {
	k := s.key()
	list, ok := g.edges[k]
	if !ok {
		list = g.leave(s)
		g.edges[k] = list
	}
	return list
}

// Ask says of one principal whether it gets to each goal.
func (g *Graph) Ask(p Principal) []Answer {
	known := g.walk(&p.State, false)
	all := known
	if slices.ContainsFunc(Goals, func(goal Goal) bool { return known.goals[goal] == nil }) {
		all = g.walk(&p.State, true)
	}
	var list []Answer
	for _, goal := range Goals {
		a := Answer{Principal: p, Goal: goal}
		switch {
		case known.goals[goal] != nil:
			a.Verdict, a.Path = Yes, known.goals[goal].path()
			a.Cut = ofWhom(p.Name, g.fewest(&p.State, goal, a.Path))
		case all.goals[goal] != nil:
			a.Verdict, a.Path = Unknown, all.goals[goal].path()
			if !g.searched { // what else is not known says more
				switch n := g.asIfSearched(&p.State, goal); {
				case n != nil:
					a.Path = n.path()
				case len(g.gaps) > 0:
					a.Path, a.Because = nil, slices.Clone(g.gaps)
				default:
					a.Unsearched = true
				}
			}
			for _, e := range a.Path {
				if e.Unknown != "" && !slices.Contains(a.Because, e.Unknown) {
					a.Because = append(a.Because, e.Unknown)
				}
			}
		case !all.whole || len(g.gaps) > 0:
			a.Verdict, a.Because = Unknown, slices.Clone(g.gaps)
			if !all.whole {
				a.Because = append(a.Because, "more states are entered than are followed")
			}
		default:
			a.Verdict = No
			for _, s := range all.states {
				a.Closed = append(a.Closed, *s)
			}
			if g.checker == nil {
				g.checker = newChecker(g.snap, g.apis)
			}
			if err := g.checker.check(&a); err != nil {
				a.Verdict, a.Closed, a.Because = Unknown, nil, []string{"the certificate was not confirmed: " + err.Error()}
			}
		}
		a.Trigger = latest(a.Path)
		list = append(list, a)
	}
	return list
}

// asIfSearched is the way to a goal if there were no set-id programs outside of the directories of packages, or nil.
func (g *Graph) asIfSearched(from *State, goal Goal) *node {
	searched := *g
	searched.searched, searched.edges = true, map[string][]Edge{}
	return searched.walk(from, true).goals[goal]
}

// maxCut bounds the changes of a cut.
const maxCut = 12

// fewest are changes that end all known ways to a goal, nil if that takes what cannot be changed or too many. Each way needs one of its
// changes: the smallest set for few, then the way that is left decides the next.
func (g *Graph) fewest(from *State, goal Goal, first []Edge) []string {
	var best []string
	var try func(cut []string, path []Edge, most int) bool
	try = func(cut []string, path []Edge, most int) bool {
		if path == nil {
			best = slices.Clone(cut)
			return true
		}
		if len(cut) == most {
			return false
		}
		for _, e := range path {
			if e.Change == "" || slices.Contains(cut, e.Change) {
				continue
			}
			next := append(slices.Clone(cut), e.Change)
			if try(next, g.without(from, goal, next), most) {
				return true
			}
		}
		return false
	}
	for most := 1; most <= 3; most++ {
		if try(nil, first, most) {
			return best
		}
	}
	var cut []string // the first of each way that is left
	for path := first; path != nil; path = g.without(from, goal, cut) {
		i := slices.IndexFunc(path, func(e Edge) bool { return e.Change != "" && !slices.Contains(cut, e.Change) })
		if i < 0 || len(cut) == maxCut {
			return nil
		}
		cut = append(cut, path[i].Change)
	}
	return cut
}

// without is the way to a goal that some changes leave, nil if there is none.
func (g *Graph) without(from *State, goal Goal, cut []string) []Edge {
	less := *g
	less.cut = map[string]bool{}
	for _, c := range cut {
		less.cut[c] = true
	}
	n := less.walk(from, false).goals[goal]
	if n == nil {
		return nil
	}
	if path := n.path(); path != nil {
		return path
	}
	return []Edge{}
}
