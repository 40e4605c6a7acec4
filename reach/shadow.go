package reach

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// Shadow is a rule that no packet reaches: whatever it matches, an earlier rule of its chain has
// decided.
type Shadow struct {
	Rule, By packet.Cause
	// Contrary says that the rule would have decided otherwise than the one before it.
	Contrary bool
}

// maxComparisons bounds how often rules are compared with each other: of a chain, and of all chains together.
const (
	maxChainComparisons = 5_000_000
	maxComparisons      = 20_000_000
)

// Uncompared is rules of a chain that were not compared with all that come before them, and why.
type Uncompared struct {
	Chain  packet.Cause
	Rules  int // so many at its end
	Reason string
}

// Shadows finds rules that earlier rules of the same chain cover. It compares what the rules ask for:
// a rule is covered where each condition of the earlier one is implied by a condition on the same
// value. Rules with anything that depends on more than the packet, or on marks, cover nothing. The second result is
// what there was no effort left for.
func Shadows(rs *ruleset.Ruleset, effort *Effort) ([]Shadow, []Uncompared) {
	return shadows(rs, effort, maxChainComparisons, maxComparisons)
}

func shadows(rs *ruleset.Ruleset, effort *Effort, ofChain, ofAll int) (list []Shadow, left []Uncompared) {
	for i := range rs.Tables {
		t := &rs.Tables[i]
		for j := range t.Chains {
			c := &t.Chains[j]
			s := &shadowing{table: t, chain: c, left: min(ofChain, ofAll), effort: effort, index: map[exact][]int{}}
			before := s.left
			list = append(list, s.rules()...)
			ofAll -= before - s.left
			if s.over != "" {
				left = append(left, Uncompared{
					Chain: packet.Cause{Where: packet.Where{Family: t.Family, Table: t.Name, Chain: c.Name}}, Rules: len(c.Rules) - len(s.shapes) + 1, Reason: s.over,
				})
			}
		}
	}
	return list, left
}

// exact is a single value that a rule wants at one place. It covers no rule that does not want the same there.
type exact struct{ key, value string }

// shadowing compares the rules of a chain.
type shadowing struct {
	table  *ruleset.Table
	chain  *ruleset.Chain
	shapes []shape
	index  map[exact][]int // rules that can only cover those with that value
	others []int           // rules that want no single value
	left   int             // comparisons
	effort *Effort
	over   string // why it stopped
}

func (s *shadowing) rules() (list []Shadow) {
	for k := range s.chain.Rules {
		r := &s.chain.Rules[k]
		s.shapes = append(s.shapes, shapeOf(s.table, r))
		if by := s.coveredBy(k); by >= 0 {
			list = append(list, Shadow{
				Rule: causeOf(s.table, s.chain, r), By: causeOf(s.table, s.chain, &s.chain.Rules[by]),
				Contrary: s.shapes[k].verdict != "" && s.shapes[k].verdict != s.shapes[by].verdict,
			})
		}
		if s.over != "" {
			return list
		}
		s.add(k)
	}
	return list
}

// add makes a rule one that can cover those after it. Of the values that it wants, the one that fewest rules want leads
// to it.
func (s *shadowing) add(k int) {
	sh := &s.shapes[k]
	if !sh.ends || !sh.known {
		return
	}
	best, found := exact{}, false
	for key, ranges := range sh.conditions {
		e, ok := exactly(key, ranges)
		if !ok {
			continue
		}
		n, least := len(s.index[e]), len(s.index[best])
		if !found || n < least || n == least && (e.key < best.key || e.key == best.key && e.value < best.value) {
			best, found = e, true
		}
	}
	if found {
		s.index[best] = append(s.index[best], k)
	} else {
		s.others = append(s.others, k)
	}
}

// exactly is the one value that a condition wants, of those that belong to a key.
func exactly(key string, ranges []byteRange) (exact, bool) {
	if len(ranges) != 1 || !bytes.Equal(ranges[0].lo, ranges[0].hi) || len(ranges[0].lo) == 0 {
		return exact{}, false
	}
	return exact{strings.TrimRight(key, "'"), string(ranges[0].lo)}, true
}

