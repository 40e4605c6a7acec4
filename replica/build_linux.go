//go:build linux && !ringfence_portable

package replica

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"
	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// Replica is a copy of a host in the network namespace of this process, which must be an empty one.
type Replica struct {
	host   *Host
	home   *os.File
	worlds map[string]*world // behind an interface
	// Omitted is what was not copied.
	Omitted []string
	bare    []ruleset.LegacyTable // the tables of iptables-legacy before those of the host were loaded
}

// world is the namespace behind an interface: one device that has all addresses of the peers.
type world struct {
	ns   *os.File
	dev  string
	mac  net.HardwareAddr
	have map[netip.Addr]bool
}

// errInUse is a namespace that was not made for the purpose.
var errInUse = errors.New("this network namespace is in use: refused")

// Build makes the copy.
func Build(h *Host) (*Replica, error) {
	links, err := vnl.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	for _, l := range links {
		if l.Attrs().Flags&net.FlagUp != 0 || l.Type() == "veth" || l.Type() == "bridge" {
			return nil, errInUse
		}
	}
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	r := &Replica{host: h, home: home, worlds: map[string]*world{}}
	for _, step := range []func() error{r.links, r.sysctls, r.addresses, r.routes, r.rules, r.accounts, r.ipsets} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// links makes every interface; the worlds are behind those that are no ports of a bridge.
func (r *Replica) links() error {
	net := &r.host.Network
	bridges := map[int]bool{}
	for i := range net.Links {
		l := &net.Links[i]
		attrs := vnl.NewLinkAttrs()
		attrs.Name, attrs.Index = l.Name, l.Index
		if l.Kind == "bridge" {
			bridges[l.Index] = true
			if err := vnl.LinkAdd(&vnl.Bridge{LinkAttrs: attrs}); err != nil {
				return fmt.Errorf("make bridge %q: %w", l.Name, err)
			}
		}
	}
	attached := map[int]string{}
	for i := range net.Links {
		l := &net.Links[i]
		if l.Loopback {
			if err := up("lo"); err != nil {
				return err
			}
			continue
		}
		if l.Kind == "bridge" {
			continue
		}
		if err := r.behind(l.Name, l.Name, l.Index); err != nil {
			return err
		}
		if bridges[l.Master] {
			if err := enslave(l.Name, l.Master); err != nil {
				return err
			}
			attached[l.Master] = l.Name
		}
	}
	for i := range net.Links {
		l := &net.Links[i]
		if l.Kind != "bridge" {
			continue
		}
		port := attached[l.Index]
		if port == "" {
			port = fmt.Sprintf("rfp%d", l.Index)
			if err := r.behind(l.Name, port, 0); err != nil {
				return err
			}
			if err := enslave(port, l.Index); err != nil {
				return err
			}
			if err := up(port); err != nil {
				return err
			}
		} else {
			r.worlds[l.Name] = r.worlds[port]
		}
	}
	for i := range net.Links {
		if l := &net.Links[i]; l.Up && !l.Loopback {
			if err := up(l.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func up(name string) error {
	l, err := vnl.LinkByName(name)
	if err == nil {
		err = vnl.LinkSetUp(l)
	}
	if err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

func enslave(name string, bridge int) error {
	l, err := vnl.LinkByName(name)
	if err == nil {
		err = vnl.LinkSetMasterByIndex(l, bridge)
	}
	if err != nil {
		return fmt.Errorf("add %s to its bridge: %w", name, err)
	}
	return nil
}

// behind makes a pair of an interface here and one in a new namespace, and calls that the world behind.
func (r *Replica) behind(world, name string, index int) error {
	ns, err := newNamespace()
	if err != nil {
		return err
	}
	w := &worldInit{ns: ns}
	attrs := vnl.NewLinkAttrs()
	attrs.Name, attrs.Index = name, index
	pair := &vnl.Veth{LinkAttrs: attrs, PeerName: "peer", PeerNamespace: vnl.NsFd(int(ns.Fd()))}
	if err := vnl.LinkAdd(pair); err != nil {
		return fmt.Errorf("make interface %q: %w", name, err)
	}
	done, err := w.open()
	if err != nil {
		return fmt.Errorf("behind %q: %w", name, err)
	}
	r.worlds[world] = done
	return nil
}

// newNamespace makes a network namespace on a thread that is then thrown away.
func newNamespace() (*os.File, error) {
	type result struct {
		f   *os.File
		err error
	}
	c := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			c <- result{nil, fmt.Errorf("make a network namespace: %w", err)}
			return
		}
		f, err := os.Open("/proc/thread-self/ns/net")
		c <- result{f, err}
	}()
	got := <-c
	return got.f, got.err
}

// inside runs f on a thread in a namespace.
func inside(ns *os.File, f func() error) error {
	c := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			c <- fmt.Errorf("enter a network namespace: %w", err)
			return
		}
		c <- f()
	}()
	return <-c
}

type worldInit struct{ ns *os.File }

// open brings the device of a world up, with a route to everywhere: who is asked for is found by ARP and
// neighbour discovery.
func (i *worldInit) open() (*world, error) {
	w := &world{ns: i.ns, dev: "peer", have: map[netip.Addr]bool{}}
	err := inside(i.ns, func() error {
		for _, key := range []string{"net/ipv6/conf/all/accept_dad", "net/ipv6/conf/default/accept_dad", "net/ipv6/conf/peer/accept_dad"} {
			_ = os.WriteFile("/proc/sys/"+key, []byte("0"), 0)
		}
		if err := up("lo"); err != nil {
			return err
		}
		if err := up(w.dev); err != nil {
			return err
		}
		l, err := vnl.LinkByName(w.dev)
		if err != nil {
			return err
		}
		w.mac = l.Attrs().HardwareAddr
		for _, dst := range []string{"0.0.0.0/0", "::/0"} {
			_, n, _ := net.ParseCIDR(dst)
			if err := vnl.RouteAdd(&vnl.Route{LinkIndex: l.Attrs().Index, Dst: n, Scope: vnl.SCOPE_LINK, Priority: 2000}); err != nil {
				return fmt.Errorf("route %s: %w", dst, err)
			}
		}
		return nil
	})
	return w, err
}

// give lets a world have an address.
func (w *world) give(a netip.Addr) error {
	if w.have[a] {
		return nil
	}
	w.have[a] = true
	return inside(w.ns, func() error { return addAddr(w.dev, netip.PrefixFrom(a, a.BitLen())) })
}

func addAddr(dev string, p netip.Prefix) error {
	l, err := vnl.LinkByName(dev)
	if err != nil {
		return fmt.Errorf("address %s: %w", p, err)
	}
	a := &vnl.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	if err := vnl.AddrAdd(l, a); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("address %s on %s: %w", p, dev, err)
	}
	return nil
}

// sysctls copies the switches. What the copy does not have is left: a module that is not loaded here.
func (r *Replica) sysctls() error {
	keys := make([]string, 0, len(r.host.Network.Sysctls))
	for k := range r.host.Network.Sysctls {
		keys = append(keys, k)
	}
	slices.Sort(keys) // all and default come before the interfaces, which they change
	slices.SortStableFunc(keys, func(a, b string) int { return rank(a) - rank(b) })
	for _, k := range keys {
		f := r.host.Network.Sysctls[k]
		if f.State != snapshot.Present || !strings.HasPrefix(k, "net/") || strings.Contains(k, "..") {
			continue
		}
		if b, err := os.ReadFile("/proc/sys/" + k); err == nil && strings.TrimSpace(string(b)) == f.Value {
			continue
		}
		if err := os.WriteFile("/proc/sys/"+k, []byte(f.Value), 0); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission) {
			r.Omitted = append(r.Omitted, "sysctl "+k)
		}
	}
	return nil
}

