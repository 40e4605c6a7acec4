package exposure

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// view is another network namespace, and the host as questions that lead there meet it; both have one effort.
type view struct {
	party // of the namespace; without a model where it was not read
	asker *Asker
	seen  *snapshot.Elsewhere
	host  party
	inner map[innerKey]Answer       // for packets from anywhere to the socket that is asked about
	bound map[innerKey][]netip.Addr // at which it takes them
}

// socketKey is what answers about a socket depend on.
type socketKey struct {
	kind kind
	port int
}

// innerKey is an interface of a namespace, and a family.
type innerKey struct {
	link int
	v4   bool
}

// elsewhere answers about sockets of other network namespaces, after all that is asked about the host itself. Done is called for each.
func (a *Asker) elsewhere(sockets []int, origins []zones.Origin, out map[int][]Of, done func(i int)) {
	byNetns := map[uint64][]int{}
	for _, i := range sockets {
		ns := a.snap.Listeners.Sockets[i].Netns
		byNetns[ns] = append(byNetns[ns], i)
	}
	share(owners(a.snap, sockets), a.limits.Elsewhere, func(ns uint64, steps int) int {
		v := a.view(ns, &reach.Effort{
			Whose: fmt.Sprintf("network namespace %d%s", ns, a.nameOf(ns)),
			Left:  steps, Question: questionSteps, Cases: questionCases, Context: a.effort.Context,
		})
		v.sockets(byNetns[ns], origins, out)
		for _, i := range byNetns[ns] {
			done(i)
		}
		return steps - v.effort.Left
	})
}

func (a *Asker) nameOf(ns uint64) string {
	if a.names == nil {
		return ""
	}
	return " (" + a.names(ns) + ")"
}

func (a *Asker) view(netns uint64, effort *reach.Effort) *view {
	v := &view{asker: a}
	v.effort = effort
	v.host = party{side: a.side, model: a.model.Within(effort), effort: effort}
	for i := range a.snap.Namespaces {
		if e := &a.snap.Namespaces[i]; e.Netns == netns {
			v.seen = e
			if e.Status == snapshot.OK {
				v.side = &side{snap: a.snap.From(e), tally: a.tally}
				v.model = reach.NewModel(v.snap).Within(effort)
			}
		}
	}
	return v
}

// sockets answers about sockets of the namespace: about equal ones once.
func (v *view) sockets(list []int, origins []zones.Origin, out map[int][]Of) {
	asked := map[socketKey][]Of{}
	for _, i := range list {
		sk := &v.host.snap.Listeners.Sockets[i]
		k := socketKey{kindOf(&v.host.snap.Listeners, sk), sk.Port}
		if asked[k] == nil {
			asked[k] = v.socket(sk, origins)
			out[i] = asked[k]
		} else {
			out[i] = slices.Clone(asked[k])
		}
	}
}

// socket answers about one socket of the namespace, for each origin and family.
func (v *view) socket(sk *snapshot.Socket, origins []zones.Origin) []Of {
	v.inner, v.bound = map[innerKey]Answer{}, map[innerKey][]netip.Addr{}
	families := Families(sk)
	out := make([]Of, 0, len(origins)*len(families))
	for o := range origins {
		for _, v4 := range families {
			out = append(out, Of{o, v4, short(v.foreign(sk, &origins[o], v4))})
		}
	}
	return out
}

var verdictRank = map[packet.Verdict]int{"": 0, packet.Unreachable: 1, packet.Unknown: 2, packet.Reachable: 3}

// foreign joins the answers for every interface of the namespace.
func (v *view) foreign(sk *snapshot.Socket, o *zones.Origin, v4 bool) Answer {
	switch {
	case v.seen == nil:
		return Answer{Answer: unknown("its network namespace was not read")}
	case v.model == nil:
		return Answer{Answer: unknown("its network namespace was not read: " + v.seen.Reason)}
	}
	total := Answer{Answer: stopped("its network namespace has no interface but loopback that is up"), Checked: true}
	none := true
	for i := range v.seen.Network.Links {
		l := &v.seen.Network.Links[i]
		if l.Loopback || !l.Up {
			continue
		}
		answer := v.fromAnywhere(sk, l, v4)
		if answer.Verdict != packet.Unreachable {
			answer = v.through(sk, l, o, v4, &answer)
		}
		switch {
		case none || verdictRank[answer.Verdict] > verdictRank[total.Verdict]:
			total = answer
		case answer.Verdict == packet.Unreachable && total.Verdict == packet.Unreachable:
			total.StoppedBy = append(slices.Clip(total.StoppedBy), answer.StoppedBy...)
		}
		none = false
	}
	if l := v.byProgram(); l != nil && total.Verdict == packet.Unreachable {
		return Answer{Answer: unknown("a program holds the other end of " + l.Name + " of its network namespace, and can pass connections on to it")}
	}
	return total
}

// byProgram is an interface of the namespace whose other end is a program: slirp4netns, pasta, a VPN. Such a program also connects to what
// listens on loopback alone (pasta(1), -t).
func (v *view) byProgram() *snapshot.Link {
	for i := range v.seen.Network.Links {
		if l := &v.seen.Network.Links[i]; l.Kind == "tun" && l.Up {
			return l
		}
	}
	return nil
}

