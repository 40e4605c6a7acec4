package remedy

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/replica"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
)

// Job is what the child that builds the replica is given, Result what it finds.
type Job struct {
	Host   replica.Host    `json:"host"`
	Plan   *Plan           `json:"plan"`
	Probes []replica.Probe `json:"probes"`
	// Counts says that rules of the host decide by what went through it before.
	Counts bool `json:"counts,omitempty"`
}

// Result is what was found in the replica.
type Result struct {
	// Trial and Lasting are the plan's tables as the kernel tells them.
	Trial   []ruleset.Table `json:"trial"`
	Lasting []ruleset.Table `json:"lasting"`
	// Before, After and Flushed are the outcomes of the probes without the plan, with it, and with it once more
	// after the neighbour caches were emptied.
	Before  map[int]string `json:"before"`
	After   map[int]string `json:"after"`
	Flushed map[int]string `json:"flushed"`
	Omitted []string       `json:"omitted"`
	// Entered are the interfaces behind which neighbours had to be entered by hand: rules of the host drop how they are found.
	Entered []string `json:"entered,omitempty"`
}

// aim is what a probe has to show.
type aim int

const (
	mustClose aim = iota // silent with the plan
	mustKeep             // the same as before
	bystander            // the same as before, where the plan is a targeted one
)

type probe struct {
	replica.Probe
	aim aim
	why string
	// fate is what the model says becomes of it without the plan.
	fate trace.Fate
}

// probeSet is the probes of a proof and who answers them behind the interfaces.
type probeSet struct {
	snap   *snapshot.Snapshot
	tracer *trace.Tracer
	// targeted says that the plan leaves everything alone that it is not about.
	targeted bool
	probes   []probe
	peers    []replica.Endpoint
	behind   map[at]string // the port of a bridge that somebody is behind
}

// at is somebody on a bridge.
type at struct {
	bridge int
	addr   netip.Addr
}

// maxProbes bounds how many connections are tried at once.
const maxProbes = 400

// newProbes chooses connections of both families: one for each drop, one for each flow that must go on
// working, one for each other port that is listened on, and the host's own connections.
func newProbes(ctx context.Context, p *Plan, s *snapshot.Snapshot) *probeSet {
	ps := &probeSet{snap: s, tracer: exposure.New(ctx, Without(s), exposure.Limits{}, nil).Tracer(), targeted: p.Mode == Targeted, behind: map[at]string{}}
	rules := p.samples()
	for i := range rules {
		switch r := &rules[i]; {
		case r.Accept, r.Untracked: // another rule is about the same connections
		case r.Chain == chainIn, r.Chain == chainPort:
			ps.closed(p, r)
		case r.Chain == chainForward:
			ps.forwarded(p, r)
		case r.Chain == chainSwitched:
			ps.switched(p, r)
		}
	}
	for _, f := range p.Keeps {
		for _, k := range f.packets(p, s) {
			ps.add(k, mustKeep, f.String())
		}
	}
	for i := range s.Listeners.Sockets {
		sock := &s.Listeners.Sockets[i]
		f := Flow{Proto: sock.Proto, Port: sock.Port}
		if sock.Proto != "tcp" && sock.Proto != "udp" || sock.Netns != s.Network.HostNetns() {
			continue
		}
		for _, k := range f.packets(p, s) {
			if !p.touches(s, k) && len(ps.probes) < maxProbes {
				ps.add(k, bystander, fmt.Sprintf("%s port %d", sock.Proto, sock.Port))
			}
		}
	}
	ps.outward(p)
	return ps
}

// touches says whether a packet is one that the plan has a rule about.
func (p *Plan) touches(s *snapshot.Snapshot, k *packet.Packet) bool {
	return slices.ContainsFunc(p.each(), func(r Rule) bool {
		return r.Proto == k.Proto && r.Port == int(k.Dport) && !(r.addressed() && !covers(r.To, k.Dst)) && !p.carved(&r, k.Dst) && (r.Chain == chainIn && r.Iif == enters(s, k.In) || r.Chain == chainPort && r.Iif == k.In)
	})
}