func rank(key string) int {
	switch {
	case strings.Contains(key, "/conf/"):
		if strings.Contains(key, "/all/") || strings.Contains(key, "/default/") {
			return 1
		}
		return 2
	}
	return 0
}

func (r *Replica) addresses() error {
	for i := range r.host.Network.Links {
		l := &r.host.Network.Links[i]
		for _, text := range l.Addrs {
			p, err := netip.ParsePrefix(text)
			if err != nil || l.Loopback && p.Addr().IsLoopback() {
				continue
			}
			if err := addAddr(l.Name, p); err != nil {
				r.Omitted = append(r.Omitted, err.Error())
				continue
			}
			if p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() { // the kernel makes its network on each link
				continue
			}
			for _, name := range append(r.ports(l), l.Name) {
				if w := r.worlds[name]; w != nil {
					if err := w.reach(p); err != nil {
						return fmt.Errorf("behind %q: %w", name, err)
					}
				}
			}
		}
	}
	return nil
}

// ports are the names of a bridge's ports: who is behind them sees the bridge.
func (r *Replica) ports(bridge *snapshot.Link) (names []string) {
	for i := range r.host.Network.Links {
		if l := &r.host.Network.Links[i]; r.host.Network.BridgeOf(l) == bridge {
			names = append(names, l.Name)
		}
	}
	return names
}

