package judge

import (
	"cmp"
	"context"
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

// accountOf is the uid that stands for those to whom a socket belongs: the first of a user's subordinate ones for them
// all.
func accountOf(sk *snapshot.Socket) int {
	if sk.UID < firstSubUID {
		return max(0, sk.UID)
	}
	return sk.UID - (sk.UID-firstSubUID)%subUIDs
}

// asker is the model that questions about a socket of the host are put to. Whoever is not root can open sockets as they
// like, and has a part of an effort for that.
func (b *builder) asker(sk *snapshot.Socket) *reach.Model {
	if m := b.askers[accountOf(sk)]; m != nil {
		return m
	}
	return b.model
}

// byAccount puts sockets of the host into the order in which they are asked about: those of root, then those of each other
// account, which it gives the same part of an effort.
func (b *builder) byAccount(sockets []int) []int {
	list := b.snap.Listeners.Sockets
	b.askers = map[int]*reach.Model{}
	order := slices.Clone(sockets)
	slices.SortStableFunc(order, func(i, j int) int { return accountOf(&list[i]) - accountOf(&list[j]) })
	var accounts []int
	for _, i := range order {
		if n := accountOf(&list[i]); n != 0 && (len(accounts) == 0 || accounts[len(accounts)-1] != n) {
			accounts = append(accounts, n)
		}
	}
	for _, n := range accounts {
		b.askers[n] = b.model.Within(&reach.Effort{
			Whose: fmt.Sprintf("the sockets of uid %d", n), Left: accountSteps / len(accounts), Context: b.effort.Context,
		})
	}
	return order
}

// party is whoever owns network namespaces, and those that have sockets.
type party struct {
	owner  string
	netns  []uint64
	common bool // the host's own user namespace: containers of root
}

// parties groups the network namespaces of sockets by their owner: those of the host first.
func (b *builder) parties(sockets []int) []*party {
	index, seen := map[string]*party{}, map[uint64]bool{}
	var list []*party
	for _, i := range sockets {
		ns := b.snap.Listeners.Sockets[i].Netns
		if seen[ns] {
			continue
		}
		seen[ns] = true
		owner, common := b.ownerOf(ns)
		p := index[owner]
		if p == nil {
			p = &party{owner: owner, common: common}
			index[owner] = p
			list = append(list, p)
		}
		p.netns = append(p.netns, ns)
	}
	slices.SortStableFunc(list, func(x, y *party) int {
		switch {
		case x.common != y.common && x.common:
			return -1
		case x.common != y.common:
			return 1
		}
		return cmp.Compare(x.owner, y.owner)
	})
	for _, p := range list {
		slices.Sort(p.netns)
	}
	return list
}

// ownerOf names the owner of a network namespace: the host, a user, or where that is not known a user namespace.
func (b *builder) ownerOf(ns uint64) (name string, host bool) {
	own := uint64(0)
	var found *snapshot.Netns
	for i := range b.snap.Network.Namespaces {
		n := &b.snap.Network.Namespaces[i]
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

// share gives each party the same part of the effort, and within it each of its network namespaces. What one leaves over
// is for those after it.
func share(parties []*party, total int, do func(ns uint64, steps int) (used int)) {
	for i, p := range parties {
		part := total / (len(parties) - i)
		for j, ns := range p.netns {
			used := do(ns, min(namespaceSteps, part/(len(p.netns)-j)))
			part, total = part-used, total-used
		}
	}
}

// elsewhere asks about sockets of other network namespaces, after all that is asked about the host itself.
func (b *builder) elsewhere(ctx context.Context, total int) {
	share(b.parties(b.foreigners), total, func(ns uint64, steps int) int {
		v := b.view(ns, &reach.Effort{
			Whose: fmt.Sprintf("network namespace %d (%s)", ns, b.netnsName(ns)),
			Left:  steps, Question: questionSteps, Cases: questionCases, Context: ctx,
		})
		for _, i := range b.foreigners {
			if sk := &b.snap.Listeners.Sockets[i]; sk.Netns == ns {
				b.exposures[i], b.foreignReach[i] = b.exposeForeign(v, sk)
			}
		}
		return steps - v.effort.Left
	})
}
