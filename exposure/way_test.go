package exposure

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// ask is the answer to one question, by both models.
func ask(t *testing.T, s *snapshot.Snapshot, q *reach.Question) Answer {
	t.Helper()
	return New(t.Context(), s, Limits{}, nil).Ask(q)
}

// at is an origin behind an interface, with those sources.
func at(index int, from ...string) []packet.Origin {
	return []packet.Origin{{Index: index, From: prefixes(from...)}}
}

func toAddr(a string) reach.Target { return reach.Target{Addr: netip.MustParseAddr(a)} }

// TestSourcesOfWhatGoesBack: what leaves by the interface that it came in by has its source checked in full where the kernel may send a
// redirect, also without rp_filter.
func TestSourcesOfWhatGoesBack(t *testing.T) {
	s := host()
	s.Network.Routes = append(s.Network.Routes,
		snapshot.Route{Family: 4, Table: 255, Type: "broadcast", Dst: "10.0.0.255/32", Oifs: []int{br0}, Protocol: 2},
		snapshot.Route{Family: 4, Table: 254, Type: "unreachable", Dst: "192.0.2.0/24"})
	redirects := func(f snapshot.Fact) {
		s.Network.Sysctls["net/ipv4/conf/all/send_redirects"], s.Network.Sysctls["net/ipv4/conf/ext0/send_redirects"] = off, f
	}
	for _, c := range []struct {
		redirects snapshot.Fact
		src, dst  string
		want      packet.Verdict
	}{
		{on, "10.0.0.255/32", "198.51.100.7", packet.Unreachable},
		{off, "10.0.0.255/32", "198.51.100.7", packet.Reachable},
		{on, "10.0.0.255/32", "10.0.0.2", packet.Reachable}, // it leaves by another one
		{on, "192.0.2.7/32", "198.51.100.7", packet.Reachable},
		{on, "203.0.113.9/32", "198.51.100.7", packet.Reachable},
		{snapshot.Fact{State: snapshot.Denied, Reason: "x"}, "10.0.0.255/32", "198.51.100.7", packet.Unreachable},
	} {
		redirects(c.redirects)
		a := ask(t, s, &reach.Question{From: at(ext0, c.src), Proto: "udp", Dport: 9999, To: toAddr(c.dst)})
		if c.redirects.State == snapshot.Denied {
			if a.Verdict == packet.Reachable {
				t.Errorf("%s to %s: reachable, though the switch was not read", c.src, c.dst)
			}
			continue
		}
		if a.Verdict != c.want || !a.Checked {
			t.Errorf("redirects %s, %s to %s: %s, checked %v, %s", c.redirects.Value, c.src, c.dst, a.Verdict, a.Checked, reasons(a))
		}
	}
}

// TestSourcesBetweenPorts: a question from port to port is about its own sources: in a family of which they have none there are no frames.
func TestSourcesBetweenPorts(t *testing.T) {
	for _, policy := range []string{ruleset.Drop, ruleset.Accept} {
		s := host()
		s.NFTables.Ruleset = table("forward", policy, join(meta(ruleset.MetaNfproto, 10), accepted))
		for _, k := range []string{"bridge-nf-call-iptables", "bridge-nf-call-ip6tables"} {
			s.Network.Sysctls["net/bridge/"+k] = on
		}
		want := map[string]packet.Verdict{ruleset.Drop: packet.Unreachable, ruleset.Accept: packet.Reachable}[policy]
		a := ask(t, s, &reach.Question{From: at(port0, "10.0.0.3/32"), Proto: "tcp", Dport: 80, To: reach.Target{Oifs: []int{port1}}})
		if a.Verdict != want || !a.Checked || want == packet.Reachable && a.Witness.Src != netip.MustParseAddr("10.0.0.3") {
			t.Errorf("policy %s: %s, checked %v, %v %s", policy, a.Verdict, a.Checked, a.Witness, reasons(a))
		}
		six := ask(t, s, &reach.Question{From: at(port0, "fd00::3/128"), Proto: "tcp", Dport: 80, To: reach.Target{Oifs: []int{port1}}})
		if six.Verdict != packet.Reachable || six.Witness.Src != netip.MustParseAddr("fd00::3") {
			t.Errorf("policy %s: %s %v %s", policy, six.Verdict, six.Witness, reasons(six))
		}
	}
}

