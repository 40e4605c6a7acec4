// Package classify takes one packet through filters of the Windows Filtering Platform as the filter engine does, and checks the
// answers of package wfp with that. It shares the values of package wfp and none of its code.
//
// What is not known of a packet is taken both ways: the fate is the set of all ends.
package classify

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/wfp"
)

// Packet is the first packet of a connection.
type Packet struct {
	Remote netip.AddrPort
	Facts  wfp.Facts
}

// Classifier holds the filters that are asked.
type Classifier struct {
	filters []*wfp.Filter
	weights map[string]uint16
	size    int // filters and conditions: what one packet costs
}

func (c *Classifier) add(f *wfp.Filter) {
	c.filters, c.size = append(c.filters, f), c.size+1+len(f.Conditions)
}

// New takes filters and sublayers as they are.
func New(filters []wfp.Filter, sublayers []wfp.Sublayer) *Classifier {
	c := &Classifier{weights: map[string]uint16{}}
	for _, s := range sublayers {
		c.weights[s.Key] = s.Weight
	}
	for i := range filters {
		f := &filters[i]
		watches := f.Action == wfp.CalloutInspection || f.Action == wfp.Continue
		if !f.Boot && !f.Disabled && !watches {
			c.add(f)
		}
	}
	return c
}

// For keeps the filters that some facts do not rule out.
func (c *Classifier) For(facts wfp.Facts) *Classifier {
	out := &Classifier{weights: c.weights}
	for _, f := range c.filters {
		if possible(f, facts) {
			out.add(f)
		}
	}
	return out
}

func possible(f *wfp.Filter, facts wfp.Facts) bool {
	seen := map[wfp.Field]bool{}
	for i := range f.Conditions {
		field := f.Conditions[i].Field
		fact, told := facts[field]
		if !told || seen[field] {
			continue
		}
		seen[field] = true
		any := false
		for j := i; j < len(f.Conditions); j++ {
			x := &f.Conditions[j]
			any = any || x.Field == field && test(x, fact) != "no"
		}
		if !any {
			return false
		}
	}
	return true
}

// fates are the ends that a packet can come to.
type fates struct{ permit, block bool }

// Verdict is the fate of a packet: reachable where every way ends well, unreachable where none does.
func (c *Classifier) Verdict(p *Packet) packet.Verdict {
	all := fates{permit: true}
	for _, layer := range wfp.Layers() {
		f := c.layer(p, layer)
		all.block = all.block || f.block
		all.permit = all.permit && f.permit
	}
	switch {
	case !all.permit:
		return packet.Unreachable
	case all.block:
		return packet.Unknown
	}
	return packet.Reachable
}

// layer asks the sublayers of a layer from the heaviest on. The current decisions are all that are possible.
func (c *Classifier) layer(p *Packet, layer wfp.Layer) fates {
	v4 := p.Remote.Addr().Is4()
	bySub := map[string][]*wfp.Filter{}
	for _, f := range c.filters {
		if f.Layer == layer && f.V4 == v4 {
			bySub[f.Sublayer] = append(bySub[f.Sublayer], f)
		}
	}
	var keys []string
	for k := range bySub {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(int(c.weights[b])-int(c.weights[a]), strings.Compare(a, b))
	})
	now := map[decision]bool{{}: true}
	for _, k := range keys {
		says := sublayer(p, bySub[k])
		next := map[decision]bool{}
		for d := range now {
			for s := range says {
				next[d.then(s)] = true
			}
		}
		now = next
	}
	var out fates
	for d := range now {
		if d.action == wfp.Block {
			out.block = true
		} else {
			out.permit = true // nothing said is a permit
		}
	}
	return out
}

// decision is the current action of a layer, and whether the right to write it was taken.
type decision struct {
	action  wfp.Action
	final   bool
	callout bool
}

// then is the decision after a sublayer has said something.
func (d decision) then(s decision) decision {
	if s.action == "" {
		return d
	}
	if d.action == "" {
		return s
	}
	if d.final && d.action == wfp.Block {
		return d
	}
	if d.final { // a hard permit: a veto alone ends it
		if s.action == wfp.Block && s.callout {
			return decision{action: wfp.Block, final: true}
		}
		return d
	}
	return s
}

// sublayer is what the filters of a sublayer can say.
func sublayer(p *Packet, list []*wfp.Filter) map[decision]bool {
	slices.SortStableFunc(list, func(a, b *wfp.Filter) int { return cmp.Compare(b.Weight, a.Weight) })
	out := map[decision]bool{}
	decided, weight := false, uint64(0)
	for _, f := range list {
		if decided && f.Weight != weight {
			return out
		}
		m := matches(f, p)
		if m == "no" {
			continue
		}
		switch f.Action {
		case wfp.Permit:
			out[decision{action: wfp.Permit, final: f.Hard}] = true
		case wfp.Block:
			out[decision{action: wfp.Block, final: true}] = true
		default:
			for _, a := range []wfp.Action{wfp.Permit, wfp.Block} {
				out[decision{a, true, true}], out[decision{a, false, true}] = true, true
			}
			if f.Action != wfp.CalloutTerminating {
				m = "maybe"
			}
		}
		if m == "yes" { // of those that weigh as much any can be asked first
			decided, weight = true, f.Weight
		}
	}
	if !decided {
		out[decision{}] = true
	}
	return out
}

