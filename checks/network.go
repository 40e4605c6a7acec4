//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mdlayher/netlink"
	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// collectNetwork reads rtnetlink(7) of our own namespace, and the list of the others.
func collectNetwork(ctx context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	if !s.Host.Live() {
		out.worse(snapshot.Error, "the network can only be read on a live host")
		return out
	}
	sec := &snap.Network
	found := s.netns()
	for i := range found {
		if err := found[i].err; err != nil && !gone(err) {
			out.partial("network namespace %d: %v (needs CAP_SYS_PTRACE)", found[i].Inode, err)
		}
		sec.Namespaces = append(sec.Namespaces, found[i].Netns)
	}
	r := netReader{s: s, own: found[0].Inode, found: found}
	if err := r.read(sec, out); err != nil {
		out.fail("read the network", err)
		return out
	}
	untold(sec, out)
	tracked := newFlowCount(ownAddresses(sec), map[ends]wire.Connection{})
	sec.InUse = s.inUse(tracked)
	sec.Flows = s.flows(ctx, found, tracked)
	for _, f := range sec.Sysctls {
		if f.State == snapshot.Error || f.State == snapshot.Denied {
			out.partial("sysctl: %s", f.Reason)
		}
	}
	s.resolvers(sec)
	return out
}

// resolvers adds the name servers that the host asks.
func (s *Scan) resolvers(sec *snapshot.Network) {
	for _, file := range resolverFiles {
		if b, err := s.Host.ReadFile(file); err == nil {
			addResolvers(sec, b)
		}
		if !slices.ContainsFunc(sec.Resolvers, onLoopback) {
			return
		}
	}
}

// resolverFiles say which name servers the host asks. Where that is one of its own (127.0.0.53 of systemd-resolved), the next one says which that asks
// (systemd-resolved.service(8), NetworkManager.conf(5), rc-manager).
var resolverFiles = []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf"}

// maxResolvers bounds the name servers that are told: resolv.conf(5) has three.
const maxResolvers = 32

// addResolvers adds the name servers of a file (resolv.conf(5)).
func addResolvers(sec *snapshot.Network, b []byte) {
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "nameserver" && len(sec.Resolvers) < maxResolvers && !slices.Contains(sec.Resolvers, f[1]) {
			sec.Resolvers = append(sec.Resolvers, f[1])
		}
	}
}

func onLoopback(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a.IsLoopback()
}

// netReader reads the network namespace that its thread is in.
type netReader struct {
	s     *Scan
	ns    *os.File     // its file; nil: it is our own
	own   uint64       // its inode
	found []foundNetns // among which the other ends of links are looked for; of others than our own nil

	h     *vnl.Handle
	route *netlink.Conn // for messages of which the library loses a part
}

func (r *netReader) open() (err error) {
	if r.h, err = r.s.Host.Route(); err != nil {
		return err
	}
	r.route, err = r.s.Host.Questions(unix.NETLINK_ROUTE)
	return err
}

func (r *netReader) close() {
	if r.h != nil {
		r.h.Close()
	}
	if r.route != nil {
		r.route.Close()
	}
}

// read reads links, routes and switches.
func (r *netReader) read(sec *snapshot.Network, out *Outcome) error {
	defer r.close()
	if err := r.open(); err != nil {
		return fmt.Errorf("open rtnetlink: %w", err)
	}
	lost := r.readLinks(sec, out)
	var names []string
	for _, l := range sec.Links {
		if r.ns == nil || l.Up && !l.Loopback { // nothing asks for those of others, which take most of the time
			names = append(names, l.Name)
		}
	}
	if r.ns != nil && !outward(sec.Links) {
		return nil
	}
	r.readRoutes(sec, out)
	for _, l := range lost {
		if !r.leadsOut(sec, l.Index) {
			out.partialIn("namespaces", "the other end of %s is in a network namespace that was not found", l.Name)
		}
	}
	sec.XFRM = r.s.readXFRM()
	sec.Programs = r.s.netPrograms(r.ns)
	linkPrograms(sec.Links)
	told, err := r.linkConfs()
	if err != nil {
		return err
	}
	r.bridges(sec, told, out)
	r.entries(sec)
	sw := hostSwitches
	if r.ns != nil {
		sw = elsewhereSwitches(sec.Links)
	}
	sec.Sysctls = r.s.networkSysctls(&sw, names, told)
	r.s.readGroups(sec, out)
	return nil
}

