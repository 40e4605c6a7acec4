package winhost

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/registry"
	"github.com/ringfence/ringfence/snapshot"
)

// adapters are those that PowerShell told, else those of the registry, which has no address of IPv6.
func (s *Source) adapters() snapshot.WindowsAdapters {
	var list []snapshot.WindowsAdapter
	read := present
	switch {
	case s.Live != nil && s.Live.AdaptersRead.State != "":
		list, read = s.Live.Adapters, s.Live.AdaptersRead
		s.routes(list, s.Live.Routes)
	default:
		if list = s.shellAdapters(); list == nil {
			list, read = s.registryAdapters()
		}
	}
	for i := range list {
		list[i].Kind = kindOf(&list[i])
	}
	s.connect(list)
	slices.SortFunc(list, func(a, b snapshot.WindowsAdapter) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Name, b.Name))
	})
	if list == nil {
		list = []snapshot.WindowsAdapter{}
	}
	addressed := slices.ContainsFunc(list, func(a snapshot.WindowsAdapter) bool { return len(a.Addrs) > 0 })
	if !addressed && read.State != snapshot.Error && read.State != snapshot.Denied { // nobody reaches a host without addresses: that has to be seen
		read = snapshot.Fact{State: snapshot.Error, Reason: "no interface with an address was told, and every Windows has that of loopback"}
	}
	return snapshot.WindowsAdapters{Read: read, List: list}
}

// maxAdapters bounds the adapters of a host.
const maxAdapters = 4096

// shellAdapters joins what commands told of each interface; nil where no addresses were told.
func (s *Source) shellAdapters() (list []snapshot.WindowsAdapter) {
	addrs, asked := s.Shell.of(shellAddress)
	if !asked {
		return nil
	}
	at := func(o object) *snapshot.WindowsAdapter {
		index, name := o.number("interfaceindex", "ifindex"), o.text("interfacealias", "ifalias")
		if name == "" && o["interfacedescription"] != nil {
			name = o.text("name")
		}
		for i := range list {
			if index > 0 && list[i].Index == index || index <= 0 && name != "" && list[i].Name == name {
				if name != "" {
					list[i].Name = name
				}
				return &list[i]
			}
		}
		if len(list) >= maxAdapters || index <= 0 && name == "" {
			return nil
		}
		list = append(list, snapshot.WindowsAdapter{Index: max(index, 0), Name: name, Up: true})
		return &list[len(list)-1]
	}
	adapters, _ := s.Shell.of(shellAdapter)
	for _, o := range adapters {
		a := at(o)
		if a == nil {
			continue
		}
		a.Description, a.GUID = o.text("interfacedescription"), strings.ToLower(o.text("interfaceguid", "deviceid"))
		a.Type = max(o.number("interfacetype"), 0)
		if luid, err := strconv.ParseUint(o.text("netluid"), 10, 64); err == nil {
			a.LUID = luid
		}
		a.Up = o.text("status") == "" || strings.EqualFold(o.text("status"), "up")
	}
	for _, o := range addrs {
		a, err := netip.ParseAddr(o.text("ipaddress"))
		bits := o.number("prefixlength")
		into := at(o)
		if err != nil || bits < 0 || bits > a.BitLen() || into == nil {
			s.note("adapters", "%.60q is no address", o.text("ipaddress"))
			continue
		}
		into.Addrs = append(into.Addrs, netip.PrefixFrom(a.WithZone(""), bits).String())
	}
	routes, _ := s.Shell.of(shellRoute)
	for _, o := range routes {
		if d := o.text("destinationprefix"); d == "0.0.0.0/0" || d == "::/0" {
			if a := at(o); a != nil {
				a.Gateways = append(a.Gateways, o.text("nexthop"))
			}
		}
	}
	s.routes(list, routes)
	dns, _ := s.Shell.of(shellDNS)
	for _, o := range dns {
		if a := at(o); a != nil {
			a.DNS = append(a.DNS, o.list("serveraddresses")...)
		}
	}
	networks, _ := s.Shell.of(shellNetwork)
	for _, o := range networks {
		if a := at(o); a != nil {
			a.Network = o.text("name")
			a.Profile = category(o)
		}
	}
	for i := range list {
		slices.Sort(list[i].Addrs)
		list[i].Addrs = slices.Compact(list[i].Addrs)
	}
	return list
}

