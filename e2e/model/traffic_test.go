//go:build linux

package model

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/e2e/oracle"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/trace"
)

// TestTrafficBefore sends packets to rules that depend on the traffic before: the first one meets them at rest, and after enough of them
// they are used up. Trace knows both fates, and which is which.
func TestTrafficBefore(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newCrossing(t, crossing)
	for name, c := range map[string]struct {
		nft, iptables string
		rest, used    string // fates
		many          int    // packets until it is used up, 0: traffic does not do it here
	}{
		"limit":              {nft: "tcp dport 22 ct state new limit rate 10/minute burst 5 packets accept", rest: "local", used: "drop", many: 8},
		"limit over":         {nft: "tcp dport 22 limit rate over 10/minute burst 3 packets drop; tcp dport 22 accept", rest: "local", used: "drop", many: 8},
		"limit of bytes":     {nft: "tcp dport 22 limit rate 2000 bytes/hour accept", rest: "local", used: "drop", many: 60},
		"limit of a chain":   {nft: "tcp flags & (fin|syn|rst|ack) == syn jump s; tcp dport 22 accept", rest: "local", used: "drop", many: 8},
		"quota":              {nft: "tcp dport 22 quota 100 bytes accept", rest: "local", used: "drop", many: 8},
		"quota over":         {nft: "tcp dport 22 quota over 100 bytes drop; tcp dport 22 accept", rest: "local", used: "drop", many: 8},
		"used up to accept":  {nft: "tcp dport 22 limit rate over 10/minute burst 3 packets accept", rest: "drop", used: "local", many: 8},
		"limit by its name":  {nft: "counter name c tcp dport 22 limit name l accept", rest: "local", used: "drop", many: 8},
		"limit by two names": {nft: "tcp dport 23 limit name l accept; tcp dport 22 limit name l accept", rest: "local", used: "drop", many: 8},
		"quota by its name":  {nft: "tcp dport 22 quota name q drop; tcp dport 22 accept", rest: "local", used: "drop", many: 8},
		"limit by a map":     {nft: "tcp dport 22 limit name ip saddr map { 10.10.0.8 : \"l\", 10.10.0.9 : \"l\" } accept", rest: "local", used: "drop", many: 8},
		"meter":              {nft: "tcp dport 22 update @m { ip saddr limit rate over 10/minute burst 3 packets } drop; tcp dport 22 accept", rest: "local", used: "drop", many: 8},
		"set of the blocked": {nft: "tcp dport 22 ip saddr @m drop; tcp dport 22 add @m { ip saddr } accept", rest: "local", used: "drop", many: 2},
		"set of who knocked": {nft: "tcp dport 22 ip saddr @m accept; tcp dport 22 add @m { ip saddr } drop", rest: "drop", used: "local", many: 2},
		"set of the new":     {nft: "tcp dport 22 ip saddr != @m add @m { ip saddr } accept", rest: "local", used: "drop", many: 2},
		"ct count":           {nft: "tcp dport 22 ct count over 2 drop; tcp dport 22 accept", rest: "local", used: "drop"},
		"recent": {iptables: `-A INPUT -p tcp --dport 22 -m recent --set --name A
-A INPUT -p tcp --dport 22 -m recent --update --seconds 60 --hitcount 4 --name A -j DROP
-A INPUT -p tcp --dport 22 -j ACCEPT`, rest: "local", used: "drop", many: 6},
		"recent that nobody entered": {iptables: "-A INPUT -p tcp --dport 22 -m recent --rcheck --name B -j ACCEPT", rest: "drop", used: "local"},
		"hashlimit":                  {iptables: `-A INPUT -p tcp --dport 22 -m hashlimit --hashlimit-upto 3/min --hashlimit-burst 3 --hashlimit-mode srcip --hashlimit-name c -j ACCEPT`, rest: "local", used: "drop", many: 8},
		"hashlimit above": {iptables: `-A INPUT -p tcp --dport 22 -m hashlimit --hashlimit-above 3/min --hashlimit-burst 3 --hashlimit-mode srcip --hashlimit-name d -j DROP
-A INPUT -p tcp --dport 22 -j ACCEPT`, rest: "local", used: "drop", many: 8},
		"connlimit":         {iptables: `-A INPUT -p tcp --dport 22 -m connlimit --connlimit-upto 2 -j ACCEPT`, rest: "local", used: "drop"},
		"quota of iptables": {iptables: `-A INPUT -p tcp --dport 22 -m quota --quota 100 -j ACCEPT`, rest: "local", used: "drop", many: 8},
	} {
		t.Run(name, func(t *testing.T) { b.trafficBefore(t, name, c.nft, c.iptables, c.rest, c.used, c.many) })
	}
}

