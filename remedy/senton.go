package remedy

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// sentOn are the ports that rules redirect to a port of the host: the rules of a plan see what is sent there as it is sent.
func sentOn(s *snapshot.Snapshot, proto string, port int) []ruleset.SentOn {
	number, ok := map[string]uint8{"tcp": protoTCP, "udp": protoUDP}[proto]
	if !ok || port == 0 {
		return nil
	}
	return s.NFTables.Ruleset.SentOn(number, port)
}

// closesToo are those of them that are closed with it, and those that stay: somebody listens there too, rules may lead what is sent there elsewhere,
// redirect what is sent to others as well, who can be behind the host, or all of an origin keep access to it.
func (p *Plan) closesToo(s *snapshot.Snapshot, d *finding.Deny, from []*zones.Origin) (closed, stay []int) {
	if d.ToZone != "" {
		return nil, nil
	}
	for _, x := range sentOn(s, d.Proto, d.Port) {
		taken := slices.ContainsFunc(s.Listeners.Sockets, func(k snapshot.Socket) bool { return k.Proto == d.Proto && k.Port == x.Port && onHost(s, &k) })
		all := slices.ContainsFunc(from, func(o *zones.Origin) bool {
			_, every := p.keepers(s, d.Proto, x.Port, o)
			return every
		})
		if x.Elsewhere || x.Anywhere && routes(s) || taken || all {
			stay = append(stay, x.Port)
			continue
		}
		closed = append(closed, x.Port)
	}
	return closed, stay
}

// routes says whether the host passes on what others send through it, or may.
func routes(s *snapshot.Snapshot) bool {
	off := func(name string) bool {
		f := s.Network.Sysctls[name]
		return f.State == snapshot.Present && f.Value == "0"
	}
	return !off("net/ipv6/conf/all/forwarding") || slices.ContainsFunc(s.Network.Links, func(l snapshot.Link) bool {
		return l.Up && !l.Loopback && !off("net/ipv4/conf/"+l.Name+"/forwarding")
	})
}

// keepersOf are who keeps access to one of some ports, which lead to the same: all of them keep all.
func (p *Plan) keepersOf(s *snapshot.Snapshot, proto string, ports []int, o *zones.Origin) (list []netip.Prefix, all bool) {
	for _, port := range ports {
		some, every := p.keepers(s, proto, port, o)
		all = all || every
		for _, x := range some {
			if !slices.Contains(list, x) {
				list = append(list, x)
			}
		}
	}
	return list, all
}

// keptOf are all who keep access to what a denial closes, and whether it closes nothing at all.
func (p *Plan) keptOf(s *snapshot.Snapshot, m *zones.Map, d *finding.Deny) (list []netip.Prefix, all bool) {
	list, all = p.kept(s, m, d.Zone, d.Proto, d.Port)
	too, _ := p.closesToo(s, d, closedTo(m, d))
	for _, port := range too {
		some, _ := p.kept(s, m, d.Zone, d.Proto, port)
		for _, x := range some {
			if !slices.Contains(list, x) {
				list = append(list, x)
			}
		}
	}
	return list, all
}

// comesTo says of a port that it is a socket's, or that rules redirect it there.
func comesTo(s *snapshot.Snapshot, port int, k *snapshot.Socket) bool {
	return k.Port == port || slices.ContainsFunc(sentOn(s, k.Proto, k.Port), func(x ruleset.SentOn) bool { return x.Port == port })
}

// tellsSentOn says of a port of the host that is closed which ports that others rules redirect to it stay, so that who applies the plan hears then that
// the finding is left open.
func (p *Plan) tellsSentOn(d *finding.Deny, s *snapshot.Snapshot, m *zones.Map) {
	_, stay := p.closesToo(s, d, closedTo(m, d))
	if len(stay) == 0 {
		return
	}
	var ports []string
	for _, port := range stay {
		ports = append(ports, fmt.Sprintf("%s/%d", d.Proto, port))
	}
	text := fmt.Sprintf("rules redirect %s to %s/%d: what is sent there the plan does not close, and what it cannot show to be closed is left open when it is applied; "+
		"take the redirect out, or limit it to who needs it", listed(ports), d.Proto, d.Port)
	if !slices.Contains(p.Warnings, text) {
		p.Warnings = append(p.Warnings, text)
	}
}

// closedTo are the origins that a denial is about.
func closedTo(m *zones.Map, d *finding.Deny) (list []*zones.Origin) {
	for i := range m.Origins {
		if o := &m.Origins[i]; !o.Local && o.Zone == d.Zone && boundTo(m, d.Device, o) {
			list = append(list, o)
		}
	}
	return list
}
