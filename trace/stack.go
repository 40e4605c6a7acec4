package trace

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// conf is the switches of an interface, already combined with those for all. A value below 0 was
// not read.
type conf struct {
	forwarding, rpFilter, routeLocalnet, acceptLocal, srcValidMark, sendRedirects int
	disable6, forward6                                                            int
	// mforward4 and mforward6 say that a multicast router runs.
	mforward4, mforward6 int
}

func (t *Tracer) readConf(l *snapshot.Link) conf {
	own := func(dir, key string) int { return t.value("net/" + dir + "/conf/" + l.Name + "/" + key) }
	both := func(key string) int {
		a, b := t.value("net/ipv4/conf/all/"+key), own("ipv4", key)
		if a < 0 || b < 0 {
			if max(a, b) > 0 && key != "rp_filter" {
				return 1
			}
			return -1
		}
		return max(a, b)
	}
	c := conf{
		forwarding: own("ipv4", "forwarding"), rpFilter: both("rp_filter"), routeLocalnet: both("route_localnet"),
		acceptLocal: both("accept_local"), srcValidMark: both("src_valid_mark"), sendRedirects: both("send_redirects"), disable6: own("ipv6", "disable_ipv6"),
		forward6: t.value("net/ipv6/conf/all/forwarding"), mforward6: t.value("net/ipv6/conf/all/mc_forwarding"),
		mforward4: t.value("net/ipv4/conf/all/mc_forwarding"),
	}
	if c.mforward4 != 0 { // both have to be on (IN_DEV_MFORWARD)
		if n := own("ipv4", "mc_forwarding"); n <= 0 || c.mforward4 > 0 {
			c.mforward4 = n
		}
	}
	if c.forward6 == 0 && own("ipv6", "force_forwarding") > 0 {
		c.forward6 = 1
	}
	return c
}

// value is a switch's number, 0 where the kernel does not have it, and below 0 where it was not read.
func (t *Tracer) value(key string) int {
	n, ok := t.sysctl(key)
	if !ok {
		return -1
	}
	return n
}

// flag decides by a switch; one that was not read is taken both ways.
func (w *walk) flag(v int, name string) bool {
	if v < 0 {
		return w.choose(2, nil, name+" was not read") == 1
	}
	return v != 0
}

// run follows the packet from where it starts.
func (w *walk) run() Fate {
	if w.p.In == "local" {
		return w.output()
	}
	in := w.names[w.p.In]
	if !in.Up {
		return w.drop("interface-down")
	}
	return w.arrive(in)
}

// arrive is a packet at an interface: ingress, the bridge that the interface is a port of, then the
// network layer.
func (w *walk) arrive(in *link) Fate {
	w.in, w.out, w.camein, w.physIn, w.physOut = in, nil, in, nil, nil
	if f, ok := w.below(in); !ok {
		return f
	}
	if f, ok := w.passes(in, packet.Ingress); !ok {
		return f
	}
	if k := w.runHook(hookKey{hook: packet.Ingress, kind: 'n', dev: in.Name}); k != vAccept {
		return w.refused(k)
	}
	master := w.links[in.Master]
	switch {
	case master != nil && master.Kind == "bridge":
		return w.bridgePort(in, master)
	case master != nil && master.Kind == "vrf", in.Kind == "vrf":
		w.abort(nil, "the interface belongs to a VRF")
		return Fate{}
	}
	return w.receive()
}

func (w *walk) ipHook(hook packet.Hook) verdictKind {
	return w.runHook(hookKey{hook: hook, v4: w.skb.v4, kind: 'i'})
}

