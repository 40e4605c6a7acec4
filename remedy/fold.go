package remedy

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// iifs and oifs are the names that a rule asks for; none is any.
func (r *Rule) iifs() []string { return several(r.Iif, r.Iifs) }
func (r *Rule) oifs() []string { return several(r.Oif, r.Oifs) }

func several(one string, list []string) []string {
	if len(list) == 0 && one != "" {
		return []string{one}
	}
	return list
}

// same are the interfaces that a rule does not lead back by, although it names them at both ends.
func (r *Rule) same() (list []string) {
	for _, n := range r.iifs() {
		if r.Apart && slices.Contains(r.oifs(), n) {
			list = append(list, n)
		}
	}
	if r.IifKind != "" && r.Apart {
		for _, n := range r.oifs() {
			if strings.HasPrefix(n, strings.TrimSuffix(r.Iif, "*")) {
				list = append(list, n)
			}
		}
	}
	return list
}

// comesBy says whether a rule is about what comes in by an interface.
func (r *Rule) comesBy(name string) bool {
	named := len(r.iifs()) == 0 || slices.Contains(r.iifs(), name) || r.IifKind != "" && strings.HasPrefix(name, strings.TrimSuffix(r.Iif, "*"))
	return named && !slices.Contains(r.NotIif, name)
}

// leavesBy says whether a rule is about what came in by an interface and leaves by another, nil if it does not leave.
func (r *Rule) leavesBy(in string, out *snapshot.Link) bool {
	names := r.oifs()
	if len(names)+len(r.NotOif) == 0 {
		return true
	}
	return out != nil && (len(names) == 0 || slices.Contains(names, out.Name)) && !slices.Contains(r.NotOif, out.Name) && !(r.Apart && in == out.Name) && (!r.Back || in == out.Name)
}

// each are the rules of the plan with one interface at each end: a rule that names several says the same as these.
func (p *Plan) each() []Rule {
	several := false
	for i := 0; p.singles == nil && !several && i < len(p.Rules); i++ {
		several = len(p.Rules[i].Iifs)+len(p.Rules[i].Oifs) > 0
	}
	if several {
		for i := range p.Rules {
			p.singles = append(p.singles, p.Rules[i].each()...)
		}
	}
	if p.singles == nil {
		return p.Rules
	}
	return p.singles
}

func (r *Rule) each() (list []Rule) {
	ins, outs := r.iifs(), r.oifs()
	if len(ins) == 0 {
		ins = []string{""}
	}
	if len(outs) == 0 {
		outs = []string{""}
	}
	for _, in := range ins {
		for _, out := range outs {
			if r.Apart && in == out || r.Back && in != out {
				continue
			}
			one := *r
			one.Iif, one.Oif, one.Iifs, one.Oifs, one.Apart, one.Back = in, out, nil, nil, false, false
			list = append(list, one)
		}
	}
	return list
}

// samples are single rules in which every interface of the rules comes up at the end where it is named: all pairs of many would be too many
// to try.
func (p *Plan) samples() (list []Rule) {
	for i := range p.Rules {
		r := &p.Rules[i]
		ins, outs := r.iifs(), r.oifs()
		if len(ins) < 2 && len(outs) < 2 || len(ins) == 0 || len(outs) == 0 || r.Back {
			list = append(list, r.each()...)
			continue
		}
		for k, shift := 0, 0; k < max(len(ins), len(outs)); k++ {
			one := *r
			one.Iif, one.Oif, one.Iifs, one.Oifs, one.Apart = ins[k%len(ins)], outs[(k+shift)%len(outs)], nil, nil, false
			if r.Apart && one.Iif == one.Oif { // the next one, and from here on
				shift++
				one.Oif = outs[(k+shift)%len(outs)]
			}
			if one.Iif != one.Oif || !r.Apart {
				list = append(list, one)
			}
		}
	}
	return list
}

