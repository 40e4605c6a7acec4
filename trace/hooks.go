package trace

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// walk is one way of one packet.
type walk struct {
	*Tracer
	p        *packet.Packet
	skb      skb
	conn     conn
	regs     registers
	notes    [regBytes / 4]note // why a register is not known
	choices  []choice
	at       int
	stuck    *packet.Cause
	proxied  *rule // by which synproxy took the packet, if nothing undecided led there
	changes  []change
	crossed  []*link           // bridges that have switched the frame
	hashes   []hashed          // what came of hashes
	metered  []any             // what the packet has used a part of
	entered  []string          // lists of recent that the packet's address was put into
	options  []option          // of TCP, that were asked for
	hoppings []hopping         // next hops that routes have taken
	said     []said            // of what else only the sender decides
	members  []member          // what is taken to be in sets, or not
	puts     []*ruleset.XtPuts // what rules did to sets for the packet
	listed   []listed          // what was found out of such lists
	in, out  *link
	camein   *link           // by which it came in, nil of what the host sends
	encap    *snapshot.Route // by which it leaves, if it does something with it
	nextHop  netip.Addr
	hook     packet.Hook
	family   byte       // 'i', 'b' or 'n', as in hookKey
	local    bool       // sent by the host
	before   bool       // prerouting ran inside the bridge
	inside   bool       // its bridge's own ingress is behind it
	arrived  netip.Addr // its destination before prerouting
	screened bool       // programs let it pass
	given    bool       // programs that give marks were asked about it
	rewrites bool       // programs that write over bytes were
	physIn   *link      // the port of a bridge that br_netfilter knows the packet to have come in by
	physOut  *link      // that by which it is switched
	held     *link      // the port by which a packet came in that has come no further than that
	sibling  *sibling   // another fragment is asked about
	judged   bool       // the packet has what its datagram's first fragment has
	zone     zone
	begins   *Begun // the packet is the first answer of that connection
	// tag is the realm of the route that the packet has, wayBack what the way back to its sender adds to that.
	tag, wayBack word
	evaluated    int
	path         []mark
	last         mark // the last decision
	passed       mark // what let the packet through input, forward or output

	netdevProto uint8 // family of the chain at ingress and egress

	region   *Region // the packet stands for all of these
	end      End     // of the present way of a region
	headed   bool    // the packets of a region have more than a plain header
	first    int     // which of firstHeaders then comes first, and one more; 0 is not told yet
	inFields [len(fieldNames) + len(chosenNames)]within
	pieces   []piece
	views    view // of what the sender writes, that rules have asked for
	hopped   bool // the time to live is one less than as sent
	sorted   sorted
	cuts     [4][]Span // numbers by which fields were parted on the ways of the region
}

// mark is one station of the way, kept small until somebody reads it.
type mark struct {
	hook  packet.Hook
	rule  *rule
	chain *chain // whose policy decided
	kind  verdictKind
	text  string // a decision of the stack
}

func (w *walk) start(p *packet.Packet) {
	w.p = p
	w.at, w.stuck, w.proxied, w.evaluated, w.zone = 0, nil, nil, 0, zone{}
	w.changes, w.path, w.entered = w.changes[:0], w.path[:0], w.entered[:0]
	w.metered, w.listed, w.crossed = w.metered[:0], w.listed[:0], w.crossed[:0]
	w.in, w.out, w.camein, w.local, w.nextHop, w.encap = nil, nil, nil, false, netip.Addr{}, nil
	w.last, w.passed, w.hook = mark{}, mark{}, ""
	w.regs = registers{}
	in := w.names[p.In]
	w.physIn, w.physOut, w.judged = nil, nil, false
	w.before, w.held, w.screened, w.given, w.rewrites = false, nil, false, false, false
	w.tag, w.wayBack = word{}, word{}
	w.skb.build(p, in)
	if in != nil && in.ether && p.DMAC == "" && w.skb.pkttype == pktHost {
		if m := w.links[in.Master]; m != nil && m.Kind == "bridge" {
			copy(w.skb.link, m.mac) // a port's frames for the host are addressed to its bridge
		}
	}
	if in == nil || in.Kind == "vlan" || slices.ContainsFunc(in.ports, func(p *link) bool { return p.Kind == "vlan" }) {
		w.skb.priority.unk = 0xffffffff // vlan_do_receive
	}
	clear(w.inFields[len(fieldNames):])
	w.pieces, w.views = w.pieces[:0], 0
	w.hopped, w.headed, w.first, w.options, w.said, w.hoppings, w.hashes = false, false, 0, w.options[:0], w.said[:0], w.hoppings[:0], w.hashes[:0]
	w.members, w.puts = w.members[:0], w.puts[:0]
	if w.region != nil {
		w.region.free(&w.skb)
		w.setOut()
	}
}