// receive is the network layer's input (ip_rcv, ip6_rcv_core).
func (w *walk) receive() Fate {
	s := &w.skb
	if !s.v4 {
		src, dst := s.src(), s.dst()
		open, passes := w.openSource()
		openDst, passesDst := w.openAddr('d')
		switch {
		case open && !passes, openDst && !passesDst:
			return w.drop("martian")
		case w.flag(w.in.conf.disable6, "disable_ipv6 of "+w.in.Name):
			return w.drop("ipv6-disabled")
		case !w.in.Loopback && (!open && isLoopback(src) || !openDst && isLoopback(dst)), !open && isMulticast(src),
			!openDst && isMulticast(dst) && (dst.As16()[1]&15 == 0 || dst.As16()[1]&15 == 1 && !w.in.Loopback):
			return w.drop("martian")
		}
	}
	w.arrived = s.dst()
	if !w.before {
		if k := w.ipHook(packet.Prerouting); k != vAccept {
			return w.refused(k)
		}
	}
	if s.taker != nil && w.in.Kind == "bridge" && w.callsIPTables(w.in) {
		s.taker = nil // the hook ran inside the bridge; ip_rcv_core lets go of the socket after that
	}
	if !w.settled() {
		return Fate{}
	}
	if w.local { // over loopback: the route was found on the way out
		return w.deliver(false)
	}
	if s.v4 {
		return w.route4()
	}
	return w.route6()
}

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// zeronet is ipv4_is_zeronet: since Linux 5.3 the rest of 0.0.0.0/8 is ordinary.
func zeronet(a netip.Addr) bool { return a == netip.IPv4Unspecified() }

// route4 is the routing decision for a packet that came in (ip_route_input_slow).
func (w *walk) route4() Fate {
	s := &w.skb
	src, dst := s.src(), s.dst()
	if isMulticast(dst) {
		return w.multicast4(dst)
	}
	open, passes := w.openSource()
	if open && !passes {
		return w.drop("martian")
	}
	if !open && (isMulticast(src) || src == limitedBroadcast) {
		return w.drop("martian")
	}
	if dst == limitedBroadcast || !open && zeronet(src) && zeronet(dst) {
		return w.broadcast4()
	}
	if !open && zeronet(src) || zeronet(dst) {
		return w.drop("martian")
	}
	if (!open && isLoopback(src) || isLoopback(dst)) && !w.flag(w.in.conf.routeLocalnet, "route_localnet of "+w.in.Name) {
		return w.drop("martian")
	}
	fl := w.flow()
	res := w.lookupRoute(w.fib4, &fl)
	if w.stuck != nil {
		return Fate{}
	}
	switch res.kind {
	case rtnBroadcast:
		return w.broadcast4()
	case rtnLocal:
		if why := w.validSource(0); why != "" {
			return w.drop(why)
		}
		w.tag = w.wayBack
		return w.deliver(false)
	}
	if !w.flag(w.in.conf.forwarding, "forwarding of "+w.in.Name) {
		return w.drop("forwarding-off")
	}
	if res.kind != rtnUnicast {
		return w.drop("route")
	}
	if why := w.validSource(res.oif.Index); why != "" {
		return w.drop(why)
	}
	if s.pkttype != pktHost {
		return w.drop("martian")
	}
	w.routedBy(&res)
	return w.forward(res)
}

