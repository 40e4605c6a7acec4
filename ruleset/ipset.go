package ruleset

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// IPSet is a set of ipset, which rules of iptables look up by its number.
type IPSet struct {
	Index  int    `json:"index"`  // below 0 for the members of a list
	Name   string `json:"name"`   // by which ipset(8) has it
	Type   string `json:"type"`   // hash:ip, hash:net,port, list:set, ...
	Family int    `json:"family"` // NFPROTO_*; 0 is any
	// Mask is laid over addresses before they are looked up, where it is not that of a network: elements are networks then.
	Mask netip.Addr `json:"mask,omitzero"`
	// Evicts: what is put into the set when it is full takes others out (forceadd).
	Evicts   bool           `json:"evicts,omitempty"`
	Elements []IPSetElement `json:"elements,omitempty"` // in no fixed order; missing where the set is empty
}

// IPSetElement is an element; what is used of it depends on the type of the set.
type IPSetElement struct {
	Net   netip.Prefix `json:"net,omitzero"`    // address or network, of the first part that is one
	Net2  netip.Prefix `json:"net2,omitzero"`   // address or network, of the second part that is one
	Proto uint8        `json:"proto,omitempty"` // number of the protocol (IPPROTO_*); 0 where the set has none
	Port  uint16       `json:"port,omitempty"`  // of ICMP its type times 256 and its code
	Mark  uint32       `json:"mark,omitempty"`  // mark of packets
	MAC   string       `json:"mac,omitempty"`   // in hexadecimal with colons
	Iface string       `json:"iface,omitempty"` // name of an interface, or what it begins with
	// Wildcard: the name of the interface begins so. PhysDev: it is a port of a bridge, which no rule asks for.
	Wildcard bool   `json:"wildcard,omitempty"`
	PhysDev  bool   `json:"physdev,omitempty"` // the interface is a port of a bridge, which no rule asks for
	Set      string `json:"set,omitempty"`     // of a list: its member
	NoMatch  bool   `json:"noMatch,omitempty"` // what is in it is not in the set, though a wider element has it
}

// Parts are what the set asks for, in order: ip, net, port, mac, iface, mark or set.
func (s *IPSet) Parts() []string {
	_, parts, _ := strings.Cut(s.Type, ":")
	return strings.Split(parts, ",")
}

// Widen makes networks of the elements, where the mask is that of one, which is then in them.
func (s *IPSet) Widen() {
	bits, ok := prefixBits(s.Mask.AsSlice())
	if !ok || !s.Mask.IsValid() {
		return
	}
	narrow := func(p netip.Prefix) netip.Prefix {
		if !p.IsValid() || p.Addr().BitLen() != s.Mask.BitLen() {
			return p
		}
		return netip.PrefixFrom(p.Addr(), min(p.Bits(), bits)).Masked()
	}
	for i := range s.Elements {
		s.Elements[i].Net, s.Elements[i].Net2 = narrow(s.Elements[i].Net), narrow(s.Elements[i].Net2)
	}
	s.Mask = netip.Addr{}
}

// Masked is an address as the set looks it up.
func (s *IPSet) Masked(a netip.Addr) netip.Addr {
	if !s.Mask.IsValid() || s.Mask.BitLen() != a.BitLen() {
		return a
	}
	b := a.AsSlice()
	for i, m := range s.Mask.AsSlice() {
		b[i] &= m
	}
	a, _ = netip.AddrFromSlice(b)
	return a
}

// OnIface says whether the element is about an interface of that name; "" is none.
func (e *IPSetElement) OnIface(name string) bool {
	return name != "" && !e.PhysDev && (e.Iface == name || e.Wildcard && strings.HasPrefix(name, e.Iface))
}

// Narrower orders the elements of networks: the kernel looks up the smallest first, of the first part before the second.
func (e *IPSetElement) Narrower(o *IPSetElement) int {
	return cmp.Or(cmp.Compare(e.Net.Bits(), o.Net.Bits()), cmp.Compare(e.Net2.Bits(), o.Net2.Bits()))
}

// IPSetPort says how a set with ports takes a packet of a protocol (get_port, ip_set_get_ip_port).
type IPSetPort int

// The ways: by its ports, by type and code of ICMP as one number, as port 0, or as none that is in the set.
const (
	ByPorts IPSetPort = iota
	ByType
	AsZero
	Never
)

// PortOf is how the set takes a packet of a protocol.
func (s *IPSet) PortOf(proto uint8) IPSetPort {
	switch {
	case proto == 6 || proto == 17:
		return ByPorts
	case len(s.Parts()) == 1 || proto == 0:
		return Never
	case proto == 132 || proto == 136:
		return ByPorts
	case proto == 1 || proto == 58:
		return ByType
	}
	return AsZero
}

// XtSet matches a set. Source says of each of its parts whether the packet's source counts, else its destination.
type XtSet struct {
	Index  uint16  `json:"index"`            // number of the set
	Dim    uint8   `json:"dim"`              // how many parts are looked up
	Source [3]bool `json:"source"`           // for each part whether it is that of the source; else of the destination
	Invert bool    `json:"invert,omitempty"` // it matches what is not in the set
	// ReturnNoMatch turns it round for networks: only an element that is marked so is a match (ip_set_test).
	ReturnNoMatch bool `json:"returnNoMatch,omitempty"`
}