func (b *bedOracle) trafficBefore(t *testing.T, name, nft, iptables, rest, used string, many int) {
	t.Helper()
	if err := b.o.Load(`table inet f { set m { type ipv4_addr; flags dynamic; size 100; timeout 1m; }
	limit l { rate 10/minute burst 3 packets; }
	quota q { over 100 bytes; }
	counter c { }
	chain s { limit rate 5/minute burst 3 packets return; drop; }
	chain i { type filter hook input priority 0; policy ` + map[bool]string{true: "drop", false: "accept"}[nft != ""] + "; " + nft + " ; }; }\n"); err != nil {
		t.Fatal(err)
	}
	if iptables != "" {
		b.restore(t, "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"+iptables+"\nCOMMIT\n")
	}
	if err := b.o.Forget(); err != nil {
		t.Fatal(err)
	}
	ask := func(sport uint16) oracle.Fate {
		return b.fate(name, &oracle.Packet{
			In: "mgmt0", Src: netip.MustParseAddr("10.10.0.9"), Dst: netip.MustParseAddr("10.10.0.1"), Proto: 6, Flags: 2, Sport: sport, Dport: 22,
		})
	}
	tracer := b.tracer()
	p, err := packet.Parse("mgmt0", "tcp 10.10.0.9:42000 > 10.10.0.1:22 syn")
	if err != nil {
		t.Fatal(err)
	}
	f := tracer.Packet(p)
	if f.Fate != trace.Unknown || len(f.ByTraffic) != 2 {
		t.Fatalf("%+v, want two fates", f)
	}
	for i, want := range []string{rest, used} {
		if got := f.ByTraffic[i]; string(got.Fate.Fate) != want || len(got.If) == 0 {
			t.Errorf("fate %d: %s if %v, want %s", i, got.Fate.Fate, got.If, want)
		}
	}
	if got := ask(42000); got.Fate != rest {
		t.Errorf("the first packet ends %s, want %s", got.Fate, rest)
	}
	if many == 0 {
		return
	}
	var last oracle.Fate
	for i := range many {
		last = ask(uint16(42001 + i))
	}
	if last.Fate != used {
		t.Errorf("packet %d ends %s, want %s", many+1, last.Fate, used)
	}
}

// restore loads rules of iptables beside what is there.
func (b *bedOracle) restore(t *testing.T, text string) {
	t.Helper()
	cmd := exec.Command("iptables-nft-restore", "--noflush")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("iptables-nft-restore: %v: %s", err, out)
	}
}

// TestSendersChoose sends packets with several times to live to rules that ask for it: trace tells under which condition a packet ends how, and the
// kernel agrees for each.
func TestSendersChoose(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newCrossing(t, crossing)
	for name, rules := range map[string]string{
		"one":                    "chain i { type filter hook input priority 0; policy accept; ip ttl < 30 drop; }",
		"two, one after another": "chain i { type filter hook input priority 0; policy drop; ip ttl 1-9 drop; ip ttl { 5, 20, 64 } accept; ip6 hoplimit 255 accept; }",
		"a map":                  "chain i { type filter hook input priority 0; policy drop; ip ttl vmap { 1-9 : accept, 20 : drop, 64-100 : accept }; }",
		"of what is forwarded":   "chain f { type filter hook forward priority 0; policy accept; ip ttl 19 drop; ip ttl 255 drop; }",
	} {
		t.Run(name, func(t *testing.T) {
			if err := b.o.Load("table inet f { " + rules + "; }\n"); err != nil {
				t.Fatal(err)
			}
			for _, dst := range []string{"10.10.0.1", "203.0.113.9"} {
				b.sendersChoose(t, name, dst)
			}
		})
	}
}

func (b *bedOracle) sendersChoose(t *testing.T, name, dst string) {
	t.Helper()
	tracer := b.tracer()
	p, err := packet.Parse("mgmt0", "tcp 10.10.0.9:42000 > "+dst+":22 syn")
	if err != nil {
		t.Fatal(err)
	}
	open := tracer.Packet(p)
	for _, ttl := range []uint8{1, 2, 5, 9, 10, 20, 21, 30, 64, 100, 101, 255} {
		k := *p
		k.TTL = ttl
		f := tracer.Packet(&k)
		got := b.fate(name, &oracle.Packet{
			In: "mgmt0", Src: p.Src, Dst: p.Dst, Proto: 6, Flags: 2, Sport: 42000 + uint16(ttl), Dport: 22, TTL: ttl,
		})
		if string(f.Fate) != got.Fate {
			t.Errorf("to %s with a time to live of %d: %s by %s, want %s", dst, ttl, f.Fate, f.Rule, got.Fate)
		}
	}
	for _, c := range open.ByTraffic {
		k := *p
		if k.TTL = c.Fate.TTL; k.TTL == 0 {
			t.Errorf("to %s: %s if %v, and no time to live", dst, c.Fate.Fate, c.If)
			continue
		}
		if f := tracer.Packet(&k); f.Fate != c.Fate.Fate {
			t.Errorf("to %s with a time to live of %d: %s, want %s", dst, k.TTL, f.Fate, c.Fate.Fate)
		}
	}
	if open.Fate == trace.Unknown && len(open.ByTraffic) < 2 {
		t.Errorf("to %s: %+v", dst, open)
	}
}

// TestSendersChooseBytes sends echo requests to a rule that asks for their number: trace tells what ends how, and the kernel agrees for both.
func TestSendersChooseBytes(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newCrossing(t, crossing)
	id := uint16((b.next + 0x10001) >> 16)
	if err := b.o.Load(fmt.Sprintf("table inet f { chain i { type filter hook input priority 0; policy accept; icmp id %d drop; }; }\n", id)); err != nil {
		t.Fatal(err)
	}
	p := &oracle.Packet{In: "mgmt0", Src: netip.MustParseAddr("10.10.0.9"), Dst: netip.MustParseAddr("10.10.0.1"), Proto: 1, Type: 8}
	got := b.tracer().Packet(question(p))
	told := map[string]string{}
	for _, f := range got.ByTraffic {
		told[string(f.Fate.Fate)] = f.If[0].Text
	}
	if want := fmt.Sprintf("the number in bytes 4 to 5 of the transport header is 0x%04x", id); len(told) != 2 || told["drop"] != want {
		t.Errorf("%+v, want drop if %s", got, want)
	}
	for _, want := range []string{"drop", "local"} {
		if f := b.fate(t.Name(), p); f.Fate != want {
			t.Errorf("request %d: %s, want %s", b.next>>16, f.Fate, want)
		}
	}
}
