package mpssvc

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // the name of a service is hashed so by Windows
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp"
)

// systemPortRPC is a port that the RPC runtime took for an endpoint of its own choice (fwpmu.h, SOCKET_PROPERTY_FLAG_IS_SYSTEM_PORT_RPC).
const systemPortRPC = 1

// portConditions are conditions on numbers of ports, none for any.
func portConditions(field wfp.Field, p *Ports) []wfp.Condition {
	var out []wfp.Condition
	for _, r := range p.Ranges {
		out = append(out, wfp.Condition{
			Field: field, Match: wfp.InRange, Value: wfp.Value{Kind: wfp.Number, Lo: uint64(r[0]), Hi: uint64(r[1])},
		})
	}
	for _, k := range p.Keywords {
		if field == wfp.RemotePort {
			out = append(out, torn(field, fmt.Sprintf("the keyword %s", k)))
		}
	}
	return out
}

// icmp are the conditions on types and codes of ICMP, in lists of which each is a filter of its own: one for the types of any code, and one for each
// type with a code, which the engine has in the field of the remote port (fwpmu.h, FWPM_CONDITION_ICMP_CODE).
func (r *Rule) icmp() [][]wfp.Condition {
	var out [][]wfp.Condition
	var types []wfp.Condition
	for _, x := range r.ICMP {
		kind := number(wfp.ICMPType, wfp.Equal, uint64(max(x[0], 0)))
		switch {
		case x[0] < 0:
			return [][]wfp.Condition{nil}
		case x[1] < 0:
			types = append(types, kind)
		default:
			out = append(out, []wfp.Condition{kind, number(wfp.RemotePort, wfp.Equal, uint64(x[1]))})
		}
	}
	if len(types) > 0 || len(out) == 0 {
		out = append(out, types)
	}
	return out
}

// portWords are the keywords of local ports that are understood (MS-FASP 2.2.13).
var portWords = map[string]bool{"rpc": true, "rpc-epmap": true, "mdns": true, "dhcp": true, "iptlsin": true, "iphttpsin": true, "teredo": true}

// localPorts are the conditions on local ports, in lists of which each is a filter of its own. What a keyword stands for can be known by
// another field than the port.
func (c *compiler) localPorts(r *Rule) [][]wfp.Condition {
	if r.Local.empty() {
		return [][]wfp.Condition{nil}
	}
	var out [][]wfp.Condition
	numbers := portConditions(wfp.LocalPort, &r.Local)
	seen := map[string]bool{}
	for _, k := range r.Local.Keywords {
		k = strings.ToLower(k)
		if !portWords[k] {
			k = "that is not known" // one filter stands for them all
		}
		if seen[k] {
			continue
		}
		seen[k] = true
		switch k {
		case "rpc":
			out = append(out, []wfp.Condition{number(wfp.SystemPort, wfp.AllSet, systemPortRPC)})
		case "rpc-epmap":
			numbers = append(numbers, number(wfp.LocalPort, wfp.Equal, 135))
		case "mdns":
			numbers = append(numbers, number(wfp.LocalPort, wfp.Equal, 5353))
		case "dhcp":
			for _, n := range []uint64{68, 546} {
				numbers = append(numbers, number(wfp.LocalPort, wfp.Equal, n))
			}
		case "iptlsin", "iphttpsin": // of IP-HTTPS, where that is set up: 443 unless another one was chosen
			out = append(out, []wfp.Condition{
				number(wfp.LocalPort, wfp.Equal, 443), torn(wfp.SystemPort, "whether IP-HTTPS is set up was not read"),
			})
		case "teredo": // a UDP port that the service chose
			out = append(out, []wfp.Condition{
				service("iphlpsvc"), torn(wfp.LocalPort, "which port Teredo has was not read"),
			})
		default:
			out = append(out, []wfp.Condition{torn(wfp.LocalPort, fmt.Sprintf("which ports a keyword stands for is not known: %s", r.Local.Keywords[0]))})
		}
	}
	if len(numbers) > 0 {
		out = append(out, numbers)
	}
	return out
}

// service is the condition that a service has the socket.
func service(name string) wfp.Condition {
	return wfp.Condition{Field: wfp.User, Match: wfp.Equal, Value: wfp.Value{Kind: wfp.SDDL, Text: "O:SYG:SYD:(A;;CCRC;;;" + ServiceSID(name) + ")"}}
}

