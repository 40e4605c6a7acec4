package trace

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// Conditional is a fate that a packet has if what depends on the traffic before it is so.
type Conditional struct {
	If   []packet.Condition `json:"if"`   // on these conditions
	Fate Fate               `json:"fate"` // what becomes of it then
}

// byTraffic is an expression that holds for a packet at rest, or does not, and the other way when traffic has used it up
// (nft_limit.c, nft_quota.c, nft_connlimit.c, xt_limit.c, xt_hashlimit.c, xt_connlimit.c, xt_quota.c, xt_recent.c).
// Of is what traffic uses up: what the packet itself has used a part of is as nobody knows when it comes there again.
func (w *walk) byTraffic(r *rule, of any, holds bool, atRest, usedUp string) verdict {
	if slices.Contains(w.metered, of) {
		return w.maybe(r, "how much the packet itself left the second time, whether "+atRest)
	}
	w.metered = append(w.metered, of)
	used := w.conditional(r, packet.AtRest, atRest, packet.UsedUp, usedUp)
	return decide(holds != used)
}

// byChance is an expression that holds for some packets.
func (w *walk) byChance(r *rule, what string) verdict {
	return decide(w.conditional(r, packet.ByChance, what+" does not choose the packet", packet.ByChance, what+" chooses the packet"))
}

// conditional says whether the second of two ways is taken that the traffic before decides; the first is that of a host at rest.
func (w *walk) conditional(r *rule, first packet.Traffic, firstText string, second packet.Traffic, secondText string) bool {
	at := w.at
	otherwise := w.choose(2, r, firstText) == 1
	w.choices[at].states = []state{{first, firstText}, {second, secondText}}
	return otherwise
}

// state is one way of a choice that the traffic before decides.
type state struct {
	is   packet.Traffic
	text string
}

// limit is a token bucket (nft_limit_eval). At rest it is full: one packet has room in it, one of bytes if the bucket is no smaller than a
// packet.
func (w *walk) limit(l *ruleset.Limit, r *rule) verdict {
	if l.Bytes && l.Rate+uint64(l.Burst) < mtu {
		return w.maybe(r, l.String()+" depends on the length of the packet")
	}
	return w.byTraffic(r, l, !l.Over, l.String()+" is not used up", l.String()+" is used up")
}

// The length of the largest packet of most networks, and what all packets are longer than, in bytes.
const (
	mtu         = 1500
	leastLength = 20
)

// quota counts bytes, and does not become free again by itself (nft_quota_do_eval).
func (w *walk) quota(q *ruleset.Quota, r *rule) verdict {
	if q.Bytes <= leastLength {
		return decide(q.Over)
	}
	return w.byTraffic(r, q, !q.Over, q.String()+" is not used up", q.String()+" is used up")
}

// connlimit counts connections, that of the packet among them (nft_connlimit_do_eval).
func (w *walk) connlimit(c *ruleset.Connlimit, r *rule) verdict {
	if c.Count == 0 {
		return decide(c.Over)
	}
	return w.byTraffic(r, c, !c.Over, "there are no more connections than "+c.String()+" allows", "there are more connections than "+c.String()+" allows")
}

// xtTraffic evaluates a match of iptables that depends on the traffic before.
func (w *walk) xtTraffic(x *ruleset.Xt, t *ruleset.XtTraffic, r *rule) verdict {
	name := "the match " + t.Kind
	var of any = x
	switch t.Kind {
	case "statistic":
		return w.byChance(r, name)
	case "recent":
		return w.recent(t, r)
	case "connlimit": // more than the number, or with Invert not more (connlimit_mt)
		if t.Number == 0 {
			return decide(!t.Invert)
		}
		return w.byTraffic(r, of, t.Invert, "there are no more connections than "+name+" counts to", "there are more connections than "+name+" counts to")
	case "hashlimit": // those of one name are one (htable_find_get)
		of = "hashlimit " + t.List
	case "quota":
		if t.Number <= leastLength {
			return decide(t.Invert)
		}
	}
	return w.byTraffic(r, of, !t.Invert, name+" is not used up", name+" is used up")
}

