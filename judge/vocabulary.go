package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/words"
)

// findingFields and unknownFields are what an entry of the rules finding and unknown may have; answer is what they are read into.
var (
	findingFields  = []string{"resource", "message", "severity", "zone", "evidence", "witness", "steps", "remediation", "follows", "beside"}
	unknownFields  = []string{"resource", "reason"}
	resourceFields = []string{"kind", "key", "path"}
	publicRules    = []string{"finding", "unknown", "not_applicable"}
)

// knownKind refuses a kind of resource that is neither one of the program's nor one that the check declares.
func (c *Check) knownKind(kind string) error {
	if slices.Contains(finding.Kinds, kind) || slices.Contains(c.Kinds, kind) {
		return nil
	}
	return fmt.Errorf("the kind of resource %q is not known: want one of %s, or name it in custom.kinds of the METADATA",
		kind, strings.Join(finding.Kinds, ", "))
}

// knownRemediation refuses a kind of remediation that nothing acts on.
func knownRemediation(kind string) error {
	if slices.Contains(finding.RemediationKinds, kind) {
		return nil
	}
	return fmt.Errorf("the kind of remediation %q is not known: want one of %s", kind, strings.Join(finding.RemediationKinds, ", "))
}

// knownSeverity refuses a severity that is none.
func knownSeverity(s string) error {
	if finding.Rank(s) < len(finding.Severities) {
		return nil
	}
	return fmt.Errorf("severity %q: want one of %s", s, strings.Join(finding.Severities, ", "))
}

// speaks refuses words in the rules of a module that a report has no place for. It sees what is written out; what a policy makes up when it
// is evaluated is refused then (valid).
func (c *Check) speaks(m *ast.Module) error {
	var wrong error
	note := func(t *ast.Term, err error) {
		if wrong == nil && err != nil {
			wrong = placed(t.Location, "check %s: %w", c.ID, err)
		}
	}
	public := publicRules
	if strings.HasPrefix(c.ID, ruleArea+"/") {
		public = []string{"answer"}
	}
	for _, r := range m.Rules {
		if name := ruleName(r); len(r.Head.Args) == 0 && !strings.HasPrefix(name, "_") && !slices.Contains(public, name) {
			note(ast.NewTerm(nil).SetLocation(r.Location), fmt.Errorf("rule %q: want %s, or a name that begins with _ for a rule of the policy alone", name, words.Or(public)))
		}
		fields := map[string][]string{"finding": findingFields, "unknown": unknownFields}[ruleName(r)]
		if r.Head.Key == nil || fields == nil {
			continue
		}
		if entry, ok := r.Head.Key.Value.(ast.Object); ok {
			c.entry(entry, fields, note)
			lacks(r.Head.Key, "an entry", fields[1:2], note)
		}
	}
	ast.WalkTerms(m, func(t *ast.Term) bool { // entries that are made in the body of a rule
		if o, ok := t.Value.(ast.Object); ok && o.Get(ast.StringTerm("resource")) != nil {
			switch {
			case o.Get(ast.StringTerm("message")) != nil:
				c.entry(o, findingFields, note)
			case o.Get(ast.StringTerm("reason")) != nil:
				c.entry(o, unknownFields, note)
			}
		}
		return false
	})
	return wrong
}

// entry looks at what is written out of one entry.
func (c *Check) entry(entry ast.Object, fields []string, note func(*ast.Term, error)) {
	entry.Foreach(func(k, v *ast.Term) {
		name, ok := k.Value.(ast.String)
		if !ok {
			return
		}
		if !slices.Contains(fields, string(name)) {
			note(k, fmt.Errorf("an entry has no field %q: want %s", string(name), strings.Join(fields, ", ")))
			return
		}
		switch string(name) {
		case "severity":
			if s, ok := v.Value.(ast.String); ok {
				note(v, knownSeverity(string(s)))
			}
		case "resource":
			whole(v, note)
			written(v, func(t *ast.Term, kind string) { note(t, c.knownKind(kind)) })
		case "remediation":
			list, ok := v.Value.(*ast.Array)
			if !ok {
				return
			}
			list.Foreach(func(t *ast.Term) {
				written(t, func(t *ast.Term, kind string) { note(t, knownRemediation(kind)) })
			})
		}
	})
}

// whole refuses a resource that is written out and has other fields than there are, or no name.
func whole(t *ast.Term, note func(*ast.Term, error)) {
	o, ok := t.Value.(ast.Object)
	if !ok {
		return
	}
	o.Foreach(func(k, _ *ast.Term) {
		if name, ok := k.Value.(ast.String); ok && !slices.Contains(resourceFields, string(name)) {
			note(k, fmt.Errorf("a resource has no field %q: want %s", string(name), words.Or(resourceFields)))
		}
	})
	lacks(t, "a resource", resourceFields[:2], note)
}

// lacks refuses an object that is written out without a field that it needs.
func lacks(t *ast.Term, what string, needs []string, note func(*ast.Term, error)) {
	o := t.Value.(ast.Object)
	for _, name := range needs {
		if o.Get(ast.StringTerm(name)) == nil {
			note(t, fmt.Errorf("%s has no %s", what, name))
		}
	}
}

// written calls f with the kind of an object, if it is written out.
func written(t *ast.Term, f func(*ast.Term, string)) {
	o, ok := t.Value.(ast.Object)
	if !ok {
		return
	}
	if kind := o.Get(ast.StringTerm("kind")); kind != nil {
		if s, ok := kind.Value.(ast.String); ok {
			f(kind, string(s))
		}
	}
}

// canFail says whether a policy has a rule that finds or leaves something unknown.
func (p *Policies) canFail(c *Check) bool {
	return slices.ContainsFunc(p.modules[c.File].Rules, func(r *ast.Rule) bool {
		name := ruleName(r)
		return name == "finding" || name == "unknown"
	})
}

// ruleName is the name of a rule, without what it is indexed by.
func ruleName(r *ast.Rule) string {
	if ref := r.Head.Ref(); len(ref) > 0 {
		return ref[0].String()
	}
	return r.Head.Name.String()
}