// fromAnywhere is the namespace's own answer for packets from anywhere, which is the same for all origins.
func (v *view) fromAnywhere(sk *snapshot.Socket, l *snapshot.Link, v4 bool) Answer {
	k := innerKey{l.Index, v4}
	answer, ok := v.inner[k]
	if !ok {
		answer = v.inside(sk, l, everywhere, nil, v4)
		v.inner[k] = answer
	}
	return answer
}

// inside is the namespace's own answer for packets that come in by one of its interfaces.
func (v *view) inside(sk *snapshot.Socket, l *snapshot.Link, from, except []netip.Prefix, v4 bool) Answer {
	q := question(packet.Origin{Index: l.Index, From: from, Except: except}, v4, sk)
	return v.second(q, v.model.Reach(q))
}

var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// through asks whether packets of an origin get to an interface of the namespace, and one of them to the socket. inner is
// the namespace's own answer for packets from anywhere.
func (v *view) through(sk *snapshot.Socket, l *snapshot.Link, o *zones.Origin, v4 bool, inner *Answer) Answer {
	if err := v.effort.Spend(1); err != nil {
		return Answer{Answer: unknown(err.Error())}
	}
	outer := v.leadsTo(l)
	switch {
	case outer != nil:
		return v.byPair(sk, l, outer, o, v4, inner)
	case v.sharesHosts(l):
		return v.shared(sk, l, o, v4)
	case v.enclosed(l):
		return v.aroundAgain(sk, l, v4)
	case l.Kind == "tun":
		return Answer{Answer: unknown("a program holds the other end of " + l.Name + " of its network namespace, and passes on what it likes")}
	}
	return Answer{Answer: unknown("how packets get to " + l.Name + " of its network namespace is not known")}
}

// byPair is for an interface whose other end is outer, on the host.
func (v *view) byPair(sk *snapshot.Socket, l, outer *snapshot.Link, o *zones.Origin, v4 bool, inner *Answer) Answer {
	network := &v.host.snap.Network
	gate := outer
	if m := network.Link(outer.Master); m != nil && outer.Master != 0 {
		gate = m
	}
	switched := !o.Local && gate != outer && o.Index != outer.Index && (o.Index == gate.Index || bridgeOf(network, o.Index) == gate.Index)
	var total Answer
	ask := func(to reach.Sent) {
		var answer Answer
		if switched {
			answer = v.besides(sk, l, o, outer, gate, v4, to)
		} else {
			answer = v.forwarded(sk, l, o, gate, v4, to, inner)
		}
		if verdictRank[answer.Verdict] > verdictRank[total.Verdict] {
			total = answer
		}
	}
	own := v.takesOn(sk, l, v4)
	for _, to := range own {
		if switched || o.Local || !to.IsLinkLocalUnicast() { // to those a neighbour on the same link alone sends
			ask(reach.Sent{Dst: []netip.Prefix{netip.PrefixFrom(to, to.BitLen())}, Port: sk.Port})
		}
	}
	if total.Verdict != packet.Reachable {
		for _, to := range inner.Beyond(own, sk.Port) {
			ask(to)
		}
	}
	if gate != outer && total.Verdict != packet.Reachable && total.Verdict != packet.Unknown {
		if a, found := v.around(sk, own, o, v4, gate, inner); found {
			return a
		}
	}
	if total.Verdict == "" && len(own) > 0 {
		return Answer{Answer: stopped("to a link-local address neighbours on the same link alone send"), Checked: true}
	}
	if total.Verdict == "" {
		return Answer{Answer: stopped("the socket's address is on no interface that leads to the host"), Checked: true}
	}
	return total
}

// bridgeOf is the index of the bridge that an interface is a port of, or 0.
func bridgeOf(n *snapshot.Network, index int) int {
	if m := n.BridgeOf(n.Link(index)); m != nil {
		return m.Index
	}
	return 0
}

// leadsTo is the host's end of an interface of the namespace.
func (v *view) leadsTo(l *snapshot.Link) *snapshot.Link { return v.hostsEnd(v.seen.Netns, l) }

// hostsEnd is the host's end of an interface of some namespace.
func (v *view) hostsEnd(netns uint64, l *snapshot.Link) *snapshot.Link {
	return v.host.otherEnds()[end{netns, l.Index}]
}

// takesOn is the addresses of an interface of the namespace at which the socket takes packets.
func (v *view) takesOn(sk *snapshot.Socket, l *snapshot.Link, v4 bool) []netip.Addr {
	k := innerKey{l.Index, v4}
	list, ok := v.bound[k]
	if !ok {
		list = boundOn(sk, l, v4)
		v.bound[k] = list
	}
	return list
}

// boundOn is the addresses of an interface at which a socket takes packets.
func boundOn(sk *snapshot.Socket, l *snapshot.Link, v4 bool) []netip.Addr {
	at, err := netip.ParseAddr(sk.Addr)
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, text := range l.Addrs {
		p, err := netip.ParsePrefix(text)
		if err == nil && p.Addr().Is4() == v4 && (at.IsUnspecified() || at.Unmap().WithZone("") == p.Addr()) {
			out = append(out, p.Addr())
		}
	}
	return out
}
