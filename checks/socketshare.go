//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of what is listed of the sockets of those who can open any number: of one account and part of the section, and of all accounts
// but root together, beyond which each still has a few. The host's own root has no bound.
const (
	maxAccountSockets = 20_000
	maxAllSockets     = 120_000
	fewSockets        = 100
	mostSockets       = 400_000
)

// socketShares counts sockets by whose they are.
type socketShares struct {
	own    uint64 // the host's network namespace
	listed map[socketShare]int
	total  map[string]int // by part
	more   map[socketShare]int
}

// socketShare is one of the parts, in the host's network namespace or elsewhere, and whose sockets: those of an account, whose
// subordinate uids are one, or outside of the host's namespace those of uid 0 of one namespace.
type socketShare struct {
	part      string
	elsewhere bool
	uid       int
	netns     uint64
}

func newSocketShares(own uint64) *socketShares {
	return &socketShares{own: own, listed: map[socketShare]int{}, total: map[string]int{}, more: map[socketShare]int{}}
}

// keep says whether a socket of a namespace is listed, and counts it.
func (h *socketShares) keep(netns uint64, sk *snapshot.Socket) bool {
	k := socketShare{part: partOf(sk.Proto), elsewhere: netns != h.own, uid: sk.UID}
	if k.uid >= firstSubUID {
		k.uid -= (k.uid - firstSubUID) % subUIDs
	}
	switch {
	case k.uid <= 0 && !k.elsewhere:
		return true
	case k.uid <= 0:
		k.netns = netns
	}
	n, all := h.listed[k], h.total[k.part]
	if n >= maxAccountSockets || all >= mostSockets || all >= maxAllSockets && n >= fewSockets {
		h.more[k]++
		return false
	}
	h.listed[k], h.total[k.part] = n+1, all+1
	return true
}

// maxNamedShares bounds how many of those that have more are named.
const maxNamedShares = 16

// gaps notes what was not listed, and whose it is.
func (h *socketShares) gaps(out *Outcome) {
	list := make([]socketShare, 0, len(h.more))
	for k := range h.more {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b socketShare) int {
		if d := h.more[b] - h.more[a]; d != 0 {
			return d
		}
		return slices.Compare([]string{a.part, a.where(), fmt.Sprint(a.uid)}, []string{b.part, b.where(), fmt.Sprint(b.uid)})
	})
	for i, k := range list {
		part := k.part
		if k.elsewhere && part == "ip" {
			part = "namespaces"
		}
		if i >= maxNamedShares {
			out.partialIn(part, "other accounts have more sockets than are listed, too")
			continue
		}
		out.partialIn(part, "uid %d has %d more %s sockets%s than are listed", k.uid, h.more[k], k.part, k.where())
	}
}

func (k *socketShare) where() string {
	switch {
	case k.netns != 0:
		return fmt.Sprintf(" in network namespace %d", k.netns)
	case k.elsewhere:
		return " in other network namespaces"
	}
	return ""
}