// matched notes a rule that decided something.
func (w *walk) matched(r *rule, v verdict) {
	if v.rule != nil {
		r = v.rule
	}
	w.note(mark{hook: w.hook, rule: r, kind: v.kind})
}

// policy notes the policy of a base chain. It counts as what let the packet through only where no
// rule did.
func (w *walk) policy(c *chain, k verdictKind) {
	w.note(mark{hook: w.hook, chain: c, kind: k})
}

func (w *walk) note(m mark) {
	w.path = append(w.path, m)
	w.last = m
	main := m.hook == packet.Input || m.hook == packet.Forward || m.hook == packet.Output
	if m.kind == vAccept && main && w.family == 'i' && (m.rule != nil || w.passed.rule == nil) {
		w.passed = m
	}
}

// say notes a decision of the stack. Of a region nobody reads them.
func (w *walk) say(format string, args ...any) {
	if w.region != nil {
		return
	}
	w.path = append(w.path, mark{text: fmt.Sprintf(format, args...)})
}

// String names the decision as in Fate.Rule.
func (m *mark) String() string {
	switch {
	case m.rule != nil:
		return m.rule.String()
	case m.chain != nil:
		return m.chain.String() + "#policy"
	}
	return m.text
}

var effectNames = map[verdictKind]string{
	vAccept: "accept", vDrop: "drop", vReject: "reject", vJump: "jump", vGoto: "goto", vReturn: "return",
	vQueue: "queue", vStolen: "taken",
}

// steps writes the way out.
func (w *walk) steps() []Step {
	out := make([]Step, 0, len(w.path))
	for i := range w.path {
		m := &w.path[i]
		s := Step{Hook: m.hook, Effect: effectNames[m.kind]}
		c := m.chain
		switch {
		case m.rule != nil:
			c = m.rule.chain
			s.Rule, s.Text = m.rule.src.Handle, m.rule.text()
		case m.chain != nil:
			s.Text = "policy " + m.chain.src.Base.Policy
		default:
			s = Step{Effect: m.text}
		}
		if c != nil {
			s.Family, s.Table, s.Chain = c.table.src.Family, c.table.src.Name, c.src.Name
		}
		out = append(out, s)
	}
	return out
}

// runHook calls what is registered at a hook. vAccept lets the packet go on.
func (w *walk) runHook(k hookKey) verdictKind {
	entries := w.hooks[k]
	w.hook, w.family = k.hook, k.kind
	if k.kind == 'i' && w.byProgram(k) {
		return vDrop
	}
	for i := range entries {
		if n := entries[i].tied; n > 0 && w.choose(2, nil, "chains of priority "+fmt.Sprint(entries[i].prio)+
			" run before or after the kernel's own hook of that priority: "+entries[i+1].chain.String()) == 1 {
			entries = slices.Clone(entries)
			own := entries[i]
			own.tied = 0
			copy(entries[i:], entries[i+1:i+1+n])
			entries[i+n] = own
		}
		e := &entries[i]
		var v verdict
		switch e.kind {
		case enDefrag:
			v = w.defrag(e)
		case enConntrack:
			if e.legacy == "" || w.choose(2, nil, "whether "+e.legacy+" has connections tracked was not read") == 0 {
				w.track()
			}
			continue
		case enBridgeIP:
			v = w.bridgedPrerouting()
		case enNAT:
			v = w.natGroup(e)
		case enLegacy:
			v = w.legacy(e)
		case enTies:
			v = w.ties(e)
		default:
			v = w.entry(e.chain)
		}
		switch {
		case w.stuck != nil:
			return vStolen
		case v.kind == vAccept:
		case v.kind == vQueue:
			if !w.queued(&v) {
				return vDrop
			}
		default:
			return v.kind
		}
	}
	return vAccept
}