// coveredBy is the first rule that covers rule k, or -1.
func (s *shadowing) coveredBy(k int) int {
	sh := &s.shapes[k]
	if !sh.known {
		return -1
	}
	var from [][]int
	from = append(from, s.others)
	for _, key := range slices.Sorted(maps.Keys(sh.conditions)) { // in one order, since comparisons are counted
		ranges := sh.conditions[key]
		if len(ranges) == 0 { // matches nothing, and so whatever it wants is covered
			from = [][]int{s.all()}
			break
		}
		if e, ok := exactly(key, ranges); ok && len(s.index[e]) > 0 {
			from = append(from, s.index[e])
		}
	}
	best := -1
	for _, list := range from {
		for _, l := range list {
			if best >= 0 && l >= best {
				break
			}
			if s.left--; s.left < 0 {
				s.over = "there are too many rules to compare"
				return -1
			}
			if s.left%pollEvery == 0 {
				if err := s.effort.Spend(pollEvery / 4); err != nil {
					s.over = err.Error()
					return -1
				}
			}
			if s.shapes[l].covers(sh) {
				best = l
				break
			}
		}
	}
	return best
}

// all is every rule that can cover another.
func (s *shadowing) all() []int {
	list := slices.Clone(s.others)
	for _, l := range s.index {
		list = append(list, l...)
	}
	slices.Sort(list)
	return list
}

func causeOf(t *ruleset.Table, c *ruleset.Chain, r *ruleset.Rule) packet.Cause {
	return packet.Cause{Where: packet.Where{Family: t.Family, Table: t.Name, Chain: c.Name, Rule: r.Handle}, Text: r.Text(t)}
}

// shape is what a rule asks for and decides.
type shape struct {
	conditions map[string][]byteRange // by the value that is compared
	known      bool                   // all of its expressions are understood
	ends       bool                   // no packet that matches goes on to the next rule
	verdict    string
}

type byteRange struct{ lo, hi []byte }

// covers says whether every packet that matches o also matches s.
func (s *shape) covers(o *shape) bool {
	if !s.known || !o.known {
		return false
	}
	for key, want := range s.conditions {
		implied := false
		for name := strings.TrimRight(key, "'"); ; name += "'" {
			got, ok := o.conditions[name]
			if !ok {
				break
			}
			implied = implied || within(got, want)
		}
		if !implied {
			return false
		}
	}
	return true
}

// shapeOf reads a rule. A register holds the name of what was loaded into it.
func shapeOf(t *ruleset.Table, r *ruleset.Rule) shape {
	s := shape{conditions: map[string][]byteRange{}, known: true}
	regs := map[uint32]string{}
	add := func(key string, list []byteRange) {
		for s.conditions[key] != nil { // a second condition on the same value counts by itself
			key += "'"
		}
		s.conditions[key] = list
	}
	for i := range r.Exprs {
		e := &r.Exprs[i]
		switch {
		case e.Plain && e.Name != "notrack", e.Log != nil:
		case e.Payload != nil && !e.Payload.Set:
			regs[e.Payload.Dreg] = fmt.Sprintf("%s %d %d", e.Payload.Base, e.Payload.Offset, e.Payload.Len)
		case e.Meta != nil && !e.Meta.Set && steadyMeta[e.Meta.Key]:
			regs[e.Meta.Dreg] = fmt.Sprintf("meta %d", e.Meta.Key)
		case e.Ct != nil && !e.Ct.Set && (e.Ct.Key == ruleset.CtState || e.Ct.Key == ruleset.CtStatus):
			regs[e.Ct.Dreg] = fmt.Sprintf("ct %d", e.Ct.Key)
		case e.Bitwise != nil && e.Bitwise.Op == "mask" && regs[e.Bitwise.Sreg] != "":
			regs[e.Bitwise.Dreg] = fmt.Sprintf("%s & %x ^ %x", regs[e.Bitwise.Sreg], []byte(e.Bitwise.Mask), []byte(e.Bitwise.Xor))
		case e.Cmp != nil && regs[e.Cmp.Sreg] != "":
			add(regs[e.Cmp.Sreg], cmpRanges(e.Cmp))
		case e.Range != nil && e.Range.Op == ruleset.OpEq && regs[e.Range.Sreg] != "":
			add(regs[e.Range.Sreg], []byteRange{{e.Range.From, e.Range.To}})
		case e.Lookup != nil && !e.Lookup.HasReg && !e.Lookup.Invert && regs[e.Lookup.Sreg] != "":
			list, ok := setRanges(t.Set(e.Lookup.Set))
			if !ok {
				s.known = false
				return s
			}
			add(regs[e.Lookup.Sreg], list)
		case e.Xt != nil && !e.Xt.Target && e.Xt.Decoded != nil && e.Xt.Decoded.Continue:
		case e.Xt != nil && !e.Xt.Target && e.Xt.Decoded != nil && e.Xt.Decoded.Mark == nil && e.Xt.Decoded.Connmark == nil:
			add(fmt.Sprintf("xt %s %d %x", e.Xt.Name, e.Xt.Rev, []byte(e.Xt.Info)), []byteRange{{}})
		case e.Immediate != nil && e.Immediate.Verdict != nil:
			v := e.Immediate.Verdict
			s.verdict = strings.TrimSpace(v.Kind + " " + v.Chain)
			s.ends = v.Kind == ruleset.Accept || v.Kind == ruleset.Drop || v.Kind == ruleset.Return || v.Kind == ruleset.Goto
		case e.Reject != nil, e.Xt != nil && e.Xt.Decoded != nil && e.Xt.Decoded.Reject:
			s.verdict, s.ends = "reject", true
		default:
			s.known = false
			return s
		}
	}
	return s
}

