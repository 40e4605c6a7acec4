package judge

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/ringfence/ringfence/rego"
)

// To parse and to compile the program's own policies is most of what an audit of an ordinary host costs. So they are shipped compiled too: a
// line a module in rego/compiled.txt, which "go test ./judge -update" writes. A line names the digest of the text that it is made from.
// Where one is of another text, none is used: what is judged by is always the text.

// errStale says that the compiled policies are not those of the texts.
var errStale = errors.New("the compiled policies are of other texts")

// shipped are the program's own policies from their compiled form, without the modules of their texts.
func shipped() (*Policies, error) {
	p := empty()
	compiled := map[string]*ast.Module{}
	for line := range bytes.Lines(rego.Compiled) {
		file, c, m, err := readCompiled(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			return nil, err
		}
		compiled[file], p.builtins[file] = m, true
		if c != nil {
			p.Checks = append(p.Checks, *c)
		}
	}
	files, err := rego.Files()
	if err != nil || len(files) != len(compiled) {
		return nil, errStale
	}
	p.compiler = assembled(compiled)
	if p.compiler.Failed() {
		return nil, p.compiler.Errors
	}
	p.params, err = declaredParams(p.Checks)
	return p, err
}

// assembled is a compiler that has compiled modules. It would copy what it is given, so they come in after its first stage.
func assembled(compiled map[string]*ast.Module) *ast.Compiler {
	c := ast.NewCompiler().WithCapabilities(capabilities())
	stubs := map[string]*ast.Module{}
	for file, m := range compiled {
		stubs[file] = &ast.Module{Package: m.Package}
	}
	first := ast.StageRemoveImports
	// What is left makes what is not in modules: where rules are, and what is found by what.
	skip := append(slices.Clone(checking), ast.StageResolveRefs, ast.StageInitLocalVarGen, ast.StageRewriteRuleHeadRefs, ast.StageRewriteLocalVars,
		ast.StageRewriteExprTerms, ast.StageRewriteComprehensionTerms, ast.StageRewriteRefsInHead, ast.StageRewriteEquals, ast.StageRewriteDynamicTerms)
	c = c.WithSkipStages(skip...).WithStageAfterID(first, ast.CompilerStageDefinition{
		Name: "Shipped", MetricName: "shipped", Stage: func(c *ast.Compiler) *ast.Error {
			c.Modules = compiled
			return nil
		},
	})
	c.Compile(stubs)
	return c
}

// readCompiled reads a line: the name of a module, the digest of its text, and in base64 its check and what it is compiled to.
func readCompiled(line []byte) (string, *Check, *ast.Module, error) {
	first, rest, _ := bytes.Cut(line, []byte(" "))
	digest, coded, _ := bytes.Cut(rest, []byte(" "))
	name := string(first)
	text, err := rego.Policies.ReadFile(name)
	if err != nil || string(digest) != textDigest(text) {
		return "", nil, nil, errStale
	}
	b := make([]byte, base64.RawStdEncoding.DecodedLen(len(coded)))
	if _, err := base64.RawStdEncoding.Decode(b, coded); err != nil {
		return "", nil, nil, fmt.Errorf("%w: %s: %w", errStale, name, err)
	}
	r := &compiledReader{file: builtinDir + name, rest: string(b)}
	c, m := r.check(), r.module()
	if r.err == nil && r.rest != "" {
		r.err = errStale
	}
	return r.file, c, m, r.err
}

// textDigest is what a line says of the text of its module.
func textDigest(text []byte) string {
	sum := sha256.Sum256(text)
	return base64.RawStdEncoding.EncodeToString(sum[:12])
}

// The kinds of values in compiled modules. Numbers are written in variable length, each text once.
const (
	kindNone byte = iota
	kindNull
	kindFalse
	kindTrue
	kindNumber
	kindString
	kindVar
	kindRef
	kindArray
	kindObject
	kindSet
	kindCall
	kindArrayOf
	kindSetOf
	kindObjectOf
)

// The kinds of expressions, and what is said of one.
const (
	exprTerm  = iota // one term
	exprCall         // a function and its arguments
	exprEvery        // every
	exprKinds = 3

	exprNegated   = 4
	exprGenerated = 8
)

// What is said of a rule.
const (
	ruleDefault = 1 << iota
	ruleAssign
	ruleElse
)

// compiledReader reads one module. What it lacks is an error, and each further value is empty.
type compiledReader struct {
	file  string
	rest  string
	texts []compiledText
	at    map[uint64]*ast.Location // by line
	terms []ast.Term               // in pieces: there are very many
	lists []*ast.Term
	err   error
}

// compiledText is a text, and the terms that are it. Terms are never changed, so that one is in many places.
type compiledText struct {
	text         string
	str, v, numb *ast.Term
}

func (r *compiledReader) fail() {
	r.err, r.rest = fmt.Errorf("%w: %s", errStale, r.file), ""
}

