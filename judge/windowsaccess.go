package judge

import (
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp/mpssvc"
)

// Masks by which somebody changes what an object does (winnt.h, winsvc.h).
const (
	genericAll   = 0x10000000
	genericWrite = 0x40000000
	writeDAC     = 0x40000
	writeOwner   = 0x80000
	serviceWrite = 0x2 // SERVICE_CHANGE_CONFIG
	fileWrite    = 0x2 // FILE_WRITE_DATA, FILE_ADD_FILE
	keyWrite     = 0x2 // KEY_SET_VALUE
	pipeUse      = 0x3 // FILE_READ_DATA, FILE_WRITE_DATA
)

// trustedSIDs are those who are administrators already, or the system: CREATOR OWNER stands for an owner, who is judged by itself.
var trustedSIDs = []string{
	"S-1-5-18", "S-1-5-32-544", "S-1-3-0", "S-1-5-19", "S-1-5-20", "S-1-3-4", "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
}

// trusted says whether a SID is one of these, the service's own, or an account of administrators of its machine or domain.
func trusted(sid string) bool {
	const administrator, domainAdmins, enterpriseAdmins = "-500", "-512", "-519"
	if strings.HasPrefix(sid, "S-1-5-21-") && (strings.HasSuffix(sid, administrator) || strings.HasSuffix(sid, domainAdmins) || strings.HasSuffix(sid, enterpriseAdmins)) {
		return true
	}
	return slices.Contains(trustedSIDs, sid)
}

// others are those besides administrators whom an access list lets do any of that. An entry that denies counts for its own SID alone: it
// takes nothing from those who are in other groups.
func others(acl *snapshot.WindowsACL, mask uint32) []string {
	who := []string{}
	if acl.Open {
		return append(who, "S-1-1-0")
	}
	denied := map[string]uint32{}
	for _, e := range acl.Entries {
		switch {
		case e.InheritOnly || e.Other != 0:
		case !e.Allow:
			denied[e.SID] |= e.Mask
		case e.Mask&mask&^denied[e.SID] != 0 && !trusted(e.SID) && !slices.Contains(who, e.SID):
			who = append(who, e.SID)
		}
	}
	if acl.Owner != "" && !trusted(acl.Owner) && !slices.Contains(who, acl.Owner) {
		who = append(who, acl.Owner)
	}
	slices.Sort(who)
	return who
}

// windowsControl are services that somebody besides administrators can change, by what, and those of which it is not known.
func windowsControl(w *snapshot.Windows) []DocWindowsAccess {
	out := []DocWindowsAccess{}
	for i := range w.Services.List {
		s := &w.Services.List[i]
		own := mpssvc.ServiceSID(s.Name)
		for _, x := range []struct {
			what string
			acl  *snapshot.WindowsACL
			mask uint32
		}{
			{"control", &s.Security, serviceWrite | genericAll | genericWrite | writeDAC | writeOwner},
			{"program", &s.Binary, fileWrite | genericAll | genericWrite | writeDAC | writeOwner},
			{"key", &s.Key, keyWrite | genericAll | genericWrite | writeDAC | writeOwner},
		} {
			a := DocWindowsAccess{Key: s.Name, As: s.Account, What: x.what, Who: []string{}, Read: string(x.acl.Read.State), Start: s.Start}
			if x.acl.Read.State == snapshot.Present {
				a.Who = slices.DeleteFunc(others(x.acl, x.mask), func(sid string) bool { return strings.EqualFold(sid, own) })
			}
			if x.what == "program" {
				a.Before = unquoted(s.Image)
			}
			out = append(out, a)
		}
		if strings.EqualFold(s.Name, "sshd") {
			a := DocWindowsAccess{Key: s.Name, As: s.Account, What: "keys", Who: []string{}, Read: string(w.SSH.AdminKeys.Read.State), Start: s.Start}
			if a.Read == string(snapshot.Present) {
				a.Who = others(&w.SSH.AdminKeys, fileWrite|genericAll|genericWrite|writeDAC|writeOwner)
			}
			out = append(out, a)
		}
	}
	return out
}

