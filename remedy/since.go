package remedy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// ground is what a proof stands on: the host's network, the tables of others, and which of them the proof leans on.
type ground struct {
	network []byte
	rules   *ruleset.Ruleset // without tables of ours
	leans   map[string]bool  // tables whose rules stop what the plan closes before the plan does
}

// groundOf is the ground of a proof on a host.
func groundOf(s *snapshot.Snapshot, leans map[string]bool) *ground {
	bare := Without(s)
	if bare.NFTables.Ruleset == nil {
		return nil
	}
	return &ground{networkOf(bare), bare.NFTables.Ruleset, leans}
}

// networkOf is what the model asks of a host beside its rules, without what is in use at the moment.
func networkOf(s *snapshot.Snapshot) []byte {
	n := s.Network
	n.InUse, n.Flows, n.Resolvers, n.Namespaces = nil, nil, nil, nil
	for _, ns := range s.Network.Namespaces {
		if ns.Host { // of others, and of how many processes there are, it asks nothing
			n.Namespaces = append(n.Namespaces, snapshot.Netns{Inode: ns.Inode, Host: true})
		}
	}
	b, err := json.Marshal([]any{n, s.Section("network").Status, s.Section("nftables").Status, s.NFTables.Legacy})
	if err != nil { // the types are our own
		panic(err)
	}
	return b
}

// NetworkDigest stands for what the model asks of a host's network.
func NetworkDigest(s *snapshot.Snapshot) string {
	sum := sha256.Sum256(networkOf(Without(s)))
	return hex.EncodeToString(sum[:])
}

// Covers says why a proof does not hold for the ruleset as it is now. Where nothing but decisions of others to let pass or to drop has
// changed, in tables that the proof does not lean on, it still does: the plan's own drops are final, and what they are about gets to them as it
// did. So it does where no packet gets to what has changed, and where others drop more; and where it needs none of them, whatever they translate
// to others than the host (outlives).
func (p *Proof) Covers(now *ruleset.Ruleset) error {
	if p.ground == nil || now == nil {
		return errors.New("nothing was proven of these rules")
	}
	old := p.ground.rules
	bare := withoutOurs(now)
	if now.IPSetsUnread != old.IPSetsUnread {
		return errors.New("the sets of ipset are known otherwise")
	}
	ipsets := !reflect.DeepEqual(old.IPSets, bare.IPSets)
	for _, id := range tableIDs(old, bare) {
		a, b := tableOf(old, id), tableOf(bare, id)
		if why := p.ground.unproves(a, b, ipsets); why != "" {
			if p.outlives(bare) {
				return nil
			}
			return fmt.Errorf("table %s %s: %s", id.family, id.name, why)
		}
	}
	return nil
}

// stands says that what was proven on the model needs no other look on a host as it is now.
func (p *Proof) stands(now *snapshot.Snapshot) bool {
	return p.ground != nil && bytes.Equal(p.ground.network, networkOf(now)) && p.Covers(now.NFTables.Ruleset) == nil
}

func withoutOurs(rs *ruleset.Ruleset) *ruleset.Ruleset {
	s := new(snapshot.Snapshot)
	s.NFTables.Ruleset = rs
	return Without(s).NFTables.Ruleset
}

type tableID struct{ family, name string }

