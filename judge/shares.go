package judge

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of the sockets that are asked about and told of: those of one account or namespace, and of all of them but the host's root.
// Who is not root opens as many as it likes, and each one takes room in what the policies see and in the report.
const (
	accountSockets = 4096
	otherSockets   = 16_384
	rootSockets    = 32_768
)

// shareKey is whose sockets some are, and the part of the section of listeners that tells of them.
type shareKey struct {
	part  string
	whose string
	root  bool // the host's own
}

// shareSockets leaves sockets out that are beyond somebody's share, those first that only the host itself reaches. It notes whose and how
// many they are, which makes every check that reads the part unknown where it would have passed.
func (b *builder) shareSockets() {
	list := b.snap.Listeners.Sockets
	groups := map[shareKey][]int{}
	for i := range list {
		if k, ok := b.shareOf(&list[i]); ok {
			groups[k] = append(groups[k], i)
		}
	}
	keys := make([]shareKey, 0, len(groups))
	for k := range groups {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y shareKey) int { // those with few sockets first: what they leave is for the others
		return cmp.Or(cmp.Compare(x.part, y.part), cmp.Compare(len(groups[x]), len(groups[y])), cmp.Compare(x.whose, y.whose))
	})
	waiting, left := map[string]int{}, map[string]int{}
	for _, k := range keys {
		if !k.root {
			waiting[k.part]++
			left[k.part] = otherSockets
		}
	}
	b.unasked = make([]bool, len(list))
	for _, k := range keys {
		part := rootSockets
		if !k.root {
			part = min(accountSockets, left[k.part]/waiting[k.part])
			left[k.part] -= min(part, len(groups[k]))
			waiting[k.part]--
		}
		b.leave(k, groups[k], part)
	}
}

// leave takes the first of a group, and leaves the others out.
func (b *builder) leave(k shareKey, sockets []int, part int) {
	if len(sockets) <= part {
		return
	}
	slices.SortStableFunc(sockets, func(i, j int) int {
		return cmp.Compare(nearness(&b.snap.Listeners.Sockets[i]), nearness(&b.snap.Listeners.Sockets[j]))
	})
	for _, i := range sockets[part:] {
		b.unasked[i] = true
	}
	b.gap(k.part, fmt.Sprintf("%s has %d more listening sockets than the %d that are judged", k.whose, len(sockets)-part, part))
}

// nearness is 0 for a socket that a network may reach, and 1 for one that the host alone does.
func nearness(sk *snapshot.Socket) int {
	if a, err := netip.ParseAddr(sk.Addr); err == nil && a.Unmap().IsLoopback() {
		return 1
	}
	return 0
}

// maxGaps bounds the reasons that one part gives.
const maxGaps = 16

// gap notes why a part of the listeners is not judged as a whole.
func (b *builder) gap(part, reason string) {
	list := b.gaps[part]
	switch {
	case slices.Contains(list, reason):
	case len(list) < maxGaps:
		b.gaps[part] = append(list, reason)
	case len(list) == maxGaps:
		b.gaps[part] = append(list, "others have more, too")
	}
}

// shareOf says whose a socket is, if it is one that services or abstract sockets are made from.
func (b *builder) shareOf(sk *snapshot.Socket) (shareKey, bool) {
	own := sk.Netns == b.snap.Network.HostNetns()
	switch sk.Proto {
	case "tcp", "udp", "udplite", "sctp":
	case "unix":
		if !own || !sk.Abstract {
			return shareKey{}, false
		}
	default:
		return shareKey{}, false
	}
	account := exposure.Account(sk)
	switch {
	case sk.Proto == "unix":
		return shareKey{"listeners.unix", fmt.Sprintf("uid %d", account), account == 0}, true
	case own:
		return shareKey{"listeners.ip", fmt.Sprintf("uid %d", account), account == 0}, true
	}
	whose, ok := b.owners[sk.Netns]
	if !ok {
		name, host := exposure.OwnerOf(b.snap, sk.Netns)
		if whose = name; host || name == "unknown" {
			whose = fmt.Sprintf("network namespace %d", sk.Netns)
		}
		b.owners[sk.Netns] = whose
	}
	return shareKey{"listeners.namespaces", whose, false}, true
}