// maxListings is how often a list is asked for that changes while the kernel tells it.
const maxListings = 8

// ownPause is how long is waited at first before a list of the host's own namespace is asked for again, and twice as long each next time. For one of
// somebody else nothing waits: they could go on changing it.
const ownPause = time.Millisecond

// steady asks again for a list that changed meanwhile (NLM_F_DUMP_INTR): on a host with many containers one starts or ends at any time, and
// what an address is checked for duplicates counts as well.
func steady[T any](pause time.Duration, list func() (T, error)) (got T, err error) {
	for n := range maxListings {
		if got, err = list(); !errors.Is(err, vnl.ErrDumpInterrupted) {
			break
		}
		time.Sleep(pause << n)
	}
	return got, err
}

// pause is ownPause in the host's own namespace.
func (r *netReader) pause() time.Duration {
	if r.ns == nil {
		return ownPause
	}
	return 0
}

// listOf is a list of rtnetlink.
func listOf[T any](r *netReader, ask netlink.Message, parse func([]byte) (T, error)) ([]T, error) {
	return steady(r.pause(), func() ([]T, error) { return answers(r.route, ask, parse) })
}

// answers reads a list to its end, also one that is interrupted, so that the next can be asked for.
func answers[T any](conn *netlink.Conn, ask netlink.Message, parse func([]byte) (T, error)) (list []T, err error) {
	if _, err := conn.Send(ask); err != nil {
		return nil, err
	}
	for m, rerr := range conn.ReceiveIter() {
		if rerr != nil {
			return nil, rerr
		}
		one, perr := parse(m.Data)
		if m.Header.Flags&netlink.DumpInterrupted != 0 {
			perr = vnl.ErrDumpInterrupted
		}
		list, err = append(list, one), cmp.Or(err, perr)
	}
	return list, err
}

// leadsOut says of an interface whose other end was not found that it leads out of a container that this program is in: it has the default
// route. What is behind it is outside, as behind a network card, and the report says that this is a container.
func (r *netReader) leadsOut(sec *snapshot.Network, index int) bool {
	pidns := r.s.namespaces("thread-self").PID
	return pidns != 0 && pidns != initPID && slices.ContainsFunc(sec.Routes, func(rt snapshot.Route) bool {
		to, err := netip.ParsePrefix(rt.Dst)
		return err == nil && to.Bits() == 0 && rt.Type == "unicast" && slices.Contains(rt.Oifs, index)
	})
}

