package judge

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/ringfence/ringfence/words"
	"github.com/ringfence/ringfence/yamlfile"
)

// Param is a value of the configuration that a policy reads as data.params.NAME, as its METADATA declares it. It has a default, or it is
// required: without a value its check is unknown.
type Param struct {
	Type        string `json:"type"`        // one of paramTypes
	Default     any    `json:"default"`     // what counts where the configuration gives no value; null where it is required
	Required    bool   `json:"required"`    // without a value in the configuration the check is unknown
	Description string `json:"description"` // for people, "" for none
}

// paramTypes are the types of parameters, and what a value of one is called in messages.
var paramTypes = map[string]string{
	"string": "a text", "strings": "a list of texts", "integer": "a whole number", "number": "a number",
	"boolean": "true or false", "list": "a list", "object": "an object",
}

// fits says whether a value, as JSON has it, is of the type of a parameter.
func (p *Param) fits(v any) bool {
	switch x := v.(type) {
	case string:
		return p.Type == "string"
	case bool:
		return p.Type == "boolean"
	case float64:
		return p.Type == "number" || p.Type == "integer" && x == math.Trunc(x)
	case map[string]any:
		return p.Type == "object"
	case []any:
		return p.Type == "list" || p.Type == "strings" && !slices.ContainsFunc(x, func(e any) bool {
			_, text := e.(string)
			return !text
		})
	default:
		return false
	}
}

// complete refuses a declaration that leaves open what a policy would see.
func (p *Param) complete(name string) error {
	switch {
	case paramTypes[p.Type] == "":
		return fmt.Errorf("parameter %s: type %q: want one of %s", name, p.Type, strings.Join(sorted(paramTypes), ", "))
	case p.Required && p.Default != nil:
		return fmt.Errorf("parameter %s is required and has a default: take one away", name)
	case !p.Required && p.Default == nil:
		return fmt.Errorf("parameter %s: give it a default, or required: true: a policy that reads what is not there finds nothing", name)
	case p.Default != nil && !p.fits(p.Default):
		return fmt.Errorf("parameter %s: the default is %s, want %s", name, typeOf(p.Default), paramTypes[p.Type])
	}
	return nil
}

// explain is what a person is told of a parameter.
func (p Param) explain() string {
	what := paramTypes[p.Type] + ", required"
	if !p.Required {
		b, err := json.Marshal(p.Default)
		if err != nil {
			b = []byte("?")
		}
		what = fmt.Sprintf("%s, default %s", paramTypes[p.Type], b)
	}
	if p.Description == "" {
		return what
	}
	return what + ": " + strings.TrimSpace(p.Description)
}

// typeOf is what a value, as JSON has it, is called in messages.
func typeOf(v any) string {
	switch v.(type) {
	case string:
		return "a text"
	case bool:
		return "true or false"
	case float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	default:
		return "nothing"
	}
}

// declaredParams are the parameters of all checks. The error names two checks that declare one in different ways: they read the same value.
func declaredParams(checks []Check) (map[string]Param, error) {
	all, by := map[string]Param{}, map[string]string{}
	for i := range checks {
		c := &checks[i]
		for _, name := range sorted(c.Params) {
			p := c.Params[name]
			old, ok := all[name]
			if ok && (old.Type != p.Type || old.Required != p.Required || !reflect.DeepEqual(old.Default, p.Default)) {
				return nil, fmt.Errorf("%w: %s: parameter %s is declared otherwise by %s: both read data.params.%s, so give it another name",
					ErrPolicy, c.File, name, by[name], name)
			}
			all[name], by[name] = p, c.File
		}
	}
	return all, nil
}

// validParams refuses values that no policy declares, or that are of another type.
func (p *Policies) validParams(values map[string]any) error {
	for _, name := range sorted(values) {
		param, ok := p.params[name]
		switch {
		case !ok:
			return yamlfile.At(fmt.Errorf("no policy declares it: %w", words.Wrong(name, sorted(p.params))), "params", name)
		case !param.fits(values[name]):
			return yamlfile.At(fmt.Errorf("want %s, got %s", paramTypes[param.Type], typeOf(values[name])), "params", name)
		}
	}
	return nil
}

// values are what policies read as data.params: the defaults, and over them what the configuration says.
func (p *Policies) values(given map[string]any) map[string]any {
	all := map[string]any{}
	for name, param := range p.params {
		if param.Default != nil {
			all[name] = param.Default
		}
	}
	maps.Copy(all, given)
	return all
}

// missing names the required parameters of a check that the configuration does not give.
func (c *Check) missing(given map[string]any) []string {
	var list []string
	for _, name := range sorted(c.Params) {
		if _, ok := given[name]; c.Params[name].Required && !ok {
			list = append(list, "params."+name)
		}
	}
	return list
}

// paramUse is a place where a module reads a parameter; the name is "" if it cannot be told which.
type paramUse struct {
	name string
	at   *ast.Location
}