// matches says yes, no or maybe of a filter.
func matches(f *wfp.Filter, p *Packet) string {
	result := map[wfp.Field]string{}
	for i := range f.Conditions {
		x := &f.Conditions[i]
		fact, told := p.Facts[x.Field]
		switch x.Field {
		case wfp.RemoteAddress:
			fact, told = wfp.Fact{Addr: p.Remote.Addr()}, true
		case wfp.RemotePort:
			fact, told = wfp.Fact{Number: uint64(p.Remote.Port())}, true
		default:
		}
		t := "maybe"
		if told {
			t = test(x, fact)
		}
		if old := result[x.Field]; old == "yes" || old == "maybe" && t == "no" {
			continue
		}
		result[x.Field] = t
	}
	all := "yes"
	if f.Doubt != "" {
		all = "maybe"
	}
	for _, t := range result {
		if t == "no" {
			return "no"
		}
		if t == "maybe" {
			all = "maybe"
		}
	}
	return all
}

// test says yes, no or maybe of one condition.
func test(x *wfp.Condition, f wfp.Fact) string {
	if f.Unknown != "" {
		exact := x.Value.Kind == wfp.Text && (x.Match == wfp.Equal || x.Match == wfp.EqualFold)
		v, end := strings.ToLower(x.Value.Text), strings.ToLower(f.Ends)
		return word(false, exact && strings.TrimSuffix(v, end) == v && end != "")
	}
	switch x.Value.Kind {
	case wfp.Number:
		if f.Open == 0 {
			return word(compare(x, f.Number))
		}
		return open(x, f)
	case wfp.Address:
		if !f.Addr.IsValid() || f.Addr.BitLen() != x.Value.From.BitLen() {
			return "maybe"
		}
		return word(between(x.Match, f.Addr.Compare(x.Value.From), f.Addr.Compare(x.Value.To)))
	case wfp.Text:
		a, b := strings.ToLower(f.Text), strings.ToLower(x.Value.Text)
		switch x.Match {
		case wfp.Equal, wfp.EqualFold:
			return word(a == b, true)
		case wfp.NotEqual:
			return word(a != b, true)
		case wfp.Prefix:
			return word(strings.HasPrefix(a, b), true)
		case wfp.NotPrefix:
			return word(!strings.HasPrefix(a, b), true)
		default:
			return "maybe"
		}
	case wfp.SDDL:
		return descriptor(x, f)
	default:
		return "maybe"
	}
}

func word(holds, known bool) string {
	return map[bool]string{true: map[bool]string{true: "yes", false: "no"}[holds], false: "maybe"}[known]
}

// between compares by where a value stands from both ends of the condition's.
func between(m wfp.Match, first, last int) (holds, known bool) {
	switch m {
	case wfp.Equal, wfp.InRange:
		return first >= 0 && last <= 0, true
	case wfp.NotEqual:
		return first < 0 || last > 0, true
	case wfp.Greater:
		return first > 0, true
	case wfp.Less:
		return first < 0, true
	case wfp.GreaterOrEqual:
		return first >= 0, true
	case wfp.LessOrEqual:
		return first <= 0, true
	default:
		return false, false
	}
}

func compare(x *wfp.Condition, n uint64) (holds, known bool) {
	v := x.Value.Lo
	switch x.Match {
	case wfp.AllSet:
		return n&v == v, true
	case wfp.AnySet:
		return n&v != 0, true
	case wfp.NoneSet:
		return n&v == 0, true
	case wfp.Equal, wfp.NotEqual:
		return (n == v) == (x.Match == wfp.Equal), true
	default:
		return between(x.Match, cmp.Compare(n, v), cmp.Compare(n, x.Value.Hi))
	}
}

// open tries flags of which some bits are not known with each of these set and not set, as far as the condition asks for them.
func open(x *wfp.Condition, f wfp.Fact) string {
	switch x.Match {
	case wfp.AllSet, wfp.AnySet, wfp.NoneSet, wfp.Equal, wfp.NotEqual:
	default:
		return "maybe"
	}
	low, k1 := compare(x, f.Number&^f.Open)
	high, k2 := compare(x, f.Number|f.Open)
	mixed, k3 := compare(x, f.Number&^f.Open|f.Open&x.Value.Lo)
	other, k4 := compare(x, f.Number&^f.Open|f.Open&^x.Value.Lo)
	if k1 && k2 && k3 && k4 && low == high && low == mixed && low == other {
		return word(low, true)
	}
	return "maybe"
}

