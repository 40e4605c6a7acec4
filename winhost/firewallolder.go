package winhost

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/registry"
	"github.com/ringfence/ringfence/snapshot"
)

// older adds what an older policy lets in by lists of its profiles (windowsfirewall.admx: "Define inbound port exceptions" and the others), as rules. The
// templates of Windows 11 have them yet; how a system takes them no document says, so that each has a part that nobody knows and lets in nobody for certain.
func older(st *snapshot.FirewallStore, profile registry.Key, name string) error {
	o := &olderPolicy{st: st, profiles: map[string]string{"StandardProfile": "Profile=Private|Profile=Public|"}[name], key: name}
	if o.profiles == "" {
		o.profiles = "Profile=" + strings.TrimSuffix(name, "Profile") + "|"
	}
	for _, list := range []struct {
		path string
		take func(v *registry.Value, text string)
	}{{`GloballyOpenPorts\List`, o.port}, {`AuthorizedApplications\List`, o.program}} {
		values, err := valuesOf(profile, list.path)
		if err != nil {
			return err
		}
		for i := range values {
			text, ok := values[i].Text()
			if !ok {
				text = ""
			}
			list.take(&values[i], text)
		}
	}
	for _, path := range []string{`Services\RemoteDesktop`, `Services\FileAndPrint`, `Services\UPnPFramework`, "RemoteAdminSettings"} {
		values, err := valuesOf(profile, path)
		if err != nil {
			return err
		}
		o.service(path, values)
	}
	if len(st.Rules) > maxRules {
		return registry.ErrTooMuch
	}
	return nil
}

