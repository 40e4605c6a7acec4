package ruleset

import (
	"bytes"
	"encoding/binary"
	"math"
)

// XtTraffic is an iptables match that depends on the traffic before the packet, or on chance.
type XtTraffic struct {
	Kind   string // limit, hashlimit, connlimit, recent, quota, statistic
	Invert bool   // hashlimit: holds above the rate; connlimit: up to the number; the others: as "!" does
	Number uint32 // connlimit: of connections; quota: of bytes, if they are no more than that can hold
	// List is the name of a hashlimit, or of the list of addresses of recent.
	List string
	// Op, Hits and Seconds are those of recent: set, check, update or remove, how many entries it asks for, and how old they may be; 0 is any age.
	Op            string
	Hits, Seconds uint32
	TTL           bool // entries that a packet with the same one made
	// Of is the list of recent with what it holds of a packet: which of its addresses, and how much of that.
	Of string
	// Nth is statistic by turns, which counts packets; without it statistic is chance.
	Nth bool
}

// The sizes of what is read here, and the bits of its flags (include/uapi/linux/netfilter/xt_hashlimit.h, xt_connlimit.h, xt_recent.h,
// xt_quota.h, xt_statistic.h).
const (
	hashlimitInvert = 1 << 4
	recentSet       = 1 << 1
	recentUpdate    = 1 << 2
	recentRemove    = 1 << 3
	recentTTL       = 1 << 4
	recentName      = 200
	statisticRandom = 0 // a mode
)

// Traffic reads a match that depends on the traffic before; nil where it is none, or not of a form that is known.
func (x *Xt) Traffic() *XtTraffic {
	if x.Target {
		return nil
	}
	t := &XtTraffic{Kind: x.Name}
	switch x.Name {
	case "limit":
		return t
	case "statistic":
		t.Invert = len(x.Info) >= 4 && binary.NativeEndian.Uint16(x.Info[2:])&1 != 0
		t.Nth = len(x.Info) < 4 || binary.NativeEndian.Uint16(x.Info) != statisticRandom
		return t
	case "hashlimit":
		at := map[uint32]int{1: 16, 2: 272, 3: 272}[x.Rev] // rev 1: IFNAMSIZ, then the mode; else NAME_MAX, and two numbers of 64 bits
		if at == 0 || len(x.Info) < at+4 {
			return nil
		}
		t.Invert = binary.NativeEndian.Uint32(x.Info[at:])&hashlimitInvert != 0
		name, _, _ := bytes.Cut(x.Info[:min(at, 255)], []byte{0})
		t.List = string(name)
		return t
	case "connlimit":
		if x.Rev != 1 || len(x.Info) < 24 {
			return nil
		}
		t.Number, t.Invert = binary.NativeEndian.Uint32(x.Info[16:]), binary.NativeEndian.Uint32(x.Info[20:])&1 != 0
		return t
	case "quota":
		if len(x.Info) < 16 {
			return nil
		}
		t.Invert = binary.NativeEndian.Uint32(x.Info)&1 != 0
		t.Number = uint32(min(binary.NativeEndian.Uint64(x.Info[8:]), math.MaxUint32))
		return t
	case "recent":
		return t.recent(x.Info)
	}
	return nil
}

// recent reads xt_recent_mtinfo and xt_recent_mtinfo_v1, which begin alike.
func (t *XtTraffic) recent(info []byte) *XtTraffic {
	const head = 10
	if len(info) < head+recentName {
		return nil
	}
	name, _, _ := bytes.Cut(info[head:head+recentName], []byte{0})
	t.List, t.Hits, t.Seconds, t.Invert = string(name), binary.NativeEndian.Uint32(info[4:]), binary.NativeEndian.Uint32(info), info[9]&1 != 0
	t.TTL = info[8]&recentTTL != 0
	t.Of = string(name) + "\x00" + string(info[head+recentName:])
	switch {
	case info[8]&recentSet != 0:
		t.Op = "set"
	case info[8]&recentRemove != 0:
		t.Op = "remove"
	case info[8]&recentUpdate != 0:
		t.Op = "update"
	default:
		t.Op = "check"
	}
	return t
}
