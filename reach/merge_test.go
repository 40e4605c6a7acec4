package reach

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"unsafe"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// apartBy are that many sets of packets that differ in one field alone.
func apartBy(n int, of func(c *cube, port set)) []cube {
	in := make([]cube, n)
	for i := range in {
		for f := range in[i].sets {
			in[i].sets[f] = span(num(0), ones(16))
		}
		of(&in[i], single(num(uint64(2*i))))
	}
	return in
}

// TestMerge: packets that differ in one field are one set; those that anything else tells apart stay apart.
func TestMerge(t *testing.T) {
	dport := func(c *cube, port set) { c.sets[fDport] = port }
	for name, of := range map[string]func(*cube, set){
		"a port":                     dport,
		"a port that was kept":       func(c *cube, port set) { c.keptPort = true; c.sets[fDport], c.sets[fOrigDport] = port, port },
		"a port before it was moved": func(c *cube, port set) { c.sets[fOrigDport] = port },
		"an address":                 func(c *cube, port set) { c.sets[fSaddr] = port },
	} {
		out := merge(apartBy(mergeFrom, of))
		if len(out) != 1 {
			t.Errorf("%s: %d sets", name, len(out))
			continue
		}
		want := apartBy(1, of)[0]
		for f := range want.sets {
			if size := want.sets[f].size(1 << 20); size == 1 && out[0].sets[f].size(1<<20) != mergeFrom {
				t.Errorf("%s: field %d has %d numbers", name, f, out[0].sets[f].size(1<<20))
			}
		}
	}
	if out := merge(apartBy(mergeFrom, func(c *cube, port set) { c.sets[fDport], c.sets[fMark] = port, port })); len(out) != mergeFrom {
		t.Errorf("two fields differ, and %d of %d are left", len(out), mergeFrom)
	}
	if out := merge(apartBy(mergeFrom, func(c *cube, port set) { c.sets[fDport], c.sets[fOrigDport] = port, port })); len(out) != mergeFrom {
		t.Errorf("two ports differ, and %d of %d are left", len(out), mergeFrom)
	}
	for _, apart := range []func(*cube){
		func(c *cube) { c.doubts = []packet.Cause{{Text: "x"}} }, func(c *cube) { c.trail = []packet.Cause{{Text: "x"}} },
	} {
		in := apartBy(mergeFrom, dport)
		if apart(&in[0]); len(merge(in)) != 2 {
			t.Error("what is known of packets does not tell them apart")
		}
	}
	for f := range reflect.TypeFor[course]().Fields() {
		in := apartBy(mergeFrom, dport)
		at := reflect.NewAt(f.Type, unsafe.Add(unsafe.Pointer(&in[0].course), f.Offset)).Elem()
		switch at.Kind() {
		case reflect.Bool:
			at.SetBool(true)
		case reflect.Uint8, reflect.Uint16:
			at.SetUint(1)
		case reflect.Struct:
			at.Set(map[reflect.Type]reflect.Value{
				reflect.TypeFor[tag](): reflect.ValueOf(tag{realm: 1}), reflect.TypeFor[class](): reflect.ValueOf(class{n: 1}),
				reflect.TypeFor[service](): reflect.ValueOf(service{turned: 1}),
			}[f.Type])
		default:
			at.Set(reflect.New(f.Type.Elem()))
		}
		if out := merge(in); len(out) != 2 {
			t.Errorf("%s does not tell packets apart", f.Name)
		}
	}
}

// TestPublishedPortsOfManyNetworks: each rule that publishes a port asks whether an address is one of the host's, of which each network has some.
// The packets are not divided by their product.
func TestPublishedPortsOfManyNetworks(t *testing.T) {
	few, many := published(t, 20), published(t, 40)
	if few < 20 || many > 5*few/2 {
		t.Errorf("%d sets of packets arrive in 20 networks, %d in 40", few, many)
	}
}

// published is how many sets of packets arrive in networks of which each has a published port.
func published(t *testing.T, networks int) int {
	t.Helper()
	s := fixtures.Host()
	chain := ruleset.Chain{Name: "pre", Base: &ruleset.Base{Type: "nat", Hook: "prerouting", Priority: -100, Policy: ruleset.Accept}}
	var oifs []int
	for i := range networks {
		index, net := 100+i, netip.AddrFrom4([4]byte{172, 18, byte(i), 1})
		oifs = append(oifs, index)
		s.Network.Links = append(s.Network.Links, snapshot.Link{
			Index: index, Name: fmt.Sprintf("br-%d", i), Kind: "bridge", Up: true, Addrs: []string{net.String() + "/24"},
		})
		s.Network.Routes = append(s.Network.Routes,
			snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: netip.PrefixFrom(net, 24).Masked().String(), Oifs: []int{index}},
			snapshot.Route{Family: 4, Table: 255, Type: "local", Dst: net.String() + "/32", Oifs: []int{index}},
			snapshot.Route{Family: 4, Table: 255, Type: "broadcast", Dst: fmt.Sprintf("172.18.%d.255/32", i), Oifs: []int{index}})
		chain.Rules = append(chain.Rules, fixtures.Rule(&chain, []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: "transport", Offset: 2, Len: 2, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Op: ruleset.OpEq, Sreg: 1, Data: []byte{0x23, byte(i)}}},
			{Name: "fib", Fib: &ruleset.Fib{Result: ruleset.FibAddrtype, Flags: ruleset.FibDaddr, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Op: ruleset.OpEq, Sreg: 1, Data: host32(uint32(routeKind["local"]))}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: []byte{172, 18, byte(i), 2}}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 2, Data: []byte{0, 80}}},
			{Name: "nat", NAT: &ruleset.NAT{Kind: "dnat", Family: 2, AddrMin: 1, PortMin: 2}},
		}))
	}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "nat", Chains: []ruleset.Chain{chain}}}}
	w := NewModel(s).Ways(from(s, "ext0"), "tcp", true, oifs)
	r := w.runs[0]
	if r.fixed != nil || r.err != nil {
		t.Fatalf("%+v, %v", r.fixed, r.err)
	}
	if a := w.Forward([]int{100}, 80); a.Verdict != packet.Reachable {
		t.Errorf("a published port: %+v", a)
	}
	return len(r.arrived)
}