// TestMarksOfConnections: CONNMARK sets, saves and restores, and shifts what it copies; a connection begins without a mark.
func TestMarksOfConnections(t *testing.T) {
	xt := func(target bool, name string, d ruleset.XtDecoded) ruleset.Expr {
		return ruleset.Expr{Name: map[bool]string{true: "target", false: "match"}[target], Xt: &ruleset.Xt{Target: target, Name: name, Decoded: &d}}
	}
	connmark := func(c ruleset.XtConnmark) []ruleset.Expr {
		return []ruleset.Expr{xt(c.Mode != "match", map[bool]string{true: "CONNMARK", false: "connmark"}[c.Mode != "match"], ruleset.XtDecoded{Connmark: &c})}
	}
	mark := func(n uint32) []ruleset.Expr {
		return []ruleset.Expr{xt(true, "MARK", ruleset.XtDecoded{Mark: &ruleset.XtMark{Set: true, Mark: n, Mask: 0xffffffff}})}
	}
	const all = 0xffffffff
	save := ruleset.XtConnmark{Mode: "save", Mask: all, NFMask: all}
	for i, c := range []struct {
		rules [][]ruleset.Expr
		match ruleset.XtConnmark
		want  packet.Verdict
	}{
		{nil, ruleset.XtConnmark{Mark: 0, Mask: all}, packet.Reachable},
		{nil, ruleset.XtConnmark{Mark: 7, Mask: all}, packet.Unreachable},
		{[][]ruleset.Expr{mark(7), connmark(save)}, ruleset.XtConnmark{Mark: 7, Mask: all}, packet.Reachable},
		{[][]ruleset.Expr{mark(7), connmark(save)}, ruleset.XtConnmark{Mark: 7, Mask: all, Invert: true}, packet.Unreachable},
		{[][]ruleset.Expr{connmark(ruleset.XtConnmark{Mode: "set", Mark: 3, Mask: all, Shift: 4})}, ruleset.XtConnmark{Mark: 0x30, Mask: all}, packet.Reachable},
		{[][]ruleset.Expr{mark(0x70), connmark(ruleset.XtConnmark{Mode: "save", Mask: all, NFMask: all, Shift: 4, Right: true})}, ruleset.XtConnmark{Mark: 7, Mask: all}, packet.Reachable},
		{
			[][]ruleset.Expr{mark(7), connmark(save), mark(0), connmark(ruleset.XtConnmark{Mode: "restore", Mask: all, NFMask: all}), mark(0), connmark(save)},
			ruleset.XtConnmark{Mark: 0, Mask: all},
			packet.Reachable,
		},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			s := host()
			c.match.Mode = "match"
			s.NFTables.Ruleset = table("input", ruleset.Drop, append(c.rules, join(connmark(c.match), accepted))...)
			a := ask(t, s, &reach.Question{From: at(ext0, "203.0.113.9/32"), Proto: "tcp", Dport: 22, Unbound: true, To: reach.Target{Host: true}, Family: 4})
			if a.Verdict != c.want || !a.Checked {
				t.Errorf("%s, checked %v, %s", a.Verdict, a.Checked, reasons(a))
			}
		})
	}
}