// unquoted is the first program that Windows looks for where the command of a service has a path with blanks and no quotes (CreateProcess): what is
// before the first blank. It is empty of a command in quotes, and of one whose program has none.
func unquoted(image string) string {
	image = strings.TrimSpace(image)
	end := strings.Index(strings.ToLower(image), ".exe")
	blank := strings.IndexByte(image, ' ')
	if end < 0 || blank < 0 || blank > end || strings.HasPrefix(image, `"`) || !strings.Contains(image[:blank], `\`) {
		return ""
	}
	return image[:blank] + ".exe"
}

// windowsPipes are pipes of runtimes and agents, and who may use them.
func windowsPipes(w *snapshot.Windows) []DocWindowsAccess {
	out := []DocWindowsAccess{}
	for i := range w.Pipes.List {
		p := &w.Pipes.List[i]
		a := DocWindowsAccess{Key: p.Name, Role: p.Role, What: "pipe", Who: []string{}, Read: string(p.ACL.Read.State)}
		if p.ACL.Read.State == snapshot.Present {
			a.Who = others(&p.ACL, pipeUse|genericAll|genericWrite)
		}
		out = append(out, a)
	}
	return out
}

// windowsProviders are the programs besides Windows itself that have filters where connections that come in are decided.
func windowsProviders(f *snapshot.WindowsFilters) []DocWindowsProvider {
	names := map[string]string{}
	for _, p := range f.Providers {
		names[p.Key] = p.Name
	}
	found := map[string]*DocWindowsProvider{}
	var order []string
	for i := range f.Filters {
		x := &f.Filters[i]
		ours := strings.HasPrefix(x.Provider, "FWPM_PROVIDER_") || x.Provider == "" && strings.HasPrefix(x.Sublayer, "FWPM_SUBLAYER_")
		if ours || slices.Contains(x.Flags, "FWPM_FILTER_FLAG_DISABLED") {
			continue
		}
		key := x.Provider
		if key == "" {
			key = x.Sublayer
		}
		p := found[key]
		if p == nil {
			p = &DocWindowsProvider{Key: key, Name: names[key]}
			found[key] = p
			order = append(order, key)
		}
		p.Filters++
		if x.Callout != "" {
			p.Callouts++
		}
	}
	slices.Sort(order)
	out := []DocWindowsProvider{}
	for _, key := range order {
		out = append(out, *found[key])
	}
	return out
}

// localRules counts active rules of the local store that let something in on a profile.
func localRules(f *snapshot.WindowsFirewall, p snapshot.WindowsProfile) (n int) {
	for i := range f.Stores {
		if f.Stores[i].Store != snapshot.StoreLocal {
			continue
		}
		for _, r := range f.Stores[i].Rules {
			if ruleLets(r.Text) && ruleHas(r.Text, p) {
				n++
			}
		}
	}
	return n
}

// ruleLets says of a rule that it is active and lets something in.
func ruleLets(text string) bool {
	return field(text, "Active") == "TRUE" && field(text, "Dir") == "IN" && field(text, "Action") == "ALLOW"
}

func ruleHas(text string, p snapshot.WindowsProfile) bool {
	list := fields(text, "Profile")
	return len(list) == 0 || slices.Contains(list, strings.ToUpper(string(p)))
}

// field is the value of a key of a rule that is there once, in upper case.
func field(text, key string) string {
	if list := fields(text, key); len(list) > 0 {
		return list[0]
	}
	return ""
}

func fields(text, key string) (list []string) {
	for part := range strings.SplitSeq(text, "|") {
		if k, v, ok := strings.Cut(part, "="); ok && strings.EqualFold(k, key) {
			list = append(list, strings.ToUpper(v))
		}
	}
	return list
}

// localSubnetRules are the active rules of all stores that let the addresses in that LocalSubnet stands for.
func localSubnetRules(f *snapshot.WindowsFirewall) []DocWindowsRule {
	out := []DocWindowsRule{}
	for i := range f.Stores {
		for _, r := range f.Stores[i].Rules {
			if !ruleLets(r.Text) || !slices.Contains(append(fields(r.Text, "RA4"), fields(r.Text, "RA42")...), "LOCALSUBNET") {
				continue
			}
			d := DocWindowsRule{ID: r.ID, Name: field(r.Text, "Name"), Ports: orEmpty(fields(r.Text, "LPort")), Profiles: []string{}}
			for _, p := range []snapshot.WindowsProfile{snapshot.ProfileDomain, snapshot.ProfilePrivate, snapshot.ProfilePublic} {
				if ruleHas(r.Text, p) {
					d.Profiles = append(d.Profiles, string(p))
				}
			}
			out = append(out, d)
		}
	}
	return out
}