// ServiceSID is the SID of a service: S-1-5-80 and the SHA-1 of its name in upper case and UTF-16 (MS-DTYP 2.4.2.4, NT SERVICE).
func ServiceSID(name string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(strings.ToUpper(name))) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	h := sha1.Sum(b) //nolint:gosec // as Windows does
	var out strings.Builder
	out.WriteString("S-1-5-80")
	for i := 0; i < len(h); i += 4 {
		out.WriteString(fmt.Sprintf("-%d", binary.LittleEndian.Uint32(h[i:])))
	}
	return out.String()
}

// allServices is a group that every service is in (NT SERVICE\ALL SERVICES).
const allServices = "S-1-5-80-0"

// program adds the conditions on whose socket it is.
func (c *compiler) program(f *wfp.Filter, r *Rule) {
	if r.App != "" {
		c := text(wfp.App, ProgramOn(c.drive, r.App))
		if !Plain(r.App, c.Value.Text) {
			c = torn(wfp.App, "which program "+r.App+" is was not read")
		}
		f.Conditions = append(f.Conditions, c)
	}
	users := slices.Clone(r.Users)
	switch r.Service {
	case "":
	case "*":
		users = append(users, "D:(A;;CC;;;"+allServices+")")
	default:
		users = append(users, service(r.Service).Value.Text)
	}
	for i, u := range users {
		if i > 0 { // a second condition on the field would be an alternative
			f.Doubt = cmp.Or(f.Doubt, "the rule asks for a service and for users")
			break
		}
		f.Conditions = append(f.Conditions, wfp.Condition{Field: wfp.User, Match: wfp.Equal, Value: wfp.Value{Kind: wfp.SDDL, Text: u}})
	}
	if r.Package != "" {
		f.Conditions = append(f.Conditions, text(wfp.PackageID, r.Package))
	}
	if r.Family != "" {
		f.Conditions = append(f.Conditions, text(wfp.PackageFamily, r.Family))
	}
	if r.Tuple != "" { // the service adds filters for a peer once it was paired, by Wi-Fi Direct or by touch
		f.Conditions = append(f.Conditions, number(WiFiDirect, wfp.Equal, 1))
		f.Doubt = cmp.Or(f.Doubt, "which devices are paired is not known ("+r.Tuple+")")
	}
}

// UnknownDrive stands for the drive that Windows is on where it is not known: no program is on it.
const UnknownDrive = "?:"

