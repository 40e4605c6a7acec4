//go:build linux

package model

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/e2e/oracle"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/trace"
)

// TestChecksumsOfUDPLite: conntrack takes a packet of UDP-Lite for invalid where it verifies checksums and the device did not; both fates are told. Where
// the switch is off, it is new in both engines.
func TestChecksumsOfUDPLite(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newCrossing(t, crossing)
	const rules = "table inet f { chain i { type filter hook input priority 0; policy accept; ct state invalid drop; }; }\n"
	if err := b.o.Load(rules); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		verifies, kernel string
		fates            int // that trace tells
		reach            packet.Verdict
	}{{"1", "drop", 2, packet.Unknown}, {"0", "local", 0, packet.Reachable}} {
		bed.Shell(t, "sysctl -qw net.netfilter.nf_conntrack_checksum=%s", c.verifies)
		b.see()
		if err := b.o.Forget(); err != nil {
			t.Fatal(err)
		}
		p := &oracle.Packet{
			In: "mgmt0", Src: netip.MustParseAddr("10.10.0.9"), Dst: netip.MustParseAddr("10.10.0.1"), Proto: 136, Sport: 4000, Dport: 7,
		}
		kernel := b.fate(t.Name(), p)
		got := b.tracer().Packet(question(p))
		if kernel.Fate != c.kernel || len(got.ByTraffic) != c.fates || c.fates == 0 && got.Fate != trace.Local {
			t.Errorf("nf_conntrack_checksum %s: kernel %s, want %s; trace %s %+v", c.verifies, kernel.Fate, c.kernel, got.Fate, got.ByTraffic)
		}
		a := b.reached("136", reach.Target{Host: true, Addr: p.Dst})
		if a.Verdict != c.reach {
			t.Errorf("nf_conntrack_checksum %s: reach %s, want %s", c.verifies, a.Verdict, c.reach)
		}
	}
}
