package judge

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/ringfence/ringfence/rego"
)

// TestCompiledIsOfTheTexts compiles the program's own policies, and wants what is shipped of them to be that.
func TestCompiledIsOfTheTexts(t *testing.T) {
	p, err := ofTexts()
	if err != nil {
		t.Fatal(err)
	}
	files, err := rego.Files()
	if err != nil {
		t.Fatal(err)
	}
	checks := map[string]*Check{}
	for i := range p.Checks {
		checks[p.Checks[i].File] = &p.Checks[i]
	}
	var want bytes.Buffer
	for _, name := range files {
		text, err := rego.Policies.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file := builtinDir + name
		w := &compiledWriter{t: t, index: map[string]uint64{}, locals: map[string]string{}}
		w.check(checks[file])
		w.module(p.compiler.Modules[file])
		fmt.Fprintf(&want, "%s %s %s\n", name, textDigest(text), base64.RawStdEncoding.EncodeToString(w.bytes()))
	}
	if *update {
		if err := os.WriteFile("../rego/compiled.txt", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(want.Bytes(), rego.Compiled) {
		t.Fatal("rego/compiled.txt is not what the policies compile to: go test ./judge -update")
	}
	got, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(p.Checks, got.Checks, cmp.AllowUnexported(Check{})); d != "" {
		t.Errorf("checks of the texts (-) and of what is shipped (+):\n%s", d)
	}
	for file, m := range p.compiler.Modules {
		a := &compiledWriter{t: t, index: map[string]uint64{}, locals: map[string]string{}}
		a.module(m)
		b := &compiledWriter{t: t, index: map[string]uint64{}, locals: map[string]string{}}
		b.module(got.compiler.Modules[file])
		if !bytes.Equal(a.bytes(), b.bytes()) {
			t.Errorf("%s: what was read of it is written otherwise", file)
		}
	}
}

// compiledWriter writes what compiledReader reads.
type compiledWriter struct {
	t      *testing.T
	out    []byte
	texts  []string
	index  map[string]uint64
	locals map[string]string // names of variables that the compiler has made: it counts through all modules
}

// bytes are the table of texts and what refers to it.
func (w *compiledWriter) bytes() []byte {
	b := binary.AppendUvarint(nil, uint64(len(w.texts)))
	for _, s := range w.texts {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return append(b, w.out...)
}

func (w *compiledWriter) byte(b byte) { w.out = append(w.out, b) }

func (w *compiledWriter) number(n int) { w.out = binary.AppendUvarint(w.out, uint64(n)) }

func (w *compiledWriter) text(s string) {
	n, ok := w.index[s]
	if !ok {
		n = uint64(len(w.texts))
		w.index[s], w.texts = n, append(w.texts, s)
	}
	w.out = binary.AppendUvarint(w.out, n)
}

// list writes a list; 0 is none, which is not the empty one.
func (w *compiledWriter) list(all []string) {
	if all == nil {
		w.number(0)
		return
	}
	w.number(len(all) + 1)
	for _, s := range all {
		w.text(s)
	}
}

func (w *compiledWriter) check(c *Check) {
	if c == nil {
		w.byte(0)
		return
	}
	w.byte(1)
	for _, s := range []string{c.ID, c.Title, c.Description, c.Severity, c.Remediation, c.pkg} {
		w.text(s)
	}
	f := &c.References
	for _, l := range [][]string{c.Reads, c.Kinds, c.Assumes, f.CIS, f.NIST, f.ATTACK, f.CWE, f.CVE, f.URLs} {
		w.list(l)
	}
	params := ""
	if c.Params != nil {
		b, err := json.Marshal(c.Params)
		if err != nil {
			w.t.Fatal(err)
		}
		params = string(b)
	}
	w.text(params)
}

func (w *compiledWriter) module(m *ast.Module) {
	w.terms(m.Package.Path)
	w.number(len(m.Rules))
	for _, r := range m.Rules {
		w.rule(r)
	}
}

func (w *compiledWriter) rule(r *ast.Rule) {
	says := byte(0)
	for bit, on := range map[byte]bool{ruleDefault: r.Default, ruleAssign: r.Head.Assign, ruleElse: r.Else != nil} {
		if on {
			says |= bit
		}
	}
	w.byte(says)
	w.line(r.Location)
	w.text(string(r.Head.Name))
	w.terms(r.Head.Reference)
	w.terms(r.Head.Args)
	w.term(r.Head.Key)
	w.term(r.Head.Value)
	w.body(r.Body)
	if r.Else != nil {
		w.rule(r.Else)
	}
}

func (w *compiledWriter) line(at *ast.Location) {
	if at == nil {
		w.number(0)
		return
	}
	w.number(at.Row)
}

func (w *compiledWriter) body(b ast.Body) {
	w.number(len(b))
	for i, e := range b {
		if e.Index != i {
			w.t.Fatalf("%s: expression %d has the index %d", e.Location, i, e.Index)
		}
		w.expr(e)
	}
}

func (w *compiledWriter) expr(e *ast.Expr) {
	says := byte(0)
	switch e.Terms.(type) {
	case *ast.Term:
		says = exprTerm
	case []*ast.Term:
		says = exprCall
	case *ast.Every:
		says = exprEvery
	default:
		w.t.Fatalf("%s: expression of %T", e.Location, e.Terms)
	}
	if e.Negated {
		says |= exprNegated
	}
	if e.Generated {
		says |= exprGenerated
	}
	w.byte(says)
	w.line(e.Location)
	switch x := e.Terms.(type) {
	case *ast.Term:
		w.term(x)
	case []*ast.Term:
		w.terms(x)
	case *ast.Every:
		w.term(x.Key)
		w.term(x.Value)
		w.term(x.Domain)
		w.body(x.Body)
	}
	w.number(len(e.With))
	for _, with := range e.With {
		w.term(with.Target)
		w.term(with.Value)
	}
}

func (w *compiledWriter) terms(all []*ast.Term) {
	w.number(len(all))
	for _, t := range all {
		w.term(t)
	}
}

func (w *compiledWriter) named(kind byte, s string) {
	w.byte(kind)
	w.text(s)
}

func (w *compiledWriter) listed(kind byte, all []*ast.Term) {
	w.byte(kind)
	w.terms(all)
}

// local is a variable, by a name that is the same whatever other modules there are.
func (w *compiledWriter) local(name string) string {
	if !strings.HasPrefix(name, "__local") {
		return name
	}
	if w.locals[name] == "" {
		w.locals[name] = fmt.Sprintf("__local%d__", len(w.locals))
	}
	return w.locals[name]
}

var madeVar = regexp.MustCompile(`__local\d+__`)

// ordered are terms in an order that does not hang on what the compiler calls variables.
func (w *compiledWriter) ordered(all []*ast.Term) []*ast.Term {
	return slices.SortedFunc(slices.Values(all), func(a, b *ast.Term) int {
		return strings.Compare(madeVar.ReplaceAllStringFunc(a.String(), w.local), madeVar.ReplaceAllStringFunc(b.String(), w.local))
	})
}

func (w *compiledWriter) term(t *ast.Term) {
	if t == nil {
		w.byte(kindNone)
		return
	}
	switch v := t.Value.(type) {
	case ast.Null:
		w.byte(kindNull)
	case ast.Boolean:
		w.byte(map[bool]byte{false: kindFalse, true: kindTrue}[bool(v)])
	case ast.Number:
		w.named(kindNumber, string(v))
	case ast.String:
		w.named(kindString, string(v))
	case ast.Var:
		w.named(kindVar, w.local(string(v)))
	case ast.Ref:
		w.listed(kindRef, v)
	case ast.Call:
		w.listed(kindCall, v)
	case *ast.Array:
		w.byte(kindArray)
		w.number(v.Len())
		v.Foreach(w.term)
	case ast.Set:
		w.listed(kindSet, w.ordered(v.Slice()))
	case ast.Object:
		w.byte(kindObject)
		w.number(v.Len())
		for _, k := range w.ordered(v.Keys()) {
			w.term(k)
			w.term(v.Get(k))
		}
	case *ast.ArrayComprehension:
		w.byte(kindArrayOf)
		w.term(v.Term)
		w.body(v.Body)
	case *ast.SetComprehension:
		w.byte(kindSetOf)
		w.term(v.Term)
		w.body(v.Body)
	case *ast.ObjectComprehension:
		w.byte(kindObjectOf)
		w.term(v.Key)
		w.term(v.Value)
		w.body(v.Body)
	default:
		w.t.Fatalf("a term of %T", t.Value)
	}
}

// TestOtherTextsAreCompiled: where a line is of another text, is damaged or lacks, policies are what their texts say.
func TestOtherTextsAreCompiled(t *testing.T) {
	whole := rego.Compiled
	defer func() { rego.Compiled = whole }()
	first, rest, _ := bytes.Cut(whole, []byte("\n"))
	f := bytes.Fields(first)
	other := func(n int, s []byte) []byte {
		g := slices.Clone(f)
		g[n] = s
		return slices.Concat(bytes.Join(g, []byte(" ")), []byte("\n"), rest)
	}
	for name, text := range map[string][]byte{
		"of another text": other(1, []byte("AAAAAAAAAAAAAAAA")), "of no policy": other(0, []byte("policies/none.rego")), "no base64": other(2, []byte("*")),
		"cut": other(2, f[2][:len(f[2])/2]), "longer": other(2, append(slices.Clone(f[2]), f[2]...)), "lacking": rest, "empty": nil,
	} {
		rego.Compiled = text
		if _, err := shipped(); err == nil {
			t.Errorf("%s: it is used", name)
		}
	}
	if p, err := Load(); err != nil || len(p.modules) == 0 {
		t.Errorf("want policies of the texts, got %v", err)
	}
}

// TestDamagedCompiled: what is read of a line that is cut anywhere is an error, and never ends the program.
func TestDamagedCompiled(t *testing.T) {
	line, _, _ := bytes.Cut(rego.Compiled, []byte("\n"))
	b, err := base64.RawStdEncoding.DecodeString(string(bytes.Fields(line)[2]))
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(b); n += 37 {
		r := &compiledReader{rest: string(b[:n])}
		r.check()
		r.module()
		if r.err == nil {
			t.Errorf("cut at byte %d it is read", n)
		}
	}
}
