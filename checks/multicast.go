//go:build linux && !ringfence_portable

package checks

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"runtime"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// maxGroups bounds the multicast groups that are noted: IPv6 lets an ordinary user join any number.
const maxGroups = 50_000

// readGroups notes the multicast groups that links have joined. The files are of the namespace of the reading
// thread.
func (s *Scan) readGroups(sec *snapshot.Network, out *Outcome) {
	runtime.LockOSThread() // the directory is gone with the thread that opened it
	defer runtime.UnlockOSThread()
	dir, err := s.Host.OpenDir("/proc/thread-self/net")
	if err != nil {
		out.partial("multicast groups: %v", err)
		return
	}
	defer dir.Close()
	for _, f := range []struct {
		groups, filters string
		parse           func(string) []linkGroup
	}{
		{"igmp", "mcfilter", parseIGMP},
		{"igmp6", "mcfilter6", parseIGMP6},
	} {
		b, err := dir.ReadFile(f.groups)
		if err != nil {
			if !gone(err) { // a kernel without the family has no such file
				out.partial("multicast groups: %v", err)
			}
			continue
		}
		list := f.parse(string(b))
		if len(list) > maxGroups {
			out.partial("multicast groups: more than %d in %s", maxGroups, f.groups)
			continue
		}
		filters, err := dir.ReadFile(f.filters)
		if err != nil {
			out.partial("senders that multicast groups are limited to: %v", err)
			continue
		}
		filtered := parseFilters(string(filters))
		for _, g := range list {
			if l := sec.Link(g.link); l != nil {
				l.Groups = append(l.Groups, snapshot.MulticastGroup{Addr: g.addr.String(), Filtered: filtered[g]})
			}
		}
	}
}

type linkGroup struct {
	link int
	addr netip.Addr
}

// parseIGMP reads /proc/net/igmp (net/ipv4/igmp.c, igmp_mc_seq_show): a line for each link, and an indented one
// for each of its groups, with the address as a number of this machine's byte order.
func parseIGMP(text string) []linkGroup {
	var list []linkGroup
	link := 0
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if !strings.HasPrefix(line, "\t") {
			link, _ = strconv.Atoi(f[0])
			continue
		}
		n, err := strconv.ParseUint(f[0], 16, 32)
		if err != nil || link <= 0 {
			continue
		}
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], uint32(n))
		list = append(list, linkGroup{link, netip.AddrFrom4(b)})
	}
	return list
}

// parseIGMP6 reads /proc/net/igmp6 (net/ipv6/mcast.c, igmp6_mc_seq_show): link, name, group.
func parseIGMP6(text string) []linkGroup {
	var list []linkGroup
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		link, err := strconv.Atoi(f[0])
		addr, ok := hexAddr(f[2])
		if err == nil && ok {
			list = append(list, linkGroup{link, addr})
		}
	}
	return list
}

// parseFilters reads the groups of /proc/net/mcfilter and mcfilter6, which have a line for each group and sender.
func parseFilters(text string) map[linkGroup]bool {
	m := map[linkGroup]bool{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		link, err := strconv.Atoi(f[0])
		addr, ok := hexAddr(strings.TrimPrefix(f[2], "0x"))
		if err == nil && ok {
			m[linkGroup{link, addr}] = true
		}
	}
	return m
}

func hexAddr(text string) (netip.Addr, bool) {
	b, err := hex.DecodeString(text)
	if err != nil {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice(b)
}
