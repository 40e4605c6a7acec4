package judge

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// inputOf is a document as the policies see it: what ast.InterfaceToValue makes of it. The forwards, whose number is the square of the
// interfaces, are made without a detour by JSON, and what is equal in them is in memory once.
func inputOf(doc *Document) (ast.Value, error) {
	rest := *doc
	rest.Forwards = nil
	v, err := ast.InterfaceToValue(&rest)
	if err != nil {
		return nil, err
	}
	obj, ok := v.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("it is no object: %T", v)
	}
	if doc.Forwards == nil {
		return v, nil
	}
	i := interned{texts: map[string]*ast.Term{}, shut: map[string]*ast.Term{}}
	list := make([]*ast.Term, len(doc.Forwards))
	for n := range doc.Forwards {
		list[n] = i.forward(&doc.Forwards[n])
	}
	var all [][2]*ast.Term
	obj.Foreach(func(k, v *ast.Term) {
		if k.Value.Compare(ast.String("forwards")) == 0 {
			v = ast.ArrayTerm(list...)
		}
		all = append(all, [2]*ast.Term{k, v})
	})
	return ast.NewObject(all...), nil
}

// interned are terms by their text. Terms are never changed, so that one can be in many places.
type interned struct {
	texts map[string]*ast.Term
	shut  map[string]*ast.Term // DocReach without a witness, by its text in Go
}

func (i *interned) text(s string) *ast.Term {
	t, ok := i.texts[s]
	if !ok {
		t = ast.StringTerm(s)
		i.texts[s] = t
	}
	return t
}

func (i *interned) list(texts []string) *ast.Term {
	if texts == nil {
		return ast.NullTerm()
	}
	terms := make([]*ast.Term, len(texts))
	for n, s := range texts {
		terms[n] = i.text(s)
	}
	return ast.ArrayTerm(terms...)
}

func (i *interned) forward(f *DocForward) *ast.Term {
	fields := [][2]*ast.Term{
		{i.text("from"), i.text(f.From)},
		{i.text("fromZone"), i.text(f.FromZone)},
		{i.text("to"), i.text(f.To)},
		{i.text("toZone"), i.text(f.ToZone)},
		{i.text("family"), i.text(f.Family)},
		{i.text("any"), i.reach(&f.Any)},
		{i.text("default"), i.reach(&f.Default)},
	}
	if f.Within != "" {
		fields = append(fields, [2]*ast.Term{i.text("within"), i.text(f.Within)})
	}
	return ast.ObjectTerm(fields...)
}

// reach is what becomes of the packets of a forward. Each that gets through has a witness of its own; of the others many are equal.
func (i *interned) reach(r *DocReach) *ast.Term {
	key := ""
	if r.Witness == "" {
		key = fmt.Sprintf("%#v", *r)
		if t := i.shut[key]; t != nil {
			return t
		}
	}
	t := ast.ObjectTerm(
		[2]*ast.Term{i.text("verdict"), i.text(string(r.Verdict))}, [2]*ast.Term{i.text("origin"), i.text(r.Origin)},
		[2]*ast.Term{i.text("local"), ast.InternedTerm(r.Local)}, [2]*ast.Term{i.text("witness"), ast.StringTerm(r.Witness)},
		[2]*ast.Term{i.text("because"), i.list(r.Because)}, [2]*ast.Term{i.text("stoppedBy"), i.list(r.StoppedBy)},
		[2]*ast.Term{i.text("restricted"), ast.InternedTerm(r.Restricted)},
	)
	if r.Witness == "" {
		i.shut[key] = t
	}
	return t
}