// maxRoutes bounds the routes of an adapter.
const maxRoutes = 1000

// routes adds to adapters who is behind them by routes, besides the prefixes that they have themselves. Windows has a route to each address of an
// adapter: where one is missing not all routes were told.
func (s *Source) routes(list []snapshot.WindowsAdapter, routes []object) {
	whole, told, own := true, make([]prefixes, len(list)), make([]prefixes, len(list))
	for i := range list {
		told[i], own[i] = prefixes{}, prefixes{}
		for _, text := range list[i].Addrs {
			if x, err := netip.ParsePrefix(text); err == nil {
				own[i][x.Masked()] = true
			}
		}
	}
	for _, o := range routes {
		index, name := o.number("interfaceindex", "ifindex"), o.text("interfacealias", "ifalias")
		i := slices.IndexFunc(list, func(a snapshot.WindowsAdapter) bool {
			return index > 0 && a.Index == index || index <= 0 && name != "" && a.Name == name
		})
		p, err := netip.ParsePrefix(o.text("destinationprefix"))
		hop, err2 := netip.ParseAddr(o.text("nexthop"))
		switch {
		case err != nil || err2 != nil || index <= 0 && name == "":
			s.note("adapters", "%.60q is no route", o.text("destinationprefix")+" "+o.text("nexthop"))
			whole = false
		case i < 0: // of one without an address
		case !addRoute(&list[i], own[i], p.Masked(), hop):
			s.note("adapters", "%.60q has more routes than are looked at", list[i].Name)
			whole = false
		default:
			told[i][p] = true
		}
	}
	for i := range list {
		a := &list[i]
		slices.Sort(a.Links)
		slices.Sort(a.Routes)
		a.RoutesTold = whole && len(a.Addrs) > 0 && !slices.ContainsFunc(a.Addrs, func(text string) bool {
			x, err := netip.ParsePrefix(text)
			return err != nil || !told[i][x.Masked()] && !told[i][netip.PrefixFrom(x.Addr(), x.Addr().BitLen())]
		})
	}
}

// prefixes is a set of them, without bits of hosts.
type prefixes map[netip.Prefix]bool

// have says that all of a prefix is in one of them.
func (s prefixes) have(p netip.Prefix) bool {
	for bits := range p.Bits() + 1 {
		if s[netip.PrefixFrom(p.Addr(), bits).Masked()] {
			return true
		}
	}
	return false
}

// addRoute adds a route to an adapter, unless the networks of its own addresses tell it. It reports false where there are too many.
func addRoute(a *snapshot.WindowsAdapter, own prefixes, p netip.Prefix, hop netip.Addr) bool {
	if p.Addr().IsMulticast() || p.Addr().IsLoopback() || p.Addr() == broadcast || own.have(p) {
		return true
	}
	into := &a.Routes
	switch {
	case hop.IsUnspecified():
		into = &a.Links
	case p.Bits() == 0:
		return true // a gateway
	}
	if slices.Contains(*into, p.String()) {
		return true
	}
	if len(*into) >= maxRoutes {
		return false
	}
	*into = append(*into, p.String())
	return true
}

// broadcast is every host of the link (RFC 919).
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// category is the profile of a network (NetworkCategory of MSFT_NetConnectionProfile).
func category(o object) snapshot.WindowsProfile {
	switch {
	case o.is("networkcategory", 0, "public"):
		return snapshot.ProfilePublic
	case o.is("networkcategory", 1, "private"):
		return snapshot.ProfilePrivate
	case o.is("networkcategory", 2, "domainauthenticated", "domain"):
		return snapshot.ProfileDomain
	}
	return ""
}

