// Package mpssvc does on paper what the firewall service of Windows (mpssvc) does with the rules and settings in the registry: it
// makes filters of them (package wfp), so that a host of which the registry alone was read can be asked like one whose filters
// were, and both can be compared.
//
// The grammar of rules is that of MS-GPFAS 2.2.2.19, their meaning that of MS-FASP 2.2.37. What narrows a rule and is not
// understood leaves its filters in doubt; nothing is left out without a word.
package mpssvc

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp"
)

// Rule is one rule as it is written.
type Rule struct {
	Store    snapshot.FirewallStoreName
	ID       string
	Action   string // allow, block, bypass
	Inbound  bool
	Active   bool
	Profiles []snapshot.WindowsProfile // nil is all
	Protocol int                       // 256 is any
	Local    Ports
	Remote   Ports
	// ICMP are types of the protocol's own with their codes; -1 is any.
	ICMP [][2]int
	// LocalAddrs and RemoteAddrs are those that the rule is about; none of either family is any.
	LocalAddrs, RemoteAddrs Addrs
	App, Service            string
	Interfaces              []string // GUID in braces, lower case
	InterfaceTypes          []string // lan, wireless, remoteaccess
	Edge                    bool
	Defer                   string // app, user
	Secure                  bool   // what it allows has to be authenticated by IPsec
	Peers                   bool   // and by whom is told
	Users                   []string
	Package, Family         string
	Tuple                   string // a keyword of peers that were paired by hand
	// platforms and atLeast are the systems that it is for.
	platforms []string
	atLeast   bool
	// Doubts are parts that could narrow it and are not understood.
	Doubts []string
}

// Ports are numbers and keywords.
type Ports struct {
	Ranges   [][2]uint16
	Keywords []string
	turned   bool // a range runs backwards
}

func (p *Ports) empty() bool { return len(p.Ranges) == 0 && len(p.Keywords) == 0 }

// Addrs are addresses of both families and keywords of each.
type Addrs struct {
	V4, V6   []wfp.Span
	Words4   []string
	Words6   []string
	restrict bool
	turned   bool // a range runs backwards
}

// bounds of a rule that is read.
const (
	maxRule   = 64 << 10
	maxFields = 10_000
)

// anyProtocol is what a rule without a protocol has (MS-FASP 2.2.37, wIpProtocol).
const anyProtocol = 256

// ParseRule reads a rule. An error says that it is none; what is not understood of one is among its doubts.
func ParseRule(store snapshot.FirewallStoreName, id, text string) (*Rule, error) {
	if len(text) > maxRule {
		return nil, fmt.Errorf("read the rule %s: it has %d bytes", id, len(text))
	}
	fields := strings.Split(strings.TrimRight(text, "\x00"), "|")
	version, ok := strings.CutPrefix(strings.ToLower(fields[0]), "v")
	major, _, dotted := strings.Cut(version, ".")
	if _, err := strconv.Atoi(major); !ok || !dotted || err != nil || len(fields) > maxFields {
		return nil, fmt.Errorf("read the rule %s: it does not begin with a version", id)
	}
	r := &Rule{Store: store, ID: id, Protocol: anyProtocol, Active: hardens(store)} // rules that harden services have no Active, and hold
	directed := false
	for _, f := range fields[1:] {
		if f == "" {
			continue
		}
		key, value, ok := strings.Cut(f, "=")
		if !ok {
			r.doubt("the part %q", f)
			continue
		}
		key = strings.ToLower(key)
		directed = directed || key == "dir"
		if !r.who(key, value) && !r.packets(key, value) && !r.narrow(key, value) {
			r.doubt("the part %q", f)
		}
	}
	if r.Action == "" {
		r.doubt("no action")
	}
	if r.Protocol != 6 && r.Protocol != 17 && !(r.Local.empty() && r.Remote.empty()) { // MS-FASP 2.2.37: the service takes no such rule
		r.doubt("ports of a protocol that has none")
	}
	if r.Peers && !r.Secure { // the service takes no list of peers that nobody authenticates
		r.doubt("peers without IPsec")
	}
	if r.Local.turned || r.Remote.turned || r.LocalAddrs.turned || r.RemoteAddrs.turned { // MS-FASP 2.2.12, 2.2.5: no rule has one; whether the service takes it without is not known
		r.doubt("a range that runs backwards")
	}
	if !directed {
		r.doubt("no direction")
		r.Inbound = true
	}
	return r, nil
}

