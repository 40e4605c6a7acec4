package remedy

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/ruleset"
)

// namedSet is a set of our tables: of addresses of one family, of names of interfaces, or of pairs of the same name twice.
type namedSet struct {
	name, kind string
	interval   bool
	texts      []string
	elements   []ruleset.Element
}

// The types of our sets, in nft's words.
const (
	kindIPv4, kindIPv6   = "ipv4_addr", "ipv6_addr"
	kindNames, kindTwice = "ifname", "ifname . ifname"
)

// setName is the same for equal lists, so that rules share a set, and another for every other list.
func setName(kind string, list []string) string {
	sum := sha256.Sum256([]byte(strings.Join(list, "\x00")))
	return fmt.Sprintf("%s-%x", kind, sum[:8])
}

// prefixesSet is the addresses of prefixes of one family.
func prefixesSet(list []netip.Prefix) *namedSet {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	s := &namedSet{name: setName("addr", texts), kind: kindIPv6, interval: true}
	if is4(list) {
		s.kind = kindIPv4
	}
	for _, x := range ranges(list) {
		if x.lo == x.hi {
			s.texts = append(s.texts, x.lo.String())
		} else {
			s.texts = append(s.texts, x.lo.String()+"-"+x.hi.String())
		}
		// As the kernel's interval sets have them: a start, and an end that is the first address after.
		s.elements = append(s.elements, ruleset.Element{Key: x.lo.AsSlice()})
		if next := x.hi.Next(); next.IsValid() {
			s.elements = append(s.elements, ruleset.Element{Key: next.AsSlice(), IntervalEnd: true})
		}
	}
	return s
}

// namesSet is names of interfaces, twiceSet pairs of a name and the same again.
func namesSet(list []string) *namedSet {
	s := &namedSet{name: setName("names", list), kind: kindNames}
	for _, n := range list {
		s.texts = append(s.texts, quote(n))
		s.elements = append(s.elements, ruleset.Element{Key: ifname(n)})
	}
	return s
}

func twiceSet(list []string) *namedSet {
	s := &namedSet{name: setName("same", list), kind: kindTwice}
	for _, n := range list {
		s.texts = append(s.texts, quote(n)+" . "+quote(n))
		s.elements = append(s.elements, ruleset.Element{Key: append(ifname(n), ifname(n)...)})
	}
	return s
}

// text declares the set.
func (s *namedSet) text() string {
	flags := ""
	if s.interval {
		flags = "; flags interval"
	}
	return fmt.Sprintf("\tset %s {\n\t\ttype %s%s;\n\t\telements = { %s }\n\t}\n", s.name, s.kind, flags, strings.Join(s.texts, ", "))
}

// sets are those that rules of a rule's table look up.
func (r *Rule) sets() (list []*namedSet) {
	for _, prefixes := range [][]netip.Prefix{r.Sources, r.To} {
		if len(prefixes) > inlinePrefixes {
			list = append(list, prefixesSet(prefixes))
		}
	}
	if r.Back {
		return append(list, twiceSet(r.Iifs))
	}
	for _, names := range [][]string{r.iifs(), r.oifs()} {
		if len(names) > 1 {
			list = append(list, namesSet(names))
		}
	}
	if same := r.same(); len(same) > 0 {
		list = append(list, twiceSet(same))
	}
	return list
}

// sets are those of a family's table, each once.
func (p *Plan) sets(family string) (out []*namedSet) {
	seen := map[string]bool{}
	for i := range p.Rules {
		if r := &p.Rules[i]; r.family() == family {
			for _, s := range r.sets() {
				if !seen[s.name] {
					seen[s.name] = true
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// Sets are the sets that the plan's rules of a family look up, as a kernel tells them.
func (p *Plan) Sets(family string) (list []ruleset.Set) {
	for _, s := range p.sets(family) {
		list = append(list, ruleset.Set{Name: s.name, KeyLen: uint32(len(s.elements[0].Key)), Interval: s.interval, Elements: s.elements})
	}
	return list
}

// carries says in which set a table that was read back differs from the plan: whether interfaces are treated alike is then not what the plan
// says.
func (p *Plan) carries(t *ruleset.Table) error {
	for _, want := range p.Sets(t.Family) {
		got := t.Set(want.Name)
		if got == nil {
			return fmt.Errorf("set %s is not there", want.Name)
		}
		is, should := slices.Clone(got.Elements), slices.Clone(want.Elements)
		slices.SortFunc(is, byKey)
		slices.SortFunc(should, byKey)
		if !slices.EqualFunc(is, should, func(a, b ruleset.Element) bool {
			return bytes.Equal(a.Key, b.Key) && a.IntervalEnd == b.IntervalEnd && a.KeyEnd == nil && !a.CatchAll
		}) {
			return fmt.Errorf("set %s has other elements than the plan", want.Name)
		}
	}
	return nil
}