// entry runs a base chain; one of type route has the host's packet routed again where it changed what
// the route depends on (nf_route_table_hook4).
func (w *walk) entry(c *chain) verdict {
	if w.family == 'n' {
		w.netdevProto = map[string]uint8{"netdev": 5, "inet": w.inetProto()}[c.table.src.Family]
	}
	if c.src.Base.Type != "route" || w.hook != packet.Output {
		return w.baseChain(c)
	}
	src, dst, mk := w.skb.src(), w.skb.dst(), w.skb.mark
	v := w.baseChain(c)
	if v.kind == vAccept && (src != w.skb.src() || dst != w.skb.dst() || mk != w.skb.mark) && !w.reroute() {
		return verdict{kind: vDrop}
	}
	return v
}

func (w *walk) inetProto() uint8 {
	if w.skb.v4 {
		return 2
	}
	return 10
}

// ties runs chains of equal priority in every order.
func (w *walk) ties(e *hookEntry) verdict {
	order := slices.Clone(e.chains)
	w.shuffle(order)
	for _, c := range order {
		if v := w.entry(c); v.kind != vAccept {
			return v
		}
	}
	return verdict{kind: vAccept}
}

// shuffle puts chains of one priority into each order in turn.
func (w *walk) shuffle(order []*chain) {
	why := fmt.Sprintf("chains of priority %d run in an order that is not known: %s", order[0].src.Base.Priority, chainNames(order))
	for i := 0; i < len(order)-1; i++ {
		k := w.choose(len(order)-i, nil, why)
		order[i], order[i+k] = order[i+k], order[i]
	}
}

func chainNames(cs []*chain) string {
	var names []string
	for _, c := range cs {
		names = append(names, c.String())
	}
	return strings.Join(names, ", ")
}

// legacyPriorities is where the tables of iptables-legacy hook in.
var legacyPriorities = map[string]int32{"raw": -300, "mangle": -150, "filter": 0, "security": 50}

// legacyEntries are the tables of iptables-legacy at a hook whose rules were not read.
func (t *Tracer) legacyEntries(k hookKey) []hookEntry {
	name := "iptables"
	if !k.v4 {
		name = "ip6tables"
	}
	hooks := map[string][]packet.Hook{
		"raw": {packet.Prerouting, packet.Output}, "mangle": {packet.Prerouting, packet.Input, packet.Forward, packet.Output, packet.Postrouting},
		"filter": {packet.Input, packet.Forward, packet.Output}, "security": {packet.Input, packet.Forward, packet.Output},
		"nat": {packet.Prerouting, packet.Input, packet.Output, packet.Postrouting},
	}
	var list []hookEntry
	for _, tab := range t.snap.NFTables.UnreadLegacy(name) {
		if !slices.Contains(hooks[tab], k.hook) {
			continue
		}
		prio, ok := legacyPriorities[tab]
		if tab == "nat" {
			prio, ok = prioDstNAT, true
			if k.hook == packet.Input || k.hook == packet.Postrouting {
				prio = prioSrcNAT
			}
		}
		if ok {
			list = append(list, hookEntry{kind: enLegacy, prio: prio, legacy: name + "-legacy table " + tab})
		}
	}
	return list
}

// legacy is a table whose rules are not read: a filter lets the packet through or drops it, the others
// can change it.
func (w *walk) legacy(e *hookEntry) verdict {
	if strings.HasSuffix(e.legacy, " filter") || strings.HasSuffix(e.legacy, " security") {
		if w.choose(2, nil, e.legacy+" was not read") == 1 {
			return verdict{kind: vDrop}
		}
		return verdict{kind: vAccept}
	}
	return w.abort(nil, e.legacy+" was not read")
}

// byProgram says whether a program at a hook drops the packet, which is taken both ways (bpf_nf_link_attach).
func (w *walk) byProgram(k hookKey) bool {
	for _, p := range w.snap.Network.Programs {
		if p.Kind == snapshot.ProgramNetfilter && (p.Hook == "" || p.Hook == string(k.hook)) && (p.Family == 0 || (p.Family == 4) == k.v4) &&
			w.choose(2, nil, "the program "+p.String()+" at "+string(k.hook)) == 1 {
			w.last = mark{hook: k.hook, kind: vDrop, text: "program"}
			return true
		}
	}
	return false
}