func (r *Rule) doubt(format string, a ...any) {
	if len(r.Doubts) < 5 {
		r.Doubts = append(r.Doubts, fmt.Sprintf(format, a...))
	}
}

// who reads the parts that say whether and for whom the rule is. It reports false of others.
func (r *Rule) who(key, value string) bool {
	switch key {
	case "name", "desc", "embedctxt", "skipver", "lsm", "lom", "pcross", "authbypassout":
	case "action":
		r.Action = strings.ToLower(value)
		if r.Action != "allow" && r.Action != "block" && r.Action != "bypass" {
			r.Action = ""
		}
	case "dir":
		r.Inbound = !strings.EqualFold(value, "out")
		if r.Inbound && !strings.EqualFold(value, "in") {
			r.doubt("the direction %q", value)
		}
	case "active":
		r.Active = strings.EqualFold(value, "true")
	case "profile":
		switch p := snapshot.WindowsProfile(strings.ToLower(value)); p {
		case snapshot.ProfileDomain, snapshot.ProfilePrivate, snapshot.ProfilePublic:
			r.Profiles = append(r.Profiles, p)
		default:
			r.doubt("the profile %q", value)
		}
	case "app":
		if r.App = value; value == "" {
			r.doubt("a program without a name")
		}
	case "svc":
		if r.Service = value; value == "" {
			r.doubt("a service without a name")
		}
	case "luown":
		r.Users = append(r.Users, "D:(A;;CC;;;"+value+")")
	case "luauth":
		if list := strings.ToUpper(value); strings.Contains(list, "(D;") && !strings.Contains(list, "(A;") {
			r.doubt("users who are left out, %q: whether it is about all others", value)
			break
		}
		r.Users = append(r.Users, value)
	case "apppkgid":
		r.Package = value
	case "pfn":
		r.Family = value
	default:
		return false
	}
	return true
}

// packets reads the parts that say which packets the rule is about. It reports false of others.
func (r *Rule) packets(key, value string) bool {
	switch key {
	case "protocol":
		n, err := strconv.Atoi(value)
		if word, ok := map[string]int{"tcp": 6, "udp": 17}[strings.ToLower(value)]; ok && hardens(r.Store) {
			n, err = word, nil
		}
		if r.Protocol = n; err != nil || n < 0 || n > anyProtocol {
			r.Protocol = anyProtocol
			r.doubt("the protocol %q", value)
		}
	case "lport", "lport2_10", "lport2_20", "lport2_24", "lport2_28", "lport2_29":
		r.ports(&r.Local, value)
	case "rport", "rport2_10", "rport2_20":
		r.ports(&r.Remote, value)
	case "icmp4", "icmp6":
		kind, code, _ := strings.Cut(value, ":")
		n, err := strconv.Atoi(kind)
		switch {
		case kind == "*":
			n = -1
		case err != nil || n < 0 || n > 255:
			r.doubt("the type of ICMP %q", value)
			return true
		}
		c := -1
		if code != "*" && code != "" {
			if c, err = strconv.Atoi(code); err != nil || c < 0 || c > 255 {
				c = -1
				r.doubt("the code of ICMP %q", value)
			}
		}
		r.ICMP = append(r.ICMP, [2]int{n, c})
	case "la4", "la42":
		r.LocalAddrs.add(value, true)
	case "la6", "la62":
		r.LocalAddrs.add(value, false)
	case "ra4", "ra42":
		r.RemoteAddrs.add(value, true)
	case "ra6", "ra62":
		r.RemoteAddrs.add(value, false)
	default:
		return false
	}
	return true
}

