package trace

import "net/netip"

// Package netip takes ::ffff:127.0.0.1 and the like for the IPv4 address that it holds. In an IPv6 header it is an
// address as any other, which the kernel delivers and forwards.

func isLoopback(a netip.Addr) bool  { return !a.Is4In6() && a.IsLoopback() }
func isMulticast(a netip.Addr) bool { return !a.Is4In6() && a.IsMulticast() }
func isLinkLocal(a netip.Addr) bool { return !a.Is4In6() && a.IsLinkLocalUnicast() }

// scope6 is 2 for addresses of a link, 5 for those of a site, and 0 for all others (ipv6_addr_scope).
func scope6(a netip.Addr) int {
	b := a.As16()
	switch {
	case isLinkLocal(a), b[0] == 0xff && b[1]&15 == 2:
		return 2
	case b[0] == 0xfe && b[1]&0xc0 == 0xc0, b[0] == 0xff && b[1]&15 == 5:
		return 5
	}
	return 0
}
