package ruleset

import (
	"encoding/binary"
	"math"
)

// XtConnbytes is an iptables match of what a connection has carried: from one number to another, or outside of them where they stand the other way
// round.
type XtConnbytes struct {
	From, To        uint64
	What, Direction uint8
}

// What is counted, and of whom (include/uapi/linux/netfilter/xt_connbytes.h).
const (
	connbytesPackets = 0
	connbytesReply   = 1
)

// Connbytes reads it; nil is another match.
func (x *Xt) Connbytes() *XtConnbytes {
	if x.Target || x.Name != "connbytes" || len(x.Info) < 18 {
		return nil
	}
	ne := binary.NativeEndian
	return &XtConnbytes{ne.Uint64(x.Info), ne.Uint64(x.Info[8:]), x.Info[16], x.Info[17]}
}

// OfFirst says whether it holds of the first packet of a connection, which is counted before rules ask: the match turns counting on. known is false
// where its length decides.
func (c *XtConnbytes) OfFirst(shortest uint64) (holds, known bool) {
	low, high := shortest, uint64(math.MaxUint16)
	switch {
	case c.Direction == connbytesReply:
		low, high = 0, 0
	case c.What == connbytesPackets:
		low, high = 1, 1
	}
	if c.To >= c.From {
		return c.From <= low && high <= c.To, c.From <= low && high <= c.To || high < c.From || c.To < low
	}
	return high < c.To || c.From < low, high < c.To || c.From < low || c.To <= low && high <= c.From
}

// Helper reads a match of the helper of the connection that a packet's is expected by; is says that it is one.
func (x *Xt) Helper() (invert, is bool) {
	if x.Target || x.Name != "helper" || len(x.Info) < 4 {
		return false, false
	}
	return binary.NativeEndian.Uint32(x.Info) != 0, true
}
