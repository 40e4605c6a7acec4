package ruleset

import (
	"net/netip"
	"slices"
	"strings"
)

// IPSet is a set of ipset, which rules of iptables look up by its number.
type IPSet struct {
	Index    int            `json:"index"` // below 0 for the members of a list
	Name     string         `json:"name"`
	Type     string         `json:"type"`   // hash:ip, hash:net,port, list:set, ...
	Family   int            `json:"family"` // NFPROTO_*; 0 is any
	Elements []IPSetElement `json:"elements,omitempty"`
}

// IPSetElement is an element; what is used of it depends on the type of the set.
type IPSetElement struct {
	Net     netip.Prefix `json:"net,omitzero"`
	Net2    netip.Prefix `json:"net2,omitzero"`
	Proto   uint8        `json:"proto,omitempty"`
	Port    uint16       `json:"port,omitempty"`
	Mark    uint32       `json:"mark,omitempty"`
	MAC     string       `json:"mac,omitempty"`
	Iface   string       `json:"iface,omitempty"`
	Set     string       `json:"set,omitempty"` // of a list: its member
	NoMatch bool         `json:"noMatch,omitempty"`
}

// Parts are what the set asks for, in order: ip, net, port, mac, iface, mark or set.
func (s *IPSet) Parts() []string {
	_, parts, _ := strings.Cut(s.Type, ":")
	return strings.Split(parts, ",")
}

// XtSet matches a set. Source says of each of its parts whether the packet's source counts, else its destination.
type XtSet struct {
	Index  uint16  `json:"index"`
	Dim    uint8   `json:"dim"`
	Source [3]bool `json:"source"`
	Invert bool    `json:"invert,omitempty"`
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
					if e.Xt != nil && e.Xt.Decoded != nil && e.Xt.Decoded.Set != nil {
						list = append(list, e.Xt.Decoded.Set.Index)
					}
				}
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
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
