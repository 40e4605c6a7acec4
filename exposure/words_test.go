package exposure

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// mapped is the classification of the host with a zone for its bridge.
func mapped(s *snapshot.Snapshot) *zones.Map {
	return zones.Classify(s, zones.Config{zones.Workload: {Interfaces: []string{"br0"}}, zones.External: {Interfaces: []string{"ext0"}}})
}

// TestQuestionsAsPeopleAskThem: words become origins and targets.
func TestQuestionsAsPeopleAskThem(t *testing.T) {
	s := host()
	m := mapped(s)
	src := prefixes("198.51.100.0/24")
	for name, c := range map[string]struct {
		w    Words
		good func(q *reach.Question) bool
	}{
		"from a zone to the host": {Words{From: "external", To: "host", Proto: "tcp", Dport: 22}, func(q *reach.Question) bool {
			return len(q.From) == 1 && q.From[0].Index == ext0 && q.To.Host && q.Dport == 22 && q.Proto == "tcp"
		}},
		"from the host to a zone": {Words{From: "host", To: "workload"}, func(q *reach.Question) bool {
			return len(q.From) == 1 && q.From[0].Local && slices.Equal(q.To.Oifs, []int{br0}) && !q.To.Host
		}},
		"between interfaces": {Words{From: "iface:ext0", To: "iface:p0-0"}, func(q *reach.Question) bool {
			return q.From[0].Index == ext0 && slices.Equal(q.From[0].From, everywhere) && slices.Equal(q.To.Oifs, []int{port0})
		}},
		"an interface with a source": {Words{From: "iface:ext0", To: "host", Src: src}, func(q *reach.Question) bool {
			return slices.Equal(q.From[0].From, src)
		}},
		"a zone with a source": {Words{From: "external", To: "host", Src: src}, func(q *reach.Question) bool {
			return slices.Equal(q.From[0].From, src) && len(q.From[0].Except) > 0
		}},
		"the host with a source": {Words{From: "host", To: "workload", Src: src}, func(q *reach.Question) bool {
			return q.From[0].Local && slices.Equal(q.From[0].From, src)
		}},
		"an address": {Words{From: "external", To: "addr:::ffff:10.0.0.2"}, func(q *reach.Question) bool {
			return q.To.Addr == netip.MustParseAddr("10.0.0.2")
		}},
		"a state and no listener": {Words{From: "external", To: "host", State: packet.Established, Unbound: true}, func(q *reach.Question) bool {
			return q.State == packet.Established && q.Unbound
		}},
	} {
		q, err := c.w.Question(s, m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !c.good(q) {
			t.Errorf("%s: %+v", name, q)
		}
	}
}

// TestWordsThatFitNothing: the error says which word it is.
func TestWordsThatFitNothing(t *testing.T) {
	s := host()
	m := mapped(s)
	for _, c := range []struct{ from, to, want string }{
		{"nowhere", "host", `from "nowhere": want host, management, runtime, workload, external or iface:NAME`},
		{"iface:eth9", "host", `from "iface:eth9": there is no such interface`},
		{"management", "host", `from "management": nothing is in that zone`},
		{"external", "iface:eth9", `to "iface:eth9": there is no such interface`},
		{"external", "addr:10.0.0", `to "addr:10.0.0": want addr:IP`},
		{"external", "management", `to "management": no interface is in that zone`},
		{"external", "there", `to "there": want host, management, runtime, workload, external, iface:NAME, addr:IP or guest:NAME`},
	} {
		w := Words{From: c.from, To: c.to, Proto: "tcp"}
		if q, err := w.Question(s, m); err == nil || err.Error() != c.want {
			t.Errorf("from %s to %s: %+v, %v", c.from, c.to, q, err)
		}
	}
	w := Words{From: "workload", To: "host", Src: prefixes("198.51.100.0/24")}
	if q, err := w.Question(s, m); err == nil {
		t.Errorf("sources that the zone does not have: %+v", q)
	}
}

// TestUnclassifiedCountsAsExternal: what nobody gave a zone is asked with the external one.
func TestUnclassifiedCountsAsExternal(t *testing.T) {
	m := &zones.Map{Origins: []zones.Origin{
		{Zone: zones.Unclassified, Origin: packet.Origin{Index: 7}}, {Zone: zones.External, Origin: packet.Origin{Index: ext0}}, {Zone: zones.Workload, Origin: packet.Origin{Index: br0}},
	}}
	w := Words{From: "external", To: "host"}
	q, err := w.Question(host(), m)
	if err != nil || len(q.From) != 2 || q.From[0].Index != 7 || q.From[1].Index != ext0 {
		t.Errorf("%+v, %v", q, err)
	}
}

// TestIntersect: the sources that a zone has and that are asked for.
func TestIntersect(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"", "10.0.0.0/8", "10.0.0.0/8"},
		{"10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/16"},
		{"10.1.0.0/16", "10.0.0.0/8", "10.1.0.0/16"},
		{"10.1.0.0/16", "10.2.0.0/16", ""},
		{"10.1.0.0/16 fd00::/64", "fd00::1/128 10.0.0.0/8", "10.1.0.0/16 fd00::1/128"},
	} {
		var got []string
		for _, p := range intersect(prefixes(strings.Fields(c.a)...), prefixes(strings.Fields(c.b)...)) {
			got = append(got, p.String())
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%q and %q: %q, want %q", c.a, c.b, g, c.want)
		}
	}
}