func (r *compiledReader) byte() byte {
	if r.rest == "" {
		r.fail()
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *compiledReader) number() (n uint64) {
	for shift := 0; shift < 8*binary.MaxVarintLen64; shift += 7 {
		b := r.byte()
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	r.fail()
	return 0
}

// count is how many things follow, each of which takes a byte at least.
func (r *compiledReader) count() int {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.fail()
		return 0
	}
	return int(n)
}

// entry is a text of the table.
func (r *compiledReader) entry() *compiledText {
	n := r.number()
	if n >= uint64(len(r.texts)) {
		r.fail()
		return new(compiledText)
	}
	return &r.texts[n]
}

func (r *compiledReader) text() string { return r.entry().text }

func (r *compiledReader) list() []string {
	n := r.count() // 0 is none, which is not the empty one
	if n == 0 {
		return nil
	}
	out := make([]string, n-1)
	for i := range out {
		out[i] = r.text()
	}
	return out
}

// check reads the table of texts, and the check; nil is code that several share.
func (r *compiledReader) check() *Check {
	r.texts = make([]compiledText, r.count())
	for i := range r.texts {
		n := r.count()
		r.texts[i].text = r.rest[:n]
		r.rest = r.rest[n:]
	}
	if r.byte() == 0 {
		return nil
	}
	c := &Check{
		ID: r.text(), Title: r.text(), Description: r.text(), Severity: r.text(), Remediation: r.text(), pkg: r.text(), File: r.file, Builtin: true,
		Reads: r.list(), Kinds: r.list(), Assumes: r.list(),
	}
	f := &c.References
	f.CIS, f.NIST, f.ATTACK, f.CWE, f.CVE, f.URLs = r.list(), r.list(), r.list(), r.list(), r.list(), r.list()
	if params := r.text(); params != "" {
		if err := json.Unmarshal([]byte(params), &c.Params); err != nil {
			r.fail()
		}
	}
	return c
}

func (r *compiledReader) module() *ast.Module {
	r.at = map[uint64]*ast.Location{}
	m := &ast.Module{Package: &ast.Package{Path: r.many()}}
	m.Rules = make([]*ast.Rule, r.count())
	for i := range m.Rules {
		m.Rules[i] = r.rule(m)
	}
	return m
}

func (r *compiledReader) rule(m *ast.Module) *ast.Rule {
	says, at := r.byte(), r.line()
	h := &ast.Head{Name: ast.Var(r.text()), Reference: r.many(), Args: r.many(), Key: r.maybe(), Value: r.maybe(), Location: at, Assign: says&ruleAssign != 0}
	rule := &ast.Rule{Head: h, Body: r.body(), Location: at, Module: m, Default: says&ruleDefault != 0}
	if says&ruleElse != 0 {
		rule.Else = r.rule(m)
	}
	return rule
}

// line is a place in the text; 0 is none.
func (r *compiledReader) line() *ast.Location {
	n := r.number()
	if n == 0 {
		return nil
	}
	at := r.at[n]
	if at == nil {
		at = &ast.Location{File: r.file, Row: int(n), Col: 1}
		r.at[n] = at
	}
	return at
}

func (r *compiledReader) body() ast.Body {
	n := r.count()
	if n == 0 {
		return nil
	}
	all := make([]ast.Expr, n)
	body := make(ast.Body, n)
	for i := range body {
		r.expr(&all[i])
		all[i].Index, body[i] = i, &all[i]
	}
	return body
}

func (r *compiledReader) expr(e *ast.Expr) {
	says := r.byte()
	e.Location = r.line()
	e.Negated, e.Generated = says&exprNegated != 0, says&exprGenerated != 0
	switch says & exprKinds {
	case exprTerm:
		e.Terms = r.term()
	case exprCall:
		e.Terms = r.many()
	case exprEvery:
		e.Terms = &ast.Every{Key: r.maybe(), Value: r.term(), Domain: r.term(), Body: r.body(), Location: e.Location}
	default:
		r.fail()
	}
	for range r.count() {
		e.With = append(e.With, &ast.With{Target: r.term(), Value: r.term(), Location: e.Location})
	}
}

// many is a list of terms.
func (r *compiledReader) many() []*ast.Term {
	n := r.count()
	if n == 0 {
		return nil
	}
	if len(r.lists) < n {
		r.lists = make([]*ast.Term, max(n, 256))
	}
	out := r.lists[:n:n]
	r.lists = r.lists[n:]
	for i := range out {
		out[i] = r.term()
	}
	return out
}

func (r *compiledReader) made(v ast.Value) *ast.Term {
	if len(r.terms) == 0 {
		r.terms = make([]ast.Term, 64)
	}
	t := &r.terms[0]
	r.terms = r.terms[1:]
	t.Value = v
	return t
}

// term is never nil: the values of OPA are not made of such.
func (r *compiledReader) term() *ast.Term {
	if t := r.maybe(); t != nil {
		return t
	}
	r.fail()
	return ast.InternedNullTerm
}

// maybe is a term that need not be there.
func (r *compiledReader) maybe() *ast.Term {
	switch kind := r.byte(); kind {
	case kindNone:
		return nil
	case kindNull:
		return ast.InternedNullTerm
	case kindFalse, kindTrue:
		return ast.InternedTerm(kind == kindTrue)
	case kindNumber:
		t := r.entry()
		if t.numb == nil {
			t.numb = r.made(ast.Number(t.text))
		}
		return t.numb
	case kindString:
		t := r.entry()
		if t.str == nil {
			t.str = r.made(ast.String(t.text))
		}
		return t.str
	case kindVar:
		t := r.entry()
		if t.v == nil {
			t.v = r.made(ast.Var(t.text))
		}
		return t.v
	case kindRef:
		return r.made(ast.Ref(r.many()))
	case kindCall:
		return r.made(ast.Call(r.many()))
	case kindArray:
		return r.made(ast.NewArray(r.many()...))
	case kindSet:
		return r.made(ast.NewSet(r.many()...))
	case kindObject:
		pairs := make([][2]*ast.Term, r.count())
		for i := range pairs {
			pairs[i] = [2]*ast.Term{r.term(), r.term()}
		}
		return r.made(ast.NewObject(pairs...))
	case kindArrayOf:
		return r.made(&ast.ArrayComprehension{Term: r.term(), Body: r.body()})
	case kindSetOf:
		return r.made(&ast.SetComprehension{Term: r.term(), Body: r.body()})
	case kindObjectOf:
		return r.made(&ast.ObjectComprehension{Key: r.term(), Value: r.term(), Body: r.body()})
	}
	r.fail()
	return nil
}
