//go:build linux && !ringfence_portable

package checks

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// TestRoutesOfNexthops: each of two routes that differ by their nexthop object alone, as "ip route append" makes them, leads by its own. A
// dead member of a group leaves the others. A route whose interface stays unknown is no route to nowhere.
func TestRoutesOfNexthops(t *testing.T) {
	route := func(dst string, oifs ...int) snapshot.Route {
		return snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: dst, Oifs: oifs}
	}
	named := func(dst string, id int) wire.RouteNexthop {
		return wire.RouteNexthop{Family: 4, Table: 254, Dst: netip.MustParsePrefix(dst), Nexthop: id}
	}
	objects := []wire.Nexthop{{ID: 1, Oif: 3}, {ID: 2, Oif: 5}, {ID: 3, Group: []int{1, 2}}, {ID: 4, Oif: 9, Flags: 1}, {ID: 5, Group: []int{1, 4}}}
	routes := []snapshot.Route{route("10.9.0.0/24"), route("10.9.0.0/24"), route("10.8.0.0/24", 7), route("10.7.0.0/24"), route("10.6.0.0/24"), route("10.5.0.0/24")}
	err := leadByObjects(routes, []wire.RouteNexthop{
		named("10.9.0.0/24", 1), named("10.9.0.0/24", 2), named("10.8.0.0/24", 0), named("10.7.0.0/24", 3), named("10.6.0.0/24", 5), named("10.5.0.0/24", 4),
	}, objects)
	dead := route("10.5.0.0/24", 9)
	dead.Flags = 1 // RTNH_F_DEAD
	want := []snapshot.Route{route("10.9.0.0/24", 3), route("10.9.0.0/24", 5), route("10.8.0.0/24", 7), route("10.7.0.0/24", 3, 5), route("10.6.0.0/24", 3, 9), dead}
	if diff := cmp.Diff(want, routes); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for name, list := range map[string][]wire.RouteNexthop{"no object": {named("10.9.0.0/24", 9)}, "none named": {named("10.9.0.0/24", 0)}, "gone": nil} {
		if err := leadByObjects([]snapshot.Route{route("10.9.0.0/24")}, list, objects); err == nil {
			t.Errorf("%s: it leads nowhere, and nothing is said", name)
		}
	}
}
