package reach

import (
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// gate is what the programs of a socket's cgroup let through to it.
type gate struct {
	gets, sends []snapshot.CgroupProgram
	unsure      bool
}

// gateKey is what the gate of a socket depends on.
type gateKey struct {
	netns, cgroup       uint64
	proto, addr, device string
	port                int
}

func (m *Model) gate(s *snapshot.Socket) *gate {
	key := gateKey{s.Netns, s.Cgroup, s.Proto, s.Addr, s.Device, s.Port}
	if g := m.gates[key]; g != nil {
		return g
	}
	if m.gates == nil {
		m.gates = map[gateKey]*gate{}
	}
	g := new(gate)
	g.gets, g.sends, g.unsure = m.snap.Listeners.Gate(s)
	m.gates[key] = g
	return g
}

// passing is the addresses of one family that a program lets pass.
func passing(p *snapshot.CgroupProgram, v4 bool) set {
	all := span(num(0), ones(uint(8*fSaddr.width(v4))))
	if p.Addresses == nil {
		return all
	}
	return all.subtract(prefixesSet(p.Addresses.Deny, v4).subtract(prefixesSet(p.Addresses.Allow, v4)))
}

// gated parts packets for a socket by what the programs of its cgroup do with them. They see them last (sk_filter_trim_cap), and those by which
// it answers, before they leave. Of packets for many hosts the other sockets get theirs all the same.
func (e *engine) gated(s *snapshot.Socket, in []cube) (yes, no []cube) {
	if len(in) == 0 {
		return in, nil
	}
	if len(s.Programs) > 0 {
		in = doubtAll(in, packet.Cause{Text: "a program filters what the cgroup of the socket gets and sends: " + strings.Join(s.Programs, ", ")})
	}
	g := e.gate(s)
	if g.unsure {
		return doubtAll(in, packet.Cause{Text: "sockets that share the port are in cgroups with other programs"}), nil
	}
	in = e.passed(g.gets, in, fSaddr, func(x cube, name string) []cube {
		if x.toMany && datagrams(s) {
			no = append(no, x)
			return nil
		}
		e.stop(x, packet.Cause{Text: "the program " + name + " of the socket's cgroup lets nothing pass from there"})
		return nil
	})
	if protocols[s.Proto] == packet.TCP {
		in = e.passed(g.sends, in, fSaddr, func(x cube, name string) []cube {
			return []cube{x.doubt(packet.Cause{Text: "the program " + name + " of the socket's cgroup lets no answer pass"})}
		})
	}
	return in, no
}

// passed is what programs let pass by an address, and what is left of what they do not.
func (e *engine) passed(list []snapshot.CgroupProgram, in []cube, by field, other func(c cube, name string) []cube) []cube {
	for i := range list {
		var through []cube
		for _, c := range in {
			hit, miss := c.split(by, passing(&list[i], c.v4))
			through = append(through, hit...)
			for _, x := range miss {
				through = append(through, other(x, list[i].Name)...)
			}
		}
		in = through
	}
	return in
}

// sent is what the programs of the sender's cgroup do with packets of the host: they see them last (ip_finish_output, ip6_finish_output).
func (e *engine) sent(in []cube) []cube {
	sends, _ := e.snap.Listeners.Sending(e.by.InCgroup())
	if len(in) == 0 {
		return in
	}
	for _, name := range snapshot.UnknownPrograms(sends) {
		in = doubtAll(in, packet.Cause{Text: "a program filters what the cgroup of the process sends: " + name})
	}
	return e.passed(sends, in, fDaddr, func(x cube, name string) []cube {
		e.stop(x, packet.Cause{Text: "the program " + name + " of the process's cgroup lets nothing pass to there"})
		return nil
	})
}

// directed puts packets in doubt of which programs are asked where they go, before there are any (__cgroup_bpf_run_filter_sock_addr).
func (e *engine) directed(c cube) cube {
	_, steers := e.snap.Listeners.Sending(e.by.InCgroup())
	proto := c.sets[fProto][0].lo.lo
	if len(steers) == 0 || proto != packet.TCP && proto != packet.UDP && proto != packet.UDPLite {
		return c
	}
	why := packet.Cause{Text: "a program chooses where the cgroup of the process sends to: " + strings.Join(steers, ", ")}
	e.open(why)
	return c.doubt(why)
}

// cgroupKey is what a rule is told of a cgroup at a level (nft_sock_get_eval_cgroupv2); ends says that there is none so deep, and the rule ends.
func cgroupKey(g *snapshot.Cgroup, key *ruleset.SocketKey) (v value, ends bool) {
	switch id, known := g.At(key.Level); {
	case !known:
		return unknown(8, "the cgroup of the socket"), false
	case id == 0:
		return nil, true
	default:
		return constant(host64(id)), false
	}
}