// add adds a packet as a probe. Where it is translated to somebody behind the host, a peer answers there.
func (ps *probeSet) add(k *packet.Packet, a aim, why string) {
	if k.Proto != "tcp" && k.Proto != "udp" || k.Dst.IsLoopback() { // from where it is sent, that is the sender itself
		return
	}
	home := ps.homeOf(k.In, k.Src)
	if home != k.In && ps.snap.Network.BridgeOf(ps.snap.Network.LinkNamed(k.In)) != nil {
		return // somebody behind another port of the bridge has the address
	}
	k.In = home
	f := ps.tracer.Packet(k)
	if f.Fate == trace.Forward {
		if to, err := netip.ParseAddrPort(f.To); err == nil {
			ps.peers = append(ps.peers, replica.Endpoint{Iif: ps.homeOf(f.Oif, to.Addr()), Proto: k.Proto, At: to})
		}
	}
	ps.probes = append(ps.probes, probe{replica.Probe{
		ID: len(ps.probes), From: k.In, Proto: k.Proto, Src: k.Src, Dst: netip.AddrPortFrom(k.Dst, k.Dport),
		Answered: a == mustKeep || a == bystander && ps.targeted,
	}, a, why, f})
}

// homeOf is the interface that somebody is behind: of a bridge the port, which is always the same one.
func (ps *probeSet) homeOf(name string, a netip.Addr) string {
	l := ps.snap.Network.LinkNamed(name)
	b := ps.snap.Network.BridgeOf(l)
	if b == nil {
		ports := []*snapshot.Link{}
		if l != nil && l.Kind == "bridge" {
			ports = portsOf(ps.snap, l, nil)
		}
		if len(ports) == 0 {
			return name
		}
		b, name = l, ports[len(ports)-1].Name
	}
	if gateway := ps.gatewayTo(b, a); gateway.IsValid() { // where its answers go
		a = gateway
	}
	if by, ok := ps.behind[at{b.Index, a}]; ok {
		return by
	}
	ps.behind[at{b.Index, a}] = name
	return name
}

// gatewayTo is the gateway by which somebody is behind a bridge, none who is beside the host.
func (ps *probeSet) gatewayTo(bridge *snapshot.Link, a netip.Addr) netip.Addr {
	best, gateway := -1, netip.Addr{}
	for i := range ps.snap.Network.Routes {
		r := &ps.snap.Network.Routes[i]
		p, err := netip.ParsePrefix(r.Dst)
		if err != nil || r.Type != "unicast" || !p.Contains(a) || p.Bits() <= best || !slices.Contains(r.Oifs, bridge.Index) {
			continue
		}
		best = p.Bits()
		gateway, _ = netip.ParseAddr(r.Gateway)
	}
	return gateway
}

// homes are the ports of bridges that gateways are behind.
func (ps *probeSet) homes() map[string]string {
	list := map[string]string{}
	for who, port := range ps.behind {
		list[who.addr.String()] = port
	}
	return list
}

// closed is the packets that a drop is about, from one of its sources or from a neighbour that no other rule
// lets pass.
func (ps *probeSet) closed(p *Plan, r *Rule) {
	f := Flow{Iif: r.Iif, Proto: r.Proto, Port: r.Port}
	if r.addressed() {
		f.Addr = r.To[0].Addr()
	}
	for _, k := range f.packets(p, ps.snap) {
		if p.carved(r, k.Dst) {
			continue
		}
		if len(r.Sources)+len(r.To) > 0 && r.v4() != k.Dst.Is4() {
			continue
		}
		if len(r.Sources) > 0 {
			if k.Src = firstOf(r.Sources[0], ps.snap); !k.Src.IsValid() {
				continue
			}
		}
		if !p.allowed(r, k.Src) {
			ps.add(k, mustClose, r.Closes)
		}
	}
}

// firstOf is an address of a prefix that the host does not have.
func firstOf(p netip.Prefix, s *snapshot.Snapshot) netip.Addr {
	if p.IsSingleIP() {
		return p.Addr()
	}
	return neighbour(p, s, 0)
}

// allowed says whether another rule lets a source pass first.
func (p *Plan) allowed(r *Rule, a netip.Addr) bool {
	return slices.ContainsFunc(p.each(), func(k Rule) bool {
		return k.Accept && k.Kind == "" && k.about(r) &&
			slices.ContainsFunc(k.Sources, func(s netip.Prefix) bool { return s.Contains(a) })
	})
}

// forwarded is a connection through the host, which a peer behind the other interface would answer.
func (ps *probeSet) forwarded(p *Plan, r *Rule) {
	in, out := ps.snap.Network.LinkNamed(r.Iif), ps.snap.Network.LinkNamed(r.Oif)
	if in == nil || out == nil {
		return
	}
	for _, v4 := range []bool{true, false} {
		from, to := firstNet(in, v4), firstNet(out, v4)
		if !from.IsValid() || !to.IsValid() {
			continue
		}
		src, dst := ps.spare(p, in, from, 0), ps.spare(p, out, to, 0)
		if !src.IsValid() || !dst.IsValid() {
			continue
		}
		port := uint16(r.Port)
		if port == 0 {
			port = 7
		}
		ps.add(&packet.Packet{In: r.Iif, Src: src, Dst: dst, Proto: "tcp", Sport: 40000, Dport: port}, mustClose, r.Closes)
	}
}

