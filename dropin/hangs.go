package dropin

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// holdBack makes settings words for people where something of the host hangs on what they change, or where nobody could log in any more:
// then no file is written for them.
func (w *Manual) holdBack(s *snapshot.Snapshot) {
	list := w.Settings
	if len(list) == 0 && (w.Kind == serviceSysctl || w.Kind == serviceSSHD) {
		list = written(w.Kind, w.Text)
	}
	why := ""
	switch w.Kind {
	case serviceSysctl:
		why = hangs(s, list)
	case serviceSSHD:
		why = lockedOut(s, w.Resource, list)
	}
	if why == "" {
		return
	}
	var texts []string
	for _, x := range list {
		texts = append(texts, escape.Line(x.Name+forms[w.Kind].between+x.Value))
	}
	w.Text = fmt.Sprintf("%s: not set by a file, since %s", strings.Join(texts, ", "), why)
	w.Kind, w.Settings, w.Held = "words", nil, true
}

// defaultSSHD is the configuration of a server that is told no other (sshd(8), FILES).
const defaultSSHD = "/etc/ssh/sshd_config"

// reads says of a configuration that it includes the folder of our file.
func reads(s *snapshot.Snapshot, config string) bool {
	return slices.ContainsFunc(s.SSH.Configs, func(c snapshot.SSHConfig) bool {
		return c.Path == config && c.Container == "" && c.DropIns
	})
}

// lockedOut says why settings of sshd are not set: the server does not read a file of ours, or without passwords nobody is known to
// get in. What is logged in now tells who logs in; where nobody is, any account counts.
func lockedOut(s *snapshot.Snapshot, config string, list finding.Settings) string {
	if config == "" {
		config = defaultSSHD
	}
	if !reads(s, config) {
		return escape.Line(config) + " does not include /etc/ssh/sshd_config.d/*.conf: put it there"
	}
	if why := cmp.Or(setBefore(s, list), asksForMore(s, list)); why != "" {
		return why
	}
	if !slices.ContainsFunc(list, func(x finding.Setting) bool {
		return slices.Contains([]string{"passwordauthentication", "kbdinteractiveauthentication", "permitrootlogin", "authenticationmethods", "usepam", "hostbasedauthentication"}, strings.ToLower(x.Name)) ||
			strings.EqualFold(x.Name, "StrictModes") && slices.ContainsFunc(s.SSH.Accounts, func(a snapshot.SSHAccount) bool { return a.Loose != "" })
	}) {
		return ""
	}
	for i := range s.SSH.Servers { // the file is for each server that reads it
		v := &s.SSH.Servers[i]
		if v.Kind == "openssh" && v.Container == "" && v.Word.Trusted() && reads(s, v.Config) {
			if why := withoutKeys(s, v.Config); why != "" {
				return why
			}
		}
	}
	return withoutKeys(s, config)
}

// setBefore says that a server that reads our file has another value before it, of its command line, or of a line above the Include: the first one counts
// (sshd_config(5)).
func setBefore(s *snapshot.Snapshot, list finding.Settings) string {
	for i := range s.SSH.Configs {
		c := &s.SSH.Configs[i]
		if c.Container != "" || !c.DropIns {
			continue
		}
		for _, x := range list {
			name := strings.ToLower(x.Name)
			if !slices.Contains(c.Earlier, name) && !slices.ContainsFunc(c.Options, func(o string) bool {
				key, _, _ := strings.Cut(o, "=")
				return strings.EqualFold(strings.TrimSpace(key), name)
			}) {
				continue
			}
			if is := globally(c, name); !slices.Equal(is, []string{x.Value}) {
				return fmt.Sprintf("%s, or its server's command line, has %s %s before it includes /etc/ssh/sshd_config.d/*.conf, and the first one counts: change it there",
					escape.Line(c.Path), escape.Line(x.Name), escape.Line(strings.Join(is, " ")))
			}
		}
	}
	return ""
}

