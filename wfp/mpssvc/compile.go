package mpssvc

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp"
)

// Policy is the filters that rules and settings become.
type Policy struct {
	Filters   []wfp.Filter
	Sublayers []wfp.Sublayer
	Settings  []Settings
	// Unread is why the filters are not all that the service would make; then nothing is known.
	Unread []string
	// Torn are rules that could not be read, by id: the service may read them, and they may let in or stop anybody.
	Torn []string
}

// The classes of weights, the order of MS-FASP 2.2.34 over the default of a profile. Loopback comes before all else.
const (
	loopbackWeight  = 0xf << 60
	unfiltered      = 0xe << 60
	shieldWeight    = 0xd << 60
	bypassWeight    = 0xc << 60
	blockWeight     = 0xb << 60
	allowWeight     = 0x9 << 60
	defaultWeight   = 0x8 << 60
	hardenedAllow   = 0x3 << 60
	hardenedDefault = 0x1 << 60
)

// sublayerIPsec is where what demands IPsec is compiled to. The engine has it in callouts of several layers.
const sublayerIPsec = "IPSEC"

// What conditions of compiled filters ask for that the filters of the engine have other means for.
const (
	// WiFiDirect is 1 of packets that come in by an adapter of Wi-Fi Direct: the peers that keywords of paired devices stand for.
	WiFiDirect wfp.Field = "WIFI_DIRECT"
)

// compiler makes filters.
type compiler struct {
	w      *snapshot.Windows
	policy *Policy
	words  map[wordKey]expansion
	drive  string // that Windows is on
	// conditions are how many there are, and full says that there were too many.
	conditions int
	full       bool
}

// Compile makes the filters of the layer that decides about what comes in.
func Compile(w *snapshot.Windows) *Policy {
	c := &compiler{w: w, policy: &Policy{
		Sublayers: []wfp.Sublayer{{Key: sublayerIPsec, Weight: 1}, {Key: wfp.SublayerFirewall, Weight: 2}, {Key: wfp.SublayerHardening, Weight: 3}},
	}, words: map[wordKey]expansion{}, drive: SystemDrive(w)}
	c.unread()
	c.policy.Settings = EffectiveSettings(&w.Firewall)
	for _, s := range c.policy.Settings {
		c.defaults(&s)
	}
	for i := range w.Firewall.Stores {
		st := &w.Firewall.Stores[i]
		c.connections(st)
		for _, text := range st.Rules {
			r, err := ParseRule(st.Store, text.ID, text.Text)
			if err != nil {
				c.policy.Torn = append(c.policy.Torn, text.ID)
				c.torn(text.ID, err)
				continue
			}
			c.rule(r)
		}
	}
	c.loopback()
	return c.policy
}

// unread says which stores were not read, and whether the service makes filters at all.
func (c *compiler) unread() {
	f := &c.w.Firewall
	if f.Read.State != snapshot.Present {
		c.policy.Unread = append(c.policy.Unread, "the firewall was not read: "+reason(f.Read))
	}
	for _, st := range f.Stores {
		if st.Read.State != snapshot.Present && st.Read.State != snapshot.Absent {
			c.policy.Unread = append(c.policy.Unread, fmt.Sprintf("the %s store of the firewall was not read: %s", st.Store, reason(st.Read)))
		}
		for _, u := range st.Unread {
			c.policy.Unread = append(c.policy.Unread, fmt.Sprintf("a value of the %s store of the firewall was not read: %s", st.Store, u))
		}
	}
	c.policy.Unread = append(c.policy.Unread, NotRunning(c.w)...)
}

// NotRunning is why it is not known that the services run that make filters of rules and hold them.
func NotRunning(w *snapshot.Windows) (list []string) {
	place := func(name string) int {
		return slices.IndexFunc(w.Services.List, func(s snapshot.WindowsService) bool { return strings.EqualFold(s.Name, name) })
	}
	for _, name := range []string{"MpsSvc", "BFE"} {
		i := place(name)
		switch {
		case i < 0 && w.Services.Read.State != snapshot.Present:
			list = append(list, "whether the service "+name+" runs, which filters, was not read: "+reason(w.Services.Read))
		case i < 0 && place("DcomLaunch") >= 0: // a list of all services has that one; scripts that strip Windows take the firewall out
			list = append(list, "the host has no service "+name+", which filters: what filters then is not known from the registry")
		case i < 0:
		case w.Services.List[i].Start == 4 || w.Services.List[i].State == "stopped":
			list = append(list, "the service "+name+" does not run: what filters then is not known from the registry")
		}
	}
	return list
}

// reason is what is known of a fact that was not read.
func reason(f snapshot.Fact) string { return cmp.Or(f.Reason, string(f.State)) }

// Bounds of what is made of the registry: filters, and their conditions. A host has a few thousand.
const (
	maxFilters    = 500_000
	maxConditions = 4_000_000
)