// TestNeighboursOnBridges: who sends to an address beside a bridge is switched there, whatever the host forwards. Bridges that are joined are one
// link, isolated ports exchange nothing, and frames come back out of a port only if it is a hairpin.
func TestNeighboursOnBridges(t *testing.T) {
	const br1, jo0, jo1, tap1 = 6, 7, 8, 9
	base := func() *snapshot.Snapshot {
		s := host()
		n := &s.Network
		// ext0 is the uplink of br0, which has its address; 10.0.0.0/24 is beside it too. br1 is joined with it and has no address.
		n.Link(ext0).Master, n.Link(br0).Addrs = br0, append(n.Link(br0).Addrs, n.Link(ext0).Addrs...)
		n.Link(ext0).Addrs = nil
		for i := range n.Routes {
			for k, oif := range n.Routes[i].Oifs {
				if oif == ext0 {
					n.Routes[i].Oifs[k] = br0
				}
			}
		}
		for i, l := range []snapshot.Link{
			{Name: "br1", Kind: "bridge", MAC: "02:00:00:00:00:0a"},
			{Name: "jo0", Kind: "veth", Master: br0, PeerIndex: jo1, PeerNetns: hostInode},
			{Name: "jo1", Kind: "veth", Master: br1, PeerIndex: jo0, PeerNetns: hostInode},
			{Name: "tap1", Kind: "tun", Master: br1},
		} {
			l.Index, l.Up, l.Hardware = br1+i, true, 1
			n.Links = append(n.Links, l)
		}
		for _, k := range []string{"bridge-nf-call-iptables", "bridge-nf-call-ip6tables"} {
			n.Sysctls["net/bridge/"+k] = off
		}
		for k, f := range n.Sysctls {
			n.Sysctls[strings.Replace(k, "/br0/", "/br1/", 1)] = f
		}
		s.NFTables.Ruleset = table("forward", ruleset.Drop)
		s.Index()
		return s
	}
	bridgeDrops := func(s *snapshot.Snapshot) {
		rs := table("forward", ruleset.Accept, join(tcpTo(80), dropped))
		rs.Tables[0].Family = ruleset.FamilyBridge
		s.NFTables.Ruleset.Tables = append(s.NFTables.Ruleset.Tables, rs.Tables...)
	}
	isolate := func(ports ...int) func(s *snapshot.Snapshot) {
		return func(s *snapshot.Snapshot) {
			for _, p := range ports {
				s.Network.Link(p).Isolated = true
			}
		}
	}
	vlans := func(pvid int) func(s *snapshot.Snapshot) {
		return func(s *snapshot.Snapshot) {
			n := &s.Network
			n.Link(br0).VLANFiltering = true
			for _, i := range []int{ext0, br0, port1, jo0} {
				n.Link(i).PVID, n.Link(i).VLANs = 1, []int{1}
			}
			n.Link(port0).PVID, n.Link(port0).VLANs = pvid, []int{pvid}
		}
	}
	second := func(change func(*snapshot.Snapshot)) func(s *snapshot.Snapshot) { // another joint, after the first
		return func(s *snapshot.Snapshot) {
			const jo2, jo3 = 10, 11
			s.Network.Links = append(
				s.Network.Links,
				snapshot.Link{Name: "jo2", Index: jo2, Kind: "veth", Master: br0, PeerIndex: jo3, PeerNetns: hostInode, Up: true, Hardware: 1},
				snapshot.Link{Name: "jo3", Index: jo3, Kind: "veth", Master: br1, PeerIndex: jo2, PeerNetns: hostInode, Up: true, Hardware: 1},
			)
			s.Index()
			change(s)
		}
	}
	alone := func(s *snapshot.Snapshot) { // the guest of port0 is known to be there
		container(s, 4026533000, -1)
	}
	for name, c := range map[string]struct {
		change func(*snapshot.Snapshot)
		from   int
		to     string
		want   packet.Verdict
	}{
		"a guest beside the uplink":        {nil, ext0, "203.0.113.101", packet.Reachable},
		"of another network on the bridge": {nil, ext0, "10.0.0.2", packet.Reachable},
		"from all ports of the bridge":     {nil, br0, "203.0.113.101", packet.Reachable},
		"a guest to the internet":          {nil, port0, "8.8.8.8", packet.Reachable},
		"over the joint":                   {nil, tap1, "203.0.113.9", packet.Reachable},
		"into the joint":                   {nil, ext0, "203.0.113.101", packet.Reachable},
		"to the host's own address":        {nil, ext0, "203.0.113.1", packet.Unreachable},
		"a rule of the bridge":             {bridgeDrops, ext0, "203.0.113.101", packet.Unreachable},
		"br_netfilter":                     {func(s *snapshot.Snapshot) { s.Network.Sysctls["net/bridge/bridge-nf-call-iptables"] = on }, ext0, "203.0.113.101", packet.Unreachable},
		"all isolated":                     {isolate(ext0, port0, port1, jo0), ext0, "203.0.113.101", packet.Unreachable},
		"some isolated":                    {isolate(ext0, port0), ext0, "203.0.113.101", packet.Reachable},
		"the guest's port is isolated":     {func(s *snapshot.Snapshot) { alone(s); isolate(ext0, port0)(s) }, ext0, "10.0.0.2", packet.Unreachable},
		"the guest's port is closed":       {func(s *snapshot.Snapshot) { alone(s); s.Network.Link(port0).Blocking = true }, ext0, "10.0.0.2", packet.Unreachable},
		"the guest itself":                 {alone, port0, "10.0.0.2", packet.Unreachable},
		"the guest itself, by a hairpin":   {func(s *snapshot.Snapshot) { alone(s); s.Network.Link(port0).Hairpin = true }, port0, "10.0.0.2", packet.Reachable},
		"the same VLAN":                    {func(s *snapshot.Snapshot) { alone(s); vlans(1)(s) }, ext0, "10.0.0.2", packet.Reachable},
		"another VLAN":                     {func(s *snapshot.Snapshot) { alone(s); vlans(20)(s) }, ext0, "10.0.0.2", packet.Unreachable},
		"a network behind another one": {func(s *snapshot.Snapshot) {
			s.Network.Routes = append(s.Network.Routes, snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "192.0.2.0/24", Oifs: []int{1}})
		}, ext0, "192.0.2.7", packet.Unreachable},
		"one of two joints is closed": {second(func(s *snapshot.Snapshot) { s.Network.Link(jo0).Blocking = true }), tap1, "203.0.113.9", packet.Reachable},
		"one of two joints has the VLAN": {second(func(s *snapshot.Snapshot) {
			s.Network.Link(br0).VLANFiltering = true
			for _, i := range []int{ext0, br0, port0, port1, 10} {
				s.Network.Link(i).PVID, s.Network.Link(i).VLANs = 1, []int{1}
			}
			s.Network.Link(jo0).PVID, s.Network.Link(jo0).VLANs = 20, []int{20}
		}), tap1, "203.0.113.9", packet.Reachable},
		"none of two joints has the VLAN": {second(func(s *snapshot.Snapshot) {
			s.Network.Link(br0).VLANFiltering = true
			for _, i := range []int{ext0, br0, port0, port1} {
				s.Network.Link(i).PVID, s.Network.Link(i).VLANs = 1, []int{1}
			}
			for _, i := range []int{jo0, 10} {
				s.Network.Link(i).PVID, s.Network.Link(i).VLANs = 20, []int{20}
			}
		}), tap1, "203.0.113.9", packet.Unreachable},
		"over more bridges than are followed": {func(s *snapshot.Snapshot) {
			at := 9
			for i := range 9 { // each is joined with the one before
				b := at + 3*i + 1
				for k, l := range []snapshot.Link{
					{Name: fmt.Sprint("far", i), Kind: "bridge"},
					{Name: fmt.Sprint("a", i), Kind: "veth", Master: max(b-3, br1), PeerIndex: b + 2, PeerNetns: hostInode},
					{Name: fmt.Sprint("b", i), Kind: "veth", Master: b, PeerIndex: b + 1, PeerNetns: hostInode},
				} {
					l.Index, l.Up, l.Hardware = b+k, true, 1
					if i == 0 && k == 1 {
						l.Master = br1
					}
					s.Network.Links = append(s.Network.Links, l)
				}
			}
			s.Network.Links = append(s.Network.Links, snapshot.Link{Name: "tap9", Index: 50, Kind: "tun", Master: 9 + 3*8 + 1, Up: true, Hardware: 1})
			container(s, 4026533000, -1)
			wire(s, port0, 0)
			wire(s, 50, 4026533000)
		}, ext0, "10.0.0.2", packet.Reachable},
		"the other end of the joint is closed": {func(s *snapshot.Snapshot) { s.Network.Link(tap1).Blocking = true }, tap1, "203.0.113.9", packet.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			s := base()
			if c.change != nil {
				c.change(s)
			}
			s.Index()
			q := &reach.Question{From: at(c.from, "0.0.0.0/0"), Proto: "tcp", Dport: 80, To: toAddr(c.to)}
			a := ask(t, s, q)
			if a.Verdict != c.want || a.Checked != (c.want != packet.Unknown) {
				t.Errorf("%s, checked %v, %v %s", a.Verdict, a.Checked, a.Witness, reasons(a))
			}
		})
	}
	s := base()
	for _, q := range []reach.Target{{Oifs: []int{tap1}}, {Oifs: []int{br0, port0, port1}}} {
		if a := ask(t, s, &reach.Question{From: at(ext0, "203.0.113.9/32"), Proto: "tcp", Dport: 80, To: q}); a.Verdict != packet.Reachable || !a.Checked {
			t.Errorf("to %v: %s %s", q.Oifs, a.Verdict, reasons(a))
		}
	}
}

