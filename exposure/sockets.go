package exposure

import (
	"net/netip"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// Of is the answer about one socket for packets of one origin, in one family.
type Of struct {
	Origin int // its place in the list
	V4     bool
	Answer
}

// Families are those that a socket can receive: a dual-stack socket takes both.
func Families(sk *snapshot.Socket) []bool {
	switch {
	case sk.Family == 4:
		return []bool{true}
	case sk.V6Only:
		return []bool{false}
	}
	if a, err := netip.ParseAddr(sk.Addr); err == nil && a.Is4In6() {
		return []bool{true}
	} else if err == nil && !a.IsUnspecified() {
		return []bool{false}
	}
	return []bool{true, false}
}

// Sockets answers about listening sockets, by their places in the snapshot, for each origin and family: those of the
// host's own network namespace first, then those of others. There is an answer for each socket and origin: they come without
// the way of the witness and without certificates, which are long.
func (a *Asker) Sockets(sockets []int, origins []zones.Origin) map[int][]Of {
	out := map[int][]Of{}
	a.EachSocket(sockets, origins, func(i int, list []Of) { out[i] = list })
	return out
}

// EachSocket is Sockets where the answers about one socket are wanted at a time, in any order: those of thousands are large.
func (a *Asker) EachSocket(sockets []int, origins []zones.Origin, each func(i int, answers []Of)) {
	out := map[int][]Of{}
	tell := func(i int) {
		for j := range out[i] {
			a.count(out[i][j].Answer)
		}
		each(i, out[i])
	}
	to := a.ends(sockets)
	var own, others []int
	for _, i := range sockets {
		if a.snap.Listeners.Sockets[i].Netns == a.snap.Network.HostNetns() {
			own = append(own, i)
		} else {
			others = append(others, i)
		}
	}
	for _, c := range a.accounts(own) {
		a.hostSockets(c, origins, out)
	}
	a.elsewhere(others, origins, out, func(i int) {
		if !to.led[i] {
			tell(i)
			delete(out, i)
		}
	})
	a.relayed(to, out)
	for _, i := range sockets {
		if _, ok := out[i]; ok {
			tell(i)
		}
	}
}

// short is an answer without what takes room.
func short(a Answer) Answer {
	a.Path, a.Certificate, a.Ports, a.Doubtful = nil, nil, nil, nil
	if a.Fate != nil {
		a.Fate.Path = nil
	}
	return a
}

// kind is what sockets have in common whose answers differ by the port alone.
type kind struct {
	proto  string
	addr   string
	device string
	family int
	v6only bool
	// programs are the names of those that filter what it gets, and cgroup is that of those of which more is known.
	programs string
	cgroup   uint64
}

func kindOf(l *snapshot.Listeners, sk *snapshot.Socket) kind {
	k := kind{sk.Proto, sk.Addr, sk.Device, sk.Family, sk.V6Only, strings.Join(sk.Programs, ", "), 0}
	if c := l.Cgroup(sk.Cgroup); c != nil && len(c.Gets)+len(c.Sends) > 0 {
		k.cgroup = c.ID
	}
	return k
}

// hostSockets answers about the sockets of one account on the host.
func (a *Asker) hostSockets(c *account, origins []zones.Origin, out map[int][]Of) {
	list := a.snap.Listeners.Sockets
	kinds := map[kind][]int{}
	var order []kind
	for _, i := range c.sockets {
		k := kindOf(&a.snap.Listeners, &list[i])
		if kinds[k] == nil {
			order = append(order, k)
		}
		kinds[k] = append(kinds[k], i)
	}
	for _, k := range order {
		for o := range origins {
			for _, v4 := range Families(&list[kinds[k][0]]) {
				for j, answer := range c.sweep(kinds[k], &origins[o], v4) {
					out[kinds[k][j]] = append(out[kinds[k][j]], Of{o, v4, short(answer)})
				}
			}
		}
	}
}

// sweepFrom is how many sockets of one kind are asked about one by one before a sweep is worth it.
const sweepFrom = 16

// sweep answers about sockets of one kind for one origin and family. From some number on they share one walk through the
// rules.
func (p *party) sweep(sockets []int, o *zones.Origin, v4 bool) []Answer {
	list := p.snap.Listeners.Sockets
	from := o.Origin
	var ports []int
	for _, i := range sockets {
		ports = append(ports, list[i].Port)
	}
	var wide *reach.Sweep
	byPort := map[int]reach.Answer{} // several sockets can have one (SO_REUSEPORT)
	out := make([]Answer, len(sockets))
	var dark []int // places in out that are unreachable
	for j, i := range sockets {
		sk := &list[i]
		answer, known := byPort[sk.Port]
		if !known {
			if len(byPort) == sweepFrom && wide == nil {
				wide = p.model.Sweep(from, sk, v4, ports)
			}
			if wide != nil {
				answer = wide.Port(sk.Port)
			} else {
				answer = p.model.Socket(from, sk, v4)
			}
			byPort[sk.Port] = answer
		}
		if answer.Verdict == packet.Unreachable {
			out[j] = Answer{Answer: answer}
			dark = append(dark, j)
			continue
		}
		out[j] = p.second(question(from, v4, sk), answer)
	}
	p.certifyTogether(from, v4, sockets, dark, out)
	return out
}

// question is whether packets of an origin get to one of some sockets of one protocol.
func question(o packet.Origin, v4 bool, sockets ...*snapshot.Socket) *reach.Question {
	return &reach.Question{
		From: []packet.Origin{o}, Proto: sockets[0].Proto, To: reach.Target{Host: true}, Family: family(v4), Sockets: sockets,
	}
}

func family(v4 bool) int {
	if v4 {
		return 4
	}
	return 6
}

// certifyTogether checks one certificate for all unreachable sockets of a kind. Where it does not hold each half has its
// own, in the end each socket.
func (p *party) certifyTogether(o packet.Origin, v4 bool, sockets, dark []int, out []Answer) {
	if len(dark) == 0 {
		return
	}
	together := make([]*snapshot.Socket, len(dark))
	for k, j := range dark {
		together[k] = &p.snap.Listeners.Sockets[sockets[j]]
	}
	switch err := p.proven(question(o, v4, together...), p.model.Reach); {
	case err == nil:
		for _, j := range dark {
			out[j].Checked = true
		}
	case len(dark) == 1 || p.effort.Spend(0) != nil:
		for _, j := range dark {
			out[j] = p.unconfirmed("the proof was not confirmed: " + err.Error())
		}
	default:
		p.certifyTogether(o, v4, sockets, dark[:len(dark)/2], out)
		p.certifyTogether(o, v4, sockets, dark[len(dark)/2:], out)
	}
}
