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
	Tables     []Table `json:"tables"`
	// IPSets are the sets of ipset that rules of iptables refer to; where they could not be read, IPSetsUnread says why.
	IPSets       []IPSet `json:"ipsets,omitempty"`
	IPSetsUnread string  `json:"ipsetsUnread,omitempty"`
	// LegacyUnread are tables of iptables-legacy that could not be read, each with the reason.
	LegacyUnread []string `json:"legacyUnread,omitempty"`
}

// Table is one table of one family.
type Table struct {
	Family  string `json:"family"`
	Name    string `json:"name"`
	Handle  uint64 `json:"handle,omitempty"`
	Dormant bool   `json:"dormant,omitempty"` // its base chains are not registered
	Owner   uint32 `json:"owner,omitempty"`   // netlink port id of the process that owns it
	Comment string `json:"comment,omitempty"`
	// Legacy is the name that iptables-legacy or ip6tables-legacy has for it: the kernel keeps such a table beside nftables.
	Legacy string  `json:"legacy,omitempty"`
	Chains []Chain `json:"chains"`
	Sets   []Set   `json:"sets,omitempty"`
	// Flowtables are the names of flowtables; an offloaded flow leaves the hooks after ingress.
	Flowtables []string `json:"flowtables,omitempty"`
	// Objects are the stateful ones, that rules refer to by their name and type.
	Objects []Object `json:"objects,omitempty"`
}

// Base is what makes a chain a base chain.
type Base struct {
	Type     string   `json:"type"` // filter, nat, route
	Hook     string   `json:"hook"` // ingress, prerouting, input, forward, output, postrouting, egress
	Priority int32    `json:"priority"`
	Policy   string   `json:"policy"` // accept, drop
	Devices  []string `json:"devices,omitempty"`
}

// Chain is a base chain or, where Base is nil, a regular chain.
type Chain struct {
	Name   string `json:"name"`
	Handle uint64 `json:"handle,omitempty"`
	Base   *Base  `json:"base,omitempty"`
	Rules  []Rule `json:"rules,omitempty"`
}

// Rule is a list of expressions that are evaluated in order; the first that does not hold ends it.
type Rule struct {
	Handle  uint64 `json:"handle"`
	Comment string `json:"comment,omitempty"`
	Exprs   []Expr `json:"exprs"`
}

// Set is a named or anonymous set or map.
type Set struct {
	Name      string `json:"name"`
	Anonymous bool   `json:"anonymous,omitempty"`
	Constant  bool   `json:"constant,omitempty"`
	Interval  bool   `json:"interval,omitempty"`
	Map       bool   `json:"map,omitempty"`
	Timeout   bool   `json:"timeout,omitempty"` // elements can expire
	Dynamic   bool   `json:"dynamic,omitempty"` // rules add elements from the packet path
	Objects   bool   `json:"objects,omitempty"` // maps keys to stateful objects
	// ObjectType is theirs (NFT_OBJECT_*).
	ObjectType uint32    `json:"objectType,omitempty"`
	KeyType    uint32    `json:"keyType"` // nft's datatype id; concatenations shift by 6 bits a field
	KeyLen     uint32    `json:"keyLen"`
	DataType   uint32    `json:"dataType,omitempty"`
	DataLen    uint32    `json:"dataLen,omitempty"`
	FieldLens  []uint32  `json:"fieldLens,omitempty"` // of a concatenated interval set
	TimeoutMs  uint64    `json:"timeoutMs,omitempty"`
	Size       uint32    `json:"size,omitempty"` // of elements at most; 0: no limit
	Elements   []Element `json:"elements,omitempty"`
}

// Element is one element of a set as the kernel stores it: in interval sets that are not
// concatenated, a range is a start and a separate element with IntervalEnd, in no fixed order.
type Element struct {
	Key         Hex      `json:"key,omitempty"`
	KeyEnd      Hex      `json:"keyEnd,omitempty"`
	IntervalEnd bool     `json:"intervalEnd,omitempty"`
	CatchAll    bool     `json:"catchAll,omitempty"`
	Data        Hex      `json:"data,omitempty"`
	Verdict     *Verdict `json:"verdict,omitempty"`
	Object      string   `json:"object,omitempty"`
	TimeoutMs   uint64   `json:"timeoutMs,omitempty"`
	ExpiresMs   uint64   `json:"expiresMs,omitempty"`
	Exprs       []Expr   `json:"exprs,omitempty"` // statements of the element: counter, limit, ...
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
	Kind  string `json:"kind"`
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