// paramReader finds the places where a module, as it is written, reads data.params.
type paramReader struct {
	roots map[ast.Value]ast.Ref // what names of the module stand for, below data
	named map[*ast.Term]bool    // terms that are read by object.get
	uses  []paramUse
}

// paramUses are the places where a module reads data.params: by name, or by name in object.get. Whatever else is done with data.params, or with
// data as a whole, reads one that cannot be told.
func paramUses(m *ast.Module) []paramUse {
	r := &paramReader{map[ast.Value]ast.Ref{ast.DefaultRootDocument.Value: ast.DefaultRootRef}, map[*ast.Term]bool{}, nil}
	for _, i := range m.Imports {
		if ref, ok := i.Path.Value.(ast.Ref); ok {
			r.roots[i.Name()] = ref
		}
	}
	ast.WalkRules(m, func(rule *ast.Rule) bool {
		for _, t := range rule.Head.Reference[min(1, len(rule.Head.Reference)):] {
			r.walk(t)
		}
		return false
	})
	for _, rule := range m.Rules {
		r.walk(rule)
	}
	return r.uses
}

// walk looks at a part of a module.
func (r *paramReader) walk(part any) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if terms, ok := x.Terms.([]*ast.Term); ok {
				r.call(terms)
			}
		case *ast.Term:
			if c, ok := x.Value.(ast.Call); ok {
				r.call(c)
			}
			r.look(x)
			if ref, ok := x.Value.(ast.Ref); ok {
				for _, t := range ref[1:] { // the first term alone would be all of data
					r.walk(t)
				}
				return true
			}
		}
		return false
	}).Walk(part)
}

// full is what a term refers to, from data on; nil if it does not begin there.
func (r *paramReader) full(t *ast.Term) ast.Ref {
	ref, ok := t.Value.(ast.Ref)
	if v, bare := t.Value.(ast.Var); bare {
		ref, ok = ast.Ref{ast.NewTerm(v)}, true
	}
	if !ok {
		return nil
	}
	if v, ok := ref[0].Value.(ast.Var); ok && r.roots[v] != nil {
		return r.roots[v].Concat(ref[1:])
	}
	return nil
}

func (r *paramReader) look(t *ast.Term) {
	if ref := r.full(t); ref != nil && !r.named[t] {
		if name, reads := paramOf(ref); reads {
			r.uses = append(r.uses, paramUse{name, t.Location})
		}
	}
}

// call notes what object.get(data.params, name or path, ...) reads.
func (r *paramReader) call(terms []*ast.Term) {
	if len(terms) < 3 || terms[0].String() != ast.ObjectGet.Name {
		return
	}
	ref := r.full(terms[1])
	if name, reads := paramOf(ref); len(ref) != 2 || !reads || name != "" {
		return
	}
	path := terms[2].Value
	if a, ok := path.(*ast.Array); ok && a.Len() > 0 {
		path = a.Elem(0).Value
	}
	if s, ok := path.(ast.String); ok {
		r.named[terms[1]] = true
		r.uses = append(r.uses, paramUse{string(s), terms[1].Location})
	}
}

// paramOf is the parameter that a ref to data reads, if it reads one.
func paramOf(ref ast.Ref) (string, bool) {
	if ref == nil {
		return "", false
	}
	if len(ref) > 1 {
		if s, ok := ref[1].Value.(ast.String); ok && s != "params" {
			return "", false
		}
	}
	if len(ref) < 3 {
		return "", true
	}
	s, _ := ref[2].Value.(ast.String)
	return string(s), true
}

// declares refuses a check of the user that reads parameters which it does not declare, also by the code that it shares with others.
func (p *Policies) declares(c *Check) error {
	for _, file := range p.behind(c.File) {
		if file != c.File && p.isCheck(file) {
			continue // it declares its own
		}
		for _, u := range paramUses(p.modules[file]) {
			if u.name == "" {
				return placed(u.at, "check %s: which parameters it reads cannot be told: read each by its name, data.params.NAME", c.ID)
			}
			if _, ok := c.Params[u.name]; !ok {
				return placed(u.at, "check %s: parameter %s is not declared: add %s: {type: ..., default: ...} to custom.params of its METADATA",
					c.ID, u.name, u.name)
			}
		}
	}
	return nil
}

// paramsOf reads the declarations of custom.params.
func paramsOf(b []byte) (map[string]Param, error) {
	byName := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &byName); err != nil {
		return nil, fmt.Errorf("params: want an object of declarations by name")
	}
	out := map[string]Param{}
	for _, name := range sorted(byName) {
		var p Param
		if err := strictJSON(byName[name], &p); err != nil {
			return nil, fmt.Errorf("parameter %s: want type, default, required and description: %w", name, err)
		}
		if err := p.complete(name); err != nil {
			return nil, err
		}
		out[name] = p
	}
	return out, nil
}
