package judge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// unserved is why it is not known that a listener of WinRM serves those of an origin, who can open connections to it.
func (b *builder) unserved(svc *DocWindowsService, o *zones.Origin, v4 bool) string {
	if svc.Class != "winrm" || o.Local {
		return ""
	}
	w := &b.snap.Windows
	var a *snapshot.WindowsAdapter
	if o.Index > 0 {
		a = &w.Adapters.List[o.Index-1]
	}
	return winrmUnsure(w, svc.Port, a, v4)
}

// winrmUnsure is why it is not known that WinRM serves who connects to its port by an adapter, "" where it does. The kernel takes connections for it
// on all addresses of the host, and hands on those for the addresses of its listeners; what names of hosts in a request do to that is in no document.
func winrmUnsure(w *snapshot.Windows, port int, a *snapshot.WindowsAdapter, v4 bool) string {
	if w.WinRM.Settings["policy.AllowAutoConfig"].Value == "0" {
		return "a policy does not allow remote management by WinRM (AllowAutoConfig is 0): by its text WinRM answers no other host then, whether it does was not seen"
	}
	var at []string
	for _, l := range w.WinRM.Listeners {
		if !l.Enabled || l.Port != port {
			continue
		}
		where, serves := winrmServes(w, &l, a, v4)
		if serves {
			return ""
		}
		at = append(at, where)
	}
	if len(at) == 0 {
		return ""
	}
	return fmt.Sprintf("WinRM listens at %s alone: whether it serves who connects to another address was not read", strings.Join(at, ", "))
}

// winrmServes says whether a listener has an address of an adapter, and at which addresses it is.
func winrmServes(w *snapshot.Windows, l *snapshot.WinRMListener, a *snapshot.WindowsAdapter, v4 bool) (string, bool) {
	if l.Address != "*" {
		ip, err := netip.ParseAddr(strings.TrimPrefix(strings.ToUpper(l.Address), "IP:"))
		return l.Address, err == nil && hasAddr(a, func(x netip.Addr) bool { return x == ip.Unmap() && x.Is4() == v4 })
	}
	if !l.Policy || l.Port != 5985 { // those for the ports of the web have no filters
		return l.Address, true
	}
	name := map[bool]string{true: "IPv4Filter", false: "IPv6Filter"}[v4]
	filter := w.WinRM.Settings["policy."+name]
	spans := strings.Split(filter.Value, ",")
	in := func(x netip.Addr) bool {
		return x.Is4() == v4 && slices.ContainsFunc(spans, func(s string) bool { return inRange(s, x) })
	}
	if filter.State == snapshot.Present && (slices.ContainsFunc(spans, func(s string) bool { return strings.TrimSpace(s) == "*" }) || hasAddr(a, in)) {
		return name, true
	}
	return fmt.Sprintf("what %s of the policy names (%q)", name, filter.Value), false
}

// inRange says of FIRST-LAST, or of one address, that an address is in it.
func inRange(s string, x netip.Addr) bool {
	first, last, ranged := strings.Cut(s, "-")
	if !ranged {
		last = first
	}
	from, err := netip.ParseAddr(strings.TrimSpace(first))
	to, err2 := netip.ParseAddr(strings.TrimSpace(last))
	return err == nil && err2 == nil && from.Compare(x) <= 0 && x.Compare(to) <= 0
}

func hasAddr(a *snapshot.WindowsAdapter, is func(netip.Addr) bool) bool {
	return a != nil && slices.ContainsFunc(a.Addrs, func(s string) bool {
		p, err := netip.ParsePrefix(s)
		return err == nil && is(p.Addr().WithZone(""))
	})
}
