package exposure

import (
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// sharing is a namespace with an interface of a kind and mode over ext0, at 203.0.113.7, and a listener in it.
func sharing(kind, mode string) (s *snapshot.Snapshot, e *snapshot.Elsewhere, socket int) {
	s = host()
	e = inside(s, 7001, -1, snapshot.Link{
		Name: "mv0", Kind: kind, Mode: mode, MAC: "02:00:00:00:02:02", PeerNetns: hostInode, PeerIndex: ext0, Addrs: []string{"203.0.113.7/24"},
	})
	return s, e, listen(s, 7001, "0.0.0.0", 80)
}

// TestSharedInterfaceInEachMode: what comes in by the interface below, for the address of the sharing one, goes past the host's filter.
// Where only some frames get there, or the host's filter is met, it is not known.
func TestSharedInterfaceInEachMode(t *testing.T) {
	for _, c := range []struct {
		kind, mode string
		want       packet.Verdict
		why        string
	}{
		{"macvlan", "bridge", packet.Reachable, ""},
		{"macvlan", "private", packet.Reachable, ""},
		{"macvlan", "vepa", packet.Reachable, ""},
		{"macvlan", "passthru", packet.Reachable, ""},
		{"macvlan", "source", packet.Unknown, "takes frames of some senders alone"},
		{"macvlan", "", packet.Unknown, "in a mode that is not followed"},
		{"macvtap", "bridge", packet.Reachable, ""},
		{"ipvlan", "l2", packet.Reachable, ""},
		{"ipvlan", "l3", packet.Reachable, ""},
		{"ipvlan", "l3s", packet.Unknown, "in a mode that is not followed"},
	} {
		s, _, i := sharing(c.kind, c.mode)
		s.NFTables.Ruleset = table("input", ruleset.Drop)
		s.NFTables.Ruleset.Tables = append(s.NFTables.Ruleset.Tables, table("forward", ruleset.Drop).Tables...)
		got := only(t, s, i, outside, true)
		t.Log(c.kind, c.mode, got.Verdict)
		want(t, got, c.want, c.why)
		if got.Witness != nil && got.Witness.In != "mv0" {
			t.Errorf("the witness comes in by %s", got.Witness.In)
		}
	}
}

// TestSharedInterfaceWithAFilterOfItsOwn: the filter of the namespace is the only one that such packets meet, and it is a proof.
func TestSharedInterfaceWithAFilterOfItsOwn(t *testing.T) {
	for _, mode := range []string{"bridge", "source", ""} {
		s, e, i := sharing("macvlan", mode)
		e.NFTables.Ruleset = table("input", ruleset.Drop)
		want(t, only(t, s, i, outside, true), packet.Unreachable, "inet t/c#policy")
		s.Namespaces[0].NFTables.Ruleset = table("input", ruleset.Drop, join(from4("203.0.113.9"), accepted))
		if mode == "bridge" {
			got := only(t, s, i, outside, true)
			want(t, got, packet.Reachable, "")
			if got.Witness != nil && got.Witness.Src.String() != "203.0.113.9" {
				t.Errorf("the witness is from %s", got.Witness.Src)
			}
		}
	}
}

// TestWhatIsBeforeASharedInterface: programs and chains at ingress of the interface below see the frames first.
func TestWhatIsBeforeASharedInterface(t *testing.T) {
	chain := func(hook, device string, dormant bool) *ruleset.Ruleset {
		rs := table(hook, ruleset.Drop)
		rs.Tables[0].Family, rs.Tables[0].Dormant = "netdev", dormant
		if device != "" {
			rs.Tables[0].Chains[0].Base.Devices = []string{device}
		}
		return rs
	}
	for name, c := range map[string]struct {
		change func(*snapshot.Snapshot)
		want   packet.Verdict
		why    string
	}{
		"XDP":                      {func(s *snapshot.Snapshot) { s.Network.Link(ext0).XDP = true }, packet.Unknown, "a program at ingress of ext0"},
		"traffic control":          {func(s *snapshot.Snapshot) { s.Network.Link(ext0).TC = []string{"u32"} }, packet.Unknown, "a program at ingress of ext0"},
		"a chain":                  {func(s *snapshot.Snapshot) { s.NFTables.Ruleset = chain("ingress", "ext0", false) }, packet.Unknown, "chains at ingress of ext0"},
		"a chain of another one":   {func(s *snapshot.Snapshot) { s.NFTables.Ruleset = chain("ingress", "br0", false) }, packet.Reachable, ""},
		"a chain that sleeps":      {func(s *snapshot.Snapshot) { s.NFTables.Ruleset = chain("ingress", "ext0", true) }, packet.Reachable, ""},
		"a chain at another hook":  {func(s *snapshot.Snapshot) { s.NFTables.Ruleset = chain("egress", "ext0", false) }, packet.Reachable, ""},
		"chains that are not read": {func(s *snapshot.Snapshot) { unread(s, "nftables") }, packet.Unknown, "was not read"},
	} {
		s, _, i := sharing("macvlan", "bridge")
		c.change(s)
		t.Run(name, func(t *testing.T) { want(t, only(t, s, i, outside, true), c.want, c.why) })
	}
}

// TestASharedInterfaceFromElsewhere: packets of another interface, or of the host, would have to be sent out and come back. Where the host
// sends none out, that is a proof.
func TestASharedInterfaceFromElsewhere(t *testing.T) {
	s, _, i := sharing("macvlan", "bridge")
	for _, o := range []zones.Origin{bridged, onHost} {
		want(t, only(t, s, i, o, true), packet.Unknown, "only if somebody outside sends it back")
	}
	s.NFTables.Ruleset = table("forward", ruleset.Drop)
	want(t, only(t, s, i, bridged, true), packet.Unreachable, "inet t/c#policy")
}

// TestSharingAnInterfaceOfNobodys: the interface below has to be one of the host's.
func TestSharingAnInterfaceOfNobodys(t *testing.T) {
	for name, change := range map[string]func(l *snapshot.Link){
		"in another namespace": func(l *snapshot.Link) { l.PeerNetns = 7009 },
		"nobody knows where":   func(l *snapshot.Link) { l.PeerNetns = 0 },
		"no such interface":    func(l *snapshot.Link) { l.PeerIndex = 99 },
		"of another kind":      func(l *snapshot.Link) { l.Kind = "vlan" },
	} {
		s, e, i := sharing("macvlan", "bridge")
		change(&e.Network.Links[1])
		t.Run(name, func(t *testing.T) { want(t, only(t, s, i, outside, true), packet.Unknown, "how packets get to mv0") })
	}
}

// TestSiblingsOfASharedInterface: what the host lets nobody send to an interface that shares one of its own, another workload with a share in it
// sends past the host. That is no proof that workloads do not get there.
func TestSiblingsOfASharedInterface(t *testing.T) {
	for name, c := range map[string]struct {
		mode, other string
		shut        bool
		want        packet.Verdict
	}{
		"both in a bridge":        {"bridge", "bridge", false, packet.Unknown},
		"kept apart":              {"bridge", "private", false, packet.Unreachable},
		"alone":                   {"bridge", "", false, packet.Unreachable},
		"its filter lets none in": {"bridge", "bridge", true, packet.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			s, e, i := sharing("macvlan", c.mode)
			if c.shut {
				e.NFTables.Ruleset = table("input", ruleset.Drop)
			}
			if c.other != "" {
				inside(s, 7002, -1, snapshot.Link{
					Name: "mv0", Kind: "macvlan", Mode: c.other, MAC: "02:00:00:00:02:03", PeerNetns: hostInode, PeerIndex: ext0, Addrs: []string{"203.0.113.8/24"},
				})
			}
			s.NFTables.Ruleset = table("forward", ruleset.Drop)
			want(t, only(t, s, i, bridged, true), c.want, "")
		})
	}
}

