package exposure

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// Ask answers a question about the host's own network namespace, for all its origins and families together. An address can also be that of an
// interface which shares the one that packets come in by: they get there past the host.
func (a *Asker) Ask(q *reach.Question) Answer {
	answer := a.second(q, a.model.Reach(q))
	if q.To.Addr.IsValid() && answer.Verdict == packet.Unreachable {
		answer = a.past(q, answer)
	}
	return a.count(answer)
}

// past is the answer for an address that the host's rules keep packets from, where another network namespace has it. One that was not read may have
// each that is not the host's own.
func (a *Asker) past(q *reach.Question, host Answer) Answer {
	unread := false
	for i := range a.snap.Namespaces {
		e := &a.snap.Namespaces[i]
		unread = unread || e.Status != snapshot.OK
		for j := range e.Network.Links {
			l := &e.Network.Links[j]
			below := a.snap.Network.Link(l.PeerIndex)
			if e.Status != snapshot.OK || below == nil || !l.Up || !slices.Contains(addressesOf(l), netip.PrefixFrom(q.To.Addr, q.To.Addr.BitLen())) {
				continue
			}
			v := a.view(e.Netns, a.effort)
			if !v.sharesHosts(l) || v.model == nil {
				continue
			}
			for _, o := range q.From {
				if o.Local || o.Index != below.Index {
					continue
				}
				if found := v.at(l, below, &zones.Origin{Origin: o}, q); found.Verdict != packet.Unreachable {
					return found
				}
			}
		}
	}
	outside := slices.ContainsFunc(q.From, func(o packet.Origin) bool { return !o.Local })
	own := slices.ContainsFunc(a.snap.Network.Links, func(l snapshot.Link) bool {
		return slices.Contains(addressesOf(&l), netip.PrefixFrom(q.To.Addr, q.To.Addr.BitLen()))
	})
	if unread && outside && !own {
		return Answer{Answer: unknown("a network namespace that was not read can have an interface with that address, past the host's rules")}
	}
	return host
}

// at asks whether what comes in by the host's interface below gets to an address of one that shares it.
func (v *view) at(l, below *snapshot.Link, o *zones.Origin, q *reach.Question) Answer {
	inside := *q
	inside.From = []packet.Origin{{Index: l.Index, From: o.From, Except: o.Except}}
	found := v.second(&inside, v.model.Reach(&inside))
	if found.Verdict == packet.Unreachable {
		return found
	}
	if why := v.before(l, below); why != "" {
		return Answer{Answer: unknown(why)}
	}
	return found
}