// globally is the value of a setting for connections to which no Match block applies.
func globally(c *snapshot.SSHConfig, name string) []string {
	for i := range c.Contexts {
		if c.Contexts[i].Match == "" {
			return c.Contexts[i].Settings[name]
		}
	}
	return nil
}

// withoutKeys says why nobody is known to log in with a key by a configuration, or nobody who becomes root: what an account without that has
// helps whoever administers the host to nothing.
func withoutKeys(s *snapshot.Snapshot, config string) string {
	var who, admins []snapshot.SSHAccount
	for _, a := range s.SSH.Accounts {
		if a.Config != config {
			continue
		}
		who = append(who, a)
		if a.UID == 0 || a.Admin {
			admins = append(admins, a)
		}
	}
	if why := noneHasKey(who, "that logs in"); why != "" {
		return why
	}
	return noneHasKey(admins, "that becomes root")
}

// noneHasKey says why none of some accounts is known to log in with a key: of those that are logged in, if any is.
func noneHasKey(who []snapshot.SSHAccount, which string) string {
	if logged := slices.DeleteFunc(slices.Clone(who), func(a snapshot.SSHAccount) bool { return !a.LoggedIn }); len(logged) > 0 {
		who = logged
	}
	names, order := map[string][]string{}, []string{}
	for _, a := range who {
		if keyed(&a) {
			return ""
		}
		why := escape.Line(cmp.Or(a.Loose, a.Why))
		if names[why] == nil {
			order = append(order, why)
		}
		names[why] = append(names[why], escape.Line(a.Name))
	}
	if len(order) == 0 {
		return "whether an account " + which + " logs in with a key was not seen"
	}
	var texts []string
	for _, why := range order[:min(len(order), mostKeyless)] {
		texts = append(texts, someOf(names[why])+": "+why)
	}
	if more := len(order) - mostKeyless; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more reasons", more))
	}
	return "no account " + which + " is known to have a usable key (" + strings.Join(texts, "; ") + "): give one a key first"
}

// keyed says of an account that a key alone logs in, with StrictModes too: a plan can have both.
func keyed(a *snapshot.SSHAccount) bool { return a.Key == snapshot.Yes && a.Loose == "" }

// mostKeyless bounds how many accounts are named, and how many reasons.
const mostKeyless = 5