// TestSwitchesThatWereNotRead: a switch that was not read is not taken for one that is off.
func TestSwitchesThatWereNotRead(t *testing.T) {
	for want, state := range map[packet.Verdict]snapshot.Status{packet.Unreachable: snapshot.Present, packet.Unknown: snapshot.Denied} {
		s := host()
		listen(s, s.Network.HostNetns(), "0.0.0.0", 22)
		for _, of := range []string{"all", "ext0"} {
			for _, name := range []string{"rp_filter", "accept_local", "src_valid_mark"} {
				f := snapshot.Fact{State: state, Value: "0"}
				if name == "rp_filter" {
					f = snapshot.Fact{State: snapshot.Present, Value: "1"}
				}
				s.Network.Sysctls["net/ipv4/conf/"+of+"/"+name] = f
			}
		}
		a := ask(t, s, &reach.Question{From: at(ext0, "203.0.113.1/32"), Proto: "tcp", Dport: 22, To: toAddr("203.0.113.1")})
		if a.Verdict != want || want == packet.Unknown && !strings.Contains(reasons(a), "accept_local of ext0 was not read") {
			t.Errorf("%s: %s, %s", state, a.Verdict, reasons(a))
		}
	}
}

// TestTrafficControlThatWasNotRead: where it is not known whether a program takes packets of an interface, no answer about them is sure.
func TestTrafficControlThatWasNotRead(t *testing.T) {
	for _, policy := range []string{ruleset.Accept, ruleset.Drop} {
		s := host()
		s.Network.Links[slices.IndexFunc(s.Network.Links, func(l snapshot.Link) bool { return l.Index == ext0 })].TCUnread = "refused"
		listen(s, s.Network.HostNetns(), "0.0.0.0", 22)
		s.NFTables.Ruleset = table("input", policy)
		a := ask(t, s, &reach.Question{From: at(ext0, "203.0.113.9/32"), Proto: "tcp", Dport: 22, To: toAddr("203.0.113.1")})
		if a.Verdict != packet.Unknown || !strings.Contains(reasons(a), "was not read: refused") {
			t.Errorf("%s: %s, %s", policy, a.Verdict, reasons(a))
		}
	}
}

