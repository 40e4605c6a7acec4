package exposure

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/wfp"
	"github.com/ringfence/ringfence/wfp/mpssvc"
)

// FilterDifference is something that rules and settings say and the engine of the host does not hold, or the other way round.
type FilterDifference struct {
	// About is what is compared, in words: the action, the family, the profile, and the conditions but for remote addresses.
	About string `json:"about"`
	// Rules are the names of the filters that the registry makes, Held of those that the engine has.
	Rules []string `json:"rules,omitempty"`
	Held  []string `json:"held,omitempty"` // names of the filters that the engine has
	// OnlyRules and OnlyHeld are remote addresses, "first-last", that only one of them has.
	OnlyRules []string `json:"onlyRules,omitempty"`
	OnlyHeld  []string `json:"onlyHeld,omitempty"` // remote addresses, "first-last", that only the engine's filters have
	// Unsure says that the other side has filters that could not be compared: what looks as if it were missing there may be among them.
	Unsure bool `json:"unsure,omitempty"`
}

// bundle is filters that differ in the remote addresses alone.
type bundle struct {
	names []string
	spans []wfp.Span
	// torn says that one of them may be about other remote addresses besides.
	torn bool
}

// Differences compares the filters of the firewall's own sublayer with those that rules and settings make, for the profiles that interfaces
// are in. Filters count by what they let through or stop: alike ones are joined, those without a profile are of each, and what only says that
// packets come by no tunnel or for the first time is left out. There are none where one of the two was not read.
func (w *Windows) Differences() []FilterDifference {
	if w.held == nil || len(w.ruled.unknown) > 0 {
		return nil
	}
	active := w.activeProfiles()
	rules, rulesWhole := w.bundles(w.ruled.filters, active)
	have, heldWhole := w.bundles(w.held.filters, active)
	keys := map[string]bool{}
	for k := range rules {
		keys[k] = true
	}
	for k := range have {
		keys[k] = true
	}
	var list []FilterDifference
	for k := range keys {
		a, b := rules[k], have[k]
		d := FilterDifference{About: k, Rules: a.names, Held: b.names}
		d.OnlyRules, d.OnlyHeld = apart(a.spans, b.spans), apart(b.spans, a.spans)
		d.Unsure = len(d.OnlyRules) > 0 && (!heldWhole || b.torn) || len(d.OnlyHeld) > 0 && (!rulesWhole || a.torn)
		if len(d.OnlyRules)+len(d.OnlyHeld) > 0 {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b FilterDifference) int { return strings.Compare(a.About, b.About) })
	return list
}

// activeProfiles are the numbers of the profiles that interfaces are in.
func (w *Windows) activeProfiles() []uint64 {
	var out []uint64
	for _, p := range w.Profiles() {
		if len(p.Interfaces) > 0 {
			out = append(out, mpssvc.ProfileID(p.Profile))
		}
	}
	return out
}

// apart are the spans of a list that another one does not have.
func apart(a, b []wfp.Span) []string {
	var out []string
	b = wfp.Union(b)
	for _, s := range wfp.Union(a) {
		for _, x := range s.Without(b) {
			out = append(out, x.From.String()+"-"+x.To.String())
		}
	}
	return out
}

// bundles joins filters by what they are about. It reports false where one could not be compared.
func (w *Windows) bundles(filters []wfp.Filter, active []uint64) (map[string]bundle, bool) {
	out, whole, left := map[string]bundle{}, true, maxAbout
	for i := range filters {
		f := &filters[i]
		ofFirewall := f.Sublayer == wfp.SublayerFirewall || f.Sublayer == "FWPM_SUBLAYER_MPSSVC_WF" || f.Sublayer == firewallGUID
		if f.Layer != wfp.RecvAccept || !ofFirewall || f.Boot || f.Disabled || again(f) {
			continue
		}
		if f.Doubt != "" && f.DoubtIn != wfp.RemoteAddress || left < 0 {
			whole = false
			continue
		}
		about, spans, profiles, torn, ok := w.told(f)
		if f.Doubt != "" {
			spans, torn = nil, true
		}
		for _, a := range about {
			left -= len(a) + spanSize*len(spans)
		}
		if !ok || left < 0 {
			whole = false
			continue
		}
		for _, p := range active {
			if len(profiles) > 0 && !slices.Contains(profiles, p) {
				continue
			}
			for _, a := range about {
				k := fmt.Sprintf("%s, %s, profile %d%s", f.Action, familyOf(f.V4), p, a)
				b, there := out[k]
				if !there {
					left -= aboutSize
				}
				if left < 0 {
					whole = false
					continue
				}
				b.spans, b.torn = append(b.spans, spans...), b.torn || torn
				if len(b.names) < maxNames && !slices.Contains(b.names, f.Name) {
					b.names = append(b.names, f.Name)
				}
				out[k] = b
			}
		}
	}
	return out, whole
}

