package remedy

import (
	"fmt"
	"net/netip"
	"strings"
)

// ParseOptions reads who keeps access (addresses and prefixes, or PROTO/PORT@SOURCE for one port) and which flows must go on working
// (PROTO/PORT[@SOURCE]).
func ParseOptions(allowFrom, keep []string) (Options, error) {
	var o Options
	for _, a := range allowFrom {
		if strings.Contains(a, "@") {
			flow, err := ParseFlow(a)
			if err != nil {
				return o, fmt.Errorf("allow-from: %w", err)
			}
			o.AllowPorts = append(o.AllowPorts, flow)
			continue
		}
		p, err := netip.ParsePrefix(a)
		if err != nil {
			addr, aerr := netip.ParseAddr(a)
			if aerr != nil {
				return o, fmt.Errorf("allow-from %q: want an address or a prefix", a)
			}
			if addr.Zone() != "" { // a prefix has none: it would be open on every link
				return o, fmt.Errorf("allow-from %q: of an address of one link a port is opened, such as tcp/22@%s", a, a)
			}
			p = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
		}
		o.AllowFrom = append(o.AllowFrom, p)
	}
	for _, k := range keep {
		flow, err := ParseFlow(k)
		if err != nil {
			return o, fmt.Errorf("keep: %w", err)
		}
		o.Keep = append(o.Keep, flow)
	}
	return o, nil
}
