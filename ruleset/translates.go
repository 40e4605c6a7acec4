package ruleset

import "slices"

// Translates says whether some rule can give packets another destination address or port, or hand them to a socket that
// listens on another one: destination translation, TPROXY, a payload statement, or an expression that is not understood.
// Without one, packets end where they were sent. A nil ruleset translates nothing.
func (r *Ruleset) Translates() bool {
	if r == nil {
		return false
	}
	return r.some(redirects) // of every family: those of netdev and bridge see the packets of all
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

// Rewrites says whether some rule may write over bytes of a packet.
func (r *Ruleset) Rewrites() bool {
	return r.some(func(e Expr) bool {
		switch x := e.Xt; {
		case e.Payload != nil:
			return e.Payload.Set && e.Payload.Base != BaseLink
		case x != nil && x.Target:
			return x.Decoded == nil || x.Decoded.Rewrite != nil
		}
		return e.More().Exthdr != nil && e.More().Exthdr.Dreg == 0 || e.Opaque()
	})
}

// Helpers says whether some rule can give a connection a helper of conntrack.
func (r *Ruleset) Helpers() bool {
	return r.some(func(e Expr) bool {
		o := e.More().Objref
		return o != nil && o.Type == ObjectHelper || e.Xt != nil && e.Xt.Name == "CT" || e.Opaque()
	})
}

// MarksAsked says whether some rule asks for the mark of a packet.
func (r *Ruleset) MarksAsked() bool {
	return r.some(func(e Expr) bool {
		switch {
		case e.Meta != nil:
			return e.Meta.Key == MetaMark && !e.Meta.Set
		case e.Fib != nil:
			return e.Fib.Flags&FibMark != 0
		case e.Xt != nil:
			return !e.Xt.Target && (e.Xt.Decoded == nil || e.Xt.Decoded.Mark != nil)
		}
		return e.Opaque()
	})
}

// MarksSet says whether some rule may mark a packet.
func (r *Ruleset) MarksSet() bool {
	return r.some(func(e Expr) bool {
		switch {
		case e.Meta != nil:
			return e.Meta.Key == MetaMark && e.Meta.Set
		case e.Xt != nil:
			d := e.Xt.Decoded
			return d == nil || e.Xt.Target && (d.Mark != nil || d.Connmark != nil || d.TProxy != nil) || d.Socket != nil && d.Socket.RestoreMark
		}
		return e.Opaque()
	})
}

// Labels says whether some rule can give a connection labels.
func (r *Ruleset) Labels() bool {
	return r.some(func(e Expr) bool {
		return e.Ct != nil && e.Ct.Set && e.Ct.Key == CtLabels || e.Xt != nil && setsLabel(e.Xt) || e.Opaque()
	})
}

func setsLabel(x *Xt) bool {
	l := x.Connlabel()
	return x.Name == "connlabel" && (l == nil || l.Set)
}

// some says whether some expression of all tables is as asked.
func (r *Ruleset) some(is func(Expr) bool) bool {
	for i := range r.Tables {
		for j := range r.Tables[i].Chains {
			for k := range r.Tables[i].Chains[j].Rules {
				if slices.ContainsFunc(r.Tables[i].Chains[j].Rules[k].Exprs, is) {
					return true
				}
			}
		}
	}
	return false
}
