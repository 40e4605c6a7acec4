package remedy

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// asNow are the denials of a finding that a plan closes, and where what they were about is now.
func (p *Plan) asNow(now *snapshot.Snapshot, t *Target) []finding.Deny {
	list := slices.Clone(t.Denies)
	for i := range t.Denies {
		list = append(list, p.moved(now, &t.Denies[i])...)
	}
	return list
}

// moved is a denial as it is now, where what it was about listens elsewhere: its port at other addresses, or at all of them, or of SSH
// another port. Where something listens as before, what else does is something else.
func (p *Plan) moved(now *snapshot.Snapshot, d *finding.Deny) (list []finding.Deny) {
	if d.ToZone != "" || d.Port == 0 {
		return nil
	}
	here := func(k *snapshot.Socket) bool {
		at, ok := boundAt(k)
		return ok && !at.IsLoopback() && onHost(now, k) && k.Proto == d.Proto
	}
	was, _ := netip.ParseAddr(d.Addr)
	was = was.Unmap().WithZone("")
	takesIt := func(k *snapshot.Socket) bool {
		at, _ := boundAt(k)
		every := !was.IsValid() || was.IsUnspecified()
		return here(k) && k.Port == d.Port && (at == was || every && (d.Family == 0 || takes(k, d.Family == 4)))
	}
	if was.IsLoopback() || slices.ContainsFunc(now.Listeners.Sockets, func(k snapshot.Socket) bool { return takesIt(&k) }) {
		return nil
	}
	for i := range now.Listeners.Sockets {
		k := &now.Listeners.Sockets[i]
		at, _ := boundAt(k)
		if !here(k) || k.Port != d.Port && !(p.keepsLogins(d.Port) && servesSSH(now, k)) || p.knows(k.Proto, k.Port, at) {
			continue
		}
		next := *d
		next.Port, next.Addr, next.Family = k.Port, "", 0
		if at.IsValid() {
			next.Addr = at.String()
		} else if v4, v6 := takes(k, true), takes(k, false); v4 != v6 {
			next.Family = map[bool]int{true: 4, false: 6}[v4]
		}
		if !slices.Contains(list, next) {
			list = append(list, next)
		}
	}
	return list
}

// knows says of a port at an address that the plan keeps it open to all, or closes it.
func (p *Plan) knows(proto string, port int, at netip.Addr) bool {
	return slices.ContainsFunc(p.Keeps, func(f Flow) bool {
		return f.Proto == proto && f.Port == port && f.Addr == at && !f.Source.IsValid() && f.Iif == ""
	}) || slices.ContainsFunc(p.Closes, func(t Target) bool {
		return slices.ContainsFunc(t.Denies, func(d finding.Deny) bool {
			closed, _ := netip.ParseAddr(d.Addr)
			return d.Proto == proto && d.Port == port && (closed.Unmap() == at || !closed.IsValid() || closed.IsUnspecified())
		})
	})
}

// keepsLogins says of a port that the plan keeps logins over SSH by it.
func (p *Plan) keepsLogins(port int) bool {
	return slices.ContainsFunc(p.Keeps, func(f Flow) bool {
		return f.Proto == "tcp" && f.Port == port && (f.Why == keptSession || f.Why == keptManaging)
	})
}

// locksOut says of a plan that lets in only what it knows that SSH listens on other ports than it knew: who logs in anew is dropped.
func (p *Plan) locksOut(now *snapshot.Snapshot) error {
	if p.Mode != DefaultDeny {
		return nil
	}
	port := 0
	for i := range now.Listeners.Sockets {
		k := &now.Listeners.Sockets[i]
		if at, ok := boundAt(k); !ok || at.IsLoopback() || !onHost(now, k) || !servesSSH(now, k) {
			continue
		}
		if slices.ContainsFunc(p.Keeps, func(f Flow) bool { return f.Proto == "tcp" && f.Port == k.Port && f.Why != keptUntil }) {
			return nil
		}
		port = k.Port
	}
	if port == 0 {
		return nil
	}
	return fmt.Errorf("SSH listens on tcp/%d alone, which was not there: who logs in anew is dropped", port)
}
