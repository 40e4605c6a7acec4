package judge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp/mpssvc"
)

// DocWindowsOpening is what filters of the firewall let in for a port of management, whoever listens there. Without Remote it is everybody, and
// Wide says that it is half of all addresses or more.
type DocWindowsOpening struct {
	Service string   `json:"service"` // SSH, RPC, SMB, Remote Desktop, WinRM
	Port    int      `json:"port"`    // of TCP: 22, 135, 445, 3389, 5985, 5986
	Family  string   `json:"family"`  // ipv4, ipv6
	Profile string   `json:"profile"` // "" is every one
	Remote  []string `json:"remote"`  // FIRST-LAST
	Wide    bool     `json:"wide"`    // half of all addresses or more are let in
	Filters []string `json:"filters"` // ID and name of each
}

// DocWindowsEngine is what the filters of the firewall do, as far as they tell it themselves.
type DocWindowsEngine struct {
	// Openings are told where sockets were not read: who reaches a listener that is known is asked of all filters.
	Openings []DocWindowsOpening `json:"openings"`
	// Unblocked are profiles that interfaces are in and for which nothing is blocked by default; Boot says that there are only filters of
	// the boot, and that there are some.
	Unblocked []string `json:"unblocked"`
	Boot      bool     `json:"boot"` // the firewall has filters of the boot alone, and it has some
	// Half are those for which one family alone is blocked, as PROFILE over FAMILY of the other one. Unsure are interfaces whose profile is not known,
	// where one is not blocked that may be theirs.
	Half   []string `json:"half"`
	Unsure []string `json:"unsure"` // interfaces whose profile is not known, where one that may be theirs is not blocked
}

// managementPorts are the ports by which a Windows host is managed.
var managementPorts = []struct {
	port uint64
	name string
}{{22, "SSH"}, {135, "RPC"}, {445, "SMB"}, {3389, "Remote Desktop"}, {5985, "WinRM"}, {5986, "WinRM"}}

const firewallSublayer = "FWPM_SUBLAYER_MPSSVC_WF"

// engineBlocks are the profiles that filters of a family block by default, 0 being every one, and how many filters there are.
type engineBlocks struct {
	profiles map[uint64]bool
	filters  int
}

func (e *engineBlocks) open(profile uint64) bool {
	return e.filters > 0 && !e.profiles[0] && !e.profiles[profile]
}

// windowsEngine looks at the filters alone.
func windowsEngine(w *snapshot.Windows) DocWindowsEngine {
	d := DocWindowsEngine{Openings: []DocWindowsOpening{}, Unblocked: []string{}, Half: []string{}, Unsure: []string{}}
	if w.Filters.Read.State != snapshot.Present {
		return d
	}
	boot, families := 0, map[bool]*engineBlocks{true: {profiles: map[uint64]bool{}}, false: {profiles: map[uint64]bool{}}}
	for i := range w.Filters.Filters {
		f := &w.Filters.Filters[i]
		if f.Sublayer != firewallSublayer || !strings.HasPrefix(f.Layer, "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V") || slices.Contains(f.Flags, "FWPM_FILTER_FLAG_DISABLED") {
			continue
		}
		if slices.Contains(f.Flags, "FWPM_FILTER_FLAG_BOOTTIME") {
			boot++
			continue
		}
		family := families[strings.HasSuffix(f.Layer, "_V4")]
		family.filters++
		switch {
		case f.Action == "FWP_ACTION_BLOCK" && len(f.Conditions) == 0:
			family.profiles[0] = true
		case f.Action == "FWP_ACTION_BLOCK" && len(f.Conditions) == 1 && f.Conditions[0].Field == "FWPM_CONDITION_ORIGINAL_PROFILE_ID":
			family.profiles[f.Conditions[0].Low] = true
		case f.Action == "FWP_ACTION_PERMIT" && w.Listeners.Read.State != snapshot.Present:
			d.Openings = append(d.Openings, openingsOf(f)...)
		default:
		}
	}
	d.Boot = boot > 0 && families[true].filters+families[false].filters == 0
	for i := range w.Adapters.List {
		if a := &w.Adapters.List[i]; a.Up && len(a.Addrs) > 0 && a.Kind != snapshot.NetworkLoopback {
			d.blocked(a, families)
		}
	}
	for _, list := range []*[]string{&d.Unblocked, &d.Half, &d.Unsure} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return d
}

// blocked notes whether an interface is of a profile for which nothing is blocked by default.
func (d *DocWindowsEngine) blocked(a *snapshot.WindowsAdapter, families map[bool]*engineBlocks) {
	p, known := mpssvc.ProfileOf(a)
	if !known {
		for _, n := range []uint64{1, 2, 3} {
			if families[true].open(n) || families[false].open(n) {
				d.Unsure = append(d.Unsure, a.Name)
			}
		}
		return
	}
	v4, v6 := families[true].open(mpssvc.ProfileID(p)), families[false].open(mpssvc.ProfileID(p))
	switch {
	case v4 && (v6 || families[false].filters == 0), v6 && families[true].filters == 0:
		d.Unblocked = append(d.Unblocked, string(p))
	case v4:
		d.Half = append(d.Half, string(p)+" over IPv4")
	case v6:
		d.Half = append(d.Half, string(p)+" over IPv6")
	}
}

// half says of a range of addresses that it begins with the first and has half of all or more.
func half(first, last string) bool {
	a, err := netip.ParseAddr(first)
	b, err2 := netip.ParseAddr(last)
	return err == nil && err2 == nil && a.IsUnspecified() && b.AsSlice()[0] >= 0x7f
}

// profileNames are the profiles by their numbers in filters.
var profileNames = map[uint64]string{1: "public", 2: "private", 3: "domain"}

// openingsOf are the ports of management that a filter lets in over TCP. One that is for loopback, a program in a package or an interface alone is
// none.
func openingsOf(f *snapshot.WFPFilter) (list []DocWindowsOpening) {
	d := DocWindowsOpening{Family: "ipv4", Remote: []string{}, Filters: []string{fmt.Sprintf("%d %s", f.ID, f.Name)}}
	if strings.HasSuffix(f.Layer, "_V6") {
		d.Family = "ipv6"
	}
	tcp := false
	var ports [][2]uint64
	for _, c := range f.Conditions {
		switch field := strings.TrimPrefix(c.Field, "FWPM_CONDITION_"); {
		case field == "IP_PROTOCOL":
			tcp = tcp || c.Low <= 6 && 6 <= c.High
		case field == "IP_LOCAL_PORT" && c.Kind == snapshot.WFPNumber:
			ports = append(ports, [2]uint64{c.Low, c.High})
		case field == "IP_REMOTE_ADDRESS" && c.Kind == snapshot.WFPAddress:
			d.Remote = append(d.Remote, c.First+"-"+c.Last)
			d.Wide = d.Wide || half(c.First, c.Last)
		case field == "ORIGINAL_PROFILE_ID":
			d.Profile = profileNames[c.Low]
		case field == "FLAGS", strings.HasPrefix(field, "ALE_PACKAGE"), strings.Contains(field, "_INTERFACE"), strings.HasPrefix(field, "NEXTHOP_"):
			return nil
		default:
		}
	}
	d.Wide = d.Wide || len(d.Remote) == 0
	for _, m := range managementPorts {
		if tcp && slices.ContainsFunc(ports, func(p [2]uint64) bool { return p[0] <= m.port && m.port <= p[1] }) {
			d.Service, d.Port = m.name, int(m.port)
			list = append(list, d)
		}
	}
	return list
}