// validSource is the check of the source address (fib_validate_source): one of the host's own is
// refused, and with rp_filter one whose way back does not lead through the interface. What goes back where it came
// from, to somebody who could be told of a shorter way, is checked in full, and so is everything where realms are in use. oif is that of the route, 0 for a local
// destination.
func (w *walk) validSource(oif int) string {
	if w.wayBack = (word{}); w.realms.used || w.realms.open != "" {
		w.wayBack.unk = 0xffff0000
	}
	if open, passes := w.openSource(); open {
		return map[bool]string{false: "martian"}[passes]
	}
	c := &w.in.conf
	rpf := c.rpFilter
	if rpf < 0 {
		rpf = w.choose(3, nil, "rp_filter of "+w.in.Name+" was not read")
	}
	src := w.skb.src()
	acceptLocal := w.flag(c.acceptLocal, "accept_local of "+w.in.Name)
	back := oif == w.in.Index && w.flag(c.sendRedirects, "send_redirects of "+w.in.Name)
	if w.wayBack = (word{}); w.realms.open != "" {
		w.wayBack.unk = 0xffffffff
	}
	if rpf == 0 && !back && !w.realms.used {
		if acceptLocal {
			return ""
		}
		if !w.fib4.customLocal && !w.fib4.customRules {
			if w.own(src) {
				return "martian"
			}
			return ""
		}
	}
	fl := flow{src: w.skb.dst(), dst: src, proto: 0}
	if oif != 0 {
		fl.iif = w.links[oif]
	}
	if w.flag(c.srcValidMark, "src_valid_mark of "+w.in.Name) {
		fl.mark = w.skb.mark
	}
	if slices.ContainsFunc(w.fib4.rules, func(p policy) bool {
		return p.IPProto != 0 || p.Sport != [2]int{} || p.Dport != [2]int{}
	}) {
		now := w.flow()
		fl.proto, fl.sport, fl.dport = now.proto, now.dport, now.sport
	}
	res := w.lookupRoute(w.fib4, &fl)
	none := res.kind == rtnUnreachable || res.kind == rtnBlackhole || res.kind == rtnProhibit
	if !none {
		w.backRealm(&res)
	}
	switch {
	case none && rpf == 0:
		return ""
	case none:
		return "rp_filter"
	case res.kind != rtnUnicast && (res.kind != rtnLocal || !acceptLocal):
		return "martian"
	case res.oif == w.in || res.r != nil && slices.Contains(res.r.src.Oifs, w.in.Index):
		return ""
	case len(w.in.v4) == 0 && rpf == 0:
		w.wayBack = word{}
		return ""
	case len(w.in.v4) == 0, rpf == 1:
		return "rp_filter"
	}
	return ""
}

// own says whether the host has the address.
func (w *walk) own(a netip.Addr) bool {
	if w.owns == nil {
		w.owns = map[netip.Addr]bool{}
		for _, l := range w.links {
			for _, b := range slices.Concat(l.v4, l.v6) {
				w.owns[b] = true
			}
		}
	}
	return w.owns[a]
}

// route6 is the routing decision of IPv6 (ip6_route_input, ip6_forward).
func (w *walk) route6() Fate {
	s := &w.skb
	src, dst := s.src(), s.dst()
	if isMulticast(dst) {
		return w.multicast(dst, w.in.conf.mforward6, true)
	}
	fl := w.flow()
	if isLinkLocal(dst) || isLoopback(dst) {
		fl.oif = w.in.Index
	}
	res := w.lookupRoute(w.fib6, &fl)
	if w.stuck != nil {
		return Fate{}
	}
	switch res.kind {
	case rtnLocal:
		return w.deliver(false)
	case rtnAnycast:
		return w.deliver(true)
	case rtnUnicast:
	default:
		return w.drop("route")
	}
	switch {
	case !w.flag(w.in.conf.forward6, "IPv6 forwarding"):
		return w.drop("forwarding-off")
	case s.pkttype != pktHost:
		return w.drop("martian")
	}
	// What goes back where it came from is not asked.
	if open, passes := w.openSource(); res.oif != w.in && (open && !passes ||
		!open && (src.IsUnspecified() || isLoopback(src) || isLinkLocal(src))) {
		return w.drop("martian")
	}
	return w.forward(res)
}

