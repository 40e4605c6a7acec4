package judge

import (
	"cmp"
	"net/netip"
	"slices"
)

// DocBMCWay is what becomes of packets from a network of workloads to the BMC of the host: its own filters are for the host's address where the host
// hides workloads behind it, and whether it answers is not seen.
type DocBMCWay struct {
	From    string   `json:"from"`    // the interface, or the host's own network namespace
	Address string   `json:"address"` // of the BMC's LAN channel
	Service string   `json:"service"` // udp 623
	Reach   DocReach `json:"reach"`   // what becomes of the packets
}

// bmcServices are what a BMC serves: RMCP+ and its web page.
var bmcServices = []struct {
	proto string
	port  int
	name  string
}{{"udp", 623, "udp 623"}, {"tcp", 443, "tcp 443"}}

// bmcWays asks what workloads get to the address of the LAN channel of the BMC.
func (b *builder) bmcWays() {
	b.doc.BMCWays = []DocBMCWay{}
	if b.snap.IPMI.BMC == nil || b.snap.IPMI.BMC.AccessMode == "disabled" {
		return
	}
	at, err := netip.ParseAddr(b.snap.IPMI.BMC.Address)
	if err != nil || at.IsUnspecified() {
		return
	}
	for _, s := range bmcServices {
		for _, w := range b.waysTo(at.Unmap(), s.proto, s.port) {
			b.doc.BMCWays = append(b.doc.BMCWays, DocBMCWay{From: w.From, Address: w.Address, Service: s.name, Reach: w.Reach})
		}
	}
	slices.SortStableFunc(b.doc.BMCWays, func(a, b DocBMCWay) int { return cmp.Compare(a.From, b.From) })
}