// TestProgramsBesideTheFilter: a program that can drop, choose the socket, or filter a cgroup, makes an answer unknown where it is on the way, and is
// named. What it cannot let pass stays unreachable.
func TestProgramsBesideTheFilter(t *testing.T) {
	netfilter := snapshot.Program{Kind: snapshot.ProgramNetfilter, Name: "guard", Hook: "input", Family: 4}
	lookup := snapshot.Program{Kind: snapshot.ProgramSkLookup, Name: "steer"}
	for name, c := range map[string]struct {
		programs []snapshot.Program
		cgroup   []string
		policy   string
		port     int
		to       string
		want     packet.Verdict
		why      string
	}{
		"none":                          {nil, nil, ruleset.Accept, 22, "203.0.113.1", packet.Reachable, ""},
		"of a cgroup":                   {nil, []string{"sd_fw_ingress"}, ruleset.Accept, 22, "203.0.113.1", packet.Unknown, "sd_fw_ingress"},
		"of a cgroup, behind a drop":    {nil, []string{"sd_fw_ingress"}, ruleset.Drop, 22, "203.0.113.1", packet.Unreachable, ""},
		"at input":                      {[]snapshot.Program{netfilter}, nil, ruleset.Accept, 22, "203.0.113.1", packet.Unknown, "guard"},
		"at input, behind a drop":       {[]snapshot.Program{netfilter}, nil, ruleset.Drop, 22, "203.0.113.1", packet.Unreachable, ""},
		"at input, of what is routed":   {[]snapshot.Program{netfilter}, nil, ruleset.Accept, 22, "10.0.0.2", packet.Reachable, ""},
		"chooses the socket":            {[]snapshot.Program{lookup}, nil, ruleset.Accept, 22, "203.0.113.1", packet.Unknown, "steer"},
		"chooses one where none is":     {[]snapshot.Program{lookup}, nil, ruleset.Accept, 9999, "203.0.113.1", packet.Unknown, "steer"},
		"at input, untold":              {[]snapshot.Program{{Kind: snapshot.ProgramNetfilter, Unread: "refused"}}, nil, ruleset.Accept, 22, "203.0.113.1", packet.Unknown, "does not tell (refused)"},
		"chooses the socket, untold":    {[]snapshot.Program{{Kind: snapshot.ProgramSkLookup, Unread: "refused"}}, nil, ruleset.Accept, 9999, "203.0.113.1", packet.Unknown, "does not tell (refused)"},
		"chooses a socket after a drop": {[]snapshot.Program{lookup}, nil, ruleset.Drop, 9999, "203.0.113.1", packet.Unreachable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			s.Network.Programs = c.programs
			i := listen(s, s.Network.HostNetns(), "0.0.0.0", 22)
			s.Listeners.Sockets[i].Programs = c.cgroup
			s.NFTables.Ruleset = table("input", c.policy)
			a := ask(t, s, &reach.Question{From: at(ext0, "203.0.113.9/32"), Proto: "tcp", Dport: c.port, To: toAddr(c.to)})
			if a.Verdict != c.want || !strings.Contains(reasons(a), c.why) {
				t.Errorf("%s, checked %v, %s", a.Verdict, a.Checked, reasons(a))
			}
		})
	}
}