// switched is a connection from port to port of a bridge, and one the other way, which goes on.
func (ps *probeSet) switched(p *Plan, r *Rule) {
	ins, err := r.ends(ps.snap, r.Iif, r.NotIif, r.Oif)
	outs, oerr := r.ends(ps.snap, r.Oif, r.NotOif, r.Iif)
	if err != nil || oerr != nil || len(ins) == 0 || len(outs) == 0 || ins[0].Master != outs[0].Master {
		return
	}
	in, out := ins[0], outs[0]
	bridge := ps.snap.Network.BridgeOf(in)
	names := p.entries(ps.snap, bridge)
	for _, v4 := range []bool{true, false} {
		own := firstNet(bridge, v4)
		if !own.IsValid() { // a bridge without an address: any network will do (RFC 5737, RFC 3849)
			own = netip.MustParsePrefix(map[bool]string{true: "192.0.2.0/24", false: "2001:db8::/64"}[v4])
		}
		from, to := ps.spare(p, bridge, own, 1+slices.Index(names, in.Name)), ps.spare(p, bridge, own, 1+slices.Index(names, out.Name))
		if !from.IsValid() || !to.IsValid() {
			continue
		}
		packet := func(in, out *snapshot.Link, src, dst netip.Addr) *packet.Packet {
			return &packet.Packet{In: in.Name, Out: out.Name, DMAC: elsewhere, Src: src, Dst: dst, Proto: "tcp", Sport: 40000, Dport: 7}
		}
		ps.add(packet(in, out, from, to), mustClose, r.Closes)
		back := packet(out, in, to, from)
		if !p.separates(out.Name, in.Name) {
			ps.add(back, bystander, "what is opened the other way")
		}
	}
}

// spare is an address beside one of the host's on an interface that no flow is from: of a bridge, one that nobody has
// behind its ports.
func (ps *probeSet) spare(p *Plan, l *snapshot.Link, own netip.Prefix, n int) netip.Addr {
	if l.Kind == "bridge" {
		n += len(p.entries(ps.snap, l))
	}
	return neighbour(own, ps.snap, n)
}

// elsewhere is a link layer address that the host does not have.
const elsewhere = "02:00:00:00:00:fe"

// separates says whether a rule keeps what comes in by one port from leaving by another.
func (p *Plan) separates(in, out string) bool {
	return slices.ContainsFunc(p.each(), func(r Rule) bool {
		return r.Chain == chainSwitched && !r.Accept && (r.Iif == "" || r.Iif == in) && (r.Oif == "" || r.Oif == out) &&
			!slices.Contains(r.NotIif, in) && !slices.Contains(r.NotOif, out)
	})
}

func firstNet(l *snapshot.Link, v4 bool) netip.Prefix {
	for _, a := range l.Addrs {
		if p, err := netip.ParsePrefix(a); err == nil && p.Addr().Is4() == v4 && !p.Addr().IsLinkLocalUnicast() {
			return p
		}
	}
	return netip.Prefix{}
}

// outward is connections of the host itself, from a port that the plan closes: their replies must come in.
func (ps *probeSet) outward(p *Plan) {
	sport := 0
	for i := range p.Rules {
		if r := &p.Rules[i]; !r.Accept && r.Chain == chainIn && r.Proto == "tcp" {
			sport = r.Port
		}
	}
	for i := range ps.snap.Network.Links {
		l := &ps.snap.Network.Links[i]
		if l.Loopback || !l.Up {
			continue
		}
		for _, v4 := range []bool{true, false} {
			own := firstNet(l, v4)
			if !own.IsValid() {
				continue
			}
			to := ps.spare(p, l, own, 0)
			if !to.IsValid() {
				continue
			}
			at := netip.AddrPortFrom(to, 7777)
			ps.peers = append(ps.peers, replica.Endpoint{Iif: ps.homeOf(l.Name, to), Proto: "tcp", At: at})
			pr := replica.Probe{ID: len(ps.probes), Proto: "tcp", Dst: at, Src: own.Addr(), Answered: true}
			if !ps.listens(sport) { // a port that is listened on cannot also be bound
				pr.Sport = sport
			}
			ps.probes = append(ps.probes, probe{pr, mustKeep, "the host's own connections by " + l.Name, trace.Fate{}})
		}
	}
}

