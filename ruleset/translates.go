package ruleset

import "slices"

// Translates says whether some rule can give packets another destination address or port, or hand them to a socket that
// listens on another one: destination translation, TPROXY, a payload statement, or an expression that is not understood.
// Without one, packets end where they were sent. A nil ruleset translates nothing.
func (r *Ruleset) Translates() bool {
	if r == nil {
		return false
	}
	for i := range r.Tables { // of every family: those of netdev and bridge see the packets of all
		for j := range r.Tables[i].Chains {
			for k := range r.Tables[i].Chains[j].Rules {
				if slices.ContainsFunc(r.Tables[i].Chains[j].Rules[k].Exprs, redirects) {
					return true
				}
			}
		}
	}
	return false
}

func redirects(e Expr) bool {
	switch {
	case e.NAT != nil:
		return e.NAT.Kind != "snat" && e.NAT.Kind != "masquerade"
	case e.Payload != nil:
		return e.Payload.Set
	case e.Xt != nil && e.Xt.Target:
		return e.Xt.Decoded == nil || e.Xt.Decoded.NAT != nil || e.Xt.Decoded.TProxy != nil
	}
	return e.Opaque()
}
