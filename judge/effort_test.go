package judge

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// forks are rules that split a question into 2^n cases.
func forks(n int) *ruleset.Ruleset {
	word := func(v uint32) ruleset.Hex { return binary.NativeEndian.AppendUint32(nil, v) }
	c := ruleset.Chain{Name: "c", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop}}
	for i := range n {
		c.Rules = append(c.Rules, ruleset.Rule{Handle: uint64(i + 1), Exprs: []ruleset.Expr{
			{Name: "limit", Limit: &ruleset.Limit{Rate: 1}},
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Dreg: 1}},
			{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 4, Op: "mask", Mask: word(^uint32(1 << i)), Xor: word(1 << i)}},
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Sreg: 1, Set: true}},
		}})
	}
	c.Rules = append(c.Rules, ruleset.Rule{Handle: 99, Exprs: []ruleset.Expr{
		{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Dreg: 1}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: word(0xdeadbeef)}},
		{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}},
	}})
	return &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{c}}}}
}

// behind gives the host, which forwards then, a network namespace behind a port of docker0, with those rules and a listener on each of the
// ports. A uid below 0 is the host's own user namespace.
func behind(s *snapshot.Snapshot, inode uint64, uid int, rs *ruleset.Ruleset, ports ...int) {
	for i := range s.NFTables.Ruleset.Tables { // the host forwards anything
		for j := range s.NFTables.Ruleset.Tables[i].Chains {
			if c := &s.NFTables.Ruleset.Tables[i].Chains[j]; c.Base != nil && c.Base.Hook == "forward" {
				c.Base.Policy, c.Rules = ruleset.Accept, nil
			}
		}
	}
	n := len(s.Network.Links)
	bridge := s.Network.LinkNamed("docker0")
	addr := fmt.Sprintf("172.17.%d.%d/16", n/200+1, n%200+2)
	s.Network.Links = append(s.Network.Links, snapshot.Link{
		Index: 100 + n, Name: fmt.Sprintf("veth%d", n), Kind: "veth", Up: true, Master: bridge.Index, PeerNetns: inode, PeerIndex: 2, Hardware: 1,
	})
	for _, k := range []string{"forwarding", "rp_filter", "route_localnet", "accept_local", "send_redirects", "src_valid_mark"} {
		s.Network.Sysctls[fmt.Sprintf("net/ipv4/conf/veth%d/%s", n, k)] = snapshot.Fact{State: snapshot.Present, Value: "0"}
	}
	ns := snapshot.Netns{Inode: inode, OwnerUser: s.Network.Namespaces[0].OwnerUser}
	if uid >= 0 {
		ns.OwnerUser, ns.OwnerUID = inode+1_000_000, &uid
	}
	s.Network.Namespaces = append(s.Network.Namespaces, ns)
	e := snapshot.Elsewhere{Netns: inode, Status: snapshot.OK}
	e.Network.Links = []snapshot.Link{
		{Index: 1, Name: "lo", Kind: "device", Up: true, Loopback: true, Addrs: []string{"127.0.0.1/8"}},
		{Index: 2, Name: "eth0", Kind: "veth", Up: true, Addrs: []string{addr}, Hardware: 1},
	}
	host := strings.TrimSuffix(addr, "/16")
	e.Network.Routes = []snapshot.Route{
		{Family: 4, Table: 255, Type: "local", Dst: host + "/32", Oifs: []int{2}, Protocol: 2},
		{Family: 4, Table: 254, Type: "unicast", Dst: "172.17.0.0/16", Oifs: []int{2}, Protocol: 2},
		{Family: 4, Table: 254, Type: "unicast", Dst: "0.0.0.0/0", Gateway: "172.17.0.1", Oifs: []int{2}},
	}
	e.Network.Sysctls = map[string]snapshot.Fact{}
	for _, l := range []string{"all", "eth0", "lo"} {
		for _, k := range []string{"forwarding", "rp_filter", "route_localnet", "accept_local", "send_redirects", "src_valid_mark", "mc_forwarding"} {
			e.Network.Sysctls["net/ipv4/conf/"+l+"/"+k] = snapshot.Fact{State: snapshot.Present, Value: "0"}
		}
	}
	e.NFTables.Ruleset, e.NFTables.Legacy = rs, map[string]snapshot.Fact{}
	s.Namespaces = append(s.Namespaces, e)
	for _, p := range ports {
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: p, Netns: inode})
	}
}

// answers is how often each verdict was given about sockets of a port, and the reasons for unknown.
func answers(b *builder, port int) (verdicts map[packet.Verdict]int, why string) {
	verdicts = map[packet.Verdict]int{}
	for i := range b.exposures {
		for _, e := range b.exposures[i] {
			if e.Service.Port == port {
				verdicts[packet.Verdict(e.Verdict)]++
				for _, c := range e.Because {
					why += c.Text + "\n"
				}
			}
		}
	}
	return verdicts, why
}