func (ps *probeSet) listens(port int) bool {
	return slices.ContainsFunc(ps.snap.Listeners.Sockets, func(s snapshot.Socket) bool { return s.Port == port })
}

func (ps *probeSet) list() []replica.Probe {
	out := make([]replica.Probe, len(ps.probes))
	for i := range ps.probes {
		out[i] = ps.probes[i].Probe
		out[i].Arrives = out[i].From != "" && ps.arrives(&ps.probes[i])
	}
	return out
}

// sockets are the host's own that probes ask for.
func (ps *probeSet) sockets(s *snapshot.Snapshot) []snapshot.Socket {
	own := uint64(0)
	for _, n := range s.Network.Namespaces {
		if n.Host {
			own = n.Inode
		}
	}
	var out []snapshot.Socket
	for _, k := range s.Listeners.Sockets {
		if own != 0 && k.Netns != own {
			continue
		}
		if slices.ContainsFunc(ps.probes, func(p probe) bool { return p.From != "" && p.Proto == k.Proto && int(p.Dst.Port()) == k.Port }) {
			out = append(out, k)
		}
	}
	return out
}

// arrives says whether the model expects an answer without the plan: a socket of the host or a peer behind
// it has the packet, and its answer finds the way back. A replica that does not give one shows nothing of the host.
// A peer behind the interface that the packet came from does not count: its answer need not pass the host, which
// then cannot undo what it translated.
func (ps *probeSet) arrives(k *probe) bool {
	f := &k.fate
	switch {
	case f.Fate == trace.Forward && f.Oif != enters(ps.snap, k.From):
		return ps.returns(k, f.Oif, trace.Forward)
	case f.Fate == trace.Local && f.Socket != trace.NoSocket && f.Socket != trace.UnknownSocket:
		return ps.returns(k, "local", trace.Output)
	}
	return false
}

// returns says whether the answer to a packet leaves by the interface that it came from: routes can depend on the
// source. Of a translated packet that is not asked: where answers can be exempted from tracking, none may come back.
func (ps *probeSet) returns(k *probe, in string, fate trace.Outcome) bool {
	to, err := netip.ParseAddrPort(k.fate.To)
	if err != nil || to != k.Dst || k.fate.Fate == trace.Forward && k.fate.From != k.Src {
		return !untracks(ps.snap)
	}
	flags := "SA"
	back := &packet.Packet{
		In: in, Src: to.Addr(), Dst: k.Src, Proto: k.Proto, Sport: to.Port(), Dport: probePort, Flags: &flags, Ct: "established",
	}
	by := enters(ps.snap, k.From)
	if fate == trace.Forward && by == enters(ps.snap, in) { // it is switched back
		back.DMAC, back.Out, by = elsewhere, k.From, k.From
	}
	f := ps.tracer.Packet(back)
	return f.Fate == trace.Unknown || f.Fate == fate && f.Oif == by
}

// probePort stands for the port that a probe is sent from.
const probePort = 40000

// judge compares what the probes found without and with the plan.
func (ps *probeSet) judge(res *Result, plan *Plan, p *Proof) error {
	closed, never, kept := 0, 0, 0
	for i := range ps.probes {
		k := &ps.probes[i]
		before := res.Before[k.ID]
		if before != replica.Open && ps.arrives(k) {
			return fmt.Errorf("it is not as the host: %s from %s behind %q to %s is %s without the plan, where the model says %s %s",
				k.Proto, k.Src, k.From, k.Dst, before, k.fate.Fate, k.fate.Socket)
		}
		for when, after := range map[string]string{"": res.After[k.ID], " after the neighbours were forgotten": res.Flushed[k.ID]} {
			text := fmt.Sprintf("%s from %s behind %q to %s", k.Proto, k.Src, k.From, k.Dst)
			switch {
			case k.aim == mustClose && after == replica.Silent:
				if when == "" && before == replica.Silent {
					never++
				} else if when == "" {
					closed++
				}
			case k.aim == mustClose && (after == replica.Open || after == replica.Refused):
				return &OpenError{Unknown: true, Why: map[string]string{k.why: fmt.Sprintf("%s is not closed%s: %s is %s", k.why, when, text, after)}} // the model said otherwise
			case k.aim == mustClose:
				return fmt.Errorf("%s could not be tried%s: %s", k.why, when, text)
			case before != replica.Open || k.aim == bystander && plan.Mode != Targeted:
			case after != before:
				return fmt.Errorf("%s would stop working%s: %s is %s", k.why, when, text, after)
			case when == "":
				kept++
			}
		}
	}
	p.note("replica: %d connections that the plan is about closed, %d were closed before, %d others work as before", closed, never, kept)
	return nil
}
