// Package replica builds a scratch copy of the host's network in namespaces of its own: interfaces of the
// same names, indexes and addresses, routes, switches, listening sockets and the live packet filter, with a
// peer behind each interface. Real packets then show what a change does before the host has it.
//
// What is not copied is said: flowtables, programs at XDP and tc, exceptions of ipset but for networks alone, parts of policy rules that
// were not read, kinds of interfaces other than bridges, which are stood in for by Ethernet.
package replica

import (
	"net/netip"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// Host is what is copied.
type Host struct {
	Network snapshot.Network  `json:"network"`
	Sockets []snapshot.Socket `json:"sockets"` // that probes can ask for
	Ruleset []ruleset.Message `json:"ruleset"`
	IPSets  []ruleset.IPSet   `json:"ipsets"` // that rules of it look up
	// Legacy are the tables of iptables-legacy.
	Legacy []ruleset.LegacyTable `json:"legacy,omitempty"`
	Peers  []Endpoint            `json:"peers"` // that answer behind an interface
	// Homes are the ports of bridges that gateways are behind, by their addresses.
	Homes map[string]string `json:"homes,omitempty"`
}

// Endpoint is a socket behind an interface.
type Endpoint struct {
	Iif   string         `json:"iif"`
	Proto string         `json:"proto"`
	At    netip.AddrPort `json:"at"`
}

// Probe is one real connection, or a datagram and its answer.
type Probe struct {
	ID int `json:"id"`
	// From is the interface behind which the sender is; "" is the host itself.
	From  string         `json:"from"`
	Proto string         `json:"proto"` // tcp or udp
	Src   netip.Addr     `json:"src"`
	Sport int            `json:"sport,omitempty"`
	Dst   netip.AddrPort `json:"dst"`
	// Answered is whether an answer is expected: such a probe is sent once more where none came.
	Answered bool `json:"answered,omitempty"`
	// Arrives is whether the model says that it is answered on the host as it is.
	Arrives bool `json:"arrives,omitempty"`
}

// The outcomes of a probe.
const (
	Open    = "open"    // answered
	Refused = "refused" // arrived where nobody listens, or was rejected
	Silent  = "silent"
	Failed  = "failed" // could not be sent
)