// fold makes one rule of those that differ in nothing but their interfaces, so that rules do not multiply by them, nor by pairs of them.
// Rules of one verdict stand together in a chain, and their order among each other says nothing.
func (p *Plan) fold() {
	var order []string
	groups := map[string][]Rule{}
	for _, r := range p.Rules {
		k := r
		k.Iif, k.Oif = "", ""
		if r.IifKind != "" { // what names begin with is no name that a set can have
			k.Iif = r.Iif
		}
		key := k.key() + strconv.FormatBool(r.Iif != "") + strconv.FormatBool(r.Oif != "")
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], r)
	}
	p.Rules = make([]Rule, 0, len(order))
	for _, k := range order {
		list := folded(groups[k])
		if len(list) > fewRules {
			if parted := backApart(groups[k]); len(parted) > 0 && len(parted) < len(list) {
				list = parted
			}
		}
		p.Rules = append(p.Rules, list...)
	}
}

// fewRules are read more easily each by itself.
const fewRules = 8

// backApart are rules that differ in nothing but their interfaces as few rules, with one for all that go back by the interface that they came in by:
// those are as many sets as interfaces, if each has the others' ends as well. There are none where nothing goes back.
func backApart(group []Rule) (list []Rule) {
	var back, other []Rule
	for i := range group {
		if r := &group[i]; r.Iif == r.Oif && r.Iif != "" && r.IifKind == "" {
			back = append(back, *r)
			continue
		}
		other = append(other, group[i])
	}
	if len(back) < 2 {
		return nil
	}
	one := back[0]
	for i := range back {
		one.Iifs = append(one.Iifs, back[i].Iif)
	}
	slices.Sort(one.Iifs)
	one.Iifs = slices.Compact(one.Iifs)
	one.Iif, one.Oif, one.Oifs, one.Back = "", "", slices.Clone(one.Iifs), len(one.Iifs) > 1
	if len(other) > 0 {
		list = folded(other)
	}
	return append(list, one.plain())
}

// folded are rules that differ in nothing but their interfaces as few rules: those that come in by interfaces that lead out by the same ones
// are one, also if each of them does not lead back by itself.
func folded(group []Rule) (list []Rule) {
	outs := map[string][]string{} // by where they come in
	var ins []string
	for i := range group {
		in := group[i].Iif
		if outs[in] == nil {
			ins = append(ins, in)
		}
		outs[in] = append(outs[in], group[i].Oif)
	}
	for _, in := range ins {
		slices.Sort(outs[in])
		outs[in] = slices.Compact(outs[in])
	}
	all := func(in string) []string { return outs[in] }
	around := func(in string) []string { // with itself, if that is what it is without
		if at, back := slices.BinarySearch(outs[in], in); !back && in != "" {
			return slices.Insert(slices.Clone(outs[in]), at, in)
		}
		return outs[in]
	}
	members := map[string]int{}
	for _, in := range ins {
		a, b := key(all(in)), key(around(in))
		if members[a]++; a != b {
			members[b]++
		}
	}
	byOuts := map[string]*Rule{}
	var order []string
	for _, in := range ins {
		to := all(in)
		if w := around(in); members[key(w)] > members[key(to)] {
			to = w
		}
		back := slices.Contains(outs[in], in)
		k := key(append([]string{map[bool]string{true: "back", false: "apart"}[back]}, to...))
		r := byOuts[k]
		if r == nil {
			one := group[0]
			one.Iif, one.Oif, one.Oifs, one.Apart = "", "", to, !back
			r = &one
			byOuts[k] = r
			order = append(order, k)
		}
		r.Iifs = append(r.Iifs, in)
	}
	for _, k := range order {
		list = append(list, byOuts[k].plain())
	}
	return list
}

// plain writes lists of one name as that name, and leaves out what says nothing.
func (r *Rule) plain() Rule {
	slices.SortFunc(r.Iifs, cmp.Compare)
	r.Apart = len(r.same()) > 0
	if len(r.Iifs) == 1 {
		r.Iif, r.Iifs = r.Iifs[0], nil
	}
	if len(r.Oifs) == 1 {
		r.Oif, r.Oifs = r.Oifs[0], nil
	}
	return *r
}

func key(list []string) string {
	b, err := json.Marshal(list)
	if err != nil { // the types are our own
		panic(err)
	}
	return string(b)
}
