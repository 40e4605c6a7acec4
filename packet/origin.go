package packet

import "net/netip"

// Origin is where the packets of a question come from: an interface, or a process of the host.
type Origin struct {
	Index int  `json:"-"`               // of the interface; 0 with Local
	Local bool `json:"local,omitempty"` // from a process in the host's own network namespace
	// By is that process, of a Local one whose ids are known; nil is any.
	By *Sender `json:"by,omitempty"`
	// From and Except bound the source addresses, both families.
	From, Except []netip.Prefix `json:"-"`
	// Apart are ports of the bridge that the interface is: what comes in there is another origin's.
	Apart []int `json:"-"`
}
