package judge

import (
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// relays are the sockets of programs that pass connections on to one of those that a process holds in another network namespace, whatever
// their ports.
func (b *builder) relays(p *snapshot.Process, held []int) (list []int) {
	for j := range b.snap.Listeners.Sockets {
		sk := &b.snap.Listeners.Sockets[j]
		if sk.Relay == nil || b.byService[j] == nil || !slices.ContainsFunc(sk.Owners, func(o snapshot.Owner) bool { return speaksFor(b.byPID[o.PID], p) }) {
			continue
		}
		if slices.ContainsFunc(held, func(i int) bool { return exposure.LeadsTo(b.snap, sk, &b.snap.Listeners.Sockets[i]) }) {
			list = append(list, j)
		}
	}
	return list
}

// maxMaybe bounds the services that are named beside an agent because they may lead to it.
const maxMaybe = 8

// maybe are services of programs that pass connections on to where they do not tell, and may do so to an agent: those of root or of its own
// user, if the agent's network namespace is one that programs pass connections to.
func (b *builder) maybe(p *snapshot.Process, d *DocAgent) []DocMaybe {
	list := []DocMaybe{}
	if p == nil || p.NS.Net == b.snap.Network.HostNetns() || !b.takesFromPrograms(p.NS.Net) {
		return list
	}
	for j := range b.snap.Listeners.Sockets {
		sk, svc := &b.snap.Listeners.Sockets[j], b.byService[j]
		switch {
		case svc == nil || sk.Relay == nil || sk.Relay.Addr != "" || sk.Proto != "tcp" || svc.Loopback || len(list) == maxMaybe:
			continue
		case !b.reached(svc) || slices.ContainsFunc(d.Services, func(o DocService) bool { return o.Key == svc.Key }):
			continue
		case !slices.ContainsFunc(sk.Owners, func(o snapshot.Owner) bool { return speaksFor(b.byPID[o.PID], p) }):
			continue
		}
		list = append(list, DocMaybe{svc.Key, fmt.Sprintf("%s does not tell where it passes connections on, and it may be %s", sk.Relay.Program, d.Title)})
	}
	return list
}

// reached says whether another zone reaches a service, or may.
func (b *builder) reached(svc *DocService) bool {
	for _, zone := range []string{"external", "workload"} {
		if r, ok := svc.Reach[zone]; ok && r.Verdict != packet.Unreachable {
			return true
		}
	}
	return false
}

// takesFromPrograms says whether a program holds the other end of an interface of a network namespace.
func (b *builder) takesFromPrograms(netns uint64) bool {
	return slices.ContainsFunc(b.snap.Namespaces, func(e snapshot.Elsewhere) bool {
		return e.Netns == netns && (e.Status != snapshot.OK || slices.ContainsFunc(e.Network.Links, func(l snapshot.Link) bool { return l.Kind == "tun" && l.Up }))
	})
}