// add adds a filter of each of some families to the layer that decides.
func (c *compiler) add(f wfp.Filter, families ...bool) {
	f.Layer = wfp.RecvAccept
	for _, v4 := range families {
		if c.conditions += len(f.Conditions); len(c.policy.Filters) >= maxFilters || c.conditions > maxConditions {
			if !c.full {
				c.full = true
				c.policy.Unread = append(c.policy.Unread, "the rules make more filters than are looked at")
			}
			return
		}
		x := f
		x.V4, x.ID = v4, uint64(len(c.policy.Filters)+1)
		c.policy.Filters = append(c.policy.Filters, x)
	}
}

func number(field wfp.Field, m wfp.Match, n uint64) wfp.Condition {
	return wfp.Condition{Field: field, Match: m, Value: wfp.Value{Kind: wfp.Number, Lo: n, Hi: n}}
}

func text(field wfp.Field, s string) wfp.Condition {
	return wfp.Condition{Field: field, Match: wfp.Equal, Value: wfp.Value{Kind: wfp.Text, Text: s}}
}

func torn(field wfp.Field, why string) wfp.Condition {
	return wfp.Condition{Field: field, Match: wfp.Equal, Value: wfp.Value{Unread: why}}
}

// defaults adds what a profile does with what no rule is about. A profile whose firewall is off has no filters.
func (c *compiler) defaults(s *Settings) {
	if !s.On && s.Doubt == "" {
		return
	}
	in := number(wfp.OriginalProfile, wfp.Equal, profileID(s.Profile))
	if s.Shielded {
		c.add(wfp.Filter{
			Name: fmt.Sprintf("shielded (%s profile)", s.Profile), Sublayer: wfp.SublayerFirewall, Weight: shieldWeight,
			Action: wfp.Block, Conditions: []wfp.Condition{in}, Doubt: s.Doubt,
		}, true, false)
	}
	if s.Blocks || s.Doubt != "" {
		c.add(wfp.Filter{
			Name: fmt.Sprintf("default inbound action (%s profile)", s.Profile), Sublayer: wfp.SublayerFirewall, Weight: defaultWeight,
			Action: wfp.Block, Conditions: []wfp.Condition{in}, Doubt: s.Doubt,
		}, true, false)
	}
	for _, guid := range s.Disabled {
		c.add(wfp.Filter{
			Name: fmt.Sprintf("not filtered: interface %s (%s profile)", guid, s.Profile), Sublayer: wfp.SublayerFirewall, Weight: unfiltered,
			Action: wfp.Permit, Conditions: []wfp.Condition{in, text(wfp.ArrivalInterface, guid)}, Doubt: s.Doubt,
		}, true, false)
	}
}

// loopback adds the filters that let through what comes from the host itself.
func (c *compiler) loopback() {
	for _, bit := range []uint64{wfp.FlagPlainLoopback, wfp.FlagAppContainerLoopback} {
		c.add(wfp.Filter{
			Name: "loopback", Sublayer: wfp.SublayerFirewall, Weight: loopbackWeight, Action: wfp.Permit,
			Conditions: []wfp.Condition{number(wfp.Flags, wfp.AllSet, bit)},
		}, true, false)
	}
}

// torn adds a filter that may be anything.
func (c *compiler) torn(id string, err error) {
	for _, a := range []wfp.Action{wfp.Block, wfp.Permit} {
		c.add(wfp.Filter{
			Name: "rule " + id, Sublayer: wfp.SublayerFirewall, Weight: blockWeight, Action: a, Doubt: err.Error(),
		}, true, false)
	}
}

// place is where the filters of a rule are, and what they weigh.
func (r *Rule) place() (sublayer string, weight uint64, action wfp.Action) {
	hardening := r.Store == snapshot.StoreStatic || r.Store == snapshot.StoreConfigurable || r.Store == snapshot.StoreAppIso
	switch {
	case hardening && r.Action == "allow": // what a service may, before what it may not
		return wfp.SublayerHardening, hardenedAllow, wfp.Permit
	case hardening:
		return wfp.SublayerHardening, hardenedDefault, wfp.Block
	case r.Action == "allow":
		return wfp.SublayerFirewall, allowWeight, wfp.Permit
	case r.Action == "bypass":
		return wfp.SublayerFirewall, bypassWeight, wfp.Permit
	default:
		return wfp.SublayerFirewall, blockWeight, wfp.Block
	}
}

// rule adds the filters of a rule.
func (c *compiler) rule(r *Rule) {
	fits, doubt := c.fits(r)
	if !r.Inbound || !r.Active || !fits || r.Action == "bypass" && !(r.Secure && r.Peers) {
		return
	}
	if r.Action == "" { // in doubt already
		for _, action := range []string{"block", "allow"} {
			x := *r
			x.Action = action
			c.rule(&x)
		}
		return
	}
	if doubt != "" {
		r.Doubts = append(r.Doubts, doubt)
	}
	for _, v4 := range []bool{true, false} {
		if r.Protocol == 1 && !v4 || r.Protocol == 58 && v4 {
			continue
		}
		for _, group := range c.profilesOf(r) {
			c.family(r, v4, group)
		}
	}
}