// deliver is the input hook and the socket.
func (w *walk) deliver(toMany bool) Fate {
	if f, ok := w.goesUp(); !ok {
		return f
	}
	w.say("routed to the host itself")
	if w.skb.v4 { // ip_local_deliver; IPv6 does it after the input hook
		switch {
		case w.skb.fragment == whole:
		case w.sibling != nil:
			w.meet()
			return Fate{}
		case !w.complete():
			return w.drop("fragment")
		}
		w.reassemble()
	}
	w.passed = mark{text: "route"}
	if k := w.ipHook(packet.Input); k != vAccept {
		return w.refused(k)
	}
	if why := w.protects("in", w.in); why != "" {
		return w.drop(why)
	}
	if w.stuck != nil {
		return Fate{}
	}
	if p := w.snap.Network.LookupProgram(); p != "" && (w.skb.proto == packet.TCP || w.skb.proto == packet.UDP) {
		w.abort(nil, lookedUp(p))
		return Fate{}
	}
	s := &w.skb
	f := Fate{Fate: Local, To: packet.EndpointText(s.dst(), s.port(2), s.hasPorts()), Socket: NoSocket, Rule: w.passed.String()}
	switch sk := w.socketAt(s.dst(), s.port(2)); {
	case w.unserved(toMany):
	case s.taker != nil:
		f.Socket = s.taker.name
	case w.region != nil && w.openPort(2):
		if w.unread {
			f.Socket = UnknownSocket
		} else if w.someSocket() {
			f.Socket = SomeSocket
		}
	case sk != nil && toMany && !sk.hears(s.dst()):
		f.Socket = UnknownSocket
	case sk != nil && !w.answers(sk):
	case sk != nil:
		f.Socket = sk.name
	case w.unread && s.hasPorts():
		f.Socket = UnknownSocket
	}
	lets := w.letsIn(f.Socket)
	if toMany && s.taker == nil && f.Socket != NoSocket && f.Socket != SomeSocket {
		f.Others = slices.DeleteFunc(w.others(f.Socket), func(name string) bool { return !w.letsIn(name) })
		if !lets && len(f.Others) > 0 {
			f.Socket, f.Others, lets = f.Others[0], f.Others[1:], true
		}
	}
	if !lets {
		return w.drop("cgroup-program")
	}
	w.say("delivered to the host, socket %s", f.Socket)
	return f
}

// forward is the forward hook and the way out. A packet that has a socket already is not forwarded
// (ip_forward, ip6_forward).
func (w *walk) forward(res result) Fate {
	if res.oif == w.in {
		if w.held = w.heldAt(w.in); w.held != nil {
			return w.backOver(w.in)
		}
	}
	if f, ok := w.goesUp(); !ok {
		return f
	}
	if w.skb.taker != nil {
		return w.drop("tproxy")
	}
	w.out, w.nextHop = res.oif, res.via
	if w.encapsulated(res.r); w.encap != nil && w.encap.Bypasses() {
		w.abort(nil, w.encapText())
		return Fate{}
	}
	if !w.hopOn() {
		f := w.drop("ttl")
		f.Fate = Reject // its sender is told
		return f
	}
	w.say("routed to %s", res.oif.Name)
	w.passed = mark{text: "route"}
	if w.skb.v4 { // the queueing class is that of the type of service from here on (ip_forward)
		w.byService()
	}
	for _, p := range []struct {
		dir string
		l   *link
	}{{"fwd", w.in}, {"out", res.oif}} {
		if why := w.protects(p.dir, p.l); why != "" {
			return w.drop(why)
		}
	}
	if !w.tells(res.oif) && !w.undisturbed(res.oif, packet.Egress) {
		return Fate{}
	}
	if k := w.ipHook(packet.Forward); k != vAccept {
		return w.refused(k)
	}
	return w.leave(Forward)
}

// encapsulated notes the route by which the packet leaves, if it does something with it (lwtunnel_output).
func (w *walk) encapsulated(r *route) {
	if w.encap = nil; r != nil && r.src.Encap != "" {
		w.encap = r.src
	}
}

func (w *walk) encapText() string {
	return "what the route to " + w.encap.Dst + " does with packets (encap " + w.encap.Encap + ")"
}

// leave is postrouting, the bridge behind the interface, and egress.
func (w *walk) leave(fate Outcome) Fate {
	if w.encap != nil {
		w.abort(nil, w.encapText())
		return Fate{}
	}
	if k := w.ipHook(packet.Postrouting); k != vAccept {
		return w.refused(k)
	}
	s := &w.skb
	out := w.out
	if s.ct != nil && s.ct.status.v&ipsSrcNAT != 0 { // asked again with the new source (ip_xfrm_me_harder)
		if w.protects("out", out); w.stuck != nil {
			return Fate{}
		}
	}
	f := Fate{
		Fate: fate, Oif: out.Name, To: packet.EndpointText(s.dst(), s.port(2), s.hasPorts()), Rule: w.passed.String(),
	}
	if s.ct == nil || !s.ct.srcOpen {
		f.From = s.src()
	}
	s.sendHeader(out)
	w.in = nil // nf_hook_egress does not say where it came from
	if k := w.runHook(hookKey{hook: packet.Egress, kind: 'n', dev: out.Name}); k != vAccept {
		return w.refused(k)
	}
	if g, ok := w.passes(out, packet.Egress); !ok {
		return g
	}
	if g, ok := w.above(out); !ok {
		return g
	}
	w.say("leaves by %s", out.Name)
	return f
}

