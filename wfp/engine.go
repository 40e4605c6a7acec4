package wfp

import (
	"cmp"
	"slices"
	"strings"
)

// Engine holds filters in the order in which they are asked. It is not safe for concurrent use.
type Engine struct {
	places map[place][]*sublayer
	size   int
}

type place struct {
	layer Layer
	v4    bool
}

type sublayer struct {
	Sublayer
	rules []*rule
}

// rule is a filter with its conditions by field.
type rule struct {
	*Filter
	groups []group
	// spans are the remote addresses that it is about, once they were asked for.
	spans *remote
	// tied says that a filter of the sublayer weighs as much and does something else: which of them is asked first is not known.
	tied bool
}

// remote is remote addresses, and why there may be others.
type remote struct {
	spans []Span
	torn  string
}

// group is the conditions on one field, of which one has to hold.
type group struct {
	field Field
	list  []*Condition
}

// New puts filters in their order. Those of other layers are left out. A sublayer that is not in the list is the lightest.
func New(filters []Filter, sublayers []Sublayer) *Engine {
	e := &Engine{places: map[place][]*sublayer{}}
	type within struct {
		place
		key string
	}
	known, at := map[string]Sublayer{}, map[within]*sublayer{}
	for _, s := range sublayers {
		known[s.Key] = s
	}
	for i := range filters {
		f := &filters[i]
		if !f.asked() || !slices.Contains(Layers(), f.Layer) || f.Action == CalloutInspection || f.Action == Continue {
			continue
		}
		p := place{f.Layer, f.V4}
		s := at[within{p, f.Sublayer}]
		if s == nil {
			s = &sublayer{Sublayer: Sublayer{Key: f.Sublayer, Name: known[f.Sublayer].Name, Weight: known[f.Sublayer].Weight}}
			at[within{p, f.Sublayer}] = s
			e.places[p] = append(e.places[p], s)
		}
		s.rules = append(s.rules, &rule{Filter: f, groups: groups(f)})
		e.size += 1 + len(f.Conditions)
	}
	for _, list := range e.places {
		slices.SortStableFunc(list, func(a, b *sublayer) int {
			return cmp.Or(cmp.Compare(b.Weight, a.Weight), strings.Compare(a.Key, b.Key))
		})
		for _, s := range list {
			slices.SortStableFunc(s.rules, func(a, b *rule) int { return cmp.Compare(b.Weight, a.Weight) })
			s.ties()
		}
	}
	return e
}

// ties finds the filters that weigh as much as another one that does something else.
func (s *sublayer) ties() {
	for from := 0; from < len(s.rules); {
		to, mixed := from, false
		for ; to < len(s.rules) && s.rules[to].Weight == s.rules[from].Weight; to++ {
			a, b := s.rules[to], s.rules[from]
			mixed = mixed || a.Action != b.Action || a.Hard != b.Hard
		}
		for ; from < to; from++ {
			s.rules[from].tied = mixed
		}
	}
}

func groups(f *Filter) (out []group) {
	for i := range f.Conditions {
		c := &f.Conditions[i]
		at := slices.IndexFunc(out, func(g group) bool { return g.field == c.Field })
		if at < 0 {
			at = len(out)
			out = append(out, group{field: c.Field})
		}
		out[at].list = append(out[at].list, c)
	}
	return out
}

// For leaves out the filters that some facts alone rule out, so that many questions about one listener are cheap. Fields that
// are not among the facts rule nothing out.
func (e *Engine) For(facts Facts) *Engine {
	out := &Engine{places: map[place][]*sublayer{}}
	for p, list := range e.places {
		for _, s := range list {
			var rules []*rule
			for _, r := range s.rules {
				if !r.ruledOut(facts) {
					rules = append(rules, r)
					out.size += 1 + len(r.Conditions)
				}
			}
			if len(rules) > 0 {
				out.places[p] = append(out.places[p], &sublayer{s.Sublayer, rules})
			}
		}
	}
	return out
}

// Size is how many filters and conditions there are: what a question costs.
func (e *Engine) Size() int { return e.size }

// Asks says whether a filter asks for a field.
func (e *Engine) Asks(field Field) bool {
	for _, list := range e.places {
		for _, s := range list {
			for _, r := range s.rules {
				if slices.ContainsFunc(r.groups, func(g group) bool { return g.field == field }) {
					return true
				}
			}
		}
	}
	return false
}

func (r *rule) ruledOut(facts Facts) bool {
	for i := range r.groups {
		g := &r.groups[i]
		f, told := facts[g.field]
		if !told {
			continue
		}
		if t, _ := g.holds(f, true); t == no {
			return true
		}
	}
	return false
}

