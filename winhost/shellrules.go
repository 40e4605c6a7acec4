package winhost

import (
	"reflect"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// shellRules puts what commands of PowerShell told of rules and profiles in the stores that no registry told of. Rules are told in the grammar of the
// registry; one whose conditions were not told has a key that nobody knows, so that it is not taken to have none.
func (s *Source) shellRules(out *snapshot.WindowsFirewall) {
	rules, asked := s.Shell.of(shellRule)
	if !asked {
		return
	}
	byID := s.Shell.conditions()
	local, policy := store(out, snapshot.StoreLocal), store(out, snapshot.StoreGPO)
	active := false // the store of what counts was asked, which has the rules of policies too
	var ofLocal, ofPolicy []snapshot.FirewallRule
	for _, o := range rules {
		r := snapshot.FirewallRule{ID: o.text("instanceid", "name", "id"), Text: ruleText(o, byID)}
		switch {
		case o["policystoresourcetype"] == nil || o.is("policystoresourcetype", 1, "local"):
			ofLocal = append(ofLocal, r)
		default: // those of policies, and dynamic ones: whatever is merged they count
			active = true
			ofPolicy = append(ofPolicy, r)
		}
	}
	demandLocal, demandPolicy := s.Shell.connections()
	if max(len(ofLocal), len(ofPolicy), len(demandLocal), len(demandPolicy)) > maxRules {
		s.note("firewall", "there are more rules than are looked at")
		return
	}
	settings, ofActive := s.Shell.profiles()
	if local.Read.State != snapshot.Present {
		local.Read, local.Rules, local.Profiles, local.Connections = present, ofLocal, settings, demandLocal
	}
	switch {
	case policy.Read.State != snapshot.Error:
	case active && ofActive:
		policy.Read, policy.Rules, policy.Profiles, policy.Connections = present, ofPolicy, settings, demandPolicy
	default:
		policy.Read.Reason += " (Get-NetFirewallRule and Get-NetFirewallProfile with -PolicyStore ActiveStore tell it)"
	}
	for _, name := range []snapshot.FirewallStoreName{snapshot.StoreMDM, snapshot.StoreAppIso, snapshot.StoreStatic, snapshot.StoreConfigurable} {
		if st := store(out, name); st.Read.State == snapshot.Error && active {
			st.Read = snapshot.Fact{State: snapshot.Absent} // what of it lets something in is among the rules that count
		}
	}
}

func store(out *snapshot.WindowsFirewall, name snapshot.FirewallStoreName) *snapshot.FirewallStore {
	return &out.Stores[slices.IndexFunc(out.Stores, func(st snapshot.FirewallStore) bool { return st.Store == name })]
}

// conditionKinds are the kinds of filters that each rule has one of.
var conditionKinds = []shellKind{shellPort, shellFrom, shellProgram, shellOfService, shellOn, shellOnType, shellSecurity}

// conditions are the filters of rules by kind and by the id of the rule. A rule of a policy can have the id of a local one: where two filters differ
// it is not told whose each is, and neither counts as told.
func (s *Shell) conditions() map[shellKind]map[string]object {
	byID := map[shellKind]map[string]object{}
	for _, kind := range conditionKinds {
		byID[kind] = map[string]object{}
		list, _ := s.of(kind)
		for _, o := range list {
			id := o.text("instanceid")
			if old, twice := byID[kind][id]; twice && !reflect.DeepEqual(old, o) {
				o = nil
			}
			byID[kind][id] = o
		}
	}
	return byID
}

// profiles are those of Get-NetFirewallProfile (MSFT_NetFirewallProfile), and of those that were not told that they were not. It says whether they are
// of the store of what counts, in which each setting has a value.
func (s *Shell) profiles() (list []snapshot.FirewallProfile, active bool) {
	all, _ := s.of(shellProfile)
	active = true
	for _, name := range []snapshot.WindowsProfile{snapshot.ProfileDomain, snapshot.ProfilePrivate, snapshot.ProfilePublic} {
		p := snapshot.FirewallProfile{Profile: name}
		i := slices.IndexFunc(all, func(o object) bool { return strings.EqualFold(o.text("name", "profile"), string(name)) })
		if i < 0 {
			p.Unread = []string{"Get-NetFirewallProfile"}
			list, active = append(list, p), false
			continue
		}
		o := all[i]
		p.EnableFirewall, p.DefaultInboundAction, p.DefaultOutboundAction = boolean(o, "enabled"), action(o, "defaultinboundaction"), action(o, "defaultoutboundaction")
		p.AllowLocalPolicyMerge = boolean(o, "allowlocalfirewallrules")
		p.AuthApps, p.GlobalPorts = boolean(o, "allowuserapps"), boolean(o, "allowuserports")
		in := boolean(o, "allowinboundrules")
		if in != nil {
			shielded := 1 - *in
			p.DoNotAllowExceptions = &shielded
		}
		for _, word := range o.list("disabledinterfacealiases") {
			if !anything(word) && !strings.EqualFold(word, "NotConfigured") {
				p.Unread = []string{"DisabledInterfaceAliases"}
			}
		}
		if _, told := o["disabledinterfacealiases"]; !told {
			p.Unread = []string{"DisabledInterfaceAliases"}
		}
		active = active && p.EnableFirewall != nil && p.DefaultInboundAction != nil && in != nil && p.AllowLocalPolicyMerge != nil
		list = append(list, p)
	}
	return list, active
}

// connections are the rules of Get-NetIPsecRule (MSFT_NetConSecRule), local ones and the rest, in the grammar of the registry. Whom they are about is
// left out: they then are about more. Where the command was not run there may be one about everything.
func (s *Shell) connections() (local, policy []snapshot.FirewallRule) {
	const secure = "v2.31|Action=Secure|Active=TRUE|"
	rules, asked := s.of(shellIPsec)
	if !asked {
		untold := []snapshot.FirewallRule{{ID: "that was not told (Get-NetIPsecRule -PolicyStore ActiveStore)", Text: secure + "Untold=Get-NetIPsecRule|"}}
		return untold, untold
	}
	for _, o := range rules {
		if o.is("enabled", 2, "false") || o.is("inboundsecurity", 0, "none") || o.is("inboundsecurity", 1, "request") {
			continue
		}
		r := snapshot.FirewallRule{ID: o.text("instanceid"), Text: secure + profilesText(o, "profiles", "profile")}
		if o["policystoresourcetype"] == nil || o.is("policystoresourcetype", 1, "local") {
			local = append(local, r)
		} else {
			policy = append(policy, r)
		}
	}
	return local, policy
}

// profilesText are the profiles of a rule in the grammar of the registry: a set of bits, or names. Without one it is of all.
func profilesText(o object, names ...string) (t string) {
	if n := o.number(names...); n >= 0 {
		for bit, name := range []string{"Domain", "Private", "Public"} {
			if n&(1<<bit) != 0 {
				t += "Profile=" + name + "|"
			}
		}
		return t
	}
	if text := o.text(names...); !anything(text) {
		for name := range strings.SplitSeq(text, ",") {
			t += "Profile=" + strings.ReplaceAll(strings.TrimSpace(name), "|", "_") + "|"
		}
	}
	return t
}

// anything says of a word that it is no condition.
func anything(text string) bool { return text == "" || strings.EqualFold(text, "any") }

// ruleText is a rule of MSFT_NetFirewallRule and its filters in the grammar of the registry.
func ruleText(o object, byID map[shellKind]map[string]object) string {
	id := o.text("instanceid", "name", "id")
	t := "v2.31|Action=" + ruleWord(o, "action", map[int]string{2: "Allow", 3: "ByPass", 4: "Block"}) + "|Active=" +
		ruleWord(o, "enabled", map[int]string{1: "TRUE", 2: "FALSE"}) + "|Dir=" + ruleWord(o, "direction", map[int]string{1: "In", 2: "Out"}) + "|"
	add := func(key, value string) { t += key + "=" + strings.ReplaceAll(value, "|", "_") + "|" }
	t += profilesText(o, "profile")
	switch {
	case o.is("edgetraversalpolicy", 1, "allow"):
		add("Edge", "TRUE")
	case o.is("edgetraversalpolicy", 2, "defertouser"):
		add("Defer", "User")
	case o.is("edgetraversalpolicy", 3, "defertoapp"):
		add("Defer", "App")
	default:
	}
	own(o, add)
	for _, kind := range conditionKinds {
		if byID[kind][id] == nil {
			add("Untold", string(kind))
		}
	}
	ports(byID[shellPort][id], add)
	addressesOf(byID[shellFrom][id], add)
	if p := byID[shellProgram][id]; p != nil {
		if name := p.text("program"); !anything(name) {
			add("App", name)
		}
		if name := p.text("package"); !anything(name) {
			add("AppPkgId", name)
		}
	}
	if name := byID[shellOfService][id].text("service"); !anything(name) {
		add("Svc", name)
	}
	where(byID[shellOn][id], byID[shellOnType][id], add)
	security(byID[shellSecurity][id], add)
	add("Name", o.text("displayname"))
	return t
}

// own adds what the object of a rule tells itself of whom it is for: Windows 10 and later have addresses and programs there that no filter has.
func own(o object, add func(key, value string)) {
	if owner := o.text("owner"); owner != "" {
		add("LUOwn", owner)
	}
	notTold(o, "remotedynamickeywordaddresses", "addresses of ", add)
	notTold(o, "policyappid", "programs with the tag ", add)
	for _, name := range o.list("packagefamilyname") {
		if !anything(name) {
			add("PFN", name)
		}
	}
	systems := o.list("platforms")
	if len(systems) == 0 {
		systems = o.list("platform")
	}
	for i, name := range systems {
		number, later := strings.CutSuffix(strings.TrimSpace(name), "+")
		major, minor, ok := strings.Cut(number, ".")
		if !ok || later && i < len(systems)-1 { // the registry has that of the last one alone
			add("Untold", "the system "+name)
			continue
		}
		add("Platform", "2:"+major+":"+minor)
		if later {
			add("Platform2", "GTEQ")
		}
	}
	if o.is("primarystatus", 3, "error") {
		add("Untold", "its status is an error")
	}
	for _, state := range o.list("enforcementstatus") { // MS-FASP 2.2.27, of the store of what counts
		if state == "3" || strings.EqualFold(state, "CategoryOff") {
			add("Untold", "another product has the rules of the firewall")
		}
	}
}

// notTold adds a condition of which it is not told what it stands for.
func notTold(o object, property, what string, add func(key, value string)) {
	for _, word := range o.list(property) {
		if !anything(word) {
			add("Untold", what+word)
		}
	}
}

// where adds the interfaces of a rule, and their types: a list of names, or a set of bits.
func where(on, ofType object, add func(key, value string)) {
	notTold(on, "interfacealias", "interface ", add)
	types := map[string]string{"wired": "Lan", "1": "Lan", "wireless": "Wireless", "2": "Wireless", "remoteaccess": "RemoteAccess", "4": "RemoteAccess"}
	for _, names := range ofType.list("interfacetype") {
		for name := range strings.SplitSeq(names, ",") {
			switch word := types[strings.ToLower(strings.TrimSpace(name))]; {
			case anything(name) || name == "0":
			case word != "":
				add("IFType", word)
			default:
				add("Untold", "type of interfaces "+name)
			}
		}
	}
}

// security adds whom IPsec has to authenticate, and whose socket it is.
func security(o object, add func(key, value string)) {
	if o == nil {
		return
	}
	if !o.is("authentication", 0, "notrequired") || o["encryption"] != nil && !o.is("encryption", 0, "notrequired") {
		add("Security", "Authenticate")
	}
	for _, x := range []struct{ property, key string }{{"localuser", "LUAuth"}, {"remoteuser", "RUAuth"}, {"remotemachine", "RMauth"}} {
		if text := o.text(x.property); !anything(text) {
			add(x.key, text)
		}
	}
	if o.yes("overrideblockrules") {
		add("Untold", "it overrides block rules")
	}
}

// ruleWord is an enumeration by its number or its name.
func ruleWord(o object, name string, words map[int]string) string {
	if w, ok := words[o.number(name)]; ok {
		return w
	}
	said := strings.TrimSuffix(strings.ToLower(o.text(name)), "bound")
	for _, w := range words {
		if strings.EqualFold(w, said) || w == "ByPass" && said == "allowbypass" {
			return w
		}
	}
	return said
}

// protocolNumbers are the names that port filters have for protocols.
var protocolNumbers = map[string]string{"tcp": "6", "udp": "17", "icmpv4": "1", "icmpv6": "58"}

// portWords are the words of port filters that the registry writes otherwise.
var portWords = map[string]string{"rpcepmap": "RPC-EPMap", "iphttpsin": "IPHTTPSIn", "iphttpsout": "IPHTTPSOut"}

// ports adds the protocol and the ports of a filter.
func ports(o object, add func(key, value string)) {
	if o == nil {
		return
	}
	if name := o.text("protocol"); !anything(name) {
		if n := protocolNumbers[strings.ToLower(name)]; n != "" {
			name = n
		}
		add("Protocol", name)
	}
	for _, x := range []struct{ property, key string }{{"localport", "LPort"}, {"remoteport", "RPort"}} {
		key := x.key
		for _, p := range o.list(x.property) {
			switch word := portWords[strings.ToLower(p)]; {
			case anything(p):
			case word == "IPHTTPSIn":
				add(key+"2_10", word)
			case word != "":
				add(key, word)
			case strings.Contains(p, "-"):
				add(key+"2_10", p)
			default:
				add(key, p)
			}
		}
	}
	for _, property := range []string{"dynamictarget", "dynamictransport"} {
		if t := o.text(property); !anything(t) && t != "0" {
			add("Untold", property+" "+t)
		}
	}
	notTold(o, "icmptype", "type ", add)
}

// addressesOf adds the addresses of a filter. Words stand for addresses of both families.
func addressesOf(o object, add func(key, value string)) {
	if o == nil {
		return
	}
	notTold(o, "remotedynamickeywordaddresses", "addresses of ", add)
	for _, x := range []struct{ property, key string }{{"localaddress", "LA"}, {"remoteaddress", "RA"}} {
		for _, a := range o.list(x.property) {
			switch {
			case anything(a):
			case strings.Contains(a, ":"):
				add(x.key+"6", a)
			case strings.ContainsAny(a[:1], "0123456789"):
				add(x.key+"4", a)
			case slices.ContainsFunc([]string{"LocalSubnet", "DNS", "DHCP", "WINS", "DefaultGateway"}, func(w string) bool { return strings.EqualFold(w, a) }):
				add(x.key+"4", a)
				add(x.key+"6", a)
			case slices.ContainsFunc([]string{"LocalSubnet4", "LocalSubnet6"}, func(w string) bool { return strings.EqualFold(w, a) }):
				add(x.key+a[len(a)-1:], a[:len(a)-1])
			default:
				add(x.key+"42", a)
				add(x.key+"62", a)
			}
		}
	}
}
