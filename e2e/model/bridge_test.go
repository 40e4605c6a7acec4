//go:build linux

package model

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/e2e/oracle"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/trace"
)

// bridged is the host of the bridge tests: crossing, with neighbours whose link layer addresses are known, so
// that what is filtered after the last IP hook shows by what leaves the devices.
const bridged = crossing + `
ip link set docker0 arp on; ip link set ext0 arp on
for n in 2 3; do
ip neigh add 172.17.0.$n lladdr 02:00:00:00:17:0$n nud permanent dev docker0; ip neigh add fd17::$n lladdr 02:00:00:00:17:0$n nud permanent dev docker0
done
bridge fdb add 02:00:00:00:17:02 dev vw1 master static; bridge fdb add 02:00:00:00:17:03 dev vw2 master static
ip neigh add 203.0.113.9 lladdr 02:00:00:00:20:09 nud permanent dev ext0; ip neigh add fd20::9 lladdr 02:00:00:00:20:09 nud permanent dev ext0
`

var bridgeTraps = []trap{
	{"no rules", ""},
	{"a bridge's input", `table bridge b { chain i { type filter hook input priority 0; policy accept; tcp dport 22 drop
	ip saddr 172.17.0.3 udp dport 53 drop; ip6 saddr fd17::3 drop
	} }`},
	{"a bridge's prerouting by port", `table bridge b { chain p { type filter hook prerouting priority -300; policy accept; iifname "vw1" tcp dport { 22, 80 } drop
	iifname "vw2" ether saddr 02:00:00:00:17:03 udp dport 53 drop; ether daddr 02:00:00:00:17:03 tcp dport 443 drop
	} }`},
	{"a bridge's forward", `table bridge b { chain f { type filter hook forward priority 0; policy drop; iifname "vw1" oifname "vw2" tcp dport 80 accept
	meta protocol ip6 udp dport 53 accept; ip protocol icmp accept
	} }`},
	{"a bridge's output and postrouting", `table bridge b { chain o { type filter hook output priority 0; policy accept; tcp dport 80 drop; ip daddr 172.17.0.3 drop
	} chain p { type filter hook postrouting priority 300; policy accept; oifname "vw1" udp dport 53 drop; ether saddr 02:00:00:00:17:02 drop
	} }`},
	{"bridge and IP filters", `table bridge b { chain p { type filter hook prerouting priority 10; policy accept; meta mark 0x7 tcp dport 22 drop; ip daddr 172.17.0.3 tcp dport 80 drop
	} chain q { type filter hook prerouting priority -10; policy accept; meta mark 0x7 drop; tcp dport 8080 meta mark set 0x9
	} chain i { type filter hook input priority 0; policy accept; meta mark 0x7 udp dport 53 drop
	} }
	table inet f { chain p { type filter hook prerouting priority -150; policy accept; iifname "docker0" meta mark set 0x7; meta mark 0x9 drop
	} chain i { type filter hook input priority 0; policy accept; tcp dport 443 drop
	} chain fw { type filter hook forward priority 0; policy accept; iifname "docker0" oifname "docker0" tcp dport 443 drop
	} }`},
	{"filters at ingress and egress of devices", `table netdev n { chain i { type filter hook ingress device "vw1" priority 0; policy accept; tcp dport 22 drop; ether saddr 02:00:00:00:17:02 udp dport 161 drop
	} chain j { type filter hook ingress device "docker0" priority 0; policy accept; udp dport 53 drop
	} chain e { type filter hook egress device "ext0" priority 0; policy accept; tcp dport 80 drop; ether saddr 02:00:00:00:17:02 drop; ip saddr 172.17.0.3 drop
	} chain k { type filter hook egress device "vw2" priority 0; policy accept; tcp dport 443 drop; udp dport 161 drop
	} }`},
	{"a bridge that lets nothing up", `table bridge b { chain i { type filter hook input priority 0; policy drop; ether type arp accept
	iifname "vw2" tcp dport 22 accept; ip6 saddr fd17::2 udp dport 53 accept
	} }`},
	{"a bridge that lets nothing out", `table bridge b { chain o { type filter hook output priority 0; policy drop; ether type arp accept; ip daddr 172.17.0.3 tcp dport 80 accept
	} chain p { type filter hook postrouting priority 0; policy accept; ip6 daddr fd17::3 drop
	} }`},
	{"a device that lets nothing out", `table netdev n { chain e { type filter hook egress device "ext0" priority 0; policy drop; ether saddr 02:00:00:00:00:99 accept; iifname "vw1" accept
	ip saddr 172.17.0.2 udp dport 53 accept
	} }`},
	{"isolation of what a container sends", `table bridge cni { map m { type ifname : verdict; elements = { "vw1" : jump c } }
	chain p { type filter hook prerouting priority filter; policy accept; iifname vmap @m
	}
	chain c { ether saddr != 02:00:00:00:17:02 drop
	} }`},
}