// TestAUsersNamespaceDoesNotStopTheAudit: rules that anybody may write into a namespace of their own take a bounded
// effort and little memory, and cost only their own answers.
func TestAUsersNamespaceDoesNotStopTheAudit(t *testing.T) {
	s := fixtures.Host()
	behind(s, 7001, -1, nil, 8001)
	behind(s, 7002, 1001, forks(24), 1, 2, 3, 4)
	behind(s, 7003, 1002, nil, 8003)
	want := build(t.Context(), without(s, 7002), zones.Config{})
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // tests leave more garbage than the program does
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b := build(t.Context(), s, zones.Config{})
	runtime.ReadMemStats(&after)
	if grown := after.Sys - before.Sys; grown > 300<<20 {
		t.Errorf("%d MB more of the system's memory", grown>>20)
	}
	for _, port := range []int{1, 2, 3, 4} {
		got, why := answers(b, port)
		if got[packet.Reachable] > 0 || got[packet.Unknown] == 0 || !strings.Contains(why, "too many cases") && !strings.Contains(why, "network namespace 7002") {
			t.Errorf("port %d of the user's: %v %s", port, got, why)
		}
	}
	for _, port := range []int{22, 8001, 8003} {
		got, why := answers(b, port)
		if w, _ := answers(want, port); fmt.Sprint(got) != fmt.Sprint(w) || got[packet.Reachable] == 0 {
			t.Errorf("port %d: %v, without the user's namespace %v: %s", port, got, w, why)
		}
	}
}

// without is a snapshot without one network namespace.
func without(s *snapshot.Snapshot, inode uint64) *snapshot.Snapshot {
	c := *s
	c.Namespaces, c.Listeners.Sockets = nil, nil
	for _, e := range s.Namespaces {
		if e.Netns != inode {
			c.Namespaces = append(c.Namespaces, e)
		}
	}
	for _, k := range s.Listeners.Sockets {
		if k.Netns != inode {
			c.Listeners.Sockets = append(c.Listeners.Sockets, k)
		}
	}
	return &c
}

// TestManyNamespacesOfOneUser: forty namespaces of one user share what is one part of the effort, so that those of
// another user and of the host are answered whole. What is left unknown names its namespace.
func TestManyNamespacesOfOneUser(t *testing.T) {
	s := fixtures.Host()
	behind(s, 7001, 1002, nil, 8001)
	for i := range 40 {
		behind(s, uint64(7100+i), 1001, forks(24), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	}
	behind(s, 7002, -1, nil, 8002)
	b := newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{Elsewhere: 1_200_000})
	b.services()
	for _, port := range []int{22, 8001, 8002} {
		if got, why := answers(b, port); got[packet.Unknown] > 0 || got[packet.Reachable] == 0 {
			t.Errorf("port %d: %v %s", port, got, why)
		}
	}
	got, why := answers(b, 10)
	if got[packet.Reachable] > 0 || got[packet.Unknown] == 0 || !strings.Contains(why, "the effort for network namespace 7139 (another network namespace) is used up") {
		t.Errorf("the user's own: %v %s", got, why)
	}
}

// TestTimeTurnsAnswersIntoUnknown: what was not asked when the time is over is unknown by name; there is a report all
// the same, and it claims nothing that it would not claim otherwise.
func TestTimeTurnsAnswersIntoUnknown(t *testing.T) {
	s := fixtures.Host()
	behind(s, 7001, -1, nil, 8001)
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := Judge(t.Context(), s, p, new(Config), "0")
	if err != nil {
		t.Fatal(err)
	}
	cut, err := Judge(t.Context(), s, p, &Config{Budget: 1}, "0")
	if err != nil {
		t.Fatal(err)
	}
	for i := range cut.Exposures {
		e := &cut.Exposures[i]
		got, want := packet.Verdict(e.Verdict), packet.Verdict(whole.Exposures[i].Verdict)
		if got == packet.Unreachable && want != packet.Unreachable || got == packet.Reachable {
			t.Errorf("%+v", e)
		}
	}
	if e := cut.Exposures[0]; packet.Verdict(e.Verdict) != packet.Unknown || e.Because[0].Text != "the audit's time was used up" {
		t.Errorf("%+v", e)
	}
	for i := range cut.Results {
		if was := whole.Results[i].Status; cut.Results[i].Status == finding.Pass && was != finding.Pass {
			t.Errorf("%s passes without an answer, and is %s with one", cut.Results[i].ID, was)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Judge(ctx, s, p, new(Config), "0"); err == nil {
		t.Error("a report of an audit that was ended")
	}
}

// TestSocketsOfOneUserDoNotStarveOthers: a user with thousands of sockets of different addresses, each of which is a
// question of its own, uses up an effort of their own. Those of root and of other users are answered as without them.
func TestSocketsOfOneUserDoNotStarveOthers(t *testing.T) {
	s := fixtures.Host()
	one := s.Listeners.Sockets[0]
	add := func(uid, port int, addr string) {
		sk := one
		sk.UID, sk.Port, sk.Addr, sk.Inode, sk.Owners = uid, port, addr, 0, nil
		s.Listeners.Sockets = append(s.Listeners.Sockets, sk)
	}
	for i := range 3000 { // of two ids that are the same user's
		add(100_000+i%2, 23, fmt.Sprintf("127.1.%d.%d", i/250, 1+i%250))
	}
	add(1002, 8002, "0.0.0.0")
	add(0, 8000, "0.0.0.0")
	b := newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{Accounts: 40_000})
	b.services()
	if got, why := answers(b, 23); got[packet.Unknown] < 2000 || !strings.Contains(why, "the effort for the sockets of uid 100000 is used up") {
		t.Errorf("the user's own: %v", got)
	}
	for _, port := range []int{22, 8000, 8002} {
		if got, why := answers(b, port); got[packet.Unknown] > 0 || got[packet.Reachable]+got[packet.Unreachable] == 0 {
			t.Errorf("port %d: %v %s", port, got, why)
		}
	}
}