// output is a packet of the host itself (ip_route_output_key, ip_local_out).
func (w *walk) output() Fate {
	if w.local = true; w.directed() {
		return Fate{}
	}
	if !w.routeOut() {
		if w.stuck != nil {
			return Fate{}
		}
		return w.drop("route")
	}
	w.passed = mark{text: "route"}
	if k := w.ipHook(packet.Output); k != vAccept {
		return w.refused(k)
	}
	if w.out == nil || !w.tells(w.out) && !w.undisturbed(w.out, packet.Egress) {
		return Fate{}
	}
	if w.protects("out", w.out); w.stuck != nil {
		return Fate{}
	}
	if !w.letsOut() {
		return w.drop("cgroup-program")
	}
	if !w.out.Loopback {
		return w.leave(Output)
	}
	passed := w.passed
	if k := w.ipHook(packet.Postrouting); k != vAccept {
		return w.refused(k)
	}
	if k := w.runHook(hookKey{hook: packet.Egress, kind: 'n', dev: w.out.Name}); k != vAccept {
		return w.refused(k)
	}
	if f, ok := w.passes(w.out, packet.Egress); !ok {
		return f
	}
	if !w.out.Up {
		return w.drop("interface-down")
	}
	if c := w.skb.ct; c != nil { // after the last hook of postrouting (nf_confirm)
		c.status.v, c.status.unk = c.status.v|ipsConfirmed, c.status.unk&^ipsConfirmed
	}
	w.say("back in over %s", w.out.Name)
	w.passed = passed
	return w.arrive(w.out)
}

// routeOut finds the way of a packet of the host.
func (w *walk) routeOut() bool {
	if !w.settled() {
		return false
	}
	fl := w.flow()
	fl.iif, fl.ours, w.encap, w.tag, w.wayBack = nil, true, nil, word{}, word{}
	dst := w.skb.dst()
	if dst == limitedBroadcast || isMulticast(dst) || isLinkLocal(dst) && !w.skb.v4 && !w.own(dst) {
		w.abort(nil, "the interface that the process sends by")
		return false
	}
	if zeronet(dst) { // to the host itself (ip_route_output_key_hash_rcu)
		w.out = w.lo
		return w.out != nil
	}
	res := w.lookupRoute(w.fib(), &fl)
	switch res.kind {
	case rtnLocal, rtnAnycast:
		w.out = w.lo
		w.routedBy(&res)
	case rtnUnicast, rtnBroadcast:
		w.out = res.oif
		w.encapsulated(res.r)
		if res.kind == rtnUnicast { // a broadcast takes none from its route (__mkroute_output)
			w.routedBy(&res)
		}
	default:
		return false
	}
	w.nextHop = res.via
	return w.out != nil
}

// reroute finds the way again after the packet was changed (ip_route_me_harder), now by its source as
// well: one of 127.0.0.0/8 does not leave the host without route_localnet (__mkroute_output).
func (w *walk) reroute() bool {
	if !w.routeOut() {
		return false
	}
	if w.skb.v4 && isLoopback(w.skb.src()) && !w.out.Loopback {
		return w.flag(w.out.conf.routeLocalnet, "route_localnet of "+w.out.Name)
	}
	return true
}

// drop ends the way for a reason that is no rule.
func (w *walk) drop(cause string) Fate {
	w.say("dropped: %s", cause)
	return Fate{Fate: Drop, Rule: cause}
}

// refused ends the way by the last rule or policy.
func (w *walk) refused(k verdictKind) Fate {
	f := Fate{Fate: Drop, Rule: w.last.String()}
	if k == vReject {
		f.Fate = Reject
	}
	return f
}

func portText(addr netip.Addr, port int) string {
	if addr.Is6() {
		return "[" + addr.String() + "]:" + strconv.Itoa(port)
	}
	return addr.String() + ":" + strconv.Itoa(port)
}