func tableIDs(list ...*ruleset.Ruleset) (ids []tableID) {
	for _, rs := range list {
		for i := range rs.Tables {
			if id := (tableID{rs.Tables[i].Family, rs.Tables[i].Name}); !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// tableOf is a table of a ruleset; an empty one where it has none.
func tableOf(rs *ruleset.Ruleset, id tableID) *ruleset.Table {
	for i := range rs.Tables {
		if t := &rs.Tables[i]; t.Family == id.family && t.Name == id.name {
			return t
		}
	}
	return &ruleset.Table{Family: id.family, Name: id.name}
}

// unproves says why the change of a table unproves what stands on it, "" where it does not.
func (g *ground) unproves(a, b *ruleset.Table, ipsets bool) string {
	if a.Dormant != b.Dormant || !slices.Equal(a.Flowtables, b.Flowtables) {
		return "it is another kind of table"
	}
	d := differing(a, b, ipsets)
	if d == nil {
		return ""
	}
	touched := false
	for _, side := range []struct{ t, other *ruleset.Table }{{a, b}, {b, a}} {
		for i := range side.t.Chains {
			c := &side.t.Chains[i]
			if c.Base == nil {
				continue
			}
			way := leadsTo(side.t, c)
			same := side.other.Chain(c.Name)
			if same != nil && reflect.DeepEqual(same.Base, c.Base) && !d.on(way) {
				continue
			}
			touched = true
			if c.Base.Type != "filter" || !judgesOnly(side.t, way) {
				return "what changes packets is another, in chain " + c.Name
			}
		}
	}
	if touched && g.leans[a.Family+" "+a.Name] && !d.dropsMore(b) {
		return "what was shut out by it may not be any more"
	}
	return ""
}

// delta is what is not the same in two states of a table.
type delta struct {
	chains, sets, objects map[string]bool
	added                 bool // all that is new are elements of sets
	ipsets                bool
}

// differing is nil where two states of a table are the same.
func differing(a, b *ruleset.Table, ipsets bool) *delta {
	d := &delta{map[string]bool{}, map[string]bool{}, map[string]bool{}, true, ipsets}
	for _, side := range []struct{ t, other *ruleset.Table }{{a, b}, {b, a}} {
		for i := range side.t.Chains {
			c := &side.t.Chains[i]
			if o := side.other.Chain(c.Name); o == nil || !sameChain(c, o) {
				d.chains[c.Name] = true
			}
		}
		for i := range side.t.Sets {
			s := &side.t.Sets[i]
			o := side.other.Set(s.Name)
			if o == nil || !sameSet(s, o) {
				d.sets[s.Name] = true
			}
		}
		for i := range side.t.Objects {
			if o := &side.t.Objects[i]; !reflect.DeepEqual(side.other.Object(o.Type, o.Name), o) {
				d.objects[o.Name] = true
			}
		}
	}
	for name := range d.sets {
		x, y := a.Set(name), b.Set(name)
		d.added = d.added && x != nil && y != nil && !y.Interval && !y.Map && among(x.Elements, y.Elements)
	}
	if len(d.chains)+len(d.objects) > 0 || d.ipsets {
		d.added = false
	}
	if len(d.chains)+len(d.sets)+len(d.objects) == 0 && !ipsets {
		return nil
	}
	return d
}

func sameChain(a, b *ruleset.Chain) bool {
	return reflect.DeepEqual(a.Base, b.Base) && slices.EqualFunc(a.Rules, b.Rules, func(x, y ruleset.Rule) bool { return reflect.DeepEqual(x.Exprs, y.Exprs) })
}

// timeless are the elements of a set in order, without the times that run down.
func timeless(list []ruleset.Element) []ruleset.Element {
	list = slices.Clone(list)
	for i := range list {
		list[i].ExpiresMs, list[i].TimeoutMs = 0, 0
	}
	slices.SortFunc(list, byKey)
	return list
}

func sameSet(a, b *ruleset.Set) bool {
	x, y := *a, *b
	x.Elements, y.Elements = timeless(a.Elements), timeless(b.Elements)
	return reflect.DeepEqual(x, y)
}

// among says whether all elements are among others.
func among(list, of []ruleset.Element) bool {
	have := map[string]bool{}
	for i := range of {
		have[string(of[i].Key)] = true
	}
	return !slices.ContainsFunc(list, func(e ruleset.Element) bool { return !have[string(e.Key)] })
}

// on says whether chains have something of a difference.
func (d *delta) on(chains []*ruleset.Chain) bool {
	return slices.ContainsFunc(chains, func(c *ruleset.Chain) bool {
		return d.chains[c.Name] || slices.ContainsFunc(c.Rules, func(r ruleset.Rule) bool {
			return slices.ContainsFunc(r.Exprs, func(e ruleset.Expr) bool {
				x := e.More().Objref
				return d.sets[setOf(&e)] || x != nil && (d.objects[x.Name] || x.Set != "" && len(d.objects) > 0) || d.ipsets && e.Xt != nil && (e.Xt.Name == "set" || e.Xt.Name == "SET")
			})
		})
	})
}

// setOf is the set of the table that an expression is about, or "".
func setOf(e *ruleset.Expr) string {
	switch x := e.More(); {
	case e.Lookup != nil:
		return e.Lookup.Set
	case x.Dynset != nil:
		return x.Dynset.Set
	case x.Objref != nil:
		return x.Objref.Set
	}
	return ""
}

// dropsMore says of a difference that it is but more elements of sets by which rules drop or refuse.
func (d *delta) dropsMore(t *ruleset.Table) bool {
	if !d.added {
		return false
	}
	for i := range t.Chains {
		for j := range t.Chains[i].Rules {
			r := &t.Chains[i].Rules[j]
			for k := range r.Exprs {
				if d.sets[setOf(&r.Exprs[k])] && (r.Exprs[k].Lookup == nil || r.Exprs[k].Lookup.Invert || !ends(r)) {
					return false
				}
			}
		}
	}
	return true
}

// ends says of a rule that it drops or refuses what it matches.
func ends(r *ruleset.Rule) bool {
	if len(r.Exprs) == 0 {
		return false
	}
	e := &r.Exprs[len(r.Exprs)-1]
	return e.Reject != nil || e.Immediate != nil && e.Immediate.Verdict != nil && e.Immediate.Verdict.Kind == ruleset.Drop
}

// leadsTo are a chain and those that it leads to, by jumps and by maps of verdicts.
func leadsTo(t *ruleset.Table, from *ruleset.Chain) []*ruleset.Chain {
	list := []*ruleset.Chain{from}
	seen := map[string]bool{from.Name: true}
	add := func(v *ruleset.Verdict) {
		if v == nil || v.Chain == "" || seen[v.Chain] {
			return
		}
		seen[v.Chain] = true
		if c := t.Chain(v.Chain); c != nil {
			list = append(list, c)
		}
	}
	for i := 0; i < len(list); i++ {
		for j := range list[i].Rules {
			for k := range list[i].Rules[j].Exprs {
				e := &list[i].Rules[j].Exprs[k]
				if e.Immediate != nil {
					add(e.Immediate.Verdict)
				}
				if name := setOf(e); name != "" && t.Set(name) != nil {
					for n := range t.Set(name).Elements {
						add(t.Set(name).Elements[n].Verdict)
					}
				}
			}
		}
	}
	return list
}

// judgesOnly says of chains that they let pass and drop, and change neither packets nor what is known of their connections.
func judgesOnly(t *ruleset.Table, chains []*ruleset.Chain) bool {
	return !slices.ContainsFunc(chains, func(c *ruleset.Chain) bool {
		return slices.ContainsFunc(c.Rules, func(r ruleset.Rule) bool {
			return slices.ContainsFunc(r.Exprs, func(e ruleset.Expr) bool {
				if s := t.Set(setOf(&e)); s != nil && slices.ContainsFunc(s.Elements, func(el ruleset.Element) bool { return !judgeVerdict(el.Verdict) }) {
					return true
				}
				return !judges(&e)
			})
		})
	})
}

func judgeVerdict(v *ruleset.Verdict) bool { return v == nil || v.Kind != ruleset.Queue }

// judges says of an expression that it at most decides whether a packet passes.
func judges(e *ruleset.Expr) bool {
	switch x := e.More(); {
	case e.Payload != nil, e.Meta != nil, e.Ct != nil:
		return !e.Writes()
	case e.Immediate != nil:
		return judgeVerdict(e.Immediate.Verdict)
	case e.Xt != nil:
		if !e.Xt.Target {
			return e.Xt.Name != "socket" // it can give the packet the mark of the socket (--restore-skmark)
		}
		return slices.Contains([]string{"REJECT", "LOG", "NFLOG"}, e.Xt.Name)
	case e.Cmp != nil, e.Range != nil, e.Lookup != nil, e.Bitwise != nil, e.Byteorder != nil, e.Fib != nil, e.Reject != nil, e.Log != nil, e.Limit != nil:
		return true
	case x.Quota != nil, x.Connlimit != nil, x.Generate != nil, x.Dynset != nil, x.Socket != nil, x.Rt != nil, x.Osf != nil:
		return true
	case x.Objref != nil:
		return x.Objref.Type == ruleset.ObjectCounter
	}
	return e.Plain && (e.Name == "counter" || e.Name == "last")
}