// recent is a list of addresses (recent_mt): one that was entered for this packet is in it, others are when traffic has put them there.
// What a rule before has found out of the list stays so for the packet; a proof holds also if others come between.
func (w *walk) recent(t *ruleset.XtTraffic, r *rule) verdict {
	var entered uint32
	for _, of := range w.entered {
		if of == t.Of {
			entered++
		}
	}
	switch {
	case t.Op == "set":
		w.entered = append(w.entered, t.Of)
		w.forget(func(f listed) bool { return f.of == t.Of && !f.is })
		return decide(!t.Invert)
	case t.Op == "remove" && entered > 0:
		w.removed(t.Of)
		return decide(!t.Invert)
	case entered > 0 && entered >= t.Hits:
		return decide(!t.Invert)
	}
	asked := listed{t.Of, max(t.Hits, 1), t.Seconds, t.TTL, true}
	if t.Op == "remove" {
		asked = listed{of: t.Of, hits: 1, is: true}
	}
	if i := slices.IndexFunc(w.listed, func(f listed) bool { return f.decides(asked) }); w.region == nil && i >= 0 {
		asked.is = w.listed[i].is
	} else {
		what := " put the address into the list " + t.List + " of recent" + often(t)
		asked.is = w.conditional(r, packet.AtRest, "traffic before has not"+what, packet.UsedUp, "traffic before has"+what)
		w.listed = append(w.listed, asked)
	}
	switch {
	case t.Op == "remove" && asked.is:
		w.removed(t.Of)
	case t.Op == "update" && asked.is != t.Invert: // one more entry
		w.forget(func(f listed) bool { return f.of == t.Of && !f.is })
	}
	return decide(asked.is != t.Invert)
}

// listed is whether an address has so many entries in a list of recent, of so many seconds, 0 is of any time, and of the TTL of the packet.
type listed struct {
	of            string
	hits, seconds uint32
	ttl, is       bool
}

// decides says whether it answers another question too.
func (f listed) decides(asked listed) bool {
	longer := func(a, b uint32) bool { return a == 0 || b != 0 && a >= b }
	switch {
	case f.of != asked.of:
		return false
	case f.is:
		return f.hits >= asked.hits && longer(asked.seconds, f.seconds) && (f.ttl || !asked.ttl)
	}
	return f.hits <= asked.hits && longer(f.seconds, asked.seconds) && (asked.ttl || !f.ttl)
}

func (w *walk) forget(what func(listed) bool) { w.listed = slices.DeleteFunc(w.listed, what) }

// removed forgets what is known of a list.
func (w *walk) removed(of string) {
	w.entered = slices.DeleteFunc(w.entered, func(list string) bool { return list == of })
	w.forget(func(f listed) bool { return f.of == of })
}

func often(t *ruleset.XtTraffic) string {
	if t.Hits > 1 {
		return fmt.Sprintf(" %d times", t.Hits)
	}
	return ""
}

// absent is for a key that is not in a set to which rules add: the traffic before can have added it since.
func (w *walk) absent(o *op, r *rule, key []byte, l *ruleset.Lookup) verdict {
	for i := range w.changes {
		if c := &w.changes[i]; c.set == o.set && bytes.Equal(c.key, key) { // the packet itself has just taken it out
			return w.found(o, r, nil, l)
		}
	}
	if !w.putIn(o, r, string(key)) {
		return w.found(o, r, nil, l)
	}
	return w.foundPut(o, r, l)
}

// putIn says whether the traffic before has put what is looked up into a set; a key that is not known is "".
func (w *walk) putIn(o *op, r *rule, key string) bool {
	what := " put what it looks up into the set " + o.set.src.Name
	return w.member(o.set, key, func() bool {
		return w.conditional(r, packet.AtRest, "traffic before has not"+what, packet.Entered, "traffic before has"+what)
	}, func() bool { return w.choose(2, r, "traffic before has"+what) == 1 })
}

// member says whether a key is in a set that the traffic before changes: the same for all rules that look it up there. Of keys of which one is not known
// it is not known how the answers go together. A region is many packets, of which each has an answer of its own.
func (w *walk) member(of any, key string, ask, unsure func() bool) bool {
	if w.region != nil {
		return ask()
	}
	for _, m := range w.members {
		switch {
		case m.of != of:
		case m.key == key && key != "":
			return m.is
		case m.key == "" || key == "":
			ask = unsure
		}
	}
	is := ask()
	w.members = append(w.members, member{of, key, is})
	return is
}

// member is whether a way has taken a key to be in a set.
type member struct {
	of  any
	key string
	is  bool
}

// foundPut is for what it has put there.
func (w *walk) foundPut(o *op, r *rule, l *ruleset.Lookup) verdict {
	if l.HasReg {
		return w.abort(r, "what traffic puts into the map "+o.set.src.Name)
	}
	return decide(!l.Invert)
}

// ending is a fate with the ways that lead to it.
type ending struct {
	fate Fate
	ways []way
}

// way is what a packet met that the traffic before decides.
type way []met

// met is one condition, and what it is one of several of, of which only one can be: a rule asks again for what an answer of its own left.
type met struct {
	packet.Condition
	of string
}