// readLinks reads the interfaces. lost are those whose other end is in a network namespace that was not found.
func (r *netReader) readLinks(sec *snapshot.Network, out *Outcome) (lost []snapshot.Link) {
	h := r.h
	links, err := steady(r.pause(), h.LinkList)
	if err != nil {
		out.fail("list links", err)
		return nil
	}
	addrs, err := steady(r.pause(), func() ([]vnl.Addr, error) { return h.AddrList(nil, unix.AF_UNSPEC) })
	if err != nil {
		out.fail("list addresses", err)
		return nil
	}
	byLink := map[int][]string{}
	for _, a := range addrs {
		if a.IPNet != nil {
			byLink[a.LinkIndex] = append(byLink[a.LinkIndex], a.IPNet.String())
		}
	}
	var peers map[int]uint64
	if r.found != nil {
		peers = r.s.idsOf(h, r.found[min(1, len(r.found)):])
	} else {
		peers = r.s.neighbours(h, r.own, links)
	}
	qdiscs, unread := r.hooked()
	if unread != nil {
		out.partial("traffic control: %v", unread)
	}
	for _, l := range links {
		a := l.Attrs()
		link := snapshot.Link{
			Index: a.Index, Name: a.Name, Kind: linkKind(l.Type()), Up: a.Flags&net.FlagUp != 0,
			Loopback: a.Flags&net.FlagLoopback != 0, Master: a.MasterIndex, Group: a.Group,
			XDP: a.Xdp != nil && a.Xdp.Attached, Addrs: byLink[a.Index],
			MAC: a.HardwareAddr.String(), Hardware: hardwareType(a.EncapType),
		}
		if isBelow(l) || isPair(l) {
			link.PeerIndex = a.ParentIndex
			link.PeerNetns = r.own
			if a.NetNsID >= 0 {
				link.PeerNetns = peers[a.NetNsID]
				if link.PeerNetns == 0 && r.found != nil {
					lost = append(lost, link)
				}
			}
		}
		link.Mode = linkMode(l)
		// Only a device of hardware has a driver link; a name with "/" cannot be one.
		if d, err := r.s.Host.Readlink("/sys/class/net/" + filepath.Base(a.Name) + "/device/driver"); err == nil {
			link.Driver = filepath.Base(d)
		}
		link.Programs = xdpProgram(a.Xdp)
		trafficControl(h, l, qdiscs[a.Index], &link)
		if unread != nil {
			link.TCUnread = unread.Error()
		}
		link.UDPPort = carriedAt(l)
		sec.Links = append(sec.Links, link)
	}
	slices.SortFunc(sec.Links, func(a, b snapshot.Link) int { return cmp.Compare(a.Index, b.Index) })
	return lost
}

// isBelow says of an interface that it has another one below itself, whose frames it gets a part of.
func isBelow(l vnl.Link) bool {
	return slices.Contains([]string{"macvlan", "macvtap", "ipvlan", "ipvtap", "vlan"}, l.Type())
}

// linkMode is how an interface shares the one below it (macvlan and ipvlan in ip-link(8)).
func linkMode(l vnl.Link) string {
	macvlan := map[vnl.MacvlanMode]string{
		vnl.MACVLAN_MODE_PRIVATE: "private", vnl.MACVLAN_MODE_VEPA: "vepa", vnl.MACVLAN_MODE_BRIDGE: "bridge",
		vnl.MACVLAN_MODE_PASSTHRU: "passthru", vnl.MACVLAN_MODE_SOURCE: "source",
	}
	ipvlan := map[vnl.IPVlanMode]string{vnl.IPVLAN_MODE_L2: "l2", vnl.IPVLAN_MODE_L3: "l3", vnl.IPVLAN_MODE_L3S: "l3s"}
	switch v := l.(type) {
	case *vnl.Macvlan:
		return macvlan[v.Mode]
	case *vnl.Macvtap:
		return macvlan[v.Mode]
	case *vnl.IPVlan:
		return ipvlan[v.Mode]
	}
	return ""
}

// carriedAt is the port that a tunnel of the kernel listens on (IFLA_VXLAN_PORT, IFLA_GENEVE_PORT), 0 of other kinds. One that is told by its
// metadata alone, without a network of its own, has one too.
func carriedAt(l vnl.Link) int {
	switch v := l.(type) {
	case *vnl.Vxlan:
		return v.Port
	case *vnl.Geneve:
		return int(v.Dport)
	}
	return 0
}

// isPair says of an interface that it has another end.
func isPair(l vnl.Link) bool { return l.Type() == "veth" || l.Type() == "netkit" }

// maxPeersTried is how many namespaces are asked whether the other ends of one's interfaces are there.
const maxPeersTried = 64

