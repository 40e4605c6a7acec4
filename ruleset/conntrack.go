package ruleset

import "slices"

// Conntrack says whether a ruleset has the kernel track the connections of IPv4 or IPv6: every expression that needs it
// asks for it, wherever it stands (nf_ct_netns_get), and so does an object of such a kind, whether or not a rule names it. A base chain of
// type nat alone does not, and is then passed by (nf_nat_inet_fn does nothing with a packet that is not tracked).
func (r *Ruleset) Conntrack(v4 bool) bool {
	return r.anyExpr(v4, tracks) || r.trackingObject(v4)
}

// Defrag says whether a ruleset has the kernel put fragments together before its rules run: conntrack does, and so do
// tproxy and the socket match of iptables (nf_defrag_ipv4_enable), but not the socket expression of nft.
func (r *Ruleset) Defrag(v4 bool) bool {
	return r.anyExpr(v4, func(e Expr) bool {
		return tracks(e) || e.NAT != nil || e.Xt != nil && slices.Contains(xtDefragUsers, e.Xt.Name)
	}) || r.trackingObject(v4)
}

// trackingObject says whether a table that sees packets of a family has an object that needs conntrack (nft_ct_helper_obj_init and its kin).
func (r *Ruleset) trackingObject(v4 bool) bool {
	return slices.ContainsFunc(r.Tables, func(t Table) bool {
		return t.sees(v4) && slices.ContainsFunc(t.Objects, func(o Object) bool { return slices.Contains(conntrackObjects, o.Type) })
	})
}

// sees says whether a table sees packets of IPv4 or IPv6, or frames with them.
func (t *Table) sees(v4 bool) bool {
	own := map[bool]string{true: FamilyIP, false: FamilyIP6}[v4]
	return t.Family == FamilyInet || t.Family == FamilyBridge || t.Family == own
}

// Untracks says whether a rule exempts packets of IPv4 or IPv6 from it.
func (r *Ruleset) Untracks(v4 bool) bool {
	return r.anyExpr(v4, func(e Expr) bool {
		return e.Name == "notrack" || e.Xt != nil && e.Xt.Decoded != nil && e.Xt.Decoded.Notrack
	})
}

// anyExpr says whether one expression of the tables that see packets of a family, and of those of bridges, is as asked. A translation
// that names a family is of that alone, also in a table of both (nft_nat_init, nft_tproxy_init).
func (r *Ruleset) anyExpr(v4 bool, is func(Expr) bool) bool {
	asked := func(e Expr) bool { return !e.NAT.ofOther(v4) && is(e) }
	for i := range r.Tables {
		t := &r.Tables[i]
		if !t.sees(v4) {
			continue
		}
		for j := range t.Chains {
			for k := range t.Chains[j].Rules {
				if slices.ContainsFunc(t.Chains[j].Rules[k].Exprs, asked) {
					return true
				}
			}
		}
	}
	return false
}

// ofOther says whether a translation is of the other family than IPv4 or IPv6.
func (n *NAT) ofOther(v4 bool) bool {
	return n != nil && n.Family == map[bool]uint32{true: 10, false: 2}[v4] // NFPROTO_*
}

func tracks(e Expr) bool {
	m := e.More()
	switch {
	case e.Ct != nil, e.NAT != nil && e.NAT.Kind != "tproxy", m.Connlimit != nil, m.Offload != "", m.Synproxy != nil:
		return true
	case e.Xt != nil:
		return slices.Contains(xtConntrackUsers, e.Xt.Name)
	case m.Objref != nil:
		return slices.Contains(conntrackObjects, m.Objref.Type)
	case m.Dynset != nil:
		return slices.ContainsFunc(m.Dynset.Exprs, tracks)
	}
	return false
}

// conntrackObjects are the kinds of objects that switch conntrack on.
var conntrackObjects = []uint32{ObjectHelper, ObjectConnlimit, ObjectTimeout, ObjectExpect, ObjectSynproxy}

// xtConntrackUsers are the iptables extensions that switch conntrack on, xtDefragUsers those that ask for reassembly
// alone.
var (
	xtConntrackUsers = []string{
		"conntrack", "state", "connmark", "connlimit", "connbytes", "connlabel", "helper", "cluster", "CT", "NOTRACK", "CONNMARK",
		"CONNSECMARK", "SNAT", "DNAT", "MASQUERADE", "REDIRECT", "NETMAP", "SYNPROXY",
	}
	xtDefragUsers = []string{"socket", "TPROXY"}
)