// overBridge compares what the model says of n frames, of what reaches whom, and of what gets from port to port, with the kernel, where rules of iptables see
// frames of bridges or not. It says what it calls that.
func (b *bedOracle) overBridge(t *testing.T, name, calls string, r *rand.Rand, n int, sum *tally, reached *reachTally) string {
	t.Helper()
	if err := oracle.Shell("sysctl -qw net.bridge.bridge-nf-call-iptables=" + calls + " net.bridge.bridge-nf-call-ip6tables=" + calls); err != nil {
		t.Fatal(err)
	}
	b.see()
	packets := bridgePackets(r, 2*n)
	name += ", br_netfilter " + calls
	b.compare(name, packets[:n], sum)
	b.compareReach(name, packets[n:], reached)
	b.portsAgree(name, bridgePackets(r, n), reached)
	return name
}

// TestBridgesAgreeWithKernel is TestTraceAgreesWithKernel and TestReachAgreesWithKernel for filters of bridges and devices.
func TestBridgesAgreeWithKernel(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newCrossing(t, bridged)
	b.o.Wire = true
	seed, _, perRuleset := runSize(t, 0, 150)
	sum, reached := newTally(), newReachTally()
	for i, trap := range bridgeTraps {
		if err := b.o.Load(bed.Spread(trap.rules)); err != nil {
			t.Errorf("%s: %v", trap.name, err)
			continue
		}
		for _, calls := range []string{"1", "0"} {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			name := b.overBridge(t, trap.name, calls, r, perRuleset, sum, reached)
			b.forwarding("0") // then nothing but the bridge takes frames from port to port
			b.see()
			b.portsAgree(name+", no forwarding", bridgePackets(r, perRuleset), reached)
			b.forwarding("1")
		}
	}
	for _, ports := range []string{"vw1", "vw1 vw2"} { // which exchange nothing with each other
		if err := errors.Join(b.o.Load("table bridge b { }"), oracle.Shell("for p in "+ports+"; do ip link set $p type bridge_slave isolated on; done")); err != nil {
			t.Fatal(err)
		}
		b.see()
		r := rand.New(rand.NewPCG(seed, uint64(len(ports))))
		b.compare("isolated "+ports, bridgePackets(r, perRuleset), sum)
		b.forwarding("0")
		b.see()
		b.portsAgree("isolated "+ports, bridgePackets(r, perRuleset), reached)
		b.forwarding("1")
	}
	// What a locked port takes is up to the bridge's table: nobody is known there, and nothing may be called reachable.
	if err := oracle.Shell("for p in vw1 vw2; do ip link set $p type bridge_slave isolated off; done; ip link set vw1 type bridge_slave locked on fdb_flush"); err != nil {
		t.Fatal(err)
	}
	b.see()
	r := rand.New(rand.NewPCG(seed, 3))
	b.compare("locked vw1", bridgePackets(r, perRuleset), sum)
	b.portsAgree("locked vw1", bridgePackets(r, perRuleset), reached)
	sum.report(t)
	reached.report(t)
}

func (b *bedOracle) forwarding(value string) {
	if err := oracle.Shell("sysctl -qw net.ipv4.conf.all.forwarding=" + value + " net.ipv6.conf.all.forwarding=" + value); err != nil {
		b.t.Fatal(err)
	}
}