// neighbours finds the namespaces of other ends for another namespace than our own: the host's, and only where something leads elsewhere
// those of the same owner, then those of the host's user namespace. What is beyond the bound is not found.
func (s *Scan) neighbours(h *vnl.Handle, own uint64, links []vnl.Link) map[int]uint64 {
	list := s.netns()
	if len(list) == 0 || !slices.ContainsFunc(links, func(l vnl.Link) bool { return isBelow(l) || isPair(l) }) {
		return map[int]uint64{}
	}
	ids := s.idsOf(h, list[:1])
	if !slices.ContainsFunc(links, func(l vnl.Link) bool { return isPair(l) && l.Attrs().NetNsID >= 0 && ids[l.Attrs().NetNsID] == 0 }) {
		return ids
	}
	var owner uint64
	for i := range list {
		if list[i].Inode == own {
			owner = list[i].OwnerUser
		}
	}
	var near, common []foundNetns
	for _, ns := range list[1:] {
		switch {
		case ns.Inode == own:
		case ns.OwnerUser == owner:
			near = append(near, ns)
		case ns.OwnerUser == list[0].OwnerUser:
			common = append(common, ns)
		}
	}
	tried := append(near, common...)
	maps.Copy(ids, s.idsOf(h, tried[:min(len(tried), maxPeersTried)]))
	return ids
}

// idsOf maps the ids by which a namespace knows others (RTM_GETNSID) to their inodes.
func (s *Scan) idsOf(h *vnl.Handle, list []foundNetns) map[int]uint64 {
	ids := map[int]uint64{}
	for i := range list {
		ns := &list[i]
		f, err := s.enter(ns)
		if err != nil {
			continue
		}
		if id, err := h.GetNetNsIdByFd(int(f.Fd())); err == nil && id >= 0 {
			ids[id] = ns.Inode
		}
		f.Close()
	}
	return ids
}

// hooked are the queueing disciplines of a namespace that filters hang on, by interface. The kernel lists those of all interfaces,
// whichever is asked about.
func (r *netReader) hooked() (map[int][]string, error) {
	list, err := steady(r.pause(), func() ([]vnl.Qdisc, error) { return r.h.QdiscList(nil) })
	if err != nil {
		return nil, err
	}
	by := map[int][]string{}
	for _, q := range list {
		if q.Type() == "clsact" || q.Type() == "ingress" {
			by[q.Attrs().LinkIndex] = append(by[q.Attrs().LinkIndex], q.Type())
		}
	}
	return by, nil
}

// linkKind is the kernel's name of a kind, where the library has one of its own.
func linkKind(library string) string {
	if library == "tuntap" {
		return "tun"
	}
	return library
}

// hardwareType turns the library's name back into the number (ARPHRD_*, include/uapi/linux/if_arp.h).
func hardwareType(encap string) uint16 {
	switch encap {
	case "ether":
		return unix.ARPHRD_ETHER
	case "loopback":
		return unix.ARPHRD_LOOPBACK
	case "none":
		return unix.ARPHRD_NONE
	case "ppp":
		return unix.ARPHRD_PPP
	case "tunnel", "ipip":
		return unix.ARPHRD_TUNNEL
	case "sit":
		return unix.ARPHRD_SIT
	case "gre":
		return unix.ARPHRD_IPGRE
	}
	return 0
}

var routeTypes = map[int]string{
	unix.RTN_UNICAST: "unicast", unix.RTN_LOCAL: "local", unix.RTN_BROADCAST: "broadcast",
	unix.RTN_ANYCAST: "anycast", unix.RTN_MULTICAST: "multicast", unix.RTN_BLACKHOLE: "blackhole",
	unix.RTN_UNREACHABLE: "unreachable", unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw",
	unix.RTN_NAT: "nat",
}

