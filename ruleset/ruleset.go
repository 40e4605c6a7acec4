// Package ruleset holds an nftables ruleset as plain data: tables, chains, rules, expressions,
// sets and their elements, as the kernel reports them over netlink. Tables of iptables-legacy become tables of the same form.
//
// It promises that nothing is lost: an expression that the package has no type for, or whose
// attributes go beyond the ones it knows, is kept as an opaque expression with its raw bytes.
// It decides nothing; package reach gives the expressions their meaning.
package ruleset

import (
	"encoding/hex"
	"fmt"
)

// Hex is a byte string that is written as hexadecimal text.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("hexadecimal bytes: %w", err)
	}
	*h = b
	return nil
}

// The families of nftables, as nft spells them.
const (
	FamilyInet   = "inet"
	FamilyIP     = "ip"
	FamilyARP    = "arp"
	FamilyNetdev = "netdev"
	FamilyBridge = "bridge"
	FamilyIP6    = "ip6"
)

// Ruleset is the whole ruleset of one network namespace.
type Ruleset struct {
	Generation uint32  `json:"generation"` // NFTA_GEN_ID when the reading ended
	Stable     bool    `json:"stable"`     // the generation was the same before and after the reading
	Tables     []Table `json:"tables"`     // those of nftables, and those of iptables-legacy that were read
	// IPSets are the sets of ipset that rules of iptables refer to; where they could not be read, IPSetsUnread says why.
	IPSets       []IPSet `json:"ipsets,omitempty"`
	IPSetsUnread string  `json:"ipsetsUnread,omitempty"` // empty if they were read, or none is referred to
	// LegacyUnread are tables of iptables-legacy that could not be read, each with the reason.
	LegacyUnread []string `json:"legacyUnread,omitempty"`
}

// Table is one table of one family.
type Table struct {
	Family  string `json:"family"`            // inet, ip, ip6, arp, bridge or netdev
	Name    string `json:"name"`              // by which nft(8) has it
	Handle  uint64 `json:"handle,omitempty"`  // number that the kernel gave it; 0 of iptables-legacy
	Dormant bool   `json:"dormant,omitempty"` // its base chains are not registered
	Owner   uint32 `json:"owner,omitempty"`   // netlink port id of the process that owns it
	Comment string `json:"comment,omitempty"` // that somebody gave it
	// Legacy is the name that iptables-legacy or ip6tables-legacy has for it: the kernel keeps such a table beside nftables.
	Legacy string  `json:"legacy,omitempty"`
	Chains []Chain `json:"chains"`         // base chains and those that rules jump to
	Sets   []Set   `json:"sets,omitempty"` // sets and maps, anonymous ones of rules among them
	// Flowtables are the names of flowtables; an offloaded flow leaves the hooks after ingress.
	Flowtables []string `json:"flowtables,omitempty"`
	// Objects are the stateful ones, that rules refer to by their name and type.
	Objects []Object `json:"objects,omitempty"`
}

// Base is what makes a chain a base chain.
type Base struct {
	Type     string   `json:"type"`              // filter, nat, route
	Hook     string   `json:"hook"`              // ingress, prerouting, input, forward, output, postrouting, egress
	Priority int32    `json:"priority"`          // of chains at the same hook the lowest comes first
	Policy   string   `json:"policy"`            // accept, drop
	Devices  []string `json:"devices,omitempty"` // names of the interfaces of a chain at ingress or egress; empty elsewhere
}

// Chain is a base chain or, where Base is nil, a regular chain.
type Chain struct {
	Name   string `json:"name"`             // by which rules jump to it
	Handle uint64 `json:"handle,omitempty"` // number that the kernel gave it; 0 of iptables-legacy
	Base   *Base  `json:"base,omitempty"`   // missing where only rules lead to it
	Rules  []Rule `json:"rules,omitempty"`  // in the order in which they are evaluated
}

// Rule is a list of expressions that are evaluated in order; the first that does not hold ends it.
type Rule struct {
	Handle  uint64 `json:"handle"`            // number that the kernel gave it; of iptables-legacy its place in the chain, from 1 on
	Comment string `json:"comment,omitempty"` // that somebody gave it
	Exprs   []Expr `json:"exprs"`             // matches and statements, in their order
}

