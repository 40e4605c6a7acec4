package exposure

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
)

// The efforts of an audit, in steps of the packet model: about a microsecond each. What one party has in its network
// namespace, in sockets or rules, uses up nobody else's.
const (
	hostSteps      = 200_000_000 // the host's own questions
	accountSteps   = 40_000_000  // those about the sockets of all users but root
	elsewhereSteps = 12_000_000  // those about all other network namespaces together
	namespaceSteps = 1_500_000   // about one of them
	questionSteps  = 400_000     // one question about what listens there
	questionCases  = 15_000      // that such a question holds at one time
)

// The uids that subuid(5) gives to users by default (useradd(8), SUB_UID_MIN and SUB_UID_COUNT).
const (
	firstSubUID = 100_000
	subUIDs     = 65_536
)

// Account is the uid that stands for those to whom a socket belongs: the first of a user's subordinate ones for them
// all.
func Account(sk *snapshot.Socket) int {
	if sk.UID < firstSubUID {
		return max(0, sk.UID)
	}
	return sk.UID - (sk.UID-firstSubUID)%subUIDs
}

// account is those to whom sockets of the host belong. Whoever is not root can open sockets as they like, and has a part
// of an effort for that.
type account struct {
	party
	sockets []int
}

// accounts puts sockets of the host into the order in which they are asked about: those of root, then those of each other
// account, which has the same part of an effort.
func (a *Asker) accounts(sockets []int) []*account {
	list := a.snap.Listeners.Sockets
	byUID := map[int]*account{}
	var uids []int
	for _, i := range sockets {
		n := Account(&list[i])
		if byUID[n] == nil {
			byUID[n] = new(account)
			uids = append(uids, n)
		}
		byUID[n].sockets = append(byUID[n].sockets, i)
	}
	slices.Sort(uids)
	others := len(uids)
	if byUID[0] != nil {
		others--
	}
	var out []*account
	for _, n := range uids {
		c := byUID[n]
		if c.party = a.party; n != 0 {
			c.effort = &reach.Effort{Whose: fmt.Sprintf("the sockets of uid %d", n), Left: a.limits.Accounts / others, Context: a.effort.Context}
			c.model = a.model.Within(c.effort)
		}
		out = append(out, c)
	}
	return out
}

// owner is whoever owns network namespaces, and those that have sockets.
type owner struct {
	name   string
	netns  []uint64
	common bool // the host's own user namespace: containers of root
}

// owners groups the network namespaces of sockets by their owner: those of the host first.
func owners(s *snapshot.Snapshot, sockets []int) []*owner {
	index, seen := map[string]*owner{}, map[uint64]bool{}
	var list []*owner
	for _, i := range sockets {
		ns := s.Listeners.Sockets[i].Netns
		if seen[ns] {
			continue
		}
		seen[ns] = true
		name, common := OwnerOf(s, ns)
		o := index[name]
		if o == nil {
			o = &owner{name: name, common: common}
			index[name] = o
			list = append(list, o)
		}
		o.netns = append(o.netns, ns)
	}
	slices.SortStableFunc(list, func(x, y *owner) int {
		switch {
		case x.common != y.common && x.common:
			return -1
		case x.common != y.common:
			return 1
		}
		return cmp.Compare(x.name, y.name)
	})
	for _, o := range list {
		slices.Sort(o.netns)
	}
	return list
}

// OwnerOf names the owner of a network namespace: the host, a user, or where that is not known a user namespace.
func OwnerOf(s *snapshot.Snapshot, ns uint64) (name string, host bool) {
	own := uint64(0)
	var found *snapshot.Netns
	for i := range s.Network.Namespaces {
		n := &s.Network.Namespaces[i]
		if n.Host {
			own = n.OwnerUser
		}
		if n.Inode == ns {
			found = n
		}
	}
	switch {
	case found == nil || found.OwnerUser == 0:
		return "unknown", false
	case found.OwnerUser == own:
		return "host", true
	case found.OwnerUID != nil:
		return fmt.Sprintf("uid %d", *found.OwnerUID), false
	}
	return fmt.Sprintf("user namespace %d", found.OwnerUser), false
}

// share gives each owner the same part of the effort, and within it each of its network namespaces. What one leaves over
// is for those after it.
func share(list []*owner, total int, do func(ns uint64, steps int) (used int)) {
	for i, o := range list {
		part := total / (len(list) - i)
		for j, ns := range o.netns {
			used := do(ns, min(namespaceSteps, part/(len(o.netns)-j)))
			part, total = part-used, total-used
		}
	}
}
