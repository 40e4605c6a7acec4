package judge

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/ringfence/ringfence/words"
	"github.com/ringfence/ringfence/zones"
)

// reachField is the field of a service whose keys are zones. The schema gives the type of its values, and says nothing of its keys: one that is no zone
// would be an answer that is never there, and a policy that asks for it would pass.
const reachField = "reach"

// zoneKeys are the keys that reach can have.
var zoneKeys = []string{zones.External, zones.Unclassified, zones.Workload, zones.Runtime, zones.Management, zones.Host}

// reachKeys are what can follow reach: a zone, or a field of what is known of one, for which other parts of the document have the same name.
var reachKeys = sync.OnceValue(func() []string {
	list := slices.Clone(zoneKeys)
	for _, t := range fieldTypes(DocumentType, reachField, map[reflect.Type]bool{}) {
		if t.Kind() == reflect.Map {
			t = t.Elem()
		}
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			list = append(list, name)
		}
	}
	return list
})

// fieldTypes are the types of the fields of a name, in a type and all below it.
func fieldTypes(t reflect.Type, name string, seen map[reflect.Type]bool) (list []reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return nil
	}
	seen[t] = true
	for f := range t.Fields() {
		if key, _, _ := strings.Cut(f.Tag.Get("json"), ","); key == name && (f.Type.Kind() == reflect.Struct || f.Type.Kind() == reflect.Map) {
			list = append(list, f.Type)
		}
		list = append(list, fieldTypes(f.Type, name, seen)...)
	}
	return list
}

// namesZones refuses a module that asks a service about what is no zone: as a key that is written out, or by a variable that is compared with one or
// taken from a list.
func (c *Check) namesZones(m *ast.Module) error {
	var wrong error
	w := keyWalk{
		key: func(ref ast.Ref) (list []*ast.Term) {
			for i := 1; i+1 < len(ref) && !ref[0].Equal(ast.DefaultRootDocument); i++ {
				if ref[i].Equal(ast.StringTerm(reachField)) {
					list = append(list, ref[i+1])
				}
			}
			return list
		},
		of: func(ref ast.Ref) bool { return ref[len(ref)-1].Equal(ast.StringTerm(reachField)) },
		note: func(t *ast.Term) {
			name, ok := t.Value.(ast.String)
			if wrong == nil && ok && !slices.Contains(reachKeys(), string(name)) {
				wrong = placed(t.Location, "check %s: zone %q: %w", c.ID, string(name), words.Wrong(string(name), zoneKeys))
			}
		},
	}
	w.module(m)
	return wrong
}

// keyWalk looks for what a module asks a map for.
type keyWalk struct {
	key  func(ast.Ref) []*ast.Term // the keys that a reference has below the map
	of   func(ast.Ref) bool        // whether a reference is the map itself
	note func(*ast.Term)
}

// module notes the keys that are written out, and those that a variable is compared with that is a key.
func (w *keyWalk) module(m *ast.Module) {
	asks := map[string]int{} // functions of which an argument is a key: its place
	for _, r := range m.Rules {
		vars := w.vars(r)
		for i, arg := range r.Head.Args {
			if v, ok := arg.Value.(ast.Var); ok && slices.Contains(vars, v) {
				asks[ruleName(r)] = i + 1
			}
		}
		if len(vars) > 0 {
			calls(r, func(call []*ast.Term) { keyArguments(call, vars, w.note) })
		}
	}
	calls(m, func(call []*ast.Term) {
		if i := asks[call[0].String()]; i > 0 && i < len(call) {
			w.note(call[i])
		}
	})
}

// calls visits the calls in a rule or a module, with the function before its arguments.
func calls(in any, visit func([]*ast.Term)) {
	ast.WalkTerms(in, func(t *ast.Term) bool {
		if call, ok := t.Value.(ast.Call); ok {
			visit(call)
		}
		return false
	})
	ast.WalkExprs(in, func(e *ast.Expr) bool {
		switch terms := e.Terms.(type) {
		case []*ast.Term:
			visit(terms)
		case *ast.SomeDecl:
			for _, s := range terms.Symbols {
				if call, ok := s.Value.(ast.Call); ok {
					visit(call)
				}
			}
		}
		return false
	})
}

// vars are the variables of a rule that are a key. Keys that are written out are noted.
func (w *keyWalk) vars(r *ast.Rule) (vars []ast.Var) {
	key := func(t *ast.Term) {
		if v, ok := t.Value.(ast.Var); ok {
			vars = append(vars, v)
		} else {
			w.note(t)
		}
	}
	ast.WalkRefs(r, func(v ast.Ref) bool {
		for _, t := range w.key(v) {
			key(t)
		}
		return false
	})
	calls(r, func(call []*ast.Term) {
		if of := w.got(call); of != nil {
			key(of)
		}
	})
	return vars
}

// got is the key that object.get takes from the map, alone or as the first of several, or that goes through it; nil if it is another call.
func (w *keyWalk) got(call []*ast.Term) *ast.Term {
	if len(call) > 3 && call[0].String() == ast.MemberWithKey.Name {
		if in, ok := call[3].Value.(ast.Ref); ok && w.of(in) {
			return call[1]
		}
	}
	if len(call) < 3 || call[0].String() != ast.ObjectGet.Name {
		return nil
	}
	from, ok := call[1].Value.(ast.Ref)
	if !ok || !w.of(from) {
		return nil
	}
	if list, ok := call[2].Value.(*ast.Array); ok && list.Len() > 0 {
		return list.Elem(0)
	}
	return call[2]
}

// keyArguments notes what a call compares one of the variables with, or takes it from.
func keyArguments(call []*ast.Term, vars []ast.Var, note func(*ast.Term)) {
	if len(call) < 3 || !slices.Contains([]string{ast.Equal.Name, ast.Equality.Name, ast.Assign.Name, ast.NotEqual.Name, ast.Member.Name}, call[0].String()) {
		return
	}
	for i, t := range call[1:3] {
		if v, ok := t.Value.(ast.Var); !ok || !slices.Contains(vars, v) {
			continue
		}
		switch other := call[2-i]; of := other.Value.(type) {
		case *ast.Array:
			of.Foreach(note)
		case ast.Set:
			of.Foreach(note)
		default:
			note(other)
		}
	}
}
