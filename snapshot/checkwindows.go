package snapshot

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
)

// checkWindows: a snapshot is of a Windows host or of a Linux host, and never of both.
func (s *Snapshot) checkWindows() error {
	if !s.OnWindows() {
		if !reflect.ValueOf(s.Windows).IsZero() {
			return wrong("it is there, and its collector is not in the coverage", "windows")
		}
		return nil
	}
	for i, part := range s.Coverage[0].Parts {
		if err := oneOf(part, WindowsParts, "coverage[0].parts[%d]", i); err != nil {
			return err
		}
	}
	if err := factsIn(reflect.ValueOf(s.Windows), windowsSection, s.seen(windowsSection)); err != nil {
		return err
	}
	return s.Windows.check()
}

func (w *Windows) check() error {
	for i := range w.Adapters.List {
		if err := w.Adapters.List[i].check(fmt.Sprintf("windows.adapters.list[%d]", i)); err != nil {
			return err
		}
	}
	for i := range w.Listeners.List {
		if err := w.Listeners.List[i].check(fmt.Sprintf("windows.listeners.list[%d]", i)); err != nil {
			return err
		}
	}
	for i := range w.Firewall.Stores {
		st := &w.Firewall.Stores[i]
		if err := oneOf(st.Store, FirewallStores, "windows.firewall.stores[%d].store", i); err != nil {
			return err
		}
		for j := range st.Profiles {
			if err := oneOf(st.Profiles[j].Profile, windowsProfiles, "windows.firewall.stores[%d].profiles[%d].profile", i, j); err != nil {
				return err
			}
		}
	}
	for i := range w.Filters.Filters {
		for j := range w.Filters.Filters[i].Conditions {
			if err := w.Filters.Filters[i].Conditions[j].check(i, j); err != nil {
				return err
			}
		}
	}
	return w.checkNetworks()
}

func (w *Windows) checkNetworks() error {
	for i := range w.Networks.List {
		n := &w.Networks.List[i]
		if err := oneOf(n.Kind, windowsNetworkKinds, "windows.networks.list[%d].kind", i); err != nil {
			return err
		}
		for j, p := range n.Prefixes {
			if _, err := netip.ParsePrefix(p); err != nil {
				return wrong("no prefix", "windows.networks.list[%d].prefixes[%d]", i, j)
			}
		}
	}
	for i := range w.PortProxy.List {
		r := &w.PortProxy.List[i]
		if r.Port < 0 || r.Port > 0xffff || r.ToPort < 0 || r.ToPort > 0xffff {
			return wrong("no port", "windows.portproxy.list[%d]", i)
		}
	}
	return nil
}

// maxRoutes bounds the routes of an adapter.
const maxRoutes = 1000

func (a *WindowsAdapter) check(path string) error {
	for i, p := range a.Addrs {
		if _, err := netip.ParsePrefix(p); err != nil {
			return wrong("no address with its bits", path+".addrs[%d]", i)
		}
	}
	if len(a.Links) > maxRoutes || len(a.Routes) > maxRoutes {
		return wrong("more routes than an adapter has", path+".links or routes")
	}
	for i, p := range slices.Concat(a.Links, a.Routes) {
		if r, err := netip.ParsePrefix(p); err != nil || r != r.Masked() {
			return wrong("no prefix", path+".links or routes[%d]", i)
		}
	}
	if a.Kind != "" && !slices.Contains(windowsNetworkKinds, a.Kind) {
		return wrong("no kind of networks", path+".kind")
	}
	if a.Profile != "" && !slices.Contains(windowsProfiles, a.Profile) {
		return wrong("no profile", path+".profile")
	}
	if (a.ProfileRead.State == Present) != (a.Profile != "") {
		return wrong("present without a profile, or a profile that was not read", path+".profileRead")
	}
	return nil
}

func (l *WindowsListener) check(path string) error {
	if l.Proto != "tcp" && l.Proto != "udp" {
		return wrong("neither tcp nor udp", path+".proto")
	}
	a, err := netip.ParseAddr(l.Addr)
	if err != nil || l.Family == 4 != a.Is4() || l.Family != 4 && l.Family != 6 {
		return wrong("no address of the family", path+".addr")
	}
	if l.Port < 0 || l.Port > 0xffff {
		return wrong("no port", path+".port")
	}
	if l.PID < 0 {
		return wrong("below 0", path+".pid")
	}
	return oneOf(l.OwnerState, ownerStates, "%s.ownerState", path)
}

func (c *WFPCondition) check(filter, at int) error {
	const path = "windows.filters.filters[%d].conditions[%d]"
	if err := oneOf(c.Kind, wfpValueKinds, path+".kind", filter, at); err != nil {
		return err
	}
	if c.Low > c.High {
		return wrong("a range that ends before it begins", path, filter, at)
	}
	if c.Kind != WFPAddress {
		return nil
	}
	first, err := netip.ParseAddr(c.First)
	last, err2 := netip.ParseAddr(c.Last)
	if err != nil || err2 != nil || first.Is4() != last.Is4() || last.Less(first) {
		return wrong("no range of addresses", path, filter, at)
	}
	return nil
}