// fits says whether a rule is for this system, by Platform= as "2:10:0": number, major and minor version.
func (c *compiler) fits(r *Rule) (bool, string) {
	if len(r.platforms) == 0 {
		return true, ""
	}
	sys := &c.w.System
	if sys.Major == 0 {
		return true, "it is for some systems, and which this is was not read"
	}
	for i, p := range r.platforms {
		var n, major, minor int
		if _, err := fmt.Sscanf(p, "%d:%d:%d", &n, &major, &minor); err != nil {
			return true, fmt.Sprintf("the system %q", p)
		}
		have, want := [2]int{sys.Major, sys.Minor}, [2]int{major, minor}
		if n == 2 && (have == want || r.atLeast && i == len(r.platforms)-1 && slices.Compare(have[:], want[:]) > 0) {
			return true, ""
		}
	}
	return false, ""
}

// profilesOf are the profiles in which a rule is enforced, in groups that share filters: nil is all profiles.
func (c *compiler) profilesOf(r *Rule) [][]snapshot.WindowsProfile {
	var in, unsure []snapshot.WindowsProfile
	for _, s := range c.policy.Settings {
		local := r.Store == snapshot.StoreLocal
		switch {
		case r.Profiles != nil && !slices.Contains(r.Profiles, s.Profile):
		case s.Doubt != "": // of these alone it is not known
			unsure = append(unsure, s.Profile)
		case !s.On && !hardens(r.Store) || local && !s.Merge:
		case s.doubtOf(r) != "":
			unsure = append(unsure, s.Profile)
		default:
			in = append(in, s.Profile)
		}
	}
	words := slices.Concat(r.RemoteAddrs.Words4, r.RemoteAddrs.Words6, r.LocalAddrs.Words4, r.LocalAddrs.Words6)
	if len(in) == len(profiles) && len(words) == 0 {
		return [][]snapshot.WindowsProfile{nil}
	}
	var out [][]snapshot.WindowsProfile
	if len(words) == 0 && len(in) > 0 {
		out, in = append(out, in), nil
	}
	for _, p := range slices.Concat(in, unsure) { // what keywords stand for is another thing in each
		out = append(out, []snapshot.WindowsProfile{p})
	}
	return out
}

// family adds the filters of a rule for one family, in some profiles.
func (c *compiler) family(r *Rule, v4 bool, in []snapshot.WindowsProfile) {
	sublayer, weight, action := r.place()
	f := wfp.Filter{
		Name: fmt.Sprintf("rule %s (%s)", r.ID, r.Store), Provider: string(r.Store), Sublayer: sublayer, Weight: weight, Action: action,
		Doubt: strings.Join(r.Doubts, "; "), Hard: r.Action == "bypass",
	}
	if f.Doubt != "" {
		f.Doubt = "the rule is not understood: " + f.Doubt
	}
	for _, p := range in {
		f.Conditions = append(f.Conditions, number(wfp.OriginalProfile, wfp.Equal, profileID(p)))
		for _, s := range c.policy.Settings {
			if s.Profile == p {
				f.Doubt = cmp.Or(f.Doubt, s.doubtOf(r))
			}
		}
	}
	var ok bool
	if f.Conditions, ok = c.addresses(f.Conditions, r, v4, in); !ok {
		return
	}
	if _, words, _ := r.RemoteAddrs.of(v4); !v4 && f.Doubt == "" && slices.ContainsFunc(words, localSubnet) {
		f.Doubt, f.DoubtIn = "what the keyword localsubnet stands for over IPv6 is not known: a host was seen on which it stood for nothing", wfp.RemoteAddress
	}
	c.program(&f, r)
	c.interfaces(&f, r, action)
	if r.Protocol != anyProtocol {
		f.Conditions = append(f.Conditions, number(wfp.Protocol, wfp.Equal, uint64(r.Protocol)))
	}
	f.Conditions = append(f.Conditions, portConditions(wfp.RemotePort, &r.Remote)...)
	filters := []wfp.Filter{f}
	if x, ok := c.linked(f, r, v4, in); ok {
		filters = append(filters, x)
	}
	for _, more := range c.localPorts(r) {
		for _, icmp := range r.icmp() {
			for _, x := range filters {
				x.Conditions = slices.Concat(x.Conditions, more, icmp)
				c.secure(x, r, v4)
			}
		}
	}
}

// secure adds a filter, and where IPsec has to protect what it lets through one that stops the rest (MS-FASP 2.2.34).
func (c *compiler) secure(f wfp.Filter, r *Rule, v4 bool) {
	if !r.Secure || f.Action == wfp.Block {
		c.add(f, v4)
		return
	}
	bare := f
	f.Conditions = append(slices.Clone(f.Conditions), number(wfp.Flags, wfp.AllSet, wfp.FlagIPsec))
	if r.Peers {
		f.Conditions = append(f.Conditions, torn(wfp.RemoteMachine, "it names who has to be at the other end of IPsec"))
	}
	c.add(f, v4)
	if r.Action == "allow" {
		bare.Name += ", without IPsec"
		bare.Action, bare.Weight = wfp.Block, blockWeight
		bare.Conditions = append(slices.Clone(bare.Conditions), number(wfp.Flags, wfp.NoneSet, wfp.FlagIPsec))
		c.add(bare, v4)
	}
}
