package ruleset

import "testing"

// TestTranslationsTrackTheirFamily: in a table of both families a translation that names one has the kernel track that alone, and a handover by tproxy
// has it put together fragments of that alone; what names none is for both.
func TestTranslationsTrackTheirFamily(t *testing.T) {
	for _, c := range []struct {
		name           string
		nat            NAT
		tracks, defrag [2]bool // IPv4, IPv6
	}{
		{"dnat ip to", NAT{Kind: "dnat", Family: 2}, [2]bool{true, false}, [2]bool{true, false}},
		{"snat ip6 to", NAT{Kind: "snat", Family: 10}, [2]bool{false, true}, [2]bool{false, true}},
		{"masquerade", NAT{Kind: "masq"}, [2]bool{true, true}, [2]bool{true, true}},
		{"tproxy ip6 to", NAT{Kind: "tproxy", Family: 10}, [2]bool{}, [2]bool{false, true}},
		{"tproxy to", NAT{Kind: "tproxy"}, [2]bool{}, [2]bool{true, true}},
	} {
		r := &Ruleset{Tables: []Table{{Family: FamilyInet, Chains: []Chain{{Rules: []Rule{{Exprs: []Expr{{Name: "nat", NAT: &c.nat}}}}}}}}}
		for i, v4 := range []bool{true, false} {
			if got := r.Conntrack(v4); got != c.tracks[i] {
				t.Errorf("%s: of IPv4 %v: tracked %v", c.name, v4, got)
			}
			if got := r.Defrag(v4); got != c.defrag[i] {
				t.Errorf("%s: of IPv4 %v: put together %v", c.name, v4, got)
			}
		}
	}
}
