package ruleset

import "fmt"

// Object is a stateful object of a table (NFT_MSG_NEWOBJ), which rules refer to by its name. What it is made of is read of those alone that a
// packet can be stopped by: the others count, or set what decides later.
type Object struct {
	Name string `json:"name"` // by which rules refer to it
	// Type is one of NFT_OBJECT_*.
	Type      uint32     `json:"type"`
	Limit     *Limit     `json:"limit,omitempty"`     // of a limit: the rate, below which it holds
	Quota     *Quota     `json:"quota,omitempty"`     // of a quota: the bytes, until which it holds
	Connlimit *Connlimit `json:"connlimit,omitempty"` // of a bound of connections: how many may be open
	Synproxy  *Synproxy  `json:"synproxy,omitempty"`  // of a proxy that answers connection attempts in place of the server: with which options
	Helper    *Helper    `json:"helper,omitempty"`    // of a conntrack helper: which one connections get
}

// Helper is the helper that a connection gets.
type Helper struct {
	Name string `json:"name"` // ftp, sip, ...
	// L3 is NFPROTO_*, of both families NFPROTO_INET; L4 the protocol.
	L3 uint32 `json:"l3"`
	L4 uint32 `json:"l4"` // number of the protocol (IPPROTO_*)
}

// DecodeObject decodes the attributes of an NFT_MSG_NEWOBJ message. Its data has the attributes of the expression of that name.
func DecodeObject(b []byte) (table string, o Object, err error) {
	m, err := fields(b)
	if err != nil {
		return "", o, fmt.Errorf("object: %w", err)
	}
	o.Name, o.Type = text(m.at[2]), u32(m.at[3])
	d, err := fields(m.at[4])
	if err != nil {
		return "", o, fmt.Errorf("object %q: %w", o.Name, err)
	}
	switch o.Type {
	case ObjectLimit:
		o.Limit = decodeLimit(&d)
	case ObjectQuota:
		o.Quota = &Quota{Bytes: u64(d.at[1]), Over: u32(d.at[2])&1 != 0}
	case ObjectConnlimit:
		o.Connlimit = &Connlimit{Count: u32(d.at[1]), Over: u32(d.at[2])&1 != 0}
	case ObjectSynproxy:
		o.Synproxy = &Synproxy{MSS: u32(d.at[1]), Wscale: u32(d.at[2]), Flags: u32(d.at[3])}
	case ObjectHelper:
		o.Helper = &Helper{Name: text(d.at[1]), L3: u32(d.at[2]), L4: u32(d.at[3])}
	default:
	}
	return text(m.at[1]), o, nil
}

func decodeLimit(d *attrSet) *Limit {
	return &Limit{Rate: u64(d.at[1]), Per: u64(d.at[2]), Burst: u32(d.at[3]), Bytes: u32(d.at[4]) == 1, Over: u32(d.at[5])&1 != 0}
}

// Object returns the object of that name and type (NFT_OBJECT_*), or nil.
func (t *Table) Object(kind uint32, name string) *Object {
	for i := range t.Objects {
		if o := &t.Objects[i]; o.Type == kind && o.Name == name {
			return o
		}
	}
	return nil
}

// Stateless says of a type of objects that no packet is stopped by them.
func Stateless(kind uint32) bool {
	switch kind {
	case ObjectCounter, ObjectHelper, ObjectTimeout, ObjectSecmark:
		return true
	}
	return false
}
