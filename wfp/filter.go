// Package wfp answers which remote addresses open a connection to a listener of a Windows host, given the filters of the
// Windows Filtering Platform (WFP).
//
// A question is about a set: all addresses and ports from which packets arrive by one interface. Filters part it as the filter
// engine would take each packet of it: every sublayer is asked, the heaviest first; in a sublayer the heaviest filter that
// matches and permits or blocks decides; over sublayers a block wins over a permit unless the permit is hard (Microsoft,
// "Filter Arbitration"). What is let through without a doubt is reachable, with a witness. Where every part is blocked the
// answer is unreachable, with the parts and the filter that stops each. Else the doubts are the answer: callouts, conditions
// that were not read, facts about the listener that are not known.
//
// Package wfp/classify follows single packets through the same filters by code of its own and checks the proofs. Package
// wfp/mpssvc makes filters of the rules in the registry.
package wfp

import (
	"net/netip"
)

// Layer is a place in the stack where filters are asked, by its name without FWPM_LAYER_ and the family.
type Layer string

// The layers that decide about what comes in, in the order in which a packet meets them (Microsoft, "TCP Packet Flows"). A
// listener has passed the layers that decide about binding and listening already.
const (
	InboundIPPacket  Layer = "INBOUND_IPPACKET"
	InboundTransport Layer = "INBOUND_TRANSPORT"
	RecvAccept       Layer = "ALE_AUTH_RECV_ACCEPT"
)

// Layers are those in their order.
func Layers() []Layer { return []Layer{InboundIPPacket, InboundTransport, RecvAccept} }

// Field is what a condition asks for, by its name without FWPM_CONDITION_.
type Field string

// The fields that a question gives a value, or that packets have.
const (
	RemoteAddress    Field = "IP_REMOTE_ADDRESS"
	RemotePort       Field = "IP_REMOTE_PORT"
	LocalAddress     Field = "IP_LOCAL_ADDRESS"
	LocalAddressType Field = "IP_LOCAL_ADDRESS_TYPE"
	LocalPort        Field = "IP_LOCAL_PORT"
	Protocol         Field = "IP_PROTOCOL"
	ICMPType         Field = "ORIGINAL_ICMP_TYPE"
	App              Field = "ALE_APP_ID"
	User             Field = "ALE_USER_ID"
	PackageID        Field = "ALE_PACKAGE_ID"
	PackageFamily    Field = "ALE_PACKAGE_FAMILY_NAME"
	RemoteUser       Field = "ALE_REMOTE_USER_ID"
	RemoteMachine    Field = "ALE_REMOTE_MACHINE_ID"
	SystemPort       Field = "ALE_SIO_FIREWALL_SYSTEM_PORT"
	OriginalProfile  Field = "ORIGINAL_PROFILE_ID"
	CurrentProfile   Field = "CURRENT_PROFILE_ID"
	ArrivalProfile   Field = "ARRIVAL_INTERFACE_PROFILE_ID"
	LocalProfile     Field = "LOCAL_INTERFACE_PROFILE_ID"
	NexthopProfile   Field = "NEXTHOP_INTERFACE_PROFILE_ID"
	Flags            Field = "FLAGS"
	Interface        Field = "IP_LOCAL_INTERFACE"
	ArrivalInterface Field = "IP_ARRIVAL_INTERFACE"
	NexthopInterface Field = "IP_NEXTHOP_INTERFACE"
	InterfaceType    Field = "INTERFACE_TYPE"
	ArrivalType      Field = "ARRIVAL_INTERFACE_TYPE"
	NexthopType      Field = "NEXTHOP_INTERFACE_TYPE"
	TunnelType       Field = "TUNNEL_TYPE"
	ArrivalTunnel    Field = "ARRIVAL_TUNNEL_TYPE"
	NexthopTunnel    Field = "NEXTHOP_TUNNEL_TYPE"
	QuarantineEpoch  Field = "INTERFACE_QUARANTINE_EPOCH"
)

// Flags of a packet or a connection (fwptypes.h, FWP_CONDITION_FLAG_*).
const (
	FlagLoopback             = 0x1
	FlagIPsec                = 0x2
	FlagReauthorize          = 0x4
	FlagAppContainerLoopback = 0x400000
	FlagPlainLoopback        = 0x800000
)

// Match is how a condition compares (fwptypes.h, FWP_MATCH_TYPE).
type Match string

