package judge

import (
	"fmt"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// inputOf is a document as the policies see it: what ast.InterfaceToValue makes of it. The forwards, whose number is the square of the
// interfaces, and the services are made without a detour by JSON, and what is equal in them is in memory once.
func inputOf(doc *Document) (ast.Value, error) {
	rest := *doc
	rest.Forwards, rest.Services = nil, nil
	v, err := ast.InterfaceToValue(&rest)
	if err != nil {
		return nil, err
	}
	obj, ok := v.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("it is no object: %T", v)
	}
	i := interned{texts: map[string]*ast.Term{}, shut: map[string]*ast.Term{}}
	lists := map[ast.String]*ast.Term{"forwards": listOf(doc.Forwards, i.forward), "services": listOf(doc.Services, i.service)}
	var all [][2]*ast.Term
	obj.Foreach(func(k, v *ast.Term) {
		if name, ok := k.Value.(ast.String); ok && lists[name] != nil {
			v = lists[name]
		}
		all = append(all, [2]*ast.Term{k, v})
	})
	return ast.NewObject(all...), nil
}

// listOf is a list whose elements are made one by one; nil where there is none, which is not the empty one.
func listOf[T any](list []T, made func(*T) *ast.Term) *ast.Term {
	if list == nil {
		return nil
	}
	terms := make([]*ast.Term, len(list))
	for n := range list {
		terms[n] = made(&list[n])
	}
	return ast.ArrayTerm(terms...)
}

// interned are terms by their text. Terms are never changed, so that one can be in many places.
type interned struct {
	texts map[string]*ast.Term
	shut  map[string]*ast.Term // DocReach without a witness, by its text in Go
}

func (i *interned) text(s string) *ast.Term {
	t, ok := i.texts[s]
	if !ok {
		t = jsonText(s)
		i.texts[s] = t
	}
	return t
}

// jsonText is a text that is in one place alone. What is no UTF-8 in it is as JSON has it: each such byte is U+FFFD.
func jsonText(s string) *ast.Term {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	return ast.StringTerm(s)
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
		[2]*ast.Term{i.text("local"), ast.InternedTerm(r.Local)}, [2]*ast.Term{i.text("witness"), jsonText(r.Witness)},
		[2]*ast.Term{i.text("because"), i.list(r.Because)}, [2]*ast.Term{i.text("stoppedBy"), i.list(r.StoppedBy)},
		[2]*ast.Term{i.text("restricted"), ast.InternedTerm(r.Restricted)},
	)
	if r.Witness == "" {
		i.shut[key] = t
	}
	return t
}

func (i *interned) service(s *DocService) *ast.Term {
	fields := [][2]*ast.Term{
		{i.text("key"), jsonText(s.Key)},
		{i.text("proto"), i.text(s.Proto)},
		{i.text("addr"), i.text(s.Addr)},
		{i.text("port"), ast.InternedTerm(s.Port)},
		{i.text("device"), i.text(s.Device)},
		{i.text("loopback"), ast.InternedTerm(s.Loopback)},
		{i.text("wildcard"), ast.InternedTerm(s.Wildcard)},
		{i.text("hostAddr"), i.text(s.HostAddr)},
		{i.text("family"), ast.InternedTerm(s.Family)},
		{i.text("owner"), i.text(s.Owner)},
		{i.text("ownerKnown"), ast.InternedTerm(s.OwnerKnown)},
		{i.text("unit"), i.text(s.Unit)},
		{i.text("container"), i.text(s.Container)},
		{i.text("namespace"), i.text(s.Namespace)},
		{i.text("class"), i.text(s.Class)},
		{i.text("gives"), i.text(s.Gives)},
		{i.text("tlsVerify"), i.text(s.TLSVerify)},
		{i.text("leads"), i.text(s.Leads)},
		{i.text("reach"), byZone(i, s.Reach, i.reach)},
	}
	if s.GuestPort != 0 {
		fields = append(fields, [2]*ast.Term{i.text("guestPort"), ast.InternedTerm(s.GuestPort)})
	}
	if len(s.By) > 0 {
		fields = append(fields, [2]*ast.Term{i.text("by"), byZone(i, s.By, i.by)})
	}
	return ast.ObjectTerm(fields...)
}

func (i *interned) by(b *DocBy) *ast.Term {
	return ast.ObjectTerm(
		[2]*ast.Term{i.text("program"), i.text(b.Program)}, [2]*ast.Term{i.text("proto"), i.text(b.Proto)},
		[2]*ast.Term{i.text("port"), ast.InternedTerm(b.Port)}, [2]*ast.Term{i.text("hostAddr"), i.text(b.HostAddr)},
		[2]*ast.Term{i.text("family"), ast.InternedTerm(b.Family)}, [2]*ast.Term{i.text("device"), i.text(b.Device)},
	)
}

// byZone is a map whose keys are zones.
func byZone[T any](i *interned, m map[string]T, made func(*T) *ast.Term) *ast.Term {
	if m == nil {
		return ast.NullTerm()
	}
	pairs := make([][2]*ast.Term, 0, len(m))
	for zone, v := range m {
		pairs = append(pairs, [2]*ast.Term{i.text(zone), made(&v)})
	}
	return ast.ObjectTerm(pairs...)
}