func (r *netReader) readRoutes(sec *snapshot.Network, out *Outcome) {
	for _, fam := range []struct{ af, n int }{{unix.AF_INET, 4}, {unix.AF_INET6, 6}} {
		routes, err := steady(r.pause(), func() ([]vnl.Route, error) {
			return r.h.RouteListFiltered(fam.af, &vnl.Route{Table: unix.RT_TABLE_UNSPEC}, vnl.RT_FILTER_TABLE)
		})
		if err != nil {
			out.fail(fmt.Sprintf("list IPv%d routes", fam.n), err)
			return
		}
		for i := range routes {
			sec.Routes = append(sec.Routes, toRoute(fam.n, &routes[i]))
		}
		if err := r.onHops(fam.n, sec.Routes[len(sec.Routes)-len(routes):]); err != nil {
			out.fail(fmt.Sprintf("list IPv%d routes", fam.n), err)
			return
		}
		if err := r.resolve(fam.n, sec.Routes[len(sec.Routes)-len(routes):]); err != nil {
			out.fail(fmt.Sprintf("list IPv%d routes", fam.n), err)
			return
		}
		rules, err := r.readRules(fam.n)
		if err != nil {
			out.fail(fmt.Sprintf("list IPv%d policy rules", fam.n), err)
			return
		}
		sec.Rules = append(sec.Rules, rules...)
	}
	sec.Realms = true
	slices.SortStableFunc(sec.Routes, func(a, b snapshot.Route) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Table, b.Table),
			cmp.Compare(a.Dst, b.Dst), cmp.Compare(a.Metric, b.Metric))
	})
}

func toRoute(family int, r *vnl.Route) snapshot.Route {
	out := snapshot.Route{
		Family: family, Table: r.Table, Type: routeTypes[r.Type], Metric: r.Priority,
		Dst: map[int]string{4: "0.0.0.0/0", 6: "::/0"}[family], Protocol: int(r.Protocol), Tos: r.Tos, Flags: r.Flags, Realm: uint32(r.Realm),
	}
	if r.Src != nil {
		out.Source = r.Src.String()
	}
	if r.Dst != nil {
		out.Dst = r.Dst.String()
	}
	if r.Gw != nil {
		out.Gateway = r.Gw.String()
	}
	if r.LinkIndex > 0 {
		out.Oifs = append(out.Oifs, r.LinkIndex)
	}
	for _, hop := range r.MultiPath {
		out.Oifs = append(out.Oifs, hop.LinkIndex)
	}
	return out
}

// bridges notes what ports of bridges let over, and the VLANs of bridges that keep them apart.
func (r *netReader) bridges(sec *snapshot.Network, told map[string]wire.DevConf, out *Outcome) {
	filtering := false
	for i := range sec.Links {
		l := &sec.Links[i]
		c := told[l.Name]
		l.Isolated, l.Hairpin, l.Blocking, l.Opening, l.Locked, l.NoCarrier = c.Isolated, c.Hairpin, c.Blocking, c.Opening, c.Locked, c.NoCarrier
		l.NoLearning, l.NoFlood, l.NoMulticast, l.NoBroadcast = c.NoLearning, c.NoFlood, c.NoMulticast, c.NoBroadcast
		l.VLANFiltering, l.CallsIPTables, l.CallsIP6Tables = c.VLANFiltering, c.CallsIPTables, c.CallsIP6Tables
		filtering = filtering || l.VLANFiltering
	}
	if !filtering {
		return
	}
	list, err := steady(r.pause(), r.h.BridgeVlanList)
	if err != nil {
		out.fail("list VLANs of bridges", err)
		return
	}
	for i := range sec.Links {
		l := &sec.Links[i]
		for _, v := range list[int32(l.Index)] {
			l.VLANs = append(l.VLANs, int(v.Vid))
			if v.PortVID() {
				l.PVID = int(v.Vid)
			}
			if !v.EngressUntag() {
				l.Tagged = append(l.Tagged, int(v.Vid))
			}
		}
	}
}
