package exposure

import (
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestProgramsFindSocketsForAnyPort: a program of sk_lookup can give a socket what the filter lets pass to another port, and to another
// address. Only what no packet gets past is closed.
func TestProgramsFindSocketsForAnyPort(t *testing.T) {
	for name, c := range map[string]struct {
		addr  string
		rules [][]ruleset.Expr
		want  packet.Verdict
	}{
		"another port is open":      {"0.0.0.0", [][]ruleset.Expr{join(tcpTo(8000), accepted)}, packet.Unknown},
		"of a socket at loopback":   {"127.0.0.1", [][]ruleset.Expr{join(tcpTo(8000), accepted)}, packet.Unknown},
		"of a socket that is alone": {"192.0.2.77", [][]ruleset.Expr{join(tcpTo(8000), accepted)}, packet.Unknown},
		"nothing is open":           {"0.0.0.0", nil, packet.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			s.Network.Programs = []snapshot.Program{{Kind: snapshot.ProgramSkLookup, Name: "steer"}}
			s.NFTables.Ruleset = table("input", ruleset.Drop, c.rules...)
			i := listen(s, hostInode, c.addr, 22)
			want(t, only(t, s, i, outside, true), c.want, map[packet.Verdict]string{packet.Unknown: "steer"}[c.want])
		})
	}
}

// TestTransparentSocketsTakeWhatTheyAreHanded: packets that tproxy hands over reach the transparent socket, whatever their port, and not the
// one that listens there.
func TestTransparentSocketsTakeWhatTheyAreHanded(t *testing.T) {
	yes := true
	for name, c := range map[string]struct {
		addr string
		to   ruleset.Hex
		n    int // sockets at the address
	}{
		"at any address":           {"0.0.0.0", nil, 1},
		"at an address of no host": {"192.0.2.77", ruleset.Hex{192, 0, 2, 77}, 1},
		"of many processes":        {"0.0.0.0", nil, 70},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			handed := []ruleset.Expr{
				{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: c.to}},
				{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 2, Data: ruleset.Hex{9000 >> 8, 9000 & 0xff}}},
				{Name: "tproxy", NAT: &ruleset.NAT{Kind: "tproxy", AddrMin: 1, PortMin: 2}},
			}
			if c.to == nil {
				handed = handed[1:]
				handed[1].NAT.AddrMin = 0
			}
			s.NFTables.Ruleset = table("prerouting", ruleset.Accept, join(tcpTo(80), handed, accepted))
			chain := table("input", ruleset.Drop, join(tcpTo(80), accepted)).Tables[0].Chains[0]
			chain.Name = "i"
			s.NFTables.Ruleset.Tables[0].Chains = append(s.NFTables.Ruleset.Tables[0].Chains, chain)
			var taker int
			for range c.n {
				taker = listen(s, hostInode, c.addr, 9000)
				s.Listeners.Sockets[taker].Transparent = &yes
			}
			at80 := listen(s, hostInode, "0.0.0.0", 80)
			want(t, only(t, s, taker, outside, true), packet.Reachable, "")
			want(t, only(t, s, at80, outside, true), packet.Unreachable, "")
		})
	}
}

// TestProgramsFindWhoIsHandedPackets: tproxy finds the socket as any look-up does, with the program of sk_lookup first: where nobody listens, that can
// give packets to somebody.
func TestProgramsFindWhoIsHandedPackets(t *testing.T) {
	yes := true
	for name, programs := range map[string][]snapshot.Program{"alone": nil, "a program": {{Kind: snapshot.ProgramSkLookup, Name: "steer"}}} {
		t.Run(name, func(t *testing.T) {
			s := host()
			s.Network.Programs = programs
			handed := []ruleset.Expr{
				{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: ruleset.Hex{9000 >> 8, 9000 & 0xff}}},
				{Name: "tproxy", NAT: &ruleset.NAT{Kind: "tproxy", PortMin: 1}},
			}
			s.NFTables.Ruleset = table("prerouting", ruleset.Drop, join(tcpTo(80), handed, accepted))
			taker := listen(s, hostInode, "192.0.2.77", 9001)
			s.Listeners.Sockets[taker].Transparent = &yes
			verdict := packet.Unreachable
			if programs != nil {
				verdict = packet.Unknown
			}
			want(t, only(t, s, taker, outside, true), verdict, map[bool]string{true: "steer"}[programs != nil])
		})
	}
}
