package reach

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/ruleset"
)

// Shadow is a rule that no packet reaches: whatever it matches, an earlier rule of its chain has
// decided.
type Shadow struct {
	Rule, By Cause
	// Contrary says that the rule would have decided otherwise than the one before it.
	Contrary bool
}

// maxShadowRules bounds the rules of a chain that are compared with each other.
const maxShadowRules = 3000

// Shadows finds rules that earlier rules of the same chain cover. It compares what the rules ask for:
// a rule is covered where each condition of the earlier one is implied by a condition on the same
// value. Rules with anything that depends on more than the packet, or on marks, cover nothing.
func Shadows(rs *ruleset.Ruleset) []Shadow {
	var list []Shadow
	for i := range rs.Tables {
		t := &rs.Tables[i]
		for j := range t.Chains {
			c := &t.Chains[j]
			rules := make([]shape, min(len(c.Rules), maxShadowRules))
			for k := range rules {
				rules[k] = shapeOf(t, &c.Rules[k])
				for l := range k {
					if !rules[l].ends || !rules[l].covers(&rules[k]) {
						continue
					}
					list = append(list, Shadow{
						Rule: causeOf(t, c, &c.Rules[k]), By: causeOf(t, c, &c.Rules[l]),
						Contrary: rules[k].verdict != "" && rules[k].verdict != rules[l].verdict,
					})
					break
				}
			}
		}
	}
	return list
}

func causeOf(t *ruleset.Table, c *ruleset.Chain, r *ruleset.Rule) Cause {
	return Cause{Family: t.Family, Table: t.Name, Chain: c.Name, Rule: r.Handle, Text: r.Text(t)}
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