// TestWhoSends: rules that ask for the sender are answered for a process that is known, by nft and by iptables.
func TestWhoSends(t *testing.T) {
	ids := func(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }
	owner := func(o ruleset.XtOwner) []ruleset.Expr {
		o.Known = true
		return []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "owner", Rev: 1, Decoded: &ruleset.XtDecoded{Owner: &o}}}}
	}
	agent, other := &packet.Sender{UID: 1001, GID: 100}, &packet.Sender{UID: 1002, GID: 100}
	for name, c := range map[string]struct {
		match []ruleset.Expr
		by    *packet.Sender
		want  packet.Verdict
	}{
		"a user":                       {meta(ruleset.MetaSkuid, ids(1001)...), agent, packet.Unreachable},
		"another user":                 {meta(ruleset.MetaSkuid, ids(1001)...), other, packet.Reachable},
		"anybody":                      {meta(ruleset.MetaSkuid, ids(1001)...), nil, packet.Unknown},
		"a group":                      {meta(ruleset.MetaSkgid, ids(100)...), agent, packet.Unreachable},
		"users of iptables":            {owner(ruleset.XtOwner{Match: 1, UIDs: [2]uint32{1000, 1001}}), agent, packet.Unreachable},
		"users of iptables, another":   {owner(ruleset.XtOwner{Match: 1, UIDs: [2]uint32{1000, 1001}}), other, packet.Reachable},
		"all but users of iptables":    {owner(ruleset.XtOwner{Match: 1, Invert: 1, UIDs: [2]uint32{1001, 1001}}), other, packet.Unreachable},
		"all but a group of iptables":  {owner(ruleset.XtOwner{Match: 2, Invert: 2, GIDs: [2]uint32{100, 100}}), agent, packet.Reachable},
		"users of iptables, of nobody": {owner(ruleset.XtOwner{Match: 1, UIDs: [2]uint32{1000, 1001}}), nil, packet.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			s.NFTables.Ruleset = table("output", ruleset.Accept, join(c.match, dropped))
			q := &reach.Question{From: []packet.Origin{{Local: true, By: c.by}}, Proto: "tcp", Dport: 443, To: toAddr("203.0.113.9")}
			if a := ask(t, s, q); a.Verdict != c.want || a.Checked != (c.want != packet.Unknown) {
				t.Errorf("%s, checked %v, %s", a.Verdict, a.Checked, reasons(a))
			}
		})
	}
}

