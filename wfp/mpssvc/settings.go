package mpssvc

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// Settings are what counts of a profile, of all stores together (MS-FASP 2.2.38).
type Settings struct {
	Profile snapshot.WindowsProfile
	On      bool
	// Blocks says that what no rule allows is blocked, Shielded that rules allow nothing.
	Blocks, Shielded bool
	// Merge says that rules of the local store count.
	Merge bool
	// MergeIPsec says that its rules of connection security do.
	MergeIPsec bool
	// NoUserApps and NoUserPorts say that rules of the local store for programs, and those for ports, may not count.
	NoUserApps, NoUserPorts bool
	Disabled                []string // interfaces that are not filtered, GUID in braces, lower case
	// ByPolicy are those of EnableFirewall, DefaultInboundAction and DisabledInterfaces that a policy sets: what is set on the host does not count.
	ByPolicy []string
	// Doubt is why they are not known.
	Doubt string
}

// profiles are the profiles in their order.
var profiles = []snapshot.WindowsProfile{snapshot.ProfileDomain, snapshot.ProfilePrivate, snapshot.ProfilePublic}

// profileID is the number that filters have for a profile.
func profileID(p snapshot.WindowsProfile) uint64 {
	switch p {
	case snapshot.ProfilePublic:
		return 1
	case snapshot.ProfilePrivate:
		return 2
	default:
		return 3
	}
}

// ProfileID is the number that filters have for a profile: 1 public, 2 private, 3 domain.
func ProfileID(p snapshot.WindowsProfile) uint64 { return profileID(p) }

// EffectiveSettings are the settings of each profile. A value of a policy wins over one of the local store; a profile is shielded
// where any store says so; whether local rules count a policy alone says. Set nowhere the firewall is on, blocks and merges.
func EffectiveSettings(f *snapshot.WindowsFirewall) []Settings {
	var out []Settings
	for _, p := range profiles {
		s := Settings{Profile: p}
		listed := false
		on := pick(f, p, func(x *snapshot.FirewallProfile) *uint32 { return x.EnableFirewall })
		inbound := pick(f, p, func(x *snapshot.FirewallProfile) *uint32 { return x.DefaultInboundAction })
		s.On, s.Blocks, s.Merge, s.MergeIPsec = on == nil || *on != 0, inbound == nil || *inbound != 0, true, true
		s.NoUserApps = off(pick(f, p, func(x *snapshot.FirewallProfile) *uint32 { return x.AuthApps }))
		s.NoUserPorts = off(pick(f, p, func(x *snapshot.FirewallProfile) *uint32 { return x.GlobalPorts }))
		for _, name := range []snapshot.FirewallStoreName{snapshot.StoreGPO, snapshot.StoreMDM, snapshot.StoreLocal} {
			x := settingsOf(f, name, p)
			if x == nil {
				continue
			}
			s.Shielded = s.Shielded || x.DoNotAllowExceptions != nil && *x.DoNotAllowExceptions != 0
			if name != snapshot.StoreLocal && x.AllowLocalPolicyMerge != nil && *x.AllowLocalPolicyMerge == 0 {
				s.Merge = false
			}
			if name != snapshot.StoreLocal && x.AllowLocalIPsecPolicyMerge != nil && *x.AllowLocalIPsecPolicyMerge == 0 {
				s.MergeIPsec = false
			}
			if name != snapshot.StoreLocal {
				s.byPolicy(x, !listed)
			}
			if !listed && x.DisabledInterfaces != nil {
				listed = true
				for _, i := range x.DisabledInterfaces {
					s.Disabled = append(s.Disabled, strings.ToLower(i))
				}
			}
			if len(x.Unread) > 0 {
				s.Doubt = fmt.Sprintf("settings of the %s profile in the %s store were not read: %s", p, name, strings.Join(x.Unread, ", "))
			}
		}
		if name := s.disputed(f); name != "" && s.Doubt == "" {
			s.Doubt = fmt.Sprintf("%s of the %s profile is another one in the GPO store than in the MDM store: which of them counts was not read", name, p)
		}
		out = append(out, s)
	}
	return out
}