// connect says of each adapter whether its profile is known. One that no network is identified on counts as public.
func (s *Source) connect(list []snapshot.WindowsAdapter) {
	networks, asked := s.Shell.of(shellNetwork)
	asked = asked && !slices.ContainsFunc(networks, func(o object) bool { // one whose place or category is not understood can be anybody's
		named := slices.ContainsFunc(list, func(a snapshot.WindowsAdapter) bool {
			index := o.number("interfaceindex", "ifindex")
			return index > 0 && a.Index == index || index <= 0 && a.Name != "" && a.Name == o.text("interfacealias", "ifalias")
		})
		return !named || category(o) == ""
	})
	asked = asked || s.onlyPublic()
	unidentified := snapshot.Fact{State: snapshot.Absent}
	if s.unidentifiedByPolicy() {
		unidentified = snapshot.Fact{State: snapshot.Error, Reason: "a policy has networks that are not identified in another profile than the public one, and whether this is one was not told"}
	}
	for i := range list {
		a := &list[i]
		switch {
		case a.Profile != "":
			a.ProfileRead = present
		case a.Kind == snapshot.NetworkLoopback:
			a.ProfileRead = snapshot.Fact{State: snapshot.Absent}
		case asked:
			a.ProfileRead = unidentified
		default:
			a.ProfileRead = snapshot.Fact{State: snapshot.Error, Reason: "which profile it is of was not told (Get-NetConnectionProfile)"}
		}
	}
}