// TestRoutesOfUsers: a routing rule for users decides for the process that sends, and counts what comes in as root's.
func TestRoutesOfUsers(t *testing.T) {
	for name, c := range map[string]struct {
		uids snapshot.UIDRange
		from packet.Origin
		want packet.Verdict
	}{
		"the user":            {snapshot.UIDRange{First: 1000, Last: 1999}, packet.Origin{Local: true, By: &packet.Sender{UID: 1001}}, packet.Unreachable},
		"another user":        {snapshot.UIDRange{First: 1000, Last: 1999}, packet.Origin{Local: true, By: &packet.Sender{UID: 33}}, packet.Reachable},
		"nobody knows who":    {snapshot.UIDRange{First: 1000, Last: 1999}, packet.Origin{Local: true}, packet.Unknown},
		"a neighbour":         {snapshot.UIDRange{First: 1000, Last: 1999}, at(ext0, "203.0.113.0/24")[0], packet.Reachable},
		"a neighbour, root's": {snapshot.UIDRange{First: 0, Last: 0}, at(ext0, "203.0.113.0/24")[0], packet.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			s.NFTables.Ruleset = table("output", ruleset.Accept)
			for priority, id := range map[int]int{0: 255, 32766: 254, 32767: 253} {
				s.Network.Rules = append(s.Network.Rules, snapshot.PolicyRule{Family: 4, Priority: priority, Table: id, Action: "lookup"})
			}
			s.Network.Rules = append(s.Network.Rules, snapshot.PolicyRule{Family: 4, Priority: 100, UIDs: &c.uids, Action: "blackhole", Dst: "10.0.0.0/24"})
			q := &reach.Question{From: []packet.Origin{c.from}, Proto: "tcp", Dport: 443, To: toAddr("10.0.0.9")}
			if a := ask(t, s, q); a.Verdict != c.want || a.Checked != (c.want != packet.Unknown) {
				t.Errorf("%s, checked %v, %s", a.Verdict, a.Checked, reasons(a))
			}
		})
	}
}

// TestRoutesThatDoSomething: what a route does with packets (lwtunnel) is unknown, and where it can take them round the host's hooks their drops are
// no proof.
func TestRoutesThatDoSomething(t *testing.T) {
	for name, c := range map[string]struct {
		encap, policy string
		local         bool
		want          packet.Verdict
	}{
		"nothing":                        {"", ruleset.Accept, false, packet.Reachable},
		"a program":                      {"bpf", ruleset.Accept, false, packet.Unknown},
		"a program before a drop":        {"bpf", ruleset.Drop, false, packet.Unknown},
		"a header":                       {"ip", ruleset.Accept, false, packet.Unknown},
		"a header after a drop":          {"ip", ruleset.Drop, false, packet.Unreachable},
		"a program, of the host":         {"bpf", ruleset.Accept, true, packet.Unknown},
		"a program, for another address": {"other", ruleset.Accept, false, packet.Reachable},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			s.NFTables.Ruleset = table("forward", c.policy)
			route := snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "10.0.0.9/32", Oifs: []int{br0}, Encap: c.encap}
			if c.encap == "other" {
				route.Dst, route.Encap = "10.0.0.8/32", "bpf"
			}
			s.Network.Routes = append(s.Network.Routes, route)
			from := at(ext0, "203.0.113.0/24")
			if c.local {
				from = []packet.Origin{{Local: true}}
			}
			q := &reach.Question{From: from, Proto: "tcp", Dport: 443, To: toAddr("10.0.0.9")}
			a := ask(t, s, q)
			if a.Verdict != c.want || a.Checked != (c.want != packet.Unknown) || c.want == packet.Unknown && !strings.Contains(reasons(a), "encap "+c.encap) {
				t.Errorf("%s, checked %v, %s", a.Verdict, a.Checked, reasons(a))
			}
		})
	}
}

