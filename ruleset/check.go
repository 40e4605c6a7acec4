package ruleset

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Check refuses a ruleset that no kernel tells: names that are there twice, verdicts and policies that do not exist,
// jumps and look-ups to what is not there, and expressions that were decoded to nothing. The error begins with the place.
// The references of a ruleset that changed while it was read can lead nowhere, and are not followed.
func (r *Ruleset) Check() error {
	type key struct{ family, name string }
	tables := map[key]bool{}
	for i := range r.Tables {
		t := &r.Tables[i]
		if !slices.Contains(families, t.Family) {
			return fmt.Errorf("tables[%d].family: %.40q is no family", i, t.Family)
		}
		if k := (key{t.Family, t.Name}); tables[k] {
			return fmt.Errorf("tables[%d].name: %.80q is there twice", i, t.Name)
		}
		tables[key{t.Family, t.Name}] = true
		c := tableCheck{followed: r.Stable, chains: map[string]bool{}, sets: map[string]bool{}}
		if err := c.table(t); err != nil {
			return fmt.Errorf("tables[%d].%w", i, err)
		}
	}
	return nil
}

var (
	families = []string{FamilyInet, FamilyIP, FamilyARP, FamilyNetdev, FamilyBridge, FamilyIP6}
	verdicts = []string{Accept, Drop, Jump, Goto, Return, Continue, Queue, Stolen, "break"}
	ops      = []string{OpEq, OpNeq, OpLt, OpLte, OpGt, OpGte}
)

// tableCheck is what a table has that others of its objects refer to.
type tableCheck struct {
	followed     bool
	chains, sets map[string]bool
}

func (c *tableCheck) table(t *Table) error {
	for i := range t.Chains {
		if c.chains[t.Chains[i].Name] {
			return fmt.Errorf("chains[%d].name: %.80q is there twice", i, t.Chains[i].Name)
		}
		c.chains[t.Chains[i].Name] = true
		if b := t.Chains[i].Base; b != nil && (b.Type == "" || b.Hook == "" || b.Policy != Accept && b.Policy != Drop) {
			return fmt.Errorf("chains[%d].base: no type, no hook or no policy", i)
		}
	}
	for i := range t.Sets {
		if c.sets[t.Sets[i].Name] {
			return fmt.Errorf("sets[%d].name: %.80q is there twice", i, t.Sets[i].Name)
		}
		c.sets[t.Sets[i].Name] = true
	}
	for i := range t.Sets {
		for j := range t.Sets[i].Elements {
			e := &t.Sets[i].Elements[j]
			if len(e.Key) == 0 && !e.CatchAll {
				return fmt.Errorf("sets[%d].elements[%d].key: empty", i, j)
			}
			if err := c.verdict(e.Verdict); err != nil {
				return fmt.Errorf("sets[%d].elements[%d].%w", i, j, err)
			}
			if err := c.exprs(e.Exprs); err != nil {
				return fmt.Errorf("sets[%d].elements[%d].%w", i, j, err)
			}
		}
	}
	for i := range t.Chains {
		for j := range t.Chains[i].Rules {
			if err := c.exprs(t.Chains[i].Rules[j].Exprs); err != nil {
				return fmt.Errorf("chains[%d].rules[%d].%w", i, j, err)
			}
		}
	}
	return nil
}

func (c *tableCheck) exprs(list []Expr) error {
	for i := range list {
		if err := c.expr(&list[i]); err != nil {
			return fmt.Errorf("exprs[%d].%w", i, err)
		}
	}
	return nil
}

func (c *tableCheck) expr(e *Expr) error {
	forms := setFields(e, "Name")
	_, decoded := known[e.Name]
	switch {
	case forms > 1:
		return fmt.Errorf("%.40s: %d expressions in one", e.Name, forms)
	case forms == 0 && decoded:
		return fmt.Errorf("%.40s: an expression without what it does", e.Name)
	case e.Extra != nil && setFields(e.Extra, "") != 1 && e.Name != "flow_offload": // whose name can be empty
		return fmt.Errorf("extra: not one expression")
	case e.Xt != nil && e.Xt.Decoded != nil && setFields(e.Xt.Decoded, "") != 1:
		return fmt.Errorf("xt.decoded: not one extension")
	case e.Cmp != nil && !slices.Contains(ops, e.Cmp.Op):
		return fmt.Errorf("cmp.op: %.40q is no operator", e.Cmp.Op)
	case e.Range != nil && e.Range.Op != OpEq && e.Range.Op != OpNeq:
		return fmt.Errorf("range.op: %.40q is no operator", e.Range.Op)
	case e.Lookup != nil && c.followed && !c.sets[e.Lookup.Set]:
		return fmt.Errorf("lookup.set: there is no set %.80q", e.Lookup.Set)
	case e.Immediate != nil && len(e.Immediate.Data) == 0 && e.Immediate.Verdict == nil:
		return fmt.Errorf("immediate: neither data nor a verdict")
	case e.Immediate != nil:
		if err := c.verdict(e.Immediate.Verdict); err != nil {
			return fmt.Errorf("immediate.%w", err)
		}
	}
	if d := e.More().Dynset; d != nil {
		if err := c.exprs(d.Exprs); err != nil {
			return fmt.Errorf("extra.dynset.%w", err)
		}
	}
	return nil
}

func (c *tableCheck) verdict(v *Verdict) error {
	switch {
	case v == nil:
	case !slices.Contains(verdicts, v.Kind) && !strings.HasPrefix(v.Kind, "verdict-"): // of a newer kernel
		return fmt.Errorf("verdict.kind: %.40q is no verdict", v.Kind)
	case (v.Kind == Jump || v.Kind == Goto) && c.followed && !c.chains[v.Chain]:
		return fmt.Errorf("verdict.chain: there is no chain %.80q", v.Chain)
	}
	return nil
}

// setFields counts the fields of a struct that are set, but for one.
func setFields(p any, but string) int {
	v, n := reflect.ValueOf(p).Elem(), 0
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() && v.Type().Field(i).Name != but {
			n++
		}
	}
	return n
}