// IPSetIndexes are the numbers of the sets that rules refer to.
func (r *Ruleset) IPSetIndexes() []uint16 {
	var list []uint16
	for i := range r.Tables {
		for j := range r.Tables[i].Chains {
			for k := range r.Tables[i].Chains[j].Rules {
				for _, e := range r.Tables[i].Chains[j].Rules[k].Exprs {
					if e.Xt == nil || e.Xt.Decoded == nil {
						continue
					}
					if s := e.Xt.Decoded.Set; s != nil {
						list = append(list, s.Index)
					}
					if p := e.Xt.Decoded.Puts; p != nil { // lists hand packets to their members
						list = append(list, p.Into, p.OutOf)
					}
				}
			}
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return slices.DeleteFunc(list, func(n uint16) bool { return n == none })
}

// IPSet is the set of that number, or nil where it was not read.
func (r *Ruleset) IPSet(index uint16) *IPSet {
	for i := range r.IPSets {
		if r.IPSets[i].Index == int(index) {
			return &r.IPSets[i]
		}
	}
	return nil
}

// IPSetNamed is a member of a list, or nil.
func (r *Ruleset) IPSetNamed(name string) *IPSet {
	for i := range r.IPSets {
		if r.IPSets[i].Name == name {
			return &r.IPSets[i]
		}
	}
	return nil
}

// IPSetChanges are the sets of ipset that rules put packets into, or take them out of (the target SET).
type IPSetChanges struct {
	of          *Ruleset
	puts, takes map[string]bool
	// unread: of a set that was not read, which may be a list of any.
	unread bool
}

// IPSetChanges says which sets the packets before can have changed.
func (r *Ruleset) IPSetChanges() *IPSetChanges {
	c := &IPSetChanges{of: r, puts: map[string]bool{}, takes: map[string]bool{}}
	r.some(func(e Expr) bool {
		if e.Xt != nil && e.Xt.Target && e.Xt.Name == "SET" {
			c.note(r, e.Xt)
		}
		return false
	})
	return c
}

// note reads xt_set_info_target_v1 to v3: two sets with sides and flags, of which the number of none is 65535. A list hands packets to its members.
func (c *IPSetChanges) note(r *Ruleset, x *Xt) {
	const size = 4
	if x.Rev < 1 || len(x.Info) < 2*size {
		for i := range r.IPSets {
			c.puts[r.IPSets[i].Name], c.takes[r.IPSets[i].Name] = true, true
		}
		return
	}
	for i, names := range []map[string]bool{c.puts, c.takes} {
		index := ne.Uint16(x.Info[i*size:])
		s := r.IPSet(index)
		if s == nil {
			c.unread = c.unread || index != none
			continue
		}
		names[s.Name] = true
		for j := range s.Elements {
			names[s.Elements[j].Set] = true
		}
	}
}

// none is the number of no set (IPSET_INVALID_ID).
const none = 0xffff

// XtPuts puts packets into a set of ipset, and takes them out of one, by the number of each (the target SET).
type XtPuts struct {
	Into  uint16 `json:"into"`   // number of the set that packets are put into; 65535 is none
	OutOf uint16 `json:"out_of"` // number of the set that packets are taken out of; 65535 is none
}

// decodePuts reads xt_set_info_target_v1 to v3. One that gives packets a mark or a class from a set is not decoded.
func decodePuts(rev uint32, b []byte) *XtDecoded {
	const size = 4
	if rev < 1 || rev > 3 || len(b) < 2*size || rev == 3 && (len(b) < 3*size || ne.Uint16(b[2*size:]) != none) {
		return nil
	}
	return &XtDecoded{Puts: &XtPuts{Into: ne.Uint16(b), OutOf: ne.Uint16(b[size:])}}
}

// Changes says whether it may change what a set has, which is that of the target, a member of it, or a list that has it.
func (x *XtPuts) Changes(r *Ruleset, s *IPSet) bool {
	return slices.ContainsFunc([]uint16{x.Into, x.OutOf}, func(index uint16) bool {
		to := r.IPSet(index)
		has := func(list, of *IPSet) bool {
			return slices.ContainsFunc(list.Elements, func(e IPSetElement) bool { return e.Set != "" && e.Set == of.Name })
		}
		if to == nil {
			return index != none
		}
		return to == s || (has(to, s) || has(s, to) || s.Type == "list:set" && to.Type == "list:set")
	})
}

// Of says whether rules may have made it otherwise for what a set now has, or has not, also by a member of it. What is put in can take others out of a
// full set (mtype_add), and an exception that is taken out leaves a wider network.
func (c *IPSetChanges) Of(s *IPSet, in bool) bool {
	if c.unread || c.one(s, in) {
		return true
	}
	return s.Type == "list:set" && slices.ContainsFunc(s.Elements, func(e IPSetElement) bool {
		member := c.of.IPSetNamed(e.Set)
		return member != nil && c.one(member, in)
	})
}

func (c *IPSetChanges) one(s *IPSet, in bool) bool {
	put, taken := c.puts[s.Name], c.takes[s.Name]
	return put && (!in || s.Evicts) || taken && in ||
		(put || taken) && slices.ContainsFunc(s.Elements, func(e IPSetElement) bool { return e.NoMatch })
}

// decodeSet reads xt_set_info_match_v1 to v4. One that also asks for counters is not decoded.
func decodeSet(rev uint32, b []byte) *XtDecoded {
	if rev < 1 || len(b) < 4 {
		return nil
	}
	const flagsAt, returnNoMatch = 40, 1 << 7 // IPSET_FLAG_RETURN_NOMATCH
	rest, flags := b[4:], uint32(0)
	if rev >= 3 && len(b) >= flagsAt+4 {
		rest, flags = b[4:flagsAt], ne.Uint32(b[flagsAt:])
	}
	if !allZeroes(rest) || flags&^returnNoMatch != 0 {
		return nil
	}
	f := b[3]
	return &XtDecoded{Set: &XtSet{
		Index: ne.Uint16(b), Dim: b[2], Source: [3]bool{f&2 != 0, f&4 != 0, f&8 != 0}, Invert: f&1 != 0, ReturnNoMatch: flags != 0,
	}}
}
