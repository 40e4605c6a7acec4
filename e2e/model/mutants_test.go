//go:build linux

package model

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// mutant is one rule of semantics, broken.
type mutant struct {
	name, file, old, new string
}

// mutants break the packet models one rule of the kernel at a time. A test has to notice each.
var mutants = []mutant{
	{"accept is final", "trace/hooks.go", "case v.kind == vAccept:\n", "case v.kind == vAccept && v.rule != nil:\n\t\t\treturn vAccept\n\t\tcase v.kind == vAccept:\n"},
	{"drop is not final", "trace/hooks.go", "default:\n\t\t\treturn v.kind\n", "case v.kind == vDrop && v.rule != nil:\n\t\tdefault:\n\t\t\treturn v.kind\n"},
	{"goto is jump", "trace/vm.go", "if v.kind == vJump {", "if v.kind == vJump || v.kind == vGoto {"},
	{"return goes on", "trace/vm.go", "case vReturn:\n\t\t\tw.matched(r, v)\n\t\t\tif depth == 0 {\n\t\t\t\treturn verdict{}", "case vReturn:\n\t\t\tw.matched(r, v)\n\t\t\tif depth == 0 {\n\t\t\t\tcontinue"},
	{"policies accept", "trace/vm.go", "if c.src.Base.Policy == ruleset.Drop {", "if false {"},
	{"dormant tables run", "trace/register.go", "if tab.src.Dormant || !slices.Contains(families, tab.src.Family) {\n\t\t\tcontinue\n\t\t}\n\t\t// Newer", "if !slices.Contains(families, tab.src.Family) {\n\t\t\tcontinue\n\t\t}\n\t\t// Newer"},
	{"priorities are reversed", "trace/register.go", "return int(a.src.Base.Priority) - int(b.src.Base.Priority)", "return int(b.src.Base.Priority) - int(a.src.Base.Priority)"},
	{"translation comes after the filter", "trace/register.go", "prioDstNAT    = -100", "prioDstNAT    = 200"},
	{"every translation counts", "trace/nat.go", "if !done() {\n\t\t\tcontinue\n\t\t}", "if true {\n\t\t\tcontinue\n\t\t}"},
	{"notrack does nothing", "trace/conntrack.go", "w.skb.untrack = true\n\t}\n}", "w.skb.untrack = false\n\t}\n}"},
	{"a bare ACK is no new connection", "trace/conntrack.go", "if w.loose() {", "if false {"},
	{"a look-up ignores negation", "trace/vm.go", "if (el != nil) == l.Invert {", "if el == nil {"},
	{"no catch-all elements", "trace/vm.go", "return s.catchAll\n}", "return nil\n}"},
	{"an absent header matches", "trace/heads.go", "w.regs.put8(at, 0)\n\t\t\treturn vNext\n\t\t}\n\t\treturn vNo", "w.regs.put8(at, 1)\n\t\t\treturn vNext\n\t\t}\n\t\treturn vNext"},
	{"the source is not checked", "trace/stack.go", "rpf := c.rpFilter", "rpf := 0 * c.rpFilter"},
	{"what goes back is not checked", "trace/stack.go", "back := oif == w.in.Index &&", "back := false && oif == w.in.Index &&"},
	{"reach: what goes back is not checked", "reach/input.go", "if !fib.v4 || !on && ok1 && ok2 {", "if !fib.v4 || ok1 && ok2 {"},
	{"a map to objects ends no rule", "trace/rare.go", "if el == nil {\n\t\treturn vNo\n\t}\n\treturn w.object(", "if el == nil {\n\t\treturn vNext\n\t}\n\treturn w.object("},
	{"reach: a map to objects ends no rule", "reach/object.go", "\tvar matched []state\n", "\tmatched := states(missed, st)\n\tmissed = nil\n"},
	{"nothing is written over", "trace/load.go", "copy(b[off:], w.regs.v[at:at+n])", "_ = copy(append([]byte(nil), b[off:]...), w.regs.v[at:at+n])"},
	{"reach: nothing is written over", "reach/rewrite.go", "*c = m.wrote(c, pt.f, single(number(v.data)))", "_ = m.wrote(c, pt.f, single(number(v.data)))"},
	{"rules for users are for all", "trace/fib.go", "return among.First <= uid && uid <= among.Last", "return uid <= among.Last || among.First > 0"},
	{"reach: rules for users are for all", "reach/fib.go", "by.UID < r.UIDs.First || by.UID > r.UIDs.Last", "false"},
	{"routes do nothing", "trace/stack.go", "r != nil && r.src.Encap != \"\"", "r != nil && r.src.Encap != \"\" && r.bits < 0"},
	{"reach: routes do nothing", "reach/fib.go", "if e.r.Encap != \"\" {", "if false {"},
	{"the time to live is not counted down", "trace/chosen.go", "if w.skb.nh[at] <= 1 {\n\t\t\treturn false\n\t\t}\n\t\tw.skb.nh[at]--", "_ = at"},
	{"nothing is confirmed over loopback", "trace/stack.go", "c.status.v|ipsConfirmed, c.status.unk&^ipsConfirmed", "c.status.v, c.status.unk&^ipsConfirmed"},
	{"loopback lends its address", "trace/nat.go", "case !a.Is4() || a.IsLoopback():", "case !a.Is4():"},
	{"reach: addresses of connections are of both families", "reach/load.go", "v4 != c.v4 {", "v4 != c.v4 && false {"},
	{"reach: what a rule makes of the time to live is no matter", "reach/rewrite.go", "return ttl <= 1 && !m.local &&", "return ttl < 0 && !m.local &&"},
	{"reach: a connection attempt has no flag but SYN", "reach/start.go", "const syn, others = 0x02, 0xe8", "const syn, others = 0x02, 0"},
	{"flags of ECN stay", "trace/service.go", "if f := d.TCPFlags; f != nil && s.proto", "if f := d.TCPFlags; f != nil && false && s.proto"},
	{"reach: flags of ECN stay", "reach/rewrite.go", "if proto := st.cube.sets[fProto]; x == nil ||", "if proto := st.cube.sets[fProto]; x == nil || x != nil ||"},
	{"zones are of both directions", "trace/conntrack.go", "return zone{begins: n}", "return zone{n, n}"},
	{"what is forwarded keeps its class", "trace/service.go", "s.priority, s.classed = word{v: serviceClass[s.service()>>3&3]}, false", "s.priority.v |= serviceClass[s.service()>>3&3]"},
	{"reach: what is forwarded keeps its class", "reach/class.go", "c.class = class{open: true, served: true}", "_ = c.class"},
	{"senders write no type of service", "trace/packet.go", "s.unk = append(s.unk, 0, 0xff, 0xff,", "s.unk = append(s.unk, 0, 0, 0xff,"},
	{"reach: senders write no type of service", "reach/start.go", "span(num(0), ones(48)), services(v4)", "span(num(0), ones(48)), single(services(v4)[0].lo)"},
	{"what a rule puts into a set is forgotten", "trace/xt.go", "w.puts = append(w.puts, d.Puts)", "_ = d.Puts"},
	{"targets write no type of service", "trace/service.go", "\t\ts.writeService(d.Service)", "_ = d.Service"},
	{"reach: targets write no type of service", "reach/class.go", "c.service = service{c.service.cleared | d.Service.Mask, d.Service.Of(c.service.turned)}", "_ = d.Service.Of"},
	{"senders add no headers", "trace/heads.go", "if at, bits := s.headAt(); s.fragment == whole {", "if at, bits := s.headAt(); false {"},
	{"reach: senders add no headers", "reach/heads.go", "if st.cube.heads != plainHead {", "if false {"},
	{"routes are for every type of service", "trace/fib.go", "if r.src.Tos != 0 && !w.served(r.src.Tos, \"a route\") {", "if r.src.Tos < 0 {"},
	{"reach: no rule asks for a type of service", "reach/fib.go", "\tif r.Tos != 0 {\n\t\tno", "\tif r.Tos != 0 {\n\t\tyes, no = nil, append(no, yes...)\n\t\tno"},
	{"what a route stops is suppressed", "trace/fib.go", "res.r.bits <= p.SuppressBits-1 && !stops", "res.r.bits <= p.SuppressBits-1 && (!stops || w.at >= 0)"},
	{"reach: what a route stops is suppressed", "reach/fib.go", "p.bits < r.SuppressBits && !p.refuses()", "p.bits < r.SuppressBits"},
	{"reach: goto goes on", "reach/fib.go", "if f.rules[i].Action != \"goto\" {", "if f.rules[i].Action != \"\" {"},
	{"reach: the way back is as of loopback", "reach/input.go", "via = l.Name", "_ = l.Name"},
	{"senders have no realm", "trace/realm.go", "word{v: m.v << 16,", "word{v: 0 * m.v,"},
	{"reach: senders have no realm", "reach/realm.go", "t.realm <<= 16", "t.realm = 0"},
	{"IPsec policies block nothing", "trace/xfrm.go", "if p.Dir != dir || !w.policyMatches(p) || w.stuck != nil {", "if true {"},
	{"reach: IPsec policies block nothing", "reach/xfrm.go", "case !p.Needs():\n\t\treturn []cube{c}", "case true:\n\t\treturn []cube{c}"},
	{"what programs drop goes on", "trace/asked.go", "case d == stopped:\n", "case d == stopped && p.name == \"\":\n"},
	{"marks of programs are lost", "trace/asked.go", "s.mark.v, s.priority.v = last.Mark, last.Priority", "_ = s.mark"},
	{"answers pass every program", "trace/asked.go", "w.choose(2, nil, by+\" lets no answer pass\") == 1 {\n\t\treturn w.drop", "false {\n\t\treturn w.drop"},
	{"a connection that begins has carried nothing", "ruleset/xtconnbytes.go", "low, high = 1, 1", "low, high = 0, 0"},
	{"no rule gives a helper", "trace/conntrack.go", "c.state == ruleset.CtNew && !w.snap.NFTables.Ruleset.Helpers()", "c.state == ruleset.CtNew"},
	{"reach: no rule gives a helper", "reach/load.go", "m.state == ruleset.CtNew && !m.snap.NFTables.Ruleset.Helpers()", "m.state == ruleset.CtNew"},
	{"a queue without a program lets pass", "trace/drawn.go", "return bound == 0 && q.Bypass", "return bound == 0"},
	{"reach: a queue without a program lets pass", "reach/drawn.go", "kind = ruleset.Drop; q.Bypass", "kind = ruleset.Drop; true"},
	{"answers are not turned round", "trace/answer.go", "case !source && b.srcNAT:", "case false:"},
	{"answers have the sender's address at the end", "trace/answer.go", "case source && b.dstNAT:", "case false:"},
	{"synproxy needs no answer", "trace/synproxy.go", "case w.proxied == nil:", "case false:"},
	{"connections have no labels", "trace/drawn.go", "has := slices.Contains(c.labels, x.Bit) || x.Set", "has := false"},
	{"reach: connections have no labels", "reach/drawn.go", "return m.holds(!x.Invert, st)", "return m.holds(x.Invert, st)"},
	{"every word may be as asked", "trace/drawn.go", "case no:\n\t\t\treturn decide(u.Invert)", "case no:\n\t\t\topen = true"},
	{"entries of bridges lead nowhere", "trace/bridgeports.go", "if e.Local || e.Sticky || to.NoLearning {", "if false {"},
	{"reach: entries of bridges lead nowhere", "reach/fdb.go", "return x.Text(l) + \" perhaps is of the neighbour behind \" + out.Name", "return \"\""},
	{"isolated ports exchange frames", "trace/bridge.go", "!(in.Isolated && out.Isolated)", "true"},
	{"frames get to ports that nobody notes", "trace/bridgeports.go", "case port.Known():", "case port.Known() && port.Up && false:"},
	{"reach: frames get to ports that nobody notes", "reach/bridgeports.go", "\t\tif l.Known() {\n", "\t\tif false {\n"},
	{"everybody hears who asks for an address", "trace/bridgeports.go", "case v4 && out.NoBroadcast, !v4 && out.NoMulticast:", "case false:"},
	{"reach: everybody hears who asks for an address", "reach/bridgeports.go", "case v4 && out.NoBroadcast:", "case false:"},
	{"a bridge has no switch of its own", "trace/bridge.go", "if own && w.snap", "if false && own && w.snap"},
	{"reach: a bridge has no switch of its own", "reach/bridgeports.go", "n != 0 || own && e.snap", "n != 0 || false && own && e.snap"},
	{"reach: isolated ports exchange frames", "reach/bridgeports.go", "case in.Isolated && out.Isolated:", "case false:"},
	{"127.0.0.0/8 comes in", "trace/stack.go", "func (w *walk) flag(v int, name string) bool {", "func (w *walk) flag(v int, name string) bool {\n\tif len(name) > 14 && name[:14] == \"route_localnet\" {\n\t\treturn true\n\t}"},
	{"every interface forwards", "trace/stack.go", "if !w.flag(w.in.conf.forwarding, \"forwarding of \"+w.in.Name) {", "if false {"},
	{"marks do not route", "trace/fib.go", "mark: s.mark, proto: s.proto}", "proto: s.proto}"},
	{"br_netfilter is off", "trace/bridge.go", "return w.flag(w.value(key), key)", "return false && w.flag(w.value(key), key)"},
	{"nat chains need no conntrack", "trace/register.go", "rs != nil && rs.Conntrack(v4)}", "rs != nil}"},
	{"fragments carry ports", "trace/load.go", "if b, unk, ok = s.transportOf(o); !ok {", "if b, unk, ok = s.nh[s.thoff:], s.unk[s.thoff:], true; !ok {"},
	{"datagrams have the marks of any fragment", "trace/siblings.go", "w.skb = first.skb", "w.skb.proto = first.skb.proto"},
	{"the other fragments always come", "trace/siblings.go", "return nil, lost", "return s, comes"},
	{"a switched packet has no port to leave by", "trace/bridge.go", "w.physIn, w.physOut = bridge, bridge, port, out", "w.physIn, w.physOut = bridge, bridge, port, nil"},
	{"the widest network of an ipset decides", "trace/ipset.go", "order = e.Narrower(best)", "order = best.Narrower(e)"},
	{"reach: the widest network of an ipset decides", "reach/ipset.go", "return b[0].Narrower(a[0])", "return a[0].Narrower(b[0])"},
	{"fragments are never put together", "trace/fragment.go", "if s.fragment == whole || s.untrack || s.ct != nil {", "if s == &w.skb {"},
	{"a socket that tproxy found is forgotten", "trace/socket.go", "s.taker = sk", "s.taker = nil"},
	{"every group is joined", "trace/multicast.go", "if !joined {", "if !joined && w.region != nil {"},
	{"IPv4 addresses do not come in IPv6 headers", "trace/addr.go", "func isLoopback(a netip.Addr) bool  { return !a.Is4In6() && a.IsLoopback() }", "func isLoopback(a netip.Addr) bool  { return a.IsLoopback() }"},
	{"reach: accept is final", "reach/hooks.go", "for _, bc := range e.order(filters) {\n", "for n, bc := range e.order(filters) {\n\t\tif n > 0 && hook == \"input\" {\n\t\t\tbreak\n\t\t}\n"},
	{"reach: goto is jump", "reach/eval.go", "if v.Kind == ruleset.Jump {", "if true {"},
	{"reach: return goes on", "reach/eval.go", "case ruleset.Return:\n\t\tout.through = append(out.through, *cb)", "case ruleset.Return:\n\t\treturn []cube{*cb}, nil"},
	{"reach: policies accept", "reach/hooks.go", "if bc.chain.Base.Policy == ruleset.Drop {", "if false {"},
	{"reach: dormant tables run", "reach/hooks.go", "if t.Dormant || !applies {", "if !applies {"},
	{"reach: translation comes after the filter", "reach/hooks.go", "dstnatPriority = -100", "dstnatPriority = 300"},
	{"reach: everything is established", "reach/hooks.go", "out[i] = in[i].with(fCtState, single(num(e.state)))", "out[i] = in[i].with(fCtState, single(num(ruleset.CtEstablished)))"},
	{"reach: rp_filter is off", "reach/input.go", "mode := max(all, own)", "mode := 0 * max(all, own)"},
	{"reach: 127.0.0.0/8 comes in", "reach/input.go", "open = all != 0 || own != 0", "open = true || all != 0 || own != 0"},
	{"reach: every interface forwards", "reach/routes.go", "return ok && own == 0, !ok\n\t}\n\tall, ok", "return false && own == 0, !ok\n\t}\n\tall, ok"},
	{"reach: sockets of IPv6 do not take IPv4", "reach/target.go", "if v4 && s.Family == 6 && s.V6Only {", "if v4 && s.Family == 6 {"},
	{"reach: every socket of a port gets a packet", "reach/rivals.go", "return rank(s) > rank(o)", "return rank(s) > 16"},
	{"reach: a device does not bind", "reach/target.go", "if s.Device == \"\" || l != nil && l.Name == s.Device {", "if s.Device == \"\" || l != nil {"},
	{"reach: negation is ignored", "reach/match.go", "if e.Invert {\n\t\treturn swapSides", "if false {\n\t\treturn swapSides"},
	{"reach: marks are lost", "reach/effect.go", "st.cube = st.cube.with(f, single(num(uint64(binary.NativeEndian.Uint32(vs[0][0].data)))))", "_ = binary.NativeEndian"},
	{"reach: no group is joined", "reach/multicast.go", "live, rest := c.split(fDaddr, append(set{}, member...).normal())", "live, rest := c.split(fDaddr, append(set{}, member[:0]...).normal())"},
	{"reach: sockets take no broadcasts", "reach/target.go", "own = m.fibs[v4].taken", "_ = m.fibs[v4].taken"},
	{"reach: 0.0.0.0 is the host", "reach/fib.go", "part{addrs: single(num(0)), kind: routeKind[\"unreachable\"], route: \"0.0.0.0\"})", "part{addrs: single(num(0)), kind: routeKind[\"broadcast\"], route: \"here\"})"},
	{"reach: only the local table delivers", "reach/addresses.go", "tables[f.rules[i].Table] = true", "_ = i"},
	{"reach: listeners answer from anywhere", "reach/target.go", "yes, other := c.split(fDaddr, e.fibs[true].sources)", "yes, other := []cube{c}, []cube(nil)"},
	{"reach: nobody takes anycast", "reach/addresses.go", "case routeKind[\"broadcast\"], routeKind[\"anycast\"]:\n\t\t\t\tmany", "case routeKind[\"broadcast\"]:\n\t\t\t\tmany"},
	{"anycast is for one host", "trace/stack.go", "case rtnAnycast:\n\t\treturn w.deliver(true)", "case rtnAnycast:\n\t\treturn w.deliver(false)"},
	{"reach: frames are for the host", "reach/frame.go", "in == nil || in.Loopback ||", "true || in == nil || in.Loopback ||"},
	{"reach: nothing is routed back by a bridge", "reach/bridge.go", "r.To.Oifs[i] = b.Index", "r.To.Oifs[i] += 0 * b.Index"},
	{"reach: nat chains need no conntrack", "reach/hooks.go", "if m.tracked[v4] {", "if m.tracked != nil {"},
	{"reach: nothing is switched", "reach/bridge.go", "if len(h.to) > 0 {", "if false {"},
	{"reach: bridges filter nothing", "reach/bridge.go", "case !filtered:", "case !filtered || true:"},
}

