package exposure

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp"
	"github.com/ringfence/ringfence/wfp/mpssvc"
	"github.com/ringfence/ringfence/zones"
)

// sources are who is behind the interface, and who may be. An address of the interface that is a prefix of its own, as VPNs have, is the host's:
// nobody sends from it.
func (q *windowsQuestion) sources() {
	q.from = spansOf(&q.o.Origin, q.v4)
	if q.adapter == nil {
		return
	}
	q.maybe = spansOf(&packet.Origin{From: q.o.Maybe, Except: q.o.Except}, q.v4)
	var own []wfp.Span
	for _, p := range zones.OnLink(q.adapter) {
		if p.IsSingleIP() && p.Addr().Is4() == q.v4 {
			own = append(own, wfp.SpanOf(p))
		}
	}
	own = wfp.Union(own)
	for _, list := range []*[]wfp.Span{&q.from, &q.maybe} {
		var rest []wfp.Span
		for _, s := range *list {
			rest = append(rest, s.Without(own)...)
		}
		*list = rest
	}
}

// answer asks for who is behind the interface, and where none of them gets through for who may be.
func (q *windowsQuestion) answer(f *filtering) Answer {
	a := q.known(f)
	if a.Verdict != packet.Unreachable || bindOf(q.l).IsLoopback() {
		return a
	}
	if f.gap != "" {
		what := map[bool]string{true: "the rules of the firewall were", false: "the filters were"}[f.byRule]
		return Answer{Answer: unknown(what + " not read whole, so that nothing is proven by them: " + f.gap)}
	}
	if len(q.maybe) == 0 {
		return a
	}
	all := *q
	all.from = wfp.Union(slices.Concat(q.from, q.maybe))
	if b := all.known(f); b.Verdict == packet.Unreachable {
		return b
	}
	return Answer{Answer: unknown("who is behind the interface " + q.adapter.Name + " besides its own network was not told (Get-NetRoute), and not everybody is stopped")}
}

// gap is why a part of what was read of the host is not whole, "" where nothing says so.
func (w *Windows) gap(part string) string {
	if !slices.Contains(w.coverage.Parts, part) {
		return ""
	}
	for _, r := range w.coverage.Reasons {
		if why, ok := strings.CutPrefix(r, part+": "); ok {
			return why
		}
	}
	return "it was not read whole"
}

// translated are the kinds of networks that the host hides behind addresses of its own.
var translated = []snapshot.WindowsNetworkKind{snapshot.NetworkWSL, snapshot.NetworkHyperV, snapshot.NetworkHNS, snapshot.NetworkICS}

// byAnother is why it is not known whether machines are stopped, though the filters for their interface stop them: what they send to an address
// that the host has on another interface was seen to be judged by the profile of that one. It is empty where the filters for that one stop them
// too. F are the filters that no interface has narrowed, facts those of the interface of the machines.
func (q *windowsQuestion) byAnother(f *filtering, facts wfp.Facts, bound netip.Addr) string {
	if q.adapter == nil || !q.v4 || !slices.Contains(translated, q.adapter.Kind) {
		return ""
	}
	type way struct {
		profile snapshot.WindowsProfile
		known   bool
		to      netip.Addr
	}
	own, known := mpssvc.ProfileOf(q.adapter)
	byAddr := f.engine.Asks(wfp.LocalAddress)
	list := q.w.snap.Adapters.List
	anyUp := slices.ContainsFunc(list, func(a snapshot.WindowsAdapter) bool { return a.Up })
	done := map[way]bool{{profile: own, known: known}: true}
	for i := range list {
		a := &list[i]
		if a == q.adapter || anyUp && !a.Up || a.Type == loopbackType {
			continue
		}
		for _, to := range localAddrs(a, q.v4) {
			w := way{to: to}
			if w.profile, w.known = mpssvc.ProfileOf(a); !byAddr {
				w.to = netip.Addr{}
			}
			from := onItsLink(q.from, to)
			if done[w] || len(from) == 0 || !bound.IsUnspecified() && bound != to {
				continue
			}
			done[w] = true
			if why := q.w.spend(f); why != "" {
				return why
			}
			other := maps.Clone(facts)
			there := arrivalFacts(a, wfp.Fact{}, f.byRule)
			for _, k := range profileFields {
				other[k] = there[k]
			}
			other[wfp.LocalAddress] = wfp.Fact{Addr: to}
			near := &filtering{engine: f.engine.For(other), check: f.check.For(other)}
			if answer := q.ask(near, other, to, from); answer.Verdict != packet.Unreachable {
				return "to " + to.String() + " the rules for " + a.Name + " may count, which do not stop it: how the host judges what its machines send to an address of another interface was not read"
			}
		}
	}
	return ""
}
