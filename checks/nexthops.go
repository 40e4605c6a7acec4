//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// resolve gives routes that name a nexthop object alone (net.ipv4.nexthop_compat_mode is 0) the interfaces of that object.
func (s *Scan) resolve(ns *os.File, family int, routes []snapshot.Route) error {
	open := map[wire.RouteNexthop]*snapshot.Route{}
	for i := range routes {
		if r := &routes[i]; r.Type == "unicast" && len(r.Oifs) == 0 {
			open[routeKey(r)] = r
		}
	}
	if len(open) == 0 {
		return nil
	}
	objects := map[int]wire.Nexthop{}
	err := s.each(ns, wire.ListNexthops(), func(b []byte) error {
		n, err := wire.ParseNexthop(b)
		objects[n.ID] = n
		return err
	})
	if err != nil {
		return fmt.Errorf("list nexthops: %w", err)
	}
	af := map[int]byte{4: unix.AF_INET, 6: unix.AF_INET6}[family]
	return s.each(ns, wire.ListRoutes(af), func(b []byte) error {
		k, err := wire.ParseRouteNexthop(b)
		id := k.Nexthop
		k.Nexthop = 0
		if r := open[k]; err == nil && r != nil && id != 0 {
			return leadBy(r, objects, id)
		}
		return err
	})
}

// routeKey is what tells a route from others.
func routeKey(r *snapshot.Route) (k wire.RouteNexthop) {
	k = wire.RouteNexthop{Family: r.Family, Table: r.Table, Tos: r.Tos, Metric: r.Metric}
	if p, err := netip.ParsePrefix(r.Dst); err == nil {
		k.Dst = p
	}
	return k
}

// leadBy gives a route the interfaces of a nexthop object, or of the members of its group.
func leadBy(r *snapshot.Route, objects map[int]wire.Nexthop, id int) error {
	n, ok := objects[id]
	if !ok {
		return fmt.Errorf("the nexthop %d of the route to %s is not there", id, r.Dst)
	}
	members := n.Group
	if len(members) == 0 {
		members = []int{id}
	}
	for _, m := range members {
		switch hop, ok := objects[m]; {
		case !ok:
			return fmt.Errorf("the nexthop %d of the route to %s is not there", m, r.Dst)
		case hop.Blackhole:
			r.Type = "blackhole"
		default:
			r.Oifs, r.Flags = append(r.Oifs, hop.Oif), r.Flags|hop.Flags
			if hop.Gateway.IsValid() && len(members) == 1 {
				r.Gateway = hop.Gateway.String()
			}
		}
	}
	return nil
}

// each asks rtnetlink for a list.
func (s *Scan) each(ns *os.File, ask netlink.Message, f func([]byte) error) error {
	conn, err := s.Host.Netlink(unix.NETLINK_ROUTE, ns)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Send(ask); err != nil {
		return err
	}
	for m, err := range conn.ReceiveIter() {
		if err == nil {
			err = f(m.Data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
