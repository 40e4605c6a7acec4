//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// resolve gives routes that name a nexthop object alone (net.ipv4.nexthop_compat_mode is 0) the interfaces of that object.
func (r *netReader) resolve(family int, routes []snapshot.Route) error {
	if !slices.ContainsFunc(routes, func(r snapshot.Route) bool { return leadsNowhere(&r) }) {
		return nil
	}
	objects, err := listOf(r, wire.ListNexthops(), wire.ParseNexthop)
	if err != nil {
		return fmt.Errorf("list nexthops: %w", err)
	}
	af := map[int]byte{4: unix.AF_INET, 6: unix.AF_INET6}[family]
	named, err := listOf(r, wire.ListRoutes(af), wire.ParseRouteNexthop)
	if err != nil {
		return err
	}
	return leadByObjects(routes, named, objects)
}

// onHops notes what is done with packets on routes (lwtunnel), and the realms of several hops: the library that lists routes tells of few kinds, and of
// no such realms.
func (r *netReader) onHops(family int, routes []snapshot.Route) error {
	told := map[wire.RouteNexthop]wire.RouteNexthop{}
	af := map[int]byte{4: unix.AF_INET, 6: unix.AF_INET6}[family]
	_, err := listOf(r, wire.ListRoutes(af), func(b []byte) (none struct{}, err error) {
		k, err := wire.ParseRouteNexthop(b)
		if err == nil && (k.Encap != "" || k.Realm != 0 || k.Realms) {
			told[k.Key()] = k
		}
		return none, err
	})
	if len(told) > 0 {
		for i := range routes {
			k := told[routeKey(&routes[i])]
			if routes[i].Encap = k.Encap; len(routes[i].Oifs) > 1 {
				routes[i].Realm, routes[i].Realms = k.Realm, k.Realms
			}
		}
	}
	return err
}

// leadsNowhere says of a route that it leads somewhere, and not by which interface.
func leadsNowhere(r *snapshot.Route) bool { return r.Type == "unicast" && len(r.Oifs) == 0 }

// leadByObjects gives routes the interfaces of the objects that named tells of them. Of routes that are told apart by nothing else, both lists
// have the same order, which is that in which the kernel tries them.
func leadByObjects(routes []snapshot.Route, named []wire.RouteNexthop, list []wire.Nexthop) error {
	open := map[wire.RouteNexthop][]*snapshot.Route{}
	for i := range routes {
		if r := &routes[i]; leadsNowhere(r) {
			open[routeKey(r)] = append(open[routeKey(r)], r)
		}
	}
	objects := map[int]wire.Nexthop{}
	for _, n := range list {
		objects[n.ID] = n
	}
	for _, k := range named {
		id := k.Nexthop
		k = k.Key()
		if like := open[k]; id != 0 && len(like) > 0 {
			if err := leadBy(like[0], objects, id); err != nil {
				return err
			}
			open[k] = like[1:]
		}
	}
	for k, like := range open {
		if len(like) > 0 {
			return fmt.Errorf("by which interface the route to %s leads was not told", k.Dst)
		}
	}
	return nil
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
	flags := -1 // what is said of every member: one that is dead leaves the others
	for _, m := range members {
		switch hop, ok := objects[m]; {
		case !ok:
			return fmt.Errorf("the nexthop %d of the route to %s is not there", m, r.Dst)
		case hop.Blackhole:
			r.Type = "blackhole"
		default:
			r.Oifs, flags = append(r.Oifs, hop.Oif), flags&hop.Flags
			if hop.Gateway.IsValid() && len(members) == 1 {
				r.Gateway = hop.Gateway.String()
			}
		}
	}
	if len(r.Oifs) > 0 {
		r.Flags |= flags
	}
	return nil
}
