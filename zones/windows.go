package zones

import (
	"cmp"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// Mirrored is the network of WSL in mirrored mode: it has the host's own addresses, and what it sends to them the Hyper-V firewall alone
// filters.
const Mirrored = "mirrored"

// loopbackType is IF_TYPE_SOFTWARE_LOOPBACK (ipifcons.h).
const loopbackType = 24

// windows classifies the interfaces of a Windows host. Their index is their place in the list, from 1 on. Where they were not read
// there is one origin without an interface.
func (m *Map) windows() {
	w := &m.snap.Windows
	all := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	if w.Adapters.Read.State != snapshot.Present {
		m.Origins = append(m.Origins, Origin{Zone: External, Reason: "the interfaces were not read", Origin: packet.Origin{From: all}})
	}
	anyUp := slices.ContainsFunc(w.Adapters.List, func(a snapshot.WindowsAdapter) bool { return a.Up })
	for n := range w.Adapters.List {
		a := &w.Adapters.List[n]
		i := Interface{Name: a.Name, Index: n + 1, Inert: len(a.Addrs) == 0 || anyUp && !a.Up}
		i.Zone, i.Reason, i.configured = m.adapter(a)
		i.Assumed = i.Zone == Management && !i.configured
		m.Interfaces = append(m.Interfaces, i)
	}
	networks := make([][]netip.Prefix, len(m.Interfaces))
	for n, i := range m.Interfaces {
		if !i.Inert {
			networks[n] = withoutLinkLocal(OnLink(&w.Adapters.List[i.Index-1]))
		}
	}
	for n, i := range m.Interfaces {
		if i.Inert || i.Zone == Host {
			continue
		}
		a := &w.Adapters.List[i.Index-1]
		o := Origin{
			Zone: i.Zone, Interface: i.Name, Reason: i.Reason, Assumed: i.Assumed,
			Origin: packet.Origin{Index: i.Index, From: reached(a)},
		}
		for k, list := range networks {
			if k != n {
				o.Except = append(o.Except, elsewhere(o.From, list)...)
			}
		}
		switch {
		case len(a.Gateways) > 0:
			o.From = all
		case !a.RoutesTold:
			for _, p := range all {
				o.Maybe = append(o.Maybe, without(p, o.Except)...)
			}
		case len(a.Links)+len(a.Routes) == 0:
			o.Except = nil // it has its own network alone
		}
		for _, name := range []string{Management, Runtime, Workload, External} {
			m.split(&o, name, m.cfg[name].Prefixes, "", "configured prefixes behind "+i.Name)
		}
		m.Origins = append(m.Origins, o)
	}
	m.onHost()
}

// elsewhere are the networks of another interface from which nobody comes in by one that has networks of its own: without what these are narrower
// than.
func elsewhere(own, others []netip.Prefix) (out []netip.Prefix) {
	for _, p := range others {
		if p.Bits() > 0 { // everything is no network of its own
			out = append(out, without(p, own)...)
		}
	}
	return out
}

// without are the parts of a prefix that none of a list is in. One that is wider takes nothing away.
func without(p netip.Prefix, list []netip.Prefix) []netip.Prefix {
	var in []netip.Prefix
	for _, x := range list {
		if x.Bits() >= p.Bits() && p.Contains(x.Addr()) {
			in = append(in, x)
		}
	}
	switch {
	case len(in) == 0:
		return []netip.Prefix{p}
	case slices.Contains(in, p):
		return nil
	}
	low := netip.PrefixFrom(p.Addr(), p.Bits()+1)
	b := p.Addr().AsSlice()
	b[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	addr, _ := netip.AddrFromSlice(b)
	return append(without(low, in), without(netip.PrefixFrom(addr, p.Bits()+1), in)...)
}

// OnLink are the prefixes of an interface's addresses.
func OnLink(a *snapshot.WindowsAdapter) []netip.Prefix {
	var out []netip.Prefix
	seen := map[netip.Prefix]bool{}
	for _, s := range a.Addrs {
		if p, err := netip.ParsePrefix(s); err == nil && !seen[p.Masked()] {
			seen[p.Masked()], out = true, append(out, p.Masked())
		}
	}
	return out
}

// reached are the prefixes of an interface's addresses and routes.
func reached(a *snapshot.WindowsAdapter) []netip.Prefix {
	out := OnLink(a)
	seen := map[netip.Prefix]bool{}
	for _, p := range out {
		seen[p] = true
	}
	for _, s := range slices.Concat(a.Links, a.Routes) {
		if p, err := netip.ParsePrefix(s); err == nil && !seen[p] {
			seen[p], out = true, append(out, p)
		}
	}
	return out
}

// leadsOut says of an interface that it has a default route, or one for half of all addresses, as VPNs make two of it.
func leadsOut(a *snapshot.WindowsAdapter) bool {
	return len(a.Gateways) > 0 || slices.ContainsFunc(reached(a), func(p netip.Prefix) bool { return p.Bits() <= 1 })
}

// adapter is the zone of an interface of a Windows host.
func (m *Map) adapter(a *snapshot.WindowsAdapter) (zone, reason string, configured bool) {
	for _, name := range []string{Management, Runtime, Workload, External} {
		for _, p := range m.cfg[name].Interfaces {
			if ok, _ := path.Match(p, a.Name); ok {
				return name, "configured: " + p, true
			}
		}
	}
	switch {
	case a.Type == loopbackType || a.Kind == snapshot.NetworkLoopback:
		return Host, "loopback", false
	case a.Kind == snapshot.NetworkVPN && leadsOut(a):
		return External, "a VPN with a default route", false
	case a.Kind == snapshot.NetworkVPN:
		return Management, "private network (an assumption: configure it if workloads use it)", false
	case a.Kind != "":
		return Workload, "network of machines, containers or connection sharing (" + string(a.Kind) + ")", false
	case len(a.Gateways) > 0:
		return External, "has a default route", false
	}
	return External, cmp.Or(a.Description, "nothing explains it"), false
}

// onHost adds who sends from the host itself: agents of its users, and WSL in mirrored mode.
func (m *Map) onHost() {
	w := &m.snap.Windows
	for _, a := range w.Agents.List {
		if a.Form != "distribution" {
			m.Origins = append(m.Origins, Origin{Zone: Workload, Origin: packet.Origin{Local: true}, Reason: "an agent runs on the host: " + a.Kind})
			break
		}
	}
	mirrored := func(c snapshot.WSLConfiguration) bool {
		return strings.EqualFold(c.Settings["networkingmode"], Mirrored)
	}
	if strings.EqualFold(w.Networks.WSL.Settings["networkingmode"].Value, Mirrored) || slices.ContainsFunc(w.Networks.WSL.Users, mirrored) {
		m.Origins = append(m.Origins, Origin{
			Zone: Workload, Origin: packet.Origin{Local: true}, Network: Mirrored, Reason: "WSL has the addresses of the host (mirrored mode)",
		})
	}
}