// TestAddressOfASharedInterface: a question about an address that a sharing interface of another namespace has is about that, whatever the host drops.
func TestAddressOfASharedInterface(t *testing.T) {
	for name, c := range map[string]struct {
		mode  string
		port  int
		drops bool // in the namespace
		want  packet.Verdict
		why   string
	}{
		"a listener":           {"bridge", 80, false, packet.Reachable, ""},
		"no listener":          {"bridge", 81, false, packet.Unreachable, ""},
		"its own filter":       {"bridge", 80, true, packet.Unreachable, ""},
		"some senders only":    {"source", 80, false, packet.Unknown, "takes frames of some senders alone"},
		"some senders, a drop": {"source", 80, true, packet.Unreachable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, e, _ := sharing("macvlan", c.mode)
			s.NFTables.Ruleset = table("prerouting", ruleset.Drop)
			if c.drops {
				e.NFTables.Ruleset = table("input", ruleset.Drop)
			}
			a := New(t.Context(), s, Limits{}, nil).Ask(&reach.Question{From: at(ext0, "203.0.113.9/32"), Proto: "tcp", Dport: c.port, To: toAddr("203.0.113.7")})
			want(t, a, c.want, c.why)
		})
	}
	s, e, _ := sharing("macvlan", "bridge")
	s.NFTables.Ruleset = table("prerouting", ruleset.Drop)
	e.Status = snapshot.Denied
	for to, verdict := range map[string]packet.Verdict{"203.0.113.7": packet.Unknown, "203.0.113.1": packet.Unreachable} { // the second is the host's
		a := New(t.Context(), s, Limits{}, nil).Ask(&reach.Question{From: at(ext0, "203.0.113.9/32"), Proto: "tcp", Dport: 80, To: toAddr(to)})
		want(t, a, verdict, "")
	}
}