// someOf are names, and how many more there are.
func someOf(names []string) string {
	if more := len(names) - mostKeyless; more > 0 {
		names = append(names[:mostKeyless:mostKeyless], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// keyless are the accounts that are not known to log in with a key by some configurations, for people: that they have a password is not seen.
func keyless(s *snapshot.Snapshot, configs []string) string {
	var names []string
	for _, a := range s.SSH.Accounts {
		if slices.Contains(configs, a.Config) && !keyed(&a) && !slices.Contains(names, a.Name) {
			names = append(names, escape.Line(a.Name))
		}
	}
	return someOf(names)
}

// hangs says what of the host needs a switch of the kernel as it is now.
func hangs(s *snapshot.Snapshot, list finding.Settings) string {
	for _, x := range list {
		name := strings.ReplaceAll(x.Name, "/", ".")
		base := path.Base(strings.ReplaceAll(name, ".", "/"))
		var why string
		switch {
		case base == "route_localnet" && x.Value == "0":
			why = toLoopback(s)
		case strings.HasPrefix(base, "bridge-nf-call-") && x.Value == "1":
			why = switched(s)
		case (base == "ip_forward" || base == "forwarding") && x.Value == "0":
			why = forwards(s)
		}
		if why != "" {
			return why
		}
	}
	return ""
}

// legacy says that iptables-legacy may have rules that were not read.
func legacy(s *snapshot.Snapshot) bool {
	f := s.NFTables.Legacy["iptables"]
	return f.State == snapshot.Denied || f.State == snapshot.Error || len(s.NFTables.UnreadLegacy("iptables")) > 0
}

// eachRule calls do with every rule of a ruleset.
func eachRule(rs *ruleset.Ruleset, do func(*ruleset.Rule)) {
	for i := range rs.Tables {
		for j := range rs.Tables[i].Chains {
			for k := range rs.Tables[i].Chains[j].Rules {
				do(&rs.Tables[i].Chains[j].Rules[k])
			}
		}
	}
}

// toLoopback says that rules translate to an address of loopback, or from one, for which the kernel needs route_localnet. Where to an extension of
// iptables, or a map, translates is not looked for: it could be there.
func toLoopback(s *snapshot.Snapshot) string {
	rs := s.NFTables.Ruleset
	if rs == nil {
		return "whether rules translate to loopback (DNAT to 127.0.0.0/8) was not seen"
	}
	if legacy(s) {
		return "whether rules of iptables-legacy translate to loopback (DNAT to 127.0.0.0/8) was not seen"
	}
	constant, other := false, false
	eachRule(rs, func(r *ruleset.Rule) {
		registers := map[uint32]netip.Addr{}
		for i := range r.Exprs {
			switch e := &r.Exprs[i]; {
			case e.Immediate != nil && len(e.Immediate.Data) == 4:
				registers[e.Immediate.Dreg], _ = netip.AddrFromSlice(e.Immediate.Data)
			case e.NAT != nil && e.NAT.Kind == "dnat" && e.NAT.AddrMin != 0:
				a, ok := registers[e.NAT.AddrMin]
				constant, other = constant || ok && a.IsLoopback(), other || !ok && e.NAT.Family != ruleset.NfprotoIPv6
			case e.Xt != nil && (e.Xt.Name == "DNAT" || e.Xt.Name == "NETMAP"):
				d := e.Xt.Decoded
				if d == nil || d.NAT == nil {
					other = true
					continue
				}
				to, ok := netip.AddrFromSlice(d.NAT.AddrMin)
				constant = constant || ok && to.IsLoopback()
			}
		}
	})
	switch {
	case constant:
		return "rules translate to loopback (DNAT to 127.0.0.0/8), and need route_localnet: what is published so would end"
	case other:
		return "rules translate to addresses that are not seen in them: one of loopback needs route_localnet"
	}
	return fromLoopback(rs)
}

// fromLoopback says that rules translate what the host itself sends to loopback to others, as ports of containers and of services of a cluster are
// published at 127.0.0.1: the kernel lets it leave by another interface with route_localnet alone.
func fromLoopback(rs *ruleset.Ruleset) string {
	for i := range rs.Tables {
		t := &rs.Tables[i]
		for j := range t.Chains {
			c := &t.Chains[j]
			if c.Base != nil && c.Base.Type == "nat" && c.Base.Hook == "output" && t.Family != ruleset.FamilyIP6 && translatesLoopback(t, c, map[string]bool{}) {
				return "rules translate what the host sends to 127.0.0.0/8 to others, and need route_localnet: what is published there would end"
			}
		}
	}
	return ""
}

// translatesLoopback says of a chain that what is sent to loopback gets to a translation of its destination in it, or in one that it leads to.
func translatesLoopback(t *ruleset.Table, c *ruleset.Chain, seen map[string]bool) bool {
	if c == nil || seen[c.Name] {
		return false
	}
	seen[c.Name] = true
	return slices.ContainsFunc(c.Rules, func(r ruleset.Rule) bool {
		if notForLoopback(t, &r) {
			return false
		}
		return slices.ContainsFunc(r.Exprs, func(e ruleset.Expr) bool {
			var next []*ruleset.Verdict
			switch {
			case e.NAT != nil:
				return e.NAT.Kind == "dnat" && e.NAT.Family != ruleset.NfprotoIPv6
			case e.Xt != nil:
				return e.Xt.Name == "DNAT" || e.Xt.Name == "NETMAP"
			case e.Immediate != nil:
				next = append(next, e.Immediate.Verdict)
			case e.Lookup != nil && t.Set(e.Lookup.Set) != nil:
				for _, el := range t.Set(e.Lookup.Set).Elements {
					next = append(next, el.Verdict)
				}
			}
			return slices.ContainsFunc(next, func(v *ruleset.Verdict) bool {
				return v != nil && v.Chain != "" && translatesLoopback(t, t.Chain(v.Chain), seen)
			})
		})
	})
}

// notForLoopback says of a rule that it compares the IPv4 destination, and nothing of 127.0.0.0/8 passes.
func notForLoopback(t *ruleset.Table, r *ruleset.Rule) bool {
	const daddr = 16 // offset in the header of IPv4
	loaded, whole := map[uint32]bool{}, map[uint32]bool{}
	for i := range r.Exprs {
		switch e := &r.Exprs[i]; {
		case e.Payload != nil && !e.Payload.Set:
			loaded[e.Payload.Dreg] = e.Payload.Base == ruleset.BaseNetwork && e.Payload.Offset == daddr
			whole[e.Payload.Dreg] = e.Payload.Len == 1
		case e.Bitwise != nil: // of a mask that keeps the first byte
			loaded[e.Bitwise.Dreg] = loaded[e.Bitwise.Sreg] && len(e.Bitwise.Mask) == 4 && e.Bitwise.Mask[0] == 0xff
			whole[e.Bitwise.Dreg] = loaded[e.Bitwise.Dreg] && e.Bitwise.Mask[1]|e.Bitwise.Mask[2]|e.Bitwise.Mask[3] == 0
		case e.Meta != nil && !e.Meta.Set:
			loaded[e.Meta.Dreg] = false
		case e.Cmp != nil && loaded[e.Cmp.Sreg] && len(e.Cmp.Data) > 0:
			if is := e.Cmp.Data[0] == 127; e.Cmp.Op == ruleset.OpEq && !is || e.Cmp.Op == ruleset.OpNeq && is && whole[e.Cmp.Sreg] {
				return true
			}
		case e.Lookup != nil && loaded[e.Lookup.Sreg]:
			set := t.Set(e.Lookup.Set)
			if set != nil && !e.Lookup.Invert && !set.Interval && !set.Dynamic && !slices.ContainsFunc(set.Elements, func(el ruleset.Element) bool {
				return el.CatchAll || len(el.Key) == 0 || el.Key[0] == 127
			}) {
				return true
			}
		default: // another value can be in the register
			clear(loaded)
		}
	}
	return false
}

// switched says that rules that drop what is forwarded would see what a bridge switches from port to port.
func switched(s *snapshot.Snapshot) string {
	ports := map[int]int{}
	for i := range s.Network.Links {
		if l := &s.Network.Links[i]; l.Up && l.Master != 0 {
			ports[l.Master]++
		}
	}
	bridge := ""
	for i := range s.Network.Links {
		if l := &s.Network.Links[i]; l.Kind == "bridge" && ports[l.Index] > 1 {
			bridge = escape.Line(l.Name)
		}
	}
	switch rs := s.NFTables.Ruleset; {
	case bridge == "":
		return ""
	case rs == nil || legacy(s):
		return "whether rules for what is forwarded would drop what " + bridge + " switches was not seen"
	case dropsForwarded(rs):
		return "rules for what is forwarded (chain FORWARD) would then also drop what machines on " + bridge + " send each other"
	}
	return ""
}

// dropsForwarded says of a ruleset that a chain for what is forwarded has the policy drop, or rules that do not accept.
func dropsForwarded(rs *ruleset.Ruleset) bool {
	for i := range rs.Tables {
		t := &rs.Tables[i]
		for j := range t.Chains {
			b := t.Chains[j].Base
			if b == nil || t.Family == ruleset.FamilyBridge || b.Hook != "forward" && b.Hook != "prerouting" || b.Type != "filter" {
				continue
			}
			if b.Policy == ruleset.Drop || len(t.Chains[j].Rules) > 0 {
				return true
			}
		}
	}
	return false
}

// forwards says that containers or machines go out through the host.
func forwards(s *snapshot.Snapshot) string {
	for i := range s.Network.Links {
		l := &s.Network.Links[i]
		if l.Up && (l.Kind == "bridge" || l.Kind == "veth" || l.Kind == "tun" || l.Kind == "wireguard") {
			return "the host forwards for what is behind " + l.Name + " (containers, machines or a tunnel), which would lose its network"
		}
	}
	return ""
}