// portsAgree compares what reach says of frames from port to port with those that went over.
func (b *bedOracle) portsAgree(name string, packets []*oracle.Packet, sum *reachTally) {
	m, s := b.model()
	tr := trace.New(s)
	for _, p := range packets {
		proto := map[uint8]string{6: "tcp", 17: "udp", 1: "icmp", 58: "icmp"}[p.Proto]
		out := map[string]string{"vw1": "vw2", "vw2": "vw1"}[p.In]
		beside := map[string]string{"172.17.0.2": "vw1", "fd17::2": "vw1", "172.17.0.3": "vw2", "fd17::3": "vw2"}[p.Dst.String()] == out
		if out == "" || p.DMAC == nil && !beside || !b.fresh(p) { // also what a neighbour has the host route back by the bridge
			continue
		}
		a := m.Reach(&reach.Question{
			From:  []packet.Origin{{Index: s.Network.LinkNamed(p.In).Index, From: []netip.Prefix{netip.PrefixFrom(p.Src, p.Src.BitLen())}}},
			Proto: proto, Dport: int(p.Dport), To: reach.Target{Oifs: []int{s.Network.LinkNamed(out).Index}, Final: []netip.Prefix{netip.PrefixFrom(p.Dst, p.Dst.BitLen())}},
		})
		sum.questions++
		sum.verdicts[a.Verdict]++
		f := b.fate(name, p)
		sum.packets++
		if went := f.Fate == "forward"; went && a.Verdict == packet.Unreachable {
			sum.wrong = append(sum.wrong, fmt.Sprintf("%s: %s is unreachable by %v, but it went over", name, question(p), first(a.StoppedBy)))
		} else if a.Verdict == packet.Reachable {
			w := *a.Witness
			w.Type = &p.Type
			if end := tr.Packet(&w); end.Fate != trace.Forward || end.Oif != out && (w.DMAC != "" || end.Oif != "docker0") {
				sum.wrong = append(sum.wrong, fmt.Sprintf("%s: the witness %+v ends %s %s %s", name, a.Witness, end.Fate, end.Oif, end.Rule))
			}
		}
	}
}

// bridgePackets are packets for the host and for neighbours, also from port to port.
func bridgePackets(r *rand.Rand, n int) []*oracle.Packet {
	v4, v6 := []string{"172.17.0.2", "172.17.0.3", "203.0.113.9", "172.17.0.1", "203.0.113.1"}, []string{"fd17::2", "fd17::3", "fd20::9", "fd17::1", "fd20::1"}
	macs := map[string]string{"172.17.0.2": "02:00:00:00:17:02", "172.17.0.3": "02:00:00:00:17:03", "fd17::2": "02:00:00:00:17:02", "fd17::3": "02:00:00:00:17:03"}
	var out []*oracle.Packet
	for len(out) < n {
		p := &oracle.Packet{In: pick(r, "vw1", "vw2", "ext0"), Flags: 2, Sport: uint16(1024 + r.IntN(64000)), Dport: uint16(pick(r, 22, 53, 80, 443, 161, 8080))}
		p.Src = netip.MustParseAddr(map[string]string{"vw1": "172.17.0.2", "vw2": "172.17.0.3", "ext0": "203.0.113.9"}[p.In])
		list := v4
		if r.IntN(3) == 0 {
			p.Src = netip.MustParseAddr(map[string]string{"vw1": "fd17::2", "vw2": "fd17::3", "ext0": "fd20::9"}[p.In])
			list = v6
		}
		p.Dst = netip.MustParseAddr(pick(r, list...))
		if p.Dst == p.Src {
			continue
		}
		p.SMAC, _ = net.ParseMAC(map[string]string{"vw1": "02:00:00:00:17:02", "vw2": "02:00:00:00:17:03", "ext0": "02:00:00:00:20:09"}[p.In])
		if mac := macs[p.Dst.String()]; mac != "" && p.In != "ext0" && r.IntN(4) > 0 { // hosts on one bridge talk to each other, seldom by way of the host
			p.DMAC, _ = net.ParseMAC(mac)
		}
		p.Proto = pick(r, uint8(6), 17, 1)
		if p.Proto == 1 {
			p.Sport, p.Dport, p.Type = 0, 0, 8
			if !p.Src.Is4() {
				p.Proto, p.Type = 58, 128
			}
		}
		out = append(out, p)
	}
	return out
}