// holds says whether one of the conditions holds.
func (g *group) holds(f Fact, told bool) (truth, string) {
	best, why := no, ""
	for _, c := range g.list {
		t, reason := c.holds(f, told)
		if t == yes {
			return yes, ""
		}
		if t > best {
			best, why = t, reason
		}
	}
	return best, why
}

// hit is what a rule matches of a question: remote addresses and ports, nil being all, and why that is not certain.
type hit struct {
	spans []Span
	ports []PortSpan
	doubt string
}

// match is what a rule matches, if anything. Where a condition on remote addresses or ports was not read, what the others say
// comes first, and then all that it may match besides.
func (r *rule) match(facts Facts, v4 bool) []hit {
	sure, wide := hit{doubt: r.Doubt}, hit{doubt: r.Doubt}
	torn := ""
	for i := range r.groups {
		g := &r.groups[i]
		why, none := "", false
		switch g.field {
		case RemoteAddress:
			if r.spans == nil {
				r.spans = new(remote)
				r.spans.spans, r.spans.torn = g.spans(v4)
			}
			sure.spans, why = r.spans.spans, r.spans.torn
			none = len(sure.spans) == 0
			if why == "" {
				wide.spans = sure.spans
			}
		case RemotePort:
			sure.ports, why = g.ports()
			none = len(sure.ports) == 0
			if why == "" {
				wide.ports = sure.ports
			}
		default:
			f, told := facts[g.field]
			t, doubt := g.holds(f, told)
			if t == no {
				return nil
			}
			if t == maybe {
				sure.doubt, wide.doubt = doubt, doubt
			}
			continue
		}
		if none && why == "" {
			return nil
		}
		torn = cmp.Or(torn, why)
	}
	if torn == "" {
		return []hit{sure}
	}
	wide.doubt = torn
	if sure.spans != nil && len(sure.spans) == 0 || sure.ports != nil && len(sure.ports) == 0 {
		return []hit{wide}
	}
	return []hit{sure, wide}
}

// spans are the addresses that a group of conditions lets match, and why it may match others. They are never nil.
func (g *group) spans(v4 bool) (_ []Span, torn string) {
	all := Every(v4)
	out := []Span{}
	for _, c := range g.list {
		v := c.Value
		if v.Kind != Address || v.From.Is4() != v4 || v.To.Is4() != v4 || v.To.Less(v.From) {
			torn = "a condition on remote addresses was not read: " + cmp.Or(v.Unread, v.Original, "it is of another family")
			continue
		}
		s := Span{v.From, v.To}
		switch c.Match {
		case Equal, InRange:
			out = append(out, s)
		case NotEqual:
			out = append(out, all.Without([]Span{s})...)
		case Greater:
			out = append(out, all.Without([]Span{{all.From, v.From}})...)
		case Less:
			out = append(out, all.Without([]Span{{v.From, all.To}})...)
		case GreaterOrEqual:
			out = append(out, Span{v.From, all.To})
		case LessOrEqual:
			out = append(out, Span{all.From, v.From})
		default:
			torn = "the comparison " + string(c.Match) + " of remote addresses is not known"
		}
	}
	return Union(out), torn
}

// ports are the remote ports that a group of conditions lets match, and why it may match others. They are never nil.
func (g *group) ports() (_ []PortSpan, torn string) {
	out := []PortSpan{}
	for _, c := range g.list {
		v := c.Value
		if v.Kind != Number || v.Lo > 65535 || v.Hi > 65535 || v.Hi < v.Lo && c.Match == InRange {
			torn = "a condition on remote ports was not read: " + cmp.Or(v.Unread, v.Original, "it is no port")
			continue
		}
		lo, hi := uint16(v.Lo), uint16(v.Hi)
		switch c.Match {
		case Equal:
			out = append(out, PortSpan{lo, lo})
		case InRange:
			out = append(out, PortSpan{lo, hi})
		case NotEqual:
			out = append(out, portsWithout([]PortSpan{{lo, lo}})...)
		case Greater:
			out = append(out, portsWithout([]PortSpan{{0, lo}})...)
		case Less:
			out = append(out, portsWithout([]PortSpan{{lo, 65535}})...)
		case GreaterOrEqual:
			out = append(out, PortSpan{lo, 65535})
		case LessOrEqual:
			out = append(out, PortSpan{0, lo})
		default:
			torn = "the comparison " + string(c.Match) + " of remote ports is not known"
		}
	}
	return portUnion(out), torn
}