// descriptor walks the entries of a security descriptor as an access check does.
func descriptor(x *wfp.Condition, f wfp.Fact) string {
	results, err := accessCheck(x.Value.Text, f)
	if err != nil || x.Match != wfp.Equal && x.Match != wfp.NotEqual {
		return "maybe"
	}
	if results[true] && results[false] {
		return "maybe"
	}
	return word(results[true] == (x.Match == wfp.Equal), true)
}

// accessCheck is what an access check for the right to match can end with.
func accessCheck(sddl string, f wfp.Fact) (map[bool]bool, error) {
	out := map[bool]bool{}
	start := strings.IndexByte(sddl, '(')
	if found := strings.Contains(sddl, "D:"); start < 0 && !found {
		out[true] = true // there is no list
		return out, nil
	}
	depth, from := 0, 0
	for i := max(start, 0); i < len(sddl); i++ {
		switch {
		case sddl[i] == '(':
			if depth == 0 {
				from = i + 1
			}
			depth++
		case sddl[i] == ')' && depth == 1:
			depth = 0
			end, err := oneEntry(strings.Split(sddl[from:i], ";"), f, out)
			if err != nil || end {
				return out, err
			}
		case sddl[i] == ')':
			depth--
		case depth == 0 && sddl[i] == 'S' && strings.HasPrefix(sddl[i:], "S:"):
			out[false] = true
			return out, nil
		}
	}
	if depth > 0 {
		return nil, fmt.Errorf("the security descriptor ends in an entry")
	}
	out[false] = true
	return out, nil
}

// oneEntry adds what an entry lets the check end with, and says whether it ends there.
func oneEntry(p []string, f wfp.Fact, out map[bool]bool) (end bool, err error) {
	if len(p) < 6 {
		return false, fmt.Errorf("an entry has %d parts", len(p))
	}
	allow := strings.HasSuffix(p[0], "A")
	if !allow && !strings.HasSuffix(p[0], "D") || len(p[0]) > 2 || strings.Trim(p[0], "XOAD") != "" || p[0] == "AA" || p[0] == "DD" {
		return false, fmt.Errorf("an entry of type %q", p[0])
	}
	if strings.Contains(p[1], "IO") || !matchRight(p[2]) {
		return false, nil
	}
	sid := strings.ToUpper(p[5])
	if long := letters[sid]; long != "" {
		sid = long
	}
	switch has := slices.Contains(f.SIDs, sid); {
	case has && len(p) == 6:
		out[allow] = true
		return true, nil
	case has, slices.Contains(f.May, sid), sid[:min(2, len(sid))] != "S-", f.More != "" && (f.Told == "" || !strings.HasPrefix(sid, f.Told)):
		out[allow] = true
	}
	return false, nil
}

func matchRight(s string) bool {
	if n, err := strconv.ParseUint(s, 0, 32); err == nil {
		return n&1 != 0 || n&0x10000000 != 0
	}
	for len(s) >= 2 {
		if s[:2] == "CC" || s[:2] == "GA" {
			return true
		}
		s = s[2:]
	}
	return false
}

// letters are the abbreviations of SDDL (MS-DTYP 2.5.1.1) that stand for the same SID on every machine.
var letters = map[string]string{
	"WD": "S-1-1-0", "CO": "S-1-3-0", "CG": "S-1-3-1", "OW": "S-1-3-4", "NU": "S-1-5-2", "IU": "S-1-5-4", "SU": "S-1-5-6", "AN": "S-1-5-7",
	"ED": "S-1-5-9", "PS": "S-1-5-10", "AU": "S-1-5-11", "RC": "S-1-5-12", "SY": "S-1-5-18", "LS": "S-1-5-19", "NS": "S-1-5-20", "WR": "S-1-5-33",
	"BA": "S-1-5-32-544", "BU": "S-1-5-32-545", "BG": "S-1-5-32-546", "PU": "S-1-5-32-547", "AO": "S-1-5-32-548", "SO": "S-1-5-32-549",
	"PO": "S-1-5-32-550", "BO": "S-1-5-32-551", "RE": "S-1-5-32-552", "RU": "S-1-5-32-554", "RD": "S-1-5-32-555", "NO": "S-1-5-32-556",
	"MU": "S-1-5-32-558", "LU": "S-1-5-32-559", "IS": "S-1-5-32-568", "ER": "S-1-5-32-573", "HA": "S-1-5-32-578", "RM": "S-1-5-32-580",
	"AC": "S-1-15-2-1", "UD": "S-1-5-84-0-0-0-0-0",
}