// The comparisons. An address or a number in a prefix is a range already.
const (
	Equal          Match = "equal"
	NotEqual       Match = "not equal"
	Greater        Match = "greater"
	Less           Match = "less"
	GreaterOrEqual Match = "greater or equal"
	LessOrEqual    Match = "less or equal"
	InRange        Match = "range"
	AllSet         Match = "flags all set"
	AnySet         Match = "flags any set"
	NoneSet        Match = "flags none set"
	EqualFold      Match = "equal case insensitive"
	Prefix         Match = "prefix"
	NotPrefix      Match = "not prefix"
)

// Kind is what the value of a condition is.
type Kind string

// The kinds of values. The zero Kind is one that was not read.
const (
	Number  Kind = "number"  // Lo and Hi
	Address Kind = "address" // From and To
	Text    Kind = "text"    // Text: the path of a program, a SID, a name
	SDDL    Kind = "sddl"    // Text: a security descriptor
)

// Value is what a condition compares with. Where the comparison is no range, both ends are the same.
type Value struct {
	Kind     Kind       `json:"kind"`
	Lo       uint64     `json:"lo,omitempty"`
	Hi       uint64     `json:"hi,omitempty"`
	From     netip.Addr `json:"from,omitzero"`
	To       netip.Addr `json:"to,omitzero"`
	Text     string     `json:"text,omitempty"`
	Unread   string     `json:"unread,omitempty"` // why it was not read
	Original string     `json:"original,omitempty"`
}

// Condition is one condition of a filter. Those on the same field are alternatives, different fields must all hold
// (FWPM_FILTER_CONDITION0).
type Condition struct {
	Field Field `json:"field"`
	Match Match `json:"match"`
	Value Value `json:"value"`
}

// Action is what a filter does with what it matches (fwptypes.h, FWP_ACTION_*).
type Action string

// The actions. A terminating callout permits or blocks as its driver likes, an unknown one can also let the next filter decide;
// one for inspection only watches.
const (
	Permit             Action = "permit"
	Block              Action = "block"
	Continue           Action = "continue"
	CalloutTerminating Action = "callout terminating"
	CalloutInspection  Action = "callout inspection"
	CalloutUnknown     Action = "callout unknown"
)

// Filter is one filter of one layer and family.
type Filter struct {
	ID         uint64      `json:"id"`
	Name       string      `json:"name"`
	Provider   string      `json:"provider,omitempty"`
	Layer      Layer       `json:"layer"`
	V4         bool        `json:"v4"`
	Sublayer   string      `json:"sublayer"`
	Weight     uint64      `json:"weight"` // the effective one
	Conditions []Condition `json:"conditions,omitempty"`
	Action     Action      `json:"action"`
	// Callout names the callout of a filter that has one.
	Callout string `json:"callout,omitempty"`
	// Hard is FWPM_FILTER_FLAG_CLEAR_ACTION_RIGHT: of a permit, that no filter of a lighter sublayer takes it back. A block is
	// hard anyway.
	Hard bool `json:"hard,omitempty"`
	// IfMissing is FWPM_FILTER_FLAG_PERMIT_IF_CALLOUT_UNREGISTERED.
	IfMissing bool `json:"ifMissing,omitempty"`
	// Boot says that it counts only until the base filtering engine runs (FWPM_FILTER_FLAG_BOOTTIME), Disabled that its
	// provider does (FWPM_FILTER_FLAG_DISABLED): neither is asked.
	Boot     bool `json:"boot,omitempty"`
	Disabled bool `json:"disabled,omitempty"`
	// Doubt is why it is not known whether the filter is as it is told, of one that was made from a rule.
	Doubt string `json:"doubt,omitempty"`
	// DoubtIn is the field whose conditions the doubt is about, "" all of the filter.
	DoubtIn Field `json:"doubtIn,omitempty"`
}

// Sublayer is a group of filters that decide together. The heavier one is asked first.
type Sublayer struct {
	Key    string `json:"key"`
	Name   string `json:"name,omitempty"`
	Weight uint16 `json:"weight"`
}

// The sublayers of Windows that are asked for by name (fwpmu.h).
const (
	SublayerFirewall  = "MPSSVC_WF"  // the rules of the firewall
	SublayerHardening = "MPSSVC_WSH" // the hardening of services
)

// asked says of a filter that the engine asks it while the system runs.
func (f *Filter) asked() bool { return !f.Boot && !f.Disabled }