// narrow reads the parts that narrow the rule further. It reports false of others.
func (r *Rule) narrow(key, value string) bool {
	switch key {
	case "if":
		r.Interfaces = append(r.Interfaces, strings.ToLower(value))
	case "iftype":
		r.InterfaceTypes = append(r.InterfaceTypes, strings.ToLower(value))
	case "edge":
		r.Edge = strings.EqualFold(value, "true")
	case "defer":
		r.Defer = strings.ToLower(value)
	case "security", "security2", "security2_9", "security2_10":
		r.Secure = true
	case "rmauth", "ruauth":
		r.Peers = true
	case "ttk", "ttk2_22", "ttk2_27", "ttk2_28":
		r.Tuple = value
	case "platform":
		r.platforms = append(r.platforms, value)
	case "platform2":
		r.atLeast = strings.EqualFold(value, "gteq")
		if !r.atLeast {
			r.doubt("the comparison of systems %q", value)
		}
	default:
		return false
	}
	return true
}

// hardens says of a store that its rules are what Windows has for its own services. They are written more freely: without Active, with names of
// protocols, and with lists of ports (LPort=1-553,555-8553), which no document has.
func hardens(store snapshot.FirewallStoreName) bool {
	return store == snapshot.StoreStatic || store == snapshot.StoreConfigurable
}

// ports adds a port, a range or a keyword, or a list of them; whether rules of other stores may have one is not known.
func (r *Rule) ports(p *Ports, value string) {
	list := strings.Split(value, ",")
	if len(list) > 1 && !hardens(r.Store) {
		r.doubt("the list of ports %q", value)
	}
	for _, v := range list {
		p.add(strings.TrimSpace(v))
	}
}

func (p *Ports) add(value string) {
	first, last, ranged := strings.Cut(value, "-")
	a, err := strconv.ParseUint(first, 10, 16)
	b := a
	if ranged && err == nil {
		b, err = strconv.ParseUint(last, 10, 16)
	}
	if err != nil {
		p.Keywords = append(p.Keywords, value)
		return
	}
	if b < a {
		a, b, p.turned = b, a, true
	}
	p.Ranges = append(p.Ranges, [2]uint16{uint16(a), uint16(b)})
}

func (a *Addrs) add(value string, v4 bool) {
	a.restrict = true
	r, ok := parseRange(value)
	if first, last, ranged := strings.Cut(value, "-"); !ok && ranged {
		if r, ok = parseRange(last + "-" + first); ok {
			a.turned = true
		}
	}
	switch {
	case ok && v4 && r.From.Is4():
		a.V4 = append(a.V4, r)
	case ok && !v4 && r.From.Is6():
		a.V6 = append(a.V6, r)
	case v4:
		a.Words4 = append(a.Words4, value)
	default:
		a.Words6 = append(a.Words6, value)
	}
}

// of are the addresses and keywords of a family. It reports false where the rule is about the other family alone.
func (a *Addrs) of(v4 bool) ([]wfp.Span, []string, bool) {
	ranges, words := a.V6, a.Words6
	if v4 {
		ranges, words = a.V4, a.Words4
	}
	return ranges, words, !a.restrict || len(ranges) > 0 || len(words) > 0
}

// parseRange reads an address, two with a dash, or one with its bits or its mask.
func parseRange(s string) (wfp.Span, bool) {
	if first, last, ok := strings.Cut(s, "-"); ok {
		a, err := netip.ParseAddr(first)
		b, err2 := netip.ParseAddr(last)
		return wfp.Span{From: a, To: b}, err == nil && err2 == nil && a.Zone() == "" && b.Zone() == "" && a.Is4() == b.Is4() && !b.Less(a)
	}
	addr, mask, ok := strings.Cut(s, "/")
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Zone() != "" {
		return wfp.Span{}, false
	}
	if !ok {
		return wfp.Span{From: a, To: a}, true
	}
	bits, err := strconv.Atoi(mask)
	if err != nil {
		if bits, ok = maskBits(mask); !ok {
			return wfp.Span{}, false
		}
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return wfp.Span{}, false
	}
	return wfp.SpanOf(p), true
}

// maskBits is how many bits a mask such as 255.255.0.0 has; false where they are not together.
func maskBits(s string) (int, bool) {
	m, err := netip.ParseAddr(s)
	if err != nil || !m.Is4() {
		return 0, false
	}
	n, bits := uint32(0), 0
	for _, b := range m.As4() {
		n = n<<8 | uint32(b)
	}
	for n&(1<<31) != 0 {
		n <<= 1
		bits++
	}
	return bits, n == 0
}
