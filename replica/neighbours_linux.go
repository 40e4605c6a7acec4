//go:build linux && !ringfence_portable

package replica

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"

	vnl "github.com/vishvananda/netlink"

	"github.com/ringfence/ringfence/snapshot"
)

// family is the probes behind an interface that are of one family.
type family struct {
	from string
	v4   bool
}

// TryUnfound tries those probes again that should have arrived and came to nothing, behind interfaces by which nothing of their family arrived, with the
// neighbours entered by hand. Rules of the host can drop neighbour discovery, as many drop it without being meant to: who has found the host before, or enters it, gets in
// all the same. The outcomes are completed by it, and the interfaces told where it made a difference. Elsewhere nothing is entered.
func (r *Replica) TryUnfound(probes []Probe, out map[int]string) (found []string, err error) {
	groups, works := map[family][]Probe{}, map[family]bool{}
	for _, p := range probes {
		k := family{p.From, p.Dst.Addr().Is4()}
		if p.From == "" || r.worlds[p.From] == nil {
			continue
		}
		if works[k] = works[k] || out[p.ID] != Silent && out[p.ID] != Refused; p.Arrives {
			groups[k] = append(groups[k], p)
		}
	}
	maps.DeleteFunc(groups, func(k family, _ []Probe) bool { return works[k] })
	ends := map[family][]Probe{} // also those who answer
	for k, list := range groups {
		ends[k] = list
		for _, e := range r.host.Peers {
			if at := (family{e.Iif, k.v4}); e.At.Addr().Is4() == k.v4 && r.worlds[e.Iif] != nil && !works[at] && ends[at] == nil {
				ends[at] = groups[at]
			}
		}
	}
	for k, list := range ends {
		if err := r.enter(k, list); err != nil {
			return nil, fmt.Errorf("neighbours behind %q: %w", k.from, err)
		}
	}
	for k, list := range groups {
		again := r.Try(list)
		if slices.ContainsFunc(list, func(p Probe) bool { return again[p.ID] == Open }) {
			maps.Copy(out, again)
			found = append(found, k.from)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// enter has those behind an interface and the host know each other's link layer addresses. They are not forgotten.
func (r *Replica) enter(k family, probes []Probe) error {
	w := r.worlds[k.from]
	l := r.host.Network.LinkNamed(k.from)
	if b := r.host.Network.BridgeOf(l); b != nil {
		l = b
	}
	if l == nil {
		return fmt.Errorf("the interface is gone")
	}
	here, err := vnl.LinkByName(l.Name)
	if err != nil {
		return err
	}
	var hosts, peers []netip.Addr
	add := func(list *[]netip.Addr, a netip.Addr) {
		if a.IsValid() && a.Is4() == k.v4 && !slices.Contains(*list, a) {
			*list = append(*list, a)
		}
	}
	for _, p := range ownOf(l) {
		add(&hosts, p)
	}
	for _, p := range probes {
		if !slices.ContainsFunc(r.host.Peers, func(e Endpoint) bool { return e.At.Addr() == p.Dst.Addr() }) {
			add(&hosts, p.Dst.Addr())
		}
	}
	for a := range w.have {
		add(&peers, a)
	}
	if err := inside(w.ns, func() error {
		dev, err := vnl.LinkByName(w.dev)
		if err != nil {
			return err
		}
		return know(dev.Attrs().Index, here.Attrs().HardwareAddr, hosts)
	}); err != nil {
		return err
	}
	return know(here.Attrs().Index, w.mac, peers)
}

// ownOf are the host's addresses on an interface.
func ownOf(l *snapshot.Link) (list []netip.Addr) {
	for _, text := range l.Addrs {
		if p, err := netip.ParsePrefix(text); err == nil {
			list = append(list, p.Addr())
		}
	}
	return list
}

// know enters addresses as those of one neighbour on a link.
func know(link int, mac net.HardwareAddr, list []netip.Addr) error {
	for _, a := range list {
		if err := vnl.NeighSet(&vnl.Neigh{LinkIndex: link, State: vnl.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: mac}); err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
	}
	return nil
}