// onlyPublic says that every network that the host has ever been in is public: what an adapter is in now is one of them, or not identified, which
// counts as public too.
func (s *Source) onlyPublic() bool {
	const key = `SOFTWARE\Microsoft\Windows NT\CurrentVersion\NetworkList\Profiles`
	k, _ := s.look(key)
	if k == nil { // every host has the key
		return false
	}
	names, err := k.Keys()
	if err != nil {
		return false
	}
	for _, name := range names {
		if n, ok := s.number(key+`\`+name, "Category"); !ok || n != 0 {
			return false
		}
	}
	return true
}

// unidentifiedByPolicy says that a policy gives networks a profile by what they are known by (Network List Manager Policies). One of these signatures is
// that of all networks that are not identified.
func (s *Source) unidentifiedByPolicy() bool {
	const key = `SOFTWARE\Policies\Microsoft\Windows NT\CurrentVersion\NetworkList\Signatures`
	k, read := s.look(key)
	if k == nil {
		return read.State != snapshot.Absent && read.State != snapshot.Error
	}
	names, err := k.Keys()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool {
		n, ok := s.number(key+`\`+name, "Category")
		return ok && n != 0
	})
}

// tunnels are words in the descriptions of adapters of VPNs.
var tunnels = []string{
	"wireguard", "wintun", "tap-windows", "openvpn", "anyconnect", "fortinet", "pangp", "globalprotect", "tailscale", "zerotier", "juniper",
	"pulse secure", "wan miniport", "vpn", "netextender", "check point virtual", "cisco secure client", "nordlynx", "sonicwall", "netbird",
}

// ifType of ipifcons.h.
const (
	typePPP      = 23
	typeLoopback = 24
)

// kindOf says what an adapter is for, by its names, type and addresses. A switch of Hyper-V that has a gateway is the host's own way out.
func kindOf(a *snapshot.WindowsAdapter) snapshot.WindowsNetworkKind {
	name, what := strings.ToLower(a.Name), strings.ToLower(a.Description)
	switch {
	case a.Type == typeLoopback || strings.HasPrefix(name, "loopback pseudo-interface"):
		return snapshot.NetworkLoopback
	case strings.HasPrefix(name, "vethernet (wsl"):
		return snapshot.NetworkWSL
	case len(a.Gateways) > 0:
	case name == "vethernet (nat)" || strings.Contains(name, "hns"):
		return snapshot.NetworkHNS
	case strings.HasPrefix(name, "vethernet ") || strings.Contains(what, "hyper-v virtual ethernet"):
		return snapshot.NetworkHyperV
	case slices.Contains(a.Addrs, "192.168.137.1/24"):
		return snapshot.NetworkICS
	}
	for _, w := range tunnels {
		if strings.Contains(what, w) || strings.Contains(name, w) {
			return snapshot.NetworkVPN
		}
	}
	if a.Type == typePPP {
		return snapshot.NetworkVPN
	}
	return ""
}

// networkClass is the class of network adapters (devguid.h, GUID_DEVCLASS_NET).
const networkClass = current + `\Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}`

// registryAdapters are the adapters that have an address of IPv4 in the registry.
func (s *Source) registryAdapters() ([]snapshot.WindowsAdapter, snapshot.Fact) {
	const key = services + `\Tcpip\Parameters\Interfaces`
	k, read := s.look(key)
	if k == nil {
		return nil, read
	}
	names, err := k.Keys()
	if err == nil && len(names) > maxAdapters {
		err = registry.ErrTooMuch
	}
	if err != nil {
		return nil, s.why(key, err)
	}
	list := []snapshot.WindowsAdapter{}
	for i, name := range names {
		c, err := k.Key(name)
		var values []registry.Value
		if err == nil {
			values, err = c.Values()
		}
		if err != nil {
			return nil, s.why(key, err)
		}
		a := snapshot.WindowsAdapter{GUID: strings.ToLower(name), Name: s.text(networkClass+`\`+name+`\Connection`, "Name"), Up: true}
		if a.Name == "" {
			a.Name = strconv.Itoa(i)
		}
		fromInterface(&a, values)
		if len(a.Addrs) > 0 {
			list = append(list, a)
		}
	}
	return list, snapshot.Fact{State: snapshot.Error, Reason: "the registry has no addresses of IPv6, and does not tell which adapters are connected (Get-NetIPAddress)"}
}

func fromInterface(a *snapshot.WindowsAdapter, values []registry.Value) {
	get := func(names ...string) (list []string) {
		for _, name := range names {
			for _, v := range values {
				if !strings.EqualFold(v.Name, name) {
					continue
				}
				if t, ok := v.Texts(); ok {
					list = append(list, t...)
				} else if t, ok := v.Text(); ok {
					list = append(list, strings.FieldsFunc(t, func(r rune) bool { return r == ',' || r == ' ' })...)
				}
			}
		}
		return list
	}
	for _, pair := range [][2]string{{"DhcpIPAddress", "DhcpSubnetMask"}, {"IPAddress", "SubnetMask"}} {
		masks := get(pair[1])
		for i, text := range get(pair[0]) {
			ip, err := netip.ParseAddr(text)
			if err != nil || !ip.Is4() || ip.IsUnspecified() || i >= len(masks) {
				continue
			}
			if bits, size := net.IPMask(net.ParseIP(masks[i]).To4()).Size(); size == 32 {
				a.Addrs = append(a.Addrs, fmt.Sprintf("%s/%d", ip, bits))
			}
		}
	}
	a.Gateways = addresses(get("DhcpDefaultGateway", "DefaultGateway"))
	a.DNS = addresses(get("NameServer", "DhcpNameServer"))
	a.DHCP = addresses(get("DhcpServer"))
}

// addresses are those of texts that are one and are not unspecified.
func addresses(list []string) (out []string) {
	for _, t := range list {
		if ip, err := netip.ParseAddr(t); err == nil && !ip.IsUnspecified() && t != "255.255.255.255" {
			out = append(out, ip.String())
		}
	}
	return out
}

// listeners are the sockets that were told.
func (s *Source) listeners(w *snapshot.Windows) snapshot.WindowsListeners {
	out := snapshot.WindowsListeners{List: []snapshot.WindowsListener{}}
	out.URLs, out.URLsRead = s.urls()
	tcp, asked := s.Shell.of(shellTCP)
	udp, _ := s.Shell.of(shellUDP)
	if !asked { // then what netstat told counts
		if tcp, asked = s.Shell.of(shellNetstatTCP); asked {
			udp, _ = s.Shell.of(shellNetstatUDP)
		}
	}
	switch {
	case s.Live != nil && s.Live.ListenersRead.State != "":
		out.List, out.Read = append(out.List, s.Live.Listeners...), s.Live.ListenersRead
	case !asked:
		out.Read = snapshot.Fact{State: snapshot.Error, Reason: "no sockets were told (Get-NetTCPConnection -State Listen | ConvertTo-Json, or netstat -ano)"}
		return out
	default:
		out.Read = present
		for _, o := range tcp {
			if o["state"] == nil || o.is("state", 2, "listen") {
				s.listener(&out, "tcp", o)
			}
		}
		for _, o := range udp {
			s.listener(&out, "udp", o)
		}
	}
	ofTCP := func(l snapshot.WindowsListener) bool { return l.Proto == "tcp" }
	if out.Read.State == snapshot.Present && !slices.ContainsFunc(out.List, ofTCP) {
		out.Read = snapshot.Fact{State: snapshot.Error, Reason: "no socket of TCP was told, and every Windows has that of RPC"}
	}
	out.List = s.bounded(append(out.List, both(out.List)...))
	s.whose(out.List, w)
	slices.SortFunc(out.List, func(a, b snapshot.WindowsListener) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Family, b.Family), cmp.Compare(a.Addr, b.Addr), cmp.Compare(a.PID, b.PID))
	})
	return out
}

// maxListeners bounds the sockets of a host that are kept. The ports below those that the system gives out come first: what is known by its port is there.
const (
	maxListeners = 20_000
	firstGiven   = 49152
)

// bounded are the sockets that are kept; that there were more is a gap.
func (s *Source) bounded(list []snapshot.WindowsListener) []snapshot.WindowsListener {
	if len(list) <= maxListeners {
		return list
	}
	s.note("listeners", "there are %d sockets, of which %d are kept", len(list), maxListeners)
	slices.SortStableFunc(list, func(a, b snapshot.WindowsListener) int {
		return cmp.Or(cmp.Compare(a.Port/firstGiven, b.Port/firstGiven), cmp.Compare(a.Proto, b.Proto))
	})
	return list[:maxListeners]
}

// both are the IPv4 halves of TCP sockets that take both families: Get-NetTCPConnection lists those of http.sys and SMB as :: alone, as it does
// those of programs without IPV6_V6ONLY. Which sockets have that it does not tell, so that none is taken to have it.
func both(list []snapshot.WindowsListener) (more []snapshot.WindowsListener) {
	four := map[int]bool{}
	for i := range list {
		if l := &list[i]; l.Proto == "tcp" && l.Addr == "0.0.0.0" {
			four[l.Port] = true
		}
	}
	for i := range list {
		if l := list[i]; l.Proto == "tcp" && l.Addr == "::" && !four[l.Port] {
			four[l.Port] = true
			l.Family, l.Addr = 4, "0.0.0.0"
			more = append(more, l)
		}
	}
	return more
}

func (s *Source) listener(out *snapshot.WindowsListeners, proto string, o object) {
	a, err := netip.ParseAddr(o.text("localaddress"))
	port := o.number("localport")
	if err != nil || port < 0 || port > 0xffff {
		s.note("listeners", "%.60q is no address with a port", o.text("localaddress")+" "+o.text("localport"))
		return
	}
	l := snapshot.WindowsListener{Proto: proto, Family: 4, Addr: a.WithZone("").String(), Port: port, PID: max(o.number("owningprocess"), 0), OwnerState: snapshot.OwnersUnknown}
	if a.Is6() {
		l.Family = 6
	}
	l.Process = o.text("processname")
	out.List = append(out.List, l)
}