// firewallGUID is FWPM_SUBLAYER_MPSSVC_WF (fwpmu.h), where it is told by its GUID.
const firewallGUID = "{b3cdd441-af90-41ba-a745-7c6008ff2301}"

func familyOf(v4 bool) string { return map[bool]string{true: "IPv4", false: "IPv6"}[v4] }

// again says of a filter that it is for connections that are authorised again: the other half of one for those that begin.
func again(f *wfp.Filter) bool {
	return slices.ContainsFunc(f.Conditions, func(c wfp.Condition) bool {
		return c.Field == wfp.Flags && c.Match == wfp.AllSet && c.Value.Lo&wfp.FlagReauthorize != 0
	})
}

// told is what a filter is about, its remote addresses and profiles apart. Torn says that some of these addresses were not read; it reports false
// of a filter of which something else was not.
func (w *Windows) told(f *wfp.Filter) (about []string, spans []wfp.Span, profiles []uint64, torn, ok bool) {
	fields := map[wfp.Field][]string{}
	for _, c := range f.Conditions {
		v := c.Value
		if c.Field == wfp.ArrivalInterface && v.Kind == wfp.Text {
			c.Value = w.luid(v)
		}
		switch {
		case v.Kind == "" && c.Field == wfp.RemoteAddress:
			torn = true
		case v.Kind == "":
			return nil, nil, nil, false, false
		case c.Field == wfp.RemoteAddress && (c.Match == wfp.InRange || c.Match == wfp.Equal):
			spans = append(spans, wfp.Span{From: v.From, To: v.To})
		case c.Field == wfp.OriginalProfile && c.Match == wfp.Equal:
			profiles = append(profiles, v.Lo)
		case c.Field == wfp.CurrentProfile && c.Match == wfp.Equal, (c.Field == wfp.ArrivalTunnel || c.Field == wfp.NexthopTunnel) && v.Lo == 0:
		default:
			fields[c.Field] = append(fields[c.Field], word(&c))
		}
	}
	if spans == nil && !torn {
		spans = []wfp.Span{wfp.Every(f.V4)}
	}
	about = apiece(fields)
	return about, spans, profiles, torn, about != nil
}

// Bounds of the combinations that one filter is about and of their text, of the bytes of all with their addresses, each of them perhaps a difference,
// and of the filters named of each.
const (
	maxApiece     = 4096
	maxApieceText = 1 << 20
	maxAbout      = 64 << 20
	aboutSize     = 1 << 10
	spanSize      = 48
	maxNames      = 100
)

// apiece are the combinations of what fields may be, one of each. The service makes a filter of each port of a rule, so that a filter of ours that has
// all of them is the same as several of the engine's. It is nil of too many.
func apiece(fields map[wfp.Field][]string) []string {
	out := []string{""}
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		words := fields[k]
		slices.Sort(words)
		words = slices.Compact(words)
		if len(out)*len(words) > maxApiece || textSize(out)*len(words)+len(out)*textSize(words) > maxApieceText {
			return nil
		}
		var next []string
		for _, o := range out {
			for _, word := range words {
				next = append(next, fmt.Sprintf("%s, %s %s", o, k, word))
			}
		}
		out = next
	}
	return out
}

func textSize(list []string) int {
	size := 0
	for _, s := range list {
		size += len(s)
	}
	return size
}

// luid is the number that the engine has for an interface that is told by its GUID.
func (w *Windows) luid(v wfp.Value) wfp.Value {
	for i := range w.snap.Adapters.List {
		if a := &w.snap.Adapters.List[i]; strings.EqualFold(a.GUID, v.Text) && a.LUID != 0 {
			return wfp.Value{Kind: wfp.Number, Lo: a.LUID, Hi: a.LUID}
		}
	}
	return v
}

// word is a condition in words that are the same however it was written.
func word(c *wfp.Condition) string {
	m, v := c.Match, c.Value
	if m == wfp.InRange && v.Lo == v.Hi && v.Kind == wfp.Number || m == wfp.EqualFold {
		m = wfp.Equal
	}
	out := map[bool]string{true: string(m) + " "}[m != wfp.Equal && m != wfp.InRange]
	switch {
	case v.Kind == wfp.Number && v.Lo == v.Hi:
		return out + fmt.Sprint(v.Lo)
	case v.Kind == wfp.Number:
		return out + fmt.Sprintf("%d-%d", v.Lo, v.Hi)
	case v.Kind == wfp.Address:
		return out + v.From.String() + "-" + v.To.String()
	case v.Kind == wfp.SDDL:
		if sids := wfp.Matched(v.Text); sids != nil {
			return out + strings.Join(sids, " or ")
		}
	}
	return out + strings.ToLower(cmp.Or(v.Text, v.Original))
}