func off(v *uint32) bool { return v != nil && *v == 0 }

// doubtOf is why it is not known what a rule does in the profile. Rules of the host for programs and for ports are "ignored and not enforced" where
// AllowUserPrefMerge of AuthorizedApplications and of GloballyOpenPorts is 0 (MS-FASP 2.2.38): which rules are such no document says.
func (s *Settings) doubtOf(r *Rule) string {
	const may = "whether rules of the host for %s count on the %s profile is not known: AllowUserPrefMerge of %s is 0"
	ports := r.App == "" || !r.Local.empty()
	switch {
	case !s.On && s.Doubt == "" && hardens(r.Store):
		return fmt.Sprintf("whether what hardens services holds on the %s profile, where the firewall is off, is not known", s.Profile)
	case s.Doubt != "" || r.Store != snapshot.StoreLocal:
		return s.Doubt
	case s.NoUserApps && r.App != "":
		return fmt.Sprintf(may, "programs", s.Profile, "AuthorizedApplications")
	case s.NoUserPorts && ports:
		return fmt.Sprintf(may, "ports", s.Profile, "GloballyOpenPorts")
	}
	return ""
}

// byPolicy notes what a store of policies sets.
func (s *Settings) byPolicy(x *snapshot.FirewallProfile, interfaces bool) {
	for _, v := range []struct {
		name string
		set  bool
	}{
		{"EnableFirewall", x.EnableFirewall != nil},
		{"DefaultInboundAction", x.DefaultInboundAction != nil},
		{"DisabledInterfaces", interfaces && x.DisabledInterfaces != nil},
	} {
		if v.set && !slices.Contains(s.ByPolicy, v.name) {
			s.ByPolicy = append(s.ByPolicy, v.name)
		}
	}
}

// disputed is a setting that a policy and a management service have in different ways: which of them wins a setting of the host says
// (ControlPolicyConflict), and for the firewall no document.
func (s *Settings) disputed(f *snapshot.WindowsFirewall) string {
	a, b := settingsOf(f, snapshot.StoreGPO, s.Profile), settingsOf(f, snapshot.StoreMDM, s.Profile)
	if a == nil || b == nil {
		return ""
	}
	for _, x := range []struct {
		name string
		a, b *uint32
	}{
		{"EnableFirewall", a.EnableFirewall, b.EnableFirewall},
		{"DefaultInboundAction", a.DefaultInboundAction, b.DefaultInboundAction},
		{"AllowLocalPolicyMerge", a.AllowLocalPolicyMerge, b.AllowLocalPolicyMerge},
		{"AllowUserPrefMerge of AuthorizedApplications", a.AuthApps, b.AuthApps},
		{"AllowUserPrefMerge of GloballyOpenPorts", a.GlobalPorts, b.GlobalPorts},
	} {
		if x.a != nil && x.b != nil && (*x.a == 0) != (*x.b == 0) {
			return x.name
		}
	}
	return ""
}

// pick is the value of a setting that counts: a policy's, else the local one, nil where it is set nowhere.
func pick(f *snapshot.WindowsFirewall, p snapshot.WindowsProfile, value func(*snapshot.FirewallProfile) *uint32) *uint32 {
	for _, name := range []snapshot.FirewallStoreName{snapshot.StoreGPO, snapshot.StoreMDM, snapshot.StoreLocal} {
		if x := settingsOf(f, name, p); x != nil && value(x) != nil {
			return value(x)
		}
	}
	return nil
}

func settingsOf(f *snapshot.WindowsFirewall, name snapshot.FirewallStoreName, p snapshot.WindowsProfile) *snapshot.FirewallProfile {
	for i := range f.Stores {
		if f.Stores[i].Store != name {
			continue
		}
		for j := range f.Stores[i].Profiles {
			if f.Stores[i].Profiles[j].Profile == p {
				return &f.Stores[i].Profiles[j]
			}
		}
	}
	return nil
}