// TestUnreadNetworkIsUnknown: a host whose interfaces were not read has no answer to any question, which is no error. Where some were read,
// or all of none, there is one.
func TestUnreadNetworkIsUnknown(t *testing.T) {
	s := host()
	if a := Unseen(s); a != nil {
		t.Errorf("a host that was read: %s", reasons(*a))
	}
	unread(s, "network")
	if a := Unseen(s); a != nil {
		t.Errorf("interfaces that were read all the same: %s", reasons(*a))
	}
	s.Network.Links = nil
	a := Unseen(s)
	if a == nil {
		t.Fatal("nothing was read, and there are answers")
	}
	want(t, *a, packet.Unknown, "network was not read: operation not permitted")
}

// TestUnreadFilterIsUnknown: a filter that was not read is no filter that lets everything through, and none that drops.
func TestUnreadFilterIsUnknown(t *testing.T) {
	for _, rs := range []*ruleset.Ruleset{nil, table("input", ruleset.Drop)} {
		s := host()
		s.NFTables.Ruleset = rs
		unread(s, "nftables")
		listen(s, hostInode, "0.0.0.0", 80)
		w := Words{From: "external", To: "host", Proto: "tcp", Dport: 80}
		q, err := w.Question(s, mapped(s))
		if err != nil {
			t.Fatal(err)
		}
		want(t, New(t.Context(), s, Limits{}, nil).Ask(q), packet.Unknown, "nftables was not read")
	}
}

// TestWhatIsAskedInWordsIsAnswered: from the words to the answer.
func TestWhatIsAskedInWordsIsAnswered(t *testing.T) {
	s := host()
	s.NFTables.Ruleset = table("input", ruleset.Drop, join(from4("198.51.100.7"), tcpTo(22), accepted))
	listen(s, hostInode, "0.0.0.0", 22)
	ask := func(w Words) Answer {
		q, err := w.Question(s, mapped(s))
		if err != nil {
			t.Fatal(err)
		}
		return New(t.Context(), s, Limits{}, nil).Ask(q)
	}
	got := ask(Words{From: "external", To: "host", Proto: "tcp", Dport: 22})
	want(t, got, packet.Reachable, "")
	if !got.Restricted {
		t.Error("an allow list is not told")
	}
	want(t, ask(Words{From: "external", To: "host", Proto: "tcp", Dport: 22, Src: prefixes("198.51.100.8/32")}), packet.Unreachable, "policy")
	want(t, ask(Words{From: "external", To: "workload", Proto: "tcp", Dport: 80}), packet.Reachable, "")
	want(t, ask(Words{From: "external", To: "addr:10.0.0.2", Proto: "tcp", Dport: 80}), packet.Reachable, "")
}

// TestGuests: a question toward a virtual machine is about the address that is known of it.
func TestGuests(t *testing.T) {
	s := host()
	s.Runtimes.Machines = []snapshot.Machine{
		{Name: "win11", Runtime: "libvirt", NICs: []snapshot.MachineNIC{{MAC: "52:54:00:aa:bb:02"}, {MAC: "52:54:00:aa:bb:01", Addrs: []string{"192.168.122.45"}}}},
		{Name: "dark", Runtime: "proxmox", NICs: []snapshot.MachineNIC{{MAC: "52:54:00:aa:bb:03"}}},
	}
	m := zones.Classify(s, nil)
	q, err := (&Words{From: "external", To: "guest:win11", Proto: "tcp", Dport: 5985}).Question(s, m)
	if err != nil || q.To.Addr.String() != "192.168.122.45" {
		t.Errorf("%v, %v", q, err)
	}
	for _, name := range []string{"guest:dark", "guest:none"} {
		if _, err := (&Words{From: "external", To: name, Proto: "tcp"}).Question(s, m); err == nil {
			t.Errorf("%s has an address", name)
		}
	}
}