// TestTransparentProxies: what tproxy gives to a transparent socket is delivered to it, whatever its address, and is not forwarded. Where no
// transparent socket is, the rule ends, and that of iptables drops.
func TestTransparentProxies(t *testing.T) {
	tproxy := func(port uint16) []ruleset.Expr {
		return []ruleset.Expr{
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: binary.BigEndian.AppendUint16(nil, port)}},
			{Name: "tproxy", NAT: &ruleset.NAT{Kind: "tproxy", Family: 2, PortMin: 1}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: binary.NativeEndian.AppendUint32(nil, 1)}},
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Sreg: 1, Set: true}},
		}
	}
	iptables := func(port uint16) []ruleset.Expr {
		x := &ruleset.XtTProxy{Mark: 1, Mask: 1, Port: port, Addr: make([]byte, 16)}
		return []ruleset.Expr{{Name: "target", Xt: &ruleset.Xt{Target: true, Name: "TPROXY", Rev: 1, Decoded: &ruleset.XtDecoded{TProxy: x}}}}
	}
	ofSocket := func(verdict []ruleset.Expr) []ruleset.Expr {
		return join([]ruleset.Expr{{Name: "socket", Extra: &ruleset.Extra{Socket: &ruleset.SocketKey{Key: 0, Dreg: 1}}}},
			[]ruleset.Expr{{Name: "cmp", Cmp: &ruleset.Cmp{Op: ruleset.OpEq, Sreg: 1, Data: []byte{1}}}}, verdict)
	}
	for name, c := range map[string]struct {
		rules       [][]ruleset.Expr
		transparent bool
		want        packet.Verdict
	}{
		"to the socket":                    {[][]ruleset.Expr{join(tcpTo(443), tproxy(15001), accepted)}, true, packet.Reachable},
		"to one that is not transparent":   {[][]ruleset.Expr{join(tcpTo(443), tproxy(15001), accepted)}, false, packet.Unreachable},
		"to nobody":                        {[][]ruleset.Expr{join(tcpTo(443), tproxy(15002), accepted)}, true, packet.Unreachable},
		"of another port":                  {[][]ruleset.Expr{join(tcpTo(80), tproxy(15001), accepted)}, true, packet.Unreachable},
		"by iptables":                      {[][]ruleset.Expr{join(tcpTo(443), iptables(15001))}, true, packet.Reachable},
		"by iptables, to nobody":           {[][]ruleset.Expr{join(tcpTo(443), iptables(15002))}, true, packet.Unreachable},
		"a socket that listens elsewhere":  {[][]ruleset.Expr{ofSocket(dropped), join(tcpTo(443), tproxy(15001), accepted)}, true, packet.Reachable},
		"a socket that has it, is dropped": {[][]ruleset.Expr{join(tcpTo(443), tproxy(15001)), ofSocket(dropped)}, true, packet.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			i := listen(s, s.Network.HostNetns(), "0.0.0.0", 15001)
			s.Listeners.Sockets[i].Transparent = &c.transparent
			s.Network.Routes = append(s.Network.Routes, snapshot.Route{Family: 4, Table: 100, Type: "local", Dst: "0.0.0.0/0", Oifs: []int{1}})
			for i, table := range []int{255, 254, 253} {
				s.Network.Rules = append(s.Network.Rules, snapshot.PolicyRule{Family: 4, Priority: []int{0, 32766, 32767}[i], Table: table, Action: "lookup"})
			}
			s.Network.Rules = append(s.Network.Rules, snapshot.PolicyRule{Family: 4, Priority: 100, Mark: 1, Mask: 1, Table: 100, Action: "lookup"})
			rs := table("forward", ruleset.Drop)
			pre := table("prerouting", ruleset.Accept, c.rules...)
			pre.Tables[0].Family, pre.Tables[0].Name, pre.Tables[0].Chains[0].Base.Priority = "ip", "m", -150
			rs.Tables = append(rs.Tables, pre.Tables...)
			s.NFTables.Ruleset = rs
			a := ask(t, s, &reach.Question{From: at(ext0, "203.0.113.9/32"), Proto: "tcp", Dport: 443, To: toAddr("198.51.100.7")})
			if a.Verdict != c.want || !a.Checked {
				t.Errorf("%s, checked %v, %s", a.Verdict, a.Checked, reasons(a))
			}
		})
	}
}