// SystemDrive is the drive that Windows is on, by the programs of services; C where nothing tells another one. What other programs alone tell leaves it
// unknown, since any user can run some in a directory of that name on another drive.
func SystemDrive(w *snapshot.Windows) string {
	seen, ofServices, elsewhere := map[string]int{}, map[int]bool{}, false
	count := func(path string, trusted bool) {
		path = strings.ToLower(strings.TrimLeft(path, `"`))
		if len(path) < 3 || path[0] < 'a' || path[0] > 'z' || !strings.HasPrefix(path[1:], `:\windows\system32\`) {
			return
		}
		if trusted {
			seen[path[:2]]++
		} else if path[:2] != "c:" {
			elsewhere = true
		}
	}
	for i := range w.Services.List {
		s := &w.Services.List[i]
		count(s.Image, true)
		ofServices[s.PID] = s.PID != 0
	}
	for i := range w.Processes.List {
		count(w.Processes.List[i].Path, ofServices[w.Processes.List[i].PID])
	}
	for i := range w.Listeners.List {
		count(w.Listeners.List[i].Path, ofServices[w.Listeners.List[i].PID])
	}
	if len(seen) == 0 && elsewhere {
		return UnknownDrive
	}
	best := "c:"
	for d, n := range seen {
		if n > seen[best] || n == seen[best] && d < best && best != "c:" {
			best = d
		}
	}
	return best
}

// ProgramOn is Program on a system that is on another drive.
func ProgramOn(drive, s string) string {
	path := Program(s)
	if rest, ok := strings.CutPrefix(path, "c:"); ok && strings.HasPrefix(s, "%") {
		return drive + rest
	}
	return path
}

// Plain says of a program that it is known which path it stands for: one on a drive, with no variable that is not known, no short name, and
// nothing that Windows would have to take out of it first.
func Plain(written, s string) bool {
	if s == "system" {
		return true
	}
	drive, rest, ok := strings.Cut(s, `:\`)
	if !ok || len(drive) != 1 || drive[0] < 'a' || drive[0] > 'z' || rest == "" || strings.ContainsAny(s, `%~"<>|?*/`) || strings.ContainsAny(rest, ":") || strings.ContainsAny(written, "/") {
		return false
	}
	return !strings.Contains(written, `\\`) && !slices.ContainsFunc(strings.Split(rest, `\`), func(name string) bool {
		return name == "" || strings.HasSuffix(name, ".") || strings.TrimSpace(name) != name
	})
}

// Program is the path of a program as conditions have it: in lower case, with what its variables stand for on a system in C:\Windows.
func Program(s string) string {
	s = strings.ToLower(strings.ReplaceAll(s, "/", `\`))
	if s == "system" {
		return s
	}
	for _, v := range [][2]string{
		{"%systemroot%", `c:\windows`},
		{"%windir%", `c:\windows`},
		{"%programfiles(x86)%", `c:\program files (x86)`},
		{"%programfiles%", `c:\program files`},
		{"%programw6432%", `c:\program files`},
		{"%programdata%", `c:\programdata`},
		{"%allusersprofile%", `c:\programdata`},
		{"%systemdrive%", "c:"},
	} {
		s = strings.ReplaceAll(s, v[0], v[1])
	}
	for strings.Contains(s, `\\`) {
		s = strings.ReplaceAll(s, `\\`, `\`)
	}
	return s
}

// KindKnown says of a type of interfaces (ipifcons.h, IF_TYPE_*) that it is known of which kind it is to rules. What programs make of their own, as
// many a VPN does, may be of each.
func KindKnown(kind int) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(interfaceTypes)), func(list []uint64) bool { return slices.Contains(list, uint64(kind)) })
}

// The kinds of interfaces that rules ask for.
var interfaceTypes = map[string][]uint64{"lan": {6}, "wireless": {71, 243, 244}, "remoteaccess": {23, 131}}

// interfaces adds the conditions on where packets come in.
func (c *compiler) interfaces(f *wfp.Filter, r *Rule, action wfp.Action) {
	for _, guid := range r.Interfaces {
		f.Conditions = append(f.Conditions, text(wfp.ArrivalInterface, guid))
	}
	for _, kind := range r.InterfaceTypes {
		list, known := interfaceTypes[kind]
		if kind == "all" {
			continue
		}
		for _, n := range list {
			f.Conditions = append(f.Conditions, number(wfp.ArrivalType, wfp.Equal, n))
		}
		if !known {
			f.Conditions = append(f.Conditions, torn(wfp.ArrivalType, fmt.Sprintf("the type of interfaces %s", kind)))
		}
	}
	if action != wfp.Permit {
		return
	}
	switch {
	case !r.Edge && r.Defer == "":
		f.Conditions = append(f.Conditions, number(wfp.ArrivalTunnel, wfp.Equal, 0))
	case r.Defer != "": // with the consent of the program or its user what comes through a tunnel too
		f.Conditions = append(f.Conditions, number(wfp.ArrivalTunnel, wfp.Equal, 0),
			torn(wfp.ArrivalTunnel, "it lets in what comes through a tunnel if the "+r.Defer+" said so"))
	}
}

// addresses adds the conditions on addresses. It reports false where the rule is about none of the family.
func (c *compiler) addresses(list []wfp.Condition, r *Rule, v4 bool, in []snapshot.WindowsProfile) ([]wfp.Condition, bool) {
	for _, x := range []struct {
		field wfp.Field
		addrs *Addrs
	}{{wfp.RemoteAddress, &r.RemoteAddrs}, {wfp.LocalAddress, &r.LocalAddrs}} {
		spans, words, ok := x.addrs.of(v4)
		if !ok {
			return nil, false
		}
		n := len(list)
		for _, w := range words {
			e := c.expand(w, v4, in)
			spans = append(slices.Clip(spans), e.spans...)
			if e.doubt != "" {
				list = append(list, torn(x.field, e.doubt))
			}
		}
		for _, s := range wfp.Union(spans) {
			list = append(list, wfp.Condition{Field: x.field, Match: wfp.InRange, Value: wfp.Value{Kind: wfp.Address, From: s.From, To: s.To}})
		}
		if x.addrs.restrict && len(list) == n {
			return nil, false // keywords that stand for nobody here
		}
	}
	return list, true
}

// linked is a filter for what LocalSubnet may stand for besides: destinations of routes to the link, which VPNs have instead of a prefix. Filters
// of hosts with such were seen that let in all addresses, and no document says which routes count. It reports false where there are none.
func (c *compiler) linked(f wfp.Filter, r *Rule, v4 bool, in []snapshot.WindowsProfile) (wfp.Filter, bool) {
	_, words, _ := r.RemoteAddrs.of(v4)
	if len(in) == 0 || !slices.ContainsFunc(words, localSubnet) {
		return f, false
	}
	conditions := slices.DeleteFunc(slices.Clone(f.Conditions), func(c wfp.Condition) bool { return c.Field == wfp.RemoteAddress })
	n := len(conditions)
	for _, a := range c.within(in[0]) {
		if !a.RoutesTold {
			conditions = append(conditions, torn(wfp.RemoteAddress, "the keyword localsubnet: which routes lead to the link of "+a.Name+" was not told (Get-NetRoute)"))
		}
		for _, text := range a.Links {
			if s, ok := parseRange(text); ok && s.V4() == v4 {
				conditions = append(conditions, wfp.Condition{Field: wfp.RemoteAddress, Match: wfp.InRange, Value: wfp.Value{Kind: wfp.Address, From: s.From, To: s.To}})
				if f.Doubt == "" {
					f.Doubt, f.DoubtIn = "whether the keyword localsubnet stands for what is routed to the link of "+a.Name+" is not known", wfp.RemoteAddress
				}
			}
		}
	}
	f.Conditions = conditions
	return f, len(conditions) > n
}

func localSubnet(word string) bool { return strings.EqualFold(word, "LocalSubnet") }

// within are the connected interfaces that are in a profile, and those that may be.
func (c *compiler) within(p snapshot.WindowsProfile) (list []*snapshot.WindowsAdapter) {
	anyUp := slices.ContainsFunc(c.w.Adapters.List, func(a snapshot.WindowsAdapter) bool { return a.Up })
	for i := range c.w.Adapters.List {
		a := &c.w.Adapters.List[i]
		if of, known := ProfileOf(a); known && of != p || anyUp && !a.Up || a.Type == loopbackType {
			continue
		}
		list = append(list, a)
	}
	return list
}

// loopbackType is IF_TYPE_SOFTWARE_LOOPBACK (ipifcons.h).
const loopbackType = 24

type wordKey struct {
	word    string
	v4      bool
	profile snapshot.WindowsProfile
}

// expansion is what a keyword stands for.
type expansion struct {
	spans []wfp.Span
	doubt string
}

// expand is what a keyword for addresses stands for in a profile: of the interfaces that have it.
func (c *compiler) expand(word string, v4 bool, in []snapshot.WindowsProfile) expansion {
	k := wordKey{strings.ToLower(word), v4, in[0]}
	if e, ok := c.words[k]; ok {
		return e
	}
	e := c.stand(k)
	c.words[k] = e
	return e
}

func (c *compiler) stand(k wordKey) expansion {
	pick := map[string]func(*snapshot.WindowsAdapter) []string{
		"localsubnet":    func(a *snapshot.WindowsAdapter) []string { return a.Addrs },
		"dns":            func(a *snapshot.WindowsAdapter) []string { return a.DNS },
		"dhcp":           func(a *snapshot.WindowsAdapter) []string { return a.DHCP },
		"wins":           func(a *snapshot.WindowsAdapter) []string { return a.WINS },
		"defaultgateway": func(a *snapshot.WindowsAdapter) []string { return a.Gateways },
	}[k.word]
	if k.word == "*" || k.word == "any" {
		return expansion{spans: []wfp.Span{wfp.Every(k.v4)}}
	}
	if pick == nil {
		return expansion{doubt: "which addresses the keyword " + k.word + " stands for is not known"}
	}
	if c.w.Adapters.Read.State != snapshot.Present {
		return expansion{doubt: "the keyword " + k.word + ": the interfaces were not read: " + reason(c.w.Adapters.Read)}
	}
	var e expansion
	if k.word == "localsubnet" {
		p := netip.MustParsePrefix("ff00::/8")
		if k.v4 {
			p = netip.MustParsePrefix("224.0.0.0/4")
		}
		e.spans = append(e.spans, wfp.SpanOf(p))
	}
	for _, a := range c.within(k.profile) {
		_, known := ProfileOf(a)
		if k.word != "localsubnet" && len(pick(a)) == 0 && !(k.word == "defaultgateway" && a.RoutesTold) { // servers are told by some files alone
			e.doubt = "the keyword " + k.word + ": for whom it stands on the interface " + a.Name + " was not told"
		}
		for _, s := range pick(a) {
			span, ok := parseRange(s)
			if !ok || span.V4() != k.v4 {
				continue
			}
			if !known {
				e.doubt = "the keyword " + k.word + ": the profile of the interface " + a.Name + " is not known"
				continue
			}
			e.spans = append(e.spans, span)
		}
	}
	return e
}

// ProfileOf is the profile of an interface. Where no network is identified on it that is public; it reports false where it is not known.
func ProfileOf(a *snapshot.WindowsAdapter) (snapshot.WindowsProfile, bool) {
	switch a.ProfileRead.State {
	case snapshot.Present:
		return a.Profile, true
	case snapshot.Absent:
		return snapshot.ProfilePublic, true
	default:
		return "", false
	}
}