func (l way) conditions() []packet.Condition {
	out := make([]packet.Condition, len(l))
	for i := range l {
		out[i] = l[i].Condition
	}
	return out
}

// against says whether a way has some condition otherwise.
func (l way) against(some way) bool {
	return slices.ContainsFunc(l, func(m met) bool {
		return slices.ContainsFunc(some, func(s met) bool { return s.of == m.of && s.Condition != m.Condition })
	})
}

// outcomes collects what becomes of a packet on each of its ways.
type outcomes struct {
	list    []ending
	byState map[string]int // the fate by what traffic left of the rules on the way
	open    []packet.Cause // what else the fate hangs on
	apart   []packet.Cause // what leads to a way that has other rules of that kind on it
}

// add notes the end of the present way.
func (o *outcomes) add(w *walk, f *Fate) {
	key, only := w.states()
	i := slices.IndexFunc(o.list, func(e ending) bool { return same(&e.fate, f) && e.fate.Why == f.Why })
	known, seen := o.byState[key]
	if i >= 0 {
		o.list[i].fate.leavesAs(f)
	}
	switch {
	case only && i < 0:
		if len(o.list) > 0 {
			f.Path = w.steps()
		}
		o.list = append(o.list, ending{fate: *f})
		i = len(o.list) - 1
		fallthrough
	case only:
		o.list[i].ways = append(o.list[i].ways, w.conditions())
		o.byState[key] = i
	case o.open != nil:
	case i < 0, seen && known != i:
		o.open = w.blame()
	case !seen && o.apart == nil:
		o.apart = w.blame()
	}
}

// states names the way by what traffic has left, and says whether nothing else was chosen on it.
func (w *walk) states() (key string, only bool) {
	var b strings.Builder
	only = true
	for i := range w.choices[:min(w.at, len(w.choices))] {
		switch c := &w.choices[i]; {
		case c.states != nil:
			fmt.Fprintf(&b, "%p %d ", c.rule, c.taken)
		case c.taken > 0:
			only = false
		}
	}
	return b.String(), only
}

// conditions are those of the present way.
func (w *walk) conditions() (list way) {
	for i := range w.choices[:min(w.at, len(w.choices))] {
		c := &w.choices[i]
		if c.states == nil {
			continue
		}
		s := c.states[c.taken]
		list = append(list, met{packet.Condition{Where: c.named().Where, Text: s.text, State: s.is}, fmt.Sprintf("%p %q", c.rule, c.states)})
	}
	return list
}

// conclude is the fate: the one that all ways lead to, or unknown, with the fates that the packet has if the traffic before was so.
func (o *outcomes) conclude() Fate {
	switch {
	case o.open != nil:
		return unknownFate(o.open)
	case len(o.list) == 1:
		return o.list[0].fate
	case o.apart != nil:
		return unknownFate(o.apart)
	}
	var because []packet.Cause
	var told []Conditional
	for i := range o.list {
		e := &o.list[i]
		c := Conditional{If: o.least(i), Fate: e.fate}
		told = append(told, c)
		for _, x := range c.If {
			because = append(because, packet.Cause{Where: x.Where, Text: x.Text})
		}
	}
	f := unknownFate(because)
	f.ByTraffic = told
	return f
}

// least are the conditions that all ways to an end have in common, if none with them leads elsewhere, else those of the first way.
func (o *outcomes) least(i int) []packet.Condition {
	ways := o.list[i].ways
	common := slices.DeleteFunc(slices.Clone(ways[0]), func(c met) bool {
		return slices.ContainsFunc(ways, func(l way) bool { return !slices.Contains(l, c) })
	})
	for j := range o.list {
		if j != i && slices.ContainsFunc(o.list[j].ways, func(l way) bool { return !l.against(common) }) {
			return ways[0].conditions()
		}
	}
	return common.conditions()
}

// connbytes is what a connection has carried (connbytes_mt): of one that begins no more than this packet.
func (w *walk) connbytes(x *ruleset.XtConnbytes, r *rule) verdict {
	c := w.skb.ct
	if c == nil {
		return vNo
	}
	if holds, known := x.OfFirst(leastLength); known && c.known && c.state == ruleset.CtNew {
		return decide(holds)
	}
	return w.maybe(r, "what the connection has carried")
}

// xtHelper is the helper of the connection that expected the packet's (helper_mt): one that begins by itself was expected by none.
func (w *walk) xtHelper(x *ruleset.Xt, r *rule) verdict {
	c := w.skb.ct
	if invert, is := x.Helper(); is && (c == nil || c.known && c.state == ruleset.CtNew) {
		return decide(invert)
	}
	return w.maybe(r, "the helper of the connection")
}