// Set is a named or anonymous set or map.
type Set struct {
	Name      string `json:"name"`                // by which rules refer to it; of an anonymous one the kernel's name
	Anonymous bool   `json:"anonymous,omitempty"` // it was written into a rule, and is of that rule alone
	Constant  bool   `json:"constant,omitempty"`  // its elements do not change
	Interval  bool   `json:"interval,omitempty"`  // its elements are ranges
	Map       bool   `json:"map,omitempty"`       // its elements have data or verdicts
	Timeout   bool   `json:"timeout,omitempty"`   // elements can expire
	Dynamic   bool   `json:"dynamic,omitempty"`   // rules add elements from the packet path
	Objects   bool   `json:"objects,omitempty"`   // maps keys to stateful objects
	// ObjectType is theirs (NFT_OBJECT_*).
	ObjectType uint32    `json:"objectType,omitempty"`
	KeyType    uint32    `json:"keyType"`             // nft's datatype id; concatenations shift by 6 bits a field
	KeyLen     uint32    `json:"keyLen"`              // bytes of a key
	DataType   uint32    `json:"dataType,omitempty"`  // of a map: nft's datatype id; 4294967040 (NFT_DATA_VERDICT) for verdicts
	DataLen    uint32    `json:"dataLen,omitempty"`   // of a map: bytes of the data
	FieldLens  []uint32  `json:"fieldLens,omitempty"` // of a concatenated interval set
	TimeoutMs  uint64    `json:"timeoutMs,omitempty"` // after which elements go that have no time of their own, in milliseconds; 0: they stay
	Size       uint32    `json:"size,omitempty"`      // of elements at most; 0: no limit
	Elements   []Element `json:"elements,omitempty"`  // in no fixed order
}

// Element is one element of a set as the kernel stores it: in interval sets that are not
// concatenated, a range is a start and a separate element with IntervalEnd, in no fixed order.
type Element struct {
	Key         Hex      `json:"key,omitempty"`         // as the kernel has it; missing of a catch-all element
	KeyEnd      Hex      `json:"keyEnd,omitempty"`      // of a range of a concatenation the last key, included
	IntervalEnd bool     `json:"intervalEnd,omitempty"` // its key is the first that is no more in the range before it
	CatchAll    bool     `json:"catchAll,omitempty"`    // it is for every key that no other element has
	Data        Hex      `json:"data,omitempty"`        // of a map, unless it has verdicts
	Verdict     *Verdict `json:"verdict,omitempty"`     // of a map of verdicts: what is decided for the key
	Object      string   `json:"object,omitempty"`      // of a map of stateful objects: name of the object
	// after which it goes, counted from when it was added, in milliseconds; 0: that of the set
	TimeoutMs uint64 `json:"timeoutMs,omitempty"`
	ExpiresMs uint64 `json:"expiresMs,omitempty"` // in how many milliseconds it goes; 0: it stays
	Exprs     []Expr `json:"exprs,omitempty"`     // statements of the element: counter, limit, ...
}

// The verdicts.
const (
	Accept   = "accept"
	Drop     = "drop"
	Jump     = "jump"
	Goto     = "goto"
	Return   = "return"
	Continue = "continue"
	Queue    = "queue"
	Stolen   = "stolen"
)

// Verdict is what a rule or a map element decides.
type Verdict struct {
	Kind  string `json:"kind"`            // accept, drop, jump, goto, return, continue, break, queue or stolen; verdict-NUMBER is another
	Chain string `json:"chain,omitempty"` // of jump and goto
}

// Chain returns the chain of that name, or nil.
func (t *Table) Chain(name string) *Chain {
	for i := range t.Chains {
		if t.Chains[i].Name == name {
			return &t.Chains[i]
		}
	}
	return nil
}

// Set returns the set of that name, or nil.
func (t *Table) Set(name string) *Set {
	for i := range t.Sets {
		if t.Sets[i].Name == name {
			return &t.Sets[i]
		}
	}
	return nil
}

// Rules counts the rules of the whole ruleset.
func (r *Ruleset) Rules() int {
	n := 0
	for i := range r.Tables {
		for j := range r.Tables[i].Chains {
			n += len(r.Tables[i].Chains[j].Rules)
		}
	}
	return n
}

// AsksForSenders says whether any rule asks which process of the host sends a packet.
func (r *Ruleset) AsksForSenders() bool {
	return r.asks(func(x *Expr) bool {
		return x.Meta != nil && (x.Meta.Key == MetaSkuid || x.Meta.Key == MetaSkgid) || x.Xt != nil && x.Xt.Decoded != nil && x.Xt.Decoded.Owner != nil
	})
}

// AsksForCgroups says whether any rule asks for the cgroup of a socket.
func (r *Ruleset) AsksForCgroups() bool {
	return r.asks(func(x *Expr) bool { return x.More().Socket != nil && x.More().Socket.Key == SocketCgroup })
}

// AsksForGroups says whether any rule asks for the group of the process that sends a packet.
func (r *Ruleset) AsksForGroups() bool {
	return r.asks(func(x *Expr) bool {
		if x.Xt != nil && x.Xt.Decoded != nil && x.Xt.Decoded.Owner != nil {
			return !x.Xt.Decoded.Owner.Known || x.Xt.Decoded.Owner.Match&ownerGID != 0
		}
		return x.Meta != nil && x.Meta.Key == MetaSkgid
	})
}

// asks says whether any rule has an expression of a kind.
func (r *Ruleset) asks(is func(*Expr) bool) bool {
	if r == nil {
		return false
	}
	for i := range r.Tables {
		for j := range r.Tables[i].Chains {
			for _, rule := range r.Tables[i].Chains[j].Rules {
				for k := range rule.Exprs {
					if is(&rule.Exprs[k]) {
						return true
					}
				}
			}
		}
	}
	return false
}