// valuesOf are the values of a key below another one, none where it is not there.
func valuesOf(k registry.Key, path string) ([]registry.Value, error) {
	c, err := registry.Open(k, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return c.Values()
}

type olderPolicy struct {
	st            *snapshot.FirewallStore
	key, profiles string
}

// add adds a rule that lets in what some parts tell, from a scope: addresses, prefixes and LocalSubnet, or * for all.
func (o *olderPolicy) add(id, parts, scope string) {
	var t strings.Builder
	t.WriteString("v2.0|Action=Allow|Active=TRUE|Dir=In|" + o.profiles + parts)
	for word := range strings.SplitSeq(scope, ",") {
		if word = strings.TrimSpace(word); word != "" && word != "*" {
			t.WriteString("RA4=" + strings.ReplaceAll(word, "|", "_") + "|")
		}
	}
	o.st.Rules = append(o.st.Rules, snapshot.FirewallRule{ID: o.key + `\` + id, Text: t.String() + "OlderPolicy=TRUE|"})
}

// The entries of the lists: PORT:PROTOCOL:SCOPE:STATUS:NAME and PROGRAM:SCOPE:STATUS:NAME.
var (
	olderPort    = regexp.MustCompile(`(?i)^\s*(\d{1,5}):(tcp|udp):([^:]*):(enabled|disabled):`)
	olderProgram = regexp.MustCompile(`(?i)^(.*?):([^:\\]*):(enabled|disabled):`)
)

func (o *olderPolicy) port(v *registry.Value, text string) {
	m := olderPort.FindStringSubmatch(text)
	switch {
	case m == nil:
		o.add(`GloballyOpenPorts\`+v.Name, "", "*")
	case strings.EqualFold(m[4], "enabled"):
		o.add(`GloballyOpenPorts\`+v.Name, "Protocol="+protocolNumbers[strings.ToLower(m[2])]+"|LPort="+m[1]+"|", m[3])
	}
}

func (o *olderPolicy) program(v *registry.Value, text string) {
	m := olderProgram.FindStringSubmatch(text)
	switch {
	case m == nil:
		o.add(`AuthorizedApplications\`+v.Name, "", "*")
	case strings.EqualFold(m[3], "enabled"):
		o.add(`AuthorizedApplications\`+v.Name, "App="+strings.ReplaceAll(m[1], "|", "_")+"|", m[2])
	}
}

// olderServices are what the services of an older policy open; what remote administration does no list has.
var olderServices = map[string][]string{
	`Services\RemoteDesktop`: {"Protocol=6|LPort=3389|"},
	`Services\FileAndPrint`:  {"Protocol=6|LPort=139|LPort=445|", "Protocol=17|LPort=137|LPort=138|"},
	`Services\UPnPFramework`: {"Protocol=6|LPort=2869|", "Protocol=17|LPort=1900|"},
	"RemoteAdminSettings":    {"Protocol=6|"},
}

func (o *olderPolicy) service(path string, values []registry.Value) {
	scope, on := "*", false
	for i := range values {
		switch v := &values[i]; strings.ToLower(v.Name) {
		case "enabled":
			n, ok := v.Number()
			on = !ok || n != 0
		case "remoteaddresses":
			if text, ok := v.Text(); ok {
				scope = text
			}
		}
	}
	if !on {
		return
	}
	for i, parts := range olderServices[path] {
		o.add(fmt.Sprintf("%s %d", path, i), parts, scope)
	}
}

// standard is what the older policy of every network but the domain's says of the public profile, where neither a policy of its own nor the local store
// says the same: whether it counts there too no document says. Rules of the host it cannot leave out (MS-GPFAS 2.2.3.13).
func (s *Source) standard(out *snapshot.WindowsFirewall) {
	k, _ := s.look(groupPolicy + `\StandardProfile`)
	policy := store(out, snapshot.StoreGPO)
	if k == nil || policy.Read.State != snapshot.Present && len(policy.Profiles) == 0 {
		return
	}
	std, err := profile(k, snapshot.ProfilePublic)
	if err != nil {
		return // the store was not read then either
	}
	unread := func(p snapshot.WindowsProfile, what string) {
		for i := range policy.Profiles {
			if x := &policy.Profiles[i]; x.Profile == p {
				if !slices.Contains(x.Unread, what) {
					x.Unread = append(x.Unread, what)
				}
				return
			}
		}
		policy.Profiles = append(policy.Profiles, snapshot.FirewallProfile{Profile: p, Unread: []string{what}})
	}
	if std.AllowLocalPolicyMerge != nil && *std.AllowLocalPolicyMerge == 0 {
		unread(snapshot.ProfilePrivate, "AllowLocalPolicyMerge of StandardProfile")
	}
	own, local := profileOf(policy, snapshot.ProfilePublic), profileOf(store(out, snapshot.StoreLocal), snapshot.ProfilePublic)
	for _, x := range []struct {
		name            string
		std, own, local *uint32
		normal          uint32
	}{
		{"EnableFirewall", std.EnableFirewall, own.EnableFirewall, local.EnableFirewall, 1},
		{"DefaultInboundAction", std.DefaultInboundAction, own.DefaultInboundAction, local.DefaultInboundAction, 1},
		{"DoNotAllowExceptions", std.DoNotAllowExceptions, own.DoNotAllowExceptions, local.DoNotAllowExceptions, 0},
		{"AuthorizedApplications", std.AuthApps, own.AuthApps, local.AuthApps, 1},
		{"GloballyOpenPorts", std.GlobalPorts, own.GlobalPorts, local.GlobalPorts, 1},
	} {
		now := x.normal
		if x.local != nil {
			now = *x.local
		}
		if x.std != nil && x.own == nil && *x.std != now {
			unread(snapshot.ProfilePublic, x.name+" of StandardProfile")
		}
	}
	if len(std.DisabledInterfaces) > 0 && own.DisabledInterfaces == nil {
		unread(snapshot.ProfilePublic, "DisabledInterfaces of StandardProfile")
	}
}

// profileOf is a profile of a store, without anything where it has none.
func profileOf(st *snapshot.FirewallStore, name snapshot.WindowsProfile) snapshot.FirewallProfile {
	for _, p := range st.Profiles {
		if p.Profile == name {
			return p
		}
	}
	return snapshot.FirewallProfile{}
}
