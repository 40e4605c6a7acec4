package winhost

import (
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/registry"
	"github.com/ringfence/ringfence/snapshot"
)

// profileKeys are the keys of the profiles in a store. The local store calls the private one StandardProfile, as do old policies.
var profileKeys = []struct {
	name    string
	profile snapshot.WindowsProfile
}{
	{"DomainProfile", snapshot.ProfileDomain},
	{"PrivateProfile", snapshot.ProfilePrivate},
	{"StandardProfile", snapshot.ProfilePrivate},
	{"PublicProfile", snapshot.ProfilePublic},
}

// maxRules bounds the rules of a store; real hosts have a few thousand, those of many users 30,000.
const maxRules = 60_000

// connectionRules is the key of rules of connection security.
const connectionRules = "ConSecRules"

// firewall reads every store.
func (s *Source) firewall() snapshot.WindowsFirewall {
	out := snapshot.WindowsFirewall{Read: present}
	for _, store := range []struct {
		name snapshot.FirewallStoreName
		key  string
		in   []string // keys of rules; "" is the key itself
	}{
		{snapshot.StoreLocal, localPolicy, []string{"FirewallRules"}},
		{snapshot.StoreGPO, groupPolicy, []string{"FirewallRules"}},
		{snapshot.StoreMDM, localPolicy + `\Mdm`, []string{"FirewallRules"}},
		{snapshot.StoreAppIso, localPolicy + `\RestrictedServices\AppIso`, []string{"FirewallRules"}},
		{snapshot.StoreStatic, localPolicy + `\RestrictedServices\Static`, []string{"System", "FirewallRules"}},
		{snapshot.StoreConfigurable, localPolicy + `\RestrictedServices\Configurable`, []string{"System", "FirewallRules"}},
	} {
		out.Stores = append(out.Stores, s.store(store.name, store.key, store.in))
	}
	s.standard(&out)
	s.shellRules(&out)
	for i := range out.Stores {
		st := &out.Stores[i]
		if st.Read.State != snapshot.Present && st.Read.State != snapshot.Absent && out.Read.State == snapshot.Present {
			out.Read = snapshot.Fact{State: st.Read.State, Reason: st.Read.Reason}
		}
	}
	return out
}