// reach gives a world its routes: to the host's network on this interface straight, to everywhere else by
// the host, so that answers to who is behind another interface find their way.
func (w *world) reach(host netip.Prefix) error {
	ipNet := func(p netip.Prefix) *net.IPNet {
		return &net.IPNet{IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
	}
	return inside(w.ns, func() error {
		l, err := vnl.LinkByName(w.dev)
		if err != nil {
			return err
		}
		near := &vnl.Route{LinkIndex: l.Attrs().Index, Dst: ipNet(host), Scope: vnl.SCOPE_LINK}
		if err := vnl.RouteReplace(near); err != nil {
			return fmt.Errorf("route %s: %w", host.Masked(), err)
		}
		everywhere := netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		if host.Addr().Is4() {
			everywhere = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		}
		far := &vnl.Route{LinkIndex: l.Attrs().Index, Dst: ipNet(everywhere), Gw: host.Addr().AsSlice(), Flags: int(vnl.FLAG_ONLINK), Priority: 1}
		if err := vnl.RouteReplace(far); err != nil {
			return fmt.Errorf("route by %s: %w", host.Addr(), err)
		}
		return nil
	})
}

// routes copies those that the addresses have not made already, and gives the gateways to the worlds.
func (r *Replica) routes() error {
	net4 := r.host.Network.Routes
	for _, viaGateway := range []bool{false, true} {
		for i := range net4 {
			rt := &net4[i]
			if _, ok := nowhere[rt.Type]; ok && rt.Table != 255 && !viaGateway && rt.Protocol != unix.RTPROT_KERNEL {
				if err := r.ends(rt); err != nil && !errors.Is(err, unix.EEXIST) {
					r.Omitted = append(r.Omitted, fmt.Sprintf("route %s %s: %v", rt.Type, rt.Dst, err))
				}
			}
			if rt.Type != "unicast" || rt.Table == 255 || len(rt.Oifs) == 0 || (rt.Gateway != "") != viaGateway {
				continue
			}
			if err := r.route(rt); err != nil {
				r.Omitted = append(r.Omitted, fmt.Sprintf("route %s: %v", rt.Dst, err))
			}
		}
	}
	return nil
}

func (r *Replica) route(rt *snapshot.Route) error {
	p, err := netip.ParsePrefix(rt.Dst)
	if err != nil {
		return err
	}
	n := &vnl.Route{
		LinkIndex: rt.Oifs[0], Table: rt.Table, Priority: rt.Metric,
		Dst: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())},
	}
	if rt.Gateway != "" {
		gw, err := netip.ParseAddr(rt.Gateway)
		if err != nil {
			return err
		}
		n.Gw, n.Flags = gw.AsSlice(), int(vnl.FLAG_ONLINK)
		home := ""
		if l := r.host.Network.Link(rt.Oifs[0]); l != nil {
			home = cmp.Or(r.host.Homes[gw.String()], l.Name)
		}
		if w := r.worlds[home]; w != nil {
			if err := w.give(gw); err != nil {
				return err
			}
		}
	} else {
		n.Scope = vnl.SCOPE_LINK
	}
	if err := vnl.RouteAdd(n); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

// FlushNeighbours forgets who has which link layer address, here and behind every interface.
func (r *Replica) FlushNeighbours() error {
	flush := func() error {
		list, err := vnl.NeighList(0, 0)
		if err != nil {
			return fmt.Errorf("list neighbours: %w", err)
		}
		for i := range list {
			if list[i].State&vnl.NUD_PERMANENT == 0 {
				_ = vnl.NeighDel(&list[i])
			}
		}
		return nil
	}
	if err := flush(); err != nil {
		return err
	}
	for _, w := range r.worlds {
		if err := inside(w.ns, flush); err != nil {
			return err
		}
	}
	return nil
}

// maxBare bounds a table of iptables-legacy without rules, in bytes.
const maxBare = 64 << 10

// LoadLegacy loads the host's tables of iptables-legacy, in place of those that are there: without rules in between, since what a rule has counted by
// a name ends with the last rule that has it.
func (r *Replica) LoadLegacy() error {
	list := r.host.Legacy
	for i := range list {
		if i < len(r.bare) {
			if err := replaceLegacy(&r.bare[i]); err != nil {
				return err
			}
			continue
		}
		t := ruleset.LegacyTable{Family: list[i].Family, Name: list[i].Name}
		var err error
		t.Info, t.Entries, err = host.Local().LegacyTable(t.Family == ruleset.FamilyIP6, t.Name, ruleset.LegacyInfoSize, maxBare)
		if err != nil {
			return err
		}
		r.bare = append(r.bare, t)
	}
	for i := range list {
		if err := replaceLegacy(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func replaceLegacy(t *ruleset.LegacyTable) error {
	return host.Local().ReplaceLegacy(t.Family == ruleset.FamilyIP6, t.Name, t.Info, t.Entries)
}

// Messages are the messages that load again what is wanted of the host's ruleset, for one transaction.
func (r *Replica) Messages(wanted func(*ruleset.Message) bool) (batch []netlink.Message, err error) {
	for i := range r.host.Ruleset {
		m := &r.host.Ruleset[i]
		if !wanted(m) {
			continue
		}
		attrs, ok := m.Again(uint32(i + 1))
		if !ok {
			return nil, errors.New("the live ruleset has a flowtable, which takes packets past the hooks")
		}
		batch = append(batch, wire.NewNFTables(m.Kind, m.Family, attrs))
	}
	return batch, nil
}