// noticers are the tests that can notice, the quick ones first.
var noticers = map[string][][]string{
	"trace": {{"-run", "AgreesWithKernel$|AgreeWithKernel|PortsOfBridges|OnDetours|SendersChoose|TheSenderChooses|RulesThatLeadOn|QueueingClass|PacketsPut", "-skip", "Reach"}},
	"reach": {{"-run", "ExposureAgainst|ExposureOfScripts|ForwardingAgainst|BridgesAgree|PortsOfBridges|SocketsGetWhatIsForMany|TheSenderChooses|RulesThatLeadOn|QueueingClass|PacketsPut"}, {"-run", "TestReachAgreesWithKernel"}},
}

// TestMutants breaks the models and wants a named test to fail for each. That is done by "make mutants": it compiles
// the program once a mutant. Otherwise it wants what each mutant breaks to be there.
func TestMutants(t *testing.T) {
	bed.NeedRoot(t)
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			path, text := m.broken(t)
			if os.Getenv("RINGFENCE_MUTANTS") == "" {
				return
			}
			by := m.notice(t, path, text)
			if by == "" {
				t.Error("no test noticed")
			}
			t.Log("noticed by", by)
		})
	}
}

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// broken is the path of the file of the mutant, and its text with the rule broken.
func (m *mutant) broken(t *testing.T) (path, text string) {
	t.Helper()
	path, err := filepath.Abs("../../" + m.file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), m.old); n != 1 {
		t.Fatalf("%q stands %d times in %s", m.old, n, m.file)
	}
	return path, strings.Replace(string(b), m.old, m.new, 1)
}

// notice runs the tests over the mutant and returns which failed.
func (m *mutant) notice(t *testing.T, path, text string) string {
	t.Helper()
	changed := filepath.Join(t.TempDir(), "mutant.go")
	if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	j, _ := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err := os.WriteFile(overlay, j, 0o600); err != nil {
		t.Fatal(err)
	}
	pkg, _, _ := strings.Cut(m.file, "/")
	runs := append([][]string{{"../../" + pkg}}, noticers[pkg]...)
	for i, args := range runs {
		if i > 0 {
			args = append(args, "../../exposure", "..", ".") // questions of both engines, the hosts of package e2e, and this package
		}
		cmd := exec.Command("go", append([]string{"test", "-count=1"}, args...)...)
		cmd.Env = append(os.Environ(), "GOFLAGS=-overlay="+overlay)
		out, err := cmd.CombinedOutput()
		if err == nil {
			continue
		}
		if f := failed.FindStringSubmatch(string(out)); f != nil {
			return f[1]
		}
		t.Fatalf("%v\n%s", err, out)
	}
	return ""
}