// steadyMeta are the meta keys that no rule of a chain can change.
var steadyMeta = map[uint32]bool{
	ruleset.MetaProtocol: true, ruleset.MetaIif: true, ruleset.MetaOif: true, ruleset.MetaIifname: true, ruleset.MetaOifname: true,
	ruleset.MetaNfproto: true, ruleset.MetaL4proto: true, ruleset.MetaIiftype: true, ruleset.MetaOiftype: true,
}

// cmpRanges is the values for which a comparison holds.
func cmpRanges(c *ruleset.Cmp) []byteRange {
	n := len(c.Data)
	least, most := make([]byte, n), bytes.Repeat([]byte{0xff}, n)
	v := number128(c.Data)
	before, after := v.prev().bytesOf(n), v.next().bytesOf(n)
	var list []byteRange
	low, high := !bytes.Equal(c.Data, least), !bytes.Equal(c.Data, most)
	switch c.Op {
	case ruleset.OpEq:
		return []byteRange{{c.Data, c.Data}}
	case ruleset.OpLte:
		return []byteRange{{least, c.Data}}
	case ruleset.OpGte:
		return []byteRange{{c.Data, most}}
	}
	if low && (c.Op == ruleset.OpLt || c.Op == ruleset.OpNeq) {
		list = append(list, byteRange{least, before})
	}
	if high && (c.Op == ruleset.OpGt || c.Op == ruleset.OpNeq) {
		list = append(list, byteRange{after, most})
	}
	return list
}

func number128(b []byte) u128 { return number(b[:min(len(b), 16)]) }

// setRanges is the keys of a set whose content cannot change without the rule.
func setRanges(s *ruleset.Set) ([]byteRange, bool) {
	if s == nil || !s.Constant || s.Dynamic || s.Timeout || len(s.FieldLens) > 1 || hasStatements(s) {
		return nil, false
	}
	e := &engine{compiledSets: map[*ruleset.Set]*compiled{}}
	c := e.compile(s)
	if c.catchAll != nil {
		return nil, false
	}
	var list []byteRange
	for _, r := range c.ranges {
		list = append(list, byteRange{r.lo, r.hi})
	}
	return list, true
}

// within says whether every range of a lies in one of b.
func within(a, b []byteRange) bool {
	for _, x := range a {
		inside := slices.ContainsFunc(b, func(y byteRange) bool {
			return len(x.lo) == len(y.lo) && bytes.Compare(x.lo, y.lo) >= 0 && bytes.Compare(x.hi, y.hi) <= 0
		})
		if !inside {
			return false
		}
	}
	return true
}
