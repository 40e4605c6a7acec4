//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"fmt"
	"os"
	"slices"

	"github.com/ringfence/ringfence/host"
)

// owners finds out who owns each namespace, and puts them into the order in which they are looked at.
func (f *netnsFinder) owners() {
	for i := range f.list {
		n := &f.list[i]
		var file *os.File
		if file, n.err = f.s.enter(n); n.err != nil {
			continue
		}
		if o, err := host.OwnerOf(file); err == nil {
			n.OwnerUser, n.OwnerUID = o.UserNS, o.UID
		}
		file.Close()
	}
	f.list = inTurn(f.list)
}

// party names the owner of a namespace: the user namespace of our own, a uid, or where that was not found out the user
// namespace.
func (n *foundNetns) party(own uint64) string {
	switch {
	case n.OwnerUser == own && own != 0:
		return ""
	case n.OwnerUID != nil:
		return fmt.Sprintf("uid %d", *n.OwnerUID)
	}
	return "another user" // all of these together
}

// inTurn puts our own namespace first, then those that our user namespace owns, then one of each other owner in turn: what
// bounds the looking at them cannot be used up by one of these.
func inTurn(list []foundNetns) []foundNetns {
	own := list[0].OwnerUser
	turns, rank := map[string]int{}, make(map[uint64]int, len(list))
	for i := range list[1:] {
		n := &list[i+1]
		if p := n.party(own); p != "" {
			turns[p]++
			rank[n.Inode] = turns[p]
		}
	}
	rest := slices.Clone(list[1:])
	slices.SortStableFunc(rest, func(a, b foundNetns) int { return cmp.Compare(rank[a.Inode], rank[b.Inode]) })
	return append(list[:1:1], rest...)
}