func (s *Source) store(name snapshot.FirewallStoreName, path string, in []string) snapshot.FirewallStore {
	st := snapshot.FirewallStore{Store: name, Key: `HKLM\` + path}
	k, read := s.look(path)
	st.Read = read
	if k == nil {
		if name == snapshot.StoreLocal && read.State == snapshot.Absent {
			st.Read = snapshot.Fact{State: snapshot.Error, Reason: st.Key + ` is not there, which every host has: what was read is a part`}
		}
		return st
	}
	for _, p := range profileKeys {
		c, err := k.Key(p.name)
		if errors.Is(err, fs.ErrNotExist) {
			if f := s.missing(name, path, p.name); f.State != snapshot.Absent && !s.hasProfile(k, p.profile) {
				st.Read = f
			}
			continue
		}
		if err != nil {
			st.Read = s.why(path, err)
			return st
		}
		prof, err := profile(c, p.profile)
		if err != nil {
			st.Read = s.why(path, err)
			return st
		}
		for i := range st.Profiles {
			if old := &st.Profiles[i]; old.Profile == p.profile { // which of both names counts, setting by setting, is not known
				if !reflect.DeepEqual(*old, prof) {
					old.Unread = append(old.Unread, p.name)
				}
			}
		}
		st.Profiles = append(st.Profiles, prof)
		if name == snapshot.StoreGPO {
			if err := older(&st, c, p.name); err != nil {
				st.Read = s.why(path, err)
				return st
			}
		}
	}
	if name == snapshot.StoreLocal || name == snapshot.StoreGPO || name == snapshot.StoreMDM {
		in = append(in, connectionRules)
	}
	for _, name := range in {
		c, err := k.Key(name)
		if errors.Is(err, fs.ErrNotExist) {
			f := s.missing(st.Store, path, name)
			if name == connectionRules { // hosts without a rule have none
				f = s.lacks(path, name)
			}
			if f.State != snapshot.Absent {
				st.Read = f
			}
			continue
		}
		if err == nil {
			list := &st.Rules
			if name == connectionRules {
				list = &st.Connections
			}
			err = addRules(&st, list, c)
		}
		if err != nil {
			st.Read = s.why(path, err)
			return st
		}
	}
	return st
}

// missing is why a key that a store does not have may be there all the same. Every host has those of the local store: a text without one is cut.
func (s *Source) missing(store snapshot.FirewallStoreName, path, name string) snapshot.Fact {
	f := s.lacks(path, name)
	of := func(root string) bool {
		return registry.Below(`HKEY_LOCAL_MACHINE\`+path, root) || registry.Below(`HKLM\`+path, root)
	}
	if f.State == snapshot.Absent && store == snapshot.StoreLocal && slices.ContainsFunc(s.Texts, of) {
		return snapshot.Fact{State: snapshot.Error, Reason: `HKLM\` + path + ` has no ` + name + ` in a text, which every host has: the text may be cut`}
	}
	return f
}

// hasProfile says whether a store has a profile by any of its names.
func (s *Source) hasProfile(store registry.Key, profile snapshot.WindowsProfile) bool {
	for _, p := range profileKeys {
		if _, err := store.Key(p.name); p.profile == profile && err == nil {
			return true
		}
	}
	return false
}

// addRules adds the rules of a key to a list of a store.
func addRules(st *snapshot.FirewallStore, list *[]snapshot.FirewallRule, k registry.Key) error {
	values, err := k.Values()
	if err != nil {
		return err
	}
	for _, v := range values {
		text, ok := v.Text()
		switch {
		case v.Name == "":
		case !ok || !strings.HasPrefix(strings.ToLower(text), "v"): // programs write V2.28 too
			st.Unread = append(st.Unread, v.Name)
		case len(*list) >= maxRules:
			return registry.ErrTooMuch
		default:
			*list = append(*list, snapshot.FirewallRule{ID: v.Name, Text: text})
		}
	}
	return nil
}

// profile reads the settings of a profile.
func profile(k registry.Key, name snapshot.WindowsProfile) (snapshot.FirewallProfile, error) {
	p := snapshot.FirewallProfile{Profile: name}
	values, err := k.Values()
	if err != nil {
		return p, err
	}
	into := map[string]**uint32{
		"enablefirewall": &p.EnableFirewall, "defaultinboundaction": &p.DefaultInboundAction, "defaultoutboundaction": &p.DefaultOutboundAction,
		"donotallowexceptions": &p.DoNotAllowExceptions, "allowlocalpolicymerge": &p.AllowLocalPolicyMerge,
		"allowlocalipsecpolicymerge": &p.AllowLocalIPsecPolicyMerge, "disablenotifications": &p.DisableNotifications,
		"disablestealthmode": &p.DisableStealthMode, "disableunicastresponsestomulticastbroadcast": &p.DisableUnicastResponses,
	}
	p.Unread = numbers(values, into, p.Unread)
	for _, v := range values {
		if !strings.EqualFold(v.Name, "DisabledInterfaces") {
			continue
		}
		if list, ok := v.Texts(); ok {
			p.DisabledInterfaces = append([]string{}, list...)
		} else if text, ok := v.Text(); ok {
			p.DisabledInterfaces = guids(text)
		} else {
			p.Unread = append(p.Unread, v.Name)
		}
	}
	for _, sub := range []struct {
		key  string
		into map[string]**uint32
	}{
		{"Logging", map[string]**uint32{"logdroppedpackets": &p.LogDropped, "logsuccessfulconnections": &p.LogSuccessful}},
		{"AuthorizedApplications", map[string]**uint32{"allowuserprefmerge": &p.AuthApps}},
		{"GloballyOpenPorts", map[string]**uint32{"allowuserprefmerge": &p.GlobalPorts}},
	} {
		c, err := k.Key(sub.key)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return p, err
		}
		if values, err = c.Values(); err != nil {
			return p, err
		}
		p.Unread = numbers(values, sub.into, p.Unread)
	}
	return p, nil
}

// numbers sets what is a number and known, and adds the names of what is known and no number.
func numbers(values []registry.Value, into map[string]**uint32, unread []string) []string {
	for _, v := range values {
		to := into[strings.ToLower(v.Name)]
		if to == nil {
			continue
		}
		n, ok := v.Number()
		if !ok || n > 1<<32-1 {
			unread = append(unread, v.Name)
			continue
		}
		u := uint32(n)
		*to = &u
	}
	return unread
}

// guids are the ids of a text, in lower case with their braces.
func guids(text string) []string {
	list := []string{}
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '|' }) {
		list = append(list, strings.ToLower(part))
	}
	return list
}
